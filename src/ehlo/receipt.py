"""The receipt of a message that a server accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ehlo.errors import RecipientsRefused
from ehlo.phase import Outcome, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.address import Address
    from ehlo.envelope import Envelope
    from ehlo.errors import SMTPError
    from ehlo.reply import Reply
    from ehlo.tls import TlsFacts

__all__ = ["Receipt", "Result", "Timings", "queue_id"]

# How servers name the queue entry in their final reply, after the enhanced status code; one row
# a server, as met in the field. What none of them matches has no queue id: None beats a guess.
_QUEUE_ID_FORMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"Ok:? queued as (?P<id>[0-9A-Za-z]+)",  # Postfix
        r"OK id=(?P<id>[0-9A-Za-z]+-[0-9A-Za-z]+-[0-9A-Za-z]+)",  # Exim
        r"(?P<id>[0-9A-Za-z]{8,}):? Message accepted for delivery",  # Sendmail, OpenSMTPD
        r"<[^<>]+> \[InternalId=(?P<id>[0-9]+)[,\]]",  # Exchange since 2010
        r"<(?P<id>[^<>\s]+)> Queued mail for delivery",  # Exchange and the IIS SMTP service
        r"Message Queued \((?P<id>[0-9A-F-]+\.[0-9]+)\)",  # Haraka
        r"OK\s+[0-9]+ (?P<id>[0-9a-z._-]+) - gsmtp",  # Gmail
        r"ok (?P<id>[0-9]+ qp [0-9]+)",  # qmail and its kin
        r"Ok (?P<id>[0-9a-f]{16}-[0-9a-f-]+-[0-9]{6})",  # Amazon SES
    )
)

# OpenSMTPD puts a colon behind the enhanced status code.
_STATUS = re.compile(r"2\.[0-9]+\.[0-9]+:? ")


def queue_id(reply: Reply) -> str | None:
    """Find the queue id in a final reply, so far as the server's way of naming it is known.

    Args:
        reply: The positive reply to the end of the content.

    Returns:
        The identifier that the server's own log uses, or None.
    """
    text = _STATUS.sub("", " ".join(reply.lines))
    for form in _QUEUE_ID_FORMS:
        if match := form.match(text):
            return match["id"]
    return None


class Timings(NamedTuple):
    """How long the steps of a transaction took, in seconds.

    With pipelining the steps of several transactions overlap, and so do their times.

    Attributes:
        envelope: From MAIL until the content could be sent.
        content: Until the end of the content was handed to the transport.
        reply: Until the server's reply to it was there.
    """

    envelope: float
    content: float
    reply: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """A server's word that it has taken a message.

    Attributes:
        envelope: The envelope as it was asked for.
        reply: The reply to the end of the content.
        accepted: The recipients the server took the message for, in order.
        refused: The reply to each recipient it refused; empty unless the policy is
            `OnRefusal.DELIVER`.
        message_id: The Message-ID in the header of what was sent, angle brackets included;
            None if it has none.
        replies: Where accepted recipients have final replies of their own (LMTP, or a message that
            took several transactions): the reply to each.
        timings: How long the steps took; None where nobody had a clock.
        tls: The facts of the TLS connection it went over; None for none.
        parts: The receipt of each transaction, where it took several (RFC 9422).
    """

    envelope: Envelope
    reply: Reply
    accepted: tuple[Address, ...]
    refused: Mapping[Address, Reply] = field(default_factory=dict["Address", "Reply"])
    message_id: str | None = None
    replies: Mapping[Address, Reply] = field(default_factory=dict["Address", "Reply"])
    timings: Timings | None = None
    tls: TlsFacts | None = None
    parts: tuple[Receipt, ...] = ()

    @property
    def queue_id(self) -> str | None:
        """The name of the message in the server's own log, if its way of saying so is known."""
        return queue_id(self.reply)

    def outcome(self, recipient: Address) -> Outcome:
        """Return what became of one recipient.

        Args:
            recipient: One of the envelope.

        Returns:
            `ACCEPTED` or `REFUSED`.

        Raises:
            KeyError: The envelope does not hold this recipient.
        """
        if recipient in self.refused:
            return Outcome.REFUSED
        if recipient in self.accepted:
            return Outcome.ACCEPTED
        raise KeyError(recipient)

    def raise_for_refused(self) -> None:
        """Raise if anybody was refused.

        Raises:
            RecipientsRefused: Some recipients were; its `accepted` did get the message.
        """
        if self.refused:
            names = ", ".join(str(address) for address in self.refused)
            msg = f"the message was accepted, but not for {names}"
            error = RecipientsRefused(
                msg, refused=self.refused, accepted=self.accepted, phase=Phase.RCPT
            )
            error.outcome = Outcome.ACCEPTED  # so that nobody sends all of it again
            raise error


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message of `send_many`.

    Attributes:
        index: The message's place among those that were taken, from 0.
        message: The message as it was given.
        receipt: The server's receipt; None if there is none.
        error: Why there is none; None if there is one.
    """

    index: int
    message: object
    receipt: Receipt | None = None
    error: SMTPError | None = None

    @property
    def outcome(self) -> Outcome:
        """What became of the message as a whole."""
        return Outcome.ACCEPTED if self.error is None else self.error.outcome

    def unwrap(self) -> Receipt:
        """Return the receipt, or raise the error.

        Returns:
            The receipt.

        Raises:
            SMTPError: The message was not accepted.
        """
        if self.error is not None:
            raise self.error
        assert self.receipt is not None  # noqa: S101 - one of the two is there
        return self.receipt
