"""The date of a message (RFC 5322 section 3.3), whatever the locale is."""

from __future__ import annotations

from datetime import date as Day  # noqa: N812 - parameters are called date
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from ehlo.errors import InvalidInput

__all__ = ["check_date", "format_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_TWO: Final = tuple(f"{number:02}" for number in range(60))
_MINUTE: Final = timedelta(minutes=1)
_FIRST_YEAR: Final = 1900


def check_date(date: datetime) -> timedelta:
    """Return the offset of a date that a header can hold.

    Args:
        date: The date.

    Returns:
        Its offset from UTC.

    Raises:
        TypeError: It is no datetime.
        InvalidInput: It has no offset (it is naive), an offset that is not in whole minutes, or
            lies before the year 1900.
    """
    if not isinstance(date, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a date is a datetime, not {type(date).__name__}")
    offset = date.utcoffset()
    if offset is None:
        raise InvalidInput("the date has no UTC offset: use datetime.now().astimezone()")
    if (offset and offset % _MINUTE) or date.year < _FIRST_YEAR:
        raise InvalidInput("the date needs an offset in whole minutes and a year from 1900")
    return offset


def format_date(date: datetime) -> str:
    """Write a date with its own offset.

    Args:
        date: The date; it has an offset.

    Returns:
        For example `Tue, 01 Jul 2003 10:52:37 +0200`.

    Raises:
        InvalidInput: See `check_date`.
    """
    offset = check_date(date)
    time = f"{_TWO[date.hour]}:{_TWO[date.minute]}:{_TWO[date.second]}"  # faster than formats
    return f"{_day(date.toordinal())} {time} {_zone(offset)}"


# Messages are written on one day after the other, and in few zones.
@lru_cache(maxsize=64)
def _day(ordinal: int) -> str:
    day = Day.fromordinal(ordinal)
    return f"{_DAYS[day.weekday()]}, {day.day:02} {_MONTHS[day.month - 1]} {day.year:04}"


@lru_cache(maxsize=64)
def _zone(offset: timedelta) -> str:
    minutes = offset // _MINUTE
    hours, minutes_left = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{minutes_left:02}"
