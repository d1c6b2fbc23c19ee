"""Content that others have made: looked at, never changed."""

from __future__ import annotations

import re
from typing import Final

from ehlo.errors import InvalidInput

__all__ = ["LINE_OCTETS_MAX", "check_content", "has_long_line", "message_id_of"]

LINE_OCTETS_MAX: Final = 998
"""Octets of a line, its end not counted (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1)."""

_HEADER_MAX: Final = 65_536  # how far a Message-ID is looked for
_EMPTY_LINES: Final = (b"\n\n", b"\n\r", b"\r\r")
_MESSAGE_ID: Final = re.compile(
    rb"^message-id[ \t]*+:([^\r\n]*+(?:(?:\r\n|\r|\n)[ \t][^\r\n]*+)*+)",
    re.IGNORECASE | re.MULTILINE,
)
_IN_BRACKETS: Final = re.compile(rb"<[!-;=?-~]+>")


def check_content(content: bytes) -> None:
    """Refuse octets that no server has to take.

    Args:
        content: A message, its lines ended by CRLF, bare CR or bare LF.

    Raises:
        InvalidInput: There is a NUL (RFC 5321 section 4.1.1.4 leaves them out of mail data,
            RFC 5322 section 2.2 forbids them), or a line of more than 998 octets; the message
            names the line, counted from 1.
    """
    nul = content.find(b"\0")
    if nul >= 0:
        raise InvalidInput(f"line {_line_number(content, nul)} of the message holds a NUL octet")
    start = _long_line(content)
    if start >= 0:
        raise InvalidInput(
            f"line {_line_number(content, start)} of the message is longer than "
            f"{LINE_OCTETS_MAX} octets"
        )


def has_long_line(content: bytes) -> bool:
    """Tell whether a line is longer than 998 octets.

    Args:
        content: Octets, their lines ended by CRLF, bare CR or bare LF.

    Returns:
        Whether there is such a line.
    """
    return _long_line(content) >= 0


def _long_line(content: bytes) -> int:
    """Return where the first line longer than 998 octets starts; -1 if there is none.

    From a line's start, the last line end within reach is looked for: everything before it is
    lines that fit. So a hop covers nearly a thousand octets, however many lines that is.
    """
    start = 0
    last = len(content) - LINE_OCTETS_MAX
    while start < last:
        reach = start + LINE_OCTETS_MAX + 1
        end = content.rfind(b"\n", start, reach)
        if end < 0:
            end = content.rfind(b"\r", start, reach)
        if end < 0:
            return start
        start = end + 1
    return -1


def _line_number(content: bytes, position: int) -> int:
    before = content[:position]
    return before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n") + 1


def message_id_of(content: bytes) -> str | None:
    """Find the Message-ID in a message (RFC 5322 section 3.6.4).

    Args:
        content: A message, or anything else. Nothing behind the header, and nothing behind the
            first 65,536 octets is looked at.

    Returns:
        The identifier with its angle brackets; None if there is none that can be shown.
    """
    head = b"\n" + content[:_HEADER_MAX]
    ends = [end for mark in _EMPTY_LINES if (end := head.find(mark)) >= 0]
    header = head[: min(ends, default=len(head))]
    field = _MESSAGE_ID.search(header.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    identifier = _IN_BRACKETS.search(field[1]) if field else None
    return identifier[0].decode("ascii") if identifier else None
