"""A way through an HTTP proxy (CONNECT, RFC 9110 section 9.3.6), without I/O.

Mail servers speak first: what stands behind the proxy's answer may be the greeting already. So no
octet is read that may be behind it.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

from ehlo.errors import ConnectFailed
from ehlo.phase import Phase
from ehlo.proxy import Hop
from ehlo.secret import Mask
from ehlo.text import printable

if TYPE_CHECKING:
    from ehlo.endpoint import Endpoint
    from ehlo.proxy import Proxy

__all__ = ["HttpTunnel", "proxy_refused"]

_LONGEST: Final = 16_384
"""Octets of an answer that are read before it is taken for no answer at all."""
_SHOWN: Final = 120
"""Characters of what a proxy says that stand in an error."""
_OK: Final = range(200, 300)
_INTERIM: Final = range(100, 200)
_CLIENT: Final = range(400, 500)
"""The proxy does not want to, and will not want to later: its rules, or user and password."""


class HttpTunnel:
    """The dialogue with an HTTP proxy.

    Args:
        proxy: The proxy.
        endpoint: The server that it should connect to.

    Attributes:
        unsent: Octets for the proxy. They may hold secrets: keep them out of local variables, which
            tracebacks can show.
    """

    def __init__(self, proxy: Proxy, endpoint: Endpoint) -> None:
        self._proxy = proxy
        self._endpoint = endpoint
        self._answer = bytearray()
        self.unsent = bytearray(_request(endpoint))
        if proxy.username is not None and proxy.password is not None:
            self.unsent += b"Proxy-Authorization: Basic "
            self.unsent += b64encode(f"{proxy.username}:{proxy.password.reveal()}".encode())
            self.unsent += b"\r\n"
        self.unsent += b"\r\n"

    @property
    def wants(self) -> int:
        """How many octets may be read, as there are at least so many to come; 0 if it is done.

        The answer ends with an empty line.
        """
        answer = self._answer
        if answer.endswith((b"\n\r\n", b"\n\n")):
            return 0
        return 1 if answer.endswith((b"\n", b"\n\r")) else 2

    def receive(self, data: bytes) -> None:
        """Take in octets of the answer.

        Args:
            data: At most as many as it wants; none means the end.

        Raises:
            ConnectFailed: The proxy refuses, or does not speak HTTP.
        """
        if not data:
            raise proxy_refused(self._proxy, self._endpoint, "it closed the connection")
        self._answer += data
        if len(self._answer) > _LONGEST:
            raise proxy_refused(self._proxy, self._endpoint, "its answer has no end")
        if self.wants == 0:
            self._judge()

    def _judge(self) -> None:
        line = self._answer.partition(b"\n")[0].rstrip(b"\r").decode("latin-1")
        version, _, words = line.partition(" ")
        code = words[:3]
        if not version.startswith("HTTP/") or not code.isdecimal():
            raise proxy_refused(self._proxy, self._endpoint, f"it does not speak HTTP ({line})")
        if int(code) in _INTERIM:
            self._answer.clear()
        elif int(code) not in _OK:
            client = int(code) in _CLIENT
            raise proxy_refused(
                self._proxy,
                self._endpoint,
                words,
                hop=Hop.PROXY if client else Hop.SERVER,
                temporary=not client,
            )


def _request(endpoint: Endpoint) -> bytes:
    # An IPv6 address stands in brackets (RFC 9110 section 7.2), which `str` does.
    return f"CONNECT {endpoint} HTTP/1.1\r\nHost: {endpoint}\r\n".encode("ascii")


def proxy_refused(
    proxy: Proxy,
    endpoint: Endpoint,
    why: str,
    *,
    hop: Hop = Hop.PROXY,
    temporary: bool = True,
) -> ConnectFailed:
    """Return the error for a proxy that makes no connection.

    Args:
        proxy: The proxy.
        endpoint: The server that it should have connected to.
        why: What it said, which may hold anything.
        hop: Which part of the way did not come about.
        temporary: Whether it may come about later.

    Returns:
        The error.
    """
    secrets = [] if proxy.password is None else [proxy.password]
    said = printable(Mask(secrets).scrub_text(why))[:_SHOWN]
    error = ConnectFailed(
        f"no connection to {endpoint} through {proxy}: {said}", phase=Phase.CONNECT
    )
    error.hop = hop
    error.temporary = temporary
    return error
