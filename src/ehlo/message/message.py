"""Messages: what to say, and to whom."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, Self, TypedDict, cast

from typing_extensions import Unpack, override

from ehlo.address import Mailbox, MailboxLike
from ehlo.commands import Body
from ehlo.content import Form, Octets
from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message.alternatives import Alternative, Calendar, checked_text
from ehlo.message.attachment import Attachment
from ehlo.message.dates import check_date
from ehlo.message.fields import (
    any_needs_smtputf8,
    check_authors,
    entries,
    extra_fields,
    mailboxes,
    members,
)
from ehlo.message.identifiers import check_message_id, identifier_of, message_ids
from ehlo.message.mailing_list import MailingList
from ehlo.message.octets import joined
from ehlo.message.resent import Resent
from ehlo.message.writing import Stamps, Writing
from ehlo.policies import chosen
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from ehlo.content import Stream
    from ehlo.message.fields import EntryLike
    from ehlo.message.group import Entry

__all__ = ["AutoSubmitted", "Message", "MessageParts"]


class AutoSubmitted(StrEnum):
    """Who sent a message if no person did (RFC 3834 section 5, RFC 5436 section 2.7.1)."""

    GENERATED = "auto-generated"
    """A program, by itself: a newsletter, a report, a reminder."""
    REPLIED = "auto-replied"
    """A program, in answer to one message: a note of absence, a receipt."""
    NOTIFIED = "auto-notified"
    """A filter that tells of a message that came in."""
    NO = "no"
    """A person, after all; as if the field were not there."""


class MessageParts(TypedDict, total=False):
    """The keyword arguments of `Message`, for `Message.replace`."""

    from_: MailboxLike | Sequence[MailboxLike]
    to: EntryLike | Iterable[EntryLike]
    cc: EntryLike | Iterable[EntryLike]
    bcc: EntryLike | Iterable[EntryLike]
    reply_to: EntryLike | Iterable[EntryLike]
    sender: MailboxLike | None
    subject: str
    text: str | None
    html: str | None
    alternatives: Alternative | Iterable[Alternative]
    inline: Attachment | Iterable[Attachment]
    calendar: Calendar | None
    attachments: Attachment | Iterable[Attachment]
    in_reply_to: str | Iterable[str] | None
    references: str | Iterable[str] | None
    auto_submitted: AutoSubmitted | str | None
    disposition_notification_to: MailboxLike | Iterable[MailboxLike]
    mailing_list: MailingList | None
    resent: Resent | Iterable[Resent]
    headers: Mapping[str, str] | Iterable[tuple[str, str]]
    date: datetime | None
    message_id: str | None
    transfer: Body | str


_NONE: Final = ()


@dataclass(frozen=True, init=False, repr=False)
class Message:
    """A mail message: values that are checked when it is made and never change.

    A parameter for mailboxes takes one (a text, an `Address`, a `Mailbox`, a pair of name and
    address) or a sequence of them, and where that is said groups. A text is always one mailbox,
    never a list; a bare tuple of two texts is always one pair (name, address): write a list for two
    mailboxes.

    All texts may be in any script; they are written so that every server takes them. What looks
    encoded (`=?utf-8?...?=`) in a subject, a name or an added field is text and arrives as it is.

    Args:
        from_: The author, or the authors; several need a `sender`. Bounces go to the sender, or
            else to the author.
        to: The recipients, and groups of them.
        cc: Those who get a copy, and groups of them.
        bcc: Those who get a copy that nobody else knows of: no header names them.
        reply_to: Where answers go, if not to the author.
        sender: Who sends it, if that is not the author.
        subject: The subject; an empty one is left out.
        text: The text. Any line ends will do, and the last line need not be ended.
        html: The same as HTML; a reader shows one or the other.
        alternatives: The same in other forms yet.
        inline: What the HTML shows: images with a `content_id`.
        calendar: An invitation.
        attachments: Files that go with it.
        in_reply_to: The identifier of the message it answers, or several.
        references: The identifiers of the conversation, the oldest first.
        auto_submitted: What it is if no person sent it, so that no robot answers.
        disposition_notification_to: Where readers may tell that it was read (RFC 8098).
        mailing_list: The list or newsletter that it comes from.
        resent: Who has sent it on; of several the latest stands first, and is whom the envelope is
            taken from.
        headers: More fields, as pairs of name and value, or a mapping.
        date: When it was written, with a UTC offset; None for when it is sent.
        message_id: Its identifier, with or without angle brackets; None makes one when it is sent.
            To send a message again is to send the same identifier: set it if you may have to.
        transfer: The most that may be asked of a server: `7BIT` for a message that everybody takes,
            `8BITMIME` for texts as they are where it is offered, `BINARYMIME` for attachments as
            they are where that is: a third smaller, but for servers one knows.

    Raises:
        InvalidAddress: A text is not one mailbox.
        InvalidInput: A value cannot stand in a message: control characters, no author, several
            authors without a sender, a field that the message writes itself, a date without an
            offset, inline parts without HTML or without a `content_id`.
        TypeError: A value is of a type that cannot be meant.

    Attributes:
        from_: The authors.
        to: The recipients: `Mailbox` and `Group`.
        cc: As above.
        bcc: As above.
        reply_to: As above.
        sender: As above.
        subject: As above.
        text: As above.
        html: As above.
        alternatives: As above.
        inline: As above.
        calendar: As above.
        attachments: As above.
        in_reply_to: The identifiers, with angle brackets.
        references: The identifiers, with angle brackets.
        auto_submitted: As above.
        disposition_notification_to: As above.
        mailing_list: As above.
        resent: As above.
        headers: The added fields, as pairs.
        date: As above.
        message_id: As above, with angle brackets.
        transfer: As above.
    """

    from_: tuple[Mailbox, ...]
    to: tuple[Entry, ...] = ()
    cc: tuple[Entry, ...] = ()
    bcc: tuple[Entry, ...] = ()
    reply_to: tuple[Entry, ...] = ()
    sender: Mailbox | None = None
    subject: str = ""
    text: str | None = None
    html: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    inline: tuple[Attachment, ...] = ()
    calendar: Calendar | None = None
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    auto_submitted: AutoSubmitted | None = None
    disposition_notification_to: tuple[Mailbox, ...] = ()
    mailing_list: MailingList | None = None
    resent: tuple[Resent, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    date: datetime | None = None
    message_id: str | None = None
    transfer: Body = Body.EIGHT_BIT_MIME

    def __init__(  # noqa: C901, PLR0912, PLR0913, PLR0915 - one for each thing a message has, by name
        self,
        *,
        from_: MailboxLike | Sequence[MailboxLike],
        to: EntryLike | Iterable[EntryLike] = (),
        cc: EntryLike | Iterable[EntryLike] = (),
        bcc: EntryLike | Iterable[EntryLike] = (),
        reply_to: EntryLike | Iterable[EntryLike] = (),
        sender: MailboxLike | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        alternatives: Alternative | Iterable[Alternative] = (),
        inline: Attachment | Iterable[Attachment] = (),
        calendar: Calendar | None = None,
        attachments: Attachment | Iterable[Attachment] = (),
        in_reply_to: str | Iterable[str] | None = None,
        references: str | Iterable[str] | None = None,
        auto_submitted: AutoSubmitted | str | None = None,
        disposition_notification_to: MailboxLike | Iterable[MailboxLike] = (),
        mailing_list: MailingList | None = None,
        resent: Resent | Iterable[Resent] = (),
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        date: datetime | None = None,
        message_id: str | None = None,
        transfer: Body | str = Body.EIGHT_BIT_MIME,
    ) -> None:
        # What a message has not is as the class says, and nothing is called or kept for it.
        parts = vars(self)
        parts["from_"] = mailboxes(from_)
        if to is not _NONE:
            parts["to"] = entries(to)
        if cc is not _NONE:
            parts["cc"] = entries(cc)
        if bcc is not _NONE:
            parts["bcc"] = entries(bcc)
        if reply_to is not _NONE:
            parts["reply_to"] = entries(reply_to)
        if sender is not None:
            parts["sender"] = Mailbox.of(sender)
        if type(subject) is not str or subject:
            parts["subject"] = _checked_subject(subject)
        if text is not None:
            parts["text"] = checked_text("text", text)
        if html is not None:
            parts["html"] = checked_text("html", html)
        if alternatives is not _NONE:
            parts["alternatives"] = _all(Alternative, alternatives)
        if inline is not _NONE:
            parts["inline"] = _all(Attachment, inline)
        if calendar is not None:
            parts["calendar"] = _one(Calendar, calendar)
        if attachments is not _NONE:
            parts["attachments"] = _all(Attachment, attachments)
        if in_reply_to is not None:
            parts["in_reply_to"] = message_ids(in_reply_to)
        if references is not None:
            parts["references"] = message_ids(references)
        if auto_submitted is not None:
            parts["auto_submitted"] = chosen(AutoSubmitted, auto_submitted)
        if disposition_notification_to is not _NONE:
            parts["disposition_notification_to"] = mailboxes(disposition_notification_to)
        if mailing_list is not None:
            parts["mailing_list"] = _one(MailingList, mailing_list)
        if resent is not _NONE:
            parts["resent"] = _all(Resent, resent)
        if headers:
            parts["headers"] = extra_fields(headers, set(self._written()))
        if date is not None:
            check_date(date)
            parts["date"] = date
        if message_id is not None:
            parts["message_id"] = check_message_id(message_id)
        if transfer is not Body.EIGHT_BIT_MIME:
            parts["transfer"] = chosen(Body, transfer)
        if len(self.from_) != 1:
            check_authors(self.from_, self.sender)
        if self.inline:
            self._check_inline()

    def replace(self, **changes: Unpack[MessageParts]) -> Self:
        """Return the same message with other values for some of its parts.

        Args:
            changes: As for the class.

        Returns:
            The new message.

        Raises:
            InvalidInput: As for the class; InvalidAddress and TypeError likewise.
        """
        parts = {name: getattr(self, name) for name in _NAMES} | changes
        return type(self)(**cast("Any", parts))

    def envelope(self) -> Envelope:
        """Return whom the message is from and whom it goes to.

        Returns:
            The sender, or else the author, and everybody in to, cc and bcc, each once. If it was
            resent, those of the latest block.

        Raises:
            InvalidInput: There is no recipient.
        """
        source = self.resent[0] if self.resent else self
        sender = source.sender or source.from_[0]
        return Envelope(sender, list(members((*source.to, *source.cc, *source.bcc))))

    # -- As octets --------------------------------------------------------------------------------

    def as_bytes(
        self,
        *,
        now: datetime | None = None,
        make_id: Callable[[], str] | None = None,
        transfer: Body | str = Body.SEVEN_BIT,
        smtputf8: bool | None = None,
    ) -> bytes:
        """Write the message as it is sent (RFC 5322, MIME).

        The same message with the same arguments, and an identifier source that returns the same,
        gives the same octets.

        Args:
            now: The date of a message that has none; it has a UTC offset.
            make_id: Makes identifiers of 1 to 60 letters and digits: for the Message-ID of a
                message that has none, and for the boundaries of one that has several parts. Without
                it boundaries are made of the Message-ID.
            transfer: The octets that may be in it; see the class.
            smtputf8: Whether its header may be UTF-8, as where a server takes SMTPUTF8 (RFC 6532);
                None for where an address asks for it.

        Returns:
            Lines of at most 998 octets, each ended by CRLF, or such with binary parts. Bcc is not
            in it.

        Raises:
            InvalidInput: The message needs one of the arguments and it is not there or wrong; or it
                cannot be had in that form; or it has parts that must be awaited.
        """
        content = self._content(now, make_id, transfer, smtputf8)
        if isinstance(content, Octets):
            return content.octets
        return joined(_now(content), content.octets or 0)

    def iter_bytes(
        self,
        *,
        now: datetime | None = None,
        make_id: Callable[[], str] | None = None,
        transfer: Body | str = Body.SEVEN_BIT,
        smtputf8: bool | None = None,
    ) -> Iterator[bytes]:
        """Write the message piece by piece, in flat memory; see `as_bytes`.

        Returns:
            The pieces, at most 128 KiB each, or as large as its texts and what goes in binary.
        """
        content = self._content(now, make_id, transfer, smtputf8)
        return iter((content.octets,)) if isinstance(content, Octets) else _now(content)

    async def aiter_bytes(
        self,
        *,
        now: datetime | None = None,
        make_id: Callable[[], str] | None = None,
        transfer: Body | str = Body.SEVEN_BIT,
        smtputf8: bool | None = None,
    ) -> AsyncIterator[bytes]:
        """Write the message piece by piece, awaiting attachments that need it; see `as_bytes`."""
        content = self._content(now, make_id, transfer, smtputf8)
        pieces = iter((content.octets,)) if isinstance(content, Octets) else content.pieces()
        if isinstance(pieces, AsyncIterator):
            async for piece in pieces:
                yield bytes(piece)
        else:
            for piece in pieces:
                yield bytes(piece)

    def size(
        self,
        *,
        now: datetime | None = None,
        make_id: Callable[[], str] | None = None,
        transfer: Body | str = Body.SEVEN_BIT,
        smtputf8: bool | None = None,
    ) -> int | None:
        """Return how many octets `as_bytes` would return, without reading large attachments.

        Returns:
            The size; None if that of an attachment is not known.
        """
        content = self._content(now, make_id, transfer, smtputf8)
        return len(content.octets) if isinstance(content, Octets) else content.octets

    def _content(
        self,
        now: datetime | None,
        make_id: Callable[[], str] | None,
        transfer: Body | str,
        smtputf8: bool | None,  # noqa: FBT001 - private
    ) -> Octets | Stream:
        stamps = Stamps.of(
            self, _no_date if now is None else lambda: now, make_id or _no_identifiers
        )
        make = make_id or partial(identifier_of, stamps.message_id)
        utf8 = self.needs_smtputf8 if smtputf8 is None else smtputf8
        most = transfer if type(transfer) is Body else chosen(Body, transfer)
        return Writing(self, stamps, make).write(Form(most, utf8))

    # -- The standard library ---------------------------------------------------------------------

    @classmethod
    def from_email(cls, message: email.message.Message[Any, Any]) -> Self:
        """Read a message of the standard library.

        Args:
            message: An `email.message.EmailMessage`, or a message of the older kind. It is not
                changed.

        Returns:
            The same message, in our parts.

        Raises:
            InvalidInput: It is of a shape that is none of ours (signed, encrypted, reports): such a
                message is sent as it is, or as octets. Or its header is not well-formed.
        """
        from ehlo.message.reading import read_email  # noqa: PLC0415 - brings in the email package

        return cls(**read_email(message))

    def as_email(
        self, *, now: datetime | None = None, make_id: Callable[[], str] | None = None
    ) -> email.message.EmailMessage:
        """Return the message as one of the standard library; see `as_bytes`.

        Returns:
            What its parser makes of the octets. Bcc is not in it.
        """
        from ehlo.message.reading import as_email  # noqa: PLC0415 - brings in the email package

        needs_eight_bit = any(file.needs_eight_bit for file in self.files)
        transfer = Body.EIGHT_BIT_MIME if needs_eight_bit else Body.SEVEN_BIT
        return as_email(self.as_bytes(now=now, make_id=make_id, transfer=transfer))

    # -- What it is -------------------------------------------------------------------------------

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address in its header has no form in ASCII, so that it needs SMTPUTF8."""
        found = (*self.from_, *self.to, *self.cc, *self.reply_to, *self.disposition_notification_to)
        if self.sender is not None:
            found += (self.sender,)
        for block in self.resent:
            found += (
                *block.from_,
                *block.to,
                *block.cc,
                *(() if block.sender is None else (block.sender,)),
            )
        return any_needs_smtputf8(found)

    @property
    def files(self) -> tuple[Attachment, ...]:
        """All that is read or copied when it is written: attachments and inline parts."""
        return (*self.attachments, *self.inline) if self.inline else self.attachments

    @property
    def has_parts(self) -> bool:
        """Whether it has anything but its text, and HTML."""
        return bool(self.attachments or self.inline or self.alternatives or self.calendar)

    def _written(self) -> Iterator[str]:
        """Name the fields that parameters fill, of those that may be in `headers` as well."""
        for name in _ALSO_FIELDS:
            if getattr(self, name):
                yield name.replace("_", "-")
        if self.mailing_list is not None:
            for field in self.mailing_list.fields():
                yield field.partition(":")[0].lower()

    def _check_inline(self) -> None:
        if self.html is None:
            raise InvalidInput("inline parts are shown by HTML, and there is none")
        identifiers = [part.content_id for part in self.inline]
        if None in identifiers:
            raise InvalidInput("an inline part needs a content_id, by which the HTML shows it")
        if len(set(identifiers)) != len(identifiers):
            raise InvalidInput("two inline parts have the same content_id")

    @override
    def __repr__(self) -> str:
        """Return what it has, without its texts; also of one that was refused half-made."""
        shown = [f"{name}={value!r}" for name, value in self._shown()]
        return f"Message({', '.join(shown)})"

    def _shown(self) -> Iterator[tuple[str, object]]:
        for name in _NAMES:
            value = getattr(self, name, None)
            if name in _TEXTS and value is not None:
                yield name, _Characters(len(value))
            elif value not in _NOTHING and (name, value) != ("transfer", Body.EIGHT_BIT_MIME):
                yield name, value


_NAMES: Final = tuple(field.name for field in fields(Message))
_TEXTS: Final = ("text", "html")
_NOTHING: Final = (None, (), "")
_ALSO_FIELDS: Final = (
    *("auto_submitted", "disposition_notification_to", "in_reply_to", "references"),
)


class _Characters(int):
    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return f"<{int(self)} characters>"


def _now(content: Stream) -> Iterator[bytes]:
    """Begin to read what need not be awaited."""
    pieces = content.pieces()
    if isinstance(pieces, AsyncIterator):
        raise InvalidInput("the message has attachments that must be awaited: use aiter_bytes")
    return cast("Iterator[bytes]", pieces)


def _no_identifiers() -> NoReturn:
    raise InvalidInput(
        "the message has no message_id: pass `make_id`, or let ehlo.stamped(message) make one"
    )


def _no_date() -> NoReturn:
    raise InvalidInput("the message has no date: pass `now`, or take ehlo.stamped(message)")


def _checked_subject(subject: str) -> str:
    if type(subject) is str and subject.isprintable():  # nearly always
        return subject
    return refuse_control_characters("the subject", require_str("subject", subject))


def _all(kind: type[Any], values: Any) -> tuple[Any, ...]:  # noqa: ANN401 - one, or some
    if isinstance(values, kind):
        return (values,)
    if values is None:
        raise TypeError(f"{kind.__name__} is wanted here, or a list of them, not None")
    return tuple(_one(kind, value) for value in values)


def _one(kind: type[Any], value: Any) -> Any:  # noqa: ANN401 - any kind
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} is wanted here, not {type(value).__name__}")
    return value
