"""Connecting on an event loop, in each of the ways there are."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, TypeAlias, cast

from ehlo.asyncio._pump import Pump
from ehlo.errors import SMTPError
from ehlo.phase import Phase
from ehlo.proxy import ProxyKind
from ehlo.runtime.driving import not_connected, proxy_lost, proxy_not_reached
from ehlo.runtime.route import bindings, made, new_socket, racing, system_error, taken, unix_socket
from ehlo.runtime.tunnel import HttpTunnel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ehlo.endpoint import Endpoint
    from ehlo.options import Connector
    from ehlo.proxy import Proxy
    from ehlo.runtime.options import Settings
    from ehlo.runtime.race import Race, SocketAddress
    from ehlo.runtime.route import Route

__all__ = ["dial"]

_Running: TypeAlias = "dict[asyncio.Task[socket.socket], SocketAddress]"
"""The attempts that are under way."""


async def dial(settings: Settings, end: float | None) -> Pump:
    """Connect to the server of the settings, in the way that they say.

    Args:
        settings: The settings.
        end: When the call as a whole must be over, by the loop's clock; None for never.

    Returns:
        A pump on the connection.

    Raises:
        ConnectFailed: No connection came about.
        Timeout: None came about in time.
    """
    loop = asyncio.get_running_loop()
    now = loop.time()
    timeout = settings.timeouts.left(Phase.CONNECT, now, end)
    try:
        sock = await _dialled(settings, None if timeout is None else now + timeout)
    except SMTPError:
        raise
    except OSError as exc:
        raise not_connected(settings.endpoint, exc) from (exc.__cause__ or exc)
    pump = Pump(settings.link(loop.time), settings.timeouts, loop)
    try:
        sock.settimeout(0)
        if _is_unix(sock):
            await loop.create_unix_connection(lambda: pump, sock=sock)
        else:
            await loop.create_connection(lambda: pump, sock=sock)
    except BaseException:
        sock.close()
        raise
    return pump


def _is_unix(sock: socket.socket) -> bool:
    return hasattr(socket, "AF_UNIX") and sock.family == socket.AF_UNIX


async def _dialled(settings: Settings, end: float | None) -> socket.socket:
    endpoint, route = settings.endpoint, settings.route
    if route.sock is not None:
        return taken(route.sock, endpoint)
    if route.connector is not None:
        return await _made(route.connector, endpoint, end)
    if endpoint.path:
        return await _connect_unix(endpoint.path, end)
    if route.proxy is not None:
        return await _connect_through(route.proxy, endpoint, route, end)
    return await _connect_tcp(endpoint, route, end)


async def _made(connector: Connector, endpoint: Endpoint, end: float | None) -> socket.socket:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(end):
        found = await _result(connector(endpoint, None if end is None else end - loop.time()))
    return made(found)


async def _result(found: socket.socket | Awaitable[socket.socket]) -> socket.socket:
    """Await what a connector returns, if that is what it wants."""
    is_awaitable = hasattr(found, "__await__")
    return await cast("Awaitable[socket.socket]", found) if is_awaitable else found  # type: ignore[return-value]


async def _connect_unix(path: str, end: float | None) -> socket.socket:
    sock = unix_socket()
    try:
        sock.settimeout(0)
        async with asyncio.timeout_at(end):
            await asyncio.get_running_loop().sock_connect(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock


# -- Happy eyeballs ------------------------------------------------------------------------------


async def _connect_tcp(target: Endpoint | Proxy, route: Route, end: float | None) -> socket.socket:
    """Connect to the one of the host's addresses that is the first to answer."""
    bound = bindings(route.local_address)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(end):
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    race = racing(found, bound)
    running: _Running = {}
    try:
        sock = await _winner(race, bound, end, running)
    except BaseException:
        await _drop(running)
        raise
    try:
        await _drop(running)
    except BaseException:
        sock.close()
        raise
    return sock


async def _winner(
    race: Race, bound: Mapping[int, object], end: float | None, running: _Running
) -> socket.socket:
    """Act on a race until somebody has won; those that are under way are in `running`."""
    loop = asyncio.get_running_loop()
    while not race.is_lost:
        now = loop.time()
        if end is not None and now >= end:
            raise race.timeout()
        if (address := race.take(now)) is not None:
            running[loop.create_task(_attempt(address, bound))] = address
        pause = race.pause(now, end)
        await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in running if task.done()]:
            address = running.pop(task)
            error = task.exception()
            if error is None:
                return task.result()
            if not isinstance(error, OSError):
                raise error
            race.fail(address, error)
    raise race.trouble()


async def _attempt(address: SocketAddress, bound: Mapping[int, object]) -> socket.socket:
    sock = new_socket(address, bound)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address.name)
    except OSError as exc:
        sock.close()
        # The loop has words of its own, which hold the address once more.
        raise (exc if exc.errno is None else system_error(exc.errno)) from exc
    except BaseException:
        sock.close()
        raise
    return sock


async def _drop(tasks: Iterable[asyncio.Task[socket.socket]]) -> None:
    """End the attempts that have not won, and close what they may have got all the same."""
    left = [task for task in tasks if not task.done()]
    for task in tasks:
        if task.done():
            _close(task)
        else:
            task.add_done_callback(_close)
            task.cancel()
    if left:
        await asyncio.wait(left)


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


# -- Proxies -------------------------------------------------------------------------------------


async def _connect_through(
    proxy: Proxy, endpoint: Endpoint, route: Route, end: float | None
) -> socket.socket:
    speak = _speak_http if proxy.kind is ProxyKind.HTTP else _socks()
    try:
        sock = await _connect_tcp(proxy, route, end)
    except OSError as exc:
        raise proxy_not_reached(proxy, endpoint, exc) from (exc.__cause__ or exc)
    try:
        async with asyncio.timeout_at(end):
            await speak(sock, proxy, endpoint)
    except SMTPError:
        sock.close()
        raise
    except OSError as exc:
        sock.close()
        raise proxy_lost(proxy, endpoint, exc) from exc
    except BaseException:
        sock.close()
        raise
    return sock


async def _speak_http(sock: socket.socket, proxy: Proxy, endpoint: Endpoint) -> None:
    loop = asyncio.get_running_loop()
    tunnel = HttpTunnel(proxy, endpoint)
    # A view, since the loop's own frames show their variables in tracebacks.
    await loop.sock_sendall(sock, memoryview(tunnel.unsent))
    while tunnel.wants:
        tunnel.receive(await loop.sock_recv(sock, tunnel.wants))


def _socks() -> Callable[[socket.socket, Proxy, Endpoint], Awaitable[None]]:
    from ehlo.runtime.socks import missing  # noqa: PLC0415 - few go through a proxy

    try:
        from ehlo.asyncio._socks import speak_socks  # noqa: PLC0415 - an extra
    except ImportError:
        missing()
    return speak_socks
