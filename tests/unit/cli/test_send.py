import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli.conftest import Result, Run

from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Close,
    Offer,
    ReceivedCommand,
    Server,
    ServerOptions,
    Silence,
    Situation,
    TakeEffect,
)
from support import tls

MAIL = ("--from", "ada@example.org", "--to", "bob@example.com")
USERS = {"ada": "opensesame"}


def answering(**answers: Answer) -> ServerOptions:
    return ServerOptions(answers={key.replace("_", " "): value for key, value in answers.items()})


NO_BOB = ServerOptions(answers={"RCPT TO:<bob@example.com>": Reply.of(550, "5.1.1 No such user")})


def test_the_dialogue_and_the_receipt(run: Run) -> None:
    with Server() as server:
        result = run("send", "--server", server.url, *MAIL)
        (message,) = server.messages
    assert (result.code, result.err) == (0, "")
    dialogue, _, receipt = result.out.rpartition("\n\n")
    assert dialogue.startswith("S: 220 mail.example.org ESMTP ready\nC: EHLO [127.0.0.1]\n")
    message_id = message.parse()["Message-ID"]
    assert receipt.splitlines() == [
        "The server has taken the mail, and answers for it from now on.",
        "  accepted   bob@example.com",
        f"  queue id   {message.queue_id}",
        f"  reply      250 2.0.0 Ok: queued as {message.queue_id}",
        f"  Message-ID {message_id}",
    ]


def test_each_reply_stands_behind_its_command(run: Run) -> None:
    with Server() as server:
        lines = run("send", "--server", server.url, *MAIL).out.splitlines()
    rcpt = lines.index("C: RCPT TO:<bob@example.com>")
    assert lines[rcpt + 1 : rcpt + 4] == [
        "S: 250 2.1.5 Recipient OK",
        "C: DATA",
        "S: 354 End data with <CR><LF>.<CR><LF>",
    ]


def test_commands_in_a_group(run: Run) -> None:
    with Server() as server:
        argv = ("send", "--server", server.url, *MAIL, "--pipelining", "transaction")
        lines = run(*argv).out.splitlines()
    rcpt = lines.index("C: RCPT TO:<bob@example.com>")
    assert lines[rcpt + 1] == "C: DATA"


def test_the_server_from_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as server:
        monkeypatch.setenv("EHLO_URL", server.url)
        assert run("send", *MAIL).code == 0
        assert len(server.messages) == 1


def test_quiet_is_the_receipt_only(run: Run) -> None:
    with Server() as server:
        result = run("send", "--quiet", "--server", server.url, *MAIL)
    assert result.out.startswith("The server has taken the mail")


def test_a_queue_id_that_is_not_known(run: Run) -> None:
    with Server(ServerOptions(answers={".": Reply.of(250, "ok")})) as server:
        result = run("send", "-q", "--server", server.url, *MAIL)
    assert "  queue id   not known; the reply may hold it\n" in result.out


# --- logging in


def test_a_log_in_with_the_password_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHLO_PASSWORD", USERS["ada"])
    with Server(ServerOptions(users=USERS, auth=Offer.REQUIRED)) as server:
        result = run("send", "--server", server.url, "--user", "ada", *MAIL)
        (message,) = server.messages
    assert message.user == "ada"
    assert "C: AUTH PLAIN ***\n" in result.out
    assert USERS["ada"] not in result.out + result.err


def test_a_wrong_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHLO_PASSWORD", "opensaysme")
    with Server(ServerOptions(users=USERS)) as server:
        result = run("send", "--server", server.url, "--user", "ada", *MAIL)
    assert result.code == 28
    assert "  while      authenticating\n" in result.err
    assert "EHLO_PASSWORD" in result.err
    assert "opensaysme" not in result.out + result.err


def test_starttls_with_a_certificate_of_ones_own(run: Run, tmp_path: Path) -> None:
    tls.authority().cert_pem.write_to_path(tmp_path / "ca.pem")
    with Server(ssl_context=tls.server_context()) as server:
        argv = ("send", "--server", server.url, "--ca", str(tmp_path / "ca.pem"), *MAIL)
        result = run(*argv)
        (message,) = server.messages
    assert result.code == 0
    assert message.tls
    assert "\n*: TLS established: TLSv1.3" in result.out


# --- refusals


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (answering(MAIL=Reply.of(553, "5.7.1 Not you")), 23, "the server refused the sender"),
        (NO_BOB, 24, "the server refused the recipient bob@example.com"),
        (answering(DATA=Reply.of(451, "4.3.0 Later")), 25, "the server refused the message"),
        (
            ServerOptions(answers={".": Reply.of(554, "5.6.0 Spam")}),
            26,
            "the server refused the message: 554 5.6.0 Spam",
        ),
        (answering(EHLO=Reply.of(450, "4.3.2 Not now")), 22, "the server refused EHLO"),
        (
            ServerOptions(answers={Verb.GREETING: Reply.of(554, "No")}),
            21,
            "the server refused the connection",
        ),
        (answering(MAIL=Reply.of(354, "what?")), 42, "the server broke the protocol"),
        (answering(RCPT=Close()), 24, "the connection was lost"),
    ],
)
def test_a_failure_is_told_with_its_code(
    run: Run, options: ServerOptions, code: int, said: str
) -> None:
    with Server(options) as server:
        result = run("send", "--server", server.url, *MAIL)
        assert not server.messages
    assert result.code == code
    assert result.err.startswith(f"ehlo: {said}")
    assert "\n  mail       " in result.err
    assert "\n  try        " in result.err


def test_some_refused_is_nobody_served(run: Run) -> None:
    with Server(NO_BOB) as server:
        result = run("send", "--server", server.url, *MAIL, "--to", "cy@example.com")
        assert not server.messages
    assert result.code == 24
    assert "  refused    bob@example.com: 550 5.1.1 No such user\n" in result.err
    assert "  would take cy@example.com\n" in result.err


def test_some_refused_and_the_rest_served(run: Run) -> None:
    with Server(NO_BOB) as server:
        argv = ("send", "--server", server.url, *MAIL, "--to", "cy@example.com")
        result = run(*argv, "--on-refusal", "deliver")
        (message,) = server.messages
    assert message.recipients == ("cy@example.com",)
    assert (result.code, result.err) == (41, "")
    assert "  accepted   cy@example.com\n" in result.out
    assert "  REFUSED    bob@example.com: 550 5.1.1 No such user\n" in result.out


def test_a_lost_reply_is_unknown(run: Run) -> None:
    with Server(ServerOptions(answers={".": (TakeEffect(), Close())})) as server:
        result = run("send", "--server", server.url, *MAIL)
        (message,) = server.messages
    assert result.code == 40
    assert "  mail       MAY BE OUT: " in result.err
    assert f"  Message-ID {message.parse()['Message-ID']}\n" in result.err


def test_no_server(run: Run) -> None:
    with Server() as server:
        url = server.url
    result = run("send", "--server", url, *MAIL)
    assert (result.code, result.out) == (20, "")


def test_a_wrong_mail_calls_nobody(run: Run) -> None:
    with Server() as server:
        result = run("send", "--server", server.url, "--from", "ada", "--to", "bob@example.com")
        assert server.connections == 0
    assert (result.code, result.out) == (2, "")


# --- as JSON


def parsed(result: Result) -> dict[str, object]:
    document: dict[str, object] = json.loads(result.out)
    return document


def test_a_receipt_as_json(run: Run) -> None:
    with Server(NO_BOB) as server:
        argv = ("send", "--json", "--server", server.url, *MAIL, "--to", "cy@example.com")
        result = run(*argv, "--on-refusal", "deliver")
        (message,) = server.messages
    document = parsed(result)
    transcript = document.pop("transcript")
    assert isinstance(transcript, list)
    assert {line["side"] for line in transcript} == {"C", "S", "*"}
    assert document == {
        "exit_code": 41,
        "outcome": "accepted",
        "accepted": ["cy@example.com"],
        "refused": {
            "bob@example.com": {
                "code": 550,
                "enhanced_status": "5.1.1",
                "lines": ["5.1.1 No such user"],
            }
        },
        "reply": {
            "code": 250,
            "enhanced_status": "2.0.0",
            "lines": [f"2.0.0 Ok: queued as {message.queue_id}"],
        },
        "queue_id": message.queue_id,
        "message_id": message.parse()["Message-ID"],
        "error": None,
    }


def test_an_error_as_json(run: Run) -> None:
    with Server(NO_BOB) as server:
        result = run("send", "--json", "--server", server.url, *MAIL)
    document = parsed(result)
    no_such_user = {"code": 550, "enhanced_status": "5.1.1", "lines": ["5.1.1 No such user"]}
    assert (result.code, document["exit_code"], document["outcome"]) == (24, 24, "refused")
    assert document["error"] == {
        "type": "RecipientsRefused",
        "message": "the server refused the recipient bob@example.com: 550 5.1.1 No such user",
        "tls_trouble": None,
        "phase": "rcpt",
        "command": "RCPT TO:<bob@example.com>",
        "reply": no_such_user,
        "refused": {"bob@example.com": no_such_user},
        "temporary": False,
        "retry_safe": False,
    }
    assert result.err.startswith("ehlo: the server refused")


def test_json_has_the_same_keys_whatever_happens(run: Run) -> None:
    with Server() as server:
        well = parsed(run("send", "--json", "--server", server.url, *MAIL))
    badly = parsed(run("send", "--json", "--server", server.url, *MAIL))
    wrong = parsed(run("send", "--json", "--server", "gopher://x", *MAIL))
    assert well.keys() == badly.keys() == wrong.keys()
    assert wrong["transcript"] == []


# --- Ctrl-C


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Let SIGINT be Ctrl-C, also where the tests run in the background, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(when: str, *capabilities: str) -> ServerOptions:
    """Return a server that interrupts the client at a command, and says no more."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def answer(command: ReceivedCommand, _situation: Situation) -> Answer | None:
        if not command.line.startswith(when):
            return None
        signal.pthread_kill(main_thread, signal.SIGINT)
        return Silence()

    return ServerOptions(capabilities=capabilities, answers=answer)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize(
    ("when", "capabilities", "told"),
    [
        ("RCPT", ("PIPELINING",), "ehlo: the mail was not sent\n"),
        (".", (), "ehlo: the mail MAY BE OUT: the last the server said was '354 End data"),
        ("BDAT", ("CHUNKING",), "ehlo: the mail MAY BE OUT: the last the server said was '250 "),
    ],
)
def test_an_interrupt_says_what_is_known_of_the_mail(
    run: Run, when: str, capabilities: tuple[str, ...], told: str
) -> None:
    with Server(interrupting(when, *capabilities)) as server:
        result = run("send", "--server", server.url, *MAIL)
    assert result.code == 130
    assert result.err.startswith(told)
    assert result.err.endswith("ehlo: interrupted\n")
