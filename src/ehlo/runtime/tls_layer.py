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
from typing import TYPE_CHECKING, Final

from ehlo.runtime.certificate import read_certificate
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
        server_hostname: The name for SNI and verification; None where the context checks none. An
            IP address is verified as one, and not sent as SNI (RFC 6066 section 3).
        side: Which side it is; the server's is for the testing kit.

    Raises:
        ValueError: The context checks names, and there is none.

    Attributes:
        established: Whether the handshake is complete.
        closed: Whether the peer said that it will send no more (close_notify).
        written: How many octets of plaintext went into records.
        trouble: The failure that came right behind what `receive` returned; None if all is well.
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
        self._verifies = context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, side is TlsSide.SERVER, _reference(server_hostname)
        )
        self.established = False
        self.closed = False
        self.trouble: ssl.SSLError | None = None
        self.written = 0
        self._waiting = bytearray()

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
                failure is returned, and then `trouble` says what it was.
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
            except ssl.SSLError as exc:
                if not plain:
                    raise
                self.trouble = exc
                break
            if piece:
                plain.append(piece)
            else:
                self.closed = True
        self._send_waiting()
        return plain

    @property
    def waiting(self) -> int:
        """How many octets of plaintext have to wait until more was received."""
        return len(self._waiting)

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
            while view and not self._waiting:
                taken = self._object.write(view)
                self.written += taken
                view = view[taken:]
        except ssl.SSLWantReadError:
            pass  # the peer negotiates anew, and has to be heard first
        except ssl.SSLError:
            del view
            raise
        self._waiting += view

    def _send_waiting(self) -> None:
        if self._waiting:
            pieces, self._waiting = [bytes(self._waiting)], bytearray()
            self.send(pieces)

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
        """Return what is known of the connection: all once it is established, before that less.

        Where the handshake failed over the server's certificate, that is the one which is told of,
        as far as this Python can get at it.
        """
        cipher, version, bits = self._object.cipher() or ("", "", 0)
        return TlsFacts(
            version=self._object.version() or version,
            cipher=cipher,
            secret_bits=bits,
            verified=self._verifies and self.established,
            channel_bindings=dict(self._channel_bindings()),
            **read_certificate(self._certificate()),
        )

    def _certificate(self) -> bytes | None:
        if self.established:
            return self._object.getpeercert(binary_form=True)
        return _unaccepted_certificate(self._object)

    def _channel_bindings(self) -> Iterator[tuple[str, bytes]]:
        """Yield the channel bindings there are, the best first.

        `tls-unique` is not among them: it is broken in TLS 1.2 without an extension that cannot be
        asked for here, and undefined in TLS 1.3.
        """
        if not self.established:
            return
        if TLS_EXPORTER in ssl.CHANNEL_BINDING_TYPES:  # no Python has it yet
            exported = self._object.get_channel_binding(TLS_EXPORTER)
            if exported is not None:
                yield TLS_EXPORTER, exported
        certificate = self._object.getpeercert(binary_form=True)
        hashed = None if certificate is None else server_end_point(certificate)
        if hashed is not None:
            yield TLS_SERVER_END_POINT, hashed


def _unaccepted_certificate(connection: object) -> bytes | None:
    """Return the certificate that a handshake failed over; None where it cannot be had.

    `ssl` shows it since Python 3.13, and before that keeps it in a part of its own.
    """
    shown = getattr(connection, "get_unverified_chain", None)
    if shown is not None:
        return next(iter(shown()), None)
    kept = getattr(getattr(connection, "_sslobj", None), "get_unverified_chain", None)
    chain = None if kept is None else kept()
    return ssl.PEM_cert_to_DER_cert(chain[0].public_bytes()) if chain else None


def _reference(host: str | None) -> str | None:
    """Return a host as certificates have it: without a zone, and without the dot of the root."""
    return None if host is None else host.partition("%")[0].removesuffix(".")
