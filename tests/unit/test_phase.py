from __future__ import annotations

import pytest

from ehlo import Outcome, Phase
from support.pickling import unpickled


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [
        (Phase.GREETING, 300),
        (Phase.MAIL, 300),
        (Phase.RCPT, 300),
        (Phase.DATA, 120),
        (Phase.CONTENT, 180),
        (Phase.END_OF_CONTENT, 600),
    ],
)
def test_the_minimum_is_that_of_rfc_5321_4_5_3_2(phase: Phase, seconds: float) -> None:  # T15
    assert phase.rfc_minimum == seconds


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_phrase_that_reads_after_while_and_a_deadline(phase: Phase) -> None:
    assert phase.phrase.split()[0].endswith("ing")
    assert phase.rfc_minimum > 0


def test_no_two_phases_are_one() -> None:
    assert len({phase.phrase for phase in Phase}) == len(Phase.__members__) == 13


@pytest.mark.parametrize("member", [*Phase, *Outcome])
def test_members_survive_pickling_as_themselves(member: Phase | Outcome) -> None:
    assert unpickled(member) is member


def test_outcomes_are_their_plain_strings() -> None:
    assert [str(outcome) for outcome in Outcome] == ["accepted", "refused", "not-sent", "unknown"]
