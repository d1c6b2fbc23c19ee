"""The table of answers: its keys, and what is certainly a mistake in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, cast

from ehlo.commands import Verb
from ehlo.errors import InvalidInput
from ehlo.testing._actions import check_answer
from ehlo.text import refuse_control_characters

__all__ = ["check_answers", "normal_key"]

_BLANKS: Final = re.compile(" +")
_NAMES: Final = {verb.name: verb for verb in Verb if verb.name != verb.value}
"""What is a member's name and no command: it would wait in vain."""


def normal_key(text: str) -> str:
    """Return a command in the form in which the table is searched.

    Args:
        text: A line, its beginning, or a `Verb`.

    Returns:
        The same with single blanks, none behind a colon, in upper case.
    """
    return _BLANKS.sub(" ", text.strip()).replace(": ", ":").upper()


def check_answers(answers: object) -> None:
    """Refuse a table that is none, or has a key that nothing can match.

    Args:
        answers: The table or the function.

    Raises:
        TypeError: It is neither, or a key or an answer in it is no such thing.
        InvalidInput: A key cannot match.
    """
    if not isinstance(answers, Mapping):
        if not callable(answers):
            raise TypeError(f"answers are a dict of commands, or a function, not {answers!r}")
        return
    for key, answer in cast("Mapping[object, object]", answers).items():
        if not isinstance(key, str):
            raise TypeError(f"a key of the answers is a text, not {key!r}")
        _check_key(key)
        check_answer(f"the answer to {str(key)!r} is", answer)


def _check_key(key: str) -> None:
    refuse_control_characters("a key of the answers", key)
    normal = normal_key(key)
    if not normal:
        raise InvalidInput("a key of the answers is a command or its beginning, and not empty")
    if normal in _NAMES:
        verb = _NAMES[normal]
        raise InvalidInput(f"no command is {key!r}: write Verb.{verb.name}, or {verb.value!r}")
