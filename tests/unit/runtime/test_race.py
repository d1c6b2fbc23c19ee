import socket
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo.runtime.race import DELAY, NotReached, Race, SocketAddress

V4, V6 = socket.AF_INET, socket.AF_INET6
REFUSED = ConnectionRefusedError(111, "Connection refused")


def address(name: str) -> SocketAddress:
    family = V6 if ":" in name else V4
    return SocketAddress(family, socket.SOCK_STREAM, 0, (name, 25))


def addresses(*names: str) -> list[SocketAddress]:
    return [address(name) for name in names]


def order(race: Race) -> list[str]:
    """Return the hosts in the order in which they are tried, if each fails at once."""
    tried = []
    while (taken := race.take(0.0)) is not None:
        tried.append(taken.name[0])
        race.fail(taken, REFUSED)
    return tried


@pytest.mark.parametrize(
    ("found", "tried"),
    [
        ((), []),
        (("192.0.2.1",), ["192.0.2.1"]),
        (("::1", "::2", "::3", "192.0.2.1"), ["::1", "192.0.2.1", "::2", "::3"]),
        (("192.0.2.1", "192.0.2.2", "::1"), ["192.0.2.1", "::1", "192.0.2.2"]),
        (("::1", "192.0.2.1", "192.0.2.2", "::2"), ["::1", "192.0.2.1", "::2", "192.0.2.2"]),
        (("::1", "::1", "192.0.2.1", "::1"), ["::1", "192.0.2.1"]),
    ],
)
def test_the_families_take_turns(found: Iterable[str], tried: list[str]) -> None:
    assert order(Race(addresses(*found))) == tried


@given(st.lists(st.sampled_from(["::1", "::2", "::3", "192.0.2.1", "192.0.2.2", "192.0.2.3"])))
def test_every_address_is_tried_once(names: list[str]) -> None:
    tried = order(Race(addresses(*names)))
    assert sorted(tried) == sorted(set(names))
    assert tried[:1] == names[:1]


def test_the_next_begins_when_the_last_has_gone_on_for_a_while() -> None:
    first, second = addresses("::1", "192.0.2.1")
    race = Race([first, second])
    assert race.take(10.0) is first
    assert race.take(10.0) is None
    assert race.pause(10.1) == pytest.approx(DELAY - 0.1)
    assert race.take(10.0 + DELAY - 0.01) is None
    assert race.take(10.0 + DELAY) is second
    assert race.pause(10.5) is None
    assert not race.is_lost


def test_the_next_begins_when_one_has_failed() -> None:
    first, second, third = addresses("::1", "192.0.2.1", "::2")
    race = Race([first, third, second], delay=100.0)
    assert race.take(0.0) is first
    race.fail(first, REFUSED)
    assert race.pause(0.0) == 0.0
    assert race.take(0.0) is second
    assert race.take(0.0) is None
    race.fail(second, REFUSED)
    assert race.take(0.0) is third
    assert not race.is_lost
    race.fail(third, REFUSED)
    assert race.is_lost


def test_a_pause_ends_with_the_race() -> None:
    race = Race(addresses("::1", "::2"), delay=5.0)
    race.take(0.0)
    assert race.pause(0.0) == 5.0
    assert race.pause(0.0, end=3.0) == 3.0
    assert race.pause(0.0, end=9.0) == 5.0
    assert race.pause(4.0, end=3.0) == 0.0
    race.take(5.0)
    assert race.pause(5.0) is None
    assert race.pause(5.0, end=9.0) == 4.0


def test_what_a_lost_race_tells() -> None:
    race = Race(addresses("::1", "192.0.2.1"))
    order(race)
    trouble = race.trouble()
    assert str(trouble) == (
        "[::1]:25: [Errno 111] Connection refused; 192.0.2.1:25: [Errno 111] Connection refused"
    )
    assert isinstance(trouble, NotReached)
    assert trouble.addresses == {"[::1]:25": REFUSED, "192.0.2.1:25": REFUSED}
    assert trouble.__cause__ is REFUSED


def test_what_a_race_with_one_tells() -> None:
    race = Race(addresses("192.0.2.1"))
    order(race)
    assert str(race.trouble()) == "[Errno 111] Connection refused"


def test_what_a_race_without_anybody_tells() -> None:
    assert Race([]).is_lost
    assert str(Race([]).trouble()) == "the host name has no address"


def test_what_a_race_that_took_too_long_tells() -> None:
    first, second, third = addresses("192.0.2.1", "192.0.2.2", "192.0.2.3")
    race = Race([first, second, third])
    race.take(0.0)
    race.fail(first, REFUSED)
    race.take(0.0)
    trouble = race.timeout()
    assert isinstance(trouble, TimeoutError)
    assert isinstance(trouble, NotReached)
    assert str(trouble) == ("192.0.2.1:25: [Errno 111] Connection refused; 192.0.2.2:25: no answer")
    assert list(trouble.addresses) == ["192.0.2.1:25", "192.0.2.2:25"]
