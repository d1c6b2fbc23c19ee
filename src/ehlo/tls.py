"""What is known of an established TLS connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TlsFacts"]


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """The facts of an established TLS connection.

    Attributes:
        version: The protocol version, such as `TLSv1.3`.
        cipher: The cipher suite, such as `TLS_AES_256_GCM_SHA384`.
        secret_bits: How many secret bits the cipher uses.
        subject: The common name in the server's certificate; empty where verification was off.
        issuer: The common name of its issuer.
        names: The DNS names and IP addresses that the certificate is valid for.
        not_after: When the certificate expires, as in `Jun  1 12:00:00 2027 GMT`.
        channel_bindings: What binds a SASL exchange to this very connection, by the names of the
            types, the best first (RFC 5056).
    """

    version: str
    cipher: str
    secret_bits: int
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_after: str = ""
    channel_bindings: Mapping[str, bytes] = field(
        default_factory=dict[str, bytes], repr=False, hash=False
    )
