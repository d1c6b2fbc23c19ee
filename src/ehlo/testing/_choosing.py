"""Which answer a command gets: what the options say about it, or what the server makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._actions import InTurn, Usual, check_answer
from ehlo.testing._conduct import Habit
from ehlo.testing._table import normal_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ehlo.testing._actions import Answer, OneAnswer, Step
    from ehlo.testing._conduct import Conduct
    from ehlo.testing._options import AnswersHook, AnswerTable, ServerOptions
    from ehlo.testing._received import ReceivedCommand, Situation
    from ehlo.testing._turns import Turns

__all__ = ["Chooser"]


class Chooser:
    """Chooses answers: the options' own words first, then the quirks, then the usual.

    Args:
        options: How the server behaves.
        conduct: What the quirks among them come to.
        turns: Which turn an `InTurn` has come to.

    Attributes:
        has_a_say: Whether there is any command that gets another answer than the usual.
    """

    def __init__(self, options: ServerOptions, conduct: Conduct, turns: Turns) -> None:
        answers = options.answers
        self._hook = _checked(answers) if callable(answers) else _table(answers)
        self._conduct = conduct
        self._turns = turns
        self._sender_refusal: Reply | None = None
        self.has_a_say = bool(answers or conduct.rules)

    def choose(self, command: ReceivedCommand, situation: Situation) -> tuple[Step, ...]:
        """Return what a command is answered with.

        Args:
            command: The command.
            situation: Where the session stands.

        Returns:
            The steps of the answer; `Usual()` where there is nothing to say about it.
        """
        answer = self._own(command, situation)
        if answer is None:
            answers = (rule(command, situation) for rule in self._conduct.rules)
            answer = next((answer for answer in answers if answer is not None), Usual())
        return answer if isinstance(answer, tuple) else (answer,)

    def _own(self, command: ReceivedCommand, situation: Situation) -> OneAnswer | None:
        """Return what the options themselves say."""
        answer = self._hook(command, situation)
        if isinstance(answer, InTurn):
            answer = self._turns.take(answer)
        if Habit.KEEPS_SENDER_REFUSAL in self._conduct.habits:
            return self._kept(command, answer)
        return answer

    def _kept(self, command: ReceivedCommand, answer: OneAnswer | None) -> OneAnswer | None:
        """Keep a refusal of the sender for the recipients."""
        if command.verb is Verb.MAIL:
            refused = isinstance(answer, Reply) and not answer.is_positive
            self._sender_refusal = answer if isinstance(answer, Reply) and refused else None
            return None if refused else answer
        return self._sender_refusal or answer if command.verb is Verb.RCPT else answer


def _checked(hook: AnswersHook) -> AnswersHook:
    """Return the function, with what it returns looked at."""

    def ask(command: ReceivedCommand, situation: Situation) -> Answer | None:
        answer = hook(command, situation)
        if answer is not None:
            check_answer(f"the function of `answers` returned for {command.line!r}", answer)
        return answer

    return ask


def _table(table: AnswerTable) -> AnswersHook:
    answers = {normal_key(key): answer for key, answer in table.items()}

    def look_up(command: ReceivedCommand, situation: Situation) -> Answer | None:
        return next((answers[key] for key in _keys(command, situation) if key in answers), None)

    return look_up


def _keys(command: ReceivedCommand, situation: Situation) -> Iterator[str]:
    """Yield what a command may be found under, the most specific first."""
    verb = normal_key(command.verb)
    verbs = (verb, Verb.END_OF_CONTENT) if situation.ends_content else (verb,)
    if situation.recipient is not None:
        for name in verbs:
            yield f"{name} <{situation.recipient.upper()}>"
    line = normal_key(command.line)
    while line:
        if line == Verb.BDAT:
            yield from verbs  # "BDAT 9 LAST" begins with "BDAT 9", but it is a "BDAT LAST"
        yield line
        line = line.rpartition(" ")[0]
    yield from verbs
