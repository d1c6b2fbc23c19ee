"""The content encoder: a message's octets made fit for the wire (RFC 5321 sections 2.3.8, 4.5.2).

Every line end becomes CRLF, whether it was CRLF, a bare CR or a bare LF, and the last line is
ended. For DATA every dot at the start of a line is doubled as well, and the end mark is made once,
at the end; for BDAT (RFC 3030) octets are counted, and nothing stands for them. Binary content
stays as it is. The result does not depend on how the content is cut into chunks. No Python loop
runs per line: each piece goes through a few whole-buffer operations in C, and pieces are small
enough to stay in cache.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from ehlo.content import LineEnds
from ehlo.line_ends import PIECE, crlf, has_only_crlf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ContentEncoder", "Framing", "encode_whole", "line_ends_of", "wire_size"]

# The line feed before a dot: matching that, the regex engine hops from LF to LF by memchr.
_BEFORE_DOT: Final = re.compile(rb"\n(?=\.)")
_CRLF: Final = b"\r\n"
_CR: Final = b"\r"
_DOT: Final = b"."


class Framing(Enum):
    """How content travels, and what that asks of its octets."""

    DATA = "dots doubled, ended by a lone dot"
    BDAT = "lines ended by CRLF, octets counted"
    BINARY = "octets counted, whatever they are"


class ContentEncoder:
    """Encodes one message's content, chunk by chunk.

    Feed the content through `encode`, then call `finish` once.

    Args:
        framing: How it travels.
        line_ends: What is known of it; it is believed.
    """

    def __init__(self, framing: Framing = Framing.DATA, line_ends: LineEnds = LineEnds.ANY) -> None:
        self._stuffs = framing is Framing.DATA
        self._as_it_is = framing is Framing.BINARY or (
            framing is Framing.BDAT and line_ends is LineEnds.CRLF
        )
        self._known = line_ends is LineEnds.CRLF
        self._at_line_start = True
        self._held_cr = False  # a CR that ended a chunk: alone, or half of a CRLF?

    def encode(self, chunk: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Encode a chunk of content.

        Args:
            chunk: The next octets, cut anywhere.

        Yields:
            The octets to send.
        """
        view = memoryview(chunk)
        for start in range(0, len(view), PIECE):
            piece = bytes(view[start : start + PIECE])
            if self._as_it_is:
                yield piece
                continue
            piece = piece if self._known else self._hold_cr(piece)
            if piece:
                yield self._encode_piece(piece)

    def _hold_cr(self, piece: bytes) -> bytes:
        """Give back the CR held from before, and hold back one at the end."""
        if self._held_cr:
            piece = _CR + piece
        self._held_cr = piece.endswith(_CR)
        return piece[:-1] if self._held_cr else piece

    def _encode_piece(self, piece: bytes) -> bytes:
        if not (self._known or has_only_crlf(piece)):
            piece = crlf(piece)
        starts_line, self._at_line_start = self._at_line_start, piece.endswith(b"\n")
        if self._stuffs and _DOT in piece:
            stuffed = _BEFORE_DOT.sub(b"\n.", piece)
            return _DOT + stuffed if starts_line and piece.startswith(_DOT) else stuffed
        return piece

    def finish(self) -> bytes:
        """Return the end of the content: the last line's end where it lacks one, and the lone dot.

        Of BDAT content it is the former alone; of binary content nothing.
        """
        ended = self._as_it_is or (self._at_line_start and not self._held_cr)
        end = b"" if ended else _CRLF
        return end + b".\r\n" if self._stuffs else end


def encode_whole(content: bytes, framing: Framing, line_ends: LineEnds = LineEnds.ANY) -> bytes:
    """Encode content that is a single piece, its end included: a `ContentEncoder` in one step.

    Args:
        content: All of it.
        framing: How it travels.
        line_ends: What is known of it; it is believed.

    Returns:
        The octets to send.
    """
    if framing is Framing.BINARY:
        return content
    if line_ends is not LineEnds.CRLF:
        piece = content if has_only_crlf(content) else crlf(content)
        content = piece if not piece or piece.endswith(b"\n") else piece + _CRLF
    if framing is Framing.BDAT:
        return content
    stuffed = _BEFORE_DOT.sub(b"\n.", content) + b".\r\n"
    return _DOT + stuffed if content.startswith(_DOT) else stuffed


def line_ends_of(content: bytes) -> LineEnds:
    """Find out what line ends content has, at 3 GB/s.

    Args:
        content: All of it.

    Returns:
        `LineEnds.CRLF` if they are all CRLF, and the last line is ended or there is none.
    """
    ended = not content or content.endswith(_CRLF)
    return LineEnds.CRLF if ended and has_only_crlf(content) else LineEnds.ANY


def wire_size(content: bytes) -> int:
    """Return how large content is on the wire, as the SIZE extension counts (RFC 1870 section 3).

    Args:
        content: The octets of a message, with any line ends.

    Returns:
        Octets with every line end as CRLF, doubled dots and the end mark not counted.
    """
    pairs = content.count(_CRLF)
    ends = content.count(b"\n") + content.count(_CR) - pairs
    unended = 0 if not content or content.endswith((b"\n", _CR)) else 2
    return len(content) - pairs + ends + unended
