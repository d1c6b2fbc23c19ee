"""What a server has answered to one message so far, and what that means for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.dialogues.planning import Plan
from ehlo.dialogues.verdicts import content_refused, recipients_refused, sender_refused, split
from ehlo.errors import RecipientsRefused
from ehlo.phase import Phase
from ehlo.policies import Protocol
from ehlo.protocol import State
from ehlo.receipt import Receipt, Timings
from ehlo.wire import Framing

if TYPE_CHECKING:
    from ehlo.address import Address
    from ehlo.dialogues.content import ContentSender
    from ehlo.dialogues.transaction import Transaction
    from ehlo.errors import SMTPError
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["Answers"]

_REFUSALS: Final = 400  # codes from here on refuse something


class Answers:
    """The half of a delivery that judges; see `Delivery` for the arguments.

    Replies are kept in the order of what was said: RSET perhaps, MAIL, each RCPT, DATA or each BDAT
    but the last, and then those to the end of the content. All else follows from where they stand.
    """

    __slots__ = (
        "_begun",
        "_connection",
        "_end",
        "_ended",
        "_has_refusal",
        "_heard",
        "_message_id",
        "_plan",
        "_replies",
        "_resets",
        "_said",
        "_sender",
        "_wanted",
        "transaction",
    )

    def __init__(self, connection: Connection, transaction: Transaction) -> None:
        plan = Plan.of(connection, transaction)
        self.transaction = transaction
        self._connection = connection
        self._plan = plan
        # RFC 3030 section 2: behind a chunk that fails nothing but RSET has a meaning, and whether
        # the one before this fails is not known yet.
        self._resets = connection.projected_state is not State.READY or (
            connection.awaited is not None and plan.framing is not Framing.DATA
        )
        self._replies: list[Reply] = []  # to all that was said, oldest first
        self._said = 0  # commands that are answered before the end of the content is
        self._end = 0  # where the end of the content stands in the stream; 0: not queued
        self._has_refusal = False
        self._sender: ContentSender | None = None
        self._message_id = transaction.message_id
        self._begun = self._wanted = self._ended = self._heard = 0.0

    # -- Which replies they are -------------------------------------------------------------------

    def _missing(self) -> int:
        """Return how many replies are due to this delivery, so far as it was said."""
        due = self._before_end
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

    def _note(self, replies: list[Reply]) -> None:
        """Keep replies that have come."""
        self._replies += replies
        for reply in replies:
            if reply.code >= _REFUSALS:
                self._has_refusal = True

    @property
    def is_answered(self) -> bool:
        """Whether the server has said anything to it."""
        return bool(self._replies)

    def _takers(self) -> tuple[Address, ...]:
        """Return the recipients that RCPT was accepted for."""
        return split(self._rcpts())[0]

    def _rcpts(self) -> dict[Address, Reply]:
        """Return the replies to RCPT, so far as they have come."""
        first = 2 if self._resets else 1
        recipients = self.transaction.envelope.recipients
        return dict(zip(recipients, self._replies[first:], strict=False))

    # -- What they mean ---------------------------------------------------------------------------

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

    # -- Times ------------------------------------------------------------------------------------

    def _now(self) -> float:
        clock = self.transaction.clock
        return 0.0 if clock is None else clock()

    def _timings(self) -> Timings | None:
        if self.transaction.clock is None:
            return None
        begun, wanted, ended = self._begun, self._wanted, self._ended
        return Timings(wanted - begun, ended - wanted, self._heard - ended)
