"""Messages of the standard library (`email.message`), read into our parts, and made of ours."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from ehlo.address import Mailbox
from ehlo.errors import InvalidInput
from ehlo.message.encoded_words import decoded_words
from ehlo.message.fields import holds_mailboxes, is_taken_literally, members
from ehlo.message.group import Group
from ehlo.message.header_source import check_once, readable, unfolded
from ehlo.message.mailboxes import parse_groups
from ehlo.message.reading_parts import Body
from ehlo.message.resent import Resent

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from ehlo.message.group import Entry
    from ehlo.message.mailboxes import Group as GroupSource
    from ehlo.message.message import MessageParts

__all__ = ["as_email", "read_email"]

# What a message that is put together wrongly makes the email package raise.
_TROUBLE: Final = (
    *(MessageError, AttributeError, LookupError),
    *(OverflowError, RecursionError, TypeError, ValueError),
)
_RESENT: Final = "resent-"


def as_email(octets: bytes) -> email.message.EmailMessage:
    """Parse octets.

    Args:
        octets: A message. Its header may be UTF-8.

    Returns:
        The message.
    """
    head, _, _ = octets.partition(b"\r\n\r\n")
    if head.isascii():
        return message_from_bytes(octets, policy=policy.SMTP)
    message = message_from_bytes(octets, policy=policy.SMTPUTF8)
    # The parser takes octets above 127 for those of an unknown charset, and hides them.
    fields = [(name, readable(name, value)) for name, value in message.raw_items()]
    for name in message.keys():  # noqa: SIM118 - a message is no mapping
        del message[name]
    for name, value in fields:
        message.set_raw(name, value)
    return message


def read_email(message: email.message.Message[Any, Any]) -> MessageParts:
    """Take a message of the standard library apart.

    Args:
        message: The message; it is not changed.

    Returns:
        The arguments of a `Message`.

    Raises:
        InvalidAddress: A field is no list of mailboxes.
        InvalidInput: The header is not well-formed, or the tree of parts is none of ours.
    """
    given: Any = message  # of whatever type a caller has passed
    if not isinstance(given, Message):
        hint = ": it has a method message()" if hasattr(message, "message") else ""
        kind = type(message).__name__
        raise TypeError(f"a message of the standard library is wanted, not {kind}{hint}")
    try:
        header = _Header(message)
        return {**header.parts(), **Body(message).parts()}
    except InvalidInput:
        raise
    except _TROUBLE as exc:
        raise InvalidInput(f"the message cannot be read: {exc}") from exc


class _Field:
    """A field of a header.

    Args:
        name: Its name.
        value: What the message holds: the source, or a value that was set and is decoded.
    """

    def __init__(self, name: str, value: Any) -> None:  # noqa: ANN401 - up to the message's maker
        self.name = name
        self._is_decoded = hasattr(value, "name")
        source = str(value) if isinstance(value, str) else value.encode()
        # A tab is white space that many fold with; it may not stand on our lines.
        self.source = readable(name, unfolded(name, source)).replace("\t", " ").strip()

    @property
    def text(self) -> str:
        """The value as people read it."""
        return self._decoded(self.source)

    @property
    def value(self) -> str:
        """The value in the form that the parameter `headers` takes."""
        if holds_mailboxes(self.name):  # decoded as a whole, a name might become an address
            return ", ".join(map(str, self.mailboxes))
        return self.source if is_taken_literally(self.name) else self.text

    @property
    def identifiers(self) -> list[str]:
        """The identifiers; white space between them is optional (RFC 5322 section 3.6.4)."""
        return self.source.replace("><", "> <").split()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The mailboxes and groups: found first, and decoded then, so that none is smuggled in."""
        return tuple(map(self._entry, parse_groups(self.source)))

    @property
    def mailboxes(self) -> tuple[Mailbox, ...]:
        """The mailboxes, those in groups included."""
        return tuple(members(self.entries))

    @property
    def date(self) -> datetime:
        """The date; one without an offset is in UTC (RFC 5322 section 3.3)."""
        found = parsedate_to_datetime(self.source)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _entry(self, group: GroupSource) -> Entry:
        members = [self._mailbox(member.mailbox) for member in group.members]
        return members[0] if group.name is None else Group(self._decoded(group.name), members)

    def _mailbox(self, mailbox: Mailbox) -> Mailbox:
        return Mailbox(mailbox.address, self._decoded(mailbox.name)) if mailbox.name else mailbox

    def _decoded(self, text: str) -> str:
        if self._is_decoded or "=?" not in text:
            return text
        return decoded_words(text).replace("\t", " ")


class _Header:
    """The header of a message.

    Args:
        message: The message.
    """

    def __init__(self, message: email.message.Message[Any, Any]) -> None:
        self._fields = [_Field(name, value) for name, value in message.raw_items()]
        check_once([(field.name.lower(), field.source) for field in self._fields])

    def parts(self) -> MessageParts:
        parts: dict[str, Any] = {"from_": ()}  # none is refused by the message
        lists: defaultdict[str, list[Any]] = defaultdict(list)
        for field in self._fields:
            name = field.name.lower()
            if name in _LISTS:
                # To, Cc and their kin are one list, however often they stand there.
                key, read = _LISTS[name]
                lists[key] += read(field)
            elif name in _READERS:
                key, read = _READERS[name]
                parts[key] = read(field)
            elif not name.startswith(_NOT_OURS) and (value := field.value):
                lists["headers"].append((field.name, value))
        parts |= lists
        parts["resent"] = list(map(_resent, self._resent_blocks()))
        return parts  # type: ignore[return-value]  # the keys are those of the tables

    def _resent_blocks(self) -> Iterator[dict[str, _Field]]:
        """Part the blocks of Resent fields.

        Each begins where the first field stands again, or behind another field (RFC 5322 section
        3.6.6: those of a block stand together).
        """
        block: dict[str, _Field] = {}
        for field in self._fields:
            name = field.name.lower()
            if block and (not name.startswith(_RESENT) or name == next(iter(block))):
                yield block
                block = {}
            if name in block:
                raise InvalidInput("the blocks of Resent fields run into each other")
            if name.startswith(_RESENT):
                block[name] = field
        if block:
            yield block


def _resent(block: dict[str, _Field]) -> Resent:
    parts: dict[str, Any] = {"from_": ()}  # none is refused by the block
    for name, field in block.items():
        table = _LISTS if name.removeprefix(_RESENT) in _LISTS else _READERS
        key, read = table.get(name.removeprefix(_RESENT), ("", None))
        if read is None or key not in _RESENT_PARTS:
            raise InvalidInput(f"the field {field.name} is none that can be kept")
        parts[key] = read(field)
    return Resent(**parts)


def _one(field: _Field) -> Mailbox | None:
    return next(iter(field.mailboxes), None)


_READERS: Final[dict[str, tuple[str, Callable[[_Field], Any]]]] = {
    "from": ("from_", lambda field: field.mailboxes),
    "sender": ("sender", _one),
    "reply-to": ("reply_to", lambda field: field.entries),
    "subject": ("subject", lambda field: field.text),
    "date": ("date", lambda field: field.date if field.source else None),
    "message-id": ("message_id", lambda field: field.source or None),
}
_LISTS: Final[dict[str, tuple[str, Callable[[_Field], Iterable[Any]]]]] = {
    "to": ("to", lambda field: field.entries),
    "cc": ("cc", lambda field: field.entries),
    "bcc": ("bcc", lambda field: field.entries),
    "in-reply-to": ("in_reply_to", lambda field: field.identifiers),
    "references": ("references", lambda field: field.identifiers),
    "disposition-notification-to": (
        "disposition_notification_to",
        lambda field: field.mailboxes,
    ),
}
_RESENT_PARTS: Final = {"from_", "sender", "to", "cc", "bcc", "date", "message_id"}
# Of the body, of another table, of the last server, or ours.
_NOT_OURS: Final = ("content-", _RESENT, "return-path", "mime-version")
