"""The servers that stand behind the URLs written in the documentation.

The pages name servers as a reader would. When a page's code is run, each of these texts is replaced
by the address of a server of `ehlo.testing` on the loopback interface; nothing else is changed.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from ehlo import Reply
from ehlo.runtime import ambient
from ehlo.testing import Dialect, ProxyProtocol, Server, ServerOptions
from support.proxies import ProxyServer

PLAIN = "smtp://localhost:2525"
PLAIN_PAIR = '"localhost", 2525'
STARTTLS = "smtp+starttls://user:secret@smtp.example.com"
IMPLICIT = "smtps://user:secret@smtp.example.com"
LMTP = "lmtp://localhost:2424"
RELAY = "smtp://localhost:2626"
PROXIED = "smtp://localhost:2727"
PROXY = "socks5://user:secret@proxy.example.com:1080"

OPTIONS = ServerOptions(
    answers={"RCPT TO:<nobody@example.com>": Reply.of(550, "5.1.1 No such user")}
)
WITH_USERS = ServerOptions(users={"user": "secret"})
MAILBOXES = ServerOptions(
    dialect=Dialect.LMTP,
    capabilities=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"),
    answers={
        "RCPT TO:<nobody@example.com>": Reply.of(550, "5.1.1 No such user"),
        ". <full@example.com>": Reply.of(452, "4.2.2 Mailbox full"),
    },
)
EVERYTHING = (
    *("PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
    *("CHUNKING", "BINARYMIME", "DSN", "ETRN", "LIMITS RCPTMAX=100"),
    *("XCLIENT NAME ADDR PORT HELO", "XFORWARD NAME ADDR HELO"),
)
"""What a relay of one's own may offer."""


class Servers:
    """The servers, by what the documentation calls them."""

    def __init__(self, servers: dict[str, Server], proxy: ProxyServer) -> None:
        self._proxy = proxy.url("socks5", user="user", password="secret")
        self.plain, self.lmtp = servers[PLAIN], servers[LMTP]
        self.starttls, self.implicit = servers[STARTTLS], servers[IMPLICIT]
        self._servers = servers

    def insert(self, text: str) -> str:
        """Return the text with the addresses of these servers in place of the written ones."""
        for written, server in self._servers.items():
            user = "://user:secret@" if "@" in written else "://"
            text = text.replace(written, server.url.replace("://", user))
        text = text.replace(PROXY, self._proxy)
        return text.replace(PLAIN_PAIR, f'"{self.plain.host}", {self.plain.port}')


@pytest.fixture(name="authority", scope="session")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="server_context", scope="session")
def _server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


@pytest.fixture(name="trusted")
def _trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Have default TLS contexts trust the servers, as a system with that authority would."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    ambient.default_context.cache_clear()
    yield path
    ambient.default_context.cache_clear()


@pytest.fixture(name="docs_servers")
def _docs_servers(trusted: Path, server_context: ssl.SSLContext) -> Iterator[Servers]:
    assert trusted.exists()
    with ExitStack() as stack:
        servers = {
            PLAIN: Server(OPTIONS),
            STARTTLS: Server(WITH_USERS, ssl_context=server_context),
            IMPLICIT: Server(WITH_USERS, tls="implicit", ssl_context=server_context),
            LMTP: Server(MAILBOXES),
            RELAY: Server(ServerOptions(capabilities=EVERYTHING)),
            PROXIED: Server(ServerOptions(proxy_protocol=ProxyProtocol.REQUIRED)),
        }
        for server in servers.values():
            stack.enter_context(server)
        proxy = stack.enter_context(ProxyServer(user=("user", "secret")))
        yield Servers(servers, proxy)


@pytest.fixture(autouse=True)
def _quiet_logger() -> Iterator[None]:
    """Undo what a page does to the logger, which is one for the whole process."""
    logger = logging.getLogger("ehlo")
    level = logger.level
    yield
    logger.setLevel(level)
