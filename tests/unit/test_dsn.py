from __future__ import annotations

from typing import Any

import pytest

from ehlo import Address, InvalidAddress, InvalidInput, Mailbox, OriginalRecipient
from support.hostile import CONTROL_CHARACTERS
from support.pickling import unpickled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bob@example.org", "rfc822;bob@example.org"),
        (Address("b+x@example.org"), "rfc822;b+2Bx@example.org"),
        (Mailbox(Address("bob@example.org"), "Bob"), "rfc822;bob@example.org"),
        ('"a b"@example.org', 'rfc822;"a+20b"@example.org'),
        ("gr\u00fcn@example.org", r"utf-8;gr\x{FC}n@example.org"),
        ("bob@b\u00fccher.example", r"utf-8;bob@b\x{FC}cher.example"),
        (OriginalRecipient("any thing", "x400"), "x400;any+20thing"),
        (OriginalRecipient("a=b", "UTF-8"), r"UTF-8;a\x{3D}b"),
    ],
)
def test_an_original_recipient_is_written_as_its_type_asks_for(value: Any, text: str) -> None:
    assert str(OriginalRecipient.of(value)) == text


@pytest.mark.parametrize("kind", ["", "rfc 822", "rfc822;x", "\u00fc", "a" * 41, "a\n", "a=b"])
def test_a_type_of_address_is_a_word(kind: str) -> None:  # I1
    with pytest.raises(InvalidInput, match="the type of an original recipient is a word"):
        OriginalRecipient("bob@example.org", kind)


def test_an_address_is_not_empty() -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        OriginalRecipient("")


def test_an_address_beyond_ascii_is_utf8() -> None:
    with pytest.raises(InvalidInput, match="is of the type utf-8"):
        OriginalRecipient("gr\u00fcn@example.org")


@pytest.mark.parametrize("kind", ["rfc822", "utf-8"])
def test_an_address_holds_no_control_character(kind: str) -> None:  # I1
    for character in CONTROL_CHARACTERS:
        if character.isascii() or kind == "utf-8":
            with pytest.raises(InvalidInput, match="holds the control character"):
                OriginalRecipient(f"a{character}b", kind)


def test_orcpt_has_a_limit() -> None:
    longest = OriginalRecipient("a" * (500 - len("ORCPT=rfc822;")))
    assert len(f"ORCPT={longest}") == 500
    with pytest.raises(InvalidInput, match="500 characters at the most"):
        OriginalRecipient(longest.address + "a")


def test_a_text_is_one_address() -> None:
    with pytest.raises(InvalidAddress):
        OriginalRecipient.of("rfc822;bob@example.org, x")


@pytest.mark.parametrize("make", [OriginalRecipient, lambda x: OriginalRecipient("a@b", x)])
def test_nothing_but_text_is_taken(make: Any) -> None:
    for value in (None, 5, b"x"):
        with pytest.raises(TypeError):
            make(value)


def test_original_recipients_are_values() -> None:
    one = OriginalRecipient("bob@example.org")
    assert unpickled(one) == one == OriginalRecipient.of("bob@example.org")
    assert hash(unpickled(one)) == hash(one)
