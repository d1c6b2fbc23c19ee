"""Through both adapters, over real TLS: every mechanism, tokens, and what must not leave."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

import ehlo
import ehlo.asyncio
from ehlo.sasl import server_end_point
from ehlo.testing import Close, InTurn, SaslFault, Server, ServerOptions, Usual
from support.colours import Colour, colour
from support.frames import assert_hidden, shown
from support.tls import authority, client_context

USER, PASSWORD, TOKEN = "ada@example.org", "correct horse battery staple", "ya29.the-token"
PLUS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS")
CERTIFICATE = authority().issue_cert("127.0.0.1")


def binding() -> dict[str, bytes]:
    pem = CERTIFICATE.cert_chain_pems[0].bytes().decode()
    found = server_end_point(ssl.PEM_cert_to_DER_cert(pem))
    assert found is not None
    return {"tls-server-end-point": found}


def running(*mechanisms: str, **options: Any) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    facts: dict[str, Any] = {
        "users": {USER: PASSWORD},
        "tokens": {USER: TOKEN},
        "external": USER,
        "channel_bindings": binding(),
    }
    return Server(ServerOptions(mechanisms=mechanisms, **facts | options), ssl_context=context)


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


def connect(adapter: Colour, server: Server, auth: Any, **options: Any) -> Any:
    return adapter.connect(server.url, ssl_context=client_context(), auth=auth, **options)


AUTH = {
    **dict.fromkeys(("PLAIN", "LOGIN", "CRAM-MD5"), ehlo.Password(USER, PASSWORD)),
    **dict.fromkeys(
        ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"), ehlo.Password(USER, PASSWORD)
    ),
    **dict.fromkeys(PLUS, ehlo.Password(USER, PASSWORD)),
    **dict.fromkeys(("OAUTHBEARER", "XOAUTH2"), ehlo.OAuth2(USER, TOKEN)),
    "EXTERNAL": ehlo.External(USER),
    "ANONYMOUS": ehlo.Anonymous("somebody"),
}


@pytest.mark.parametrize("mechanism", AUTH)
def test_each_mechanism_over_tls(adapter: Colour, mechanism: str) -> None:
    transcript = ehlo.Transcript()
    with running(mechanism) as server:
        with connect(adapter, server, AUTH[mechanism], transcript=transcript) as session:
            assert session.connection.authenticated
            assert session.is_idle
    assert_hidden(PASSWORD, transcript)
    assert_hidden(TOKEN, transcript)


def test_a_session_authenticates_later(adapter: Colour) -> None:
    with running("SCRAM-SHA-512-PLUS") as server, connect(adapter, server, None) as session:
        assert session.authenticate(ehlo.Password(USER, PASSWORD)).code == 235


def test_another_certificate_is_noticed(adapter: Colour) -> None:
    """A man in the middle with a certificate that the client takes cannot pass SCRAM on."""
    theirs = {"tls-server-end-point": b"the hash of the right certificate"}
    with running(*PLUS, "PLAIN", channel_bindings=theirs) as server:
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            connect(adapter, server, ehlo.Password(USER, PASSWORD))
    assert caught.value.tried == ("SCRAM-SHA-512-PLUS",)
    assert_hidden(PASSWORD, shown(caught.value))


@pytest.mark.parametrize("fault", [SaslFault.WRONG_SIGNATURE, SaslFault.EARLY_SUCCESS])
def test_a_server_that_proves_nothing(adapter: Colour, fault: SaslFault) -> None:
    with running("SCRAM-SHA-256", sasl_fault=fault) as server:
        with pytest.raises(ehlo.ServerNotAuthenticated) as caught:
            connect(adapter, server, ehlo.Password(USER, PASSWORD))
        server.wait_until_idle()
    assert_hidden(PASSWORD, shown(caught.value))


# -- Tokens ----------------------------------------------------------------------------------------


async def awaited(*, refresh: bool) -> str:
    await asyncio.sleep(0)
    return TOKEN if refresh else "stale"


def test_an_async_function_supplies_tokens() -> None:
    with running("XOAUTH2") as server, colour("asyncio") as adapter:
        with connect(adapter, server, ehlo.OAuth2(USER, awaited)) as session:
            assert session.connection.authenticated


def test_the_blocking_adapter_has_no_use_for_an_async_function() -> None:
    with running("XOAUTH2") as server, colour("blocking") as adapter:
        with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
            connect(adapter, server, ehlo.OAuth2(USER, awaited))
        assert server.connections == 0
        with connect(adapter, server, None) as session:
            with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
                session.authenticate(ehlo.OAuth2(USER, awaited))
            assert session.is_idle


def test_nor_for_a_function_that_returns_something_to_await() -> None:
    auth = ehlo.OAuth2(USER, lambda refresh: awaited(refresh=refresh))
    with running("XOAUTH2") as server, colour("blocking") as adapter:
        with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
            connect(adapter, server, auth)
        server.wait_until_idle()
    assert not [command for command in server.commands if command.line.startswith("AUTH")]
    gc.collect()  # a coroutine that was never awaited would complain now


@pytest.mark.slow
def test_a_function_that_never_answers_has_a_deadline() -> None:
    left = []

    async def never(*, refresh: bool) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            left.append(refresh)
        return TOKEN

    timeouts = ehlo.Timeouts(command=0.5)
    with running("XOAUTH2") as server, colour("asyncio") as adapter:
        with pytest.raises(ehlo.Timeout, match="while authenticating"):
            connect(adapter, server, ehlo.OAuth2(USER, never), timeouts=timeouts)
        assert left == [False]
        server.wait_until_idle()


@pytest.mark.parametrize("pipelining", ["transaction", "continuous"])
def test_a_function_that_fails_at_a_reconnect_loses_no_result(
    adapter: Colour, pipelining: str
) -> None:
    asked = []

    def supply(*, refresh: bool) -> str:
        asked.append(refresh)
        if len(asked) > 1:
            raise OSError("nobody issues tokens")
        return TOKEN

    answers = {".": InTurn(*[Usual()] * 2, (Usual(), Close()), Usual())}
    numbers = []

    def messages() -> Iterator[tuple[bytes, ehlo.Envelope]]:
        for number in range(6):
            numbers.append(number)
            yield b"Subject: x\r\n\r\n", ehlo.Envelope("ada@example.org", ["bob@example.com"])

    results: list[ehlo.Result] = []
    with running("XOAUTH2", answers=answers) as server:
        context, auth = client_context(), ehlo.OAuth2(USER, supply)
        told = adapter.send_many(
            messages(), server.url, ssl_context=context, auth=auth, pipelining=pipelining
        )
        with pytest.raises(OSError, match="nobody issues tokens"):
            results.extend(told)
    assert [result.index for result in results] == numbers
    assert [result.error is None for result in results[:3]] == [True] * 3
    for result in results[3:]:
        assert type(result.error) is ehlo.ConnectFailed
        assert isinstance(result.error.__cause__, OSError)
        assert result.error.retry_safe
        assert "OSError while authenticating" in str(result.error)


def test_whoever_is_cancelled_awaits_no_token() -> None:
    started, left = asyncio.Event(), []

    async def never(*, refresh: bool) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(refresh)
        return TOKEN

    async def main(server: Server) -> None:
        auth, context = ehlo.OAuth2(USER, never), client_context()

        async def opening() -> None:
            await ehlo.asyncio.connect(server.url, ssl_context=context, auth=auth)

        task = asyncio.create_task(opening())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with running("XOAUTH2") as server:
        asyncio.run(main(server))
        assert left == [False]
        server.wait_until_idle()


# -- Before anything leaves ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "smtp://ada:hunter2hunter2@",
        "smtp://ada:hunter2hunter2@host:port",
        "smtp://ada:hunter2hunter2@host/path",
        "gopher://ada:hunter2hunter2@host",
        "smtp://ada:hunter2hunter2@host?a=b",
        "smtp://ada:hunter2hunter2@host#x",
        "smtp://ada:hunter2hunter2@[::1",
        "smtp://ada:hunter2hunter2@host\n",
        "smtp://ada:hunter2%ffhunter2@host",
        "smtp+unix://ada:hunter2hunter2@host/path",
        "smtp://a?da:hunter2hunter2@host",
    ],
)
def test_no_frame_shows_the_password_in_a_bad_url(adapter: Colour, url: str) -> None:  # A8
    with pytest.raises(ehlo.InvalidInput) as caught:
        adapter.connect(url)
    assert "hunter2" not in shown(caught.value)
    with pytest.raises(ehlo.InvalidInput) as caught:
        adapter.send(b"", url, envelope=ehlo.Envelope("a@example.org", "b@example.org"))
    assert "hunter2" not in shown(caught.value)
    for read in (ehlo.Endpoint.from_url, ehlo.Endpoint.of):
        with pytest.raises(ehlo.InvalidInput) as caught:
            read(url)
        assert "hunter2" not in shown(caught.value)


def test_credentials_that_are_none(adapter: Colour) -> None:
    with pytest.raises(TypeError, match=r"auth= is an ehlo\.Password"):
        adapter.connect("smtp://127.0.0.1:1", auth=("ada", "hunter2"))
