"""Other forms of a message's text: alternatives, and calendar invitations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from ehlo.errors import InvalidInput
from ehlo.message.media_types import check_media_type, is_text
from ehlo.text import refuse_control_characters, require_str

__all__ = ["Alternative", "Calendar", "checked_text"]

_METHOD: Final = re.compile(r"^METHOD(?:;[^:\r\n]*+)?:([^\r\n]*+)", re.IGNORECASE | re.MULTILINE)
_METHOD_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
_CHARSET: Final = re.compile(r';[ ]*+charset="?([^";]*)', re.IGNORECASE)


def checked_text(what: str, text: str) -> str:
    """Return a text that a body can hold.

    Args:
        what: What it is, for the error.
        text: The text.

    Returns:
        The same.

    Raises:
        InvalidInput: It holds a NUL or a lone surrogate.
        TypeError: It is no text.
    """
    if type(text) is not str:
        require_str(what, text)
    if not text.isascii():
        _check_encodable(what, text)
    if "\0" in text:
        raise InvalidInput(f"{what} holds a NUL at position {text.index(chr(0))}")
    return text


def _check_encodable(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput(f"{what} holds a lone surrogate at position {exc.start}") from None


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Alternative:
    """The same text in another form: AMP for Email, Markdown, and their like.

    It stands between the plain text and the HTML: readers show the last form that they know, and
    nearly all know HTML.

    Args:
        text: The text. Any line ends will do.
        content_type: A text type, such as `text/x-amp-html` or `text/markdown; variant=GFM`. It is
            sent as UTF-8.

    Raises:
        InvalidInput: The type is no text type or has another charset, or the text holds a NUL.
        TypeError: A value is no text.

    Attributes:
        text: As above.
        content_type: As above.
    """

    text: str
    content_type: str

    def __init__(self, text: str, *, content_type: str) -> None:
        # Before anything is refused: a traceback may show it.
        object.__setattr__(self, "text", "")
        object.__setattr__(self, "content_type", content_type)
        check_media_type(content_type)
        charset = _CHARSET.search(content_type)
        if not is_text(content_type) or (charset and charset[1].lower() != "utf-8"):
            raise InvalidInput(f"an alternative is text in UTF-8, not {content_type}")
        object.__setattr__(self, "text", checked_text("an alternative", text))

    @override
    def __repr__(self) -> str:
        return f"Alternative(<{len(self.text)} characters>, content_type={self.content_type!r})"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Calendar:
    """An invitation, or an answer to one: iCalendar by mail (RFC 6047, iMIP).

    It is an alternative of the text, which calendars find, and once more a file, for readers that
    know nothing of calendars.

    Args:
        text: The iCalendar object (RFC 5545), `BEGIN:VCALENDAR` and so on.
        method: What it is for: `REQUEST`, `CANCEL`, `REPLY` and others (RFC 5546); None for what
            the object says.
        filename: The name of the file; None for no file.

    Raises:
        InvalidInput: It is no iCalendar object, has no method or another one, or holds a NUL; or
            the file name is blank or holds a control character.
        TypeError: A value is no text.

    Attributes:
        text: As above.
        method: As above, never None, in capital letters.
        filename: As above.
    """

    text: str
    method: str
    filename: str | None

    def __init__(
        self, text: str, *, method: str | None = None, filename: str | None = "invite.ics"
    ) -> None:
        # Before anything is refused: a traceback may show it.
        for name, value in {"text": "", "method": method, "filename": filename}.items():
            object.__setattr__(self, name, value)
        checked_text("an invitation", text)
        if not text.lstrip("\ufeff\r\n").upper().startswith("BEGIN:VCALENDAR"):
            raise InvalidInput("not an iCalendar object: it does not start with BEGIN:VCALENDAR")
        if filename is not None:
            name = require_str("a file name", filename)
            if not refuse_control_characters("the file name", name).strip():
                raise InvalidInput("the file name is empty")
        object.__setattr__(self, "method", _method(text, method))
        object.__setattr__(self, "text", text.lstrip("\ufeff\r\n"))

    @override
    def __repr__(self) -> str:
        names = f"method={self.method!r}, filename={self.filename!r}"
        return f"Calendar(<{len(self.text)} characters>, {names})"


def _method(text: str, wanted: str | None) -> str:
    """Return the method, which the object and its media type have to agree in (RFC 6047 2.4)."""
    found = _METHOD.search(text)
    said = found[1].strip().upper() if found else ""
    if wanted is None and not said:
        raise InvalidInput("the invitation has no METHOD; without one it is a file like others")
    method = said if wanted is None else require_str("a method", wanted).upper()
    if method != said:
        raise InvalidInput(
            f"the method is {method!r}, and METHOD in the iCalendar object is {said!r}: "
            "they have to be the same (RFC 6047 section 2.4)"
        )
    if not _METHOD_NAME.fullmatch(method):
        raise InvalidInput(f"not a method of iCalendar: {method[:60]!r}")
    return method
