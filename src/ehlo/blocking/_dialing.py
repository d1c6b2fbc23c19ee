"""Connecting plain sockets, in each of the ways there are. No thread is needed for any of them."""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from ehlo.errors import SMTPError
from ehlo.phase import Phase
from ehlo.proxy import ProxyKind
from ehlo.runtime.driving import not_connected, proxy_lost, proxy_not_reached
from ehlo.runtime.route import (
    bindings,
    discard,
    made,
    new_socket,
    racing,
    system_error,
    taken,
    unix_socket,
)
from ehlo.runtime.tunnel import HttpTunnel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.endpoint import Endpoint
    from ehlo.options import Connector
    from ehlo.proxy import Proxy
    from ehlo.runtime.options import Settings
    from ehlo.runtime.race import Race
    from ehlo.runtime.route import Route

__all__ = ["dial", "limit"]


def dial(settings: Settings, end: float | None) -> socket.socket:
    """Connect to the server of the settings, in the way that they say.

    Args:
        settings: The settings.
        end: When the call as a whole must be over, by `time.monotonic`; None for never.

    Returns:
        The connected socket.

    Raises:
        ConnectFailed: No connection came about.
        Timeout: None came about in time.
    """
    now = time.monotonic()
    timeout = settings.timeouts.left(Phase.CONNECT, now, end)
    try:
        sock = _dialled(settings, None if timeout is None else now + timeout)
    except SMTPError:
        raise
    except OSError as exc:
        raise not_connected(settings.endpoint, exc) from (exc.__cause__ or exc)
    with suppress(OSError):  # a socket of the caller's own may be of any kind
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _dialled(settings: Settings, end: float | None) -> socket.socket:
    endpoint, route = settings.endpoint, settings.route
    if route.sock is not None:
        return taken(route.sock, endpoint)
    if route.connector is not None:
        return _made(route.connector, endpoint, end)
    if endpoint.path:
        return _connect_unix(endpoint.path, end)
    if route.proxy is not None:
        return _connect_through(route.proxy, endpoint, route, end)
    return _connect_tcp(endpoint, route, end)


def _left(end: float | None) -> float | None:
    """Return the seconds that are left."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        msg = "no time is left"
        raise TimeoutError(msg)
    return left


def limit(sock: socket.socket, end: float | None) -> None:
    """Let the next operation of a socket take no longer than there is time.

    Args:
        sock: The socket.
        end: When it must be over, by `time.monotonic`; None for never.

    Raises:
        TimeoutError: It must be over now.
    """
    sock.settimeout(_left(end))


def _made(connector: Connector, endpoint: Endpoint, end: float | None) -> socket.socket:
    found = connector(endpoint, _left(end))
    if hasattr(found, "__await__"):
        discard(found)
        msg = "what connector= returns can be awaited by ehlo.asyncio alone"
        raise TypeError(msg)
    return made(found)


def _connect_unix(path: str, end: float | None) -> socket.socket:
    sock = unix_socket()
    try:
        limit(sock, end)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


# -- Happy eyeballs ------------------------------------------------------------------------------


def _connect_tcp(target: Endpoint | Proxy, route: Route, end: float | None) -> socket.socket:
    """Connect to the one of the host's addresses that is the first to answer."""
    bound = bindings(route.local_address)
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    race = racing(found, bound)
    with selectors.DefaultSelector() as selector:
        try:
            return _winner(race, bound, end, selector)
        finally:
            for key in list(selector.get_map().values()):
                cast("socket.socket", key.fileobj).close()


def _winner(
    race: Race,
    bound: Mapping[int, object],
    end: float | None,
    selector: selectors.BaseSelector,
) -> socket.socket:
    """Act on a race until somebody has won; those that are under way are in the selector."""
    while True:
        now = time.monotonic()
        if end is not None and now >= end:
            raise race.timeout()
        _begin(race, bound, now, selector)
        if race.is_lost:
            raise race.trouble()
        for key, _ in selector.select(race.pause(now, end)):
            sock = cast("socket.socket", key.fileobj)
            selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                return sock
            sock.close()
            race.fail(key.data, system_error(code))


def _begin(
    race: Race, bound: Mapping[int, object], now: float, selector: selectors.BaseSelector
) -> None:
    """Begin the attempts that are due: one, and as many more as fail on the spot."""
    while (address := race.take(now)) is not None:
        try:
            sock = new_socket(address, bound)
            try:
                with suppress(BlockingIOError):
                    sock.connect(address.name)
                selector.register(sock, selectors.EVENT_WRITE, address)
            except BaseException:
                sock.close()
                raise
        except OSError as exc:
            race.fail(address, exc)


# -- Proxies -------------------------------------------------------------------------------------


def _connect_through(
    proxy: Proxy, endpoint: Endpoint, route: Route, end: float | None
) -> socket.socket:
    speak = _speak_http if proxy.kind is ProxyKind.HTTP else _socks()
    try:
        sock = _connect_tcp(proxy, route, end)
    except OSError as exc:
        raise proxy_not_reached(proxy, endpoint, exc) from (exc.__cause__ or exc)
    try:
        return speak(sock, proxy, endpoint, end)
    except SMTPError:
        sock.close()
        raise
    except OSError as exc:
        sock.close()
        raise proxy_lost(proxy, endpoint, exc) from exc
    except BaseException:
        sock.close()
        raise


def _speak_http(
    sock: socket.socket, proxy: Proxy, endpoint: Endpoint, end: float | None
) -> socket.socket:
    tunnel = HttpTunnel(proxy, endpoint)
    limit(sock, end)
    sock.sendall(tunnel.unsent)
    while tunnel.wants:
        limit(sock, end)
        tunnel.receive(sock.recv(tunnel.wants))
    return sock


def _socks() -> Callable[[socket.socket, Proxy, Endpoint, float | None], socket.socket]:
    from ehlo.runtime.socks import missing  # noqa: PLC0415 - few go through a proxy

    try:
        from ehlo.blocking._socks import speak_socks  # noqa: PLC0415 - an extra
    except ImportError:
        missing()
    return speak_socks
