r"""Text in the values of ESMTP parameters: xtext (RFC 3461 section 4), and RFC 6533's address form.

Both write whatever could end a value, or be read as syntax, as escapes: `+20` and `\x{20}`.
"""

from __future__ import annotations

import re
from typing import Final

from ehlo.errors import InvalidInput
from ehlo.text import refuse_control_characters

__all__ = ["decode_xtext", "encode_utf8_address", "encode_xtext"]

# xchar: "!" to "~" without "+" and "=".
_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_NOT_XCHAR: Final = re.compile(rb"[^!-*,-<>-~]")
_HEXCHAR: Final = re.compile(rb"\+([0-9A-F]{2})")
# QCHAR of RFC 6533 section 3: xchar without the backslash.
_NOT_QCHAR: Final = re.compile(r"[^!-*,-<>-\[\]-~]")


def encode_xtext(what: str, text: str) -> str:
    """Write a text as xtext.

    Args:
        what: What the text is, for the error message.
        text: Any text on one line; beyond ASCII, the octets of its UTF-8 are written.

    Returns:
        Visible ASCII characters only.

    Raises:
        InvalidInput: The text holds a control character. xtext could write it, but the server
            would read it back, and put it into a report's header.
    """
    octets = refuse_control_characters(what, text).encode()
    return _NOT_XCHAR.sub(lambda match: b"+%02X" % ord(match[0]), octets).decode("ascii")


def decode_xtext(text: str) -> str:
    """Read an xtext.

    Args:
        text: The xtext.

    Returns:
        What it stands for; may hold any character at all.

    Raises:
        InvalidInput: It is no xtext, or its octets are no UTF-8.
    """
    if not _XTEXT.fullmatch(text):
        msg = "not an xtext: visible ASCII characters, + and = written as +2B and +3D"
        raise InvalidInput(msg)
    octets = _HEXCHAR.sub(lambda match: bytes((int(match[1], 16),)), text.encode("ascii"))
    try:
        return octets.decode()
    except UnicodeDecodeError:
        msg = "not an xtext: its octets are no UTF-8"
        raise InvalidInput(msg) from None


def encode_utf8_address(what: str, text: str) -> str:
    """Write an internationalised address in ASCII: utf-8-addr-xtext (RFC 6533 section 3).

    This form is safe whether or not the server offers SMTPUTF8.

    Args:
        what: What the text is, for the error message.
        text: The address.

    Returns:
        Visible ASCII characters only.

    Raises:
        InvalidInput: The text holds a control character.
    """
    checked = refuse_control_characters(what, text)
    return _NOT_QCHAR.sub(lambda match: rf"\x{{{ord(match[0]):02X}}}", checked)
