"""Content that others have made: looked at, never changed."""

from __future__ import annotations

import codecs
import re
from io import BytesIO  # in memory: it does no I/O
from typing import TYPE_CHECKING, Final

from ehlo.content import Octets

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "LINE_OCTETS_MAX",
    "TextCheck",
    "has_long_line",
    "has_utf8_header",
    "joined",
    "looked_at",
    "message_id_of",
    "why_not_text",
]

LINE_OCTETS_MAX: Final = 998
"""Octets of a line, its end not counted (RFC 5321 section 4.5.3.1.6, RFC 5322 section 2.1.1)."""

_ROOM_MAX: Final = 67_108_864
_HEADER_MAX: Final = 65_536  # how far a Message-ID is looked for
_EMPTY_LINES: Final = (b"\n\n", b"\n\r", b"\r\r")
_MESSAGE_ID: Final = re.compile(
    rb"^message-id[ \t]*+:([^\r\n]*+(?:(?:\r\n|\r|\n)[ \t][^\r\n]*+)*+)",
    re.IGNORECASE | re.MULTILINE,
)
# The field as nearly everybody writes it, in a header whose lines end as they should.
_USUAL: Final = re.compile(
    rb"(?:(?!message-id)[!-9;-~]++:[^\r\n]*+\r\n(?:[ \t][^\r\n]*+\r\n)*+)*+"
    rb"message-id: (<[!-;=?-~]+>)\r\n",
    re.IGNORECASE,
)
_Utf8: Final = codecs.getincrementaldecoder("utf-8")
_IN_BRACKETS: Final = re.compile(rb"<[!-;=?-~]+>")


def why_not_text(content: bytes) -> str:
    """Say why no server has to take octets as text.

    Args:
        content: A message, its lines ended by CRLF, bare CR or bare LF.

    Returns:
        That there is a NUL (RFC 5321 section 4.1.1.4 leaves them out of mail data, RFC 5322
        section 2.2 forbids them), or a line of more than 998 octets, and in which line, counted
        from 1. Empty for text.
    """
    nul = content.find(b"\0")
    if nul >= 0:
        return f"line {_line_number(content, nul)} of the message holds a NUL octet"
    start = _long_line(content)
    if start >= 0:
        return (
            f"line {_line_number(content, start)} of the message is longer than "
            f"{LINE_OCTETS_MAX} octets"
        )
    return ""


class TextCheck:
    """Looks at content piece by piece: can it travel as text?"""

    def __init__(self) -> None:
        self._lines = 1
        self._length = 0  # of the line that the last piece left unfinished
        self._ended_with_cr = False

    def feed(self, piece: bytes) -> str:
        """Take a piece.

        Args:
            piece: The next octets, cut anywhere.

        Returns:
            Why they are no text, as `why_not_text` says it; empty for text.
        """
        if not piece:
            return ""
        ends = [end for end in (piece.find(b"\n"), piece.find(b"\r")) if end >= 0]
        first = min(ends, default=len(piece))
        if self._length + first > LINE_OCTETS_MAX or b"\0" in piece or has_long_line(piece):
            return self._trouble(piece)
        if ends:
            self._length = len(piece) - max(piece.rfind(b"\n"), piece.rfind(b"\r")) - 1
        else:
            self._length += len(piece)
        self._lines += self._line_ends(piece)
        self._ended_with_cr = piece.endswith(b"\r")
        return ""

    def _line_ends(self, piece: bytes) -> int:
        joined = self._ended_with_cr and piece.startswith(b"\n")  # the other half of a CRLF
        return piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n") - joined

    def _trouble(self, piece: bytes) -> str:
        """Find the words; the line may have begun in an earlier piece, and a CRLF as well."""
        if self._ended_with_cr:
            piece = piece.removeprefix(b"\n")
        why = why_not_text(b"x" * self._length + piece)
        number, _, rest = why.removeprefix("line ").partition(" ")
        return f"line {int(number) + self._lines - 1} {rest}"


def looked_at(octets: bytes) -> Octets:
    """Return octets with all that a transaction wants to know of them.

    Args:
        octets: A message.

    Returns:
        The content.
    """
    eight_bit = not octets.isascii()
    not_text = why_not_text(octets)
    is_binary = bool(not_text) and b"\0" in octets
    return Octets(octets, eight_bit, eight_bit and has_utf8_header(octets), not_text, is_binary)


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


def joined(pieces: Iterable[bytes], size: int) -> bytes:
    """Join pieces that are made one after the other, without ever having all of them twice.

    Memory is asked for once: a buffer that grows is copied again and again, and to be given memory
    by the system takes longer than to write it.

    Args:
        pieces: The pieces.
        size: How many octets they have, or about so many; 0 if that is not known. It may come from
            a caller who is wrong, so that for no more than 64 MiB memory is asked for beforehand.

    Returns:
        The octets.
    """
    buffer = BytesIO()
    if 0 < size <= _ROOM_MAX:
        buffer.seek(size - 1)
        buffer.write(b"\n")
        buffer.seek(0)
    buffer.writelines(pieces)
    buffer.truncate()
    return buffer.getvalue()


def message_id_of(content: bytes) -> str | None:
    """Find the Message-ID in a message (RFC 5322 section 3.6.4).

    Args:
        content: A message, or anything else. Nothing behind the header, and nothing behind the
            first 65,536 octets is looked at.

    Returns:
        The identifier with its angle brackets; None if there is none that can be shown.
    """
    usual = _USUAL.match(content, 0, _HEADER_MAX)
    if usual:
        return usual[1].decode("ascii")
    header = _header(content)
    if b"message-id" not in header.lower():
        return None
    field = _MESSAGE_ID.search(header.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    identifier = _IN_BRACKETS.search(field[1]) if field else None
    return identifier[0].decode("ascii") if identifier else None


def _header(content: bytes) -> bytes:
    """Return the header, so far as it is looked at, behind a line feed."""
    head = b"\n" + content[:_HEADER_MAX]
    ends = [end for mark in _EMPTY_LINES if (end := head.find(mark)) >= 0]
    return head[: min(ends, default=len(head))]


def has_utf8_header(content: bytes) -> bool:
    """Tell whether a message has an internationalised header (RFC 6532).

    Args:
        content: A message, or its beginning.

    Returns:
        Whether the header holds text that is not ASCII, and is UTF-8 throughout: octets of an
        unknown charset are an old custom, and no SMTPUTF8 message.
    """
    header = _header(content)
    if header.isascii():
        return False
    try:
        _Utf8().decode(header)  # a character that is cut at the very end is none that is wrong
    except UnicodeDecodeError:
        return False
    return True
