"""The things a pool is made of: connections, those who want one, and those who sleep."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.errors import SMTPError
    from ehlo.pool.events import Why
    from ehlo.protocol import Connection

__all__ = ["Departure", "Do", "Lease", "Sleeper", "Slot"]


class Do(Enum):
    """What is to be done with a connection that was granted, before it is used."""

    USE = "nothing: use it"
    CHECK = "say NOOP, for it was idle for long"
    OPEN = "open it"


class Sleeper:
    """Somebody who waits for something that others will bring about.

    Attributes:
        is_awake: Whether it has come about.
        waker: What to call then; set by whoever makes the sleeper wait. It may be called twice, if
            Ctrl-C comes just behind the first time.
    """

    __slots__ = ("is_awake", "waker")

    def __init__(self) -> None:
        self.is_awake = False
        self.waker: Callable[[], None] | None = None

    def wake(self) -> None:
        """Say that it has come about."""
        self.is_awake = True
        if self.waker is not None:
            self.waker()
            self.waker = None


class Slot:
    """One connection of a pool, from the decision to open it until it is closed.

    Args:
        number: Its number, from 1.
        refusals: How many attempts in a row had failed when it was decided to open it.
        now: The time.

    Attributes:
        number: As above.
        refusals: As above.
        carrier: What the adapter drives it with; None before it is open.
        connection: The sans-IO Connection; None before it is open.
        opened_at: When it was opened; before that, when that was begun.
        idle_since: When its last user gave it back.
        is_suspect: Whether another one was found dead since then.
        has_left: Whether it is closed, or about to be.
        parting: Who is closing it; None for nobody.
    """

    __slots__ = (
        "carrier",
        "connection",
        "has_left",
        "idle_since",
        "is_suspect",
        "number",
        "opened_at",
        "parting",
        "refusals",
    )

    def __init__(self, number: int, refusals: int, now: float) -> None:
        self.number = number
        self.refusals = refusals
        self.carrier: object = None
        self.connection: Connection | None = None
        self.opened_at = now
        self.idle_since = 0.0
        self.is_suspect = False
        self.has_left = False
        self.parting: object = None

    @property
    def live(self) -> Connection:
        """The Connection, which is there: the slot was granted, and opened where that was due."""
        assert self.connection is not None  # noqa: S101 - see above
        return self.connection


class Lease(Sleeper):
    """One user's claim on a connection: from the moment it asks until it gives the thing back.

    Args:
        is_paced: Whether it is for a message, which has to wait where there may be only so many in
            a second.

    Attributes:
        is_paced: As above.
        is_due: Whether it was granted for a message that did not begin yet.
        slot: The connection that was granted; None while there is none.
        do: What is to be done with it first.
        error: Why there will be none; None while that is open.
        failures: The errors of connections that could not be had while it waited.
        is_resigned: Whether the server was known to be down when it asked: it waits for one more
            attempt and not for several.
        is_withdrawn: Whether nobody wants it any more: no further connection is tried for it.
        waits: Whether it stands in line.
    """

    __slots__ = (
        "do",
        "error",
        "failures",
        "is_due",
        "is_paced",
        "is_resigned",
        "is_withdrawn",
        "slot",
        "waits",
    )

    def __init__(self, *, is_paced: bool = True) -> None:
        super().__init__()
        self.is_paced = is_paced
        self.is_due = False
        self.is_withdrawn = False
        self.slot: Slot | None = None
        self.do = Do.USE
        self.error: Exception | None = None
        self.failures: list[SMTPError] = []
        self.is_resigned = False
        self.waits = False


class Departure(NamedTuple):
    """A connection that has to be closed by the adapter, which then calls `Pool.gone`.

    Attributes:
        slot: The connection.
        why: The reason.
        seconds: For how long it was open.
    """

    slot: Slot
    why: Why
    seconds: float
