"""Both adapters on their way to a connection: many addresses, sockets of one's own, many hosts."""

import asyncio
import selectors
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo.commands import Verb
from ehlo.testing import AuthChannel, Close, Reset, Send, Server, ServerOptions, Silence
from support.addresses import (
    HOST,
    deaf,
    descriptors,
    free_port,
    hurry,
    refusing,
    resolve_to,
    wait_for_descriptors,
)
from support.colours import Colour, colour
from support.pickling import unpickled
from support.proxies import ProxyServer
from support.secrets import PASSWORD
from support.tls import another_authority, client_context, server_context, serving

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
URL = f"smtp://{HOST}?tls=none"
QUICK = ehlo.Timeouts(connect=0.05)


def address_of(server: Server) -> tuple[str, int]:
    return server.host, server.port


def text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


# -- Happy eyeballs --------------------------------------------------------------------------


def test_an_address_that_keeps_silent_holds_nobody_up(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with deaf() as first, deaf() as second, Server() as server:
        resolve_to(monkeypatch, first, second, address_of(server))
        adapter.connect(server.url).close()  # so that an event loop has what it needs
        before = descriptors()
        with adapter.connect(URL) as session:
            assert session.noop().is_positive
            assert session.endpoint.host == HOST
            wait_for_descriptors(before + 2)  # the two ends of one connection
        wait_for_descriptors(before)


def test_an_address_that_refuses_is_passed_over_at_once(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, delay=1000)
    with Server() as server:
        resolve_to(monkeypatch, refusing(), refusing(), address_of(server))
        with adapter.connect(URL, timeouts=ehlo.Timeouts(connect=None)) as session:
            assert session.noop().is_positive


def test_the_other_family_is_tried(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    with deaf() as silent, Server() as server:
        # Nothing listens there, so this fails: no route, or refused.
        resolve_to(monkeypatch, silent, ("::1", server.port), address_of(server))
        with adapter.connect(URL) as session:
            assert session.noop().is_positive


@pytest.mark.parametrize("count", [1, 3])
def test_every_address_is_told_when_all_refuse(
    adapter: Colour, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [refusing() for _ in range(count)]
    resolve_to(monkeypatch, *addresses)
    with pytest.raises(ehlo.ConnectFailed) as caught:
        adapter.connect(URL)
    error = caught.value
    assert str(error).startswith(f"no connection to {HOST}:25: ")
    assert set(error.addresses) == set(map(text, addresses))
    assert all(isinstance(each, ConnectionRefusedError) for each in error.addresses.values())
    assert isinstance(error.__cause__, ConnectionRefusedError)
    assert str(error).count("Connection refused") == len(error.addresses)
    assert error.hop is None
    assert error.retry_safe
    assert set(unpickled(error).addresses) == set(error.addresses)


def test_all_addresses_together_have_one_deadline(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with deaf() as first, deaf() as second:
        refused = refusing()
        resolve_to(monkeypatch, first, refused, second)
        with pytest.raises(ehlo.Timeout, match=f"no connection to {HOST}:25 in time") as caught:
            adapter.connect(URL, timeouts=QUICK)
    error = caught.value
    assert list(error.addresses) == [text(refused), text(first), text(second)]
    assert [type(each) for each in error.addresses.values()] == [
        ConnectionRefusedError,
        TimeoutError,
        TimeoutError,
    ]
    assert f"{text(first)}: no answer" in str(error)
    assert error.retry_safe


def test_the_last_may_fail_while_another_goes_on(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    with deaf() as silent:
        refused = refusing()
        resolve_to(monkeypatch, silent, refused)
        with pytest.raises(ehlo.Timeout) as caught:
            adapter.connect(URL, timeouts=QUICK)
    assert list(caught.value.addresses) == [text(refused), text(silent)]


def test_the_call_as_a_whole_may_end_sooner(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf() as silent:
        resolve_to(monkeypatch, silent)
        with pytest.raises(ehlo.Timeout):
            adapter.send(
                MESSAGE, URL, envelope=TO_BOB, timeouts=ehlo.Timeouts(connect=None, total=0.05)
            )


def test_who_comes_second_is_closed(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, delay=0)
    with ExitStack() as stack:
        servers = [stack.enter_context(Server()) for _ in range(4)]
        resolve_to(monkeypatch, *map(address_of, servers))
        adapter.connect(servers[0].url, hello="none").close()
        before = descriptors()
        with adapter.connect(URL) as session:
            session.noop()
            wait_for_descriptors(before + 2)
        verbs = [command.verb for server in servers for command in server.commands]
    assert verbs.count(Verb.EHLO) == 1


def test_a_name_without_addresses(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)
    with pytest.raises(ehlo.ConnectFailed, match="the host name has no address"):
        adapter.connect(URL)


def test_a_name_that_nobody_knows(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ehlo.ConnectFailed, match="Name or service not known") as caught:
        adapter.connect(URL)
    assert isinstance(caught.value.__cause__, socket.gaierror)


class OutOfMemory(Exception):
    """What no network raises."""


@pytest.mark.parametrize("method", ["connect", "settimeout"])
def test_what_is_no_failure_of_the_network_is_raised_as_it_is(
    adapter: Colour, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(socket.socket):
        pass

    def fail(*_: object) -> None:
        raise OutOfMemory

    setattr(Broken, method, fail)
    with Server() as server, monkeypatch.context() as patched:
        patched.setattr(socket, "socket", Broken)
        with pytest.raises(OutOfMemory):
            adapter.connect(server.url)


# -- Cancellation ------------------------------------------------------------------------------


async def awaited(connecting: Awaitable[ehlo.asyncio.Session]) -> ehlo.asyncio.Session:
    return await connecting


async def cancelled_after(steps: int, *, twice: bool) -> bool:
    """Return whether connecting was cancelled, and did not come to a session first."""
    connecting = asyncio.ensure_future(awaited(ehlo.asyncio.connect(URL)))
    await some_steps(steps)
    connecting.cancel()
    if twice:
        await asyncio.sleep(0)
        connecting.cancel()
    try:
        session = await connecting
    except asyncio.CancelledError:
        await some_steps(3)  # a transport closes its socket in the next one
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return True
    await session.close()
    return False


async def some_steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def cancelled_everywhere(*, twice: bool) -> int:
    """Return after how many steps there is nothing left to cancel."""
    await (await ehlo.asyncio.connect(URL)).close()  # so that the resolver's thread is there
    await some_steps(5)
    before, steps = descriptors(), 0
    while await cancelled_after(steps, twice=twice):
        wait_for_descriptors(before)
        steps += 1
    return steps


@pytest.mark.parametrize("twice", [False, True])
def test_cancelled_at_every_step_nothing_is_left(
    twice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, delay=0)
    with deaf() as first, deaf() as second, ExitStack() as stack:
        servers = [stack.enter_context(Server()) for _ in range(2)]
        resolve_to(monkeypatch, first, address_of(servers[0]), second, address_of(servers[1]))
        assert asyncio.run(cancelled_everywhere(twice=twice)) > 4


def test_cancelled_while_all_keep_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, delay=0)

    async def main() -> None:
        connecting = asyncio.ensure_future(awaited(ehlo.asyncio.connect(URL)))
        while len(asyncio.all_tasks()) < 5:  # noqa: ASYNC110 - all three attempts are under way then
            await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with ExitStack() as stack:
        resolve_to(monkeypatch, *(stack.enter_context(deaf()) for _ in range(3)))
        before = descriptors()
        asyncio.run(main())
        assert descriptors() <= before


def test_interrupted_while_all_keep_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    real = selectors.DefaultSelector.select

    def interrupted(self: Any, timeout: Any = None) -> Any:
        if len(self.get_map()) == 2:
            raise KeyboardInterrupt
        return real(self, timeout)

    hurry(monkeypatch, delay=0)
    monkeypatch.setattr(selectors.DefaultSelector, "select", interrupted)
    with deaf() as first, deaf() as second:
        resolve_to(monkeypatch, first, second)
        before = descriptors()
        with pytest.raises(KeyboardInterrupt):
            ehlo.blocking.connect(URL)
        assert descriptors() == before


# -- From where --------------------------------------------------------------------------------


@pytest.mark.parametrize("local", ["127.0.0.2", ("127.0.0.2", 0)])
def test_the_local_address(adapter: Colour, local: Any) -> None:
    with Server() as server:
        adapter.connect(server.url, local_address=local).close()
        [hello] = [command.line for command in server.commands if command.verb == "EHLO"]
    assert hello == "EHLO [127.0.0.2]"


def test_the_local_port(adapter: Colour) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        with suppress(ehlo.Timeout):
            adapter.connect(
                url,
                local_address=("127.0.0.1", port),
                timeouts=ehlo.Timeouts(greeting=0.01),
            )
        sock, peer = listener.accept()
        sock.close()
    assert peer == ("127.0.0.1", port)


def test_an_address_of_the_other_family_cannot_be_reached(adapter: Colour) -> None:
    with pytest.raises(ehlo.ConnectFailed, match="no address of the family of local_address="):
        adapter.connect("smtp://127.0.0.1:2525", local_address="::1")


def test_a_local_address_that_this_machine_has_not(adapter: Colour) -> None:
    with pytest.raises(ehlo.ConnectFailed, match="assign requested address") as caught:
        adapter.connect("smtp://127.0.0.1:2525", local_address="192.0.2.1")
    assert list(caught.value.addresses) == ["127.0.0.1:2525"]


# -- Sockets of one's own ------------------------------------------------------------------------


def test_a_socket_that_is_connected_already(adapter: Colour) -> None:
    with Server() as server:
        sock = socket.create_connection(address_of(server))
        receipt = adapter.send(MESSAGE, URL, envelope=TO_BOB, sock=sock)
        assert receipt.accepted == TO_BOB.recipients
        assert sock.fileno() == -1
        with pytest.raises(ehlo.ConnectFailed, match="serves one session") as caught:
            adapter.connect(URL, sock=sock)
        assert not caught.value.temporary


def test_a_pair_of_unix_sockets(adapter: Colour) -> None:
    here, there = socket.socketpair()
    with there:
        there.sendall(b"220 mx\r\n250 mx\r\n221 mx\r\n")
        with adapter.connect(URL, sock=here, pipelining="none", hello="none") as session:
            assert session.greeting.text == "mx"


def test_send_many_has_one_socket_and_no_second(adapter: Colour) -> None:
    options = ServerOptions(capabilities=("LIMITS MAILMAX=1",))
    with Server(options) as server:
        sock = socket.create_connection(address_of(server))
        results = adapter.send_many([(MESSAGE, TO_BOB)] * 2, URL, sock=sock)
        found: list[Any] = []
        with pytest.raises(ehlo.ConnectFailed, match="serves one session"):
            found.extend(results)
    assert [result.receipt is not None for result in found] in ([True], [True, False])


def test_tls_over_a_socket_of_ones_own(adapter: Colour) -> None:
    with Server(tls="implicit", ssl_context=server_context()) as server:
        sock = socket.create_connection(address_of(server))
        url = "smtps://localhost"
        with adapter.connect(url, sock=sock, ssl_context=client_context()) as session:
            assert session.tls.verified


def connector_to(server: Server, seen: list[Any]) -> Callable[..., socket.socket]:
    def connect(endpoint: ehlo.Endpoint, timeout: float | None) -> socket.socket:
        seen.append((endpoint.host, timeout))
        return socket.create_connection(address_of(server))

    return connect


@pytest.mark.parametrize("seconds", [7.0, None])
def test_a_connector(adapter: Colour, seconds: float | None) -> None:
    seen: list[Any] = []
    with Server() as server:
        adapter.connect(
            URL, connector=connector_to(server, seen), timeouts=ehlo.Timeouts(connect=seconds)
        ).close()
    [(host, timeout)] = seen
    assert host == HOST
    assert timeout == (None if seconds is None else pytest.approx(seconds, abs=1))


def test_send_many_asks_a_connector_again(adapter: Colour) -> None:
    seen: list[Any] = []
    with Server(ServerOptions(capabilities=("LIMITS MAILMAX=1",))) as server:
        connector = connector_to(server, seen)
        results = list(adapter.send_many([(MESSAGE, TO_BOB)] * 3, URL, connector=connector))
    assert all(result.receipt is not None for result in results)
    assert len(seen) == 3


def test_an_async_connector() -> None:
    with Server() as server, colour("asyncio") as adapter:

        async def connect(endpoint: ehlo.Endpoint, timeout: float | None) -> socket.socket:  # noqa: ASYNC109
            assert endpoint.host == HOST
            assert timeout is not None
            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, address_of(server))
            return sock

        adapter.connect(URL, connector=connect).close()


def test_an_async_connector_has_its_time() -> None:
    async def connect(_endpoint: ehlo.Endpoint, _timeout: float | None) -> socket.socket:
        await asyncio.Event().wait()
        raise AssertionError

    with colour("asyncio") as adapter, pytest.raises(ehlo.Timeout, match="in time"):
        adapter.connect(URL, connector=connect, timeouts=QUICK)


def test_an_async_connector_is_for_an_event_loop() -> None:
    async def connect(_endpoint: ehlo.Endpoint, _timeout: float | None) -> socket.socket:
        raise AssertionError

    with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
        ehlo.blocking.connect(URL, connector=connect)


@pytest.mark.parametrize(
    ("raised", "error", "said"),
    [
        (OSError("no line"), ehlo.ConnectFailed, f"no connection to {HOST}:25: no line"),
        (TimeoutError("late"), ehlo.Timeout, f"no connection to {HOST}:25 in time"),
        (OutOfMemory("much"), OutOfMemory, "much"),
        (ehlo.ConnectFailed("mine"), ehlo.ConnectFailed, "^mine$"),
    ],
)
def test_what_a_connector_raises(
    adapter: Colour, raised: Exception, error: type[Exception], said: str
) -> None:
    def connect(_endpoint: object, _timeout: object) -> socket.socket:
        raise raised

    with pytest.raises(error, match=said):
        adapter.connect(URL, connector=connect)


def datagrams() -> socket.socket:
    return socket.socket(type=socket.SOCK_DGRAM)


def encrypted() -> ssl.SSLSocket:
    return client_context().wrap_socket(socket.socket(), server_hostname="localhost")


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: None, TypeError, "plain socket.socket, not NoneType"),
        (encrypted, TypeError, "plain socket.socket, not SSLSocket"),
        (datagrams, ehlo.InvalidInput, "a stream socket"),
    ],
)
def test_what_a_connector_must_not_return(
    adapter: Colour, make: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=f"what connector= returns is .*{said}"):
        adapter.connect(URL, connector=lambda _endpoint, _timeout: make())


def test_no_credentials_in_clear_to_who_knows_where(adapter: Colour) -> None:
    options = ServerOptions(users={"ada": PASSWORD}, auth_channel=AuthChannel.ANY)
    url = f"smtp://ada:{PASSWORD}@localhost"
    with Server(options) as server:
        for way in (
            {"connector": connector_to(server, [])},
            {"sock": socket.create_connection(address_of(server))},
        ):
            with pytest.raises(ehlo.SMTPError, match=r"encrypt|clear"):
                adapter.connect(url, **way)
        adapter.connect(
            url, connector=connector_to(server, []), cleartext="allow-credentials"
        ).close()


def test_a_system_without_unix_sockets(adapter: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {name: value for name, value in vars(socket).items() if name != "AF_UNIX"}
    monkeypatch.setattr("ehlo.runtime.route.socket", SimpleNamespace(**there))
    with pytest.raises(ehlo.ConnectFailed, match="this system has no unix sockets"):
        adapter.connect("smtp+unix:///run/smtp.sock")


def test_a_unix_socket_that_is_not_there(adapter: Colour, tmp_path: Path) -> None:
    with pytest.raises(ehlo.ConnectFailed, match="No such file") as caught:
        adapter.connect(f"smtp+unix://{tmp_path}/none")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert caught.value.addresses == {}


# -- A certificate of the client -------------------------------------------------------------------


def test_a_certificate_that_cannot_be_read(adapter: Colour, tmp_path: Path) -> None:
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with pytest.raises(ehlo.TlsFailed, match="No such file") as caught:
            adapter.connect(server.url, client_certificate=(f"{tmp_path}/none.pem", None))
    assert caught.value.reason is ehlo.TlsTrouble.CONTEXT


# -- Several hosts -----------------------------------------------------------------------------


def answering(command: str, answer: Any) -> ServerOptions:
    return ServerOptions(
        answers={command: answer}, users={"ada": PASSWORD}, auth_channel=AuthChannel.ANY
    )


def no(code: int) -> ehlo.Reply:
    return ehlo.Reply.of(code, "No")


MOVES_ON = {
    "421 instead of a greeting": answering(Verb.GREETING, no(421)),
    "450 instead of a greeting": answering(Verb.GREETING, no(450)),
    "no greeting": answering(Verb.GREETING, Close()),
    "no answer to EHLO": answering("EHLO", Close()),
    "421 to EHLO": answering("EHLO", no(421)),
    "a reset": answering("EHLO", Reset()),
    "silence": answering(Verb.GREETING, Silence()),
}
STAYS = {
    "554 instead of a greeting": (answering(Verb.GREETING, no(554)), ehlo.GreetingRefused),
    "garbage": (answering(Verb.GREETING, Send(b"hello\r\n")), ehlo.RemoteProtocolError),
    "wrong credentials": (answering("AUTH", no(535)), ehlo.AuthenticationRefused),
    "no verdict on credentials": (answering("AUTH", no(454)), ehlo.AuthenticationRefused),
    "lost over credentials": (answering("AUTH", Close()), ehlo.ConnectionLost),
}
AUTH = {"auth": ehlo.Password("ada", PASSWORD), "timeouts": ehlo.Timeouts(greeting=0.1)}


@pytest.mark.parametrize("options", MOVES_ON.values(), ids=MOVES_ON)
def test_what_moves_on_to_the_next_host(adapter: Colour, options: ServerOptions) -> None:
    with Server(options) as first, Server() as second:
        with adapter.connect([first.url, second.url], timeouts=AUTH["timeouts"]) as session:
            assert session.endpoint.port == second.port
            session.noop()


@pytest.mark.parametrize(("options", "kind"), STAYS.values(), ids=STAYS)
def test_what_does_not_move_on(
    adapter: Colour, options: ServerOptions, kind: type[ehlo.SMTPError]
) -> None:
    with Server(options) as first, Server(answering("NOOP", no(450))) as second:
        with pytest.raises(kind) as caught:
            adapter.connect([first.url, second.url], **AUTH)
    assert caught.value.failed_over == ()
    assert list(second.commands) == []


def test_a_host_that_is_not_there(adapter: Colour) -> None:
    gone = text(refusing())
    with Server() as server:
        urls = [f"smtp://{gone}", ehlo.Endpoint.from_url(server.url)]
        receipt = adapter.send(MESSAGE, urls, envelope=TO_BOB)
        assert receipt.accepted == TO_BOB.recipients
        [message] = server.wait_for_messages(1)
        results = list(adapter.send_many([(MESSAGE, TO_BOB)], tuple(urls)))
        assert results[0].receipt is not None
    assert message.content == MESSAGE


def test_tls_by_trouble_of_the_connection_moves_on(adapter: Colour) -> None:
    def close_at_once(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.recv(1)
        sock.close()

    context = client_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=close_at_once, args=[listener])
        thread.start()
        with Server(tls="implicit", ssl_context=server_context()) as second:
            urls = [f"smtps://127.0.0.1:{listener.getsockname()[1]}", second.url]
            with adapter.connect(urls, ssl_context=context) as session:
                assert session.tls.verified
        thread.join()


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_a_certificate_that_is_wrong_does_not_move_on(adapter: Colour, mode: str) -> None:
    wrong = serving(another_authority().issue_cert("127.0.0.1"))
    tls = "implicit" if mode == "implicit" else None
    with Server(tls=tls, ssl_context=wrong) as first, Server() as second:
        urls = [f"smtp://127.0.0.1:{first.port}?tls={mode}", second.url]
        with pytest.raises(ehlo.TlsFailed):
            adapter.connect(urls, ssl_context=client_context())
    assert list(second.commands) == []


@pytest.mark.parametrize(("code", "moves"), [(454, True), (554, False)])
def test_starttls_refused(adapter: Colour, code: int, moves: bool) -> None:
    options = ServerOptions(answers={"STARTTLS": no(code)})
    with Server(options, ssl_context=server_context()) as first, Server() as second:
        urls = [f"{first.url}?tls=starttls", second.url]
        if moves:
            adapter.connect(urls).close()
        else:
            with pytest.raises(ehlo.TlsFailed):
                adapter.connect(urls)


def test_when_no_host_can_be_had(adapter: Colour) -> None:
    gone, last = text(refusing()), text(refusing())
    with Server(answering(Verb.GREETING, no(421))) as busy:
        with pytest.raises(ehlo.ConnectFailed, match=f"no connection to {last}") as caught:
            adapter.connect([f"smtp://{gone}", busy.url, f"smtp://{last}"])
    error = caught.value
    assert [(where, type(each)) for where, each in error.failed_over] == [
        (gone, ehlo.ConnectFailed),
        (f"127.0.0.1:{busy.port}", ehlo.GreetingRefused),
    ]
    assert [note.partition(": ")[0] for note in error.__notes__] == [
        f"before that, {gone}",
        f"before that, 127.0.0.1:{busy.port}",
    ]
    assert "421" in error.__notes__[1]
    assert all(each.__traceback__ is None for _, each in error.failed_over)
    assert [where for where, _ in unpickled(error).failed_over] == [gone, f"127.0.0.1:{busy.port}"]


def test_each_host_has_its_own_user_and_mode(adapter: Colour) -> None:
    with Server(answering(Verb.GREETING, no(421))) as first:
        options = ServerOptions(users={"bob": PASSWORD})
        with Server(options, tls="implicit", ssl_context=server_context()) as second:
            urls = [
                first.url.replace("://", "://ada:another@"),
                second.url.replace("://", f"://bob:{PASSWORD}@"),
            ]
            with adapter.connect(urls, ssl_context=client_context()) as session:
                assert session.endpoint.username == "bob"
                assert session.tls.verified


def test_several_hosts_through_a_proxy(adapter: Colour) -> None:
    with (
        Server() as server,
        ProxyServer((server.host, server.port), refuses={"a.example.com"}) as p,
    ):
        urls = ["smtp://a.example.com?tls=none", "smtp://b.example.com?tls=none"]
        with adapter.connect(urls, proxy=p.url("socks5")) as session:
            assert session.endpoint.host == "b.example.com"
    assert [host for host, _ in p.asked] == ["a.example.com", "b.example.com"]


def test_a_proxy_that_lets_nobody_in_is_asked_once(adapter: Colour) -> None:
    with ProxyServer(user=("ada", "another")) as proxy:
        url = proxy.url("http", user="ada", password=PASSWORD)
        with pytest.raises(ehlo.ConnectFailed, match="407") as caught:
            adapter.connect(["smtp://a.example.com", "smtp://b.example.com"], proxy=url)
    assert caught.value.failed_over == ()
