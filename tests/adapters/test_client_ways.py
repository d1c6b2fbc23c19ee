"""Clients of both adapters on their way to a connection: several servers, proxies, own means."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Reply
from ehlo.commands import Verb
from ehlo.pool import Connected, Opened, OpeningFailed
from ehlo.testing import Answer, Close, InTurn, Server, ServerOptions, Usual
from support.addresses import refusing
from support.colours import Colour
from support.names import MAIL
from support.proxies import KINDS, ProxyServer
from support.secrets import PASSWORD

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

CONTENT: Final = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
PAIRS: Final = [(CONTENT, TO_BOB)] * 6
GOING: Final[dict[str, Answer]] = {Verb.GREETING: Reply.of(421, "4.3.2 Going down")}


def dead() -> str:
    """Return the URL of a server that is not there."""
    host, port = refusing()
    return f"smtp://{host}:{port}"


def where(server: Server) -> str:
    return f"{server.host}:{server.port}"


def bare(url: str) -> str:
    return url.removeprefix("smtp://")


# -- Several servers -----------------------------------------------------------------------------


def test_the_second_server_serves_where_the_first_is_dead(adapter: Colour) -> None:
    events: list[Any] = []
    with Server() as server:
        with adapter.client([dead(), server.url], on_event=events.append) as client:
            receipt = client.send(CONTENT, envelope=TO_BOB)
            results = list(client.send_many(PAIRS))
            client.verify()
            with client.session() as session:
                assert session.endpoint.port == server.port
                session.send(CONTENT, envelope=TO_BOB)
            stats = client.stats()
        assert len(server.messages) == 8
    assert receipt.failed_attempts == ()
    assert all(result.error is None for result in results)
    assert (stats.sent, stats.retried, stats.refused) == (7, 0, 0)
    opened = [event for event in events if isinstance(event, Opened)]
    connected = [event for event in events if isinstance(event, Connected)]
    assert {event.server for event in connected} == {where(server)}
    assert len(connected) == len(opened) == stats.opened


def test_a_server_that_goes_down_is_passed_over(adapter: Colour) -> None:
    """What is told of it is told as well; the message notices nothing."""
    events: list[Any] = []
    with Server(ServerOptions(answers=GOING)) as first, Server() as second:
        with adapter.client([first.url, second.url], on_event=events.append) as client:
            receipt = client.send(CONTENT, envelope=TO_BOB)
        assert first.connections == 1
        assert len(second.messages) == 1
    connected = [event for event in events if isinstance(event, Connected)]
    assert [event.server for event in connected] == [where(first), where(second)]
    assert connected[0].seconds <= connected[1].seconds
    assert receipt.failed_attempts == ()


def test_each_connection_is_tried_with_the_first_server_first(adapter: Colour) -> None:
    """One that has died is replaced at whichever server is there."""
    answers = {
        Verb.GREETING: InTurn(Usual(), Reply.of(421, "4.3.2 Enough")),
        "MAIL": InTurn(Usual(), Close()),
    }
    with Server(ServerOptions(answers=answers)) as first, Server() as second:
        with adapter.client([first.url, second.url]) as client:
            client.send(CONTENT, envelope=TO_BOB)
            receipt = client.send(CONTENT, envelope=TO_BOB)
        assert (len(first.messages), first.connections) == (1, 2)
        assert (len(second.messages), second.connections) == (1, 1)
    [failed] = receipt.failed_attempts
    assert isinstance(failed, ehlo.ConnectionLost)


def test_no_server_is_there(adapter: Colour) -> None:
    urls = [dead(), dead(), dead()]
    events: list[Any] = []
    with adapter.client(urls, retries=1, backoff=0.001, on_event=events.append) as client:
        with pytest.raises(ehlo.ConnectFailed) as caught:
            client.send(CONTENT, envelope=TO_BOB)
    error = caught.value
    assert bare(urls[2]) in str(error)
    assert [server for server, _ in error.failed_over] == [bare(url) for url in urls[:2]]
    [attempt] = error.failed_attempts
    assert [server for server, _ in attempt.failed_over] == [bare(url) for url in urls[:2]]
    assert all(earlier.__traceback__ is None for _, earlier in attempt.failed_over)
    failed = [event for event in events if isinstance(event, OpeningFailed)]
    assert [len(getattr(event.error, "failed_over", ())) for event in failed] == [2, 2]


def test_the_log_names_the_servers(adapter: Colour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="ehlo")
    urls = [dead(), dead()]
    with adapter.client(urls, retries=0) as client, suppress(ehlo.ConnectFailed):
        client.verify()
    [line] = [line for line in caplog.messages if "OpeningFailed" in line]
    assert line.endswith(f", ConnectFailed after ConnectFailed of {bare(urls[0])}")


def test_the_log_names_what_the_callers_own_code_has_raised(
    adapter: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    def token(*, refresh: bool) -> str:
        raise LookupError("no token", refresh)

    caplog.set_level("DEBUG", logger="ehlo")
    options = ServerOptions(users={"ada": PASSWORD}, mechanisms=("XOAUTH2",))
    with Server(options) as server:
        with adapter.client(server.url, auth=ehlo.OAuth2("ada", token)) as client:
            with pytest.raises(LookupError):
                client.verify()
    [line] = [line for line in caplog.messages if "OpeningFailed" in line]
    assert line.endswith(", LookupError")  # in nobody's words


def test_what_is_wrong_for_good_is_not_tried_elsewhere(adapter: Colour) -> None:
    options = ServerOptions(users={"ada": PASSWORD})
    with Server(options) as first, Server() as second:
        urls = [first.url, second.url]
        with adapter.client(urls, auth=ehlo.Password("ada", "wrong")) as client:
            with pytest.raises(ehlo.AuthenticationRefused):
                client.send(CONTENT, envelope=TO_BOB)
        assert (first.connections, second.connections) == (1, 0)


def test_no_servers_at_all(adapter: Colour) -> None:
    with pytest.raises(ehlo.InvalidInput), adapter.client([]):
        pass


# -- Proxies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_through_a_proxy(adapter: Colour, kind: str) -> None:
    events: list[Any] = []
    options: dict[str, Any] = {"tls": "none", "max_messages": 1, "on_event": events.append}
    with Server() as server, ProxyServer((server.host, server.port)) as proxy:
        url = proxy.url(kind)
        with adapter.client(f"smtp://{MAIL}:2525", proxy=url, **options) as client:
            for _ in range(2):
                client.send(CONTENT, envelope=TO_BOB)
        assert len(server.messages) == 2
    assert proxy.asked == [(MAIL, 2525)] * 2
    servers = [event.server for event in events if isinstance(event, Connected)]
    assert servers == [f"{MAIL}:2525"] * 2


def test_the_proxy_is_not_there(adapter: Colour) -> None:
    """Its URL, with the password, shows nowhere; which part of the way is missing does."""
    host, port = refusing()
    proxy = f"http://ada:{PASSWORD}@{host}:{port}"
    options: dict[str, Any] = {"tls": "none", "retries": 1, "backoff": 0.001}
    with adapter.client(f"smtp://{MAIL}:2525", proxy=proxy, **options) as client:
        with pytest.raises(ehlo.ConnectFailed) as caught:
            client.send(CONTENT, envelope=TO_BOB)
    errors = (caught.value, *caught.value.failed_attempts)
    assert [getattr(error, "hop", None) for error in errors] == [ehlo.Hop.PROXY] * 2
    assert PASSWORD not in repr(errors)


# -- One's own means ------------------------------------------------------------------------------


def test_one_socket_does_for_one_session(adapter: Colour) -> None:
    """It is not closed: it was not taken."""
    with Server() as server, socket.create_connection((server.host, server.port)) as sock:
        with pytest.raises(ehlo.InvalidInput, match=r"sock= is one connection.*connector="):
            with adapter.client(server.url, sock=sock):
                pass
        assert sock.fileno() > 0


def test_none_is_no_socket(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url, sock=None) as client:
        assert client.verify().pipelining
        assert client.stats().opened == 1


def test_a_unix_socket(adapter: Colour, tmp_path: Path) -> None:
    with Server(path=tmp_path / "smtp.sock") as server:
        with adapter.client(f"smtp+unix://{tmp_path}/smtp.sock", max_connections=2) as client:
            results = list(client.send_many(PAIRS))
        assert [result.outcome for result in results] == [ehlo.Outcome.ACCEPTED] * 6
        assert 1 <= server.connections <= 2


def test_the_settings_of_a_framework(adapter: Colour) -> None:
    with Server() as server:
        settings = {"EMAIL_HOST": server.host, "EMAIL_PORT": server.port}
        configured = ehlo.Endpoint.from_mapping(settings)
        with adapter.client(configured.endpoint, **configured.options) as client:
            client.send(CONTENT, envelope=TO_BOB)
        assert len(server.messages) == 1


def test_a_connector_makes_every_connection(adapter: Colour) -> None:
    asked: list[ehlo.Endpoint] = []
    with Server() as server:

        def connector(endpoint: ehlo.Endpoint, timeout: float | None) -> socket.socket:
            asked.append(endpoint)
            return socket.create_connection((server.host, server.port), timeout)

        options: dict[str, Any] = {"tls": "none", "max_messages": 1}
        with adapter.client(f"smtp://{MAIL}:2525", connector=connector, **options) as client:
            for _ in range(2):
                client.send(CONTENT, envelope=TO_BOB)
        assert server.connections == 2
    assert [(endpoint.host, endpoint.port) for endpoint in asked] == [(MAIL, 2525)] * 2


def test_a_connector_that_fails_is_asked_again(adapter: Colour) -> None:
    with Server() as server:
        answers: list[Any] = [OSError("no route"), None]

        def connector(_endpoint: ehlo.Endpoint, timeout: float | None) -> socket.socket:
            error = answers.pop(0)
            if error is not None:
                raise error
            return socket.create_connection((server.host, server.port), timeout)

        with adapter.client(server.url, connector=connector, backoff=0.001) as client:
            receipt = client.send(CONTENT, envelope=TO_BOB)
    [failed] = receipt.failed_attempts
    assert isinstance(failed, ehlo.ConnectFailed)


def test_the_local_address(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url, local_address="127.0.0.2") as client:
        client.send(CONTENT, envelope=TO_BOB)
        [hello] = [command.line for command in server.commands if command.verb == "EHLO"]
    assert hello == "EHLO [127.0.0.2]"


def test_content_that_is_read_once_goes_over_another_connection_if_nothing_was_read(
    adapter: Colour,
) -> None:
    read: list[int] = []

    def pieces() -> Any:
        read.append(1)
        yield b"x" * 300_000

    attachment = ehlo.Attachment(pieces(), filename="x.bin")
    message = ehlo.Message(from_="ada@example.org", to="bob@example.com", attachments=[attachment])
    with Server(ServerOptions(answers={"MAIL": InTurn(Close(), Usual())})) as server:
        with adapter.client(server.url) as client:
            receipt = client.send(message)
        assert len(server.messages) == 1
    assert len(receipt.failed_attempts) == 1
    assert read == [1]


def test_content_that_is_read_once_is_not_sent_again(adapter: Colour) -> None:
    pieces = iter([b"x" * 300_000, b"y" * 300_000])
    attachment = ehlo.Attachment(pieces, filename="x.bin")
    message = ehlo.Message(from_="ada@example.org", to="bob@example.com", attachments=[attachment])
    answers = {".": InTurn(Reply.of(450, "4.7.1 Later"), Usual())}
    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, retry_policy=ehlo.pool.Backoff(first=0.001)) as client:
            with pytest.raises(ehlo.ContentRefused) as caught:
                client.send(message)
        assert not server.messages
    assert caught.value.failed_attempts == ()
