"""SOCKS on a plain socket, by python-socks (the extra `ehlo[socks]`)."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from python_socks.sync import Proxy as SocksProxy
from typing_extensions import override

from ehlo.runtime.socks import FOREVER, arguments, refusal, strip

if TYPE_CHECKING:
    from ehlo.endpoint import Endpoint
    from ehlo.proxy import Proxy

__all__ = ["speak_socks"]


class _Timed(socket.socket):
    """A socket all of whose operations together must be over at one moment.

    Attributes:
        end: When, by `time.monotonic`; None for never.
    """

    end: float | None = None

    def _limit(self) -> None:
        left = None if self.end is None else max(self.end - time.monotonic(), 0.001)
        self.settimeout(left)

    @override
    def sendall(self, *arguments: object) -> None:
        self._limit()
        super().sendall(*arguments)  # type: ignore[arg-type]

    @override
    def recv(self, *arguments: int) -> bytes:
        self._limit()
        return super().recv(*arguments)


class _Connected(SocksProxy):
    """Stands where python-socks looks for a proxy in front of the proxy: a connection to it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @override
    def connect(self, *_: object, **__: object) -> socket.socket:
        return self._sock


def speak_socks(
    sock: socket.socket, proxy: Proxy, endpoint: Endpoint, end: float | None
) -> socket.socket:
    """Ask a SOCKS proxy to connect to a server.

    Args:
        sock: A socket that is connected to the proxy; it is closed if that fails.
        proxy: The proxy.
        endpoint: The server.
        end: When it must be over, by `time.monotonic`; None for never.

    Returns:
        A socket that is connected to the server.

    Raises:
        ConnectFailed: The proxy refuses.
        OSError: It was lost, or it took too long.
    """
    with _Timed(fileno=sock.detach()) as timed:
        timed.end = end
        trouble = _ask(timed, proxy, endpoint)
        if trouble is None:
            timed.settimeout(None)
            return socket.socket(fileno=timed.detach())
    if isinstance(trouble, OSError) or not isinstance(trouble, Exception):
        raise trouble
    raise refusal(proxy, endpoint, trouble)


def _ask(timed: _Timed, proxy: Proxy, endpoint: Endpoint) -> BaseException | None:
    """Return what was raised, without the frames that hold user and password."""
    try:
        asked = SocksProxy(**arguments(proxy), forward=_Connected(timed))
        asked.connect(endpoint.host, endpoint.port, timeout=FOREVER)
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it is raised without its frames
        return strip(exc)
    return None
