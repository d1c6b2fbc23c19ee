"""Attachments, and the inline parts of HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.errors import InvalidInput
from ehlo.line_ends import crlf
from ehlo.message.bodies import why_not_lines
from ehlo.message.media_types import DEFAULT_TYPE, check_media_type, guess_media_type, is_composite
from ehlo.message.sources import Source, name_of, read_all, source_of
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from os import PathLike

    from ehlo.message.sources import SourceLike

__all__ = ["Attachment"]

_CONTENT_ID_MAX: Final = 200  # characters; the line it stands on has more to hold
_ATOM: Final = r"[!#$%&'*+/0-9=?A-Z^_`a-z{|}~.-]++"
_CONTENT_ID: Final = re.compile(rf"{_ATOM}(?:@{_ATOM})?+")  # Google's have no domain
_NOT_IN_URL: Final = re.compile(r"[^A-Za-z0-9@._~!$&'*+=-]")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Attachment:
    r"""A file that goes with a message, or a part that its HTML shows.

    A large file is read while the message is sent, piece by piece, in flat memory; it must not
    change until then. One of at most 131,072 octets is read at once.

    Args:
        content: The octets; they arrive exactly as they are. They may be given as a path
            (`pathlib.Path`), as a binary file that is open, and as an iterable or async iterable of
            pieces; the latter is for `ehlo.asyncio` alone. What is large and open, and an iterator,
            can be sent once; a path as often as need be. Pipes and iterators are read once: such
            an attachment is for one sending. A message (`message/rfc822`) is the
            exception: it must be text in lines, whose ends become CRLF (RFC 2046 section 5.2.1).
        filename: The name the receiver sees, in any script; None for no name. `from_path` takes
            the file's own.
        content_type: The media type, with parameters if it needs any: `text/csv; charset=utf-8`.
            None guesses it from the file name; `application/octet-stream` if that says nothing.
        content_id: The name by which HTML shows it, such as `logo@example.org`, with or without
            angle brackets; see `url`. RFC 2045 section 7 wants one that no other message has, in a
            domain; readers do not mind if it has none.
        size: How many octets there are, where that cannot be seen: for iterables and pipes. A size
            that is known lets the server refuse a message that is too large before it is sent.

    Raises:
        InvalidInput: The file name is blank or holds a control character, the media type is none,
            is `multipart`, or is `message` with content that is not text in lines, the Content-ID
            is none, or the size is not that of the content.
        OSError: The file cannot be read.
        TypeError: The content is no octets, or a name is no text.

    Attributes:
        filename: As above.
        content_type: The media type, never None.
        content_id: As above, without angle brackets; None for none.
        source: The octets, or what reads them when the message is sent.
    """

    filename: str | None
    content_type: str
    content_id: str | None
    source: bytes | Source

    def __init__(
        self,
        content: SourceLike,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content_id: str | None = None,
        size: int | None = None,
    ) -> None:
        # Before anything is refused: a traceback may show it.
        values = {"filename": filename, "content_type": "", "content_id": None, "source": b""}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if filename is None:
            filename = name_of(content)
            object.__setattr__(self, "filename", filename)
        _check_filename(filename)
        guessed = content_type is None
        media_type = guess_media_type(filename) if guessed else check_media_type(content_type or "")
        identifier = None if content_id is None else _checked_content_id(content_id)
        source = source_of(content, size)
        if is_composite(media_type):
            source, media_type = _checked_message(source, media_type, guessed=guessed)
        object.__setattr__(self, "content_type", media_type)
        object.__setattr__(self, "content_id", identifier)
        object.__setattr__(self, "source", source)

    @classmethod
    def from_path(
        cls,
        path: str | PathLike[str],
        *,
        filename: str | None = None,
        content_type: str | None = None,
        content_id: str | None = None,
    ) -> Attachment:
        """Attach a file.

        Args:
            path: Where the file is.
            filename: The name the receiver sees; None for the file's own.
            content_type: See the class.
            content_id: See the class.

        Returns:
            The attachment.

        Raises:
            OSError: The file cannot be read.
            InvalidInput: See the class.
        """
        from pathlib import Path  # noqa: PLC0415 - slow to import, and few need it

        file = Path(path)
        name = file.name if filename is None else filename
        return cls(file, filename=name, content_type=content_type, content_id=content_id)

    @property
    def content(self) -> bytes | None:
        """The octets; None if they are read when the message is sent."""
        return self.source if isinstance(self.source, bytes) else None

    @property
    def size(self) -> int | None:
        """How many octets there are; None if that is not known."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.size

    @property
    def needs_eight_bit(self) -> bool:
        """Whether it is a message with octets above 127, which may not be encoded."""
        return is_composite(self.content_type) and not (self.content or b"").isascii()

    @property
    def url(self) -> str:
        """The URL by which HTML shows the part: `<img src="cid:logo@example.org">` (RFC 2392).

        Raises:
            InvalidInput: It has no Content-ID.
        """
        if self.content_id is None:
            raise InvalidInput("the attachment has no content_id, which its URL is made of")
        return f"cid:{_NOT_IN_URL.sub(_percent, self.content_id)}"

    @override
    def __repr__(self) -> str:
        size = "?" if self.size is None else self.size
        names = f"filename={self.filename!r}, content_type={self.content_type!r}"
        if self.content_id is not None:
            names += f", content_id={self.content_id!r}"
        return f"Attachment(<{size} octets>, {names})"


def _percent(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02X}"


def _check_filename(filename: str | None) -> None:
    if filename is None:
        return
    name = refuse_control_characters("the file name", require_str("a file name", filename))
    if not name.strip():
        raise InvalidInput("the file name is empty")


def _checked_content_id(content_id: str) -> str:
    text = require_str("a Content-ID", content_id).removeprefix("<").removesuffix(">")
    if len(text) > _CONTENT_ID_MAX or not _CONTENT_ID.fullmatch(text):
        raise InvalidInput(
            f"not a Content-ID: {text[:_CONTENT_ID_MAX]!r}; write it like `logo@example.org`, and "
            "`cid:logo@example.org` in the HTML"
        )
    return text


def _checked_message(
    source: bytes | Source, media_type: str, *, guessed: bool
) -> tuple[bytes | Source, str]:
    """Look at a message within the message, which may not be encoded (RFC 2046 section 5.2.1)."""
    try:
        octets = read_all(source, media_type)
        eight_bit = not guessed and media_type.lower().startswith("message/rfc822")
        why = why_not_lines(crlf(octets), eight_bit=eight_bit)
    except InvalidInput:
        if guessed:
            return source, DEFAULT_TYPE
        raise
    if not why:
        return octets, media_type
    if guessed:
        return octets, DEFAULT_TYPE
    raise InvalidInput(
        f"{media_type} may not be encoded (RFC 2046 section 5.2.1), and the content {why}; "
        "attach it as application/octet-stream"
    )
