"""Which answer a command gets: what the options say about it, or what the server makes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ehlo.commands import Verb
from ehlo.testing._actions import Usual

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ehlo.testing._actions import Answer
    from ehlo.testing._options import AnswersHook, AnswerTable, ServerOptions
    from ehlo.testing._received import ReceivedCommand, Situation

__all__ = ["chooser"]

_BLANKS = re.compile(" +")


def chooser(
    options: ServerOptions,
) -> Callable[[ReceivedCommand, Situation], Answer]:
    """Return the function that chooses answers.

    Args:
        options: How the server behaves.

    Returns:
        The function; for what the options do not mention it returns `Usual()`.
    """
    hook = options.answers if callable(options.answers) else _hook(options.answers)

    def choose(command: ReceivedCommand, situation: Situation) -> Answer:
        answer = hook(command, situation)
        return Usual() if answer is None else answer

    return choose


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
