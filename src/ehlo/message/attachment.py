"""Attachments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.errors import InvalidInput
from ehlo.message.bodies import crlf, seven_bit_body
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Attachment", "is_composite"]

DEFAULT_TYPE: Final = "application/octet-stream"
"""The media type of octets that nothing is known about (RFC 2046 section 4.5.1)."""

_TYPE_MAX: Final = 500  # characters, so that its line stays below 998
_WORD: Final = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]++"
_CONTENT_TYPE: Final = re.compile(
    rf'{_WORD}/{_WORD}(?:[ ]*+;[ ]*+{_WORD}=(?:{_WORD}|"(?:[ !#-\[\]-~]|\\[ -~])*+"))*+'
)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Attachment:
    r"""A file that goes with a message.

    Args:
        content: The octets; they arrive exactly as they are. A message (`message/rfc822`) is the
            exception: it must be 7-bit, and its line ends become CRLF (RFC 2046 section 5.2.1).
        filename: The name the receiver sees, in any script.
        content_type: The media type, with parameters if it needs any: `text/csv; charset=utf-8`.
            None guesses it from the file name; `application/octet-stream` if that says nothing.

    Raises:
        InvalidInput: The file name is blank or holds a control character, or the media type is
            none, is `multipart`, or is `message` with content that is not 7-bit.
        TypeError: The content is no octets, or a name is no text.

    Attributes:
        content: As above.
        filename: As above.
        content_type: The media type, never None.
    """

    content: bytes
    filename: str
    content_type: str

    def __init__(
        self,
        content: bytes | bytearray | memoryview,
        *,
        filename: str,
        content_type: str | None = None,
    ) -> None:
        # Before anything is refused: a traceback may show it.
        for name, value in {"content": b"", "filename": filename, "content_type": ""}.items():
            object.__setattr__(self, name, value)
        octets = _octets(content)
        _check_filename(filename)
        if content_type is None:
            content_type = _guess(filename, octets)
        else:
            _check_type(content_type, octets)
        object.__setattr__(self, "content", octets)
        object.__setattr__(self, "filename", filename)
        object.__setattr__(self, "content_type", content_type)

    @classmethod
    def from_path(
        cls,
        path: str | PathLike[str],
        *,
        filename: str | None = None,
        content_type: str | None = None,
    ) -> Attachment:
        """Read an attachment from a file, all of it, now.

        Args:
            path: Where the file is.
            filename: The name the receiver sees; None for the file's own.
            content_type: See the class.

        Returns:
            The attachment.

        Raises:
            OSError: The file cannot be read.
            InvalidInput: See the class.
        """
        from pathlib import Path  # noqa: PLC0415 - slow to import, and few need it

        file = Path(path)
        name = file.name if filename is None else filename
        return cls(file.read_bytes(), filename=name, content_type=content_type)

    @override
    def __repr__(self) -> str:
        return (
            f"Attachment(<{len(self.content)} octets>, filename={self.filename!r}, "
            f"content_type={self.content_type!r})"
        )


def is_composite(content_type: str) -> bool:
    """Tell whether a media type is a message, which may not be encoded (RFC 2045 section 6.4)."""
    return content_type.lower().startswith("message/")


def _octets(content: bytes | bytearray | memoryview) -> bytes:
    if isinstance(content, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]
        return bytes(content)
    raise TypeError(f"the content of an attachment is bytes, not {type(content).__name__}")


def _check_filename(filename: str) -> None:
    name = refuse_control_characters("the file name", require_str("a file name", filename))
    if not name.strip():
        raise InvalidInput("the file name is empty")


def _check_type(content_type: str, content: bytes) -> None:
    text = refuse_control_characters("the media type", require_str("a media type", content_type))
    if len(text) > _TYPE_MAX or not _CONTENT_TYPE.fullmatch(text):
        raise InvalidInput(f"not a media type: {text[:_TYPE_MAX]!r}")
    if text.lower().startswith("multipart/"):
        raise InvalidInput(f"an attachment is one part, it cannot be {text}")
    if is_composite(text) and seven_bit_body(crlf(content)) is None:
        raise InvalidInput(
            f"{text} may not be encoded (RFC 2046 section 5.2.1), and the content is not ASCII "
            "in lines of at most 998 octets; attach it as application/octet-stream"
        )


def _guess(filename: str, content: bytes) -> str:
    import mimetypes  # noqa: PLC0415 - slow to import, and reads files when first asked

    # The function takes URLs too, with a scheme that would choose the type: "data:text/html,x.png".
    guessed, compression = mimetypes.guess_type(f"./{filename}")
    if guessed is None or compression is not None:
        return DEFAULT_TYPE
    try:
        _check_type(guessed, content)
    except InvalidInput:  # a saved message with 8-bit octets, a line of a local table
        return DEFAULT_TYPE
    return guessed
