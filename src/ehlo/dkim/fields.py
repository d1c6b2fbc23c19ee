"""Which header fields are signed, and how often (RFC 6376 sections 5.4 and 8.15)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from ehlo.errors import InvalidInput
from ehlo.line_ends import has_only_crlf
from ehlo.text import require_str

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["RECOMMENDED", "Oversigning", "Parted", "Signed", "chosen_fields", "names", "parted"]

RECOMMENDED: Final = (
    *("From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc"),
    *("In-Reply-To", "References"),
    *("MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
    *("Resent-Date", "Resent-From", "Resent-To", "Resent-Cc"),
    *("List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe"),
    *("List-Post", "List-Owner", "List-Archive"),
)
"""What is signed by default: the fields of RFC 6376 section 5.4.1, and those that section 5.4
highly advises besides. RFC 8058 wants both List-Unsubscribe fields signed."""

_REPEATED: Final = frozenset({"resent-date", "resent-from", "resent-to", "resent-cc"})
"""What a relay may rightly add once more; all others of the recommended ones stand once."""
_ONCE: Final = frozenset(name.lower() for name in RECOMMENDED) - _REPEATED

_NEVER: Final = {
    "return-path": "it is removed or written anew on the way",
    "received": "each relay adds one",
    "bcc": "it is not sent",
    "resent-bcc": "it is not sent",
    "dkim-signature": "a signature covers itself, and those of others may be reordered",
}

# RFC 5322 ftext, no more than a line of it; a semicolon would end the tag it stands in.
_NAME: Final = re.compile(r"[!-9<-~]{1,76}")
_FIELD: Final = re.compile(rb"[^\r\n]*+\r\n(?:[ \t][^\r\n]*+\r\n)*+")
_FIELD_NAME: Final = re.compile(rb"([!-9;-~]++)[ \t]*+:")


class Oversigning(StrEnum):
    """Which fields are signed once more than they stand there (RFC 6376 sections 5.4 and 8.15).

    A second From or Subject, added on the way, may be the one that a reader sees. A field that is
    signed once more than it stands there cannot be added without breaking the signature.
    """

    NONE = "none"
    """None but those that `headers` lists more than once."""
    PRESENT = "present"
    """Those that stand there and rightly stand once. Nobody has a reason to add a second one."""
    ALL = "all"
    """Those too that do not stand there. A mailing list that adds its own Reply-To or List fields
    breaks the signature then."""


class Parted(NamedTuple):
    """A message in its parts.

    Attributes:
        fields: The header fields, each with its CRLF, by their names in lower case, in order.
        body: All behind the empty line.
    """

    fields: dict[str, list[bytes]]
    body: bytes


class Signed(NamedTuple):
    """What of a header is signed.

    Attributes:
        names: The value of `h=`: names in lower case.
        fields: The fields that these names mean: of each name the last one first.
    """

    names: tuple[str, ...]
    fields: tuple[bytes, ...]


def names(headers: Iterable[str]) -> tuple[str, ...]:
    """Return the names of fields that a caller wants signed.

    Args:
        headers: The names.

    Returns:
        The same.

    Raises:
        InvalidInput: One is no name, or that of a field which must not be signed; From is not
            among them.
        TypeError: One is no text, or all are one text.
    """
    if isinstance(headers, str):
        raise TypeError("headers are several names, not one str")
    found = tuple(require_str("the name of a header field", name) for name in headers)
    for name in found:
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a header field")
        if why := _NEVER.get(name.lower()):
            raise InvalidInput(f"{name} is not signed: {why}")
    if "from" not in {name.lower() for name in found}:
        raise InvalidInput("From is always signed (RFC 6376 section 5.4): headers must have it")
    return found


def parted(octets: bytes) -> Parted:
    """Part a message into header fields and body.

    Args:
        octets: The message; each line ends with CRLF, but the last one need not.

    Returns:
        The parts.

    Raises:
        InvalidInput: A line ends otherwise, a line of the header is no field, or there is not one
            From.
    """
    if not has_only_crlf(octets):
        raise InvalidInput("what is signed has lines that end with CRLF, and no other CR or LF")
    head, _, body = octets.partition(b"\r\n\r\n")
    fields: defaultdict[str, list[bytes]] = defaultdict(list)
    for field in _FIELD.findall(head.removesuffix(b"\r\n") + b"\r\n"):
        name = _FIELD_NAME.match(field)
        if name is None:
            raise InvalidInput(f"the header has a line that is no field: {field[:40]!r}")
        fields[name[1].decode("ascii").lower()].append(field)
    if len(fields["from"]) != 1:
        raise InvalidInput("a message has one From field (RFC 5322 section 3.6)")
    return Parted(dict(fields), body)


def chosen_fields(
    headers: tuple[str, ...], oversigning: Oversigning, fields: dict[str, list[bytes]]
) -> Signed:
    """Choose what of a header is signed.

    Args:
        headers: The names a caller wants signed.
        oversigning: Which of them once more than they stand there.
        fields: The header; see `Parted`.

    Returns:
        The names and the fields.
    """
    chosen = tuple(_rounds(dict(_counts(headers, oversigning, fields))))
    left = {name: list(found) for name, found in fields.items()}
    # from the bottom up (section 5.4.2); a name for which no field is left adds nothing
    signed = tuple(left[name].pop() for name in chosen if left.get(name))
    return Signed(chosen, signed)


def _counts(
    headers: tuple[str, ...], oversigning: Oversigning, fields: dict[str, list[bytes]]
) -> Iterator[tuple[str, int]]:
    """Yield how often each name is signed."""
    more = oversigning is not Oversigning.NONE
    for name, listed in Counter(name.lower() for name in headers).items():
        count = len(fields.get(name, ()))
        if more and name in _ONCE and (count or oversigning is Oversigning.ALL):
            count += 1
        yield name, max(count, listed if listed > 1 else 0)


def _rounds(counts: dict[str, int]) -> Iterator[str]:
    """Yield all names, then those that are there once more, and so on."""
    for number in range(max(counts.values())):
        yield from (name for name, count in counts.items() if count > number)
