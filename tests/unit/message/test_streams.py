"""Content that is read while it is sent, and what is found out of it beforehand."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from typing_extensions import override

from ehlo import Envelope, InvalidInput
from ehlo.content import Octets, Stream
from ehlo.message import prepare
from ehlo.message.octets import TextCheck, has_utf8_header, message_id_of, why_not_text
from ehlo.message.sources import Readable
from ehlo.message.streams import stream
from ehlo.wire import wire_size

ENVELOPE = Envelope("ada@example.org", "bob@example.com")
CONTENT = b"Message-ID: <1@example.org>\r\nSubject: x\n\r\n.text\rmore"
LARGE = CONTENT + b"\n" * 131_072
"""More than is kept in memory."""


class Pipe(io.RawIOBase):
    """A binary file that cannot be read again."""

    def __init__(self, octets: bytes) -> None:
        self._left = io.BytesIO(octets)

    @override
    def read(self, size: int = -1) -> bytes:
        return self._left.read(min(size, 5))


class Bare:
    """No more than `read`."""

    def __init__(self, octets: bytes) -> None:
        self._left = io.BytesIO(octets)

    def read(self, size: int, /) -> bytes:
        return self._left.read(size)


def read(content: Octets | Stream) -> bytes:
    assert isinstance(content, Stream)
    pieces: Any = content.pieces()
    return b"".join(pieces)


def made(source: object) -> Octets | Stream:
    return stream(source)[0]


def streamed(source: object) -> Stream:
    content = made(source)
    assert isinstance(content, Stream)
    return content


def test_a_file_is_read_through_once_before() -> None:
    content, message_id = stream(io.BytesIO(LARGE))
    assert message_id == "<1@example.org>"
    assert isinstance(content, Stream)
    assert content.octets == len(LARGE)
    assert content.size == wire_size(LARGE)
    assert content.is_eight_bit is False
    assert content.not_text == ""
    assert content.is_repeatable
    assert [read(content), read(content)] == [LARGE, LARGE]


@pytest.mark.parametrize("octets", [b"", CONTENT, b"x\n" * 65_536])
def test_a_small_file_is_kept(octets: bytes) -> None:
    """What was read need not be read again, and cannot have changed by then."""
    content, message_id = stream(io.BytesIO(octets))
    assert isinstance(content, Octets)
    assert content.octets == octets
    assert message_id == message_id_of(octets)
    assert isinstance(made(io.BytesIO(octets.ljust(131_073))), Stream)


@pytest.mark.parametrize("content", [CONTENT, LARGE], ids=["small", "large"])
def test_a_file_is_read_from_where_it_stands(content: bytes) -> None:
    file = io.BytesIO(b"From ada\n" + content)
    file.readline()
    found = made(file)
    assert (found.octets if isinstance(found, Octets) else read(found)) == content


@pytest.mark.parametrize(
    ("octets", "eight_bit", "utf8", "why"),
    [
        (b"", False, False, ""),
        ("Subject: ü\n\nü".encode(), True, True, ""),
        (b"Subject: \xff\n\n", True, False, ""),
        (b"Subject: x\n\n\xff", True, False, ""),
        (b"a\n\0", False, False, "line 2 of the message holds a NUL octet"),
        (b"a\n" + b"x" * 999, False, False, "line 2 of the message is longer than 998 octets"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_a_file_needs_is_known(octets: bytes, eight_bit: bool, utf8: bool, why: str) -> None:
    for behind in (b"", b"\n" * 131_072):
        content = made(io.BytesIO(octets + behind))
        assert content.is_eight_bit is eight_bit
        assert content.has_utf8_header is utf8
        assert content.not_text == why
        assert content.is_binary is (b"\0" in octets)


def test_a_large_file_is_read_in_pieces() -> None:
    line = b"x" * 78 + b"\r\n"
    header = b"X-Long: y\r\n" * 7000 + b"Message-ID: <late@example.org>\r\n\r\n"
    content, message_id = stream(io.BytesIO(header + line * 5000))
    assert message_id is None  # of the header, the first 65,536 octets are looked at
    assert isinstance(content, Stream)
    assert content.size == len(header) + len(line) * 5000
    pieces: Any = content.pieces()
    assert max(map(len, pieces)) <= 131_072


@pytest.mark.parametrize("kind", [Pipe, Bare])
def test_of_what_cannot_be_read_again_nothing_is_known(kind: type[Any]) -> None:
    content, message_id = stream(kind(CONTENT))
    assert isinstance(kind(b""), Readable)
    assert message_id is None
    assert isinstance(content, Stream)
    assert (content.size, content.octets, content.is_eight_bit) == (None, None, None)
    assert not content.is_repeatable
    assert read(content) == CONTENT
    with pytest.raises(InvalidInput, match="can be read only once, and was"):
        read(content)


def test_a_generator_that_was_begun_is_no_message() -> None:  # T10
    def pieces() -> Iterator[bytes]:
        yield b"Subject: a\n"
        yield b"\nb\n"

    source = pieces()
    streamed(source)  # looked at, and not read
    begun = streamed(source).pieces()
    assert isinstance(begun, Iterator)
    assert next(begun) == b"Subject: a\n"
    with pytest.raises(InvalidInput, match="can be read only once, and was"):
        streamed(source).pieces()


def test_a_list_is_read_as_often_as_need_be() -> None:
    assert [read(streamed([b"a", b"b"])) for _ in range(2)] == [b"ab", b"ab"]


@pytest.mark.parametrize("octets", [b"Subject: a\n\nb\n", b"x" * 200_000], ids=len)
def test_a_file_is_left_where_it_stood(octets: bytes) -> None:
    file = io.BytesIO(b"before" + octets)
    file.seek(6)
    for _ in range(2):
        content = made(file)
        assert (content.octets if isinstance(content, Octets) else read(content)) == octets
        assert file.tell() == 6
    content = made(file)
    if isinstance(content, Stream):
        begun = content.pieces()
        assert isinstance(begun, Iterator)
        next(begun)
        del begun  # a sending that failed
        assert file.tell() == 6
        begun = content.pieces()
        assert isinstance(begun, Iterator)
        next(begun)
        file.close()
        del begun  # nothing to say about it


def test_a_file_that_stands_at_its_end_is_no_message() -> None:
    file = io.BytesIO(b"abc")
    file.seek(3)
    with pytest.raises(InvalidInput, match="the file stands at its end"):
        made(file)
    assert read_octets(io.BytesIO()) == b""


def read_octets(file: io.BytesIO) -> bytes:
    content = made(file)
    assert isinstance(content, Octets)
    return content.octets


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_an_iterable_is_read_piece_by_piece(kind: Any) -> None:
    content = streamed(kind([b"a", b"", b"b"]))
    assert content.size is None
    assert not content.is_repeatable
    assert read(content) == b"ab"


def test_an_async_iterable_is_one() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    assert isinstance(streamed(pieces()).pieces(), AsyncIterator)
    assert isinstance(streamed([b"a"]).pieces(), Iterator)


def test_a_file_in_text_mode_says_so() -> None:
    with pytest.raises(TypeError, match="binary mode"):
        stream(io.StringIO("text"))


@pytest.mark.parametrize("source", ["text", 5, None, object()])
def test_nothing_else_is_content(source: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(source).__name__}"):
        stream(source)


def test_a_stream_is_what_is_ready_to_be_sent() -> None:
    def not_asked() -> Any:
        raise AssertionError

    outgoing = prepare(io.BytesIO(LARGE), ENVELOPE, now=not_asked, make_id=not_asked)
    assert isinstance(outgoing.content, Stream)
    assert outgoing.message_id == "<1@example.org>"
    assert outgoing.envelope is ENVELOPE


# -- Facts, piece by piece -------------------------------------------------------------------------


def cuttings(octets: bytes) -> Iterator[list[bytes]]:
    yield [octets]
    yield [octets[at : at + 1] for at in range(len(octets))]
    for at in range(0, len(octets), max(1, len(octets) // 40)):
        yield [octets[:at], b"", octets[at:]]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"a\r\nb\rc\nd",
        b"a\r\nb\rc\nd\0",
        b"\0",
        b"\r\n" * 3 + b"x" * 998 + b"\r\n" + b"x" * 999,
        b"x" * 998,
        b"x" * 999,
        b"a\r" + b"x" * 998 + b"\0\n",
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_text_is_found_however_it_is_cut(octets: bytes) -> None:
    whole = why_not_text(octets)
    for pieces in cuttings(octets):
        check = TextCheck()
        assert next(filter(None, map(check.feed, pieces)), "") == whole, pieces


def test_a_header_that_is_cut_within_a_character_is_utf_8_all_the_same() -> None:
    assert has_utf8_header("Subject: ü".encode()[:-1])
    assert not has_utf8_header(b"Subject: \xff")


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        # The usual form is looked for first; it must not be taken for what it is not.
        (b"X: y\r\nMessage-ID: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n", "<a@b>"),
        (b"message-id: <a@b>\r\nMessage-ID: <c@d>\r\n\r\n", "<a@b>"),
        (b"X: y\r\n\r\nMessage-ID: <a@b>\r\n", None),
        (b"X: y\r\r\nMessage-ID: <a@b>\r\n", None),
        (b"X: y\n\nZ: y\r\nMessage-ID: <a@b>\r\n", None),
        (b"\nX: y\r\nMessage-ID: <a@b>\r\n", None),
        (b"X: y\r\nMessage-ID: <a@b> (old)\r\n", "<a@b>"),
        (b"X: y\r\nMessage-ID: <a b> <c@d>\r\n", "<c@d>"),
        (b"X: y\r\nMessage-ID: <a b>\r\n", None),
        (b"X: y\r\nMessage-ID: <a@b>", "<a@b>"),
    ],
)
def test_the_first_message_id_of_the_header(octets: bytes, found: str | None) -> None:
    assert message_id_of(octets) == found
