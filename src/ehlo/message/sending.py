"""From anything that can be sent to what a transaction needs to know."""

from __future__ import annotations

import sys
from functools import cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeGuard

from ehlo.commands import Body
from ehlo.content import Formed
from ehlo.errors import InvalidInput
from ehlo.message.identifiers import identifier_of
from ehlo.message.message import Message
from ehlo.message.octets import looked_at, message_id_of
from ehlo.message.sealed import Sealed, sealed_content
from ehlo.message.streams import stream
from ehlo.message.writing import Stamps, Writing

if TYPE_CHECKING:
    import email.message
    from collections.abc import AsyncIterable, Callable, Iterable
    from datetime import datetime
    from typing import Any

    from ehlo.content import Content
    from ehlo.envelope import Envelope
    from ehlo.message.sources import Readable
    from ehlo.message.stdlib import Serialised

__all__ = ["Outgoing", "Sendable", "prepare"]

Pieces: TypeAlias = "Readable | Iterable[bytes] | AsyncIterable[bytes]"
"""Octets that are read while they are sent."""
Sendable: TypeAlias = (
    "Message | Sealed | email.message.Message[Any, Any] | bytes | bytearray | memoryview | Pieces"
)
"""What can be sent: a `Message`, one of the standard library, a `Sealed` one, or the octets of one:
in memory, in a binary file that is open, or as an iterable or async iterable of pieces."""


_BUFFERS: Final = (bytearray, memoryview)  # a union would be made anew each time


class Outgoing(NamedTuple):
    """What a transaction needs to know about a message.

    Attributes:
        envelope: Sender and recipients.
        content: The octets, as they were given or built, and what is known of them.
        message_id: The Message-ID as it stands in the header, angle brackets included.
    """

    envelope: Envelope
    content: Content
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
            written in 7-bit form, or has one for a server without 8BITMIME. Octets are passed on
            as they are. A file is read through once here if it can be read again from where it
            stands.
        envelope: Sender and recipients; None takes them from the message's header, which octets
            cannot have. Of the standard library's messages, Sender or else From is the sender, To,
            Cc and Bcc are the recipients; the latest block of Resent fields overrides them.
        now: Tells the time with its UTC offset; asked if the message has no date.
        make_id: Makes identifiers of letters and digits; asked if the message lacks any.

    Returns:
        What to send.

    Raises:
        InvalidInput: The message cannot be sent as it is: no recipient, octets without an
            envelope, a header that is not well-formed.
        InvalidAddress: A header holds an address that is none.
        TypeError: It is no message; in particular, a text is not: its encoding is unknown.
    """
    if isinstance(message, bytes):
        return _octets(message, envelope)
    if isinstance(message, Message):
        return _built(message, envelope, now, make_id)
    if isinstance(message, Sealed):
        inner = prepare(message.message, envelope, now=now, make_id=make_id)
        return inner._replace(content=sealed_content(inner.content, message.seals))
    if isinstance(message, _BUFFERS):
        return _octets(bytes(message), envelope)
    if _is_email(message):
        serialised = _serialiser()
        content, found, message_id = serialised(message, envelope, now=now, make_id=make_id)
        return Outgoing(found, content, message_id)
    return _stream(message, envelope)


@cache
def _serialiser() -> Callable[..., Serialised]:
    # brings in the email package, which the caller has loaded already
    from ehlo.message.stdlib import serialised  # noqa: PLC0415

    return serialised


def _is_email(message: object) -> TypeGuard[email.message.Message[Any, Any]]:
    module = sys.modules.get("email.message")  # not loaded: then it is none
    return module is not None and isinstance(message, module.Message)


def _built(
    message: Message,
    envelope: Envelope | None,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> Outgoing:
    envelope = envelope or message.envelope()
    stamps = Stamps.of(message, now, make_id)
    # Boundaries go by the Message-ID, so that the same message is the same octets; where a part is
    # read in binary, and cannot be searched for them, nobody must be able to tell them beforehand.
    is_binary = message.transfer is Body.BINARY_MIME
    by_message_id = partial(identifier_of, stamps.message_id)
    write = Writing(message, stamps, make_id if is_binary else by_message_id).write
    needs_smtputf8 = message.needs_smtputf8
    files = message.files
    if not files:
        return Outgoing(
            envelope, Formed(write, message.transfer, needs_smtputf8), stamps.message_id
        )
    sources = [file.source for file in files if not isinstance(file.source, bytes)]
    content = Formed(
        write,
        message.transfer,
        needs_smtputf8,
        needs_eight_bit=any(file.needs_eight_bit for file in files),
        is_repeatable=all(source.is_repeatable for source in sources),
        is_async=any(source.is_async for source in sources),
    )
    return Outgoing(envelope, content, stamps.message_id)


def _octets(octets: bytes, envelope: Envelope | None) -> Outgoing:
    return Outgoing(_required(envelope), looked_at(octets), message_id_of(octets))


def _stream(message: object, envelope: Envelope | None) -> Outgoing:
    content, message_id = stream(message)
    return Outgoing(_required(envelope), content, message_id)


def _required(envelope: Envelope | None) -> Envelope:
    if envelope is None:
        raise InvalidInput("octets say nothing about their sender and recipients: pass an envelope")
    return envelope
