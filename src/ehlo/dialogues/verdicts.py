"""What replies mean for a message: refusals, receipts, and what stays unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.errors import (
    ContentRefused,
    DeliveryUnknown,
    RecipientsRefused,
    SenderRefused,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import OnRefusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.address import Address
    from ehlo.commands import Mail
    from ehlo.errors import SMTPError
    from ehlo.reply import Reply

__all__ = ["content_refused", "recipients_refused", "sender_refused", "split", "unknown"]


def sender_refused(mail: Mail, reply: Reply) -> SenderRefused:
    """Return the error for a refused MAIL."""
    msg = f"the server refused the sender: {reply}"
    return SenderRefused(msg, phase=Phase.MAIL, command=mail.shown, reply=reply)


def content_refused(reply: Reply, phase: Phase, command: str) -> ContentRefused:
    """Return the error for refused content, or for the command that offered it."""
    msg = f"the server refused the message: {reply}"
    return ContentRefused(msg, phase=phase, command=command, reply=reply)


def split(
    replies: Mapping[Address, Reply],
) -> tuple[tuple[Address, ...], dict[Address, Reply]]:
    """Return who was accepted, and the refusals of the rest."""
    refused = {address: reply for address, reply in replies.items() if not reply.is_positive}
    return tuple(address for address in replies if address not in refused), refused


def recipients_refused(
    replies: Mapping[Address, Reply], policy: OnRefusal, phase: Phase
) -> RecipientsRefused | None:
    """Return why the message does not go to these recipients, if it does not.

    Args:
        replies: What the server said to each of them.
        policy: What the caller wants if it refuses some.
        phase: When it said so; behind the end of the content those accepted have got it.

    Returns:
        The error; None if the message goes on to whoever was accepted.
    """
    accepted, refused = split(replies)
    closing = any(reply.closes_session for reply in refused.values())
    delivered = phase is Phase.END_OF_CONTENT and bool(accepted)
    if not refused or (accepted and policy is OnRefusal.DELIVER and (delivered or not closing)):
        return None
    first, reply = next(iter(refused.items()))
    others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    msg = f"the server refused the recipient {first}{others}: {reply}"
    error = RecipientsRefused(
        msg, refused=refused, accepted=accepted, command=f"RCPT TO:<{first}>", phase=phase
    )
    if delivered:
        error.outcome = Outcome.ACCEPTED
        error.delivered = accepted
    return error


def unknown(cause: SMTPError, known: Mapping[Address, Reply]) -> DeliveryUnknown:
    """Return the error for a message whose end was sent and whose reply did not come.

    Args:
        cause: What happened instead.
        known: The replies that settle what became of a recipient: refusals, and the final replies
            that did come (LMTP gives one for each recipient).

    Returns:
        The error.
    """
    msg = (
        "the message was sent to its end, but no valid reply came back; the server may have "
        f"accepted it or not: {cause}"
    )
    error = DeliveryUnknown(msg, phase=Phase.END_OF_CONTENT, command=".", reply=cause.reply)
    error.delivered, error.refused = split(known)
    return error
