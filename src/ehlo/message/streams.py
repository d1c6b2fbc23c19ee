"""Content that is read while it is sent: files, iterables, async iterables."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from ehlo.content import Octets, Stream
from ehlo.errors import InvalidInput
from ehlo.message.octets import TextCheck, has_utf8_header, looked_at, message_id_of
from ehlo.message.sources import SMALL, Once, Readable, is_once, is_seekable, read

if TYPE_CHECKING:
    from ehlo.content import Piece
    from ehlo.message.sources import Begin, Seekable

__all__ = ["stream"]

_HEADER: Final = 65_536  # how much of a file is kept to look at its header


def stream(source: object) -> tuple[Octets | Stream, str | None]:
    """Make content of what can be read piece by piece.

    A file that can be read again is read through once, so that its size and what it needs from the
    server are known beforehand; a small one is kept. It is left where it stood. Of everything else
    nothing is known before it is sent, and what can be read only once is refused a second time.

    Args:
        source: A binary file, an iterable or an async iterable of octets.

    Returns:
        The content, and its Message-ID as far as it is known.

    Raises:
        InvalidInput: The file stands at its end.
        TypeError: It is none of these.
    """
    if isinstance(source, Readable):
        if is_seekable(source):
            return _scanned(source)
        return Stream(Once(source, partial(read, source))), None
    if isinstance(source, AsyncIterable):
        pieces = cast("AsyncIterable[Piece]", source)
        return Stream(_beginning(pieces, pieces.__aiter__), is_async=True), None
    if isinstance(source, Iterable) and not isinstance(source, str):
        found = cast("Iterable[Piece]", source)
        return Stream(_beginning(found, found.__iter__)), None
    raise _not_sendable(source)


def _beginning(source: object, begin: Begin) -> Begin:
    return Once(source, begin) if is_once(source) else begin


def _not_sendable(value: object) -> TypeError:
    hint = ": encode it, or make an ehlo.Message of it" if isinstance(value, str) else ""
    kinds = "a Message, an EmailMessage, bytes, a binary file or an iterable of bytes"
    return TypeError(f"a message is {kinds}, not {type(value).__name__}{hint}")


def _read_from(file: Seekable, position: int) -> Iterator[bytes]:
    file.seek(position)
    try:
        yield from read(file)
    finally:
        with suppress(OSError, ValueError):  # it may be closed by now
            file.seek(position)  # so that it can be sent again, whatever became of this sending


def _scanned(file: Seekable) -> tuple[Octets | Stream, str | None]:
    start = file.tell()
    scan = _Scan()
    small: list[bytes] | None = []
    for piece in read(file):
        scan.feed(piece)
        if small is not None:
            small.append(piece)
            if scan.octets > SMALL:
                small = None
    file.seek(start)
    if start and not scan.octets:
        raise InvalidInput("the file stands at its end: there is nothing to send; seek(0) first?")
    if small is not None:  # no reason to read it again
        octets = b"".join(small)
        return looked_at(octets), message_id_of(octets)
    content = Stream(
        partial(_read_from, file, start),
        size=scan.size,
        octets=scan.octets,
        is_eight_bit=scan.is_eight_bit,
        has_utf8_header=has_utf8_header(scan.head),
        not_text=scan.not_text,
        is_binary=scan.is_binary,
        is_repeatable=True,
    )
    return content, message_id_of(scan.head)


class _Scan:
    """What can be learned of content by reading it through."""

    def __init__(self) -> None:
        self.octets = 0
        self.is_eight_bit = False
        self.not_text = ""
        self.is_binary = False
        self.head = b""
        self._line_ends = 0  # CRLF, CR or LF: each is CRLF on the wire
        self._ends_octets = 0
        self._last = b"\n"
        self._check = TextCheck()

    @property
    def size(self) -> int:
        """The octets on the wire: each line end as CRLF, the last line ended."""
        unended = self.octets and self._last not in {b"\n", b"\r"}
        return self.octets - self._ends_octets + 2 * self._line_ends + 2 * bool(unended)

    def feed(self, piece: bytes) -> None:
        """Take the next octets."""
        self.head += piece[: max(_HEADER - len(self.head), 0)]
        self.octets += len(piece)
        self.is_eight_bit = self.is_eight_bit or not piece.isascii()
        self.not_text = self.not_text or self._check.feed(piece)
        self.is_binary = self.is_binary or b"\0" in piece
        ends = piece.count(b"\n") + piece.count(b"\r")
        joined = self._last == b"\r" and piece.startswith(b"\n")
        self._line_ends += ends - piece.count(b"\r\n") - joined
        self._ends_octets += ends
        self._last = piece[-1:]
