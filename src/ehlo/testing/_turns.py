"""Whose turn it is among the answers of an `InTurn`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ehlo.testing._actions import InTurn, OneAnswer

__all__ = ["Turns"]


class Turns:
    """How often each `InTurn` was used: by one server, or by connections that share this."""

    def __init__(self) -> None:
        self._used: Counter[InTurn] = Counter()

    def take(self, answers: InTurn) -> OneAnswer:
        """Return the answer whose turn it is, and count it as used.

        Args:
            answers: Which answers there are.

        Returns:
            The next of them, or the last if all were used.
        """
        turn = self._used[answers]
        self._used[answers] += 1
        return answers.answers[min(turn, len(answers.answers) - 1)]
