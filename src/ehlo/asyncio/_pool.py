"""The pool of a client in one event loop: it runs the errands of plans."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing, suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ehlo import dialogues
from ehlo.asyncio._opening import open_pump
from ehlo.asyncio._session import Session
from ehlo.errors import SMTPError
from ehlo.pool.events import Discarded
from ehlo.pool.jobs import Way
from ehlo.pool.plans import Open, Run, RunBatch, Wait
from ehlo.pool.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine

    from ehlo.asyncio._pump import Pump
    from ehlo.pool.plans import Errand, Plan
    from ehlo.pool.slots import Departure, Sleeper
    from ehlo.runtime.client_settings import ClientSettings

__all__ = ["LoopPool"]

_T = TypeVar("_T")
_QUIT_SECONDS: Final = 5.0
"""How long QUIT may take where the timeouts set no bound."""


class LoopPool:
    """The connections of a client in one event loop.

    Args:
        settings: The client's.
        loop: The running loop.

    Attributes:
        loop: As above.
        clock: Its clock.
        way: What plans need.
    """

    def __init__(self, settings: ClientSettings, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.clock = loop.time
        self._settings = settings
        self._pid = os.getpid()
        # Everything happens in one thread, and plans never wait while they change anything: the
        # lock is hardly ever contended, and costs less than an object that only looks like one. Its
        # holder may take it again: a plan that nobody has any more may be collected amid anything.
        self.pool = Pool(settings.pool, loop.time, RLock(), settings.session.pipelining)
        self.way = Way(self.pool, settings.policy, settings.listener)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._keeper: AsyncGenerator[None, None] | None = None

    async def settle(self) -> None:
        """Have the connections closed when the loop comes to its end, if nobody has done it before.

        Event loops close the async generators that were begun in them before they are closed
        themselves: `asyncio.run` and all that is like it see to that.
        """
        self._keeper = self._keep()
        await anext(self._keeper)

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if not self.is_the_parents:
                await self.close()

    @property
    def is_the_parents(self) -> bool:
        """Whether this is a process that was forked since: it has got the parent's loop as well."""
        return os.getpid() != self._pid

    # -- Errands ----------------------------------------------------------------------------------

    async def run(self, plan: Plan[_T]) -> _T:
        """Run a plan to its end.

        Args:
            plan: The plan.

        Returns:
            Its result.

        Raises:
            SMTPError: As the plan says.
        """
        try:
            errand = next(plan)
            while True:
                try:
                    answer = await self._perform(errand)
                except BaseException as error:  # noqa: BLE001 - the plan raises it, or another one
                    errand = plan.throw(error)
                else:
                    errand = plan.send(answer)
        except StopIteration as stop:
            result: _T = stop.value
            return result
        finally:
            self.tidy()

    async def _perform(self, errand: Errand) -> object:
        if isinstance(errand, Run):
            pump = cast("Pump", errand.slot.carrier)
            return await pump.run(errand.dialogue, end=errand.end)
        if isinstance(errand, Wait):
            self.tidy()
            await self.wait(errand.sleeper, errand.until)
            return None
        if isinstance(errand, Open):
            await self._open(errand)
            return None
        await self._run_batch(errand)
        return None

    async def wait(self, sleeper: Sleeper, until: float | None = None) -> None:
        """Sleep until somebody wakes the sleeper, or the time comes.

        Args:
            sleeper: Who sleeps.
            until: The time; None for as long as it takes.
        """
        if sleeper.is_awake:
            return
        future: asyncio.Future[None] = self.loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        sleeper.waker = wake
        alarm = None if until is None else self.loop.call_at(until, wake)
        try:
            await future
        finally:
            sleeper.waker = None
            if alarm is not None:
                alarm.cancel()

    async def _open(self, errand: Open) -> None:
        slot = errand.slot
        pump = await open_pump(self._settings.watched(slot, self.clock), errand.end)
        slot.carrier, slot.connection = pump, pump.link.connection

    async def _run_batch(self, errand: RunBatch) -> None:
        session = Session(self._settings.session, cast("Pump", errand.slot.carrier))
        async with aclosing(session.results(errand.batch)) as results:
            async for result in results:
                errand.tell(result)

    # -- Connections that leave -------------------------------------------------------------------

    def tidy(self) -> None:
        """Have connections closed that leave, and look after those that nobody uses."""
        pool = self.pool
        for departure in list(pool.leaving.values()):
            if departure.slot.parting is None and pool.claim(departure.slot, self):
                self._start(self._part(departure))
        if self._timer is None and (when := pool.expire_at) is not None:
            self._timer = self.loop.call_at(when, self._expire)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a task that `close` waits for."""
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _expire(self) -> None:
        self._timer = None
        self.pool.expire()
        self.tidy()

    async def _part(self, departure: Departure) -> None:
        slot = departure.slot
        pump = cast("Pump", slot.carrier)
        connection = pump.link.connection
        try:
            if not connection.is_over and not pump.turn.taken:
                seconds = self._settings.session.timeouts.quit or _QUIT_SECONDS
                with suppress(SMTPError):
                    quitting = dialogues.quit_session(connection)
                    await pump.run(quitting, end=self.clock() + seconds)
        finally:
            try:
                await pump.close()
            finally:
                self.pool.gone(slot)
                self.tidy()
                messages = connection.transactions
                event = Discarded(slot.number, departure.seconds, departure.why, messages)
                self.way.tell(event)

    async def close(self) -> None:
        """Close all connections that nobody uses, QUIT said; those in use follow their users."""
        self.pool.close()
        self.tidy()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            while self._tasks:
                await asyncio.wait(self._tasks)
        except asyncio.CancelledError:
            await dismissed(self._tasks)
            raise


async def dismissed(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks, and wait until they are done.

    Args:
        tasks: The tasks.
    """
    waiting = set(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
