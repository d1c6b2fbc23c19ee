r"""Transcripts that play themselves: a server whose every word is written down.

A script is a text of one line per line of the dialogue::

    # The shortest of sessions
    S: 220 mail.example.org ESMTP
    C: EHLO client.example.org
    S: 250 mail.example.org
    C: QUIT
    S: 221 Bye
    * close

`C:` is what the client must say, `S:` what the server says then, both without their CRLF. `S>` is
said without a line end. `* close`, `* reset` and `* starttls` are what the server does. Lines that
begin with `#` are comments, empty lines are nothing.

`ScriptPlayer` plays the server's part without I/O, `rehearse` puts a dialogue in front of it
without any, and `ScriptServer` serves it on the loopback interface.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from ehlo.dialogues import Receive, UpgradeTls
from ehlo.errors import ConnectionLost
from ehlo.testing._actions import Close, Reset, Send, StartTls

if TYPE_CHECKING:
    from ehlo.dialogues import Dialogue, Need
    from ehlo.protocol import Connection

__all__ = ["Expect", "Pace", "Script", "ScriptMismatch", "ScriptPlayer", "rehearse"]

_T = TypeVar("_T")


class Pace(StrEnum):
    """How the server's octets are cut on their way."""

    WHOLE = "whole"
    """All that is due at once."""
    LINES = "lines"
    """One line at a time."""
    OCTETS = "octets"
    """One octet at a time."""


class ScriptMismatch(AssertionError):
    """The client said something else than the script has it say."""


@dataclass(frozen=True, slots=True)
class Expect:
    """The client must say this.

    Attributes:
        octets: Exactly these octets, line ends included.
    """

    octets: bytes


ScriptStep: TypeAlias = Expect | Send | Close | Reset | StartTls

_DEEDS: Final[dict[str, ScriptStep]] = {
    "* close": Close(),
    "* reset": Reset(),
    "* starttls": StartTls(),
}


def _step(number: int, line: str) -> ScriptStep:
    side, text = line[:2], line[2:].removeprefix(" ")
    if side == "C:":
        return Expect(text.encode() + b"\r\n")
    if side == "S:":
        return Send(text.encode() + b"\r\n")
    if side == "S>":
        return Send(text.encode())
    if line in _DEEDS:
        return _DEEDS[line]
    msg = f"line {number} of the script is none of C:, S:, S>, *, #: {line!r}"
    raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Script:
    """One session, written down.

    Attributes:
        steps: What happens, in order.
    """

    steps: tuple[ScriptStep, ...]

    @classmethod
    def parse(cls, text: str) -> Script:
        """Read a script.

        Args:
            text: The lines, as described in this module.

        Returns:
            The script.

        Raises:
            ValueError: A line is none of those.
        """
        lines = enumerate(text.splitlines(), 1)
        return cls(tuple(_step(n, line) for n, line in lines if line and line[0] != "#"))


class ScriptPlayer:
    """The server's part of a script, without I/O.

    Feed it what the client says, and do what `next_action` tells.

    Args:
        script: The session.
        pace: How the server's octets are cut.
    """

    def __init__(self, script: Script, pace: Pace = Pace.WHOLE) -> None:
        self._steps = deque(script.steps)
        self._pace = pace
        self._said = bytearray()
        self._due: deque[bytes] = deque()

    @property
    def is_over(self) -> bool:
        """Whether the whole script was played."""
        return not self._steps and not self._due

    def receive_data(self, data: bytes) -> None:
        """Take what the client says.

        Args:
            data: The octets, cut anywhere.

        Raises:
            ScriptMismatch: They are not what the script has it say.
        """
        self._said += data
        while self._said and not self._due and self._steps:
            step = self._steps[0]
            if not isinstance(step, Expect):
                return  # it spoke ahead of its turn; what it said is looked at when that comes
            length = min(len(self._said), len(step.octets))
            if bytes(self._said[:length]) != step.octets[:length]:
                raise self._mismatch(bytes(self._said))
            if len(self._said) < len(step.octets):
                return
            del self._said[:length]
            self._steps.popleft()
        if self._said and self.is_over:
            raise self._mismatch(bytes(self._said))

    def receive_eof(self) -> None:
        """Take the news that the client is gone.

        Raises:
            ScriptMismatch: The script has it say more.
        """
        if any(isinstance(step, Expect) for step in self._steps):
            raise self._mismatch(b"(nothing: the connection is closed)")
        self._steps.clear()  # what the server would still have said has no listener
        self._due.clear()

    def next_action(self) -> Send | Close | Reset | StartTls | None:
        """Return what the server does now.

        Returns:
            One action, or None: it is the client's turn, or all is over.
        """
        self.receive_data(b"")
        if self._due:
            return Send(self._due.popleft())
        if not self._steps or isinstance(self._steps[0], Expect):
            return None
        step = self._steps.popleft()
        if not isinstance(step, Send):
            return step  # type: ignore[return-value]  # Expect was ruled out above
        octets = bytearray(step.octets)
        while self._steps and isinstance(following := self._steps[0], Send):
            octets += following.octets
            self._steps.popleft()
        self._due.extend(_cut(bytes(octets), self._pace))
        return Send(self._due.popleft())

    def _mismatch(self, said: bytes) -> ScriptMismatch:
        expected = self._steps[0] if self._steps else "nothing more"
        shown = expected.octets if isinstance(expected, Expect) else expected
        return ScriptMismatch(f"the client said {said!r}; the script has {shown!r}")


def _cut(octets: bytes, pace: Pace) -> list[bytes]:
    if pace is Pace.OCTETS:
        return [octets[i : i + 1] for i in range(len(octets))]
    return octets.splitlines(keepends=True) if pace is Pace.LINES else [octets]


def rehearse(dialogue: Dialogue[_T], connection: Connection, player: ScriptPlayer) -> _T:
    """Run a dialogue against a script without any I/O.

    Args:
        dialogue: A dialogue on the Connection.
        connection: The Connection.
        player: The server.

    Returns:
        The dialogue's result.

    Raises:
        ScriptMismatch: The dialogue does not follow the script.
        SMTPError: As the dialogue says.
    """
    try:
        need = next(dialogue)
        while True:
            trouble = _meet(need, connection, player)
            need = next(dialogue) if trouble is None else dialogue.throw(trouble)
    except StopIteration as stop:
        result: _T = stop.value
        return result


def _meet(need: Need, connection: Connection, player: ScriptPlayer) -> ConnectionLost | None:
    for piece in connection.data_to_send():
        player.receive_data(piece)
    if isinstance(need, Receive):
        return _receive(need, connection, player)
    if isinstance(need, UpgradeTls) and not isinstance(action := player.next_action(), StartTls):
        raise _unfit(need, action)
    return None


def _receive(need: Need, connection: Connection, player: ScriptPlayer) -> ConnectionLost | None:
    while connection.needs_data:
        action = player.next_action()
        if isinstance(action, Send):
            connection.receive_data(action.octets)
        elif isinstance(action, Close):
            connection.receive_eof()
        elif isinstance(action, Reset):
            return ConnectionLost("the connection was reset", phase=need.phase)
        else:
            raise _unfit(need, action)
    return None


def _unfit(need: Need, action: Send | Close | Reset | StartTls | None) -> ScriptMismatch:
    return ScriptMismatch(f"the client needs {need}; the script has {action or 'it speak'}")
