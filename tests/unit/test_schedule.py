from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ehlo import ByMode, DeliverBy, InvalidInput
from ehlo.schedule import held_for, held_until
from support.pickling import unpickled

CEST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("seconds", "mode", "kept"),
    [
        (1, "R", (1, ByMode.RETURN)),
        (999_999_999, ByMode.RETURN, (999_999_999, ByMode.RETURN)),
        (timedelta(hours=1), "r", (3600, ByMode.RETURN)),
        (timedelta(seconds=1.9), "R", (1, ByMode.RETURN)),
        (0, "N", (0, ByMode.NOTIFY)),
        (-999_999_999, "n", (-999_999_999, ByMode.NOTIFY)),
        (timedelta(seconds=-0.5), ByMode.NOTIFY, (-1, ByMode.NOTIFY)),
    ],
)
def test_a_time_and_what_happens_behind_it(seconds: Any, mode: Any, kept: Any) -> None:
    asked = DeliverBy(seconds, mode, trace=True)
    assert (asked.seconds, asked.mode) == kept
    assert asked.trace
    assert not DeliverBy(seconds, mode).trace


@pytest.mark.parametrize("seconds", [10**9, -(10**9), timedelta.max, timedelta.min])
def test_a_time_has_nine_digits(seconds: Any) -> None:
    with pytest.raises(InvalidInput, match="the time of BY has 999999999 seconds at the most"):
        DeliverBy(seconds, "N")


@pytest.mark.parametrize("seconds", [0, -1, timedelta(seconds=0.9)])
def test_what_is_to_be_returned_needs_time(seconds: Any) -> None:
    with pytest.raises(InvalidInput, match="the time of BY is positive"):
        DeliverBy(seconds, "R")


@pytest.mark.parametrize("mode", ["", "RT", "return", "R;N"])
def test_there_are_two_modes(mode: str) -> None:
    with pytest.raises(InvalidInput, match="ByMode is one of 'R', 'N'"):
        DeliverBy(1, mode)


@pytest.mark.parametrize("seconds", [1.5, "1", True, None, 1.0])
def test_a_time_is_an_int_or_a_timedelta(seconds: Any) -> None:
    with pytest.raises(TypeError, match="the time of BY is an int"):
        DeliverBy(seconds, "N")
    with pytest.raises(TypeError, match="the time of HOLDFOR is an int"):
        held_for(seconds)


@pytest.mark.parametrize("mode", [None, 1])
def test_a_mode_is_a_text(mode: Any) -> None:
    with pytest.raises(TypeError):
        DeliverBy(1, mode)


def test_times_are_values() -> None:
    asked = DeliverBy(60, "R", trace=True)
    assert unpickled(asked) == asked
    assert asked != DeliverBy(60, "R")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(1, 1), (999_999_999, 999_999_999), (timedelta(seconds=0.1), 1), (timedelta(days=1), 86400)],
)
def test_nothing_is_released_early(value: Any, seconds: int) -> None:
    assert held_for(value) == seconds


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (0, "is positive"),
        (-5, "is positive"),
        (timedelta(0), "is positive"),
        (timedelta(seconds=-0.5), "is positive"),
        (10**9, "at the most"),
        (timedelta.max, "at the most"),
        (timedelta.min, "at the most"),
    ],
)
def test_holding_takes_time(value: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        held_for(value)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)),
        (datetime(2030, 1, 1, 1, tzinfo=CEST), datetime(2029, 12, 31, 23, tzinfo=UTC)),
        (datetime(2030, 1, 1, 0, 0, 0, 1, UTC), datetime(2030, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_kept_in_utc(value: datetime, moment: datetime) -> None:
    kept = held_until(value)
    assert kept == moment
    assert kept.tzinfo is UTC
    assert not kept.microsecond


def test_a_moment_has_an_offset() -> None:
    with pytest.raises(InvalidInput, match="a datetime with an offset"):
        held_until(datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "value", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=CEST)]
)
def test_utc_has_years_1_to_9999(value: datetime) -> None:
    with pytest.raises(InvalidInput, match="out of range"):
        held_until(value)


@pytest.mark.parametrize("value", ["2030-01-01T00:00:00Z", 5, None])
def test_a_moment_is_a_datetime(value: Any) -> None:
    with pytest.raises(TypeError):
        held_until(value)
