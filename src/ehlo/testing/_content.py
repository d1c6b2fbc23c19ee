"""The content of a message as a server reads and keeps it, in any chunking."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

__all__ = ["Content", "ContentReader", "ContentStore", "Digest", "EndMarks", "Keep"]

_LINE_END: Final = b"\r\n"
_END_LENGTH: Final = 5
"""Octets of the longest end mark."""
_LINE_END_BEGINS: Final = re.compile(rb"[\r\n]")


class EndMarks(Enum):
    """What ends content, and behind which line ends dots are stuffed."""

    STRICT = re.compile(rb"(\r\n)\.\r\n"), re.compile(rb"(\r\n)\.")
    """CRLF.CRLF alone (RFC 5321 section 4.1.1.4)."""
    LF_DOT_CRLF = re.compile(rb"(\r?\n)\.\r\n"), re.compile(rb"(\r?\n)\.")
    """LF.CRLF as well."""
    LOOSE = re.compile(rb"(\r?\n)\.\r?\n"), re.compile(rb"(\r?\n)\.")
    """Any line end on both sides of the dot."""


class Keep(StrEnum):
    """What a server keeps of the content of messages."""

    CONTENT = "content"
    """Every octet."""
    DIGEST = "digest"
    """Length and SHA-256 alone: for messages of any size, in no memory. What looks at content,
    such as an answers hook or a quirk, sees none."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What can be said of octets that are gone.

    Attributes:
        length: How many there were.
        sha256: Their SHA-256, in hexadecimal digits.
    """

    length: int
    sha256: str

    @classmethod
    def of(cls, octets: bytes) -> Digest:
        """Return the digest of octets."""
        return cls(len(octets), hashlib.sha256(octets).hexdigest())


@dataclass(frozen=True, slots=True)
class Content:
    """The whole content of one message.

    Attributes:
        octets: The octets; empty if they were not kept.
        digest: Their digest if they were not kept; None if they are there.
    """

    octets: bytes
    digest: Digest | None = None


class ContentStore:
    """Takes the content of one message, piece by piece.

    Args:
        limit: How many octets it may have; None for no limit. Of a longer one nothing is kept.
        keep: What is kept of it.

    Attributes:
        overflowed: Whether there were more octets than allowed.
    """

    def __init__(self, limit: int | None, keep: Keep) -> None:
        self.overflowed = False
        self._limit = limit
        self._length = 0
        self._kept = bytearray()
        self._hash = hashlib.sha256() if keep is Keep.DIGEST else None

    def add(self, octets: bytes) -> None:
        """Take the next octets.

        Args:
            octets: Any number of them.
        """
        self._length += len(octets)
        if self._limit is not None and self._length > self._limit:
            self.overflowed = True
            self._kept.clear()
        elif self._hash is None:
            self._kept += octets
        else:
            self._hash.update(octets)

    def content(self) -> Content:
        """Return the content; there is none of one that overflowed."""
        if self._hash is None:
            return Content(bytes(self._kept))
        return Content(b"", Digest(self._length, self._hash.hexdigest()))


class ContentReader:
    """Reads one message's content up to its end mark (RFC 5321 sections 4.1.1.4 and 4.5.2).

    Only CRLF "." CRLF ends it, unless it is told otherwise. A server that takes anything else
    for the end lets a sender smuggle commands through a relay that does not (CVE-2023-51764,
    CVE-2023-51765).

    Args:
        store: Where the unstuffed octets go.
        marks: What ends the content.
    """

    def __init__(self, store: ContentStore, marks: EndMarks = EndMarks.STRICT) -> None:
        self._store = store
        self._end_mark, self._stuffed_dot = marks.value
        # The CRLF of the DATA line counts: a lone dot may come first, and a dot is stuffed there.
        self._pending = bytearray(_LINE_END)
        self._lead = len(_LINE_END)  # how many octets of what is pending are no content

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets that came in.

        Args:
            octets: The next piece, cut anywhere.

        Returns:
            What came behind the end of the content; None while that has not come.
        """
        self._pending += octets
        mark = self._end_mark.search(self._pending)
        if mark is None:
            self._pass_on(self._settled())
            return None
        rest = bytes(self._pending[mark.end() :])
        self._pass_on(mark.end(1))  # the last line keeps its end
        return rest

    def _settled(self) -> int:
        """Return how many octets no end mark and no stuffed dot can have a part in any more."""
        tail = max(len(self._pending) - _END_LENGTH + 1, 0)
        found = _LINE_END_BEGINS.search(self._pending, tail)
        if found is None:
            return len(self._pending)
        behind_cr = self._pending.endswith(b"\r", 0, found.start())
        return found.start() - behind_cr

    def _pass_on(self, length: int) -> None:
        """Keep the octets that are settled, without the dots that were stuffed."""
        if not length:
            return
        settled = self._stuffed_dot.sub(rb"\1", self._pending[:length])
        del self._pending[:length]
        self._store.add(settled[self._lead :])
        self._lead = 0
