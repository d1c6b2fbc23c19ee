"""Both adapters through proxies of each kind, willing and not."""

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable
from typing import Any

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Hop
from ehlo.blocking._dialing import limit
from ehlo.testing import AuthChannel, Server, ServerOptions
from support.addresses import HOST, descriptors, refusing, resolve_to
from support.colours import Colour
from support.frames import assert_hidden, shown
from support.names import MAIL
from support.proxies import KINDS, ProxyServer
from support.secrets import PASSWORD
from support.tls import authority, client_context, serving

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
PLAIN: dict[str, Any] = {"tls": "none"}


@pytest.mark.parametrize("drips", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "socks5h"])
def test_a_message_goes_through(adapter: Colour, kind: str, drips: bool) -> None:
    with Server() as server, ProxyServer((server.host, server.port), drips=drips) as proxy:
        adapter.send(
            MESSAGE, f"smtp://{MAIL}:2525", envelope=TO_BOB, proxy=proxy.url(kind), **PLAIN
        )
        [message] = server.wait_for_messages(1)
    assert message.content == MESSAGE
    assert proxy.asked == [(MAIL, 2525)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_proxy_looks_up_the_name(
    adapter: Colour, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return real(host, *args, **kwargs)

    with Server() as server, ProxyServer((server.host, server.port)) as proxy:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        adapter.connect(f"smtp://{MAIL}:2525", proxy=proxy.url(kind), **PLAIN).close()
    assert MAIL not in asked
    assert "127.0.0.1" in asked


@pytest.mark.parametrize("kind", KINDS)
def test_the_greeting_may_come_with_the_proxys_answer(adapter: Colour, kind: str) -> None:
    with Server() as server, ProxyServer((server.host, server.port), behind=True) as proxy:
        with adapter.connect(f"smtp://{MAIL}:2525", proxy=proxy.url(kind), **PLAIN) as session:
            assert session.greeting.code == 220


def test_an_interim_answer_is_not_the_last(adapter: Colour) -> None:
    with Server() as server:
        with ProxyServer((server.host, server.port), behind=True, interim=True) as proxy:
            with adapter.connect(f"smtp://{MAIL}", proxy=proxy.url("http"), **PLAIN) as session:
                assert session.greeting.code == 220


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_an_ip_address_is_passed_on(adapter: Colour, kind: str, host: str) -> None:
    with Server() as server, ProxyServer((server.host, server.port)) as proxy:
        adapter.connect(f"smtp://{host}:2525", proxy=proxy.url(kind)).close()
    assert proxy.asked == [(host if kind == "http" else host.strip("[]"), 2525)]


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_certificate_is_that_of_the_mail_server(adapter: Colour, kind: str, mode: str) -> None:
    context = serving(authority().issue_cert(MAIL))
    names: list[str | None] = []
    context.sni_callback = lambda _object, name, _context: names.append(name)
    tls = "implicit" if mode == "implicit" else None
    with Server(tls=tls, ssl_context=context) as server:
        with ProxyServer((server.host, server.port)) as proxy:
            options: dict[str, Any] = {"ssl_context": client_context(), "tls": mode}
            url = f"smtp://{MAIL}:2525"
            with adapter.connect(url, proxy=proxy.url(kind), **options) as session:
                assert session.tls.verified
    assert names == [MAIL]


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_user_and_password(adapter: Colour, kind: str) -> None:
    with Server() as server:
        with ProxyServer((server.host, server.port), user=("ada", PASSWORD)) as proxy:
            url = proxy.url(kind, user="ada", password=PASSWORD)
            adapter.connect(f"smtp://{MAIL}", proxy=url, **PLAIN).close()
            known = ehlo.Proxy.from_url(url)
            adapter.connect(f"smtp://{MAIL}", proxy=known, **PLAIN).close()
    assert_hidden(PASSWORD, repr(known), str(known))


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("user", ["", "eve"])
def test_who_is_not_let_in(adapter: Colour, kind: str, user: str) -> None:
    with ProxyServer(user=("ada", "another one")) as proxy:
        url = proxy.url(kind, user=user, password=PASSWORD if user else None)
        with pytest.raises(ehlo.ConnectFailed) as caught:
            adapter.connect(f"smtp://{MAIL}:2525", proxy=url, **PLAIN)
    error = caught.value
    assert error.hop is Hop.PROXY
    assert not error.temporary
    assert error.phase is ehlo.Phase.CONNECT
    begin = f"no connection to {MAIL}:2525 through {kind}://127.0.0.1:{proxy.port}: "
    assert str(error).startswith(begin)
    assert "uthentication" in str(error)
    assert_hidden(PASSWORD, shown(error))


@pytest.mark.parametrize(
    ("kind", "refusal", "hop", "temporary", "said"),
    [
        ("socks5", 1, Hop.PROXY, True, "failure"),
        ("socks5", 2, Hop.PROXY, False, "not allowed"),
        ("socks5", 3, Hop.SERVER, True, "unreachable"),
        ("socks5", 4, Hop.SERVER, True, "unreachable"),
        ("socks5", 5, Hop.SERVER, True, "refused"),
        ("socks5", 6, Hop.SERVER, True, "TTL"),
        ("socks5", 7, Hop.PROXY, False, "ommand not supported"),
        ("socks5", 8, Hop.PROXY, False, "ddress type not supported"),
        ("socks5", 99, Hop.PROXY, False, "nvalid reply code"),
        ("socks4a", 0x5B, Hop.SERVER, True, "rejected"),
        ("socks4a", 0x5C, Hop.PROXY, False, "identd"),
        ("http", "403 Filtered", Hop.PROXY, False, "403 Filtered"),
        ("http", "503 Service Unavailable", Hop.SERVER, True, "503 Service Unavailable"),
        ("http", "500 \x1b[31mOh", Hop.SERVER, True, "500 \\x1b[31mOh"),
    ],
)
def test_what_the_proxy_refuses(
    adapter: Colour, kind: str, refusal: Any, hop: Hop, temporary: bool, said: str
) -> None:
    with ProxyServer(refusal=refusal) as proxy:
        with pytest.raises(ehlo.ConnectFailed, match=f"^no connection to {MAIL}:25 ") as caught:
            adapter.connect(f"smtp://{MAIL}", proxy=proxy.url(kind), **PLAIN)
    assert said in str(caught.value)
    assert caught.value.hop is hop
    assert caught.value.temporary is temporary


@pytest.mark.parametrize(
    ("kind", "answer", "said"),
    [
        ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n", "SOCKS version"),
        ("socks5", b"", "closed"),
        ("socks5", b"\x05\x02", "thentication|closed"),
        ("socks5", b"\x05", "closed"),
        ("socks4a", b"", "closed"),
        ("http", b"220 mx.example.com ESMTP\r\n\r\n", r"it does not speak HTTP \(220 mx"),
        ("http", b"HTTP/1.1 OK\r\n\r\n", "it does not speak HTTP"),
        ("http", b"", "it closed the connection"),
        ("http", b"HTTP/1.1 200", "it closed the connection"),
        ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 17_000, "its answer has no end"),
    ],
)
def test_what_is_no_proxy(adapter: Colour, kind: str, answer: bytes, said: str) -> None:
    with ProxyServer(answer=answer) as proxy:
        with pytest.raises(ehlo.ConnectFailed, match=said) as caught:
            adapter.connect(f"smtp://{MAIL}", proxy=proxy.url(kind), **PLAIN)
    assert caught.value.hop is Hop.PROXY


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_keeps_silent(adapter: Colour, kind: str) -> None:
    with ProxyServer(silent=True) as proxy:
        with pytest.raises(ehlo.Timeout, match=r"through .* in time") as caught:
            adapter.connect(
                f"smtp://{MAIL}",
                proxy=proxy.url(kind),
                timeouts=ehlo.Timeouts(connect=0.05),
                **PLAIN,
            )
    assert caught.value.hop is Hop.SERVER
    assert caught.value.phase is ehlo.Phase.CONNECT


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_without_a_deadline(adapter: Colour, kind: str) -> None:
    with Server() as server, ProxyServer((server.host, server.port)) as proxy:
        timeouts = ehlo.Timeouts(connect=None)
        options = {"proxy": proxy.url(kind), "timeouts": timeouts, **PLAIN}
        with adapter.connect(f"smtp://{MAIL}", **options) as session:
            assert session.noop().code == 250


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_that_is_not_there(
    adapter: Colour, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = refusing(), refusing()
    resolve_to(monkeypatch, first, second)
    with pytest.raises(ehlo.ConnectFailed, match="the proxy cannot be reached") as caught:
        adapter.connect(f"smtp://{MAIL}", proxy=f"{kind}://{HOST}:1080", **PLAIN)
    assert caught.value.hop is Hop.PROXY
    assert [int(where.rpartition(":")[2]) for where in caught.value.addresses] == [
        first[1],
        second[1],
    ]


def test_the_proxy_is_connected_to_from_the_local_address(adapter: Colour) -> None:
    with Server() as server, ProxyServer((server.host, server.port)) as proxy:
        with adapter.connect(
            f"smtp://{MAIL}", proxy=proxy.url("http"), local_address="127.0.0.2", **PLAIN
        ):
            [hello] = [command for command in server.commands if command.verb == "EHLO"]
    assert hello.line == "EHLO [127.0.0.2]"


@pytest.mark.parametrize("kind", KINDS)
def test_localhost_behind_a_proxy_is_another_machine(adapter: Colour, kind: str) -> None:
    options = ServerOptions(users={"ada": PASSWORD}, auth_channel=AuthChannel.ANY)
    url = f"smtp://ada:{PASSWORD}@localhost:2525"
    with Server(options) as server, ProxyServer((server.host, server.port)) as proxy:
        with pytest.raises(ehlo.SMTPError, match=r"encrypt|in clear"):
            adapter.connect(url, proxy=proxy.url(kind))
        adapter.connect(url, proxy=proxy.url(kind), cleartext="allow-credentials").close()
    assert proxy.asked == [("localhost", 2525)] * 2


def test_socks_needs_an_extra(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("python_socks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "python_socks", None)
    monkeypatch.delitem(sys.modules, f"ehlo.{adapter.name}._socks", raising=False)
    with pytest.raises(ehlo.InvalidInput, match=r"needs the extra ehlo\[socks\]"):
        adapter.connect(f"smtp://{MAIL}", proxy="socks5://127.0.0.1:1", **PLAIN)


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_interrupted_while_the_proxy_is_spoken_with(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ehlo.blocking._dialing.HttpTunnel.receive", interrupt)
    monkeypatch.setattr("ehlo.blocking._socks._Timed.recv", interrupt)
    with ProxyServer(user=("ada", PASSWORD)) as proxy:
        url = proxy.url(kind, user="ada", password=PASSWORD)
        with pytest.raises(KeyboardInterrupt) as caught:
            ehlo.blocking.connect(f"smtp://{MAIL}", proxy=url, tls="none")
    assert_hidden(PASSWORD, shown(caught.value))


def test_an_operation_whose_time_is_over_is_not_begun() -> None:
    with socket.socket() as sock:
        limit(sock, None)
        assert sock.gettimeout() is None
        with pytest.raises(TimeoutError, match="no time is left"):
            limit(sock, time.monotonic() - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_is_cancelled_while_the_proxy_keeps_silent(kind: str) -> None:
    async def main(proxy: ProxyServer) -> None:
        url = proxy.url(kind)
        if kind != "socks4a":
            url = proxy.url(kind, user="ada", password=PASSWORD)
        connecting = asyncio.ensure_future(
            _awaited(ehlo.asyncio.connect(f"smtp://{MAIL}", proxy=url, tls="none"))
        )
        while not proxy.asked:  # noqa: ASYNC110 - the proxy is in another thread
            await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await connecting
        assert_hidden(PASSWORD, shown(caught.value))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    user = None if kind == "socks4a" else ("ada", PASSWORD)
    before = descriptors()
    with ProxyServer(silent=True, user=user) as proxy:
        asyncio.run(main(proxy))
    assert descriptors() <= before


async def _awaited(connecting: Awaitable[ehlo.asyncio.Session]) -> ehlo.asyncio.Session:
    return await connecting
