"""A built message as octets: the whole header, then the body (RFC 5322 section 3.6)."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ehlo.commands import Body
from ehlo.content import LineEnds, Octets, Stream
from ehlo.message.dates import format_date
from ehlo.message.feeds import Feed
from ehlo.message.fields import extra_field
from ehlo.message.headers import addresses, fold, unstructured
from ehlo.message.identifiers import new_identifier, new_message_id
from ehlo.message.parts import message_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from datetime import datetime

    from ehlo.content import Form
    from ehlo.message.group import Entry
    from ehlo.message.message import Message

__all__ = ["Stamps", "Writing"]

_IN_MEMORY: Final = 131_072
"""Octets of a message that are rather joined than sent piece by piece."""
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
    resent: tuple[tuple[datetime, str], ...]

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
        return cls(
            message.date or now(),
            message.message_id or new_message_id(message.from_[0].address, make_id),
            tuple(
                (it.date or now(), it.message_id or new_message_id(it.from_[0].address, make_id))
                for it in message.resent
            ),
        )


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
        part = message_body(self._message, form.body, lambda: self._boundary)
        head = "".join((*self._fields(utf8=form.smtputf8), part.fields, "\r\n")).encode()
        has_utf8_header = not head.isascii()
        chunks = [head, *part.chunks]
        feeds = [chunk for chunk in chunks if isinstance(chunk, Feed)]
        sizes = [it.octets if isinstance(it, Feed) else len(it) for it in chunks]
        size = None if None in sizes else sum(it or 0 for it in sizes)
        is_eight_bit = has_utf8_header or part.body is not Body.SEVEN_BIT
        not_text = _IS_BINARY if part.body is Body.BINARY_MIME else ""
        if not feeds and size is not None and size <= _IN_MEMORY:
            octets = b"".join(cast("list[bytes]", chunks))
            is_binary = bool(not_text)
            return Octets(octets, is_eight_bit, has_utf8_header, not_text, is_binary, LineEnds.CRLF)
        is_async = any(feed.is_async for feed in feeds)
        return Stream(
            partial(_awaited if is_async else _pieces, chunks),
            size=size,
            octets=size,
            is_eight_bit=is_eight_bit,
            has_utf8_header=has_utf8_header,
            not_text=not_text,
            is_binary=bool(not_text),
            is_repeatable=all(feed.is_repeatable for feed in feeds),
            is_async=is_async,
            line_ends=LineEnds.CRLF,
        )

    @cached_property
    def _boundary(self) -> str:
        return new_identifier(self._make_id)

    def _fields(self, *, utf8: bool) -> Iterator[str]:
        message = self._message
        for resent, (date, message_id) in zip(message.resent, self._stamps.resent, strict=True):
            yield from resent.fields(date=date, message_id=message_id, utf8=utf8)
        yield f"Date: {format_date(self._stamps.date)}\r\n"
        for name, found in _address_fields(message):
            if found:
                yield addresses(name, found, utf8=utf8)
        yield f"Message-ID: {self._stamps.message_id}\r\n"
        if message.subject:
            yield unstructured("Subject", message.subject, utf8=utf8)
        if message.has_more_fields:
            yield from _more_fields(message, utf8=utf8)
        yield "MIME-Version: 1.0\r\n"


def _address_fields(message: Message) -> Iterator[tuple[str, Sequence[Entry]]]:
    yield "From", message.from_
    if message.sender is not None and message.from_ != (message.sender,):
        yield "Sender", (message.sender,)  # RFC 5322 section 3.6.2: not where it is the author
    yield "Reply-To", message.reply_to
    yield "To", message.to
    yield "Cc", message.cc


def _more_fields(message: Message, *, utf8: bool) -> Iterator[str]:
    """Write the fields that few messages have."""
    for name, found in (("In-Reply-To", message.in_reply_to), ("References", message.references)):
        if found:
            yield fold(f"{name}:", [f" {identifier}" for identifier in found])
    if message.auto_submitted is not None:
        yield f"Auto-Submitted: {message.auto_submitted}\r\n"
    if message.disposition_notification_to:
        name = "Disposition-Notification-To"
        yield addresses(name, message.disposition_notification_to, utf8=utf8)
    if message.mailing_list is not None:
        yield from message.mailing_list.fields(utf8=utf8)
    for name, value in message.headers:
        yield extra_field(name, value, utf8=utf8)


def _pieces(chunks: Sequence[bytes | Feed]) -> Iterator[bytes]:
    """Join what stands between feeds, so that few pieces are small."""
    held: list[bytes] = []
    for chunk in chunks:
        if isinstance(chunk, bytes):
            held.append(chunk)
            continue
        yield b"".join(held)
        held.clear()
        yield from chunk
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
