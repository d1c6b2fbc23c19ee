"""The receipt of a message that a server accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ehlo.errors import RecipientsRefused
from ehlo.phase import Outcome, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.address import Address
    from ehlo.envelope import Envelope
    from ehlo.reply import Reply

__all__ = ["Receipt", "queue_id"]

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
    """

    envelope: Envelope
    reply: Reply
    accepted: tuple[Address, ...]
    refused: Mapping[Address, Reply] = field(default_factory=dict["Address", "Reply"])
    message_id: str | None = None

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
