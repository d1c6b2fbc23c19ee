"""What a worker of `send_many` does: get a connection, send messages over it, give it back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ehlo.dialogues import Batch
from ehlo.errors import ConnectionLost, RemoteProtocolError, Timeout
from ehlo.policies import Pipelining
from ehlo.pool.dispatch import Next, Worker
from ehlo.pool.jobs import why_not_again
from ehlo.pool.plans import RunBatch, Wait, obtained
from ehlo.pool.slots import Do
from ehlo.receipt import Result

if TYPE_CHECKING:
    from ehlo.dialogues import Transaction
    from ehlo.errors import SMTPError
    from ehlo.pool.dispatch import Dispatch, Piece
    from ehlo.pool.events import Why
    from ehlo.pool.plans import Plan
    from ehlo.pool.slots import Lease, Slot
    from ehlo.receipt import Receipt

__all__ = ["Feed", "work"]


class Feed:
    """Gives a worker's batch its messages, for as long as the worker may go on.

    Where others wait for a connection that is after one message, or at continuous level after as
    many as may be under way at once.

    Args:
        dispatch: Where they come from.
        worker: The worker.
        lease: Its claim on a connection.
        slot: The connection.
        turn: How many messages it may send although others wait.
    """

    def __init__(
        self, dispatch: Dispatch[Any], worker: Worker, lease: Lease, slot: Slot, turn: int
    ) -> None:
        self._dispatch = dispatch
        self._worker = worker
        self._lease = lease
        self._slot = slot
        self._turn = turn
        self._given: dict[int, Piece] = {}
        self.why: Why | None = None

    def __iter__(self) -> Feed:
        """Return itself."""
        return self

    def __next__(self) -> Piece:
        """Return the next message.

        Raises:
            StopIteration: There is none now, or this connection is not for it.
        """
        pool = self._dispatch.way.pool
        with pool.guard:
            piece = self._dispatch.pop(self._worker) if self._may_go_on() else None
            if piece is None:
                raise StopIteration
            if not self._lease.is_due:
                pool.pace.begin(pool.clock())
            self._lease.is_due = False
        self._turn -= 1
        self._given[piece.index] = piece
        piece.begin(self._slot, pool.pipelining)
        return piece

    def _may_go_on(self) -> bool:
        dispatch, pool = self._dispatch, self._dispatch.way.pool
        if dispatch.is_stopped or self.why or not pool.may_go_on(self._slot):
            return False
        if self._turn <= 0 and pool.is_wanted:
            return False
        return self._lease.is_due or pool.pace.is_due(pool.clock())

    def tell(self, result: Result) -> None:
        """Take what a batch says of a message; have it sent again if that may be.

        Args:
            result: The result; its `message` is the piece.
        """
        dispatch, way, error = self._dispatch, self._dispatch.way, result.error
        piece: Piece = result.message  # type: ignore[assignment]  # the feed gave it
        del self._given[piece.index]
        delay: float | None = None
        try:
            if error is not None:
                self.why = self.why or why_not_again(error)
                delay = piece.judge(way, self._slot, error, None)
        finally:  # whoever watches may raise what ends the program
            if delay is None:
                self._tell(piece, result.receipt, error)
            else:
                dispatch.again(piece, delay, self._worker)
        if delay is None:
            piece.report(way, result.receipt, error)

    def _tell(self, piece: Piece, receipt: Receipt | None, error: SMTPError | None) -> None:
        receipt = piece.finish(self._dispatch.way, receipt, error)
        is_free = not self._given
        told = Result(piece.index, piece.message, receipt, error)
        self._dispatch.tell(told, self._worker if is_free else None)

    def break_off(self, cause: BaseException) -> None:
        """Tell of all that was under way when the worker was interrupted that nobody knows.

        Args:
            cause: What has interrupted it.
        """
        broken_off = [
            (piece, piece.interrupted(self._slot, cause)) for piece in self._given.values()
        ]
        self._given.clear()
        for piece, error in broken_off:
            piece.finish(self._dispatch.way, None, error)
            self._dispatch.tell(Result(piece.index, piece.message, error=error))
        for piece, error in broken_off:
            piece.report(self._dispatch.way, None, error)


def work(dispatch: Dispatch[Any], lease: Lease, total: float | None, depth: int) -> Plan[None]:
    """Send messages until there are no more.

    Args:
        dispatch: Where they come from.
        lease: The worker's claim on a connection.
        total: How many seconds it may take to get a connection; None for any number.
        depth: How many messages may be under way at continuous level.

    Returns:
        Nothing; results go to the dispatch, and so do errors.
    """
    worker, pool = Worker(), dispatch.way.pool
    pool.falls_asleep(worker)
    try:
        while (do := dispatch.rest(worker))[0] is not Next.LEAVE:
            if do[0] is Next.REST:
                yield Wait(worker, do[1])
                continue
            slot = yield from _slot_for(dispatch, lease, total)
            if slot is not None:
                yield from _send_some(dispatch, worker, lease, slot, depth)
    except Exception as error:  # noqa: BLE001 - for the consumer, who is told at the end
        pool.interrupted(lease)
        dispatch.end(error)
    except BaseException:
        pool.interrupted(lease)
        raise
    finally:
        pool.give_back(lease)
        pool.got_up(worker)
        dispatch.leave(worker)


def _slot_for(dispatch: Dispatch[Any], lease: Lease, total: float | None) -> Plan[Slot | None]:
    """Get a connection; where none can be had, all that is not under way has failed."""
    pool = dispatch.way.pool
    try:
        pool.ask(lease)
        if dispatch.is_stopped:  # it was stopped before there was anything to withdraw
            pool.withdraw(lease)
        slot = lease.slot
        if slot is None or lease.do is not Do.USE:
            end = None if total is None else pool.clock() + total
            slot = yield from obtained(dispatch.way, lease, end)
    except Exception as error:  # noqa: BLE001 - a function for tokens may raise anything
        # One that is not needed any more is no failure; and where others of the same batch get on,
        # it is none that nothing was free for this one.
        is_crowded = isinstance(error, Timeout) and not lease.failures and dispatch.busy
        if not (dispatch.is_stopped or is_crowded):
            dispatch.fail(error, lease.failures)
        return None
    return slot


def _send_some(
    dispatch: Dispatch[Any], worker: Worker, lease: Lease, slot: Slot, depth: int
) -> Plan[None]:
    """Send messages over one connection, for as long as it and others let us."""
    pool = dispatch.way.pool
    level = pool.pipelining
    feed = Feed(dispatch, worker, lease, slot, depth if level is Pipelining.CONTINUOUS else 1)
    batch = Batch(
        slot.live,
        feed,
        prepare=_transaction_of,
        pipelining=level,
        depth=depth,
        source_is_quick=True,
    )
    with pool.guard:
        dispatch.busy += 1
    try:
        # Of a connection that is lost each message that was taken has got its result.
        with suppress(ConnectionLost, RemoteProtocolError):
            yield RunBatch(slot, batch, feed.tell)
    except BaseException as error:
        feed.break_off(error)
        raise
    finally:
        with pool.guard:
            dispatch.busy -= 1
    if batch.pipelining is not level:
        pool.pipelining = batch.pipelining  # the server does not bear more
    pool.give_back(lease, feed.why)


def _transaction_of(piece: Piece) -> Transaction:
    return piece.transaction
