"""Many messages over one connection, or over several: one result for each, in order.

At continuous level a message is said while the replies to those before it are still due, as many as
the window allows. What a server cannot bear shows itself in three ways, and the batch goes on at
transaction level after each: it refuses commands because of where they came (503 behind the dot),
it falls silent, or it closes the connection.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from ehlo.commands import Rset
from ehlo.content import Octets
from ehlo.dialogues.delivery import Delivery
from ehlo.dialogues.exchange import ensure_open, lost, perform
from ehlo.dialogues.needs import FLUSH
from ehlo.dialogues.parts import Parts, exceeds_limits, fits_session, over_limits
from ehlo.dialogues.sources import END, AsyncSource, CallersError, is_there, pick, unreadable
from ehlo.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidInput,
    LocalProtocolError,
    RecipientsRefused,
    RemoteProtocolError,
    SenderRefused,
    SMTPError,
)
from ehlo.phase import Phase
from ehlo.policies import Pipelining
from ehlo.protocol import State
from ehlo.receipt import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.sources import End, Source
    from ehlo.dialogues.transaction import Transaction
    from ehlo.protocol import Connection

__all__ = ["DEPTH", "Batch", "check_depth"]

_T = TypeVar("_T")

DEPTH: Final = 32
"""Messages whose replies may be due at once at continuous level, if nobody says otherwise."""

_FLUSH: Final = FLUSH[Phase.MAIL]
_OPEN: Final = frozenset({State.MAIL, State.RCPT, State.CHUNKS, State.FAILED})
# What servers say to commands that came too early: 503 (RFC 5321 section 4.2.2) and its kin.
_OUT_OF_STEP: Final = frozenset({500, 501, 502, 503, 554})


@dataclass(slots=True)
class _Job:
    """A message that was taken from the source."""

    index: int
    message: object
    transaction: Transaction
    delivery: Delivery | None = None
    parts: Parts | None = None  # where it takes several transactions
    tries: int = 0

    @property
    def rides(self) -> bool:
        """Whether it was said while replies to another one were due."""
        return self.delivery is not None and self.delivery.rides

    @property
    def is_to_be_said_again(self) -> bool:
        """Whether it failed by no fault of its own, before all of it could arrive. Once.

        Either it rode behind another one, or the server had gone away behind those before it: then
        it depends on luck alone whether the client could hear of that in time.
        """
        delivery, content = self.delivery, self.transaction.content
        if delivery is None:
            return self.tries == 1
        is_there = isinstance(content, Octets) or content.is_repeatable
        no_fault = delivery.rides or not (delivery.is_first or delivery.is_answered)
        return is_there and self.tries == 1 and no_fault


def check_depth(depth: int) -> None:
    """Refuse what is no depth.

    Args:
        depth: How many messages may be under way.

    Raises:
        InvalidInput: It is no number above 0.
    """
    if depth < 1:
        msg = f"the depth is a number of messages, 1 at the least, not {depth}"
        raise InvalidInput(msg)


class Batch(Generic[_T]):
    """A plan for many messages.

    Call `step` until `is_done`; where `needs_connection`, give it a new one by `go_on` first.

    Args:
        connection: A Connection that is idle.
        source: Where the messages come from; taken one by one, no earlier than they are needed.
        prepare: Makes a transaction of a message.
        pipelining: How many commands may be under way at once.
        depth: How many messages may be under way at continuous level.
        source_is_quick: Whether taking from an iterator never waits, so that several messages can
            be written at once.
        may_reconnect: Whether a new Connection can be had; if not, the batch ends with the old one.

    Raises:
        InvalidInput: The depth is no whole number above 0.
        LocalProtocolError: The session is not ready for a transaction.

    Attributes:
        connection: The Connection that is used now.
        pipelining: The level that is used now.
    """

    def __init__(
        self,
        connection: Connection,
        source: Source[_T],
        *,
        prepare: Callable[[_T], Transaction],
        pipelining: Pipelining,
        depth: int = DEPTH,
        source_is_quick: bool = False,
        may_reconnect: bool = False,
    ) -> None:
        check_depth(depth)
        is_ready = connection.state is State.READY and connection.is_settled
        if not (is_ready or connection.is_over):
            why = f"the session is in state {connection.state.name}"
            if connection.state is State.READY:
                why = "replies are due"
            raise LocalProtocolError(f"no batch can begin: {why}", phase=Phase.MAIL)
        self.connection = connection
        self.pipelining = pipelining
        self._source = source
        self._prepare = prepare
        self._depth = depth
        self._source_is_quick = source_is_quick or isinstance(source, AsyncSource)
        self._may_reconnect = may_reconnect
        self._taken = 0
        self._told = 0
        self._again: deque[_Job] = deque()  # to be said before anything new is taken
        self._flying: deque[_Job] = deque()  # said, replies are due
        self._results: dict[int, Result] = {}
        self._is_exhausted = False
        self._is_full = False  # this Connection has taken all that its server's LIMITS let it
        self._ended_by: BaseException | None = None

    # -- For whoever drives it --------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Whether all results have been told, and nothing is left to be raised."""
        return self._is_exhausted and self._told == self._taken and self._ended_by is None

    @property
    def is_under_way(self) -> bool:
        """Whether replies are due, so that the session is not free for anything else."""
        return bool(self._flying)

    @property
    def needs_connection(self) -> bool:
        """Whether the next step needs a new Connection: this one is over, or has had its fill."""
        return bool(self._may_reconnect and self._again and not self._flying) and (
            not self._can_begin
        )

    @property
    def _can_begin(self) -> bool:
        """Whether another transaction may begin on this Connection."""
        connection = self.connection
        if connection.is_over or self._is_full:
            return False
        if not self._may_reconnect or "LIMITS" not in connection.capabilities.keywords:
            return True
        most = connection.capabilities.limits.mail_max
        return most is None or connection.transactions < most

    def go_on(self, connection: Connection) -> None:
        """Go on with a new Connection.

        Args:
            connection: One that is idle.
        """
        self.connection = connection
        self._is_full = False

    def give_up(self, error: Exception) -> list[Result]:
        """End the batch, because no new Connection can be had.

        Args:
            error: Why not; it may be what the caller's own code raised, such as a function for
                tokens. The results have a `ConnectFailed` then, with that as its cause.

        Returns:
            The results of all messages that were taken from the source.
        """
        self._fail_again(error if isinstance(error, SMTPError) else _not_connected(error))
        self._is_exhausted = True
        return self._known()

    def step(self) -> Dialogue[list[Result]]:
        """Go on until at least one more result is known.

        Returns:
            The results, in the order of the messages; none if the batch is done, or needs a
            Connection.

        Raises:
            ConnectionLost: The session is over, and no new one can be had; every message that was
                taken from the source has got its result.
            Exception: What the source raised; likewise.
        """
        results: list[Result] = []
        try:
            while not (results := self._known()) and not self._is_stuck:
                yield from self._advance()
            if not self._flying:
                yield from self._settle()  # whoever gets the results may leave it at that
        except (ConnectionLost, RemoteProtocolError, LocalProtocolError) as trouble:
            self._fall(trouble)
            results += self._known()
        if not results and self._ended_by is not None:
            error, self._ended_by = self._ended_by, None
            self._is_exhausted = True
            raise error
        return results

    @property
    def _is_stuck(self) -> bool:
        if self._flying:
            return False
        return self.needs_connection or (self._has_ended and not self._again)

    @property
    def _has_ended(self) -> bool:
        """Whether nothing more will be taken from the source."""
        return self._is_exhausted or self._ended_by is not None

    def _known(self) -> list[Result]:
        """Return the results that can be told now: each message has its turn."""
        known: list[Result] = []
        while self._told in self._results:
            known.append(self._results.pop(self._told))
            self._told += 1
        return known

    # -- The plan ---------------------------------------------------------------------------------

    def _advance(self) -> Dialogue[None]:
        """Say one more message if that may be, else hear what became of the oldest."""
        self._fill()
        if self._may_say():
            job = yield from self._next_job()
            if job is not None:
                yield from self._begin(job)
            if self._may_say():
                return
        if self._flying:
            yield from self._hear_oldest()

    def _fill(self) -> None:
        """Say messages behind others, for as long as none has to wait for anything.

        What follows in `_advance` would do the same, one message at a time, and in a third more
        time. The first message that is not as usual is left to it.
        """
        source, flying, depth = self._source, self._flying, self._depth
        if self.pipelining is not Pipelining.CONTINUOUS or not (flying and self._source_is_quick):
            return
        if isinstance(source, AsyncSource) or self._again:
            return
        while len(flying) < depth and self._may_take and self._can_begin and not self._has_ended:
            try:
                item: _T | End = next(source, END)
            except Exception as exc:  # noqa: BLE001 - of the source; raised when all else is told
                self._ended_by = exc
                return
            if item is END:
                self._is_exhausted = True
                return
            job = self._job(item)
            if job is not None and not self._begin_at_once(job):
                self._again.append(job)
                return

    def _begin_at_once(self, job: _Job) -> bool:
        """Say a message that need not wait; return whether this was its turn."""
        if job.transaction.pipelining is not Pipelining.CONTINUOUS:
            return False
        if exceeds_limits(self.connection, job.transaction):
            return False
        try:
            delivery = Delivery(self.connection, job.transaction)
            if not delivery.say_at_once():
                return False
        except SMTPError as exc:
            job.tries += 1
            self._fail(job, exc)
            return True
        job.tries += 1
        job.delivery = delivery
        self._flying.append(job)
        return True

    def _may_say(self) -> bool:
        if self._has_ended and not self._again:
            return False
        if not self._flying:
            return not self.needs_connection
        continuous = self.pipelining is Pipelining.CONTINUOUS
        offered = self.connection.capabilities.pipelining
        is_room = len(self._flying) < self._depth and (bool(self._again) or self._may_take)
        return continuous and offered and is_room and self._can_begin

    @property
    def _may_take(self) -> bool:
        """Whether the window has room: no more may be taken than can be told of soon."""
        return self._taken - self._told < self._depth

    def _next_job(self) -> Dialogue[_Job | None]:
        """Take the next message; None if there is none yet, or none that can be sent."""
        if self._again:
            return self._again.popleft()
        if self._flying and not self._source_is_quick:
            yield _FLUSH  # what was said must not wait for a source that may be slow
        if not (yield from is_there(self._source, self.connection)):
            self._take_known()
            return None
        try:
            item = pick(self._source)
        except CallersError as exc:
            self._ended_by = exc.cause  # raised when all else is told
            return None
        if item is END:
            self._is_exhausted = True
            return None
        return self._job(item)

    def _job(self, item: _T) -> _Job | None:
        index = self._taken
        try:
            job = _Job(index, item, self._prepare(item))
        except SMTPError as exc:
            self._results[index] = Result(index, item, error=exc)
            job = None
        except Exception as exc:  # noqa: BLE001 - no message at all; raised when all else is told
            self._ended_by = exc
            return None
        self._taken += 1
        return job

    def _begin(self, job: _Job) -> Dialogue[None]:
        connection = self.connection
        if not self._can_begin:
            self._wait_for_connection(job)
            return
        job.tries += 1
        if job.transaction.pipelining is not self.pipelining:
            job.transaction = job.transaction._replace(pipelining=self.pipelining)
        try:
            if not self._flying:
                ensure_open(connection, Phase.MAIL)
            if job.parts is not None or exceeds_limits(connection, job.transaction):
                yield from self._deliver_parts(job)
                return
            delivery = job.delivery = Delivery(connection, job.transaction)
            if delivery.say_at_once():
                self._flying.append(job)
            else:
                yield from self._say(job, delivery)
        except (ConnectionLost, RemoteProtocolError):
            self._flying.append(job)
            raise
        except Exception as exc:  # noqa: BLE001 - of the content: this message's affair alone
            self._fail(job, exc if isinstance(exc, SMTPError) else unreadable(exc))

    def _wait_for_connection(self, job: _Job) -> None:
        """Keep a message for the next Connection; where none can be had, that is the end."""
        self._again.appendleft(job)
        if not self._may_reconnect:
            self._ended_by = lost(self.connection, Phase.MAIL)
            self._fail_again(self._ended_by)

    def _say(self, job: _Job, delivery: Delivery) -> Dialogue[None]:
        try:
            yield from delivery.say(self._hear_all)
        except (ConnectionLost, RemoteProtocolError):
            raise
        except Exception:
            if not self.connection.is_over:
                yield from self._hear_all()
                yield from delivery.withdraw()
            raise
        self._flying.append(job)

    def _deliver_parts(self, job: _Job) -> Dialogue[None]:
        """Send a message in several transactions, and what this session does not take in the next.

        If there can be no next one, nothing of it is sent.
        """
        yield from self._hear_all()
        yield from self._settle()
        if not self._may_reconnect and not fits_session(self.connection, job.transaction):
            raise over_limits(self.connection, job.transaction)
        parts = job.parts = job.parts or Parts(job.transaction)
        yield from parts.run(self.connection)
        if parts.is_done:
            self._results[job.index] = Result(job.index, job.message, parts.result())
        else:
            self._is_full = True
            self._again.appendleft(job)

    def _hear_all(self) -> Dialogue[None]:
        while self._flying:
            yield from self._hear_oldest()

    def _hear_oldest(self) -> Dialogue[None]:
        """Wait for the replies to the oldest message; take those to others that came with them."""
        yield from cast("Delivery", self._flying[0].delivery).hear()
        self._take_known()

    def _take_known(self) -> None:
        flying = self._flying
        while flying:
            delivery = flying[0].delivery
            if delivery is None or not delivery.take():
                return
            self._close(flying.popleft(), delivery)

    def _settle(self) -> Dialogue[None]:
        """Leave what a refused message left behind, so that the session is idle."""
        if self.connection.state in _OPEN:
            yield from perform(self.connection, Rset())

    # -- Results ----------------------------------------------------------------------------------

    def _close(self, job: _Job, delivery: Delivery) -> None:
        try:
            self._results[job.index] = Result(job.index, job.message, delivery.result())
        except SMTPError as exc:
            self._fail(job, exc)

    def _fail(self, job: _Job, error: SMTPError) -> None:
        if _was_too_early(job, error):
            self.pipelining = Pipelining.TRANSACTION
            self._say_again(job)
            return
        if self._may_reconnect and _was_too_late(job, error):
            self._say_again(job)
            return
        if job.parts is not None:
            job.parts.with_delivered(error)
        error.message_id = job.transaction.message_id
        error.connection_usable = not self.connection.is_over
        receipt = error.receipt if isinstance(error, RecipientsRefused) else None
        self._results[job.index] = Result(job.index, job.message, receipt, error)

    def _say_again(self, job: _Job) -> None:
        job.delivery = None
        position = sum(other.index < job.index for other in self._again)
        self._again.insert(position, job)

    def _fail_again(self, error: SMTPError) -> None:
        for job in self._again:
            self._fail(job, _own(error, error))
        self._again.clear()

    def _fall(self, trouble: SMTPError) -> None:
        """Settle what became of every message that was under way when the connection broke."""
        fallen = [(job, self._fallen(job, trouble)) for job in self._flying]
        self._flying.clear()
        connection = self.connection
        connection.abandon(connection.ending or "the connection was lost")
        for job, error in fallen:
            if error is trouble and job.is_to_be_said_again:
                self._say_again(job)
            elif error is not None:
                self._fail(job, _own(error, trouble))
        self.pipelining = min(self.pipelining, Pipelining.TRANSACTION, key=_LEVELS.index)
        if not self._may_reconnect:
            self._fail_again(trouble)

    def _fallen(self, job: _Job, trouble: SMTPError) -> SMTPError | None:
        """Return what a broken connection means for one message; None if it was answered."""
        delivery = job.delivery
        if delivery is None:
            return trouble
        error = delivery.resolved(trouble)
        if error is None:
            self._close(job, delivery)
        return error


_LEVELS: Final = list(Pipelining)


def _was_too_early(job: _Job, error: SMTPError) -> bool:
    """Return whether a server refused a message because it came too soon behind another."""
    return job.rides and isinstance(error, SenderRefused) and error.reply.code in _OUT_OF_STEP


def _was_too_late(job: _Job, error: SMTPError) -> bool:
    """Return whether a server was closing the session already when a message came behind another.

    A message that is said while nothing is due would have met a closed connection, and gone over
    the next one: what became of those before it is none of its own affair.
    """
    return job.rides and isinstance(error, SenderRefused) and error.reply.closes_session


def _own(error: SMTPError, trouble: SMTPError) -> SMTPError:
    """Return an error for one message alone: what they share must not be changed for one."""
    if error is not trouble:
        error.__cause__ = trouble
        return error
    copied = copy(trouble)
    copied.args = (f"the message was not sent: {trouble}",)
    copied.delivered = ()  # of the message that it happened to
    copied.__cause__ = trouble.__cause__
    return copied


def _not_connected(cause: Exception) -> ConnectFailed:
    """Return the error for a session that did not begin; the cause's words may hold a secret."""
    msg = f"no new session could be opened: {type(cause).__name__} while authenticating"
    error = ConnectFailed(msg, phase=Phase.AUTH)
    error.__cause__ = cause
    return error
