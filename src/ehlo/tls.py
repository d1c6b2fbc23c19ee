"""What is known of a TLS connection, and of one that did not come about."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["TlsFacts", "TlsTrouble"]


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """The facts of a TLS connection, and what stands in the server's certificate.

    The certificate is read as it is, whether it was verified or not: ask `verified`. Texts from it
    are shown with control characters escaped. What cannot be read is empty, or None.

    Attributes:
        version: The protocol version, such as `TLSv1.3`.
        cipher: The cipher suite, such as `TLS_AES_256_GCM_SHA384`.
        secret_bits: How many secret bits the cipher uses.
        verified: Whether the certificate was verified: its chain, its dates, and that it is for
            this server's name.
        subject: The common name in the certificate, or else the last attribute of its subject.
        issuer: The same of its issuer.
        names: The DNS names and IP addresses that the certificate is for (subjectAltName).
        not_before: When it becomes valid, in UTC.
        not_after: When it expires, in UTC.
        serial: Its serial number in hexadecimal digits, upper case.
        fingerprint: The SHA-256 digest of the certificate in hexadecimal digits, lower case.
        channel_bindings: What binds a SASL exchange to this very connection, by the names of the
            types, the best first (RFC 5056).
    """

    version: str
    cipher: str
    secret_bits: int
    verified: bool = False
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    serial: str = ""
    fingerprint: str = ""
    channel_bindings: Mapping[str, bytes] = field(
        default_factory=dict[str, bytes], repr=False, hash=False
    )


class TlsTrouble(StrEnum):
    """Why there is no TLS; `TlsFailed.reason`."""

    NOT_OFFERED = "not-offered"
    """STARTTLS was asked for, and the server does not offer it, or somebody removed the offer."""
    REFUSED = "refused"
    """The server offered STARTTLS and then refused it; the error has its reply."""
    INJECTED = "injected"
    """Octets in clear came behind the 220 to STARTTLS: somebody on the way may have put them."""
    NOT_TLS = "not-tls"
    """The server speaks clear text where TLS begins: most often the wrong port or mode."""
    TLS_FIRST = "tls-first"
    """The server speaks TLS where a greeting in clear is due: the wrong port or mode."""
    NOTHING_IN_COMMON = "nothing-in-common"
    """There is no TLS version or cipher that both sides accept, or a key is too weak."""
    CLIENT_CERTIFICATE = "client-certificate"
    """The server wants a certificate of the client, or did not accept the one it got."""
    EXPIRED = "expired"
    """The server's certificate has expired."""
    NOT_YET_VALID = "not-yet-valid"
    """The server's certificate is not valid yet; or the clock of this machine is slow."""
    WRONG_HOST = "wrong-host"
    """The server's certificate is for other names; they are in `TlsFailed.tls`."""
    SELF_SIGNED = "self-signed"
    """The server's certificate is signed by itself."""
    UNKNOWN_AUTHORITY = "unknown-authority"
    """The server's certificate is signed by nobody whom the context trusts."""
    CERTIFICATE = "certificate"
    """The server's certificate was not accepted for another reason, such as a revocation."""
    CLOSED = "closed"
    """The server closed the connection during the handshake."""
    CONTEXT = "context"
    """The `ssl_context` cannot be used, or there is no name to verify."""
    HANDSHAKE = "handshake"
    """The handshake failed in another way."""
