"""Batches: what the plan does with what servers and sources do; see also the laws of batches."""

from __future__ import annotations

from typing import Any

import pytest

from ehlo.commands import Body
from ehlo.content import Stream
from ehlo.dialogues import AsyncSource, Batch, Fetch, Flush, Receive, Transaction
from ehlo.envelope import Envelope
from ehlo.errors import (
    CapabilityMissing,
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    InvalidInput,
    LocalProtocolError,
    RecipientsRefused,
    SenderRefused,
    SMTPError,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import OnRefusal, Pipelining
from ehlo.protocol import Connection
from ehlo.receipt import Result
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Answers,
    Close,
    Dialect,
    ReceivedCommand,
    Silence,
    Situation,
    TakeEffect,
    converse,
)
from support.rooms import Room, Steps, batch_of, later, room, stream, to
from support.stepping import ready

DATA = ("PIPELINING", "8BITMIME")
BDAT = (*DATA, "CHUNKING")
ACROSS, WITHIN = Pipelining.CONTINUOUS, Pipelining.TRANSACTION
LEVELS = pytest.mark.parametrize("level", list(Pipelining))
FRAMINGS = pytest.mark.parametrize("offered", [DATA, BDAT])
NO = Reply.of(550, "5.7.1 No")
BYE = (Reply.of(421, "4.3.2 Bye"), Close())


def numbered(count: int, **options: Any) -> list[Transaction]:
    """Return messages whose content tells their number."""
    return [to(1, b"%d\r\n" % n, message_id=f"<{n}@example.org>", **options) for n in range(count)]


def at_message(number: int, answer: Answer, verb: str = "MAIL") -> Answers:
    """Answer a command of one message (from 0) only."""
    count = iter(range(1000))

    def answers(command: ReceivedCommand, _: Situation) -> Answer | None:
        is_it = command.verb.value.startswith(verb) or command.line == verb
        return answer if is_it and next(count) == number else None

    return answers


def outcomes(steps: Steps) -> list[Outcome]:
    assert [result.index for result in steps.results] == list(range(len(steps.results)))
    return [result.outcome for result in steps.results]


def run(pair: Room, source: Any, *others: Room, **options: Any) -> Steps:
    if others:
        options["may_reconnect"] = True
    return Steps(batch_of(pair[0], source, **options), pair, others).run()


ACCEPTED, REFUSED, NOT_SENT, UNKNOWN = (
    Outcome.ACCEPTED,
    Outcome.REFUSED,
    Outcome.NOT_SENT,
    Outcome.UNKNOWN,
)


# -- Arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, -1])
def test_the_depth_is_a_number_of_messages(depth: int) -> None:
    with pytest.raises(InvalidInput, match="1 at the least"):
        batch_of(room()[0], [], depth=depth)


def test_a_batch_needs_an_idle_session() -> None:
    with pytest.raises(LocalProtocolError, match="CONNECTED") as caught:
        batch_of(Connection(), [])
    assert caught.value.phase is Phase.MAIL


@LEVELS
def test_no_messages(level: Pipelining) -> None:
    pair = room(*DATA)
    steps = run(pair, [], level=level)
    assert (steps.results, steps.error, steps.flights) == ([], None, 0)
    assert pair[0].is_idle


# -- Refusals --------------------------------------------------------------------------------------


@LEVELS
@FRAMINGS
@pytest.mark.parametrize("at", [0, 2, 4])
@pytest.mark.parametrize(
    ("verb", "kind"),
    [("MAIL", SenderRefused), ("RCPT", RecipientsRefused), ("end", ContentRefused)],
)
def test_a_refusal_touches_no_other_message(
    verb: str, kind: type[SMTPError], at: int, offered: tuple[str, ...], level: Pipelining
) -> None:
    verb = verb if verb != "end" else "BDAT LAST" if "CHUNKING" in offered else "."
    pair = room(*offered, answers=at_message(at, NO, verb))
    steps = run(pair, numbered(5), level=level)
    assert outcomes(steps) == [REFUSED if n == at else ACCEPTED for n in range(5)]
    error = steps.results[at].error
    assert type(error) is kind
    assert error.message_id == f"<{at}@example.org>"
    assert error.connection_usable
    assert len(steps.kept) == 4
    assert pair[0].is_idle, "the last one included"


@FRAMINGS
@pytest.mark.parametrize("code", [500, 502, 503, 554])
def test_a_server_that_loses_step_gets_one_message_at_a_time(
    code: int, offered: tuple[str, ...]
) -> None:
    """It refuses MAIL because of where it came; what it refused is said again, behind the reply."""

    def answers(command: ReceivedCommand, situation: Situation) -> Answer | None:
        is_early = situation.behind_content and command.line.startswith("MAIL")
        return Reply.of(code, "5.5.1 Too early") if is_early else None

    pair = room(*offered, answers=answers)
    batch = batch_of(pair[0], numbered(6))
    steps = Steps(batch, pair).run()
    assert outcomes(steps) == [ACCEPTED] * 6
    assert sorted(steps.kept) == [b"%d\r\n" % n for n in range(6)]
    assert batch.pipelining is WITHIN


def test_a_refusal_that_has_another_reason_is_one() -> None:
    pair = room(*BDAT, answers={"MAIL": Reply.of(554, "5.7.1 Blocked")})
    steps = run(pair, numbered(4))
    assert outcomes(steps) == [REFUSED] * 4
    assert pair[0].is_idle


@FRAMINGS
def test_what_cannot_be_sent_at_all(offered: tuple[str, ...]) -> None:
    messages = numbered(5)
    messages[1] = to(1, stream(b"a\0"))
    messages[3] = to(1, stream(), envelope=to().envelope, body=Body.BINARY_MIME)
    pair, other = room(*offered), room(*offered)
    steps = run(pair, messages, other)
    assert outcomes(steps) == [ACCEPTED, NOT_SENT, ACCEPTED, NOT_SENT, ACCEPTED]
    assert isinstance(steps.results[1].error, InvalidInput)
    assert isinstance(steps.results[3].error, CapabilityMissing)
    assert pair[0].is_idle or (pair[0].is_over and other[0].is_idle)


# -- Sources ---------------------------------------------------------------------------------------


@LEVELS
def test_a_message_that_cannot_be_prepared_has_its_result(level: Pipelining) -> None:
    def prepare(item: int) -> Transaction:
        if item == 1:
            raise InvalidInput("no recipient")
        return numbered(3)[item]

    pair = room(*BDAT)
    steps = run(pair, range(3), prepare=prepare, level=level)
    assert outcomes(steps) == [ACCEPTED, NOT_SENT, ACCEPTED]
    assert [result.message for result in steps.results] == [0, 1, 2]


@LEVELS
@pytest.mark.parametrize("by", ["source", "prepare"])
def test_what_the_callers_code_raises_comes_behind_the_results(by: str, level: Pipelining) -> None:
    def source() -> Any:
        yield from (0, 1)
        if by == "source":
            raise LookupError(2)
        yield 2

    def prepare(item: int) -> Transaction:
        if item == 2:
            raise LookupError(item)
        return numbered(3)[item]

    pair = room(*BDAT)
    steps = run(pair, source(), prepare=prepare, level=level)
    assert outcomes(steps) == [ACCEPTED, ACCEPTED]
    assert isinstance(steps.error, LookupError)
    assert pair[0].is_idle


@pytest.mark.parametrize("error", [ConnectionLost("mine"), KeyError(), InvalidInput("mine")])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_source_may_raise_anything(error: Exception, is_async: bool) -> None:
    """An error of another session, say; it is no news of this one."""

    def source() -> Any:
        yield from numbered(2)
        raise error

    pair = room(*BDAT)
    items = AsyncSource(later([*numbered(2), error])) if is_async else source()
    steps = run(pair, items)
    assert steps.error is error
    assert outcomes(steps) == [ACCEPTED] * 2
    assert pair[0].is_idle


@LEVELS
def test_an_async_source(level: Pipelining) -> None:
    pair = room(*BDAT)
    source: AsyncSource[Any] = AsyncSource(later(numbered(5)))
    steps = Steps(batch_of(pair[0], source, level), pair).run()
    assert outcomes(steps) == [ACCEPTED] * 5
    assert pair[0].is_idle


def test_results_come_while_the_source_waits() -> None:
    """The need to fetch is met early by a reply, and the result is told."""
    connection, server = room(*BDAT)
    source: AsyncSource[Any] = AsyncSource(later(numbered(3)))
    batch = batch_of(connection, source)
    step = batch.step()
    assert isinstance(next(step), Fetch)
    with pytest.raises(StopIteration):
        source.fetch().send(None)
    assert isinstance(next(step), Fetch)
    server.receive_data(b"".join(connection.data_to_send()))
    connection.receive_data(server.data_to_send())
    with pytest.raises(StopIteration) as stop:
        next(step)
    assert [result.outcome for result in stop.value.value] == [ACCEPTED]


def test_what_was_said_does_not_wait_for_a_source_that_may_be_slow() -> None:
    needs = [
        next(batch_of(room(*BDAT)[0], numbered(3), source_is_quick=quick).step())
        for quick in (True, False)
    ]
    assert needs == [Receive(Phase.MAIL), Flush(Phase.MAIL)]


def test_no_more_is_taken_than_the_window_holds() -> None:
    taken: list[int] = []

    def source() -> Any:
        for number, message in enumerate(numbered(9)):
            taken.append(number)
            yield message

    pair = room(*BDAT)
    batch = batch_of(pair[0], source(), depth=3)
    converse(batch.step(), *pair)
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("quick", [True, False])
def test_messages_that_cannot_be_prepared_do_not_widen_the_window(quick: bool) -> None:
    """They have their results, which cannot be told before those of the messages before them."""
    taken = 0

    def source() -> Any:
        nonlocal taken
        for item in (to(1), *[None] * 1000):
            taken += 1
            yield item

    def prepare(item: Transaction | None) -> Transaction:
        if item is None:
            raise InvalidInput("bad")
        return item

    pair = room(*BDAT)
    batch = batch_of(pair[0], source(), prepare=prepare, depth=8, source_is_quick=quick)
    told = converse(batch.step(), *pair).result
    assert len(told) == taken == 8
    steps = Steps(batch, pair).run()
    assert [result.outcome for result in steps.results] == [NOT_SENT] * (1001 - 8)


# -- LMTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [(), DATA, BDAT])
@LEVELS
def test_lmtp_that_asks_for_content_although_nobody_is_there(
    level: Pipelining, offered: tuple[str, ...]
) -> None:
    """No reply to a lone dot would ever come, since there is one for each recipient.

    So the session is over if it comes to that; the rest goes over another one.
    """
    answers: dict[str, Answer] = {
        "RCPT TO:<r0@example.com>": NO,
        "DATA": Reply.of(354, "go on"),
    }
    good = Envelope("ada@example.org", "good@example.com")
    messages = [to(1, b"0\r\n"), *[to(1, b"%d\r\n" % n, envelope=good) for n in (1, 2)]]
    pairs = [room(*offered, answers=answers, dialect=Dialect.LMTP) for _ in range(2)]
    steps = run(pairs[0], messages, pairs[1], level=level)
    assert outcomes(steps) == [REFUSED, ACCEPTED, ACCEPTED]
    assert steps.kept == [b"1\r\n", b"2\r\n"]


@FRAMINGS
@LEVELS
def test_lmtp_counts_the_recipients_of_each_transaction_anew(
    level: Pipelining, offered: tuple[str, ...]
) -> None:
    """Whatever became of the one before: withdrawn, refused at MAIL, or delivered in part."""

    def answers(command: ReceivedCommand, _: Situation) -> Answer | None:
        return NO if "bad@" in command.line else None

    envelopes = [
        Envelope("ada@example.org", ["r1@example.com", "r2@example.com", "bad@example.com"]),
        Envelope("bad@example.org", ["r1@example.com", "r2@example.com"]),
        Envelope("ada@example.org", ["r1@example.com"]),
        Envelope("ada@example.org", ["bad@example.com", "r1@example.com", "r2@example.com"]),
        Envelope("ada@example.org", ["r2@example.com"]),
    ]
    policies = [*[OnRefusal.ABORT] * 3, OnRefusal.DELIVER, OnRefusal.ABORT]
    messages = [
        to(1, b"%d\r\n" % number, envelope=envelope, on_refusal=policy)
        for number, (envelope, policy) in enumerate(zip(envelopes, policies, strict=True))
    ]
    pair = room(*offered, answers=answers, dialect=Dialect.LMTP)
    steps = run(pair, messages, level=level)
    assert outcomes(steps) == [REFUSED, REFUSED, ACCEPTED, ACCEPTED, ACCEPTED]
    assert [len(result.unwrap().replies) for result in steps.results[2:]] == [1, 2, 1]
    assert pair[0].is_idle


@FRAMINGS
@LEVELS
def test_a_late_refusal_of_lmtp_has_a_receipt_for_the_rest(
    level: Pipelining, offered: tuple[str, ...]
) -> None:
    full = Reply.of(452, "4.2.2 Full")
    answers: dict[str, Answer] = {f"{end} <r1@example.com>": full for end in (".", "BDAT LAST")}
    pair = room(*offered, answers=answers, dialect=Dialect.LMTP)
    steps = run(pair, [to(3, on_refusal=OnRefusal.ABORT), to(1)], level=level)
    result = steps.results[0]
    assert isinstance(result.error, RecipientsRefused)
    assert result.receipt is result.error.receipt
    assert result.receipt is not None
    assert list(map(str, result.receipt.accepted)) == ["r0@example.com", "r2@example.com"]
    assert "r0@example.com" in result.error.delivered
    assert result.receipt.outcome("r1@example.com") is REFUSED
    assert steps.results[1].outcome is ACCEPTED


# -- The connection breaks -------------------------------------------------------------------------


@pytest.mark.parametrize("may_reconnect", [True, False])
@pytest.mark.parametrize("answer", [(TakeEffect(), Close()), Silence()])
def test_the_messages_under_way_are_in_doubt(answer: Answer, may_reconnect: bool) -> None:
    """All of them: their ends had been handed out. What was not begun goes over the next one."""
    pair = room(*BDAT, answers=at_message(1, answer, "BDAT LAST"))
    others = [room(*BDAT)] * may_reconnect
    steps = run(pair, numbered(8), *others, depth=4)
    assert outcomes(steps)[:5] == [ACCEPTED, *[UNKNOWN] * 4]
    assert pair[0].is_over
    if may_reconnect:
        assert outcomes(steps)[5:] == [ACCEPTED] * 3
        assert steps.error is None
    else:
        assert isinstance(steps.error, ConnectionLost)
    for result in steps.results[1:5]:
        assert isinstance(result.error, DeliveryUnknown)
        assert result.error.message_id == f"<{result.index}@example.org>"
        assert not result.error.retry_safe


def test_after_a_break_messages_go_one_at_a_time() -> None:
    pair = room(*BDAT, answers=at_message(1, Close(), "BDAT LAST"))
    batch = batch_of(pair[0], numbered(8), depth=4, may_reconnect=True)
    steps = Steps(batch, pair, [room(*BDAT)]).run()
    assert batch.pipelining is WITHIN
    assert len(steps.results) == 8


@FRAMINGS
@LEVELS
def test_421_says_that_nothing_behind_it_was_taken(
    level: Pipelining, offered: tuple[str, ...]
) -> None:
    """A message that rode behind others is said again: it would have gone over the next one."""
    pair, other = room(*offered, answers=at_message(2, BYE)), room(*offered)
    steps = run(pair, numbered(5), other, level=level)
    expected = [ACCEPTED] * 5
    if level is not ACROSS:
        expected[2] = REFUSED
        error = steps.results[2].error
        assert isinstance(error, SenderRefused)
        assert error.retry_safe
        assert not error.connection_usable
    assert outcomes(steps) == expected
    assert [len(server.messages) for _, server in (pair, other)] == [2, 2 + (level is ACROSS)]


@FRAMINGS
def test_a_server_that_takes_few_messages_of_a_connection_gets_them_all(
    offered: tuple[str, ...],
) -> None:
    """Each connection brings some messages further, however many ride behind them in vain."""

    def rooms() -> list[Room]:
        limited = [at_message(2, Reply.of(421, "4.7.0 Enough")) for _ in range(5)]
        return [room(*offered, answers=answers) for answers in limited]

    first, *others = rooms()
    assert outcomes(run(first, numbered(9), *others)) == [ACCEPTED] * 9


@FRAMINGS
def test_421_to_a_message_that_does_not_ride_is_its_answer(offered: tuple[str, ...]) -> None:
    pairs = [room(*offered, answers=at_message(at, BYE)) for at in (2, 0)]
    steps = run(pairs[0], numbered(4), pairs[1], room(*offered))
    assert outcomes(steps) == [ACCEPTED, ACCEPTED, REFUSED, ACCEPTED]
    assert isinstance(steps.results[2].error, SenderRefused)


def test_421_without_another_connection_ends_the_batch() -> None:
    pair = room(*BDAT, answers=at_message(2, BYE))
    steps = run(pair, numbered(5))
    assert outcomes(steps) == [ACCEPTED, ACCEPTED, REFUSED, NOT_SENT, NOT_SENT]
    for result in steps.results[3:]:
        assert isinstance(result.error, ConnectionLost)
        assert result.error.retry_safe
        assert result.error.message_id == f"<{result.index}@example.org>"
    assert len({id(result.error) for result in steps.results}) == 4


@LEVELS
def test_a_session_that_ended_before_the_batch(level: Pipelining) -> None:
    pair = room(*BDAT)
    pair[0].receive_eof()
    steps = run((pair[0], room(*BDAT)[1]), numbered(2), room(*BDAT), level=level)
    assert outcomes(steps) == [ACCEPTED, ACCEPTED]


def test_a_session_that_is_over_and_nothing_else() -> None:
    pair = room(*BDAT)
    pair[0].abandon("gone")
    steps = run(pair, numbered(2))
    assert outcomes(steps) == [NOT_SENT]
    assert isinstance(steps.error, ConnectionLost)


def test_no_new_connection_can_be_had() -> None:
    pair = room(*BDAT, answers=at_message(1, BYE))
    batch = batch_of(pair[0], numbered(4), may_reconnect=True)
    results: list[Result] = []
    while not batch.needs_connection:
        results += converse(batch.step(), *pair).result
    why = SMTPError("nobody listens")
    results += batch.give_up(why)
    assert batch.is_done
    assert [result.outcome for result in results] == [ACCEPTED, NOT_SENT, NOT_SENT, NOT_SENT]
    said = [str(result.error) for result in results[1:]]
    assert said == ["the message was not sent: nobody listens"] * 3
    assert all(result.error is not why for result in results)


def test_content_that_can_be_read_once_is_not_said_again() -> None:
    once = to(1, Stream(lambda: iter((b"a",)), size=3, octets=1))
    pair = room(*BDAT, answers=at_message(0, BYE))
    steps = run(pair, [to(), once, to()], room(*BDAT))
    assert outcomes(steps) == [REFUSED, NOT_SENT, ACCEPTED]


@pytest.mark.parametrize("level", [ACROSS, WITHIN])
def test_content_that_fails_midway_takes_the_connection_along(level: Pipelining) -> None:
    """An octet that BDAT announced and that does not come cannot be made good."""
    broken = to(1, stream(b"a\n", size=9, octets=2))
    pair = room(*BDAT)
    steps = run(pair, [*numbered(2), broken, to()], room(*BDAT), level=level)
    kinds = [type(result.error).__name__ for result in steps.results]
    assert kinds[2:] == ["InvalidInput", "NoneType"]
    assert pair[0].is_over
    accepted = ["NoneType"] * 2
    assert kinds[:2] in (accepted, ["DeliveryUnknown"] * 2)


def test_an_error_of_the_content_is_that_messages() -> None:
    def pieces() -> Any:
        raise LookupError("gone")

    pair = room(*DATA)
    steps = run(pair, [to(), to(1, Stream(pieces)), to()], room(*DATA))
    assert outcomes(steps) == [ACCEPTED, NOT_SENT, ACCEPTED]
    error = steps.results[1].error
    assert isinstance(error, InvalidInput)
    assert "could not be read, and was not sent: LookupError('gone')" in str(error)
    assert isinstance(error.__cause__, LookupError)


def test_a_refusal_whose_rset_is_not_answered_ends_the_session() -> None:
    answers: dict[str, Answer] = {"RCPT TO:<r0@example.com>": NO, "RSET": Silence()}
    pair = room("8BITMIME", answers=answers)
    steps = run(pair, [to(), to()], room(), level=WITHIN)
    assert outcomes(steps) == [REFUSED, ACCEPTED]
    assert pair[0].is_over


@pytest.mark.parametrize("level", [ACROSS, WITHIN])
def test_a_refused_rset_ends_the_session(level: Pipelining) -> None:
    """Behind a refused chunk RSET is due; what comes next goes over another connection."""
    first = at_message(0, NO, "BDAT LAST")

    def answers(command: ReceivedCommand, situation: Situation) -> Answer | None:
        assert callable(first)
        refused = Reply.of(502, "5.5.1 No")
        return refused if command.line == "RSET" else first(command, situation)

    pair = room(*BDAT, answers=answers)
    steps = run(pair, numbered(2), room(*BDAT), level=level, depth=1)
    assert outcomes(steps) == [REFUSED, ACCEPTED]
    assert pair[0].is_over


# -- Limits ----------------------------------------------------------------------------------------


@LEVELS
def test_mailmax_takes_another_connection(level: Pipelining) -> None:
    pairs = [room(*BDAT, "LIMITS MAILMAX=2") for _ in range(3)]
    steps = run(pairs[0], numbered(5), *pairs[1:], level=level)
    assert outcomes(steps) == [ACCEPTED] * 5
    assert [len(server.messages) for _, server in pairs] == [2, 2, 1]


def test_mailmax_without_another_connection_is_the_servers_affair() -> None:
    pair = room(*BDAT, "LIMITS MAILMAX=2")
    steps = run(pair, numbered(3))
    assert outcomes(steps)[:2] == [ACCEPTED] * 2
    assert isinstance(steps.results[2].error, CapabilityMissing)


@pytest.mark.parametrize("on_refusal", list(OnRefusal))
@pytest.mark.parametrize("quick", [True, False])
def test_limits_are_kept_by_messages_that_ride(on_refusal: OnRefusal, quick: bool) -> None:
    """However quickly they are said: RCPTMAX of each, and MAILMAX of all."""
    pairs = [room(*BDAT, "LIMITS MAILMAX=4 RCPTMAX=2") for _ in range(3)]
    messages = [to(n, on_refusal=on_refusal) for n in (1, 2, 3, 1, 1)]
    steps = run(pairs[0], messages, *pairs[1:], source_is_quick=quick)
    assert outcomes(steps) == [ACCEPTED] * 5
    assert [[len(it.recipients) for it in server.messages] for _, server in pairs] == [
        [1, 2, 2, 1],
        [1, 1],
        [],
    ]


@LEVELS
def test_recipients_over_several_transactions(level: Pipelining) -> None:
    pair = room(*BDAT, "LIMITS RCPTMAX=2")
    steps = run(pair, [to(), to(5), to()], level=level)
    assert outcomes(steps) == [ACCEPTED] * 3
    assert len(steps.results[1].unwrap().parts) == 3
    assert pair[0].is_idle


def test_recipients_over_several_connections() -> None:
    pairs = [room(*BDAT, "LIMITS RCPTMAX=1 MAILMAX=2") for _ in range(3)]
    steps = run(pairs[0], [to(), to(3)], *pairs[1:])
    assert outcomes(steps) == [ACCEPTED] * 2
    assert [len(server.messages) for _, server in pairs] == [2, 2, 0]


def test_parts_end_where_no_connection_can_be_had() -> None:
    """Who has got the message already is told, and nobody else says so."""
    pair = room(*BDAT, "LIMITS RCPTMAX=1 MAILMAX=2")
    batch = batch_of(pair[0], [to(4), to()], may_reconnect=True)
    assert converse(batch.step(), *pair).result == []
    first, *rest = batch.give_up(SMTPError("nobody listens"))
    assert first.error is not None
    assert [str(it) for it in first.error.delivered] == ["r0@example.com", "r1@example.com"]
    assert not first.error.retry_safe
    assert rest == []


def test_parts_that_one_session_must_take_and_cannot() -> None:
    pair = room(*BDAT, "LIMITS RCPTMAX=1 MAILMAX=2")
    steps = run(pair, [to(3), to()])
    assert isinstance(steps.results[0].error, CapabilityMissing)
    assert outcomes(steps) == [NOT_SENT, ACCEPTED]
    assert pair[0].is_idle


def test_a_part_that_is_lost_is_said_again() -> None:
    pair = room(*BDAT, "LIMITS RCPTMAX=1", answers=at_message(1, Close()))
    steps = run(pair, [to(3)], room(*BDAT, "LIMITS RCPTMAX=1"), level=WITHIN)
    assert outcomes(steps) == [ACCEPTED]
    assert len(steps.kept) == 3


def test_a_part_that_is_lost_without_another_connection() -> None:
    pair = room(*BDAT, "LIMITS RCPTMAX=1", answers=at_message(1, Close()))
    steps = run(pair, [to(3)], level=WITHIN)
    assert outcomes(steps) == [NOT_SENT]
    assert steps.results[0].error is not None
    assert [str(it) for it in steps.results[0].error.delivered] == ["r0@example.com"]


def test_all_or_nobody_waits_for_the_envelope() -> None:
    pair = room(*BDAT, answers=at_message(3, NO, "RCPT"))
    what = to(2, on_refusal=OnRefusal.ABORT)
    steps = run(pair, [what] * 3)
    assert outcomes(steps) == [ACCEPTED, REFUSED, ACCEPTED]
    assert len(steps.kept) == 2
    assert pair[0].is_idle


def test_a_batch_is_generic() -> None:
    batch: Batch[str] = Batch(
        room()[0], iter(["a"]), prepare=lambda _: to(), pipelining=Pipelining.NONE
    )
    assert not batch.is_done


# -- Replies that trickle in, or come with the end -------------------------------------------------


def replying(connection: Connection, batch: Batch[Any], replies: list[bytes]) -> list[Result]:
    """Run a batch against a list of replies, one for each time the client waits; then it breaks."""
    results: list[Result] = []
    while not batch.is_done:
        step = batch.step()
        try:
            need = next(step)
            while True:
                connection.data_to_send()
                if isinstance(need, Receive) and replies:
                    connection.receive_data(replies.pop(0))
                    if not replies:
                        need = step.throw(ConnectionLost("reset"))
                        continue
                need = next(step)
        except StopIteration as stop:
            results += stop.value
    return results


OK = b"250 ok\r\n"


def test_results_come_one_by_one_as_replies_do() -> None:
    connection = ready(*BDAT)
    batch = batch_of(connection, numbered(3))
    # RSET rides before the second and the third.
    replies = [OK] * 3 + [OK] * 4 + [OK] * 4 + [b"never read"]
    results = replying(connection, batch, replies)
    assert [result.outcome for result in results] == [ACCEPTED] * 3
    assert connection.is_idle


def test_a_final_reply_that_came_with_the_end_counts() -> None:
    connection = ready(*BDAT)
    batch = batch_of(connection, numbered(2))
    results = replying(connection, batch, [OK * 3 + OK * 4])
    assert [result.outcome for result in results] == [ACCEPTED] * 2
    assert connection.is_over


def test_a_message_that_had_to_wait_for_the_window_was_not_sent() -> None:
    """Of the second nothing was said when the connection broke behind the first."""
    large = to(1, b"x" * 78 + b"\r\n" * 40_000)
    pair = room(*DATA, answers=at_message(0, Close(), "."))
    steps = run(pair, [large, to()], room(*DATA))
    assert outcomes(steps) == [UNKNOWN, ACCEPTED]
    pair = room(*DATA, answers=at_message(0, Close(), "."))
    assert outcomes(run(pair, [large, to()])) == [UNKNOWN, NOT_SENT]


def test_a_refused_rset_within_a_group() -> None:
    pair = room(*BDAT, answers={"RSET": Reply.of(502, "5.5.1 No")})
    steps = run(pair, numbered(3), room(*BDAT))
    assert outcomes(steps)[0] is ACCEPTED
    kept = set(steps.kept)
    for result in steps.results[1:]:
        assert (result.outcome is ACCEPTED) <= (b"%d\r\n" % result.index in kept)
        assert result.outcome in {ACCEPTED, UNKNOWN, NOT_SENT}
    assert pair[0].is_over


@LEVELS
def test_a_traced_batch_is_the_same(level: Pipelining) -> None:
    """With a trace, or with LIMITS, commands are looked at one by one."""
    pair = room(*BDAT, "LIMITS RCPTMAX=10")
    steps = run(pair, numbered(4), level=level)
    assert outcomes(steps) == [ACCEPTED] * 4
    assert steps.kept == [b"%d\r\n" % n for n in range(4)]


def test_the_message_id_is_that_of_the_message_at_hand() -> None:
    """Whatever its content raised: an error of another session, say, about another message.

    That stays as it is, for it is the caller's.
    """
    other = SenderRefused("no", reply=NO)
    other.message_id = "<other@example.org>"

    def pieces() -> Any:
        raise other

    pair = room(*DATA)
    steps = run(pair, [to(1, Stream(pieces), message_id="<mine@example.org>")])
    error = steps.results[0].error
    assert isinstance(error, InvalidInput)
    assert error.__cause__ is other
    assert (error.message_id, other.message_id) == ("<mine@example.org>", "<other@example.org>")


@FRAMINGS
def test_a_server_that_went_away_behind_a_message(offered: tuple[str, ...]) -> None:
    """Whether a client hears of it in time is luck; what was not answered is said again."""
    pair = room(*offered, answers=at_message(1, Close()))
    steps = run(pair, numbered(3), room(*offered), level=WITHIN)
    assert outcomes(steps) == [ACCEPTED] * 3


def test_a_server_that_goes_away_from_the_first_message() -> None:
    pair = room(*BDAT, answers=at_message(0, Close()))
    steps = run(pair, numbered(2), room(*BDAT), level=WITHIN)
    assert outcomes(steps) == [NOT_SENT, ACCEPTED]
