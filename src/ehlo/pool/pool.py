"""The pool: who gets which connection, and which connections there are.

It decides, and does nothing: it has no sockets, no threads and no clock of its own. An adapter
opens what was granted with `Do.OPEN`, closes what it finds in `leaving`, and puts to sleep who has
to wait; the plans in `ehlo.pool.plans` say when. The rules:

- Users are served in the order they came. Whoever gives a connection back hands it to the first who
  waits; a newcomer never overtakes.
- The connection that was used last is used first, so that those that are not needed grow idle.
- A connection is handed out only if `Connection.is_idle` says so, and it is not too old, too idle
  or used up. One that was idle for long has to answer NOOP first.
- Where a connection cannot be had, nobody tries for a while, and then one user alone; the pause
  doubles each time. Whoever has a working connection goes on with it, and whoever waits is served
  by those. Only where there is none, and none is being opened, does the failure count against all
  who wait: a server that is down fails everybody soon, and not one after the other.

Every method takes the `guard`, and leaves the pool whole whatever happens in it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ehlo.errors import LocalProtocolError, SMTPError
from ehlo.policies import Pipelining
from ehlo.pool.events import Why
from ehlo.pool.pace import Pace
from ehlo.pool.retrying import kept, own_copy
from ehlo.pool.rules import first, unfit, used_up, what_ended
from ehlo.pool.slots import Departure, Do, Slot
from ehlo.pool.stats import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ehlo.pool.options import PoolOptions
    from ehlo.pool.slots import Lease, Sleeper
    from ehlo.pool.stats import Stats

__all__ = ["Pool"]


class Pool:
    """The connections of one client, in one event loop or in one process.

    Args:
        options: The rules' numbers.
        clock: Tells seconds.
        guard: Held while the pool's state is looked at or changed: a lock where there are threads.
        pipelining: How many commands may be under way at once.

    Attributes:
        options: As above.
        clock: As above.
        guard: As above.
        pace: When messages may begin.
        pipelining: The level that the server has been found to bear.
        leaving: Connections that the adapter has to close.
        is_closed: Whether the client was closed.
    """

    def __init__(
        self,
        options: PoolOptions,
        clock: Callable[[], float],
        guard: AbstractContextManager[object],
        pipelining: Pipelining = Pipelining.TRANSACTION,
    ) -> None:
        self.options = options
        self.clock = clock
        self.guard = guard
        self.pace = Pace(options.rate)
        self.leaving: dict[int, Departure] = {}
        self.pipelining = pipelining
        self.is_closed = False
        self._slots: dict[int, Slot] = {}
        self._idle: list[Slot] = []  # the longest idle first
        self._waiting: deque[Lease] = deque()
        self._sleepers: set[Sleeper] = set()
        self._numbered = 0
        self._refusals = 0  # in a row
        self._opens_at = 0.0
        self._tally = Tally()

    # -- For users --------------------------------------------------------------------------------

    def ask(self, lease: Lease, *, first: bool = False) -> None:
        """Ask for a connection; it is granted at once, or later.

        Args:
            lease: The claim; `slot` is set, now or when it is woken, or else `error`.
            first: Whether it has had its turn already, and goes before all others.

        Raises:
            LocalProtocolError: The client is closed.
        """
        with self.guard:
            if self.is_closed:
                raise _closed()
            lease.is_awake = False
            lease.error = None
            if not first:
                lease.failures = []
                lease.is_due = False
            lease.is_resigned = self._refusals > self.options.retries
            if self._idle:
                self._expire()
            if not self._waiting and self._grant(lease):
                return
            lease.waits = True
            if first:
                self._waiting.appendleft(lease)
            else:
                self._waiting.append(lease)
            self._serve()

    def give_back(self, lease: Lease, why: Why | None = None) -> None:
        """Give a connection back, or stop waiting for one.

        It may be called again, and has to be where it was interrupted: every step of it can be
        taken twice.

        Args:
            lease: The claim.
            why: Why nobody should use the connection any more; None leaves that to the pool.
        """
        with self.guard:
            slot = lease.slot
            if slot is None:
                self._stop_waiting(lease)
            elif slot.carrier is None:
                self._slots.pop(slot.number, None)
            elif slot.connection is None:
                self._leave(slot, Why.INTERRUPTED)
            else:
                self._keep_or_leave(slot, why)
            lease.slot = None
            if lease.waits:  # who gave it the connection was interrupted a moment later
                self._stop_waiting(lease)
            if self._waiting:
                self._serve()
                self._stir()

    def interrupted(self, lease: Lease) -> None:
        """Give back what somebody had who was cancelled, or interrupted.

        Args:
            lease: The claim.
        """
        slot = lease.slot
        is_sound = slot is None or slot.connection is None or slot.connection.is_idle
        self.give_back(lease, None if is_sound else Why.INTERRUPTED)

    def opened(self, lease: Lease) -> None:
        """Take the news that a connection was opened.

        Args:
            lease: Whose it is.
        """
        with self.guard:
            slot = lease.slot
            assert slot is not None  # noqa: S101 - it was granted
            slot.opened_at = slot.idle_since = self.clock()
            self._tally.opened += 1
            self._refusals = 0
            self._opens_at = 0.0
            lease.do = Do.USE
            self._serve()  # after a failure others have waited for this one

    def out_of_time(self, lease: Lease, error: Exception) -> None:
        """Take the news that somebody had no time left until a connection was open.

        That says nothing about the server, and so nothing to others.

        Args:
            lease: Whose it was to be.
            error: What to raise.
        """
        with self.guard:
            slot = lease.slot
            assert slot is not None  # noqa: S101 - it was granted
            self._slots.pop(slot.number, None)
            lease.slot = None
            lease.error = error
            self._serve()
            self._stir()

    def refused(self, lease: Lease, error: Exception) -> None:
        """Take the news that a connection could not be had.

        The lease has its `error` then, or waits again, before all others.

        Args:
            lease: Whose it was to be.
            error: Why.
        """
        with self.guard:
            slot = lease.slot
            assert slot is not None  # noqa: S101 - it was granted
            self._slots.pop(slot.number, None)
            lease.slot = None
            lease.is_awake = False
            self._tally.refused += 1
            if slot.refusals == self._refusals:  # those that are tried together fail together
                self._refusals += 1
                self._opens_at = self.clock() + self.options.pause(self._refusals)
            is_alone = all(other.has_left for other in self._slots.values())
            if not is_alone and _is_final(error):
                self._opens_at = math.inf  # as long as there are others
            if is_alone or self.is_closed or lease.is_withdrawn:
                for waiting in (lease, *(self._waiting if is_alone or self.is_closed else ())):
                    self._count(waiting, error, is_own=waiting is lease)
            if lease.error is None:
                lease.waits = True
                self._waiting.appendleft(lease)
            self._serve()
            self._stir()

    def _count(self, lease: Lease, error: Exception, *, is_own: bool) -> None:
        """Count a failure against somebody."""
        own = own_copy(error)
        is_over = lease.is_resigned or len(lease.failures) >= self.options.retries
        if not (_is_final(error) or is_over or lease.is_withdrawn or self.is_closed):
            lease.failures.append(kept(own))
            return
        lease.error = error if is_own else own
        if not is_own:
            self._dismiss(lease)

    def serve(self) -> None:
        """Look whether time alone has changed anything for those who wait."""
        with self.guard:
            self._serve()

    def wait_until(self, lease: Lease, end: float | None) -> float | None:
        """Return until when whoever waits may sleep, if nobody wakes it.

        The first in line has the alarm for all.

        Args:
            lease: Its claim.
            end: When it must be over.

        Returns:
            A time; None for as long as it takes.
        """
        with self.guard:
            now = self.clock()  # before the others are served: what is due behind that has an alarm
            # A pause may have come to its end only now, and the alarm would be set for nothing: who
            # is not served either waits for somebody who will wake it.
            self._serve()
            lease.is_awake = lease.slot is not None or lease.error is not None
            alarms = [] if end is None else [end]
            if self._waiting and self._waiting[0] is lease:
                alarms += (at for at in (self._opens_at, self.pace.next) if now < at < math.inf)
            return min(alarms, default=None)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a connection, so that it is fair to give one back."""
        return bool(self._waiting)

    def may_go_on(self, slot: Slot) -> bool:
        """Return whether its user may begin another message on a connection; the guard is held.

        Args:
            slot: The connection, which is in use.

        Returns:
            Whether it is sound and not used up.
        """
        return not (self.is_closed or slot.live.is_over or used_up(slot, self.options))

    def withdraw(self, lease: Lease) -> None:
        """Have somebody who waits for a connection wait no longer.

        Args:
            lease: Its claim; one that does not wait is left alone.
        """
        with self.guard:
            lease.is_withdrawn = True
            if lease.waits and lease.slot is None:
                lease.error = LocalProtocolError("the connection is not needed any more")
                self._dismiss(lease)

    def no_answer(self, lease: Lease) -> None:
        """Take the news that an idle connection did not answer in time.

        What was idle for as long, or longer, leaves as well: to ask each of them would take as long
        again, and the same silence is all that is to be expected.

        Args:
            lease: Whose it was.
        """
        with self.guard:
            slot = lease.slot
            assert slot is not None  # noqa: S101 - it was granted
            while self._idle and self._idle[0].idle_since <= slot.idle_since:
                self._leave(self._idle[0], Why.NO_ANSWER)
                del self._idle[0]

    def suspect(self) -> None:
        """Have all idle connections checked before they are used: one of them was found dead."""
        with self.guard:
            for slot in self._idle:
                slot.is_suspect = True

    # -- For the adapter --------------------------------------------------------------------------

    def departures(self) -> list[Departure]:
        """Return the connections that the adapter has to close."""
        with self.guard:
            return list(self.leaving.values())

    def claim(self, slot: Slot, whom: object) -> bool:
        """Take it on oneself to close a connection of `leaving`.

        Args:
            slot: The connection.
            whom: Who asks. Whoever was interrupted amid closing it may ask again.

        Returns:
            Whether nobody else has.
        """
        with self.guard:
            if slot.parting is None:
                slot.parting = whom
            return slot.parting == whom

    def gone(self, slot: Slot) -> None:
        """Take the news that a connection of `leaving` was closed.

        Args:
            slot: The connection.
        """
        with self.guard:
            self._slots.pop(slot.number, None)
            self.leaving.pop(slot.number, None)
            if math.isinf(self._opens_at) and not self._slots:
                self._opens_at = self.clock()
            self._serve()
            self._stir()

    def expire(self) -> None:
        """Have connections leave that nobody has used for long."""
        with self.guard:
            self._expire()

    @property
    def expire_at(self) -> float | None:
        """When a connection that is idle now will have been so for long; None if there is none."""
        timeout = self.options.idle_timeout
        if timeout is None or not self._idle:
            return None
        return self._idle[0].idle_since + timeout

    def carriers(self) -> list[object]:
        """Return what the adapter drives the connections with, whoever has them now.

        The guard is not taken: behind a fork nobody is left to give it back.
        """
        return [slot.carrier for slot in self._slots.values() if slot.carrier is not None]

    def close(self) -> None:
        """Stop: nobody gets a connection any more, and those that are idle leave."""
        with self.guard:
            self.is_closed = True
            while self._waiting:
                lease = self._waiting[0]
                lease.error = _closed()
                self._dismiss(lease)
            while self._idle:
                self._leave(self._idle[-1], Why.CLIENT_CLOSED)
                self._idle.pop()
            for sleeper in list(self._sleepers):
                sleeper.wake()

    def falls_asleep(self, sleeper: Sleeper) -> None:
        """Have somebody woken when the client is closed.

        Args:
            sleeper: Who will sleep until a time, unless the client is closed already.
        """
        with self.guard:
            self._sleepers.add(sleeper)

    def got_up(self, sleeper: Sleeper) -> None:
        """Forget somebody who has slept.

        Args:
            sleeper: Who does not sleep any more.
        """
        with self.guard:
            self._sleepers.discard(sleeper)

    def count(self, error: SMTPError | None, *, is_final: bool = True) -> None:
        """Count what became of a message.

        Args:
            error: Why it was not accepted; None if it was.
            is_final: Whether it will not be tried again.
        """
        with self.guard:
            self._tally.count(error, is_final=is_final)

    def stats(self) -> Stats:
        """Return how the pool stands."""
        with self.guard:
            return self._tally.stats(
                connections=len(self._slots),
                idle=len(self._idle),
                opening=self._opening,
                waiting=len(self._waiting),
            )

    # -- The rules --------------------------------------------------------------------------------

    def _serve(self) -> None:
        """Serve those who wait, in their order, as far as it goes."""
        has_changed = False
        while self._waiting:
            lease = self._next_in_line()
            if lease.slot is None and not self._grant(lease):
                break
            self._dismiss(lease)
            has_changed = True
        if has_changed:
            self._stir()

    def _next_in_line(self) -> Lease:
        """Return who is to be served next: while no message may begin, whoever has none to send."""
        first = self._waiting[0]
        if not self.pace.is_limited or self.pace.is_due(self.clock()):
            return first
        others = (lease for lease in self._waiting if lease.is_due or not lease.is_paced)
        return next(others, first)

    def _dismiss(self, lease: Lease) -> None:
        """Have somebody wait no longer; first of all it is woken, or Ctrl-C might forget that."""
        lease.wake()
        self._stop_waiting(lease)

    def _stop_waiting(self, lease: Lease) -> None:
        if lease in self._waiting:
            self._waiting.remove(lease)
        lease.waits = False

    @property
    def _opening(self) -> int:
        return sum(slot.connection is None for slot in self._slots.values())

    def _grant(self, lease: Lease) -> bool:
        """Give a connection to somebody, if there is one, or may be.

        The slot is the lease's before it is nobody's: whoever is interrupted between the two gives
        back what he has.
        """
        now = self.clock()
        is_paced = lease.is_paced and self.pace.is_limited and not lease.is_due
        if is_paced and not self.pace.is_due(now):
            return False
        if not self._take(lease, now):
            return False
        if is_paced:
            lease.is_due = True
            self.pace.begin(now)
        return True

    def _take(self, lease: Lease, now: float) -> bool:
        while self._idle:
            slot = self._idle[-1]
            why = unfit(slot, self.options, now)
            if why is None:
                lease.do = first(slot, self.options, now)
                lease.slot = slot
                self._idle.pop()
                self._tally.reused += 1
                return True
            self._leave(slot, why)
            self._idle.pop()
        if not self._may_open():
            return False
        self._numbered += 1
        slot = Slot(self._numbered, self._refusals, now)
        lease.do = Do.OPEN
        lease.slot = self._slots[slot.number] = slot
        return True

    def _may_open(self) -> bool:
        if len(self._slots) >= self.options.max_connections:
            return False
        if self._opening and not self._tally.opened:
            return False  # the first one alone: with a wrong password it would be tried by all
        if not self._refusals:
            return True
        return not self._opening and self.clock() >= self._opens_at

    def _stir(self) -> None:
        """While there is a pause, have the first who waits look at the clock again.

        It may have gone to sleep when it was not the first, and somebody else had the alarm.
        """
        if self._waiting and (self._refusals or self.pace.is_limited):
            self._waiting[0].wake()

    def _keep_or_leave(self, slot: Slot, why: Why | None) -> None:
        now = self.clock()
        why = why or unfit(slot, self.options, now)
        if why is None and self.is_closed:
            why = Why.CLIENT_CLOSED
        if why is None:
            slot.idle_since = now
            slot.is_suspect = False
            if slot not in self._idle:  # see `_grant`
                self._idle.append(slot)
            return
        self._leave(slot, why)
        if slot in self._idle:
            self._idle.remove(slot)

    def _leave(self, slot: Slot, why: Why) -> None:
        if slot.number not in self.leaving:
            self._tally.discarded += 1
            self.leaving[slot.number] = Departure(slot, why, self.clock() - slot.opened_at)
        slot.has_left = True

    def _expire(self) -> None:
        timeout = self.options.idle_timeout
        if timeout is None:
            return
        limit = self.clock() - timeout
        while self._idle and self._idle[0].idle_since <= limit:
            slot = self._idle[0]
            self._leave(slot, Why.IDLE if slot.live.is_idle else what_ended(slot.live))
            del self._idle[0]


def _is_final(error: Exception) -> bool:
    """Return whether it is no use to try again."""
    return not (isinstance(error, SMTPError) and error.temporary)


def _closed() -> LocalProtocolError:
    return LocalProtocolError("the client is closed")
