"""From anything that can be sent to what a transaction needs to know."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from ehlo.errors import InvalidInput
from ehlo.message.message import Message
from ehlo.message.octets import check_content, message_id_of
from ehlo.message.writing import new_message_id, write_message

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from ehlo.envelope import Envelope

__all__ = ["Outgoing", "Sendable", "prepare"]

Sendable: TypeAlias = "Message | email.message.Message[Any, Any] | bytes | bytearray | memoryview"
"""What can be sent: a `Message`, one of the standard library, or the octets of one."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a transaction needs to know about a message.

    Attributes:
        envelope: Sender and recipients.
        content: The octets, as they were given or built. Their line ends may be of any kind.
        is_eight_bit: Whether there are octets above 127, so that the server must offer 8BITMIME.
        message_id: The Message-ID as it stands in the header, angle brackets included.
    """

    envelope: Envelope
    content: bytes
    is_eight_bit: bool
    message_id: str | None


def prepare(
    message: Sendable,
    envelope: Envelope | None = None,
    *,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> Outgoing:
    """Make ready whatever a caller wants to send.

    Args:
        message: The message. One of the standard library (`email.message`) is not changed: its
            copy loses Bcc and Resent-Bcc, gets a Date and a Message-ID if it has none, and is
            written in 7-bit form where that is possible. Octets are passed on as they are.
        envelope: Sender and recipients; None takes them from the message's header, which octets
            cannot have. Of the standard library's messages, Sender or else From is the sender, To,
            Cc and Bcc are the recipients; the latest block of Resent fields overrides them.
        now: Tells the time with its UTC offset; asked if the message has no date.
        make_id: Makes identifiers of letters and digits; asked if the message lacks any.

    Returns:
        What to send.

    Raises:
        InvalidInput: The message cannot be sent as it is: no recipient, octets without an
            envelope, a NUL, a line of more than 998 octets, a header that is not well-formed.
        InvalidAddress: A header holds an address that is none.
        TypeError: It is no message; in particular, a text is not: its encoding is unknown.
    """
    if isinstance(message, Message):
        return _built(message, envelope, now, make_id)
    if isinstance(message, bytes | bytearray | memoryview):
        return _octets(bytes(message), envelope)
    if _is_email(message):
        # brings in the email package, which the caller has loaded already
        from ehlo.message import stdlib  # noqa: PLC0415

        content, derived = stdlib.serialised(message, envelope, now=now, make_id=make_id)
        return _octets(content, derived)
    raise _not_sendable(message)


def _is_email(message: object) -> TypeGuard[email.message.Message[Any, Any]]:
    module = sys.modules.get("email.message")  # not loaded: then it is none
    return module is not None and isinstance(message, module.Message)


def _not_sendable(value: object) -> TypeError:
    hint = ": encode it, or make an ehlo.Message of it" if isinstance(value, str) else ""
    return TypeError(
        f"a message is a Message, an EmailMessage or bytes, not {type(value).__name__}{hint}"
    )


def _built(
    message: Message,
    envelope: Envelope | None,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> Outgoing:
    envelope = envelope or message.envelope()
    message_id = message.message_id or new_message_id(message.from_[0].address, make_id)
    content = write_message(
        message, date=message.date or now(), message_id=message_id, make_id=make_id
    )
    return Outgoing(envelope, content, is_eight_bit=False, message_id=message_id)


def _octets(content: bytes, envelope: Envelope | None) -> Outgoing:
    if envelope is None:
        raise InvalidInput("octets say nothing about their sender and recipients: pass an envelope")
    check_content(content)
    return Outgoing(
        envelope,
        content,
        is_eight_bit=not content.isascii(),
        message_id=message_id_of(content),
    )
