"""tls-server-end-point, for certificates of all kinds and for what is none."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import ssl
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from ehlo.sasl import server_end_point
from support.tls import authority

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.org")])
DAY = dt.datetime(2026, 11, 23)  # noqa: DTZ001 - certificates know UTC alone


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def certificate(key: Any, algorithm: Any, **options: Any) -> bytes:
    """Return a certificate that signs itself, in DER."""
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, DAY, DAY.replace(year=2036))
    signed = builder.sign(key, algorithm, **options)
    return signed.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (hashes.SHA224(), "sha224"),
        (hashes.SHA256(), "sha256"),
        (hashes.SHA384(), "sha384"),
        (hashes.SHA512(), "sha512"),
        (hashes.SHA3_256(), "sha3_256"),
    ],
)
@pytest.mark.parametrize("kind", ["RSA", "ECDSA", "PSS"])
def test_the_hash_is_that_of_the_signature(kind: str, algorithm: Any, name: str) -> None:
    if kind == "PSS":
        if name.startswith("sha3"):
            return  # not to be had
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
        der = certificate(rsa_key(), algorithm, rsa_padding=pss)
    else:
        der = certificate(
            rsa_key() if kind == "RSA" else ec.generate_private_key(ec.SECP256R1()), algorithm
        )
    assert server_end_point(der) == hashlib.new(name, der).digest()


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey])
def test_it_is_undefined_where_the_signature_has_no_hash_of_its_own(kind: Any) -> None:
    assert server_end_point(certificate(kind.generate(), None)) is None


def test_a_certificate_as_servers_have_them() -> None:
    pem = authority().issue_cert("mail.example.org").cert_chain_pems[0].bytes().decode()
    der = ssl.PEM_cert_to_DER_cert(pem)
    assert server_end_point(der) == hashlib.sha256(der).digest()


# -- Certificates made by hand ---------------------------------------------------------------------


def element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def oid(hexadecimal: str) -> bytes:
    return element(6, bytes.fromhex(hexadecimal))


def by_hand(algorithm: bytes, body: bytes = b"\x30\x00") -> bytes:
    return element(0x30, body, element(0x30, algorithm), element(3, b"\0signature"))


NULL = b"\x05\x00"
SHA_1 = "2b0e03021a"
PSS = oid("2a864886f70d01010a")


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [
        (oid("2a864886f70d010104") + NULL, "sha256"),  # md5WithRSAEncryption
        (oid("2a864886f70d010105") + NULL, "sha256"),  # sha1WithRSAEncryption
        (oid("2a864886f70d01010b") + NULL, "sha256"),  # sha256WithRSAEncryption
        (oid("2a864886f70d010110") + NULL, "sha512_256"),  # sha512-256WithRSAEncryption
        (oid("2a8648ce3d0401"), "sha256"),  # ecdsa-with-SHA1
        (oid("2a8648ce3d040304"), "sha512"),  # ecdsa-with-SHA512
        (oid("2a8648ce380403"), "sha256"),  # dsa-with-sha1
        (oid("608648016503040302"), "sha256"),  # dsa-with-sha256
        (PSS + element(0x30), "sha256"),  # by default SHA-1
        (PSS + element(0x30, element(0xA2, b"\x02\x01\x14")), "sha256"),
        (PSS + element(0x30, element(0xA0, element(0x30, oid(SHA_1), NULL))), "sha256"),
        (PSS + element(0x30, element(0xA0, element(0x30, oid("608648016503040203")))), "sha512"),
    ],
)
def test_weak_hashes_are_replaced(algorithm: bytes, name: str) -> None:
    der = by_hand(algorithm)
    assert server_end_point(der) == hashlib.new(name, der).digest()


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30",
        b"\x31\x00",
        b"\x30\x00",
        by_hand(b""),
        by_hand(oid("2b06010401")),  # nothing that anybody signs with
        by_hand(PSS),
        by_hand(PSS + element(0x30, element(0xA0, element(0x30, oid("2b0e03021b"))))),
        by_hand(PSS + element(0x30, element(0xA0))),
        by_hand(oid("2a864886f70d01010b")) + b"\0",
        by_hand(oid("2a864886f70d01010b"))[:-1],
        element(0x30, b"\x30\x00", element(0x30, oid("2a864886f70d01010b"))),
        b"\x30\x80\x00\x00",  # an indefinite length is BER
        b"\x30\x81\x05\x30\x00\x30\x00\x03",  # a long form where the short one does
        b"\x30\x82\x00\x85" + bytes(0x85),
        b"\x30\x84\x01\x00\x00\x00" + bytes(10),
        b"\x30\x83\x01",
    ],
)
def test_what_is_no_certificate(der: bytes) -> None:
    assert server_end_point(der) is None


def test_a_long_certificate() -> None:
    body = element(0x30, bytes(70_000))
    der = by_hand(oid("2a864886f70d01010c") + NULL, body)
    assert server_end_point(der) == hashlib.sha384(der).digest()


@given(st.binary(max_size=60), st.integers(0, 200))
def test_any_octets_are_survived(octets: bytes, at: int) -> None:
    der = by_hand(PSS + element(0x30, element(0xA0, element(0x30, oid(SHA_1)))))
    for damaged in (octets, der[:at] + octets + der[at + len(octets) :], der[:at]):
        result = server_end_point(damaged)
        assert result is None or result == hashlib.sha256(damaged).digest() or len(result) > 20
