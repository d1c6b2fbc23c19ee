"""The header of somebody else's message: whom it is from and whom it goes to."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message.mailboxes import parse_mailboxes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ehlo.address import Address, Mailbox

__all__ = ["Fields", "author_of", "check_once", "envelope_of", "readable", "unfolded"]

Fields: TypeAlias = "Sequence[tuple[str, str]]"
"""Names in lower case, and values without line ends."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_INJECTED: Final = re.compile(r"(?:\r\n?+|\n)(?![ \t])|\0")
_RESENT: Final = "resent-"
_RECIPIENTS: Final = ("to", "cc", "bcc")
_ONCE: Final = (
    *("content-transfer-encoding", "content-type", "date", "from", "message-id"),
    *("mime-version", "reply-to", "sender", "subject"),
)


def unfolded(name: str, text: str) -> str:
    """Return the value of a field on one line (RFC 5322 section 2.2.3).

    Args:
        name: The field's name, for the error message.
        text: Its value, perhaps folded.

    Returns:
        The value without its line ends.

    Raises:
        InvalidInput: A line end is not followed by white space, so that it would begin another
            field, or there is a NUL.
    """
    if text.isprintable():  # then it holds neither
        return text
    if _INJECTED.search(text):
        raise InvalidInput(f"the field {name!r} holds a line end or a NUL that breaks the header")
    return _LINE_END.sub("", text)


def readable(name: str, text: str) -> str:
    """Return a value whose octets above 127 the standard library kept as surrogates.

    Args:
        name: The field's name, for the error message.
        text: Its value.

    Returns:
        The value, those octets read as UTF-8 (RFC 6532).

    Raises:
        InvalidInput: They are not UTF-8.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise InvalidInput(f"the field {name!r} holds octets that are no UTF-8") from None


def check_once(fields: Fields) -> None:
    """Refuse a header that has a field twice (RFC 5322 section 3.6, RFC 2045).

    Args:
        fields: The fields.

    Raises:
        InvalidInput: There is one; readers differ in which they believe.
    """
    names = [name for name, _ in fields]
    if len(set(names)) == len(names):
        return
    counts = Counter(names)
    for name in _ONCE:
        if counts[name] > 1:
            raise InvalidInput(f"the message has {counts[name]} {name!r} fields, and may have one")


def envelope_of(fields: Fields) -> Envelope:
    """Return whom a message is from and whom it goes to.

    Args:
        fields: The fields of its header; none of them twice that may not be.

    Returns:
        Sender or From, and everybody in To, Cc and Bcc; of the latest block of Resent fields
        instead, if there are any (RFC 5322 section 3.6.6).

    Raises:
        InvalidAddress: A field is no list of mailboxes.
        InvalidInput: There is no author, no recipient, or several authors and no sender, or it
            cannot be told where the latest block of Resent fields ends.
    """
    resent = _latest_resent(fields)
    prefix = _RESENT if resent else ""
    chosen = resent or fields
    recipients = [mailbox for name in _RECIPIENTS for mailbox in _mailboxes(chosen, prefix + name)]
    return Envelope(_sender(chosen, prefix), recipients)


def _latest_resent(fields: Fields) -> Fields:
    """Return the first run of Resent fields: each block is put on top of those before.

    Where two blocks touch, the second begins where the first field of the run stands again. If
    another one stands again before that, the blocks cannot be told apart.
    """
    block: list[tuple[str, str]] = []
    for name, value in fields:
        if name.startswith(_RESENT):
            if block and name == block[0][0]:
                break
            block.append((name, value))
        elif block:
            break
    names = [name for name, _ in block]
    if len(set(names)) != len(names):
        raise InvalidInput("the blocks of Resent fields run into each other: pass an envelope")
    return block


def _sender(fields: Fields, prefix: str) -> Mailbox:
    authors = _mailboxes(fields, f"{prefix}from")
    senders = _mailboxes(fields, f"{prefix}sender")
    if not authors:
        raise InvalidInput(f"the message has no {prefix}from: pass an envelope")
    found = senders or authors
    if len(found) > 1:
        raise InvalidInput(f"several authors need one {prefix}sender (RFC 5322 section 3.6.2)")
    return found[0]


def _mailboxes(fields: Fields, wanted: str) -> list[Mailbox]:
    values = [value for name, value in fields if name == wanted]
    return [mailbox for value in values for mailbox in parse_mailboxes(readable(wanted, value))]


def author_of(fields: Fields) -> Address | None:
    """Return the address of the first author; None if that cannot be read."""
    try:
        authors = _mailboxes(fields, "from")
    except InvalidInput:
        return None
    return authors[0].address if authors else None
