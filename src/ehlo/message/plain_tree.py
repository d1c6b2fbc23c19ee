"""Messages of the standard library that leave nothing to judge: nearly all of them.

They consist of multiparts and of bodies in ASCII, as they are made by `EmailMessage` and by what
reads 7-bit messages. The package's generator writes the same, part by part into buffers within
buffers; here each octet is copied once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ehlo.line_ends import crlf
from ehlo.message.headers import LINE_MAX

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message as EmailMessage

    Field: TypeAlias = Callable[[str, Any], str]
    """Writes a field, line end included."""

__all__ = ["plain_octets", "written"]

AnyMessage: TypeAlias = "EmailMessage[Any, Any]"

_BOUNDARY: Final = 'boundary="{}"'
_END: Final = "\r\n\t ;"
_CONTAINERS: Final = ("message/", "multipart/")


Boundaries: TypeAlias = dict[int, str]
"""The boundaries of multiparts that have none yet, by the identity of the part."""


def plain_octets(message: AnyMessage, field: Field, boundaries: Boundaries) -> bytes | None:
    """Write a message, if it is of that kind.

    Args:
        message: The message.
        field: Writes its fields.
        boundaries: For multiparts that have none.

    Returns:
        Its octets, every line ended by CRLF but perhaps the last; None if it takes more than this.
    """
    pieces: list[bytes] = []
    if not _write(message, field, boundaries, pieces):
        return None
    return b"".join(pieces)


def _write(part: AnyMessage, field: Field, boundaries: Boundaries, pieces: list[bytes]) -> bool:
    """Write a part; return whether that was possible."""
    kind = part.get_content_type()
    if part.is_multipart():
        is_plain = kind.startswith("multipart/") and kind != "multipart/signed"
        return is_plain and _write_parts(part, field, boundaries, pieces)
    text: Any = part.get_payload()
    # What is not ASCII is octets of some charset, or text that nobody has encoded.
    is_plain = isinstance(text, str) and text.isascii() and not kind.startswith(_CONTAINERS)
    if is_plain:
        pieces += (written("".join(_header(part, field))), crlf(written(text)))
    return is_plain


def _header(part: AnyMessage, field: Field) -> list[str]:
    lines = [field(name, value) for name, value in part.raw_items()]
    lines.append("\r\n")
    return lines


def _bounded(part: AnyMessage, field: Field, boundary: str) -> list[str]:
    """Return the header of a multipart with a boundary that it did not have."""
    lines = _header(part, field)
    at = [name.lower() for name in part.keys()].index("content-type")  # noqa: SIM118 - with repeats
    kind = lines[at].rstrip(_END)
    fits = len(kind) + len(boundary) + len(_BOUNDARY) <= LINE_MAX
    lines[at] = "".join((kind, ";", " " if fits else "\r\n ", _BOUNDARY.format(boundary), "\r\n"))
    return lines


def _write_parts(
    part: AnyMessage, field: Field, boundaries: Boundaries, pieces: list[bytes]
) -> bool:
    """Write the parts of a multipart, between its boundaries (RFC 2046 section 5.1.1)."""
    parts: Any = part.get_payload()
    new = boundaries.get(id(part))
    boundary = new or part.get_boundary()
    around = (part.preamble or "", part.epilogue or "")
    if not (parts and boundary and boundary.isprintable() and all(map(str.isascii, around))):
        return False
    header = _header(part, field) if new is None else _bounded(part, field, new)
    pieces.append(written("".join(header)))
    delimiter = written(f"\r\n--{boundary}")
    if part.preamble is not None:
        pieces += (crlf(written(part.preamble)), b"\r\n")
    pieces.append(delimiter.removeprefix(b"\r\n"))
    for it in parts:
        pieces.append(b"\r\n")
        if not _write(it, field, boundaries, pieces):
            return False
        pieces.append(delimiter)
    pieces.append(b"--\r\n")
    if part.epilogue is not None:
        pieces.append(crlf(written(part.epilogue)))
    return True


def written(text: str) -> bytes:
    """Return text of a message as octets: those that stood for octets above 127 are these again.

    Args:
        text: The text, in ASCII but for surrogates.

    Returns:
        The octets, line ends as they are.
    """
    return text.encode("ascii", "surrogateescape")
