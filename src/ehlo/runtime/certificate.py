"""What stands in a certificate, read from its DER form (RFC 5280 section 4.1).

`ssl` tells what is in a certificate only where it has verified it. People who look for what is
wrong with one want to see it all the same, and so this reads the few fields that say whose it is.
It decides about nothing: verification is OpenSSL's work alone.

The octets may come from anybody: whatever they are, what cannot be read is left empty.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from ehlo.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Certificate", "read_certificate"]

_LONG_FORM: Final = 0x80
_LENGTH_OCTETS_MAX: Final = 4
_EXTENSIONS: Final = 0xA3
_VERSION: Final = 0xA0
_COMMON_NAME: Final = b"\x55\x04\x03"
_SUBJECT_ALT_NAME: Final = b"\x55\x1d\x11"
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18
_CENTURY: Final = "50"  # a year below it is 20yy, else 19yy (RFC 5280 section 4.1.2.5.1)
_TIME: Final = re.compile("[0-9]{14}Z")
_CHARSETS: Final = {0x14: "latin-1", 0x1E: "utf-16-be", 0x1C: "utf-32-be"}
"""How the texts of names are written, by their tag; all others are UTF-8 or ASCII."""


class Certificate(TypedDict, total=False):
    """What could be read; the keys are fields of `TlsFacts`."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime | None
    not_after: datetime | None
    serial: str
    fingerprint: str


class _Element(NamedTuple):
    """One element of DER: a tag and its content."""

    tag: int
    body: bytes

    @property
    def parts(self) -> Iterator[_Element]:
        """The elements in the content."""
        return _elements(self.body)


def read_certificate(der: bytes | None) -> Certificate:
    """Read a certificate.

    Args:
        der: Its DER form; None or empty for no certificate.

    Returns:
        What could be read.
    """
    if not der:
        return {}
    found: Certificate = {"fingerprint": sha256(der).hexdigest()}
    with suppress(ValueError, StopIteration):
        _read_fields(found, der)
    return found


def _read_fields(found: Certificate, der: bytes) -> None:
    """Fill in one field after the other, as far as they can be read."""
    fields = next(next(_elements(der)).parts).parts
    first = next(fields)
    serial = next(fields) if first.tag == _VERSION else first
    found["serial"] = serial.body.lstrip(b"\0").hex().upper() or "00"
    next(fields)  # the algorithm of the signature
    found["issuer"] = _name(next(fields))
    not_before, not_after = map(_time, next(fields).parts)
    found["not_before"], found["not_after"] = not_before, not_after
    found["subject"] = _name(next(fields))
    for element in fields:
        if element.tag == _EXTENSIONS:
            found["names"] = _alternative_names(element)


def _elements(octets: bytes) -> Iterator[_Element]:
    """Cut octets into elements.

    Raises:
        ValueError: They end within one.
    """
    position = 0
    while position < len(octets):
        tag, start, end = _header(octets, position)
        if end > len(octets):
            msg = "an element that is cut short"
            raise ValueError(msg)
        yield _Element(tag, octets[start:end])
        position = end


def _header(octets: bytes, position: int) -> tuple[int, int, int]:
    """Return the tag of the element at a position, and where its content begins and ends."""
    header = octets[position : position + 2 + _LENGTH_OCTETS_MAX]
    if len(header) < 2:  # noqa: PLR2004 - the tag and the length
        msg = "an element without a length"
        raise ValueError(msg)
    tag, length = header[0], header[1]
    start = position + 2
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        if not 0 < count <= _LENGTH_OCTETS_MAX:
            msg = "a length that is none"
            raise ValueError(msg)
        length = int.from_bytes(octets[start : start + count], "big")
        start += count
    return tag, start, start + length


def _text(element: _Element) -> str:
    charset = _CHARSETS.get(element.tag, "utf-8")
    errors = "backslashreplace" if charset == "utf-8" else "replace"
    return printable(element.body.decode(charset, errors))


def _name(name: _Element) -> str:
    """Return the common name, or else the last attribute, of a name; empty for an empty one."""
    attributes: dict[bytes, str] = {}
    for relative in name.parts:
        for attribute in relative.parts:
            kind, value = attribute.parts
            attributes[kind.body] = _text(value)
    return attributes.get(_COMMON_NAME, next(reversed(attributes.values()), ""))


def _time(element: _Element) -> datetime | None:
    """Return a point in time; None for one that this world does not have."""
    text = element.body.decode("ascii", "replace")
    if element.tag == _UTC_TIME:
        text = ("20" if text[:2] < _CENTURY else "19") + text
    if element.tag not in {_UTC_TIME, _GENERALIZED_TIME} or not _TIME.fullmatch(text):
        return None
    with suppress(ValueError):
        # YYYYMMDDHHMMSSZ, which is ISO 8601 but for the T.
        return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").astimezone(UTC)
    return None


def _alternative_names(extensions: _Element) -> tuple[str, ...]:
    for extension in next(extensions.parts).parts:
        kind, *_, value = extension.parts
        if kind.body == _SUBJECT_ALT_NAME:
            return tuple(_known_names(next(value.parts).parts))
    return ()


def _known_names(names: Iterable[_Element]) -> Iterator[str]:
    """Yield the names that a mail server can be verified by; others are of no interest."""
    for name in names:
        if name.tag == _DNS_NAME:
            yield _text(name)
        elif name.tag == _IP_ADDRESS:
            with suppress(ValueError):
                yield str(ip_address(name.body))
