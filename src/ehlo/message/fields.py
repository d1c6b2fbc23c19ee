"""What may stand in the header of a message that is built here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from ehlo.address import Address, Mailbox, MailboxLike
from ehlo.errors import InvalidInput
from ehlo.message.headers import FIELD_NAME_MAX, addresses, identifiers, unstructured
from ehlo.message.mailboxes import parse_mailboxes
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "FIELD_NAME",
    "check_message_id",
    "extra_field",
    "extra_fields",
    "is_taken_literally",
    "mailboxes",
]

FIELD_NAME: Final = re.compile(rf"[!-9;-~]{{1,{FIELD_NAME_MAX}}}")
"""A field's name (RFC 5322 section 2.2)."""

_OWN: Final = {
    *("bcc", "cc", "date", "from", "message-id", "mime-version"),
    *("reply-to", "sender", "subject", "to"),
    "return-path",  # written by the last server of all (RFC 5321 section 4.4)
}
_OWN_PREFIXES: Final = ("content-", "resent-")
_ONCE: Final = {"in-reply-to", "references"}  # RFC 5322 section 3.6
_MESSAGE_ID_MAX: Final = 900  # characters, so that its line stays below 998
_MESSAGE_ID: Final = re.compile(r"<[!-;=?A-~]++@[!-;=?A-~]++>")


def mailboxes(value: MailboxLike | Iterable[MailboxLike]) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a value that is one, or holds some.

    Args:
        value: One mailbox in any form, or an iterable of them. A text is one mailbox, never a
            list; a bare tuple of two texts is one pair (name, address).

    Returns:
        The mailboxes.

    Raises:
        InvalidAddress: A text is not one mailbox.
        InvalidInput: Both texts of a bare pair are addresses, and different ones: whoever wrote
            that meant two recipients, and would lose one.
        TypeError: A value is no mailbox.
    """
    if isinstance(value, str | Address | Mailbox):
        return (Mailbox.of(value),)
    match value:
        case (str(name), str() | Address() as address) if isinstance(value, tuple):
            return (_pair(name, address),)
        case _:
            return tuple(Mailbox.of(item) for item in value)


def _pair(name: str, address: str | Address) -> Mailbox:
    mailbox = Mailbox.of((name, address))
    if name != mailbox.address.spec and _is_address(name):
        raise InvalidInput(
            "a tuple of two texts is one mailbox (name, address), and both of these are "
            "addresses; write a list for two mailboxes"
        )
    return mailbox


def _is_address(text: str) -> bool:
    try:
        return "@" in Mailbox.parse(text).address.spec
    except InvalidInput:
        return False


def check_message_id(message_id: str) -> str:
    """Return a Message-ID as it stands in the header.

    Args:
        message_id: The identifier, with or without its angle brackets.

    Returns:
        The identifier in angle brackets.

    Raises:
        InvalidInput: It is not printable ASCII with one @ in it and something on both its sides.
        TypeError: It is no text.
    """
    text = require_str("a Message-ID", message_id)
    bracketed = text if text.startswith("<") else f"<{text}>"
    if len(bracketed) > _MESSAGE_ID_MAX or not _MESSAGE_ID.fullmatch(bracketed):
        raise InvalidInput(f"not a Message-ID: {text[:_MESSAGE_ID_MAX]!r}")
    return bracketed


def extra_fields(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    """Check fields that a caller adds to a message.

    Args:
        headers: Their names and values.

    Returns:
        The same, as pairs.

    Raises:
        InvalidInput: A name is none, belongs to a field the message writes itself, or stands
            twice though it may not, or a value does not fit the field.
        TypeError: A name or a value is no text.
    """
    items = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    pairs = tuple((name, value) for name, value in items)
    for name, value in pairs:
        _check_name(name)
        refuse_control_characters(f"the field {name}", require_str(f"the field {name}", value))
        extra_field(name, value)  # raises what it would raise when the message is written
    once = [name.lower() for name, _ in pairs if name.lower() in _ONCE]
    if len(once) != len(set(once)):
        raise InvalidInput("In-Reply-To and References may stand only once (RFC 5322 section 3.6)")
    return pairs


def _check_name(name: str) -> None:
    if not FIELD_NAME.fullmatch(require_str("the name of a header field", name)):
        raise InvalidInput(f"not the name of a header field: {name[:FIELD_NAME_MAX]!r}")
    if name.lower() in _OWN or name.lower().startswith(_OWN_PREFIXES):
        raise InvalidInput(f"the field {name} is none that can be added to a message")


def extra_field(name: str, value: str) -> str:
    """Write a field that a caller added.

    Args:
        name: The field's name.
        value: Its value.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidInput: The field's value has a form (mailboxes, identifiers), and not this one.
    """
    return _writer(name.lower())(name, value)


def is_taken_literally(name: str) -> bool:
    """Return whether readers take the words of a field as they are, so that none may be encoded.

    Args:
        name: The field's name, in any case.

    Returns:
        True for identifiers and links: References, List-Unsubscribe and their like.
    """
    return name.lower() == "message-id" or _writer(name.lower()) is identifiers


def _writer(name: str) -> Callable[[str, str], str]:
    return identifiers if name.startswith("list-") else _WRITERS.get(name, unstructured)


def _address_field(name: str, value: str) -> str:
    found = parse_mailboxes(value)
    if not found:
        raise InvalidInput(f"the field {name} holds no mailbox")
    return addresses(name, found)


_WRITERS: Final = {
    "disposition-notification-to": _address_field,
    "errors-to": _address_field,
    "mail-followup-to": _address_field,
    "mail-reply-to": _address_field,
    "return-receipt-to": _address_field,
    "auto-submitted": identifiers,
    "in-reply-to": identifiers,
    "received": identifiers,
    "references": identifiers,
}
"""Fields whose values are no mere text; all others are unstructured."""
