"""How a pool behaves: one frozen value, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ehlo.errors import InvalidInput

__all__ = ["PoolOptions", "require_count", "require_positive"]

_BACKOFF_FACTOR: Final = 2.0
_BACKOFF_MOST: Final = 20.0
"""How many times the first pause the longest one is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How many connections there may be, for how long, and what is done when they fail.

    Attributes:
        max_connections: How many connections there may be at once.
        max_messages: How many messages go over one connection; None for any number.
        max_age: For how many seconds a connection is used; None for ever.
        idle_timeout: After how many seconds without use it is closed; None for never.
        check_after: After how many seconds without use it has to answer NOOP before it is used;
            None for never.
        rate: How many messages a second may be begun; None for any number.
        retries: How often a message that was certainly not sent is tried again, and how often a
            connection is.
        backoff: For how many seconds no connection is tried after one could not be had; twice as
            many after each further failure, up to twenty times as many.
    """

    max_connections: int = 4
    max_messages: int | None = 100
    max_age: float | None = 300.0
    idle_timeout: float | None = 60.0
    check_after: float | None = 10.0
    rate: float | None = None
    retries: int = 3
    backoff: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidInput: A number is out of its range.
        """
        require_count("max_connections", self.max_connections, 1)
        require_count("retries", self.retries, 0)
        if self.max_messages is not None:
            require_count("max_messages", self.max_messages, 1)
        for name in ("max_age", "idle_timeout", "check_after", "rate"):
            value: float | None = getattr(self, name)
            if value is not None:
                require_positive(name, value)
        require_positive("backoff", self.backoff)

    def pause(self, failures: int) -> float:
        """Return for how long no connection is tried.

        Args:
            failures: How many attempts in a row have failed.

        Returns:
            Seconds.
        """
        longest = self.backoff * _BACKOFF_MOST
        try:
            return min(self.backoff * _BACKOFF_FACTOR ** (failures - 1), longest)
        except OverflowError:
            return longest


def require_count(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number, or too small.

    Args:
        name: Of the option, for the error.
        value: Its value.
        least: The smallest that makes sense.

    Raises:
        InvalidInput: It is refused.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidInput(f"{name} is a whole number, {least} at the least, not {value!r}")


def require_positive(name: str, value: float) -> None:
    """Refuse what is no number above 0.

    Args:
        name: Of the option, for the error.
        value: Its value.

    Raises:
        InvalidInput: It is refused.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)  # type: ignore[redundant-expr]
    if not (is_number and math.isfinite(value) and value > 0):
        raise InvalidInput(f"{name} is a number above 0, not {value!r}")
