"""Many messages over a pool: which message goes to whom, and which result is told when.

Three parties share a `Dispatch`. The *consumer* iterates over `send_many`: it takes messages from
the caller's source, as many as there is room for, and tells results. *Workers* send; each has a
connection for as long as nobody else wants it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, StrEnum
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ehlo.errors import SMTPError
from ehlo.policies import chosen
from ehlo.pool.jobs import Job
from ehlo.pool.retrying import own_copy
from ehlo.pool.slots import Sleeper
from ehlo.receipt import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from ehlo.dialogues import Transaction
    from ehlo.pool.jobs import Way

__all__ = ["Dispatch", "Next", "Order", "Piece", "Worker", "read_order"]

_T = TypeVar("_T")

_LATER_MOST: Final = 1000
"""How many messages may wait to be tried again before no more are taken."""


class Order(StrEnum):
    """In which order `send_many` of a client tells results.

    `SOURCE`: in the order of the messages. `COMPLETION`: as they become known.
    """

    SOURCE = "source"
    """In the order of the messages; a slow one holds up the results behind it."""
    COMPLETION = "completion"
    """As they become known; `Result.index` says whose they are."""


class Next(Enum):
    """What a worker does next."""

    WORK = "get a connection, and send"
    REST = "sleep: there is nothing to do at this moment"
    LEAVE = "there will be nothing more"


class Worker(Sleeper):
    """Whoever sends, over one connection at a time.

    Attributes:
        is_coming: Whether it is on its way to a message that waits for somebody.
    """

    __slots__ = ("is_coming",)

    def __init__(self) -> None:
        super().__init__()
        self.is_coming = True


class Piece(Job):
    """A message of many.

    Attributes:
        index: Its place among those that were taken, from 0.
        message: The message as it was given.
    """

    __slots__ = ("index", "message")

    def __init__(
        self, index: int, message: object, transaction: Transaction, asked_at: float
    ) -> None:
        super().__init__(transaction, asked_at)
        self.index = index
        self.message = message


class Dispatch(Generic[_T]):
    """The messages of one `send_many` that were taken, and their results that were not told yet.

    Args:
        way: The pool, and the rules.
        prepare: Makes a transaction of a message.
        order: In which order results are told.
        workers: How many workers there may be.
        depth: How many messages one of them may have under way.

    Attributes:
        consumer: Sleeps while there is nothing to tell and nothing to take.
        room: Sleeps while there is no room for another message, where the source is awaited.
        is_stopped: Whether the consumer has left: nothing more is sent.
        busy: How many workers have a connection.
    """

    def __init__(
        self,
        way: Way,
        prepare: Callable[[_T], Transaction],
        *,
        order: Order,
        workers: int,
        depth: int,
    ) -> None:
        self.way = way
        self.consumer = Sleeper()
        self.room = Sleeper()
        self.is_stopped = False
        self.busy = 0
        self._prepare = prepare
        self._order = order
        self._workers_max = workers
        self._ahead = workers * depth  # messages that may wait for a worker
        self._window = 2 * workers * depth  # messages that may be taken and not told
        self._ready: deque[Piece] = deque()
        self._later: list[tuple[float, int, Piece]] = []  # a heap: to be tried again then
        self._resting: dict[Worker, None] = {}  # in the order of their coming
        self._workers = 0
        self._coming = 0  # workers on their way to a message
        self._taken = self._told = 0
        self._results: dict[int, Result] = {}
        self._known: deque[Result] = deque()
        self._has_ended = False  # nothing more will be taken
        self._error: BaseException | None = None

    @property
    def _guard(self) -> AbstractContextManager[object]:
        return self.way.pool.guard

    # -- For the consumer -------------------------------------------------------------------------

    @property
    def may_take(self) -> bool:
        """Whether there is room for another message."""
        # Those that are tried again later must not hold up the others, up to a point.
        under_way = self._taken - self._told - min(len(self._later), _LATER_MOST)
        has_room = len(self._ready) < self._ahead and under_way < self._window
        return has_room and not (self._has_ended or self.is_stopped)

    def take(self, message: _T) -> None:
        """Take a message from the source.

        Args:
            message: The message, or the pair; what is none ends it all, once the rest is told.
        """
        index = self._taken
        now = self.way.pool.clock()
        try:
            piece = Piece(index, message, self._prepare(message), now)
        except SMTPError as error:
            self._taken += 1
            self.tell(Result(index, message, error=error))
        except Exception as error:  # noqa: BLE001 - raised when all else is told
            self.end(error)
        else:
            with self._guard:
                self._taken += 1
                self._ready.append(piece)
                self._rouse()

    def end(self, error: BaseException | None = None) -> None:
        """Take no more messages.

        Args:
            error: What to raise when all results are told.
        """
        with self._guard:
            self._has_ended = True
            self._error = self._error or error
            self._rouse_all()

    def wants_worker(self) -> bool:
        """Return whether there is more to do than workers on their way to it; count one more."""
        with self._guard:
            if len(self._ready) <= self._coming or self._workers >= self._workers_max:
                return False
            self._workers += 1
            self._coming += 1
            return True

    def next_result(self) -> Result | None:
        """Return the next result that can be told; None if there is none yet."""
        with self._guard:
            self.consumer.is_awake = False
            if self._order is Order.COMPLETION:
                result = self._known.popleft() if self._known else None
            else:
                result = self._results.pop(self._told, None)
            if result is not None:
                self._told += 1
            return result

    def take_from(self, source: Iterator[_T]) -> None:
        """Take a message from an iterator, or its end, or its failure.

        Args:
            source: The iterator.
        """
        try:
            message = next(source)
        except StopIteration:
            self.end()
        except Exception as error:  # noqa: BLE001 - raised when all else is told
            self.end(error)
        else:
            self.take(message)

    @property
    def told(self) -> int:
        """How many results were told."""
        return self._told

    @property
    def is_done(self) -> bool:
        """Whether all has been told, and nothing more comes."""
        return self._has_ended and self._told == self._taken

    def check(self) -> None:
        """Raise what ended it, if anything has.

        Raises:
            BaseException: What the source raised, or why no connection can be had.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self) -> None:
        """Have the workers finish what is under way, and nothing else."""
        with self._guard:
            self.is_stopped = self._has_ended = True
            self._ready.clear()
            self._later.clear()
            self._rouse_all()

    # -- For workers ------------------------------------------------------------------------------

    def rest(self, worker: Worker) -> tuple[Next, float | None]:
        """Look for something to do.

        Args:
            worker: Who looks; it is woken if there is nothing yet.

        Returns:
            What to do now, and if that is to rest, until when at the latest.
        """
        with self._guard:
            self._arrived(worker)
            worker.is_awake = False
            self._release(self.way.pool.clock())
            if self.is_stopped or self._is_settled:
                return Next.LEAVE, None
            is_over = self.way.pool.is_closed and self._later  # who asks for a connection is told
            if self._ready or is_over:
                self._comes(worker)
                self._resting.pop(worker, None)  # where its alarm has woken it
                return Next.WORK, None
            self._resting[worker] = None
            return Next.REST, self._later[0][0] if self._later else None

    def leave(self, worker: Worker) -> None:
        """Take the news that a worker is gone."""
        with self._guard:
            self._arrived(worker)
            self._workers -= 1
            self._resting.pop(worker, None)
            self.consumer.wake()

    def pop(self, worker: Worker) -> Piece | None:
        """Return the next message to be sent, if there is one; the guard is held."""
        self._arrived(worker)
        if not self._ready:
            self._release(self.way.pool.clock())
            if not self._ready:
                return None
        piece = self._ready.popleft()
        self.consumer.wake()  # there is room for another one
        return piece

    def again(self, piece: Piece, delay: float, worker: Worker) -> None:
        """Have a message sent again.

        Args:
            piece: The message.
            delay: In how many seconds.
            worker: Who has tried, and will come back for more.
        """
        with self._guard:
            if self.is_stopped:
                return
            if delay:
                heappush(self._later, (self.way.pool.clock() + delay, piece.index, piece))
            else:
                self._ready.appendleft(piece)
            if self._resting or worker.is_coming:
                self._rouse()
            else:
                self._comes(worker)

    def fail(self, error: Exception, failures: Sequence[SMTPError]) -> None:
        """Give up all that is not under way, because no connection can be had.

        Args:
            error: Why not; raised once all results are told.
            failures: The errors of the attempts before.
        """
        with self._guard:
            pieces = [*self._ready, *(piece for _, _, piece in self._later)]
            self._ready.clear()
            self._later.clear()
        given_up = [(piece, own_copy(error)) for piece in pieces]
        for piece, own in given_up:
            piece.failed += failures
            piece.finish(self.way, None, own)
            self.tell(Result(piece.index, piece.message, error=own))
        if isinstance(error, SMTPError):
            error.failed_attempts = tuple(failures)
        self.end(error)
        for piece, own in given_up:
            piece.report(self.way, None, own)

    def tell(self, result: Result, worker: Worker | None = None) -> None:
        """Take a result.

        Args:
            result: What became of a message.
            worker: Who has nothing else under way, and will come back for more.
        """
        with self._guard:
            if worker is not None:
                self._comes(worker)
            if self._order is Order.COMPLETION:
                self._known.append(result)
            else:
                self._results[result.index] = result
            if self._is_settled:
                self._rouse_all()
            self.consumer.wake()

    # -- Inside -----------------------------------------------------------------------------------

    @property
    def _is_settled(self) -> bool:
        """Whether nothing is left to be sent."""
        known = self._told + len(self._results) + len(self._known)
        return self._has_ended and known == self._taken

    def _comes(self, worker: Worker) -> None:
        if not worker.is_coming:
            worker.is_coming = True
            self._coming += 1

    def _arrived(self, worker: Worker) -> None:
        if worker.is_coming:
            worker.is_coming = False
            self._coming -= 1

    def _release(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            self._ready.append(heappop(self._later)[2])

    def _rouse(self) -> None:
        if self._resting:
            worker = next(iter(self._resting))
            self._comes(worker)
            worker.wake()  # before it is forgotten: Ctrl-C may come in between
            del self._resting[worker]
        else:
            self.consumer.wake()  # it may start another worker

    def _rouse_all(self) -> None:
        for worker in list(self._resting):
            worker.wake()
            del self._resting[worker]
        self.consumer.wake()


def read_order(order: str) -> Order:
    """Read an order that was given as a string.

    Args:
        order: The string, or a member.

    Returns:
        The member.

    Raises:
        InvalidInput: There is no such order.
    """
    return chosen(Order, order)
