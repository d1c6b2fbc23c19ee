"""Messages of the standard library (`email.message`), written without changing them.

This is the one module that needs the `email` package; it is imported when such a message is
there, and then the package is loaded already. The package's generator has defects that matter here:
it encodes the commas of long address fields (cpython #121284), changes the message it writes
(policies, boundaries), and lets a decoded line end through (CVE-2024-6923). So it works on a copy
of the tree, address fields are written by `ehlo.message.headers`, and every field that leaves is
checked.
"""

from __future__ import annotations

import copy
import re
from base64 import encodebytes
from email.errors import MessageError
from email.generator import BytesGenerator
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from ehlo.errors import InvalidAddress, InvalidInput
from ehlo.message.bodies import crlf
from ehlo.message.dates import format_date
from ehlo.message.fields import FIELD_NAME, is_taken_literally
from ehlo.message.header_source import (
    Fields,
    author_of,
    check_once,
    envelope_of,
    readable,
    unfolded,
)
from ehlo.message.headers import LINE_MAX, address_groups, identifiers
from ehlo.message.identifiers import new_identifier, new_message_id
from ehlo.message.mailboxes import parse_groups
from ehlo.message.octets import LINE_OCTETS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from email.message import Message as EmailMessage
    from email.policy import Policy

    from ehlo.envelope import Envelope

__all__ = ["Serialised", "serialised"]

AnyMessage: TypeAlias = "EmailMessage[Any, Any]"

_ADDRESS_FIELDS: Final = {
    *("bcc", "cc", "from", "reply-to", "sender", "to"),
    *("resent-cc", "resent-from", "resent-reply-to", "resent-sender", "resent-to"),
}
_NEVER_SENT: Final = ("Bcc", "Resent-Bcc")
_IDENTITIES: Final = {"", "7bit", "8bit", "binary"}  # RFC 2045 section 6.2: nothing is encoded
_ENCODED: Final = "=?"
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_FOLDED: Final = re.compile(r"[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+\r\n")

# What a message that is put together wrongly makes the email package raise.
_TROUBLE: Final = (
    *(MessageError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)


class Serialised(NamedTuple):
    """A message of the standard library, written.

    Attributes:
        octets: The message.
        seven_bit: Writes it in 7-bit form; None where it is in that form already.
        envelope: Sender and recipients.
    """

    octets: bytes
    seven_bit: Callable[[], bytes] | None
    envelope: Envelope


def serialised(
    message: AnyMessage,
    envelope: Envelope | None,
    *,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> Serialised:
    """Write a message of the standard library, and tell whom it goes to.

    Args:
        message: The message; it is not changed.
        envelope: Sender and recipients; None takes them from the header.
        now: Tells the time; asked if there is no Date.
        make_id: Makes identifiers; asked if there is no Message-ID, or no boundary.

    Returns:
        The octets, without Bcc and Resent-Bcc, with CRLF and in 7-bit form unless a part holds
        octets whose charset is not known, and the envelope.

    Raises:
        InvalidAddress: The envelope is to be taken from a header that holds no address where one
            is due.
        InvalidInput: The header is not well-formed, or the package cannot write the message.
    """
    try:
        fields = [
            (name.lower(), unfolded(name, _source(value))) for name, value in message.raw_items()
        ]
        check_once(fields)
        found = envelope or envelope_of(fields)
        clone = _copied(message, make_id)
        _complete(clone, fields, found, now, make_id)
        return Serialised(*_written(clone), found)
    except InvalidInput:
        raise
    except _TROUBLE as exc:
        raise InvalidInput(f"the message cannot be written: {exc}") from exc


def _source(value: Any) -> str:  # noqa: ANN401 - what a Message holds is up to its maker
    """Return the text of a field; a legacy Header writes encoded words and folds."""
    return str(value) if isinstance(value, str) else value.encode()


def _copied(part: AnyMessage, make_id: Callable[[], str]) -> AnyMessage:
    """Copy the tree of parts, not what is in them, and give every multipart a boundary.

    The generator sets policies and boundaries; this way it sets them in nobody else's message.
    """
    clone = copy.copy(part)
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        parts = cast("list[AnyMessage]", payload)
        clone.set_payload([_copied(it, make_id) for it in parts])
    needs_boundary = clone.get_content_maintype() == "multipart" and not isinstance(payload, str)
    if needs_boundary and not clone.get_boundary():
        clone.set_boundary(f"=_{new_identifier(make_id)}")
    return clone


def _complete(
    clone: AnyMessage,
    fields: Fields,
    envelope: Envelope,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> None:
    for name in _NEVER_SENT:
        del clone[name]  # makes a new list of fields: the copy shared the old one
    names = {name for name, value in fields if value.strip()}  # an empty field says nothing
    if "date" not in names:
        del clone["Date"]
        clone.set_raw("Date", format_date(now()))
    if "message-id" not in names:
        del clone["Message-ID"]
        author = author_of(fields) or envelope.sender
        clone.set_raw("Message-ID", new_message_id(author, make_id))


def _written(clone: AnyMessage) -> tuple[bytes, Callable[[], bytes] | None]:
    try:
        return _generated(clone, "7bit"), None
    except UnicodeEncodeError:  # octets of no known charset are left as they are
        return _generated(clone, "8bit"), partial(_in_base64, clone)


def _in_base64(clone: AnyMessage) -> bytes:
    """Write a message with Base64 wherever octets of no known charset stand in a body."""
    for part in clone.walk():
        octets: Any = None if part.is_multipart() else part.get_payload(decode=True)
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        if octets and not octets.isascii() and encoding in _IDENTITIES:
            part.set_payload(encodebytes(octets).decode("ascii"))
            del part["Content-Transfer-Encoding"]  # makes a new list of fields
            part.set_raw("Content-Transfer-Encoding", "base64")
    return _generated(clone, "7bit")


def _generated(clone: AnyMessage, transfer: str) -> bytes:
    policy: Any = clone.policy.clone(
        linesep="\r\n",
        cte_type=transfer,
        max_line_length=LINE_MAX,
        mangle_from_=False,
        raise_on_defect=False,
    )
    if hasattr(policy, "utf8"):
        policy = policy.clone(utf8=False)
    buffer = BytesIO()
    _Generator(buffer, mangle_from_=False, policy=policy).flatten(clone)
    octets = buffer.getvalue()
    lines = octets.count(b"\r\n")  # a payload that is not what its type says is passed through
    return octets if octets.count(b"\n") == octets.count(b"\r") == lines else crlf(octets)


class _Generator(BytesGenerator):
    """The package's generator with two of its methods replaced: safer, and many times faster."""

    def _write_headers(self, msg: AnyMessage) -> None:
        policy: Any = self.policy
        for name, value in msg.raw_items():
            self.write(_field(policy, name, value))
        self.write("\r\n")

    def _write_lines(self, lines: str) -> None:
        lines = (lines or "").replace("\r\n", "\n").replace("\r", "\n")
        self.write(lines.replace("\n", "\r\n"))


def _field(policy: Policy, name: str, value: Any) -> str:  # noqa: ANN401 - see _source
    if not FIELD_NAME.fullmatch(name):
        raise InvalidInput(f"not the name of a header field: {name!r}")
    source = _source(value)
    is_decoded = hasattr(value, "name")  # a value that was read or set, not the source of one
    unfolded(name, source)
    if _is_short(name, source) and not (is_decoded and _ENCODED in source):
        return f"{name}: {source}\r\n"
    if is_decoded and source.isascii() and is_taken_literally(name):
        # The package would encode whatever is longer than a line, and so break links.
        return identifiers(name, source)
    written = None
    if name.lower() in _ADDRESS_FIELDS:
        written = _address_field(name, source, as_source=source.isascii() and not is_decoded)
    return written or _folded(policy, name, value)


def _is_short(name: str, source: str) -> bool:
    return len(name) + len(source) + 2 <= LINE_MAX and source.isascii() and source.isprintable()


def _folded(policy: Policy, name: str, value: Any) -> str:  # noqa: ANN401 - see _source
    """Let the package write a field, and look at what it wrote."""
    folded = policy.fold_binary(name, value).decode("ascii", "surrogateescape")
    if not _FOLDED.fullmatch(folded):
        raise InvalidInput(f"the field {name!r} holds a line end that breaks the header")
    return folded


def _address_field(name: str, source: str, *, as_source: bool) -> str | None:
    """Write a field of mailboxes; None leaves it to the package.

    Source that fits its lines stays as it is; so does what our grammar does not know.
    """
    lines = _LINE_END.split(f"{name}: {source}") if as_source else []
    longest = max(map(len, lines), default=LINE_OCTETS_MAX + 1)
    if longest > LINE_MAX:
        try:
            groups = parse_groups(readable(name, unfolded(name, source)))
        except InvalidAddress:
            groups = ()
        if groups:
            return address_groups(name, groups, as_source=as_source)
    return "\r\n".join((*lines, "")) if longest <= LINE_OCTETS_MAX else None
