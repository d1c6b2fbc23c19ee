"""The server's side of one connection, without I/O: octets in, actions out."""

from __future__ import annotations

import re
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
from ehlo.testing._content import ContentReader
from ehlo.testing._grammar import Refusal, read_line
from ehlo.testing._options import ServerOptions
from ehlo.testing._received import ReceivedCommand, Situation
from ehlo.testing._session import Session
from ehlo.testing._state import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ehlo.testing._actions import Action, Answer, Step
    from ehlo.testing._options import AnswersHook, AnswerTable
    from ehlo.testing._received import ReceivedMessage
    from ehlo.testing._state import Verdict

__all__ = ["ServerConnection"]

_CANCEL: Final = {b"*": Refusal.CANCELLED}
"""The one line of an AUTH exchange that is no response (RFC 4954 section 4)."""
_MASK: Final = "***"
_BLANKS = re.compile(" +")


def _key(text: str) -> str:
    """Return a command in the form in which the answers table is searched."""
    return _BLANKS.sub(" ", text.strip()).replace(": ", ":").upper()


def _keys(command: ReceivedCommand) -> Iterator[str]:
    """Yield what a command may be found under, the most specific first."""
    line = _key(command.line)
    while line:
        yield line
        line = line.rpartition(" ")[0]
    yield _key(command.verb)


def _hook(table: AnswerTable) -> AnswersHook:
    answers = {_key(key): answer for key, answer in table.items()}

    def look_up(command: ReceivedCommand, _situation: Situation) -> Answer | None:
        return next((answers[key] for key in _keys(command) if key in answers), None)

    return look_up


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
        self._options = options
        self._number = connection
        self._hook = options.answers if callable(options.answers) else _hook(options.answers)
        self._session = Session(options, connection=connection, peer=peer, tls=tls)
        self._buffer = bytearray()
        self._content: ContentReader | None = None
        self._actions: deque[Action] = deque()
        self._silent = False
        self._readers: Mapping[Mode, Callable[[], bool]] = {
            Mode.COMMAND: self._read_command,
            Mode.AUTH_RESPONSE: self._read_auth_response,
            Mode.CONTENT: self._read_content,
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
        self._buffer += octets
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
        return self._actions.popleft() if self._actions else None

    def data_to_send(self) -> bytes:
        """Return the octets that are to be sent before any other action, and forget them.

        Returns:
            The octets of the `Send` actions that are next; empty if there are none.
        """
        octets = bytearray()
        while self._actions and isinstance(self._actions[0], Send):
            octets += self._actions[0].octets
            self._actions.popleft()
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
        line = bytes(self._buffer[:end])
        del self._buffer[:end]
        return line

    def _read_command(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        line_max = self._options.command_line_max
        line = read_line(raw, line_max=line_max, auth_line_max=AUTH_LINE_MAX)
        command = self._record(line.verb, line.shown)
        self._answer(command, self._session.command(line))
        return True

    def _read_auth_response(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        response = raw.removesuffix(b"\r\n")
        refusal = _CANCEL.get(response) or _auth_line_fault(raw)
        shown = response.decode() if response in _CANCEL else _MASK
        command = self._record(Verb.AUTH_RESPONSE, shown)
        self._answer(command, self._session.auth_response(response, refusal))
        return True

    def _read_content(self) -> bool:
        reader = self._content = self._content or ContentReader(self._session.size_limit)
        rest = reader.feed(bytes(self._buffer))
        self._buffer.clear()
        if rest is None:
            return False
        self._buffer += rest
        self._content = None
        content = reader.content()
        command = self._record(Verb.END_OF_CONTENT, ".")
        self._answer(command, self._session.end_of_content(content), content or b"")
        self._session.end_transaction()
        return True

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

    def _answer(self, command: ReceivedCommand, verdict: Verdict, content: bytes = b"") -> None:
        """Answer a command as the hook or the verdict says."""
        session = self._session
        situation = Situation(
            usual=verdict.reply,
            hello=session.hello,
            user=session.user,
            sender=session.sender,
            recipients=session.recipients,
            content=content,
        )
        answer = self._hook(command, situation)
        if answer is None:
            answer = Usual()
        steps = answer if isinstance(answer, tuple) else (answer,)
        if self._take(steps, verdict) and verdict.then and self.mode is not Mode.CLOSED:
            self._emit(verdict.then)

    def _take(self, steps: tuple[Step, ...], verdict: Verdict) -> bool:
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
