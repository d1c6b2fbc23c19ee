"""Where the octets of attachments come from, and how they are encoded while they are sent."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from ehlo import Attachment, InvalidInput, Message
from ehlo.message.bodies import BASE64_BLOCK, base64_lines
from ehlo.message.feeds import Feed
from ehlo.message.sources import SMALL, Source, read_all, source_of
from support.pickling import unpickled

LARGE = bytes(range(256)) * 1000
PIECES = [LARGE[:10], b"", LARGE[10:200_000], LARGE[200_000:]]


class Repeatable:
    """An iterable that begins anew each time."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(PIECES)


class AsyncRepeatable:
    """The same, to be awaited."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in PIECES:
            yield piece


class AsyncFile(AsyncRepeatable):
    """A file whose `read` has to be awaited, as those of aiofiles and anyio."""

    async def read(self, _size: int, /) -> bytes:
        raise NotImplementedError


class Pipe:
    """What can be read, and nothing else."""

    def __init__(self, *pieces: Any) -> None:
        self._pieces = list(pieces)

    def read(self, _size: int, /) -> Any:
        return self._pieces.pop(0) if self._pieces else b""


def streamed(given: object, size: int | None = None) -> Source:
    source = source_of(given, size)
    assert isinstance(source, Source)
    return source


async def awaited(feed: Feed) -> list[bytes]:
    return [piece async for piece in feed]


def octets_of(source: Source) -> bytes:
    feed = Feed(source, "binary")
    return b"".join(asyncio.run(awaited(feed)) if source.is_async else feed)


# --- what is told of a source ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_octets_are_copied_at_once(kind: Any) -> None:
    assert source_of(kind(b"abc")) == b"abc"
    assert source_of(kind(b"abc"), 3) == b"abc"


def test_a_small_file_is_read_at_once_and_a_large_one_when_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE[:SMALL])
    small = source_of(path)
    path.write_bytes(LARGE)
    large = streamed(path, len(LARGE))
    assert small == LARGE[:SMALL]
    assert (large.size, large.is_repeatable, large.is_async) == (len(LARGE), True, False)
    assert octets_of(large) == octets_of(large) == LARGE
    assert octets_of(unpickled(large)) == LARGE


@pytest.mark.parametrize(
    ("given", "is_repeatable", "is_async"),
    [
        (lambda: PIECES, True, False),
        (Repeatable, True, False),
        (lambda: iter(PIECES), False, False),
        (lambda: (piece for piece in PIECES), False, False),
        (AsyncRepeatable, True, True),
        (AsyncFile, True, True),
        (lambda: aiter(AsyncRepeatable()), False, True),
        (lambda: Pipe(*filter(None, PIECES)), False, False),
    ],
    ids=["list", "object", "iterator", "generator", "async", "async file", "async once", "pipe"],
)
@pytest.mark.parametrize("size", [None, len(LARGE)])
def test_iterables_and_pipes_are_read_when_they_are_sent(
    given: Any, is_repeatable: bool, is_async: bool, size: int | None
) -> None:
    source = streamed(given(), size)
    assert (source.size, source.is_repeatable, source.is_async) == (size, is_repeatable, is_async)
    assert octets_of(source) == LARGE
    if is_repeatable:
        assert octets_of(source) == LARGE
    else:
        with pytest.raises(InvalidInput, match="can be read only once, and was"):
            octets_of(source)


def test_a_file_is_read_from_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    with path.open("rb") as file:
        file.seek(1000)
        large = streamed(file)
        assert file.tell() == 1000
        file.seek(-5, os.SEEK_END)
        small = source_of(file)
        assert file.tell() == len(LARGE) - 5
        assert octets_of(large) == LARGE[1000:]
        assert small == LARGE[-5:]


@pytest.mark.parametrize("size", [3, SMALL + 1])
def test_the_same_open_file_goes_with_two_messages(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE[:size])
    with path.open("rb") as file:
        first, second = (Feed(source_of(file), "binary") for _ in range(2))
        one, two = iter(first), iter(second)
        pairs = list(zip(one, two, strict=True))  # read in turns
    assert b"".join(piece for piece, _ in pairs) == LARGE[:size]
    assert b"".join(piece for _, piece in pairs) == LARGE[:size]


def test_a_pipe_that_says_it_cannot_be_rewound_is_read_once() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file, os.fdopen(writer, "wb") as other:
        other.write(b"abc")
        other.close()
        source = streamed(file)
        assert (source.size, source.is_repeatable) == (None, False)
        assert octets_of(source) == b"abc"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "why"),
    [("text", "octets, not str: encode it, or pass a pathlib.Path"), (5, "octets, not int")],
)
def test_what_is_no_content_is_a_type_error(given: Any, why: str) -> None:
    with pytest.raises(TypeError, match=why):
        source_of(given)


@pytest.mark.parametrize("size", ["1", 1.0, True])
def test_a_size_is_a_number(size: Any) -> None:
    with pytest.raises(TypeError, match="the size of an attachment is an int"):
        Attachment([b"a"], size=size)


def test_a_size_is_not_negative() -> None:
    with pytest.raises(InvalidInput, match="cannot have -1 octets"):
        Attachment([b"a"], size=-1)


def test_another_size_than_was_said_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    with pytest.raises(InvalidInput, match="has 3 octets, not 4"):
        source_of(b"abc", 4)
    with pytest.raises(InvalidInput, match=f"has {len(LARGE)} octets, not 4"):
        source_of(path, 4)
    with pytest.raises(InvalidInput, match="has 3 octets, not 4"):
        Attachment([b"a\r\n"], content_type="message/rfc822", size=4)


def test_a_file_that_is_not_there_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        source_of(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["abc", "a" * 2 * SMALL])
def test_a_file_in_text_mode_is_refused_at_once(text: str) -> None:
    with pytest.raises(TypeError, match="gives str, not bytes: open it in binary mode"):
        source_of(io.StringIO(text))


@pytest.mark.parametrize("piece", ["text", None])
def test_what_gives_no_octets_is_refused_when_it_is_read(piece: Any) -> None:
    with pytest.raises(TypeError, match=f"gives {type(piece).__name__}, not bytes"):
        octets_of(streamed(Pipe(b"a", piece)))


def test_what_has_to_be_in_memory_is_read_now() -> None:
    assert read_all(b"abc", "it") == b"abc"
    assert read_all(streamed(PIECES), "it") == LARGE
    assert read_all(streamed(iter(PIECES)), "it") == LARGE
    with pytest.raises(InvalidInput, match="it is looked at before it is sent"):
        read_all(streamed(AsyncRepeatable()), "it")


# --- feeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 57, 58, BASE64_BLOCK - 1, BASE64_BLOCK, 200_001])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_feed_is_the_base64_of_the_whole(length: int, kind: Any) -> None:
    octets = LARGE[:length]
    feed = Feed(streamed([kind(octets[:1]), kind(octets[1:])], length), "base64")
    assert b"".join(feed) == b"".join(Feed(octets, "base64")) == base64_lines(octets)
    assert feed.octets == len(base64_lines(octets))
    assert max(map(len, feed), default=0) <= 131_072


def test_a_view_of_other_numbers_is_its_octets() -> None:
    numbers = memoryview(LARGE).cast("I")
    assert b"".join(Feed(streamed([numbers]), "binary")) == LARGE


def test_what_is_known_of_a_feed() -> None:
    feed = Feed(b"abc", "binary")
    assert (feed.octets, feed.is_repeatable, feed.is_async) == (3, True, False)
    feed = Feed(streamed(aiter(AsyncRepeatable())), "base64")
    assert (feed.octets, feed.is_repeatable, feed.is_async) == (None, False, True)


@pytest.mark.parametrize("said", [len(LARGE) - 1, len(LARGE) + 1])
@pytest.mark.parametrize("kind", [Repeatable, AsyncRepeatable])
def test_more_or_fewer_octets_than_were_said_are_an_error(said: int, kind: Any) -> None:
    with pytest.raises(InvalidInput, match=f"has not the {said} octets that it was said to have"):
        octets_of(streamed(kind(), said))


def test_no_more_octets_leave_than_were_said() -> None:
    found: list[bytes] = []
    with pytest.raises(InvalidInput):
        found.extend(Feed(streamed([b"a" * BASE64_BLOCK, b"b"], BASE64_BLOCK), "binary"))
    assert found == [b"a" * BASE64_BLOCK]


@pytest.mark.parametrize("length", [SMALL, len(LARGE) + 1])
def test_a_file_that_changes_is_an_error(tmp_path: Path, length: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    source = streamed(path)
    path.write_bytes(bytes(length))
    with pytest.raises(InvalidInput, match="or had when the message was made"):
        octets_of(source)


@pytest.mark.parametrize("piece", ["text", 5, None])
def test_pieces_are_octets(piece: Any) -> None:
    with pytest.raises(TypeError, match="an attachment is made of octets, not of"):
        list(Feed(streamed([b"a", piece]), "base64"))


# --- attachments ----------------------------------------------------------------------------------


def test_small_attachments_are_values_and_large_ones_are_equal_to_themselves(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    assert Attachment(path) == Attachment.from_path(path)
    assert hash(Attachment(path)) == hash(Attachment.from_path(path))
    path.write_bytes(LARGE)
    large = Attachment(path)
    assert large == large  # noqa: PLR0124 - that is the point
    assert large != Attachment(path)
    assert (large.content, large.size, large.filename) == (None, len(LARGE), "a.bin")
    again = unpickled(large)
    assert isinstance(again.source, Source)
    assert octets_of(again.source) == LARGE


def test_an_attachment_shows_its_size_if_it_is_known() -> None:
    assert repr(Attachment(iter([b"a"]), content_id="<a@b>")) == (
        "Attachment(<? octets>, filename=None, content_type='application/octet-stream', "
        "content_id='a@b')"
    )
    assert repr(Attachment(iter([b"a"]), size=1)).startswith("Attachment(<1 octets>")


def test_the_url_of_an_inline_part_is_percent_encoded() -> None:
    assert Attachment(b"", content_id="<a%b/c?d@e>").url == "cid:a%25b%2Fc%3Fd@e"
    with pytest.raises(InvalidInput, match="has no content_id"):
        _ = Attachment(b"").url


@pytest.mark.parametrize("content_id", ["", "<>", "a b", "<a@b@c>", "a@", "a\r\nb", "ä", "a" * 201])
def test_what_is_no_content_id_is_refused(content_id: str) -> None:
    with pytest.raises(InvalidInput, match="not a Content-ID"):
        Attachment(b"", content_id=content_id)


@pytest.mark.parametrize("content_id", [5, b"a"])
def test_a_content_id_is_a_text(content_id: Any) -> None:
    with pytest.raises(TypeError):
        Attachment(b"", content_id=content_id)


def test_a_message_that_cannot_be_looked_at_is_octets_or_refused() -> None:
    attachment = Attachment(AsyncRepeatable(), filename="a.eml")
    assert attachment.content_type == "application/octet-stream"
    with pytest.raises(InvalidInput, match="message/rfc822 is looked at before it is sent"):
        Attachment(AsyncRepeatable(), content_type="message/rfc822")
    assert Attachment(iter([b"a\n"]), filename="a.eml").content == b"a\n"


@pytest.mark.parametrize(
    ("content", "content_type", "why"),
    [
        (b"\0", "message/rfc822", "holds a NUL"),
        (b"a" * 999, "message/rfc822", "has lines of more than 998 octets"),
        (b"\xff", "message/partial", "is not ASCII"),
    ],
)
def test_a_message_that_is_no_text_in_lines_is_refused(
    content: bytes, content_type: str, why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        Attachment(content, content_type=content_type)


@pytest.mark.parametrize(
    ("content_type", "content", "needs"),
    [
        ("message/rfc822", b"a", False),
        ("message/rfc822", b"\xff", True),
        ("message/global", b"\xff", False),
        ("text/plain", b"\xff", False),
    ],
)
def test_messages_with_octets_above_127_need_eight_bits(
    content_type: str, content: bytes, needs: bool
) -> None:
    assert Attachment(content, content_type=content_type).needs_eight_bit is needs


@pytest.mark.parametrize(
    ("name", "filename"),
    [("/tmp/a.txt", "a.txt"), (5, None), ("", None), (None, None)],  # noqa: S108
)
def test_a_file_has_its_own_name(name: Any, filename: str | None) -> None:
    file = Pipe(b"a")
    file.name = name  # type: ignore[attr-defined]
    assert Attachment(file).filename == filename
    assert Attachment(file, filename="b").filename == "b"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (EmailMessage(), r"not EmailMessage: attach its octets, `\.as_bytes\(\)`"),
        (Message(from_="a@x.org"), r"not Message: attach its octets, `\.as_bytes\(\)`"),
        ({"a": 1}, "octets, not dict$"),
        (5, "octets, not int$"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_something_else_in_the_first_place_is_refused_at_once(
    content: Any, why: str
) -> None:
    with pytest.raises(TypeError, match=why):
        Attachment(content)


def test_what_has_no_size_is_opened_by_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InvalidInput, match="is no file with a size"):
        Attachment.from_path(path)
