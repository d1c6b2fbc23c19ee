"""Plans: what users of a pool do, written once for all adapters.

A plan is a generator, like a dialogue one floor below. It yields an `Errand`, is resumed with what
came of it, and looks after the pool's state whatever happens: an errand that fails is thrown into
it, and a user who is cancelled closes it. Whoever runs the errands is an adapter, with sockets and
clocks; it knows none of the rules.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from ehlo.commands import Noop
from ehlo.dialogues import deliver, perform
from ehlo.errors import SMTPError, Timeout
from ehlo.phase import Phase
from ehlo.pool.events import Opened, OpeningFailed, Why
from ehlo.pool.jobs import why_not_again
from ehlo.pool.slots import Do, Sleeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.dialogues import Batch, Dialogue
    from ehlo.pool.jobs import Job, Way
    from ehlo.pool.pool import Pool
    from ehlo.pool.slots import Lease, Slot
    from ehlo.receipt import Receipt, Result

__all__ = [
    "Errand",
    "Loan",
    "Open",
    "Plan",
    "Run",
    "RunBatch",
    "Wait",
    "borrow",
    "obtained",
    "send",
]

_T = TypeVar("_T")
_NOOP: Final = Noop()
_CHECK_SECONDS: Final = 5.0
"""For how long an idle connection may think about NOOP: who waits for it wants to send mail."""


class Wait(NamedTuple):
    """Sleep until somebody wakes the sleeper, or the time comes.

    Attributes:
        sleeper: Who sleeps.
        until: The time, by the pool's clock; None for as long as it takes.
    """

    sleeper: Sleeper
    until: float | None


class Open(NamedTuple):
    """Open a connection; set the slot's `carrier` and `connection` as soon as it is there.

    Attributes:
        slot: Which.
        end: When it must be open.
    """

    slot: Slot
    end: float | None


class Run(NamedTuple):
    """Run a dialogue on a connection; resume with its result.

    Attributes:
        slot: The connection.
        dialogue: The dialogue.
        end: When it must be over; None for the timeouts' `total`.
    """

    slot: Slot
    dialogue: Dialogue[Any]
    end: float | None


class RunBatch(NamedTuple):
    """Run a batch on a connection to its end.

    Attributes:
        slot: The connection.
        batch: The batch.
        tell: To be called with each result, at once.
    """

    slot: Slot
    batch: Batch[Any]
    tell: Callable[[Result], None]


Errand: TypeAlias = Wait | Open | Run | RunBatch
Plan: TypeAlias = Generator[Errand, Any, _T]
"""A plan with a result of type T."""


def send(way: Way, lease: Lease, job: Job, end: float | None) -> Plan[Receipt]:
    """Send one message.

    Args:
        way: The pool, and the rules.
        lease: A claim, for this alone.
        job: The message.
        end: When it must be over; None for never.

    Returns:
        The receipt.

    Raises:
        SMTPError: It was not delivered, or nobody knows; the last attempt's error.
    """
    pool = way.pool
    try:
        receipt = yield from _delivered(way, lease, job, end)
    except SMTPError as error:
        job.failed += lease.failures
        job.finish(way, None, error)
        pool.give_back(lease)
        job.report(way, None, error)
        raise
    except BaseException as cause:  # a cancellation, or what the caller's own code has raised
        untold = job.interrupted(lease.slot, cause)
        pool.interrupted(lease)
        job.finish(way, None, untold)
        job.report(way, None, untold)
        raise
    receipt = job.finish(way, receipt, None)
    pool.give_back(lease)  # before anybody is told: a hook may want it
    job.report(way, receipt, None)
    return receipt


def _delivered(way: Way, lease: Lease, job: Job, end: float | None) -> Plan[Receipt]:
    """Deliver a message, over one attempt or several; the last one's connection is the lease's."""
    pool = way.pool
    while True:
        pool.ask(lease)
        slot = lease.slot
        if slot is None or lease.do is not Do.USE:
            slot = yield from obtained(way, lease, end)
            job.failed += lease.failures
            lease.failures = []
        transaction = job.begin(slot, pool.pipelining)
        try:
            receipt: Receipt = yield Run(slot, deliver(slot.live, transaction), end)
        except SMTPError as error:
            delay = job.judge(way, slot, error, end)
            if delay is None:
                raise
            pool.give_back(lease, why_not_again(error))
        else:
            return receipt
        yield from _sleep(pool, pool.clock() + delay)


def borrow(way: Way, lease: Lease, end: float | None, *, check: bool) -> Plan[Slot]:
    """Get a connection for somebody who wants it alone.

    Args:
        way: The pool, and the rules.
        lease: The claim; to be given back by `Pool.give_back`.
        end: When it must be there.
        check: Whether it has to answer NOOP, unless it was opened for this.

    Returns:
        The connection.

    Raises:
        SMTPError: None can be had.
    """
    way.pool.ask(lease)
    try:
        return (yield from obtained(way, lease, end, check=check))
    except SMTPError as error:
        error.failed_attempts = tuple(lease.failures)
        raise


class Loan:
    """A connection that somebody has for himself, and whether it can be given back to others.

    Args:
        lease: The claim.
        slot: The connection.
    """

    def __init__(self, lease: Lease, slot: Slot) -> None:
        self._lease = lease
        self._slot = slot
        self._was_authenticated = slot.live.authenticated
        self._capabilities = slot.live.capabilities

    @property
    def _has_changed(self) -> bool:
        """Whether the server thinks that one is somebody else by now."""
        connection = self._slot.live
        if connection.authenticated != self._was_authenticated:
            return True
        return connection.capabilities is not self._capabilities  # EHLO was said anew

    def end(self, pool: Pool) -> None:
        """Give the connection back, however the loan has ended.

        Args:
            pool: The pool.
        """
        if self._lease.slot is not self._slot:
            return  # that was done before, and Ctrl-C came behind it
        if not self._slot.live.is_idle:
            pool.give_back(self._lease, None if self._slot.live.is_over else Why.INTERRUPTED)
        else:
            pool.give_back(self._lease, Why.CHANGED if self._has_changed else None)


def obtained(way: Way, lease: Lease, end: float | None, *, check: bool = False) -> Plan[Slot]:
    """Get what was asked for: a connection that is ready for mail.

    Args:
        way: The pool, and the rules.
        lease: The claim; its `failures` tell of connections that could not be had.
        end: When it must be there.
        check: Whether it has to answer NOOP, unless it was opened for this.

    Returns:
        The connection.

    Raises:
        Timeout: None was there in time.
        LocalProtocolError: The client is closed.
        Exception: None can be had: whatever opening one raised.
    """
    pool = way.pool
    while True:
        slot = lease.slot
        if slot is None:
            if lease.error is not None:
                raise lease.error
            if end is not None and pool.clock() >= end:
                raise _too_late(pool, lease)
            yield Wait(lease, pool.wait_until(lease, end))
            pool.serve()
        elif lease.do is Do.OPEN:
            yield from _open(way, lease, slot, end)
            check = False
        elif (lease.do is Do.USE and not check) or (yield from _answers(pool, lease, slot, end)):
            return slot
        else:
            pool.give_back(lease, Why.NO_ANSWER)
            pool.ask(lease, first=True)


def _open(way: Way, lease: Lease, slot: Slot, end: float | None) -> Plan[None]:
    begin = way.pool.clock()
    try:
        yield Open(slot, end)
    except Exception as error:  # noqa: BLE001 - a function for tokens may raise anything
        is_own = isinstance(error, Timeout) and end is not None and way.pool.clock() >= end
        (way.pool.out_of_time if is_own else way.pool.refused)(lease, error)
        way.tell(OpeningFailed(slot.number, way.pool.clock() - begin, error))
    else:
        way.pool.opened(lease)
        way.tell(Opened(slot.number, way.pool.clock() - begin))


def _answers(pool: Pool, lease: Lease, slot: Slot, end: float | None) -> Plan[bool]:
    """Return whether a connection that was idle for long still answers."""
    soon = pool.clock() + _CHECK_SECONDS
    connection = slot.live
    try:
        yield Run(slot, perform(connection, _NOOP), soon if end is None else min(end, soon))
    except SMTPError:
        if pool.clock() >= soon:
            pool.no_answer(lease)
        return False
    return connection.is_idle


def _sleep(pool: Pool, until: float) -> Plan[None]:
    """Sleep until a time; the end of the client ends that as well."""
    sleeper = Sleeper()
    pool.falls_asleep(sleeper)
    try:
        while pool.clock() < until and not pool.is_closed:
            yield Wait(sleeper, until)
    finally:
        pool.got_up(sleeper)


def _too_late(pool: Pool, lease: Lease) -> Timeout:
    """Return the error of somebody who has waited in vain."""
    if lease.failures:
        last = lease.failures[-1]
        error = Timeout(f"no connection could be had in time: {last}", phase=last.phase)
        error.__cause__ = last
        return error
    rate = " within the rate" if lease.is_paced and pool.pace.is_limited else ""
    return Timeout(f"no connection was free in time{rate}", phase=Phase.CONNECT)
