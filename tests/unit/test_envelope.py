from __future__ import annotations

from typing import Any

import pytest

from ehlo import Address, Envelope, InvalidAddress, InvalidInput, Mailbox
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
