"""Messages of the standard library that leave nothing to judge: nearly all of them.

They consist of multiparts, of texts and of bodies in ASCII, as they are made by `EmailMessage` and
by what reads such messages. The package's generator writes them part by part into buffers within
buffers, each of them joined; here they are joined once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ehlo.line_ends import PIECE, crlf
from ehlo.message.bodies import base64_lines, encoded, why_not_lines
from ehlo.message.headers import LINE_MAX
from ehlo.message.octets import joined

if TYPE_CHECKING:
    from email.message import Message as EmailMessage

__all__ = ["Boundaries", "Fields", "WriteFields", "plain_octets", "transfer_encoding", "written"]

AnyMessage: TypeAlias = "EmailMessage[Any, Any]"
Fields: TypeAlias = Iterable[tuple[str, Any]]
"""Names and values, as `raw_items` tells them."""
WriteFields: TypeAlias = Callable[[Fields], list[str]]
"""Writes each field, line end included."""
Boundaries: TypeAlias = dict[int, str]
"""The boundaries of multiparts that have none yet, by the identity of the part."""

_BOUNDARY: Final = 'boundary="{}"'
_END: Final = "\r\n\t ;"
_CONTAINERS: Final = ("message/", "multipart/")
_ENCODING: Final = "content-transfer-encoding"
_LINE: Final = 64  # characters; those of Base64 are longer, so that there is room for line ends
_AS_IT_IS: Final = ("7bit", "8bit")


def plain_octets(
    message: AnyMessage, header: Fields, write_fields: WriteFields, boundaries: Boundaries
) -> bytes | None:
    """Write a message in 7-bit form, if it is of that kind.

    Args:
        message: The message; it is not changed.
        header: The fields to be written instead of its own.
        write_fields: Writes fields.
        boundaries: For multiparts that have none.

    Returns:
        Its octets, every line ended by CRLF but perhaps the last; None if it takes more than this.
    """
    writer = _Writer(write_fields, boundaries)
    return _joined(writer.pieces) if writer.part(message, header) else None


class _Writer:
    """Writes parts, and tells of each whether that was possible."""

    def __init__(self, write_fields: WriteFields, boundaries: Boundaries) -> None:
        self._write_fields = write_fields
        self._boundaries = boundaries
        self.pieces: list[bytes | str] = []  # ready, or large and still to be written

    def part(self, part: AnyMessage, header: Fields) -> bool:
        kind = part.get_content_type()
        if part.is_multipart():
            is_plain = kind.startswith("multipart/") and kind != "multipart/signed"
            return is_plain and self._multipart(part, header)
        # As it is: `get_payload` decodes by the charset what are octets.
        text = vars(part).get("_payload")
        if not isinstance(text, str) or kind.startswith(_CONTAINERS):
            return False
        if kind.startswith("text/"):
            return self._text(part, header, text)
        if text.isascii():
            self._header(header)
            self._lines(text)
        return text.isascii()

    def _header(self, header: Fields) -> None:
        self.pieces.append(written("".join(self._write_fields(header)) + "\r\n"))

    def _lines(self, text: str) -> None:
        self.pieces.append(text if len(text) > PIECE else crlf(written(text)))

    def _text(self, part: AnyMessage, header: Fields, text: str) -> bool:
        """Write a text; encode one that cannot travel as it is, so that its octets arrive."""
        try:
            octets = crlf(written(text))
        except UnicodeEncodeError:  # characters that nobody has encoded
            return False
        if why_not_lines(octets, eight_bit=False):
            if transfer_encoding(part) in _AS_IT_IS and (
                octets.isascii() or part.get_content_charset()
            ):
                header, octets = _encoded(header, text, octets, part.get_content_charset())
            elif not octets.isascii():
                return False
        self._header(header)
        self.pieces.append(octets)
        return True

    def _multipart(self, part: AnyMessage, header: Fields) -> bool:
        """Write the parts of a multipart, between its boundaries (RFC 2046 section 5.1.1)."""
        parts: Any = part.get_payload()
        new = self._boundaries.get(id(part))
        boundary = new or part.get_boundary()
        preamble, epilogue = part.preamble, part.epilogue
        around = (preamble or "") + (epilogue or "")
        if not (parts and boundary and boundary.isprintable() and around.isascii()):
            return False
        if new is None:
            self._header(header)
        else:
            self.pieces.append(written("".join(self._bounded(header, new))))
        delimiter = written(f"\r\n--{boundary}")
        if preamble is not None:
            self.pieces += (crlf(written(preamble)), b"\r\n")
        self.pieces.append(delimiter.removeprefix(b"\r\n"))
        for it in parts:
            self.pieces.append(b"\r\n")
            if not self.part(it, it.raw_items()):
                return False
            self.pieces.append(delimiter)
        self.pieces.append(b"--\r\n")
        if epilogue is not None:
            self._lines(epilogue)
        return True

    def _bounded(self, header: Fields, boundary: str) -> list[str]:
        """Return the header of a multipart with a boundary that it did not have."""
        header = list(header)
        lines = [*self._write_fields(header), "\r\n"]
        at = [name.lower() for name, _ in header].index("content-type")
        kind = lines[at].rstrip(_END)
        fits = len(kind) + len(boundary) + len(_BOUNDARY) <= LINE_MAX
        blank = " " if fits else "\r\n "
        lines[at] = f"{kind};{blank}{_BOUNDARY.format(boundary)}\r\n"
        return lines


def transfer_encoding(part: AnyMessage) -> str:
    """Return what a part says of its encoding, in lower case; empty if it says nothing."""
    return str(part.get(_ENCODING, "")).strip().lower()


def _encoded(header: Fields, text: str, octets: bytes, charset: str | None) -> tuple[Fields, bytes]:
    """Encode a text, with its line ends as CRLF if they are such in its charset."""
    if charset is None or _holds_ascii(charset):
        encoding, octets = encoded(octets)
    else:
        encoding, octets = "base64", base64_lines(written(text))
    changed = [(name, encoding if name.lower() == _ENCODING else value) for name, value in header]
    return changed, octets


@lru_cache(maxsize=32)
def _holds_ascii(charset: str) -> bool:
    """Return whether line ends are the same octets as in ASCII: not so in UTF-16, or on mainframes.

    One that nobody knows is taken for what nearly all are.
    """
    try:
        return "\r\n".encode(charset) == b"\r\n"
    except (LookupError, UnicodeError, ValueError):
        return True


def _joined(pieces: list[bytes | str]) -> bytes:
    """Write what is to be written, and join it all."""
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(cast("list[bytes]", pieces))
    size = sum(map(len, pieces))
    return joined(_written_pieces(pieces), size + size // _LINE)


def _written_pieces(pieces: Iterable[bytes | str]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from _written_lines(piece)


def _written_lines(text: str) -> Iterator[bytes]:
    """Write lines, in pieces that stay in the cache if no CRLF can be cut in two."""
    step = len(text) if "\r" in text else PIECE
    for start in range(0, len(text), step):
        yield crlf(written(text[start : start + step]))


def written(text: str) -> bytes:
    """Return text of a message as octets: those that stood for octets above 127 are these again.

    Args:
        text: The text, in ASCII but for surrogates.

    Returns:
        The octets, line ends as they are.
    """
    return text.encode("ascii", "surrogateescape")
