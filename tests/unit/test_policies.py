from __future__ import annotations

from enum import StrEnum

import pytest

from ehlo import Cleartext, InvalidInput, OnRefusal, Pipelining, Tls
from ehlo.policies import Protocol, chosen

POLICIES: list[type[StrEnum]] = [Cleartext, OnRefusal, Pipelining, Protocol, Tls]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_member_and_its_string_mean_the_same(policy: type[StrEnum]) -> None:
    for member in policy:
        assert chosen(policy, member) is member
        assert chosen(policy, str(member)) is member


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("value", ["", "yes", "STARTTLS", "none ", "TRANSACTION"])
def test_any_other_string_is_an_error_that_lists_the_right_ones(
    policy: type[StrEnum], value: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        chosen(policy, value)
    text = str(caught.value)
    assert text.startswith(f"{policy.__name__} is one of ")
    assert text.endswith(f"not {value!r}")
    assert all(repr(str(member)) in text for member in policy)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("policy", "strings"),
    [
        (Tls, ["implicit", "starttls", "starttls-if-offered", "none"]),
        (Cleartext, ["refuse", "allow-credentials"]),
        (OnRefusal, ["abort", "deliver"]),
        (Pipelining, ["none", "transaction", "continuous"]),
        (Protocol, ["smtp", "lmtp"]),
    ],
)
def test_the_strings_are_the_surface(policy: type[StrEnum], strings: list[str]) -> None:
    assert [str(member) for member in policy] == strings
