"""Messages with more recipients than a server takes at once (RFC 9422): several transactions."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from ehlo.content import Octets
from ehlo.dialogues.delivery import Delivery
from ehlo.dialogues.sources import CallersError, unreadable
from ehlo.errors import CapabilityMissing, RecipientsRefused, SMTPError
from ehlo.phase import Phase
from ehlo.policies import OnRefusal
from ehlo.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Collection

    from ehlo.address import Address
    from ehlo.capabilities import Limits
    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.transaction import Transaction
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["Parts", "exceeds_limits", "fits_session", "over_limits"]


def exceeds_limits(connection: Connection, transaction: Transaction) -> bool:
    """Return whether a message takes more than one transaction, or another session.

    Args:
        connection: The Connection.
        transaction: The message.

    Returns:
        True if it exceeds RCPTMAX, or RCPTDOMAINMAX together with what the session has seen.
    """
    if "LIMITS" not in connection.capabilities.keywords:
        return False
    recipients = transaction.envelope.recipients
    return len(_fitting(connection, recipients)) < len(recipients)


def fits_session(connection: Connection, transaction: Transaction) -> bool:
    """Return whether one session can take a message, in several transactions perhaps.

    Args:
        connection: The Connection.
        transaction: The message.

    Returns:
        False if it exceeds RCPTDOMAINMAX or MAILMAX, with what the session has seen.
    """
    return _fits(connection, transaction, connection.transactions, connection.recipient_domains)


def _fits(
    connection: Connection, transaction: Transaction, had: int, domains: Collection[str]
) -> bool:
    limits = connection.capabilities.limits
    recipients = transaction.envelope.recipients
    named = {recipient.domain.lower() for recipient in recipients}.union(domains)
    if limits.rcpt_domain_max is not None and len(named) > limits.rcpt_domain_max:
        return False
    needed = ceil(len(recipients) / (limits.rcpt_max or len(recipients)))
    return limits.mail_max is None or had + needed <= limits.mail_max


def over_limits(connection: Connection, transaction: Transaction) -> CapabilityMissing:
    """Return the error for a message that the session cannot take.

    Args:
        connection: The Connection.
        transaction: The message.

    Returns:
        The error; temporary if a new session can take it.
    """
    msg = "the server's LIMITS do not let one session take all recipients (RFC 9422)"
    fits_another = _fits(connection, transaction, 0, ())
    if fits_another:
        msg = "this session has had all that the server's LIMITS let it take; open a new one"
    error = CapabilityMissing(msg, capability="LIMITS", phase=Phase.MAIL)
    error.temporary = fits_another
    return error


def _fitting(connection: Connection, recipients: tuple[Address, ...]) -> tuple[Address, ...]:
    """Return the first recipients: as many as the next transaction may have."""
    limits = connection.capabilities.limits
    if limits.mail_max is not None and connection.transactions >= limits.mail_max:
        return ()
    most = len(recipients) if limits.rcpt_max is None else limits.rcpt_max
    return recipients[: min(most, _within_domains(connection, recipients, limits))]


def _within_domains(connection: Connection, recipients: tuple[Address, ...], limits: Limits) -> int:
    """Return how many recipients come before the first whose domain is one too many."""
    if limits.rcpt_domain_max is None:
        return len(recipients)
    domains = set(connection.recipient_domains)
    for number, recipient in enumerate(recipients):
        domains.add(recipient.domain.lower())
        if len(domains) > limits.rcpt_domain_max:
            return number
    return len(recipients)


class Parts:
    """A message that is sent in several transactions, over one session or more.

    The first failure ends it, but that all recipients of a part are refused where the message goes
    to whoever is accepted. An error names those that have got the message already.

    Args:
        transaction: The message as a whole.

    Raises:
        CapabilityMissing: Its content can be read only once.

    Attributes:
        is_done: Whether every recipient has had its turn.
    """

    def __init__(self, transaction: Transaction) -> None:
        if not (isinstance(transaction.content, Octets) or transaction.content.is_repeatable):
            msg = "the recipients take several transactions; the content can be read only once"
            raise CapabilityMissing(msg, capability="LIMITS", phase=Phase.MAIL)
        self._transaction = transaction
        self._left = transaction.envelope.recipients
        self._receipts: list[Receipt] = []
        self._refused: dict[Address, Reply] = {}
        self._refusal: RecipientsRefused | None = None

    @property
    def is_done(self) -> bool:
        """Whether every recipient has had its turn."""
        return not self._left

    def run(self, connection: Connection) -> Dialogue[None]:
        """Send as many parts as the session takes.

        Args:
            connection: A Connection that is idle.

        Raises:
            SMTPError: See `deliver`.
        """
        transaction = self._transaction
        while self._left and (some := _fitting(connection, self._left)):
            part = transaction._replace(envelope=transaction.envelope.only(some))
            try:
                self._receipts.append((yield from Delivery(connection, part).run()))
            except RecipientsRefused as exc:
                self._take_refusal(exc, is_usable=connection.is_idle)
            except CallersError as exc:
                if not self._receipts:
                    raise
                raise self.with_delivered(unreadable(exc)) from exc.cause
            except SMTPError as exc:
                raise self.with_delivered(exc) from exc.__cause__
            self._left = self._left[len(some) :]

    def _take_refusal(self, refusal: RecipientsRefused, *, is_usable: bool) -> None:
        aborts = self._transaction.on_refusal is OnRefusal.ABORT
        if aborts or refusal.delivered or not is_usable:
            raise self.with_delivered(refusal) from None
        self._refusal = refusal
        self._refused |= refusal.refused

    def with_delivered(self, error: SMTPError) -> SMTPError:
        """Have an error name those that have got the message in earlier parts.

        Args:
            error: Why the message as a whole has failed.

        Returns:
            The same error.
        """
        taken = tuple(address for receipt in self._receipts for address in receipt.accepted)
        late = tuple(address for address in error.delivered if address not in taken)
        error.delivered = taken + late
        return error

    def result(self) -> Receipt:
        """Return one receipt for all parts.

        Returns:
            The receipt; its `parts` are those of the parts.

        Raises:
            RecipientsRefused: All recipients of all parts were refused.
        """
        if not self._receipts and self._refusal is not None:
            self._refusal.refused = self._refused
            raise self._refusal
        refused = dict(self._refused)
        replies: dict[Address, Reply] = {}
        for receipt in self._receipts:
            refused |= receipt.refused
            replies |= dict.fromkeys(receipt.accepted, receipt.reply) | dict(receipt.replies)
        last, envelope = self._receipts[-1], self._transaction.envelope
        return Receipt(
            envelope,
            last.reply,
            tuple(address for address in envelope.recipients if address not in refused),
            refused,
            last.message_id,
            replies=replies,
            timings=last.timings,
            tls=last.tls,
            parts=tuple(self._receipts),
        )
