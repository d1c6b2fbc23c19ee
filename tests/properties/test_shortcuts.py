"""Laws of what is done in one go for speed: it comes to the same as step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from ehlo import commands
from ehlo.address import Address
from ehlo.commands import Bdat, Command, Data, Mail, Noop, Rcpt, Rset
from ehlo.content import LineEnds
from ehlo.errors import InvalidInput, SMTPError
from ehlo.message.octets import message_id_of
from ehlo.protocol import NEED_DATA, Connection, ReplyReceived
from ehlo.wire import ContentEncoder, Framing, encode_whole, line_ends_of, wire_size
from support.stepping import ready, said

ADA, BOB = Address("ada@example.org"), Address("bob@example.com")
COMMANDS: list[Command] = [
    Mail(ADA),
    Mail(None, 1024),
    Mail(Address("ädä@example.org"), smtputf8=True),
    *[Rcpt(BOB)] * 3,
    *[Rset(), Data(), Bdat(0, last=True), Bdat(3, last=True), Bdat(3, last=False), Noop()],
]
KEYWORDS = [
    (),
    ("PIPELINING",),
    ("PIPELINING", "CHUNKING", "SMTPUTF8"),
    ("PIPELINING", "LIMITS RCPTMAX=9"),
    ("PIPELINING", "LIMITS RCPTDOMAINMAX=9"),
]
REPLIES = [b"250 ok", b"251 ok", b"354 go", b"421 bye", b"452 no", b"550-a\r\n550 b", b"rubbish"]

groups = st.lists(st.lists(st.sampled_from(COMMANDS), max_size=10), max_size=4)
answers = st.lists(st.lists(st.sampled_from([*REPLIES, *[b"250 ok"] * 9]), max_size=8), max_size=4)


def facts(connection: Connection) -> dict[str, object]:
    names = [name for name in dir(Connection) if isinstance(getattr(Connection, name), property)]
    plain = ("queued_octets", "transactions", "recipient_domains", "ending", "closing_reply")
    return {name: getattr(connection, name) for name in (*names, *plain)}


def one_by_one(connection: Connection, group: list[Command], most: int) -> int:
    """What `send_some` promises, said with `send` alone."""
    for number, command in enumerate(group):
        full = connection.awaited is not None and connection.in_flight_octets >= most
        if full or not connection.may_send(command):
            return number
        connection.send(command)
    return len(group)


def step_by_step(connection: Connection, most: int) -> list[object]:
    """What `next_replies` promises, said with `next_event` alone."""
    told: list[object] = []
    while len(told) < most and connection.in_flight:
        try:
            event = connection.next_event()
        except SMTPError as exc:
            return [*told, str(exc)]
        if not isinstance(event, ReplyReceived):
            return told if event is NEED_DATA else [*told, event]
        told.append(event.reply)
    return told


def by_the_group(connection: Connection, most: int) -> list[object]:
    told: list[object] = []
    try:
        while len(told) < most and (replies := connection.next_replies(most - len(told))):
            told += replies
        if len(told) < most and connection.in_flight:
            told += step_by_step(connection, most - len(told))
    except SMTPError as exc:
        told.append(str(exc))
    return told


@given(st.sampled_from(KEYWORDS), groups, answers, st.sampled_from([0, 40, 65_536]))
def test_groups_are_commands_one_by_one(
    keywords: tuple[str, ...], sent: list[list[Command]], heard: list[list[bytes]], most: int
) -> None:
    fast, slow = ready(*keywords), ready(*keywords)
    for group, replies in zip(sent, heard, strict=False):
        results: list[object] = []
        for connection, send in ((fast, Connection.send_some), (slow, one_by_one)):
            try:
                results.append(send(connection, group, most))
            except SMTPError as exc:
                results.append(str(exc))
        assert results[0] == results[1]
        assert said(fast) == said(slow)
        assert facts(fast) == facts(slow)
        for connection in (fast, slow):
            connection.receive_data(b"".join(reply + b"\r\n" for reply in replies))
        assert by_the_group(fast, 8) == step_by_step(slow, 8)
        assert facts(fast) == facts(slow)


@given(st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=9))
def test_lines_together_are_lines_one_by_one(group: list[Command]) -> None:
    wired = Command.wire_together(group)
    lines = [command.wire() for command in group]
    assert wired is None or wired == (b"".join(lines), [len(line) - 2 for line in lines])
    assert (wired is None) is any(not line.isascii() for line in lines)


class Odd(Command):
    """A command without any checks of its own."""

    verb = commands.Verb.OTHER

    def __init__(self, line: str) -> None:
        self.line = line

    @override
    def _line(self) -> str:
        return self.line


@given(st.text(max_size=20) | st.sampled_from(["a\r\nb", "\n", "x" * 2046, "x" * 2047, "\x7f"]))
def test_no_line_together_that_is_none_by_itself(line: str) -> None:
    wired = Command.wire_together([Rset(), Odd(line)])
    if wired is None:
        assert not (line.isascii() and line.isprintable() and len(line) <= 2046)
    else:
        assert wired[0] == b"RSET\r\n" + Odd(line).wire()


@pytest.mark.parametrize("line", ["a\r\nQUIT", "x" * 2047])
def test_what_is_no_line_is_refused_in_a_group_too(line: str) -> None:
    connection = ready("PIPELINING")
    with pytest.raises(InvalidInput):
        connection.send_some([Odd(line)], 65_536)
    assert said(connection) == b""


contents = st.lists(
    st.sampled_from([b"a", b".", b"\r\n", b"\n", b"\r", b"\r\n.", b"\xff", b"x" * 80]), max_size=30
).map(b"".join)


@given(contents, st.sampled_from(Framing))
def test_content_whole_is_content_in_pieces(content: bytes, framing: Framing) -> None:
    encoder = ContentEncoder(framing)
    pieces = b"".join(encoder.encode(content)) + encoder.finish()
    assert encode_whole(content, framing) == pieces
    known = line_ends_of(content)
    assert encode_whole(content, framing, known) == pieces
    if known is LineEnds.CRLF:
        assert len(encode_whole(content, Framing.BDAT)) == wire_size(content) == len(content)


fields = st.lists(
    st.sampled_from(
        [
            *(b"From: a@b.c", b"Message-ID: <1@b.c>", b"message-id:<2@b.c>", b"Message-ID: x"),
            *(
                b" folded",
                b"",
                b"no field",
                b"Message-ID:",
                b"X-Message-ID: <3@b.c>",
                b":",
                b"a\rb",
            ),
            *(b"Message-IDs: <4@b.c>", b"Message-ID: <5@b.c> x", b"MESSAGE-ID: <6@b.c>"),
        ]
    ),
    max_size=6,
)


@given(fields)
def test_a_message_id_is_found_whatever_the_line_ends(lines: list[bytes]) -> None:
    """With bare line feeds no shortcut is taken."""
    if any(b"\r" in line for line in lines):
        lines = [line.replace(b"\r", b"") for line in lines]
    usual = b"".join(line + b"\r\n" for line in lines)
    assert message_id_of(usual) == message_id_of(usual.replace(b"\r\n", b"\n"))
