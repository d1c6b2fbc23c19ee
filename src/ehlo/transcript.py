"""The record of a session: the lines of client and server, with times, without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from ehlo.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Entry", "Side", "Trace", "Transcript"]


class Side(StrEnum):
    """Who a line of a transcript is from."""

    CLIENT = "C"
    SERVER = "S"
    NOTE = "*"
    """Neither: a fact beside the dialogue, such as the TLS handshake."""


class Trace(Protocol):
    """Whoever wants to see a session as it goes by; secrets are masked before they come here."""

    def line(self, side: Side, text: str) -> None:
        """Take one line.

        Args:
            side: Who said it.
            text: The line without its end.
        """

    def content(self, octets: bytes) -> None:
        """Take a piece of the message content as it goes to the wire, dots doubled.

        Args:
            octets: The piece, cut anywhere.
        """


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transcript.

    Attributes:
        time: Seconds since the transcript's first line.
        side: Who said it.
        text: The line without its end; control characters are escaped when it is printed.
    """

    time: float
    side: Side
    text: str

    @override
    def __str__(self) -> str:
        return f"{self.side}: {printable(self.text)}"


class Transcript:
    """A `Trace` that keeps what it sees.

    Secrets are masked by the commands themselves before a line gets here, so a transcript may
    be shared. The content of messages is kept up to a limit and then only counted.

    Args:
        on_entry: Called with each `Entry` as it is made, to print it for example.
        content_limit: How many octets of each message's content to keep; the rest is counted.
        clock: Returns seconds; None leaves it to the adapter that uses the transcript.

    Attributes:
        entries: What was seen so far.
        clock: As above.
    """

    def __init__(
        self,
        *,
        on_entry: Callable[[Entry], None] | None = None,
        content_limit: int = 4096,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.entries: list[Entry] = []
        self.clock = clock
        self._on_entry = on_entry
        self._content_limit = content_limit
        self._start: float | None = None
        self._content = bytearray()
        self._content_octets = 0

    def line(self, side: Side, text: str) -> None:
        """Keep one line; see `Trace.line`."""
        self._end_content()
        self._add(side, text)

    def content(self, octets: bytes) -> None:
        """Keep a piece of content; see `Trace.content`."""
        room = self._content_limit - len(self._content)
        self._content += octets[: max(room, 0)]
        self._content_octets += len(octets)

    def _end_content(self) -> None:
        if not self._content_octets:
            return
        kept, total = bytes(self._content), self._content_octets
        self._content.clear()
        self._content_octets = 0
        lines = kept.decode("utf-8", "backslashreplace").removesuffix("\r\n").split("\r\n")
        for line in lines if kept else ():
            self._add(Side.CLIENT, line)
        if total > len(kept):
            self._add(Side.NOTE, f"... {total - len(kept)} more octets of content")

    def _add(self, side: Side, text: str) -> None:
        now = 0.0 if self.clock is None else self.clock()
        if self._start is None:
            self._start = now
        entry = Entry(now - self._start, side, text)
        self.entries.append(entry)
        if self._on_entry is not None:
            self._on_entry(entry)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over what was seen so far."""
        return iter(self.entries)

    @override
    def __str__(self) -> str:
        """Return the transcript as text, one `C:` or `S:` line after the other."""
        return "\n".join(str(entry) for entry in self.entries)
