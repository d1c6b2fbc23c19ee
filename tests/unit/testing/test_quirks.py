"""Each quirk, as octets in reads: what is said and kept, and that it differs from the usual."""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ehlo.errors import InvalidInput
from ehlo.reply import Reply
from ehlo.testing import Answer, Mode, Quirk, Send, Server, ServerConnection, ServerOptions, Wait
from ehlo.testing._traits import _TRAITS

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "testing.md"

HELLO = b"EHLO c\r\n"
MAIL = b"MAIL FROM:<a@example.org>\r\n"
RCPT = b"RCPT TO:<b@example.org>\r\n"
NO = b"RCPT TO:<no@example.org>\r\n"
ENVELOPE = MAIL + RCPT + b"DATA\r\n"
PLAIN = base64.b64encode(b"\0ada\0secret")
GREETING = "220 mail.example.org ESMTP ready"
REFUSING: dict[str, Answer] = {"RCPT TO:<no@example.org>": Reply.of(550, "5.1.1 No such user")}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a client sends to a server with a quirk, and what comes of it."""

    reads: tuple[bytes, ...]
    """Each of them comes in at once; EHLO is said before, unless the quirk is about greetings."""
    says: str
    """The beginnings of the lines of the server's replies, between bars."""
    closed: bool = False
    contents: tuple[bytes, ...] = ()
    hello: bytes = HELLO
    capabilities: tuple[str, ...] = ("PIPELINING", "ENHANCEDSTATUSCODES")
    answers: dict[str, Answer] = field(default_factory=lambda: REFUSING)
    starttls: str = "off"
    users: dict[str, str] = field(default_factory=dict[str, str])
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")

    def options(self, *quirks: Quirk) -> ServerOptions:
        return ServerOptions(
            capabilities=self.capabilities,
            answers=self.answers,
            starttls=self.starttls,  # type: ignore[arg-type]
            users=self.users,
            mechanisms=self.mechanisms,
            quirks=quirks,
        )


def content(octets: bytes, says: str, *, kept: bytes | None = None, closed: bool = False) -> Case:
    """Return the case of a message with this content."""
    return Case(
        reads=(ENVELOPE, octets + b"\r\n.\r\n"),
        says=f"250|250|354|{says}",
        contents=() if kept is None else (kept + b"\r\n",),
        closed=closed,
    )


def nobody(says: str, *, closed: bool = False, command: bytes = b"DATA\r\n") -> Case:
    """Return the case of a group whose recipients are all refused."""
    capabilities = ("PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING")
    reads = (MAIL + NO + NO + command,)
    return Case(reads=reads, says=f"250|550|550|{says}", closed=closed, capabilities=capabilities)


def command_line(length: int, says: str) -> Case:
    """Return the case of a command line that is too long by one, and of one that is not."""
    fits = b"NOOP " + b"x" * (length - 8) + b"\r\n"
    return Case(reads=(fits, b"x" + fits), says=f"250 2.0.0|{says}", hello=HELLO)


def early(says: str, *, closed: bool = False) -> Case:
    return Case(reads=(HELLO + MAIL + RCPT,), says=says, closed=closed, hello=b"", capabilities=())


def ehlo(says: str, *capabilities: str) -> Case:
    return Case(reads=(HELLO,), says=says, capabilities=capabilities, hello=b"")


def auth(reads: tuple[bytes, ...], says: str, *, closed: bool = False) -> Case:
    users = {"ada": "secret"}
    capabilities = ("SIZE 1000", "8BITMIME")
    return Case(reads=reads, says=says, closed=closed, users=users, capabilities=capabilities)


LOGIN = b"AUTH PLAIN " + PLAIN + b"\r\n"
WRONG = b"AUTH PLAIN " + base64.b64encode(b"\0ada\0guess") + b"\r\n"
TOKEN = b"AUTH XOAUTH2 " + base64.b64encode(b"user=ada\1auth=Bearer stale\1\1") + b"\r\n"
PIPED = b"x\r\n.\r\n" + MAIL + b"QUIT\r\n"
ACCEPTED = "250 2.0.0 Ok"

CASES: dict[Quirk, Case] = {
    Quirk.DROPS_BEHIND_DOT: Case(
        reads=(ENVELOPE, PIPED, b"NOOP\r\n"),
        says=f"250|250|354|{ACCEPTED}|250 2.0.0 OK",
        contents=(b"x\r\n",),
    ),
    Quirk.REFUSES_BEHIND_DOT: Case(
        reads=(ENVELOPE, PIPED, b"NOOP\r\n"),
        says=f"250|250|354|{ACCEPTED}|503 5.5.1 Pipelined|503 5.5.1 Pipelined|250 2.0.0 OK",
        contents=(b"x\r\n",),
    ),
    Quirk.DIES_BEHIND_DOT: Case(
        reads=(ENVELOPE, PIPED), says="250|250|354", contents=(b"x\r\n",), closed=True
    ),
    Quirk.DIES_ON_RSET_IN_GROUP: Case(
        reads=(b"RSET\r\n" + MAIL + RCPT, NO + b"RSET\r\n" + MAIL),
        says="250|250|250|550",
        closed=True,
    ),
    Quirk.REFUSES_UNOFFERED_PIPELINING: Case(
        reads=(MAIL, RCPT + b"DATA\r\n"),
        says="250|500 5.5.1 Pipelining not supported",
        closed=True,
        capabilities=("ENHANCEDSTATUSCODES",),
    ),
    Quirk.CLOSES_ON_UNOFFERED_PIPELINING: Case(
        reads=(MAIL, RCPT + b"DATA\r\n"), says="250", closed=True, capabilities=()
    ),
    Quirk.REFUSES_BEHIND_EHLO: Case(
        reads=(HELLO + MAIL, HELLO, MAIL),
        says="554 5.5.0|503|250 mail.example.org|250 Sender",
        capabilities=(),
        hello=b"",
    ),
    Quirk.NO_RECIPIENTS_554: nobody("554 5.5.1 Error: no valid recipients"),
    Quirk.NO_RECIPIENTS_503_WITH_REASON: nobody(
        "503-All RCPT commands were rejected with this error:|503-5.1.1 No such user|503 Valid RCPT"
    ),
    Quirk.NO_RECIPIENTS_502: nobody("502", command=b"BDAT 4 LAST\r\nQUIT"),
    Quirk.NO_RECIPIENTS_421: nobody("421 4.5.0 Too many errors", closed=True),
    Quirk.NO_RECIPIENTS_354: nobody("354|554 5.5.1 No valid|250", command=b"DATA\r\n.\r\nNOOP\r\n"),
    Quirk.READS_REFUSED_CHUNKS: nobody("502|500", command=b"BDAT 6 LAST\r\nbody\r\n"),
    Quirk.BARE_LINE_END_421: content(b"a\rb", "421", closed=True),
    Quirk.BARE_LINE_END_521: content(b"a\nb", "521", closed=True),
    Quirk.BARE_LF_451: content(b"a\nb", "451"),
    Quirk.BARE_LF_550: content(b"a\nb", "550"),
    Quirk.BARE_LF_TO_CRLF: content(b"a\nb\rc\r\n", ACCEPTED, kept=b"a\r\nb\rc\r\n"),
    Quirk.BARE_LF_TO_SPACE: content(b"a\nb\rc\r\n", ACCEPTED, kept=b"a b\r\nc\r\n"),
    Quirk.BARE_CR_TO_SPACE: content(b"a\nb\rc\r\n", ACCEPTED, kept=b"a\nb c\r\n"),
    Quirk.BARE_CR_VANISHES: content(b"a\nb\rc\r\n", ACCEPTED, kept=b"a\nbc\r\n"),
    Quirk.LOOSE_END_MARKS: Case(
        reads=(ENVELOPE, b"..a\n..b\n.\nNOOP\r\n", ENVELOPE, b"a\r\n.\nNOOP\r\n"),
        says=f"250|250|354|{ACCEPTED}|250|250|250|354|{ACCEPTED}|250",
        contents=(b".a\n.b\n", b"a\r\n"),
    ),
    Quirk.LF_DOT_CRLF_ENDS: Case(
        reads=(ENVELOPE, b"a\n.\nb\n.\r\nNOOP\r\n"),
        says=f"250|250|354|{ACCEPTED}|250 2.0.0 OK",
        contents=(b"a\n\nb\n",),
    ),
    Quirk.LINES_UNDER_1000: content(b"x" * 1000, "500"),
    Quirk.LINES_UNDER_2000: content(b"x" * 2000, "554"),
    Quirk.LINES_UNDER_10000: content(b"x" * 10_000, "534"),
    Quirk.LINES_UNDER_100000: content(b"x" * 100_000, "500"),
    Quirk.LINES_CUT_AT_990: content(
        b"x" * 990 + b"\r\n" + b"y" * 998,
        ACCEPTED,
        kept=b"\r\n".join((b"x" * 990, b"y" * 990, b"y" * 8)),
    ),
    Quirk.COMMANDS_UNDER_1000: command_line(1000, "500 5.5.2 Line too long"),
    Quirk.COMMANDS_UNDER_2048: command_line(2048, "500 5.5.2 Line too long"),
    Quirk.COMMANDS_UNDER_5000: command_line(5000, "500 5.5.2 Line too long"),
    Quirk.COMMANDS_UNDER_5000_554: command_line(5000, "554 5.5.0"),
    Quirk.COMMANDS_UNDER_100000: command_line(100_000, "500 5.5.2 Line too long"),
    Quirk.NOOP_WITHOUT_ARGUMENT: Case(reads=(b"NOOP\r\n", b"NOOP x\r\n"), says="250|501"),
    Quirk.NUL_554: content(b"a\0b", "554"),
    Quirk.NUL_CUTS_LINE: content(b"a\0b\r\nc", ACCEPTED, kept=b"a\r\nc"),
    Quirk.EARLY_TALKER_421: early("421 You talk too soon", closed=True),
    Quirk.EARLY_TALKER_550: early("550|503|503|503"),
    Quirk.EARLY_TALKER_554: early("554 SMTP synchronization error", closed=True),
    Quirk.EARLY_TALKER_REFUSED_LATER: early("554|250|550|550"),
    Quirk.EARLY_TALKER_MIXED_CODES: early(
        "220-mail.example.org ESMTP|250 mail.example.org|250 Sender|550"
    ),
    Quirk.GREETS_LATE: early("250 mail.example.org|250 Sender|250 Recipient|220"),
    Quirk.STARTTLS_GROUP_500: Case(
        reads=(b"STARTTLS\r\nNOOP\r\n",), says="500", closed=True, starttls="offered"
    ),
    Quirk.STARTTLS_GROUP_554: Case(
        reads=(b"STARTTLS\r\nNOOP\r\n",), says="554", closed=True, starttls="offered"
    ),
    Quirk.STARTTLS_GROUP_BREAKS: Case(
        reads=(b"STARTTLS\r\nNOOP\r\n",), says="220", closed=True, starttls="offered"
    ),
    Quirk.EHLO_ENDS_EMPTY: ehlo("250-mail|250-DSN|250 =", "DSN"),
    Quirk.EHLO_ENDS_WITH_SESSIONID: ehlo("250-mail|250-DSN|250 Ok SESSIONID=<", "DSN"),
    Quirk.EHLO_KEYWORDS_WITH_VALUES: ehlo(
        "250-mail|250-DSN|250-XVERP=Courier|250 XSECURITY=NONE,STARTTLS", "DSN"
    ),
    Quirk.EHLO_SAYS_HELLO: ehlo("250-Hello c|250 DSN", "DSN"),
    Quirk.EHLO_SAYS_OK: ehlo("250-Ok EventMachine SMTP Server|250 DSN", "DSN"),
    Quirk.EHLO_SAYS_DESTINY: ehlo(
        "250-mail.example.org - Your hour of destiny has come.|250 DSN", "DSN"
    ),
    Quirk.EHLO_IS_ONE_LINE: ehlo("250 mail.example.org greets c", "DSN"),
    Quirk.SIZE_WITHOUT_NUMBER: ehlo("250-mail|250-DSN|250 SIZE=", "DSN", "size 9"),
    Quirk.OFFERS_MORE_AFTER_AUTH: auth(
        (HELLO, LOGIN, HELLO),
        "250-mail|250-SIZE 1000|250-8BITMIME|250 AUTH PLAIN LOGIN|235|"
        "250-mail|250-8BITMIME|250-DSN|250-SMTPUTF8|250-SIZE 41943040|250 AUTH=",
    ),
    Quirk.NO_EHLO_AFTER_AUTH: auth((LOGIN, HELLO, b"NOOP\r\n"), "235|500|250"),
    Quirk.PARAMETERS_WITH_RCPT_ONLY: Case(
        reads=(MAIL[:-2] + b" BY=9;R\r\n", MAIL, RCPT[:-2] + b" BY=9;R MT-PRIORITY=3\r\n"),
        says="500|250|250",
        capabilities=("DELIVERBY", "MT-PRIORITY"),
    ),
    Quirk.AUTH_PARAMETER_555: auth((MAIL[:-2] + b" AUTH=<>\r\n",), "555"),
    Quirk.AUTH_PARAMETER_501: auth((MAIL[:-2] + b" auth=<>\r\n",), "501"),
    Quirk.HIDES_LIMITS: Case(
        reads=(HELLO + MAIL + RCPT + RCPT,),
        says="250-mail|250 DSN|250|250|452",
        capabilities=("DSN", "LIMITS RCPTMAX=1"),
        hello=b"",
    ),
    Quirk.MAILMAX_421: Case(
        reads=(MAIL + b"RSET\r\n" + MAIL + b"NOOP\r\n",),
        says="250|250|421|250",
        capabilities=("LIMITS MAILMAX=1",),
    ),
    Quirk.SENDER_REFUSED_AT_RCPT: Case(
        reads=(MAIL + RCPT + RCPT + b"RSET\r\n", b"MAIL FROM:<>\r\n" + RCPT),
        says="250|553 5.7.1 No|553 5.7.1 No|250|250|250",
        answers={"MAIL FROM:<a@example.org>": Reply.of(553, "5.7.1 No")},
    ),
    Quirk.REFUSED_TOKEN_454: Case(
        reads=(TOKEN, b"\r\n"), says="334|454", users={"ada": "x"}, mechanisms=("XOAUTH2",)
    ),
    Quirk.WRONG_PASSWORD_501: auth((WRONG, LOGIN), "501|235"),
    Quirk.WRONG_PASSWORD_CLOSES: auth((WRONG,), "535", closed=True),
    Quirk.SECOND_AUTH_502: auth((LOGIN, LOGIN), "235|502"),
    Quirk.SECOND_AUTH_235: auth((LOGIN, LOGIN), "235|235"),
    Quirk.RCPT_ANSWERED_LATE: Case(
        reads=(MAIL + RCPT + b"DATA\r\n", b"DATA\r\n", b".\r\n"),
        says=f"250|503|250|354|{ACCEPTED}",
        contents=(b"",),
    ),
}  # fmt: skip


def play(case: Case, options: ServerOptions) -> tuple[list[str], bool, tuple[bytes, ...]]:
    """Return what the server says, whether it closed, and the contents it took."""
    connection = ServerConnection(options)
    if case.hello:
        connection.receive_data(case.hello)
        connection.data_to_send()
    elif not any(quirk.topics == (9,) for quirk in options.quirks):
        connection.data_to_send()
    for read in case.reads:
        connection.receive_data(read)
    actions = list(iter(connection.next_action, None))
    said = b"".join(action.octets for action in actions if isinstance(action, Send))
    contents = tuple(message.content for message in connection.messages)
    return said.decode().split("\r\n")[:-1], connection.mode is Mode.CLOSED, contents


def begins(lines: list[str], says: str) -> bool:
    """Whether each line begins as it should; with `=` at the end, whether it is all of the line."""
    expected = says.split("|")
    return len(lines) == len(expected) and all(
        line == text[:-1] if text.endswith("=") else line.startswith(text)
        for line, text in zip(lines, expected, strict=True)
    )


@pytest.mark.parametrize("quirk", Quirk)
def test_a_quirk(quirk: Quirk) -> None:
    case = CASES[quirk]
    lines, closed, contents = play(case, case.options(quirk))
    assert begins(lines, case.says), lines
    assert closed is case.closed
    assert contents == case.contents
    assert play(case, case.options()) != (lines, closed, contents)  # it is not the usual


def test_every_quirk_has_its_conduct() -> None:
    assert set(_TRAITS) == set(Quirk) == set(CASES)


# --- what they leave alone


@pytest.mark.parametrize("quirk", [quirk for quirk in Quirk if quirk.topics != (9,)])
def test_a_plain_transaction_passes(quirk: Quirk) -> None:
    reads = (HELLO, MAIL, RCPT, b"DATA\r\n", b"Hello\r\n.\r\n", b"QUIT\r\n")
    case = Case(reads=reads, says="", capabilities=(), hello=b"", answers={})
    lines, closed, contents = play(case, case.options(quirk))
    assert [line[:3] for line in lines if line[3] != "-"] == "250 250 250 354 250 221".split()  # noqa: SIM905
    assert (closed, contents) == (True, (b"Hello\r\n",))


@pytest.mark.parametrize("quirk", [quirk for quirk in Quirk if quirk.topics == (9,)])
def test_who_waits_is_greeted(quirk: Quirk) -> None:
    connection = ServerConnection(ServerOptions(quirks=(quirk,)))
    begun = connection.data_to_send()
    assert begun in {b"", b"220-mail.example.org ESMTP\r\n"}
    assert connection.next_action() == Wait("greeting")
    assert connection.next_action() == Send(f"{GREETING}\r\n".encode())
    connection.receive_data(HELLO + MAIL + RCPT)
    assert connection.data_to_send().count(b"250 ") == 3


@pytest.mark.parametrize(("dialect", "hello"), [("esmtp", b"EHLO c\r\n"), ("lmtp", b"LHLO c\r\n")])
def test_content_for_nobody_has_one_reply(dialect: str, hello: bytes) -> None:
    options = ServerOptions(
        quirks=(Quirk.NO_RECIPIENTS_354,),
        dialect=dialect,  # type: ignore[arg-type]
        capabilities=("PRDR",),
    )
    connection = ServerConnection(options)
    connection.receive_data(hello + MAIL[:-2] + b" PRDR\r\nDATA\r\n.\r\n")
    assert connection.data_to_send().endswith(b"\r\n554 No valid recipients\r\n")
    assert not connection.messages


def test_exim_without_a_refusal_says_it_in_one_line() -> None:
    options = ServerOptions(quirks=(Quirk.NO_RECIPIENTS_503_WITH_REASON,))
    connection = ServerConnection(options)
    connection.receive_data(HELLO + MAIL + b"DATA\r\n")
    assert connection.data_to_send().endswith(b"\r\n503 Valid RCPT command must precede DATA\r\n")


def test_two_refused_recipients_are_not_too_many_with_one() -> None:
    options = ServerOptions(quirks=(Quirk.NO_RECIPIENTS_421,), answers=REFUSING)
    connection = ServerConnection(options)
    connection.receive_data(HELLO + MAIL + NO + b"DATA\r\n")
    assert connection.data_to_send().endswith(b"503 5.5.1 Bad sequence of commands\r\n")


def test_a_chunk_that_is_wanted_is_no_command() -> None:
    options = ServerOptions(
        capabilities=("CHUNKING",), quirks=(Quirk.READS_REFUSED_CHUNKS, Quirk.DIES_BEHIND_DOT)
    )
    connection = ServerConnection(options)
    connection.receive_data(HELLO + MAIL + RCPT + b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert connection.messages[0].content == b"QUIT\r\n"
    assert connection.mode is Mode.CLOSED


def test_a_negative_answer_is_kept_for_recipients_only() -> None:
    answers: dict[str, Answer] = {"MAIL": Reply.of(250, "2.1.0 Fine"), "NOOP": Reply.of(250)}
    options = ServerOptions(quirks=(Quirk.SENDER_REFUSED_AT_RCPT,), answers=answers)
    connection = ServerConnection(options)
    connection.receive_data(HELLO + MAIL + RCPT + b"NOOP\r\n")
    assert connection.data_to_send().endswith(
        b"250 2.1.0 Fine\r\n250 2.1.5 Recipient OK\r\n250 \r\n"
    )


def test_quirks_add_up_and_the_first_has_its_way() -> None:
    quirks = (
        Quirk.NO_RECIPIENTS_554,
        Quirk.NO_RECIPIENTS_502,
        Quirk.COMMANDS_UNDER_1000,
        Quirk.COMMANDS_UNDER_5000,
        Quirk.EHLO_ENDS_EMPTY,
        Quirk.BARE_CR_VANISHES,
        Quirk.BARE_LF_TO_CRLF,
        Quirk.READS_REFUSED_CHUNKS,
        Quirk.NO_RECIPIENTS_354,
    )
    connection = ServerConnection(ServerOptions(quirks=quirks, capabilities=()))
    connection.receive_data(HELLO + b"NOOP " + b"x" * 1000 + b"\r\n" + MAIL + b"DATA\r\n")
    said = connection.data_to_send().decode().split("\r\n")
    assert [line[:4] for line in said[2:]] == ["250 ", "500 ", "250 ", "554 ", ""]
    connection.receive_data(RCPT + b"DATA\r\na\rb\nc\r\n.\r\n")
    assert connection.messages[0].content == b"ab\r\nc\r\n"


def test_the_answers_of_the_options_come_first() -> None:
    options = ServerOptions(
        quirks=(Quirk.NOOP_WITHOUT_ARGUMENT,), answers={"NOOP x": Reply.of(250, "Yes")}
    )
    connection = ServerConnection(options)
    connection.receive_data(b"NOOP x\r\nNOOP y\r\n")
    assert connection.data_to_send().decode().split("\r\n")[1:3] == [
        "250 Yes",
        "501 5.5.4 NOOP takes no argument",
    ]


def test_quirks_may_be_plain_strings() -> None:
    options = ServerOptions(quirks=["nul-554"])  # type: ignore[arg-type]
    assert options.quirks == (Quirk.NUL_554,)
    with pytest.raises(InvalidInput, match="nul-555"):
        ServerOptions(quirks=["nul-555"])  # type: ignore[arg-type]


# --- over a network


def exchange(server: Server, *reads: bytes) -> bytes:
    """Send each read when the one before was answered; return what came back until the end."""
    said = b""
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        for read in reads:
            said += sock.recv(4096)
            sock.sendall(read)
        sock.shutdown(socket.SHUT_WR)
        return said + b"".join(iter(lambda: sock.recv(4096), b""))


@pytest.mark.parametrize(
    ("quirk", "codes"),
    [
        (Quirk.DROPS_BEHIND_DOT, ["250"]),
        (Quirk.REFUSES_BEHIND_DOT, ["250", "503", "503"]),
        (Quirk.DIES_BEHIND_DOT, []),
    ],
)
def test_behind_the_dot_in_one_segment(quirk: Quirk, codes: list[str]) -> None:
    with Server(ServerOptions(quirks=(quirk,), capabilities=("PIPELINING",))) as server:
        said = exchange(server, HELLO, ENVELOPE, PIPED).decode()
    assert re.findall("(?m)^(\\d{3}) ", said.partition("354")[2]) == codes
    assert [message.content for message in server.messages] == [b"x\r\n"]


def test_an_early_talker_over_a_network() -> None:
    with Server(ServerOptions(quirks=(Quirk.EARLY_TALKER_554,))) as server:
        with socket.create_connection((server.host, server.port), timeout=5) as sock:
            sock.sendall(HELLO)
            assert sock.recv(4096) == b"554 SMTP synchronization error\r\n"
        with socket.create_connection((server.host, server.port), timeout=5) as sock:
            server.release("greeting")
            assert sock.recv(4096) == f"{GREETING}\r\n".encode()


# --- the table


def test_the_reference_lists_them_all() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| (.+?) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [
        (quirk.name, ", ".join(map(str, quirk.topics)), quirk.servers, quirk.what)
        for quirk in Quirk
    ]
