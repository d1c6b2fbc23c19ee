"""The client that an app shares, with plain sockets."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from ehlo import dialogues
from ehlo.blocking._pool import ProcessPool
from ehlo.blocking._session import Session, checked, source_of
from ehlo.endpoint import read_server
from ehlo.errors import LocalProtocolError
from ehlo.policies import OnRefusal, Pipelining
from ehlo.pool.dispatch import Dispatch, Order, read_order
from ehlo.pool.jobs import Job
from ehlo.pool.plans import Loan, borrow, send
from ehlo.pool.slots import Lease
from ehlo.pool.working import work
from ehlo.runtime.client_settings import ClientSettings, require_function
from ehlo.sasl import require_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Unpack

    from ehlo.blocking._pump import Pump
    from ehlo.blocking._session import Item
    from ehlo.capabilities import Capabilities
    from ehlo.endpoint import Servers
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.options import ClientOptions, Progress
    from ehlo.pool.stats import Stats
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
        require_sync(self._settings.session.credentials)
        # By process: a forked child must not touch its parent's connections, and may have got a
        # lock that nobody is left to give back.
        self._pools: dict[int, ProcessPool] = {}
        self._is_closed = False
        weakref.finalize(self, _leave, self._pools)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.close()

    def send(
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
        here = self._pools.get(os.getpid()) or self._here()
        settings, now = self._settings.session, here.clock()
        transaction = checked(
            settings.transaction(message, envelope, on_refusal, clock=here.clock, progress=progress)
        )
        job, lease = Job(transaction, now), Lease()
        return here.run(send(here.way, lease, job, settings.timeouts.end(now)), lease)

    def send_many(
        self,
        messages: Iterable[Item],
        *,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        order: Order | str = Order.SOURCE,
        depth: int = dialogues.DEPTH,
        progress: Progress | None = None,
    ) -> Generator[Result, None, None]:
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
        prepare = self._settings.session.preparing(on_refusal, time.monotonic)
        source, count = source_of(messages), len(messages) if isinstance(messages, Sized) else None
        return self._results(source, count, prepare, read_order(order), depth, progress)

    def _results(
        self,
        source: dialogues.Source[Item],
        count: int | None,
        prepare: Callable[[Item], dialogues.Transaction],
        order: Order,
        depth: int,
        progress: Progress | None,
    ) -> Generator[Result, None, None]:
        here = self._here()
        settings = self._settings
        is_continuous = settings.session.pipelining is Pipelining.CONTINUOUS
        dispatch: Dispatch[Item] = Dispatch(
            here.way,
            lambda item: checked(prepare(item)),
            order=order,
            workers=settings.pool.max_connections,
            depth=depth if is_continuous else 1,
        )
        crew = _Crew(here, dispatch, settings.session.timeouts.total, depth)
        try:
            while True:
                crew.require_threads()
                result = dispatch.next_result()
                crew.grow()
                if result is not None:
                    if progress is not None:
                        progress(dispatch.told, count)
                    yield result
                elif dispatch.is_done:
                    break
                elif dispatch.may_take:
                    dispatch.take_from(cast("Iterator[Item]", source))
                else:
                    here.wait(dispatch.consumer)
            crew.finish()
            dispatch.check()
        except (GeneratorExit, Exception):  # left early, or `progress` has raised something
            crew.finish()
            raise
        finally:
            try:
                crew.dismiss()
            finally:
                crew.dismiss()  # unless Ctrl-C has come in the midst of that

    @contextmanager
    def session(self) -> Generator[Session, None, None]:
        """Borrow a connection, for oneself alone.

        It goes back to the others if it is in step then, and nothing was said on it that the next
        user could notice, such as EHLO or AUTH.

        Returns:
            A context manager with the `Session`.

        Raises:
            LocalProtocolError: The client is closed.
            SMTPError: No connection can be had; see `ehlo.errors`.
        """
        here = self._here()
        lease = Lease(is_paced=False)
        end = self._settings.session.timeouts.end(here.clock())
        try:
            slot = here.run(borrow(here.way, lease, end, check=False), lease)
            loan = Loan(lease, slot)
            try:
                yield Session(self._settings.session, cast("Pump", slot.carrier))
            finally:
                if not here.is_the_parents:
                    try:
                        loan.end(here.pool)
                    finally:
                        loan.end(here.pool)  # unless Ctrl-C has come in the midst of that
        finally:
            if not here.is_the_parents:
                here.let_go(lease)
                here.tidy()

    def verify(self) -> Capabilities:
        """Find out whether mail could be sent: connect, encrypt and authenticate, or say NOOP.

        Returns:
            What the server offers.

        Raises:
            LocalProtocolError: The client is closed.
            SMTPError: No mail could be sent; see `ehlo.errors`.
        """
        here = self._here()
        lease = Lease(is_paced=False)
        end = self._settings.session.timeouts.end(here.clock())
        try:
            slot = here.run(borrow(here.way, lease, end, check=True), lease)
            return slot.live.capabilities
        finally:
            try:
                here.pool.give_back(lease)
            finally:
                here.let_go(lease)
                here.tidy()

    def stats(self) -> Stats:
        """Tell how the client stands in this process.

        Returns:
            The numbers.
        """
        return (self._pools.get(os.getpid()) or ProcessPool(self._settings)).pool.stats()

    def close(self) -> None:
        """Close the client: whoever asks or waits gets an error, and idle connections say QUIT.

        Messages that are under way come to their end; their connections are closed then. May be
        called again.
        """
        self._is_closed = True
        here = self._pools.get(os.getpid())
        if here is not None:
            here.close()

    def _here(self) -> ProcessPool:
        """Return the pool of this process."""
        pid = os.getpid()
        here = self._pools.get(pid)
        if here is not None:
            return here
        for parent in set(self._pools) - {pid}:
            self._pools[parent].forget()
        # Of two threads that come here at once one finds what the other has made.
        here = self._pools.setdefault(pid, ProcessPool(self._settings))
        if self._is_closed:
            here.pool.close()
        return here


def _leave(pools: dict[int, ProcessPool]) -> None:
    """Close what there is, at the end of the interpreter, or of a client that nobody has closed."""
    for pid, pool in pools.items():
        if pid == os.getpid():
            pool.hang_up()
        else:
            pool.forget()


class _Crew:
    """The threads of one `send_many`."""

    def __init__(
        self, here: ProcessPool, dispatch: Dispatch[Any], total: float | None, depth: int
    ) -> None:
        self._here = here
        self._dispatch = dispatch
        self._total = total
        self._depth = depth
        self._workers: list[tuple[threading.Thread, Lease]] = []

    def grow(self) -> None:
        """Start another worker if there is more to do."""
        if not self._dispatch.wants_worker():
            return
        lease = Lease()
        plan = work(self._dispatch, lease, self._total, self._depth)
        # A daemon: an iterator that is never closed must not keep the interpreter from its end.
        worker = threading.Thread(
            target=self._here.run, args=(plan, lease), name="ehlo-send-many", daemon=True
        )
        self._workers.append((worker, lease))
        worker.start()

    def finish(self) -> None:
        """Let come to its end what is under way, and begin nothing more."""
        if self._is_lost():
            return
        self._stop()
        self._join()

    def dismiss(self) -> None:
        """Break off what is still under way."""
        if self._is_lost():
            return
        self._stop()
        for worker, lease in self._workers:
            if worker.is_alive():
                self._here.break_off(lease)
        self._join()

    def require_threads(self) -> None:
        """Refuse to go on without the threads, which may have had a lock that is not free then.

        Raises:
            LocalProtocolError: They are those of a parent process.
        """
        if self._here.is_the_parents:
            raise LocalProtocolError("the batch is the parent process's: its threads send it")

    def _is_lost(self) -> bool:
        """Return whether there are no threads to wait for.

        At the end of the interpreter daemons do not go on, nor give back locks; those of a parent
        process are not here.
        """
        return sys.is_finalizing() or self._here.is_the_parents

    def _join(self) -> None:
        me = threading.current_thread()  # a worker, if the iterator was collected in it
        for worker, _ in self._workers:
            if worker.ident is not None and worker is not me:
                worker.join()

    def _stop(self) -> None:
        self._dispatch.stop()
        for _, lease in self._workers:
            self._here.pool.withdraw(lease)
