"""Where dialogues get messages and pieces of content from: iterators, and what must be awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

from ehlo.dialogues.needs import Fetch

if TYPE_CHECKING:
    from ehlo.dialogues.needs import Dialogue

__all__ = ["END", "NOT_YET", "AsyncSource", "End", "NotYet", "Source", "is_there", "pick", "take"]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class _Mark(Enum):
    END = "nothing more will come"
    NOT_YET = "a reply came first"


END: Final = _Mark.END
"""What `take` returns behind the last item."""
End: TypeAlias = Literal[_Mark.END]
NOT_YET: Final = _Mark.NOT_YET
"""What `take` returns if a reply came before the next item did."""
NotYet: TypeAlias = Literal[_Mark.NOT_YET]


class AsyncSource(Generic[_T_co]):
    """An async iterator, of which a pump awaits the items.

    Args:
        iterator: The iterator.

    Attributes:
        is_ready: Whether an item, the end, or an error has come and was not taken yet.
    """

    def __init__(self, iterator: AsyncIterator[_T_co]) -> None:
        self._iterator = iterator
        self._item: _T_co | End = END
        self._error: Exception | None = None
        self.is_ready = False

    async def fetch(self) -> None:
        """Await the next item; an error of the iterator is kept for whoever takes the item."""
        try:
            self._item = await anext(self._iterator)
        except StopAsyncIteration:
            self._item = END
        except Exception as exc:  # noqa: BLE001 - it belongs to the dialogue
            self._error = exc
        self.is_ready = True

    def take(self) -> _T_co | End:
        """Return what was fetched, and forget it.

        Returns:
            The item, or `END`.

        Raises:
            Exception: Whatever the iterator raised.
        """
        self.is_ready = False
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._item


Source: TypeAlias = Iterator[_T] | AsyncSource[_T]
"""Where items come from."""


def take(source: Source[_T]) -> Dialogue[_T | End | NotYet]:
    """Get the next item of a source.

    Args:
        source: The source.

    Returns:
        The item; `END` behind the last one; `NOT_YET` if a reply came before it did.

    Raises:
        Exception: Whatever the source raises.
    """
    if (yield from is_there(source)):
        return pick(source)
    return NOT_YET


def is_there(source: Source[object]) -> Dialogue[bool]:
    """Wait until the next item of a source can be had at once.

    Args:
        source: The source.

    Returns:
        False if a reply came before it did.
    """
    if not isinstance(source, AsyncSource) or source.is_ready:
        return True
    yield Fetch(source)
    return source.is_ready


def pick(source: Source[_T]) -> _T | End:
    """Get the next item of a source that is there.

    Args:
        source: The source.

    Returns:
        The item; `END` behind the last one.

    Raises:
        Exception: Whatever the source raises; it may be an `SMTPError` of another session.
    """
    return source.take() if isinstance(source, AsyncSource) else next(source, END)
