"""SASLprep, against the examples of RFC 4013 and the rules of RFC 3454."""

from __future__ import annotations

import pytest

from ehlo import InvalidInput, Secret
from ehlo.sasl.preparation import Unassigned, prepared, saslprep
from support.frames import assert_hidden, shown


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 section 3, example 1
        ("user", "user"),  # 2
        ("USER", "USER"),  # 3
        ("\u00aa", "a"),  # 4
        ("\u2168", "IX"),  # 5
        ("a\u00a0b\u3000c", "a b c"),
        ("\u200bx\ufe00", "x"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("\u06271\u0628", "\u06271\u0628"),
        ("gru\u0308n", "gr\u00fcn"),
        ("p@ss word!", "p@ss word!"),
        # Unicode 3.2 is what counts: this one got a decomposition later than it (Corrigendum 4).
        ("\U0002f868", "\U0002136a"),
    ],
)
def test_what_becomes_of_a_text(text: str, result: str) -> None:
    assert saslprep(text) == result


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\u0007", "holds a prohibited character at position 0"),  # RFC 4013 section 3, example 6
        ("\u06271", "written from right to left, but does not begin and end so"),  # 7
        ("1\u0627", "written from right to left, but does not begin and end so"),
        ("\u0627x\u0628", "mixes characters written from right to left"),
        ("\u00ad", "is empty"),
        ("", "is empty"),
        ("a\u007f", "position 1"),
        ("a\u0080", "position 1"),
        ("a\ue000", "position 1"),
        ("a\ufdd0", "position 1"),
        ("a\ud800", "position 1"),
        ("a\ufff9", "position 1"),
        ("a\u2ff0", "position 1"),
        ("a\u0340\u200e", "position 1"),
        ("a\u202a", "position 1"),
        ("a\U000e0001", "position 1"),
        ("a\u0221", "a character that Unicode 3.2 does not know, at position 1"),
        ("\U0001f511", "a character that Unicode 3.2 does not know, at position 0"),
    ],
)
def test_what_cannot_be_prepared(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        saslprep(text)


def test_a_query_may_hold_what_unicode_3_2_does_not_know() -> None:
    assert saslprep("\U0001f511", Unassigned.ALLOWED) == "\U0001f511"
    with pytest.raises(InvalidInput, match="prohibited"):
        saslprep("\ue000", Unassigned.ALLOWED)


def test_no_error_shows_a_secret() -> None:  # A8
    with pytest.raises(InvalidInput) as caught:
        prepared("the password", Secret("hunter2\ue000"))
    assert_hidden("hunter2", shown(caught.value))
