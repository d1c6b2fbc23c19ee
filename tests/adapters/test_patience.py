"""How the blocking pump waits: inside read() where it can, and exactly in any case."""

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from typing_extensions import override

import ehlo
from ehlo.blocking import _pump
from ehlo.blocking._pump import Pump
from ehlo.runtime import Settings


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pump, "_PATIENCE", 0.01)
    monkeypatch.setattr(_pump, "_TIMEVAL", struct.pack("@ll", 0, 10_000))


def pump_on(sock: socket.socket, timeouts: ehlo.Timeouts | None = None) -> Pump:
    link = Settings.of("smtp://127.0.0.1", {}).link(lambda: 0.0)
    return Pump(sock, link, timeouts or ehlo.Timeouts())


def greet(pump: Pump) -> ehlo.Reply:
    return pump.run(ehlo.dialogues.greet(pump.link.connection))


class Dripping(socket.socket):
    """A socket that reads two octets at a time, and tells when it begins to."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.reads = threading.Event()

    @override
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        self.reads.set()
        return super().recv(2, flags)


class Stubborn(Dripping):
    """A socket that has no deadline of its own."""

    @override
    def setsockopt(self, *_: object) -> None:
        raise OSError


@pytest.mark.parametrize("kind", [Dripping, Stubborn])
@pytest.mark.parametrize("seconds", [None, 60])
def test_a_reply_that_drips(
    pair: tuple[socket.socket, socket.socket], kind: type[Dripping], seconds: float | None
) -> None:
    ours, theirs = pair
    theirs.sendall(b"220 hello\r\n")
    with kind(ours) as sock:
        assert greet(pump_on(sock, ehlo.Timeouts(greeting=seconds))).code == 220


def test_a_socket_of_somebody_elses_making_never_blocks(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "__module__", "gevent.socket")
    ours, theirs = pair
    pump = pump_on(ours)
    assert ours.gettimeout() == 0
    theirs.sendall(b"220 hello\r\n")
    assert greet(pump).code == 220


@pytest.mark.parametrize("seconds", [0.005, 0.02])
def test_silence_is_timed_whoever_waits(
    pair: tuple[socket.socket, socket.socket], seconds: float
) -> None:
    pump = pump_on(pair[0], ehlo.Timeouts(greeting=seconds))
    begun = pump.clock()
    with pytest.raises(ehlo.Timeout, match=f"within {seconds} seconds"):
        greet(pump)
    assert pump.clock() - begun >= seconds


def test_closing_wakes_whoever_waits(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pump, "_TIMEVAL", struct.pack("@ll", 60, 0))
    with Dripping(pair[0]) as sock, ThreadPoolExecutor(1) as threads:
        pump = pump_on(sock)
        waiting = threads.submit(greet, pump)
        assert sock.reads.wait(10)
        pump.close()
        with pytest.raises(ehlo.ConnectionLost):
            waiting.result(10)
