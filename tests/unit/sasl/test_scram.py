"""SCRAM, against the examples of the RFCs and against servers that do not keep to them."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import pytest

from ehlo import BadChallenge, Channel, InvalidInput, Secret
from ehlo.errors import LocalProtocolError
from ehlo.sasl import Accepted, Exchange, Scram, ScramHash, ScramPlus, ServerUnproven
from ehlo.sasl import scram as scram_module

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
PENCIL = Secret("pencil")


def channel(nonce: str = NONCE, **facts: object) -> Channel:
    return Channel(make_nonce=lambda: nonce, **facts)  # type: ignore[arg-type]


def started(mechanism: Scram | None = None, where: Channel | None = None) -> Exchange:
    exchange = (mechanism or Scram("user", PENCIL)).exchange(where or channel())
    next(exchange)
    return exchange


# -- The examples of the RFCs ----------------------------------------------------------------------

RFC_5802 = (
    ScramHash.SHA_1,
    "fyko+d2lbbFgONRv9qkxdawL",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677 = (
    ScramHash.SHA_256,
    "rOprNGfwEbeRWgbNEkqO",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    (
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    ),
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)


@pytest.mark.parametrize(
    ("hashed", "nonce", "first", "challenge", "final", "signature"), [RFC_5802, RFC_7677]
)
def test_the_examples_of_the_rfcs(
    hashed: ScramHash,
    nonce: str,
    first: str,
    challenge: str,
    final: str,
    signature: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The nonce of RFC 7677 is shorter than RFC 5802 section 9 would have it.
    monkeypatch.setattr(scram_module, "NONCE_MIN", 1)
    monkeypatch.setattr(scram_module, "_NONCE", re.compile(".+"))
    exchange = Scram("user", PENCIL, hashed).exchange(channel(nonce))
    assert next(exchange) == first.encode()
    assert exchange.send(challenge.encode()) == final.encode()
    assert exchange.send(signature.encode()) == b""
    with pytest.raises(Accepted):
        exchange.throw(Accepted())


class Reference:
    """A server's computations, written down from RFC 5802 section 3 and nothing else."""

    def __init__(
        self, kind: str, password: str, header: bytes = b"n,,", bound: bytes = b""
    ) -> None:
        self.kind = kind
        self.salt = b"sodium chloride"
        self.nonce = f"{NONCE}3rfcNHYJY1ZVvWVs7j"
        salted = self.salted(password.encode())
        self.client_key = hmac.new(salted, b"Client Key", kind).digest()
        self.server_key = hmac.new(salted, b"Server Key", kind).digest()
        self.binding = b64encode(header + bound).decode()
        self.bare = ""

    def salted(self, password: bytes) -> bytes:
        """Hi(), by its definition."""
        previous = hmac.new(password, self.salt + b"\0\0\0\1", self.kind).digest()
        result = int.from_bytes(previous, "big")
        for _ in range(4095):
            previous = hmac.new(password, previous, self.kind).digest()
            result ^= int.from_bytes(previous, "big")
        return result.to_bytes(len(previous), "big")

    @property
    def challenge(self) -> str:
        return f"r={self.nonce},s={b64encode(self.salt).decode()},i=4096"

    def signed(self) -> bytes:
        return f"{self.bare},{self.challenge},c={self.binding},r={self.nonce}".encode()

    def final(self) -> bytes:
        stored = hashlib.new(self.kind, self.client_key).digest()
        signature = hmac.new(stored, self.signed(), self.kind).digest()
        proof = bytes(a ^ b for a, b in zip(self.client_key, signature, strict=True))
        return f"c={self.binding},r={self.nonce},p={b64encode(proof).decode()}".encode()

    def signature(self) -> bytes:
        digest = hmac.new(self.server_key, self.signed(), self.kind).digest()
        return b"v=" + b64encode(digest)


@pytest.mark.parametrize("hashed", ScramHash)
@pytest.mark.parametrize(
    ("username", "password", "name", "prepared"),
    [
        ("user", "pencil", "user", "pencil"),
        ("a=b,c", "p,=", "a=3Db=2Cc", "p,="),
        ("\u2168", "pass\u00adword\u00a0\u00aa", "IX", "password a"),
        ("ada\U0001f511", "\u212b", "ada\U0001f511", "\u00c5"),
    ],
)
def test_each_hash_against_a_reference(
    hashed: ScramHash, username: str, password: str, name: str, prepared: str
) -> None:
    server = Reference(hashed.digest, prepared)
    server.bare = f"n={name},r={NONCE}"
    exchange = Scram(username, Secret(password), hashed).exchange(channel())
    assert next(exchange) == f"n,,{server.bare}".encode()
    assert exchange.send(server.challenge.encode()) == server.final()
    assert exchange.send(server.signature()) == b""


def test_sha_512_is_bound_to_the_channel() -> None:
    bindings = {"tls-exporter": b"\x01\x02", "tls-server-end-point": b"\x03"}
    server = Reference("sha512", "pencil", b"p=tls-exporter,,", b"\x01\x02")
    server.bare = f"n=user,r={NONCE}"
    exchange = ScramPlus("user", PENCIL, ScramHash.SHA_512).exchange(channel(bindings=bindings))
    assert next(exchange) == f"p=tls-exporter,,{server.bare}".encode()
    assert exchange.send(server.challenge.encode()) == server.final()
    assert exchange.send(server.signature()) == b""


# -- What the client says about channel binding ----------------------------------------------------


@pytest.mark.parametrize(
    ("bindings", "offered", "header"),
    [
        ({}, ("SCRAM-SHA-256",), b"n,,"),
        ({}, ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), b"n,,"),
        ({"tls-exporter": b"x"}, ("SCRAM-SHA-256",), b"y,,"),
        ({"tls-exporter": b"x"}, ("SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"), b"y,,"),
        ({"tls-exporter": b"x"}, ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), b"n,,"),
    ],
)
def test_the_flag_tells_whether_the_client_could_bind(
    bindings: dict[str, bytes], offered: tuple[str, ...], header: bytes
) -> None:
    exchange = Scram("user", PENCIL).exchange(channel(bindings=bindings, offered=offered))
    first = next(exchange)
    assert first is not None
    assert first.startswith(header + b"n=user")


def test_plus_needs_something_to_bind_to() -> None:
    with pytest.raises(InvalidInput, match="SCRAM-SHA-256-PLUS needs channel bindings"):
        next(ScramPlus("user", PENCIL).exchange(channel()))


# -- Nonces ----------------------------------------------------------------------------------------


def test_a_source_of_nonces_is_needed() -> None:
    with pytest.raises(LocalProtocolError, match="give the Channel a make_nonce"):
        next(Scram("user", PENCIL).exchange(Channel()))


@pytest.mark.parametrize("nonce", ["", "x" * 23, "x" * 24 + ",", "x" * 24 + " ", "\u20ac" * 24])
def test_what_is_no_nonce(nonce: str) -> None:  # A5
    with pytest.raises(LocalProtocolError, match="a nonce is 24 printable ASCII characters"):
        next(Scram("user", PENCIL).exchange(channel(nonce)))


# -- The server's first message --------------------------------------------------------------------

SALT = "QSXCR+Q6sek8bf92"


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        (f"r={NONCE},s={SALT},i=4096", "does not continue the client's"),
        (f"r=x{NONCE}x,s={SALT},i=4096", "does not continue the client's"),
        (f"r={NONCE[:-1]},s={SALT},i=4096", "does not continue the client's"),
        (f"r={NONCE.lower()}x,s={SALT},i=4096", "does not continue the client's"),
        (f"r={NONCE}x,s={SALT},i=4095", "asks for 4095 iterations; 4096 to 1000000"),
        (f"r={NONCE}x,s={SALT},i=1", "asks for 1 iterations"),
        (f"r={NONCE}x,s={SALT},i=1000001", "asks for 1000001 iterations"),
        (f"r={NONCE}x,s={SALT},i=9999999999", "asks for 9999999999 iterations"),
        (f"r={NONCE}x,s={SALT},i=10000000000", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=0", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=04096", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=+4096", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=\u0664\u0660\u0669\u0666", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT}", "none of SCRAM"),
        (f"r={NONCE}x,s=,i=4096", "none of SCRAM"),
        (f"r={NONCE}x,s=QQ,i=4096", "none of SCRAM"),
        (f"r={NONCE}x,s=Q!==,i=4096", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT}=,i=4096", "none of SCRAM"),
        (f"r={NONCE} x,s={SALT},i=4096", "none of SCRAM"),
        (f"r={NONCE}\u20ac,s={SALT},i=4096", "none of SCRAM"),
        (f"s={SALT},r={NONCE}x,i=4096", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=4096,", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=4096,x", "none of SCRAM"),
        (f"r={NONCE}x,s={SALT},i=4096\n", "none of SCRAM"),
        (f"m=mandatory,r={NONCE}x,s={SALT},i=4096", "an extension that nobody has defined"),
        ("m=", "an extension that nobody has defined"),
        ("e=unknown-user", "reports the error unknown-user"),
        ("e=other-error,x=y", "reports the error other-error"),
        ("e=\x1b[2J", "none of SCRAM"),
        ("", "none of SCRAM"),
    ],
)
def test_a_first_message_that_is_not_answered(challenge: str, why: str) -> None:  # A3 A5
    with pytest.raises(BadChallenge, match=why):
        started().send(challenge.encode())


@pytest.mark.parametrize("iterations", [4096, 5000])
def test_extensions_that_are_not_mandatory_are_overlooked(iterations: int) -> None:
    response = started().send(f"r={NONCE}x,s={SALT},i={iterations},x=y,z=a=b".encode())
    assert response is not None
    assert response.startswith(b"c=biws,r=" + NONCE.encode() + b"x,p=")


def test_a_first_message_that_is_not_utf8() -> None:
    with pytest.raises(BadChallenge, match="its message is not UTF-8"):
        started().send(b"\xff")


def test_a_salt_that_this_python_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_fips_mode(*_args: object) -> bytes:
        raise ValueError("unsupported")

    monkeypatch.setattr("hashlib.pbkdf2_hmac", in_fips_mode)
    with pytest.raises(BadChallenge, match="cannot compute SCRAM-SHA-256 with such a salt"):
        started().send(f"r={NONCE}x,s={SALT},i=4096".encode())


# -- The server's last message ---------------------------------------------------------------------


def proved() -> tuple[Exchange, Reference]:
    """Return an exchange that waits for the server's signature."""
    server = Reference("sha256", "pencil")
    server.bare = f"n=user,r={NONCE}"
    exchange = started()
    exchange.send(server.challenge.encode())
    return exchange, server


def flip(signature: bytes) -> bytes:
    octets = bytearray(b64decode(signature[2:]))
    octets[-1] ^= 1
    return b"v=" + b64encode(octets)


@pytest.mark.parametrize(
    "change",
    [
        flip,
        lambda _: b"v=",
        lambda signature: signature[:-4],
        lambda signature: signature + b"=",
        lambda signature: signature.lower(),
        lambda signature: b"x=y," + signature,
        lambda signature: signature + b",",
        lambda _: b"",
        lambda _: b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    ],
)
def test_a_wrong_signature(change: Callable[[bytes], bytes]) -> None:  # A5
    exchange, server = proved()
    with pytest.raises(ServerUnproven, match="its signature is wrong"):
        exchange.send(change(server.signature()))


def test_an_extension_behind_the_signature() -> None:
    exchange, server = proved()
    assert exchange.send(server.signature() + b",x=y") == b""


def test_an_error_in_the_place_of_the_signature() -> None:
    exchange, _ = proved()
    with pytest.raises(BadChallenge, match="reports the error invalid-proof") as caught:
        exchange.send(b"e=invalid-proof")
    assert not isinstance(caught.value, ServerUnproven)


@pytest.mark.parametrize("when", ["before the challenge", "behind the proof"])
def test_a_success_without_a_signature(when: str) -> None:  # A5
    exchange = started() if when == "before the challenge" else proved()[0]
    with pytest.raises(ServerUnproven, match="has not proved that it knows the password"):
        exchange.throw(Accepted())


def test_nothing_is_said_behind_the_signature() -> None:
    exchange, server = proved()
    exchange.send(server.signature())
    with pytest.raises(StopIteration):
        exchange.send(b"")


# -- What it takes ---------------------------------------------------------------------------------


def test_the_hash_may_be_a_string() -> None:
    assert Scram("user", PENCIL, "SHA-1").name == "SCRAM-SHA-1"  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="ScramHash is one of 'SHA-1', 'SHA-256', 'SHA-512'"):
        Scram("user", PENCIL, "MD5")  # type: ignore[arg-type]


@pytest.mark.parametrize("password", ["\U0001f511", "\u200e", "\ue000", "\u0627x", "\u00ad"])
def test_a_password_that_cannot_be_prepared(password: str) -> None:
    with pytest.raises(InvalidInput, match="the password ") as caught:
        Scram("user", Secret(password))
    assert password not in str(caught.value)


def test_a_user_name_that_cannot_be_prepared() -> None:
    with pytest.raises(InvalidInput, match="the user name holds a prohibited character"):
        Scram("\ue000", PENCIL)
