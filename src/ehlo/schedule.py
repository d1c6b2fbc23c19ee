"""When a message is delivered, and when it is released: DELIVERBY and FUTURERELEASE."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from ehlo.errors import InvalidInput
from ehlo.policies import chosen
from ehlo.text import require_str

__all__ = ["SECONDS_MAX", "ByMode", "DeliverBy", "held_for", "held_until"]

SECONDS_MAX: Final = 999_999_999
"""The longest time that BY and HOLDFOR can say: nine digits (RFC 2852, RFC 4865)."""


def _checked(what: str, value: object) -> int:
    """Return a time in whole seconds, rounded down."""
    seconds: object = value // timedelta(seconds=1) if isinstance(value, timedelta) else value
    if type(seconds) is not int:
        msg = f"{what} is an int of seconds or a timedelta, not {type(value).__name__}"
        raise TypeError(msg)
    if abs(seconds) > SECONDS_MAX:
        msg = f"{what} has {SECONDS_MAX} seconds at the most"
        raise InvalidInput(msg)
    return seconds


class ByMode(StrEnum):
    """What becomes of a message that was not delivered in time (RFC 2852 section 4)."""

    RETURN = "R"
    """It is returned as undeliverable."""
    NOTIFY = "N"
    """The sender is told of the delay, and delivery goes on."""


@dataclass(frozen=True, slots=True, init=False)
class DeliverBy:
    """A time within which a message is to be delivered, and what happens behind it (RFC 2852).

    Args:
        seconds: The time from now, in seconds or as a timedelta (rounded down). With
            `ByMode.NOTIFY` it may be 0 or in the past.
        mode: What happens then: a `ByMode`, or its letter `R` or `N`.
        trace: Whether the sender is told where the message went to a server without DELIVERBY.

    Raises:
        InvalidInput: The time has more than nine digits, or is not positive with
            `ByMode.RETURN`; the mode is none.
        TypeError: The time is neither of the two.

    Attributes:
        seconds: The time in whole seconds.
        mode: As above.
        trace: As above.
    """

    seconds: int
    mode: ByMode
    trace: bool

    def __init__(
        self, seconds: int | timedelta, mode: ByMode | str, *, trace: bool = False
    ) -> None:
        for name, value in {"seconds": seconds, "mode": mode, "trace": trace}.items():
            object.__setattr__(self, name, value)  # before anything is refused: tracebacks show it
        object.__setattr__(self, "seconds", _checked("the time of BY", seconds))
        object.__setattr__(self, "mode", chosen(ByMode, require_str("a ByMode", mode).upper()))
        if self.mode is ByMode.RETURN and self.seconds <= 0:
            msg = "the time of BY is positive if the message is to be returned behind it"
            raise InvalidInput(msg)


def held_for(value: int | timedelta) -> int:
    """Check the time of HOLDFOR.

    Args:
        value: The time in seconds, or as a timedelta.

    Returns:
        The time in whole seconds.

    Raises:
        InvalidInput: It is not positive, or has more than nine digits.
        TypeError: It is neither of the two.
    """
    if isinstance(value, timedelta):  # never released early: a part of a second counts as one
        whole, rest = divmod(value, timedelta(seconds=1))
        value = whole + bool(rest)
    seconds = _checked("the time of HOLDFOR", value)
    if seconds <= 0:
        msg = "the time of HOLDFOR is positive"
        raise InvalidInput(msg)
    return seconds


def held_until(value: object) -> datetime:
    """Check the point in time of HOLDUNTIL.

    Args:
        value: A datetime with an offset.

    Returns:
        The same in UTC, with whole seconds.

    Raises:
        InvalidInput: It has no offset, or UTC has no such year.
        TypeError: It is no datetime.
    """
    if not isinstance(value, datetime):
        msg = f"hold_until is a datetime, not {type(value).__name__}"
        raise TypeError(msg)
    if value.utcoffset() is None:
        msg = "hold_until is a datetime with an offset, so that it names one point in time"
        raise InvalidInput(msg)
    try:
        moment = value.astimezone(UTC)
        return moment.replace(microsecond=0) + timedelta(seconds=bool(moment.microsecond))
    except OverflowError:
        msg = "hold_until is out of range in UTC"
        raise InvalidInput(msg) from None
