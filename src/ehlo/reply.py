"""Replies of a server: code, severity, enhanced status and text (RFC 5321 section 4.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from typing_extensions import override

from ehlo.text import printable

__all__ = ["EnhancedStatus", "Reply", "Severity"]

SERVICE_NOT_AVAILABLE: Final = 421
"""The one code that ends a session wherever it appears (RFC 5321 section 3.8)."""


class Severity(IntEnum):
    """The first digit of a reply code, which alone decides what a client does next.

    RFC 5321 section 4.2.1: "An unsophisticated SMTP client, or one that receives an
    unexpected code, will be able to determine its next action by examining this first digit."
    """

    POSITIVE_COMPLETION = 2
    POSITIVE_INTERMEDIATE = 3
    TRANSIENT_NEGATIVE = 4
    PERMANENT_NEGATIVE = 5


# class "." subject "." detail: one to three digits each, no leading zeros, then SP or the end
# (RFC 2034 section 4, RFC 3463 section 2).
_ENHANCED_STATUS = re.compile(rb"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})(?: |\Z)")


@dataclass(frozen=True, slots=True, order=True)
class EnhancedStatus:
    """An enhanced mail system status code (RFC 3463), such as `5.1.1`.

    Attributes:
        class_: 2 (success), 4 (persistent transient failure) or 5 (permanent failure).
        subject: The area of the condition, 0 to 999 (1 is addressing, 7 is security ...).
        detail: The condition itself, 0 to 999.
    """

    class_: int
    subject: int
    detail: int

    @override
    def __str__(self) -> str:
        return f"{self.class_}.{self.subject}.{self.detail}"


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply of a server.

    Attributes:
        code: The three-digit code, 200 to 599.
        raw_lines: The text of each line without code, separator and line end, exactly the
            octets that came; never empty. A reply without text has one empty line.
    """

    code: int
    raw_lines: tuple[bytes, ...] = (b"",)

    @classmethod
    def of(cls, code: int, *lines: str) -> Reply:
        """Make a reply from text, as a server or a test does.

        Args:
            code: The three-digit code.
            *lines: The text of each line; none means one empty line.

        Returns:
            The reply.
        """
        return cls(code, tuple(line.encode() for line in lines) or (b"",))

    @property
    def severity(self) -> Severity:
        """The first digit of the code."""
        return Severity(self.code // 100)

    @property
    def is_positive(self) -> bool:
        """Whether this is a positive completion (2yz)."""
        return self.code // 100 == Severity.POSITIVE_COMPLETION

    @property
    def is_intermediate(self) -> bool:
        """Whether the server waits for more (3yz)."""
        return self.code // 100 == Severity.POSITIVE_INTERMEDIATE

    @property
    def is_temporary(self) -> bool:
        """Whether this is a failure that the same command may not meet later (4yz)."""
        return self.code // 100 == Severity.TRANSIENT_NEGATIVE

    @property
    def is_permanent(self) -> bool:
        """Whether this is a failure that the same command will meet again (5yz)."""
        return self.code // 100 == Severity.PERMANENT_NEGATIVE

    @property
    def closes_session(self) -> bool:
        """Whether this is 421: the server is about to close the connection."""
        return self.code == SERVICE_NOT_AVAILABLE

    @property
    def lines(self) -> tuple[str, ...]:
        r"""The text of each line; octets that are not UTF-8 appear as `\xNN`.

        The enhanced status code, where there is one, is part of the text.
        """
        return tuple(line.decode("utf-8", "backslashreplace") for line in self.raw_lines)

    @property
    def text(self) -> str:
        """The lines, joined by newlines."""
        return "\n".join(self.lines)

    @property
    def enhanced_status(self) -> EnhancedStatus | None:
        """The enhanced status code of the first line, if it has a valid one.

        A code whose class differs from the reply's first digit is no status code (RFC 2034
        section 4), just text.
        """
        match = _ENHANCED_STATUS.match(self.raw_lines[0])
        if match is None or int(match[1]) != self.code // 100:
            return None
        return EnhancedStatus(int(match[1]), int(match[2]), int(match[3]))

    def wire(self) -> bytes:
        """Return the reply as a server sends it, line ends included."""
        last = len(self.raw_lines) - 1
        return b"".join(
            b"%d%c%b\r\n" % (self.code, b" -"[number < last], line)
            for number, line in enumerate(self.raw_lines)
        )

    @override
    def __str__(self) -> str:
        """Return code and text on one line, control characters escaped."""
        return f"{self.code} {printable(' '.join(self.lines))}".rstrip()
