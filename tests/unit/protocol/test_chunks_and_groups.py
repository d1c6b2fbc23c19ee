"""What the Connection does for chunks, for whole groups, and for those who count octets."""

from __future__ import annotations

import itertools

import pytest

from ehlo.address import Address
from ehlo.commands import (
    Auth,
    Bdat,
    Command,
    Data,
    EndOfContent,
    Mail,
    Noop,
    Quit,
    Rcpt,
    Rset,
    Xclient,
)
from ehlo.content import LineEnds
from ehlo.errors import InvalidInput, LocalProtocolError, RemoteProtocolError
from ehlo.policies import Protocol
from ehlo.protocol import NEED_DATA, Connection, ReplyReceived, State
from ehlo.reply import Reply
from ehlo.secret import Secret
from ehlo.transcript import Transcript
from ehlo.wire import Framing, encode_whole
from support.stepping import hear, ready, said

MAIL, RSET, DATA = Mail(Address("ada@example.org")), Rset(), Data()
BOB, EVE = Rcpt(Address("bob@example.com")), Rcpt(Address("eve@example.com"))
UTF8 = Rcpt(Address("grün@example.com"))
LAST, CHUNK = Bdat(4, last=True), Bdat(4, last=False)
MANY = 65_536


def in_rcpt(*keywords: str, protocol: Protocol = Protocol.SMTP) -> Connection:
    connection = ready(*keywords, protocol=protocol)
    for command in (MAIL, BOB):
        connection.send(command)
        said(connection)
        hear(connection, b"250 ok\r\n")
    return connection


# -- Chunks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [-1, 1.5, True, "4", None])
def test_the_size_of_a_chunk_is_a_number_of_octets(size: object) -> None:
    with pytest.raises(InvalidInput, match="whole number of octets"):
        Bdat(size, last=True)  # type: ignore[arg-type]


def test_the_octets_of_a_chunk_go_as_they_are() -> None:  # E6
    connection = in_rcpt("CHUNKING")
    connection.send(Bdat(6, last=True))
    assert connection.owed_octets == 6
    assert not connection.is_settled
    for octets in (b".\n", bytearray(b".\r"), memoryview(b"\n\0")):
        connection.send_content(octets)
    assert connection.owed_octets == 0
    assert said(connection) == b"BDAT 6 LAST\r\n.\n.\r\n\0"
    hear(connection, b"250 queued\r\n")
    assert connection.is_idle


def test_not_one_octet_more_than_announced() -> None:  # E6
    connection = in_rcpt("CHUNKING")
    connection.send(CHUNK)
    with pytest.raises(LocalProtocolError, match="BDAT announced 4 octets more, not 5"):
        connection.send_content(b"12345")
    connection.send_content(b"1234")
    with pytest.raises(LocalProtocolError, match="no content can be sent now"):
        connection.send_content(b"5")
    assert said(connection) == b"BDAT 4\r\n1234"


def test_no_command_before_the_octets_of_a_chunk() -> None:
    connection = in_rcpt("CHUNKING", "PIPELINING")
    connection.send(CHUNK)
    connection.send_content(b"12")
    for command in (LAST, RSET):
        assert not connection.may_send(command)
        with pytest.raises(LocalProtocolError, match="2 octets of content are due behind BDAT"):
            connection.send(command)
    assert not connection.send_group([RSET, MAIL, BOB], MANY)
    connection.send_content(b"34")
    connection.send(LAST)
    assert connection.in_flight == (CHUNK, LAST)


@pytest.mark.parametrize("code", [250, 450, 552])
def test_a_reply_to_a_chunk_whose_octets_are_due_ends_the_session(code: int) -> None:
    """Nobody wants the rest any more, and where the next command would begin nobody knows."""
    connection = in_rcpt("CHUNKING")
    connection.send(LAST)
    connection.send_content(b"12")
    said(connection)
    connection.receive_data(b"%d no\r\n" % code)
    assert isinstance(connection.next_event(), ReplyReceived)
    assert connection.state is State.CLOSING
    assert "refused the content before its end" in connection.ending
    assert connection.is_over


@pytest.mark.parametrize(
    "replies", [b"250 a\r\n552 b\r\n", b"552 a\r\n503 b\r\n", b"552 a\r\n250 b\r\n"]
)
def test_a_chunk_that_fails_leaves_rset_alone(replies: bytes) -> None:
    """E6; RFC 3030 section 2."""
    connection = in_rcpt("CHUNKING", "PIPELINING")
    for command in (CHUNK, LAST):
        connection.send(command)
        connection.send_content(b"1234")
    said(connection)
    hear(connection, replies)
    assert connection.state is State.FAILED
    assert not connection.may_send(MAIL)
    assert connection.may_send(Quit())
    connection.send(RSET)
    said(connection)
    hear(connection, b"250 ok\r\n")
    assert connection.is_idle


# -- LMTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["DATA", "BDAT"])
def test_each_recipient_of_lmtp_has_a_final_reply(by: str) -> None:
    """RFC 2033 section 4.2."""
    connection = in_rcpt("CHUNKING", protocol=Protocol.LMTP)
    for reply in (b"250 ok\r\n", b"550 no\r\n"):
        connection.send(EVE)
        said(connection)
        hear(connection, reply)
    final: Command = Bdat(0, last=True)
    if by == "DATA":
        connection.send(DATA)
        hear(connection, b"354 go\r\n")
        connection.end_content()
        final = EndOfContent()
    else:
        connection.send(final)
    said(connection)
    connection.receive_data(b"250 one\r\n452 two\r\n")
    assert connection.next_event() == ReplyReceived(final, Reply.of(250, "one"))
    assert connection.awaited == final
    assert connection.next_event() == ReplyReceived(final, Reply.of(452, "two"))
    assert not connection.in_flight
    assert connection.next_event() is NEED_DATA


@pytest.mark.parametrize("by", ["DATA", "BDAT"])
def test_421_to_one_recipient_of_lmtp(by: str) -> None:
    """The replies that follow are to the others, and not to what came behind the content."""
    connection = in_rcpt("PIPELINING", "CHUNKING", protocol=Protocol.LMTP)
    connection.send(EVE)
    hear(connection, b"250 ok\r\n")
    if by == "DATA":
        connection.send(DATA)
        hear(connection, b"354 go\r\n")
        connection.end_content()
    else:
        connection.send(Bdat(0, last=True))
    connection.send(MAIL)
    connection.receive_data(b"421 bye\r\n250 eve has it\r\n250 sender ok\r\n")
    told = [connection.next_event() for _ in range(3)]
    assert [event.reply.code for event in told if isinstance(event, ReplyReceived)] == [
        *(421, 250, 250)
    ]
    first, second, third = (
        event.command.verb for event in told if isinstance(event, ReplyReceived)
    )
    assert first is second is not third
    assert connection.is_over
    assert not connection.in_flight


# -- XCLIENT ---------------------------------------------------------------------------------------


def test_xclient_forgets_who_was_authenticated() -> None:
    """The session is that of another client now (Postfix begins it anew)."""
    connection = ready("XCLIENT ADDR", "AUTH PLAIN")
    connection.authenticated = True
    connection.send(Xclient({"ADDR": "192.0.2.1"}))
    said(connection)
    hear(connection, b"220 again\r\n")
    assert not connection.authenticated


def test_xclient_greets_anew() -> None:
    connection = ready("XCLIENT NAME", "SIZE 1000")
    connection.send(Xclient({"NAME": "mx.example.org"}))
    said(connection)
    hear(connection, b"220 mx.example.com ESMTP\r\n")
    assert connection.state is State.GREETED
    assert not connection.capabilities.keywords
    assert not connection.esmtp


# -- Groups ----------------------------------------------------------------------------------------

PARTS: list[Command] = [
    RSET,
    MAIL,
    BOB,
    UTF8,
    DATA,
    LAST,
    CHUNK,
    Noop(),
    Auth("PLAIN", Secret("=")),
]
STARTS = ["ready", "behind the dot", "behind NOOP", "in RCPT"]


def begun(how: str, *keywords: str) -> Connection:
    if how == "in RCPT":
        return in_rcpt(*keywords)
    connection = ready(*keywords)
    if how == "behind NOOP":
        connection.send(Noop())
    elif how == "behind the dot":
        connection = in_rcpt(*keywords)
        connection.send(DATA)
        said(connection)
        hear(connection, b"354 go\r\n")
        connection.end_content()
    return connection


def state_of(connection: Connection) -> tuple[object, ...]:
    return (
        connection.in_flight,
        connection.in_flight_octets,
        connection.projected_state,
        connection.owed_octets,
        connection.queued_octets,
        connection.transactions,
        connection.recipient_domains,
        said(connection),
    )


COUNTING = "LIMITS RCPTDOMAINMAX=9"


@pytest.mark.parametrize(
    "keywords",
    [
        ("PIPELINING",),
        (),
        ("PIPELINING", "SMTPUTF8", "LIMITS RCPTMAX=9"),
        ("PIPELINING", "SMTPUTF8", COUNTING),
    ],
)
@pytest.mark.parametrize("how", STARTS)
def test_a_group_is_what_its_commands_are_one_by_one(how: str, keywords: tuple[str, ...]) -> None:
    """Groups of up to four commands: sent together, or not at all."""
    together = 0
    groups = itertools.chain(
        itertools.product(PARTS, repeat=1),
        itertools.product(PARTS, repeat=2),
        itertools.product([RSET, MAIL, BOB, LAST], repeat=3),
    )
    for group in itertools.chain(groups, [(RSET, MAIL, BOB, LAST), (MAIL, BOB, EVE, DATA)]):
        whole, single = begun(how, *keywords), begun(how, *keywords)
        before = state_of(whole)
        whole_octets = before[-1]
        if whole.send_group(group, MANY):
            together += 1
            for command in group:
                single.send(command)
            assert state_of(whole)[:-1] == state_of(single)[:-1], group
        else:
            assert state_of(whole)[:-1] == before[:-1], group
        assert isinstance(whole_octets, bytes)
    assert bool(together) is (
        "PIPELINING" in keywords and how != "behind NOOP" and COUNTING not in keywords
    )


def test_a_group_with_the_octets_of_its_chunk() -> None:
    connection = ready("PIPELINING", "CHUNKING")
    assert connection.send_group([MAIL, BOB, LAST], MANY, b"\0.\r\n")
    assert connection.owed_octets == 0
    assert said(connection).endswith(b"BDAT 4 LAST\r\n\0.\r\n")
    assert connection.left_octets == connection.queued_octets
    hear(connection, b"250 ok\r\n250 ok\r\n250 queued\r\n")
    assert connection.is_idle


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ([MAIL, BOB, LAST], b"\0.\r\nQUIT\r\n"),
        ([MAIL, BOB, LAST], b"\0."),
        ([MAIL, BOB], b"QUIT\r\n"),
    ],
)
def test_no_octets_go_that_nothing_announces(group: list[Command], content: bytes) -> None:
    connection = ready("PIPELINING", "CHUNKING")
    assert not connection.send_group(group, MANY, content)
    assert not said(connection)


@pytest.mark.parametrize(
    "command", [Rcpt(Address("grün@example.com")), Rcpt(Address("a" * 64 + "@" + "b." * 90 + "c"))]
)
def test_a_group_whose_lines_must_be_looked_at(command: Command) -> None:
    connection = ready("PIPELINING", "SMTPUTF8")
    sent = connection.send_some([MAIL, command, DATA], MANY)
    assert sent == 3
    assert said(connection) == b"".join(it.wire() for it in (MAIL, command, DATA))


def test_a_group_larger_than_the_window_goes_in_parts() -> None:
    connection = ready("PIPELINING")
    commands = [MAIL, BOB, EVE, DATA]
    assert connection.send_some(commands, 50) == 2
    assert connection.in_flight == (MAIL, BOB)
    assert connection.send_some(commands, 50, 2) == 2
    hear(connection, b"250 ok\r\n250 ok\r\n")
    assert connection.send_some(commands, 50, 2) == 4


def test_lock_step_is_a_window_of_nothing() -> None:
    connection = ready("PIPELINING")
    assert connection.send_some([MAIL, BOB], 0) == 1


def test_a_group_over_octets_that_nobody_asked_for() -> None:
    connection = ready("PIPELINING")
    connection.receive_data(b"250 surprise\r\n")
    with pytest.raises(RemoteProtocolError, match="no command asked for"):
        connection.send_group([MAIL, BOB], MANY)


def test_a_trace_sees_each_command_of_a_group() -> None:
    trace = Transcript()
    connection = ready("PIPELINING", trace=trace)
    assert connection.send_some([MAIL, BOB, DATA], MANY) == 3
    assert str(trace).splitlines()[-3:] == [
        "C: MAIL FROM:<ada@example.org>",
        "C: RCPT TO:<bob@example.com>",
        "C: DATA",
    ]


# -- Replies by the group --------------------------------------------------------------------------


def group() -> Connection:
    connection = ready("PIPELINING")
    connection.send_some([MAIL, BOB, EVE, DATA], MANY)
    said(connection)
    return connection


def test_replies_are_taken_by_the_group() -> None:
    connection = group()
    connection.receive_data(b"250 a\r\n550 b\r\n250 c\r\n354 d\r\n")
    assert connection.next_replies(1) == [Reply.of(250, "a")]
    assert connection.next_replies(9) == [
        Reply.of(550, "b"),
        Reply.of(250, "c"),
        Reply.of(354, "d"),
    ]
    assert connection.next_replies(9) == []
    assert connection.state is State.DATA


@pytest.mark.parametrize("rest", [b"", b"25", b"nonsense\r\n"])
def test_replies_end_where_something_else_is_to_be_told(rest: bytes) -> None:
    connection = group()
    connection.receive_data(b"250 a\r\n250 b\r\n" + rest)
    assert len(connection.next_replies(4)) == 2
    assert connection.next_replies(4) == []
    if rest.startswith(b"nonsense"):
        with pytest.raises(RemoteProtocolError):
            connection.next_event()
        assert connection.next_replies(4) == []


def test_a_reply_that_is_none_is_told_behind_those_before_it() -> None:
    connection = group()
    connection.receive_data(b"250 a\r\n354 b\r\n250 c\r\n")
    assert connection.next_replies(4) == [Reply.of(250, "a")]
    with pytest.raises(RemoteProtocolError, match="354 is no answer to RCPT"):
        connection.next_event()
    assert connection.next_replies(4) == []


def test_the_first_reply_is_none() -> None:
    connection = group()
    connection.receive_data(b"354 go\r\n")
    with pytest.raises(RemoteProtocolError, match="354 is no answer to MAIL"):
        connection.next_replies(4)


# -- Content at once -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b".a\nb", b"a\r\n"])
def test_content_and_its_end_at_once(content: bytes) -> None:
    connection = in_rcpt()
    with pytest.raises(LocalProtocolError):
        connection.send_whole(content)
    connection.send(DATA)
    said(connection)
    hear(connection, b"354 go\r\n")
    connection.send_whole(content)
    assert said(connection) == encode_whole(content, Framing.DATA)
    assert connection.in_flight == (EndOfContent(),)
    hear(connection, b"250 ok\r\n")
    assert connection.is_idle


def test_content_whose_line_ends_are_known() -> None:
    connection = in_rcpt()
    connection.send(DATA)
    said(connection)
    hear(connection, b"354 go\r\n")
    connection.send_whole(b".\r\n", LineEnds.CRLF)
    assert said(connection) == b"..\r\n.\r\n"


# -- Octets that have left -------------------------------------------------------------------------


def test_octets_are_counted_as_they_leave() -> None:
    connection = ready("PIPELINING")
    start = connection.queued_octets
    assert connection.left_octets == start
    connection.send(MAIL)
    octets = len(MAIL.wire())
    assert (connection.queued_octets, connection.left_octets) == (start + octets, start)
    said(connection)
    assert connection.left_octets == start + octets
    connection.count_unsent = lambda: 3
    assert connection.left_octets == start + octets - 3
