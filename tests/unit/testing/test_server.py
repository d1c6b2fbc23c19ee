"""The running server, against the standard library's client and plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import smtplib
import socket
import ssl
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme

from ehlo.commands import Verb
from ehlo.errors import InvalidInput
from ehlo.policies import Tls
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Close,
    Dialect,
    Offer,
    ReceivedCommand,
    Reset,
    Send,
    Server,
    ServerOptions,
    StartTls,
    TakeEffect,
    Usual,
    Wait,
    _runner,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING = b"220 mail.example.org ESMTP ready\r\n"
ENVELOPE = b"HELO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
CONTENT = b"Subject: Hi\r\n\r\n.Hello\r\n"
SECONDS = 5.0

unix_sockets = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets here")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout=SECONDS) as sock:
        yield sock


def read_until(sock: socket.socket, end: bytes) -> bytes:
    octets = b""
    while not octets.endswith(end):
        piece = sock.recv(4096)
        assert piece, f"the server closed the connection after {octets!r}"
        octets += piece
    return octets


def read_to_end(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(4096), b""))


def answering(answers: dict[str, Answer]) -> ServerOptions:
    return ServerOptions(answers=answers)


# --- an independent client


def test_plain() -> None:
    with Server() as server:
        with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client:
            assert client.sendmail("a@example.org", ["b@example.org"], CONTENT) == {}
            assert server.messages[0].content == CONTENT  # there already, without waiting
            assert client.vrfy("bob")[0] == 252
            assert client.help().startswith(b"This") or client.noop()[0] == 250
        assert server.url == f"smtp://127.0.0.1:{server.port}"
        assert (server.host, server.path) == ("127.0.0.1", "")
        assert server.options == ServerOptions()
    [message] = server.messages
    assert not message.tls
    assert server.commands[-1].verb is Verb.QUIT
    assert server.connections == 1


@pytest.mark.parametrize(
    ("tls", "scheme"), [("none", "lmtp"), ("starttls", "lmtp+starttls"), ("implicit", "lmtps")]
)
def test_the_url_of_an_lmtp_server(tls: str, scheme: str, server_context: ssl.SSLContext) -> None:
    context = None if tls == "none" else server_context
    options = ServerOptions(dialect=Dialect.LMTP)
    with Server(options, tls=tls, ssl_context=context) as server:
        assert server.url == f"{scheme}://127.0.0.1:{server.port}"


@unix_sockets
def test_the_url_of_an_lmtp_server_on_a_unix_socket(tmp_path: Path) -> None:
    with Server(ServerOptions(dialect=Dialect.LMTP), path=tmp_path / "s") as server:
        assert server.url == f"lmtp+unix://{tmp_path / 's'}"


def test_starttls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    with Server(ssl_context=server_context) as server:
        assert server.url == f"smtp+starttls://127.0.0.1:{server.port}"
        assert server.options.starttls is Offer.OFFERED
        with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client:
            client.starttls(context=client_context)
            client.sendmail("a@example.org", ["b@example.org"], CONTENT)
    assert server.messages[0].tls
    assert server.messages[0].content == CONTENT
    assert server.discarded == b""


def test_starttls_required(server_context: ssl.SSLContext) -> None:
    options = ServerOptions(starttls=Offer.REQUIRED)
    with (
        Server(options, tls="starttls", ssl_context=server_context) as server,
        smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client,
    ):
        client.ehlo()
        assert client.mail("a@example.org")[0] == 530


def test_implicit_tls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    with Server(tls=Tls.IMPLICIT, ssl_context=server_context) as server:
        assert server.url == f"smtps://127.0.0.1:{server.port}"
        with smtplib.SMTP_SSL(
            server.host, server.port, timeout=SECONDS, context=client_context
        ) as client:
            client.sendmail("a@example.org", ["b@example.org"], CONTENT * 50_000)
            assert not client.has_extn("starttls")
    assert server.messages[0].tls
    assert len(server.messages[0].content) == len(CONTENT) * 50_000


def test_auth() -> None:
    options = ServerOptions(users={"ada": "secret"}, auth=Offer.REQUIRED)
    with (
        Server(options) as server,
        smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client,
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("ada", "guess")
        client.login("ada", "secret")
        client.sendmail("a@example.org", ["b@example.org"], CONTENT)
    assert server.messages[0].user == "ada"


def test_auth_login() -> None:
    options = ServerOptions(users={"ada": "secret"}, mechanisms=("LOGIN",))
    with (
        Server(options) as server,
        smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client,
    ):
        assert client.login("ada", "secret")[0] == 235


@unix_sockets
def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "a b.sock"
    with Server(path=path) as server:
        assert (server.host, server.port, server.path) == ("", 0, str(path))
        assert server.url == f"smtp+unix://{tmp_path}/a%20b.sock"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(SECONDS)
            sock.connect(str(path))
            sock.sendall(ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\nQUIT\r\n")
            assert b"221 " in read_to_end(sock)
    assert len(server.messages) == 1
    assert not path.exists()


@unix_sockets
def test_a_unix_socket_is_reset(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with Server(answering({"NOOP": Reset()}), path=path), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(str(path))
        sock.sendall(b"NOOP\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert read_to_end(sock) == GREETING


@unix_sockets
def test_a_unix_socket_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Server(path=tmp_path / "missing" / "s"):
        pass


def test_two_connections_at_once() -> None:
    with Server() as server, connected(server) as one, connected(server) as two:
        for sock in (two, one):
            assert read_until(sock, b"\r\n") == GREETING
            sock.sendall(ENVELOPE + b"DATA\r\n")
            read_until(sock, b"<CR><LF>.<CR><LF>\r\n")
        one.sendall(b"one\r\n.\r\n")
        two.sendall(b"two\r\n.\r\n")
        messages = server.wait_for_messages(2)
        assert {message.content for message in messages} == {b"one\r\n", b"two\r\n"}
        assert {message.connection for message in messages} == {1, 2}
        assert len({message.queue_id for message in messages}) == 2


def test_an_asyncio_client() -> None:
    async def main() -> None:
        async with Server() as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            assert await reader.readline() == GREETING
            writer.write(ENVELOPE + b"DATA\r\n.\r\nQUIT\r\n")
            assert (await reader.read()).endswith(b"closing connection\r\n")
            assert len(server.messages) == 1
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


# --- how connections end


def test_a_client_that_vanishes() -> None:
    with Server() as server:
        with connected(server) as sock:
            sock.sendall(ENVELOPE + b"DATA\r\nhalf a mess")
            read_until(sock, b"<CR><LF>.<CR><LF>\r\n")
            with pytest.raises(TimeoutError, match=r"0\.0 s for the end .* 1 open connections"):
                server.wait_until_idle(0.0)
        server.wait_until_idle()
        assert server.messages == ()


def test_a_client_that_says_everything_and_closes_its_side() -> None:
    with Server() as server, connected(server) as sock:
        sock.sendall(ENVELOPE + b"DATA\r\n.\r\nNOOP\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock).endswith(b"250 2.0.0 OK\r\n")
    assert len(server.messages) == 1


def test_a_client_that_never_closes() -> None:
    with contextlib.ExitStack() as stack:
        with Server() as server:
            sock = stack.enter_context(connected(server))
            read_until(sock, b"\r\n")
            sock.sendall(b"QUIT\r\n")
            assert read_to_end(sock) == b"221 2.0.0 mail.example.org closing connection\r\n"
            sock.sendall(b"NOOP\r\n")  # nobody answers
            idle = stack.enter_context(connected(server))
            read_until(idle, b"\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert read_to_end(idle) == b""
    assert [command.verb for command in server.commands] == [Verb.QUIT]


def test_closing_under_tls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    with Server(tls="implicit", ssl_context=server_context) as server:
        with (
            connected(server) as sock,
            client_context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(b"QUIT\r\n")
            assert read_to_end(tls).endswith(b"closing connection\r\n")  # close_notify was sent
        server.wait_until_idle()
        with (
            connected(server) as sock,
            client_context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
        ):
            read_until(tls, b"\r\n")
            tls.unwrap().close()  # the client says that it has done
        server.wait_until_idle()


@pytest.mark.parametrize("octets", [b"EHLO in clear\r\n", b"\x16\x03"])
def test_a_client_that_does_not_speak_tls(octets: bytes, server_context: ssl.SSLContext) -> None:
    with Server(tls="implicit", ssl_context=server_context) as server:
        with connected(server) as sock:
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
            read_to_end(sock)
        server.wait_until_idle()
        assert server.commands == ()


def test_a_client_that_does_not_trust_the_server(server_context: ssl.SSLContext) -> None:
    context = ssl.create_default_context()
    with Server(tls="implicit", ssl_context=server_context) as server:
        with connected(server) as sock, pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(sock, server_hostname="127.0.0.1")
        server.wait_until_idle()


def test_the_server_ends_during_a_handshake(server_context: ssl.SSLContext) -> None:
    with Server(ssl_context=server_context) as server, connected(server) as sock:
        sock.sendall(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@example.org>\r\n")
        read_until(sock, b"TLS\r\n")
        server.wait_for_commands(2)
    assert server.discarded == b"MAIL FROM:<evil@example.org>\r\n"


# --- misbehaviour


def test_a_reply_is_lost() -> None:
    with Server(answering({".": (TakeEffect(), Close())})) as server, connected(server) as sock:
        sock.sendall(ENVELOPE + b"DATA\r\n.\r\n")
        assert read_to_end(sock).endswith(b"<CR><LF>.<CR><LF>\r\n")
        assert len(server.messages) == 1


def test_a_reset() -> None:
    with Server(answering({"NOOP": Reset()})) as server, connected(server) as sock:
        read_until(sock, b"\r\n")
        sock.sendall(b"NOOP\r\n")
        with pytest.raises(ConnectionResetError):
            sock.recv(100)


def test_half_a_reply_until_it_is_released() -> None:
    answer = (Send(b"25"), Wait("go"), Send(b"0 at last\r\n"))
    with Server(answering({"NOOP": answer})) as server:
        with connected(server) as sock:
            read_until(sock, b"\r\n")
            sock.sendall(b"NOOP\r\nRSET\r\n")
            assert read_until(sock, b"25") == b"25"
            commands = server.wait_for_commands(2)  # read, but not answered
            assert [str(command) for command in commands] == ["NOOP", "RSET"]
            server.release("other")
            server.release("go")
            assert read_until(sock, b"OK\r\n") == b"0 at last\r\n250 2.0.0 OK\r\n"
        with connected(server) as sock:  # released once, released for ever
            sock.sendall(b"NOOP\r\n")
            read_until(sock, b"250 at last\r\n")


def test_a_server_that_hangs_can_be_left() -> None:
    with Server(answering({Verb.GREETING: Wait("never")})) as server, connected(server) as sock:
        sock.sendall(b"NOOP\r\n")
        server.wait_for_commands(1)


def test_a_client_that_gives_up_waiting() -> None:
    answer = (Wait("go"), Usual())
    with Server(answering({"NOOP": answer})) as server:
        with connected(server) as sock:
            sock.sendall(b"NOOP\r\n")
            server.wait_for_commands(1)
        server.release("go")
        server.wait_until_idle()


def test_octets_glued_behind_the_reply_to_starttls(server_context: ssl.SSLContext) -> None:
    options = answering({"STARTTLS": (Usual(), Send(b"250 injected\r\n"))})
    with Server(options, ssl_context=server_context) as server, connected(server) as sock:
        read_until(sock, b"\r\n")
        sock.sendall(b"EHLO c\r\nSTARTTLS\r\n")
        assert read_until(sock, b"injected\r\n").endswith(b"start TLS\r\n250 injected\r\n")


# --- failures of the server itself


class HookError(Exception):
    pass


def failing(command: ReceivedCommand, _situation: object) -> Answer | None:
    if command.verb is Verb.NOOP:
        raise HookError
    return None


def provoke(server: Server) -> None:
    with connected(server) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(b"NOOP\r\n")
        read_to_end(sock)


def run_and_provoke(options: ServerOptions, times: int = 1) -> None:
    with Server(options) as server:
        for _ in range(times):
            provoke(server)


def test_a_failing_hook_is_raised_at_the_end() -> None:
    with pytest.raises(HookError):
        run_and_provoke(ServerOptions(answers=failing))


def test_a_failing_hook_is_raised_to_who_waits_and_then_not_again() -> None:
    def run() -> None:
        with Server(ServerOptions(answers=failing)) as server:
            provoke(server)
            server.wait_for_messages(1)

    with pytest.raises(HookError) as caught:
        run()
    assert caught.value.__context__ is None


def test_several_failures_are_raised_together() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        run_and_provoke(ServerOptions(answers=failing), 2)
    assert [type(failure) for failure in caught.value.exceptions] == [HookError, HookError]


def test_a_failing_greeting() -> None:
    def answers(_command: ReceivedCommand, _situation: object) -> Answer | None:
        pytest.fail("a test's own verdict")

    with pytest.raises(pytest.fail.Exception):
        run_and_provoke(ServerOptions(answers=answers))


def test_starttls_without_a_context() -> None:
    with pytest.raises(RuntimeError, match="StartTls needs"):
        run_and_provoke(answering({"NOOP": StartTls()}))


def test_starttls_under_tls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> None:
    def run() -> None:
        options = answering({"NOOP": StartTls()})
        with (
            Server(options, tls="implicit", ssl_context=server_context) as server,
            connected(server) as sock,
            client_context.wrap_socket(sock, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(b"NOOP\r\n")
            with contextlib.suppress(OSError):
                read_to_end(tls)

    with pytest.raises(RuntimeError, match="StartTls needs"):
        run()


@pytest.mark.parametrize("context", [{"message": "odd"}, {"exception": RuntimeError("odd")}])
def test_what_the_event_loop_reports_is_raised(context: dict[str, object]) -> None:
    def run() -> None:
        with Server() as server:
            loop = server._running().loop
            loop.call_soon_threadsafe(loop.call_exception_handler, context)

    with pytest.raises(RuntimeError, match="odd"):
        run()


def test_a_server_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_loop() -> asyncio.AbstractEventLoop:
        raise HookError

    monkeypatch.setattr(asyncio, "SelectorEventLoop", no_loop)
    with pytest.raises(HookError), Server():
        pass


def test_a_server_that_cannot_end_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_tasks: object) -> None:
        raise HookError

    monkeypatch.setattr(asyncio, "gather", fail)
    with pytest.raises(HookError), Server():
        pass


def test_a_hook_that_blocks_does_not_block_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()

    def answers(_command: ReceivedCommand, _situation: object) -> Answer | None:
        entered.set()
        leave.wait(SECONDS)
        return None

    server = Server(ServerOptions(answers=answers))

    def run() -> None:
        with server, connected(server):
            assert entered.wait(SECONDS)
            monkeypatch.setattr(_runner, "_PATIENCE", 0.0)

    with pytest.raises(RuntimeError, match="hook blocks"):
        run()
    leave.set()
    assert server._thread is not None
    server._thread.join(SECONDS)
    assert not server._thread.is_alive()


# --- its life


def test_a_server_is_started_once() -> None:
    server = Server()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port
    with server:
        pass
    with pytest.raises(RuntimeError, match="started once"):
        server.__enter__()


def test_too_few_messages() -> None:
    with Server() as server, pytest.raises(TimeoutError, match=r"0\.0 s for 1 messages"):
        server.wait_for_messages(1, 0.0)


def test_nothing_is_left(server_context: ssl.SSLContext) -> None:
    threads = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for tls in ("none", "starttls", "implicit"):
            context = None if tls == "none" else server_context
            server = Server(tls=tls, ssl_context=context)
            with contextlib.ExitStack() as stack, server:
                for _ in range(3):  # some of them are not even accepted at the end
                    stack.enter_context(connected(server))
        gc.collect()
    assert threading.active_count() == threads


def test_a_connection_that_comes_as_the_server_goes() -> None:
    with Server() as server:
        server._shared.stopping = True
        with connected(server) as sock, contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""


@pytest.mark.parametrize(
    ("tls", "with_context", "options", "message"),
    [
        ("starttls-if-offered", True, None, "'none', 'starttls', 'implicit', not 'starttls-if"),
        ("always", True, None, "not 'always'"),
        ("none", True, None, "takes no ssl_context"),
        ("implicit", False, None, "needs an ssl_context"),
        (None, False, ServerOptions(starttls=Offer.REQUIRED), "needs an ssl_context"),
    ],
)
def test_what_does_not_fit_together(
    tls: str | None,
    with_context: bool,
    options: ServerOptions | None,
    message: str,
    server_context: ssl.SSLContext,
) -> None:
    with pytest.raises(InvalidInput, match=message):
        Server(options, tls=tls, ssl_context=server_context if with_context else None)


def test_a_refusal_reaches_the_client() -> None:
    options = answering({"RCPT TO:<no@example.org>": Reply.of(550, "5.1.1 No such user")})
    with (
        Server(options) as server,
        smtplib.SMTP(server.host, server.port, timeout=SECONDS) as client,
    ):
        refused = client.sendmail("a@example.org", ["no@example.org", "b@example.org"], CONTENT)
        assert refused == {"no@example.org": (550, b"5.1.1 No such user")}
        assert server.messages[0].recipients == ("b@example.org",)
