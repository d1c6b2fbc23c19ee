"""Messages of the standard library (`email.message`), read into our parts, and made of ours."""

from __future__ import annotations

from datetime import UTC
from email import message_from_bytes, policy
from email.errors import MessageError
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from ehlo.address import Mailbox
from ehlo.errors import InvalidInput
from ehlo.message.fields import is_taken_literally, members
from ehlo.message.group import Group
from ehlo.message.header_source import check_once, readable, unfolded
from ehlo.message.mailboxes import parse_groups
from ehlo.message.reading_parts import Body
from ehlo.message.resent import Resent

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from ehlo.message.group import Entry
    from ehlo.message.mailboxes import Group as GroupSource
    from ehlo.message.message import MessageParts

__all__ = ["as_email", "read_email"]

# What a message that is put together wrongly makes the email package raise.
_TROUBLE: Final = (MessageError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_RESENT: Final = "resent-"


def as_email(octets: bytes) -> email.message.EmailMessage:
    """Parse octets.

    Args:
        octets: A message.

    Returns:
        The message.
    """
    return message_from_bytes(octets, policy=policy.SMTP if octets.isascii() else policy.SMTPUTF8)


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
        self.source = readable(name, unfolded(name, source)).strip()

    @property
    def text(self) -> str:
        """The value as people read it."""
        return self._decoded(self.source)

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
        return str(policy.default.header_factory("subject", text))


class _Header:
    """The header of a message.

    Args:
        message: The message.
    """

    def __init__(self, message: email.message.Message[Any, Any]) -> None:
        self._fields = [_Field(name, value) for name, value in message.raw_items()]
        check_once([(field.name.lower(), field.source) for field in self._fields])

    def parts(self) -> MessageParts:
        parts: dict[str, Any] = {}
        rest: list[tuple[str, str]] = []
        for field in self._fields:
            name = field.name.lower()
            if name in _READERS:
                key, read = _READERS[name]
                # Groups apart: To, Cc and their kin are one list, however often they stand there.
                found = read(field)
                parts[key] = (*parts[key], *found) if key in _LISTS and key in parts else found
            elif not name.startswith(_NOT_OURS):
                literal = is_taken_literally(name)
                rest.append((field.name, field.source if literal else field.text))
        parts["resent"] = [self._resent(block) for block in self._resent_blocks()]
        parts["headers"] = [(name, value) for name, value in rest if value]
        return parts  # type: ignore[return-value]  # the keys are those of the table

    def _resent_blocks(self) -> Iterator[dict[str, _Field]]:
        """Part the blocks of Resent fields: each begins where the first field stands again."""
        block: dict[str, _Field] = {}
        for field in self._fields:
            name = field.name.lower()
            if not name.startswith(_RESENT):
                continue
            if block and name == next(iter(block)):
                yield block
                block = {}
            if name in block:
                raise InvalidInput("the blocks of Resent fields run into each other")
            block[name] = field
        if block:
            yield block

    def _resent(self, block: dict[str, _Field]) -> Resent:
        parts: dict[str, Any] = {}
        for name, field in block.items():
            key, read = _READERS.get(name.removeprefix(_RESENT), ("", None))
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
    "to": ("to", lambda field: field.entries),
    "cc": ("cc", lambda field: field.entries),
    "bcc": ("bcc", lambda field: field.entries),
    "subject": ("subject", lambda field: field.text),
    "date": ("date", lambda field: field.date if field.source else None),
    "message-id": ("message_id", lambda field: field.source or None),
    "in-reply-to": ("in_reply_to", lambda field: field.source),
    "references": ("references", lambda field: field.source),
    "disposition-notification-to": (
        "disposition_notification_to",
        lambda field: field.mailboxes,
    ),
}
_LISTS: Final = {"to", "cc", "bcc"}
_RESENT_PARTS: Final = {"from_", "sender", "to", "cc", "bcc", "date", "message_id"}
# Of the body, of another table, of the last server, or ours.
_NOT_OURS: Final = ("content-", _RESENT, "return-path", "mime-version")
