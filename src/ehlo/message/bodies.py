"""Transfer encodings: bodies as lines of 7-bit octets (RFC 2045 section 6)."""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64, b2a_qp
from typing import Final, NamedTuple

from ehlo.line_ends import crlf
from ehlo.message.octets import LINE_OCTETS_MAX, has_long_line

__all__ = [
    "BASE64_BLOCK",
    "Encoded",
    "base64_lines",
    "base64_size",
    "encoded",
    "text_body",
    "why_not_lines",
]

# 720 lines of 57 octets: a block that stays in the cache while C encodes, cuts and joins it.
_LINES: Final = 720
_BLOCK: Final = _LINES * 57
BASE64_BLOCK: Final = 2 * _BLOCK
"""Octets to encode at a time: the outcome is a little less than 128 KiB."""
_LINE: Final = 76
# As numbers: to look for `bytes` in `bytes`, Python first makes an exception that it is no number.
_NUL: Final = 0
_CUT: Final = struct.Struct("76s" * _LINES)
# The standard library escapes white space at the end of a line after it has measured the line.
_OVERLONG: Final = re.compile(rb"^([^\r\n]{74,75})(=20|=09)(?=\r\n)", re.MULTILINE)


class Encoded(NamedTuple):
    """An encoded body.

    Attributes:
        encoding: What Content-Transfer-Encoding says.
        octets: The body. Lines end with CRLF.
    """

    encoding: str
    octets: bytes


def text_body(text: str, *, eight_bit: bool = False) -> Encoded:
    """Encode a text as UTF-8.

    Args:
        text: The text; its last line need not be ended.
        eight_bit: Whether octets above 127 may stay as they are.

    Returns:
        The text as it is if that may be, in lines of at most 998 octets, otherwise in
        quoted-printable or base64, whichever is smaller. Every line is ended.
    """
    octets = crlf(text.encode())
    if octets and not octets.endswith(b"\n"):
        octets += b"\r\n"
    if not why_not_lines(octets, eight_bit=eight_bit):
        return Encoded("7bit" if octets.isascii() else "8bit", octets)
    return encoded(octets)


def why_not_lines(octets: bytes, *, eight_bit: bool) -> str:
    """Say why octets cannot travel as they are.

    Args:
        octets: Octets with CRLF line ends.
        eight_bit: Whether octets above 127 may.

    Returns:
        The reason in words; empty if they can.
    """
    if not (eight_bit or octets.isascii()):
        return "is not ASCII"
    if _NUL in octets:
        return "holds a NUL"
    is_short = len(octets) <= LINE_OCTETS_MAX  # as a whole: no call for that
    return "" if is_short or not has_long_line(octets) else "has lines of more than 998 octets"


def encoded(octets: bytes) -> Encoded:
    """Encode lines that cannot travel as they are.

    Args:
        octets: Octets with CRLF line ends; the last line need not be ended, and is not.

    Returns:
        The same octets in quoted-printable or base64, whichever is smaller.
    """
    # By its line ends the standard library tells which it should make.
    lines = octets if octets.endswith(b"\n") else octets + b"\r\n"
    quoted = b2a_qp(lines)
    if len(quoted) > base64_size(len(lines)):
        return Encoded("base64", base64_lines(octets))
    quoted = _OVERLONG.sub(rb"\1=\r\n\2", quoted)
    return Encoded("quoted-printable", quoted if lines is octets else quoted[:-2])


def base64_size(octets: int) -> int:
    """Return how many octets the base64 lines of so many octets have, line ends included."""
    characters = -(-octets // 3) * 4
    return characters + 2 * -(-characters // _LINE)


def base64_lines(content: bytes | memoryview) -> bytes:
    """Encode octets in base64, in lines of 76 characters (RFC 2045 section 6.8).

    Args:
        content: The octets. If others follow, their number is a multiple of 57.

    Returns:
        The lines; each is ended.
    """
    view = memoryview(content)
    whole = len(view) - len(view) % _BLOCK
    blocks = [
        b"\r\n".join(_CUT.unpack(b2a_base64(view[start : start + _BLOCK], newline=False)))
        for start in range(0, whole, _BLOCK)
    ]
    rest = b2a_base64(view[whole:], newline=False)  # fewer than 720 lines
    if rest:
        blocks.append(b"\r\n".join(rest[i : i + _LINE] for i in range(0, len(rest), _LINE)))
    return b"\r\n".join((*blocks, b"")) if blocks else b""
