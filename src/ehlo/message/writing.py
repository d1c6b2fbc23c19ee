"""A built message as octets: the whole header, then the body (RFC 5322 section 3.6)."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ehlo.commands import Body
from ehlo.content import LineEnds, Octets, Stream
from ehlo.line_ends import PIECE
from ehlo.message.dates import format_date
from ehlo.message.feeds import Feed
from ehlo.message.fields import extra_field
from ehlo.message.headers import addresses, fold, unstructured
from ehlo.message.identifiers import new_identifier, new_message_id
from ehlo.message.parts import message_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from ehlo.address import Mailbox
    from ehlo.content import Form
    from ehlo.message.message import Message
    from ehlo.message.resent import Resent

__all__ = ["Stamps", "Writing"]

_IS_BINARY: Final = "the message has parts in binary"


class Stamps(NamedTuple):
    """What a message gets when it is sent.

    Attributes:
        date: The date.
        message_id: The Message-ID, with angle brackets.
        resent: Date and identifier of each block of Resent fields, in their order.
    """

    date: datetime
    message_id: str
    resent: Sequence[tuple[datetime, str]]

    @classmethod
    def of(
        cls, message: Message, now: Callable[[], datetime], make_id: Callable[[], str]
    ) -> Stamps:
        """Take what a message has, and make what it lacks.

        Args:
            message: The message.
            now: Tells the time; asked if there is no date.
            make_id: Makes identifiers; asked if there is no Message-ID.

        Returns:
            The stamps.

        Raises:
            InvalidInput: An identifier is none.
        """
        blocks = [_stamp(it, now, make_id) for it in message.resent] if message.resent else ()
        return cls(*_stamp(message, now, make_id), blocks)


def _stamp(
    value: Message | Resent, now: Callable[[], datetime], make_id: Callable[[], str]
) -> tuple[datetime, str]:
    date = value.date or now()
    return date, value.message_id or new_message_id(value.from_[0].address, make_id)


class Writing:
    """Writes a message, in any form and as often as need be, with the same stamps and boundaries.

    Args:
        message: The message.
        stamps: Its date and identifiers, which are written instead of its own.
        make_id: Makes the identifier for boundaries; asked once at most.
    """

    def __init__(self, message: Message, stamps: Stamps, make_id: Callable[[], str]) -> None:
        self._message = message
        self._stamps = stamps
        self._make_id = make_id

    def write(self, form: Form) -> Octets | Stream:
        """Write the message.

        Args:
            form: What may be in it.

        Returns:
            Lines of at most 998 octets, each ended by CRLF, or such with binary parts: all of them
            if they are few, or what makes them piece by piece.

        Raises:
            InvalidAddress: A domain has no form in ASCII, and needs one.
            InvalidInput: An address is not ASCII, or a part needs 8BITMIME, and may not; the date
                or an identifier is wrong.
        """
        part = message_body(self._message, form.body, self._new_boundary)
        fields = self._fields(form.smtputf8)
        fields += part.fields, "\r\n"
        head = "".join(fields).encode()
        is_eight_bit = part.body is not Body.SEVEN_BIT or not head.isascii()
        not_text = _IS_BINARY if part.body is Body.BINARY_MIME else ""
        chunks = [head, *part.chunks]
        feeds = [chunk for chunk in chunks if type(chunk) is Feed]
        known: Any = chunks
        if not feeds and sum(map(len, known)) <= PIECE:
            octets = b"".join(known)
            is_utf8, is_binary = not head.isascii(), bool(not_text)
            return Octets(octets, is_eight_bit, is_utf8, not_text, is_binary, LineEnds.CRLF)
        sizes = [it.octets if isinstance(it, Feed) else len(it) for it in chunks]
        size = None if None in sizes else sum(it or 0 for it in sizes)
        is_async = any(feed.is_async for feed in feeds)
        return Stream(
            partial(_awaited if is_async else _pieces, chunks),
            size=size,
            octets=size,
            is_eight_bit=is_eight_bit,
            has_utf8_header=not head.isascii(),
            not_text=not_text,
            is_binary=bool(not_text),
            is_repeatable=all(feed.is_repeatable for feed in feeds),
            is_async=is_async,
            line_ends=LineEnds.CRLF,
        )

    def _new_boundary(self) -> str:
        return self._boundary

    @cached_property
    def _boundary(self) -> str:
        return new_identifier(self._make_id)

    def _fields(self, utf8: bool) -> list[str]:  # noqa: FBT001 - private
        message, stamps = self._message, self._stamps
        fields = [*self._resent_fields(utf8)] if message.resent else []
        fields.append(f"Date: {format_date(stamps.date)}\r\n")
        fields.append(addresses("From", message.from_, utf8=utf8))
        if message.sender is not None and message.from_ != (message.sender,):
            # RFC 5322 section 3.6.2: not where it is the author
            fields.append(addresses("Sender", (message.sender,), utf8=utf8))
        if message.reply_to:
            fields.append(addresses("Reply-To", message.reply_to, utf8=utf8))
        if message.to:
            fields.append(addresses("To", message.to, utf8=utf8))
        if message.cc:
            fields.append(addresses("Cc", message.cc, utf8=utf8))
        fields.append(f"Message-ID: {stamps.message_id}\r\n")
        if message.subject:
            fields.append(unstructured("Subject", message.subject, utf8=utf8))
        if not _RARE.keys().isdisjoint(vars(message)):  # a message keeps only what it has
            for name, write in _RARE.items():
                value = getattr(message, name)
                fields += write(value, utf8) if value else ()
        fields.append("MIME-Version: 1.0\r\n")
        return fields

    def _resent_fields(self, utf8: bool) -> Iterator[str]:  # noqa: FBT001 - private
        for resent, (date, message_id) in zip(
            self._message.resent, self._stamps.resent, strict=True
        ):
            yield from resent.fields(date=date, message_id=message_id, utf8=utf8)


def _identifiers(name: str, value: Iterable[str], _utf8: bool) -> list[str]:  # noqa: FBT001 - private
    return [fold(f"{name}:", [f" {identifier}" for identifier in value])]


def _notified(value: Sequence[Mailbox], utf8: bool) -> list[str]:  # noqa: FBT001 - private
    return [addresses("Disposition-Notification-To", value, utf8=utf8)]


_RARE: Final[dict[str, Callable[[Any, bool], Iterable[str]]]] = {
    "in_reply_to": partial(_identifiers, "In-Reply-To"),
    "references": partial(_identifiers, "References"),
    "auto_submitted": lambda value, _: [f"Auto-Submitted: {value}\r\n"],
    "disposition_notification_to": _notified,
    "mailing_list": lambda value, utf8: value.fields(utf8=utf8),
    "headers": lambda value, utf8: [extra_field(name, text, utf8=utf8) for name, text in value],
}
"""What few messages have, in the order of their fields, and what writes it."""


def _pieces(chunks: Sequence[bytes | Feed]) -> Iterator[bytes]:
    """Join what stands between feeds, so that few pieces are small, and none is large."""
    held: list[bytes] = []
    octets = 0
    for chunk in chunks:
        if isinstance(chunk, Feed):
            yield b"".join(held)
            held, octets = [], 0
            yield from chunk
            continue
        if held and octets + len(chunk) > PIECE:
            yield b"".join(held)
            held, octets = [], 0
        held.append(chunk)
        octets += len(chunk)
    yield b"".join(held)


async def _awaited(chunks: Sequence[bytes | Feed]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if isinstance(chunk, bytes):
            yield chunk
        elif chunk.is_async:
            async for piece in chunk:
                yield piece
        else:
            for piece in chunk:
                yield piece
