"""The corners of the blocking pump: patience, deadlines that are none, a thread that closes."""

import socket
import struct
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from typing_extensions import override

import ehlo
import ehlo.blocking
from ehlo.blocking import _pump as module
from ehlo.blocking._pump import Pump
from ehlo.dialogues import AsyncSource, Dialogue, Fetch, Flush, perform
from ehlo.phase import Phase
from ehlo.runtime.options import Settings
from ehlo.testing import Server, ServerOptions, Silence

TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
NEVER = ehlo.Timeouts(command=None)


class Impatient(socket.socket):
    """A socket whose system knows no deadline for reads."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())

    @override
    def setsockopt(self, *args: object) -> None:
        raise OSError


@contextmanager
def greeted(
    timeouts: ehlo.Timeouts | None = None, kind: type[socket.socket] | None = None
) -> Iterator[tuple[Pump, socket.socket]]:
    """Provide a pump whose server has greeted, and the server's end."""
    ours, theirs = socket.socketpair()
    if kind is not None:
        ours = kind(ours)  # type: ignore[arg-type]
    with ours, theirs:
        link = Settings.of("smtp://127.0.0.1", {}).link(lambda: 0.0)
        pump = Pump(ours, link, timeouts or ehlo.Timeouts())
        theirs.sendall(b"220 hi\r\n")
        pump.run(ehlo.dialogues.greet(link.connection))
        yield pump, theirs


def noop(pump: Pump) -> int:
    return pump.run(perform(pump.link.connection, ehlo.commands.Noop())).code


def flush() -> Dialogue[None]:
    yield Flush(Phase.RCPT)


@contextmanager
def answering_late(theirs: socket.socket) -> Iterator[None]:
    """Answer a command a moment after it came."""

    def answer() -> None:
        theirs.recv(100)
        threading.Event().wait(0.02)
        theirs.sendall(b"250 at last\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("timeouts", [None, NEVER])
def test_a_reply_that_takes_its_time(
    platform: str, timeouts: ehlo.Timeouts | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a patient read lasts, and where reads are not patient at all."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(module, "_TIMEVAL", struct.pack("ll", 0, 1000))
    with greeted(timeouts) as (pump, theirs), answering_late(theirs):
        assert noop(pump) == 250


@pytest.mark.parametrize("timeouts", [None, NEVER])
def test_a_system_that_knows_no_deadline_for_reads(timeouts: ehlo.Timeouts | None) -> None:
    with greeted(timeouts, Impatient) as (pump, theirs), answering_late(theirs):
        assert noop(pump) == 250


def test_the_end_comes_while_nothing_more_is_taken() -> None:
    with greeted() as (pump, theirs):
        pump.link.unsent += b"x" * 10_000_000
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(ehlo.ConnectionLost, match="RCPT"):
            pump.run(flush())
        assert pump.link.connection.is_over


async def pieces() -> AsyncIterator[bytes]:
    yield b"never asked for"


def fetch() -> Dialogue[None]:
    yield Fetch(AsyncSource(pieces()))


def test_a_need_that_must_be_awaited_is_not_met() -> None:
    with greeted() as (pump, _):
        with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
            pump.run(fetch())


def test_content_that_must_be_awaited_is_for_event_loops() -> None:
    with Server() as server, ehlo.blocking.connect(server.url) as session:
        with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
            session.send(pieces(), envelope=TO_BOB)
        assert not server.messages


def test_a_session_that_another_thread_closes() -> None:
    """The one that waits for the server is woken."""
    caught: list[Exception] = []

    def wait(session: ehlo.blocking.Session) -> None:
        try:
            session.noop()
        except ehlo.SMTPError as exc:
            caught.append(exc)

    with Server(ServerOptions(answers={"NOOP": Silence()})) as server:
        session = ehlo.blocking.connect(server.url)
        thread = threading.Thread(target=wait, args=(session,))
        thread.start()
        server.wait_for_commands(2)
        session.close()
        thread.join()
    (error,) = caught
    assert isinstance(error, ehlo.ConnectionLost)
