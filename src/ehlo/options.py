"""The keyword arguments of `connect` and `send`, in both adapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypedDict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Collection

    from ehlo.policies import Cleartext, Hello, Pipelining, Tls
    from ehlo.proxy_header import ProxyHeader
    from ehlo.sasl import CredentialsLike
    from ehlo.timeouts import Timeouts
    from ehlo.transcript import Transcript

__all__ = ["ConnectOptions", "Progress"]

Progress: TypeAlias = Callable[[int, int | None], None]
"""Is told how many octets of content were sent, and of how many if that is known."""


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
