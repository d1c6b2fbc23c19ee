"""One message under way: what was said of it, and what was heard.

A delivery has two halves. `say` sends: the envelope, and the content as soon as the server may have
it. `hear` takes the replies that are still due then. Between the two the next delivery may begin to
say its own: that is all there is to pipelining across transactions. What the replies mean is told
by `Answers`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from ehlo.commands import Bdat, Body, Data, Rset
from ehlo.content import Octets
from ehlo.dialogues.answers import Answers
from ehlo.dialogues.content import ContentSender, send_at_once
from ehlo.dialogues.exchange import (
    GROUP_MAX,
    ensure_open,
    lost,
    perform,
    phase_of,
    receive_reply,
    send,
)
from ehlo.dialogues.needs import RECEIVE
from ehlo.dialogues.verdicts import split, unknown
from ehlo.errors import (
    ConnectionLost,
    LocalProtocolError,
    RemoteProtocolError,
    SMTPError,
    Timeout,
)
from ehlo.line_ends import PIECE
from ehlo.phase import Phase
from ehlo.policies import OnRefusal, Pipelining, Protocol
from ehlo.protocol import NEED_DATA, ReplyReceived, State
from ehlo.wire import Framing, encode_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.commands import Command
    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.transaction import Transaction
    from ehlo.protocol import Connection
    from ehlo.receipt import Receipt

__all__ = ["Delivery"]

_RSET: Final = Rset()
_DATA: Final = Data()
_OPEN: Final = frozenset({State.MAIL, State.RCPT, State.CHUNKS, State.FAILED})


def nobody() -> Dialogue[None]:
    """Take the replies that are due to older deliveries, where there are none."""
    yield from ()


class Delivery(Answers):
    """One transaction on one Connection.

    Args:
        connection: The Connection; if a transaction is open on it, it is another delivery's.
        transaction: What is to be sent.

    Raises:
        CapabilityMissing: The server does not offer what it takes.
        InvalidInput: The message cannot be sent as it is.

    Attributes:
        transaction: As above.
        rides: Whether it was begun while replies to another one were due.
        is_first: Whether the Connection had no transaction before it.
    """

    __slots__ = ("_is_alone", "_size", "is_first", "rides")

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        super().__init__(connection, transaction)
        self.is_first = not connection.transactions
        self.rides = connection.awaited is not None
        self._is_alone = not self.rides  # whether all replies that are due are its own
        self._size = 0  # of the envelope, in commands

    def run(self) -> Dialogue[Receipt]:
        """Say and hear everything, and leave the Connection idle or over.

        Returns:
            The receipt.

        Raises:
            SMTPError: See `deliver`.
        """
        try:
            yield from self.say(nobody)
            yield from self.hear()
            receipt = self.result()
        except (ConnectionLost, RemoteProtocolError) as trouble:
            error = self.resolved(trouble)
            if not self._connection.is_over:
                self._connection.abandon("the connection was lost")
            if error is None:
                return self.result()
            if error is trouble:
                raise
            raise error from trouble
        except Exception:  # a refusal, or what the caller's own code raised
            yield from self.withdraw()
            raise
        if self._connection.state is State.FAILED:  # LMTP: the last chunk, for the last recipient
            yield from self.withdraw()
        return receipt

    # -- Saying -----------------------------------------------------------------------------------

    def say(self, hear_older: Callable[[], Dialogue[None]]) -> Dialogue[None]:
        """Send envelope and content.

        Args:
            hear_older: Takes all replies that are due to older deliveries.

        Raises:
            Refused: The server refused it before the end of the content; `withdraw` is due.
            InvalidInput: The content turned out to be what cannot be sent; likewise.
            CapabilityMissing: Likewise.
            ConnectionLost: The connection is gone; `resolved` says what that means.
            RemoteProtocolError: The server broke the protocol; likewise.
        """
        if self.say_at_once():
            return
        self._begun = self._now()
        yield from self._send_envelope(hear_older)
        if not self._content_rides:
            yield from self._hear_envelope(hear_older)
        self._wanted = self._now()
        yield from self._send_content()
        self._end = self._connection.queued_octets
        self._ended = self._now()

    def say_at_once(self) -> bool:
        """Send envelope and content in one go, where nothing needs to be waited for.

        Returns:
            Whether that was done; if not, nothing was sent.

        Raises:
            RemoteProtocolError: As for `say`.
        """
        transaction, plan, connection = self.transaction, self._plan, self._connection
        content = plan.content
        if not (self._content_rides and isinstance(content, Octets)):
            return False
        encoded = encode_whole(content.octets, plan.framing, plan.line_ends)
        commands = self._envelope()
        commands.append(Bdat(len(encoded), last=True))
        if not connection.send_group(commands, GROUP_MAX, encoded):
            return False
        self._said = len(commands) - 1
        self._end = connection.queued_octets
        if transaction.clock is not None:
            self._begun = self._wanted = self._ended = transaction.clock()
        return True

    def _envelope(self) -> list[Command]:
        plan = self._plan
        if self._resets:
            return [_RSET, plan.mail, *plan.rcpts]
        return [plan.mail, *plan.rcpts]

    @property
    def _plan_is_fixed(self) -> bool:
        """Whether no reply to RCPT can change the plan, so that none need be waited for."""
        policy = self.transaction.on_refusal
        return len(self._plan.rcpts) == 1 or policy is OnRefusal.DELIVER

    @property
    def _content_rides(self) -> bool:
        """Whether the content leaves with the envelope: small chunks at continuous level.

        Not where somebody wants to be told of it, and could raise something behind other messages.
        """
        transaction = self.transaction
        if transaction.pipelining is not Pipelining.CONTINUOUS or transaction.progress is not None:
            return False
        plan = self._plan
        if plan.framing is Framing.DATA or not plan.is_small:
            return False
        return self._plan_is_fixed and self._connection.capabilities.pipelining

    def _send_envelope(self, hear_older: Callable[[], Dialogue[None]]) -> Dialogue[None]:
        """Send the envelope as a group (RFC 2920), or one by one where that is not possible.

        Whether a command may leave before a reply is the Connection's to say.
        """
        connection, commands = self._connection, self._envelope()
        self._size = len(commands)
        if self._plan.framing is Framing.DATA and self._plan_is_fixed:
            commands.append(_DATA)
        most = 0 if self.transaction.pipelining is Pipelining.NONE else GROUP_MAX
        self._said = connection.send_some(commands, most)
        while self._said < len(commands) and connection.awaits_reply:
            yield from self._hear_one(hear_older)
            self._send_more(commands, most)

    def _send_more(self, commands: list[Command], most: int) -> None:
        """Send more of a group, unless the server has closed the session meanwhile."""
        connection, phase = self._connection, phase_of(commands[self._said].verb)
        if connection.awaited is None:
            ensure_open(connection, phase)
        try:
            self._said = connection.send_some(commands, most, self._said)
        except RemoteProtocolError as exc:
            exc.phase = phase
            raise

    def _hear_one(self, hear_older: Callable[[], Dialogue[None]]) -> Dialogue[None]:
        """Wait until at least one more reply is there; take all that have come."""
        if not self._is_alone:
            yield from hear_older()
            self._is_alone = True
            return
        before = len(self._replies)
        while not self.take() and len(self._replies) == before:
            yield RECEIVE[self._phase()]

    def _hear_envelope(self, hear_older: Callable[[], Dialogue[None]]) -> Dialogue[None]:
        """Wait for all replies that are due; go on only if the content is wanted."""
        connection = self._connection
        if not self._is_alone:
            yield from self._hear_one(hear_older)
        while connection.awaits_reply:
            if connection.needs_data:
                yield RECEIVE[self._phase()]
            self.take()
        self._raise_refusal()
        if connection.is_over:
            self._raise_end()
        if self._said < self._size:
            msg = f"the transaction cannot go on: the session is in state {connection.state.name}"
            raise LocalProtocolError(msg, phase=Phase.MAIL)
        if self._plan.framing is Framing.DATA and connection.state is not State.DATA:
            ensure_open(connection, Phase.DATA)
            send(connection, _DATA)
            self._said += 1
            yield from self._hear_one(hear_older)
            self._raise_refusal()  # anything but 354 is one

    def _send_content(self) -> Dialogue[None]:
        plan, transaction = self._plan, self.transaction
        content = plan.content
        if (
            isinstance(content, Octets)
            and len(content.octets) <= PIECE
            and not transaction.progress
        ):
            self._ensure_wanted()
            send_at_once(self._connection, content.octets, plan.framing, plan.line_ends)
            return
        sender = self._sender = ContentSender(
            self._connection,
            content,
            plan.framing,
            plan.size,
            line_ends=plan.line_ends,
            allows_eight_bit=plan.mail.body not in {None, Body.SEVEN_BIT},
            pipelining=transaction.pipelining,
            ensure_wanted=self._ensure_wanted,
            progress=transaction.progress,
        )
        yield from sender.send()
        self._message_id = self._message_id or sender.message_id

    def _ensure_wanted(self) -> None:
        """Make sure that the server still waits for the content.

        Raises:
            ContentRefused: It has refused it before its end.
            ConnectionLost: It has gone away.
            RemoteProtocolError: It said something that makes no sense there.
        """
        if not self._is_alone:
            return
        if not self._connection.needs_data:
            self._take_unasked()
        self._raise_refusal()
        if self._connection.is_over:
            raise lost(self._connection, Phase.CONTENT)

    def _take_unasked(self) -> None:
        """Take what the server says before the content has come to its end."""
        connection = self._connection
        try:
            while (event := connection.next_event()) is not NEED_DATA:
                if isinstance(event, ReplyReceived):
                    self._note([event.reply])
        except RemoteProtocolError as exc:
            exc.phase = Phase.CONTENT
            raise

    # -- Hearing ----------------------------------------------------------------------------------

    def hear(self) -> Dialogue[None]:
        """Wait for all replies that are due to this delivery, the end of its content included.

        Raises:
            ConnectionLost: The connection is gone; `resolved` says what that means.
            RemoteProtocolError: The server broke the protocol; likewise.
        """
        connection = self._connection
        if connection.needs_data and not connection.is_over:
            yield RECEIVE[self._phase()]
        while not self.take():
            yield RECEIVE[self._phase()]

    def take(self) -> bool:
        """Take the replies that have come; the oldest that is due must be this delivery's.

        Returns:
            Whether this delivery is complete.

        Raises:
            ConnectionLost: No more will come.
            RemoteProtocolError: What came makes no sense.
        """
        is_smtp = self._connection.protocol is Protocol.SMTP
        try:
            while missing := self._missing():
                replies = self._connection.next_replies(missing)
                if not replies:
                    return self._take_event()
                self._note(replies)
                if len(replies) == missing and is_smtp:
                    break
        except RemoteProtocolError as exc:
            exc.phase = self._phase()
            raise
        if not self._end:
            return False
        self._heard = self._now()
        return True

    def _take_event(self) -> bool:
        """Look what there is instead of a reply that is due."""
        connection = self._connection
        # Behind a 421 the end of the connection is near; what the server says before it counts.
        is_over = connection.is_over and not connection.is_closing_down
        if connection.needs_data and not (self._end and is_over):
            return False
        phase, awaited = self._phase(), connection.awaited
        connection.next_event()  # the end of the connection, or garbage, which it raises
        raise lost(connection, phase, awaited)

    def _raise_end(self) -> NoReturn:
        """Raise what has ended the session before the content."""
        connection, awaited = self._connection, self._connection.awaited
        phase = Phase.MAIL if awaited is None else phase_of(awaited.verb)
        try:
            connection.next_event()  # raises what the server has broken the protocol with
        except RemoteProtocolError as exc:
            exc.phase = phase
            raise
        raise lost(connection, phase, awaited)

    def _phase(self) -> Phase:
        awaited = self._connection.awaited
        if awaited is None:
            return Phase.END_OF_CONTENT if self._end else Phase.CONTENT
        if self._connection.is_closing_down:
            return Phase.QUIT
        return phase_of(awaited.verb)

    # -- What it means ----------------------------------------------------------------------------

    def resolved(self, trouble: SMTPError) -> SMTPError | None:
        """Return what a trouble of the connection means for this message.

        What the server said before the line broke says more than that it broke. Where the end of
        the content may have reached the server, what is lost is not "not sent" any more.

        Args:
            trouble: What happened to the connection.

        Returns:
            The error to raise: the trouble itself if the message was certainly not sent; None if
            the server has taken it.
        """
        connection = self._connection
        may_have_arrived = 0 < self._end <= connection.left_octets
        trouble = self._take_last_words() or trouble
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        if self._end and may_have_arrived and not self._missing():
            return None
        # RFC 5321 section 3.8: behind a 421 nothing is done any more.
        was_ended = (
            connection.closing_reply is not None
            and not self._finals
            and not isinstance(trouble, Timeout)
        )
        if not may_have_arrived or was_ended:
            return trouble
        takers, refused = split(self._rcpts())
        finals = dict(zip(takers, self._finals, strict=False))
        return unknown(trouble, finals | refused)

    def _take_last_words(self) -> SMTPError | None:
        """Take the replies that came before the connection broke, if they are to this delivery.

        Behind a 421 they may be to anything: this delivery does not hear all that are its own.

        Returns:
            Why they make no sense, if they make none.
        """
        connection = self._connection
        if connection.state is not State.BROKEN and connection.closing_reply is None:
            try:
                self._take_what_came()
            except ConnectionLost:
                pass  # known already
            except RemoteProtocolError as exc:
                return exc
        return None

    def _take_what_came(self) -> None:
        if self._missing():
            self.take()
        elif not self._end and self._is_alone:
            self._take_unasked()

    # -- Leaving ----------------------------------------------------------------------------------

    def withdraw(self) -> Dialogue[None]:
        """Leave a transaction that came to nothing: in step again, or over.

        A 354 that came although nobody was accepted is met with a lone dot (RFC 2920 section 3.1);
        what the server says to that changes nothing any more. Wherever a dot would make a message
        of what was sent, or of nothing, only the end of the connection keeps it from being one.
        """
        connection = self._connection
        if connection.owed_octets:
            connection.abandon("the content could not be sent to its end")
            return
        try:
            while connection.awaited is not None and not connection.is_over:
                yield from receive_reply(connection)
            if connection.state is State.DATA:
                yield from self._refuse_invitation()
            if connection.state in _OPEN:
                yield from perform(connection, _RSET)
        except (ConnectionLost, RemoteProtocolError):
            # The refusal is the news. Whoever comes next learns of this from the Connection.
            if not connection.is_over:
                connection.abandon("the connection was lost")

    def _refuse_invitation(self) -> Dialogue[None]:
        """Answer a 354 that leads nowhere."""
        connection = self._connection
        if self._takers() or connection.protocol is Protocol.LMTP:
            connection.abandon("the content was asked for, and is not to be sent")
            return
        connection.end_content()
        yield from receive_reply(connection)
