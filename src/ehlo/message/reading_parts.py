"""The body of a message of the standard library, read into our parts."""

from __future__ import annotations

import email.message
import re
from binascii import a2b_base64, a2b_qp
from email import policy
from email.utils import collapse_rfc2231_value
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ehlo.errors import InvalidInput
from ehlo.message.alternatives import Alternative, Calendar
from ehlo.message.attachment import Attachment
from ehlo.message.encoded_words import decoded, decoded_words
from ehlo.message.header_source import readable, unfolded
from ehlo.message.plain_tree import transfer_encoding
from ehlo.message.stdlib import as_it_is

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ehlo.message.message import MessageParts

__all__ = ["Body"]

AnyMessage: TypeAlias = "email.message.Message[Any, Any]"
_Parameters: TypeAlias = "list[tuple[str, str | tuple[str | None, str | None, str]]]"

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
_PARAMETER: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`{|}~-]+")
_VALUE: Final = re.compile(r"[ -~]*")
_SEALED: Final = {"application/pkcs7-mime", "application/x-pkcs7-mime"}
"""A message that is signed or encrypted as a whole (RFC 8551 section 3.2)."""
_CALENDAR_FILES: Final = {"application/ics", "text/calendar"}
_DECODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "base64": a2b_base64,
    "quoted-printable": a2b_qp,
}


class Body:
    """The tree of parts of a message.

    Args:
        message: The message.

    Raises:
        InvalidInput: It is of another shape than our trees have, or a part cannot be read.
    """

    def __init__(self, message: AnyMessage) -> None:
        self._text: str | None = None
        self._html: str | None = None
        self._alternatives: list[Alternative] = []
        self._inline: list[Attachment] = []
        self._calendar: Calendar | None = None
        self._attachments: list[Attachment] = []
        if (kind := message.get_content_type()) in _SEALED:
            raise InvalidInput(f"a message that is {kind} is sent as it is, or as octets")
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

    def _read(self, part: AnyMessage) -> None:
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

    def _mixed(self, children: Sequence[AnyMessage]) -> None:
        for index, child in enumerate(children):
            is_shown = child.get_content_maintype() in {"multipart", "text"} and index == 0
            if is_shown and child.get_content_disposition() != "attachment":
                self._read(child)
            else:
                self._attachments.append(_attachment(child))

    def _alternative(self, part: AnyMessage) -> None:
        kind, method = part.get_content_type(), part.get_param("method")
        is_file = part.get_content_disposition() == "attachment"
        if part.is_multipart():
            if kind not in {"multipart/related", "multipart/alternative"}:
                raise InvalidInput(f"a message with {kind} in it is sent as it is, or as octets")
            self._read(part)
        elif kind == "text/calendar" and self._calendar is None and isinstance(method, str):
            self._calendar = Calendar(_text(part), method=method, filename=None)
        elif is_file or not kind.startswith("text/"):
            self._attachments.append(_attachment(part))
        elif kind == "text/plain" and self._text is None:
            self._text = _text(part)
        elif kind == "text/html" and self._html is None:
            self._html = _text(part)
        else:
            content_type = _content_type(_head(part), without=("charset", "name"))
            self._alternatives.append(Alternative(_text(part), content_type=content_type))


def _children(
    part: AnyMessage,
) -> Sequence[AnyMessage]:
    payload: Any = part.get_payload()
    if not isinstance(payload, list) or not payload:
        raise InvalidInput(f"there is a {part.get_content_type()} without parts")
    return cast("list[AnyMessage]", payload)


def _text(part: AnyMessage) -> str:
    charset = part.get_content_charset("us-ascii")
    octets = _decoded(part)
    try:
        text = decoded(octets, "utf-8" if charset == "us-ascii" else charset)
    except (LookupError, ValueError) as exc:
        raise InvalidInput(f"a text cannot be read as {charset}: {exc}") from exc
    return text.replace("\r\n", "\n")


def _attachment(part: AnyMessage) -> Attachment:
    kind = part.get_content_type()
    if part.get_content_maintype() == "multipart":
        raise InvalidInput(f"a message with {kind} attached is sent as it is, or as octets")
    head = _head(part)
    return Attachment(
        _message(part) if part.is_multipart() else _decoded(part),
        filename=_filename(head),
        content_type=_content_type(head, without=("name",)),
        content_id=head.get("Content-ID", "").strip().strip("<>") or None,
    )


def _decoded(part: AnyMessage) -> bytes:
    """Return the octets of a leaf, their transfer encoding undone."""
    payload, octets = part.get_payload(), part.get_payload(decode=True)
    is_text = isinstance(payload, str) and not payload.isascii()
    if is_text and octets == cast("str", payload).encode("raw-unicode-escape"):
        # The message was parsed from a text: the package would escape what is not in Latin-1.
        return cast("str", payload).encode(part.get_content_charset("utf-8"))
    return cast("bytes", octets or b"")


def _message(part: AnyMessage) -> bytes:
    """Return the octets of an attached message, or of the blocks of a report."""
    octets = b"".join(map(as_it_is, _children(part)))
    # The package takes a message that is encoded, as it may not be, for one without a header.
    decode = _DECODERS.get(transfer_encoding(part))
    return decode(octets) if decode else octets


def _head(part: AnyMessage) -> email.message.Message[str, str]:
    """Return the fields that tell of a part, each on one line, read alike whatever the policy."""
    head = email.message.Message(policy.compat32)
    for name, value in part.raw_items():
        if name.lower().startswith("content-"):
            source = str(value) if isinstance(value, str) else value.encode()
            head.set_raw(name, readable(name, unfolded(name, source)).replace("\t", " "))
    return head


def _filename(head: email.message.Message[str, str]) -> str | None:
    """Return the name of a file; many write encoded words into it, which is not their place."""
    name = head.get_filename("").strip()
    # looked for in the source: a name that only looks encoded is written otherwise (RFC 2231)
    is_encoded = any("=?" in source for source in head.values())
    return (decoded_words(name) if is_encoded else name) or None


def _content_type(head: email.message.Message[str, str], *, without: tuple[str, ...]) -> str:
    """Return the media type with the parameters that can be kept."""
    kept = {"": head.get_content_type()}
    for name, value in cast("_Parameters", head.get_params([]))[1:]:
        text = value if isinstance(value, str) else collapse_rfc2231_value(value)
        can_be_kept = _PARAMETER.fullmatch(name) and _VALUE.fullmatch(text) and "=?" not in text
        if can_be_kept and name.lower() not in without:
            kept.setdefault(
                name.lower(), f"{name}={text if _TOKEN.fullmatch(text) else _quoted(text)}"
            )
    return "; ".join(kept.values())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _joined(calendar: Calendar, attachments: list[Attachment]) -> tuple[Calendar, list[Attachment]]:
    """Tell which attachment is the invitation once more."""
    text = calendar.text.splitlines()
    for file in attachments:
        is_calendar = file.content_type.partition(";")[0] in _CALENDAR_FILES
        # without a name it would be no file any more
        if is_calendar and file.filename and _lines(file) == text:
            rest = [other for other in attachments if other is not file]
            return Calendar(calendar.text, method=calendar.method, filename=file.filename), rest
    return calendar, attachments


def _lines(file: Attachment) -> list[str]:
    return (file.content or b"").decode(errors="replace").splitlines()
