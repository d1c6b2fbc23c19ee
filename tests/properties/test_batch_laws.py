"""Laws of batches: for any server, each message has one result, and it is the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ehlo.commands import Verb
from ehlo.dialogues import Transaction, deliver
from ehlo.errors import ConnectionLost, RecipientsRefused, SMTPError
from ehlo.phase import Outcome
from ehlo.policies import OnRefusal, Pipelining
from ehlo.receipt import Receipt, Result
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Close,
    Dialect,
    ReceivedCommand,
    Send,
    Silence,
    Situation,
    TakeEffect,
    Usual,
    converse,
)
from support.rooms import Room, Steps, awaited, batch_of, room, stream, to

ANSWERS: list[Answer | None] = [
    None,
    Usual(),
    Reply.of(450, "4.3.0 Later"),
    Reply.of(503, "5.5.1 Out of step"),
    Reply.of(550, "5.7.1 No"),
    (Reply.of(421, "4.3.2 Bye"), Close()),
    Close(),
    (TakeEffect(), Close()),
    (TakeEffect(), Send(b"25"), Close()),
    (TakeEffect(), Send(b"nonsense\r\n")),
    Silence(),
]
ANSWERED = {Verb.MAIL, Verb.RCPT, Verb.DATA, Verb.BDAT, Verb.BDAT_LAST, Verb.END_OF_CONTENT}
ANSWERED |= {Verb.RSET}

plans = st.dictionaries(st.integers(0, 14), st.sampled_from(ANSWERS), max_size=3)
offers = st.lists(
    st.sampled_from(
        ["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 1000", "LIMITS RCPTMAX=1 MAILMAX=3"]
    ),
    unique=True,
)
levels = st.sampled_from(Pipelining)
dialects = st.sampled_from([Dialect.ESMTP, Dialect.LMTP])
shapes = st.tuples(
    st.integers(1, 3),
    st.sampled_from(OnRefusal),
    st.sampled_from(["octets", "pieces", "awaited", "once"]),
)


class Plan:
    """Answers the commands of transactions by their number, over all connections."""

    def __init__(self, plan: dict[int, Answer | None]) -> None:
        self._plan = plan
        self._number = 0

    def __call__(self, command: ReceivedCommand, _situation: Situation) -> Answer | None:
        if command.verb not in ANSWERED:
            return None
        self._number += 1
        return self._plan.get(self._number - 1)


def message(index: int, shape: tuple[int, OnRefusal, str]) -> Transaction:
    """Return a message whose content names it."""
    count, on_refusal, kind = shape
    text = b"message %d\r\n" % index
    content: Any = {
        "octets": text,
        "pieces": stream(text[:4], text[4:]),
        "awaited": awaited(text[:4], text[4:]),
        "once": once(text),
    }[kind]
    return to(count, content, on_refusal=on_refusal, message_id=f"<{index}@example.org>")


def once(text: bytes) -> Any:
    """Return content that is gone once it has begun to be read."""
    left = iter((text[:4], text[4:]))
    content = stream()
    return type(content)(lambda: left)


def takers(room: Room) -> list[tuple[bytes, str]]:
    """Return what a server has taken, and for whom."""
    _, server = room
    return [(it.content, who) for it in server.messages for who in it.recipients]


def check(result: Result, taken: list[tuple[bytes, str]]) -> None:
    """Compare what is told of a message with what the servers took."""
    text = b"message %d\r\n" % result.index
    got = [who for content, who in taken if content == text]
    assert len(set(got)) == len(got), "somebody got it twice"
    error = result.error
    if error is None:
        assert result.outcome is Outcome.ACCEPTED
        receipt = result.unwrap()
        assert got == [str(address) for address in receipt.accepted]
        everybody = set(receipt.envelope.recipients)
        assert set(receipt.accepted) | set(receipt.refused) == everybody
        return
    sure = [str(address) for address in error.delivered]
    assert set(sure) <= set(got)
    if error.outcome is Outcome.UNKNOWN:
        assert not error.retry_safe
        return
    assert got == sure, f"{error.outcome}: {error!r}"
    if error.outcome is Outcome.ACCEPTED:
        assert isinstance(error, RecipientsRefused)
        assert got


@given(
    plans,
    offers,
    levels,
    dialects,
    st.lists(shapes, min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_each_message_has_one_result_and_it_is_the_truth(
    plan: dict[int, Answer | None],
    offered: list[str],
    level: Pipelining,
    dialect: Dialect,
    shapes: list[tuple[int, OnRefusal, str]],
    depth: int,
    spares: int,
) -> None:
    answers = Plan(plan)
    rooms: list[Room] = []

    def open_room() -> Room:
        rooms.append(room(*offered, answers=answers, dialect=dialect))
        return rooms[-1]

    def others() -> Iterator[Room]:
        for _ in range(spares):
            yield open_room()

    messages = [message(index, shape) for index, shape in enumerate(shapes)]
    first = open_room()
    batch = batch_of(first[0], messages, level, depth=depth, may_reconnect=spares > 0)
    steps = Steps(batch, first, others()).run()

    results = steps.results
    taken = [it for room in rooms for it in takers(room)]
    assert [result.index for result in results] == list(range(len(results)))
    assert [result.message for result in results] == messages[: len(results)]
    assert isinstance(steps.error, SMTPError | None)
    if steps.error is None:
        assert batch.is_done
        assert len(results) == len(messages)
    for result in results:
        check(result, taken)
    untold = {b"message %d\r\n" % index for index in range(len(results), len(messages))}
    assert not untold & {content for content, _ in taken}, "a message without a result was taken"
    *left, (last, _) = rooms
    assert last.is_idle or last.is_over
    assert all(connection.is_in_step or connection.is_over for connection, _ in left)  # for QUIT


@given(plans, offers, levels, dialects, shapes)
def test_one_message_has_a_receipt_or_an_error_and_it_is_the_truth(
    plan: dict[int, Answer | None],
    offered: list[str],
    level: Pipelining,
    dialect: Dialect,
    shape: tuple[int, OnRefusal, str],
) -> None:
    pair = room(*offered, answers=Plan(plan), dialect=dialect)
    what = message(0, shape)
    what = what._replace(pipelining=level)
    try:
        receipt = converse(deliver(pair[0], what), *pair).result
    except SMTPError as error:
        check(Result(0, what, error=error), takers(pair))
        if isinstance(error, ConnectionLost):
            assert not pair[0].is_idle
    else:
        assert isinstance(receipt, Receipt)
        check(Result(0, what, receipt), takers(pair))
    assert pair[0].is_idle or pair[0].is_over
