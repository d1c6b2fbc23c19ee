"""The PROXY protocol of HAProxy: what a proxy tells a server before anybody speaks SMTP.

Servers that stand behind a proxy may demand it: a few octets, once, before the greeting and before
TLS, which say whose connection this is. Sections are those of the specification, "The PROXY
protocol, versions 1 & 2".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from ehlo.errors import InvalidInput
from ehlo.text import refuse_control_characters

__all__ = ["ProxyHeader", "ProxyVersion", "SocketName"]

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
# The version in the high four bits, the command in the low ones (section 2.2).
_LOCAL: Final = b"\x20"
_PROXY: Final = b"\x21"
# The address family in the high four bits; the low ones say "a stream" (section 2.2).
_UNSPECIFIED: Final = b"\x00"
_TCP: Final = {4: b"\x11", 6: b"\x21"}
_UNIX: Final = b"\x31"
_PATH_SIZE: Final = 108
"""Octets of the path of a unix socket (section 2.2)."""
_PORT_MAX: Final = 65_535

SocketName = tuple[str, int] | str
"""One end of a connection: an IP address with a port, or the path of a unix socket."""


class ProxyVersion(IntEnum):
    """The two forms of the header."""

    V1 = 1
    """A line of text, for TCP over IPv4 and IPv6; of all else it says `UNKNOWN`."""
    V2 = 2
    """Binary."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """Whose connection this is, for a server that demands the PROXY protocol.

    Attributes:
        source: The client's end: (address, port), or the path of a unix socket. None, for both
            ends, says that the connection is the proxy's own (`LOCAL`, `UNKNOWN`).
        destination: The server's end as the client saw it, of the same kind.
        version: The form of the header.
    """

    source: SocketName | None = None
    destination: SocketName | None = None
    version: ProxyVersion = ProxyVersion.V2

    def __post_init__(self) -> None:
        """Refuse what no header can say.

        Raises:
            InvalidInput: Only one end is there, or they are of different kinds; an address, a
                port or a path is none; there is no such version.
            TypeError: An end is of the wrong type.
        """
        if self.version not in tuple(ProxyVersion):
            msg = f"the PROXY protocol has the versions 1 and 2, not {self.version!r}"
            raise InvalidInput(msg)
        self.octets()

    def octets(self) -> bytes:
        """Return the octets to send before anything else.

        Returns:
            The header.
        """
        match self.source, self.destination:
            case None, None:
                return self._written(_LOCAL, _UNSPECIFIED, b"")
            case str(source), str(destination):
                block = _path(source) + _path(destination)
                return self._written(_PROXY, _UNIX, block)
            case tuple(source), tuple(destination):
                return self._tcp(*_address(source), *_address(destination))
            case _:
                msg = "both ends of a connection are (address, port), paths, or None"
                raise InvalidInput(msg)

    def _tcp(self, source: _Ip, source_port: int, destination: _Ip, port: int) -> bytes:
        if source.version != destination.version:
            msg = "one end of the connection has an IPv4 address, the other an IPv6 address"
            raise InvalidInput(msg)
        if self.version == ProxyVersion.V1:
            ends = f"{source} {destination} {source_port} {port}"
            return f"PROXY TCP{source.version} {ends}\r\n".encode("ascii")
        block = source.packed + destination.packed
        block += source_port.to_bytes(2, "big") + port.to_bytes(2, "big")
        return self._written(_PROXY, _TCP[source.version], block)

    def _written(self, command: bytes, family: bytes, block: bytes) -> bytes:
        if self.version == ProxyVersion.V1:
            return b"PROXY UNKNOWN\r\n"
        return _SIGNATURE + command + family + len(block).to_bytes(2, "big") + block


_Ip = IPv4Address | IPv6Address


def _address(end: tuple[object, ...]) -> tuple[_Ip, int]:
    """Check one end of a TCP connection."""
    match end:
        case (str(host), int(port)) if not isinstance(port, bool):
            pass
        case _:
            msg = "one end of a connection is a pair of an address and a port"
            raise TypeError(msg)
    try:
        address = ip_address(host)
    except ValueError:
        msg = f"one end of a connection has an IP address, not {host!r}"
        raise InvalidInput(msg) from None
    if "%" in host:  # fe80::1%eth0
        msg = f"an address with a zone means nothing to another machine: {host!r}"
        raise InvalidInput(msg)
    if not 0 <= port <= _PORT_MAX:
        msg = f"a port is 0 to {_PORT_MAX}, not {port}"
        raise InvalidInput(msg)
    return address, port


def _path(path: str) -> bytes:
    """Return the path of a unix socket, which may be empty: not every socket has a name."""
    octets = refuse_control_characters("the path of a socket", path).encode()
    if len(octets) > _PATH_SIZE:
        msg = f"the path of a socket has {_PATH_SIZE} octets at the most"
        raise InvalidInput(msg)
    return octets.ljust(_PATH_SIZE, b"\0")
