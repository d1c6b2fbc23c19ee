from __future__ import annotations

import pytest

from ehlo import Reply
from ehlo.wire import BadReply, ReplyLimits, ReplyParser
from support.cuts import cuttings, per_octet
from support.replies import Parsed, parse

REPLIES: list[tuple[bytes, list[Reply]]] = [
    (b"", []),
    (b"220 mx.example.com ready\r\n", [Reply.of(220, "mx.example.com ready")]),
    (b"250 \r\n", [Reply.of(250)]),
    (b"250-a\r\n250-b\r\n250 c\r\n", [Reply.of(250, "a", "b", "c")]),
    (b"250-a\r\n250-\r\n250 c\r\n", [Reply.of(250, "a", "", "c")]),
    (b"250  a \r\n", [Reply.of(250, " a ")]),
    (b"250 -a\r\n", [Reply.of(250, "-a")]),
    (b"250--a\r\n250 \r\n", [Reply.of(250, "-a", "")]),
    (b"200 a\r\n571 b\r\n599 c\r\n", [Reply.of(200, "a"), Reply.of(571, "b"), Reply.of(599, "c")]),
    (b"250 a\r\n250 a\r\n250 a\r\n", [Reply.of(250, "a")] * 3),
    (b"250-250 a\r\n250 250-b\r\n", [Reply.of(250, "250 a", "250-b")]),
    # A line that was a reply before is another thing inside a reply.
    (b"250 a\r\n250-b\r\n250 a\r\n", [Reply.of(250, "a"), Reply.of(250, "b", "a")]),
]
WITHOUT_TEXT: list[tuple[bytes, list[Reply]]] = [
    (b"250\r\n", [Reply.of(250)]),
    (b"250-a\r\n250\r\n", [Reply.of(250, "a", "")]),
    (b"250-\r\n250\r\n421\r\n", [Reply.of(250, "", ""), Reply.of(421)]),
]


@pytest.mark.parametrize(
    ("octets", "replies"),
    [*REPLIES, *WITHOUT_TEXT],
)
def test_replies_are_the_same_however_they_are_cut(  # R2 R4 R5
    octets: bytes, replies: list[Reply]
) -> None:
    for pieces in cuttings(octets):
        assert parse(pieces) == Parsed(replies, residue=False, bad=False), pieces


@pytest.mark.parametrize(("octets", "replies"), WITHOUT_TEXT)
def test_a_code_alone_is_a_reply(octets: bytes, replies: list[Reply]) -> None:  # R5
    assert parse([octets]) == Parsed(replies, residue=False, bad=False)


@pytest.mark.parametrize(("octets", "replies"), [*REPLIES, *WITHOUT_TEXT])
def test_a_bare_lf_ends_a_line(octets: bytes, replies: list[Reply]) -> None:  # R6
    for pieces in cuttings(octets.replace(b"\r\n", b"\n")):
        assert parse(pieces) == Parsed(replies, residue=False, bad=False), pieces


@pytest.mark.parametrize(
    "text",
    [
        b"a\rb",
        b"a\r",
        b"\r",
        b"\r\r",
        b"a\x0bb\x0cc\x1cd\x1de\x1ef",
        "a\u0085b\u2028c\u2029d".encode(),
        b"a\x85b",
        b"a\x00b\x1b[2J\x7f",
        "gr\u00fcn".encode(),
        "gr\u00fcn".encode("latin-1"),
        b"\xed\xa0\x80\xff\xfe\xc0\x80",
        bytes(octet for octet in range(256) if octet != 0x0A),
    ],
)
def test_any_octet_but_lf_is_text(text: bytes) -> None:  # R6 R7
    octets = b"250-" + text + b"\r\n250 " + text + b"\r\n"
    for pieces in cuttings(octets):
        assert parse(pieces) == Parsed([Reply(250, (text, text))], residue=False, bad=False), pieces


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"2",
        b"25",
        b"x",
        b"abc",
        b"hello there",
        b"2_5 a",
        b"+25 a",
        b"-25 a",
        b" 25 a",
        b"25  a",
        b"25- a",
        b"2 50 a",
        b"2500 a",
        b"250\ta",
        b"250:a",
        b"250a",
        b"250\x00",
        b"250\ra",
        b"250\r\ra",
        b"0x2 a",
        b"000 a",
        b"150 a",
        b"199 a",
        b"600 a",
        b"999 a",
        b"\xb2\xb3\xb9 a",
        "\uff12\uff15\uff10 a".encode(),
        "\u0662\u0665\u0660 a".encode(),
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 400 Bad Request",
    ],
)
def test_a_line_that_does_not_begin_with_a_code_is_garbage(line: bytes) -> None:  # R4
    for pieces in cuttings(line + b"\r\n"):
        assert parse(pieces) == Parsed([], residue=True, bad=True), pieces


@pytest.mark.parametrize(
    "octets",
    [
        b"250-a\r\n251 b\r\n",
        b"250-a\r\n550 b\r\n",
        b"250-a\r\n250-b\r\n251-c\r\n250 d\r\n",
        b"550-a\r\n250 b\r\n",
        b"421-a\r\n221 b\r\n",
        b"250-a\r\n\r\n250 b\r\n",
        b"250-a\r\nb\r\n250 c\r\n",
        b"250-a\r\n 250 c\r\n",
    ],
)
def test_lines_that_disagree_are_garbage(octets: bytes) -> None:  # R3
    for pieces in cuttings(octets):
        assert parse(pieces) == Parsed([], residue=True, bad=True), pieces


def test_a_known_reply_inside_another_is_checked_too() -> None:  # R3
    assert parse([b"550 no\r\n250-a\r\n550 no\r\n"]) == Parsed(
        [Reply.of(550, "no")], residue=True, bad=True
    )


def test_replies_before_the_garbage_are_replies() -> None:
    for pieces in cuttings(b"250 a\r\n354 b\r\ngarbage\r\n"):
        parsed = parse(pieces)
        assert parsed == Parsed([Reply.of(250, "a"), Reply.of(354, "b")], residue=True, bad=True)


@pytest.mark.parametrize(
    "octets", [b"garb", b"2500", b"250\t", b"250-a\r\n550-", b"\x16\x03\x01\x02"]
)
def test_garbage_is_seen_before_its_line_ends(octets: bytes) -> None:
    for pieces in cuttings(octets):
        assert parse(pieces).bad, pieces


@pytest.mark.parametrize(
    "octets", [b"2", b"25", b"250", b"250 ", b"250 a", b"250 a\r", b"250-a\r\n", b"250-a\r\n250"]
)
def test_a_reply_is_complete_only_at_the_end_of_its_last_line(octets: bytes) -> None:  # R1
    for pieces in cuttings(octets):
        assert parse(pieces) == Parsed([], residue=True, bad=False), pieces


def test_what_was_not_taken_out_is_residue_too() -> None:  # R11
    parser = ReplyParser()
    residue = [parser.has_residue]
    parser.feed(b"250 a\r\n250 b\r\n")
    residue.append(parser.has_residue)
    for text in ("a", "b"):
        assert parser.next_reply() == Reply.of(250, text)
        residue.append(parser.has_residue)
    assert residue == [False, True, True, False]
    assert parser.next_reply() is None


@pytest.mark.parametrize("octets", [b"250-a\r\n", b"250-a\r\n25", b"250 a", b"250 a\r\n"])
def test_what_is_cleared_is_forgotten(octets: bytes) -> None:  # L1
    parser = ReplyParser()
    parser.feed(octets[:-1])
    assert parser.next_reply() is None
    parser.feed(octets[-1:])
    parser.clear()
    assert not parser.has_residue
    parser.feed(b"550 b\r\n")
    assert parser.next_reply() == Reply.of(550, "b")
    assert not parser.has_residue


def test_what_is_cleared_does_not_count() -> None:
    parser = ReplyParser(ReplyLimits(total=10))
    parser.feed(b"250-abcd\r\n")
    assert parser.next_reply() is None
    parser.clear()
    parser.feed(b"250 abcd\r\n")
    assert parser.next_reply() == Reply.of(250, "abcd")


@pytest.mark.parametrize("data", [b"250 a\r\n", bytearray(b"250 a\r\n"), memoryview(b"250 a\r\n")])
def test_octets_come_in_any_buffer(data: bytes) -> None:
    parser = ReplyParser()
    parser.feed(data)
    assert parser.next_reply() == Reply.of(250, "a")


def test_the_buffer_passed_is_not_held_on_to() -> None:
    parser, data = ReplyParser(), bytearray(b"250 a\r\n")
    parser.feed(data)
    data[:] = b"550 b\r\n"
    data.clear()
    assert parser.next_reply() == Reply.of(250, "a")


SMALL = ReplyLimits(line=10, lines=3, total=20)


@pytest.mark.parametrize(
    ("octets", "bad"),
    [
        (b"250 123456\n", False),
        (b"250 1234567\n", True),
        (b"250 1234567", True),
        (b"250-123456\n250 123456\n", False),
        (b"250-123456\n250-123456\n250 \n", True),
        (b"250-\n250-\n250 \n", False),
        (b"250-\n250-\n250-\n250 \n", True),
        (b"250-123456\n250 1234567\n", True),
        (b"250 123456\n" * 5, False),
        (b"250-\n250 \n" * 5, False),
    ],
)
def test_a_reply_has_limits(octets: bytes, bad: bool) -> None:  # R8
    for pieces in cuttings(octets):
        assert parse(pieces, SMALL).bad is bad, pieces


def test_a_line_end_does_not_count() -> None:  # R2 R8
    for pieces in cuttings(b"250 123456\r\n"):
        assert parse(pieces, SMALL) == Parsed([Reply.of(250, "123456")], residue=False, bad=False)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(250, (b"x" * 1996,)),
        Reply(250, (b"x" * 200,) * 100),
        Reply(250, (b"",) * 1024),
        Reply(250, (b"x" * (32768 - 4),)),
    ],
)
def test_long_replies_are_replies(reply: Reply) -> None:  # R8
    assert parse([reply.wire()]).replies == [reply]


@pytest.mark.parametrize(
    "octets",
    [
        b"250 " + b"x" * 65536,
        b"250-" + b"x" * 65536 + b"\r\n",
        b"250-" * 16384,
        b"250-\r\n" * 1025,
        (b"250-" + b"x" * 1020 + b"\r\n") * 1024,
    ],
)
def test_endless_replies_are_refused(octets: bytes) -> None:  # R8
    assert parse([octets]).bad
    assert parse(octets[at : at + 1000] for at in range(0, len(octets), 1000)).bad


@pytest.mark.timeout(5)
def test_a_long_line_octet_by_octet_takes_linear_time() -> None:  # R8
    reply = Reply(250, (b"x" * 32000,))
    assert parse(per_octet(reply.wire())).replies == [reply]


def test_more_different_replies_than_are_remembered() -> None:
    replies = [Reply.of(250, str(number)) for number in range(300)]
    octets = b"".join(reply.wire() for reply in replies)
    assert parse([octets * 2]).replies == replies * 2


def test_an_error_says_what_is_wrong_and_holds_the_beginning_of_the_line() -> None:
    parser = ReplyParser()
    parser.feed(b"250-a\r\n550 b\r\n")
    with pytest.raises(BadReply, match="different codes in one reply, 250 first") as caught:
        parser.next_reply()
    assert caught.value.octets == b"550 b"
    assert caught.value.why.startswith("different codes")


@pytest.mark.parametrize(
    ("octets", "why", "held"),
    [
        (b"garbage\n", "does not begin with a reply code", b"garbage"),
        (b"garbage" * 20, "does not begin with a reply code", (b"garbage" * 20)[:80]),
        (b"250:\n", "followed by neither blank nor hyphen", b"250:"),
        (b"250 " + b"x" * 40000, "a line of more than 32768 octets", b"250 " + b"x" * 76),
        (b"250-\n" * 1025, "a reply of more than 1024 lines", b"250-"),
        ((b"250-" + b"x" * 996 + b"\n") * 263, "a reply of more than 262144 octets", None),
    ],
)
def test_each_error_says_what_is_wrong(octets: bytes, why: str, held: bytes | None) -> None:
    parser = ReplyParser()
    parser.feed(octets)
    with pytest.raises(BadReply, match=why) as caught:
        parser.next_reply()
    assert held is None or caught.value.octets == held


def test_nobody_needs_to_pass_the_octets() -> None:
    assert BadReply("why").octets == b""


@pytest.mark.parametrize("size", [100, 2300])
def test_replies_that_nobody_looks_at_are_bounded(size: int) -> None:
    """A server may flood a session that is idle: memory is not what it should run out of."""
    parser = ReplyParser()
    flood = b"250 flood\r\n" * size
    for _ in range(40_000 // size):
        parser.feed(flood)
    *replies, last = parser.ready
    assert 16_384 < len(replies) <= 16_384 + size
    assert isinstance(last, BadReply)
    assert "more replies than anybody can have asked for" in last.why
    parser.feed(b"250 flood\r\n")
    assert parser.ready[-1] is last


def test_replies_that_are_looked_at_are_not_counted() -> None:
    parser = ReplyParser()
    for _ in range(20_000):
        parser.feed(b"250 ok\r\n")
        assert parser.ready.pop(0) == Reply.of(250, "ok")
