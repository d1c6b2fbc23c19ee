"""What may stand in the header of a message that is built here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard, cast

from ehlo.address import Address, Mailbox, MailboxLike, mailboxes_at_once
from ehlo.errors import InvalidInput
from ehlo.message.group import Group
from ehlo.message.headers import FIELD_NAME_MAX, addresses, identifiers, unstructured
from ehlo.message.mailboxes import parse_mailboxes
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from ehlo.message.group import Entry

__all__ = [
    "FIELD_NAME",
    "EntryLike",
    "any_needs_smtputf8",
    "check_authors",
    "entries",
    "extra_field",
    "extra_fields",
    "holds_mailboxes",
    "is_taken_literally",
    "mailboxes",
    "members",
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

_ONE: Final = (str, Address, Mailbox)  # a union would be made anew each time

_MANY: Final = 4  # fewer are read one by one in less time

EntryLike = MailboxLike | Group
"""What a parameter for one mailbox or group takes."""


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
    if type(value) is str:
        return (Mailbox.parse(value),)
    if isinstance(value, _ONE):
        return (Mailbox.of(value),)
    if _is_pair(value):
        return (_pair(*value),)
    return tuple(Mailbox.of(item) for item in _several(value))


def entries(value: EntryLike | Iterable[EntryLike]) -> tuple[Entry, ...]:
    """Return the mailboxes and groups of a value that is one, or holds some.

    Args:
        value: As for `mailboxes`, and groups.

    Returns:
        The mailboxes and groups.

    Raises:
        InvalidAddress: As for `mailboxes`.
        InvalidInput: As for `mailboxes`.
        TypeError: As for `mailboxes`.
    """
    if type(value) is list:  # it is nothing else then
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(value, Group):
        return (value,)
    elif isinstance(value, _ONE):
        return (Mailbox.of(value),)
    elif _is_pair(value):
        return (_pair(*value),)
    else:
        items = list(_several(value))
    many = mailboxes_at_once(items) if len(items) >= _MANY else None
    return many or tuple([Mailbox.parse(it) if type(it) is str else _entry(it) for it in items])


def _several(values: Any) -> Any:  # noqa: ANN401 - whatever a caller passed
    """Refuse what is no list of mailboxes, but looks like one, or like nothing."""
    if values is None or isinstance(values, Mapping):
        kind = "None" if values is None else type(cast("object", values)).__name__
        raise TypeError(f"a mailbox is a text, and a list holds several: this is {kind}")
    return values


def _is_pair(value: object) -> TypeGuard[tuple[str, str | Address]]:
    match value:
        case (str(), str() | Address()):
            return isinstance(value, tuple)
        case _:
            return False


def _entry(value: EntryLike) -> Entry:
    return value if isinstance(value, Group) else Mailbox.of(value)


def members(found: Iterable[Entry]) -> Iterator[Mailbox]:
    """Go through all mailboxes, those in groups included."""
    for entry in found:
        if isinstance(entry, Group):
            yield from entry.mailboxes
        else:
            yield entry


def any_needs_smtputf8(found: Sequence[Entry]) -> bool:
    """Tell whether an address of some mailboxes and groups has no form in ASCII.

    Args:
        found: The mailboxes and groups.

    Returns:
        Whether a header that names them all needs SMTPUTF8 (RFC 6531).
    """
    # All at once, as of nearly all messages: it is asked of each recipient of each message.
    specs = [entry.address.spec for entry in found if type(entry) is Mailbox]
    if len(specs) == len(found) and "".join(specs).isascii():
        return False
    return any(mailbox.address.needs_smtputf8 for mailbox in members(found))


def check_authors(authors: tuple[Mailbox, ...], sender: Mailbox | None) -> None:
    """Refuse a message of nobody, and one of several without a sender (RFC 5322 section 3.6.2).

    Args:
        authors: The authors.
        sender: The sender.

    Raises:
        InvalidInput: See above.
    """
    if not authors:
        raise InvalidInput("a message needs an author")
    if len(authors) > 1 and sender is None:
        raise InvalidInput("several authors need a sender (RFC 5322 section 3.6.2)")


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


def extra_fields(
    headers: Mapping[str, str] | Iterable[tuple[str, str]], written: Collection[str] = ()
) -> tuple[tuple[str, str], ...]:
    """Check fields that a caller adds to a message.

    Args:
        headers: Their names and values.
        written: Fields that the message writes already, in lower case.

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
        if name.lower() in written:
            raise InvalidInput(f"the field {name} is given twice: as a parameter, and in headers=")
    once = [name.lower() for name, _ in pairs if name.lower() in _ONCE]
    if len(once) != len(set(once)):
        raise InvalidInput("In-Reply-To and References may stand only once (RFC 5322 section 3.6)")
    return pairs


def _check_name(name: str) -> None:
    if not FIELD_NAME.fullmatch(require_str("the name of a header field", name)):
        raise InvalidInput(f"not the name of a header field: {name[:FIELD_NAME_MAX]!r}")
    if name.lower() in _OWN or name.lower().startswith(_OWN_PREFIXES):
        raise InvalidInput(f"the field {name} is none that can be added to a message")


def extra_field(name: str, value: str, *, utf8: bool = False) -> str:
    """Write a field that a caller added.

    Args:
        name: The field's name.
        value: Its value.
        utf8: Whether the header may be UTF-8.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidInput: The field's value has a form (mailboxes, identifiers), and not this one.
    """
    writer = _writer(name.lower())
    return identifiers(name, value) if writer is None else writer(name, value, utf8=utf8)


def is_taken_literally(name: str) -> bool:
    """Return whether readers take the words of a field as they are, so that none may be encoded.

    Args:
        name: The field's name, in any case.

    Returns:
        True for identifiers and links: References, List-Unsubscribe and their like.
    """
    return name.lower() == "message-id" or _writer(name.lower()) is None


def holds_mailboxes(name: str) -> bool:
    """Return whether a field that a caller adds is a list of mailboxes.

    Args:
        name: The field's name, in any case.

    Returns:
        True for Errors-To, Mail-Followup-To and their like.
    """
    return _writer(name.lower()) is _address_field


class _Writer(Protocol):
    def __call__(self, name: str, text: str, *, utf8: bool) -> str: ...


def _writer(name: str) -> _Writer | None:
    """Return what writes a field; None for one that is taken literally."""
    return None if name.startswith("list-") else _WRITERS.get(name, unstructured)


def _address_field(name: str, text: str, *, utf8: bool) -> str:
    found = parse_mailboxes(text)
    if not found:
        raise InvalidInput(f"the field {name} holds no mailbox")
    return addresses(name, found, utf8=utf8)


_WRITERS: Final[dict[str, _Writer | None]] = {
    "disposition-notification-to": _address_field,
    "errors-to": _address_field,
    "mail-followup-to": _address_field,
    "mail-reply-to": _address_field,
    "return-receipt-to": _address_field,
    "auto-submitted": None,
    "in-reply-to": None,
    "received": None,
    "references": None,
}
"""Fields whose values are no mere text (None: readers take them literally); all others are."""
