"""One mail transaction: MAIL, RCPT, DATA, content (RFC 5321 section 3.3).

One dialogue serves lock step and pipelining (RFC 2920), one recipient and thousands::

    [MAIL RCPT.. DATA]  →  replies  →  [content .]  →  reply

DATA rides with the envelope only where no reply to RCPT can change the plan: with a single
recipient, or where the message goes to whoever is accepted. Otherwise the replies come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ehlo.commands import Body, Data, Mail, Rcpt, Rset
from ehlo.dialogues.exchange import (
    GROUP_MAX,
    ensure_open,
    perform,
    perform_group,
    receive_reply,
    require,
)
from ehlo.dialogues.needs import FLUSH
from ehlo.errors import (
    CapabilityMissing,
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    LocalProtocolError,
    RecipientsRefused,
    RemoteProtocolError,
    SenderRefused,
    SMTPError,
)
from ehlo.message import prepare
from ehlo.phase import Phase
from ehlo.policies import OnRefusal, Pipelining, chosen
from ehlo.protocol import ReplyReceived, State
from ehlo.receipt import Receipt
from ehlo.wire import wire_size

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ehlo.address import Address
    from ehlo.commands import Command
    from ehlo.dialogues.needs import Dialogue
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["Transaction", "data", "deliver"]

_CONTENT_PIECE = 131_072
"""Octets of content handed to the transport at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One message, ready to be sent.

    Attributes:
        envelope: Sender and recipients.
        content: The octets of the message; any line ends.
        is_eight_bit: Whether an octet of the content is above 127.
        message_id: The Message-ID in its header, for receipts and errors.
        on_refusal: What to do if some recipients are refused.
        pipelining: How many commands may be under way at once.
    """

    envelope: Envelope
    content: bytes
    is_eight_bit: bool = False
    message_id: str | None = None
    on_refusal: OnRefusal = OnRefusal.ABORT
    pipelining: Pipelining = Pipelining.TRANSACTION

    def __post_init__(self) -> None:
        """Read policies that were given as strings.

        Raises:
            InvalidInput: There is no such policy.
        """
        object.__setattr__(self, "on_refusal", chosen(OnRefusal, self.on_refusal))
        object.__setattr__(self, "pipelining", chosen(Pipelining, self.pipelining))

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

        Returns:
            The transaction.

        Raises:
            InvalidInput: The message cannot be sent as it is.
        """
        policy, level = chosen(OnRefusal, on_refusal), chosen(Pipelining, pipelining)
        outgoing = prepare(message, envelope, now=now, make_id=make_id)
        return cls(
            envelope=outgoing.envelope,
            content=outgoing.content,
            is_eight_bit=outgoing.is_eight_bit,
            message_id=outgoing.message_id,
            on_refusal=policy,
            pipelining=level,
        )


def deliver(connection: Connection, transaction: Transaction) -> Dialogue[Receipt]:
    """Send one message.

    Whatever happens, the Connection is either in step afterwards or over; `Connection.is_idle`
    tells which.

    Args:
        connection: A Connection that is idle.
        transaction: The message.

    Returns:
        The server's receipt.

    Raises:
        CapabilityMissing: The message needs an extension that is not offered, or exceeds SIZE.
        LocalProtocolError: The session is not ready for a transaction.
        SenderRefused: The server refused MAIL.
        RecipientsRefused: It refused all recipients, or some and the policy is to abort.
        ContentRefused: It refused DATA or the content.
        ConnectionLost: The connection broke before the end of the content: not sent.
        RemoteProtocolError: The server broke the protocol before that: not sent.
        DeliveryUnknown: The end of the content was sent, and no valid reply came back.
    """
    try:
        if connection.state is not State.READY and not connection.is_over:
            msg = f"a transaction cannot begin: the session is in state {connection.state.name}"
            raise LocalProtocolError(msg, phase=Phase.MAIL)
        ensure_open(connection, Phase.MAIL)
        _check(connection, transaction)
        return (yield from _deliver(connection, transaction))
    except SMTPError as exc:
        exc.message_id = transaction.message_id
        raise


def _check(connection: Connection, transaction: Transaction) -> None:
    """Refuse, before its first octet, a transaction that the server has said it cannot take."""
    if transaction.envelope.needs_smtputf8:
        require(connection, "SMTPUTF8", Phase.MAIL, "an address that is not ASCII")
    if transaction.is_eight_bit:
        require(connection, "8BITMIME", Phase.MAIL, "content with octets above 127")
    limit = connection.capabilities.size
    if limit is not None and wire_size(transaction.content) > limit:
        msg = f"the message has {wire_size(transaction.content)} octets; the server takes {limit}"
        raise CapabilityMissing(msg, capability="SIZE", phase=Phase.MAIL)


def _mail(connection: Connection, transaction: Transaction) -> Mail:
    offered = connection.capabilities
    return Mail(
        transaction.envelope.sender,
        size=wire_size(transaction.content) if "SIZE" in offered else None,
        body=Body.EIGHT_BIT_MIME if transaction.is_eight_bit else None,
        smtputf8=transaction.envelope.needs_smtputf8,
    )


def _deliver(connection: Connection, transaction: Transaction) -> Dialogue[Receipt]:
    recipients = transaction.envelope.recipients
    commands: list[Command] = [_mail(connection, transaction)]
    commands += [Rcpt(recipient) for recipient in recipients]
    if len(recipients) == 1 or transaction.on_refusal is OnRefusal.DELIVER:
        commands.append(Data())
    lock_step = transaction.pipelining is Pipelining.NONE
    replies = yield from perform_group(
        connection, commands, in_flight_max=0 if lock_step else GROUP_MAX
    )
    mail, rcpts = replies[0], dict(zip(recipients, replies[1:], strict=False))
    answer = replies[len(recipients) + 1] if len(replies) > len(recipients) + 1 else None
    refusal = _refusal(commands, transaction, mail, rcpts)
    if refusal is not None:
        yield from _withdraw(connection)
        raise refusal
    if answer is None:
        answer = yield from perform(connection, Data())
    if not answer.is_intermediate:
        yield from _withdraw(connection)
        raise _content_refused(answer, Phase.DATA, "DATA")
    final = yield from _send_content(connection, transaction.content)
    return _receipt(transaction, rcpts, final)


def _refusal(
    commands: list[Command],
    transaction: Transaction,
    mail: Reply,
    rcpts: dict[Address, Reply],
) -> SMTPError | None:
    """Return why the envelope cannot be used, if it cannot."""
    if not mail.is_positive:
        msg = f"the server refused the sender: {mail}"
        return SenderRefused(msg, phase=Phase.MAIL, command=commands[0].shown, reply=mail)
    refused = {address: reply for address, reply in rcpts.items() if not reply.is_positive}
    accepted = tuple(address for address in rcpts if address not in refused)
    if not refused or (
        accepted and transaction.on_refusal is OnRefusal.DELIVER and not _ended(rcpts)
    ):
        return None
    first, reply = next(iter(refused.items()))
    others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    msg = f"the server refused the recipient {first}{others}: {reply}"
    command = Rcpt(first).shown
    return RecipientsRefused(
        msg, refused=refused, accepted=accepted, command=command, phase=Phase.RCPT
    )


def _ended(rcpts: dict[Address, Reply]) -> bool:
    return any(reply.closes_session for reply in rcpts.values())


def _withdraw(connection: Connection) -> Dialogue[None]:
    """Leave a transaction that came to nothing: in step again, or over.

    A 354 that came although nobody was accepted is met with a lone dot (RFC 2920 section 3.1); what
    the server says to that changes nothing any more.
    """
    try:
        if connection.state is State.DATA:
            connection.end_content()
            yield from receive_reply(connection)
        if connection.state in {State.MAIL, State.RCPT}:
            yield from perform(connection, Rset())
    except (ConnectionLost, RemoteProtocolError):
        pass  # the refusal is the news; that the connection is over, the Connection knows


def _content_refused(reply: Reply, phase: Phase, command: str) -> ContentRefused:
    msg = f"the server refused the message: {reply}"
    return ContentRefused(msg, phase=phase, command=command, reply=reply)


def _send_content(connection: Connection, content: bytes) -> Dialogue[Reply]:
    """Send the content and its end; return the positive reply."""
    try:
        yield from _send_pieces(connection, content)
        connection.end_content()
        yield FLUSH[Phase.END_OF_CONTENT]
    except ConnectionLost:
        # A refusal that came before the line broke says more than that it broke.
        _raise_early_refusal(connection)
        raise
    # From here on the server may have the message: what is lost is not "not sent" any more.
    try:
        final = yield from receive_reply(connection)
    except (ConnectionLost, RemoteProtocolError) as exc:
        raise _unknown(exc) from exc
    if not final.is_positive:
        raise _content_refused(final, Phase.END_OF_CONTENT, ".")
    return final


def _send_pieces(connection: Connection, content: bytes) -> Dialogue[None]:
    view = memoryview(content)
    _ensure_wanted(connection)
    for start in range(0, len(view), _CONTENT_PIECE):
        if start:
            yield FLUSH[Phase.CONTENT]
            _ensure_wanted(connection)
        connection.send_content(view[start : start + _CONTENT_PIECE])


def _ensure_wanted(connection: Connection) -> None:
    """Make sure that the server still waits for content."""
    _raise_early_refusal(connection)
    ensure_open(connection, Phase.CONTENT)


def _raise_early_refusal(connection: Connection) -> None:
    """Raise if the server has refused the content before its end was sent.

    Raises:
        ContentRefused: It has.
        RemoteProtocolError: It said something else, which makes no sense there.
    """
    if connection.needs_data:
        return
    try:
        event = connection.next_event()
    except RemoteProtocolError as exc:
        exc.phase = Phase.CONTENT
        raise
    if isinstance(event, ReplyReceived) and not event.reply.is_positive:
        raise _content_refused(event.reply, Phase.CONTENT, "DATA")


def _unknown(cause: ConnectionLost | RemoteProtocolError) -> DeliveryUnknown:
    msg = (
        "the message was sent to its end, but no valid reply came back; the server may have "
        f"accepted it or not: {cause}"
    )
    return DeliveryUnknown(msg, phase=Phase.END_OF_CONTENT, command=".", reply=cause.reply)


def _receipt(transaction: Transaction, rcpts: dict[Address, Reply], final: Reply) -> Receipt:
    refused = {address: reply for address, reply in rcpts.items() if not reply.is_positive}
    accepted = tuple(address for address in rcpts if address not in refused)
    return Receipt(transaction.envelope, final, accepted, refused, transaction.message_id)


def data(connection: Connection, content: bytes) -> Dialogue[Reply]:
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
    octets = bytes(memoryview(content))  # what is no octets must not open a transaction's content
    answer = yield from perform(connection, Data())
    if not answer.is_intermediate:
        return answer
    try:
        return (yield from _send_content(connection, octets))
    except ContentRefused as refused:
        return refused.reply
