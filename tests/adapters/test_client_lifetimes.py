"""Clients across event loops, threads, forks and the end of the interpreter (C2, C4)."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo.pool.slots import Lease, Sleeper, Slot
from ehlo.testing import Close, Server, ServerOptions
from support.colours import uvloops

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
CONTENT: Final = b"Subject: Notes\r\n\r\nPlain words.\r\n"
HEAD: Final = """
    import asyncio, os, sys, threading
    import ehlo, ehlo.asyncio, ehlo.blocking
    URL, CONTENT = sys.argv[1], b"Subject: Notes\\r\\n\\r\\nPlain words.\\r\\n"
    TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def verbs(server: Server) -> list[str]:
    return [command.verb for command in server.commands]


async def send(client: ehlo.asyncio.Client) -> None:
    await client.send(CONTENT, envelope=TO_BOB)


def run(code: str, server: Server) -> str:
    """Run a program in an interpreter that complains of everything; return what it says."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error",
            "-c",
            textwrap.dedent(HEAD + code),
            server.url,
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + _SLOW.sub("", done.stderr)


_SLOW: Final = re.compile(r"^Executing .* took [\d.]+ seconds\n", re.MULTILINE)
"""What asyncio says in its development mode of a machine that has other things to do as well."""


# -- Event loops ---------------------------------------------------------------------------------


def test_each_event_loop_has_connections_of_its_own(server: Server) -> None:
    client = ehlo.asyncio.Client(server.url)
    for _ in range(3):
        asyncio.run(send(client))
    assert server.connections == 3
    assert verbs(server).count("QUIT") == 3
    assert client.stats().connections == 0

    async def close() -> None:
        await client.close()

    asyncio.run(close())


def test_a_loop_closes_what_nobody_has_closed(server: Server) -> None:
    """No ResourceWarning, and QUIT is said: `asyncio.run` sees to its generators."""

    async def main() -> None:
        await send(ehlo.asyncio.Client(server.url))

    asyncio.run(main())
    assert verbs(server)[-1] == "QUIT"


def test_two_loops_at_once(server: Server) -> None:
    client = ehlo.asyncio.Client(server.url, max_connections=1)
    ready, closed = threading.Event(), threading.Event()

    async def other() -> None:
        await send(client)
        ready.set()
        await asyncio.to_thread(closed.wait)
        with pytest.raises(ehlo.LocalProtocolError, match="closed"):
            await send(client)

    thread = threading.Thread(target=asyncio.run, args=(other(),))

    async def main() -> None:
        await send(client)
        thread.start()
        await asyncio.to_thread(ready.wait)
        assert client.stats().connections == 2
        await client.close()
        closed.set()

    asyncio.run(main())
    thread.join()
    assert len(server.messages) == 2
    assert verbs(server).count("QUIT") == 2


def test_a_client_that_was_closed_stays_so_in_other_loops(server: Server) -> None:
    client = ehlo.asyncio.Client(server.url)

    async def close() -> None:
        await client.close()

    asyncio.run(close())
    with pytest.raises(ehlo.LocalProtocolError, match="closed"):
        asyncio.run(send(client))


def test_asyncio_goes_on_while_connections_are_closed(server: Server) -> None:
    """Who sends does not wait for QUIT."""

    async def main() -> None:
        async with ehlo.asyncio.Client(server.url, max_messages=1) as client:
            await send(client)
            assert client.stats().connections == 1
            assert client.stats().idle == 0
            await send(client)

    asyncio.run(main())
    assert server.connections == 2


# -- The end of the interpreter ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        """
        client = ehlo.blocking.Client(URL)
        client.send(CONTENT, envelope=TO_BOB)
        """,
        """
        ehlo.blocking.Client(URL).send(CONTENT, envelope=TO_BOB)
        """,
        """
        client = ehlo.asyncio.Client(URL)
        asyncio.run(client.send(CONTENT, envelope=TO_BOB))
        """,
        """
        client = ehlo.blocking.Client(URL)
        results = client.send_many([(CONTENT, TO_BOB)] * 100)
        next(results)
        """,
        """
        async def main():
            global client, results
            client = ehlo.asyncio.Client(URL)
            results = client.send_many([(CONTENT, TO_BOB)] * 100)
            await anext(results)
        asyncio.run(main())
        """,
    ],
    ids=["blocking", "blocking, no name", "asyncio", "blocking, a batch", "asyncio, a batch"],
)
def test_a_program_that_ends_without_closing(server: Server, code: str) -> None:
    """No noise, no hang, and QUIT is said on what is idle."""
    assert run(textwrap.indent(textwrap.dedent(code), "    "), server) == ""
    server.wait_until_idle()
    assert len(server.messages) >= 1
    assert verbs(server)[-1] == "QUIT" or "send_many" in code


# -- Forks ---------------------------------------------------------------------------------------

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@forks
@pytest.mark.slow
@pytest.mark.parametrize(
    "child",
    [
        "client.send(CONTENT, envelope=TO_BOB); client.close()",
        "client.send(CONTENT, envelope=TO_BOB)",
        "pass",
        "client.close()",
    ],
    ids=["sends and closes", "sends", "does nothing", "closes"],
)
def test_a_child_leaves_its_parents_connections_alone(server: Server, child: str) -> None:
    code = f"""
    client = ehlo.blocking.Client(URL)
    client.send(CONTENT, envelope=TO_BOB)
    pid = os.fork()
    if pid == 0:
        {child}
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    for _ in range(3):
        assert client.send(CONTENT, envelope=TO_BOB).failed_attempts == ()
    assert client.stats().opened == 1
    client.close()
    """
    assert run(code, server) == ""
    messages = [message.connection for message in server.messages]
    assert messages.count(1) == 4
    assert server.connections == (2 if "send" in child else 1)


@forks
@pytest.mark.slow
def test_a_child_has_locks_of_its_own(server: Server) -> None:
    """A thread of the parent may hold the pool's lock at the moment of the fork."""
    code = """
    client = ehlo.blocking.Client(URL)
    client.send(CONTENT, envelope=TO_BOB)
    client._pools[os.getpid()]._lock.acquire()
    pid = os.fork()
    if pid == 0:
        client.send(CONTENT, envelope=TO_BOB)
        client.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    client._pools[os.getpid()]._lock.release()
    client.close()
    """
    assert run(code, server) == ""
    assert len(server.messages) == 2


@forks
@pytest.mark.slow
def test_a_child_with_an_event_loop(server: Server) -> None:
    code = """
    client = ehlo.asyncio.Client(URL)
    loop = asyncio.new_event_loop()
    send = lambda: client.send(CONTENT, envelope=TO_BOB)
    loop.run_until_complete(send())
    pid = os.fork()
    if pid == 0:
        asyncio.run(send())
        assert client.stats().opened == 1
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    loop.run_until_complete(send())
    assert client.stats().opened == 1
    loop.run_until_complete(client.close())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    """
    assert run(code, server) == ""
    assert [message.connection for message in server.messages] == [1, 2, 1]


def test_a_finalizer_does_not_wait_for_a_lock_that_nobody_gives_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ehlo.blocking import _pool  # noqa: PLC0415

    monkeypatch.setattr(_pool, "_AT_EXIT_SECONDS", 0.01)
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    pool: Any = client._pools[os.getpid()]
    with pool._lock:  # which its own thread could take again
        thread = threading.Thread(target=pool.hang_up)
        thread.start()
        thread.join()
    assert client.stats().idle == 1
    client.close()


def test_a_child_forgets_its_parents_sockets(server: Server) -> None:
    """As if this process were the child: the sockets are let go without a word."""
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    client._pools[-1] = client._pools.pop(os.getpid())
    client.send(CONTENT, envelope=TO_BOB)
    assert server.connections == 2
    assert client._pools[-1].pool.stats().connections == 1
    client.close()
    server.wait_until_idle()
    assert verbs(server).count("QUIT") == 1


def test_a_client_of_a_parent_at_the_end(server: Server) -> None:
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    client._pools[-1] = client._pools.pop(os.getpid())
    del client
    server.wait_until_idle()
    assert "QUIT" not in verbs(server)


# -- Options that only a client has --------------------------------------------------------------


def test_what_only_an_event_loop_can_await_is_refused_at_once() -> None:
    async def token() -> str:
        return "token"

    with pytest.raises(TypeError, match="async"):
        ehlo.blocking.Client("smtps://x", auth=ehlo.OAuth2("user", token))  # type: ignore[arg-type]


def test_quit_has_a_bound_even_if_the_timeouts_have_none(server: Server) -> None:
    timeouts = ehlo.Timeouts(quit=None)
    with ehlo.blocking.Client(server.url, timeouts=timeouts) as client:
        client.send(CONTENT, envelope=TO_BOB)
    assert verbs(server)[-1] == "QUIT"


def test_encrypted_and_authenticated_events() -> None:
    from ehlo.pool import Authenticated, Connected, Encrypted, Opened  # noqa: PLC0415
    from support.secrets import PASSWORD  # noqa: PLC0415
    from support.tls import client_context, server_context  # noqa: PLC0415

    events: list[Any] = []
    options = ServerOptions(users={"user": PASSWORD})
    with Server(options, tls="implicit", ssl_context=server_context()) as encrypted:
        with ehlo.blocking.Client(
            encrypted.url,
            auth=ehlo.Password("user", PASSWORD),
            ssl_context=client_context(),
            on_event=events.append,
        ) as client:
            client.verify()
    kinds = [type(event) for event in events]
    assert kinds[:4] == [Connected, Encrypted, Authenticated, Opened]
    assert events[1].tls.version.startswith("TLS")
    assert sum(event.seconds for event in events[:3]) <= events[3].seconds


def test_a_log_of_what_happens(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="ehlo")
    with ehlo.blocking.Client(server.url, max_messages=1) as client:
        client.send(CONTENT, envelope=TO_BOB)
    lines = [line for line in caplog.messages if line.startswith("client: ")]
    assert [line.split(", ")[1] for line in lines] == ["Connected", "Opened", "Sent", "Discarded"]
    assert lines[0].startswith(f"client: connection 1, Connected, to {server.host}:{server.port}, ")
    assert lines[-1].endswith(" s, max-messages")


def test_a_log_of_what_goes_wrong(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="ehlo")
    with Server(ServerOptions(answers={"MAIL": Close()})) as closing:
        with ehlo.blocking.Client(closing.url, retries=1) as client:
            with pytest.raises(ehlo.ConnectionLost):
                client.send(CONTENT, envelope=TO_BOB)
    lines = [line for line in caplog.messages if line.startswith("client: ")]
    assert "client: connection 1, Retrying, ConnectionLost" in lines
    assert any(line.startswith("client: connection 2, Failed, ") for line in lines)


def test_a_client_that_nobody_has_any_more(server: Server) -> None:
    """QUIT is said, and not waited for."""
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    del client
    server.wait_until_idle()
    assert verbs(server)[-1] == "QUIT"


def test_who_is_awake_does_not_sleep(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeper = Sleeper()
    sleeper.wake()
    client = ehlo.asyncio.Client(server.url)

    async def main() -> None:
        here = await client._here()
        await here.wait(sleeper)

    asyncio.run(main())
    blocking = ehlo.blocking.Client(server.url)._here()
    blocking.wait(sleeper)
    monkeypatch.setattr("ehlo.blocking._pool._NAP", 0.001)
    until = blocking.clock() + 0.01
    blocking.wait(Sleeper(), until)  # in several pieces
    assert blocking.clock() >= until
    assert sleeper.waker is None


def test_a_bell_may_be_rung_twice() -> None:
    from ehlo.blocking._pool import _Bell  # noqa: PLC0415

    bell = _Bell()
    bell.ring()
    bell.ring()
    assert bell.is_rung(0)
    assert not bell.is_rung(0)


def test_what_is_the_parents_is_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this process were a child that goes on with the loop of its parent."""
    client = ehlo.asyncio.Client(server.url)
    pid = os.getpid()

    async def main() -> None:
        here = await client._here()
        await send(client)
        assert here._keeper is not None
        monkeypatch.setattr(os, "getpid", lambda: pid + 1)
        await here._keeper.aclose()
        assert here.pool.stats().idle == 1
        monkeypatch.undo()
        await client.close()

    asyncio.run(main())


def test_what_another_thread_closes_is_left_to_it(server: Server) -> None:
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    here = client._here()
    here.pool.close()
    [departure] = here.pool.departures()
    assert here.pool.claim(departure.slot, "another")
    here.tidy()
    assert here.pool.departures() == [departure]
    departure.slot.parting = None
    client.close()
    assert client.stats().connections == 0


def test_what_is_not_there_is_not_broken_off(server: Server) -> None:
    pool = ehlo.blocking.Client(server.url)._here()
    lease = Lease()
    pool.break_off(lease)
    lease.slot = Slot(1, 0, 0.0)
    pool.break_off(lease)
    assert not server.connections


def test_a_crew_at_the_end_of_the_interpreter(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads do not go on then, so nobody waits for them."""
    from ehlo.blocking._client import _Crew  # noqa: PLC0415
    from ehlo.pool.dispatch import Dispatch, Order  # noqa: PLC0415

    client = ehlo.blocking.Client(server.url)
    here = client._here()
    dispatch: Dispatch[Any] = Dispatch(
        here.way, lambda item: item, order=Order.SOURCE, workers=1, depth=1
    )
    crew = _Crew(here, dispatch, None, 1)
    pid = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "is_finalizing", lambda: True)
        crew.finish()
        crew.dismiss()
        assert not dispatch.is_stopped
    crew.require_threads()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid + 1)
        with pytest.raises(ehlo.LocalProtocolError, match="parent"):
            crew.require_threads()
    crew._workers.append((threading.Thread(), Lease()))  # Ctrl-C came before it was started
    crew.dismiss()
    assert dispatch.is_stopped


def test_a_borrowed_connection_is_left_alone_by_a_child(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ehlo.blocking.Client(server.url, max_messages=1)
    borrowed = client.session()
    session = borrowed.__enter__()
    session.send(CONTENT, envelope=TO_BOB)
    pid = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid + 1)
        borrowed.__exit__(None, None, None)
    assert (client.stats().connections, client.stats().idle) == (1, 0)
    assert session.noop().code == 250
    session.close()
    client.close()


def test_a_connection_borrowed_by_a_task_is_left_alone_by_a_child(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        client = ehlo.asyncio.Client(server.url, max_messages=1)
        borrowed = client.session()
        session = await borrowed.__aenter__()
        await session.send(CONTENT, envelope=TO_BOB)
        pid = os.getpid()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: pid + 1)
            await borrowed.__aexit__(None, None, None)
        assert (client.stats().connections, client.stats().idle) == (1, 0)
        assert (await session.noop()).code == 250
        await session.close()
        await client.close()

    asyncio.run(main())


def test_an_async_source_that_fails(server: Server) -> None:
    async def source() -> AsyncIterator[tuple[bytes, ehlo.Envelope]]:
        yield CONTENT, TO_BOB
        raise ZeroDivisionError

    async def main() -> None:
        async with ehlo.asyncio.Client(server.url) as client:
            results = client.send_many(source())
            assert (await anext(results)).error is None
            with pytest.raises(ZeroDivisionError):
                await anext(results)

    asyncio.run(main())


def test_the_numbers_of_loops_that_are_over_are_kept(server: Server) -> None:
    client = ehlo.asyncio.Client(server.url)
    for number in range(1, 4):
        asyncio.run(send(client))
        assert client.stats().sent == client.stats().opened == number
    assert client.stats().connections <= 1


def test_closed_in_another_loop_than_the_one_that_has_connections(server: Server) -> None:
    client = ehlo.asyncio.Client(server.url)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(send(client))
        second.run(client.close())
        with pytest.raises(ehlo.LocalProtocolError, match="closed"):
            first.run(send(client))
    assert verbs(server)[-1] == "QUIT"


def test_a_child_that_was_forked_amid_a_batch(server: Server) -> None:
    """It has none of the threads, and ends the iterator without waiting for them, or for a lock."""
    code = """
    client = ehlo.blocking.Client(URL)
    sending = client.send_many([(CONTENT, TO_BOB)] * 20)
    next(sending)
    taken, done = threading.Event(), threading.Event()
    def take():
        with client._pools[os.getpid()]._lock:
            taken.set()
            done.wait()
    taker = threading.Thread(target=take)
    taker.start()
    taken.wait()
    pid = os.fork()
    if pid == 0:
        try:
            list(sending)
        except ehlo.LocalProtocolError:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    pid = os.fork()
    if pid == 0:
        sending.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    done.set()
    taker.join()
    assert len(list(sending)) == 19
    client.close()
    """
    assert run(code, server) == ""
    assert len(server.messages) == 20


def test_a_child_that_was_forked_while_a_connection_was_borrowed(server: Server) -> None:
    """It leaves the connection alone, and asks for no lock."""
    code = """
    client = ehlo.blocking.Client(URL, max_messages=1)
    taken, done = threading.Event(), threading.Event()
    def take():
        with client._pools[os.getpid()]._lock:
            taken.set()
            done.wait()
    try:
        with client.session() as session:
            session.send(CONTENT, envelope=TO_BOB)
            taker = threading.Thread(target=take)
            taker.start()
            taken.wait()
            pid = os.fork()
            if pid == 0:
                raise ZeroDivisionError
            assert os.waitpid(pid, 0)[1] == 0
            done.set()
            taker.join()
            assert session.noop().code == 250
    except ZeroDivisionError:
        os._exit(0)
    client.close()
    """
    assert run(code, server) == ""
    assert verbs(server)[-2:] == ["NOOP", "QUIT"]


def test_a_child_that_ends_the_loop_of_its_parent(server: Server) -> None:
    """The generator that closes a pool with its loop is the parent's."""
    code = """
    client = ehlo.asyncio.Client(URL)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.send(CONTENT, envelope=TO_BOB))
    pid = os.fork()
    if pid == 0:
        loop.run_until_complete(loop.shutdown_asyncgens())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    loop.run_until_complete(client.send(CONTENT, envelope=TO_BOB))
    loop.run_until_complete(client.close())
    loop.close()
    """
    assert run(code, server) == ""
    assert [message.connection for message in server.messages] == [1, 1]


def test_a_signal_handler_may_close_the_client(server: Server) -> None:
    """Whatever its thread was amid: its lock can be taken again."""
    client = ehlo.blocking.Client(server.url)
    client.send(CONTENT, envelope=TO_BOB)
    pool: Any = client._pools[os.getpid()]
    with pool._lock:
        client.close()
    assert client.stats().connections == 0


def test_uvloop(server: Server) -> None:
    """An event loop of another make closes what nobody has closed."""

    async def main() -> None:
        client = ehlo.asyncio.Client(server.url, max_connections=2)
        await asyncio.gather(*[send(client) for _ in range(10)])
        results = [result async for result in client.send_many([(CONTENT, TO_BOB)] * 10)]
        assert all(result.error is None for result in results)

    with asyncio.Runner(loop_factory=uvloops()) as runner:
        runner.run(main())
    assert len(server.messages) == 20
    assert verbs(server)[-1] == "QUIT"
