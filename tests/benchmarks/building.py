"""W9: a message built and written, and an `EmailMessage` written.

Building is everything from the values to the octets. The library's own is measured in three ways:
`build` makes one `bytes`, as `EmailMessage` does; `pieces` is the form in which it is sent, each
piece dropped before the next; `file` is the same with the attachment read from a file meanwhile.
"""

from __future__ import annotations

import atexit
import email.policy
import shutil
import tempfile
from collections import deque
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
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
_BLOCK: Final = bytes(range(256)) * 256  # 64 KiB
_MIB: Final = 16  # blocks
_NAME: Final = "data.bin"
_TYPE: Final = "application", "octet-stream"  # nobody guesses


def _message_of_ehlo(parts: dict[str, Any], file: ehlo.Attachment | None) -> ehlo.Message:
    named: dict[str, Any] = {
        name: parts[name] for name in ("to", "subject", "text", "html") if name in parts
    }
    if file is not None:
        named["attachments"] = file
    return ehlo.Message(from_=SENDER, date=_DATE, **named)


def _attached(octets: bytes | None) -> ehlo.Attachment | None:
    if octets is None:
        return None
    return ehlo.Attachment(octets, filename=_NAME, content_type="/".join(_TYPE))


def _octets(parts: dict[str, Any]) -> bytes | None:
    return _BLOCK * parts["blocks"] if "blocks" in parts else None


def _of_ehlo(parts: dict[str, Any]) -> Call:
    octets = _octets(parts)
    return lambda: _message_of_ehlo(parts, _attached(octets)).as_bytes(make_id=make_id)


def _pieces_of_ehlo(parts: dict[str, Any]) -> Call:
    octets = _octets(parts)
    return lambda: _drop(_message_of_ehlo(parts, _attached(octets)))


def _file_of_ehlo(parts: dict[str, Any]) -> Call:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / _NAME
    with path.open("wb", buffering=0) as file:
        for _ in range(parts["blocks"]):  # never in memory as a whole
            file.write(_BLOCK)

    def build() -> None:
        attachment = ehlo.Attachment.from_path(path, content_type="/".join(_TYPE))
        _drop(_message_of_ehlo(parts, attachment))

    return build


def _drop(message: ehlo.Message) -> None:
    deque(message.iter_bytes(make_id=make_id), maxlen=0)


def _stdlib_message(parts: dict[str, Any], octets: bytes | None) -> EmailMessage:
    message = EmailMessage()
    message["From"] = SENDER
    message["To"] = ", ".join(parts["to"])
    message["Subject"] = parts["subject"]
    message["Date"] = _DATE
    message["Message-ID"] = "<20250102030405.1815@example.org>"
    message.set_content(parts["text"])
    if "html" in parts:
        message.add_alternative(parts["html"], subtype="html")
    if octets is not None:
        main, sub = _TYPE
        message.add_attachment(octets, maintype=main, subtype=sub, filename=_NAME)
    return message


def _of_stdlib(parts: dict[str, Any]) -> Call:
    octets = _octets(parts)
    return lambda: _stdlib_message(parts, octets).as_bytes(policy=email.policy.SMTP)


def _written_by_ehlo(parts: dict[str, Any]) -> Call:
    from ehlo.content import Octets  # noqa: PLC0415
    from ehlo.message import prepare  # noqa: PLC0415

    message = _stdlib_message(parts, _octets(parts))
    envelope = ehlo.Envelope(SENDER, parts["to"])

    def write() -> bytes:
        content = prepare(message, envelope, now=lambda: _DATE, make_id=make_id).content
        assert isinstance(content, Octets)
        return content.octets

    return write


def _written_by_stdlib(parts: dict[str, Any]) -> Call:
    message = _stdlib_message(parts, _octets(parts))
    return lambda: message.as_bytes(policy=email.policy.SMTP)


_SMALL: Final[dict[str, Any]] = {"to": [RECIPIENTS[0]], "subject": "Notes", "text": _ASCII}
_TWO_TEXTS: Final[dict[str, Any]] = {**_SMALL, "html": _HTML}

SHAPES: Final[dict[str, dict[str, Any]]] = {
    "small": _SMALL,
    "utf8": {"to": [RECIPIENTS[0]], "subject": "Grüße", "text": _UTF8},
    "50-recipients": {**_SMALL, "to": list(RECIPIENTS[:50])},
    "text-html": _TWO_TEXTS,
    "1-mib": {**_TWO_TEXTS, "blocks": _MIB},
    "25-mib": {**_TWO_TEXTS, "blocks": 25 * _MIB},
}
"""What is built; those with blocks have an attachment of so many."""

_CODE: Final[dict[str, Callable[[dict[str, Any]], Call]]] = {
    "ehlo:build": _of_ehlo,
    "ehlo:pieces": _pieces_of_ehlo,
    "ehlo:file": _file_of_ehlo,
    "stdlib:build": _of_stdlib,
    "ehlo:write": _written_by_ehlo,
    "stdlib:write": _written_by_stdlib,
}
_FOR_ATTACHMENTS: Final = {"ehlo:pieces", "ehlo:file"}  # small messages are one piece anyhow
# To make the message first takes longer than all else here, and 1 MiB says the same.
_SLOW: Final = {("ehlo:write", "25-mib"), ("stdlib:write", "25-mib")}
_PEERS: Final = {
    **dict.fromkeys(("ehlo:build", "ehlo:pieces", "ehlo:file"), "stdlib:build"),
    "ehlo:write": "stdlib:write",
}


def warm_up() -> None:
    """Build a message of a few lines in each way, so that all code is there that is needed."""
    parts = {**_TWO_TEXTS, "blocks": 0}
    for what in (*_PEERS, *_PEERS.values()):
        _CODE[what](parts)()


def is_weighed(name: str) -> bool:
    """Tell whether a case is measured in memory: those that begin with nothing but values."""
    return ":write:" not in name


def peer_of(name: str) -> str:
    """Return the case of the standard library that does the same; empty for its own."""
    what, _, shape = name.rpartition(":")
    return f"{_PEERS[what]}:{shape}" if what in _PEERS else ""


def _case(code: Callable[[dict[str, Any]], Call], parts: dict[str, Any]) -> Case:
    def case() -> tuple[Call, Result]:
        return code(parts), lambda seconds: {"us": seconds * 1e6}

    return case


CASES: Final[dict[str, Case]] = {
    f"{what}:{shape}": _case(code, parts)
    for shape, parts in SHAPES.items()
    for what, code in _CODE.items()
    if ("blocks" in parts or what not in _FOR_ATTACHMENTS) and (what, shape) not in _SLOW
}
