"""The pool of a client in one process: it runs the errands of plans, in any number of threads."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ehlo import dialogues
from ehlo.blocking._opening import open_pump
from ehlo.blocking._session import Session
from ehlo.errors import SMTPError
from ehlo.pool.events import Discarded
from ehlo.pool.jobs import Way
from ehlo.pool.plans import Open, Run, RunBatch, Wait
from ehlo.pool.pool import Pool

if TYPE_CHECKING:
    from ehlo.blocking._pump import Pump
    from ehlo.pool.plans import Errand, Plan
    from ehlo.pool.slots import Departure, Lease, Sleeper
    from ehlo.runtime.client_settings import ClientSettings

__all__ = ["ProcessPool"]

_T = TypeVar("_T")
_QUIT_SECONDS: Final = 5.0
"""How long QUIT may take where the timeouts set no bound."""
_NAP: Final = 1.0 if sys.platform == "win32" else 3600.0
"""For how long a thread sleeps in one piece: on Windows Ctrl-C does not wake one that waits for a
lock."""
_AT_EXIT_SECONDS: Final = 1.0


class ProcessPool:
    """The connections of a client in one process.

    Args:
        settings: The client's.

    Attributes:
        clock: The clock.
        way: What plans need.
        pool: The rules.
    """

    clock = staticmethod(time.monotonic)

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._pid = os.getpid()
        # One that its holder may take again: a signal handler may close the client amid anything,
        # and what is collected amid anything may end a batch.
        self._lock = threading.RLock()
        level = settings.session.pipelining
        self.pool = Pool(settings.pool, time.monotonic, self._lock, level)
        self.way = Way(self.pool, settings.policy, settings.listener)

    @property
    def is_the_parents(self) -> bool:
        """Whether this is a process that was forked since.

        Then its connections are somebody else's, and a thread that is not here may have the lock.
        """
        return os.getpid() != self._pid

    # -- Errands ----------------------------------------------------------------------------------

    def run(self, plan: Plan[_T], lease: Lease) -> _T:
        """Run a plan to its end.

        Args:
            plan: The plan.
            lease: Its claim on a connection.

        Returns:
            Its result.

        Raises:
            SMTPError: As the plan says.
        """
        try:
            errand = next(plan)
            while True:
                try:
                    answer = self._perform(errand)
                except BaseException as error:  # noqa: BLE001 - the plan raises it, or another one
                    errand = plan.throw(error)
                else:
                    errand = plan.send(answer)
        except StopIteration as stop:
            result: _T = stop.value
            return result
        except BaseException:
            # The plan has looked after that, unless Ctrl-C has come in the midst of it.
            self.let_go(lease, plan)
            raise
        finally:
            if self.pool.leaving:
                self.tidy()

    def let_go(self, lease: Lease, plan: Plan[Any] | None = None) -> None:
        """Give back what somebody has who was interrupted.

        Args:
            lease: The claim.
            plan: The plan, which may not have come to its end.
        """
        try:
            if plan is not None:
                plan.close()
        finally:
            self.pool.interrupted(lease)

    def _perform(self, errand: Errand) -> object:
        if isinstance(errand, Run):
            pump = cast("Pump", errand.slot.carrier)
            return pump.run(errand.dialogue, end=errand.end)
        if isinstance(errand, Wait):
            self.tidy()
            self.wait(errand.sleeper, errand.until)
            return None
        if isinstance(errand, Open):
            self._open(errand)
            return None
        self._run_batch(errand)
        return None

    def wait(self, sleeper: Sleeper, until: float | None = None) -> None:
        """Sleep until somebody wakes the sleeper, or the time comes.

        Args:
            sleeper: Who sleeps.
            until: The time; None for as long as it takes.
        """
        bell = _Bell()
        with self._lock:  # nobody can ring it before it hangs there
            if sleeper.is_awake:
                return
            sleeper.waker = bell.ring
        try:
            while not bell.is_rung(_NAP if until is None else until - time.monotonic()):
                if until is not None and time.monotonic() >= until:
                    return
        finally:
            with self._lock:
                sleeper.waker = None

    def _open(self, errand: Open) -> None:
        slot = errand.slot
        settings = self._settings.watched(slot, self.clock)
        # It is the slot's at once: Ctrl-C must not lose it, and others may have to break it off.
        pump = open_pump(settings, errand.end, partial(setattr, slot, "carrier"))
        slot.connection = pump.link.connection

    def _run_batch(self, errand: RunBatch) -> None:
        session = Session(self._settings.session, cast("Pump", errand.slot.carrier))
        for result in session.results(errand.batch):
            errand.tell(result)

    # -- Connections that leave -------------------------------------------------------------------

    def tidy(self, end: float | None = None) -> None:
        """Close connections that leave.

        Args:
            end: Until when the answers to QUIT may be waited for; None waits for none.
        """
        me = threading.get_ident()
        for departure in self.pool.departures():
            # Where Ctrl-C comes in between, it stays in the list, and this thread's the next time.
            if self.pool.claim(departure.slot, me):
                try:
                    self._part(cast("Pump", departure.slot.carrier), end)
                finally:
                    self.pool.gone(departure.slot)
                self._tell(departure)

    def _part(self, pump: Pump, end: float | None) -> None:
        """Close a connection, and say QUIT; the answer is waited for if there is time.

        Whoever sends must not wait for the end of a connection that is not needed any more. Postfix
        does not either (smtp_skip_quit_response).
        """
        connection = pump.link.connection
        if end is None:
            pump.leave()
            return
        try:
            if not connection.is_over and not pump.turn.taken and self.clock() < end:
                with suppress(SMTPError):
                    pump.run(dialogues.quit_session(connection), end=end)
        finally:
            pump.close()

    def _tell(self, departure: Departure) -> None:
        slot, why, seconds = departure
        messages = cast("Pump", slot.carrier).link.connection.transactions
        self.way.tell(Discarded(slot.number, seconds, why, messages))

    def close(self) -> None:
        """Close all connections that nobody uses, QUIT said; those in use follow their users.

        All of them together have as long as one QUIT may take.
        """
        self.pool.close()
        seconds = self._settings.session.timeouts.quit or _QUIT_SECONDS
        self.tidy(end=self.clock() + seconds)

    def break_off(self, lease: Lease) -> None:
        """Close somebody's connection under his hands, even while it is being opened.

        Args:
            lease: The claim.
        """
        with self._lock:  # it stays his
            slot = lease.slot
            if slot is not None and slot.carrier is not None:
                cast("Pump", slot.carrier).close()

    def hang_up(self) -> None:
        """Close all connections that nobody uses without waiting for anything.

        For the end of the interpreter, and of a client that nobody has closed.
        """
        if not self._lock.acquire(timeout=_AT_EXIT_SECONDS):
            return  # a thread was stopped in the midst of it
        self._lock.release()
        self.pool.close()
        for departure in self.pool.departures():
            cast("Pump", departure.slot.carrier).leave()

    def forget(self) -> None:
        """Let go of connections that belong to the parent of this process, and stay its own."""
        for carrier in self.pool.carriers():
            cast("Pump", carrier).forget()


class _Bell:
    """Wakes one thread; it is rung by one other at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Ring it."""
        if self._lock.locked():
            self._lock.release()

    def is_rung(self, seconds: float) -> bool:
        """Wait until it rings; return whether it has."""
        return self._lock.acquire(timeout=max(0.0, min(seconds, _NAP)))
