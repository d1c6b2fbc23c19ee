"""The client that an app shares, on event loops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Sized
from contextlib import asynccontextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from ehlo import dialogues
from ehlo.asyncio._pool import LoopPool, dismissed
from ehlo.asyncio._session import Session
from ehlo.endpoint import read_server
from ehlo.errors import LocalProtocolError
from ehlo.policies import OnRefusal, Pipelining
from ehlo.pool.dispatch import Dispatch, Order, read_order
from ehlo.pool.jobs import Job
from ehlo.pool.plans import Loan, borrow, send
from ehlo.pool.slots import Lease
from ehlo.pool.stats import Stats, total
from ehlo.pool.working import work
from ehlo.runtime.client_settings import ClientSettings, require_function

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from typing_extensions import Unpack

    from ehlo.asyncio._pump import Pump
    from ehlo.asyncio._session import Item
    from ehlo.capabilities import Capabilities
    from ehlo.endpoint import Servers
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.options import ClientOptions, Progress
    from ehlo.receipt import Receipt, Result

__all__ = ["Client"]


class Client:
    """A client that a whole program shares: it keeps connections, and opens them as needed.

    Any number of tasks or threads may use it at once; whoever comes first is served first. It opens
    no connection before it is used, and may be made anywhere, when a module is imported for
    example. A message that was certainly not sent, because a connection broke too early, goes over
    another one; a message that may be out is never sent again.

    Use it as a context manager, or call `close` in the end.

    Args:
        server: A URL such as `smtp+starttls://user:secret@smtp.example.com`, or an `Endpoint`; or
            several, in order of priority: each new connection is tried with the first of them, and
            with the next where that fails for the time being (see `connect`).
        **options: See `ehlo.ClientOptions`; all but `sock`.

    Raises:
        InvalidInput: An argument is wrong.
        TypeError: There is no such option, or its value is of another type.
    """

    def __init__(self, server: Servers, **options: Unpack[ClientOptions]) -> None:
        endpoint = read_server(server)
        del server  # a URL may hold a password, and tracebacks show local variables
        self._settings = ClientSettings.of(endpoint, options)
        # By process as well: a loop that a forked child goes on with has the parent's sockets.
        self._pools: dict[tuple[int, asyncio.AbstractEventLoop], LoopPool] = {}
        self._past = Stats()  # of event loops that are over
        self._lock = Lock()  # event loops may run in several threads
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.close()

    async def send(
        self,
        message: Sendable,
        *,
        envelope: Envelope | None = None,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        progress: Progress | None = None,
    ) -> Receipt:
        """Send one message.

        The timeouts' `total` bounds the call as a whole: waiting for a connection, opening it,
        sending, and trying again.

        Args:
            message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets: in memory, in an
                open binary file, as an iterable or (with `ehlo.asyncio`) async iterable of pieces.
            envelope: Sender and recipients; octets need one, messages have their own.
            on_refusal: What to do if some recipients are refused.
            progress: Is told how many octets of content were sent, of how many if that is known.

        Returns:
            The server's receipt; `failed_attempts` tells of attempts before this one.

        Raises:
            InvalidInput: The message is wrong; nothing was sent.
            DeliveryUnknown: The message was sent to its end, and no valid reply came back.
            LocalProtocolError: The client is closed.
            SMTPError: It was not delivered; see `ehlo.errors`. `failed_attempts` tells of attempts
                before the one that this error is about.
        """
        here = self._pools.get((os.getpid(), asyncio.get_running_loop()))
        if here is None:
            here = await self._here()
        settings, now = self._settings.session, here.clock()
        transaction = settings.transaction(
            message, envelope, on_refusal, clock=here.clock, progress=progress
        )
        job = Job(transaction, now)
        return await here.run(send(here.way, Lease(), job, settings.timeouts.end(now)))

    def send_many(
        self,
        messages: Iterable[Item] | AsyncIterable[Item],
        *,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        order: Order | str = Order.SOURCE,
        depth: int = dialogues.DEPTH,
        progress: Progress | None = None,
    ) -> AsyncGenerator[Result, None]:
        """Send many messages over the client's connections, and tell what became of each.

        A message that fails touches no other, and a connection that fails touches those alone that
        were under way on it. Other users of the client get their turn in between. Messages are
        taken as there is room: no more than twice as many as can be under way are taken and not
        told.

        Args:
            messages: Messages, or pairs of a message and its envelope (octets need one).
            on_refusal: What to do if some recipients of a message are refused.
            order: Whether results are told in the order of the messages or as they become known.
            depth: How many messages may be under way on each connection at continuous level.
            progress: Is told how many messages have their result, of how many if that is known.

        Returns:
            An iterator (with `ehlo.asyncio` an async one) with one `Result` for each message.

        Raises:
            InvalidInput: An argument is wrong; nothing was sent.
            TypeError: It is of another type.
            SMTPError: While iterating: no connection can be had. Each message that was taken has
                got its result.
        """
        dialogues.check_depth(depth)
        if progress is not None:
            require_function("progress", progress)
        loop = asyncio.get_running_loop()
        prepare = self._settings.session.preparing(on_refusal, loop.time)
        return self._results(messages, prepare, read_order(order), depth, progress)

    async def _results(
        self,
        messages: Iterable[Item] | AsyncIterable[Item],
        prepare: Callable[[Item], dialogues.Transaction],
        order: Order,
        depth: int,
        progress: Progress | None,
    ) -> AsyncGenerator[Result, None]:
        here = await self._here()
        settings = self._settings
        is_continuous = settings.session.pipelining is Pipelining.CONTINUOUS
        dispatch: Dispatch[Item] = Dispatch(
            here.way,
            prepare,
            order=order,
            workers=settings.pool.max_connections,
            depth=depth if is_continuous else 1,
        )
        count = len(messages) if isinstance(messages, Sized) else None
        crew = _Crew(here, dispatch, settings.session.timeouts.total, depth)
        source = None if isinstance(messages, AsyncIterable) else iter(messages)
        if isinstance(messages, AsyncIterable):
            crew.fetch(messages)
        try:
            while True:
                result = dispatch.next_result()
                crew.grow()
                if result is not None:
                    if progress is not None:
                        progress(dispatch.told, count)
                    yield result
                elif dispatch.is_done:
                    break
                elif source is not None and dispatch.may_take:
                    dispatch.take_from(source)
                else:
                    await here.wait(dispatch.consumer)
            await crew.finish()
            dispatch.check()
        except (GeneratorExit, Exception):  # left early, or `progress` has raised something
            await crew.finish()
            raise
        finally:
            await crew.dismiss()

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Session, None]:
        """Borrow a connection, for oneself alone.

        It goes back to the others if it is in step then, and nothing was said on it that the next
        user could notice, such as EHLO or AUTH.

        Returns:
            A context manager with the `Session`.

        Raises:
            LocalProtocolError: The client is closed.
            SMTPError: No connection can be had; see `ehlo.errors`.
        """
        here = await self._here()
        lease = Lease(is_paced=False)
        end = self._settings.session.timeouts.end(here.clock())
        try:
            slot = await here.run(borrow(here.way, lease, end, check=False))
            loan = Loan(lease, slot)
            try:
                yield Session(self._settings.session, cast("Pump", slot.carrier))
            finally:
                if not here.is_the_parents:
                    loan.end(here.pool)
        finally:
            if not here.is_the_parents:
                here.pool.interrupted(lease)
                here.tidy()

    async def verify(self) -> Capabilities:
        """Find out whether mail could be sent: connect, encrypt and authenticate, or say NOOP.

        Returns:
            What the server offers.

        Raises:
            LocalProtocolError: The client is closed.
            SMTPError: No mail could be sent; see `ehlo.errors`.
        """
        here = await self._here()
        lease = Lease(is_paced=False)
        end = self._settings.session.timeouts.end(here.clock())
        try:
            slot = await here.run(borrow(here.way, lease, end, check=True))
            return slot.live.capabilities
        finally:
            here.pool.give_back(lease)
            here.tidy()

    def stats(self) -> Stats:
        """Tell how the client stands in this process.

        Returns:
            The numbers.
        """
        with self._lock:
            pools = [pool for (pid, _), pool in self._pools.items() if pid == os.getpid()]
        return total([self._past, *(pool.pool.stats() for pool in pools)])

    async def close(self) -> None:
        """Close the client: whoever asks or waits gets an error, and idle connections say QUIT.

        Messages that are under way come to their end; their connections are closed then. May be
        called again.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            self._is_closed = True
            pools = [pool for (pid, _), pool in self._pools.items() if pid == os.getpid()]
        for pool in pools:
            if pool.loop is loop:
                continue
            if not pool.loop.is_running():
                pool.pool.close()
            with suppress(RuntimeError):  # it was closed a moment ago
                pool.loop.call_soon_threadsafe(_close_soon, pool)
        for pool in pools:
            if pool.loop is loop:
                await pool.close()

    async def _here(self) -> LoopPool:
        """Return the pool of this event loop."""
        loop = asyncio.get_running_loop()
        place = (os.getpid(), loop)
        here = self._pools.get(place)
        if here is not None:
            return here
        with self._lock:
            if self._is_closed:
                raise LocalProtocolError("the client is closed")
            # Pools of loops that are over hold nothing; those of a parent process are not ours to
            # touch: its sockets, and its loop's selector, are shared with it.
            for other in [key for key in self._pools if key[1].is_closed() and key[0] == place[0]]:
                self._past = total([self._past, self._pools.pop(other).pool.stats()])
            here = self._pools[place] = LoopPool(self._settings, loop)
        await here.settle()
        return here


def _close_soon(pool: LoopPool) -> None:
    pool.pool.close()
    pool.tidy()


class _Crew:
    """The tasks of one `send_many`."""

    def __init__(
        self, here: LoopPool, dispatch: Dispatch[Any], total: float | None, depth: int
    ) -> None:
        self._here = here
        self._dispatch = dispatch
        self._total = total
        self._depth = depth
        self._workers: set[asyncio.Task[None]] = set()
        self._leases: list[Lease] = []
        self._fetcher: asyncio.Task[None] | None = None

    def grow(self) -> None:
        """Start another worker if there is more to do, and let the source go on."""
        if self._dispatch.wants_worker():
            lease = Lease()
            plan = work(self._dispatch, lease, self._total, self._depth)
            self._leases.append(lease)
            self._workers.add(self._here.loop.create_task(self._here.run(plan)))
        if self._dispatch.may_take:
            self._dispatch.room.wake()

    def fetch(self, messages: AsyncIterable[Any]) -> None:
        """Start to take messages from a source that has to be awaited."""
        self._fetcher = self._here.loop.create_task(self._fetch(messages))

    async def _fetch(self, messages: AsyncIterable[Any]) -> None:
        dispatch = self._dispatch
        try:
            async for message in messages:
                dispatch.take(message)
                while not dispatch.may_take:
                    dispatch.room.is_awake = False
                    await self._here.wait(dispatch.room)
        except BaseException as error:
            dispatch.end(error)
            if not isinstance(error, Exception):
                raise
        else:
            dispatch.end()

    async def finish(self) -> None:
        """Let come to its end what is under way, and begin nothing more."""
        self._stop()
        if self._workers:
            await asyncio.wait(self._workers)

    async def dismiss(self) -> None:
        """Cancel whoever is still there."""
        self._stop()
        tasks = self._workers if self._fetcher is None else self._workers | {self._fetcher}
        await dismissed({task for task in tasks if not task.done()})

    def _stop(self) -> None:
        self._dispatch.stop()
        for lease in self._leases:
            self._here.pool.withdraw(lease)
