from collections.abc import AsyncIterator

import pytest

from ehlo.address import Address
from ehlo.commands import Data, Mail, Noop, Verb
from ehlo.dialogues import AsyncSource, Fetch, Flush, Receive, UpgradeTls, perform
from ehlo.dialogues.exchange import ensure_open, phase_of, receive_reply
from ehlo.dialogues.needs import FLUSH, RECEIVE
from ehlo.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError, Timeout
from ehlo.phase import Outcome, Phase
from ehlo.protocol import State
from ehlo.reply import Reply
from support.stepping import Cut, hear, ready, run

MAIL = Mail(Address.of("ada@example.org"))


async def nothing() -> AsyncIterator[object]:
    nobody: tuple[object, ...] = ()
    for item in nobody:
        yield item


@pytest.mark.parametrize("verb", list(Verb), ids=lambda verb: verb.name)
def test_every_verb_has_a_phase(verb: Verb) -> None:
    beside = {Verb.RSET, Verb.NOOP, Verb.VRFY, Verb.EXPN, Verb.HELP, Verb.OTHER}
    beside |= {Verb.ETRN, Verb.XCLIENT, Verb.XFORWARD}
    assert (phase_of(verb) is Phase.COMMAND) is (verb in beside)


def test_there_is_a_need_for_every_phase() -> None:
    assert {need.phase for need in FLUSH.values()} == set(Phase)
    assert {need.phase for need in RECEIVE.values()} == set(Phase)
    assert FLUSH[Phase.MAIL] == Flush(Phase.MAIL)
    assert RECEIVE[Phase.MAIL] == Receive(Phase.MAIL)
    assert UpgradeTls().phase is Phase.TLS
    assert Fetch(AsyncSource(nothing())).phase is Phase.CONTENT


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_perform_returns_any_reply(cut: Cut) -> None:
    for code in (250, 451, 502):
        connection = ready()
        steps = f"C: NOOP\nS: {code}-one\nS: {code} two"
        assert run(perform(connection, Noop()), connection, steps, cut) == Reply.of(
            code, "one", "two"
        )
        assert connection.is_idle


def test_perform_needs_one_wait() -> None:
    connection = ready()
    dialogue = perform(connection, Noop())
    assert next(dialogue) == Receive(Phase.COMMAND)
    hear_nothing_yet = next(dialogue)
    assert hear_nothing_yet == Receive(Phase.COMMAND)
    connection.receive_data(b"250 ok\r\n")
    with pytest.raises(StopIteration) as stopped:
        next(dialogue)
    assert stopped.value.value == Reply.of(250, "ok")


@pytest.mark.parametrize("steps", ["C: NOOP\nEOF", "C: NOOP\nS: 250-ok\nEOF"])
def test_perform_and_the_end(steps: str) -> None:
    connection = ready()
    with pytest.raises(ConnectionLost, match="while performing a command") as caught:
        run(perform(connection, Noop()), connection, steps)
    assert caught.value.phase is Phase.COMMAND
    assert caught.value.temporary
    assert caught.value.outcome is Outcome.NOT_SENT
    assert connection.state is State.CLOSED


def test_perform_passes_on_what_the_pump_throws() -> None:
    connection = ready()
    with pytest.raises(Timeout, match="no answer"):
        run(perform(connection, Noop()), connection, "C: NOOP\nTIMEOUT")
    assert not connection.is_in_step


def test_perform_says_in_which_phase_the_protocol_broke() -> None:
    connection = ready()
    with pytest.raises(RemoteProtocolError) as caught:
        run(perform(connection, MAIL), connection, "C: MAIL FROM:<ada@example.org>\nS: garbage")
    assert caught.value.phase is Phase.MAIL
    assert caught.value.command == "MAIL FROM:<ada@example.org>"


def test_perform_refuses_what_is_out_of_order() -> None:
    connection = ready()
    with pytest.raises(LocalProtocolError):
        run(perform(connection, Data()), connection, "")
    assert connection.is_idle


def test_perform_notices_a_421_that_came_before() -> None:
    connection = ready()
    connection.receive_data(b"421 4.3.2 idle too long\r\n")
    with pytest.raises(ConnectionLost, match="idle too long") as caught:
        run(perform(connection, Noop()), connection, "")
    assert caught.value.reply == Reply.of(421, "4.3.2 idle too long")
    assert caught.value.retry_safe


def test_perform_notices_an_end_that_came_before() -> None:
    connection = ready()
    connection.receive_eof()
    with pytest.raises(ConnectionLost, match="the server closed the connection"):
        run(perform(connection, Noop()), connection, "")
    with pytest.raises(ConnectionLost):
        run(perform(connection, Noop()), connection, "")


def test_perform_notices_nonsense_that_came_before() -> None:
    connection = ready()
    connection.receive_data(b"250 surprise\r\n")
    with pytest.raises(RemoteProtocolError) as caught:
        run(perform(connection, Noop()), connection, "")
    assert caught.value.phase is Phase.COMMAND


def test_an_open_connection_is_open() -> None:
    connection = ready("PIPELINING")
    ensure_open(connection, Phase.MAIL)
    connection.send(MAIL)
    with pytest.raises(LocalProtocolError, match="the reply to MAIL is due"):
        ensure_open(connection, Phase.MAIL)


def test_a_part_of_a_reply_before_a_command_is_an_error_with_a_phase() -> None:
    connection = ready()
    connection.receive_data(b"25")
    with pytest.raises(RemoteProtocolError) as caught:
        run(perform(connection, Noop()), connection, "")
    assert caught.value.phase is Phase.COMMAND


def test_no_reply_is_paired_with_another_command() -> None:
    """R11: a command that somebody else has in flight is not what is performed here."""
    connection = ready("PIPELINING")
    connection.send(MAIL)
    with pytest.raises(LocalProtocolError):
        run(perform(connection, Noop()), connection, "C: MAIL FROM:<ada@example.org>")
    assert connection.in_flight == (MAIL,)


def test_no_reply_is_waited_for_that_is_not_due() -> None:
    connection = ready()
    with pytest.raises(LocalProtocolError, match="no reply is due"):
        run(receive_reply(connection), connection, "")


def test_many_last_words_are_no_recursion() -> None:
    connection = ready()
    connection.receive_data(b"421 bye\r\n" + b"250 and another thing\r\n" * 3000)
    with pytest.raises(ConnectionLost):
        run(perform(connection, Noop()), connection, "")
    hear(connection, b"250 more\r\n" * 3000)
