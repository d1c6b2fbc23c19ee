"""Messages: what to say, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from ehlo.address import Mailbox, MailboxLike
from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message.attachment import Attachment
from ehlo.message.dates import check_date
from ehlo.message.fields import check_message_id, extra_fields, mailboxes
from ehlo.message.writing import new_message_id, write_message
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = ["Message"]


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """A mail message: values that are checked when it is made and never change.

    A parameter for mailboxes takes one (a text, an `Address`, a `Mailbox`, a pair of name and
    address) or a sequence of them. A text is always one mailbox, never a list; a bare tuple of two
    texts is always one pair (name, address): write a list for two mailboxes.

    All texts may be in any script; they are written so that every server takes them. What looks
    encoded (`=?utf-8?...?=`) in a subject, a name or an added field is text and arrives as it is.

    Args:
        from_: The author, or the authors; several need a `sender`. Bounces go to the sender, or
            else to the author.
        to: The recipients.
        cc: Those who get a copy.
        bcc: Those who get a copy that nobody else knows of: no header names them.
        reply_to: Where answers go, if not to the author.
        sender: Who sends it, if that is not the author.
        subject: The subject; an empty one is left out.
        text: The text. Any line ends will do, and the last line need not be ended.
        html: The same as HTML; a reader shows one or the other.
        attachments: Files that go with it.
        headers: More fields, as pairs of name and value, or a mapping.
        date: When it was written, with a UTC offset; None for when it is sent.
        message_id: Its identifier, with or without angle brackets; None makes one when it is sent.
            To send a message again is to send the same identifier: set it if you may have to.

    Raises:
        InvalidAddress: A text is not one mailbox.
        InvalidInput: A value cannot stand in a message: control characters, no author, several
            authors without a sender, a field that the message writes itself, a date without an
            offset.
        TypeError: A value is of a type that cannot be meant.

    Attributes:
        from_: The authors.
        to: The recipients.
        cc: As above.
        bcc: As above.
        reply_to: As above.
        sender: As above.
        subject: As above.
        text: As above.
        html: As above.
        attachments: As above.
        headers: The added fields, as pairs.
        date: As above.
        message_id: As above, with angle brackets.
    """

    from_: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    sender: Mailbox | None
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    date: datetime | None
    message_id: str | None

    def __init__(  # noqa: PLR0913 - one for each thing a message has, by name
        self,
        *,
        from_: MailboxLike | Sequence[MailboxLike],
        to: MailboxLike | Iterable[MailboxLike] = (),
        cc: MailboxLike | Iterable[MailboxLike] = (),
        bcc: MailboxLike | Iterable[MailboxLike] = (),
        reply_to: MailboxLike | Iterable[MailboxLike] = (),
        sender: MailboxLike | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        date: datetime | None = None,
        message_id: str | None = None,
    ) -> None:
        for name in Message.__slots__:  # before anything is refused: a traceback may show it
            object.__setattr__(self, name, None)
        values = {
            "from_": mailboxes(from_),
            "to": mailboxes(to),
            "cc": mailboxes(cc),
            "bcc": mailboxes(bcc),
            "reply_to": mailboxes(reply_to),
            "sender": None if sender is None else Mailbox.of(sender),
            "subject": refuse_control_characters("the subject", require_str("subject", subject)),
            "text": _checked_body("text", text),
            "html": _checked_body("html", html),
            "attachments": _checked_attachments(attachments),
            "headers": extra_fields(headers),
            "date": date,
            "message_id": None if message_id is None else check_message_id(message_id),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if date is not None:
            check_date(date)
        _check_authors(len(self.from_), self.sender)

    def envelope(self) -> Envelope:
        """Return whom the message is from and whom it goes to.

        Returns:
            The sender, or else the author, and everybody in to, cc and bcc, each once.

        Raises:
            InvalidInput: There is no recipient.
        """
        sender = self.sender or self.from_[0]
        return Envelope(sender, (*self.to, *self.cc, *self.bcc))

    def as_bytes(
        self,
        *,
        now: datetime | None = None,
        make_id: Callable[[], str] | None = None,
    ) -> bytes:
        """Write the message as it is sent (RFC 5322, MIME).

        The same message with the same arguments, and an identifier source that returns the same,
        gives the same octets.

        Args:
            now: The date of a message that has none; it has a UTC offset.
            make_id: Makes identifiers of 1 to 60 letters and digits: for the Message-ID of a
                message that has none, and for the boundaries of one that has several parts.

        Returns:
            ASCII lines of at most 998 octets, each ended by CRLF. Bcc is not in it.

        Raises:
            InvalidInput: An address is not ASCII (those need SMTPUTF8, which is not built yet),
                or the message needs one of the arguments and it is not there or wrong.
        """
        date = self.date or now
        if date is None:
            raise InvalidInput("the message has no date: pass `now`")
        make = make_id or _no_identifiers
        message_id = self.message_id or new_message_id(self.from_[0].address, make)
        return write_message(self, date=date, message_id=message_id, make_id=make)


def _no_identifiers() -> NoReturn:
    raise InvalidInput("the message needs a fresh identifier: pass `make_id`")


def _checked_body(what: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        octets = require_str(what, text).encode()
    except UnicodeEncodeError as exc:
        raise InvalidInput(f"{what} holds a lone surrogate at position {exc.start}") from None
    if b"\0" in octets:
        raise InvalidInput(f"{what} holds a NUL at position {text.index(chr(0))}")
    return text


def _checked_attachments(attachments: Iterable[Attachment]) -> tuple[Attachment, ...]:
    found = tuple(attachments)
    for attachment in found:
        # the annotation says so, and a path in the list is a mistake to be expected
        if not isinstance(attachment, Attachment):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"an attachment is an Attachment, not {type(attachment).__name__}")
    return found


def _check_authors(number: int, sender: Mailbox | None) -> None:
    if number == 0:
        raise InvalidInput("a message needs an author")
    if number > 1 and sender is None:
        raise InvalidInput("several authors need a sender (RFC 5322 section 3.6.2)")
