"""Both adapters behind one synchronous face, so that a test is written once and runs in both."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import ehlo
import ehlo.asyncio
import ehlo.blocking


class Colour(Protocol):
    """An adapter: `ehlo.blocking`, or `ehlo.asyncio` run to the end at each call."""

    name: str

    def connect(self, server: Any, **options: Any) -> Any: ...

    def send(self, message: Any, server: Any, **options: Any) -> ehlo.Receipt: ...

    def send_many(self, messages: Any, server: Any, **options: Any) -> Iterator[ehlo.Result]: ...


class Blocking:
    name = "blocking"

    def connect(self, server: Any, **options: Any) -> Any:
        return ehlo.blocking.connect(server, **options)

    def send(self, message: Any, server: Any, **options: Any) -> ehlo.Receipt:
        return ehlo.blocking.send(message, server, **options)

    def send_many(self, messages: Any, server: Any, **options: Any) -> Iterator[ehlo.Result]:
        return ehlo.blocking.send_many(messages, server, **options)


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
    with asyncio.Runner() as runner:
        yield Asyncio(runner)
