"""What goes wrong on real sockets, in both adapters: nothing stays behind, nothing is believed."""

import asyncio
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from typing_extensions import override

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo.testing import (
    Close,
    Offer,
    Reset,
    Send,
    Server,
    ServerOptions,
    Silence,
    TakeEffect,
    Usual,
    Wait,
)
from support.colours import Asyncio, Colour
from support.tls import client_context, server_context

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
FIELDS = {"(greeting)": "greeting", "EHLO": "command", ".": "end_of_content"}


def impatient(command: str) -> ehlo.Timeouts:
    """Return timeouts that are short where the server will be silent, and nowhere else."""
    return ehlo.Timeouts(**{FIELDS.get(command, command.lower()): 0.05})


pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


# -- STARTTLS injection (L1) ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "injected",
    [b"250 injected\r\n", b"250-mail\r\n250 AUTH PLAIN\r\n", b"2", b"\r\n", b"421 bye\r\n"],
    ids=["a reply", "an EHLO reply", "an octet", "an empty line", "421"],
)
def test_octets_glued_behind_the_220_are_refused(adapter: Colour, injected: bytes) -> None:
    glued = b"220 2.0.0 Ready to start TLS\r\n" + injected
    options = ServerOptions(starttls=Offer.OFFERED, answers={"STARTTLS": Send(glued)})
    with Server(options, ssl_context=server_context()) as server:
        with pytest.raises(ehlo.TlsFailed, match="in clear") as caught:
            adapter.connect(server.url, ssl_context=client_context())
        assert [command.verb for command in server.commands] == ["EHLO", "STARTTLS"]
    assert caught.value.phase is ehlo.Phase.STARTTLS
    assert not caught.value.connection_usable


def test_octets_that_come_between_the_220_and_the_handshake_are_refused(adapter: Colour) -> None:
    """In a segment of its own: it meets the handshake, and is no TLS record."""
    injected = (Send(b"220 2.0.0 Ready\r\n"), Wait("handshake"), Send(b"250 injected\r\n"))
    options = ServerOptions(starttls=Offer.OFFERED, answers={"STARTTLS": injected})
    with Server(options, ssl_context=server_context()) as server:
        timer = threading.Timer(0.02, server.release, ["handshake"])
        timer.start()
        with pytest.raises(ehlo.TlsFailed):
            adapter.connect(server.url, ssl_context=client_context())
        timer.join()
        assert [command.verb for command in server.commands][:2] == ["EHLO", "STARTTLS"]


# -- Silence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "phase", "outcome"),
    [
        ("(greeting)", ehlo.Phase.GREETING, ehlo.Outcome.NOT_SENT),
        ("EHLO", ehlo.Phase.HELLO, ehlo.Outcome.NOT_SENT),
        ("MAIL", ehlo.Phase.MAIL, ehlo.Outcome.NOT_SENT),
        ("RCPT", ehlo.Phase.RCPT, ehlo.Outcome.NOT_SENT),
        ("DATA", ehlo.Phase.DATA, ehlo.Outcome.NOT_SENT),
        (".", ehlo.Phase.END_OF_CONTENT, ehlo.Outcome.UNKNOWN),
    ],
)
def test_a_silent_server_times_out(
    adapter: Colour, command: str, phase: ehlo.Phase, outcome: ehlo.Outcome
) -> None:
    timeouts = impatient(command)
    with Server(ServerOptions(answers={command: Silence()})) as server:
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, timeouts=timeouts)
    error = caught.value
    assert (error.phase, error.outcome) == (phase, outcome)
    cause = error.__cause__ if outcome is ehlo.Outcome.UNKNOWN else error
    assert isinstance(cause, ehlo.Timeout)
    assert isinstance(cause, TimeoutError)
    assert not error.connection_usable


def test_a_server_that_drips_times_out(adapter: Colour) -> None:
    """One deadline for the whole reply, not one for each octet (R9)."""
    greeting = b"220 mail.example.org ESMTP, one moment please"
    drip: list[Any] = []
    for number, octet in enumerate(greeting):
        drip += [Send(bytes([octet])), Wait(str(number))]
    with Server(ServerOptions(answers={"(greeting)": tuple(drip)})) as server:
        stop = threading.Event()

        def release() -> None:
            for number in range(len(greeting)):
                if stop.wait(0.02):
                    return
                server.release(str(number))

        thread = threading.Thread(target=release)
        thread.start()
        try:
            with pytest.raises(ehlo.Timeout):
                adapter.connect(server.url, timeouts=impatient("(greeting)"))
        finally:
            stop.set()
            thread.join()


def test_the_total_bounds_a_call(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(total=0.3)
    with Server(ServerOptions(answers={"EHLO": Silence()})) as server:
        with pytest.raises(ehlo.Timeout) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, timeouts=timeouts)
    assert caught.value.phase is ehlo.Phase.HELLO


def test_timeouts_may_be_switched_off(adapter: Colour) -> None:
    never = dict.fromkeys(
        [
            "connect",
            "tls",
            "greeting",
            "mail",
            "rcpt",
            "data",
            "content",
            "end_of_content",
            "command",
            "quit",
        ]
    )
    with Server() as server:
        timeouts = ehlo.Timeouts(**never)
        assert adapter.send(MESSAGE, server.url, envelope=TO_BOB, timeouts=timeouts).accepted


@contextmanager
def full_backlog() -> Iterator[int]:
    """Provide a port where connections are neither accepted nor refused."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        try:
            for _ in range(4):
                sock = socket.socket()
                sock.setblocking(False)
                with suppress(BlockingIOError):
                    sock.connect(listener.getsockname())
                waiting.append(sock)
            yield listener.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()


def test_a_host_that_does_not_answer(adapter: Colour) -> None:
    with full_backlog() as port, pytest.raises(ehlo.Timeout) as caught:
        adapter.connect(f"smtp://127.0.0.1:{port}", timeouts=ehlo.Timeouts(connect=0.05))
    assert caught.value.phase is ehlo.Phase.CONNECT


def test_the_total_bounds_connecting(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(connect=None, total=0.05)
    with full_backlog() as port, pytest.raises(ehlo.Timeout):
        adapter.connect(f"smtp://127.0.0.1:{port}", timeouts=timeouts)


# -- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
@pytest.mark.parametrize("command", ["(greeting)", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_goes_away(adapter: Colour, command: str, end: Close | Reset) -> None:
    with Server(ServerOptions(answers={command: end})) as server:
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB)
        assert server.messages == ()
    expected = ehlo.DeliveryUnknown if command == "." else ehlo.ConnectionLost
    assert isinstance(caught.value, expected)
    assert not caught.value.connection_usable


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
def test_a_message_that_was_taken_and_whose_reply_was_lost(
    adapter: Colour, end: Close | Reset
) -> None:
    with Server(ServerOptions(answers={".": (TakeEffect(), end)})) as server:
        with pytest.raises(ehlo.DeliveryUnknown):
            adapter.send(MESSAGE, server.url, envelope=TO_BOB)
        assert len(server.messages) == 1


def let_it_arrive(adapter: Colour, session: Any) -> None:
    """Wait until the client's system, or its loop, has what the server said unasked."""
    if isinstance(adapter, Asyncio):
        adapter.run(_until(lambda: not session.connection.needs_data))
    elif session.connection.needs_data:
        select.select([session._pump._sock], [], [], 5)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the octets come without an event to wait for
            await asyncio.sleep(0.001)


def test_an_idle_session_whose_server_said_421(adapter: Colour) -> None:
    answers = {"NOOP": (Usual(), Send(b"421 4.4.2 Idle for too long\r\n"), Close())}
    with Server(ServerOptions(answers=answers)) as server, adapter.connect(server.url) as session:
        assert session.noop().is_positive
        let_it_arrive(adapter, session)
        with pytest.raises(ehlo.ConnectionLost, match="Idle for too long") as caught:
            session.send(MESSAGE, envelope=TO_BOB)
    assert caught.value.reply is not None
    assert caught.value.retry_safe


def test_an_idle_session_whose_server_went_away(adapter: Colour) -> None:
    for end in (Close(), Reset()):
        answers = {"NOOP": (Usual(), end)}
        with Server(ServerOptions(answers=answers)) as server:
            with adapter.connect(server.url) as session:
                session.noop()
                with pytest.raises(ehlo.ConnectionLost) as caught:
                    session.send(MESSAGE, envelope=TO_BOB)
        assert caught.value.retry_safe


def test_replies_that_nobody_asked_for(adapter: Colour) -> None:
    answers = {"NOOP": Send(b"250 ok\r\n250 and another one\r\n")}
    with Server(ServerOptions(answers=answers)) as server, adapter.connect(server.url) as session:
        session.noop()
        with pytest.raises(ehlo.RemoteProtocolError, match="no command asked for"):
            session.noop()


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 100, b"x" * 70_000, b"HTTP/1.1 400 Bad\r\n", b"25\r\n"]
)
def test_garbage(adapter: Colour, garbage: bytes) -> None:
    with Server(ServerOptions(answers={"MAIL": Send(garbage)})) as server:
        with pytest.raises(ehlo.RemoteProtocolError) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB)
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


def test_endless_replies(adapter: Colour) -> None:
    endless = b"250-and so on\r\n" * 2000
    with Server(ServerOptions(answers={"EHLO": Send(endless)})) as server:
        with pytest.raises(ehlo.RemoteProtocolError, match="more than"):
            adapter.connect(server.url)


# -- Large content -------------------------------------------------------------------------------


class Sink(threading.Thread):
    """A server of few words that says when to stop reading content."""

    def __init__(self, *, takes: int, then: bytes, reset: bool = False) -> None:
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self._takes = takes
        self._then = then
        self._reset = reset

    @override
    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as sock:
            sock.sendall(b"220 sink\r\n")
            for answer in (b"250 sink", b"250 ok", b"250 ok", b"354 go"):
                sock.recv(4096)
                sock.sendall(answer + b"\r\n")
            taken = 0
            while taken < self._takes:
                taken += len(sock.recv(65_536))
            sock.sendall(self._then)
            if not self._reset:
                self.over.wait(10)


LARGE = b"Subject: large\r\n\r\n" + b"0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * 800_000


@pytest.mark.slow
def test_a_refusal_in_the_middle_of_the_content_is_heard(adapter: Colour) -> None:
    """The server stops reading and says why; the client must not go on writing for ever."""
    sink = Sink(takes=200_000, then=b"552 5.3.4 Enough\r\n")
    sink.start()
    try:
        with pytest.raises(ehlo.ContentRefused) as caught:
            adapter.send(LARGE, sink.url, envelope=TO_BOB)
    finally:
        sink.over.set()
        sink.join()
    assert caught.value.reply.code == 552
    assert caught.value.phase is ehlo.Phase.CONTENT
    assert not caught.value.connection_usable


@pytest.mark.slow
def test_a_server_that_takes_no_more_content_times_out(adapter: Colour) -> None:
    sink = Sink(takes=200_000, then=b"")
    sink.start()
    timeouts = ehlo.Timeouts(content=0.1)
    try:
        with pytest.raises(ehlo.Timeout) as caught:
            adapter.send(LARGE, sink.url, envelope=TO_BOB, timeouts=timeouts)
    finally:
        sink.over.set()
        sink.join()
    assert caught.value.phase is ehlo.Phase.CONTENT
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


@pytest.mark.slow
def test_a_server_that_goes_away_in_the_middle_of_the_content(adapter: Colour) -> None:
    sink = Sink(takes=200_000, then=b"", reset=True)
    sink.start()
    try:
        with pytest.raises(ehlo.ConnectionLost) as caught:
            adapter.send(LARGE, sink.url, envelope=TO_BOB)
    finally:
        sink.join()
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


@pytest.mark.slow
def test_garbage_in_the_middle_of_the_content(adapter: Colour) -> None:
    sink = Sink(takes=200_000, then=b"250 Thank you\r\n")
    sink.start()
    try:
        with pytest.raises(ehlo.RemoteProtocolError) as caught:
            adapter.send(LARGE, sink.url, envelope=TO_BOB)
    finally:
        sink.over.set()
        sink.join()
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


# -- Interruption ----------------------------------------------------------------------------------


COMMANDS_BEFORE = {"EHLO": 1, "STARTTLS": 2, "MAIL": 4, "RCPT": 5, "DATA": 6, ".": 7}


@pytest.mark.parametrize("command", COMMANDS_BEFORE)
def test_cancellation_leaves_nothing_behind(command: str) -> None:
    async def main(server: Server) -> None:
        sending = asyncio.create_task(
            ehlo.asyncio.send(MESSAGE, server.url, envelope=TO_BOB, ssl_context=client_context())
        )
        await asyncio.to_thread(server.wait_for_commands, COMMANDS_BEFORE[command])
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.to_thread(server.wait_until_idle)

    options = ServerOptions(starttls=Offer.OFFERED, answers={command: Silence()})
    with Server(options, ssl_context=server_context()) as server:
        asyncio.run(main(server))
        assert server.messages == ()


def test_a_cancelled_session_is_closed_for_good() -> None:
    async def main(server: Server) -> None:
        async with ehlo.asyncio.connect(server.url) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await session.noop()
            assert not session.is_idle
            with pytest.raises(ehlo.ConnectionLost):
                await session.noop()

    with Server(ServerOptions(answers={"NOOP": Silence()})) as server:
        asyncio.run(main(server))


def test_two_tasks_on_one_session() -> None:
    async def main(server: Server) -> None:
        async with ehlo.asyncio.connect(server.url) as session:
            first = asyncio.create_task(session.noop())
            await asyncio.sleep(0)
            with pytest.raises(ehlo.LocalProtocolError, match="busy"):
                await session.noop()
            server.release("noop")
            assert (await first).is_positive

    with Server(ServerOptions(answers={"NOOP": (Wait("noop"), Usual())})) as server:
        asyncio.run(main(server))


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, as it comes out of a signal handler."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signals")
@pytest.mark.parametrize("command", ["(greeting)", "EHLO", "RCPT", "."])
def test_ctrl_c_leaves_nothing_behind(command: str) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    with Server(ServerOptions(answers={command: Silence()})) as server:
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(Interrupted):
                ehlo.blocking.send(MESSAGE, server.url, envelope=TO_BOB)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        server.wait_until_idle()
        assert server.messages == ()


def test_connect_that_is_cancelled_while_connecting() -> None:
    async def main(port: int) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await ehlo.asyncio.connect(f"smtp://127.0.0.1:{port}")

    with full_backlog() as port:
        asyncio.run(main(port))
