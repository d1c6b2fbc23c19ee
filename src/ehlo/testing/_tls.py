"""The server's side of TLS, without I/O: octets of the network in, plaintext out, and back.

asyncio could do TLS by itself. Then part of what the server sends would be out of its hands: when
the handshake goes out, what happens to octets that come in beside it, how a connection ends. A
server that is to misbehave on purpose has to own every octet.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

__all__ = ["TlsLayer"]

_READ_SIZE: Final = 65_536


class TlsLayer:
    """A TLS connection between two buffers.

    Args:
        context: The server's context, with its certificate.

    Attributes:
        established: Whether the handshake is done.
        closed: Whether the client has said that it sends nothing more (`close_notify`).
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.established = False
        self.closed = False

    def receive(self, octets: bytes) -> bytes:
        """Take octets from the network.

        Args:
            octets: What came in.

        Returns:
            The plaintext in it.

        Raises:
            ssl.SSLError: They are not TLS, or the client refused the handshake.
        """
        self._incoming.write(octets)
        plaintext = bytearray()
        with suppress(ssl.SSLWantReadError):
            if not self.established:
                self._object.do_handshake()
                self.established = True
            while piece := self._object.read(_READ_SIZE):
                plaintext += piece
            self.closed = True
        return bytes(plaintext)

    def send(self, plaintext: bytes) -> None:
        """Encrypt; `data_to_send` has the result.

        Args:
            plaintext: What the client is to read.
        """
        self._object.write(plaintext)

    def close(self) -> None:
        """Say that nothing more will be sent (`close_notify`), if there was a handshake."""
        if self.established:
            with suppress(ssl.SSLError):  # the client has not said so itself yet, and need not
                self._object.unwrap()

    def data_to_send(self) -> bytes:
        """Return the octets for the network, and forget them."""
        return self._outgoing.read()
