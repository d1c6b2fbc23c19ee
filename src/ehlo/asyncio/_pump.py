"""The asyncio pump: it meets the needs of a dialogue with a transport.

The dialogue advances inside the protocol's callbacks, so a reply wakes no task: a task sleeps
through the whole dialogue and wakes once, with its result.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from typing_extensions import override

from ehlo.dialogues import AsyncSource, Fetch, Flush, Receive, UpgradeTls
from ehlo.errors import ConnectionLost, TlsFailed
from ehlo.phase import Phase
from ehlo.protocol import State
from ehlo.runtime.driving import Turn, lost, timed_out, told

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ehlo.dialogues import Dialogue, Need
    from ehlo.errors import SMTPError
    from ehlo.runtime.link import Link
    from ehlo.timeouts import Timeouts

__all__ = ["Pump", "drop"]

_T = TypeVar("_T")
_READ = 65_536


class _PerThread(threading.local):
    """One receive buffer for all connections of a thread: it is filled and emptied in one step."""

    def __init__(self) -> None:
        self.buffer = bytearray(_READ)


_shared = _PerThread()


class Pump(asyncio.BufferedProtocol):
    """Runs dialogues on a transport, one at a time.

    Args:
        link: What is spoken on the transport.
        timeouts: The deadlines.
        loop: The event loop.

    Attributes:
        link: As above.
        transport: The transport, once the connection is made.
        turn: To be held while dialogues are driven.
        clock: The clock of its deadlines: seconds.
    """

    transport: asyncio.Transport

    def __init__(self, link: Link, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        self.link = link
        self._timeouts = timeouts
        self._loop = loop
        self.clock = loop.time
        self.turn = Turn(link, self._has_backlog)
        self._gone = loop.create_future()
        self._dialogue: Generator[Need, None, Any] | None = None
        self._need: Need | None = None
        self._waiter: asyncio.Future[Any] = self._gone
        self._end: float | None = None
        self._deadline: tuple[float, float] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._backlog = 0
        self._is_paused = False
        # What came before the first dialogue, which says whether it is TLS: uvloop is that quick.
        self._early: list[Callable[[], None]] | None = []
        self._fetching: dict[AsyncSource[object], asyncio.Task[None]] = {}
        # A proactor reads ahead into the buffer while others use theirs; selectors do not.
        self._buffer = _shared.buffer if _fills_in_one_step(loop) else bytearray(_READ)

    # -- Running a dialogue ------------------------------------------------------------------

    async def run(self, dialogue: Dialogue[_T], *, end: float | None = None) -> _T:
        """Run one dialogue to its end.

        Args:
            dialogue: A dialogue on the link's Connection.
            end: When it must be over, by the loop's clock; None for the timeouts' `total`.

        Returns:
            Its result.

        Raises:
            SMTPError: As the dialogue says; `LocalProtocolError` if another one is under way.
        """
        try:
            with self.turn:
                return await self.drive(dialogue, end=end)
        finally:
            if self._fetching and not self.turn.taken:
                await self.stop_fetching()
            if self.link.connection.is_over and not self.turn.taken:
                await self.close()

    async def drive(self, dialogue: Dialogue[_T], *, end: float | None = None) -> _T:
        """Run one dialogue, within a turn that the caller holds.

        Args:
            dialogue: A dialogue on the link's Connection.
            end: As for `run`.

        Returns:
            Its result.

        Raises:
            SMTPError: As the dialogue says.
        """
        if end is None and self._timeouts.total is not None:
            end = self._timeouts.end(self._loop.time())
        self._end = end
        waiter: asyncio.Future[_T] = self._loop.create_future()
        self._waiter, self._dialogue = waiter, dialogue
        try:
            self._advance()
            if self._early is not None:
                self._take_early(self._early)
            return await waiter
        finally:
            self._dialogue = self._need = self._deadline = None
            dialogue.close()

    def _advance(self, trouble: SMTPError | None = None) -> None:
        """Resume the dialogue, for as long as its needs are met at once."""
        dialogue = cast("Generator[Need, None, Any]", self._dialogue)
        self._need = None
        try:
            need = next(dialogue) if trouble is None else dialogue.throw(trouble)
            while self._begin(need):
                need = next(dialogue)
        except StopIteration as stop:
            self._finish(stop.value, None)
        except (KeyboardInterrupt, SystemExit) as exc:
            self._finish(None, exc)
            raise
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it belongs to the waiting task
            self._finish(None, exc)
        else:
            self._need = need
            self._arm(need)

    def _finish(self, result: object, error: BaseException | None) -> None:
        self._dialogue = self._deadline = None
        if self._waiter.done():
            return  # its task was cancelled a moment ago
        if error is None:
            self._waiter.set_result(result)
        else:
            self._waiter.set_exception(error)

    def _begin(self, need: Need) -> bool:
        """Begin to meet a need; return whether it is met already."""
        try:
            if isinstance(need, UpgradeTls):
                self.link.start_tls()
            elif isinstance(need, Fetch):
                self._fetch(need.source)
            if self.link.collect():
                self._write_raw()
            if self._is_met(need):
                return not self._makes_room(need)
            if self._gone.done() and not self._does_without(need):
                raise lost(need.phase, None)
        except (ConnectionLost, TlsFailed) as trouble:
            # Thrown later: the dialogue is being advanced at this moment.
            self._loop.call_soon(self._trouble, trouble)
        return False

    def _does_without(self, need: Need) -> bool:
        """Return whether a need takes no connection: what is awaited goes over the next one."""
        return isinstance(need, Fetch) and self.link.connection.is_over

    def _makes_room(self, need: Need) -> bool:
        """Put a need that is met off to the next step of the loop, if it is between two pieces.

        Large content must not keep the loop from all else, a refusal of that content included.
        """
        if not (isinstance(need, Flush) and need.phase is Phase.CONTENT):
            return False
        self._loop.call_soon(self._proceed)
        return True

    def _is_met(self, need: Need) -> bool:
        if isinstance(need, Receive):
            return not self.link.connection.needs_data
        if isinstance(need, UpgradeTls):
            return not self.link.is_handshaking
        if isinstance(need, Fetch):
            return need.source.is_ready or self.link.connection.has_news
        interrupted = need.phase is Phase.CONTENT and self.link.connection.has_news
        return interrupted or not self._is_backed_up()

    def _is_backed_up(self) -> bool:
        """Return whether octets were left unsent: a transport that failed forgets them."""
        return self.transport.is_closing() or bool(self.transport.get_write_buffer_size())

    def _has_backlog(self) -> bool:
        return bool(self.transport.get_write_buffer_size())

    def _fetch(self, source: AsyncSource[object]) -> None:
        """Let a task of its own await the source.

        It outlives a need that a reply ends early, and the connection as well: a batch goes on with
        its source over the next one, and to cancel a fetch would be to end an async generator.
        """
        if source.is_ready or source in self._fetching:
            return
        task = cast("asyncio.Task[None] | None", source.fetching)
        if task is None or task.done():
            task = source.fetching = self._loop.create_task(source.fetch())
        self._fetching[source] = task
        task.add_done_callback(lambda _: self._fetched(source))

    def _fetched(self, source: AsyncSource[object]) -> None:
        self._fetching.pop(source, None)
        if isinstance(self._need, Fetch):
            self._fetch(self._need.source)  # what this one brought may have been taken already
        self._proceed()

    def let_go(self) -> None:
        """Leave what is being fetched to the pump that will go on with it."""
        self._fetching.clear()

    async def stop_fetching(self) -> None:
        """Cancel what is being awaited for a dialogue that will not go on."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _proceed(self) -> None:
        """Look whether what happened has met the need."""
        if self._need is not None and self._is_met(self._need):
            self._advance()

    def _trouble(self, trouble: SMTPError) -> None:
        if self._dialogue is None:
            self.link.connection.receive_eof()
        else:
            phase = Phase.COMMAND if self._need is None else self._need.phase
            if self._is_backed_up():
                # A transport that has failed has forgotten how much; something it was.
                pending = self.transport.get_write_buffer_size()
                self.link.backlog = pending or int(self._is_paused)
                self.transport.abort()  # what is called unsent must not be sent after all
            self._advance(told(trouble, phase, self.link.connection))

    # -- The transport's callbacks -----------------------------------------------------------

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        # Pause as soon as anything is left, so that "flushed" means that the system has it all.
        self.transport.set_write_buffer_limits(high=0)

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        octets = memoryview(self._buffer)[:nbytes]
        if self._early is None:
            self._receive(octets)
        else:
            self._early.append(partial(self._receive, bytes(octets)))

    def _take_early(self, early: list[Callable[[], None]]) -> None:
        self._early = None
        for take in early:
            take()

    def _receive(self, octets: bytes | memoryview) -> None:
        try:
            self.link.receive(octets)
        except (ConnectionLost, TlsFailed) as trouble:
            self._write_raw()  # the alert that tells the server why
            self._trouble(trouble)
            return
        if self.link.unsent:  # TLS has something of its own to say
            self._write_raw()
        need = self._need
        if need is not None and self._is_met(need):
            self._advance()

    @override
    def eof_received(self) -> bool:
        self._receive_end(None)
        return False  # the transport closes itself

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._receive_end(exc)
        if self._timer is not None:
            self._timer.cancel()
        self._gone.set_result(None)

    def _read_last_words(self) -> None:
        """After a failure, take in what the server may have said before it went away."""
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError, ConnectionLost, TlsFailed), sock.dup() as twin:
            twin.settimeout(0)
            while self.link.connection.needs_data and (data := twin.recv(_READ)):
                self.link.receive(data)

    def _receive_end(self, exc: Exception | None) -> None:
        if self._early is not None:
            self._early.append(partial(self._receive_end, exc))
            return
        if exc is not None:
            self._read_last_words()
        try:
            self.link.receive(b"")
        except TlsFailed as trouble:
            self._trouble(trouble)
            return
        need = self._need
        if exc is not None and need is not None:
            self._trouble(lost(need.phase, exc))
        elif isinstance(need, Flush) and not self._is_met(need):
            self._trouble(lost(need.phase, None))
        else:
            self._proceed()

    @override
    def pause_writing(self) -> None:
        self._is_paused = True

    @override
    def resume_writing(self) -> None:
        self._is_paused = False
        self._proceed()

    def _write_raw(self) -> None:
        # One that is closed forgets what it is given; that of uvloop raises.
        if not self.transport.is_closing():
            # The transport may keep what it is given: give it octets of its own. They are not held
            # by a local variable, since they may be a secret.
            self.transport.write(bytes(self.link.unsent))
        self.link.unsent.clear()

    # -- The clock: one timer a connection, which re-arms itself ------------------------------

    def _arm(self, need: Need) -> None:
        now = self._loop.time()
        # How long the caller's own source takes is the caller's affair.
        phase = need.awaited if isinstance(need, Fetch) else need.phase
        seconds = self._timeouts.left(phase, now, self._end)
        if seconds is None:
            self._deadline = None
            return
        self._deadline = (now + seconds, seconds)
        self._backlog = self.transport.get_write_buffer_size()
        if self._timer is None or self._timer.when() > now + seconds:
            self._set_timer(now + seconds)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._deadline is None or self._need is None:
            return
        end, seconds = self._deadline
        if self._loop.time() < end:
            self._set_timer(end)
        elif self._has_progressed():
            self._arm(self._need)
        else:
            self._trouble(timed_out(self._need.phase, seconds))

    def _has_progressed(self) -> bool:
        """Return whether the server took something since the deadline was set."""
        within = self._end is None or self._loop.time() < self._end
        return within and self.transport.get_write_buffer_size() < self._backlog

    # -- The end -------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close the transport; where TLS is on and all is in order, say so to the server."""
        if self._dialogue is not None:
            self._trouble(ConnectionLost("the session was closed by another task"))
        if self.link.connection.state is State.CLOSING:
            self.link.say_goodbye()
            self._write_raw()
        self.link.connection.abandon("the client closed the connection")
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()
        await asyncio.wait([self._gone])  # which leaves the future alone if it is cancelled


async def drop(source: object) -> None:
    """Cancel what is being fetched from a source that nobody will ask any more."""
    if not isinstance(source, AsyncSource):
        return
    task = cast("asyncio.Task[None] | None", source.fetching)
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])


def _fills_in_one_step(loop: asyncio.AbstractEventLoop) -> bool:
    proactor = getattr(asyncio, "ProactorEventLoop", None)
    return proactor is None or not isinstance(loop, proactor)
