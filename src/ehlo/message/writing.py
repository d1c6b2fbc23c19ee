"""A built message as octets: the whole header, then the body (RFC 5322 section 3.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ehlo.errors import InvalidInput
from ehlo.message.dates import format_date
from ehlo.message.fields import extra_field
from ehlo.message.headers import addresses, unstructured
from ehlo.message.parts import message_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ehlo.address import Address, Mailbox
    from ehlo.message.message import Message

__all__ = ["new_identifier", "new_message_id", "write_message"]

# Of a Message-ID (RFC 5322 section 3.6.4) and of a boundary, which has 70 characters at most.
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9]++(?:[._-][A-Za-z0-9]++)*+")
_IDENTIFIER_MAX: Final = 60


def write_message(
    message: Message, *, date: datetime, message_id: str, make_id: Callable[[], str]
) -> bytes:
    """Write a message as it is sent.

    Args:
        message: The message; its own date and Message-ID are not looked at.
        date: The date to write.
        message_id: The Message-ID to write, with angle brackets.
        make_id: Makes identifiers for boundaries.

    Returns:
        ASCII lines of at most 998 octets, each ended by CRLF.

    Raises:
        InvalidInput: An address is not ASCII, or the date or an identifier is wrong.
    """
    body = message_body(
        text=message.text,
        html=message.html,
        attachments=message.attachments,
        make_id=lambda: new_identifier(make_id),
    )
    fields = (*_fields(message, format_date(date), message_id), body.fields, "\r\n")
    return b"".join(("".join(fields).encode("ascii"), *body.chunks))


def new_identifier(make_id: Callable[[], str]) -> str:
    """Make an identifier for a Message-ID or a boundary.

    Args:
        make_id: Makes identifiers.

    Returns:
        The identifier.

    Raises:
        InvalidInput: It is not 1 to 60 letters and digits, with single dots, hyphens and low
            lines between them.
    """
    identifier = make_id()
    if len(identifier) > _IDENTIFIER_MAX or not _IDENTIFIER.fullmatch(identifier):
        raise InvalidInput(f"not an identifier for a header: {identifier!r}")
    return identifier


def new_message_id(author: Address | None, make_id: Callable[[], str]) -> str:
    """Make a Message-ID in the author's domain.

    Args:
        author: The author's address. None, one without a domain or with one that is not ASCII
            stands for `localhost`.
        make_id: Makes identifiers.

    Returns:
        The identifier, with angle brackets.

    Raises:
        InvalidInput: See `new_identifier`.
    """
    domain = author.domain if author is not None and author.domain.isascii() else ""
    return f"<{new_identifier(make_id)}@{domain or 'localhost'}>"


def _fields(message: Message, date: str, message_id: str) -> Iterator[str]:
    yield f"Date: {date}\r\n"
    for name, found in _address_fields(message):
        if found:
            yield addresses(name, found)
    yield f"Message-ID: {message_id}\r\n"
    if message.subject:
        yield unstructured("Subject", message.subject)
    for name, value in message.headers:
        yield extra_field(name, value)
    yield "MIME-Version: 1.0\r\n"


def _address_fields(message: Message) -> Iterator[tuple[str, tuple[Mailbox, ...]]]:
    yield "From", message.from_
    if message.sender is not None and message.from_ != (message.sender,):
        yield "Sender", (message.sender,)  # RFC 5322 section 3.6.2: not where it is the author
    yield "Reply-To", message.reply_to
    yield "To", message.to
    yield "Cc", message.cc
