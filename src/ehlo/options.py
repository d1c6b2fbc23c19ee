"""The keyword arguments of `connect` and `send`, in both adapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypedDict

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Collection

    from ehlo.endpoint import Endpoint
    from ehlo.policies import Cleartext, Hello, Pipelining, Tls
    from ehlo.pool import Observer, RetryPolicy
    from ehlo.proxy import Proxy
    from ehlo.proxy_header import ProxyHeader
    from ehlo.sasl import CredentialsLike
    from ehlo.timeouts import Timeouts
    from ehlo.transcript import Transcript

__all__ = ["ClientOptions", "ConnectOptions", "Connector", "Progress"]

Progress: TypeAlias = Callable[[int, int | None], None]
"""Is told how many octets of content were sent, and of how many if that is known."""

Connector: TypeAlias = (
    "Callable[[Endpoint, float | None], socket.socket | Awaitable[socket.socket]]"
)
"""Makes a connection in a way of its own.

It is called with the endpoint and the seconds it may take (None: as long as it likes). It returns
a connected stream socket, which belongs to the session from then on. With `ehlo.asyncio` it may be
a coroutine function. An `OSError` that it raises becomes a `ConnectFailed`."""


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of `connect` and `send`, in both adapters.

    Attributes:
        auth: Whom to authenticate as: a `Password`, an `OAuth2`, a mechanism such as `External`; a
            user and password in the URL serve as well.
        tls: When the connection is encrypted: a `Tls` or its string. Default: what the URL says;
            without that, implicit on port 465, none on loopback, else STARTTLS, required.
        ssl_context: The TLS context; default `ssl.create_default_context()`, which verifies the
            server's certificate and name.
        server_hostname: The name that the server's certificate must be for; default: the host.
            TLS over a unix socket needs one.
        cleartext: Whether credentials may travel unencrypted: a `Cleartext` or its string.
            Default: never, loopback and unix sockets aside.
        timeouts: The deadlines.
        name: The EHLO name; default: the socket's own address as a literal.
        hello: How to introduce the client: a `Hello` or its string. Default: EHLO.
        pipelining: How many commands may be under way at once: a `Pipelining` or its string.
        without: EHLO keywords to overlook when the server announces them, such as `CHUNKING`: for
            servers that do not do what they offer.
        proxy_header: What to say before anything else to a server that stands behind a proxy and
            wants to know whose connection this is (the PROXY protocol).
        transcript: Records the dialogue, secrets masked.
        client_certificate: The paths of the client's certificate and of its key, which may be None
            if both are in one file (PEM): for servers that want one. Not with `ssl_context`.
        local_address: The IP address to connect from, or a pair of it and a port.
        proxy: The proxy to go through: a URL such as `socks5://user:secret@host:1080` or
            `http://host:3128`, or an `ehlo.Proxy`. SOCKS needs the extra `ehlo[socks]`.
        sock: A connected stream socket, which belongs to the session from then on.
        connector: A function that connects: see `Connector`.
    """

    auth: CredentialsLike | None
    tls: Tls | str | None
    ssl_context: ssl.SSLContext | None
    server_hostname: str | None
    cleartext: Cleartext | str
    timeouts: Timeouts | None
    name: str | None
    hello: Hello | str
    pipelining: Pipelining | str
    without: Collection[str]
    proxy_header: ProxyHeader | None
    transcript: Transcript | None
    client_certificate: tuple[str, str | None] | None
    local_address: str | tuple[str, int] | None
    proxy: str | Proxy | None
    sock: socket.socket | None
    connector: Connector | None


class ClientOptions(ConnectOptions, total=False):
    """The keyword arguments of `Client`, in both adapters, beside those of `ConnectOptions`.

    Of those a client refuses `sock`, which is one connection; `connector` makes any number.

    Attributes:
        max_connections: How many connections there may be at once; default 4.
        max_messages: How many messages go over one connection; default 100, None for any number.
        max_age: For how many seconds a connection is used; default 300, None for ever.
        idle_timeout: After how many seconds without use it is closed; default 60, None for never.
        check_after: After how many seconds without use it has to answer NOOP before it is used;
            default 10, None for never.
        rate: How many messages a second may begin; default None, for any number.
        retries: How often a message that was certainly not sent is tried again, and how often a
            connection is; default 3.
        backoff: For how many seconds no connection is tried after one could not be had; default
            0.5; twice as many after each further failure, up to twenty times as many.
        retry_policy: Decides about messages that were refused for now; default None, which gives
            them up.
        on_event: Is told what happens; see `ehlo.pool.ClientEvent`.
    """

    max_connections: int
    max_messages: int | None
    max_age: float | None
    idle_timeout: float | None
    check_after: float | None
    rate: float | None
    retries: int
    backoff: float
    retry_policy: RetryPolicy | None
    on_event: Observer | None
