"""How a message looks: its header, its tree of parts, its texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ehlo import Message
from ehlo.commands import Body
from gallery.basics import make_id
from support.structure import Part, Transfer, check

__all__ = ["TRANSFERS", "contents", "header", "text", "tree"]

TRANSFERS: Final[dict[Body, Transfer]] = {
    Body.SEVEN_BIT: "7bit",
    Body.EIGHT_BIT_MIME: "8bit",
    Body.BINARY_MIME: "binary",
}
_SAME_IN_ALL = ("Date: Mon, 23 Nov 2026 09:30:00 +0100\r\n", "MIME-Version: 1.0\r\n")


def header(message: Message, *, smtputf8: bool = False) -> str:
    """Return what a header says of the message itself: all but date, MIME-Version and the body."""
    octets = message.as_bytes(make_id=make_id, smtputf8=smtputf8, transfer=Body.EIGHT_BIT_MIME)
    head = octets.partition(b"\r\n\r\n")[0].decode() + "\r\n"
    for field in _SAME_IN_ALL:
        head = head.replace(field, "")
    return head[: head.index("Content-Type:")].replace("\r\n", "\n")


def tree(message: Message, body: Body = Body.SEVEN_BIT) -> str:
    """Return the tree of parts: type, transfer encoding, disposition and file name of each."""
    octets = message.as_bytes(make_id=make_id, transfer=body, smtputf8=message.needs_smtputf8)
    parts = check(octets, transfer=TRANSFERS[body], utf8_header=message.needs_smtputf8)
    return "".join(f"{line}\n" for line in _lines(parts, ""))


def _lines(part: Part, indent: str) -> Iterator[str]:
    yield indent + " ".join(_facts(part))
    for inner in part.parts:
        yield from _lines(inner, f"{indent}  ")


def _facts(part: Part) -> Iterator[str]:
    yield part.kind
    encoding = part.first("content-transfer-encoding")
    if encoding is not None:
        yield encoding.body.strip()
    disposition = part.first("content-disposition")
    if disposition is not None:
        yield disposition.body.partition(";")[0].strip()


def contents(message: Message, kind: str) -> list[bytes]:
    """Return the decoded octets of the parts of a media type."""
    octets = message.as_bytes(make_id=make_id, transfer="8BITMIME", smtputf8=message.needs_smtputf8)
    parts = check(octets, transfer="8bit", utf8_header=message.needs_smtputf8)
    return [part.octets for part in parts.walk() if part.kind == kind]


def text(message: Message, kind: str = "text/plain") -> str:
    """Return the first text of a type, with line feeds."""
    return contents(message, kind)[0].decode().replace("\r\n", "\n")
