"""Messages of the standard library (`email.message`), read into our parts, and made of ours."""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import email.message

    from ehlo.message.message import MessageParts

__all__ = ["as_email", "read_email"]


def as_email(octets: bytes) -> email.message.EmailMessage:
    """Parse octets.

    Args:
        octets: A message.

    Returns:
        The message.
    """
    return message_from_bytes(octets, policy=policy.SMTP)


def read_email(message: email.message.Message[Any, Any]) -> MessageParts:
    raise NotImplementedError
