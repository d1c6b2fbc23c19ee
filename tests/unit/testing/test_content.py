"""The end marks of content, in any chunking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ehlo.testing._content import ContentReader, ContentStore, EndMarks, Keep

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b".", b"x", b"\r\n", b"\r\n."]), max_size=30).map(
    b"".join
)


def read(pieces: list[bytes], marks: EndMarks) -> tuple[bytes, bytes | None]:
    """Return the content, and what came behind its end in the piece where that was."""
    store = ContentStore(None, Keep.CONTENT)
    reader = ContentReader(store, marks)
    while pieces:
        rest = reader.feed(pieces.pop(0))
        if rest is not None:
            return store.content().octets, rest + b"".join(pieces)
    return store.content().octets, None


@given(OCTETS, st.lists(st.integers(0, 60), max_size=6).map(sorted), st.sampled_from(EndMarks))
def test_content_is_the_same_in_any_pieces(octets: bytes, cuts: list[int], marks: EndMarks) -> None:
    octets += b"\r\n.\r\nREST"
    edges = zip([0, *cuts], [*cuts, len(octets)], strict=True)
    pieces = [octets[start:end] for start, end in edges]
    whole = read([octets], marks)
    assert read(pieces, marks) == whole
    assert read([octets[i : i + 1] for i in range(len(octets))], marks) == whole


@given(OCTETS, st.sampled_from(EndMarks))
def test_content_ends_at_its_first_mark(octets: bytes, marks: EndMarks) -> None:
    octets += b"\r\n.\r\nREST"
    end, dot = marks.value
    mark = end.search(b"\r\n" + octets)
    assert mark is not None
    content = dot.sub(rb"\1", (b"\r\n" + octets)[: mark.end(1)]).removeprefix(b"\r\n")
    assert read([octets], marks) == (content, (b"\r\n" + octets)[mark.end() :])
