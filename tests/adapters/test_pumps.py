"""The corners of the pumps: blocked writers, early ends, timers, cancellation at a bad moment."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from typing_extensions import override

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo.asyncio._pump import Pump as AsyncioPump
from ehlo.blocking._pump import Pump as BlockingPump
from ehlo.blocking._pump import _by_poll, _by_select
from ehlo.dialogues import Dialogue, Flush, Receive
from ehlo.phase import Phase
from ehlo.runtime.options import Settings
from ehlo.testing import Server, ServerOptions, Silence
from support.colours import Colour
from support.tls import client_context, server_context

TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
LARGE = b"Subject: large\r\n\r\n" + b"0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * 200_000


class Peer(threading.Thread):
    """A server that takes everything up to the content, and then does what the test says."""

    def __init__(self, then: Callable[[socket.socket], None]) -> None:
        super().__init__()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.url = f"smtp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.over = threading.Event()
        self._then = then

    @override
    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as sock:
            sock.settimeout(10)
            sock.sendall(b"220 peer\r\n")
            for answer in (b"250 peer", b"250 ok", b"250 ok", b"354 go"):
                sock.recv(4096)
                sock.sendall(answer + b"\r\n")
            self._then(sock)
            self.over.wait(10)


@contextmanager
def peer(then: Callable[[socket.socket], None]) -> Iterator[Peer]:
    thread = Peer(then)
    thread.start()
    try:
        yield thread
    finally:
        thread.over.set()
        thread.join()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_server_that_says_no_more_while_we_write(adapter: Colour) -> None:
    """Its end of the connection is closed: no reply can come, so there is no use in going on."""

    def stop(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.shutdown(socket.SHUT_WR)

    with peer(stop) as server, pytest.raises(ehlo.ConnectionLost) as caught:
        adapter.send(LARGE, server.url, envelope=TO_BOB)
    assert caught.value.phase is Phase.CONTENT
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


@pytest.mark.slow
def test_a_steady_upload_outlasts_the_timeout(adapter: Colour) -> None:
    """While content flows it is progress that is timed, not the whole upload."""
    pause = threading.Event()

    def read_slowly(sock: socket.socket) -> None:
        tail = b""
        while not tail.endswith(b"\r\n.\r\n"):
            tail = (tail + sock.recv(131_072))[-5:]
            pause.wait(0.004)
        sock.sendall(b"250 taken\r\n")
        sock.recv(100)
        sock.sendall(b"221 bye\r\n")

    timeouts = ehlo.Timeouts(content=2)
    with peer(read_slowly) as server:
        receipt = adapter.send(LARGE, server.url, envelope=TO_BOB, timeouts=timeouts)
    assert receipt.accepted


def test_a_refusal_behind_which_the_server_breaks_off(adapter: Colour) -> None:
    """A 5yz that came while we were sending wins over the reset behind it, if it can be had."""

    def refuse(sock: socket.socket) -> None:
        sock.recv(65_536)
        sock.sendall(b"552 5.3.4 Enough\r\n")
        reset(sock)

    with peer(refuse) as server, pytest.raises(ehlo.ContentRefused) as caught:
        adapter.send(LARGE, server.url, envelope=TO_BOB)
    assert caught.value.reply.code == 552
    assert not caught.value.connection_usable


@pytest.mark.slow
def test_the_total_holds_a_server_that_takes_octets_steadily(adapter: Colour) -> None:
    pause = threading.Event()

    def read_for_ever(sock: socket.socket) -> None:
        while sock.recv(16_384):
            pause.wait(0.002)

    timeouts = ehlo.Timeouts(total=0.3)
    with peer(read_for_ever) as server, pytest.raises(ehlo.Timeout) as caught:
        adapter.send(LARGE * 3, server.url, envelope=TO_BOB, timeouts=timeouts)
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


def test_a_server_that_closes_during_the_handshake(adapter: Colour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(65_536)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"smtps://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ehlo.TlsFailed, match="during the TLS handshake"):
            adapter.connect(url, ssl_context=client_context())
        thread.join()


def test_tls_over_a_unix_socket_needs_a_name_to_verify(adapter: Colour, tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    context = {"ssl_context": client_context(), "tls": "implicit"}
    with Server(path=path, tls="implicit", ssl_context=server_context()) as server:
        with pytest.raises(ehlo.TlsFailed, match="no server_hostname"):
            adapter.connect(f"smtp+unix://{path}", **context)
        assert not server.commands
        url = f"smtp+unix://{path}"
        with adapter.connect(url, server_hostname="localhost", **context) as session:
            assert session.tls.version == "TLSv1.3"


def test_octets_called_unsent_are_not_sent_after_all() -> None:
    """A need that cannot be met any more takes what was left of it along."""

    async def main() -> None:
        pump = new_pump()
        wire = cast("Wire", pump.transport)
        wire.backlog = 100
        asyncio.get_running_loop().call_soon(pump.eof_received)
        with pytest.raises(ehlo.ConnectionLost):
            await pump.run(flush(Phase.RCPT))
        assert wire.aborted

    asyncio.run(main())


def nothing() -> Dialogue[None]:
    yield from ()


@pytest.mark.parametrize("is_over", [False, True])
def test_what_comes_before_the_first_dialogue_is_taken_by_it(is_over: bool) -> None:
    """An event loop may read before the task that has connected goes on."""

    async def main() -> None:
        pump = new_pump()
        hear(pump, b"220 mx.example.com ")
        hear(pump, b"hello\r\n")
        if is_over:
            pump.eof_received()
            pump.connection_lost(None)
        assert pump.link.connection.needs_data
        greeting = await pump.run(ehlo.dialogues.greet(pump.link.connection))
        assert greeting.text == "mx.example.com hello"
        assert pump.link.connection.needs_data is not is_over

    asyncio.run(main())


def test_last_words_are_read_when_a_transport_fails() -> None:
    async def main(ours: socket.socket) -> None:
        pump = new_pump()
        cast("Wire", pump.transport).sock = ours
        await pump.drive(nothing())
        pump.connection_lost(BrokenPipeError())
        assert pump.link.connection.next_event() is not ehlo.NEED_DATA
        assert pump.link.connection.greeting is not None

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"220 hi\r\n")
        asyncio.run(main(ours))


def test_a_session_that_another_task_closes() -> None:
    async def main(server: Server) -> None:
        session = await ehlo.asyncio.connect(server.url)
        noop = asyncio.create_task(session.noop())
        await asyncio.sleep(0)
        with pytest.raises(ehlo.LocalProtocolError, match="busy"):
            await session.quit()
        await session.close()
        with pytest.raises(ehlo.ConnectionLost, match="closed by another task"):
            await noop

    with Server(ServerOptions(answers={"NOOP": Silence()})) as server:
        asyncio.run(main(server))


# -- Blocking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [_by_poll, _by_select])
def test_waiting_for_a_socket(make: Callable[[socket.socket], Callable[..., bool]]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wait = make(ours)
        assert not wait(0, writing=False)
        assert not wait(None, writing=True)
        theirs.sendall(b"x")
        assert wait(None, writing=False)
        assert wait(1, writing=True)
        ours.recv(1)
        theirs.close()
        assert wait(1, writing=False)


def test_connecting_that_is_interrupted_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(socket.socket, "connect", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ehlo.blocking.connect("smtp://127.0.0.1:9")


def test_last_words_are_read_when_a_write_fails() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        link = Settings.of("smtp://127.0.0.1", {}).link(lambda: 0.0)
        pump = BlockingPump(ours, link, ehlo.Timeouts())
        theirs.sendall(b"220 hello\r\n")
        theirs.close()
        link.unsent += b"x"
        with pytest.raises(ehlo.ConnectionLost):
            pump._write(Phase.CONTENT)
        assert link.connection.next_event() is not ehlo.NEED_DATA


def test_a_reset_found_before_a_command() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = Settings.of("smtp://127.0.0.1", {}).link(lambda: 0.0)
        pump = BlockingPump(Failing(ours), link, ehlo.Timeouts())
        theirs.sendall(b"220 hi\r\n")
        pump.run(ehlo.dialogues.greet(link.connection))
        theirs.sendall(b"x")
        Failing.broken = True
        try:
            with pytest.raises(ehlo.ConnectionLost):
                pump.run(ehlo.dialogues.perform(link.connection, ehlo.commands.Noop()))
        finally:
            Failing.broken = False


class Failing(socket.socket):
    """A socket whose reads fail from a moment on that the test chooses."""

    broken = False

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if self.broken:
            raise ConnectionResetError
        return super().recv(bufsize, flags)


# -- asyncio ---------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """A transport that a test has in its hands."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.backlog = 0
        self.aborted = False
        self.sock: socket.socket | None = None
        self.pump: AsyncioPump | None = None

    @override
    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.sock if name == "socket" else default

    @override
    def abort(self) -> None:
        self.aborted = True
        self.close()

    @override
    def close(self) -> None:
        if self.pump is not None:
            asyncio.get_running_loop().call_soon(self.pump.connection_lost, None)
            self.pump = None

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    @override
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    @override
    def get_write_buffer_size(self) -> int:
        return self.backlog

    @override
    def is_closing(self) -> bool:
        return False


def hear(pump: AsyncioPump, data: bytes) -> None:
    view = memoryview(pump.get_buffer(-1))
    view[: len(data)] = data
    pump.buffer_updated(len(data))


def new_pump(timeouts: ehlo.Timeouts | None = None) -> AsyncioPump:
    loop = asyncio.get_running_loop()
    link = Settings.of("smtp://127.0.0.1", {}).link(loop.time)
    pump = AsyncioPump(link, timeouts or ehlo.Timeouts(), loop)
    wire = Wire()
    wire.pump = pump
    pump.connection_made(wire)
    return pump


def test_a_reply_that_comes_as_its_task_is_cancelled() -> None:
    async def main() -> None:
        pump = new_pump()
        connection = pump.link.connection
        running = asyncio.create_task(pump.run(ehlo.dialogues.greet(connection)))
        await asyncio.sleep(0)
        running.cancel()
        hear(pump, b"220 too late\r\n")
        with pytest.raises(asyncio.CancelledError):
            await running
        assert connection.is_over

    asyncio.run(main())


def test_a_need_behind_the_end_of_the_connection() -> None:
    def stubborn() -> Dialogue[None]:
        yield Flush(Phase.COMMAND)

    async def main() -> None:
        with Server() as server:
            session = await ehlo.asyncio.connect(server.url)
            await session.close()
            with pytest.raises(ehlo.ConnectionLost):
                await session._pump.run(stubborn())

    asyncio.run(main())


def test_trouble_between_two_dialogues_is_kept_for_the_next() -> None:
    async def main() -> None:
        pump = new_pump()
        pump._trouble(ehlo.ConnectionLost("broken"))
        assert not pump.link.connection.needs_data
        pump.connection_lost(None)

    asyncio.run(main())


def test_a_timer_that_outlives_its_dialogue() -> None:
    async def main() -> None:
        pump = new_pump(ehlo.Timeouts(greeting=0.05, command=0.1))
        connection = pump.link.connection
        greeting = asyncio.create_task(pump.run(ehlo.dialogues.greet(connection)))
        await asyncio.sleep(0)
        hear(pump, b"220 hi\r\n")
        await greeting
        # The greeting's timer fires while the reply to NOOP is waited for, and re-arms itself.
        noop = asyncio.create_task(
            pump.run(ehlo.dialogues.perform(connection, ehlo.commands.Noop()))
        )
        with pytest.raises(ehlo.Timeout):
            await noop

    asyncio.run(main())


def test_a_timer_in_an_idle_session_does_nothing() -> None:
    async def main() -> None:
        pump = new_pump(ehlo.Timeouts(greeting=0.05))
        connection = pump.link.connection
        greeting = asyncio.create_task(pump.run(ehlo.dialogues.greet(connection)))
        await asyncio.sleep(0)
        hear(pump, b"220 hi\r\n")
        await greeting
        await asyncio.sleep(0.06)
        assert connection.is_in_step
        pump.connection_lost(None)

    asyncio.run(main())


def test_a_shorter_deadline_sets_the_timer_anew() -> None:
    def patient(connection: ehlo.Connection) -> Dialogue[None]:
        yield Receive(Phase.GREETING)
        connection.next_event()
        yield Receive(Phase.QUIT)

    async def main() -> None:
        pump = new_pump(ehlo.Timeouts(greeting=60, quit=0.01))
        running = asyncio.create_task(pump.run(patient(pump.link.connection)))
        await asyncio.sleep(0)
        hear(pump, b"220 hi\r\n")
        with pytest.raises(ehlo.Timeout):
            await running

    asyncio.run(main())


def flush(phase: Phase) -> Dialogue[None]:
    yield Flush(phase)


def test_progress_moves_the_deadline() -> None:
    async def main() -> None:
        pump = new_pump(ehlo.Timeouts(content=0.02))
        wire = cast("Wire", pump.transport)
        wire.backlog = 100
        began = asyncio.get_running_loop().time()
        asyncio.get_running_loop().call_later(0.01, setattr, wire, "backlog", 50)
        with pytest.raises(ehlo.Timeout):
            await pump.run(flush(Phase.CONTENT))
        assert asyncio.get_running_loop().time() - began > 0.035

    asyncio.run(main())


def test_the_end_while_octets_are_left() -> None:
    async def main() -> None:
        pump = new_pump()
        cast("Wire", pump.transport).backlog = 100
        asyncio.get_running_loop().call_soon(pump.eof_received)
        with pytest.raises(ehlo.ConnectionLost) as caught:
            await pump.run(flush(Phase.RCPT))
        assert caught.value.phase is Phase.RCPT

    asyncio.run(main())


def test_a_loop_that_reads_ahead_gets_a_buffer_for_each_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Windows proactor fills a buffer while other connections use theirs."""

    async def main() -> None:
        assert new_pump().get_buffer(-1) is new_pump().get_buffer(-1)
        loop = type(asyncio.get_running_loop())
        monkeypatch.setattr(asyncio, "ProactorEventLoop", loop, raising=False)
        assert new_pump().get_buffer(-1) is not new_pump().get_buffer(-1)

    asyncio.run(main())
