"""The table of answers: what is a mistake in it, and answers in turn."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from ehlo.commands import Verb
from ehlo.errors import InvalidInput
from ehlo.reply import Reply
from ehlo.testing import (
    Close,
    InTurn,
    Quirk,
    ReceivedCommand,
    Server,
    ServerConnection,
    ServerOptions,
    Situation,
    TakeEffect,
    Turns,
    Usual,
)

LATER = Reply.of(450, "4.7.1 Greylisted")
HELLO = b"EHLO c\r\nMAIL FROM:<a@example.org>\r\n"
RCPT = b"RCPT TO:<b@example.org>\r\n"


def codes(connection: ServerConnection, octets: bytes) -> list[str]:
    """Feed octets; return the codes of the replies to them."""
    connection.data_to_send()
    connection.receive_data(octets)
    return [line[:3] for line in connection.data_to_send().decode().splitlines()]


def greeted(options: ServerOptions, turns: Turns | None = None) -> ServerConnection:
    connection = ServerConnection(options, turns=turns)
    connection.receive_data(HELLO)
    return connection


# --- mistakes


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([LATER, Usual()], r"the answer to 'RCPT' is \[.*InTurn\(first, then\)"),
        (450, r"the answer to 'RCPT' is 450, .*Reply\.of\(450"),
        ("450 Later", r"'450 Later', which is no step"),
        (None, "None, which is no step"),
        ((LATER, 450), "450, which is no step"),
        ((InTurn(Usual()),), "which is no step"),
        (Close, r"which is a class: write Close\(\.\.\.\)"),
        ((TakeEffect(), Close), r"write Close\(\.\.\.\)"),
    ],
)
def test_what_is_no_answer(answer: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ServerOptions(answers={"RCPT": answer})


@pytest.mark.parametrize("answers", [LATER, None, [("RCPT", LATER)], "RCPT"])
def test_what_is_no_table(answers: Any) -> None:
    with pytest.raises(TypeError, match="a dict of commands, or a function, not"):
        ServerOptions(answers=answers)


def test_what_is_no_key() -> None:
    with pytest.raises(TypeError, match="a key of the answers is a text, not 4"):
        ServerOptions(answers={4: LATER})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "not empty"),
        ("  ", "not empty"),
        ("RCPT\r\n", "a key of the answers"),
        ("GREETING", r"no command is 'GREETING': write Verb\.GREETING, or '\(greeting\)'"),
        ("end_of_content", r"write Verb\.END_OF_CONTENT, or '\.'"),
        ("BDAT_LAST", "or 'BDAT LAST'"),
    ],
)
def test_a_key_that_nothing_matches(key: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        ServerOptions(answers={key: LATER})


@pytest.mark.parametrize("key", [*Verb, "XFOO", "RCPT TO:<b@example.org> NOTIFY=NEVER"])
def test_a_key_that_something_may_match(key: str) -> None:
    assert ServerOptions(answers={key: ()}).answers == {key: ()}


def test_capabilities_are_no_text() -> None:
    with pytest.raises(TypeError, match=r"a tuple of lines, such as \('PIPELINING',\)"):
        ServerOptions(capabilities="PIPELINING")  # type: ignore[arg-type]


def test_what_a_function_returns_is_looked_at() -> None:
    def answers(command: ReceivedCommand, _situation: Situation) -> Any:
        return 250 if command.verb is Verb.NOOP else None

    connection = ServerConnection(ServerOptions(answers=answers))
    with pytest.raises(TypeError, match="returned for 'NOOP x' 250, which is no step"):
        connection.receive_data(b"NOOP x\r\n")


# --- in turn


def test_answers_in_turn() -> None:
    connection = greeted(ServerOptions(answers={"RCPT": InTurn(LATER, Reply.of(550), Usual())}))
    assert codes(connection, RCPT * 4) == ["450", "550", "250", "250"]


def test_an_answer_in_turn_may_be_several_steps() -> None:
    answers = InTurn(Usual(), (Reply.of(421, "4.3.2 Bye"), Close()))
    connection = greeted(ServerOptions(answers={"RCPT": answers}))
    assert codes(connection, RCPT * 3) == ["250", "421"]
    assert connection.next_action() == Close()


def test_each_entry_has_its_own_turns() -> None:
    table = {"RCPT TO:<b@example.org>": InTurn(LATER, Usual()), "NOOP": InTurn(LATER, Usual())}
    connection = greeted(ServerOptions(answers=table))
    assert codes(connection, RCPT + b"NOOP\r\n" + RCPT) == ["450", "450", "250"]


def test_a_connection_that_stands_alone_begins_with_the_first() -> None:
    options = ServerOptions(answers={"RCPT": InTurn(LATER, Usual())})
    assert [codes(greeted(options), RCPT) for _ in range(2)] == [["450"]] * 2


def test_connections_can_share_their_turns() -> None:
    options = ServerOptions(answers={"RCPT": InTurn(LATER, Usual())})
    turns = Turns()
    assert [codes(greeted(options, turns), RCPT) for _ in range(2)] == [["450"], ["250"]]


def test_a_server_counts_over_all_its_connections_and_another_begins_anew() -> None:
    options = ServerOptions(answers={"VRFY": InTurn(Reply.of(450), Usual())})
    for _ in range(2):
        with Server(options) as server:
            for code in (450, 252):
                with smtplib.SMTP(server.host, server.port, timeout=10) as client:
                    assert client.vrfy("bob")[0] == code


def test_a_function_may_answer_in_turn() -> None:
    rcpt = InTurn(LATER, Usual())
    options = ServerOptions(answers=lambda command, _: rcpt if command.verb is Verb.RCPT else None)
    assert codes(greeted(options), RCPT * 2) == ["450", "250"]


def test_a_sender_refused_in_turn_can_be_kept() -> None:
    options = ServerOptions(
        answers={"MAIL": InTurn(Reply.of(550, "5.1.8 No"), Usual())},
        quirks=(Quirk.SENDER_REFUSED_AT_RCPT,),
    )
    connection = greeted(options)
    assert (
        codes(connection, RCPT + b"RSET\r\nMAIL FROM:<>\r\n" + RCPT) == ["550", "250"] + ["250"] * 2
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [((), "an answer at least"), ((450,), "InTurn has 450, which is no step")],
)
def test_what_cannot_be_in_turn(answers: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        InTurn(*answers)
