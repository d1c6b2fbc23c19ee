"""Clients whose users are cancelled at every await, or interrupted at every line (C1, C2)."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Reply
from ehlo.commands import Verb
from ehlo.testing import (
    Answer,
    Close,
    InTurn,
    ReceivedCommand,
    Server,
    ServerOptions,
    Silence,
    Situation,
    Usual,
)
from support.cancelling import at_every_await, interrupted_at

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
CONTENT: Final = b"Subject: Notes\r\n\r\nPlain words.\r\n"
MAIL: Final = (CONTENT, TO_BOB)
FLAKY: Final[dict[str, Any]] = {"MAIL": InTurn(Close(), Usual())}
REFUSING: Final[dict[str, Any]] = {
    Verb.GREETING: InTurn((Reply.of(421, "4.7.0 Busy"), Close()), Usual())
}

Use = Callable[[ehlo.asyncio.Client], Any]


async def send(client: ehlo.asyncio.Client) -> None:
    await client.send(CONTENT, envelope=TO_BOB)


async def send_twice(client: ehlo.asyncio.Client) -> None:
    await send(client)
    await send(client)


async def send_at_once(client: ehlo.asyncio.Client) -> None:
    """One of those who send is cancelled; the others are not."""
    before = [asyncio.ensure_future(send(client)) for _ in range(3)]
    await asyncio.sleep(0)
    mine = asyncio.ensure_future(send(client))
    behind = [asyncio.ensure_future(send(client)) for _ in range(3)]
    mine.cancel()
    try:
        await send(client)
    finally:
        await asyncio.gather(*before, *behind)


async def send_many(client: ehlo.asyncio.Client) -> None:
    async for _ in client.send_many([MAIL] * 12):
        pass


async def send_many_awaited(client: ehlo.asyncio.Client) -> None:
    async def source() -> AsyncIterator[tuple[bytes, ehlo.Envelope]]:
        for _ in range(6):
            await asyncio.sleep(0)
            yield MAIL

    async for _ in client.send_many(source(), order="completion"):
        pass


async def leave_early(client: ehlo.asyncio.Client) -> None:
    sending = client.send_many([MAIL] * 12)
    await anext(sending)
    await sending.aclose()


async def verify(client: ehlo.asyncio.Client) -> None:
    await client.verify()
    await client.verify()


async def borrow(client: ehlo.asyncio.Client) -> None:
    async with client.session() as session:
        await session.noop()
        await session.send(CONTENT, envelope=TO_BOB)


async def close(client: ehlo.asyncio.Client) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(send(client))
    await client.close()


USES: Final[dict[str, tuple[Use, dict[str, Any]]]] = {
    "verify": (verify, {}),
    "send": (send, {}),
    "send twice": (send_twice, {}),
    "send, tried again": (send, FLAKY),
    "send, connected again": (send, REFUSING),
    "send, many at once": (send_at_once, {}),
    "send_many": (send_many, {}),
    "send_many, tried again": (send_many, FLAKY),
    "send_many, awaited": (send_many_awaited, {}),
    "send_many, left early": (leave_early, {}),
    "session": (borrow, {}),
    "close": (close, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("use", "answers"), USES.values(), ids=USES)
def test_cancelled_at_every_await(use: Use, answers: dict[str, Any]) -> None:
    """The client works as before, and no task and no socket remains."""

    @asynccontextmanager
    async def make() -> Any:
        with Server(ServerOptions(answers=answers)) as server:
            options: dict[str, Any] = {"max_connections": 2, "backoff": 0.001}
            client = ehlo.asyncio.Client(server.url, **options)
            yield use(client), client
            await client.close()

    async def check(client: ehlo.asyncio.Client) -> None:
        if use is not close:
            await send(client)
            await settled(client)
        await client.close()
        assert client.stats().connections == 0

    assert asyncio.run(at_every_await(make, check)) >= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["send_many", "send_many, tried again", "send_many, awaited", "close"]
)
def test_cancelled_at_every_turn_of_the_loop(name: str) -> None:
    """Whatever its workers are at, which awaits of the caller's alone do not show."""
    use, answers = USES[name]
    turn, goes_on = 0, True
    while goes_on:
        turn += 1 if turn < 30 else 7
        goes_on = asyncio.run(cancelled_behind(turn, use, answers))
    assert turn > 20


async def cancelled_behind(turns: int, use: Use, answers: dict[str, Any]) -> bool:
    """Cancel a use of a client behind so many turns of the event loop; return whether it lasted."""
    with Server(ServerOptions(answers=answers)) as server:
        before = asyncio.all_tasks()
        client = ehlo.asyncio.Client(server.url, max_connections=2, backoff=0.001)
        task = asyncio.ensure_future(use(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_cancelled: bool = task.cancel()
        await asyncio.wait([task])
        if use is not close:
            await send(client)
            await settled(client)
        await client.close()
        assert client.stats().connections == 0
        # What is being closed for others is closed before `close` returns.
        assert asyncio.all_tasks() == before
        if not task.cancelled():
            task.exception()
    return was_cancelled


async def settled(client: ehlo.asyncio.Client) -> None:
    """Wait for the connections that are being closed; nobody has one any more."""
    async with asyncio.timeout(5):
        while (stats := client.stats()).connections != stats.idle:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0)


@pytest.mark.slow
def test_cancelled_while_waiting_for_a_connection() -> None:
    async def main() -> None:
        with Server() as server:
            async with ehlo.asyncio.Client(server.url, max_connections=1) as client:
                async with client.session():
                    waiting = [asyncio.ensure_future(send(client)) for _ in range(3)]
                    await asyncio.sleep(0)
                    assert client.stats().waiting == 3
                    waiting[1].cancel()
                    await asyncio.wait([waiting[1]])
                    assert client.stats().waiting == 2
                await asyncio.gather(waiting[0], waiting[2])
            assert len(server.messages) == 2

    asyncio.run(main())


def test_cancelled_in_the_moment_a_connection_is_granted() -> None:
    """Both happen before the task runs: the connection goes on to the next in line."""

    async def main() -> None:
        with Server() as server:
            async with ehlo.asyncio.Client(server.url, max_connections=1) as client:
                async with client.session():
                    first, second = (asyncio.ensure_future(send(client)) for _ in range(2))
                    await asyncio.sleep(0)
                first.cancel()
                await second
                assert first.cancelled()
                await settled(client)
            assert len(server.messages) == 1
            assert server.connections == 1

    asyncio.run(main())


# -- Ctrl-C --------------------------------------------------------------------------------------


def blocking_send(client: ehlo.blocking.Client) -> None:
    client.send(CONTENT, envelope=TO_BOB)


def blocking_session(client: ehlo.blocking.Client) -> None:
    with client.session() as session:
        session.noop()


def blocking_send_many(client: ehlo.blocking.Client) -> None:
    with closing(client.send_many([MAIL] * 3)) as results:
        for _ in results:
            pass


INTERRUPTED: Final[dict[str, tuple[Callable[[ehlo.blocking.Client], None], int, bool]]] = {
    "send, new": (blocking_send, 0, False),
    "send": (blocking_send, 0, True),
    "send, tried again": (blocking_send, 2, True),
    "session": (blocking_session, 0, True),
    "send_many": (blocking_send_many, 0, True),
}
"""What is interrupted, which MAIL ends a connection, and whether there is one before."""


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("use", "last", "warm"), INTERRUPTED.values(), ids=INTERRUPTED)
def test_interrupted_at_every_line(
    use: Callable[[ehlo.blocking.Client], None], last: int, warm: bool
) -> None:
    """No connection is lost to the others, and the client works as before."""
    turn, goes_on = 0, True
    said: Counter[int] = Counter()

    def answers(command: ReceivedCommand, _situation: Situation) -> Answer | None:
        said[command.connection] += command.verb is Verb.MAIL
        return Close() if said[command.connection] == last > 0 else None

    with Server(ServerOptions(answers=answers)) as server:
        while goes_on:
            turn += 1
            with ehlo.blocking.Client(server.url, max_connections=1) as client:
                if warm:
                    blocking_send(client)
                with interrupted_at(turn) as struck:
                    try:
                        use(client)
                    except KeyboardInterrupt:
                        assert struck
                goes_on = bool(struck)
                blocking_send(client)
                stats = client.stats()
                assert (stats.connections, stats.idle, stats.waiting) == (1, 1, 0), (turn, struck)
    assert turn > 50


def test_ctrl_c_while_the_server_is_silent() -> None:
    """A real signal, in the main thread, amid a send and amid a batch."""
    answers = {"MAIL": InTurn(Silence(), Silence(), Usual())}
    with Server(ServerOptions(answers=answers)) as server:
        with ehlo.blocking.Client(server.url, max_connections=1) as client:
            with after(3, server):
                with pytest.raises(KeyboardInterrupt):
                    blocking_send(client)
            with after(6, server):
                with pytest.raises(KeyboardInterrupt):
                    blocking_send_many(client)
            blocking_send(client)
            assert client.stats().connections == 1
        assert len(server.messages) == 1


def after(commands: int, server: Server) -> Any:
    """Raise SIGINT once so many commands have come.

    It may come between the interpreter's last look and the system call that then sleeps: whoever
    presses Ctrl-C presses it again.
    """
    is_over = threading.Event()

    def interrupt() -> None:
        server.wait_for_commands(commands)
        while True:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            if is_over.wait(3):
                return

    return _Running(threading.Thread(target=interrupt), is_over)


class _Running:
    def __init__(self, thread: threading.Thread, is_over: threading.Event) -> None:
        self._thread = thread
        self._is_over = is_over

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
