"""Transfer encodings: bodies as lines of 7-bit octets (RFC 2045 section 6)."""

from __future__ import annotations

import re
import struct
from binascii import b2a_base64, b2a_qp
from typing import Final, NamedTuple

from ehlo.message.octets import has_long_line

__all__ = ["Body", "base64_body", "crlf", "seven_bit_body", "text_body"]

# 720 lines of 57 octets: a block that stays in the cache while C encodes, cuts and joins it.
_LINES: Final = 720
_BLOCK: Final = _LINES * 57
_LINE: Final = 76
_CUT: Final = struct.Struct("76s" * _LINES)
# The standard library escapes white space at the end of a line after it has measured the line.
_OVERLONG: Final = re.compile(rb"^([^\r\n]{74,75})(=20|=09)(?=\r\n)", re.MULTILINE)


class Body(NamedTuple):
    """An encoded body.

    Attributes:
        encoding: What Content-Transfer-Encoding says.
        chunks: The octets, in pieces to be joined. Lines end with CRLF.
    """

    encoding: str
    chunks: list[bytes]


def crlf(octets: bytes) -> bytes:
    """Return the octets with every line end (CRLF, a bare CR, a bare LF) as CRLF."""
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def text_body(text: str) -> Body:
    """Encode a text as UTF-8.

    Args:
        text: The text; its last line need not be ended.

    Returns:
        The text as it is if it is ASCII in lines of at most 998 octets, otherwise in
        quoted-printable or base64, whichever is smaller. Every line is ended.
    """
    octets = crlf(text.encode())
    if octets and not octets.endswith(b"\n"):
        octets += b"\r\n"
    return seven_bit_body(octets) or _shorter(octets)


def seven_bit_body(octets: bytes) -> Body | None:
    """Leave octets as they are, if they are lines of ASCII.

    Args:
        octets: Octets with CRLF line ends.

    Returns:
        The body; None if it needs an encoding.
    """
    if octets.isascii() and b"\0" not in octets and not has_long_line(octets):
        return Body("7bit", [octets])
    return None


def _shorter(octets: bytes) -> Body:
    quoted = b2a_qp(octets)
    if len(quoted) > -(-len(octets) // 3) * 4 + -(-len(octets) // 57) * len(b"\r\n"):
        return base64_body(octets)
    return Body("quoted-printable", [_OVERLONG.sub(rb"\1=\r\n\2", quoted)])


def base64_body(content: bytes) -> Body:
    """Encode octets in base64, in lines of 76 characters (RFC 2045 section 6.8).

    Args:
        content: The octets.

    Returns:
        The body; every line is ended.
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
    return Body("base64", [b"\r\n".join((*blocks, b"")) if blocks else b""])
