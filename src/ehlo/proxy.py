"""A proxy between the client and the server: SOCKS, or CONNECT of HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from typing_extensions import override

from ehlo.endpoint import require_host, require_port
from ehlo.errors import InvalidInput
from ehlo.policies import chosen
from ehlo.secret import Secret, concealed
from ehlo.text import control_character, refuse_control_characters, require_str
from ehlo.url import decoded, split

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Hop", "Proxy", "ProxyKind", "read_proxy"]


class ProxyKind(StrEnum):
    """What is spoken with a proxy. In each of them the proxy looks up the server's name."""

    SOCKS5 = "socks5"
    """SOCKS version 5 (RFC 1928), with user and password (RFC 1929) or without."""
    SOCKS4A = "socks4a"
    """SOCKS version 4A, with a user or without."""
    HTTP = "http"
    """CONNECT of HTTP (RFC 9110 section 9.3.6), with user and password (RFC 7617) or without."""


class Hop(StrEnum):
    """Which part of the way through a proxy did not come about."""

    PROXY = "proxy"
    """The one to the proxy, or the proxy does not want to serve this client."""
    SERVER = "server"
    """The one from the proxy to the server."""


# "socks5h" is what curl and others call SOCKS 5 where the proxy looks up names.
_KINDS: Final[Mapping[str, ProxyKind]] = {
    "socks5": ProxyKind.SOCKS5,
    "socks5h": ProxyKind.SOCKS5,
    "socks4a": ProxyKind.SOCKS4A,
    "http": ProxyKind.HTTP,
}
_PORT_SOCKS: Final = 1080  # RFC 1928 section 3; of HTTP proxies there is no such number
_WHAT: Final = "the proxy URL"
_SOCKS_LONGEST: Final = 255  # RFC 1929 section 2


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Proxy:
    """A proxy, and whom it should take the client for.

    Attributes:
        kind: What is spoken with it.
        host: Its host name or IP address.
        port: Its TCP port; default 1080 for SOCKS.
        username: The user; None for nobody.
        password: That user's password; a text is wrapped in a `Secret` at once.

    Raises:
        InvalidInput: The values contradict each other, or cannot be sent to such a proxy.
        TypeError: The password is neither a text nor a `Secret`.
    """

    kind: ProxyKind
    host: str
    port: int
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None

    # Not the one that dataclass writes: its frame would show the text of a password.
    def __init__(
        self,
        *,
        kind: ProxyKind | str,
        host: str,
        port: int = _PORT_SOCKS,
        username: str | None = None,
        password: str | Secret | None = None,
    ) -> None:
        fault = ""
        if password is not None:
            password, fault = concealed("a password", password)
        # All is there before anything is refused: a report that shows local variables shows `self`.
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "port", port)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", password)
        if fault:
            raise TypeError(fault)
        object.__setattr__(self, "kind", chosen(ProxyKind, kind))
        require_host(host)
        require_port(port)
        self._check_credentials()

    def _check_credentials(self) -> None:
        """Refuse what this kind of proxy cannot be told."""
        if self.username is not None:
            require_str("the proxy's user", self.username)
            refuse_control_characters("the proxy's user", self.username)
        fault = _fault(self.kind, self.username, self.password)
        if fault:
            raise InvalidInput(fault)

    @classmethod
    def from_url(cls, url: str) -> Proxy:
        """Read a URL such as `socks5://user:secret@proxy.example.com:1080`.

        Schemes: `socks5` or `socks5h` (the same: the proxy looks up names), `socks4a`, and `http`,
        which needs a port. User and password are percent-decoded.

        Args:
            url: The URL.

        Returns:
            The proxy.

        Raises:
            InvalidInput: Something in it is wrong or unknown; the message never repeats the user or
                the password.
            TypeError: It is no text.
        """
        found = read_proxy(url)
        del url  # it may hold a password, and tracebacks show local variables
        if isinstance(found, Exception):
            raise found
        return found

    @override
    def __str__(self) -> str:
        """Return the proxy as `scheme://host:port`, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def _fault(kind: ProxyKind, user: str | None, password: Secret | None) -> str:
    """Return what is wrong with a user and a password; both stay out of the text."""
    if kind is ProxyKind.SOCKS4A:
        return "SOCKS 4A knows users, but no passwords" if password is not None else ""
    if user is None or password is None:
        both_or_neither = (user is None) == (password is None)
        return "" if both_or_neither else "a proxy gets a user and a password, or neither"
    fault = control_character(password.reveal())  # RFC 7617 section 2 forbids them as well
    if fault:
        return f"a proxy's password holds {fault}"
    if kind is ProxyKind.HTTP:
        return "the user of an HTTP proxy holds no colon" if ":" in user else ""
    if _is_short_ascii(user) and _is_short_ascii(password.reveal()):
        return ""
    return f"user and password of a SOCKS proxy are 1 to {_SOCKS_LONGEST} ASCII characters"


def _is_short_ascii(text: str) -> bool:
    return text.isascii() and 0 < len(text) <= _SOCKS_LONGEST


def read_proxy(proxy: object) -> Proxy | InvalidInput | TypeError:
    """Read a proxy's URL, and return what is wrong with it rather than raise it.

    The reason is that of `ehlo.endpoint.read_server`.

    Args:
        proxy: A URL, or a proxy or an error, which is returned as it is.

    Returns:
        The proxy, or the error.
    """
    if isinstance(proxy, Proxy | InvalidInput | TypeError):
        return proxy
    if not isinstance(proxy, str):
        return TypeError(f"a proxy is a URL or an ehlo.Proxy, not {type(proxy).__name__}")
    fault = ""
    try:
        return _parsed(proxy)
    except InvalidInput as exc:
        fault = str(exc)
    return InvalidInput(fault)


def _parsed(url: str) -> Proxy:
    refuse_control_characters(_WHAT, url)
    parts = split(_WHAT, url)
    kind = _KINDS.get(parts.scheme)
    if kind is None or "://" not in url:
        right = ", ".join(f"{name}://" for name in _KINDS)
        msg = f"a proxy URL begins with one of {right}"
        raise InvalidInput(msg)
    if parts.path not in {"", "/"} or parts.query:
        msg = f"{_WHAT} ends with its port"
        raise InvalidInput(msg)
    if kind is ProxyKind.HTTP and parts.port is None:
        msg = f"{_WHAT} names no port, and HTTP proxies have no usual one"
        raise InvalidInput(msg)
    proxy = Proxy(
        kind=kind,
        host=unquote(parts.hostname or ""),
        port=_PORT_SOCKS if parts.port is None else parts.port,
    )
    if parts.username is None:
        return proxy
    return replace(
        proxy,
        username=decoded(_WHAT, parts.username),
        password=None if parts.password is None else Secret(decoded(_WHAT, parts.password)),
    )
