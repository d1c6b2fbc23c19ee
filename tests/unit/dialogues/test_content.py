"""Content on its way: in one piece or many, known or not, and what goes wrong with it midway."""

from __future__ import annotations

from typing import Any

import pytest

from ehlo.content import LineEnds, Octets, Stream
from ehlo.dialogues import Fetch, Flush, Transaction, deliver
from ehlo.dialogues.content import ContentSender
from ehlo.dialogues.needs import FLUSH, RECEIVE
from ehlo.errors import (
    CapabilityMissing,
    ContentRefused,
    InvalidInput,
    SMTPError,
)
from ehlo.line_ends import PIECE
from ehlo.phase import Outcome, Phase
from ehlo.policies import Pipelining
from ehlo.protocol import Connection, State
from ehlo.receipt import Receipt
from ehlo.reply import Reply
from ehlo.testing import Close, converse
from ehlo.wire import Framing
from support.rooms import Room, awaited, room, stream, to
from support.stepping import MemoryServer, needs_of, ready

DATA = ("PIPELINING", "8BITMIME")
BDAT = (*DATA, "CHUNKING")
BINARY = (*BDAT, "BINARYMIME")
LINE = b"x" * 78 + b"\r\n"
LARGE = LINE * (3 * PIECE // len(LINE))


def send(what: Transaction, pair: Room, arrival: str = "awaited") -> Receipt | SMTPError:
    try:
        return converse(deliver(pair[0], what), *pair, arrival=arrival).result
    except SMTPError as exc:
        return exc


def sent(content: Any, *offered: str) -> tuple[Receipt, Room]:
    pair = room(*offered)
    receipt = send(to(1, content), pair)
    assert isinstance(receipt, Receipt)
    assert pair[0].is_idle
    return receipt, pair


# -- How it is cut ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "offered", "chunks"),
    [
        (b"a\n", DATA, ()),
        (b"", DATA, ()),
        (b"a\n", BDAT, (3,)),
        (b"", BDAT, (0,)),
        (Octets(b"a\r\n", line_ends=LineEnds.CRLF), BDAT, (3,)),
        (Octets(b"a\n", not_text="it is not", is_binary=True), BINARY, (2,)),
        (Octets(b"a\n", not_text="it is too long"), BINARY, (3,)),
        (LARGE, DATA, ()),
        (LARGE, BDAT, (len(LARGE),)),
        (LARGE[:-2], BDAT, (len(LARGE),)),
        # The size is known: one chunk. It is not: as many as it takes, the last perhaps empty.
        (stream(b"a\n", b"b", size=6, octets=3), BDAT, (6,)),
        (stream(b"", size=0, octets=0), BDAT, (0,)),
        (stream(b"a\n", b"b"), BDAT, (6,)),
        (stream(), BDAT, (0,)),
        (stream(LINE, LARGE), BDAT, (PIECE + len(LINE), PIECE, len(LARGE) - 2 * PIECE)),
        (stream(b"x\n" * (PIECE // 2)), BDAT, (PIECE * 3 // 2, 0)),
        (awaited(b"a\n", b"b"), BDAT, (6,)),
        (awaited(b"a\n", b"b"), DATA, ()),
        (stream(b"\0", octets=1, not_text="it is not", is_binary=True), BINARY, (1,)),
        (stream(b"a\r\n", b"", size=3, octets=3), BDAT, (3,)),
        (stream(b"", b"a", b"", b"\r\n", b"", b"", size=3, octets=3), BDAT, (3,)),
        (stream(b"", b"", size=0, octets=0), BDAT, (0,)),
        (stream(bytearray(b"a"), memoryview(b"b\n"), b""), DATA, ()),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_content_arrives_whole(content: Any, offered: tuple[str, ...], chunks: Any) -> None:
    _, (_, server) = sent(content, *offered)
    assert server.messages[0].chunks == chunks
    assert bool(chunks) is ("CHUNKING" in offered)


def test_large_content_is_flushed_piece_by_piece() -> None:
    connection = ready("PIPELINING")
    server = MemoryServer(connection=connection)
    server._mode = "commands"
    needs = needs_of(deliver(connection, to(1, LARGE)), server.meet)
    assert needs.count(Flush(Phase.CONTENT)) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a\n", [(2, 2)]),
        (LARGE, [(PIECE, len(LARGE)), (2 * PIECE, len(LARGE)), (len(LARGE), len(LARGE))]),
        (stream(b"a\n", b"bc"), [(2, None), (4, None)]),
        (stream(b"a\n", b"bc", size=7, octets=4), [(2, 4), (4, 4)]),
        (stream(), [(0, None)]),
    ],
    ids=lambda value: repr(value)[:24],
)
@pytest.mark.parametrize("offered", [DATA, BDAT])
def test_progress_is_told(content: Any, told: list[Any], offered: tuple[str, ...]) -> None:
    heard: list[tuple[int, int | None]] = []
    pair = room(*offered)
    what = to(1, content, progress=lambda *progress: heard.append(progress))
    assert isinstance(send(what, pair), Receipt)
    assert heard == told


@pytest.mark.parametrize("offered", [DATA, BDAT])
@pytest.mark.parametrize(
    "content", [b"a\n", LARGE, stream(b"a\n", b"b")], ids=lambda it: repr(it)[:9]
)
def test_progress_that_raises_lets_nothing_pass_for_sent(
    content: Any, offered: tuple[str, ...]
) -> None:
    def interrupt(_sent: int, _total: int | None) -> None:
        raise LookupError

    connection, server = room(*offered)
    with pytest.raises(LookupError):
        converse(deliver(connection, to(1, content, progress=interrupt)), connection, server)
    assert connection.is_idle or connection.is_over
    server.receive_data(b"".join(connection.data_to_send()))
    assert server.messages == []


def test_the_message_id_is_seen_on_its_way() -> None:
    receipt, _ = sent(stream(b"Message-ID: <1@x>\r\n\r\n", b"Message-ID: <2@x>\r\n"), *DATA)
    assert receipt.message_id == "<1@x>"
    receipt, _ = sent(stream(b"Subject: x\r\nMess", b"age-ID: <2@x>\r\n", b"\r\n"), *DATA)
    assert receipt.message_id == "<2@x>"
    receipt, _ = sent(stream(b"Subject: x\r\n\r\n", b"Message-ID: <2@x>\r\n"), *DATA)
    assert receipt.message_id is None
    long = b"X: y\r\n" * 10_923  # a little more than is kept to be looked at
    receipt, _ = sent(stream(long, b"Message-ID: <2@x>\r\n"), *DATA)
    assert receipt.message_id is None
    connection, server = room(*DATA)
    what = to(1, stream(b"Message-ID: <1@x>\r\n\r\n"), message_id="<known@x>")
    assert converse(deliver(connection, what), connection, server).result.message_id == "<known@x>"


# -- What it turns out to be -----------------------------------------------------------------------


def never_sent(content: Any, *offered: str) -> tuple[Exception, Connection]:
    connection, server = room(*offered)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - looked at by the test
        converse(deliver(connection, to(1, content)), connection, server)
    server.receive_data(b"".join(connection.data_to_send()))
    server.receive_eof()
    assert server.messages == []
    return caught.value, connection


@pytest.mark.parametrize("make", [stream, awaited])
@pytest.mark.parametrize("offered", [DATA, BDAT])
@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([b"a\nb\0"], "line 2 of the message holds a NUL octet; it was not sent"),
        ([b"a\n" * 9, b"b\0"], "line 10 of the message holds a NUL octet; it was not sent"),
        ([b"x" * 998, b"x"], "line 1 of the message is longer than 998 octets; it was not sent"),
    ],
)
def test_content_that_turns_out_to_be_no_text(
    pieces: list[bytes], why: str, offered: tuple[str, ...], make: Any
) -> None:
    error, connection = never_sent(make(*pieces), *offered)
    assert isinstance(error, InvalidInput)
    assert str(error) == why
    assert error.phase is Phase.CONTENT
    assert error.outcome is Outcome.NOT_SENT
    assert connection.is_idle or connection.is_over


@pytest.mark.parametrize("offered", [DATA, BDAT])
@pytest.mark.parametrize("make", [stream, awaited])
def test_content_that_turns_out_to_be_larger_than_the_server_takes(
    offered: tuple[str, ...], make: Any
) -> None:
    error, connection = never_sent(make(b"a\n" * 30, b"b\n" * 30), *offered, "SIZE 100")
    assert isinstance(error, CapabilityMissing)
    assert error.capability == "SIZE"
    assert "more than the 100 octets" in str(error)
    assert connection.is_idle or connection.is_over
    assert isinstance(send(to(1, make(b"a\n" * 33)), room(*offered, "SIZE 100")), Receipt)


def test_content_that_fails_behind_a_chunk_waits_for_the_reply_to_that() -> None:
    error, connection = never_sent(stream(LARGE, b"\0"), *BDAT)
    assert isinstance(error, InvalidInput)
    assert connection.is_idle


def test_chunks_in_lock_step() -> None:
    """Without PIPELINING a chunk waits for the reply to the one before."""
    pair = room("8BITMIME", "CHUNKING")
    talk = converse(deliver(pair[0], to(1, stream(LARGE, LARGE))), *pair)
    (message,) = pair[1].messages
    assert len(message.chunks) > 2
    assert talk.flights == 2 + len(message.chunks)


@pytest.mark.parametrize("answer", [Reply.of(552, "5.3.4 Enough"), Reply.of(452, "4.3.1 Full")])
def test_a_chunk_that_is_refused_in_lock_step(answer: Reply) -> None:
    pair = room("8BITMIME", "CHUNKING", answers={"BDAT": answer})
    error = send(to(1, stream(LARGE, LARGE)), pair)
    assert isinstance(error, ContentRefused)
    assert len([it for it in pair[1].commands if it.line.startswith("BDAT")]) == 1
    assert pair[0].is_idle


def test_replies_to_chunks_are_heard_between_them() -> None:
    pair = room(*BDAT)
    assert isinstance(send(to(1, stream(LARGE, LARGE)), pair, "at-once"), Receipt)


@pytest.mark.parametrize("offered", [["PIPELINING"], ["PIPELINING", "CHUNKING"]])
def test_content_that_turns_out_to_be_eight_bit(offered: list[str]) -> None:
    error, connection = never_sent(stream(b"a\n", b"\xff"), *offered)
    assert isinstance(error, CapabilityMissing)
    assert error.capability == "8BITMIME"
    assert error.phase is Phase.CONTENT
    assert connection.is_idle or connection.is_over


def test_eight_bit_content_that_was_declared() -> None:
    _, (_, server) = sent(stream(b"a\n", b"\xff\n"), *DATA)
    assert server.messages[0].content == b"a\r\n\xff\r\n"


@pytest.mark.parametrize("pieces", [["text"], [b"a", "text"], [b"a", None], [b"a", 5]])
@pytest.mark.parametrize("offered", [DATA, BDAT])
def test_pieces_that_are_no_octets(pieces: list[Any], offered: tuple[str, ...]) -> None:
    error, connection = never_sent(stream(*pieces), *offered)
    assert isinstance(error, TypeError)
    assert "content is made of octets, not of" in str(error)
    assert connection.is_idle or connection.is_over


@pytest.mark.parametrize("offered", [DATA, BDAT])
@pytest.mark.parametrize("before", [[], [b"a"]])
def test_pieces_that_cannot_be_had(before: list[bytes], offered: tuple[str, ...]) -> None:
    error, connection = never_sent(awaited(*before, LookupError("gone")), *offered)
    assert isinstance(error, LookupError)
    assert connection.is_idle or connection.is_over


@pytest.mark.parametrize("pieces", [[b"a"], [b"ab", b"cd"], [b"abcdefgh"], []])
def test_content_that_has_changed_since_its_size_was_taken(pieces: list[bytes]) -> None:
    error, connection = never_sent(stream(*pieces, size=5, octets=3), *BDAT)
    assert isinstance(error, InvalidInput)
    assert "has changed since" in str(error)
    assert connection.is_over


# -- What the server says meanwhile ----------------------------------------------------------------


@pytest.mark.parametrize("content", [stream(LARGE, LARGE), awaited(LARGE, LARGE)])
@pytest.mark.parametrize("answer", [Reply.of(552, "5.3.4 Enough"), Reply.of(452, "4.3.1 Full")])
def test_a_chunk_that_is_refused_ends_the_content(content: Stream, answer: Reply) -> None:
    pair = room(*BDAT, answers={"BDAT": answer})
    error = send(to(1, content), pair, "at-once")
    assert isinstance(error, ContentRefused)
    assert error.reply == answer
    assert error.command == "BDAT"
    assert error.phase is Phase.CONTENT
    assert pair[0].is_idle
    assert pair[1].messages == []


def test_a_chunk_that_is_refused_is_heard_at_the_end_at_the_latest() -> None:
    pair = room(*BDAT, answers={"BDAT": Reply.of(552, "5.3.4 Enough")})
    error = send(to(1, stream(LARGE, LARGE)), pair)
    assert isinstance(error, ContentRefused)
    assert error.outcome is Outcome.REFUSED
    assert pair[0].is_idle


def test_a_server_that_closes_the_session_between_chunks() -> None:
    bye = Reply.of(421, "4.3.2 Bye")
    pair = room(*BDAT, answers={"BDAT": (bye, Close())})
    error = send(to(1, stream(LARGE, LARGE)), pair, "at-once")
    assert isinstance(error, ContentRefused)
    assert error.reply == bye
    assert error.retry_safe
    assert pair[0].is_over


def refusing(connection: Connection) -> ContentSender:
    """Return a sender whose first look finds that nobody wants the content."""

    def refuse() -> None:
        raise ContentRefused("no", reply=Reply.of(552))

    return ContentSender(
        connection,
        awaited(b"a"),
        Framing.DATA,
        None,
        allows_eight_bit=True,
        pipelining=Pipelining.TRANSACTION,
        ensure_wanted=refuse,
        progress=None,
    )


def test_nobody_reads_content_that_nobody_wants() -> None:
    connection, _ = room(*DATA)
    with pytest.raises(ContentRefused):
        next(refusing(connection).send())
    assert connection.state is State.READY


def test_a_chunk_of_known_size_that_is_refused_midway() -> None:
    """The octets that are due cannot be made good, and nobody wants them: that is the end."""
    connection = ready("PIPELINING", "CHUNKING")
    pieces = [LINE * 1000] * 4
    content = stream(*pieces, size=4 * len(pieces[0]), octets=4 * len(pieces[0]))
    dialogue = deliver(connection, to(1, content))
    assert next(dialogue) == RECEIVE[Phase.MAIL]
    connection.data_to_send()
    connection.receive_data(b"250 ok\r\n250 ok\r\n")
    assert next(dialogue) == next(dialogue) == FLUSH[Phase.CONTENT]
    connection.data_to_send()
    assert connection.owed_octets
    connection.receive_data(b"552 5.3.4 Enough\r\n")
    with pytest.raises(ContentRefused) as caught:
        next(dialogue)
    assert caught.value.reply.code == 552
    assert connection.is_over
    assert not connection.owed_octets
    assert connection.data_to_send() == []


def test_a_refusal_that_comes_at_the_same_moment_as_a_piece() -> None:
    """It is heard before the piece is sent: no further octet is wanted."""
    connection, server = room(*DATA)
    dialogue = deliver(connection, to(1, awaited(b"Subject: x\r\n\r\n", b"y\r\n")))
    need = next(dialogue)
    while not isinstance(need, Fetch):
        server.receive_data(b"".join(connection.data_to_send()))
        connection.receive_data(server.data_to_send())
        need = next(dialogue)
    with pytest.raises(StopIteration):
        need.source.fetch().send(None)
    connection.receive_data(b"452 4.3.1 disk full\r\n")
    with pytest.raises(ContentRefused) as caught:
        next(dialogue)
    assert caught.value.reply.code == 452
    assert connection.data_to_send() == []
    assert connection.is_over


def test_a_refusal_comes_while_a_piece_is_awaited() -> None:
    """The need is met early; the piece is asked for again, and nobody wants it any more."""
    connection, server = room(*DATA)
    dialogue = deliver(connection, to(1, awaited(b"a")))
    needs = [next(dialogue)]
    while not isinstance(needs[-1], Fetch):
        server.receive_data(b"".join(connection.data_to_send()))
        connection.receive_data(server.data_to_send())
        needs.append(next(dialogue))
    again = next(dialogue)  # met early, and for nothing
    assert isinstance(again, Fetch)
    connection.receive_data(b"451 4.3.0 enough\r\n")
    with pytest.raises(ContentRefused) as caught:
        next(dialogue)
    assert caught.value.phase is Phase.CONTENT
    assert connection.is_over
