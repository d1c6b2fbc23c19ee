"""A man in the middle: a proxy on the loopback interface that does to a session what it likes.

It stands between a client and a server, sees every octet, and passes it on, changes it, or makes
up its own. What it does is an `Attack`: one object for each connection, whose methods are called
with what came from either side.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final, Self

from typing_extensions import override

from ehlo.runtime.tls_layer import TlsLayer, TlsSide
from support.tls import unverifying_context

_READ: Final = 65_536
_PATIENCE: Final = 10.0


class Gone(Exception):
    """The attack is over: the connections are to be closed."""


class Attack:
    """Passes everything on, as it came.

    Attributes:
        heard: Every octet that the client sent.
        stolen: What the client said inside a TLS connection that it had with the attacker.
    """

    def __init__(self) -> None:
        self.heard = bytearray()
        self.stolen = bytearray()
        self._client: socket.socket | None = None
        self._server: socket.socket | None = None

    def join(self, client: socket.socket, server: socket.socket | None) -> None:
        self._client, self._server = client, server
        self.begin()

    def begin(self) -> None:
        """The connection is made."""

    def from_client(self, octets: bytes) -> None:
        """The client said this."""
        self.to_server(octets)

    def from_server(self, octets: bytes) -> None:
        """The server said this."""
        self.to_client(octets)

    def to_client(self, octets: bytes) -> None:
        assert self._client is not None
        with suppress(ConnectionError):  # it may have heard enough
            self._client.sendall(octets)

    def to_server(self, octets: bytes) -> None:
        if self._server is not None:
            with suppress(ConnectionError):
                self._server.sendall(octets)


class LineAttack(Attack):
    """Takes what is said in clear line by line; what is encrypted goes through.

    Attributes:
        encrypted: Whether TLS has begun.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encrypted = False
        self._lines = {"client": bytearray(), "server": bytearray()}
        self._said = b""  # the client's last command

    @override
    def from_client(self, octets: bytes) -> None:
        if self.encrypted:
            self.encrypted_from_client(octets)
            return
        for line in self._cut("client", octets):
            self._said = line
            self.client_line(line)

    @override
    def from_server(self, octets: bytes) -> None:
        if self.encrypted:
            self.encrypted_from_server(octets)
            return
        for line in self._cut("server", octets):
            agreed = self._said.upper() == b"STARTTLS\r\n" and line.startswith(b"220 ")
            self.server_line(line)
            self.encrypted = self.encrypted or agreed

    def _cut(self, side: str, octets: bytes) -> list[bytes]:
        *lines, rest = (self._lines[side] + octets).split(b"\n")
        self._lines[side] = bytearray(rest)
        return [bytes(line) + b"\n" for line in lines]

    def client_line(self, line: bytes) -> None:
        """The client said this line in clear."""
        self.to_server(line)

    def server_line(self, line: bytes) -> None:
        """The server said this line in clear."""
        self.to_client(line)

    def encrypted_from_client(self, octets: bytes) -> None:
        """The client sent this behind STARTTLS."""
        self.to_server(octets)

    def encrypted_from_server(self, octets: bytes) -> None:
        """The server sent this behind STARTTLS."""
        self.to_client(octets)


class StripStartTls(LineAttack):
    """Makes STARTTLS unrecognisable where it is offered, as some "security" appliances do."""

    @override
    def server_line(self, line: bytes) -> None:
        self.to_client(line.replace(b"STARTTLS", b"XXXXXXXA"))


class AnswerStartTls(LineAttack):
    """Answers STARTTLS itself; the server never hears of it."""

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self._reply = reply

    @override
    def client_line(self, line: bytes) -> None:
        if line.upper().startswith(b"STARTTLS"):
            self.to_client(self._reply)
        else:
            self.to_server(line)


class InjectBehind220(LineAttack):
    """Adds octets in clear behind the server's agreement to STARTTLS.

    Args:
        pieces: What to add: the first piece in the same segment as the 220, each further one in a
            segment of its own, once the client has begun the handshake.
    """

    def __init__(self, *pieces: bytes) -> None:
        super().__init__()
        self._glued, *self._later = pieces

    @override
    def server_line(self, line: bytes) -> None:
        agreed = self._said.upper().startswith(b"STARTTLS")
        self.to_client(line + self._glued if agreed else line)

    @override
    def encrypted_from_client(self, octets: bytes) -> None:
        for piece in self._later:
            self.to_client(piece)
        self.to_server(octets)

    @override
    def encrypted_from_server(self, octets: bytes) -> None:
        """Keep the server's side of the handshake back: ours comes first."""


class RewriteReplies(LineAttack):
    """Replaces text in every line that the server says in clear."""

    def __init__(self, old: bytes, new: bytes) -> None:
        super().__init__()
        self._old, self._new = old, new

    @override
    def server_line(self, line: bytes) -> None:
        self.to_client(line.replace(self._old, self._new))


class RepeatReplies(LineAttack):
    """Says every line twice that answers a command, greetings aside."""

    @override
    def server_line(self, line: bytes) -> None:
        self.to_client(line * 2 if self._said else line)


class Impersonate(LineAttack):
    """Has a TLS connection with the client by a certificate of its own, and one with the server.

    Args:
        context: A server's context with that certificate.
        implicit: Whether TLS begins with the first octet.
    """

    def __init__(self, context: ssl.SSLContext, *, implicit: bool = False) -> None:
        super().__init__()
        self._to_client = TlsLayer(context, side=TlsSide.SERVER)
        self._to_server = TlsLayer(unverifying_context())
        self._implicit = implicit
        self._began = False
        self._for_client, self._for_server = bytearray(), bytearray()

    @override
    def begin(self) -> None:
        self.encrypted = self._implicit
        if self._implicit:
            self._begin_tls()

    def _begin_tls(self) -> None:
        self._began = True
        self._to_server.handshake()
        self.to_server(self._to_server.records_to_send())

    @override
    def encrypted_from_client(self, octets: bytes) -> None:
        if not self._began:
            self._begin_tls()
        try:
            said = b"".join(self._to_client.receive(octets))
        except ssl.SSLError as exc:
            raise Gone from exc
        self.stolen += said
        self.inside_from_client(said)
        self._flush()

    @override
    def encrypted_from_server(self, octets: bytes) -> None:
        self.inside_from_server(b"".join(self._to_server.receive(octets)))
        self._flush()

    def inside_from_client(self, octets: bytes) -> None:
        """The client said this inside TLS."""
        self._for_server += octets

    def inside_from_server(self, octets: bytes) -> None:
        """The server said this inside TLS."""
        self._for_client += octets

    def _flush(self) -> None:
        """Pass on what is to be said inside TLS, as soon as both handshakes are over."""
        for layer, waiting, write in (
            (self._to_client, self._for_client, self.to_client),
            (self._to_server, self._for_server, self.to_server),
        ):
            if layer.established and waiting:
                layer.send([bytes(waiting)])
                waiting.clear()
            write(layer.records_to_send())


class ChangeRecords(Attack):
    """Does something to what the server sends, from the moment on when it is armed.

    Args:
        armed: Tells whether to begin.
        change: Returns what the client gets in the place of some octets; None ends it all.
    """

    def __init__(self, armed: Callable[[], bool], change: Callable[[bytes], bytes | None]) -> None:
        super().__init__()
        self._armed, self._change = armed, change

    @override
    def from_server(self, octets: bytes) -> None:
        changed = self._change(octets) if self._armed() else octets
        if changed is None:
            raise Gone
        self.to_client(changed)


class Drip(Attack):
    """Cuts everything into single octets."""

    @override
    def from_client(self, octets: bytes) -> None:
        for at in range(len(octets)):
            self.to_server(octets[at : at + 1])

    @override
    def from_server(self, octets: bytes) -> None:
        for at in range(len(octets)):
            self.to_client(octets[at : at + 1])


class Say(Attack):
    """Is the server itself: says something at once, and then nothing.

    Args:
        octets: What it says.
        then_close: Whether it closes then.
    """

    def __init__(self, octets: bytes, *, then_close: bool = False) -> None:
        super().__init__()
        self._octets, self._then_close = octets, then_close

    @override
    def begin(self) -> None:
        self.to_client(self._octets)
        if self._then_close:
            raise Gone


class ManInTheMiddle:
    """Listens on the loopback interface, and plays an attack on each connection.

    Args:
        attack: Makes the attack for a connection, or is the one for the only connection.
        target: Where the server is; None if the attack is the server itself.
        host: Where to listen: 127.0.0.1 or ::1.

    Attributes:
        port: The port it listens on.
        attacks: The attacks so far, one for each connection.
    """

    def __init__(
        self,
        attack: Attack | Callable[[], Attack],
        target: tuple[str, int] | None = None,
        *,
        host: str = "127.0.0.1",
    ) -> None:
        self._attack = attack
        self._target = target
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self.attacks: list[Attack] = []
        self.trouble: list[BaseException] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._stop, self._stopped = socket.socketpair()

    @property
    def heard(self) -> bytes:
        """Every octet that a client sent."""
        return b"".join(bytes(attack.heard) for attack in self.attacks)

    @property
    def stolen(self) -> bytes:
        """What clients said inside TLS connections with the attacker."""
        return b"".join(bytes(attack.stolen) for attack in self.attacks)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        for thread in self._threads:
            thread.join(_PATIENCE)
        self._listener.close()
        self._stopped.close()
        if self.trouble:
            raise self.trouble[0]

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stopped], [], [])
            if self._stopped in ready:
                return
            client, _ = self._listener.accept()
            attack = self._attack if isinstance(self._attack, Attack) else self._attack()
            self.attacks.append(attack)
            thread = threading.Thread(target=self._guarded, args=(attack, client), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _guarded(self, attack: Attack, client: socket.socket) -> None:
        try:
            self._play(attack, client)
        except Gone:
            pass
        except BaseException as exc:  # noqa: BLE001 - raised where the test can see it
            self.trouble.append(exc)

    def _play(self, attack: Attack, client: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sides = {client: attack.from_client}
            server = None
            if self._target is not None:
                server = stack.enter_context(socket.create_connection(self._target))
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sides[server] = attack.from_server
            attack.join(client, server)
            while True:
                ready, _, _ = select.select([*sides, self._stopped], [], [])
                if self._stopped in ready:
                    return
                for sock in ready:
                    octets = _read(sock)
                    if not octets:
                        return
                    if sock is client:
                        attack.heard += octets
                    sides[sock](octets)


def _read(sock: socket.socket) -> bytes:
    with suppress(ConnectionError):
        return sock.recv(_READ)
    return b""
