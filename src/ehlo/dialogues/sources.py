"""Where dialogues get messages and pieces of content from: iterators, and what must be awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeAlias, TypeVar

from ehlo.dialogues.exchange import phase_of
from ehlo.dialogues.needs import Fetch
from ehlo.errors import InvalidInput
from ehlo.phase import Phase

if TYPE_CHECKING:
    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection

__all__ = [
    "END",
    "NOT_YET",
    "AsyncSource",
    "CallersError",
    "End",
    "NotYet",
    "Source",
    "is_there",
    "pick",
    "take",
    "unreadable",
]

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
        fetching: Whatever a pump has running to fetch the next item, for its own use: a fetch may
            outlive the connection it was begun for.
        is_ready: Whether an item, the end, or an error has come and was not taken yet.
    """

    def __init__(self, iterator: AsyncIterator[_T_co]) -> None:
        self._iterator = iterator
        self._item: _T_co | End = END
        self._error: BaseException | None = None
        self.fetching: object = None
        self.is_ready = False

    async def fetch(self) -> None:
        """Await the next item; an error of the iterator is kept for whoever takes the item.

        That goes for a cancellation as well: it may come from within, and then an iterator that has
        failed must not look like one that has come to its end.
        """
        try:
            self._item = await anext(self._iterator)
        except StopAsyncIteration:
            self._item = END
        except BaseException as exc:
            self._error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            self.is_ready = True

    def take(self) -> _T_co | End:
        """Return what was fetched, and forget it.

        Returns:
            The item, or `END`.

        Raises:
            BaseException: Whatever the iterator raised.
        """
        self.is_ready = False
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._item


Source: TypeAlias = Iterator[_T] | AsyncSource[_T]
"""Where items come from."""


class CallersError(Exception):
    """What the caller's own code raised: a source, content, a callback.

    It says nothing of this session, whatever it is: it may be an `SMTPError` of another one.

    Attributes:
        cause: The error itself.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(repr(cause))
        self.cause = cause


def unreadable(error: Exception) -> InvalidInput:
    """Return the error for a message whose content could not be read.

    Args:
        error: What the caller's own code raised.

    Returns:
        The error, with its cause set.
    """
    cause = error.cause if isinstance(error, CallersError) else error
    found = InvalidInput(f"the content could not be read, and was not sent: {cause!r}")
    found.phase, found.__cause__ = Phase.CONTENT, cause
    return found


def take(source: Source[_T], connection: Connection) -> Dialogue[_T | End | NotYet]:
    """Get the next item of a source.

    Args:
        source: The source.
        connection: The Connection, which knows whether a reply is due meanwhile.

    Returns:
        The item; `END` behind the last one; `NOT_YET` if a reply came before it did.

    Raises:
        CallersError: The source raised something.
    """
    if (yield from is_there(source, connection)):
        return pick(source)
    return NOT_YET


def is_there(source: Source[object], connection: Connection) -> Dialogue[bool]:
    """Wait until the next item of a source can be had at once.

    Args:
        source: The source.
        connection: The Connection, which knows whether a reply is due meanwhile.

    Returns:
        False if a reply came before it did.
    """
    if not isinstance(source, AsyncSource) or source.is_ready:
        return True
    awaited = connection.awaited if connection.awaits_reply else None
    yield Fetch(source, None if awaited is None else phase_of(awaited.verb))
    return source.is_ready


def pick(source: Source[_T]) -> _T | End:
    """Get the next item of a source that is there.

    Args:
        source: The source.

    Returns:
        The item; `END` behind the last one.

    Raises:
        CallersError: The source raised something.
    """
    if isinstance(source, AsyncSource):
        try:
            return source.take()
        except BaseException as exc:
            raise CallersError(exc) from exc
    try:
        return next(source, END)
    except Exception as exc:
        raise CallersError(exc) from exc
