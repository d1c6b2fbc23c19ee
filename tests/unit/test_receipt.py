from __future__ import annotations

import pytest

from ehlo import Address, Envelope, Outcome, Phase, Receipt, RecipientsRefused, Reply
from ehlo.receipt import queue_id
from support.pickling import unpickled

BOB = Address("bob@example.org")
EVA = Address("eva@example.org")
MAX = Address("max@example.org")
ENVELOPE = Envelope("ada@example.org", [BOB, EVA, MAX])
OK = Reply.of(250, "2.0.0 Ok: queued as 4XyZ12")
NO = Reply.of(550, "5.1.1 No such user")
LATER = Reply.of(450, "4.2.0 Greylisted")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["2.0.0 Ok: queued as 4XyZ12"], "4XyZ12"),
        (["Ok: queued as 9A1B2C"], "9A1B2C"),
        (["OK id=1rAbCd-000123-Ef"], "1rAbCd-000123-Ef"),
        (["2.0.0 3ANCXYZ1012345 Message accepted for delivery"], "3ANCXYZ1012345"),
        (["2.0.0: 4f1a2b3c Message accepted for delivery"], "4f1a2b3c"),
        (
            ["2.6.0 <a@b> [InternalId=12345, Hostname=x.example.com] Queued mail for delivery"],
            "12345",
        ),
        (["2.6.0 <a@b> [InternalId=12345] Queued mail for delivery"], "12345"),
        (["2.6.0  <x1@host> Queued mail for delivery"], None),
        (["2.6.0 <x1@host> Queued mail for delivery"], "x1@host"),
        (["Message Queued (0AB1-C2.1)"], "0AB1-C2.1"),
        (["2.0.0 OK  1700000000 a1-20020a05sor123.1 - gsmtp"], "a1-20020a05sor123.1"),
        (["2.0.0 OK", "1700000000 a1-2 - gsmtp"], "a1-2"),
        (["ok 1700000000 qp 12345"], "1700000000 qp 12345"),
        (
            ["Ok 0100018c0a1b2c3d-01234567-89ab-cdef-0123-456789abcdef-000000"],
            "0100018c0a1b2c3d-01234567-89ab-cdef-0123-456789abcdef-000000",
        ),
        (["2.0.0 Ok"], None),
        (["not Ok: queued as 4XyZ12"], None),
        ([""], None),
        (["\u00e9", "2.0.0 thanks"], None),
    ],
)
def test_the_queue_id_is_found_where_the_way_of_saying_it_is_known(
    lines: list[str], name: str | None
) -> None:
    assert queue_id(Reply.of(250, *lines)) == name


def test_a_receipt_knows_its_queue_id() -> None:
    assert Receipt(ENVELOPE, OK, (BOB, EVA, MAX)).queue_id == "4XyZ12"


def test_everybody_got_it() -> None:
    receipt = Receipt(ENVELOPE, OK, (BOB, EVA, MAX))
    assert receipt.refused == {}
    assert receipt.message_id is None
    assert {receipt.outcome(address) for address in ENVELOPE.recipients} == {Outcome.ACCEPTED}
    receipt.raise_for_refused()


def test_partial_success_is_a_value() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO, MAX: LATER}, "<1@example.org>")
    assert receipt.outcome(BOB) is Outcome.ACCEPTED
    assert receipt.outcome(EVA) is receipt.outcome(MAX) is Outcome.REFUSED


def test_who_was_not_asked_for_has_no_outcome() -> None:
    with pytest.raises(KeyError):
        Receipt(ENVELOPE, OK, (BOB, EVA, MAX)).outcome(Address("joe@example.org"))


def test_a_refusal_can_be_made_an_error() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO, MAX: LATER})
    with pytest.raises(RecipientsRefused) as caught:
        receipt.raise_for_refused()
    error = caught.value
    assert str(error) == "the message was accepted, but not for eva@example.org, max@example.org"
    assert error.refused == {EVA: NO, MAX: LATER}
    assert error.accepted == (BOB,)
    assert error.phase is Phase.RCPT
    assert error.reply == NO
    assert not error.temporary


def test_that_error_never_calls_for_the_same_message_again() -> None:  # T4
    receipt = Receipt(ENVELOPE, OK, (BOB,), {MAX: LATER})
    with pytest.raises(RecipientsRefused) as caught:
        receipt.raise_for_refused()
    assert not caught.value.retry_safe


def test_receipts_are_values() -> None:
    receipt = Receipt(ENVELOPE, OK, (BOB,), {EVA: NO}, "<1@example.org>")
    assert unpickled(receipt) == receipt
