"""One message under way: what was said of it, what was heard, and what that means.

A delivery has two halves. `say` sends: the envelope, and the content as soon as the server may have
it. `hear` takes the replies that are still due then. Between the two the next delivery may begin to
say its own: that is all there is to pipelining across transactions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.commands import Bdat, Body, Data, Rset
from ehlo.content import Octets
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
from ehlo.dialogues.planning import Plan
from ehlo.dialogues.verdicts import (
    content_refused,
    recipients_refused,
    sender_refused,
    split,
    unknown,
)
from ehlo.errors import (
    ConnectionLost,
    LocalProtocolError,
    RecipientsRefused,
    RemoteProtocolError,
    SMTPError,
    Timeout,
)
from ehlo.phase import Phase
from ehlo.policies import OnRefusal, Pipelining, Protocol
from ehlo.protocol import NEED_DATA, ReplyReceived, State
from ehlo.receipt import Receipt, Timings
from ehlo.wire import PIECE, Framing, encode_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.address import Address
    from ehlo.commands import Command
    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.transaction import Transaction
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["Delivery"]

_RSET: Final = Rset()
_DATA: Final = Data()
_REFUSALS: Final = 400
_OPEN: Final = frozenset({State.MAIL, State.RCPT, State.CHUNKS, State.FAILED})


def nobody() -> Dialogue[None]:
    """Take the replies that are due to older deliveries, where there are none."""
    yield from ()


class Delivery:
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

    __slots__ = (
        "_begun",
        "_connection",
        "_end",
        "_ended",
        "_has_refusal",
        "_heard",
        "_is_alone",
        "_message_id",
        "_plan",
        "_replies",
        "_resets",
        "_said",
        "_sender",
        "_size",
        "_wanted",
        "is_first",
        "rides",
        "transaction",
    )

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        plan = Plan.of(connection, transaction)
        self.transaction = transaction
        self.is_first = not connection.transactions
        self.rides = rides = connection.awaited is not None
        self._connection = connection
        self._plan = plan
        self._is_alone = not rides  # whether all replies that are due are its own
        # RFC 3030 section 2: behind a chunk that fails nothing but RSET has a meaning, and whether
        # the one before this fails is not known yet.
        self._resets = connection.projected_state is not State.READY or (
            rides and plan.framing is not Framing.DATA
        )
        self._replies: list[Reply] = []  # to all that was said, oldest first
        self._size = 0  # of the envelope, in commands
        self._said = 0  # commands that are answered before the end of the content is
        self._end = 0  # where the end of the content stands in the stream; 0: not queued
        self._has_refusal = False
        self._sender: ContentSender | None = None
        self._message_id = transaction.message_id
        self._begun = self._wanted = self._ended = self._heard = 0.0

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
            awaited = connection.awaited
            raise lost(connection, Phase.MAIL if awaited is None else phase_of(awaited.verb))
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
                    self._note(event.reply)
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
                self._replies += replies
                for reply in replies:
                    if reply.code >= _REFUSALS:
                        self._has_refusal = True
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

    def _missing(self) -> int:
        """Return how many replies are due to this delivery, so far as it was said."""
        due = self._said if self._sender is None else self._before_end
        if self._end:
            is_smtp = self._connection.protocol is Protocol.SMTP
            due += 1 if is_smtp or len(self._replies) < due else max(len(self._takers()), 1)
        return due - len(self._replies)

    @property
    def _before_end(self) -> int:
        """How many replies come before those to the end of the content."""
        return self._said + (0 if self._sender is None else self._sender.chunks)

    @property
    def _finals(self) -> list[Reply]:
        """The replies to the end of the content."""
        return self._replies[self._before_end :]

    def _phase(self) -> Phase:
        awaited = self._connection.awaited
        if awaited is None:
            return Phase.END_OF_CONTENT if self._end else Phase.CONTENT
        if self._connection.is_closing_down:
            return Phase.QUIT
        return phase_of(awaited.verb)

    def _note(self, reply: Reply) -> None:
        self._replies.append(reply)
        if reply.code >= _REFUSALS:
            self._has_refusal = True

    @property
    def is_answered(self) -> bool:
        """Whether the server has said anything to it."""
        return bool(self._replies or self._finals)

    def _takers(self) -> tuple[Address, ...]:
        """Return the recipients that RCPT was accepted for."""
        return split(self._rcpts())[0]

    def _rcpts(self) -> dict[Address, Reply]:
        """Return the replies to RCPT, so far as they have come."""
        first = 2 if self._resets else 1
        recipients = self.transaction.envelope.recipients
        return dict(zip(recipients, self._replies[first:], strict=False))

    # -- What it means ----------------------------------------------------------------------------

    def result(self) -> Receipt:
        """Return the receipt of a delivery that is complete.

        Returns:
            The receipt.

        Raises:
            Refused: The server refused the message.
        """
        connection, envelope = self._connection, self.transaction.envelope
        accepted = envelope.recipients
        refused: dict[Address, Reply] = {}
        finals: dict[Address, Reply] = {}
        reply = self._replies[-1]
        refusal = self._refusal()
        if refusal is not None and not refusal.delivered:
            raise refusal
        if self._has_refusal:
            accepted, refused = split(self._rcpts())
        if connection.protocol is Protocol.LMTP:
            finals = dict(zip(self._takers(), self._finals, strict=False))
            accepted, late = split(finals)
            refused = {**refused, **late}
            reply = self._final_reply()
        timings, tls, name = self._timings(), connection.tls, self._message_id
        receipt = Receipt(envelope, reply, accepted, refused, name, finals, timings, tls)
        if isinstance(refusal, RecipientsRefused):  # of some alone, and too late to abort
            refusal.receipt = receipt
            raise refusal
        return receipt

    def _final_reply(self) -> Reply:
        """Return the reply that stands for all: the last positive one of several."""
        finals = self._finals
        return next((reply for reply in reversed(finals) if reply.is_positive), finals[-1])

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

    def _raise_refusal(self) -> None:
        refusal = self._refusal()
        if refusal is not None:
            raise refusal

    def _refusal(self) -> SMTPError | None:
        """Return how the server has refused the message, so far as its replies have come."""
        return self._found_refusal() if self._has_refusal else None

    def _found_refusal(self) -> SMTPError | None:
        replies = self._replies[: self._before_end]
        first = 1 if self._resets else 0
        if len(replies) <= first:
            return self._final_refusal()
        if not replies[first].is_positive:
            return sender_refused(self._plan.mail, replies[first])
        behind = first + 1 + len(self._plan.rcpts)
        refused = self._recipients_refused(is_complete=len(replies) >= behind)
        if refused is not None:
            return refused
        data = self._plan.framing is Framing.DATA
        for reply in replies[behind:]:
            if data and not reply.is_intermediate:
                return content_refused(reply, Phase.DATA, "DATA")
            if not data and not reply.is_positive:
                return content_refused(reply, Phase.CONTENT, "BDAT")
        return self._final_refusal()

    def _recipients_refused(self, *, is_complete: bool) -> SMTPError | None:
        rcpts = self._rcpts()
        if all(reply.is_positive for reply in rcpts.values()):
            return None
        if not is_complete and not any(reply.closes_session for reply in rcpts.values()):
            return None  # the rest may be accepted yet
        return recipients_refused(rcpts, self.transaction.on_refusal, Phase.RCPT)

    def _final_refusal(self) -> SMTPError | None:
        finals = self._finals
        if not finals:
            return None
        if self._end and self._connection.protocol is Protocol.LMTP:
            return self._late_refusal(finals)
        if finals[0].is_positive:
            return None
        is_data = self._plan.framing is Framing.DATA
        if self._end:
            return content_refused(finals[0], Phase.END_OF_CONTENT, "." if is_data else "BDAT")
        return content_refused(finals[0], Phase.CONTENT, "DATA" if is_data else "BDAT")

    def _late_refusal(self, finals: list[Reply]) -> SMTPError | None:
        """Return what LMTP's final replies refuse, when all have come (RFC 2033 section 4.2)."""
        takers = self._takers()
        if len(finals) < len(takers):
            return None
        replies = dict(zip(takers, finals, strict=False))
        return recipients_refused(replies, self.transaction.on_refusal, Phase.END_OF_CONTENT)

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

    # -- Times ------------------------------------------------------------------------------------

    def _now(self) -> float:
        clock = self.transaction.clock
        return 0.0 if clock is None else clock()

    def _timings(self) -> Timings | None:
        if self.transaction.clock is None:
            return None
        begun, wanted, ended = self._begun, self._wanted, self._ended
        return Timings(wanted - begun, ended - wanted, self._heard - ended)
