"""Messages with more recipients than the server takes at once (RFC 9422)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ehlo.content import Stream
from ehlo.dialogues import Transaction, deliver
from ehlo.envelope import Envelope
from ehlo.errors import (
    CapabilityMissing,
    ContentRefused,
    DeliveryUnknown,
    InvalidInput,
    RecipientsRefused,
    SenderRefused,
    SMTPError,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import OnRefusal
from ehlo.receipt import Receipt
from ehlo.reply import Reply
from ehlo.testing import Answer, Close, Dialect, TakeEffect, converse
from support.rooms import Room, room, stream, to

TWO = ("PIPELINING", "LIMITS RCPTMAX=2")
NO = Reply.of(550, "5.1.1 No such user")
LATER = Reply.of(450, "4.2.1 Greylisted")


def send(pair: Room, what: Transaction) -> Receipt | SMTPError:
    try:
        return converse(deliver(pair[0], what), *pair).result
    except SMTPError as exc:
        return exc


def taken(pair: Room) -> list[tuple[str, ...]]:
    return [message.recipients for message in pair[1].messages]


def names(addresses: Any) -> list[str]:
    return [str(address).partition("@")[0] for address in addresses]


def test_a_message_is_sent_in_parts() -> None:  # E7
    pair = room(*TWO)
    what = to(5, message_id="<1@x>", clock=iter(range(100)).__next__)
    receipt = send(pair, what)
    assert isinstance(receipt, Receipt)
    assert list(map(len, taken(pair))) == [2, 2, 1]
    assert {message.content for message in pair[1].messages} == {b"Hello\r\n"}
    assert receipt.accepted == what.envelope.recipients
    assert receipt.refused == {}
    assert [len(part.accepted) for part in receipt.parts] == [2, 2, 1]
    assert receipt.reply == receipt.parts[-1].reply
    assert receipt.timings == receipt.parts[-1].timings
    assert receipt.message_id == "<1@x>"
    assert list(receipt.replies) == list(what.envelope.recipients)
    first, second, _ = (part.reply for part in receipt.parts)
    assert list(receipt.replies.values())[:4] == [first, first, second, second]
    assert pair[0].is_idle


def test_what_fits_is_no_part() -> None:
    receipt = send(room(*TWO), to(2))
    assert isinstance(receipt, Receipt)
    assert receipt.parts == ()
    assert receipt.replies == {}


def test_each_recipient_keeps_its_wishes() -> None:
    from ehlo import Recipient  # noqa: PLC0415

    recipients = [Recipient(f"r{n}@example.com", notify="NEVER") for n in (0, 1)]
    pair = room("DSN", "LIMITS RCPTMAX=1")
    assert isinstance(send(pair, to(envelope=Envelope("a@b", recipients))), Receipt)
    said = [message.recipient_parameters for message in pair[1].messages]
    assert said == [({"NOTIFY": "NEVER"},)] * 2


@pytest.mark.parametrize("content", [b"a\r\n", stream(b"a\r\n")], ids=["octets", "stream"])
def test_content_is_read_again_for_each_part(content: Any) -> None:
    pair = room(*TWO)
    assert isinstance(send(pair, to(3, content)), Receipt)
    assert [message.content for message in pair[1].messages] == [b"a\r\n"] * 2


def test_content_that_can_be_read_once_has_no_parts() -> None:
    pair = room(*TWO)
    error = send(pair, to(3, Stream(lambda: iter((b"a",)))))
    assert isinstance(error, CapabilityMissing)
    assert "read only once" in str(error)
    assert error.capability == "LIMITS"
    assert taken(pair) == []
    assert pair[0].is_idle


# -- Limits of the session -------------------------------------------------------------------------


def test_mailmax_is_counted() -> None:  # E7
    pair = room("LIMITS MAILMAX=3 RCPTMAX=1")
    assert isinstance(send(pair, to(2)), Receipt)
    error = send(pair, to(2))
    assert isinstance(error, CapabilityMissing)
    assert "this session has had all that the server's LIMITS let it take" in str(error)
    assert error.phase is Phase.MAIL
    assert error.retry_safe
    error = send(pair, to(4))
    assert isinstance(error, CapabilityMissing)
    assert "do not let one session take all recipients" in str(error)
    assert not error.retry_safe
    assert isinstance(send(pair, to(1)), Receipt)
    assert isinstance(send(pair, to(1)), CapabilityMissing)
    assert len(taken(pair)) == 3


def test_mailmax_alone() -> None:
    pair = room("LIMITS MAILMAX=1")
    assert isinstance(send(pair, to(5)), Receipt)
    assert isinstance(send(pair, to(5)), CapabilityMissing)


def test_domains_are_counted() -> None:  # E7
    pair = room("LIMITS RCPTDOMAINMAX=2")
    one = Envelope("a@b", ["x@one.example", "y@ONE.example", "x@two.example"])
    three = Envelope("a@b", ["x@one.example", "x@three.example"])
    assert isinstance(send(pair, to(envelope=one)), Receipt)
    assert pair[0].recipient_domains == {"one.example", "two.example"}
    error = send(pair, to(envelope=three))
    assert isinstance(error, CapabilityMissing)
    assert len(taken(pair)) == 1
    assert isinstance(send(pair, to(envelope=one)), Receipt)


# -- Refusals --------------------------------------------------------------------------------------


def test_the_first_refusal_ends_it_where_all_or_nobody_is_wanted() -> None:
    pair = room(*TWO, answers={"RCPT TO:<r3@example.com>": NO})
    error = send(pair, to(5))
    assert isinstance(error, RecipientsRefused)
    assert names(error.refused) == ["r3"]
    assert names(error.delivered) == ["r0", "r1"]
    assert not error.retry_safe
    assert list(map(len, taken(pair))) == [2]
    assert pair[0].is_idle


def test_the_rest_is_served_where_that_is_wanted() -> None:
    answers: dict[str, Answer] = {f"RCPT TO:<r{n}@example.com>": NO for n in (1, 2, 3)}
    pair = room(*TWO, answers=answers)
    receipt = send(pair, to(6, on_refusal=OnRefusal.DELIVER))
    assert isinstance(receipt, Receipt)
    assert names(receipt.accepted) == ["r0", "r4", "r5"]
    assert names(receipt.refused) == ["r2", "r3", "r1"]
    assert list(map(names, taken(pair))) == [["r0"], ["r4", "r5"]]
    assert len(receipt.parts) == 2


def test_all_are_refused() -> None:
    pair = room(*TWO, answers={"RCPT": LATER})
    error = send(pair, to(5, on_refusal=OnRefusal.DELIVER))
    assert isinstance(error, RecipientsRefused)
    assert names(error.refused) == ["r0", "r1", "r2", "r3", "r4"]
    assert error.delivered == ()
    assert error.retry_safe
    assert pair[0].is_idle


@pytest.mark.parametrize(
    ("answer", "kind", "outcome"),
    [
        (Reply.of(554, "5.7.1 Spam"), ContentRefused, Outcome.REFUSED),
        ((TakeEffect(), Close()), DeliveryUnknown, Outcome.UNKNOWN),
    ],
)
def test_an_error_names_those_who_have_got_it(
    answer: Answer, kind: type[SMTPError], outcome: Outcome
) -> None:
    count = iter(range(9))
    pair = room(*TWO, answers=lambda it, _: answer if it.line == "." and next(count) else None)
    error = send(pair, to(5, message_id="<1@x>"))
    assert type(error) is kind
    assert error.outcome is outcome
    assert names(error.delivered) == ["r0", "r1"]
    assert not error.retry_safe
    assert error.message_id == "<1@x>"
    if kind is DeliveryUnknown:
        assert error.__cause__ is not None


def test_a_session_that_ends_with_a_refusal_goes_no_further() -> None:
    bye = (Reply.of(421, "4.3.2 Bye"), Close())
    pair = room("PIPELINING", "LIMITS RCPTMAX=1", answers={"RCPT TO:<r1@example.com>": bye})
    error = send(pair, to(3, on_refusal=OnRefusal.DELIVER))
    assert isinstance(error, RecipientsRefused)
    assert names(error.delivered) == ["r0"]
    assert pair[0].is_over


def test_a_sender_that_is_refused_is_so_for_all() -> None:
    pair = room(*TWO, answers={"MAIL": NO})
    error = send(pair, to(5, on_refusal=OnRefusal.DELIVER))
    assert isinstance(error, SenderRefused)
    assert error.delivered == ()


@pytest.mark.parametrize("at", [0, 1])
def test_the_content_of_a_part_cannot_be_read(at: int) -> None:
    """The error is the caller's own, unless somebody has got the message already."""
    error = OSError("disk gone")
    reads = iter(range(9))

    def pieces() -> Iterator[bytes]:
        if next(reads) == at:
            raise error
        return iter((b"a\r\n",))

    pair = room(*TWO)
    what = to(3, Stream(pieces, is_repeatable=True))
    with pytest.raises((OSError, InvalidInput)) as caught:
        converse(deliver(pair[0], what), *pair)
    assert len(pair[1].messages) == at
    if not at:
        assert caught.value is error
        return
    assert isinstance(caught.value, InvalidInput)
    assert caught.value.__cause__ is error
    assert names(caught.value.delivered) == ["r0", "r1"]


def test_final_replies_of_lmtp_in_parts() -> None:
    pair = room(*TWO, dialect=Dialect.LMTP, answers={". <r1@example.com>": LATER})
    receipt = send(pair, to(3, on_refusal=OnRefusal.DELIVER))
    assert isinstance(receipt, Receipt)
    assert names(receipt.accepted) == ["r0", "r2"]
    assert receipt.refused == {to(3).envelope.recipients[1]: LATER}
    assert names(receipt.replies) == ["r0", "r1", "r2"]


def test_a_late_refusal_of_lmtp_where_all_or_nobody_was_wanted() -> None:
    pair = room(*TWO, dialect=Dialect.LMTP, answers={". <r3@example.com>": LATER})
    error = send(pair, to(6))
    assert isinstance(error, RecipientsRefused)
    assert error.outcome is Outcome.ACCEPTED
    assert names(error.delivered) == ["r0", "r1", "r2"]
    assert not error.retry_safe
    assert list(map(len, taken(pair))) == [2, 1]
