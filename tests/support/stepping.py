"""Dialogues stepped by hand, in memory: against a script, or against a small server that can fail.

Two partners for a dialogue, both of which `drive` (or `abandon`) plays against it:

- `Script`: what the client must say, octet by octet, and what it is told. For tests that care
  about the order of things.
- `MemoryServer`: reacts to what the client says, fails at one chosen point, and remembers what it
  really did. For tests that compare that with what the client reports.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, TypeVar

from ehlo.commands import Ehlo, Lhlo
from ehlo.dialogues import Dialogue, Flush, Need, Receive
from ehlo.errors import ConnectionLost, SMTPError, Timeout, TlsFailed
from ehlo.phase import Phase
from ehlo.policies import Protocol
from ehlo.protocol import NEED_DATA, Connection, State
from ehlo.reply import Reply
from ehlo.transcript import Trace

T = TypeVar("T")
Meet = Callable[[Need], None]

NEEDS_MAX: Final = 20_000
"""A dialogue that needs more than this does not end."""


class Cut(Enum):
    """How what the server says is cut into pieces."""

    WHOLE = auto()
    LINE = auto()
    BYTE = auto()

    def pieces(self, octets: bytes) -> list[bytes]:
        match self:
            case Cut.WHOLE:
                return [octets]
            case Cut.LINE:
                return octets.splitlines(keepends=True)
            case Cut.BYTE:
                return [octets[n : n + 1] for n in range(len(octets))]


class Abandoned(BaseException):
    """The driver of a dialogue went away, as with a cancelled task."""


# -- Driving ---------------------------------------------------------------------------------------


def drive(dialogue: Dialogue[T], meet: Meet) -> T:
    """Run a dialogue as a pump does."""
    try:
        need = next(dialogue)
        for _ in range(NEEDS_MAX):
            try:
                meet(need)
            except (ConnectionLost, TlsFailed) as trouble:
                need = dialogue.throw(trouble)
            else:
                need = next(dialogue)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        dialogue.close()
    msg = "the dialogue does not end"
    raise AssertionError(msg)


def needs_of(dialogue: Dialogue[T], meet: Meet) -> list[Need]:
    """Run a dialogue to its end, however it ends, and return what it needed."""
    needs: list[Need] = []

    def note(need: Need) -> None:
        needs.append(need)
        meet(need)

    with suppress(SMTPError):
        drive(dialogue, note)
    return needs


def failing(meet: Meet, trouble: BaseException, *, at: int, met: bool) -> Meet:
    """Fail at the need number `at` (from 0); `met` says whether it is met first all the same."""
    count = iter(range(NEEDS_MAX))

    def meet_or_fail(need: Need) -> None:
        if next(count) != at:
            meet(need)
            return
        if met:
            meet(need)
        raise trouble

    return meet_or_fail


def abandon(dialogue: Dialogue[T], meet: Meet, *, at: int) -> bool:
    """Drop a dialogue at the need number `at`; return whether it got that far."""
    try:
        drive(dialogue, failing(meet, Abandoned(), at=at, met=False))
    except Abandoned:
        return True
    except SMTPError:
        pass
    return False


# -- A script --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class C:
    """The client must say this."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class S:
    """The server says this, in one piece."""

    octets: bytes


EOF: Final = S(b"")
"""The server closes the connection."""


class Tls(Enum):
    """The TLS handshake succeeds."""

    HANDSHAKE = "TLS"


TLS: Final = Tls.HANDSHAKE

Step = C | S | Tls | SMTPError
"""One step of a script; an error is thrown into the dialogue."""

_WORDS: Final[dict[str, Callable[[], Step]]] = {
    "EOF": lambda: EOF,
    "TLS": lambda: TLS,
    "LOST": lambda: ConnectionLost("reset by peer"),
    "TIMEOUT": lambda: Timeout("no answer"),
    "TLSFAILED": lambda: TlsFailed("bad certificate"),
}


def script(text: str) -> list[Step]:
    """Read a script: lines `C: ...`, `S: ...`, or one of the words above.

    Neighbouring lines of the same side are one piece.
    """
    steps: list[Step] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line in _WORDS:
            steps.append(_WORDS[line]())
            continue
        octets = line[3:].encode("utf-8", "surrogateescape") + b"\r\n"
        step: C | S = C(octets) if line[0] == "C" else S(octets)
        assert line[:2] in {"C:", "S:"}, line
        last = steps[-1] if steps else None
        if isinstance(last, C) and isinstance(step, C):
            steps[-1] = C(last.octets + octets)
        elif isinstance(last, S) and isinstance(step, S) and last is not EOF:
            steps[-1] = S(last.octets + octets)
        else:
            steps.append(step)
    return steps


class Script:
    """Meets the needs of a dialogue from a list of steps, and insists on their order."""

    def __init__(
        self, connection: Connection, steps: str | Sequence[Step], cut: Cut = Cut.WHOLE
    ) -> None:
        self._connection = connection
        self._steps = list(script(steps) if isinstance(steps, str) else steps)
        self._cut = cut
        self._written = bytearray()
        self._coming: Iterator[bytes] = iter(())

    def meet(self, need: Need) -> None:
        self._take()
        match need:
            case Flush():
                pass
            case Receive():
                while self._connection.needs_data:
                    self._hear()
            case _:
                self._match_client()
                self._throw()
                assert self._next() is TLS

    def _take(self) -> None:
        for piece in self._connection.data_to_send():
            self._written += piece

    def _hear(self) -> None:
        piece = next(self._coming, None)
        if piece is not None:
            self._connection.receive_data(piece)
            return
        self._match_client()
        self._throw()
        step = self._next()
        assert isinstance(step, S), f"the client waits, but next is {step}"
        if step.octets:
            self._coming = iter(self._cut.pieces(step.octets))
        else:
            self._connection.receive_eof()

    def _throw(self) -> None:
        due = self._steps[0] if self._steps else None
        if isinstance(due, SMTPError):
            self._next()
            raise due

    def _next(self) -> Step:
        assert self._steps, "the client waits for more than the script has"
        return self._steps.pop(0)

    def _match_client(self) -> None:
        if self._steps and isinstance(self._steps[0], C):
            expected = self._steps.pop(0)
            assert isinstance(expected, C)
            said = bytes(self._written[: len(expected.octets)])
            assert said == expected.octets
            del self._written[: len(said)]
        assert not self._written, f"the client said more: {bytes(self._written)!r}"

    def check_end(self) -> None:
        """Make sure that everything was said, and nothing else."""
        self._take()
        self._match_client()
        assert not self._steps
        assert self._connection.state is State.BROKEN or not list(self._coming)


def run(
    dialogue: Dialogue[T],
    connection: Connection,
    steps: str | Sequence[Step],
    cut: Cut = Cut.WHOLE,
) -> T:
    """Run a dialogue against a script, to the end of both."""
    player = Script(connection, steps, cut)
    try:
        result = drive(dialogue, player.meet)
    except SMTPError:
        player.check_end()
        raise
    player.check_end()
    return result


def hear(connection: Connection, *pieces: bytes) -> None:
    """Feed octets, and take out all that they mean."""
    for octets in pieces:
        connection.receive_data(octets)
        while connection.next_event() is not NEED_DATA:
            pass


def said(connection: Connection) -> bytes:
    """Return what the client has to say."""
    return b"".join(connection.data_to_send())


def ready(
    *keywords: str, protocol: Protocol = Protocol.SMTP, trace: Trace | None = None
) -> Connection:
    """Return a Connection behind EHLO or LHLO, to a server that offers these extensions."""
    connection = Connection(protocol=protocol, trace=trace)
    hear(connection, b"220 mx.example.com ESMTP\r\n")
    hello = Ehlo if protocol is Protocol.SMTP else Lhlo
    connection.send(hello("client.example.org"))
    said(connection)
    hear(connection, Reply.of(250, "mx.example.com", *keywords).wire())
    assert connection.is_idle
    return connection


# -- A server ------------------------------------------------------------------------------------


class Fault(Enum):
    """What a server does in the place of one of its replies."""

    CLOSE = auto()
    CLOSE_INSIDE = auto()
    SAY_421 = auto()
    SAY_4YZ = auto()
    SAY_5YZ = auto()
    GARBAGE = auto()
    WRONG_STAGE = auto()
    SILENCE = auto()
    ABANDON = auto()


_REFUSALS: Final = {
    Fault.SAY_421: b"421 4.3.2 closing down\r\n",
    Fault.SAY_4YZ: b"451 4.3.0 later\r\n",
    Fault.SAY_5YZ: b"550 5.7.1 no\r\n",
}


@dataclass(kw_only=True)
class MemoryServer:
    """A server in memory, which knows what it did.

    Attributes:
        connection: The client's side; what the server says is fed to it.
        keywords: The extensions offered (STARTTLS until TLS is on).
        at: Which reply, from 0, to replace by the fault; handshakes count. -1 is none.
        fault: What to do there.
        cut: How to cut what is said.
        refuse: Replies in the place of the usual ones, by their number.
        points: What each reply was to, in order.
        taken: The content that it took responsibility for, with its recipients.
        refused: Whether it refused something of the transaction in a valid reply.
    """

    connection: Connection
    keywords: tuple[str, ...] = ()
    at: int = -1
    fault: Fault = Fault.CLOSE
    cut: Cut = Cut.WHOLE
    refuse: dict[int, bytes] = field(default_factory=dict)

    points: list[str] = field(default_factory=list)
    taken: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    refused: bool = False
    indulgent: bool = False  # whether it goes on to content with nobody to deliver to
    closed: bool = False
    silent: bool = False
    _abandoned: bool = False
    _told_end: bool = False
    _heard: bytearray = field(default_factory=bytearray)
    _to_say: bytearray = field(default_factory=bytearray)
    _tls: bool = False
    _mode: str = "greeting"
    _sender: bool = False
    _recipients: list[str] = field(default_factory=list)

    # -- Meeting needs

    def meet(self, need: Need) -> None:
        self._listen()
        match need:
            case Flush(phase):
                if phase is Phase.CONTENT and (self._to_say or self.closed):
                    self._speak()
            case Receive():
                while self.connection.needs_data:
                    self._speak()
            case _:
                self._shake_hands()

    def _listen(self) -> None:
        if self._mode == "greeting":
            self._mode = "commands"
            self._answer("greeting", b"220 mx.example.com ESMTP\r\n")
        for piece in self.connection.data_to_send():
            self._heard += piece
        while not self.closed and not self.silent and self._take_one():
            pass

    def _speak(self) -> None:
        if self._to_say:
            octets = bytes(self._to_say)
            self._to_say.clear()
            for piece in self.cut.pieces(octets):
                self.connection.receive_data(piece)
                _ = self.connection.needs_data
        elif self._abandoned:
            raise Abandoned
        elif self.closed and not self._told_end:
            self._told_end = True
            self.connection.receive_eof()
        else:
            msg = "no answer"
            raise Timeout(msg)

    def _shake_hands(self) -> None:
        position = len(self.points)
        self.points.append("handshake")
        if position == self.at:
            self.closed = True
            match self.fault:
                case Fault.SILENCE:
                    msg = "no answer"
                    raise Timeout(msg)
                case Fault.ABANDON:
                    raise Abandoned
                case _:
                    msg = "the handshake failed"
                    raise TlsFailed(msg)
        self._tls = True

    # -- Reacting

    def _take_one(self) -> bool:
        if self._mode == "content":
            return self._take_content()
        line, end, rest = bytes(self._heard).partition(b"\r\n")
        if not end:
            return False
        self._heard[:] = rest
        word = "*" if self._mode != "commands" else line.partition(b" ")[0].decode().upper()
        handler = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "*": self._auth_response,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }.get(word, self._unknown)
        handler(line)
        return True

    def _answer(self, point: str, usual: bytes) -> bool:
        """Say the usual, or what was planned instead; return whether the command took effect."""
        position = len(self.points)
        self.points.append(point)
        reply = self.refuse.get(position, usual)
        if position == self.at:
            return self._fail(usual)
        self._to_say += reply
        return reply[:1] == usual[:1]

    def _fail(self, usual: bytes) -> bool:
        match self.fault:
            case Fault.SAY_421 | Fault.SAY_4YZ | Fault.SAY_5YZ:
                self._to_say += _REFUSALS[self.fault]
                self.closed = self.fault is Fault.SAY_421
                return False
            case Fault.CLOSE_INSIDE:
                self._to_say += usual[: len(usual) // 2]
                self.closed = True
            case Fault.CLOSE:
                self.closed = True
            case Fault.GARBAGE:
                self._to_say += b"\x00\xff nonsense\r\n"
            case Fault.WRONG_STAGE:
                self._to_say += b"250 so be it\r\n" if usual[:1] == b"3" else b"354 go on\r\n"
            case Fault.SILENCE | Fault.ABANDON:
                self.silent = True
                self._abandoned = self.fault is Fault.ABANDON
        return True  # it did what it was told, and failed to say so

    def _ehlo(self, _line: bytes) -> None:
        keywords = [word for word in self.keywords if not (self._tls and word == "STARTTLS")]
        self._answer("EHLO", Reply.of(250, "mx.example.com", *keywords).wire())

    def _helo(self, _line: bytes) -> None:
        self._answer("HELO", b"250 mx.example.com\r\n")

    def _starttls(self, _line: bytes) -> None:
        self._answer("STARTTLS", b"220 2.0.0 go ahead\r\n")

    def _auth(self, line: bytes) -> None:
        if line.startswith(b"AUTH LOGIN"):
            if self._answer("AUTH", b"334 VXNlcm5hbWU6\r\n"):
                self._mode = "user"
        else:
            self._answer("AUTH", b"235 2.7.0 welcome\r\n")

    def _auth_response(self, line: bytes) -> None:
        if line == b"*":
            self._mode = "commands"
            self._answer("*", b"501 5.7.0 cancelled\r\n")
        elif self._mode == "user":
            assert base64.b64decode(line, validate=True)
            self._mode = "password"
            if not self._answer("user", b"334 UGFzc3dvcmQ6\r\n"):
                self._mode = "commands"
        else:
            self._mode = "commands"
            self._answer("password", b"235 2.7.0 welcome\r\n")

    def _mail(self, _line: bytes) -> None:
        self._sender = self._in_transaction("MAIL", b"250 2.1.0 sender ok\r\n")

    def _rcpt(self, line: bytes) -> None:
        usual = b"250 2.1.5 recipient ok\r\n" if self._sender else b"503 5.5.1 MAIL first\r\n"
        if self._in_transaction("RCPT", usual) and self._sender:
            self._recipients.append(line.decode())

    def _data(self, _line: bytes) -> None:
        usual = b"354 go ahead\r\n" if self._recipients else b"554 5.5.1 no recipients\r\n"
        effect = self._in_transaction("DATA", usual)
        if (effect and self._recipients) or self.indulgent:
            self._mode = "content"

    def _in_transaction(self, point: str, usual: bytes) -> bool:
        effect = self._answer(point, usual)
        self.refused = self.refused or not effect
        return effect

    def _take_content(self) -> bool:
        octets = b"\r\n" + bytes(self._heard)
        end = octets.find(b"\r\n.\r\n")
        if end < 0:
            return False
        self._heard[:] = octets[end + 5 :]
        self._mode = "commands"
        recipients = tuple(self._recipients)
        self._sender, self._recipients = False, []
        usual = b"250 2.0.0 Ok: queued as 1234\r\n" if recipients else b"554 5.5.1 nobody\r\n"
        if self._in_transaction(".", usual) and recipients:
            self.taken.append((recipients, octets[2:end]))
        return True

    def _rset(self, _line: bytes) -> None:
        if self._answer("RSET", b"250 2.0.0 ok\r\n"):
            self._sender, self._recipients = False, []

    def _unknown(self, _line: bytes) -> None:
        """The lone dot behind a 354 that only the plan had said, for one."""
        self._answer("?", b"500 5.5.2 what\r\n")

    def _noop(self, _line: bytes) -> None:
        self._answer("NOOP", b"250 2.0.0 ok\r\n")

    def _quit(self, _line: bytes) -> None:
        self._answer("QUIT", b"221 2.0.0 bye\r\n")
        self.closed = True
