"""BDAT and BINARYMIME (RFC 3030), and what is kept of content."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo.commands import Verb
from ehlo.receipt import queue_id
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Close,
    Dialect,
    Keep,
    Mode,
    ReceivedCommand,
    Send,
    ServerConnection,
    ServerOptions,
    Situation,
    TakeEffect,
)

CHUNKING = ServerOptions(capabilities=("PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"))
ENVELOPE = b"EHLO c\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"


def play(
    octets: bytes, options: ServerOptions = CHUNKING, hello: bytes = ENVELOPE
) -> tuple[ServerConnection, list[str]]:
    """Feed octets whole and one by one; both must come to the same."""
    whole, single = ServerConnection(options), ServerConnection(options)
    for connection in (whole, single):
        connection.receive_data(hello)
        connection.data_to_send()
    whole.receive_data(octets)
    for position in range(len(octets)):
        single.receive_data(octets[position : position + 1])
    said = whole.data_to_send()
    assert single.data_to_send() == said
    assert single.messages == whole.messages
    assert single.commands == whole.commands
    return whole, said.decode().split("\r\n")[:-1]


def test_chunks_are_content_as_they_are() -> None:
    connection, said = play(b"BDAT 6\r\na\r\n.\r\nBDAT 3\r\n\n\0.BDAT 0 LAST\r\nQUIT\r\n")
    assert said == [
        "250 6 octets received",
        "250 3 octets received",
        "250 Ok: queued as 00010001",
        "221 mail.example.org closing connection",
    ]
    [message] = connection.messages
    assert message.content == b"a\r\n.\r\n\n\0."
    assert message.via is Verb.BDAT
    assert message.chunks == (6, 3, 0)
    verbs = [command.verb for command in connection.commands[3:]]
    assert verbs == [Verb.BDAT, Verb.BDAT, Verb.BDAT_LAST, Verb.QUIT]


def test_data_has_no_chunks() -> None:
    connection, _ = play(b"DATA\r\nx\r\n.\r\n")
    [message] = connection.messages
    assert (message.via, message.chunks) == (Verb.DATA, ())


@pytest.mark.parametrize("line", ["bdat 2 last", "BDAT  2   LAST  "])
def test_a_last_chunk_may_be_written_as(line: str) -> None:
    connection, said = play(f"{line}\r\nxyNOOP\r\n".encode())
    assert [reply[:3] for reply in said] == ["250", "250"]
    assert connection.messages[0].content == b"xy"


@pytest.mark.parametrize(
    ("octets", "codes"),
    [
        (b"BDAT\r\n", "501"),
        (b"BDAT x\r\n", "501"),
        (b"BDAT LAST\r\n", "501"),
        (b"BDAT 3 FIRST\r\n", "501"),
        (b"BDAT -1\r\n", "501"),
        (b"BDAT 3\n", "500"),
        # no recipient: the octets are swallowed, and RSET is due
        (b"RSET\r\nBDAT 5\r\nQUIT\n", "250 503"),
        (b"RSET\r\nMAIL FROM:<>\r\nBDAT 5 LAST\r\nQUIT\nDATA\r\n", "250 250 503 503"),
        (b"RSET\r\nBDAT 0\r\nMAIL FROM:<>\r\nRSET\r\nRSET\r\n", "250 503 503 250 250"),
        # behind LAST there is nothing to add to
        (b"BDAT 1 LAST\r\nxBDAT 1\r\ny", "250 503"),
        # DATA and BDAT are not mixed
        (b"BDAT 1\r\nxDATA\r\nBDAT 1 LAST\r\ny", "250 503 503"),
        (b"BDAT 1\r\nxRCPT TO:<c@example.org>\r\nMAIL FROM:<>\r\n", "250 503 503"),
        (b"BDAT 1\r\nxNOOP\r\nRSET\r\nDATA\r\n", "250 250 250 503"),
    ],
)  # fmt: skip
def test_a_chunk_out_of_order(octets: bytes, codes: str) -> None:
    connection, said = play(octets)
    assert [reply[:3] for reply in said] == codes.split()
    assert connection.mode is Mode.COMMAND


def test_without_chunking_the_octets_are_commands() -> None:
    _, said = play(b"BDAT 6 LAST\r\nQUIT\r\n", ServerOptions())
    assert [reply[:3] for reply in said] == ["500", "221"]


def test_a_chunk_is_in_order_only_where_commands_are() -> None:
    options = ServerOptions(capabilities=("CHUNKING",), starttls="required")  # type: ignore[arg-type]
    _, said = play(b"BDAT 6\r\nQUIT\r\n", options, b"EHLO c\r\n")
    assert [reply[:3] for reply in said] == ["503"]


@pytest.mark.parametrize(
    ("octets", "codes"),
    [
        (b"BDAT 10 LAST\r\n0123456789", "250"),
        (b"BDAT 11 LAST\r\n0123456789x", "552"),
        (b"BDAT 6\r\n012345BDAT 5\r\n6789xBDAT 1 LAST\r\nyRSET\r\n", "250 552 503 250"),
        (b"BDAT 11 LAST\r\n0123456789xMAIL FROM:<>\r\nRSET\r\nRSET\r\n", "552 503 250 250"),
    ],
)  # fmt: skip
def test_the_limit_of_chunks(octets: bytes, codes: str) -> None:
    options = ServerOptions(capabilities=("CHUNKING", "SIZE 10"))
    connection, said = play(octets, options)
    assert [reply[:3] for reply in said] == codes.split()
    assert len(connection.messages) == (codes == "250")


@pytest.mark.parametrize(
    ("key", "codes"),
    [
        ("BDAT", ["452", "503"]),
        ("BDAT LAST", ["250", "452"]),
        ("BDAT 1", ["452", "503"]),
        ("BDAT 2 LAST", ["250", "452"]),
    ],
)
def test_answers_to_chunks(key: str, codes: list[str]) -> None:
    options = ServerOptions(
        capabilities=("CHUNKING",),
        answers={key: Reply.of(452, "No space"), "BDAT 9": Reply.of(250)},
    )
    connection, said = play(b"BDAT 1\r\nxBDAT 2 LAST\r\nyz", options)
    if key == "BDAT":
        codes = ["452", "452"]
    assert [reply[:3] for reply in said] == codes
    assert not connection.messages


def test_a_last_chunk_is_looked_up_as_such_first() -> None:
    table: dict[str, Answer] = {"BDAT": Reply.of(452), "BDAT LAST": Reply.of(554)}
    options = ServerOptions(capabilities=("CHUNKING",), answers=table)
    _, said = play(b"BDAT 1 LAST\r\nx", options)
    assert said == ["554 "]


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ({".": 451}, "250 451"),
        ({".": 451, "BDAT": 250}, "250 451"),
        ({".": 451, "BDAT LAST": 452}, "250 452"),
        ({".": 451, "BDAT 2": 452}, "250 452"),
    ],
)
def test_a_last_chunk_is_the_end_of_the_content(answers: dict[str, int], codes: str) -> None:
    table: dict[str, Answer] = {key: Reply.of(code) for key, code in answers.items()}
    options = ServerOptions(capabilities=("CHUNKING",), answers=table)
    _, said = play(b"BDAT 1\r\nxBDAT 2 LAST\r\nyz", options)
    assert [reply[:3] for reply in said] == codes.split()


def test_a_last_chunk_out_of_order_is_not_the_end_of_the_content() -> None:
    options = ServerOptions(capabilities=("CHUNKING",), answers={".": (TakeEffect(), Close())})
    _, said = play(b"BDAT 1 LAST\r\nx", options, b"EHLO c\r\nMAIL FROM:<>\r\n")
    assert [reply[:3] for reply in said] == ["503"]


def test_a_function_sees_the_content_of_all_chunks() -> None:
    seen: list[tuple[Verb, bytes]] = []

    def answers(command: ReceivedCommand, situation: Situation) -> Answer | None:
        seen.append((command.verb, situation.content))
        assert situation.ends_content is (command.verb is Verb.BDAT_LAST)
        return None

    options = ServerOptions(capabilities=("CHUNKING",), answers=answers)
    connection = ServerConnection(options)
    connection.receive_data(ENVELOPE + b"BDAT 2\r\nabBDAT 1 LAST\r\nc")
    assert seen[-2:] == [(Verb.BDAT, b""), (Verb.BDAT_LAST, b"abc")]


def test_binary_content_needs_bdat() -> None:
    mail = b"EHLO c\r\nMAIL FROM:<> BODY=BinaryMime\r\nRCPT TO:<b@example.org>\r\n"
    _, said = play(b"DATA\r\nBDAT 0 LAST\r\nRSET\r\n", hello=mail)
    assert [reply[:3] for reply in said] == ["503", "503", "250"]
    connection, _ = play(b"BDAT 1 LAST\r\n\0", hello=mail)
    assert connection.messages[0].parameters["BODY"] == "BinaryMime"


@pytest.mark.parametrize("offer", [("8BITMIME",), ("CHUNKING", "8BITMIME")])
def test_binary_content_must_be_offered(offer: tuple[str, ...]) -> None:
    options = ServerOptions(capabilities=offer)
    _, said = play(b"MAIL FROM:<> BODY=BINARYMIME\r\n", options, b"EHLO c\r\n")
    assert said == ["501 Bad parameter"]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.sampled_from(Keep))
def test_any_chunks_come_back(chunks: list[bytes], keep: Keep) -> None:
    octets = b"".join(b"BDAT %d\r\n%b" % (len(chunk), chunk) for chunk in chunks)
    options = ServerOptions(capabilities=("CHUNKING",), keep=keep)
    connection, _ = play(octets + b"BDAT 0 LAST\r\n", options)
    [message] = connection.messages
    content = b"".join(chunks)
    assert message.chunks == (*map(len, chunks), 0)
    assert message.length == len(content)
    assert message.sha256 == hashlib.sha256(content).hexdigest()
    assert message.content == (content if keep is Keep.CONTENT else b"")


def test_the_digest_of_data_is_that_of_the_unstuffed_octets() -> None:
    connection, _ = play(b"DATA\r\n..a\r\n...\r\n.\r\n", ServerOptions(keep=Keep.DIGEST))
    [message] = connection.messages
    assert message.digest is not None
    assert (message.digest.length, message.length) == (8, 8)
    assert message.sha256 == hashlib.sha256(b".a\r\n..\r\n").hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 209715200 LAST\r\n"])
def test_two_hundred_mebioctets_take_no_memory(begin: bytes) -> None:
    options = ServerOptions(capabilities=("CHUNKING",), keep=Keep.DIGEST)
    connection = ServerConnection(options)
    connection.receive_data(ENVELOPE + begin)
    piece = (b"x" * 62 + b"\r\n") * 16_384  # a mebioctet
    for _ in range(200):
        connection.receive_data(piece)
        assert len(connection._inbox.buffer) < 100
    if connection.mode is Mode.CONTENT:
        connection.receive_data(b".\r\n")
    assert connection.messages[0].length == 209_715_200


# --- LMTP (RFC 2033)

LMTP = ServerOptions(
    dialect=Dialect.LMTP, capabilities=("PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES")
)
TWO = (
    b"LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<no@example.org>\r\n"
    b"RCPT TO:<carol@example.org>\r\n"
)


def lmtp(answers: dict[str, Answer]) -> ServerOptions:
    refused: dict[str, Answer] = {"RCPT TO:<no@example.org>": Reply.of(550, "5.1.1 No")}
    return ServerOptions(
        dialect=Dialect.LMTP, capabilities=LMTP.capabilities, answers=refused | answers
    )


def test_lmtp_has_lhlo_alone() -> None:
    _, said = play(b"EHLO c\r\nHELO c\r\nLHLO c\r\n", LMTP, b"")
    assert [reply[:4] for reply in said] == ["500 ", "500 ", "250-", "250-", "250-", "250 "]
    _, said = play(b"LHLO c\r\n", ServerOptions(), b"")
    assert said == ["500 5.5.2 Command not recognized"]


@pytest.mark.parametrize("content", [b"DATA\r\nx\r\n.\r\n", b"BDAT 1\r\nxBDAT 2 LAST\r\n\r\n"])
def test_each_recipient_gets_a_final_reply(content: bytes) -> None:
    connection, said = play(content, lmtp({}), TWO)
    assert said[1:] == [
        "250 2.1.5 Ok: queued as 00010001 for <b@example.org>",
        "250 2.1.5 Ok: queued as 00010001 for <carol@example.org>",
    ]
    [message] = connection.messages
    assert message.recipients == ("b@example.org", "carol@example.org")
    assert message.content == b"x\r\n"
    assert {queue_id(Reply.of(250, line[4:])) for line in said[1:]} == {message.queue_id}
    _, said = play(content + b"MAIL FROM:<>\r\n", lmtp({}), TWO)
    assert said[-1] == "250 2.1.0 Sender OK"


@pytest.mark.parametrize(
    ("answers", "content", "codes", "recipients"),
    [
        ({". <CAROL@example.org>": 452}, b"DATA\r\n.\r\n", "354 250 452", ("b@example.org",)),
        ({".": 550, ". <b@example.org>": 250}, b"DATA\r\n.\r\n", "354 250 550", ("b@example.org",)),
        ({".": 550}, b"DATA\r\n.\r\n", "354 550 550", ()),
        ({"BDAT LAST <b@example.org>": 452}, b"BDAT 0 LAST\r\n", "452 250", ("carol@example.org",)),
        ({"BDAT LAST": 452}, b"BDAT 0 LAST\r\nMAIL FROM:<>\r\n", "452 452 250", ()),
        ({". <b@example.org>": 452}, b"BDAT 0 LAST\r\n", "452 250", ("carol@example.org",)),
        (
            {". <b@example.org>": 452, "BDAT LAST <b@example.org>": 550, "BDAT LAST": 451},
            b"BDAT 0 LAST\r\n",
            "550 451",
            (),
        ),
    ],
)
def test_answers_for_each_recipient(
    answers: dict[str, int], content: bytes, codes: str, recipients: tuple[str, ...]
) -> None:
    table: dict[str, Answer] = {key: Reply.of(code) for key, code in answers.items()}
    connection, said = play(content, lmtp(table), TWO)
    assert [reply[:3] for reply in said] == codes.split()
    accepted = [message.recipients for message in connection.messages]
    assert accepted == ([recipients] if recipients else [])


def test_content_that_is_too_big_is_refused_for_each_recipient() -> None:
    options = ServerOptions(dialect=Dialect.LMTP, capabilities=("SIZE 1",))
    connection, said = play(b"DATA\r\nxx\r\n.\r\n", options, TWO)
    assert [reply[:3] for reply in said] == ["354", "552", "552", "552"]
    assert not connection.messages


def test_lmtp_needs_a_recipient_for_content() -> None:
    _, said = play(b"MAIL FROM:<>\r\nDATA\r\nBDAT 1 LAST\r\nx", LMTP, b"LHLO c\r\n")
    assert [reply[:3] for reply in said] == ["250", "503", "503"]


def test_a_function_knows_whom_the_reply_is_for() -> None:
    def answers(_command: ReceivedCommand, situation: Situation) -> Answer | None:
        return Reply.of(452) if situation.recipient == "b@example.org" else None

    options = ServerOptions(dialect=Dialect.LMTP, answers=answers)
    _, said = play(b"DATA\r\n.\r\n", options, TWO)
    assert [reply[:3] for reply in said] == ["354", "452", "250", "250"]


# --- what an answers hook can know


def test_a_situation_tells_how_the_read_was_cut() -> None:
    seen: list[Situation] = []

    def answers(_command: ReceivedCommand, situation: Situation) -> Answer | None:
        seen.append(situation)
        return Reply.of(550, "No") if "<no@" in _command.line else None

    connection = ServerConnection(ServerOptions(answers=answers))
    connection.receive_data(b"EHLO c\r\nMAIL FROM:<>\r\nRC")
    connection.receive_data(
        b"PT TO:<b@example.org>\r\nRCPT TO:<no@example.org>\r\nDATA\r\n.\r\nNOOP\r\n"
    )
    places = [(s.first_in_read, s.last_in_read, s.behind_content) for s in seen[1:]]
    assert places == [
        (True, False, False),
        (False, False, False),
        (True, False, False),
        (False, False, False),
        (False, False, False),
        (False, False, False),
        (False, True, True),
    ]
    assert seen[5].refused == (Reply.of(550, "No"),)
    assert seen[2].announced.pipelining
    assert connection.next_action() == Send(b"220 mail.example.org ESMTP ready\r\n")
