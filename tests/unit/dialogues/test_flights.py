"""How many round trips a message takes: the count that pipelining is about.

`converse` counts how often the client has to wait for the server. What one more message costs in
the midst of many is the difference between a long batch and one of half its length.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from ehlo.policies import OnRefusal, Pipelining
from support.rooms import Steps, batch_of, room, to

DATA = ("PIPELINING", "SIZE 1000000")
BDAT = ("PIPELINING", "SIZE 1000000", "CHUNKING")
NO_PIPELINING = ("SIZE 1000000",)
NO_PIPELINING_BDAT = ("CHUNKING",)

NONE, WITHIN, ACROSS = Pipelining
ABORT, DELIVER = OnRefusal


class Row(NamedTuple):
    """What a message costs."""

    level: Pipelining
    offered: tuple[str, ...]
    recipients: int
    on_refusal: OnRefusal
    flights: float


TABLE = [
    # In lock step: MAIL, each RCPT, DATA, the dot; BDAT is one command less.
    Row(NONE, DATA, 1, ABORT, 4),
    Row(NONE, DATA, 5, ABORT, 8),
    Row(NONE, DATA, 5, DELIVER, 8),
    Row(NONE, BDAT, 1, ABORT, 3),
    Row(NONE, BDAT, 5, ABORT, 7),
    # Without PIPELINING every level is lock step.
    Row(WITHIN, NO_PIPELINING, 1, ABORT, 4),
    Row(ACROSS, NO_PIPELINING, 1, ABORT, 4),
    Row(ACROSS, NO_PIPELINING_BDAT, 1, ABORT, 3),
    # Within a transaction: envelope and DATA, content.
    Row(WITHIN, DATA, 1, ABORT, 2),
    Row(WITHIN, DATA, 5, DELIVER, 2),
    Row(WITHIN, BDAT, 1, ABORT, 2),
    Row(WITHIN, BDAT, 5, ABORT, 2),
    Row(WITHIN, BDAT, 5, DELIVER, 2),
    # Who wants all or nothing has to know about all before DATA is said.
    Row(WITHIN, DATA, 5, ABORT, 3),
    # Across transactions: with DATA the content has to wait for 354, and for nothing else.
    Row(ACROSS, DATA, 1, ABORT, 1),
    Row(ACROSS, DATA, 5, DELIVER, 1),
    Row(ACROSS, DATA, 5, ABORT, 2),
    # With BDAT it waits for nothing, but for whether all are accepted where that matters.
    Row(ACROSS, BDAT, 1, ABORT, 1 / 32),
    Row(ACROSS, BDAT, 5, DELIVER, 1 / 32),
    Row(ACROSS, BDAT, 5, ABORT, 1),
]


def flights(row: Row, count: int) -> int:
    pair = room(*row.offered)
    what = to(row.recipients, on_refusal=row.on_refusal)
    steps = Steps(batch_of(pair[0], [what] * count, row.level), pair).run()
    assert [result.error for result in steps.results] == [None] * count
    assert len(steps.kept) == count
    assert pair[0].is_idle
    return steps.flights


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.level}-{'-'.join(row.offered)}")
def test_what_one_more_message_costs(row: Row) -> None:
    assert (flights(row, 64) - flights(row, 32)) / 32 == row.flights


@pytest.mark.parametrize("depth", [1, 2, 10, 64])
def test_a_window_of_small_chunks_is_one_flight(depth: int) -> None:
    pair = room(*BDAT)
    steps = Steps(batch_of(pair[0], [to()] * 60, depth=depth), pair).run()
    assert len(steps.kept) == 60
    assert steps.flights == -(-60 // depth)
