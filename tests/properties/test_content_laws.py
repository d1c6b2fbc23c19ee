"""Laws of content: what is encoded, counted and found out of it, for any octets and any cuts."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from typing_extensions import override

from ehlo.content import LineEnds, Octets, Stream
from ehlo.dialogues import deliver
from ehlo.message.octets import TextCheck, has_utf8_header, why_not_text
from ehlo.message.streams import stream
from ehlo.testing import converse
from ehlo.wire import ContentEncoder, Framing, encode_whole, line_ends_of, wire_size
from support.rooms import room, to

TOKENS = [b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"\0", b"\x85", b"\xc3\xbc", b"x" * 500]
CONTENTS = st.lists(st.sampled_from(TOKENS), max_size=16).map(b"".join) | st.binary(max_size=60)
TEXTS = CONTENTS.filter(lambda octets: not why_not_text(octets))
FRAMINGS = st.sampled_from(Framing)


@st.composite
def cut(draw: st.DrawFn, contents: st.SearchStrategy[bytes] = CONTENTS) -> list[bytes]:
    """Some content, cut anywhere into any number of pieces."""
    content = draw(contents)
    at = sorted(draw(st.lists(st.integers(0, len(content)), max_size=6)))
    return [content[start:end] for start, end in pairwise([0, *at, len(content)])]


LARGE = b"Subject: large\r\n\r\n" + (b"y" * 78 + b"\r\n") * 1639
"""A little more than a file may have that is kept in memory."""


def encode(chunks: list[bytes], framing: Framing, line_ends: LineEnds = LineEnds.ANY) -> bytes:
    encoder = ContentEncoder(framing, line_ends)
    return b"".join(piece for chunk in chunks for piece in encoder.encode(chunk)) + encoder.finish()


def unstuffed(wire: bytes) -> bytes:
    """Read DATA as a server does (RFC 5321 section 4.5.2)."""
    *lines, dot, nothing = wire.split(b"\r\n")
    assert (dot, nothing) == (b".", b"")
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


@given(cut(), FRAMINGS)
def test_no_framing_depends_on_how_content_is_cut(chunks: list[bytes], framing: Framing) -> None:
    content = b"".join(chunks)
    whole = encode([content], framing)
    assert encode(chunks, framing) == whole
    assert encode_whole(content, framing) == whole


@given(CONTENTS)
def test_data_and_bdat_bring_the_same_octets(content: bytes) -> None:
    bdat = encode([content], Framing.BDAT)
    assert unstuffed(encode([content], Framing.DATA)) == bdat
    assert wire_size(content) == len(bdat)
    assert encode([content], Framing.BINARY) == content


@given(cut(), FRAMINGS)
def test_content_whose_lines_end_in_crlf_is_believed(chunks: list[bytes], framing: Framing) -> None:
    content = encode(chunks, Framing.BDAT)
    whole = encode([content], framing)
    assert encode([content], framing, LineEnds.CRLF) == whole
    assert encode_whole(content, framing, LineEnds.CRLF) == whole


@given(CONTENTS)
def test_line_ends_are_known_where_nothing_is_to_be_done_about_them(content: bytes) -> None:
    known = line_ends_of(content)
    assert (known is LineEnds.CRLF) is (encode([content], Framing.BDAT) == content)


@given(CONTENTS)
@example(b"\r")
@example(b"x" * 998)
def test_what_a_file_tells_is_what_its_octets_tell(content: bytes) -> None:
    for lead in (b"", LARGE):  # a small file is kept, and a large one is not
        scanned, _ = stream(io.BytesIO(lead + content))
        octets = lead + content
        if isinstance(scanned, Octets):
            assert not lead
            assert scanned.octets == octets
        else:
            assert lead
            assert scanned.octets == len(octets)
            assert scanned.size == wire_size(octets)
        assert scanned.is_eight_bit is not octets.isascii()
        assert scanned.has_utf8_header == has_utf8_header(octets)
        assert scanned.not_text == why_not_text(octets)
        assert scanned.is_binary == (b"\0" in octets)


class Cut(io.BytesIO):
    """A file that gives its octets in pieces of its own choice, as often as it is read."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__(b"".join(chunks))
        self._sizes = [len(chunk) for chunk in chunks if chunk]
        self._at = 0

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = 0
        return super().seek(offset, whence)

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        size = self._sizes[self._at] if self._at < len(self._sizes) else size
        self._at += 1
        return super().read(size)


@given(cut())
def test_nor_do_the_facts_of_a_file_depend_on_its_pieces(chunks: list[bytes]) -> None:
    assert stream(Cut(chunks)) == stream(io.BytesIO(b"".join(chunks)))
    chunks = [*chunks, LARGE]
    scanned, message_id = stream(Cut(chunks))
    whole, same_id = stream(io.BytesIO(b"".join(chunks)))
    assert message_id == same_id
    assert isinstance(scanned, Stream)
    for name in ("octets", "size", "is_eight_bit", "has_utf8_header", "not_text", "is_binary"):
        assert getattr(scanned, name) == getattr(whole, name), name
    pieces: Any = scanned.pieces()
    assert b"".join(pieces) == b"".join(chunks)


LINES = st.sampled_from([997, 998, 999, 1000]).map(lambda length: b"x" * length)


@given(cut(CONTENTS | st.lists(LINES | st.sampled_from(TOKENS), max_size=6).map(b"".join)))
@example([b"a\r", b"\n\0"])
@example([b"x" * 998, b"x"])
@example([b"x" * 998, b"\r", b"\n", b"y" * 999])
def test_what_is_no_text_is_found_piece_by_piece(chunks: list[bytes]) -> None:
    check = TextCheck()
    found = next(filter(None, map(check.feed, chunks)), "")
    whole = why_not_text(b"".join(chunks))
    # A NUL is the first thing looked for in a piece, a long line may be in an earlier one.
    assert bool(found) == bool(whole)
    if "NUL" in found or b"\0" not in b"".join(chunks):
        assert found == whole


# -- All of it, through a session ------------------------------------------------------------------

OFFERS = [(), ("CHUNKING",), ("CHUNKING", "BINARYMIME")]


@given(cut(TEXTS), st.sampled_from(OFFERS), st.sampled_from(["octets", "file", "pieces", "sized"]))
@example([b"a", b"\r", b"", b"\n", b""], OFFERS[1], "sized")
def test_a_server_gets_the_same_content_by_any_way(
    chunks: list[bytes], offered: tuple[str, ...], kind: str
) -> None:
    octets = b"".join(chunks)
    eight_bit = not octets.isascii()
    kinds: dict[str, Octets | Stream] = {
        "octets": Octets(octets, is_eight_bit=eight_bit),
        "file": stream(Cut(chunks))[0],
        "pieces": Stream(lambda: iter(chunks)),
        "sized": Stream(lambda: iter(chunks), wire_size(octets), len(octets)),
    }
    pair = room("PIPELINING", "8BITMIME", "SMTPUTF8", *offered)
    converse(deliver(pair[0], to(1, kinds[kind])), *pair)
    (message,) = pair[1].messages
    assert message.content == encode([octets], Framing.BDAT)
    assert pair[0].is_idle


@given(cut())
def test_a_server_with_binarymime_gets_any_octets(chunks: list[bytes]) -> None:
    octets = b"".join([*chunks, b"\0"])
    pair = room("8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME")
    large = [LARGE, octets]
    for content in (
        Octets(octets, not_text="it is", is_binary=True),
        stream(Cut([octets]))[0],
        stream(Cut(large))[0],
    ):
        converse(deliver(pair[0], to(1, content)), *pair)
    assert [message.content for message in pair[1].messages] == [octets, octets, LARGE + octets]
    assert {message.parameters["BODY"] for message in pair[1].messages} == {"BINARYMIME"}


@given(cut(TEXTS), st.sampled_from([b"", LARGE]))
def test_lines_that_are_long_are_lines_all_the_same(chunks: list[bytes], lead: bytes) -> None:
    """They take BINARYMIME, and their ends are CRLF, as those of all text."""
    octets = b"".join([lead, *chunks, b"\n", b"x" * 999])
    pair = room("8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME")
    converse(deliver(pair[0], to(1, stream(io.BytesIO(octets))[0])), *pair)
    (message,) = pair[1].messages
    assert message.content == encode([octets], Framing.BDAT)
    assert message.parameters["BODY"] == "BINARYMIME"
