"""The server's side of SCRAM (RFC 5802).

Salts and nonces are made from what the client says: the same octets get the same answers here. A
server that is not for tests makes them at random.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from ehlo.sasl.digests import Digest, hashed, keyed, same, stretched
from ehlo.sasl.scram import ITERATIONS_MIN, ScramHash
from ehlo.testing._accounts import SaslFault, text_of
from ehlo.testing._grammar import Declined, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.secret import Secret
    from ehlo.testing._accounts import Accounts, Exchange, Mechanism

__all__ = ["SCRAM"]

_CLIENT_FIRST: Final = re.compile(
    r"(?P<header>(?:[ny]|p=(?P<kind>[A-Za-z0-9.-]+)),(?:a=[^\0,]+)?,)"
    r"(?P<bare>n=(?P<user>(?:[^\0,=]|=2C|=3D)+),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+))"
)
_CLIENT_FINAL: Final = re.compile(
    r"(?P<unproved>c=(?P<binding>[A-Za-z0-9+/]+={0,2}),r=(?P<nonce>[\x21-\x2b\x2d-\x7e]+))"
    r",p=(?P<proof>[A-Za-z0-9+/]+={0,2})"
)
_NONCE: Final = 24
_SALT: Final = 16

_ITERATIONS: Final = {SaslFault.FEW_ITERATIONS: 1, SaslFault.MANY_ITERATIONS: 2_000_000_000}


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode()


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a server stores of a password (RFC 5802 section 3)."""

    digest: Digest
    stored: bytes
    server: bytes

    @classmethod
    def of(cls, digest: Digest, password: Secret, salt: bytes) -> _Keys:
        stretched_key = stretched(digest, password, salt, ITERATIONS_MIN)
        assert stretched_key is not None  # noqa: S101 - the salt is a good one
        salted = bytes.fromhex(stretched_key.reveal())
        client = keyed(digest, salted, b"Client Key")
        return cls(digest, hashed(digest, client), keyed(digest, salted, b"Server Key"))

    def is_proof(self, proof: bytes, signed: bytes) -> bool:
        """Return whether a proof is right: it gives the client's key away to who has the rest."""
        signature = keyed(self.digest, self.stored, signed)
        if len(proof) != len(signature):
            return False
        client = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        return same(hashed(self.digest, client), self.stored)


def _scram(kind: ScramHash, accounts: Accounts, *, plus: bool) -> Exchange:
    """Hold an exchange."""
    digest = kind.digest
    first = _CLIENT_FIRST.fullmatch(text_of((yield b"")))
    if first is None:
        raise Declined(Refusal.BAD_RESPONSE)
    binding = _bound(first, accounts) if plus else _unbound(first, kind, accounts)
    user = first["user"].replace("=2C", ",").replace("=3D", "=")
    salt = hashed(Digest.SHA_256, user.encode())[:_SALT]
    nonce = _nonce(first["nonce"], accounts)
    challenge = _server_first(nonce, salt, accounts.fault)
    final = _CLIENT_FINAL.fullmatch(text_of((yield challenge.encode())))
    if final is None:
        raise Declined(Refusal.BAD_RESPONSE)
    password = accounts.prepared(user)
    if password is None or not _is_bound(final, first["header"], binding, nonce):
        return None
    keys = _Keys.of(digest, password, salt)
    signed = f"{first['bare']},{challenge},{final['unproved']}".encode()
    if not keys.is_proof(binascii.a2b_base64(final["proof"]), signed):
        return None
    if accounts.fault is not SaslFault.NO_SIGNATURE:
        yield _server_final(keyed(digest, keys.server, signed), accounts.fault).encode()
    return user


def _unbound(first: re.Match[str], kind: ScramHash, accounts: Accounts) -> bytes:
    """Refuse a client that saw no offer which was made: somebody on the way took it away."""
    may_bind = f"SCRAM-{kind}-PLUS" in accounts.offered
    if first["kind"] or (first["header"].startswith("y") and may_bind):
        raise Declined(Refusal.BAD_CREDENTIALS)
    return b""


def _bound(first: re.Match[str], accounts: Accounts) -> bytes:
    """Return the channel binding data (RFC 5802 section 6)."""
    binding = accounts.bindings.get(first["kind"] or "")
    if binding is None:
        raise Declined(Refusal.BAD_CREDENTIALS)
    return binding


def _nonce(client: str, accounts: Accounts) -> str:
    fresh = hashed(Digest.SHA_256, f"{accounts.connection} {client}".encode())
    own = _base64(fresh)[:_NONCE]
    if accounts.fault is SaslFault.REPLAYED_NONCE:
        return f"{own}{own}"
    return client if accounts.fault is SaslFault.BARE_NONCE else f"{client}{own}"


def _server_first(nonce: str, salt: bytes, fault: SaslFault) -> str:
    extension = "m=unheard-of," if fault is SaslFault.UNKNOWN_EXTENSION else ""
    shown = "no Base64" if fault is SaslFault.BAD_SALT else _base64(salt)
    return f"{extension}r={nonce},s={shown},i={_ITERATIONS.get(fault, ITERATIONS_MIN)}"


def _server_final(signature: bytes, fault: SaslFault) -> str:
    if fault is SaslFault.SERVER_ERROR:
        return "e=other-error"
    if fault is SaslFault.WRONG_SIGNATURE:
        signature = signature[::-1]
    return f"v={_base64(signature)}"


def _is_bound(final: re.Match[str], header: str, binding: bytes, nonce: str) -> bool:
    bound = _base64(header.encode() + binding)
    return final["binding"] == bound and final["nonce"] == nonce


SCRAM: Final[Mapping[str, Mechanism]] = {
    f"SCRAM-{kind}{suffix}": partial(_scram, kind, plus=bool(suffix))
    for kind in ScramHash
    for suffix in ("", "-PLUS")
}
"""The mechanisms by their names."""
