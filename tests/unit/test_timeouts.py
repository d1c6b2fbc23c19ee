from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from ehlo import InvalidInput, Phase, Timeouts
from support.pickling import unpickled

NAMES = [field.name for field in fields(Timeouts)]


def test_every_phase_has_a_finite_deadline_by_default() -> None:  # T15
    for phase in Phase:
        seconds = Timeouts().of(phase)
        assert seconds is not None
        assert 0 < seconds <= 600


def test_the_defaults_suit_programs_that_somebody_waits_for() -> None:
    timeouts = Timeouts()
    assert timeouts.connect == timeouts.tls == 10
    assert timeouts.command == timeouts.mail == timeouts.rcpt == timeouts.data == 60
    assert timeouts.end_of_content == 600
    assert timeouts.total is None


@pytest.mark.parametrize("phase", Phase)
def test_the_rfc_profile_has_the_minimum_of_each_phase(phase: Phase) -> None:  # T15
    assert Timeouts.rfc5321().of(phase) == phase.rfc_minimum
    assert Timeouts.rfc5321().total is None


def test_the_rfc_profile_takes_a_total() -> None:
    assert Timeouts.rfc5321(total=900).total == 900


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        (Phase.CONNECT, "connect"),
        (Phase.TLS, "tls"),
        (Phase.GREETING, "greeting"),
        (Phase.HELLO, "command"),
        (Phase.STARTTLS, "command"),
        (Phase.AUTH, "command"),
        (Phase.MAIL, "mail"),
        (Phase.RCPT, "rcpt"),
        (Phase.DATA, "data"),
        (Phase.CONTENT, "content"),
        (Phase.END_OF_CONTENT, "end_of_content"),
        (Phase.COMMAND, "command"),
        (Phase.QUIT, "quit"),
    ],
)
def test_each_phase_reads_its_field(phase: Phase, name: str) -> None:
    options: dict[str, Any] = {name: 1.25}
    assert Timeouts(**options).of(phase) == 1.25
    options = {name: None}
    assert Timeouts(**options).of(phase) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 0.0, -1, -0.001, math.nan, math.inf, -math.inf])
def test_what_is_no_time_span_is_refused(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(InvalidInput, match=f"^the timeout {name} is seconds above 0, or None"):
        Timeouts(**options)


def test_without_a_total_a_call_never_ends() -> None:
    timeouts = Timeouts(mail=7)
    assert timeouts.end(100.0) is None
    assert timeouts.left(Phase.MAIL, 100.0, None) == 7


def test_a_total_ends_the_call() -> None:
    assert Timeouts(total=30).end(100.0) == 130.0


@pytest.mark.parametrize(
    ("mail", "now", "left"),
    [
        (60.0, 100.0, 30.0),  # the total comes first
        (7.0, 100.0, 7.0),  # the phase comes first
        (30.0, 100.0, 30.0),
        (None, 100.0, 30.0),
        (7.0, 129.0, 1.0),
        (7.0, 130.0, 0.001),  # over, but a wait needs some time
        (None, 1000.0, 0.001),
    ],
)
def test_a_phase_lasts_no_longer_than_the_call(mail: float | None, now: float, left: float) -> None:
    assert Timeouts(mail=mail, total=30).left(Phase.MAIL, now, 130.0) == left


def test_timeouts_survive_pickling() -> None:
    assert unpickled(Timeouts(quit=None, total=5)) == Timeouts(quit=None, total=5)
