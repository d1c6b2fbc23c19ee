"""The limit: clients that replay recorded octets and do nothing with the replies but count them.

Nobody who waits at the same places can be quicker. The blocking one has a plain socket; the
asyncio one has a `BufferedProtocol` and does everything in its callbacks, with one future for the
whole run.
"""

from __future__ import annotations

import asyncio
import socket
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from typing_extensions import override

from benchmarks.loads import CLIENT, SENDER, Job, stuffed
from benchmarks.looping import LoopDriver, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH: Final = 32
"""Messages in one write where nothing is waited for."""

_shared: Final = bytearray(65_536)
"""What all connections read into: it is filled and done with in one step."""


class Step(NamedTuple):
    """Octets to write, and how many replies they bring."""

    octets: bytes
    replies: int


class Recording:
    """The octets of one transaction, cut where the mode waits.

    Attributes:
        ahead: Replies that may be due while more is written.
    """

    def __init__(self, job: Job) -> None:
        content = job.ready
        mail = f"MAIL FROM:<{SENDER}> SIZE={len(content)}\r\n".encode()
        rcpts = [f"RCPT TO:<{recipient}>\r\n".encode() for recipient in job.addressees(0)]
        self._text = Step(stuffed(content) + b".\r\n", 1)
        chunk = Step(b"BDAT %d LAST\r\n" % len(content) + content, 1)
        envelope = Step(b"".join([mail, *rcpts]), 1 + len(rcpts))
        data = Step(b"DATA\r\n", 1)
        self._group = _joined(envelope, data)
        self._by_mode = {
            "lockstep": [Step(mail, 1), *(Step(rcpt, 1) for rcpt in rcpts), data, self._text],
            "data": [self._group, self._text],
            "bdat": [envelope, chunk],
            "chunk": [_joined(envelope, chunk)],
        }
        self._mode = job.mode
        self.ahead = _BATCH * (2 + len(rcpts)) if job.mode == "stream" else 0

    def steps(self, count: int) -> Iterator[Step]:
        """Return the steps of a number of transactions."""
        if self._mode == "group":
            yield self._group
            yield from repeat(_joined(self._text, self._group), count - 1)
            yield self._text
        elif self._mode == "stream":
            yield from self._stream(count)
        else:
            for _ in range(count):
                yield from self._by_mode[self._mode]

    def _stream(self, count: int) -> Iterator[Step]:
        (one,) = self._by_mode["chunk"]
        batch, rest = divmod(count, _BATCH)
        yield from repeat(_joined(*[one] * _BATCH), batch)
        yield from repeat(one, rest)


def _joined(*steps: Step) -> Step:
    return Step(b"".join(step.octets for step in steps), sum(step.replies for step in steps))


class BlockingLimit:
    """Replays on a blocking socket."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._recording = Recording(job)
        self._buffer = bytearray(65_536)

    def open(self) -> None:
        self._sock = socket.create_connection((self._job.host, self._job.port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._receive(1)
        self._sock.sendall(f"EHLO {CLIENT}\r\n".encode())
        while b"\n250 " not in self._sock.recv(4096):
            pass

    def _receive(self, due: int, ahead: int = 0) -> int:
        sock, buffer = self._sock, self._buffer
        while due > ahead:
            due -= buffer.count(b"\n", 0, sock.recv_into(buffer))
        return due

    def run(self, count: int) -> None:
        sendall, receive, ahead = self._sock.sendall, self._receive, self._recording.ahead
        due = 0
        for octets, replies in self._recording.steps(count):
            sendall(octets)
            due = receive(due + replies, ahead)
        receive(due)

    def close(self) -> None:
        self._sock.close()


class _Replay(asyncio.BufferedProtocol):
    transport: asyncio.Transport

    def __init__(self, recording: Recording, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._recording = recording
        self._due = 0
        self._ahead = 0
        self.start(iter([Step(b"", 1)]))  # the greeting

    def start(self, steps: Iterator[Step]) -> None:
        self._steps = steps
        self.done: asyncio.Future[None] = self._loop.create_future()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.advance()

    async def hello(self, lines: int) -> None:
        await self.done
        self.start(iter([Step(f"EHLO {CLIENT}\r\n".encode(), lines)]))
        self.advance()
        await self.done

    async def replay(self, count: int) -> None:
        self._ahead = self._recording.ahead
        self.start(self._recording.steps(count))
        self.advance()
        await self.done

    def advance(self) -> None:
        while self._due <= self._ahead:
            step = next(self._steps, None)
            if step is None:
                if not self._due and not self.done.done():
                    self.done.set_result(None)
                return
            self.transport.write(step.octets)
            self._due += step.replies

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return _shared

    @override
    def buffer_updated(self, nbytes: int) -> None:
        self._due -= _shared.count(b"\n", 0, nbytes)
        if self._due <= self._ahead:
            self.advance()


def _hello_lines(job: Job) -> int:
    """Count the lines of the reply to EHLO, which only the sink knows."""
    with socket.create_connection((job.host, job.port)) as sock:
        sock.sendall(f"EHLO {CLIENT}\r\nQUIT\r\n".encode())
        with sock.makefile("rb") as stream:
            return sum(1 for line in stream if line.startswith(b"250"))


class AsyncioLimit(LoopDriver):
    """Replays in the callbacks of an event loop."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._recording = Recording(job)
        self._hello_lines = _hello_lines(job)

    @override
    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._protocols = [await self._connect(loop) for _ in range(self.job.connections)]

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _Replay:
        _, protocol = await loop.create_connection(
            lambda: _Replay(self._recording, loop), self.job.host, self.job.port
        )
        await protocol.hello(self._hello_lines)
        return protocol

    @override
    async def send(self, count: int) -> None:
        await asyncio.gather(
            *(protocol.replay(share) for protocol, share in shares(self._protocols, count))
        )

    @override
    async def stop(self) -> None:
        for protocol in self._protocols:
            protocol.transport.close()
