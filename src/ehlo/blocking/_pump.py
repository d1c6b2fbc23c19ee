"""The blocking pump: it meets the needs of a dialogue with a plain socket."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from ehlo.commands import Quit
from ehlo.dialogues import Flush, Receive, UpgradeTls
from ehlo.errors import ConnectionLost, SMTPError, TlsFailed
from ehlo.phase import Phase
from ehlo.protocol import State
from ehlo.runtime.driving import Turn, lost, timed_out, told

if TYPE_CHECKING:
    from ehlo.dialogues import Dialogue, Need
    from ehlo.runtime.link import Link
    from ehlo.timeouts import Timeouts

__all__ = ["Pump"]

_T = TypeVar("_T")
_READ = 65_536
_PATIENCE = 1
"""Seconds that a read may block for, where reads do."""
_TIMEVAL = struct.pack("@ll", _PATIENCE, 0)


class Pump:
    """Runs dialogues on a socket, one at a time.

    No write ever blocks, so that reading goes on while the server takes nothing: two peers that
    both only write would wait for each other for ever.

    Where the system allows it (see `_be_patient`), reads do: a reply that comes soon costs one
    system call and not two. They give up after `_PATIENCE`; the rest of the wait is timed exactly.

    Args:
        sock: A connected socket; the pump owns it from now on.
        link: What is spoken on it.
        timeouts: The deadlines.

    Attributes:
        link: As above.
        turn: To be held while dialogues are driven.
    """

    def __init__(self, sock: socket.socket, link: Link, timeouts: Timeouts) -> None:
        self.link = link
        self._sock = sock
        self._is_patient = _be_patient(sock)
        self._at_once = socket.MSG_DONTWAIT if self._is_patient else 0
        self._timeouts = timeouts
        self.turn = Turn(link)
        self._poll = _poll_with(sock)
        self._end: float | None = None  # of the call as a whole

    clock = staticmethod(time.monotonic)
    """The clock of its deadlines: seconds."""

    def run(self, dialogue: Dialogue[_T], *, end: float | None = None) -> _T:
        """Run one dialogue to its end.

        Args:
            dialogue: A dialogue on the link's Connection.
            end: When it must be over, by `time.monotonic`; None for the timeouts' `total`.

        Returns:
            Its result.

        Raises:
            SMTPError: As the dialogue says; `LocalProtocolError` if another one is under way.
        """
        try:
            with self.turn:
                return self.drive(dialogue, end=end)
        finally:
            if self.link.connection.is_over and not self.turn.taken:
                self.close()

    def drive(self, dialogue: Dialogue[_T], *, end: float | None = None) -> _T:
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
            end = self._timeouts.end(time.monotonic())
        self._end = end
        if self.link.connection.is_settled:  # if not, its first octets may have to wait for TLS
            self._read_ahead()
        try:
            need = next(dialogue)
            while True:
                try:
                    self._meet(need)
                except (ConnectionLost, TlsFailed) as trouble:
                    need = dialogue.throw(told(trouble, need.phase, self.link.connection))
                else:
                    need = next(dialogue)
        except StopIteration as stop:
            result: _T = stop.value
            return result
        finally:
            dialogue.close()

    def _meet(self, need: Need) -> None:
        if isinstance(need, Receive):
            self._receive(need.phase)
        elif isinstance(need, UpgradeTls):
            self._handshake()
        elif isinstance(need, Flush):
            self._flush(need.phase, is_answered=need.phase is Phase.CONTENT)
        else:
            raise TypeError("what is async can be awaited by ehlo.asyncio alone")

    # -- The three needs ---------------------------------------------------------------------

    def _flush(self, phase: Phase, *, is_answered: bool) -> None:
        """Write all there is; stop early at a reply, where that is an answer to what is written."""
        link = self.link
        deadline = None
        if link.collect() and not (self._write(phase) and not link.unsent):
            deadline = self._deadline(phase)
        while link.unsent:
            self._check_end(phase)
            readable = self._wait(phase, deadline, writing=True)
            if readable and self._read(phase) == 0:
                raise lost(phase, None)
            if is_answered and link.connection.has_news:
                return
            if self._write(phase):
                deadline = self._deadline(phase)  # it is progress that is timed
        # A server may refuse content early, and go on reading: it can be heard between pieces.
        if phase is Phase.CONTENT and self._poll(0, writing=False) and self._read(phase) == 0:
            raise lost(phase, None)

    def _check_end(self, phase: Phase) -> None:
        """Hold a server that takes octets steadily to the end of the call as a whole."""
        if self._end is not None and time.monotonic() > self._end and self.link.unsent:
            raise timed_out(phase, self._timeouts.total or 0)

    def _receive(self, phase: Phase) -> None:
        link, connection = self.link, self.link.connection
        if link.collect() and not (self._write(phase) and not link.unsent):
            self._flush(phase, is_answered=True)
        if not connection.needs_data:
            return
        deadline = self._deadline(phase)
        if self._is_patient and (deadline is None or deadline[1] >= _PATIENCE):
            self._read(phase, patiently=True)
            self._write_what_goes()
        while connection.needs_data:
            self._wait(phase, deadline, writing=bool(self.link.unsent))
            self._read(phase)
            self._write_what_goes()  # TLS may have something of its own to say

    def _handshake(self) -> None:
        deadline = self._deadline(Phase.TLS)
        self.link.start_tls()
        try:
            while self.link.is_handshaking:
                self._flush(Phase.TLS, is_answered=False)
                self._wait(Phase.TLS, deadline, writing=False)
                self._read(Phase.TLS)
        finally:
            self._write_what_goes()  # the last flight of the handshake, or the alert that says why

    # -- The socket --------------------------------------------------------------------------

    def _write(self, phase: Phase) -> bool:
        """Write what the socket takes; return whether it took anything."""
        try:
            taken = self._sock.send(self.link.unsent, self._at_once)
        except BlockingIOError:
            return False
        except OSError as exc:
            self._read_last_words()
            raise lost(phase, exc) from exc
        del self.link.unsent[:taken]
        return True

    def _write_what_goes(self) -> None:
        if not self.link.unsent:
            return
        with suppress(OSError):
            del self.link.unsent[: self._sock.send(self.link.unsent, self._at_once)]

    def _read(self, phase: Phase, *, patiently: bool = False) -> int | None:
        """Read once; return how many octets came: 0 for the end, None if there is nothing."""
        try:
            data = self._sock.recv(_READ, 0 if patiently else self._at_once)
        except BlockingIOError:
            return None
        except OSError as exc:
            raise lost(phase, exc) from exc
        self.link.receive(data)
        return len(data)

    def _read_ahead(self) -> None:
        """Take in what the server said while nobody was looking: a 421, or the end."""
        try:
            if self._poll(0, writing=False):
                self._read(Phase.COMMAND)
        except ConnectionLost:
            self.link.connection.receive_eof()

    def _read_last_words(self) -> None:
        """After a failed write, take in what the server may have said before it went away."""
        with suppress(ConnectionLost, TlsFailed):
            while self.link.connection.needs_data and self._poll(0, writing=False):
                self._read(Phase.CONTENT)

    def _deadline(self, phase: Phase) -> tuple[float, float] | None:
        """Return when the phase must be over, and how long that is; None for never."""
        now, end, timeouts = time.monotonic(), self._end, self._timeouts
        seconds = timeouts.of(phase) if end is None else timeouts.left(phase, now, end)
        return None if seconds is None else (now + seconds, seconds)

    def _wait(self, phase: Phase, deadline: tuple[float, float] | None, *, writing: bool) -> bool:
        """Wait until the socket is readable, or writable if asked; return if it is readable."""
        if deadline is None:
            return self._poll(None, writing=writing)
        end, seconds = deadline
        left = end - time.monotonic()
        if left <= 0:
            raise timed_out(phase, seconds)
        return self._poll(left, writing=writing)

    def close(self) -> None:
        """Close the socket; where TLS is on and all is in order, say so to the server."""
        if self.link.connection.state is State.CLOSING:
            self.link.say_goodbye()
            self._write_what_goes()
        self.link.connection.abandon("the client closed the connection")
        if self.turn.taken:
            with suppress(OSError):  # wakes the thread that is waiting for the server
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def leave(self) -> None:
        """Say QUIT if that may be said, and close without waiting for the answer."""
        connection = self.link.connection
        with suppress(SMTPError):
            if connection.is_in_step and not self.turn.taken:
                connection.send(Quit())
                self.link.collect()
                self._write_what_goes()
        self.close()

    def forget(self) -> None:
        """Let go of the socket, which is another process's as well: say nothing on it."""
        self._sock.close()


def _be_patient(sock: socket.socket) -> bool:
    """Let reads wait for a while; return whether they do, or the socket never blocks.

    Linux alone is known to do so in every detail that counts. Where something has put a socket of
    its own in place of the system's (gevent), it has its own idea of blocking.
    """
    sock.settimeout(0)
    if sys.platform != "linux" or socket.socket.__module__ != "socket":
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
    except OSError:
        return False
    sock.settimeout(None)
    return True


class _Poll(Protocol):
    """Waits until a socket is readable (or writable, if asked); returns whether it is readable."""

    def __call__(self, timeout: float | None, *, writing: bool) -> bool: ...


def _by_poll(sock: socket.socket) -> _Poll:
    reader, both = select.poll(), select.poll()
    reader.register(sock, select.POLLIN)
    both.register(sock, select.POLLIN | select.POLLOUT)

    def wait(timeout: float | None, *, writing: bool) -> bool:
        ready = (both if writing else reader).poll(None if timeout is None else timeout * 1000)
        if not ready:
            return False
        return any(event & ~select.POLLOUT for _, event in ready)

    return wait


def _by_select(sock: socket.socket) -> _Poll:
    def wait(timeout: float | None, *, writing: bool) -> bool:
        readable, _, _ = select.select([sock], [sock] if writing else [], [], timeout)
        return bool(readable)

    return wait


# Windows has no poll(); select() cannot take descriptors above 1023 elsewhere.
_poll_with = _by_poll if hasattr(select, "poll") else _by_select
