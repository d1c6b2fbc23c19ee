"""Both adapters behind one synchronous face, so that a test is written once and runs in both."""

import asyncio
import inspect
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

import pytest
from typing_extensions import override

import ehlo
import ehlo.asyncio
import ehlo.blocking

ADAPTERS = os.environ.get("EHLO_TEST_ADAPTERS", "blocking,asyncio").split(",")
"""What runs the scenarios: `uvloop` is `ehlo.asyncio` on an event loop of another make."""


class Colour(Protocol):
    """An adapter: `ehlo.blocking`, or `ehlo.asyncio` run to the end at each call."""

    name: str

    def connect(self, server: Any, **options: Any) -> Any: ...

    def send(self, message: Any, server: Any, **options: Any) -> ehlo.Receipt: ...

    def send_many(self, messages: Any, server: Any, **options: Any) -> Iterator[ehlo.Result]: ...

    def client(self, server: Any, **options: Any) -> AbstractContextManager[Any]: ...

    def together(self, client: Any, items: list[Any], **options: Any) -> list[Any]: ...

    def tick(self) -> None: ...


class Blocking:
    name = "blocking"

    def connect(self, server: Any, **options: Any) -> Any:
        return ehlo.blocking.connect(server, **options)

    def send(self, message: Any, server: Any, **options: Any) -> ehlo.Receipt:
        return ehlo.blocking.send(message, server, **options)

    def send_many(self, messages: Any, server: Any, **options: Any) -> Iterator[ehlo.Result]:
        return ehlo.blocking.send_many(messages, server, **options)

    def client(self, server: Any, **options: Any) -> AbstractContextManager[Any]:
        return ehlo.blocking.Client(server, **options)

    def together(self, client: Any, items: list[Any], **options: Any) -> list[Any]:
        """Send messages, each in a thread of its own; return the receipts and errors."""

        def send(item: Any) -> Any:
            try:
                return client.send(item[0], envelope=item[1], **options)
            except Exception as error:  # noqa: BLE001 - for the test
                return error

        with ThreadPoolExecutor(len(items)) as pool:
            return list(pool.map(send, items))

    def tick(self) -> None:
        """Wait until the clock has gone on."""
        before = time.monotonic()
        while time.monotonic() == before:
            pass


class Asyncio:
    name = "asyncio"

    def __init__(self, runner: asyncio.Runner) -> None:
        self.run = runner.run

    def connect(self, server: Any, **options: Any) -> Any:
        async def connect() -> Any:
            return await ehlo.asyncio.connect(server, **options)

        return Synchronous(self.run(connect()), self.run)

    def send(self, message: Any, server: Any, **options: Any) -> ehlo.Receipt:
        return self.run(ehlo.asyncio.send(message, server, **options))

    def send_many(self, messages: Any, server: Any, **options: Any) -> Iterator[ehlo.Result]:
        async def begin() -> AsyncIterator[ehlo.Result]:
            return ehlo.asyncio.send_many(messages, server, **options)

        return stepped(self.run(begin()), self.run)

    @contextmanager
    def client(self, server: Any, **options: Any) -> Iterator[Any]:
        client = SynchronousClient(ehlo.asyncio.Client(server, **options), self.run)
        try:
            yield client
        finally:
            client.close()

    def together(self, client: Any, items: list[Any], **options: Any) -> list[Any]:
        """Send messages, each in a task of its own; return the receipts and errors."""

        async def send() -> list[Any]:
            sending = [
                client.client.send(message, envelope=envelope, **options)
                for message, envelope in items
            ]
            return await asyncio.gather(*sending, return_exceptions=True)

        return self.run(send())

    def tick(self) -> None:
        """Wait until the clock of the event loop has gone on: uvloop's takes a millisecond."""

        async def tick() -> None:
            loop = asyncio.get_running_loop()
            before = loop.time()
            while loop.time() == before:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0)

        self.run(tick())


class Synchronous:
    """A session of `ehlo.asyncio` whose methods are run to their end."""

    def __init__(self, session: ehlo.asyncio.Session, run: Callable[[Any], Any]) -> None:
        self._session = session
        self._run = run

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._session, name)
        if not inspect.iscoroutinefunction(member):
            return member
        return lambda *args, **kwargs: self._run(member(*args, **kwargs))

    def send_many(self, messages: Any, **options: Any) -> Iterator[ehlo.Result]:
        return stepped(self._session.send_many(messages, **options), self._run)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, exc: Any, traceback: Any) -> None:  # noqa: PYI036
        self._run(self._session.__aexit__(kind, exc, traceback))


class SynchronousClient:
    """A client of `ehlo.asyncio` whose methods are run to their end."""

    def __init__(self, client: ehlo.asyncio.Client, run: Callable[[Any], Any]) -> None:
        self.client = client
        self._run = run

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.client, name)
        if not inspect.iscoroutinefunction(member):
            return member
        return lambda *args, **kwargs: self._run(member(*args, **kwargs))

    def send_many(self, messages: Any, **options: Any) -> Iterator[ehlo.Result]:
        async def begin() -> AsyncIterator[ehlo.Result]:
            return self.client.send_many(messages, **options)

        return stepped(self._run(begin()), self._run)

    @contextmanager
    def session(self) -> Iterator[Any]:
        context = self.client.session()
        session = self._run(context.__aenter__())
        try:
            yield Synchronous(session, self._run)
        except BaseException as error:
            self._run(context.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self._run(context.__aexit__(None, None, None))


def stepped(results: AsyncIterator[Any], run: Callable[[Any], Any]) -> Iterator[Any]:
    """Iterate over what is asynchronous, one run of the loop for each item."""

    async def step() -> Any:
        return await anext(results)

    try:
        while True:
            try:
                item = run(step())
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(results.aclose())  # type: ignore[attr-defined]  # an async generator has it


@contextmanager
def colour(name: str) -> Iterator[Colour]:
    """Provide an adapter by its name."""
    if name == "blocking":
        yield Blocking()
        return
    factory = uvloops() if name == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        yield Asyncio(runner)


def uvloops() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes loops of uvloop; the test is skipped where it is not to be had."""
    if sys.platform == "win32" or sys.implementation.name != "cpython":
        pytest.skip("there is no uvloop here")
    import uvloop  # noqa: PLC0415 - not everywhere

    class Loop(uvloop.Loop):
        """One that looks names up where the tests answer."""

        @override
        async def getaddrinfo(self, *args: Any, **more: Any) -> Any:
            look_up = partial(socket.getaddrinfo, *args, **more)
            return await self.run_in_executor(None, look_up)

    return Loop
