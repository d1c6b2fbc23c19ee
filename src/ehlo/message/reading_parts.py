"""The body of a message of the standard library, read into our parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from ehlo.errors import InvalidInput
from ehlo.message.alternatives import Alternative, Calendar
from ehlo.message.attachment import Attachment

if TYPE_CHECKING:
    import email.message
    from collections.abc import Sequence

    from ehlo.message.message import MessageParts

__all__ = ["Body"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
_VALUE: Final = re.compile(r"[ -~]*")
_CALENDAR_FILES: Final = {"application/ics", "text/calendar"}


class Body:
    """The tree of parts of a message.

    Args:
        message: The message.

    Raises:
        InvalidInput: It is of another shape than our trees have, or a part cannot be read.
    """

    def __init__(self, message: email.message.Message[Any, Any]) -> None:
        self._text: str | None = None
        self._html: str | None = None
        self._alternatives: list[Alternative] = []
        self._inline: list[Attachment] = []
        self._calendar: Calendar | None = None
        self._attachments: list[Attachment] = []
        self._read(message)

    def parts(self) -> MessageParts:
        """Return what was found, as arguments of a `Message`."""
        calendar, attachments = self._calendar, self._attachments
        if calendar is not None:
            calendar, attachments = _joined(calendar, attachments)
        return {
            "text": self._text,
            "html": self._html,
            "alternatives": self._alternatives,
            "inline": self._inline,
            "calendar": calendar,
            "attachments": attachments,
        }

    def _read(self, part: email.message.Message[Any, Any]) -> None:
        """Read the whole of a message, or the part of it that is shown."""
        match part.get_content_type():
            case "multipart/mixed":
                self._mixed(_children(part))
            case "multipart/alternative":
                for child in _children(part):
                    self._alternative(child)
            case "multipart/related":
                first, *others = _children(part)
                self._read(first)
                self._inline += map(_attachment, others)
            case _:
                self._alternative(part)

    def _mixed(self, children: Sequence[email.message.Message[Any, Any]]) -> None:
        for index, child in enumerate(children):
            is_shown = child.get_content_maintype() in {"multipart", "text"} and index == 0
            if is_shown and child.get_content_disposition() != "attachment":
                self._read(child)
            else:
                self._attachments.append(_attachment(child))

    def _alternative(self, part: email.message.Message[Any, Any]) -> None:
        kind, method = part.get_content_type(), part.get_param("method")
        if part.is_multipart():
            if kind not in {"multipart/related", "multipart/alternative"}:
                raise InvalidInput(f"a message with {kind} in it is sent as it is, or as octets")
            self._read(part)
        elif kind == "text/plain" and self._text is None:
            self._text = _text(part)
        elif kind == "text/html" and self._html is None:
            self._html = _text(part)
        elif kind == "text/calendar" and self._calendar is None and isinstance(method, str):
            self._calendar = Calendar(_text(part), method=method, filename=None)
        elif kind.startswith("text/") and part.get_content_disposition() != "attachment":
            content_type = _content_type(part, without=("charset", "name"))
            self._alternatives.append(Alternative(_text(part), content_type=content_type))
        else:
            self._attachments.append(_attachment(part))


def _children(
    part: email.message.Message[Any, Any],
) -> Sequence[email.message.Message[Any, Any]]:
    payload: Any = part.get_payload()
    if not isinstance(payload, list) or not payload:
        raise InvalidInput(f"there is a {part.get_content_type()} without parts")
    return cast("list[email.message.Message[Any, Any]]", payload)


def _text(part: email.message.Message[Any, Any]) -> str:
    charset = part.get_content_charset("us-ascii")
    octets = cast("bytes", part.get_payload(decode=True))
    try:
        text = octets.decode("utf-8" if charset == "us-ascii" else charset)
    except (LookupError, UnicodeDecodeError) as exc:
        raise InvalidInput(f"a text cannot be read as {charset}: {exc}") from exc
    return text.replace("\r\n", "\n")


def _attachment(part: email.message.Message[Any, Any]) -> Attachment:
    if part.get_content_maintype() == "multipart":
        kind = part.get_content_type()
        raise InvalidInput(f"a message with {kind} attached is sent as it is, or as octets")
    identifier = str(part.get("Content-ID", "")).strip()
    return Attachment(
        _octets(part),
        filename=part.get_filename() or None,
        content_type=_content_type(part, without=("name",)),
        content_id=identifier or None,
    )


def _octets(part: email.message.Message[Any, Any]) -> bytes:
    if not part.is_multipart():
        return cast("bytes", part.get_payload(decode=True))
    return b"".join(child.as_bytes() for child in _children(part))


def _content_type(part: email.message.Message[Any, Any], *, without: tuple[str, ...]) -> str:
    """Return the media type with the parameters that can be kept."""
    kept = [part.get_content_type()]
    for name, value in cast("list[tuple[str, object]]", part.get_params([]))[1:]:
        text = value if isinstance(value, str) else ""
        if name.lower() not in without and _TOKEN.fullmatch(name) and _VALUE.fullmatch(text):
            kept.append(f"{name}={text if _TOKEN.fullmatch(text) else _quoted(text)}")
    return "; ".join(kept)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _joined(calendar: Calendar, attachments: list[Attachment]) -> tuple[Calendar, list[Attachment]]:
    """Tell which attachment is the invitation once more."""
    text = calendar.text.splitlines()
    for file in attachments:
        is_calendar = file.content_type.partition(";")[0] in _CALENDAR_FILES
        if is_calendar and (file.content or b"").decode(errors="replace").splitlines() == text:
            rest = [other for other in attachments if other is not file]
            return Calendar(calendar.text, method=calendar.method, filename=file.filename), rest
    return calendar, attachments
