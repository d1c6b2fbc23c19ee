"""The server's side of one connection, without I/O: octets in, actions out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, assert_never

from ehlo.commands import AUTH_LINE_MAX, Verb
from ehlo.reply import Reply
from ehlo.testing._actions import (
    Close,
    Reset,
    Send,
    Silence,
    StartTls,
    TakeEffect,
    Usual,
    Wait,
)
from ehlo.testing._choosing import chooser
from ehlo.testing._content import ContentReader
from ehlo.testing._grammar import Refusal, read_line
from ehlo.testing._judging import judge, open_chunk
from ehlo.testing._opening import auth_response
from ehlo.testing._options import ServerOptions
from ehlo.testing._received import ReceivedCommand, Situation
from ehlo.testing._session import Session
from ehlo.testing._state import Mode
from ehlo.testing._transacting import end_chunk, end_content, take_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.testing._actions import Action, Step
    from ehlo.testing._judging import Chunk
    from ehlo.testing._received import ReceivedMessage
    from ehlo.testing._state import Verdict

__all__ = ["ServerConnection"]

_CANCEL: Final = {b"*": Refusal.CANCELLED}
"""The one line of an AUTH exchange that is no response (RFC 4954 section 4)."""
_MASK: Final = "***"


def _auth_line_fault(raw: bytes) -> Refusal | None:
    if len(raw) > AUTH_LINE_MAX:
        return Refusal.AUTH_LINE_TOO_LONG
    return None if raw.endswith(b"\r\n") else Refusal.BARE_LF


class ServerConnection:
    """The server's side of one SMTP connection, for whoever has octets to exchange.

    Give it what the client sent with `receive_data` and `receive_eof`; then do what it asks for,
    in order, with `next_action` until that returns None. After `StartTls`, give it nothing that
    came in clear any more (it would be discarded), and call `tls_started` when the handshake is
    done. The greeting is due at once. For a plain dialogue in memory `data_to_send` will do.

    It has no socket, clock, thread or randomness: the same octets get the same answers, however
    they are cut.

    Args:
        options: How the server behaves; None for the defaults.
        connection: The number of the connection, for the records and the queue ids.
        peer: The client's network address, for the texts that name it.
        tls: Whether the connection is encrypted from the start (RFC 8314 section 3).

    Raises:
        Exception: Whatever an answers hook raises comes out of here, `receive_data` and
            `tls_started`.

    Attributes:
        commands: What came in, in order, secrets masked.
        discarded: The octets that came in clear behind STARTTLS, none of which was looked at
            (RFC 3207 section 4; a client that sends any has a bug, or a man in the middle).
        flights: How many times the client began to speak after the server had: the round trips
            of the session, the greeting not counted.
    """

    def __init__(
        self,
        options: ServerOptions | None = None,
        *,
        connection: int = 1,
        peer: str = "127.0.0.1",
        tls: bool = False,
    ) -> None:
        options = options or ServerOptions()
        self.commands: list[ReceivedCommand] = []
        self.discarded = bytearray()
        self.flights = 0
        self._options = options
        self._number = connection
        self._choose = chooser(options)
        self._session = Session(options, connection=connection, peer=peer, tls=tls)
        self._buffer = bytearray()
        self._reader: ContentReader | None = None
        self._chunk: tuple[ReceivedCommand, Chunk] | None = None
        self._actions: deque[Action] = deque()
        self._silent = self._has_spoken = False
        self._first_in_read, self._behind_content = True, False
        self._readers: Mapping[Mode, Callable[[], bool]] = {
            Mode.COMMAND: self._read_command,
            Mode.AUTH_RESPONSE: self._read_auth_response,
            Mode.CONTENT: self._read_content,
            Mode.CHUNK: self._read_chunk,
            Mode.TLS: self._discard,
            Mode.CLOSED: self._ignore,
        }
        self._answer(self._received(Verb.GREETING, ""), self._session.greeting())

    # --- the contract

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The messages that were accepted, in order."""
        return self._session.messages

    @property
    def mode(self) -> Mode:
        """What the octets that come next are."""
        return self._session.mode

    def receive_data(self, octets: bytes) -> None:
        """Take octets from the client.

        Args:
            octets: Any number of them, cut anywhere.
        """
        if octets and (self._has_spoken or not self.flights):
            self._has_spoken = False
            self.flights += 1
        self._buffer += octets
        self._first_in_read, self._behind_content = True, False
        while self._readers[self.mode]():
            pass

    def receive_eof(self) -> None:
        """Take note that the client has closed its side; an unfinished transaction is dropped."""
        if self.mode is not Mode.CLOSED:
            self._session.mode = Mode.CLOSED
            self._actions.append(Close())

    def next_action(self) -> Action | None:
        """Return what is to be done next, and forget it.

        Returns:
            An action; None if there is nothing to do until the client says more.
        """
        action = self._actions.popleft() if self._actions else None
        self._has_spoken |= isinstance(action, Send)
        return action

    def data_to_send(self) -> bytes:
        """Return the octets that are to be sent before any other action, and forget them.

        Returns:
            The octets of the `Send` actions that are next; empty if there are none.
        """
        octets = bytearray()
        while self._actions and isinstance(self._actions[0], Send):
            octets += self._actions[0].octets
            self.next_action()
        return bytes(octets)

    def tls_started(self) -> None:
        """Take note that the TLS handshake that `StartTls` asked for is done.

        Raises:
            RuntimeError: None was asked for.
        """
        if self.mode is not Mode.TLS:
            raise RuntimeError("the server did not ask for a TLS handshake")
        self._session.tls_started()

    # --- reading

    def _take_line(self) -> bytes | None:
        """Take a line from the buffer; what exceeds every limit is not kept."""
        end = self._buffer.find(b"\n") + 1
        if not end:
            del self._buffer[AUTH_LINE_MAX + 1 :]
            return None
        return self._take(end)

    def _take(self, length: int) -> bytes:
        octets = bytes(self._buffer[:length])
        del self._buffer[:length]
        return octets

    def _read_command(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        line_max = self._options.command_line_max
        line = read_line(raw, line_max=line_max, auth_line_max=AUTH_LINE_MAX)
        command = self._record(line.verb, line.shown)
        chunk = open_chunk(self._session, line)
        if chunk is None:
            self._answer(command, judge(self._session, line))
        else:
            self._chunk = (command, chunk)
            self._session.mode = Mode.CHUNK
        return True

    def _read_auth_response(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        response = raw.removesuffix(b"\r\n")
        refusal = _CANCEL.get(response) or _auth_line_fault(raw)
        shown = response.decode() if response in _CANCEL else _MASK
        command = self._record(Verb.AUTH_RESPONSE, shown)
        self._answer(command, auth_response(self._session, response, refusal))
        return True

    def _read_content(self) -> bool:
        reader = self._reader = self._reader or ContentReader(self._session.current.store)
        rest = reader.feed(self._take(len(self._buffer)))
        if rest is None:
            return False
        self._buffer += rest
        self._reader = None
        self._end_content(self._record(Verb.END_OF_CONTENT, "."))
        return True

    def _read_chunk(self) -> bool:
        assert self._chunk is not None  # noqa: S101 - the mode says so
        command, chunk = self._chunk
        octets = self._take(chunk.due)
        chunk.due -= len(octets)
        if chunk.refusal is None:
            self._session.current.store.add(octets)
        if chunk.due:
            return False
        self._chunk = None
        if command.verb is Verb.BDAT_LAST and chunk.refusal is None:
            take_chunk(self._session, chunk.size)
            self._end_content(command)
        else:
            self._session.mode = Mode.COMMAND
            self._answer(command, end_chunk(self._session, chunk.size, chunk.refusal))
        return True

    def _end_content(self, command: ReceivedCommand) -> None:
        """Answer the end of the content: once, or once for each recipient."""
        session = self._session
        session.mode = Mode.COMMAND
        content = session.current.store.content()
        for ending in end_content(session):
            self._answer(command, ending.verdict, content.octets, ending.recipient)
        session.finish(content)
        self._behind_content = True

    def _discard(self) -> bool:
        self.discarded += self._buffer
        self._buffer.clear()
        return False

    def _ignore(self) -> bool:
        self._buffer.clear()
        return False

    # --- answering

    def _received(self, verb: Verb, line: str) -> ReceivedCommand:
        tls = self._session.tls
        return ReceivedCommand(verb=verb, line=line, connection=self._number, tls=tls)

    def _record(self, verb: Verb, line: str) -> ReceivedCommand:
        command = self._received(verb, line)
        self.commands.append(command)
        return command

    def _answer(
        self,
        command: ReceivedCommand,
        verdict: Verdict,
        content: bytes = b"",
        recipient: str | None = None,
    ) -> None:
        """Answer a command as the options or the verdict say."""
        answer = self._choose(command, self._situation(verdict.reply, content, recipient))
        steps = answer if isinstance(answer, tuple) else (answer,)
        self._first_in_read = False
        if not self._follow(steps, verdict):
            verdict.otherwise()
            self._note_refusal(command, steps, verdict.reply)
        elif verdict.then and self.mode is not Mode.CLOSED:
            self._emit(verdict.then)

    def _note_refusal(
        self, command: ReceivedCommand, steps: tuple[Step, ...], usual: Reply
    ) -> None:
        """Keep what refused a recipient."""
        transaction = self._session.transaction
        if command.verb is Verb.RCPT and transaction is not None:
            said = (step for step in steps if isinstance(step, Reply))
            transaction.refused.append(next(said, usual))

    def _situation(self, usual: Reply, content: bytes, recipient: str | None) -> Situation:
        session = self._session
        return Situation(
            usual=usual,
            hello=session.hello,
            user=session.user,
            sender=session.sender,
            recipients=session.recipients,
            content=content,
            recipient=recipient,
            refused=session.refused,
            announced=session.announced,
            first_in_read=self._first_in_read,
            last_in_read=not self._buffer,
            behind_content=self._behind_content,
        )

    def _follow(self, steps: tuple[Step, ...], verdict: Verdict) -> bool:
        """Take the steps of an answer; return whether the command took effect."""
        decision: bool | None = None
        for step in steps:
            if self.mode is Mode.CLOSED:
                break
            effective = self._take_step(step, verdict)
            if decision is None and effective is not None:
                decision = effective
                if decision:
                    verdict.effect()
        return decision is True

    def _take_step(self, step: Step, verdict: Verdict) -> bool | None:
        """Take a step; return whether the command takes effect by it, None if that stays open."""
        match step:
            case Reply():
                self._emit(Send(step.wire()))
                return step.code // 100 == verdict.reply.code // 100
            case Usual():
                self._emit(Send(verdict.reply.wire()))
                return True
            case TakeEffect():
                return True
            case Silence():
                self._silent = True
            case Send() | Wait() | Close() | Reset() | StartTls():
                self._emit(step)
            case _:
                assert_never(step)
        return None

    def _emit(self, action: Action) -> None:
        """Ask for an action, unless the server has fallen silent."""
        if self._silent:
            return
        self._actions.append(action)
        self._session.mode = _MODE_AFTER.get(type(action), self.mode)


_MODE_AFTER: Final[Mapping[type[Action], Mode]] = {
    StartTls: Mode.TLS,
    Close: Mode.CLOSED,
    Reset: Mode.CLOSED,
}
