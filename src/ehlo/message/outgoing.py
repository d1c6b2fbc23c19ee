"""Whatever a caller wants to send, made ready for a transaction."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, Union

from ehlo.errors import InvalidInput
from ehlo.message.builder import Message
from ehlo.message.transfer import LINE_MAX, long_line

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from ehlo.envelope import Envelope

__all__ = ["Outgoing", "Sendable", "prepare"]

Sendable: TypeAlias = Union[
    Message, bytes, bytearray, memoryview, "email.message.Message[Any, Any]"
]
"""What can be sent: a message of ours or of the standard library, or octets."""

_HEADER_MAX: Final = 65_536
"""Octets searched for a Message-ID; a header that is longer has none for us."""
_FOUND_ID: Final = re.compile(rb"(?:^|\n)message-id:[ \t\r\n]*(<[!-~]{1,900}>)", re.IGNORECASE)
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What a transaction needs to know of a message.

    Attributes:
        envelope: Sender and recipients.
        content: The octets; line ends may be of any kind.
        is_eight_bit: Whether an octet is above 127.
        message_id: The Message-ID as it stands in the header, if there is one.
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
    """Make a message ready to be sent.

    Args:
        message: A `Message`, a message of the standard library, or octets. It is never changed.
        envelope: Sender and recipients; None takes them from the header.
        now: Returns the time, with an offset.
        make_id: Returns a fresh identifier of letters and digits.

    Returns:
        The message as a transaction takes it.

    Raises:
        InvalidInput: It cannot be sent as it is: no recipients, a line over 998 octets, NUL ...
        TypeError: It is nothing that can be sent.
    """
    if isinstance(message, Message):
        envelope = message.envelope() if envelope is None else envelope
        content, message_id = message.serialise(now=now, make_id=make_id)
        return Outgoing(envelope, content, is_eight_bit=False, message_id=message_id)
    if isinstance(message, bytes | bytearray | memoryview):
        return _octets(bytes(message), envelope)
    stdlib = sys.modules.get("email.message")
    if stdlib is not None and isinstance(message, stdlib.Message):
        # Whoever has such a message has paid for the import; nobody else should.
        from ehlo.message.stdlib import serialise  # noqa: PLC0415

        envelope, content, message_id = serialise(message, envelope, now, make_id)
        return Outgoing(envelope, content, not content.isascii(), message_id)
    msg = f"cannot send a {type(message).__name__}; make an ehlo.Message of it, or encode it"
    raise TypeError(msg)


def _octets(content: bytes, envelope: Envelope | None) -> Outgoing:
    if envelope is None:
        msg = "octets need an envelope: say envelope=ehlo.Envelope(sender, recipients)"
        raise InvalidInput(msg)
    if b"\0" in content:
        msg = f"the content holds NUL at position {content.index(0)}, which no server may be sent"
        raise InvalidInput(msg)
    if number := long_line(content):
        msg = f"line {number} of the content is longer than {LINE_MAX} octets (RFC 5321 4.5.3.1.6)"
        raise InvalidInput(msg)
    return Outgoing(envelope, content, not content.isascii(), find_message_id(content))


def find_message_id(content: bytes) -> str | None:
    """Return the Message-ID in the header of a message, if it has one that is well formed.

    Args:
        content: The octets of the message.

    Returns:
        The identifier with its angle brackets, or None.
    """
    head = content[:_HEADER_MAX]
    end = _END_OF_HEADER.search(head)
    match = _FOUND_ID.search(head[: end.start() + 1] if end else head)
    return match[1].decode("ascii") if match else None
