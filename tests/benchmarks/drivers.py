"""`ehlo` itself, both adapters, all modes; what this version cannot do yet says so."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

import ehlo.asyncio
import ehlo.blocking
from benchmarks.loads import CLIENT, SENDER, Job
from benchmarks.looping import LoopDriver, shares
from benchmarks.peers import on_all

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextlib import AbstractContextManager

_PIECE: Final = 65_536
_LEVELS: Final = {
    "lockstep": "transaction",  # the sink offers no PIPELINING
    "data": "transaction",
    "bdat": "transaction",
    "chunk": "continuous",
    "group": "continuous",
    "stream": "continuous",
}
"""The option `pipelining` of each mode."""

_DEPTH: Final = 32
MANY: Final = {"group", "stream"}
"""The modes that hand over many messages together."""


class NotAvailableError(Exception):
    """This version of `ehlo` cannot do that."""


def _options(job: Job) -> dict[str, Any]:
    level = _LEVELS[job.mode]
    if level not in set(ehlo.Pipelining):
        raise NotAvailableError(f"there is no pipelining={level!r}")
    return {"name": CLIENT, "pipelining": level}


def _send_options(job: Job) -> dict[str, Any]:
    return {} if job.on_refusal == "abort" else {"on_refusal": job.on_refusal}


def _check(job: Job, session: type) -> None:
    if job.mode in MANY and not hasattr(session, "send_many"):
        raise NotAvailableError("sessions have no send_many")


def _envelope(job: Job, number: int) -> ehlo.Envelope:
    return ehlo.Envelope(SENDER, job.addressees(number))


def _pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _opened(job: Job) -> AbstractContextManager[Any]:
    """Return the content that is not in memory: an open file, or an iterable of pieces."""
    if job.source == "file":
        return Path(job.path).open("rb")
    return nullcontext(_pieces(job.path))


@contextmanager
def _content_guard(job: Job) -> Iterator[None]:
    """Turn the refusal of a kind of content into `NotAvailableError`."""
    try:
        yield
    except (TypeError, AttributeError, ehlo.InvalidInput) as exc:
        if job.source == "memory":
            raise
        raise NotAvailableError(f"send takes no content from {job.source}: {exc}") from exc


class Blocking:
    """`ehlo.blocking`, given octets."""

    def __init__(self, job: Job) -> None:
        self.job = job
        _check(job, ehlo.blocking.Session)
        self._options = _options(job)
        self._more = _send_options(job)

    def open(self) -> None:
        url = f"smtp://{self.job.host}:{self.job.port}"
        self._sessions: list[Any] = [
            ehlo.blocking.connect(url, tls="none", **self._options)
            for _ in range(self.job.connections)
        ]

    def run(self, count: int) -> None:
        with _content_guard(self.job):
            on_all(self._sessions, count, self._method())

    def _method(self) -> Callable[[Any, int], None]:
        if self.job.source != "memory":
            return self._each_opened
        return self._many if self.job.mode in MANY else self._each

    def _each(self, session: Any, count: int) -> None:
        job, content = self.job, self.job.ready
        for number in range(count):
            session.send(content, envelope=_envelope(job, number), **self._more)

    def _each_opened(self, session: Any, count: int) -> None:
        job = self.job
        for number in range(count):
            with _opened(job) as content:
                session.send(content, envelope=_envelope(job, number), **self._more)

    def _many(self, session: Any, count: int) -> None:
        job = self.job
        # A sequence: nobody has to wait for the next message, so several are written at once.
        pairs = [(job.ready, _envelope(job, number)) for number in range(count)]
        for result in session.send_many(pairs, depth=_DEPTH, **self._more):
            _accepted(result)

    def close(self) -> None:
        for session in self._sessions:
            session.close()


class BlockingMessage(Blocking):
    """`ehlo.blocking`, given an `EmailMessage`."""

    @override
    def _each(self, session: Any, count: int) -> None:
        message, job = self.job.parsed(), self.job
        for number in range(count):
            session.send(message, envelope=_envelope(job, number), **self._more)


class Asyncio(LoopDriver):
    """`ehlo.asyncio`, given octets."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        _check(job, ehlo.asyncio.Session)
        self._options = _options(job)
        self._more = _send_options(job)

    @override
    async def start(self) -> None:
        url = f"smtp://{self.job.host}:{self.job.port}"
        self._sessions: list[Any] = [
            await ehlo.asyncio.connect(url, tls="none", **self._options)
            for _ in range(self.job.connections)
        ]

    @override
    async def send(self, count: int) -> None:
        with _content_guard(self.job):
            await self._send(count, self._method())

    def _method(self) -> Callable[[Any, int], Coroutine[Any, Any, None]]:
        if self.job.source != "memory":
            return self._each_opened
        return self._many if self.job.mode in MANY else self._each

    async def _send(
        self, count: int, method: Callable[[Any, int], Coroutine[Any, Any, None]]
    ) -> None:
        if len(self._sessions) == 1:
            await method(self._sessions[0], count)
        else:
            pairs = shares(self._sessions, count)
            await asyncio.gather(*(method(session, share) for session, share in pairs))

    async def _each(self, session: Any, count: int) -> None:
        job, content = self.job, self.job.ready
        for number in range(count):
            await session.send(content, envelope=_envelope(job, number), **self._more)

    async def _each_opened(self, session: Any, count: int) -> None:
        job = self.job
        for number in range(count):
            with _opened(job) as content:
                await session.send(content, envelope=_envelope(job, number), **self._more)

    async def _many(self, session: Any, count: int) -> None:
        job = self.job
        # A sequence: nobody has to wait for the next message, so several are written at once.
        pairs = [(job.ready, _envelope(job, number)) for number in range(count)]
        async for result in session.send_many(pairs, depth=_DEPTH, **self._more):
            _accepted(result)

    @override
    async def stop(self) -> None:
        for session in self._sessions:
            await session.close()


class AsyncioMessage(Asyncio):
    """`ehlo.asyncio`, given an `EmailMessage`."""

    @override
    async def _each(self, session: Any, count: int) -> None:
        message, job = self.job.parsed(), self.job
        for number in range(count):
            await session.send(message, envelope=_envelope(job, number), **self._more)


class BlockingClient(Blocking):
    """`ehlo.blocking.Client`, given octets, used by as many threads as it has connections."""

    @override
    def open(self) -> None:
        self._client = ehlo.blocking.Client(
            f"smtp://{self.job.host}:{self.job.port}",
            tls="none",
            **_pool(self.job),
            **self._options,
        )
        with ExitStack() as borrowed:  # all at once, so that each has one of its own
            for _ in range(self.job.connections):
                borrowed.enter_context(self._client.session())
        self._sessions = [self._client] * (1 if self.job.mode in MANY else self.job.connections)

    @override
    def close(self) -> None:
        self._client.close()


class AsyncioClient(Asyncio):
    """`ehlo.asyncio.Client`, given octets, used by as many tasks as it has connections."""

    @override
    async def start(self) -> None:
        self._client = ehlo.asyncio.Client(
            f"smtp://{self.job.host}:{self.job.port}",
            tls="none",
            **_pool(self.job),
            **self._options,
        )
        async with AsyncExitStack() as borrowed:  # all at once, so that each has one of its own
            for _ in range(self.job.connections):
                await borrowed.enter_async_context(self._client.session())
        self._sessions = [self._client] * (1 if self.job.mode in MANY else self.job.connections)

    @override
    async def stop(self) -> None:
        await self._client.close()


def _pool(job: Job) -> dict[str, Any]:
    """Return the options of a client that keeps its connections for as long as it is measured."""
    return {"max_connections": job.connections, "max_messages": None, "max_age": None}


def _accepted(result: object) -> None:
    """Look at a result as a caller would, so that this is paid for."""
    if isinstance(result, BaseException):
        raise result
