"""How long each step of a dialogue took, read off the dialogue itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ehlo.transcript import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ehlo.transcript import Entry

__all__ = ["Step", "Stopwatch"]


class Step(NamedTuple):
    """One step: what it was, and how many seconds it took."""

    what: str
    seconds: float


class _Seen(NamedTuple):
    at: float
    side: Side
    text: str


class Stopwatch:
    """Notes when each line of a dialogue went by, from its own start on.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = clock()
        self._seen: list[_Seen] = []

    def note(self, entry: Entry) -> None:
        """Note that a line went by just now.

        Args:
            entry: The line.
        """
        self._seen.append(_Seen(self._clock() - self._start, entry.side, entry.text))

    def steps(self) -> list[Step]:
        """Return the steps so far.

        Returns:
            The greeting, each command and each fact beside the dialogue with the time from the
            end of the step before it; the first one's begins with the connecting.
        """
        steps: list[Step] = []
        begin = 0.0
        for what, end in _ends(self._seen):
            first = "" if steps else " (connecting included)"
            steps.append(Step(f"{what}{first}", end - begin))
            begin = end
        return steps


def _ends(seen: Sequence[_Seen]) -> list[tuple[str, float]]:
    """Return what each step was and when it ended: with the last line of its reply.

    What stands behind the last reply is about the end of the connection, and no step.
    """
    replies = [number for number, line in enumerate(seen, 1) if line.side is Side.SERVER]
    ends: list[tuple[str, float]] = []
    asked, answered = "greeting", False
    for at, side, text in seen[: max(replies, default=0)]:
        if side is Side.CLIENT:
            asked, answered = text, False
        elif side is Side.NOTE:
            ends.append((text, at))
        else:
            if answered:
                ends.pop()
            ends.append((asked, at))
            answered = True
    return ends
