"""Media types: checked, or guessed from a file's name (RFC 2045 section 5, RFC 2046)."""

from __future__ import annotations

import re
from typing import Final

from ehlo.errors import InvalidInput
from ehlo.text import refuse_control_characters, require_str

__all__ = ["DEFAULT_TYPE", "check_media_type", "guess_media_type", "is_composite", "is_text"]

DEFAULT_TYPE: Final = "application/octet-stream"
"""The media type of octets that nothing is known about (RFC 2046 section 4.5.1)."""

_TYPE_MAX: Final = 500  # characters, so that its line stays below 998
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]++"
_ATTRIBUTE: Final = r"[A-Za-z0-9!#$&+.^_`{|}~-]++"  # RFC 2231 has another use for * ' %
_PARAMETER: Final = rf'[ ]*+;[ ]*+({_ATTRIBUTE})=(?:{_WORD}|"(?:[ !#-\[\]-~]|\\[ -~])*+")'
_CONTENT_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}(?:{_PARAMETER})*+")
_NAMES: Final = re.compile(_PARAMETER)
_ENCODED: Final = "=?"  # a reader may see an encoded word where none may stand (RFC 2047 5)
_ENCODABLE: Final = "message/global"  # and its kin (RFC 6532 section 3.7, RFC 6533)


def check_media_type(content_type: str) -> str:
    """Return a media type that a part may have.

    Args:
        content_type: The media type, perhaps with parameters.

    Returns:
        The same.

    Raises:
        InvalidInput: It is no media type, or is `multipart`.
        TypeError: It is no text.
    """
    text = refuse_control_characters("the media type", require_str("a media type", content_type))
    if len(text) > _TYPE_MAX or not _CONTENT_TYPE.fullmatch(text) or _ENCODED in text:
        raise InvalidInput(f"not a media type: {text[:_TYPE_MAX]!r}")
    if text.lower().startswith("multipart/"):
        raise InvalidInput(f"an attachment is one part, it cannot be {text}")
    names = [name.lower() for name in _NAMES.findall(text)]
    if len(set(names)) != len(names):
        raise InvalidInput(f"the media type {text} has a parameter twice")
    return text


def guess_media_type(filename: str | None) -> str:
    """Guess a media type from a file's name.

    Args:
        filename: The name; None if there is none.

    Returns:
        The media type; `application/octet-stream` if the name says nothing.
    """
    if filename is None:
        return DEFAULT_TYPE
    import mimetypes  # noqa: PLC0415 - slow to import, and reads files when first asked

    # The function takes URLs too, with a scheme that would choose the type: "data:text/html,x.png".
    guessed, compression = mimetypes.guess_type(f"./{filename}")
    if guessed is None or compression is not None:
        return DEFAULT_TYPE
    try:
        return check_media_type(guessed)
    except InvalidInput:  # a line of a local table
        return DEFAULT_TYPE


def is_composite(content_type: str) -> bool:
    """Tell whether a media type is a message that may not be encoded (RFC 2045 section 6.4).

    Args:
        content_type: The media type.

    Returns:
        Whether it is one; internationalised messages (`message/global`) may be encoded.
    """
    text = content_type.lower()
    return text.startswith("message/") and not text.startswith(_ENCODABLE)


def is_text(content_type: str) -> bool:
    """Tell whether a media type is text."""
    return content_type.lower().startswith("text/")
