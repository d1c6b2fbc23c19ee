from __future__ import annotations

import re
from array import array

import pytest

from ehlo.line_ends import PIECE
from ehlo.wire import ContentEncoder
from support.cuts import cuttings


def encoded(*chunks: bytes) -> bytes:
    encoder = ContentEncoder()
    pieces = [piece for chunk in chunks for piece in encoder.encode(chunk)]
    assert all(pieces)
    return b"".join(pieces) + encoder.finish()


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b"a\r\n\r\n", b"a\r\n\r\n.\r\n"),
        # Every line end becomes CRLF.
        (b"a\nb", b"a\r\nb\r\n.\r\n"),
        (b"a\rb", b"a\r\nb\r\n.\r\n"),
        (b"a\n", b"a\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"\r", b"\r\n.\r\n"),
        (b"\n", b"\r\n.\r\n"),
        (b"\n\r", b"\r\n\r\n.\r\n"),
        (b"\r\r", b"\r\n\r\n.\r\n"),
        (b"\r\r\n", b"\r\n\r\n.\r\n"),
        (b"\n\n", b"\r\n\r\n.\r\n"),
        (b"a\r\nb\nc\rd\r\r\n\ne", b"a\r\nb\r\nc\r\nd\r\n\r\n\r\ne\r\n.\r\n"),
        # Every dot at the start of a line is doubled.
        (b".", b"..\r\n.\r\n"),
        (b"..", b"...\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".a\r\n.b\n.c\r.d", b"..a\r\n..b\r\n..c\r\n..d\r\n.\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n.\r\n"),
        (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
        (b"\n.\n.\n.", b"\r\n..\r\n..\r\n..\r\n.\r\n"),
        # These end no line.
        (b"a\x1a\x0b.\x0c.\x85.\x1c.\x00.", b"a\x1a\x0b.\x0c.\x85.\x1c.\x00.\r\n.\r\n"),
        ("a\u0085.\u2028.b".encode(), "a\u0085.\u2028.b\r\n.\r\n".encode()),
        (bytes(range(14, 256)), bytes(range(14, 256)) + b"\r\n.\r\n"),
    ],
)
def test_content_is_encoded_the_same_however_it_is_cut(
    content: bytes, wire: bytes
) -> None:  # D1 D2 D4
    for chunks in cuttings(content):
        assert encoded(*chunks) == wire, chunks


LINE_ENDS = {"CRLF": b"\r\n", "CR": b"\r", "LF": b"\n"}
END_MARKS = {
    **{
        f"{before}.{behind}": LINE_ENDS[before] + b"." + LINE_ENDS[behind]
        for before in LINE_ENDS
        for behind in LINE_ENDS
    },
    "CR CRLF.CRLF": b"\r\r\n.\r\n",
    "CRLF.CR CRLF": b"\r\n.\r\r\n",
    "CR CRLF.CR CRLF": b"\r\r\n.\r\r\n",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
}


@pytest.mark.parametrize("mark", END_MARKS.values(), ids=END_MARKS)
def test_no_variant_of_the_end_mark_ends_the_content_early(mark: bytes) -> None:  # D2
    assert len(END_MARKS) == 14
    for chunks in cuttings(b"a" + mark + b"MAIL FROM:<evil@example.org>\r\n"):
        wire = encoded(*chunks)
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire), chunks
        assert wire.count(b"\r\n.\r\n") == 1
        # Nor does it for receivers that take other octets for line ends, or drop NULs.
        for seen in (wire, wire.replace(b"\r", b""), wire.replace(b"\0", b"")):
            lines = re.split(rb"\r\n|\r|\n", seen)
            if b"\0" not in mark:
                assert lines.index(b".") == len(lines) - 2, chunks
        assert wire.endswith(b"\r\n.\r\n")


# Longer than a piece: whatever straddles the seam is encoded as anywhere else.
@pytest.mark.parametrize("offset", range(-4, 3))
@pytest.mark.parametrize(
    ("middle", "coded"),
    [
        (b"\r\n.\r\n", b"\r\n..\r\n"),
        (b"\n.\n", b"\r\n..\r\n"),
        (b"\r.\r", b"\r\n..\r\n"),
        (b"\r\r\n", b"\r\n\r\n"),
        (b"a.b", b"a.b"),
    ],
)
def test_the_seam_between_pieces_is_not_seen(
    middle: bytes, coded: bytes, offset: int
) -> None:  # D1
    before, behind = b"x" * (PIECE + offset), b"y" * 10
    assert encoded(before + middle + behind) == before + coded + behind + b"\r\n.\r\n"


@pytest.mark.parametrize(
    ("line", "coded"),
    [(b"x" * 62 + b"\r\n", b"x" * 62 + b"\r\n"), (b".\n", b"..\r\n"), (b"a\r", b"a\r\n")],
)
@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_much_content_is_encoded_in_pieces(line: bytes, coded: bytes, size: int) -> None:  # D1 C5
    lines = size // len(line) + 1
    pieces = list(ContentEncoder().encode(line * lines))
    assert len(pieces) == -(-lines * len(line) // PIECE)
    assert max(map(len, pieces)) <= 2 * (PIECE + 1)
    assert encoded(line * lines) == coded * lines + b".\r\n"


@pytest.mark.parametrize("chunk", [bytearray(b"a\n.b"), memoryview(b"xa\n.bx")[1:-1]])
def test_content_comes_in_any_buffer(chunk: bytes) -> None:
    assert encoded(chunk) == b"a\r\n..b\r\n.\r\n"


def test_a_buffer_of_wider_items_is_its_octets() -> None:
    chunk = memoryview(array("H", [0x0A61, 0x2E0A] * PIECE))
    assert encoded(chunk) == encoded(chunk.tobytes())  # type: ignore[arg-type]


def test_the_buffer_passed_is_not_held_on_to() -> None:
    encoder, chunk = ContentEncoder(), bytearray(b"a\r")
    assert list(encoder.encode(chunk)) == [b"a"]
    chunk.clear()  # impossible while exported
    assert list(encoder.encode(b"\n.")) == [b"\r\n.."]


def test_an_empty_chunk_changes_nothing() -> None:
    assert encoded(b"", b"a\r", b"", b"\n", b"", b".", b"") == b"a\r\n..\r\n.\r\n"
