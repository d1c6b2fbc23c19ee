"""The link: a Connection with what lies between it and the network, TLS or nothing.

A pump moves octets between its transport and a link, and knows neither TLS nor SMTP.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from ehlo.errors import ConnectionLost, TlsFailed
from ehlo.protocol import State
from ehlo.runtime import tls_trouble
from ehlo.transcript import Side

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from ehlo.protocol import Connection
    from ehlo.runtime.options import Settings
    from ehlo.runtime.tls_layer import TlsLayer
    from ehlo.tls import TlsFacts
    from ehlo.transcript import Trace

__all__ = ["Link"]

_BEGINNING: Final = 80
"""How many octets of the server's first ones are kept, to say what it spoke if it was no TLS."""


class Link:
    """A Connection and its TLS, if it has any.

    Args:
        connection: The Connection.
        server_hostname: The server's name, for SNI and verification.
        make_context: Returns the TLS context; called when TLS begins, and not before.
        trace: Is told of the handshake.

    Attributes:
        connection: As above.
        unsent: Octets for the network that it has not taken yet. They may hold secrets: keep them
            out of local variables, which tracebacks can show.
        backlog: Octets that were taken from `unsent` and are known not to have left: to be set by a
            pump whose transport keeps some itself, before it says that the transport failed.
        settings: The settings that it was made by; None if it was made in another way.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        server_hostname: str,
        make_context: Callable[[], ssl.SSLContext],
        trace: Trace | None = None,
    ) -> None:
        self.connection = connection
        self.unsent = bytearray()
        self.backlog = 0
        self.settings: Settings | None = None
        self._ledger = _Ledger()
        connection.count_unsent = self._count_unsent
        self._server_hostname = server_hostname
        self._make_context = make_context
        self._trace = trace
        self._tls: TlsLayer | None = None
        self._early: list[bytes] = []  # came inside TLS before the dialogue knew that TLS is on
        self._beginning = b""  # of what came in answer to the ClientHello
        self._is_heard = False  # whether the server has said anything inside TLS

    @property
    def tls_facts(self) -> TlsFacts | None:
        """What is known of the TLS connection; None without one."""
        return self.connection.tls

    @property
    def is_handshaking(self) -> bool:
        """Whether the TLS handshake is under way."""
        return self._tls is not None and not self._tls.established

    def collect(self) -> bool:
        """Move what the Connection has to send to `unsent`, encrypted if TLS is on.

        Returns:
            Whether there is anything to write.

        Raises:
            ConnectionLost: The TLS connection has failed.
        """
        if self._tls is None:
            self.unsent += b"".join(self.connection.data_to_send())
        else:
            self._encrypt(self._tls)
            self._feed([])
        return bool(self.unsent)

    def _encrypt(self, tls: TlsLayer) -> None:
        plain = self.connection.data_to_send()
        try:
            tls.send(plain)
        except OSError as exc:  # every ssl.SSLError is one
            del plain  # it may hold a secret, and tracebacks show local variables
            msg = f"the TLS connection failed: {exc}"
            raise ConnectionLost(msg) from exc
        del plain
        self._put_records(tls)

    def _put_records(self, tls: TlsLayer) -> None:
        before = len(self.unsent)
        self.unsent += tls.records_to_send()
        if len(self.unsent) > before:
            self._ledger.note(len(self.unsent) - before, tls.written - self._ledger.plain)

    def _count_unsent(self) -> int:
        pending = len(self.unsent) + self.backlog
        if self._tls is None:
            return pending
        return self._tls.waiting + self._ledger.plain_unsent(pending)

    def _feed(self, plain: list[bytes]) -> None:
        """Give plaintext to the Connection, once that knows that TLS is on."""
        self._early += plain
        if self.connection.encrypted:
            for piece in self._early:
                self.connection.receive_data(piece)
            self._early.clear()

    def receive(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets from the network.

        Args:
            data: The octets, cut anywhere; none means the end.

        Raises:
            TlsFailed: The TLS handshake failed.
            ConnectionLost: The TLS connection failed later on.
        """
        if not data:
            self._receive_eof()
        elif self._tls is None:
            self.connection.receive_data(data)
        else:
            self._receive_records(self._tls, data)

    def _receive_eof(self) -> None:
        if self.is_handshaking:
            raise tls_trouble.closed()
        self.connection.receive_eof()

    def _receive_records(self, tls: TlsLayer, data: bytes | bytearray | memoryview) -> None:
        handshaking = self.is_handshaking
        if handshaking and len(self._beginning) < _BEGINNING:
            self._beginning += bytes(data[:_BEGINNING])
        try:
            plain = tls.receive(data)
        except OSError as exc:  # every ssl.SSLError is one
            self._put_records(tls)  # the alert that tells the server why
            raise self._failure(tls, exc, handshaking=handshaking) from exc
        self._put_records(tls)
        if handshaking and tls.established:
            self._note_established(tls)
        self._is_heard = self._is_heard or bool(plain)
        self._feed(plain)
        if tls.trouble is not None:
            self.connection.ending = f"the TLS connection failed: {tls.trouble}"
        if tls.closed or tls.trouble is not None:
            self.connection.receive_eof()

    def _failure(
        self, tls: TlsLayer, exc: OSError, *, handshaking: bool
    ) -> TlsFailed | ConnectionLost:
        if handshaking:
            return tls_trouble.handshake_failed(
                exc,
                host=self._server_hostname,
                facts=tls.facts(),
                beginning=self._beginning,
                upgrading=self.connection.state is State.UPGRADING,
            )
        why = str(getattr(exc, "reason", ""))
        if not self._is_heard and tls_trouble.is_about_the_client(why):
            return tls_trouble.wants_certificate(why, self.connection.tls)
        return ConnectionLost(f"the TLS connection failed: {exc}")

    def _note_established(self, tls: TlsLayer) -> None:
        facts = self.connection.tls = tls.facts()
        if self._trace is not None:
            self._trace.line(Side.NOTE, f"TLS established: {facts.version}, {facts.cipher}")

    def start_tls(self) -> None:
        """Begin the TLS handshake; it goes on as octets are received.

        Raises:
            TlsFailed: The context refuses the server's name.
        """
        # Imported here, because TLS is a heavy import and many sessions have none.
        from ehlo.runtime.tls_layer import TlsLayer  # noqa: PLC0415

        try:
            self._tls = TlsLayer(self._make_context(), self._server_hostname or None)
            self._tls.handshake()
        except (OSError, ValueError) as exc:
            raise tls_trouble.unusable(exc) from exc
        self._put_records(self._tls)

    def say_goodbye(self) -> None:
        """Put TLS's own farewell into `unsent`, so that the server sees an orderly end."""
        if self._tls is not None:
            self._tls.close()
            self._put_records(self._tls)


class _Ledger:
    """Which plaintext went into which records, so that what is unsent can be told.

    A record of which a part is missing says nothing to the server; what is known of a write that
    was taken in part is that its last octet has not left.
    """

    def __init__(self) -> None:
        self._records = 0
        self.plain = 0
        # Where each of the last writes begins: (octets of records, octets of plaintext) before it.
        # Made when there is one: sessions in clear have none, and it is 760 octets.
        self._writes: deque[tuple[int, int]] | None = None

    def note(self, records: int, plain: int) -> None:
        """Note a write: so many octets of records, which hold so many of plaintext."""
        if self._writes is None:
            self._writes = deque(maxlen=64)
        self._writes.append((self._records, self.plain))
        self._records += records
        self.plain += plain

    def plain_unsent(self, pending: int) -> int:
        """Return how many of the last plaintext octets have not left, by those of the records."""
        left = self._records - pending
        unsent = 0
        end = (self._records, self.plain)
        for begin in reversed(self._writes or ()):
            if end[0] <= left:
                break
            plain = end[1] - begin[1]
            unsent += plain if begin[0] >= left else min(plain, 1)
            end = begin
        return unsent
