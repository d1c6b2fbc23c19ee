"""The content of a message: its octets, and what is known of them before they are sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ehlo.commands import Body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["SEVEN_BIT", "Content", "Form", "Formed", "LineEnds", "Octets", "Piece", "Stream"]

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
    """

    octets: bytes
    is_eight_bit: bool = False
    has_utf8_header: bool = False
    not_text: str = ""
    is_binary: bool = False
    line_ends: LineEnds = LineEnds.ANY


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
        line_ends: As for `Octets`. Content whose line ends are known was made here, and is what it
            says: it is not looked at again.
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
    line_ends: LineEnds = LineEnds.ANY


class Form(NamedTuple):
    """How content may be written.

    Attributes:
        body: The octets that may be in it: `7BIT`; `8BITMIME` for any in lines of text; or
            `BINARYMIME`.
        smtputf8: Whether its header may be UTF-8 (RFC 6532).
    """

    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False


SEVEN_BIT: Form = Form()
"""What every server takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Formed:
    """Content that is written when it is known what the server takes.

    Attributes:
        write: Writes it. It raises `InvalidInput` if it cannot be had in that form.
        most: The form that asks for most of those it is ever written in.
        needs_smtputf8: Whether there is a form with a header in UTF-8 alone.
        needs_eight_bit: Whether there is none for 7BIT.
        is_repeatable: Whether it can be written, and read, more than once.
        is_async: Whether its pieces have to be awaited.
    """

    write: Callable[[Form], Octets | Stream]
    most: Body = Body.EIGHT_BIT_MIME
    needs_smtputf8: bool = False
    needs_eight_bit: bool = False
    is_repeatable: bool = True
    is_async: bool = False


Content: TypeAlias = Octets | Stream | Formed
"""What a transaction can send."""
