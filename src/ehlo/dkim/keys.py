"""Private keys, the signatures they make, and the record that tells the public half (RFC 6376 3.6).

The package `cryptography` is imported when the first key is read.
"""

from __future__ import annotations

import base64
import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from ehlo.errors import InvalidInput
from ehlo.secret import Secret, concealed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["RSA_BITS_MIN", "Algorithm", "SigningKey", "concealed_key", "read_key"]

RSA_BITS_MIN: Final = 1024
"""Bits of an RSA key (RFC 8301 section 3.2), which adds that 2048 are better."""


class Algorithm(StrEnum):
    """How a message is signed; it follows from the key. There is no rsa-sha1 (RFC 8301)."""

    RSA_SHA256 = "rsa-sha256"
    """RSA with SHA-256 (RFC 6376 section 3.3.2); every verifier knows it."""
    ED25519_SHA256 = "ed25519-sha256"
    """Ed25519 with SHA-256 (RFC 8463): short keys and signatures; not every verifier knows it."""


class SigningKey(Protocol):
    """A private key."""

    algorithm: Algorithm

    def sign(self, octets: bytes) -> bytes:
        """Return the signature of octets."""
        ...

    def record(self) -> str:
        """Return the key record of the public half."""
        ...


class _RsaKey:
    algorithm = Algorithm.RSA_SHA256

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, octets: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        return self._key.sign(octets, PKCS1v15(), SHA256())

    def record(self) -> str:
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            Encoding,
            PublicFormat,
        )

        form = PublicFormat.SubjectPublicKeyInfo
        return _record("rsa", self._key.public_key().public_bytes(Encoding.DER, form))


class _Ed25519Key:
    algorithm = Algorithm.ED25519_SHA256

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, octets: bytes) -> bytes:
        return self._key.sign(hashlib.sha256(octets).digest())  # RFC 8463 section 3

    def record(self) -> str:
        return _record("ed25519", self._key.public_key().public_bytes_raw())


def _record(kind: str, public: bytes) -> str:
    return f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"


def concealed_key(value: str | bytes | Secret) -> tuple[Secret, str]:
    """Return a private key as a secret, and what is wrong with it; see `concealed`.

    Args:
        value: A key in PEM.

    Returns:
        The secret, and an empty text; or an empty secret, and a text that does not repeat the key.
    """
    # PEM is ASCII; whatever is not is no key, and is found out when it is read
    text = value.decode("ascii", "replace") if isinstance(value, bytes | bytearray) else value
    return concealed("a private key", text)


def read_key(pem: Secret) -> SigningKey:
    """Read a private key.

    Args:
        pem: The key in PEM, not encrypted: RSA (PKCS #1 or PKCS #8) or Ed25519 (PKCS #8).

    Returns:
        The key.

    Raises:
        InvalidInput: It is none, or an RSA key of less than 1024 bits; the package `cryptography`
            is not there. The message does not repeat the key.
    """
    # Errors of the package are not passed on: their tracebacks would show its local variables.
    found = _read(pem)
    key = found if isinstance(found, str) else _fit(found)
    if isinstance(key, str):
        raise InvalidInput(key)
    return key


def _read(pem: Secret) -> PrivateKeyTypes | str:
    """Return a key of any kind, or why there is none."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )
    except ImportError:
        return "signing by DKIM needs the package cryptography: install ehlo[dkim]"
    try:
        return load_pem_private_key(pem.reveal().encode(), None)
    except TypeError:  # it misses a password
        return "the private key is encrypted: decrypt it first, for example with openssl pkey"
    except (ValueError, UnsupportedAlgorithm):
        return "the private key is no private key in PEM"


def _fit(key: PrivateKeyTypes) -> SigningKey | str:
    """Return a key that DKIM knows, or why it is none."""
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa  # noqa: PLC0415

    match key:
        case rsa.RSAPrivateKey() if key.key_size < RSA_BITS_MIN:
            return f"an RSA key has {RSA_BITS_MIN} bits or more, not {key.key_size} (RFC 8301)"
        case rsa.RSAPrivateKey():
            return _RsaKey(key)
        case ed25519.Ed25519PrivateKey():
            return _Ed25519Key(key)
        case _:
            return "the private key is neither an RSA nor an Ed25519 key"
