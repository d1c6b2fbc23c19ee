"""Messages with more recipients than a server takes at once (RFC 9422): several transactions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ehlo.content import Stream
from ehlo.dialogues.delivery import Delivery
from ehlo.errors import CapabilityMissing, RecipientsRefused, SMTPError
from ehlo.phase import Phase
from ehlo.policies import OnRefusal
from ehlo.receipt import Receipt

if TYPE_CHECKING:
    from ehlo.address import Address
    from ehlo.capabilities import Capabilities, Limits
    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.transaction import Transaction
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["deliver_parts", "parts"]


def parts(transaction: Transaction, offered: Capabilities) -> tuple[Transaction, ...]:
    """Cut a transaction into those that a server takes (RFC 9422 section 4).

    Args:
        transaction: What is to be sent.
        offered: What the server announced.

    Returns:
        The transaction itself if it fits the limits, or no limits were announced.

    Raises:
        CapabilityMissing: It does not fit, and its content can be read only once.
    """
    limits = offered.limits
    if limits is None:
        return (transaction,)
    groups = _groups(transaction.envelope.recipients, limits)
    if len(groups) == 1:
        return (transaction,)
    if isinstance(transaction.content, Stream) and not transaction.content.is_repeatable:
        msg = (
            f"the server takes the recipients in {len(groups)} transactions at the least, "
            "and the content can be read only once"
        )
        raise CapabilityMissing(msg, capability="LIMITS", phase=Phase.MAIL)
    envelope = transaction.envelope
    return tuple(replace(transaction, envelope=envelope.only(group)) for group in groups)


def _groups(recipients: tuple[Address, ...], limits: Limits) -> list[list[Address]]:
    groups: list[list[Address]] = [[]]
    domains: set[str] = set()
    for recipient in recipients:
        domain = recipient.domain.lower()
        if not _fits(len(groups[-1]), domains | {domain}, limits):
            groups.append([])
            domains = set()
        groups[-1].append(recipient)
        domains.add(domain)
    return groups


def _fits(recipients: int, domains: set[str], limits: Limits) -> bool:
    if not recipients:
        return True
    if limits.rcpt_max is not None and recipients >= limits.rcpt_max:
        return False
    return limits.rcpt_domain_max is None or len(domains) <= limits.rcpt_domain_max


def deliver_parts(
    connection: Connection, transaction: Transaction, cut: tuple[Transaction, ...]
) -> Dialogue[Receipt]:
    """Send a message in several transactions, one after the other.

    The first failure ends it, but that all recipients of a part are refused where the message goes
    to whoever is accepted. An error names those that have got the message already.

    Args:
        connection: A Connection that is idle.
        transaction: The message as a whole.
        cut: Its parts.

    Returns:
        One receipt for all; its `parts` are those of the parts.

    Raises:
        SMTPError: See `deliver`.
    """
    receipts: list[Receipt] = []
    refused: dict[Address, Reply] = {}
    failure: RecipientsRefused | None = None
    for part in cut:
        try:
            receipts.append((yield from Delivery(connection, part).run()))
        except RecipientsRefused as exc:
            failure = exc
            refused |= exc.refused
            if transaction.on_refusal is OnRefusal.ABORT or not connection.is_idle:
                raise _with_delivered(exc, receipts) from None
        except SMTPError as exc:
            raise _with_delivered(exc, receipts) from None
    if failure is not None and not receipts:
        failure.refused = refused
        raise failure
    return _joined(transaction, receipts, refused)


def _with_delivered(error: SMTPError, receipts: list[Receipt]) -> SMTPError:
    taken = tuple(address for receipt in receipts for address in receipt.accepted)
    error.delivered = taken + error.delivered
    return error


def _joined(
    transaction: Transaction, receipts: list[Receipt], refused: dict[Address, Reply]
) -> Receipt:
    last = receipts[-1]
    replies: dict[Address, Reply] = {}
    for receipt in receipts:
        refused |= receipt.refused
        replies |= dict.fromkeys(receipt.accepted, receipt.reply) | receipt.replies
    return Receipt(
        transaction.envelope,
        last.reply,
        tuple(address for address in transaction.envelope.recipients if address not in refused),
        refused,
        last.message_id,
        replies=replies,
        timings=last.timings,
        tls=last.tls,
        parts=tuple(receipts),
    )
