"""Messages of the standard library's `email` package, serialised in spite of its defects.

The message is never changed: Bcc is removed from, Date and Message-ID are added to a shallow copy.
Address fields are written by our own code, because the package encodes commas and loses quotes
when it folds them (cpython #121284, CVE-2025-1795).
"""

from __future__ import annotations

import copy
import io
import re
from email.generator import BytesGenerator
from typing import TYPE_CHECKING, Any, Final

from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message.headers import fold, format_date, format_mailboxes
from ehlo.message.mailboxes import parse_mailboxes
from ehlo.text import refuse_control_characters

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ehlo.address import Mailbox

__all__ = ["serialise"]

_ADDRESS_FIELDS: Final = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "resent-")
    for name in ("from", "sender", "reply-to", "to", "cc")
)
_RECIPIENT_FIELDS: Final = ("to", "cc", "bcc")
_HIDDEN_FIELDS: Final = ("Bcc", "Resent-Bcc")
_FOLDED: Final = re.compile(r"\r?\n(?=[ \t])")
# A field of a serialised header: a line, and those below it that begin with a blank.
_FIELD: Final = re.compile(rb"([^:\r\n]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")

Fields = list[tuple[str, str]]


def serialise(
    message: email.message.Message[Any, Any],
    envelope: Envelope | None,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> tuple[Envelope, bytes, str]:
    """Serialise a message, and read its envelope from its header if none is given.

    Args:
        message: The message.
        envelope: Sender and recipients, or None.
        now: Returns the time, with an offset.
        make_id: Returns a fresh identifier.

    Returns:
        The envelope, the octets (7-bit, CRLF) and the Message-ID.

    Raises:
        InvalidInput: The header holds control characters, no author, or no recipient.
    """
    fields = _fields(message)
    if envelope is None:
        envelope = _envelope(fields)
    message_id = _first(fields, "message-id") or f"<{make_id()}@{_domain(fields)}>"
    clone = _clone(message)
    for name in _HIDDEN_FIELDS:
        del clone[name]
    if not _first(fields, "date"):
        del clone["Date"]
        clone["Date"] = format_date(now())
    if not _first(fields, "message-id"):
        del clone["Message-ID"]
        clone["Message-ID"] = message_id
    return envelope, _with_own_addresses(_flatten(clone), fields), message_id


def _fields(message: email.message.Message[Any, Any]) -> Fields:
    """Return the header as names in lower case and unfolded texts."""
    fields: Fields = []
    for name, value in message.raw_items():
        # A legacy `email.header.Header` is no str; it knows how to write itself.
        text = _FOLDED.sub("", value if isinstance(value, str) else value.encode())
        refuse_control_characters(f"the field {name}", text.replace("\t", " "))
        fields.append((name.lower(), text.strip()))
    return fields


def _first(fields: Fields, name: str) -> str:
    return next((text for field, text in fields if field == name), "")


def _mailboxes(fields: Fields, names: Iterable[str]) -> list[Mailbox]:
    return [
        mailbox
        for name in names
        for field, text in fields
        if field == name
        for mailbox in parse_mailboxes(text)
    ]


def _envelope(fields: Fields) -> Envelope:
    """Read the envelope: from the latest Resent block if there is one (RFC 5322 section 3.6.6)."""
    resent = _latest_resent(fields)
    if resent:
        fields = resent
    elif sum(field == "from" for field, _ in fields) > 1:
        msg = "the message has more than one From field"
        raise InvalidInput(msg)
    authors = _mailboxes(fields, ["from"])
    senders = _mailboxes(fields, ["sender"])
    recipients = _mailboxes(fields, _RECIPIENT_FIELDS)
    if not senders and len(authors) != 1:
        msg = "the message needs one author in From, or a Sender, to be sent from"
        raise InvalidInput(msg)
    if not recipients:
        msg = "the message has no recipient: To, Cc and Bcc are empty"
        raise InvalidInput(msg)
    sender = (senders or authors)[0].address
    return Envelope(sender, [mailbox.address for mailbox in recipients])


def _latest_resent(fields: Fields) -> Fields:
    """Return the topmost block of Resent fields, without their prefix."""
    block: Fields = []
    for field, text in fields:
        name = field.removeprefix("resent-")
        if name == field or any(name == known for known, _ in block):
            if block:
                break
            continue
        block.append((name, text))
    return block


def _domain(fields: Fields) -> str:
    authors = _mailboxes(fields, ["from"])
    domain = authors[0].address.domain if authors else ""
    usable = domain.isascii() and domain and not domain.startswith("[")
    return domain if usable else "localhost.invalid"


def _clone(message: email.message.Message[Any, Any]) -> email.message.Message[Any, Any]:
    """Return a copy whose header can be changed.

    The generator writes a boundary into every multipart that has none; where that is an inner
    part, only a deep copy keeps the caller's message as it is.
    """
    inner = (part for part in message.walk() if part is not message)
    if any(part.is_multipart() and part.get_boundary() is None for part in inner):
        return copy.deepcopy(message)
    return copy.copy(message)


def _flatten(message: email.message.Message[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    policy = message.policy.clone(linesep="\r\n", cte_type="7bit")
    BytesGenerator(buffer, mangle_from_=False, policy=policy).flatten(message)
    return buffer.getvalue()


def _with_own_addresses(octets: bytes, fields: Fields) -> bytes:
    """Write the address fields of a serialised message anew."""
    texts = [(field, text) for field, text in fields if field in _ADDRESS_FIELDS]
    pieces: list[bytes] = []
    position = 0
    while match := _FIELD.match(octets, position):
        position = match.end()
        if match[1].decode("ascii", "replace").lower() in _ADDRESS_FIELDS:
            pieces.append(_address_field(match[1].decode("ascii"), texts.pop(0)[1]))
        else:
            pieces.append(match[0])
    return b"".join([*pieces, octets[position:]])


def _address_field(name: str, text: str) -> bytes:
    # What is ASCII is in the form of the wire already, encoded words included.
    written = fold(name, text) if text.isascii() else format_mailboxes(name, parse_mailboxes(text))
    return written.encode()
