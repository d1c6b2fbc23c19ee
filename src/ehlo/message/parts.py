"""The body of a message as a tree of parts (RFC 2045, RFC 2046)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from ehlo.message.attachment import is_composite
from ehlo.message.bodies import Body, base64_body, crlf, text_body
from ehlo.message.parameters import attachment_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ehlo.message.attachment import Attachment

__all__ = ["Part", "message_body"]


class Part(NamedTuple):
    """A part of a message, or all of it.

    Attributes:
        fields: The fields of its header, each ended by CRLF; never empty.
        chunks: Its body in pieces, to be joined.
    """

    fields: str
    chunks: list[bytes]


def message_body(
    *,
    text: str | None,
    html: str | None,
    attachments: Sequence[Attachment],
    make_id: Callable[[], str],
) -> Part:
    """Write the body of a message.

    Args:
        text: The text, if there is one.
        html: The same as HTML, if there is that.
        attachments: What comes with it.
        make_id: Makes an identifier for the boundaries, of at most 60 characters that need no
            quoting in them; asked once, if there are any.

    Returns:
        One text, `multipart/alternative` if there are both, and that in `multipart/mixed` if
        there are attachments. A message without a text has an empty one.
    """
    texts = [("plain", text), ("html", html)]
    leaves = [_text_part(kind, it) for kind, it in texts if it is not None]
    leaves = leaves or [_text_part("plain", "")]
    attached = [_attachment_part(attachment) for attachment in attachments]
    if len(leaves) == 1 and not attached:
        return leaves[0]
    boundaries = _boundaries(make_id(), [*leaves, *attached])
    body = leaves[0] if len(leaves) == 1 else _multipart("alternative", leaves, next(boundaries))
    return _multipart("mixed", [body, *attached], next(boundaries)) if attached else body


def _text_part(kind: str, text: str) -> Part:
    body = text_body(text)
    charset = "utf-8" if body.encoding != "7bit" else "us-ascii"
    return Part(
        f'Content-Type: text/{kind}; charset="{charset}"\r\n'
        f"Content-Transfer-Encoding: {body.encoding}\r\n",
        body.chunks,
    )


def _attachment_part(attachment: Attachment) -> Part:
    if is_composite(attachment.content_type):  # checked to be 7-bit when it was made
        body = Body("7bit", [crlf(attachment.content)])
    else:
        body = base64_body(attachment.content)
    return Part(attachment_fields(attachment, body.encoding), body.chunks)


def _boundaries(identifier: str, parts: Sequence[Part]) -> Iterator[str]:
    """Make boundaries that are in none of the parts.

    A boundary holds "=_", which base64 and quoted-printable never do, and none begins another, as
    readers compare no more than beginnings (RFC 2046 section 5.1.1).
    """
    suspects = [chunk for part in parts for chunk in part.chunks if b"--=_" in chunk]
    candidates = (f"=_{number}_{identifier}" for number in itertools.count(1))
    return (it for it in candidates if not any(f"--{it}".encode() in chunk for chunk in suspects))


def _multipart(kind: str, parts: Sequence[Part], boundary: str) -> Part:
    delimiter = f"\r\n--{boundary}\r\n"
    chunks: list[bytes] = []
    for part in parts:
        chunks.append(f"{delimiter}{part.fields}\r\n".encode())
        chunks += part.chunks
    chunks[0] = chunks[0].removeprefix(b"\r\n")  # the empty line behind the header is enough
    chunks.append(f"\r\n--{boundary}--\r\n".encode())
    return Part(f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n', chunks)
