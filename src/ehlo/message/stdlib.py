"""Messages of the standard library (`email.message`), written without changing them.

This module and those that read such messages need the `email` package; they are imported when one
is there, and then the package is loaded already. The package's generator has defects that matter:
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
from functools import lru_cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from ehlo.commands import Body
from ehlo.content import Formed, Octets
from ehlo.errors import InvalidAddress, InvalidInput
from ehlo.line_ends import crlf, has_only_crlf
from ehlo.message.dates import format_date
from ehlo.message.fields import FIELD_NAME, any_needs_smtputf8, is_taken_literally
from ehlo.message.header_source import (
    Fields,
    author_of,
    check_once,
    envelope_of,
    readable,
    unfolded,
)
from ehlo.message.headers import LINE_MAX, address_groups, identifiers, unstructured
from ehlo.message.identifiers import new_identifier, new_message_id
from ehlo.message.mailboxes import parse_groups, parse_mailboxes
from ehlo.message.octets import LINE_OCTETS_MAX, looked_at, message_id_of
from ehlo.message.plain_tree import Boundaries, plain_octets, transfer_encoding, written
from ehlo.message.plain_tree import Fields as Header

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from email.message import Message as EmailMessage
    from email.policy import Policy

    from ehlo.content import Form
    from ehlo.envelope import Envelope

__all__ = ["Serialised", "as_it_is", "serialised"]

AnyMessage: TypeAlias = "EmailMessage[Any, Any]"

_ADDRESS_FIELDS: Final = {
    *("bcc", "cc", "from", "reply-to", "sender", "to"),
    *("resent-cc", "resent-from", "resent-reply-to", "resent-sender", "resent-to"),
}
_TEXT_FIELDS: Final = {"comments", "subject"}  # RFC 5322 section 3.6.5
_WORD_MAX: Final = 60  # characters; a longer one may not fit on a line with a name before it
_HIDDEN: Final = {"bcc", "resent-bcc"}
_MADE: Final = {"date", "message-id"}
_ENCODED: Final = "=?"
_STR: Final[object] = str.__str__  # of a text that is what it shows; a member of an enum is not
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_FOLDED: Final = re.compile(r"[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+\r\n")

# What a message that is put together wrongly makes the email package raise.
_TROUBLE: Final = (
    *(MessageError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)


class Serialised(NamedTuple):
    """A message of the standard library, ready to be written.

    Attributes:
        content: Its octets, or what writes them for the server they go to.
        envelope: Sender and recipients.
        message_id: Its Message-ID; None if it cannot be read.
    """

    content: Octets | Formed
    envelope: Envelope
    message_id: str | None


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
        The content, without Bcc and Resent-Bcc, with CRLF and in 7-bit form unless a part holds
        octets whose charset is not known, or an address cannot be written in ASCII; and the
        envelope.

    Raises:
        InvalidAddress: The envelope is to be taken from a header that holds no address where one
            is due.
        InvalidInput: The header is not well-formed, or the package cannot write the message.
    """
    try:
        # Nearly all are plain, and nothing is called for those.
        fields = [
            (name.lower(), value)
            if type(value).__str__ is _STR and value.isprintable()
            else (name.lower(), unfolded(name, _text(value)))
            for name, value in message.raw_items()
        ]
        check_once(fields)
        found = envelope or envelope_of(fields)
        kept, made = _header(message, fields, found, now, make_id)
        source = _Source(message, kept, made, _new_boundaries(message, make_id))
        content, octets = _content(source, fields)
        return Serialised(content, found, message_id_of(octets))
    except InvalidInput:
        raise
    except _TROUBLE as exc:
        raise InvalidInput(f"the message cannot be written: {exc}") from exc


def _text(value: Any) -> str:  # noqa: ANN401 - what a Message holds is up to its maker
    """Return the text of a field; a legacy Header writes encoded words and folds."""
    return str(value) if isinstance(value, str) else value.encode()


def _new_boundaries(message: AnyMessage, make_id: Callable[[], str]) -> Boundaries:
    """Make a boundary for every multipart that has none."""
    if not message.is_multipart():
        return {}
    return {
        id(part): f"=_{new_identifier(make_id)}"
        for part in message.walk()
        if part.is_multipart()
        and part.get_content_maintype() == "multipart"
        and not part.get_boundary()
    }


def _header(
    message: AnyMessage,
    fields: Fields,
    envelope: Envelope,
    now: Callable[[], datetime],
    make_id: Callable[[], str],
) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """Return the fields that may leave, and those that it lacks."""
    known = dict(fields)
    lacking = {name for name in _MADE if not known.get(name, "").strip()}  # empty says nothing
    dropped = _HIDDEN | lacking
    kept = list(message.raw_items())
    if not dropped.isdisjoint(known):
        kept = [item for item, (name, _) in zip(kept, fields, strict=True) if name not in dropped]
    made: list[tuple[str, Any]] = []
    if "date" in lacking:
        made.append(("Date", format_date(now())))
    if "message-id" in lacking:
        author = author_of(fields) or envelope.sender
        made.append(("Message-ID", new_message_id(author, make_id)))
    return kept, made


class _Source(NamedTuple):
    """What is written.

    Attributes:
        message: The message; it is not changed.
        kept: Its fields, but for those that are hidden or empty.
        made: The fields that it lacks.
        boundaries: For its multiparts that have none.
    """

    message: AnyMessage
    kept: list[tuple[str, Any]]
    made: list[tuple[str, Any]]
    boundaries: Boundaries


def _content(source: _Source, fields: Fields) -> tuple[Octets | Formed, bytes]:
    """Return the content of a message, and its octets in one of their forms."""
    if _needs_smtputf8(fields):
        octets = _generated(source, "7bit", utf8=True)
        return Formed(partial(_only, octets), needs_smtputf8=True), octets
    try:
        octets = _generated(source, "7bit")
    except UnicodeEncodeError:  # octets of no known charset are left as they are
        octets = _generated(source, "8bit")
        # The copy is the message as it is now, whatever its owner does until it is sent.
        return Formed(partial(_either, _copied(source), octets)), octets
    return looked_at(octets), octets


def _only(octets: bytes, _: Form) -> Octets:
    return looked_at(octets)


def _either(clone: AnyMessage, octets: bytes, form: Form) -> Octets:
    return looked_at(_in_base64(clone) if form.body is Body.SEVEN_BIT else octets)


def _needs_smtputf8(fields: Fields) -> bool:
    """Tell whether an address in the header cannot be written in ASCII."""
    if "".join([source for _, source in fields]).isascii():
        return False
    for name, source in fields:
        if source.isascii() or name not in _ADDRESS_FIELDS or name in _HIDDEN:
            continue
        try:
            found = parse_mailboxes(readable(name, source))
        except InvalidAddress:
            continue  # the package writes it
        if any_needs_smtputf8(found):
            return True
    return False


def _in_base64(clone: AnyMessage) -> bytes:
    """Write a message with Base64 wherever octets above 127 stand in a body."""
    for part in clone.walk():
        payload = vars(part).get("_payload")
        if isinstance(payload, str) and not payload.isascii():
            # Quoted-printable leaves them alone, and Base64 would make something else of them.
            is_quoted = transfer_encoding(part) == "quoted-printable"
            octets: Any = part.get_payload(decode=True) if is_quoted else written(payload)
            part.set_payload(encodebytes(octets).decode("ascii"))
            del part["Content-Transfer-Encoding"]  # makes a new list of fields
            part.set_raw("Content-Transfer-Encoding", "base64")
    return _generated(_source_of(clone), "7bit")


def _source_of(message: AnyMessage) -> _Source:
    return _Source(message, list(message.raw_items()), [], {})


def _generated(source: _Source, transfer: str, *, utf8: bool = False) -> bytes:
    policy = _policy(cast("Any", source.message.policy), transfer, utf8)
    if transfer == "7bit":
        write_fields = partial(_fields, policy, utf8=utf8)
        header = [*source.kept, *source.made]
        plain = plain_octets(source.message, header, write_fields, source.boundaries)
        if plain is not None:
            return plain
    buffer = _Buffer()
    kind = _Utf8Generator if utf8 else _Generator
    generator = kind(cast("Any", buffer), mangle_from_=False, policy=policy)
    generator.flatten(_copied(source))
    octets = buffer.getvalue()
    # A payload that is not what its type says is passed through.
    return octets if has_only_crlf(octets) else crlf(octets)


def _copied(source: _Source) -> AnyMessage:
    """Copy the tree of parts, not what is in them: the package's generator changes it."""
    clone = _copied_part(source.message, source.boundaries)
    dropped = {name.lower() for name in clone.keys()}  # noqa: SIM118 - the values take long
    dropped -= {name.lower() for name, _ in source.kept}
    for name in ("", *dropped):
        del clone[name]  # makes a new list of fields: the copy shared the old one
    for name, value in source.made:
        clone.set_raw(name, value)
    return clone


def _copied_part(part: AnyMessage, boundaries: Boundaries) -> AnyMessage:
    clone = copy.copy(part)
    clone.defects = [*part.defects]
    # The generator copies parts whose encoding it changes: deeply, with all that fields consist of.
    vars(clone)["__deepcopy__"] = partial(_shallow, clone)
    if part.is_multipart():
        parts = cast("list[AnyMessage]", part.get_payload())
        clone.set_payload([_copied_part(it, boundaries) for it in parts])
        if id(part) in boundaries:
            clone.set_boundary(boundaries[id(part)])
    return clone


def _shallow(part: AnyMessage, _memo: object) -> AnyMessage:
    """Copy a part and its list of fields; fields themselves never change."""
    clone = copy.copy(part)
    del vars(clone)["__deepcopy__"]  # which would copy the other one
    del clone[""]  # makes a new list of fields
    return clone


@lru_cache(maxsize=16)  # there are few, and making one takes as long as writing a field
def _policy(policy: Any, transfer: str, utf8: bool) -> Any:  # noqa: ANN401, FBT001 - private
    more = {"utf8": utf8} if hasattr(policy, "utf8") else {}
    return policy.clone(
        linesep="\r\n",
        cte_type=transfer,
        max_line_length=LINE_MAX,
        mangle_from_=False,
        raise_on_defect=False,
        **more,
    )


class _Buffer:
    """What the generator writes to: joined once, where `BytesIO` copies as it grows."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.write = self._pieces.append

    def getvalue(self) -> bytes:
        return b"".join(self._pieces)


class _Generator(BytesGenerator):
    """The package's generator with some of its methods replaced: safer, and many times faster."""

    utf8 = False  # of the class: the generator makes others of its kind, for parts
    _fp: Any  # the package's own

    def _new_buffer(self) -> _Buffer:
        return _Buffer()

    def _write_headers(self, msg: AnyMessage) -> None:
        policy: Any = self.policy
        for field in _fields(policy, msg.raw_items(), utf8=self.utf8):
            self.write(field)
        self.write("\r\n")

    def _write_lines(self, lines: str) -> None:
        self._fp.write(crlf(written(lines or "")))

    @classmethod
    def _make_boundary(cls, text: Any = None) -> str:  # noqa: ANN401 - the package's own
        """Return a boundary for a multipart without parts: the same each time."""
        return f"=_{sha256(text).hexdigest()[:32]}"


class _Utf8Generator(_Generator):
    """The same, for a header in UTF-8 (RFC 6532)."""

    utf8 = True


def as_it_is(message: AnyMessage) -> bytes:
    """Write a message that is part of another one; what has a source is as its source.

    Args:
        message: The message; it is not changed.

    Returns:
        Its octets, lines ended by CRLF.
    """
    return _generated(_source_of(message), "8bit")


def _fields(policy: Policy, header: Header, *, utf8: bool) -> list[str]:
    items = list(header)
    return _plain_fields(items) or [_field(policy, name, value, utf8=utf8) for name, value in items]


def _plain_fields(items: Sequence[tuple[str, Any]]) -> list[str] | None:
    """Write fields that are all short and plain, as most are; they are looked at all at once."""
    values = [value for _, value in items if type(value).__str__ is _STR]
    if len(values) != len(items) or not all(map(str.isprintable, values)):
        return None
    join = "".join  # a format would call a method of each value
    lines = [join((name, ": ", value, "\r\n")) for name, value in items]
    header = "".join(lines)
    is_plain = (
        header.isascii()
        and _ENCODED not in header
        and max(map(len, lines), default=0) <= LINE_MAX + 2
    )
    return lines if is_plain and _are_names(tuple([name for name, _ in items])) else None


def _field(policy: Policy, name: str, value: Any, *, utf8: bool) -> str:  # noqa: ANN401 - see _text
    if not _is_name(name):
        raise InvalidInput(f"not the name of a header field: {name!r}")
    source = _text(value)
    is_decoded = hasattr(value, "name")  # a value that was read or set, not the source of one
    if _is_short(name, source) and not (is_decoded and _ENCODED in source):
        return f"{name}: {source}\r\n"
    # Refuses what breaks the header, which what is short and printable cannot.
    unfolded(name, source)
    # The package encodes what is longer than a line, and so breaks links, identifiers, signatures.
    if is_decoded and source.isascii() and is_taken_literally(name):
        return identifiers(name, source)
    if is_decoded and name.lower() in _TEXT_FIELDS and _is_text(source):
        return _surrogates(unstructured(name, source, utf8=utf8))
    written = None
    if name.lower() in _ADDRESS_FIELDS:
        as_source = source.isascii() and not is_decoded
        written = _address_field(name, source, as_source=as_source, utf8=utf8)
    elif source.isascii() and not is_decoded:
        written = _as_source(name, source)
    elif source.isascii() and max(map(len, source.split()), default=0) > _WORD_MAX:
        written = unstructured(name, source)
    return written or _folded(policy, name, value)


def _is_text(source: str) -> bool:
    """Return whether nothing was lost when a field was decoded; the package has the octets yet."""
    return source.isprintable() and "\N{REPLACEMENT CHARACTER}" not in source


def _surrogates(field: str) -> str:
    """Return a field as the generator has it: octets above 127 are surrogates."""
    return field if field.isascii() else field.encode().decode("ascii", "surrogateescape")


def _as_source(name: str, source: str) -> str | None:
    """Write a field as its source has it; None if a line of it is too long."""
    lines = _LINE_END.split(f"{name}: {source}")
    longest = max(map(len, lines))
    return "\r\n".join((*lines, "")) if longest <= LINE_OCTETS_MAX else None


@lru_cache(maxsize=128)
def _are_names(names: tuple[str, ...]) -> bool:
    return all(map(_is_name, names))


_is_name = lru_cache(maxsize=128)(FIELD_NAME.fullmatch)  # messages have the same few


def _is_short(name: str, source: str) -> bool:
    return len(name) + len(source) + 2 <= LINE_MAX and source.isascii() and source.isprintable()


def _folded(policy: Policy, name: str, value: Any) -> str:  # noqa: ANN401 - see _text
    """Let the package write a field, and look at what it wrote."""
    folded = policy.fold_binary(name, value).decode("ascii", "surrogateescape")
    if not _FOLDED.fullmatch(folded):
        raise InvalidInput(f"the field {name!r} holds a line end that breaks the header")
    return folded


def _address_field(name: str, source: str, *, as_source: bool, utf8: bool) -> str | None:
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
            return _surrogates(address_groups(name, groups, as_source=as_source, utf8=utf8))
    return "\r\n".join((*lines, "")) if longest <= LINE_OCTETS_MAX else None
