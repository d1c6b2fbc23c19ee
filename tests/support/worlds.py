"""A pool without any I/O: a clock that stands still, users that are stepped, one room each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from threading import RLock
from typing import Any, cast

from ehlo.dialogues import Batch
from ehlo.errors import SMTPError
from ehlo.policies import Pipelining
from ehlo.pool.events import Discarded
from ehlo.pool.jobs import Job, Way
from ehlo.pool.options import PoolOptions
from ehlo.pool.plans import Open, Plan, Run, RunBatch, Wait, send
from ehlo.pool.pool import Pool
from ehlo.pool.slots import Lease, Slot
from ehlo.protocol import Connection
from ehlo.testing import ServerConnection, converse
from support.rooms import room, to


class User:
    """Somebody who follows a plan.

    Attributes:
        errand: What is to be done for it; None behind its end.
        result: What it has got.
        error: What it has got instead.
    """

    def __init__(self, world: World, plan: Plan[Any], lease: Lease) -> None:
        self.world = world
        self.lease = lease
        self.errand: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self._plan = plan
        self.resume()

    @property
    def is_done(self) -> bool:
        return self.errand is None

    def resume(self, answer: object = None, error: BaseException | None = None) -> None:
        """Go on to the next errand."""
        try:
            step = self._plan.send
            self.errand = step(answer) if error is None else self._plan.throw(error)
        except StopIteration as stop:
            self.errand, self.result = None, stop.value
        except BaseException as exc:  # noqa: BLE001 - for the test
            self.errand, self.error = None, exc

    def cancel(self) -> None:
        """End it as a cancellation does."""
        self.resume(error=KeyboardInterrupt())

    def step(self) -> bool:
        """Do its errand; return whether that was possible at this moment."""
        errand = self.errand
        if isinstance(errand, Wait):
            is_time = errand.until is not None and errand.until <= self.world.now
            if not (errand.sleeper.is_awake or is_time):
                return False
            self.resume()
        elif isinstance(errand, Open):
            self._open(errand.slot)
        elif isinstance(errand, Run):
            self._run(errand)
        elif isinstance(errand, RunBatch):
            self._run_batch(errand)
        else:
            return False
        return True

    def _open(self, slot: Slot) -> None:
        made = self.world.open(slot)
        if isinstance(made, Exception):
            self.resume(error=made)
            return
        slot.carrier, slot.connection = made, made[0]
        self.resume()

    def _run(self, errand: Run) -> None:
        connection, server = cast("Room", errand.slot.carrier)
        with closing(errand.dialogue):
            try:
                answer = converse(errand.dialogue, connection, server).result
            except SMTPError as error:
                self.resume(error=error)
            else:
                self.resume(answer)

    def _run_batch(self, errand: RunBatch) -> None:
        connection, server = cast("Room", errand.slot.carrier)
        batch: Batch[Any] = errand.batch
        try:
            while not batch.is_done:
                for result in converse(batch.step(), connection, server).result:
                    errand.tell(result)
        except (SMTPError, SystemExit) as error:
            self.resume(error=error)
        else:
            self.resume()


Room = tuple[Connection, ServerConnection]


class World:
    """A pool and its users.

    Attributes:
        now: The time; goes on where the test says so.
        pool: The pool.
        events: What was told.
        opened: How many connections were asked for.
        rooms: What connecting leads to, in turn: a room, or an error; more rooms behind them.
    """

    def __init__(self, *, capabilities: Iterable[str] = ("PIPELINING",), **options: Any) -> None:
        self.now = 1000.0
        self.events: list[Any] = []
        self.policy: Any = options.pop("policy", None)
        level = options.pop("pipelining", Pipelining.TRANSACTION)
        self.pool = Pool(PoolOptions(**options), lambda: self.now, RLock(), level)
        self.rooms: list[Room | Exception] = []
        self.opened = 0
        self._capabilities = tuple(capabilities)

    @property
    def listens(self) -> bool:
        return True

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    @property
    def way(self) -> Way:
        return Way(self.pool, self.policy, self)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def open(self, _slot: Slot) -> Room | Exception:
        self.opened += 1
        return self.rooms.pop(0) if self.rooms else room(*self._capabilities)

    def user(self, make: Callable[[Lease], Plan[Any]], *, is_paced: bool = True) -> User:
        lease = Lease(is_paced=is_paced)
        return User(self, make(lease), lease)

    def sender(self, *, end: float | None = None, transaction: Any = None) -> User:
        """Return somebody who sends one message."""
        job = Job(transaction or to(), self.now)
        return self.user(lambda lease: send(self.way, lease, job, end))

    def run(self, *users: User) -> None:
        """Step them, in turn, until nobody can do anything at this moment."""
        while sum(user.step() for user in users) or self.tidy():
            pass

    def tidy(self) -> bool:
        """Close what leaves, as an adapter does."""
        departures = self.pool.departures()
        for departure in departures:
            connection = departure.slot.connection
            messages = connection.transactions if connection is not None else 0
            if connection is not None:
                connection.abandon("closed")
            self.events.append(
                Discarded(departure.slot.number, departure.seconds, departure.why, messages)
            )
            self.pool.gone(departure.slot)
        return bool(departures)
