"""The server without I/O: dialogues, whole and octet by octet."""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo.commands import AUTH_LINE_MAX, Verb
from ehlo.errors import InvalidInput
from ehlo.reply import Reply
from ehlo.testing import (
    Action,
    Answer,
    AuthChannel,
    Close,
    Dialect,
    Mode,
    Offer,
    ReceivedCommand,
    Reset,
    Send,
    ServerConnection,
    ServerOptions,
    Silence,
    Situation,
    StartTls,
    TakeEffect,
    Usual,
    Wait,
    Wording,
)

if TYPE_CHECKING:
    from collections.abc import Callable

GREETING = "220 mail.example.org ESMTP ready"
USERS = {"ada": "s3cret pässword"}


def actions_of(connection: ServerConnection) -> list[Action]:
    return list(iter(connection.next_action, None))


def sent(actions: list[Action]) -> bytes:
    return b"".join(action.octets for action in actions if isinstance(action, Send))


def play(
    octets: bytes, options: ServerOptions | None = None, *, tls: bool = False
) -> tuple[ServerConnection, list[Action]]:
    """Feed octets whole and one by one; both must come to the same."""
    whole = ServerConnection(options, tls=tls)
    whole.receive_data(octets)
    single = ServerConnection(options, tls=tls)
    for position in range(len(octets)):
        single.receive_data(octets[position : position + 1])
    actions = actions_of(whole)
    assert actions_of(single) == actions
    assert single.messages == whole.messages
    assert single.commands == whole.commands
    assert single.discarded == whole.discarded
    assert single.mode is whole.mode
    return whole, actions


def replies(*lines: str, options: ServerOptions | None = None, tls: bool = False) -> list[str]:
    """Return the reply lines to command lines, without the greeting."""
    _, actions = play("".join(f"{line}\r\n" for line in lines).encode(), options, tls=tls)
    greeting, *rest = sent(actions).decode().removesuffix("\r\n").split("\r\n")
    assert greeting == GREETING
    return rest


def last(*lines: str, options: ServerOptions | None = None, tls: bool = False) -> str:
    return replies(*lines, options=options, tls=tls)[-1]


def test_a_transaction() -> None:
    connection, actions = play(
        b"EHLO client.example.org\r\n"
        b"MAIL FROM:<ada@example.org> SIZE=20 BODY=8BITMIME\r\n"
        b"RCPT TO:<bob@example.com>\r\n"
        b"RCPT TO:<carol@example.com>\r\n"
        b"DATA\r\n"
        b"..stuffed\r\nbare\nlf\r\n.\r\n"
        b"QUIT\r\n"
    )
    assert sent(actions).decode().split("\r\n") == [
        GREETING,
        "250-mail.example.org greets client.example.org",
        "250-PIPELINING",
        "250-SIZE 10485760",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250 ENHANCEDSTATUSCODES",
        "250 2.1.0 Sender OK",
        "250 2.1.5 Recipient OK",
        "250 2.1.5 Recipient OK",
        "354 End data with <CR><LF>.<CR><LF>",
        "250 2.0.0 Ok: queued as 00010001",
        "221 2.0.0 mail.example.org closing connection",
        "",
    ]
    assert actions[-1] == Close()
    assert connection.mode is Mode.CLOSED
    [message] = connection.messages
    assert message.sender == "ada@example.org"
    assert message.recipients == ("bob@example.com", "carol@example.com")
    assert message.content == b".stuffed\r\nbare\nlf\r\n"
    assert message.parameters == {"SIZE": "20", "BODY": "8BITMIME"}
    assert message.hello == "client.example.org"
    assert (message.tls, message.user, message.connection) == (False, None, 1)
    assert message.queue_id == "00010001"
    assert message.bare_line_ends == 1
    assert [str(command) for command in connection.commands] == [
        "EHLO client.example.org",
        "MAIL FROM:<ada@example.org> SIZE=20 BODY=8BITMIME",
        "RCPT TO:<bob@example.com>",
        "RCPT TO:<carol@example.com>",
        "DATA",
        ".",
        "QUIT",
    ]


DATE = "Mon, 23 Nov 2026 21:00:00 +0000"


def test_the_classic_dialogue_as_typed_by_hand() -> None:
    options = ServerOptions.exchange(date=DATE, hostname="mx.example.org")
    connection, actions = play(
        b"helo client\r\n"
        b"mail from: <alice@example.org>\r\n"
        b"rcpt to:<bob@example.com>\r\n"
        b"data\r\n"
        b"Subject: Hello\r\n\r\nHow are you?\r\n.\r\n"
        b"quit\r\n",
        options,
    )
    assert sent(actions).decode().split("\r\n") == [
        f"220 mx.example.org Microsoft ESMTP MAIL Service, Version: 10.0.0.1 ready at {DATE}",
        "250 mx.example.org Hello [127.0.0.1]",
        "250 2.1.0 alice@example.org....Sender OK",
        "250 2.1.5 bob@example.com ",
        "354 Start mail input; end with <CRLF>.<CRLF>",
        "250 2.6.0 <00010001@mx.example.org> Queued mail for delivery",
        "221 2.0.0 mx.example.org Service closing transmission channel",
        "",
    ]
    assert connection.messages[0].parse()["Subject"] == "Hello"


READY = ("EHLO c.example",)
SENDER = (*READY, "MAIL FROM:<a@example.org>")
RECIPIENT = (*SENDER, "RCPT TO:<b@example.org>")


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        (("NOOP",), "250 2.0.0 OK"),
        (("noop some text",), "250 2.0.0 OK"),
        (("RSET",), "250 2.0.0 OK"),
        (("HELP",), "214 2.0.0 This server keeps what it gets; see RFC 5321"),
        (("VRFY bob",), "252 2.1.5 Cannot verify the user, but will try delivery"),
        (("EXPN list",), "502 5.5.1 Command not implemented"),
        (("QUIT",), "221 2.0.0 mail.example.org closing connection"),
        (("HELO c.example",), "250 mail.example.org greets c.example"),
        (("HELO [127.0.0.1]  ",), "250 mail.example.org greets [127.0.0.1]"),
        (("HELO",), "501 5.5.4 The command needs an argument"),
        (("EHLO a b",), "501 5.5.4 A single host name or address literal is needed"),
        (("RSET now",), "501 5.5.4 The command takes no argument"),
        (("XFOO bar",), "500 5.5.2 Command not recognized"),
        (("",), "500 5.5.2 Command not recognized"),
        (("NOOP \x00",), "500 5.5.2 The line holds a control character or is not UTF-8"),
        (("NOOP \r",), "500 5.5.2 The line holds a control character or is not UTF-8"),
        (("NOOP " + "x" * 2041,), "250 2.0.0 OK"),
        (("NOOP " + "x" * 2042,), "500 5.5.2 Line too long"),
        (("NOOP " + "x" * AUTH_LINE_MAX * 2,), "500 5.5.2 Line too long"),
        (("MAIL FROM:<a@example.org>",), "503 5.5.1 Bad sequence of commands"),
        (("STARTTLS",), "503 5.5.1 Bad sequence of commands"),
        ((*READY, "RCPT TO:<b@example.org>"), "503 5.5.1 Bad sequence of commands"),
        ((*READY, "DATA"), "503 5.5.1 Bad sequence of commands"),
        ((*READY, "STARTTLS"), "502 5.5.1 Command not implemented"),
        ((*READY, "AUTH PLAIN"), "502 5.5.1 Command not implemented"),
        ((*READY, "MAIL FROM:<>"), "250 2.1.0 Sender OK"),
        ((*READY, "MAIL FROM:   <a@example.org>"), "250 2.1.0 Sender OK"),
        ((*READY, "MAIL FROM:<@relay.example,@b.example:a@example.org>"), "250 2.1.0 Sender OK"),
        ((*READY, 'MAIL FROM:<"a>\\"b"@example.org>'), "250 2.1.0 Sender OK"),
        ((*READY, "MAIL FROM:<a@example.org> body=7bit size=0"), "250 2.1.0 Sender OK"),
        ((*READY, "MAIL FROM:<ä@example.org> SMTPUTF8"), "250 2.1.0 Sender OK"),
        (
            (*READY, "MAIL FROM:<ä@example.org>"),
            "553 5.6.7 A non-ASCII address needs SMTPUTF8",
        ),
        ((*READY, "MAIL"), "501 5.5.4 The command needs an argument"),
        ((*READY, "MAIL FROM:a@example.org"), "501 5.1.7 Syntax: MAIL FROM:<address>"),
        ((*READY, "MAIL TO:<a@example.org>"), "501 5.1.7 Syntax: MAIL FROM:<address>"),
        ((*READY, "MAIL FROM:<a b@example.org>"), "501 5.1.7 Syntax: MAIL FROM:<address>"),
        ((*READY, "MAIL FROM:<a@example.org>x"), "501 5.1.7 Syntax: MAIL FROM:<address>"),
        ((*READY, "MAIL FROM:<> SIZE"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> SIZE=x"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> SIZE=1 SIZE=1"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> SMTPUTF8=yes"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> =9"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> BODY=BINARYMIME"), "501 5.5.4 Bad parameter"),
        ((*READY, "MAIL FROM:<> X=1"), "555 5.5.4 Parameter not recognized or not implemented"),
        (
            (*READY, "MAIL FROM:<> AUTH=<>"),
            "555 5.5.4 Parameter not recognized or not implemented",
        ),
        (
            ("HELO c.example", "MAIL FROM:<> SIZE=1"),
            "555 5.5.4 Parameter not recognized or not implemented",
        ),
        ((*READY, "MAIL FROM:<> SIZE=10485760"), "250 2.1.0 Sender OK"),
        ((*READY, "MAIL FROM:<> SIZE=10485761"), "552 5.3.4 Message size exceeds the limit"),
        ((*SENDER, "MAIL FROM:<a@example.org>"), "503 5.5.1 Bad sequence of commands"),
        ((*SENDER, "DATA"), "503 5.5.1 Bad sequence of commands"),
        ((*SENDER, "RCPT TO:<Postmaster>"), "250 2.1.5 Recipient OK"),
        ((*SENDER, "RCPT TO:<>"), "501 5.1.3 Syntax: RCPT TO:<address>"),
        (
            (*SENDER, "RCPT TO:<b@example.org> NOTIFY=NEVER"),
            "555 5.5.4 Parameter not recognized or not implemented",
        ),
        (
            (*SENDER, "RCPT TO:<bücher@example.org>"),
            "553 5.6.7 A non-ASCII address needs SMTPUTF8",
        ),
        ((*RECIPIENT, "DATA now"), "501 5.5.4 The command takes no argument"),
        ((*RECIPIENT, "RSET", "DATA"), "503 5.5.1 Bad sequence of commands"),
        ((*RECIPIENT, "EHLO again", "DATA"), "503 5.5.1 Bad sequence of commands"),
        ((*RECIPIENT, "DATA", ".", "DATA"), "503 5.5.1 Bad sequence of commands"),
    ],
)
def test_a_reply(lines: tuple[str, ...], reply: str) -> None:
    assert last(*lines) == reply


@pytest.mark.parametrize(
    ("octets", "reply", "shown"),
    [
        (b"NOOP\n", "500 5.5.2 A line ends with CRLF", "NOOP"),
        (
            b"NOOP \xff\r\n",
            "500 5.5.2 The line holds a control character or is not UTF-8",
            "NOOP \\xff",
        ),
    ],
)
def test_a_line_that_is_none(octets: bytes, reply: str, shown: str) -> None:
    connection, actions = play(octets)
    assert sent(actions).decode() == f"{GREETING}\r\n{reply}\r\n"
    assert [command.line for command in connection.commands] == [shown]


def test_an_endless_line_is_not_kept() -> None:
    connection = ServerConnection()
    for _ in range(20):
        connection.receive_data(b"x" * 10_000)
    connection.receive_data(b"\r\nNOOP\r\n")
    assert connection.data_to_send().decode().split("\r\n")[1:] == [
        "500 5.5.2 Line too long",
        "250 2.0.0 OK",
        "",
    ]
    assert len(connection.commands[0].line) == 2048


def test_without_enhanced_status_codes() -> None:
    options = ServerOptions(
        capabilities=("SIZE",),
        wording=Wording(sender="2.1.0 Yes\n2.1.0 indeed", help="2.0.0"),
    )
    assert replies("EHLO c", "NOOP", "XFOO", "MAIL FROM:<>", "HELP", options=options) == [
        "250-mail.example.org greets c",
        "250 SIZE",
        "250 OK",
        "500 Command not recognized",
        "250-Yes",
        "250 indeed",
        "214 ",
    ]


def test_a_server_from_before_ehlo() -> None:
    options = ServerOptions(dialect=Dialect.SMTP)
    assert replies("EHLO c", "HELO c", options=options) == [
        "502 5.5.1 Command not implemented",
        "250 mail.example.org greets c",
    ]


# --- content


def content_of(octets: bytes, size: int | None = None) -> tuple[ServerConnection, str]:
    options = ServerOptions(capabilities=() if size is None else (f"SIZE {size}",))
    preface = "".join(f"{line}\r\n" for line in (*RECIPIENT, "DATA")).encode()
    connection, actions = play(preface + octets, options)
    return connection, sent(actions).decode().split("\r\n")[-2]


@pytest.mark.parametrize(
    ("octets", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"a\r\n..b\r\n...\r\n.\r\n", b"a\r\n.b\r\n..\r\n"),
        (b".x\r\n.\r\n", b"x\r\n"),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),
        (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
        (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n"),
        (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n"),
        (b"a\r\r\n.\r\n", b"a\r\r\n"),
        (b"\x00\xff\r\n.\r\n", b"\x00\xff\r\n"),
    ],
)
def test_content(octets: bytes, content: bytes) -> None:
    connection, reply = content_of(octets)
    assert reply == "250 Ok: queued as 00010001"
    assert connection.messages[0].content == content


@pytest.mark.parametrize("octets", [b"a\n.\n", b"a\n.\r\n", b"a\r.\r", b"a\r\n.\n", b"a\r\n.\r"])
def test_nothing_else_ends_content(octets: bytes) -> None:
    connection, reply = content_of(octets)
    assert reply.startswith("354 ")
    assert connection.mode is Mode.CONTENT


@pytest.mark.parametrize(
    ("octets", "accepted"),
    [
        (b"12345678\r\n.\r\n", True),
        (b"..2345678\r\n.\r\n", True),
        (b"123456789\r\n.\r\n", False),
        (b"x" * 100 + b"\r\n.\r\n", False),
        (b"..\r\n" * 50 + b".\r\n", False),
    ],
)
def test_the_limit_of_content(octets: bytes, accepted: bool) -> None:
    connection, reply = content_of(octets, 10)
    assert bool(connection.messages) is accepted
    assert reply.startswith("250 " if accepted else "552 ")


def test_an_endless_content_is_not_kept() -> None:
    connection, _ = content_of(b"", 10)
    for _ in range(20):
        connection.receive_data(b"y" * 1000)
    connection.receive_data(b"\r\n.\r\nNOOP\r\n")
    assert connection.data_to_send().decode().split("\r\n") == [
        "552 Message size exceeds the limit",
        "250 OK",
        "",
    ]
    assert not connection.messages


def test_two_messages_pipelined() -> None:
    envelope = b"MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n%d\r\n.\r\n"
    connection, _ = play(b"EHLO c\r\n" + envelope % 1 + envelope % 2)
    assert [message.content for message in connection.messages] == [b"1\r\n", b"2\r\n"]
    assert [message.queue_id for message in connection.messages] == ["00010001", "00010002"]


# --- STARTTLS


def test_starttls() -> None:
    options = ServerOptions(starttls=Offer.OFFERED)
    connection, actions = play(b"EHLO c\r\nSTARTTLS\r\nMAIL FROM:<evil@example.org>\r\n", options)
    assert b"250 STARTTLS\r\n" in sent(actions)
    assert actions[-2:] == [Send(b"220 2.0.0 Ready to start TLS\r\n"), StartTls()]
    assert connection.mode is Mode.TLS
    connection.receive_data(b"RCPT")
    assert connection.discarded == b"MAIL FROM:<evil@example.org>\r\nRCPT"
    connection.tls_started()
    connection.receive_data(b"MAIL FROM:<a@example.org>\r\nEHLO c\r\nSTARTTLS\r\n")
    said = connection.data_to_send().decode().split("\r\n")
    assert said[0] == "503 5.5.1 Bad sequence of commands"  # the EHLO before is forgotten
    assert "250-STARTTLS" not in said
    assert said[-2] == "503 5.5.1 Bad sequence of commands"
    assert [command.tls for command in connection.commands] == [False] * 2 + [True] * 3


def test_starttls_that_was_not_asked_for() -> None:
    with pytest.raises(RuntimeError, match="did not ask"):
        ServerConnection().tls_started()


@pytest.mark.parametrize(
    ("line", "free"),
    [("NOOP", True), ("STARTTLS", True), ("MAIL FROM:<>", False), ("RSET", False)],
)
def test_starttls_required(line: str, free: bool) -> None:
    options = ServerOptions(starttls=Offer.REQUIRED)
    reply = last("EHLO c", line, options=options)
    assert (reply != "530 5.7.0 Must issue a STARTTLS command first") is free
    assert last("EHLO c", "MAIL FROM:<>", options=options, tls=True).startswith("250 ")


def test_starttls_needs_ehlo() -> None:
    options = ServerOptions(starttls=Offer.OFFERED)
    assert last("HELO c", "STARTTLS", options=options).startswith("502 ")


# --- AUTH


def b64(text: str | bytes) -> str:
    octets = text.encode() if isinstance(text, str) else text
    return base64.b64encode(octets).decode()


PLAIN = b64("\0ada\0s3cret pässword")
WRONG = b64("\0ada\0guess")
DONE = "235 2.7.0 Authentication successful"
BAD = "501 5.5.2 Cannot decode the response"


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ((f"AUTH PLAIN {PLAIN}",), DONE),
        ((f"auth plain {PLAIN}",), DONE),
        (("AUTH PLAIN", PLAIN), DONE),
        ((f"AUTH PLAIN {b64(chr(0).join(['ada', 'ada', USERS['ada']]))}",), DONE),
        (("AUTH LOGIN", b64("ada"), b64(USERS["ada"])), DONE),
        ((f"AUTH LOGIN {b64('ada')}", b64(USERS["ada"])), DONE),
        (("AUTH PLAIN",), "334 "),
        (("AUTH LOGIN",), "334 VXNlcm5hbWU6"),
        (("AUTH LOGIN", b64("ada")), "334 UGFzc3dvcmQ6"),
        ((f"AUTH PLAIN {WRONG}",), "535 5.7.8 Authentication credentials invalid"),
        (
            (f"AUTH PLAIN {b64(chr(0).join(['root', 'ada', USERS['ada']]))}",),
            "535 5.7.8 Authentication credentials invalid",
        ),
        (("AUTH LOGIN", b64("eve"), b64("x")), "535 5.7.8 Authentication credentials invalid"),
        ((f"AUTH PLAIN {WRONG}", f"AUTH PLAIN {PLAIN}"), DONE),
        (("AUTH PLAIN", "*"), "501 5.7.0 Authentication cancelled"),
        (("AUTH PLAIN", "*", "NOOP"), "250 2.0.0 OK"),
        (("AUTH PLAIN", "no base64"), BAD),
        (("AUTH PLAIN", PLAIN + "="), BAD),
        (("AUTH PLAIN", PLAIN + "===="), BAD),
        (("AUTH PLAIN =",), BAD),
        ((f"AUTH PLAIN {PLAIN} {PLAIN}",), BAD),
        ((f"AUTH PLAIN {b64('ada')}",), BAD),
        ((f"AUTH PLAIN {b64(bytes(2) + bytes([255]))}",), BAD),
        (("AUTH PLAIN", "A" * 12_284), BAD),
        (
            ("AUTH PLAIN", "A" * 12_288),
            "500 5.5.6 Authentication exchange line is too long",
        ),
        (("AUTH PLAIN " + "A" * 12_288,), "500 5.5.2 Line too long"),
        (("AUTH XFOO",), "504 5.5.4 Unrecognized authentication mechanism"),
        (("AUTH",), "501 5.5.4 The command needs an argument"),
        ((f"AUTH PLAIN {PLAIN}", "AUTH PLAIN"), "503 5.5.1 Bad sequence of commands"),
        (("MAIL FROM:<>", "AUTH PLAIN"), "503 5.5.1 Bad sequence of commands"),
        (("MAIL FROM:<> AUTH=<>",), "250 2.1.0 Sender OK"),
        (("MAIL FROM:<> AUTH=e+3Dmc2@example.com",), "250 2.1.0 Sender OK"),
        (("MAIL FROM:<> AUTH=e+mc2",), "501 5.5.4 Bad parameter"),
        (("HELO c", "AUTH PLAIN"), "502 5.5.1 Command not implemented"),
    ],
)
def test_auth(lines: tuple[str, ...], reply: str) -> None:
    assert last("EHLO c", *lines, options=ServerOptions(users=USERS)) == reply


def test_an_auth_response_with_a_bare_line_feed() -> None:
    _, actions = play(b"EHLO c\r\nAUTH PLAIN\r\nAAAA\n", ServerOptions(users=USERS))
    assert actions[-1] == Send(b"500 5.5.2 A line ends with CRLF\r\n")


def test_who_is_authenticated_is_kept_and_secrets_are_not() -> None:
    lines = (
        "EHLO c",
        "AUTH hunter2=",
        f"AUTH PLAIN {WRONG}",
        "AUTH LOGIN",
        b64("ada"),
        "*",
        f"AUTH PLAIN {PLAIN}",
        *RECIPIENT[1:],
        "DATA",
        ".",
    )
    options = ServerOptions(users=USERS)
    connection, actions = play("".join(f"{line}\r\n" for line in lines).encode(), options)
    assert b"250 AUTH PLAIN LOGIN\r\n" in sent(actions)
    assert connection.messages[0].user == "ada"
    assert [command.line for command in connection.commands][1:7] == [
        "AUTH ***",
        "AUTH PLAIN ***",
        "AUTH LOGIN",
        "***",
        "*",
        "AUTH PLAIN ***",
    ]
    assert "s3cret" not in repr(options)


@pytest.mark.parametrize(
    ("line", "free"),
    [("NOOP", True), ("AUTH PLAIN", True), ("MAIL FROM:<>", False), ("VRFY bob", False)],
)
def test_auth_required(line: str, free: bool) -> None:
    options = ServerOptions(users=USERS, auth=Offer.REQUIRED)
    reply = last("EHLO c", line, options=options)
    assert (reply != "530 5.7.0 Authentication required") is free
    assert last("EHLO c", f"AUTH PLAIN {PLAIN}", line, options=options)[0] in "25"


def test_auth_off() -> None:
    options = ServerOptions(users=USERS, auth=Offer.OFF)
    assert last("EHLO c", options=options) == "250 ENHANCEDSTATUSCODES"
    assert last("EHLO c", "AUTH PLAIN", options=options).startswith("502 ")


def test_auth_under_tls_only() -> None:
    options = ServerOptions(users=USERS, auth_channel=AuthChannel.TLS)
    assert last("EHLO c", options=options) == "250 ENHANCEDSTATUSCODES"
    assert last("EHLO c", "AUTH PLAIN", options=options).startswith("538 5.7.11 ")
    assert last("EHLO c", options=options, tls=True) == "250 AUTH PLAIN LOGIN"
    assert last("EHLO c", f"AUTH PLAIN {PLAIN}", options=options, tls=True) == DONE


# --- answers


def answering(answers: dict[str, Answer]) -> ServerOptions:
    return ServerOptions(answers=answers)


@pytest.mark.parametrize(
    "key",
    [
        "RCPT",
        "rcpt to: <B@example.org>",
        "RCPT TO:<b@example.org>",
        Verb.RCPT,
    ],
)
def test_an_answer_is_found_by(key: str) -> None:
    options = answering({key: Reply.of(550, "5.1.1 No")})
    assert last(*RECIPIENT, options=options) == "550 5.1.1 No"


def test_the_most_specific_answer_wins() -> None:
    options = answering(
        {
            "MAIL": Reply.of(450, "any"),
            "MAIL FROM:<a@x>": Reply.of(451, "path"),
            "MAIL FROM:<a@x> SIZE=1": Reply.of(452, "line"),
            Verb.OTHER: Reply.of(502, "other"),
            "XFOO": Reply.of(250, "foo"),
        }
    )
    lines = ("EHLO c", "MAIL FROM:<a@x> SIZE=1", "MAIL FROM:<a@x> SIZE=2", "MAIL FROM:<b@x>")
    assert [reply[:3] for reply in replies(*lines, "XFOO", "XBAR", options=options)[-5:]] == [
        "452",
        "451",
        "450",
        "250",
        "502",
    ]


def test_an_answer_decides_what_becomes_of_the_command() -> None:
    options = answering({"RCPT TO:<no@example.org>": Reply.of(550), "VRFY": Reply.of(250)})
    connection, _ = play(
        b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<no@example.org>\r\nRCPT TO:<yes@example.org>\r\n"
        b"VRFY bob\r\nDATA\r\n.\r\n",
        options,
    )
    assert connection.messages[0].recipients == ("yes@example.org",)


def test_a_positive_answer_to_a_command_out_of_order_has_no_effect() -> None:
    assert replies("DATA", "NOOP", options=answering({"DATA": Reply.of(354)})) == [
        "354 ",
        "250 2.0.0 OK",
    ]


def test_a_refused_end_of_content_keeps_no_message_and_ends_the_transaction() -> None:
    options = answering({".": Reply.of(451, "4.3.0 Later")})
    assert last(*RECIPIENT, "DATA", ".", options=options) == "451 4.3.0 Later"
    connection, actions = play(
        "".join(f"{line}\r\n" for line in (*RECIPIENT, "DATA", ".", "DATA")).encode(), options
    )
    assert not connection.messages
    assert actions[-1] == Send(b"503 5.5.1 Bad sequence of commands\r\n")


@pytest.mark.parametrize(
    ("verb", "answer", "expected"),
    [
        ("NOOP", Close(), [Close()]),
        ("NOOP", Reset(), [Reset()]),
        ("NOOP", (), []),
        ("NOOP", (Usual(), Close()), [Send(b"250 2.0.0 OK\r\n"), Close()]),
        ("NOOP", (Reply.of(421), Close()), [Send(b"421 \r\n"), Close()]),
        ("NOOP", (Close(), Send(b"late")), [Close()]),
        ("NOOP", (Silence(), Usual()), []),
        (
            "NOOP",
            (Send(b"2"), Wait("go"), Send(b"50 \r\n")),
            [Send(b"2"), Wait("go"), Send(b"50 \r\n")],
        ),
        ("NOOP", StartTls(), [StartTls()]),
        ("QUIT", Reply.of(500), [Send(b"500 \r\n")]),
        ("QUIT", (TakeEffect(), Reset()), [Reset()]),
        ("QUIT", TakeEffect(), [Close()]),
    ],
)
def test_steps(verb: str, answer: Answer, expected: list[Action]) -> None:
    _, actions = play(f"{verb}\r\n".encode(), answering({verb: answer}))
    assert actions[1:] == expected


def test_silence_is_for_good() -> None:
    options = answering({".": (Usual(), Silence())})
    lines = "".join(f"{line}\r\n" for line in (*RECIPIENT, "DATA", ".", "NOOP", "QUIT"))
    connection, actions = play(lines.encode(), options)
    assert actions[-1] == Send(b"250 2.0.0 Ok: queued as 00010001\r\n")
    assert [command.verb for command in connection.commands][-2:] == [Verb.NOOP, Verb.QUIT]
    connection.receive_eof()
    assert actions_of(connection) == [Close()]


def test_a_message_is_accepted_and_its_reply_lost() -> None:
    options = answering({".": (TakeEffect(), Close())})
    lines = "".join(f"{line}\r\n" for line in (*RECIPIENT, "DATA", ".", "NOOP"))
    connection, actions = play(lines.encode(), options)
    assert len(connection.messages) == 1
    assert actions[-1] == Close()
    assert connection.commands[-1].verb is Verb.END_OF_CONTENT


def test_octets_glued_behind_the_reply_to_starttls() -> None:
    options = ServerOptions(
        starttls=Offer.OFFERED, answers={"STARTTLS": (Usual(), Send(b"250 injected\r\n"))}
    )
    connection, _ = play(b"EHLO c\r\nSTARTTLS\r\n", options)
    assert connection.mode is Mode.TLS
    fresh = ServerConnection(options)
    fresh.receive_data(b"EHLO c\r\nSTARTTLS\r\n")
    assert fresh.data_to_send().endswith(b"220 2.0.0 Ready to start TLS\r\n250 injected\r\n")
    assert fresh.data_to_send() == b""
    assert fresh.next_action() == StartTls()


def test_answers_to_an_auth_exchange() -> None:
    options = ServerOptions(users=USERS, answers={Verb.AUTH_RESPONSE: Reply.of(454, "4.7.0 Later")})
    lines = ("EHLO c", "AUTH PLAIN", PLAIN, "AUTH PLAIN", PLAIN)
    assert [reply[:3] for reply in replies(*lines, options=options)[-4:]] == ["334", "454"] * 2


def test_a_server_that_does_not_greet() -> None:
    connection, actions = play(
        b"EHLO c\r\nQUIT\r\n", answering({Verb.GREETING: Reply.of(554, "No")})
    )
    assert sent(actions).decode().split("\r\n") == [
        "554 No",
        "503 5.5.1 Bad sequence of commands",
        "221 2.0.0 mail.example.org closing connection",
        "",
    ]
    assert connection.mode is Mode.CLOSED


def test_a_function_answers() -> None:
    seen: list[tuple[ReceivedCommand, Situation]] = []

    def answers(command: ReceivedCommand, situation: Situation) -> Answer | None:
        seen.append((command, situation))
        greylisted = command.verb is Verb.RCPT and not situation.recipients
        return Reply.of(451, "4.7.1 Greylisted") if greylisted else None

    connection = ServerConnection(ServerOptions(users=USERS, answers=answers), connection=7)
    connection.receive_data(
        f"EHLO c\r\nAUTH PLAIN {PLAIN}\r\nMAIL FROM:<a@example.org>\r\n"
        "RCPT TO:<b@example.org>\r\n".encode()
    )
    assert connection.data_to_send().endswith(b"451 4.7.1 Greylisted\r\n")
    command, situation = seen[-1]
    assert command == ReceivedCommand(
        verb=Verb.RCPT, line="RCPT TO:<b@example.org>", connection=7, tls=False
    )
    assert situation == Situation(
        usual=Reply.of(250, "2.1.5 Recipient OK"),
        hello="c",
        user="ada",
        sender="a@example.org",
        recipients=(),
        content=b"",
        announced=situation.announced,
        first_in_read=False,
    )
    assert situation.announced.auth == ("PLAIN", "LOGIN")
    assert seen[0][0].verb is Verb.GREETING


def test_a_function_sees_the_content() -> None:
    def answers(_command: ReceivedCommand, situation: Situation) -> Answer | None:
        return Reply.of(550, "5.7.1 Spam") if b"viagra" in situation.content else None

    options = ServerOptions(answers=answers)
    assert last(*RECIPIENT, "DATA", "viagra", ".", options=options) == "550 5.7.1 Spam"
    assert last(*RECIPIENT, "DATA", "hello", ".", options=options).startswith("250 ")


# --- the end


def test_the_client_goes_away() -> None:
    connection, _ = play(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nhalf")
    connection.receive_eof()
    connection.receive_eof()
    assert actions_of(connection) == [Close()]
    assert not connection.messages
    connection.receive_data(b"\r\n.\r\n")
    assert actions_of(connection) == []


# --- options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ServerOptions(hostname="a\r\nb"), "the host name"),
        (lambda: ServerOptions(capabilities=("SIZE\r\n",)), "the capability"),
        (lambda: ServerOptions(mechanisms=("XFOO",)), "XOAUTH2, EXTERNAL, ANONYMOUS, not 'XFOO'"),
        (lambda: ServerOptions(auth="sometimes"), "'off', 'offered', 'required'"),  # type: ignore[arg-type]
    ],
)
def test_options_that_no_server_can_have(make: Callable[[], ServerOptions], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()


def test_options_take_strings_for_enums() -> None:
    options = ServerOptions(auth="required", dialect="smtp")  # type: ignore[arg-type]
    assert (options.auth, options.dialect) == (Offer.REQUIRED, Dialect.SMTP)
    assert dataclasses.replace(options, hostname="b").auth is Offer.REQUIRED


# --- laws

FRAGMENTS = st.sampled_from(
    [
        b"EHLO c\r\n",
        b"HELO c\r\n",
        b"MAIL FROM:<a@example.org>\r\n",
        b"RCPT TO:<b@example.org>\r\n",
        b"DATA\r\n",
        b"\r\n.\r\n",
        b"..\r\n",
        b"\n.\n",
        b"BDAT 3\r\n",
        b"BDAT 0 LAST\r\n",
        b"bdat 21 last\r\n",
        b"LHLO c\r\n",
        b"XCLIENT NAME=c\r\n",
        b"XFORWARD NAME=c\r\n",
        b"RSET\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH LOGIN YWRh\r\n",
        b"*\r\n",
        b"QUIT\r\n",
        b"\r",
        b"\n",
        b" ",
    ]
)
STREAMS = st.lists(FRAGMENTS | st.binary(max_size=20), max_size=25).map(b"".join)


@given(STREAMS, st.data(), st.sampled_from(Dialect))
def test_any_octets_in_any_pieces(octets: bytes, data: st.DataObject, dialect: Dialect) -> None:
    options = ServerOptions(
        users=USERS,
        dialect=dialect,
        starttls=Offer.OFFERED,
        capabilities=("SIZE 20", "SMTPUTF8", "CHUNKING", "XCLIENT NAME", "XFORWARD NAME"),
    )
    whole, actions = play(octets, options)
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=5).map(sorted))
    pieces = ServerConnection(options)
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        pieces.receive_data(octets[start:end])
    assert actions_of(pieces) == actions
    assert pieces.messages == whole.messages
    assert pieces.commands == whole.commands
    assert sent(actions).endswith(b"\r\n")


@given(st.lists(st.binary(max_size=30), max_size=5).map(b"\r\n".join))
def test_content_comes_back_as_it_was_stuffed(octets: bytes) -> None:
    content = octets + b"\r\n"
    stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
    connection, _ = content_of(stuffed)
    assert connection.messages[0].content == content
