"""The channel binding `tls-server-end-point`: a hash of the server's certificate (RFC 5929)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.sasl.digests import Digest, hashed

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TLS_EXPORTER", "TLS_SERVER_END_POINT", "server_end_point"]

TLS_EXPORTER: Final = "tls-exporter"
"""The type that RFC 9266 defines for TLS 1.3."""
TLS_SERVER_END_POINT: Final = "tls-server-end-point"
"""The type that this module computes."""

_SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_BIT_STRING: Final = 0x03
_CONTEXT_0: Final = 0xA0

_LONG_FORM: Final = 0x80
_LENGTH_OCTETS_MAX: Final = 3  # 16 MiB, which no certificate has


def _oid(*arcs: int) -> bytes:
    """Return the content octets of an object identifier (X.690 section 8.19)."""
    content = bytearray([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | (arc & 0x7F))
        content += bytes(reversed(septets))
    return bytes(content)


_PKCS_1: Final = (1, 2, 840, 113549, 1, 1)
_X9_62: Final = (1, 2, 840, 10045, 4)
_NIST: Final = (2, 16, 840, 1, 101, 3, 4)
_RSASSA_PSS: Final = _oid(*_PKCS_1, 10)

# The hash function within each signature algorithm. EdDSA has none that could be told from it, so
# that the binding is undefined there.
_SIGNATURES: Final[Mapping[bytes, Digest]] = {
    _oid(*_PKCS_1, 4): Digest.MD5,
    _oid(*_PKCS_1, 5): Digest.SHA_1,
    _oid(*_PKCS_1, 11): Digest.SHA_256,
    _oid(*_PKCS_1, 12): Digest.SHA_384,
    _oid(*_PKCS_1, 13): Digest.SHA_512,
    _oid(*_PKCS_1, 14): Digest.SHA_224,
    _oid(*_PKCS_1, 15): Digest.SHA_512_224,
    _oid(*_PKCS_1, 16): Digest.SHA_512_256,
    _oid(*_X9_62, 1): Digest.SHA_1,
    _oid(*_X9_62, 3, 1): Digest.SHA_224,
    _oid(*_X9_62, 3, 2): Digest.SHA_256,
    _oid(*_X9_62, 3, 3): Digest.SHA_384,
    _oid(*_X9_62, 3, 4): Digest.SHA_512,
    _oid(1, 2, 840, 10040, 4, 3): Digest.SHA_1,  # DSA
    _oid(*_NIST, 3, 1): Digest.SHA_224,
    _oid(*_NIST, 3, 2): Digest.SHA_256,
    _oid(*_NIST, 3, 3): Digest.SHA_384,
    _oid(*_NIST, 3, 4): Digest.SHA_512,
    _oid(*_NIST, 3, 9): Digest.SHA3_224,  # ECDSA
    _oid(*_NIST, 3, 10): Digest.SHA3_256,
    _oid(*_NIST, 3, 11): Digest.SHA3_384,
    _oid(*_NIST, 3, 12): Digest.SHA3_512,
    _oid(*_NIST, 3, 13): Digest.SHA3_224,  # RSA
    _oid(*_NIST, 3, 14): Digest.SHA3_256,
    _oid(*_NIST, 3, 15): Digest.SHA3_384,
    _oid(*_NIST, 3, 16): Digest.SHA3_512,
}
# What the parameters of RSASSA-PSS may name (RFC 4055 section 2.1).
_HASHES: Final[Mapping[bytes, Digest]] = {
    _oid(1, 3, 14, 3, 2, 26): Digest.SHA_1,
    _oid(*_NIST, 2, 1): Digest.SHA_256,
    _oid(*_NIST, 2, 2): Digest.SHA_384,
    _oid(*_NIST, 2, 3): Digest.SHA_512,
    _oid(*_NIST, 2, 4): Digest.SHA_224,
}
# RFC 5929 section 4.1: the weak ones are not used.
_STRONGER: Final = {Digest.MD5: Digest.SHA_256, Digest.SHA_1: Digest.SHA_256}


def server_end_point(certificate: bytes) -> bytes | None:
    """Return the channel binding `tls-server-end-point` (RFC 5929 section 4.1).

    Args:
        certificate: The server's certificate, in DER.

    Returns:
        The hash of the certificate, by the hash function of its own signature (SHA-256 in the place
        of MD5 and SHA-1); None where that is undefined or unknown, or the octets are no
        certificate.
    """
    digest = _signature_digest(certificate)
    if digest is None:
        return None
    return hashed(_STRONGER.get(digest, digest), certificate)


def _signature_digest(certificate: bytes) -> Digest | None:
    """Return the hash function of a certificate's signature (RFC 5280 section 4.1)."""
    try:
        [body] = _elements(certificate, _SEQUENCE)
        _, algorithm, _ = _elements(body, _SEQUENCE, _SEQUENCE, _BIT_STRING)
        return _algorithm_digest(algorithm)
    except ValueError:
        return None


def _algorithm_digest(algorithm: bytes) -> Digest | None:
    """Return the hash function of an AlgorithmIdentifier."""
    identifier, parameters = _element(algorithm, _OBJECT_IDENTIFIER)
    if identifier != _RSASSA_PSS:
        return _SIGNATURES.get(identifier)
    fields, _ = _element(parameters, _SEQUENCE)
    if not fields.startswith(bytes([_CONTEXT_0])):
        return Digest.SHA_1  # the default of RFC 4055 section 3.1
    tagged, _ = _element(fields, _CONTEXT_0)
    hash_algorithm, _ = _element(tagged, _SEQUENCE)
    return _HASHES.get(_element(hash_algorithm, _OBJECT_IDENTIFIER)[0])


def _elements(octets: bytes, *tags: int) -> list[bytes]:
    """Return the contents of elements with these tags, which must be all there is."""
    contents: list[bytes] = []
    for tag in tags:
        content, octets = _element(octets, tag)
        contents.append(content)
    if octets:
        msg = "octets are left over"
        raise ValueError(msg)
    return contents


def _element(octets: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the first element, and what follows it (X.690 sections 8.1, 10.1)."""
    if octets[:1] != bytes([tag]) or len(octets) < 2:  # noqa: PLR2004 - a tag and a length
        msg = "another tag"
        raise ValueError(msg)
    start, length = 2, octets[1]
    if length & _LONG_FORM:
        start += length & ~_LONG_FORM
        length = _long_length(octets[2:start], start - 2)
    end = start + length
    if end > len(octets):
        msg = "cut short"
        raise ValueError(msg)
    return octets[start:end], octets[end:]


def _long_length(octets: bytes, count: int) -> int:
    """Read a length in its long form, which DER allows only where the short one does not do."""
    length = int.from_bytes(octets, "big")
    shortest = length >= _LONG_FORM and octets[0] != 0
    if not 0 < count <= _LENGTH_OCTETS_MAX or len(octets) != count or not shortest:
        msg = "a length that is not in DER"
        raise ValueError(msg)
    return length
