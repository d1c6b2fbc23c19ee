"""Content transfer encodings (RFC 2045 section 6): octets and text made fit for 7-bit lines."""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64, b2a_qp
from typing import Final

__all__ = ["LINE_MAX", "base64_lines", "encode_text", "long_line"]

LINE_MAX: Final = 998
"""Octets of a line, its end not counted (RFC 5322 section 2.1.1)."""

_LINE: Final = 76
_BLOCK_LINES: Final = 720
_BLOCK: Final = _BLOCK_LINES * _LINE // 4 * 3
_CUT_BLOCK: Final = struct.Struct(f"{_LINE}s" * _BLOCK_LINES)
_CRLF: Final = b"\r\n"
_NOT_PLAIN: Final = re.compile(rb"[^\t\r\n -~]")


def base64_lines(data: bytes) -> bytes:
    """Encode octets in Base64, in lines of 76 characters.

    The work is done block by block in C: encode, cut, join. A block fits into the cache.

    Args:
        data: Any octets.

    Returns:
        The encoded lines, each ended by CRLF; nothing for no octets.
    """
    view = memoryview(data)
    pieces: list[bytes] = []
    whole = len(view) - len(view) % _BLOCK
    for start in range(0, whole, _BLOCK):
        block = b2a_base64(view[start : start + _BLOCK], newline=False)
        pieces.extend((_CRLF.join(_CUT_BLOCK.unpack(block)), _CRLF))
    rest = b2a_base64(view[whole:], newline=False)
    for start in range(0, len(rest), _LINE):
        pieces.extend((rest[start : start + _LINE], _CRLF))
    return b"".join(pieces)


def encode_text(text: str) -> tuple[str, bytes]:
    """Encode a text for the body of a part.

    ASCII whose lines are short enough stays as it is; everything else becomes quoted-printable
    or Base64, whichever is smaller.

    Args:
        text: The text, with any line ends.

    Returns:
        The name of the transfer encoding, and the octets: 7-bit, CRLF line ends, the last line
        ended.
    """
    unix = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n"
    octets = unix.replace("\n", "\r\n").encode()
    if not _NOT_PLAIN.search(octets) and not long_line(octets):
        return "7bit", octets
    # b2a_qp looks at the first line end to see which kind to make; there always is one.
    quoted = b2a_qp(octets, istext=True)
    encoded = base64_lines(octets)
    return ("quoted-printable", quoted) if len(quoted) <= len(encoded) else ("base64", encoded)


def long_line(octets: bytes) -> int:
    """Find a line of more than 998 octets.

    Hops from line end to line end, as far as each hop reaches, instead of looking at every line.

    Args:
        octets: Content; CRLF, bare LF and bare CR all end a line.

    Returns:
        The number of the first such line, counted from 1; 0 if there is none.
    """
    start = 0
    while len(octets) - start > LINE_MAX:
        window = start + LINE_MAX + 1
        end = max(octets.rfind(b"\n", start, window + 1), octets.rfind(b"\r", start, window))
        if end < 0:
            return _line_number(octets, start)
        start = end + 1
    return 0


def _line_number(octets: bytes, position: int) -> int:
    before = octets[:position]
    pairs, feeds, returns = before.count(_CRLF), before.count(b"\n"), before.count(b"\r")
    return feeds + returns - pairs + 1
