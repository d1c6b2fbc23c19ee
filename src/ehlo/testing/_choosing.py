"""Which answer a command gets: what the options say about it, or what the server makes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._actions import Usual
from ehlo.testing._conduct import Habit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ehlo.testing._actions import Answer
    from ehlo.testing._conduct import Conduct
    from ehlo.testing._options import AnswersHook, AnswerTable, ServerOptions
    from ehlo.testing._received import ReceivedCommand, Situation

__all__ = ["Chooser"]

_BLANKS = re.compile(" +")


class Chooser:
    """Chooses answers: the options' own words first, then the quirks, then the usual.

    Args:
        options: How the server behaves.
        conduct: What the quirks among them come to.

    Attributes:
        has_a_say: Whether there is any command that gets another answer than the usual.
    """

    def __init__(self, options: ServerOptions, conduct: Conduct) -> None:
        self._hook = options.answers if callable(options.answers) else _hook(options.answers)
        self._conduct = conduct
        self._sender_refusal: Reply | None = None
        self.has_a_say = bool(options.answers or conduct.rules)

    def choose(self, command: ReceivedCommand, situation: Situation) -> Answer:
        """Return what a command is answered with.

        Args:
            command: The command.
            situation: Where the session stands.

        Returns:
            The answer; `Usual()` where there is nothing to say about it.
        """
        answer = self._hook(command, situation)
        if Habit.KEEPS_SENDER_REFUSAL in self._conduct.habits:
            answer = self._kept(command, answer)
        if answer is not None:
            return answer
        answers = (rule(command, situation) for rule in self._conduct.rules)
        return next((answer for answer in answers if answer is not None), Usual())

    def _kept(self, command: ReceivedCommand, answer: Answer | None) -> Answer | None:
        """Keep a refusal of the sender for the recipients."""
        if command.verb is Verb.MAIL:
            refused = isinstance(answer, Reply) and not answer.is_positive
            self._sender_refusal = answer if isinstance(answer, Reply) and refused else None
            return None if refused else answer
        return self._sender_refusal or answer if command.verb is Verb.RCPT else answer


def _hook(table: AnswerTable) -> AnswersHook:
    answers = {_key(key): answer for key, answer in table.items()}

    def look_up(command: ReceivedCommand, situation: Situation) -> Answer | None:
        return next((answers[key] for key in _keys(command, situation) if key in answers), None)

    return look_up


def _key(text: str) -> str:
    """Return a command in the form in which the answers table is searched."""
    return _BLANKS.sub(" ", text.strip()).replace(": ", ":").upper()


def _keys(command: ReceivedCommand, situation: Situation) -> Iterator[str]:
    """Yield what a command may be found under, the most specific first."""
    verb = _key(command.verb)
    if situation.recipient is not None:
        yield f"{verb} <{situation.recipient.upper()}>"
    line = _key(command.line)
    while line:
        if line == Verb.BDAT:
            yield verb  # "BDAT 9 LAST" begins with "BDAT 9", but it is a "BDAT LAST"
        yield line
        line = line.rpartition(" ")[0]
    yield verb
