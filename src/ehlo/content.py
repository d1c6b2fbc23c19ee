"""The content of a message: its octets, and what is known of them before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["Content", "LineEnds", "Octets", "Piece", "Stream"]

Piece: TypeAlias = bytes | bytearray | memoryview
"""Some octets of content, cut anywhere."""


class LineEnds(Enum):
    """What is known of the line ends of content before it is encoded."""

    ANY = "CRLF, bare CR, bare LF, or a mixture"
    CRLF = "CRLF alone, the last line included"


class Octets(NamedTuple):
    """Content that is in memory as a whole.

    Attributes:
        octets: The content.
        is_eight_bit: Whether an octet is above 127, so that the server must offer 8BITMIME.
        has_utf8_header: Whether its header is UTF-8 and not ASCII, so that the server must offer
            SMTPUTF8 (RFC 6532).
        not_text: Why it can travel as binary content alone (BINARYMIME), in words: a NUL, a line
            that is too long; empty for text.
        is_binary: Whether it holds a NUL: then nothing in it need be a line end.
        line_ends: What is known of its line ends.
        seven_bit: Makes the same message of octets below 128, for a server without 8BITMIME; None
            where only its maker could.
    """

    octets: bytes
    is_eight_bit: bool = False
    has_utf8_header: bool = False
    not_text: str = ""
    is_binary: bool = False
    line_ends: LineEnds = LineEnds.ANY
    seven_bit: Callable[[], Octets] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Content that is read while it is sent.

    What is not known before it is read is None, and looked at piece by piece.

    Attributes:
        pieces: Begins to read; called once, or each time where `is_repeatable`.
        size: Its octets on the wire, as the SIZE extension counts (RFC 1870 section 3).
        octets: Its octets as they are read.
        is_eight_bit: As for `Octets`.
        has_utf8_header: As for `Octets`.
        not_text: As for `Octets`.
        is_binary: As for `Octets`.
        is_repeatable: Whether it can be read again from its beginning.
        is_async: Whether the pieces have to be awaited.
    """

    pieces: Callable[[], Iterator[Piece] | AsyncIterator[Piece]]
    size: int | None = None
    octets: int | None = None
    is_eight_bit: bool | None = None
    has_utf8_header: bool = False
    not_text: str = ""
    is_binary: bool = False
    is_repeatable: bool = False
    is_async: bool = False


Content: TypeAlias = Octets | Stream
"""What a transaction can send."""
