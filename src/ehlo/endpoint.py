"""Where a server is and how to talk to it, read from a URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast
from urllib.parse import SplitResult, parse_qsl, unquote

from typing_extensions import override

from ehlo.errors import InvalidInput
from ehlo.policies import Protocol, Tls, chosen
from ehlo.secret import Secret, concealed
from ehlo.text import refuse_control_characters
from ehlo.url import decoded, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.configured import Configured

__all__ = ["Endpoint", "Found", "Servers", "read_server", "require_host", "require_port"]

PORT_SMTP: Final = 25
PORT_LMTP: Final = 24  # "any private mail system" (RFC 2033 section 5 forbids 25)
PORT_IMPLICIT_TLS: Final = 465
PORT_SUBMISSION: Final = 587
PORT_MAX: Final = 65535

Servers: TypeAlias = "str | Endpoint | Sequence[str | Endpoint]"
"""A server: a URL or an `Endpoint`; or several, in order of priority."""

Found: TypeAlias = "Endpoint | tuple[Endpoint, ...] | InvalidInput | TypeError"
"""What was read: one endpoint, several, or what is wrong."""

_WHAT: Final = "the server URL"


class _Scheme(NamedTuple):
    """What a URL scheme says: its TLS mode (None: it depends) and port; port 0 is a unix socket."""

    tls: Tls | None
    port: int
    protocol: Protocol = Protocol.SMTP


# The names in the wild disagree ("smtps" means STARTTLS to some Django helpers); these meanings
# follow RFC 8314 and the majority.
_SCHEMES: Mapping[str, _Scheme] = {
    "smtp": _Scheme(None, PORT_SMTP),
    "smtps": _Scheme(Tls.IMPLICIT, PORT_IMPLICIT_TLS),
    "smtp+ssl": _Scheme(Tls.IMPLICIT, PORT_IMPLICIT_TLS),
    "smtp+starttls": _Scheme(Tls.STARTTLS, PORT_SUBMISSION),
    "smtp+tls": _Scheme(Tls.STARTTLS, PORT_SUBMISSION),
    "submission": _Scheme(Tls.STARTTLS, PORT_SUBMISSION),
    "smtp+unix": _Scheme(Tls.NONE, 0),
    "lmtp": _Scheme(None, PORT_LMTP, Protocol.LMTP),
    "lmtp+unix": _Scheme(Tls.NONE, 0, Protocol.LMTP),
}

# Labels of 1 to 63 octets (RFC 1035 section 2.3.4); underscores are met in the field.
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def require_host(host: str) -> None:
    """Refuse what is neither a host name nor an IP address.

    Args:
        host: What should be one.

    Raises:
        InvalidInput: It is none.
    """
    refuse_control_characters("the host name", host)
    if len(host) > 255 or not (_HOST.fullmatch(host) or _is_ip(host)):  # noqa: PLR2004 - RFC 1035
        msg = f"not a host name or an IP address: {host[:80]!r}"
        raise InvalidInput(msg)


def require_port(port: int) -> None:
    """Refuse what is no TCP port.

    Args:
        port: What should be one.

    Raises:
        InvalidInput: It is none.
    """
    if not 0 < port <= PORT_MAX:
        msg = f"a port is a number from 1 to {PORT_MAX}, not {port}"
        raise InvalidInput(msg)


@dataclass(frozen=True, slots=True, kw_only=True, init=False)
class Endpoint:
    """A server, and how to talk to it.

    Attributes:
        host: A host name or an IP address; empty for a unix socket.
        port: The TCP port; 0 for a unix socket.
        path: The path of a unix socket; empty for TCP.
        tls: When the connection is encrypted.
        username: The user to authenticate as, from a URL; None for nobody.
        password: That user's password; a text is wrapped in a `Secret` at once.
        protocol: What is spoken: SMTP or LMTP.

    Raises:
        InvalidInput: The values contradict each other or are none.
        TypeError: The password is neither a text nor a `Secret`.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: Tls = Tls.STARTTLS
    username: str | None = field(default=None, repr=False)
    password: Secret | None = None
    protocol: Protocol = Protocol.SMTP

    # Not the one that dataclass writes: its frame would show the text of a password.
    def __init__(
        self,
        *,
        host: str = "",
        port: int = 0,
        path: str = "",
        tls: Tls = Tls.STARTTLS,
        username: str | None = None,
        password: str | Secret | None = None,
        protocol: Protocol = Protocol.SMTP,
    ) -> None:
        fault = ""
        if password is not None:
            password, fault = concealed("a password", password)
        # All is there before anything is refused: a report that shows local variables shows `self`.
        object.__setattr__(self, "host", host)
        object.__setattr__(self, "port", port)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "tls", tls)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", password)
        object.__setattr__(self, "protocol", protocol)
        if fault:
            raise TypeError(fault)
        object.__setattr__(self, "tls", chosen(Tls, tls))
        object.__setattr__(self, "protocol", chosen(Protocol, protocol))
        self._check()

    def _check(self) -> None:
        """Refuse neither host nor path, or both, or a port outside 1 to 65535."""
        if bool(self.host) == bool(self.path):
            msg = "an endpoint has either a host or the path of a unix socket"
            raise InvalidInput(msg)
        if self.path:
            refuse_control_characters("the path of the unix socket", self.path)
            return
        require_host(self.host)
        require_port(self.port)

    @classmethod
    def of(cls, value: str | Endpoint) -> Endpoint:
        """Return an endpoint as it is, or read one from a URL.

        Args:
            value: An endpoint, or a URL as `from_url` takes it.

        Returns:
            The endpoint.

        Raises:
            InvalidInput: The URL is none of ours.
            TypeError: It is neither a text nor an endpoint.
        """
        found = _read_one(value)
        del value  # a URL may hold a password, and tracebacks show local variables
        if isinstance(found, Exception):
            raise found
        return found

    @classmethod
    def from_url(cls, url: str) -> Endpoint:
        """Read a URL such as `smtp+starttls://user:secret@smtp.example.com?tls=starttls`.

        Schemes: `smtp` (port 25 and the safe default: port 465 is implicit TLS, a loopback host
        is clear, everything else is STARTTLS), `smtps` or `smtp+ssl` (implicit TLS, 465),
        `smtp+starttls`, `smtp+tls` or `submission` (STARTTLS required, 587),
        `smtp+unix:///path/of/socket`, `lmtp` (LMTP, port 24, the same safe default) and
        `lmtp+unix:///path/of/socket`. User and password are percent-decoded.
        The one query key is `tls`, a value of `Tls`.

        Args:
            url: The URL.

        Returns:
            The endpoint.

        Raises:
            InvalidInput: Something in it is wrong or unknown; the message never repeats the
                user or the password.
            TypeError: It is no text.
        """
        found = _read_one(url)
        del url  # as above
        if isinstance(found, Exception):
            raise found
        return found

    @classmethod
    def from_mapping(cls, settings: Mapping[str, object]) -> Configured:
        """Read the settings of a web framework.

        Three families are known: Django's `EMAIL_...`, Flask-Mail's `MAIL_...`, and an entry of
        Django's `MAILERS`, or its `OPTIONS`. The mapping may be all settings of an application:
        what is of no family is not looked at. Values may be texts, as environments have them.

        A time limit and a client certificate belong to no endpoint: they come back as options.

        Args:
            settings: The settings.

        Returns:
            The endpoint, and the options to go with it: `connect(found.endpoint, **found.options)`.

        Raises:
            InvalidInput: Settings contradict each other, or there is one of the family that is not
                known; the message never repeats the user or the password.
            TypeError: It is no mapping.
        """
        from ehlo.configured import read_mapping  # noqa: PLC0415 - which needs this class

        found = read_mapping(settings)
        del settings  # as above
        if isinstance(found, Exception):
            raise found
        return found

    @property
    def is_loopback(self) -> bool:
        """Whether the connection cannot leave this machine."""
        return bool(self.path) or is_loopback(self.host)

    @override
    def __str__(self) -> str:
        """Return the endpoint as `host:port` or the path, without user and password."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_server(server: object) -> Found:
    """Read a URL, or several, and return what is wrong rather than raise it.

    The frames of an exception can be shown with their local variables, and here those hold the URL
    with the password in it. Where the error is raised, nothing of it is left.

    Args:
        server: A URL or an endpoint; a list or tuple of them; or an error, which is returned as it
            is.

    Returns:
        The endpoint; several, if there are several; or the error.
    """
    if isinstance(server, str | bytes | bytearray) or not isinstance(server, Sequence):
        return _read_one(server)
    endpoints: list[Endpoint] = []
    for one in cast("Sequence[object]", server):
        found = _read_one(one)
        if isinstance(found, Exception):
            return found
        endpoints.append(found)
    if not endpoints:
        return InvalidInput("there is no server in the list of servers")
    return endpoints[0] if len(endpoints) == 1 else tuple(endpoints)


def _read_one(server: object) -> Endpoint | InvalidInput | TypeError:
    if isinstance(server, Endpoint | InvalidInput | TypeError):
        return server
    if not isinstance(server, str):
        return TypeError(f"a server is a URL or an ehlo.Endpoint, not {type(server).__name__}")
    fault = ""
    try:
        return _parsed(server)
    except InvalidInput as exc:
        fault = str(exc)
    return InvalidInput(fault)


def _parsed(url: str) -> Endpoint:
    refuse_control_characters(_WHAT, url)
    parts = split(_WHAT, url)
    scheme = _SCHEMES.get(parts.scheme)
    if scheme is None or "://" not in url:
        right = ", ".join(f"{name}://" for name in _SCHEMES)
        msg = f"a server URL begins with one of {right}"
        raise InvalidInput(msg)
    endpoint = _tcp(parts, scheme) if scheme.port else _unix(parts, scheme)
    if parts.username is not None:
        endpoint = replace(
            endpoint,
            username=decoded(_WHAT, parts.username),
            password=None if parts.password is None else Secret(decoded(_WHAT, parts.password)),
        )
    return _with_options(endpoint, parts)


def is_loopback(host: str) -> bool:
    """Return whether a host name or IP address is this machine itself.

    Args:
        host: A host name or an IP address.

    Returns:
        True for `localhost` (RFC 6761 section 6.3) and loopback addresses.
    """
    if _is_ip(host):
        return ip_address(host).is_loopback
    return host.lower().removesuffix(".") == "localhost"


def _unix(parts: SplitResult, scheme: _Scheme) -> Endpoint:
    if parts.hostname:
        msg = f"a unix socket URL has three slashes: {parts.scheme}:///path/of/socket"
        raise InvalidInput(msg)
    return Endpoint(path=unquote(parts.path), tls=Tls.NONE, protocol=scheme.protocol)


def _tcp(parts: SplitResult, scheme: _Scheme) -> Endpoint:
    if parts.path not in {"", "/"}:
        msg = "a server URL has no path"
        raise InvalidInput(msg)
    host = unquote(parts.hostname or "")
    port = scheme.port if parts.port is None else parts.port
    tls = scheme.tls or default_tls(port, local=is_loopback(host))
    return Endpoint(host=host, port=port, tls=tls, protocol=scheme.protocol)


def default_tls(port: int, *, local: bool) -> Tls:
    """Return the TLS mode for an endpoint that none was chosen for.

    Args:
        port: The TCP port.
        local: Whether the connection cannot leave this machine.

    Returns:
        The mode.
    """
    if port == PORT_IMPLICIT_TLS:
        return Tls.IMPLICIT
    return Tls.NONE if local else Tls.STARTTLS


def _option_tls(endpoint: Endpoint, value: str) -> Endpoint:
    return replace(endpoint, tls=chosen(Tls, value))


_OPTIONS: Mapping[str, Callable[[Endpoint, str], Endpoint]] = {"tls": _option_tls}


def _with_options(endpoint: Endpoint, parts: SplitResult) -> Endpoint:
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        option = _OPTIONS.get(key)
        if option is None:
            known = ", ".join(sorted(_OPTIONS))
            msg = f"the server URL has the unknown option {key!r}; known: {known}"
            raise InvalidInput(msg)
        endpoint = option(endpoint, value)
    return endpoint
