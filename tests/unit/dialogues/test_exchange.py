import pytest

from ehlo.address import Address
from ehlo.commands import Command, Data, Mail, Noop, Rcpt, Verb
from ehlo.dialogues import Flush, Need, Receive, UpgradeTls, perform
from ehlo.dialogues.exchange import ensure_open, perform_group, phase_of, require
from ehlo.dialogues.needs import FLUSH, RECEIVE
from ehlo.errors import (
    CapabilityMissing,
    ConnectionLost,
    LocalProtocolError,
    RemoteProtocolError,
    Timeout,
)
from ehlo.phase import Outcome, Phase
from ehlo.protocol import State
from ehlo.reply import Reply
from support.stepping import Cut, drive, hear, ready, run, said

MAIL = Mail(Address.of("ada@example.org"))
RCPTS = [Rcpt(Address.of(f"r{n}@example.com")) for n in range(3)]


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


GROUP = [MAIL, *RCPTS, Data()]
OK = [Reply.of(250, "ok")] * 4 + [Reply.of(354, "go")]


def counting(meets: list[Need]) -> None:
    assert all(isinstance(need, Receive) for need in meets)


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_a_group_leaves_at_once(cut: Cut) -> None:
    connection = ready("PIPELINING")
    steps = """
        C: MAIL FROM:<ada@example.org>
        C: RCPT TO:<r0@example.com>
        C: RCPT TO:<r1@example.com>
        C: RCPT TO:<r2@example.com>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
    """
    assert run(perform_group(connection, GROUP), connection, steps, cut) == OK


@pytest.mark.parametrize("offered", [True, False])
def test_a_group_in_lock_step(offered: bool) -> None:
    connection = ready(*["PIPELINING"] * offered)
    steps = """
        C: MAIL FROM:<ada@example.org>
        S: 250 ok
        C: RCPT TO:<r0@example.com>
        S: 250 ok
        C: RCPT TO:<r1@example.com>
        S: 250 ok
        C: RCPT TO:<r2@example.com>
        S: 250 ok
        C: DATA
        S: 354 go
    """
    in_flight_max = 0 if offered else 65536
    dialogue = perform_group(connection, GROUP, in_flight_max=in_flight_max)
    assert run(dialogue, connection, steps) == OK


def test_a_group_is_bounded() -> None:
    """T8: what is unanswered never exceeds the window by more than one command."""
    connection = ready("PIPELINING")
    recipients = [Rcpt(Address.of(f"r{n}@example.com")) for n in range(500)]
    most = 0

    def meet(need: Need) -> None:
        nonlocal most
        assert isinstance(need, Receive)
        most = max(most, connection.in_flight_octets)
        said(connection)
        connection.receive_data(b"250 ok\r\n")

    replies = drive(perform_group(connection, [MAIL, *recipients], in_flight_max=1000), meet)
    assert len(replies) == 501
    assert 900 < most < 1100


def test_a_group_ends_where_the_next_command_makes_no_sense() -> None:
    connection = ready()
    steps = "C: MAIL FROM:<ada@example.org>\nS: 550 no"
    replies = run(perform_group(connection, GROUP), connection, steps)
    assert replies == [Reply.of(550, "no")]
    assert connection.is_idle


def test_a_group_ends_with_a_421() -> None:
    connection = ready("PIPELINING")
    steps = """
        C: MAIL FROM:<ada@example.org>
        C: RCPT TO:<r0@example.com>
        C: RCPT TO:<r1@example.com>
        C: RCPT TO:<r2@example.com>
        C: DATA
        S: 250 ok
        S: 421 bye
    """
    replies = run(perform_group(connection, GROUP), connection, steps)
    assert [reply.code for reply in replies] == [250, 421]
    assert connection.is_over


def test_an_extension_is_required() -> None:
    connection = ready("8BITMIME")
    require(connection, "8BITMIME", Phase.MAIL, "this test")
    with pytest.raises(CapabilityMissing, match=r"does not offer DSN, .* for this test") as caught:
        require(connection, "DSN", Phase.MAIL, "this test")
    assert caught.value.capability == "DSN"
    assert caught.value.phase is Phase.MAIL


# -- Lock step and what comes between --------------------------------------------------------------

LATE = "S: 250 ok\nS: 421 4.3.2 bye"


def test_a_421_right_behind_a_reply_in_lock_step_is_a_lost_connection() -> None:
    """T1, R11: 421 is recognised between the commands of a group, too."""
    connection = ready()
    with pytest.raises(ConnectionLost, match="bye") as caught:
        run(perform_group(connection, GROUP), connection, f"C: MAIL FROM:<ada@example.org>\n{LATE}")
    assert caught.value.reply == Reply.of(421, "4.3.2 bye")


def test_octets_between_the_commands_of_a_group_are_an_error_with_a_phase() -> None:
    connection = ready()
    steps = "C: MAIL FROM:<ada@example.org>\nS: 250 ok\nS: 250 surprise"
    with pytest.raises(RemoteProtocolError) as caught:
        run(perform_group(connection, GROUP), connection, steps)
    assert caught.value.phase is Phase.RCPT


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


def test_many_last_words_are_no_recursion() -> None:
    connection = ready()
    connection.receive_data(b"421 bye\r\n" + b"250 and another thing\r\n" * 3000)
    with pytest.raises(ConnectionLost):
        run(perform(connection, Noop()), connection, "")
    hear(connection, b"250 more\r\n" * 3000)


def test_a_421_ends_a_group_that_is_larger_than_the_window() -> None:  # T1 T2
    connection = ready("PIPELINING")
    many: list[Command] = [MAIL, *(Rcpt(Address(f"r{n}@example.com")) for n in range(10))]
    dialogue = perform_group(connection, many, in_flight_max=60)
    next(dialogue)
    connection.receive_data(b"250 ok\r\n421 bye\r\n")
    with pytest.raises(StopIteration) as over:
        next(dialogue)
    assert [reply.code for reply in over.value.value] == [250, 421]
