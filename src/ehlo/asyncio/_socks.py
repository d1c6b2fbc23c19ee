"""SOCKS on an event loop, by python-socks (the extra `ehlo[socks]`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from python_socks.async_.asyncio import Proxy as SocksProxy
from typing_extensions import override

from ehlo.runtime.socks import FOREVER, arguments, refusal, strip

if TYPE_CHECKING:
    import socket

    from ehlo.endpoint import Endpoint
    from ehlo.proxy import Proxy

__all__ = ["speak_socks"]


class _Connected(SocksProxy):
    """Stands where python-socks looks for a proxy in front of the proxy: a connection to it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @override
    async def connect(self, *_: object, **__: object) -> socket.socket:
        return self._sock


async def speak_socks(sock: socket.socket, proxy: Proxy, endpoint: Endpoint) -> None:
    """Ask a SOCKS proxy to connect to a server.

    Args:
        sock: A socket that is connected to the proxy; it is closed if that fails.
        proxy: The proxy.
        endpoint: The server.

    Raises:
        ConnectFailed: The proxy refuses.
        OSError: It was lost.
    """
    trouble = await _ask(sock, proxy, endpoint)
    if trouble is None:
        return
    if isinstance(trouble, OSError) or not isinstance(trouble, Exception):
        raise trouble
    raise refusal(proxy, endpoint, trouble)


async def _ask(sock: socket.socket, proxy: Proxy, endpoint: Endpoint) -> BaseException | None:
    """Return what was raised, without the frames that hold user and password."""
    try:
        asked = SocksProxy(
            **arguments(proxy), forward=_Connected(sock), loop=asyncio.get_running_loop()
        )
        await asked.connect(endpoint.host, endpoint.port, timeout=FOREVER)
    except BaseException as exc:  # noqa: BLE001 - whatever it is, it is raised without its frames
        return strip(exc)
    return None
