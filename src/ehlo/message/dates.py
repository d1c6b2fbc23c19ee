"""The date of a message (RFC 5322 section 3.3), whatever the locale is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from ehlo.errors import InvalidInput

__all__ = ["check_date", "format_date"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
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
    check_date(date)
    # The digits are those of ISO 8601, which C writes at once: `2003-07-01 10:52:37+02:00`. The
    # class's own function, as a subclass may write something else.
    iso = datetime.isoformat(date, " ", "seconds")
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {iso[8:10]} {month} {iso[:4]} {iso[11:19]} {iso[19:22]}{iso[23:25]}"
