"""Deliveries in LMTP, with a clock, and behind each other: what single replies mean."""

from __future__ import annotations

from typing import Any

import pytest

from ehlo.commands import Auth
from ehlo.content import Octets
from ehlo.dialogues import Transaction, deliver
from ehlo.dialogues.delivery import Delivery, nobody
from ehlo.errors import (
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    LocalProtocolError,
    RecipientsRefused,
    SMTPError,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import OnRefusal, Pipelining, Protocol
from ehlo.receipt import Receipt, Timings
from ehlo.reply import Reply
from ehlo.testing import Answer, Close, Dialect, TakeEffect, converse
from ehlo.tls import TlsFacts
from ehlo.transcript import Transcript
from support.rooms import Room, room, to
from support.stepping import C, S, Step, hear, ready, run, said

LMTP = Dialect.LMTP
NO = Reply.of(550, "5.1.1 No such user")
FULL = Reply.of(452, "4.2.2 Mailbox full")
LEVELS = pytest.mark.parametrize("level", list(Pipelining))
FRAMINGS = pytest.mark.parametrize("offered", [("PIPELINING",), ("PIPELINING", "CHUNKING")])


def send(pair: Room, what: Transaction) -> Receipt | SMTPError:
    try:
        return converse(deliver(pair[0], what), *pair).result
    except SMTPError as exc:
        return exc


def names(addresses: Any) -> list[str]:
    return [str(address).partition("@")[0] for address in addresses]


# -- LMTP ------------------------------------------------------------------------------------------


@LEVELS
@FRAMINGS
def test_each_recipient_has_a_final_reply(level: Pipelining, offered: tuple[str, ...]) -> None:
    """T14; RFC 2033 section 4.2."""
    pair = room(*offered, dialect=LMTP)
    receipt = send(pair, to(3, pipelining=level))
    assert isinstance(receipt, Receipt)
    assert names(receipt.accepted) == names(receipt.replies) == ["r0", "r1", "r2"]
    assert receipt.refused == {}
    assert receipt.reply == list(receipt.replies.values())[-1]
    assert pair[0].is_idle


@LEVELS
@FRAMINGS
def test_some_final_replies_refuse(level: Pipelining, offered: tuple[str, ...]) -> None:
    for late in ("r0", "r2"):
        keys = (f". <{late}@example.com>", f"BDAT LAST <{late}@example.com>")
        answers: dict[str, Answer] = dict.fromkeys(keys, FULL)
        answers["RCPT TO:<r1@example.com>"] = NO
        pair = room(*offered, dialect=LMTP, answers=answers)
        receipt = send(pair, to(3, pipelining=level, on_refusal=OnRefusal.DELIVER))
        assert isinstance(receipt, Receipt)
        other = {"r0": "r2", "r2": "r0"}[late]
        assert names(receipt.accepted) == [other]
        assert dict(zip(names(receipt.refused), receipt.refused.values(), strict=True)) == {
            "r1": NO,
            late: FULL,
        }
        assert receipt.reply.is_positive
        assert pair[0].is_idle


@FRAMINGS
def test_a_late_refusal_says_who_has_got_it(offered: tuple[str, ...]) -> None:
    answers = dict.fromkeys((". <r1@example.com>", "BDAT LAST <r1@example.com>"), FULL)
    pair = room(*offered, dialect=LMTP, answers=answers)
    error = send(pair, to(3))
    assert isinstance(error, RecipientsRefused)
    assert error.outcome is Outcome.ACCEPTED
    assert names(error.delivered) == names(error.accepted) == ["r0", "r2"]
    assert error.phase is Phase.END_OF_CONTENT
    assert not error.retry_safe
    assert pair[0].is_idle


@FRAMINGS
@pytest.mark.parametrize("on_refusal", list(OnRefusal))
def test_all_final_replies_refuse(on_refusal: OnRefusal, offered: tuple[str, ...]) -> None:
    pair = room(*offered, dialect=LMTP, answers={".": FULL, "BDAT LAST": FULL})
    error = send(pair, to(2, on_refusal=on_refusal))
    assert isinstance(error, RecipientsRefused)
    assert error.outcome is Outcome.REFUSED
    assert error.delivered == ()
    assert error.retry_safe
    assert pair[0].is_idle


def test_a_connection_lost_between_two_final_replies() -> None:  # T14
    answers: dict[str, Answer] = {
        ". <r1@example.com>": FULL,
        ". <r2@example.com>": (TakeEffect(), Close()),
        "RCPT TO:<r4@example.com>": NO,
    }
    pair = room("PIPELINING", dialect=LMTP, answers=answers)
    error = send(pair, to(5, on_refusal=OnRefusal.DELIVER))
    assert isinstance(error, DeliveryUnknown)
    assert names(error.delivered) == ["r0"]
    assert dict(zip(names(error.refused), error.refused.values(), strict=True)) == {
        "r1": FULL,
        "r4": NO,
    }
    assert isinstance(error.__cause__, ConnectionLost)


def test_nobody_is_accepted() -> None:
    pair = room("PIPELINING", dialect=LMTP, answers={"RCPT": NO})
    error = send(pair, to(2, on_refusal=OnRefusal.DELIVER))
    assert isinstance(error, RecipientsRefused)
    assert error.phase is Phase.RCPT
    assert pair[0].is_idle


def test_354_with_nobody_accepted_cannot_be_met_with_a_dot() -> None:
    """In LMTP there is a reply for each recipient that was accepted: there would be none."""
    connection = ready("PIPELINING", protocol=Protocol.LMTP)
    steps: list[Step] = [
        C(b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<r0@example.com>\r\nDATA\r\n"),
        S(b"250 ok\r\n550 no\r\n354 go\r\n"),
    ]
    with pytest.raises(RecipientsRefused):
        run(deliver(connection, to()), connection, steps)
    assert not connection.is_in_step


def test_a_delivery_begins_where_a_transaction_may() -> None:
    connection = ready("PIPELINING", "AUTH LOGIN")
    connection.send(Auth("LOGIN"))
    said(connection)
    hear(connection, b"334 VXNlcm5hbWU6\r\n")
    with pytest.raises(LocalProtocolError, match="the session is in state AUTH") as caught:
        next(Delivery(connection, to()).run())
    assert caught.value.phase is Phase.MAIL
    assert said(connection) == b""


# -- Behind each other -----------------------------------------------------------------------------


def test_small_chunks_ride_with_their_envelope() -> None:
    connection = ready("PIPELINING", "CHUNKING")
    steps: list[Step] = [
        C(b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<r0@example.com>\r\nBDAT 7 LAST\r\nHello\r\n"),
        S(b"250 ok\r\n250 ok\r\n250 2.0.0 queued\r\n"),
    ]
    what = to(pipelining=Pipelining.CONTINUOUS)
    assert run(deliver(connection, what), connection, steps).reply.code == 250
    assert connection.is_idle


def test_a_trace_sees_chunks_that_ride() -> None:
    trace = Transcript()
    connection = ready("PIPELINING", "CHUNKING", trace=trace)
    steps: list[Step] = [
        C(b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<r0@example.com>\r\nBDAT 7 LAST\r\nHello\r\n"),
        S(b"250 ok\r\n250 ok\r\n250 queued\r\n"),
    ]
    run(deliver(connection, to(pipelining=Pipelining.CONTINUOUS)), connection, steps)
    assert "C: BDAT 7 LAST" in str(trace).splitlines()


@pytest.mark.parametrize(
    ("replies", "kind"),
    [
        (b"550 no\r\n503 MAIL first\r\n503 MAIL first\r\n", "SenderRefused"),
        (b"250 ok\r\n550 no\r\n503 no recipients\r\n", "RecipientsRefused"),
        (b"250 ok\r\n550 no\r\n250 taken for nobody\r\n", "RecipientsRefused"),
        (b"250 ok\r\n250 ok\r\n554 spam\r\n", "ContentRefused"),
    ],
)
def test_chunks_that_rode_behind_a_refusal(replies: bytes, kind: str) -> None:
    """RFC 3030 section 2: what a failed chunk leaves behind needs RSET."""
    connection = ready("PIPELINING", "CHUNKING")
    steps: list[Step] = [
        C(b"MAIL FROM:<ada@example.org>\r\nRCPT TO:<r0@example.com>\r\nBDAT 7 LAST\r\nHello\r\n"),
        S(replies),
        C(b"RSET\r\n"),
        S(b"250 ok\r\n"),
    ]
    with pytest.raises(SMTPError) as caught:
        run(deliver(connection, to(pipelining=Pipelining.CONTINUOUS)), connection, steps)
    assert type(caught.value).__name__ == kind
    assert caught.value.outcome is Outcome.REFUSED
    assert connection.is_idle


def test_large_chunks_do_not_ride() -> None:
    """Nobody sends megabytes to a server that may not want the first octet."""
    pair = room("PIPELINING", "CHUNKING", answers={"RCPT": NO})
    what = to(1, Octets(b"x" * 78 + b"\r\n" * 200_000), pipelining=Pipelining.CONTINUOUS)
    error = send(pair, what)
    assert isinstance(error, RecipientsRefused)
    assert "BDAT" not in str(pair[1].commands)
    assert pair[0].is_idle


@pytest.mark.parametrize(("code", "usable"), [(554, True), (421, False)])
def test_the_end_refused_in_bdat(code: int, usable: bool) -> None:
    answer: Answer = (Reply.of(code, "no"), *[Close()] * (code == 421))
    pair = room("PIPELINING", "CHUNKING", answers={"BDAT LAST": answer})
    error = send(pair, to())
    assert isinstance(error, ContentRefused)
    assert error.phase is Phase.END_OF_CONTENT
    assert error.command == "BDAT"
    assert error.retry_safe is not usable
    assert pair[0].is_idle is usable


# -- Clocks ----------------------------------------------------------------------------------------


def test_timings() -> None:
    ticks = iter([10.0, 11.0, 13.0, 17.0])
    receipt = send(room("PIPELINING"), to(clock=ticks.__next__))
    assert isinstance(receipt, Receipt)
    assert receipt.timings == Timings(envelope=1.0, content=2.0, reply=4.0)


def test_timings_of_what_is_said_at_once() -> None:
    ticks = iter([10.0, 17.0])
    what = to(pipelining=Pipelining.CONTINUOUS, clock=ticks.__next__)
    receipt = send(room("PIPELINING", "CHUNKING"), what)
    assert isinstance(receipt, Receipt)
    assert receipt.timings == Timings(envelope=0.0, content=0.0, reply=7.0)


def test_nobody_has_a_clock() -> None:
    receipt = send(room("PIPELINING"), to())
    assert isinstance(receipt, Receipt)
    assert receipt.timings is None


def test_a_receipt_knows_of_tls() -> None:
    connection, server = room("PIPELINING")
    facts = TlsFacts("TLSv1.3", "AES", 256, subject="mx", issuer="ca", names=("mx",))
    connection.tls = facts
    receipt = send((connection, server), to())
    assert isinstance(receipt, Receipt)
    assert receipt.tls is facts


def test_nobody_is_waited_for_where_nobody_came_before() -> None:
    assert list(nobody()) == []
