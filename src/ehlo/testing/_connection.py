"""The server's side of one connection, without I/O: octets in, actions out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ehlo.commands import AUTH_LINE_MAX, Verb
from ehlo.testing._actions import Close, Send, Wait
from ehlo.testing._answering import Answerer, Inbox
from ehlo.testing._conduct import HELD_GREETING, Habit
from ehlo.testing._content import ContentReader
from ehlo.testing._grammar import Refusal, read_line
from ehlo.testing._judging import judge, open_chunk
from ehlo.testing._opening import auth_response
from ehlo.testing._options import ServerOptions
from ehlo.testing._proxy import ProxyProtocol, read_proxy_header
from ehlo.testing._received import ReceivedCommand
from ehlo.testing._session import Session
from ehlo.testing._state import Mode
from ehlo.testing._transacting import end_chunk, end_content, take_chunk
from ehlo.testing._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.testing._actions import Action
    from ehlo.testing._grammar import Line
    from ehlo.testing._judging import Chunk
    from ehlo.testing._proxy import ProxyHeader
    from ehlo.testing._received import ReceivedMessage

__all__ = ["ServerConnection"]

_CANCEL: Final = {b"*": Refusal.CANCELLED}
"""The one line of an AUTH exchange that is no response (RFC 4954 section 4)."""
_MASK: Final = "***"
_PAUSE: Final = Wait(HELD_GREETING)


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
    they are cut, unless a quirk or an answers hook looks at what came in the same read. A read is
    one call of `receive_data`.

    Args:
        options: How the server behaves; None for the defaults.
        connection: The number of the connection, for the records and the queue ids.
        peer: The client's network address, for the texts that name it.
        tls: Whether the connection is encrypted from the start (RFC 8314 section 3).
        turns: Which turn each `InTurn` among the answers has come to, if that is to be counted
            together with other connections; None to begin with the first.

    Raises:
        Exception: Whatever an answers hook raises comes out of here, `receive_data` and
            `tls_started`.

    Attributes:
        commands: What came in, in order, secrets masked.
        discarded: The octets that came in clear behind STARTTLS, none of which was looked at
            (RFC 3207 section 4; a client that sends any has a bug, or a man in the middle).
        proxy_header: What a proxy said about the connection; None while it has said nothing.
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
        turns: Turns | None = None,
    ) -> None:
        options = options or ServerOptions()
        self.commands: list[ReceivedCommand] = []
        self.discarded = bytearray()
        self.flights = 0
        self._options = options
        self._number = connection
        self._session = Session(options, connection=connection, peer=peer, tls=tls)
        self._habits = self._session.conduct.habits
        self._line_max = self._session.conduct.command_line_max or options.command_line_max
        self._inbox = Inbox()
        self._answerer = Answerer(self._session, self._inbox, turns or Turns())
        self._late: Line | None = None
        self._reader: ContentReader | None = None
        self._chunk: tuple[ReceivedCommand, Chunk] | None = None
        self._has_spoken = False
        self._readers: Mapping[Mode, Callable[[], bool]] = {
            Mode.PREAMBLE: self._read_preamble,
            Mode.COMMAND: self._read_command,
            Mode.AUTH_RESPONSE: self._read_auth_response,
            Mode.CONTENT: self._read_content,
            Mode.CHUNK: self._read_chunk,
            Mode.TLS: self._discard,
            Mode.CLOSED: self._ignore,
        }
        self._greeting_held = False
        self.proxy_header: ProxyHeader | None = None
        if options.proxy_protocol is ProxyProtocol.OFF:
            self._open()
        else:
            self._session.mode = Mode.PREAMBLE

    # --- the contract

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The messages that were accepted, in order."""
        return self._session.messages

    @property
    def early_talker(self) -> bool:
        """Whether the client spoke before a greeting that a quirk held; that ends the wait."""
        return self._inbox.early_talker

    @property
    def mode(self) -> Mode:
        """What the octets that come next are."""
        return self._session.mode

    def receive_data(self, octets: bytes) -> None:
        """Take octets from the client.

        Args:
            octets: Any number of them, cut anywhere.
        """
        proxied = self.mode is Mode.PREAMBLE
        if octets and not proxied and (self._has_spoken or not self.flights):
            self._has_spoken = False
            self.flights += 1
        self._inbox.add(octets)
        owed = self._note_early_talker() if octets and self._greeting_held else None
        while self._readers[self.mode]():
            pass
        if owed is not None:
            owed()

    def receive_eof(self) -> None:
        """Take note that the client has closed its side; an unfinished transaction is dropped."""
        if self.mode is not Mode.CLOSED:
            self._session.mode = Mode.CLOSED
            self._answerer.actions.append(Close())

    def next_action(self) -> Action | None:
        """Return what is to be done next, and forget it.

        Returns:
            An action; None if there is nothing to do until the client says more.
        """
        actions = self._answerer.actions
        if self._greeting_held and not actions:
            self._greet()
        action = actions.popleft() if actions else None
        self._has_spoken |= isinstance(action, Send)
        return action

    def data_to_send(self) -> bytes:
        """Return the octets that are to be sent before any other action, and forget them.

        Returns:
            The octets of the `Send` actions that are next; empty if there are none.
        """
        octets = bytearray()
        actions = self._answerer.actions
        while actions and isinstance(action := actions[0], Send):
            octets += action.octets
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

    # --- greeting

    def _open(self) -> None:
        self._greeting_held = Habit.HOLDS_GREETING in self._habits
        if self._greeting_held:
            self._hold_greeting()
        else:
            self._greet()

    def _hold_greeting(self) -> None:
        """Wait with the greeting, to catch clients that do not."""
        if Habit.BEGINS_GREETING in self._habits:
            self._answerer.emit(Send(f"220-{self._options.hostname} ESMTP\r\n".encode()))
        self._answerer.emit(_PAUSE)

    def _greet(self) -> None:
        self._greeting_held = False
        self._answerer.answer(self._received(Verb.GREETING, ""), self._session.greeting())

    def _note_early_talker(self) -> Callable[[], None] | None:
        """Greet a client that did not wait; return what is to be done behind its commands."""
        self._inbox.early_talker = True
        with suppress(ValueError):  # it is being waited for already
            self._answerer.actions.remove(_PAUSE)
        if Habit.GREETS_LATE not in self._habits:
            self._greet()
            return None
        self._greeting_held = False
        self._session.greeted = True
        return self._greet

    # --- reading

    def _read_preamble(self) -> bool:
        try:
            found = read_proxy_header(bytes(self._inbox.buffer))
        except ValueError:
            self._answerer.emit(Close())
            return True
        if found is None:
            return False
        self.proxy_header, length = found
        self._inbox.take(length)
        if self.proxy_header.source is not None:
            self._session.peer = self.proxy_header.source[0]
        self._session.mode = Mode.COMMAND
        self._open()
        return True

    def _take_line(self) -> bytes | None:
        """Take a line from the buffer; what exceeds every limit is not kept."""
        buffer = self._inbox.buffer
        end = buffer.find(b"\n") + 1
        if not end:
            del buffer[max(AUTH_LINE_MAX, self._line_max) + 1 :]
            return None
        return self._inbox.take(end)

    def _read_command(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        line = read_line(raw, line_max=self._line_max, auth_line_max=AUTH_LINE_MAX)
        late, self._late = self._late, None
        if late is None and self._waits(line):
            self._late = line
            return True
        self._deal_with(line)
        if late is not None:
            self._deal_with(late)
        return True

    def _waits(self, line: Line) -> bool:
        """Whether a command is dealt with after the one behind it."""
        late = Habit.ANSWERS_RCPT_LATE in self._habits and line.verb is Verb.RCPT
        return late and bool(self._inbox.buffer)

    def _deal_with(self, line: Line) -> None:
        command = self._record(line.verb, line.shown)
        chunk = open_chunk(self._session, line)
        if chunk is None:
            self._answerer.answer(command, judge(self._session, line))
        else:
            self._chunk = (command, chunk)
            self._session.mode = Mode.CHUNK

    def _read_auth_response(self) -> bool:
        raw = self._take_line()
        if raw is None:
            return False
        response = raw.removesuffix(b"\r\n")
        refusal = _CANCEL.get(response) or _auth_line_fault(raw)
        shown = response.decode() if response in _CANCEL else _MASK
        command = self._record(Verb.AUTH_RESPONSE, shown)
        self._answerer.answer(command, auth_response(self._session, response, refusal))
        return True

    def _read_content(self) -> bool:
        session = self._session
        reader = self._reader or ContentReader(session.current.store, session.conduct.end_marks)
        self._reader = reader
        rest = reader.feed(self._inbox.take_all())
        if rest is None:
            return False
        self._inbox.buffer += rest
        self._reader = None
        self._end_content(self._record(Verb.END_OF_CONTENT, "."))
        return True

    def _read_chunk(self) -> bool:
        assert self._chunk is not None  # noqa: S101 - the mode says so
        command, chunk = self._chunk
        octets = self._inbox.take(chunk.due)
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
            self._answerer.answer(command, end_chunk(self._session, chunk.size, chunk.refusal))
        return True

    def _end_content(self, command: ReceivedCommand) -> None:
        """Answer the end of the content: once, or once for each recipient."""
        session = self._session
        session.mode = Mode.COMMAND
        content = session.current.store.content()
        for ending in end_content(session):
            if ending.preface is not None:
                self._answerer.emit(Send(ending.preface.wire()))
            self._answerer.answer(command, ending.verdict, content.octets, ending.recipient)
        session.finish(content)
        self._inbox.behind_content = True

    def _discard(self) -> bool:
        self.discarded += self._inbox.take_all()
        return False

    def _ignore(self) -> bool:
        self._inbox.buffer.clear()
        return False

    # --- recording

    def _received(self, verb: Verb, line: str) -> ReceivedCommand:
        tls = self._session.tls
        return ReceivedCommand(verb=verb, line=line, connection=self._number, tls=tls)

    def _record(self, verb: Verb, line: str) -> ReceivedCommand:
        command = self._received(verb, line)
        self.commands.append(command)
        return command
