"""How a verdict becomes actions: by itself, or as the options and the quirks say instead."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._actions import (
    Close,
    Discard,
    Reset,
    Send,
    Silence,
    StartTls,
    TakeEffect,
    Usual,
    Wait,
)
from ehlo.testing._choosing import Chooser
from ehlo.testing._received import Situation
from ehlo.testing._state import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.testing._actions import Action, Step
    from ehlo.testing._received import ReceivedCommand
    from ehlo.testing._session import Session
    from ehlo.testing._state import Verdict
    from ehlo.testing._turns import Turns

__all__ = ["Answerer", "Inbox"]


_USUAL: Final[tuple[Step, ...]] = (Usual(),)


@dataclass(slots=True)
class Inbox:
    """What came in and was not looked at yet, and how it was cut.

    Attributes:
        buffer: The octets.
        untouched: Whether nothing of the present read has been answered yet.
        behind_content: Whether the end of a message's content was in the present read.
        early_talker: Whether the client spoke before a greeting that was held.
    """

    buffer: bytearray = field(default_factory=bytearray)
    untouched: bool = True
    behind_content: bool = False
    early_talker: bool = False

    def add(self, octets: bytes) -> None:
        """Begin a read."""
        self.buffer += octets
        self.untouched = True
        self.behind_content = False

    def take(self, length: int) -> bytes:
        """Return the next octets, as many as there are of these."""
        octets = bytes(self.buffer[:length])
        del self.buffer[:length]
        return octets

    def take_all(self) -> bytes:
        """Return all octets."""
        return self.take(len(self.buffer))


class Answerer:
    """Answers the commands of one session.

    Args:
        session: The session.
        inbox: What came in.
        turns: Which turn an `InTurn` has come to.

    Attributes:
        actions: What is to be done, in order.
    """

    def __init__(self, session: Session, inbox: Inbox, turns: Turns) -> None:
        self.actions: deque[Action] = deque()
        self._session = session
        self._inbox = inbox
        self._chooser = Chooser(session.options, session.conduct, turns)
        self._silent = False

    def answer(
        self,
        command: ReceivedCommand,
        verdict: Verdict,
        content: bytes | None = None,
        recipient: str | None = None,
    ) -> None:
        """Answer a command as the options or the verdict say.

        Args:
            command: The command.
            verdict: What the server makes of it.
            content: The content, where it is its end; None elsewhere.
            recipient: Whom the answer is for, where each recipient gets one.
        """
        steps = _USUAL
        if self._chooser.has_a_say:
            situation = self._situation(verdict.reply, content, recipient)
            steps = self._chooser.choose(command, situation)
        self._inbox.untouched = False
        if not self._follow(steps, verdict):
            verdict.otherwise()
            self._note_refusal(command, steps, verdict.reply)
        elif verdict.then and self._session.mode is not Mode.CLOSED:
            self.emit(verdict.then)

    def emit(self, action: Action) -> None:
        """Ask for an action, unless the server has fallen silent.

        Args:
            action: The action.
        """
        if self._silent:
            return
        self.actions.append(action)
        self._session.mode = _MODE_AFTER.get(type(action), self._session.mode)

    def _situation(self, usual: Reply, content: bytes | None, recipient: str | None) -> Situation:
        session, inbox = self._session, self._inbox
        return Situation(
            usual=usual,
            hello=session.hello,
            user=session.user,
            sender=session.sender,
            recipients=session.recipients,
            content=content or b"",
            recipient=recipient,
            refused=session.refused,
            announced=session.announced,
            first_in_read=inbox.untouched,
            last_in_read=not inbox.buffer,
            behind_content=inbox.behind_content,
            early_talker=inbox.early_talker,
            ends_content=content is not None,
        )

    def _note_refusal(
        self, command: ReceivedCommand, steps: tuple[Step, ...], usual: Reply
    ) -> None:
        """Keep what refused a recipient."""
        transaction = self._session.transaction
        if command.verb is Verb.RCPT and transaction is not None:
            said = (step for step in steps if isinstance(step, Reply))
            transaction.refused.append(next(said, usual))

    def _follow(self, steps: tuple[Step, ...], verdict: Verdict) -> bool:
        """Take the steps of an answer; return whether the command took effect."""
        decision: bool | None = None
        for step in steps:
            if self._session.mode is Mode.CLOSED:
                break
            effective = self._follow_step(step, verdict)
            if decision is None and effective is not None:
                decision = effective
                if decision:
                    verdict.effect()
        return decision is True

    def _follow_step(self, step: Step, verdict: Verdict) -> bool | None:
        """Take a step; return whether the command takes effect by it, None if that stays open."""
        match step:
            case Reply():
                self.emit(Send(step.wire()))
                return step.code // 100 == verdict.reply.code // 100
            case Usual():
                self.emit(Send(verdict.reply.wire()))
                return True
            case TakeEffect():
                return True
            case Discard():
                self._inbox.buffer.clear()
            case Silence():
                self._silent = True
            case Send() | Wait() | Close() | Reset() | StartTls():
                self.emit(step)
            case _:
                assert_never(step)
        return None


_MODE_AFTER: Final[Mapping[type[Action], Mode]] = {
    StartTls: Mode.TLS,
    Close: Mode.CLOSED,
    Reset: Mode.CLOSED,
}
