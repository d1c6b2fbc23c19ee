"""TLS without a socket: plaintext on one side, records on the other.

Both adapters run TLS through `ssl.SSLObject` and two memory buffers instead of handing their socket
to `ssl`. So there is one handshake, one reading and one writing of records for every adapter; the
moment at which TLS begins is exact (octets read before it cannot slip behind it); and what is
still unsent is known to the octet, which decides between "not sent" and "unknown".
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from ehlo.sasl.channel_binding import TLS_EXPORTER, TLS_SERVER_END_POINT, server_end_point
from ehlo.tls import TlsFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TlsLayer", "TlsSide"]

_READ: Final = 65_536


class TlsSide(Enum):
    """Who one is in a handshake."""

    CLIENT = "client"
    SERVER = "server"


class TlsLayer:
    """One side of one TLS connection.

    Args:
        context: The caller's or the default context.
        server_hostname: The name for SNI and verification; None where the context checks none.
        side: Which side it is; the server's is for the testing kit.

    Raises:
        ValueError: The context checks names, and there is none.

    Attributes:
        established: Whether the handshake is complete.
        closed: Whether the peer said that it will send no more (close_notify).
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        server_hostname: str | None = None,
        side: TlsSide = TlsSide.CLIENT,
    ) -> None:
        if context.check_hostname and not server_hostname:
            # `wrap_bio` would then check no name at all, and say nothing.
            msg = "there is no server_hostname to verify the certificate for"
            raise ValueError(msg)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, side is TlsSide.SERVER, server_hostname
        )
        self.established = False
        self.closed = False

    def handshake(self) -> None:
        """Go on with the handshake as far as the octets received allow.

        Raises:
            ssl.SSLError: It failed; `ssl.SSLCertVerificationError` if the certificate is at fault.
        """
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.established = True

    def receive(self, records: bytes | bytearray | memoryview) -> list[bytes]:
        """Take octets from the network.

        Args:
            records: Octets, cut anywhere.

        Returns:
            The plaintext that became readable; always empty during the handshake.

        Raises:
            ssl.SSLError: They are no TLS, or the handshake failed. What was readable before the
                failure is returned first; the next call raises.
        """
        self._incoming.write(records)
        if not self.established:
            self.handshake()
        plain: list[bytes] = []
        while self.established and not self.closed:
            try:
                piece = self._object.read(_READ)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError:
                if not plain:
                    raise
                break
            if piece:
                plain.append(piece)
            else:
                self.closed = True
        return plain

    def send(self, pieces: Iterable[bytes]) -> None:
        """Encrypt plaintext; fetch the records with `records_to_send`.

        Args:
            pieces: The plaintext.

        Raises:
            ssl.SSLError: The connection has failed.
        """
        view = memoryview(b"".join(pieces))
        del pieces  # they may hold a secret, and tracebacks show local variables
        try:
            while view:
                view = view[self._object.write(view) :]
        except ssl.SSLError:
            del view
            raise

    def close(self) -> None:
        """Say close_notify; a failure to is of no consequence at the end of a session."""
        if not self.established:
            return
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def records_to_send(self) -> bytes:
        """Return the octets for the network, and forget them."""
        return self._outgoing.read()

    def facts(self) -> TlsFacts:
        """Return what is known of the connection, once it is established."""
        cipher, _, bits = self._object.cipher() or ("", "", 0)
        certificate: dict[str, Any] = self._object.getpeercert() or {}
        return TlsFacts(
            version=self._object.version() or "",
            cipher=cipher,
            secret_bits=bits,
            subject=_common_name(certificate.get("subject", ())),
            issuer=_common_name(certificate.get("issuer", ())),
            names=tuple(name for _, name in certificate.get("subjectAltName", ())),
            not_after=certificate.get("notAfter", ""),
            channel_bindings=dict(self._channel_bindings()),
        )

    def _channel_bindings(self) -> Iterator[tuple[str, bytes]]:
        """Yield the channel bindings there are, the best first.

        `tls-unique` is not among them: it is broken in TLS 1.2 without an extension that cannot be
        asked for here, and undefined in TLS 1.3.
        """
        if TLS_EXPORTER in ssl.CHANNEL_BINDING_TYPES:  # no Python has it yet
            exported = self._object.get_channel_binding(TLS_EXPORTER)
            if exported is not None:
                yield TLS_EXPORTER, exported
        certificate = self._object.getpeercert(binary_form=True)
        hashed = None if certificate is None else server_end_point(certificate)
        if hashed is not None:
            yield TLS_SERVER_END_POINT, hashed


def _common_name(name: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return the common name, or else the last attribute, of a name in a certificate.

    Args:
        name: As `ssl` gives it: relative names, each made of (attribute, value) pairs.

    Returns:
        The text; empty for an empty name.
    """
    attributes = dict(pair for relative in name for pair in relative)
    return attributes.get("commonName", next(reversed(attributes.values()), ""))
