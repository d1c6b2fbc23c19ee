"""Where the octets of an attachment come from: memory, or what is read while they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, cast, runtime_checkable
from weakref import WeakSet

from typing_extensions import TypeIs

from ehlo.errors import InvalidInput
from ehlo.line_ends import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from pathlib import Path

    from ehlo.content import Piece

__all__ = [
    "SMALL",
    "Begin",
    "Once",
    "Readable",
    "Seekable",
    "Source",
    "SourceLike",
    "is_once",
    "is_seekable",
    "name_of",
    "read",
    "read_all",
    "source_of",
]

SMALL: Final = PIECE
"""Octets of a file that are rather kept in memory than read when they are sent."""


@runtime_checkable
class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return the next octets, `size` at the most; none at the end."""
        ...


class Seekable(Readable, Protocol):
    """One that can be rewound."""

    def tell(self) -> int:
        """Return where it stands."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to another place."""
        ...

    def seekable(self) -> bool:
        """Return whether it can."""
        ...


SourceLike: TypeAlias = "bytes | bytearray | memoryview | PathLike[str] | Readable | Iterable[Piece] | AsyncIterable[Piece]"  # noqa: E501
"""What the octets of an attachment may be given as."""


Begin: TypeAlias = "Callable[[], Iterator[Piece] | AsyncIterator[Piece]]"


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Octets that are read when they are sent.

    Attributes:
        begin: Begins to read.
        size: How many octets there are; None if that is not known.
        is_repeatable: Whether they can be read more than once.
        is_async: Whether the pieces have to be awaited.
    """

    begin: Begin
    size: int | None = None
    is_repeatable: bool = False
    is_async: bool = False


def is_seekable(file: Readable) -> TypeIs[Seekable]:
    """Tell whether a file can be rewound."""
    seekable = getattr(file, "seekable", None)
    return seekable is not None and seekable()


def is_once(given: object) -> bool:
    """Tell whether an iterable is an iterator: it goes on where it is, and never begins anew."""
    return isinstance(given, AsyncIterator | Iterator)


class Once:
    """Begins to read what can be read only once; a second time it would look empty, or cut off.

    Args:
        source: The iterator or file; None for one that is not to be known again. Nearly all
            generators and files are, whoever begins to read them: those that can be referred to
            weakly.
        begin: Begins to read.
    """

    def __init__(self, source: object, begin: Begin) -> None:
        self._source = source
        self._begin = [begin]  # taken out in one step: several threads may have the message

    def __call__(self) -> Iterator[Piece] | AsyncIterator[Piece]:
        """Begin to read.

        Raises:
            InvalidInput: That was done before.
        """
        try:
            begin = self._begin.pop()
        except IndexError:
            raise _read_before() from None
        with suppress(TypeError):
            if self._source in _begun:
                raise _read_before()
            _begun.add(self._source)
        return begin()


_begun: Final = WeakSet[object]()


def _read_before() -> InvalidInput:
    return InvalidInput(
        "the content can be read only once, and was: pass its octets, a path, or an iterable that "
        "begins anew each time"
    )


def source_of(given: object, size: int | None = None) -> bytes | Source:
    """Tell where octets come from.

    A small file is read at once; so nothing is lost if it is gone when the message is sent.

    Args:
        given: Octets, a path, a binary file, or an iterable or async iterable of octets.
        size: How many octets an iterable has, if its maker knows.

    Returns:
        The octets, or what reads them.

    Raises:
        InvalidInput: The size is not the one of what was given, or negative.
        OSError: The file cannot be read.
        TypeError: It is none of these, or the size is no number.
    """
    if size is not None:
        _check_size(size)
    match given:
        case bytes() | bytearray() | memoryview():
            source: bytes | Source = bytes(cast("Piece", given))
        case _ if hasattr(given, "__fspath__"):
            source = _of_path(cast("PathLike[str]", given))
        case AsyncIterable():  # asynchronous files have a `read` as well, which is to be awaited
            pieces = cast("AsyncIterable[Piece]", given)
            return _of_pieces(pieces.__aiter__, pieces, size)
        case Readable():
            source = _of_file(given, size)
        case Iterable() if not _is_other(cast("object", given)):
            found = cast("Iterable[Piece]", given)
            return _of_pieces(found.__iter__, found, size)
        case _:
            raise _no_content(given)
    known = len(source) if isinstance(source, bytes) else source.size
    if size is not None and known is not None and size != known:
        raise _other_size(known, size)
    return source


def _is_other(given: object) -> bool:
    """Tell whether an iterable is something else in the first place: a text, a message."""
    return isinstance(given, str | Mapping) or hasattr(given, "as_bytes")


def _no_content(given: object) -> TypeError:
    hint = ""
    if isinstance(given, str):
        hint = ": encode it, or pass a pathlib.Path"
    elif hasattr(given, "as_bytes"):
        hint = ": attach its octets, `.as_bytes()`, as message/rfc822"
    return TypeError(f"the content of an attachment is octets, not {type(given).__name__}{hint}")


def _check_size(size: object) -> None:
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"the size of an attachment is an int, not {type(size).__name__}")
    if size < 0:
        raise InvalidInput(f"an attachment cannot have {size} octets")


def _other_size(known: int, said: int | None) -> InvalidInput:
    return InvalidInput(f"the content of the attachment has {known} octets, not {said}")


def name_of(given: object) -> str | None:
    """Return the name of a file, without the directories before it.

    Args:
        given: As for `source_of`.

    Returns:
        The name; None for what has none.
    """
    is_path = hasattr(given, "__fspath__")
    name = cast("PathLike[str]", given).__fspath__() if is_path else getattr(given, "name", None)
    if not isinstance(name, str):
        return None
    from pathlib import Path  # noqa: PLC0415 - slow to import, and few need it

    return Path(name).name or None


def read_all(source: bytes | Source, what: str) -> bytes:
    """Return all octets of a source, now.

    Args:
        source: The source.
        what: What has to be in memory, for the error.

    Returns:
        The octets.

    Raises:
        InvalidInput: It can be read only by awaiting, or is of another size than was said.
    """
    if isinstance(source, bytes):
        return source
    if source.is_async:
        raise InvalidInput(f"{what} is looked at before it is sent: pass its octets, or a path")
    octets = b"".join(cast("Iterator[Piece]", source.begin()))
    if source.size not in {None, len(octets)}:
        raise _other_size(len(octets), source.size)
    return octets


def _of_pieces(begin: Begin, given: object, size: int | None) -> Source:
    is_async = isinstance(given, AsyncIterable)
    is_iterator = is_once(given)
    start = Once(given, begin) if is_iterator else begin
    return Source(start, size, is_repeatable=not is_iterator, is_async=is_async)


def _of_path(given: PathLike[str]) -> bytes | Source:
    from pathlib import Path  # noqa: PLC0415 - slow to import, and few need it

    path = Path(given)
    if path.is_fifo() or path.is_char_device():  # to open one may wait, and it has no size
        raise InvalidInput(f"{str(path)!r} is no file with a size: open it, and pass that")
    with path.open("rb") as file:
        head = file.read(SMALL + 1)
        if len(head) <= SMALL:
            return head
        size = file.seek(0, 2)
    return Source(partial(_read_path, path), size, is_repeatable=True)


def _read_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from read(file)


def _of_file(file: Readable, said: int | None) -> bytes | Source:
    if not is_seekable(file):
        return Source(Once(file, partial(read, file)), said)
    known = file
    _binary(known.read(0))  # text is refused now, and not while it is sent
    start = known.tell()
    size = known.seek(0, 2) - start
    known.seek(start)
    if size <= SMALL or hasattr(file, "getvalue"):  # small, or in memory as it is
        octets = b"".join(read(file))
        known.seek(start)  # the same file may go with another message
        return octets
    # Once: an open file has one position, and a message may be sent by several threads at a time.
    # Not known again by itself, since it goes on where this message's part of it began.
    return Source(Once(None, partial(_read_from, known, start)), size)


def read(file: Readable) -> Iterator[bytes]:
    """Read a binary file from where it stands to its end.

    Args:
        file: The file.

    Yields:
        Its octets.

    Raises:
        TypeError: It gives no octets.
    """
    while piece := _binary(file.read(PIECE)):
        yield piece


def _read_from(file: Seekable, position: int) -> Iterator[bytes]:
    # Sought for each piece: two messages under way may have the same file.
    while file.seek(position) >= 0 and (piece := _binary(file.read(PIECE))):
        position += len(piece)
        yield piece


def _binary(piece: object) -> bytes:
    if not isinstance(piece, bytes):
        kind = type(piece).__name__
        raise TypeError(f"the file gives {kind}, not bytes: open it in binary mode")
    return piece
