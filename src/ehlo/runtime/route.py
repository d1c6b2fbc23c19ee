"""How a connection comes about: the arguments of `connect` that say so, checked once for both."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ehlo.endpoint import PORT_MAX
from ehlo.errors import ConnectFailed, InvalidInput
from ehlo.phase import Phase
from ehlo.proxy import Proxy, read_proxy
from ehlo.runtime.race import Race, SocketAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ehlo.endpoint import Endpoint
    from ehlo.options import ConnectOptions, Connector

__all__ = [
    "Route",
    "bindings",
    "discard",
    "made",
    "new_socket",
    "racing",
    "require_socket",
    "system_error",
    "taken",
    "unix_socket",
]

_Found: TypeAlias = "tuple[int, int, int, str, Any]"
"""What `getaddrinfo` tells of an address."""


_WAYS: Final = ("proxy", "sock", "connector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to a server; without any of these it is the direct one.

    Attributes:
        local_address: The IP address and the port to connect from; port 0 leaves it to the system.
        proxy: The proxy to go through.
        sock: A socket that is connected already.
        connector: A function that connects.
    """

    local_address: tuple[str, int] | None = None
    proxy: Proxy | None = None
    sock: socket.socket | None = field(default=None, repr=False)
    connector: Connector | None = None

    @classmethod
    def of(cls, endpoints: Sequence[Endpoint], options: ConnectOptions) -> Route:
        """Check the arguments.

        Args:
            endpoints: The servers.
            options: The keyword arguments, in which the proxy is no URL any more.

        Returns:
            The way.

        Raises:
            InvalidInput: A value is wrong, or two contradict each other.
            TypeError: A value is of another type.
        """
        given = options.get("proxy")
        proxy = None if given is None else read_proxy(given)
        if isinstance(proxy, Exception):
            raise proxy
        sock = options.get("sock")
        route = cls(
            local_address=_local_address(options.get("local_address")),
            proxy=proxy,
            sock=None if sock is None else require_socket("sock=", sock),
            connector=_connector(options.get("connector")),
        )
        route._check(endpoints)
        return route

    def _check(self, endpoints: Sequence[Endpoint]) -> None:
        ways = [name for name in _WAYS if getattr(self, name) is not None]
        if self.local_address is not None and ways != ["proxy"]:
            ways.append("local_address")
        if len(ways) > 1:
            msg = f"{' and '.join(f'{way}=' for way in ways)} cannot be had together"
            raise InvalidInput(msg)
        if self.sock is not None and len(endpoints) > 1:
            msg = "sock= is connected to one server, and there are several"
            raise InvalidInput(msg)
        on_the_net = self.proxy is not None or self.local_address is not None
        if on_the_net and any(endpoint.path for endpoint in endpoints):
            [name, *_] = ways or ["local_address"]
            msg = f"a unix socket is on this machine, and {name}= is for what is not"
            raise InvalidInput(msg)

    @property
    def is_direct(self) -> bool:
        """Whether it is certain that the endpoint's host is where the connection goes."""
        return self.proxy is None and self.sock is None and self.connector is None


def _connector(value: object) -> Connector | None:
    if value is None or callable(value):
        return cast("Connector | None", value)
    msg = f"connector= is a function, not {type(value).__name__}"
    raise TypeError(msg)


def _local_address(value: object) -> tuple[str, int] | None:
    if value is None:
        return None
    host, port = (value, 0) if isinstance(value, str) else _pair(value)
    try:
        ip_address(host)
    except ValueError:
        msg = f"local_address= is an IP address, not {host[:80]!r}"
        raise InvalidInput(msg) from None
    if not 0 <= port <= PORT_MAX:
        msg = f"the port of local_address= is a number up to {PORT_MAX}, not {port}"
        raise InvalidInput(msg)
    return host, port


def _pair(value: object) -> tuple[str, int]:
    match value:
        case (str(host), int(port)):
            return host, port
        case _:
            pass
    msg = "local_address= is an IP address, or a pair of it and a port"
    raise TypeError(msg)


def bindings(local: tuple[str, int] | None) -> Mapping[int, object]:
    """Return what to bind a socket to, by its family.

    Args:
        local: The IP address and the port.

    Returns:
        What `bind` takes, for the one family that can be connected from there; nothing for all.
    """
    if local is None:
        return {}
    host, port = local
    flags = socket.AI_NUMERICHOST | socket.AI_PASSIVE  # so nobody is asked
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return {family: name for family, _, _, _, name in found}


def racing(found: Iterable[_Found], bound: Mapping[int, object]) -> Race:
    """Return the race to the addresses that were found.

    Args:
        found: What `getaddrinfo` returned.
        bound: What sockets are to be bound to, by family; nothing for any family.

    Returns:
        The race.

    Raises:
        OSError: There is no address that can be connected to from there.
    """
    addresses = [
        SocketAddress(family, kind, protocol, name)
        for family, kind, protocol, _, name in found
        if not bound or family in bound
    ]
    if bound and not addresses:
        msg = "the host has no address of the family of local_address="
        raise OSError(msg)
    return Race(addresses)


def new_socket(address: SocketAddress, bound: Mapping[int, object]) -> socket.socket:
    """Return a socket to connect to an address with, which does not block.

    Args:
        address: The address.
        bound: What to bind it to, by family.

    Returns:
        The socket.

    Raises:
        OSError: The local address cannot be had.
    """
    sock = socket.socket(address.family, address.kind, address.protocol)
    try:
        sock.settimeout(0)
        if address.family in bound:
            sock.bind(bound[address.family])  # type: ignore[arg-type]
    except BaseException:
        sock.close()
        raise
    return sock


def unix_socket() -> socket.socket:
    """Return a unix socket.

    Raises:
        OSError: There are none, as with Python on Windows.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OSError("this system has no unix sockets")
    return socket.socket(family, socket.SOCK_STREAM)


def system_error(code: int) -> OSError:
    """Return the error that a number of the system stands for.

    Args:
        code: The number.

    Returns:
        The error, in the system's words.
    """
    # Windows has numbers of its own for sockets, and Python their texts.
    texts: Mapping[int, str] = getattr(socket, "errorTab", {})
    return OSError(code, texts.get(code) or os.strerror(code))


def taken(sock: socket.socket, endpoint: Endpoint) -> socket.socket:
    """Return the socket of `sock=`, if it has not been used for a session already.

    Args:
        sock: The socket.
        endpoint: Where it should be connected to.

    Returns:
        The same.

    Raises:
        ConnectFailed: It is closed.
    """
    if sock.fileno() < 0:
        msg = f"no connection to {endpoint}: the socket of sock= is closed, and serves one session"
        error = ConnectFailed(msg, phase=Phase.CONNECT)
        error.temporary = False
        raise error
    return sock


def made(sock: object) -> socket.socket:
    """Return what a connector has returned, or close it if it is none that can be used.

    Args:
        sock: What it has returned.

    Returns:
        The same.

    Raises:
        InvalidInput: It is a socket for datagrams.
        TypeError: It is no socket at all, or one that speaks TLS by itself.
    """
    try:
        return require_socket("what connector= returns", sock)
    except BaseException:
        discard(sock)
        raise


def discard(thing: object) -> None:
    """Close what is of no use: a socket, or a coroutine.

    Args:
        thing: What may have something to close.
    """
    close = getattr(thing, "close", None)
    if callable(close):
        close()


def require_socket(what: str, sock: object) -> socket.socket:
    """Refuse what is no socket of the kind that a session needs.

    Args:
        what: Where it comes from, for errors.
        sock: What should be one.

    Returns:
        The same.

    Raises:
        InvalidInput: It is a socket for datagrams.
        TypeError: It is no socket at all, or one that speaks TLS by itself.
    """
    if not isinstance(sock, socket.socket) or hasattr(sock, "do_handshake"):
        msg = f"{what} is a plain socket.socket, not {type(sock).__name__}"
        raise TypeError(msg)
    if sock.type != socket.SOCK_STREAM:
        msg = f"{what} is a stream socket"
        raise InvalidInput(msg)
    return sock
