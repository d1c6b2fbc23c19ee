"""A script, served on the loopback interface."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ehlo.testing._actions import Close, Reset, Send, StartTls
from ehlo.testing._script import Pace, ScriptMismatch, ScriptPlayer

if TYPE_CHECKING:
    import ssl
    from types import TracebackType
    from typing import Self

    from ehlo.testing._script import Script

__all__ = ["ScriptServer"]

_PATIENCE = 10.0
"""Seconds after which a client that says nothing is given up."""
_READ = 65_536


class ScriptServer:
    """Plays a script to one client, on 127.0.0.1, from a thread of its own.

    Leaving the context raises if the client did not follow the script to its end.

    Args:
        script: The session.
        pace: How the server's octets are cut.
        ssl_context: The server's TLS context, for scripts with `* starttls`.

    Attributes:
        host: Always 127.0.0.1.
        port: The port it listens on.
    """

    def __init__(
        self,
        script: Script,
        *,
        pace: Pace = Pace.WHOLE,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._player = ScriptPlayer(script, pace)
        self._context = ssl_context
        self._trouble: BaseException | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE)
        self._thread = threading.Thread(target=self._run, name="ehlo-script", daemon=True)
        self.host = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return f"smtp://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the session's end.

        Raises:
            ScriptMismatch: The client did not follow the script, and nothing else went wrong.
        """
        self._thread.join()
        self._listener.close()
        if exc is not None:
            return
        if self._trouble is not None:
            raise self._trouble
        if not self._player.is_over:
            msg = "the client was gone before the end of the script"
            raise ScriptMismatch(msg)

    def _run(self) -> None:
        try:
            sock, _ = self._listener.accept()
            sock.settimeout(_PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._play(sock)
        except Exception as exc:  # noqa: BLE001 - raised where the test can see it
            self._trouble = exc

    def _play(self, sock: socket.socket) -> None:
        with _Owned(sock) as owned:
            while self._play_one(owned, self._player.next_action()):
                pass

    def _play_one(self, owned: _Owned, action: Send | Close | Reset | StartTls | None) -> bool:
        """Do one thing; return whether more can follow."""
        if isinstance(action, Send):
            owned.send(action.octets)
        elif isinstance(action, StartTls):
            owned.start_tls(self._context)
        elif action is None:
            data = owned.receive()
            if not data:
                self._player.receive_eof()
                return False
            self._player.receive_data(data)
        else:
            owned.end(action)
            return False
        return True


class _Owned:
    """A socket, or the TLS socket it turned into, closed at the end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def start_tls(self, context: ssl.SSLContext | None) -> None:
        if context is None:
            msg = "the script begins TLS, but the server was given no ssl_context"
            raise ValueError(msg)
        self.sock = context.wrap_socket(self.sock, server_side=True)

    def send(self, octets: bytes) -> None:
        with suppress(ConnectionError):  # a client may have heard enough; `receive` tells
            self.sock.sendall(octets)

    def receive(self) -> bytes:
        with suppress(ConnectionError):
            return self.sock.recv(_READ)
        return b""

    def end(self, action: Close | Reset) -> None:
        """Reset, or close in good order: nothing the client still says may turn that into one."""
        if isinstance(action, Reset):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            while self.sock.recv(_READ):
                pass
