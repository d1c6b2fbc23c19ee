import pickle
from collections.abc import Sequence
from typing import Any

import pytest

from ehlo.address import Address
from ehlo.commands import Mail, Noop, Rcpt, Rset
from ehlo.content import Octets, Stream
from ehlo.dialogues import Flush, Need, Receive, Transaction, bdat, data, deliver, perform
from ehlo.dialogues.exchange import GROUP_MAX
from ehlo.envelope import Envelope
from ehlo.errors import (
    CapabilityMissing,
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    LocalProtocolError,
    RecipientsRefused,
    RemoteProtocolError,
    SenderRefused,
    SMTPError,
    Timeout,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import OnRefusal, Pipelining, Protocol
from ehlo.protocol import Connection, State
from ehlo.receipt import Receipt
from ehlo.reply import Reply
from support.stepping import (
    EOF,
    C,
    Cut,
    MemoryServer,
    S,
    Step,
    drive,
    hear,
    needs_of,
    ready,
    run,
    said,
    script,
)

CONTENT = b"Subject: Notes\r\n\r\nPlain words.\r\n"
MESSAGE_ID = "<1@example.org>"
TEXT = "C: Subject: Notes\nC: \nC: Plain words.\nC: ."
MAIL = "C: MAIL FROM:<ada@example.org>"
R0, R1, R2 = (f"C: RCPT TO:<r{n}@example.com>" for n in range(3))
GOOD = "S: 250 2.0.0 Ok: queued as 1234"

CUTS = pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)


def to(count: int = 1, /, **options: Any) -> Transaction:
    envelope = Envelope("ada@example.org", [f"r{n}@example.com" for n in range(count)])
    defaults: dict[str, Any] = {"envelope": envelope, "content": CONTENT, "message_id": MESSAGE_ID}
    wanted = defaults | options
    if isinstance(wanted["content"], bytes):
        wanted["content"] = Octets(wanted["content"])
    return Transaction(**wanted)


def send(
    what: Transaction,
    steps: str | Sequence[Step],
    *keywords: str,
    cut: Cut = Cut.WHOLE,
) -> tuple[Receipt | SMTPError, Connection]:
    connection = ready(*keywords)
    try:
        return run(deliver(connection, what), connection, steps, cut), connection
    except SMTPError as exc:
        return exc, connection


# -- Success ---------------------------------------------------------------------------------------


@CUTS
def test_one_recipient_in_lock_step(cut: Cut) -> None:
    steps = f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok\nC: DATA\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, connection = send(to(), steps, cut=cut)
    assert isinstance(receipt, Receipt)
    assert [str(address) for address in receipt.accepted] == ["r0@example.com"]
    assert receipt.refused == {}
    assert receipt.reply == Reply.of(250, "2.0.0 Ok: queued as 1234")
    assert receipt.queue_id == "1234"
    assert receipt.message_id == MESSAGE_ID
    assert connection.is_idle


@CUTS
def test_one_recipient_pipelined(cut: Cut) -> None:
    steps = f"{MAIL}\n{R0}\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, connection = send(to(), steps, "PIPELINING", cut=cut)
    assert isinstance(receipt, Receipt)
    assert connection.is_idle


def test_pipelining_switched_off() -> None:
    steps = f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok\nC: DATA\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, _ = send(to(pipelining=Pipelining.NONE), steps, "PIPELINING")
    assert isinstance(receipt, Receipt)


@CUTS
@pytest.mark.parametrize("count", [2, 3])
def test_several_recipients_wait_for_their_replies_before_data(count: int, cut: Cut) -> None:
    """The default: nobody gets the message unless all do."""
    rcpts = "\n".join([R0, R1, R2][:count])
    ok = "\nS: 250 ok" * (count + 1)
    steps = f"{MAIL}\n{rcpts}{ok}\nC: DATA\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, connection = send(to(count), steps, "PIPELINING", cut=cut)
    assert isinstance(receipt, Receipt)
    assert len(receipt.accepted) == count
    assert connection.is_idle


@pytest.mark.parametrize("count", [2, 3])
def test_data_rides_along_where_refusals_change_nothing(count: int) -> None:
    rcpts = "\n".join([R0, R1, R2][:count])
    ok = "\nS: 250 ok" * (count + 1)
    steps = f"{MAIL}\n{rcpts}\nC: DATA{ok}\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, _ = send(to(count, on_refusal=OnRefusal.DELIVER), steps, "PIPELINING")
    assert isinstance(receipt, Receipt)


def test_thousands_of_recipients() -> None:
    """T8."""
    connection = ready("PIPELINING")
    server = MemoryServer(connection=connection)
    server._mode = "commands"
    receipt = drive(deliver(connection, to(4000)), server.meet)
    assert len(receipt.accepted) == 4000
    assert len(server.taken[0][0]) == 4000


def test_the_null_reverse_path() -> None:
    what = to(envelope=Envelope(None, "r0@example.com"))
    steps = f"C: MAIL FROM:<>\nS: 250 ok\n{R0}\nS: 250 ok\nC: DATA\nS: 354 x\n{TEXT}\n{GOOD}"
    assert isinstance(send(what, steps)[0], Receipt)


def test_two_messages_on_one_connection() -> None:
    connection = ready("PIPELINING")
    steps = f"{MAIL}\n{R0}\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 354 go\n{TEXT}\n{GOOD}"
    for _ in range(2):
        run(deliver(connection, to()), connection, steps)
    assert connection.is_idle


def test_a_message_without_content() -> None:
    steps = f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok\nC: DATA\nS: 354 go\nC: .\n{GOOD}"
    assert isinstance(send(to(content=b""), steps)[0], Receipt)


# -- Partial success -------------------------------------------------------------------------------


@CUTS
@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("code", [450, 550])
def test_some_refused_and_the_rest_delivered(code: int, pipelined: bool, cut: Cut) -> None:
    """T4."""
    no = f"S: {code} 5.1.1 no"
    if pipelined:
        head = f"{MAIL}\n{R0}\n{R1}\n{R2}\nC: DATA\nS: 250 ok\nS: 250 ok\n{no}\nS: 250 ok"
    else:
        head = f"{MAIL}\nS: 250 a\n{R0}\nS: 250 a\n{R1}\n{no}\n{R2}\nS: 250 a\nC: DATA"
    what = to(3, on_refusal=OnRefusal.DELIVER)
    steps = f"{head}\nS: 354 go\n{TEXT}\n{GOOD}"
    receipt, connection = send(what, steps, *["PIPELINING"] * pipelined, cut=cut)
    assert isinstance(receipt, Receipt)
    r0, r1, r2 = what.envelope.recipients
    assert receipt.accepted == (r0, r2)
    assert receipt.refused == {r1: Reply.of(code, "5.1.1 no")}
    assert receipt.outcome(r1) is Outcome.REFUSED
    assert connection.is_idle


@CUTS
@pytest.mark.parametrize("pipelined", [True, False])
def test_some_refused_and_nothing_sent(pipelined: bool, cut: Cut) -> None:
    """T4, T13: the default policy; RSET puts the session in step again."""
    if pipelined:
        head = f"{MAIL}\n{R0}\n{R1}\n{R2}\nS: 250 a\nS: 550 no\nS: 250 a\nS: 451 later"
    else:
        head = f"{MAIL}\nS: 250 a\n{R0}\nS: 550 no\n{R1}\nS: 250 a\n{R2}\nS: 451 later"
    what = to(3)
    error, connection = send(
        what, f"{head}\nC: RSET\nS: 250 ok", *["PIPELINING"] * pipelined, cut=cut
    )
    assert isinstance(error, RecipientsRefused)
    r0, r1, r2 = what.envelope.recipients
    assert error.refused == {r0: Reply.of(550, "no"), r2: Reply.of(451, "later")}
    assert error.accepted == (r1,)
    assert error.reply == Reply.of(550, "no")
    assert error.phase is Phase.RCPT
    assert error.command == "RCPT TO:<r0@example.com>"
    assert "r0@example.com (and 1 more): 550 no" in str(error)
    assert error.outcome is Outcome.REFUSED
    assert not error.temporary
    assert not error.retry_safe
    assert error.message_id == MESSAGE_ID
    assert connection.is_idle


# -- Refusals --------------------------------------------------------------------------------------

CODES = pytest.mark.parametrize("code", [421, 452, 552])


def judge(error: object, kind: type[SMTPError], phase: Phase, code: int) -> None:
    assert type(error) is kind
    assert isinstance(error, SMTPError)
    assert error.phase is phase
    assert error.reply is not None
    assert error.reply.code == code
    assert error.temporary is error.retry_safe is (code < 500)
    assert error.outcome is Outcome.REFUSED
    assert error.message_id == MESSAGE_ID
    assert pickle.loads(pickle.dumps(error)).args == error.args  # noqa: S301


@CODES
def test_the_sender_refused_in_lock_step(code: int) -> None:
    error, connection = send(to(2), f"{MAIL}\nS: {code} no")
    judge(error, SenderRefused, Phase.MAIL, code)
    assert isinstance(error, SenderRefused)
    assert error.command == "MAIL FROM:<ada@example.org>"
    assert connection.is_idle is (code != 421)


@CODES
@pytest.mark.parametrize("data_reply", ["503 no", "554 no", "354 go"])
def test_the_sender_refused_in_a_group(code: int, data_reply: str) -> None:
    """T6."""
    rest = "" if code == 421 else f"\nS: 503 MAIL first\nS: {data_reply}"
    dot = "\nC: .\nS: 554 nobody" if rest and data_reply[0] == "3" else ""
    steps = f"{MAIL}\n{R0}\nC: DATA\nS: {code} no{rest}{dot}"
    error, connection = send(to(), steps, "PIPELINING")
    judge(error, SenderRefused, Phase.MAIL, code)
    assert connection.is_idle is (code != 421)
    assert connection.is_over is (code == 421)


@CODES
@pytest.mark.parametrize("on_refusal", list(OnRefusal))
def test_the_only_recipient_refused_in_lock_step(code: int, on_refusal: OnRefusal) -> None:
    reset = "" if code == 421 else "C: RSET\nS: 250 ok"
    steps = f"{MAIL}\nS: 250 a\n{R0}\nS: {code} no\n{reset}"
    error, connection = send(to(on_refusal=on_refusal), steps)
    judge(error, RecipientsRefused, Phase.RCPT, code)
    assert connection.is_idle is (code != 421)


@CUTS
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("answer", ["+ 250 ok", "+ 554 no", "- 554 no", "- 503-a\nS: 503 b"])
def test_all_recipients_refused_in_a_group(count: int, answer: str, cut: Cut) -> None:
    """T6: a 354 is met with a lone dot and nothing else; then the session is in step."""
    rcpts = "\n".join([R0, R1][:count])
    no = "\nS: 550 5.1.1 no" * count
    if answer[0] == "+":
        rest = f"S: 354 go\nC: .\nS: {answer[2:]}"
    else:
        rest = f"S: {answer[2:]}\nC: RSET\nS: 250 ok"
    what = to(count, on_refusal=OnRefusal.DELIVER)
    steps = f"{MAIL}\n{rcpts}\nC: DATA\nS: 250 ok{no}\n{rest}"
    error, connection = send(what, steps, "PIPELINING", cut=cut)
    judge(error, RecipientsRefused, Phase.RCPT, 550)
    assert isinstance(error, RecipientsRefused)
    assert tuple(error.refused) == what.envelope.recipients
    assert error.accepted == ()
    assert connection.is_idle


def test_421_to_a_recipient_ends_it_whatever_the_policy() -> None:
    """T1: nothing can be delivered any more, even if somebody was accepted."""
    what = to(3, on_refusal=OnRefusal.DELIVER)
    steps = f"{MAIL}\n{R0}\n{R1}\n{R2}\nC: DATA\nS: 250 a\nS: 250 a\nS: 421 bye"
    error, connection = send(what, steps, "PIPELINING")
    judge(error, RecipientsRefused, Phase.RCPT, 421)
    assert isinstance(error, RecipientsRefused)
    assert error.accepted == what.envelope.recipients[:1]
    assert connection.state is State.CLOSING


@CODES
@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_data_refused(code: int, count: int, pipelined: bool) -> None:
    reset = "" if code == 421 else "C: RSET\nS: 250 ok"
    what = to(count, on_refusal=OnRefusal.DELIVER)
    if pipelined:
        rcpts = "\n".join([R0, R1][:count])
        head = f"{MAIL}\n{rcpts}\nC: DATA" + "\nS: 250 ok" * (count + 1)
    else:
        rcpts = "\n".join(f"{rcpt}\nS: 250 ok" for rcpt in [R0, R1][:count])
        head = f"{MAIL}\nS: 250 a\n{rcpts}\nC: DATA"
    error, connection = send(what, f"{head}\nS: {code} no\n{reset}", *["PIPELINING"] * pipelined)
    judge(error, ContentRefused, Phase.DATA, code)
    assert isinstance(error, ContentRefused)
    assert error.command == "DATA"
    assert connection.is_idle is (code != 421)


@CODES
@CUTS
def test_the_content_refused(code: int, cut: Cut) -> None:
    steps = f"{MAIL}\n{R0}\nC: DATA\nS: 250 a\nS: 250 a\nS: 354 x\n{TEXT}\nS: {code} spam"
    error, connection = send(to(), steps, "PIPELINING", cut=cut)
    judge(error, ContentRefused, Phase.END_OF_CONTENT, code)
    assert isinstance(error, ContentRefused)
    assert error.command == "."
    assert connection.is_idle is (code != 421)
    assert connection.is_over is (code == 421)


# -- RSET ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["S: 502 no", "S: 421 bye", "S: 354 x", "EOF", "LOST", "TIMEOUT", "S: garbage"]
)
def test_the_refusal_is_the_news_even_if_rset_fails(word: str) -> None:
    """T13: refused, lost or late: the session is not used again."""
    steps = f"{MAIL}\nS: 250 a\n{R0}\nS: 550 no\nC: RSET\n{word}"
    error, connection = send(to(), steps)
    judge(error, RecipientsRefused, Phase.RCPT, 550)
    assert not connection.is_in_step


@pytest.mark.parametrize("word", ["EOF", "LOST", "TIMEOUT", "S: 354 again", "S: 421 bye"])
def test_the_refusal_is_the_news_even_if_the_lone_dot_fails(word: str) -> None:
    steps = f"{MAIL}\n{R0}\nC: DATA\nS: 250 a\nS: 550 no\nS: 354 go\nC: .\n{word}"
    error, connection = send(to(), steps, "PIPELINING")
    judge(error, RecipientsRefused, Phase.RCPT, 550)
    assert not connection.is_in_step


# -- What is checked before the first octet --------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "keywords", "missing", "text"),
    [
        (
            {"content": Octets(b"\xff", is_eight_bit=True)},
            ("SIZE",),
            "8BITMIME",
            "octets above 127",
        ),
        (
            {"envelope": Envelope("ada@example.org", "jörg@example.com")},
            ("8BITMIME",),
            "SMTPUTF8",
            "an address or a header that is not ASCII",
        ),
        (
            {"envelope": Envelope("jörg@example.com", "bob@example.com")},
            (),
            "SMTPUTF8",
            "an address or a header that is not ASCII",
        ),
        ({"content": b"x" * 1001}, ("SIZE 1000",), "SIZE", "1003 octets; the server takes 1000"),
    ],
)
def test_what_the_server_cannot_take_is_not_sent(
    options: dict[str, Any], keywords: tuple[str, ...], missing: str, text: str
) -> None:
    """E1 to E4, I3."""
    error, connection = send(to(**options), "", *keywords)
    assert isinstance(error, CapabilityMissing)
    assert text in str(error)
    assert error.capability == missing
    assert error.phase is Phase.MAIL
    assert error.outcome is Outcome.NOT_SENT
    assert not error.retry_safe
    assert error.message_id == MESSAGE_ID
    assert connection.is_idle


@pytest.mark.parametrize("keyword", ["SIZE", "SIZE 0", "SIZE x", "SIZE 99999999999999999999999"])
def test_a_size_that_says_nothing_is_no_limit(keyword: str) -> None:
    """E2."""
    steps = f"{MAIL} SIZE=32\nS: 250 a\n{R0}\nS: 250 a\nC: DATA\nS: 354 go\n{TEXT}\n{GOOD}"
    assert len(CONTENT) == 32
    what = to(content=CONTENT[:-2] + b"\n")
    assert isinstance(send(what, steps, keyword)[0], Receipt)


def test_parameters_of_what_is_offered() -> None:
    what = to(
        envelope=Envelope("jörg@example.org", "r0@example.com"),
        content=Octets("Grüße\r\n".encode(), is_eight_bit=True),
    )
    steps = f"""
        C: MAIL FROM:<jörg@example.org> SIZE=9 BODY=8BITMIME SMTPUTF8
        S: 250 ok
        {R0}
        S: 250 ok
        C: DATA
        S: 354 go
        C: Grüße
        C: .
        {GOOD}
    """
    receipt, _ = send(what, steps, "SIZE 10", "8BITMIME", "SMTPUTF8")
    assert isinstance(receipt, Receipt)


@pytest.mark.parametrize("octets", [b"", b"220 mx\r\n"])
def test_a_transaction_needs_a_session(octets: bytes) -> None:
    connection = Connection()
    hear(connection, octets)
    with pytest.raises(LocalProtocolError, match="a transaction cannot begin") as caught:
        run(deliver(connection, to()), connection, "")
    assert caught.value.phase is Phase.MAIL
    assert caught.value.message_id == MESSAGE_ID


def test_a_transaction_does_not_begin_within_another() -> None:
    connection = ready()
    connection.send(Mail(None))
    said(connection)
    hear(connection, b"250 ok\r\n")
    with pytest.raises(LocalProtocolError, match="MAIL"):
        run(deliver(connection, to()), connection, "")


@pytest.mark.parametrize("before", [[EOF], [S(b"421 bye\r\n")]])
def test_a_connection_that_ended_meanwhile(before: list[S]) -> None:
    connection = ready()
    for step in before:
        if step.octets:
            connection.receive_data(step.octets)
        else:
            connection.receive_eof()
    with pytest.raises(ConnectionLost) as caught:
        run(deliver(connection, to()), connection, "")
    assert caught.value.phase is Phase.MAIL
    assert caught.value.retry_safe
    assert caught.value.message_id == MESSAGE_ID


# -- Faults: not sent before the end, unknown behind it --------------------------------------------

ALL = {
    "lock step": f"{MAIL}\nS: 250 a\n{R0}\nS: 250 a\nC: DATA\nS: 354 x\n{TEXT}\n{GOOD}",
    "group": f"{MAIL}\n{R0}\nC: DATA\nS: 250 a\nS: 250 a\nS: 354 x\n{TEXT}\n{GOOD}",
}
FAULTS: dict[str, tuple[list[Step], type[SMTPError]]] = {
    "lost": ([ConnectionLost("reset")], ConnectionLost),
    "timeout": ([Timeout("no answer")], Timeout),
    "close": ([EOF], ConnectionLost),
    "close inside": ([S(b"250-a\r\n250"), EOF], ConnectionLost),
    "garbage": ([S(b"nonsense\r\n")], RemoteProtocolError),
    "mixed codes": ([S(b"250-a\r\n550 b\r\n")], RemoteProtocolError),
}


def parts(steps: str) -> list[Step]:
    """Split a script so that each reply is a step of its own."""
    result: list[Step] = []
    for step in script(steps):
        if isinstance(step, S):
            result += [S(line) for line in Cut.LINE.pieces(step.octets)]
        else:
            result.append(step)
    return result


POSITIONS = [
    pytest.param(name, position, id=f"{name}-{position}")
    for name, steps in ALL.items()
    for position, step in enumerate(parts(steps))
    if isinstance(step, S)
]


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize(("name", "position"), POSITIONS)
def test_a_fault_in_the_place_of_each_reply(name: str, position: int, fault: str) -> None:
    """T7, T9, T10."""
    steps, kind = FAULTS[fault]
    before = parts(ALL[name])
    last = position == len(before) - 1
    error, connection = send(
        to(), [*before[:position], *steps], *["PIPELINING"] * (name == "group")
    )
    assert isinstance(error, SMTPError)
    assert error.message_id == MESSAGE_ID
    if last:
        assert type(error) is DeliveryUnknown
        assert error.outcome is Outcome.UNKNOWN
        assert error.phase is Phase.END_OF_CONTENT
        assert error.command == "."
        assert isinstance(error.__cause__, kind)
        assert not error.retry_safe
        assert not error.temporary
    else:
        assert type(error) is kind
        assert error.outcome is Outcome.NOT_SENT
        assert error.retry_safe is isinstance(error, ConnectionLost)
    assert not connection.is_in_step


@pytest.mark.parametrize("code", [354, 334])
def test_an_intermediate_reply_to_the_end_leaves_it_unknown(code: int) -> None:
    """T9."""
    error, connection = send(
        to(),
        f"{MAIL}\n{R0}\nC: DATA\nS: 250 a\nS: 250 a\nS: 354 x\n{TEXT}\nS: {code} x",
        "PIPELINING",
    )
    assert isinstance(error, DeliveryUnknown)
    assert connection.state is State.BROKEN


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        (f"{MAIL}\nS: 354 go", Phase.MAIL),
        (f"{MAIL}\nS: 250 a\n{R0}\nS: 354 go", Phase.RCPT),
        (f"{MAIL}\nS: 250 a\n{R0}\nS: 250 a\nC: DATA\nS: 250 ok", Phase.DATA),
    ],
)
def test_wrong_stage_replies_send_no_content(steps: str, phase: Phase) -> None:
    """T3."""
    error, connection = send(to(), steps)
    assert type(error) is RemoteProtocolError
    assert error.phase is phase
    assert error.outcome is Outcome.NOT_SENT
    assert connection.state is State.BROKEN


@pytest.mark.parametrize("unsent", [0, 1, 2, 40, 1000])
@pytest.mark.parametrize("kind", [ConnectionLost, Timeout])
@pytest.mark.parametrize("keyword", ["SIZE", "CHUNKING"])
def test_a_failure_before_the_last_octet_has_left_is_not_sent(
    kind: type[ConnectionLost], unsent: int, keyword: str
) -> None:
    """T10: whoever writes the octets knows how many have not left; the end is the last of them."""
    connection = ready("PIPELINING", keyword)
    replies = [b"250 ok\r\n", b"250 ok\r\n", *[b"354 go\r\n"] * (keyword != "CHUNKING")]

    def meet(need: Need) -> None:
        connection.data_to_send()
        assert isinstance(need, Receive)
        if replies:
            connection.receive_data(replies.pop(0))
            return
        connection.count_unsent = lambda: unsent
        raise kind("it broke")

    with pytest.raises(SMTPError) as caught:
        drive(deliver(connection, to()), meet)
    assert type(caught.value) is (kind if unsent else DeliveryUnknown)
    assert caught.value.outcome is (Outcome.NOT_SENT if unsent else Outcome.UNKNOWN)
    assert caught.value.retry_safe is bool(unsent)
    assert not connection.is_in_step


@pytest.mark.parametrize("unsent", [0, 1])
@pytest.mark.parametrize("code", [250, 451, 554])
def test_the_final_reply_came_and_then_the_connection_broke(code: int, unsent: int) -> None:
    """T10: what the server said counts, if it had heard the end of what it talks about."""
    connection = ready("PIPELINING")
    replies = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"%d said\r\n" % code]

    def meet(_need: Need) -> None:
        connection.data_to_send()
        connection.receive_data(replies.pop(0))
        if not replies:
            connection.count_unsent = lambda: unsent
            raise ConnectionLost

    result: Receipt | SMTPError
    try:
        result = drive(deliver(connection, to()), meet)
    except SMTPError as exc:
        result = exc
    if code != 250:
        judge(result, ContentRefused, Phase.END_OF_CONTENT, code)
    else:
        assert type(result) is (ConnectionLost if unsent else Receipt)


# -- Content in pieces -----------------------------------------------------------------------------

HEAD = f"{MAIL}\n{R0}\nC: DATA\nS: 250 a\nS: 250 a\nS: 354 go"


PHASES = [Phase.CONTENT, Phase.CONTENT, Phase.CONTENT, Phase.END_OF_CONTENT]
"""What is going on at each need of `Uploading`."""


def in_pieces(content: bytes, size: int = 10) -> Stream:
    """Return content that is read piece by piece."""
    cut = [content[at : at + size] for at in range(0, len(content), size)]
    return Stream(lambda: iter(cut), is_repeatable=True)


class Uploading:
    """Meets the needs of a transaction up to its content, then does as a test says.

    The needs from there on are counted: a flush between any two pieces, and at last the wait for
    the final reply. Whatever is written then has not left when the connection fails.
    """

    def __init__(self, at: int, what: bytes | SMTPError, then: SMTPError | None = None) -> None:
        self.connection = ready("PIPELINING")
        self.written = b""
        self._replies = [S(b"250 a\r\n"), S(b"250 a\r\n"), S(b"354 go\r\n")]
        self._flushes = iter(range(100))
        self._at = at
        self._what = what
        self._then = then

    def meet(self, need: Need) -> None:
        self.written += said(self.connection)
        if isinstance(need, Receive) and self._replies:
            self.connection.receive_data(self._replies.pop(0).octets)
            return
        if next(self._flushes) != self._at:
            assert need == Flush(Phase.CONTENT)
            return
        self.connection.count_unsent = lambda: 1
        if isinstance(self._what, SMTPError):
            raise self._what
        if self._what:
            self.connection.receive_data(self._what)
        else:
            self.connection.receive_eof()
        if self._then is not None:
            raise self._then

    def result(self) -> SMTPError:
        with pytest.raises(SMTPError) as caught:
            drive(deliver(self.connection, to(content=in_pieces(CONTENT))), self.meet)
        assert not self.connection.is_in_step or self._at == 3
        assert caught.value.message_id == MESSAGE_ID
        return caught.value


def test_content_in_pieces() -> None:
    connection = ready("PIPELINING")
    server = MemoryServer(connection=connection)
    server._mode = "commands"
    needs = needs_of(deliver(connection, to(content=in_pieces(CONTENT * 3))), server.meet)
    assert needs.count(Flush(Phase.CONTENT)) == 9
    assert needs.count(Receive(Phase.END_OF_CONTENT)) == 1
    assert server.taken == [(("RCPT TO:<r0@example.com>",), (CONTENT * 3)[:-2])]
    assert connection.is_idle


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("code", [452, 552])
def test_refused_between_two_pieces(at: int, code: int) -> None:
    """The refusal ends the content: whether the server waits for the dot cannot be known."""
    uploading = Uploading(at, b"%d too big\r\n" % code)
    error = uploading.result()
    judge(error, ContentRefused, Phase.CONTENT, code)
    assert error.command == "DATA"
    assert uploading.connection.state is State.CLOSING
    assert uploading.written.endswith(CONTENT[: 10 * (at + 1)])


@pytest.mark.parametrize("split", range(1, 13))
def test_refused_between_pieces_in_two_segments(split: int) -> None:
    """R2: half a refusal is no reason to stop, nor an error."""
    refusal = b"552 too big\r\n"
    uploading = Uploading(0, refusal[:split])
    rest = [refusal[split:]]

    def meet(need: Need) -> None:
        uploading.meet(need)
        if need == Flush(Phase.CONTENT) and uploading.written.count(b"Plain") and rest:
            uploading.connection.receive_data(rest.pop())

    with pytest.raises(ContentRefused) as caught:
        drive(deliver(uploading.connection, to(content=in_pieces(CONTENT))), meet)
    judge(caught.value, ContentRefused, Phase.CONTENT, 552)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("what", [b"421 4.3.2 bye\r\n", b""], ids=["421", "eof"])
def test_closed_between_two_pieces(at: int, what: bytes) -> None:
    """T1, T10."""
    error = Uploading(at, what).result()
    assert type(error) is ConnectionLost
    assert error.phase is Phase.CONTENT
    assert error.outcome is Outcome.NOT_SENT
    assert error.retry_safe
    assert (error.reply == Reply.of(421, "4.3.2 bye")) is bool(what)


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("what", [b"250 ok\r\n", b"354 more\r\n", b"nonsense\r\n"])
def test_nonsense_between_two_pieces(at: int, what: bytes) -> None:
    error = Uploading(at, what).result()
    assert type(error) is RemoteProtocolError
    assert error.phase is Phase.CONTENT
    assert error.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("then", [ConnectionLost("reset"), Timeout("stuck")])
def test_a_refusal_wins_over_the_reset_that_follows_it(at: int, then: SMTPError) -> None:
    """T10."""
    error = Uploading(at, b"552 too big\r\n", then).result()
    judge(error, ContentRefused, PHASES[at], 552)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize("what", [b"55", b"421 bye\r\n"])
def test_a_reset_is_a_reset_without_a_refusal(at: int, what: bytes) -> None:
    error = Uploading(at, what, ConnectionLost("reset")).result()
    if at == 3 and what.startswith(b"421"):
        judge(error, ContentRefused, Phase.END_OF_CONTENT, 421)  # its reply is due by then
        return
    assert type(error) is ConnectionLost
    assert error.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_reset_and_nonsense(at: int) -> None:
    error = Uploading(at, b"nonsense\r\n", ConnectionLost("reset")).result()
    assert type(error) is RemoteProtocolError
    assert error.phase is PHASES[at]
    assert error.outcome is Outcome.NOT_SENT


def test_an_early_success_does_not_count_if_the_end_was_not_sent() -> None:
    error = Uploading(3, b"250 ok\r\n", ConnectionLost("reset")).result()
    assert type(error) is ConnectionLost
    assert error.outcome is Outcome.NOT_SENT


# -- data() ----------------------------------------------------------------------------------------


def in_rcpt(*keywords: str, count: int = 1, protocol: Protocol = Protocol.SMTP) -> Connection:
    connection = ready(*keywords, protocol=protocol)
    rcpts = [Rcpt(Address.of(f"r{n}@example.com")) for n in range(count)]
    for command in (Mail(None), *rcpts):
        connection.send(command)
        said(connection)
        hear(connection, b"250 ok\r\n")
    return connection


@pytest.mark.parametrize("code", [250, 451, 554, 421])
def test_data_returns_the_final_reply(code: int) -> None:
    connection = in_rcpt()
    reply = run(
        data(connection, Octets(CONTENT)), connection, f"C: DATA\nS: 354 x\n{TEXT}\nS: {code} x"
    )
    assert reply.code == code
    assert connection.is_idle is (code != 421)


@pytest.mark.parametrize("code", [451, 554, 421])
def test_data_returns_a_refusal_of_data(code: int) -> None:
    connection = in_rcpt()
    assert run(data(connection, Octets(CONTENT)), connection, f"C: DATA\nS: {code} no").code == code


def test_data_and_a_lost_reply() -> None:
    connection = in_rcpt()
    with pytest.raises(DeliveryUnknown) as caught:
        run(data(connection, Octets(CONTENT)), connection, f"C: DATA\nS: 354 x\n{TEXT}\nEOF")
    assert caught.value.message_id is None


# -- Pairing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("surprise", ["S: 250 accepted, honestly", "S: 354 again"])
@pytest.mark.parametrize("name", list(ALL))
def test_a_reply_behind_354_is_not_the_reply_to_the_content(name: str, surprise: str) -> None:
    """R11: octets nobody asked for before the content; no reply is paired with another command."""
    before = ALL[name].partition(TEXT)[0]
    error, connection = send(to(), f"{before}{surprise}", *["PIPELINING"] * (name == "group"))
    assert type(error) is RemoteProtocolError
    assert error.outcome is Outcome.NOT_SENT
    assert connection.state is State.BROKEN


@pytest.mark.parametrize("code", [451, 552])
def test_content_refused_right_behind_354(code: int) -> None:
    """A refusal that is there before the first octet of content: nothing of it is sent."""
    error, connection = send(to(), f"{HEAD}\nS: {code} no", "PIPELINING")
    judge(error, ContentRefused, Phase.CONTENT, code)
    assert connection.is_over


def test_421_right_behind_354() -> None:
    error, connection = send(to(), f"{HEAD}\nS: 421 bye", "PIPELINING")
    assert type(error) is ConnectionLost
    assert error.retry_safe
    assert connection.is_over


def test_a_transaction_does_not_take_another_commands_reply() -> None:
    """R11."""
    connection = ready("PIPELINING")
    connection.send(Noop())
    with pytest.raises(LocalProtocolError):
        run(deliver(connection, to()), connection, "C: NOOP")


def test_a_421_behind_the_reply_to_mail_in_lock_step() -> None:
    """T1: it is temporary, whenever it comes."""
    error, connection = send(to(), f"{MAIL}\nS: 250 ok\nS: 421 4.3.2 bye")
    assert isinstance(error, SMTPError)
    assert error.retry_safe
    assert connection.is_over


def test_content_is_as_large_as_it_is_on_the_wire() -> None:
    """E2: SIZE counts CRLF as two octets (RFC 1870 section 3)."""
    error, _ = send(to(content=b"\n" * 600), "", "SIZE 1000")
    assert isinstance(error, CapabilityMissing)


def test_the_error_carries_the_reply_that_is_none() -> None:
    """Which reply was it? That question has an answer here."""
    error, _ = send(to(), f"{MAIL}\nS: 354 go")
    assert isinstance(error, RemoteProtocolError)
    assert error.reply == Reply.of(354, "go")


def test_a_lost_connection_names_the_command() -> None:
    error, _ = send(to(), f"{MAIL}\nS: 250 a\n{R0}\nEOF")
    assert isinstance(error, ConnectionLost)
    assert error.command == "RCPT TO:<r0@example.com>"


# -- Groups ----------------------------------------------------------------------------------------


def test_a_group_is_bounded() -> None:
    """T8: what is unanswered never exceeds the window by more than one command."""
    connection = ready("PIPELINING")
    most = 0

    def meet(need: Need) -> None:
        nonlocal most
        most = max(most, connection.in_flight_octets)
        said(connection)
        asked = need == Receive(Phase.DATA)
        connection.receive_data(b"354 go\r\n" if asked else b"250 ok\r\n")

    receipt = drive(deliver(connection, to(3000)), meet)
    assert len(receipt.accepted) == 3000
    assert GROUP_MAX - 50 < most < GROUP_MAX + 50


def test_a_421_ends_a_group_that_is_larger_than_the_window() -> None:
    """T1."""
    connection = ready("PIPELINING")
    heard = iter([b"250 ok\r\n250 ok\r\n421 bye\r\n"])

    def meet(_need: Need) -> None:
        said(connection)
        connection.receive_data(next(heard))

    with pytest.raises(RecipientsRefused) as caught:
        drive(deliver(connection, to(3000)), meet)
    assert len(caught.value.accepted) == len(caught.value.refused) == 1
    assert connection.is_over


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        (f"{MAIL}\nS: 250 ok", Phase.RCPT),
        (f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok", Phase.RCPT),
        (f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok\n{R1}\nS: 250 ok", Phase.DATA),
    ],
)
@pytest.mark.parametrize("octets", [b"250 surprise\r\n", b"25", b"\r\n"])
def test_octets_between_commands_are_an_error_with_a_phase(
    steps: str, phase: Phase, octets: bytes
) -> None:
    """R11: no reply is paired with a command that had not been sent when it came."""
    cut = script(steps)
    last = cut.pop()
    assert isinstance(last, S)
    error, connection = send(to(2), [*cut, S(last.octets + octets)])
    assert type(error) is RemoteProtocolError
    assert error.phase is phase
    assert error.outcome is Outcome.NOT_SENT
    assert connection.is_over


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        (f"{MAIL}\nS: 250 ok", Phase.RCPT),
        (f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok", Phase.RCPT),
        (f"{MAIL}\nS: 250 ok\n{R0}\nS: 250 ok\n{R1}\nS: 250 ok", Phase.DATA),
    ],
)
def test_421_between_commands_is_a_lost_connection(steps: str, phase: Phase) -> None:
    """T1: it is an answer to nothing that was said."""
    error, connection = send(to(2), f"{steps}\nS: 421 4.3.2 bye")
    assert type(error) is ConnectionLost
    assert error.phase is phase
    assert error.reply == Reply.of(421, "4.3.2 bye")
    assert error.retry_safe
    assert connection.is_over


@pytest.mark.parametrize("pipelining", list(Pipelining))
def test_a_refusal_and_the_end_arrive_together(pipelining: Pipelining) -> None:
    """T10: the refusal came first, and says more."""
    connection = ready("PIPELINING")

    def meet(_need: Need) -> None:
        said(connection)
        connection.receive_data(b"550 5.7.1 no\r\n")
        connection.receive_eof()

    with pytest.raises(SenderRefused) as caught:
        drive(deliver(connection, to(pipelining=pipelining)), meet)
    judge(caught.value, SenderRefused, Phase.MAIL, 550)
    assert not connection.is_idle


# -- data() and bdat(), when the connection breaks -------------------------------------------------


@pytest.mark.parametrize("unsent", [0, 1])
@pytest.mark.parametrize("words", ["", "250 ok", "554 no", "421 bye", "25", "nonsense", "354 x"])
@pytest.mark.parametrize("by", ["DATA", "BDAT"])
def test_the_last_words_to_content_that_a_verb_sent(by: str, words: str, unsent: int) -> None:
    connection = in_rcpt("CHUNKING")
    dialogue = (
        data(connection, Octets(b"x\r\n")) if by == "DATA" else bdat(connection, b"x", last=True)
    )
    begun = [by == "BDAT"]

    def meet(need: Need) -> None:
        said(connection)
        if not begun[0]:
            begun[0] = True
            connection.receive_data(b"354 go\r\n")
            return
        assert need == Receive(Phase.END_OF_CONTENT)
        end = b"\r\n" if len(words) > 2 else b""
        connection.receive_data(words.encode() + end)
        connection.count_unsent = lambda: unsent
        raise ConnectionLost

    if words[:3] in {"554", "421"} or (words == "250 ok" and not unsent):
        assert str(drive(dialogue, meet)) == words
    else:
        with pytest.raises(ConnectionLost if unsent else DeliveryUnknown):
            drive(dialogue, meet)
    assert connection.is_over or not connection.is_settled


@pytest.mark.parametrize("words", [b"552 too big\r\n", b"", b"nonsense\r\n", b"421 bye\r\n"])
def test_the_last_words_in_the_midst_of_content(words: bytes) -> None:
    connection = in_rcpt()
    dialogue = data(connection, Octets(b"x" * 70 * 3000 + b"\r\n"))

    def meet(need: Need) -> None:
        said(connection)
        if isinstance(need, Receive):
            connection.receive_data(b"354 go\r\n")
            return
        connection.receive_data(words)
        raise ConnectionLost

    if words.startswith(b"552"):
        assert drive(dialogue, meet).code == 552
        return
    expected = RemoteProtocolError if words.startswith(b"nonsense") else ConnectionLost
    with pytest.raises(SMTPError) as caught:
        drive(dialogue, meet)
    assert type(caught.value) is expected
    assert caught.value.outcome is Outcome.NOT_SENT


def test_bdat_chunk_by_chunk() -> None:
    connection = in_rcpt("CHUNKING")
    steps: list[Step] = [C(b"BDAT 3\r\n\0\r\n"), S(b"250 3 octets\r\n")]
    assert run(bdat(connection, b"\0\r\n", last=False), connection, steps).code == 250
    assert connection.state is State.CHUNKS
    steps = [C(b"BDAT 0 LAST\r\n"), S(b"250 queued\r\n")]
    assert run(bdat(connection, b"", last=True), connection, steps).code == 250
    assert connection.is_idle


@pytest.mark.parametrize("last", [True, False])
def test_bdat_that_is_refused(last: bool) -> None:
    connection = in_rcpt("CHUNKING")
    line = b"BDAT 1 LAST\r\nx" if last else b"BDAT 1\r\nx"
    steps: list[Step] = [C(line), S(b"552 too much\r\n")]
    assert run(bdat(connection, b"x", last=last), connection, steps).code == 552
    assert connection.state is State.FAILED
    assert run(perform(connection, Rset()), connection, "C: RSET\nS: 250 ok").code == 250
    assert connection.is_idle


def test_bdat_needs_chunking() -> None:
    connection = in_rcpt()
    with pytest.raises(CapabilityMissing, match="CHUNKING") as caught:
        run(bdat(connection, b"x", last=True), connection, "")
    assert caught.value.capability == "CHUNKING"
    assert connection.state is State.RCPT


def test_a_chunk_that_is_not_the_last_and_a_lost_reply() -> None:
    connection = in_rcpt("CHUNKING")
    with pytest.raises(ConnectionLost) as caught:
        run(bdat(connection, b"x", last=False), connection, [C(b"BDAT 1\r\nx"), EOF])
    assert caught.value.outcome is Outcome.NOT_SENT


@pytest.mark.parametrize("end", [b"550 no\r\n", b"421 bye\r\n", b"250 c\r\n"])
@pytest.mark.parametrize("by", ["DATA", "BDAT"])
def test_the_last_of_several_final_replies(by: str, end: bytes) -> None:
    """RFC 2033 section 4.2: one for each recipient that was accepted."""
    connection = in_rcpt("CHUNKING", count=3, protocol=Protocol.LMTP)
    replies = S(b"250 a\r\n550 b\r\n" + end)
    steps: list[Step]
    if by == "DATA":
        steps = [C(b"DATA\r\n"), S(b"354 go\r\n"), C(b"x\r\n.\r\n"), replies]
        reply = run(data(connection, Octets(b"x")), connection, steps)
    else:
        steps = [C(b"BDAT 1 LAST\r\nx"), replies]
        reply = run(bdat(connection, b"x", last=True), connection, steps)
    assert reply.wire() == end
    assert connection.awaited is None


@pytest.mark.parametrize("unsent", [0, 1])
def test_several_last_words(unsent: int) -> None:
    connection = in_rcpt("CHUNKING", count=2, protocol=Protocol.LMTP)

    def meet(_need: Need) -> None:
        said(connection)
        connection.receive_data(b"250 a\r\n550 b\r\n")
        connection.count_unsent = lambda: unsent
        raise ConnectionLost

    assert drive(bdat(connection, b"x", last=True), meet).code == 550
    assert connection.is_over


@pytest.mark.parametrize(
    "policies", [("deliver", "continuous"), tuple(OnRefusal)[1:] + tuple(Pipelining)[2:]]
)
def test_policies_may_be_strings(policies: tuple[str, str]) -> None:
    def not_asked() -> Any:
        raise AssertionError

    envelope = Envelope("ada@example.org", "bob@example.com")
    on_refusal, pipelining = policies
    what = Transaction.of(
        b"x",
        envelope,
        now=not_asked,
        make_id=not_asked,
        on_refusal=on_refusal,
        pipelining=pipelining,
    )
    assert what.on_refusal is OnRefusal.DELIVER
    assert what.pipelining is Pipelining.CONTINUOUS
    assert what.content == Octets(b"x")
