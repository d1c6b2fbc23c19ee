"""The laws of what is encoded while it is sent."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st

from ehlo.message.bodies import BASE64_BLOCK, base64_size
from ehlo.message.feeds import Feed
from ehlo.message.sources import source_of

PIECES = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.integers(-2, 2).map(lambda near: bytes(BASE64_BLOCK + near)),
        st.integers(0, 180_000).map(bytes),
    ),
    max_size=8,
)


@given(PIECES)
def test_any_cutting_gives_the_base64_of_the_whole(pieces: list[bytes]) -> None:  # H5
    whole = b"".join(pieces)
    for size in (None, len(whole)):
        octets = b"".join(Feed(source_of(pieces, size), "base64"))
        lines = octets.split(b"\r\n")
        assert b"".join(lines) == b64encode(whole)
        assert all(len(line) == 76 for line in lines[:-2])
        assert lines[-1] == b""  # each line is ended


@given(PIECES, st.sampled_from(["base64", "binary"]))
def test_the_size_is_exact(pieces: list[bytes], encoding: str) -> None:
    size = sum(map(len, pieces))
    feed = Feed(source_of(pieces, size), encoding)
    assert feed.octets == sum(map(len, feed))
    assert max(map(len, feed), default=0) <= 131_072


@given(st.integers(0, 10**15))
def test_the_size_of_base64_can_be_told(octets: int) -> None:
    characters = (octets + 2) // 3 * 4
    lines = (characters + 75) // 76
    assert base64_size(octets) == characters + 2 * lines
