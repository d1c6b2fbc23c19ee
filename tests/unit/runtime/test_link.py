"""What is known of octets that have not left: in clear, and inside TLS records."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo import ProxyHeader
from ehlo.commands import Noop
from ehlo.protocol import Connection
from ehlo.runtime.ambient import default_context
from ehlo.runtime.link import Link, _Ledger
from ehlo.runtime.options import Settings
from support.stepping import ready


def link_of(connection: Connection) -> Link:
    return Link(connection, server_hostname="mx.example.com", make_context=default_context)


def test_in_clear_what_is_unsent_is_what_has_not_left() -> None:
    connection = ready()
    link = link_of(connection)
    before = connection.left_octets
    connection.send(Noop())
    assert connection.left_octets == before
    assert link.collect()
    assert connection.left_octets == before
    del link.unsent[:2]
    assert connection.left_octets == before + 2
    link.backlog = 2
    assert connection.left_octets == before
    link.unsent.clear()
    link.backlog = 0
    assert connection.left_octets == connection.queued_octets


class Write(NamedTuple):
    """Some records, and the octets of plaintext in them."""

    records: int
    plain: int


def ledger(*writes: Write) -> _Ledger:
    it = _Ledger()
    for write in writes:
        it.note(*write)
    return it


@pytest.mark.parametrize(
    ("pending", "unsent"),
    [
        (0, 0),
        (1, 1),  # of the last write: its last octet, and nobody knows of more
        (29, 1),
        (30, 10),
        (31, 11),
        (49, 11),
        (50, 30),
        (60, 31),
        (150, 80),
        (999, 80),
    ],
)
def test_a_record_of_which_a_part_is_missing_says_nothing_of_its_end(
    pending: int, unsent: int
) -> None:
    writes = (Write(100, 50), Write(20, 20), Write(30, 10))
    assert ledger(*writes).plain_unsent(pending) == unsent


def test_a_write_without_plaintext_holds_none() -> None:
    """A handshake's records, or a farewell."""
    assert ledger(Write(40, 0)).plain_unsent(40) == 0
    assert ledger(Write(40, 5), Write(24, 0)).plain_unsent(24) == 0


writes = st.lists(st.builds(Write, st.integers(1, 50), st.integers(0, 40)), max_size=6)


@given(writes, st.integers(0, 400))
def test_it_is_never_said_that_more_has_left_than_can_have(
    writes: list[Write], pending: int
) -> None:
    """By whole records: those that are unsent as a whole are so to the octet."""
    unsent = ledger(*writes).plain_unsent(pending)
    total = sum(write.plain for write in writes)
    assert 0 <= unsent <= total
    whole = missing = 0
    for write in reversed(writes):
        missing += write.records
        if missing > pending:
            break
        whole += write.plain
    assert unsent >= whole
    if writes and pending and writes[-1].plain:
        assert unsent, "the last octet has not left"


def test_a_proxy_header_goes_before_all_else() -> None:
    header = ProxyHeader(("192.0.2.1", 1025), ("198.51.100.1", 25))
    link = Settings.of("smtp://127.0.0.1", {"proxy_header": header}).link(lambda: 0.0)
    assert link.unsent == header.octets()
