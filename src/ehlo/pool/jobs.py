"""A message on its way, and what all messages of a client have in common."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, overload

from ehlo.content import Formed, Octets
from ehlo.errors import CapabilityMissing, ConnectionLost, DeliveryUnknown
from ehlo.phase import Phase
from ehlo.pool.events import Failed, Retrying, Sent, Why
from ehlo.pool.retrying import asked, is_certainly_not_sent, kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ehlo.content import Form, Piece, Stream
    from ehlo.dialogues import Transaction
    from ehlo.errors import SMTPError
    from ehlo.policies import Pipelining
    from ehlo.pool.events import ClientEvent
    from ehlo.pool.pool import Pool
    from ehlo.pool.retrying import RetryPolicy
    from ehlo.pool.slots import Slot
    from ehlo.receipt import Receipt

__all__ = ["Job", "Watcher", "Way", "why_not_again"]

_Pieces: TypeAlias = "Iterator[Piece] | AsyncIterator[Piece]"


class Watcher(Protocol):
    """Is told what happens."""

    @property
    def listens(self) -> bool:
        """Whether what happens to single messages is of interest, too."""
        ...

    def __call__(self, event: ClientEvent) -> None:
        """Take an event."""
        ...


class Way(NamedTuple):
    """How messages are sent, the same for all of a client.

    Attributes:
        pool: Where connections come from.
        policy: Decides about what the server refused for now; None gives up.
        watcher: Is told what happens.
    """

    pool: Pool
    policy: RetryPolicy | None = None
    watcher: Watcher | None = None

    @property
    def is_watched(self) -> bool:
        """Whether anybody wants to be told."""
        return self.watcher is not None and self.watcher.listens

    def tell(self, event: ClientEvent) -> None:
        """Tell whoever looks."""
        if self.watcher is not None:
            self.watcher(event)


class _Once:
    """Looks on at content that can be read once; knows whether that has begun."""

    def __init__(self) -> None:
        self.is_begun = False

    def watched(self, content: Stream | Formed) -> Stream | Formed:
        """Return the same content, and hear when somebody begins to read it."""
        if isinstance(content, Formed):
            return replace(content, write=partial(self._write, content.write))
        return self._stream(content)

    def _stream(self, content: Stream) -> Stream:
        return replace(content, pieces=partial(self._read, content.pieces))

    def _write(self, write: Callable[[Form], Octets | Stream], form: Form) -> Octets | Stream:
        content = write(form)
        if isinstance(content, Octets):  # they can have come from nowhere else
            self.is_begun = True
            return content
        return self._stream(content)

    def _read(self, pieces: Callable[[], _Pieces]) -> _Pieces:
        self.is_begun = True
        return pieces()


class Job:
    """A message on its way, over one attempt or several.

    Args:
        transaction: What is to be sent: the same each time, its Message-ID included.
        asked_at: When it was asked for.

    Attributes:
        transaction: As above.
        asked_at: As above.
        failed: The errors of the attempts that failed.
        connection: The number of the connection it was tried over last.
        attempts: How many attempts to deliver it were made.
    """

    __slots__ = (
        "_before",
        "_once",
        "asked_at",
        "attempts",
        "connection",
        "failed",
        "transaction",
    )

    def __init__(self, transaction: Transaction, asked_at: float) -> None:
        content = transaction.content
        self._once: _Once | None = None
        if not (isinstance(content, Octets) or content.is_repeatable):
            self._once = _Once()
            transaction = transaction._replace(content=self._once.watched(content))
        self.transaction = transaction
        self.asked_at = asked_at
        self.failed: list[SMTPError] = []
        self.connection = 0
        self.attempts = 0
        self._before = 0

    @property
    def _is_whole(self) -> bool:
        """Whether all of its content can be sent (again)."""
        return self._once is None or not self._once.is_begun

    def begin(self, slot: Slot, level: Pipelining) -> Transaction:
        """Begin an attempt.

        Args:
            slot: The connection.
            level: How many commands may be under way at once there.

        Returns:
            The transaction.
        """
        self.connection = slot.number
        self.attempts += 1
        self._before = slot.live.transactions
        transaction = self.transaction
        if transaction.pipelining is level:
            return transaction
        return transaction._replace(pipelining=level)

    def judge(self, way: Way, slot: Slot, error: SMTPError, end: float | None) -> float | None:
        """Decide whether the message is tried again; keep the error if it is.

        Args:
            way: The rules.
            slot: The connection of the attempt.
            error: Why the attempt has failed.
            end: When all must be over.

        Returns:
            In how many seconds; None if it is not tried again, and the error is final.
        """
        pool, connection = way.pool, slot.live
        was_begun = connection.transactions > self._before
        if connection.is_over:
            pool.suspect()  # what has killed this one may have killed others
        delay = self._delay(way, error, was_begun=was_begun) if self._is_whole else None
        if delay is None or pool.is_closed:
            return None
        if end is not None and pool.clock() + delay >= end:
            return None
        self.failed.append(kept(error))
        pool.count(error, is_final=False)
        way.tell(Retrying(self.connection, self.attempts, delay, error))
        return delay

    def _delay(self, way: Way, error: SMTPError, *, was_begun: bool) -> float | None:
        has_retries = self.attempts <= way.pool.options.retries
        if has_retries and is_certainly_not_sent(error, was_begun=was_begun):
            return 0.0
        if way.policy is None or not error.retry_safe:
            return None
        return asked(way.policy, error, self.attempts)

    def interrupted(self, slot: Slot | None, cause: BaseException) -> SMTPError:
        """Return the error of a message whose sending was cancelled, or interrupted.

        Args:
            slot: The connection it was tried over; None for none.
            cause: What has interrupted it; it gets a note that says so.

        Returns:
            What nobody gets, but whoever watches and counts.
        """
        connection = None if slot is None else slot.connection
        was_begun = connection is not None and connection.transactions > self._before
        if was_begun and self.attempts:
            msg = "the message was under way when its sending was interrupted"
            error: SMTPError = DeliveryUnknown(msg, phase=Phase.END_OF_CONTENT)
        else:
            msg = "the sending was interrupted before the message was begun"
            error = ConnectionLost(msg, phase=Phase.MAIL)
        error.__cause__ = cause
        cause.add_note(f"{self.transaction.message_id or 'no Message-ID'}: {msg}")
        return error

    @overload
    def finish(self, way: Way, receipt: Receipt, error: None) -> Receipt: ...
    @overload
    def finish(
        self, way: Way, receipt: Receipt | None, error: SMTPError | None
    ) -> Receipt | None: ...
    def finish(self, way: Way, receipt: Receipt | None, error: SMTPError | None) -> Receipt | None:
        """Complete what the caller gets, and count it.

        Args:
            way: Where to.
            receipt: The receipt, if there is one.
            error: Why there is none, or why it is not for everybody.

        Returns:
            The receipt; it tells of the attempts before, and so does the error.
        """
        if error is not None:
            error.failed_attempts = tuple(self.failed)
            if error.message_id is None:
                error.message_id = self.transaction.message_id
        elif receipt is not None and self.failed:
            receipt = replace(receipt, failed_attempts=tuple(self.failed))
        way.pool.count(error)
        return receipt

    def report(self, way: Way, receipt: Receipt | None, error: SMTPError | None) -> None:
        """Tell whoever looks what has become of the message.

        The hook may do anything: so this comes last of all.
        """
        if not way.is_watched:
            return
        seconds = way.pool.clock() - self.asked_at
        if error is not None:
            way.tell(Failed(self.connection, seconds, error))
        else:
            assert receipt is not None  # noqa: S101 - one of the two is there
            way.tell(Sent(self.connection, seconds, receipt))


def why_not_again(error: SMTPError) -> Why | None:
    """Return why a connection is not to be used again behind an error, though it is in step.

    Args:
        error: The error, of a message that another connection can take.

    Returns:
        The reason; None if there is none.
    """
    is_limited = isinstance(error, CapabilityMissing) and error.temporary  # RFC 9422
    return Why.LIMITS if is_limited else None
