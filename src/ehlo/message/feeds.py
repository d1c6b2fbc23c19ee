"""Bodies that are encoded while they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ehlo.errors import InvalidInput
from ehlo.message.bodies import BASE64_BLOCK, base64_lines, base64_size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from ehlo.content import Piece
    from ehlo.message.sources import Source

__all__ = ["Feed"]


class Feed:
    """A body of which a block at a time is in memory.

    Args:
        source: Where its octets come from.
        encoding: Its transfer encoding: `base64`, or `binary` for none.

    Attributes:
        octets: How many octets it has, encoded; None if that is not known.
        is_repeatable: Whether it can be read more than once.
        is_async: Whether it has to be awaited.
    """

    def __init__(self, source: bytes | Source, encoding: str) -> None:
        self._source = source
        self._encoding = encoding
        self._size = size = len(source) if isinstance(source, bytes) else source.size
        self.octets = size if size is None or encoding != "base64" else base64_size(size)
        self.is_repeatable = isinstance(source, bytes) or source.is_repeatable
        self.is_async = not isinstance(source, bytes) and source.is_async

    def __iter__(self) -> Iterator[bytes]:
        """Read and encode.

        Raises:
            InvalidInput: There are fewer octets, or more, than was said.
            TypeError: A piece is no octets.
        """
        source, encoder = self._source, _Encoder(self._size, self._encoding)
        pieces: Iterable[Piece] = (
            (source,) if isinstance(source, bytes) else cast("Iterator[Piece]", source.begin())
        )
        for piece in pieces:
            yield from encoder.feed(piece)
        yield from encoder.finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read by awaiting, and encode; see `__iter__`."""
        source, encoder = cast("Source", self._source), _Encoder(self._size, self._encoding)
        async for piece in cast("AsyncIterator[Piece]", source.begin()):
            for octets in encoder.feed(piece):
                yield octets
        for octets in encoder.finish():
            yield octets


class _Encoder:
    """Counts octets, and encodes them in blocks of whole lines.

    Args:
        size: How many there should be; None for any number.
        encoding: As for `Feed`.
    """

    def __init__(self, size: int | None, encoding: str) -> None:
        self._size = size
        self._encode = base64_lines if encoding == "base64" else bytes
        self._octets = 0
        self._held = bytearray()  # fewer than a block

    def feed(self, piece: Piece) -> Iterator[bytes]:
        """Take the next octets, and return what can be sent."""
        if not isinstance(piece, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"an attachment is made of octets, not of {type(piece).__name__}")
        view = memoryview(piece).cast("B")
        self._octets += len(view)
        if self._size is not None and self._octets > self._size:
            raise _changed(self._size)
        start = 0
        if self._held:
            start = min(BASE64_BLOCK - len(self._held), len(view))
            self._held += view[:start]
            if len(self._held) < BASE64_BLOCK:
                return
            yield self._encode(bytes(self._held))
            self._held.clear()
        end = len(view) - (len(view) - start) % BASE64_BLOCK
        for block in range(start, end, BASE64_BLOCK):
            yield self._encode(view[block : block + BASE64_BLOCK])
        self._held += view[end:]

    def finish(self) -> Iterator[bytes]:
        """Return the rest."""
        if self._size is not None and self._octets != self._size:
            raise _changed(self._size)
        if self._held:
            yield self._encode(bytes(self._held))


def _changed(size: int) -> InvalidInput:
    return InvalidInput(
        f"an attachment has not the {size} octets that it was said to have, or had when the "
        "message was made; it was not sent"
    )
