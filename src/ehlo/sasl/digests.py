"""Hashes, keyed and stretched, for the mechanisms that prove a password without sending it.

`hashlib` and `hmac` are imported at their first use: they are not light, and most programs that
import the library do not authenticate with them.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum

from ehlo.secret import Secret

__all__ = ["Digest", "hashed", "is_available", "keyed", "same", "stretched"]


class Digest(StrEnum):
    """The hash functions of mechanisms and certificates, as `hashlib` names them."""

    MD5 = "md5"
    SHA_1 = "sha1"
    SHA_224 = "sha224"
    SHA_256 = "sha256"
    SHA_384 = "sha384"
    SHA_512 = "sha512"
    SHA_512_224 = "sha512_224"
    SHA_512_256 = "sha512_256"
    SHA3_224 = "sha3_224"
    SHA3_256 = "sha3_256"
    SHA3_384 = "sha3_384"
    SHA3_512 = "sha3_512"


def is_available(digest: Digest) -> bool:
    """Return whether this Python has a hash function at all; in FIPS mode it has no MD5.

    Args:
        digest: The hash function.

    Returns:
        True if `keyed` can be called with it.
    """
    try:
        keyed(digest, b"", b"")
    except ValueError:
        return False
    return True


def hashed(digest: Digest, octets: bytes) -> bytes:
    """Return H(octets).

    Args:
        digest: The hash function.
        octets: Any octets.

    Returns:
        The hash.
    """
    import hashlib  # noqa: PLC0415 - see the module's docstring

    return hashlib.new(digest, octets).digest()


def keyed(digest: Digest, key: bytes, octets: bytes) -> bytes:
    """Return HMAC(key, octets) (RFC 2104).

    Args:
        digest: The hash function.
        key: The key.
        octets: Any octets.

    Returns:
        The authentication code.

    Raises:
        ValueError: This Python has no such hash function.
    """
    import hmac  # noqa: PLC0415 - as above

    return hmac.digest(key, octets, digest)


def stretched(digest: Digest, password: Secret, salt: bytes, iterations: int) -> Secret | None:
    """Return Hi(password, salt, iterations), which is PBKDF2 (RFC 5802 section 2.2).

    Args:
        digest: The hash function.
        password: The password.
        salt: The salt.
        iterations: How many times.

    Returns:
        A key as long as the hash, in hexadecimal digits; None if this Python refuses to compute it,
        as it may in FIPS mode.
    """
    import hashlib  # noqa: PLC0415 - as above

    with suppress(ValueError):
        return Secret(
            hashlib.pbkdf2_hmac(digest, password.reveal().encode(), salt, iterations).hex()
        )
    return None


def same(one: bytes, other: bytes) -> bool:
    """Return whether octets are the same, in a time that tells nothing about them.

    Args:
        one: Octets.
        other: Octets.

    Returns:
        True if they are equal.
    """
    import hmac  # noqa: PLC0415 - as above

    return hmac.compare_digest(one, other)
