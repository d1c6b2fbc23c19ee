from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any

import pytest

from ehlo import InvalidInput, ProxyHeader, ProxyVersion
from support.hostile import CONTROL_CHARACTERS
from support.pickling import unpickled

V1, V2 = ProxyVersion
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
ADA, MX = ("192.0.2.1", 56324), ("198.51.100.25", 25)
ADA6, MX6 = ("2001:db8::1", 56324), ("2001:DB8:0::25", 0)

# Ends, the line of version 1, what follows the signature in version 2.
HEADERS: list[tuple[Any, Any, bytes, bytes]] = [
    (
        ADA,
        MX,
        b"PROXY TCP4 192.0.2.1 198.51.100.25 56324 25\r\n",
        bytes.fromhex("21 11 000c c0000201 c6336419 dc04 0019"),
    ),
    (
        ADA6,
        MX6,
        b"PROXY TCP6 2001:db8::1 2001:db8::25 56324 0\r\n",
        bytes.fromhex("21 21 0024")
        + bytes.fromhex("20010db8000000000000000000000001")
        + bytes.fromhex("20010db8000000000000000000000025")
        + bytes.fromhex("dc04 0000"),
    ),
    (
        "/run/client",
        "/run/mx",
        b"PROXY UNKNOWN\r\n",
        bytes.fromhex("21 31 00d8") + struct.pack("108s108s", b"/run/client", b"/run/mx"),
    ),
    ("", "/run/mx", b"PROXY UNKNOWN\r\n",
     bytes.fromhex("21 31 00d8") + struct.pack("108s108s", b"", b"/run/mx")),
    (None, None, b"PROXY UNKNOWN\r\n", bytes.fromhex("20 00 0000")),
]  # fmt: skip


@pytest.mark.parametrize(("source", "destination", "line", "binary"), HEADERS)
def test_a_header_says_whose_connection_it_is(
    source: Any, destination: Any, line: bytes, binary: bytes
) -> None:
    assert ProxyHeader(source, destination, V1).octets() == line
    assert ProxyHeader(source, destination).octets() == SIGNATURE + binary
    header = ProxyHeader(source, destination, V2)
    assert unpickled(header) == header
    assert hash(unpickled(header)) == hash(header)


def test_without_ends_it_is_the_proxys_own() -> None:
    assert ProxyHeader() == ProxyHeader(None, None, ProxyVersion.V2)


def test_the_longest_line() -> None:
    longest = ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535)
    line = ProxyHeader(longest, longest, V1).octets()
    assert len(line) == 104  # 107 are allowed (section 2.1)


@pytest.mark.parametrize(
    ("source", "destination", "why"),
    [
        (ADA, None, "both ends"),
        (None, MX, "both ends"),
        (ADA, "/run/mx", "both ends"),
        ("/run/client", MX, "both ends"),
        ([*ADA], [*MX], "both ends"),
        (ADA, MX6, "the other an IPv6"),
        (ADA6, MX, "the other an IPv6"),
        (("mx.example.com", 25), MX, "has an IP address, not 'mx.example.com'"),
        (("", 25), MX, "has an IP address"),
        (("192.0.2.1 ", 25), MX, "has an IP address"),
        (("[::1]", 25), MX6, "has an IP address"),
        (("fe80::1%eth0", 25), MX6, "with a zone"),
        (ADA, ("192.0.2.1", -1), "a port is 0 to 65535"),
        (ADA, ("192.0.2.1", 65536), "a port is 0 to 65535"),
        ("/" * 109, "", "108 octets"),
        ("", "\u00fc" * 55, "108 octets"),
    ],
)
@pytest.mark.parametrize("version", ProxyVersion)
def test_what_no_header_can_say(
    source: Any, destination: Any, why: str, version: ProxyVersion
) -> None:
    with pytest.raises(InvalidInput, match=why):
        ProxyHeader(source, destination, version)


@pytest.mark.parametrize(
    "end", [("192.0.2.1",), ("192.0.2.1", "25"), ("192.0.2.1", True), (1, 25), ("::1", 25, 0, 0)]
)
def test_an_end_is_a_pair(end: Any) -> None:
    with pytest.raises(TypeError, match="a pair of an address and a port"):
        ProxyHeader(end, MX)


@pytest.mark.parametrize("version", [0, 3, "v1", None])
def test_there_are_two_versions(version: Any) -> None:
    with pytest.raises(InvalidInput, match="the versions 1 and 2"):
        ProxyHeader(ADA, MX, version)


def test_nothing_passed_can_end_a_line() -> None:  # I1
    for character in CONTROL_CHARACTERS:
        for end in (f"/run/{character}", (f"192.0.2.1{character}", 25)):
            with pytest.raises(InvalidInput):
                ProxyHeader(end, end, V1)


def test_a_version_may_be_its_number() -> None:
    assert ProxyHeader(ADA, MX, 1).octets() == ProxyHeader(ADA, MX, V1).octets()  # type: ignore[arg-type]
    assert ip_address(ADA[0]).packed in ProxyHeader(ADA, MX, 2).octets()  # type: ignore[arg-type]
