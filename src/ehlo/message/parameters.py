"""The header of a part: media type and file name (RFC 2045 section 5, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import combining, normalize

from ehlo.message.headers import fold
from ehlo.message.media_types import is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ehlo.message.attachment import Attachment

__all__ = ["attachment_fields", "calendar_file_fields", "type_field"]

_VALUE_MAX: Final = 60  # characters of a value on one line, whatever the parameter's name is
_PLAIN: Final = re.compile(r"[A-Za-z0-9.,_+@()-]++(?: [A-Za-z0-9.,_+@()-]++)*+")
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9.,_+@()-]")
# attribute-char of RFC 2231 section 7, and of it only what everybody takes to be one
_ATTRIBUTE_CHARACTER: Final = re.compile(r"[A-Za-z0-9._+-]")
_PARAMETER: Final = re.compile(r'; *+([^ "=;]++=(?:"(?:[^"\\]|\\.)*+"|[^ ";]++)) *+')


def attachment_fields(attachment: Attachment, encoding: str, disposition: str) -> str:
    """Write the header of an attachment, or of an inline part.

    Args:
        attachment: The attachment.
        encoding: Its transfer encoding.
        disposition: `attachment` or `inline` (RFC 2183 section 2).

    Returns:
        Content-Type, Content-Disposition, Content-ID and Content-Transfer-Encoding, each ended by
        CRLF.
    """
    name = attachment.filename
    named = () if name is None else (f'name="{_fallback(name)}"',)
    identifier = attachment.content_id
    return (
        type_field(attachment.content_type, (*_charset(attachment), *named), without="name")
        + _field(f"Content-Disposition: {disposition}", () if name is None else _filename(name))
        + ("" if identifier is None else f"Content-ID: <{identifier}>\r\n")
        + f"Content-Transfer-Encoding: {encoding}\r\n"
    )


def type_field(content_type: str, more: Iterable[str] = (), without: str = "") -> str:
    """Write Content-Type.

    Args:
        content_type: The media type, perhaps with parameters.
        more: Parameters to add.
        without: A parameter to leave out.

    Returns:
        The field, ended by CRLF.
    """
    media_type, _, _ = content_type.partition(";")
    parameters = [
        parameter
        for parameter in _PARAMETER.findall(content_type)
        if not (without and parameter.lower().startswith(f"{without}="))
    ]
    return _field(f"Content-Type: {media_type.rstrip()}", (*parameters, *more))


def _field(start: str, parameters: tuple[str, ...]) -> str:
    if not parameters:
        return f"{start}\r\n"
    *others, last = parameters
    return fold(f"{start};", (*(f" {parameter};" for parameter in others), f" {last}"))


def _charset(attachment: Attachment) -> Iterator[str]:
    """Without a charset a text is ASCII (RFC 2046 section 4.1.2); say so if it is UTF-8."""
    content, content_type = attachment.content, attachment.content_type
    if not is_text(content_type) or "charset=" in content_type.lower():
        return
    if content is not None and not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError:
            return
        yield "charset=utf-8"


def _filename(filename: str) -> tuple[str, ...]:
    if len(filename) <= _VALUE_MAX and _PLAIN.fullmatch(filename):
        return (f'filename="{filename}"',)
    runs = list(_runs(filename))
    if len(runs) == 1:
        return (f"filename*=utf-8''{runs[0]}",)
    runs[0] = f"utf-8''{runs[0]}"
    return tuple(f"filename*{index}*={run}" for index, run in enumerate(runs))


def _runs(text: str) -> Iterator[str]:
    """Write a text percent-encoded, in runs of whole characters that fit on a line."""
    run = ""
    for character in text:
        encoded = _percent(character)
        if len(run) + len(encoded) > _VALUE_MAX - len("*00*utf-8''"):
            yield run
            run = ""
        run += encoded
    yield run


def _percent(character: str) -> str:
    if _ATTRIBUTE_CHARACTER.match(character):
        return character
    return "".join(f"%{octet:02X}" for octet in character.encode())


def _fallback(filename: str) -> str:
    """Return the nearest plain name, for readers that do not know RFC 2231.

    It stands in Content-Type only: where a reader finds both forms in Content-Disposition, it
    may take the wrong one, as Python's does.
    """
    if _PLAIN.fullmatch(filename):
        plain = filename
    else:
        letters = (mark for mark in normalize("NFKD", filename) if not combining(mark))
        plain = _NOT_PLAIN.sub("_", "".join(letters))
    half = _VALUE_MAX // 2
    return plain if len(plain) <= _VALUE_MAX else plain[:half] + plain[-half:]


def calendar_file_fields(filename: str) -> str:
    """Write the header of an invitation that goes as a file as well.

    Args:
        filename: Its name.

    Returns:
        Content-Type, Content-Disposition and Content-Transfer-Encoding, each ended by CRLF.
    """
    # application/ics, as Google Calendar has it: as text/calendar it would be a second invitation
    return (
        _field("Content-Type: application/ics", (f'name="{_fallback(filename)}"',))
        + _field("Content-Disposition: attachment", _filename(filename))
        + "Content-Transfer-Encoding: base64\r\n"
    )
