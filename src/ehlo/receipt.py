"""The receipt of a message that a server accepted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ehlo.address import Address
from ehlo.errors import RecipientsRefused
from ehlo.phase import Outcome, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.address import AddressLike
    from ehlo.envelope import Envelope
    from ehlo.errors import SMTPError
    from ehlo.reply import Reply
    from ehlo.tls import TlsFacts

__all__ = ["Receipt", "Result", "Timings", "queue_id"]

# How servers name the queue entry in their final reply, behind the enhanced status code: one row a
# way of saying it. They come from the server's own source or documentation where that is public,
# else from mail logs; the tests have such a reply for each. What no row matches has no queue id,
# and neither has a reply without one: None beats a guess.
_WORD = r"(?P<id>[0-9A-Z](?:[0-9A-Z.,_@=+/-]*[0-9A-Z_=-])?)"
_QUEUE_ID_FORMS = (
    # Postfix (smtpd.c) and what speaks like it: iCloud, SendGrid, Mailpit, MailHog ...
    rf"Ok:? (?:[0-9]+ bytes )?queued as {_WORD}(?![^\s.])",
    # amavis: its own words around those of the Postfix behind it
    rf"(?:Ok, id=[0-9-]+, )?from MTA\([^()]*\): 250 2\.[0-9.]+ Ok: queued as {_WORD}\Z",
    # Exim (receive.c), before and since 4.97; mail.ru, smtp2go
    r"OK id=(?P<id>[0-9A-Z]+-[0-9A-Z]+-[0-9A-Z]+)",
    # GMX, web.de, mail.com, IONOS; without an id it is anybody's text
    r"Requested mail action okay, completed: id=(?P<id>[0-9A-Z]+-[0-9A-Z]+-[0-9A-Z]+)",
    # KumoMTA (reference/log_record); of several ids none is *the* id
    r"OK ids=(?P<id>[0-9a-f]{32})\Z",
    # Sendmail (srvrsmtp.c, one id or two), Proofpoint, OpenSMTPD (smtp_session.c)
    r"(?P<id>(?=[A-Z-]*[0-9])[0-9A-Z-]{8,}):? Message accepted for delivery",
    # Exchange since 2010, Exchange Online, Outlook.com
    r"<[^<>]+> \[InternalId=(?P<id>[0-9]+)[,\]]",
    # Exchange and the IIS SMTP service before that
    r"<(?P<id>[^<>\s]+)> Queued mail for delivery",
    # Haraka, in its queue and its outbound queue
    r"Message Queued \((?P<id>[0-9A-F-]+\.[0-9]+)\)",
    # Stalwart (queue_message); it ends the sentence behind the id
    r"Message queued with id (?P<id>[0-9a-f]+)\.?\Z",
    # Brevo; ZoneMTA
    rf"Message queued as <?(?=[^\s]*[0-9]){_WORD}>?\Z",
    # Gmail and Google Workspace
    r"OK(?: +DMARC:[A-Z]+)? +[0-9]+ (?P<id>[0-9a-z._-]+) - gsmtp",
    # qmail-smtpd.c and its kin; MessageLabs
    r"ok (?P<id>[0-9]+ qp [0-9]+)",
    # Amazon SES, sending
    r"Ok (?P<id>[0-9a-f]{16}-[0-9a-f-]+-[0-9]{6})\Z",
    # Amazon SES, receiving
    r"OK (?P<id>[0-9a-z]{40})\Z",
    # Cisco Secure Email (IronPort)
    r"ok: +Message (?P<id>[0-9]+) accepted",
    # Mimecast
    r"(?P<id>SmtpThread-[0-9]+-[0-9]+@[0-9A-Z.-]+) Received OK",
    # Yandex, before and since about 2020
    r"Ok: queued on [0-9A-Z.-]+ (?:as )?(?P<id>[0-9A-Z]+(?:-[0-9A-Z]+)+)\Z",
    # NetEase (163.com, 126.com) and Coremail
    rf"Mail OK queued as {_WORD}(?: [0-9]+)?\Z",
    # Oracle Communications Messaging Server, formerly of Sun; Apple in its day
    rf"Ok, envelope id\s+{_WORD}\Z",
    # Dovecot's LMTP (lmtp-local.c): the session id that its log lines carry
    r"<[^<>]*> (?P<id>[0-9A-Z+/]{22}(?::[0-9A-Z]+)*) Saved\Z",
    # Cyrus' LMTP: likewise
    r"Ok SESSIONID=<(?P<id>[^<>\s]+)>",
    # Ethereal
    r"Accepted \[STATUS=[a-z]+ MSGID=(?P<id>[0-9A-Z._-]+)\]",
)


@cache
def _queue_id_forms() -> tuple[re.Pattern[str], ...]:
    """Compile at first use: few programs ask for a queue id, and all import this."""
    return tuple(re.compile(form, re.IGNORECASE | re.ASCII) for form in _QUEUE_ID_FORMS)


# OpenSMTPD puts a colon behind the enhanced status code.
_STATUS = re.compile(r"2\.[0-9]{1,3}\.[0-9]{1,3}:? +")


def _without_status(line: str) -> str:
    match = _STATUS.match(line)
    return line[match.end() :] if match else line


def queue_id(reply: Reply) -> str | None:
    """Find the queue id in a final reply, so far as the server's way of naming it is known.

    Args:
        reply: The positive reply to the end of the content.

    Returns:
        The identifier that the server's own log uses, or None.
    """
    text = " ".join(map(_without_status, reply.lines)).rstrip()
    for form in _queue_id_forms():
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


# Receipts and results are made for every message: they set their fields themselves, as commands do,
# which takes half the time of a generated __init__.
_set = object.__setattr__


@dataclass(frozen=True, slots=True, init=False)
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
        failed_attempts: The errors of the attempts before this one, where a `Client` has made
            several; in each of them the message was certainly not accepted.
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
    failed_attempts: tuple[SMTPError, ...] = ()

    def __init__(  # noqa: PLR0913, PLR0917 - one for each field
        self,
        envelope: Envelope,
        reply: Reply,
        accepted: tuple[Address, ...],
        refused: Mapping[Address, Reply] | None = None,
        message_id: str | None = None,
        replies: Mapping[Address, Reply] | None = None,
        timings: Timings | None = None,
        tls: TlsFacts | None = None,
        parts: tuple[Receipt, ...] = (),
        failed_attempts: tuple[SMTPError, ...] = (),
    ) -> None:
        _set(self, "envelope", envelope)
        _set(self, "reply", reply)
        _set(self, "accepted", accepted)
        _set(self, "refused", {} if refused is None else refused)
        _set(self, "message_id", message_id)
        _set(self, "replies", {} if replies is None else replies)
        _set(self, "timings", timings)
        _set(self, "tls", tls)
        _set(self, "parts", parts)
        _set(self, "failed_attempts", failed_attempts)

    @property
    def queue_id(self) -> str | None:
        """The name of the message in the server's own log, if its way of saying so is known."""
        return queue_id(self.reply)

    def outcome(self, recipient: AddressLike) -> Outcome:
        """Return what became of one recipient.

        Args:
            recipient: One of the envelope.

        Returns:
            `ACCEPTED` or `REFUSED`.

        Raises:
            KeyError: The envelope does not hold this recipient.
        """
        address = Address.of(recipient)
        if address in self.refused:
            return Outcome.REFUSED
        if address in self.accepted:
            return Outcome.ACCEPTED
        raise KeyError(address)

    def raise_for_refused(self) -> None:
        """Raise if anybody was refused.

        Raises:
            RecipientsRefused: Some recipients were; its `accepted` did get the message.
        """
        if self.refused:
            names = ", ".join(str(address) for address in self.refused)
            msg = f"the message was accepted, but not for {names}"
            late = any(address in self.replies for address in self.refused)
            error = RecipientsRefused(
                msg,
                refused=self.refused,
                accepted=self.accepted,
                phase=Phase.END_OF_CONTENT if late else Phase.RCPT,
            )
            error.outcome = Outcome.ACCEPTED  # so that nobody sends all of it again
            error.delivered = self.accepted
            raise error


@dataclass(frozen=True, slots=True, init=False)
class Result:
    """What became of one message of `send_many`.

    Attributes:
        index: The message's place among those that were taken, from 0.
        message: The message as it was given.
        receipt: The server's receipt; None if there is none.
        error: Why there is none, or why it is not for everybody; None if all is well. Both are
            there if a server that answers for each recipient (LMTP) took the message for some
            alone, and the policy was to abort.
    """

    index: int
    message: object
    receipt: Receipt | None = None
    error: SMTPError | None = None

    def __init__(
        self,
        index: int,
        message: object,
        receipt: Receipt | None = None,
        error: SMTPError | None = None,
    ) -> None:
        _set(self, "index", index)
        _set(self, "message", message)
        _set(self, "receipt", receipt)
        _set(self, "error", error)

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
