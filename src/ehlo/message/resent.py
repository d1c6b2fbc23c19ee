"""A message that is introduced again by somebody who got it (RFC 5322 section 3.6.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ehlo.address import Mailbox
from ehlo.message.dates import check_date, format_date
from ehlo.message.fields import check_authors, entries, mailboxes
from ehlo.message.headers import addresses
from ehlo.message.identifiers import check_message_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ehlo.address import MailboxLike
    from ehlo.message.fields import EntryLike
    from ehlo.message.group import Entry

__all__ = ["Resent"]


@dataclass(frozen=True, slots=True, init=False)
class Resent:
    """Who sends a message on as it is, and to whom.

    Args:
        from_: Who sends it on; several need a `sender`.
        to: To whom.
        cc: Who gets a copy.
        bcc: Who gets a copy that nobody else knows of.
        sender: Who really does, if that is not the former.
        date: When, with a UTC offset; None for when it is sent.
        message_id: The identifier of this sending on; None makes one when it is sent.

    Raises:
        InvalidAddress: A text is not one mailbox.
        InvalidInput: Nobody sends it on, several do without a sender, or a value cannot stand in a
            header.
        TypeError: A value is of a type that cannot be meant.

    Attributes:
        from_: As above.
        to: As above.
        cc: As above.
        bcc: As above.
        sender: As above.
        date: As above.
        message_id: As above, with angle brackets.
    """

    from_: tuple[Mailbox, ...]
    to: tuple[Entry, ...]
    cc: tuple[Entry, ...]
    bcc: tuple[Entry, ...]
    sender: Mailbox | None
    date: datetime | None
    message_id: str | None

    def __init__(
        self,
        *,
        from_: MailboxLike | Iterable[MailboxLike],
        to: EntryLike | Iterable[EntryLike] = (),
        cc: EntryLike | Iterable[EntryLike] = (),
        bcc: EntryLike | Iterable[EntryLike] = (),
        sender: MailboxLike | None = None,
        date: datetime | None = None,
        message_id: str | None = None,
    ) -> None:
        for slot in Resent.__slots__:  # before anything is refused: a traceback may show it
            object.__setattr__(self, slot, None)
        values = {
            "from_": mailboxes(from_),
            "to": entries(to),
            "cc": entries(cc),
            "bcc": entries(bcc),
            "sender": None if sender is None else Mailbox.of(sender),
            "date": date,
            "message_id": None if message_id is None else check_message_id(message_id),
        }
        for slot, value in values.items():
            object.__setattr__(self, slot, value)
        if date is not None:
            check_date(date)
        check_authors(self.from_, self.sender)

    def fields(self, *, date: datetime, message_id: str, utf8: bool = False) -> Iterator[str]:
        """Write the fields.

        Args:
            date: The date to write.
            message_id: The identifier to write, with angle brackets.
            utf8: Whether the header may be UTF-8.

        Yields:
            Each field, ended by CRLF; Resent-Bcc is never among them.
        """
        yield f"Resent-Date: {format_date(date)}\r\n"
        yield addresses("Resent-From", self.from_, utf8=utf8)
        if self.sender is not None and self.from_ != (self.sender,):
            yield addresses("Resent-Sender", (self.sender,), utf8=utf8)
        for name, found in (("Resent-To", self.to), ("Resent-Cc", self.cc)):
            if found:
                yield addresses(name, found, utf8=utf8)
        yield f"Resent-Message-ID: {message_id}\r\n"
