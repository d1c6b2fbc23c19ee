"""What a pool has done so far, and how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ehlo.phase import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ehlo.errors import SMTPError

__all__ = ["Stats", "Tally", "total"]


class Stats(NamedTuple):
    """A client at one moment: messages, and connections.

    Each message that was begun counts once in `sent`, `failed` or `unknown`, when that is known.
    What was wrong before (no recipient, for example) counts nowhere, and neither does what went
    over a borrowed session.

    Attributes:
        connections: How many connections there are, those that are being opened or closed included.
        idle: How many of them nobody uses.
        opening: How many of them are being opened.
        waiting: How many users wait for one.
        opened: How many connections came about so far.
        refused: How many connections could not be had.
        discarded: How many connections were closed, or are about to be.
        reused: How often somebody was given a connection that was idle.
        sent: How many messages were accepted.
        failed: How many were given up and not accepted.
        unknown: Of how many nobody knows.
        retried: How many attempts to send a message were repeated.
    """

    connections: int = 0
    idle: int = 0
    opening: int = 0
    waiting: int = 0
    opened: int = 0
    refused: int = 0
    discarded: int = 0
    reused: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    retried: int = 0


class Tally:
    """What a pool counts.

    Attributes:
        opened: As for `Stats`.
        refused: Likewise.
        discarded: Likewise.
        reused: Likewise.
    """

    def __init__(self) -> None:
        self.opened = self.refused = self.discarded = self.reused = 0
        self._sent = self._failed = self._unknown = self._retried = 0

    def count(self, error: SMTPError | None, *, is_final: bool) -> None:
        """Count what became of a message.

        Args:
            error: Why it was not accepted; None if it was.
            is_final: Whether it will not be tried again.
        """
        if error is None:
            self._sent += 1
        elif not is_final:
            self._retried += 1
        elif error.outcome is Outcome.UNKNOWN:
            self._unknown += 1
        else:
            self._failed += 1

    def stats(self, *, connections: int, idle: int, opening: int, waiting: int) -> Stats:
        """Return all numbers.

        Args:
            connections: As for `Stats`.
            idle: Likewise.
            opening: Likewise.
            waiting: Likewise.

        Returns:
            What was counted, and how the pool stands.
        """
        return Stats(
            connections,
            idle,
            opening,
            waiting,
            self.opened,
            self.refused,
            self.discarded,
            self.reused,
            self._sent,
            self._failed,
            self._unknown,
            self._retried,
        )


def total(several: Iterable[Stats]) -> Stats:
    """Return the sums.

    Args:
        several: What each of several pools says.

    Returns:
        What they say together.
    """
    sums = map(sum, zip(*several, strict=True))
    return Stats(*sums)
