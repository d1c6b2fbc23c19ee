"""The PROXY protocol: who the client is, told by a proxy before the session (versions 1 and 2)."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ProxyHeader", "ProxyProtocol", "read_proxy_header"]

_Address: TypeAlias = type[IPv4Address | IPv6Address]

_V1_LENGTH_MAX: Final = 107
"""Octets of a header of version 1, its line end included."""
_V1: Final = re.compile(
    rb"PROXY (?:UNKNOWN(?: [^\r\n]*)?|(TCP[46]) (\S+) (\S+) ([0-9]{1,5}) ([0-9]{1,5}))\r\n"
)
_V1_FAMILIES: Final[Mapping[bytes, _Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_V2_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED: Final = struct.Struct("!12sBBH")
_V2_COMMANDS: Final = {0x20: "LOCAL", 0x21: "PROXY"}
_V2_FAMILIES: Final[Mapping[int, tuple[_Address, struct.Struct]]] = {
    0x11: (IPv4Address, struct.Struct("!4s4sHH")),
    0x21: (IPv6Address, struct.Struct("!16s16sHH")),
}
_PORT_MAX: Final = 65_535


class ProxyProtocol(StrEnum):
    """Whether connections begin with a header of the PROXY protocol."""

    OFF = "off"
    """They do not."""
    REQUIRED = "required"
    """They do, in version 1 or 2: there is no greeting before it, and whatever begins otherwise is
    closed."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a proxy said about a connection.

    Attributes:
        version: 1 or 2.
        source: The client's address and port; None if the proxy did not tell.
        destination: The address and port that it had connected to; None likewise.
    """

    version: int
    source: tuple[str, int] | None = None
    destination: tuple[str, int] | None = None


def read_proxy_header(octets: bytes) -> tuple[ProxyHeader, int] | None:
    """Read a header.

    Args:
        octets: The beginning of a connection.

    Returns:
        The header and its length in octets; None if more must come first.

    Raises:
        ValueError: There is no header.
    """
    if octets.startswith(_V2_SIGNATURE):
        return _read_v2(octets)
    if _V2_SIGNATURE.startswith(octets):
        return None
    return _read_v1(octets)


def _read_v1(octets: bytes) -> tuple[ProxyHeader, int] | None:
    end = octets.find(b"\r\n", 0, _V1_LENGTH_MAX) + 2
    if end < 2:  # noqa: PLR2004 - not found
        if len(octets) >= _V1_LENGTH_MAX or not octets.startswith(b"PROXY "[: len(octets)]):
            raise ValueError("no PROXY header")
        return None
    match = _V1.fullmatch(octets, 0, end)
    if match is None:
        raise ValueError("a PROXY header that cannot be read")
    if match[1] is None:
        return ProxyHeader(1), end
    family = _V1_FAMILIES[match[1]]
    source, destination = (str(family(match[i].decode("ascii", "replace"))) for i in (2, 3))
    ports = int(match[4]), int(match[5])
    if max(ports) > _PORT_MAX:
        raise ValueError("a PROXY header with a port that is none")
    return ProxyHeader(1, (source, ports[0]), (destination, ports[1])), end


def _read_v2(octets: bytes) -> tuple[ProxyHeader, int] | None:
    if len(octets) < _V2_FIXED.size:
        return None
    _, command, family, length = _V2_FIXED.unpack_from(octets)
    if command not in _V2_COMMANDS:
        raise ValueError("a PROXY header of an unknown version or command")
    end = _V2_FIXED.size + length
    if len(octets) < end:
        return None
    if _V2_COMMANDS[command] == "LOCAL" or family not in _V2_FAMILIES:
        return ProxyHeader(2), end
    kind, layout = _V2_FAMILIES[family]
    if length < layout.size:
        raise ValueError("a PROXY header that is too short for its addresses")
    source, destination, *ports = layout.unpack_from(octets, _V2_FIXED.size)
    return ProxyHeader(2, (str(kind(source)), ports[0]), (str(kind(destination)), ports[1])), end
