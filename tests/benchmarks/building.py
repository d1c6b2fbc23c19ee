"""W9: a message built and written, and an `EmailMessage` written."""

from __future__ import annotations

import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any, Final

import ehlo
from benchmarks.loads import RECIPIENTS, SENDER
from ehlo.runtime.ambient import make_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.parsing import Call, Case, Result

_DATE: Final = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
_ASCII: Final = "It can do whatever we know how to order it to perform.\n" * 12
_UTF8: Final = "Sie kann alles tun, was wir ihr aufzutragen verstehen: genügt das? ✓\n" * 12
_HTML: Final = "<p>It can do whatever we know how to order it to perform.</p>\n" * 12
_FILE: Final = bytes(range(256)) * 4096


def _of_ehlo(**parts: Any) -> Callable[[], bytes]:
    file = parts.pop("file", None)

    def build() -> bytes:
        attachments = [] if file is None else [ehlo.Attachment(file, filename="data.bin")]
        message = ehlo.Message(from_=SENDER, attachments=attachments, date=_DATE, **parts)
        return message.as_bytes(make_id=make_id)

    return build


def _stdlib_message(parts: dict[str, Any]) -> EmailMessage:
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = ", ".join(parts["to"])
    message["Subject"] = parts["subject"]
    message["Date"] = _DATE
    message["Message-ID"] = "<20250102030405.1815@example.org>"
    message.set_content(parts["text"])
    if "html" in parts:
        message.add_alternative(parts["html"], subtype="html")
    if "file" in parts:
        message.add_attachment(
            parts["file"], maintype="application", subtype="octet-stream", filename="data.bin"
        )
    return message


def _of_stdlib(**parts: Any) -> Callable[[], bytes]:
    return lambda: _stdlib_message(parts).as_bytes(policy=email.policy.SMTP)


def _written_by_ehlo(**parts: Any) -> Callable[[], bytes]:
    from ehlo.content import Octets  # noqa: PLC0415
    from ehlo.message import prepare  # noqa: PLC0415

    message = _stdlib_message(parts)
    envelope = ehlo.Envelope(SENDER, parts["to"])

    def write() -> bytes:
        content = prepare(message, envelope, now=lambda: _DATE, make_id=make_id).content
        assert isinstance(content, Octets)
        return content.octets

    return write


def _written_by_stdlib(**parts: Any) -> Callable[[], bytes]:
    message = _stdlib_message(parts)
    return lambda: message.as_bytes(policy=email.policy.SMTP)


SHAPES: Final[dict[str, dict[str, Any]]] = {
    "small": {"to": [RECIPIENTS[0]], "subject": "Notes", "text": _ASCII},
    "utf8": {"to": [RECIPIENTS[0]], "subject": "Grüße", "text": _UTF8},
    "50-recipients": {"to": list(RECIPIENTS[:50]), "subject": "Notes", "text": _ASCII},
    "1-mib": {
        "to": [RECIPIENTS[0]],
        "subject": "Notes",
        "text": _ASCII,
        "html": _HTML,
        "file": _FILE,
    },
}

_CODE: Final = {
    "ehlo:build": _of_ehlo,
    "stdlib:build": _of_stdlib,
    "ehlo:write": _written_by_ehlo,
    "stdlib:write": _written_by_stdlib,
}


def _case(code: Callable[..., Call], parts: dict[str, Any]) -> Case:
    def case() -> tuple[Call, Result]:
        return code(**parts), lambda seconds: {"us": seconds * 1e6}

    return case


CASES: Final[dict[str, Case]] = {
    f"{what}:{shape}": _case(code, parts)
    for shape, parts in SHAPES.items()
    for what, code in _CODE.items()
}
