"""The reader of certificates: what it reads is what `ssl` reads, and nothing makes it fail."""

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from ehlo.runtime.certificate import read_certificate
from support.tls import authority, certificate_of

NAMES = ("mail.example.com", "*.example.org", "192.0.2.1", "2001:db8::1", "xn--grn-hoa.example")
DER = certificate_of(*NAMES)


def tlv(tag: int, *bodies: bytes) -> bytes:
    body = b"".join(bodies)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + body


def attribute(kind: bytes, text: bytes, tag: int = 0x0C) -> bytes:
    return tlv(0x31, tlv(0x30, tlv(0x06, kind), tlv(tag, text)))


CN = b"\x55\x04\x03"
ORGANISATION = b"\x55\x04\x0a"


def certificate(
    *,
    subject: bytes = attribute(CN, b"mx"),
    times: bytes = tlv(0x17, b"270601120000Z") + tlv(0x17, b"280601120000Z"),
    serial: bytes = b"\x00\x8f",
    head: bytes = tlv(0xA0, tlv(0x02, b"\x02")),
    tail: bytes = b"",
) -> bytes:
    """Make a certificate that no authority would sign, and this reader does not mind."""
    fields = (
        head,
        tlv(0x02, serial),
        tlv(0x30),
        tlv(0x30, attribute(CN, b"CA")),
        tlv(0x30, times),
        tlv(0x30, subject),
        tlv(0x30),
        tail,
    )
    return tlv(0x30, tlv(0x30, *fields))


def moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def read_by_ssl(der: bytes) -> dict[str, Any]:
    """Read a certificate with `ssl`, which does so for those it trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=der)
    [found] = context.get_ca_certs()
    return dict(found)


def test_it_reads_what_ssl_reads() -> None:
    der = ssl.PEM_cert_to_DER_cert(authority().cert_pem.bytes().decode())
    ours, theirs = read_certificate(der), read_by_ssl(der)
    common = dict(pair for relative in theirs["subject"] for pair in relative)
    assert ours["serial"] == theirs["serialNumber"]
    assert ours["not_before"] == moment(theirs["notBefore"])
    assert ours["not_after"] == moment(theirs["notAfter"])
    assert common["organizationalUnitName"] == ours["subject"] == ours["issuer"]


def test_names() -> None:
    assert read_certificate(DER)["names"] == NAMES


def test_names_of_other_kinds_are_left_out() -> None:
    leaf = trustme.CA().issue_cert("ada@example.org", "mx.example.org")
    der = ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())
    assert read_certificate(der)["names"] == ("mx.example.org",)


@pytest.mark.parametrize("none", [None, b""])
def test_no_certificate(none: bytes | None) -> None:
    assert read_certificate(none) == {}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"", ""),
        (attribute(ORGANISATION, b"Example"), "Example"),
        (attribute(CN, b"mx") + attribute(ORGANISATION, b"Example"), "mx"),
        (attribute(CN, "Grün".encode()), "Grün"),
        (attribute(CN, "Grün".encode("latin-1"), 0x14), "Grün"),
        (attribute(CN, "Grün".encode("utf-16-be"), 0x1E), "Grün"),
        (attribute(CN, "Grün".encode("utf-32-be"), 0x1C), "Grün"),
        (attribute(CN, b"mx\r\n220 evil\x1b[2J"), r"mx\r\n220 evil\x1b[2J"),
        (attribute(CN, b"\xff"), r"\xff"),
    ],
)
def test_subjects(subject: bytes, expected: str) -> None:
    assert read_certificate(certificate(subject=subject))["subject"] == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (tlv(0x17, b"490101000000Z"), datetime(2049, 1, 1, tzinfo=UTC)),
        (tlv(0x17, b"500101000000Z"), datetime(1950, 1, 1, tzinfo=UTC)),
        (tlv(0x18, b"20500101000000Z"), datetime(2050, 1, 1, tzinfo=UTC)),
        (tlv(0x18, b"99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (tlv(0x18, b"20270231000000Z"), None),
        (tlv(0x18, b"20270201000000+0100"), None),
        (tlv(0x17, b"\xff" * 13), None),
        (tlv(0x0C, b"20270201000000Z"), None),
    ],
)
def test_times(time: bytes, expected: datetime | None) -> None:
    found = read_certificate(certificate(times=time + time))
    assert found["not_before"] == found["not_after"] == expected


@pytest.mark.parametrize(
    ("serial", "expected"), [(b"\x00\x8f", "8F"), (b"\x05", "05"), (b"\0", "00"), (b"", "00")]
)
def test_serial_numbers(serial: bytes, expected: str) -> None:
    assert read_certificate(certificate(serial=serial))["serial"] == expected


def test_a_certificate_of_version_1_has_no_version() -> None:
    found = read_certificate(certificate(head=b""))
    assert (found["serial"], found["subject"], "names" in found) == ("8F", "mx", False)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (tlv(0x82, b"a.example") + tlv(0x87, b"\x7f\0\0\1"), ("a.example", "127.0.0.1")),
        (tlv(0x87, b"\x7f\0\0") + tlv(0x86, b"http://x"), ()),
        (tlv(0x82, b"a\nb"), (r"a\nb",)),
    ],
)
def test_alternative_names(names: bytes, expected: tuple[str, ...]) -> None:
    value = tlv(0x04, tlv(0x30, names))
    other = tlv(0x30, tlv(0x06, b"\x55\x1d\x0f"), tlv(0x01, b"\xff"), tlv(0x04, b""))
    extension = tlv(0x30, tlv(0x06, b"\x55\x1d\x11"), value)
    tail = tlv(0xA3, tlv(0x30, other, extension))
    assert read_certificate(certificate(tail=tail))["names"] == expected
    assert read_certificate(certificate(tail=tlv(0xA3, tlv(0x30, other))))["names"] == ()


def test_what_can_be_read_before_it_breaks_off_is_kept() -> None:
    found = read_certificate(certificate(times=b"\x17"))
    assert found.keys() == {"fingerprint", "serial", "issuer"}


@pytest.mark.parametrize("end", range(0, len(DER), 7))
def test_cut_short(end: int) -> None:
    assert set(read_certificate(DER[:end])) <= {"fingerprint"}


@pytest.mark.parametrize("length", [b"\x80", b"\x85\0\0\0\0\1", b"\x84\xff\xff\xff\xff", b"\xff"])
def test_lengths_that_are_none(length: bytes) -> None:
    assert read_certificate(b"\x30" + length + b"\0" * 40).keys() == {"fingerprint"}


@given(
    st.binary(max_size=200)
    | st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), max_size=8).map(
        lambda changes: bytes(dict(changes).get(at, octet) for at, octet in enumerate(DER))
    )
)
def test_any_octets_are_read_as_far_as_they_go(der: bytes) -> None:
    found = read_certificate(der)
    assert "\n" not in repr(found)
    texts = [found.get("subject", ""), found.get("issuer", ""), *found.get("names", ())]
    assert all("\x1b" not in text for text in texts)
