"""When messages may begin, if there may be only so many in a second."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """Spaces messages evenly; time that nobody has used is gone.

    Args:
        rate: How many messages a second may begin; None for any number.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 0.0 if rate is None else 1.0 / rate
        self._next = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._interval > 0

    @property
    def next(self) -> float:
        """When the next message may begin, by the clock of the calls."""
        return self._next

    def is_due(self, now: float) -> bool:
        """Return whether a message may begin at once.

        Args:
            now: The time.
        """
        return self._next <= now

    def begin(self, now: float) -> None:
        """Take the news that a message begins.

        Args:
            now: The time.
        """
        is_prompt = now - self._next < self._interval  # then a late start does not add up
        self._next = (self._next if is_prompt else now) + self._interval
