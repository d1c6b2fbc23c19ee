from __future__ import annotations

from typing import Any

import pytest

from ehlo import (
    Address,
    Envelope,
    InvalidAddress,
    InvalidInput,
    Mailbox,
    MailOptions,
    Notify,
    RcptOptions,
    Recipient,
)
from support.pickling import unpickled

ADA = Address("ada@example.org")
BOB = Address("bob@example.org")
EVA = Address("eva@example.org")


@pytest.mark.parametrize(
    "recipients",
    [
        "bob@example.org",
        BOB,
        Mailbox(BOB, "Bob"),
        ["bob@example.org"],
        (BOB,),
        {"bob@example.org": 1},
        iter([Mailbox(BOB)]),
    ],
)
def test_one_recipient_may_come_alone_or_in_any_iterable(recipients: Any) -> None:
    assert Envelope("ada@example.org", recipients).recipients == (BOB,)


@pytest.mark.parametrize("sender", ["ada@example.org", ADA, Mailbox(ADA, "Ada")], ids=repr)
def test_a_sender_is_whatever_holds_one_address(sender: Any) -> None:
    assert Envelope(sender, BOB).sender == ADA


@pytest.mark.parametrize("sender", [None, ""])
def test_no_sender_is_the_null_reverse_path(sender: str | None) -> None:
    assert Envelope(sender, BOB).sender is None


def test_repeated_recipients_are_dropped_and_the_order_stays() -> None:
    envelope = Envelope(None, [EVA, "bob@example.org", Mailbox(EVA, "Eva"), BOB, ADA])
    assert envelope.recipients == (EVA, BOB, ADA)


def test_recipients_that_differ_in_case_are_two() -> None:
    assert len(Envelope(None, ["bob@example.org", "Bob@example.org"]).recipients) == 2


@pytest.mark.parametrize("recipients", [[], (), iter(())])
def test_an_envelope_is_never_without_a_recipient(recipients: Any) -> None:  # I3
    with pytest.raises(InvalidInput, match="an envelope needs at least one recipient"):
        Envelope(ADA, recipients)


@pytest.mark.parametrize(
    ("sender", "recipients"),
    [
        (None, ""),
        (None, [BOB, ""]),
        (None, "bob@example.org, eva@example.org"),
        (None, ["Bob <bob@example.org>"]),
        (None, ["bob@example.org\r\nDATA"]),
        ("<>", BOB),
        ("Ada <ada@example.org>", BOB),
        ("ada@example.org\r\n", BOB),
    ],
)
def test_every_path_is_one_address(sender: Any, recipients: Any) -> None:  # I1 I2 I3
    with pytest.raises(InvalidAddress):
        Envelope(sender, recipients)


@pytest.mark.parametrize(
    ("sender", "recipients"), [(None, None), (None, b"b@x"), (None, [None]), (5, BOB), (b"", BOB)]
)
def test_nothing_else_is_an_address(sender: Any, recipients: Any) -> None:
    with pytest.raises(TypeError):
        Envelope(sender, recipients)


@pytest.mark.parametrize(
    ("sender", "recipients", "needed"),
    [
        (None, ["bob@example.org"], False),
        ("ada@example.org", ["bob@example.org", "eva@example.org"], False),
        ("gr\u00fcn@example.org", ["bob@example.org"], True),
        (None, ["bob@example.org", "gr\u00fcn@example.org"], True),
        ("ada@b\u00fccher.example", ["gr\u00fcn@example.org"], True),
    ],
)
def test_one_address_beyond_ascii_needs_smtputf8(  # E4
    sender: str | None, recipients: list[str], needed: bool
) -> None:
    assert Envelope(sender, recipients).needs_smtputf8 is needed


def test_envelopes_are_values() -> None:
    envelope = Envelope(ADA, [BOB, EVA])
    assert unpickled(envelope) == envelope
    assert hash(unpickled(envelope)) == hash(envelope)
    assert envelope != Envelope(ADA, [EVA, BOB])


# --- what the sender asks for ---------------------------------------------------------------------

NEVER = RcptOptions(notify="NEVER")


def test_without_wishes_there_are_no_options() -> None:
    envelope = Envelope(ADA, [BOB, EVA])
    assert envelope.options == MailOptions()
    assert envelope.rcpt_options == (RcptOptions(), RcptOptions())
    assert envelope == Envelope(ADA, [BOB, Recipient(EVA)], options=MailOptions())


def test_options_of_the_message() -> None:
    envelope = Envelope(None, BOB, options=MailOptions(ret="HDRS"))
    assert envelope.options.parameters == " RET=HDRS"
    assert envelope != Envelope(None, BOB)
    assert unpickled(envelope) == envelope
    assert hash(unpickled(envelope)) == hash(envelope)


@pytest.mark.parametrize("address", ["bob@example.org", BOB, Mailbox(BOB, "Bob")], ids=repr)
def test_a_recipient_has_options(address: Any) -> None:
    recipient = Recipient(address, notify="SUCCESS", orcpt=EVA)
    assert recipient.address == BOB
    assert recipient.options == RcptOptions(notify=[Notify.SUCCESS], orcpt="eva@example.org")
    assert unpickled(recipient) == recipient


def test_recipients_with_and_without_options() -> None:
    envelope = Envelope(None, [EVA, Recipient(BOB, notify="NEVER"), "ada@example.org"])
    assert envelope.recipients == (EVA, BOB, ADA)
    assert envelope.rcpt_options == (RcptOptions(), NEVER, RcptOptions())
    assert envelope.options_of(BOB) == NEVER
    assert envelope.options_of(ADA) == RcptOptions()
    with pytest.raises(KeyError):
        envelope.options_of(Address("max@example.org"))
    assert unpickled(envelope) == envelope


def test_one_recipient_with_options_may_come_alone() -> None:
    assert Envelope(None, Recipient(BOB, notify="NEVER")).rcpt_options == (NEVER,)


@pytest.mark.parametrize(
    "recipients",
    [
        [BOB, EVA, Recipient(BOB, notify="NEVER")],
        [Recipient(BOB, notify="NEVER"), EVA, BOB],
        [Recipient(BOB, notify="NEVER"), EVA, Recipient(BOB, notify=Notify.NEVER)],
    ],
)
def test_a_wish_for_a_repeated_recipient_is_kept(recipients: list[Any]) -> None:
    envelope = Envelope(None, recipients)
    assert envelope.recipients == (BOB, EVA)
    assert envelope.rcpt_options == (NEVER, RcptOptions())


def test_wishes_that_contradict_each_other_are_refused() -> None:
    twice = [Recipient(BOB, notify="NEVER"), Recipient(BOB, notify="DELAY")]
    with pytest.raises(InvalidInput, match="is a recipient twice, with different options"):
        Envelope(None, twice)


@pytest.mark.parametrize("options", [NEVER, {"ret": "FULL"}, "RET=FULL"])
def test_options_of_a_message_are_mail_options(options: Any) -> None:
    with pytest.raises(TypeError, match="the options are MailOptions, not"):
        Envelope(None, BOB, options=options)


def test_a_recipient_is_one_address() -> None:  # I2
    with pytest.raises(InvalidAddress):
        Recipient("bob@example.org, eva@example.org")
    with pytest.raises(TypeError):
        Recipient(None)  # type: ignore[arg-type]


def test_a_refused_recipient_can_be_shown() -> None:
    recipient = object.__new__(Recipient)
    with pytest.raises(InvalidAddress):
        Recipient.__init__(recipient, "bob")
    assert "'bob'" in repr(recipient)
