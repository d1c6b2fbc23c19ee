"""One mail transaction: MAIL, RCPT, DATA or BDAT, content (RFC 5321 section 3.3, RFC 3030).

One dialogue serves lock step and pipelining (RFC 2920), one recipient and thousands::

    [MAIL RCPT.. DATA]  →  replies  →  [content .]          →  reply
    [MAIL RCPT..]       →  replies  →  [BDAT LAST content]  →  reply

DATA rides with the envelope only where no reply to RCPT can change the plan: with a single
recipient, or where the message goes to whoever is accepted. Otherwise the replies come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ehlo.commands import Bdat, Data
from ehlo.dialogues.content import ContentSender
from ehlo.dialogues.delivery import Delivery
from ehlo.dialogues.exchange import ensure_open, lost, perform, receive_reply
from ehlo.dialogues.parts import Parts, exceeds_limits, fits_session, over_limits
from ehlo.dialogues.planning import require
from ehlo.dialogues.sources import CallersError
from ehlo.dialogues.verdicts import content_refused, unknown
from ehlo.errors import (
    ConnectionLost,
    ContentRefused,
    LocalProtocolError,
    RemoteProtocolError,
    SMTPError,
)
from ehlo.message import prepare
from ehlo.phase import Phase
from ehlo.policies import OnRefusal, Pipelining, chosen
from ehlo.protocol import NEED_DATA, ReplyReceived, State
from ehlo.wire import Framing

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ehlo.commands import Body
    from ehlo.content import Content, Octets
    from ehlo.dialogues.needs import Dialogue
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.protocol import Connection
    from ehlo.receipt import Receipt
    from ehlo.reply import Reply

__all__ = ["Transaction", "bdat", "data", "deliver"]


class Transaction(NamedTuple):
    """One message, ready to be sent.

    Attributes:
        envelope: Sender and recipients.
        content: The octets of the message, with any line ends, and what is known of them.
        message_id: The Message-ID in its header, for receipts and errors.
        on_refusal: What to do if some recipients are refused.
        pipelining: How many commands may be under way at once.
        body: How the content is to be declared, if not as what it is found to be.
        clock: Tells seconds, for the timings of the receipt; None for none.
        progress: Is told how many octets of content were sent, of how many if that is known.
    """

    envelope: Envelope
    content: Content
    message_id: str | None = None
    on_refusal: OnRefusal = OnRefusal.ABORT
    pipelining: Pipelining = Pipelining.TRANSACTION
    body: Body | None = None
    clock: Callable[[], float] | None = None
    progress: Callable[[int, int | None], None] | None = None

    @classmethod
    def of(
        cls,
        message: Sendable,
        envelope: Envelope | None = None,
        *,
        now: Callable[[], datetime],
        make_id: Callable[[], str],
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        pipelining: Pipelining | str = Pipelining.TRANSACTION,
        clock: Callable[[], float] | None = None,
        progress: Callable[[int, int | None], None] | None = None,
    ) -> Transaction:
        """Make a transaction of what a caller wants to send.

        Args:
            message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets.
            envelope: Sender and recipients; None takes them from the message's header.
            now: Returns the time with an offset, for messages without a date.
            make_id: Returns a fresh identifier of letters and digits, for Message-ID and
                boundaries.
            on_refusal: What to do if some recipients are refused.
            pipelining: How many commands may be under way at once.
            clock: Tells seconds, for the timings of the receipt; None for none.
            progress: Is told how many octets of content were sent, of how many if that is known.

        Returns:
            The transaction.

        Raises:
            InvalidInput: The message cannot be sent as it is.
        """
        if type(on_refusal) is not OnRefusal:
            on_refusal = chosen(OnRefusal, on_refusal)
        if type(pipelining) is not Pipelining:
            pipelining = chosen(Pipelining, pipelining)
        envelope, content, message_id = prepare(message, envelope, now=now, make_id=make_id)
        return cls(envelope, content, message_id, on_refusal, pipelining, None, clock, progress)


def deliver(connection: Connection, transaction: Transaction) -> Dialogue[Receipt]:
    """Send one message.

    Whatever happens, the Connection is either in step afterwards or over; `Connection.is_idle`
    tells which. Where the server takes no more than so many recipients at once (RFC 9422), it
    takes several transactions.

    Args:
        connection: A Connection that is idle.
        transaction: The message.

    Returns:
        The server's receipt.

    Raises:
        CapabilityMissing: The message needs an extension that is not offered, or exceeds SIZE.
        InvalidInput: The content cannot be sent as it is.
        LocalProtocolError: The session is not ready for a transaction.
        SenderRefused: The server refused MAIL.
        RecipientsRefused: It refused all recipients, or some and the policy is to abort.
        ContentRefused: It refused DATA or the content.
        ConnectionLost: The connection broke before the end of the content: not sent.
        RemoteProtocolError: The server broke the protocol before that: not sent.
        DeliveryUnknown: The end of the content was sent, and no valid reply came back.
    """
    try:
        if not connection.is_idle:
            _ensure_idle(connection)
        if exceeds_limits(connection, transaction):
            return (yield from _deliver_parts(connection, transaction))
        return (yield from Delivery(connection, transaction).run())
    except CallersError as exc:
        raise exc.cause from exc.cause.__cause__
    except SMTPError as exc:
        if exc.message_id is None:
            exc.message_id = transaction.message_id
        raise


def _ensure_idle(connection: Connection) -> None:
    """Raise whatever keeps a transaction from beginning."""
    if connection.state is not State.READY and not connection.is_over:
        msg = f"a transaction cannot begin: the session is in state {connection.state.name}"
        raise LocalProtocolError(msg, phase=Phase.MAIL)
    ensure_open(connection, Phase.MAIL)


def _deliver_parts(connection: Connection, transaction: Transaction) -> Dialogue[Receipt]:
    """Send a message in several transactions of one session."""
    if not fits_session(connection, transaction):
        raise over_limits(connection, transaction)
    parts = Parts(transaction)
    yield from parts.run(connection)
    return parts.result()


def data(connection: Connection, content: Octets) -> Dialogue[Reply]:
    """Send DATA and, if the server answers 354, content.

    Args:
        connection: The Connection, behind MAIL and RCPT.
        content: The octets of the message; any line ends.

    Returns:
        The reply to the content, or the refusal of DATA, whatever its code.

    Raises:
        ConnectionLost: The connection broke before the end of the content.
        RemoteProtocolError: The server broke the protocol before that.
        DeliveryUnknown: The end of the content was sent, and no valid reply came back.
    """
    answer = yield from perform(connection, Data())
    if not answer.is_intermediate:
        return answer
    sender = ContentSender(
        connection,
        content,
        Framing.DATA,
        None,
        allows_eight_bit=True,
        pipelining=Pipelining.NONE,
        ensure_wanted=lambda: _raise_early_refusal(connection),
        progress=None,
    )
    try:
        yield from _send_or_hear_why_not(connection, sender)
    except ContentRefused as refused:
        return refused.reply
    return (yield from _final_reply(connection))


def bdat(connection: Connection, octets: bytes, *, last: bool) -> Dialogue[Reply]:
    """Send BDAT with its octets, just as they are.

    Args:
        connection: The Connection, behind RCPT or a BDAT that was not the last.
        octets: The chunk.
        last: Whether the content ends with it.

    Returns:
        The reply, whatever its code.

    Raises:
        CapabilityMissing: The server does not offer CHUNKING.
        LocalProtocolError: BDAT must not be sent in this state.
        ConnectionLost: The connection broke before the end of the content.
        RemoteProtocolError: The server broke the protocol before that.
        DeliveryUnknown: The end of the content was sent, and no valid reply came back.
    """
    require(connection.capabilities, "CHUNKING", "BDAT", Phase.CONTENT)
    ensure_open(connection, Phase.CONTENT)
    connection.send(Bdat(len(octets), last=last))
    if octets:
        connection.send_content(octets)
    if last:
        return (yield from _final_reply(connection))
    return (yield from receive_reply(connection))


def _send_or_hear_why_not(connection: Connection, sender: ContentSender) -> Dialogue[None]:
    """Send content; what the server said before the line broke says more than that it broke."""
    try:
        yield from sender.send()
    except ConnectionLost:
        _raise_early_refusal(connection)
        raise


def _raise_early_refusal(connection: Connection) -> None:
    """Make sure that the server still waits for content."""
    try:
        while (event := connection.next_event()) is not NEED_DATA:
            if isinstance(event, ReplyReceived):
                raise content_refused(event.reply, Phase.CONTENT, "DATA")
    except RemoteProtocolError as exc:
        exc.phase = Phase.CONTENT
        raise
    if connection.is_over:
        raise lost(connection, Phase.CONTENT)


def _final_reply(connection: Connection) -> Dialogue[Reply]:
    """Wait for the reply to the end of the content; of LMTP's several, return the last."""
    end = connection.queued_octets
    try:
        reply = yield from receive_reply(connection)
        while connection.awaited is not None and not connection.is_over:
            reply = yield from receive_reply(connection)
    except (ConnectionLost, RemoteProtocolError) as trouble:
        has_left = end <= connection.left_octets
        last_words = _last_words(connection)
        if last_words is not None and (has_left or not last_words.is_positive):
            return last_words
        if not has_left:
            raise
        raise unknown(trouble, {}) from trouble
    return reply


def _last_words(connection: Connection) -> Reply | None:
    """Return the final reply, if it came before the connection broke."""
    while not connection.is_over:
        try:
            event = connection.next_event()
        except RemoteProtocolError:
            break
        if event is NEED_DATA:
            break
        if isinstance(event, ReplyReceived) and connection.awaited is None:
            connection.abandon("the connection was lost")
            return event.reply
    return None
