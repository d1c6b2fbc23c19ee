import pytest

from ehlo.commands import Mail, Noop, Quit
from ehlo.endpoint import Endpoint
from ehlo.errors import (
    ConnectFailed,
    ConnectionLost,
    InvalidInput,
    LocalProtocolError,
    SenderRefused,
    Timeout,
    TlsFailed,
)
from ehlo.phase import Phase
from ehlo.protocol import Connection, State
from ehlo.reply import Reply
from ehlo.runtime.ambient import default_context
from ehlo.runtime.driving import Turn, lost, not_connected, timed_out, told
from ehlo.runtime.link import Link
from support.stepping import hear, ready, said


def link_of(connection: Connection) -> Link:
    return Link(connection, server_hostname="mx.example.com", make_context=default_context)


def test_a_turn_that_leaves_all_in_order() -> None:
    turn = Turn(link_of(ready()))
    with turn:
        inside = turn.taken
    assert (inside, turn.taken) == (True, False)
    assert turn._link.connection.is_idle
    with turn:
        pass


def test_one_turn_at_a_time() -> None:
    """C4."""
    turn = Turn(link_of(ready()))
    with turn:
        with pytest.raises(LocalProtocolError, match="busy"), turn:
            pytest.fail("two turns at once")
        assert turn.taken
    assert turn._link.connection.is_idle


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_whoever_goes_away_leaves_nothing_behind(error: BaseException) -> None:
    """C1."""
    connection = ready()
    turn = Turn(link_of(connection))
    with pytest.raises(type(error)), turn:
        raise error
    assert connection.state is State.CLOSED
    assert connection.ending == "the session was abandoned"
    assert not turn.taken


@pytest.mark.parametrize("is_settled", [True, False])
def test_a_generator_that_is_closed_leaves_like_one_that_came_to_its_end(is_settled: bool) -> None:
    """Whoever takes only some results of many leaves the session in step, if it is."""
    connection = ready()
    if not is_settled:
        connection.send(Noop())
    with pytest.raises(GeneratorExit), Turn(link_of(connection)):
        raise GeneratorExit
    assert connection.is_idle is is_settled
    assert connection.is_over is not is_settled


def test_a_connection_whose_transport_keeps_octets_is_given_up() -> None:
    connection = ready()
    with Turn(link_of(connection), has_backlog=lambda: True):
        pass
    assert connection.state is State.CLOSED


def test_a_connection_out_of_step_is_given_up() -> None:
    connection = ready()
    with Turn(link_of(connection)):
        connection.send(Noop())
        said(connection)
    assert connection.state is State.CLOSED
    assert connection.ending == "the session is out of step"


def test_a_connection_with_unsent_octets_is_given_up() -> None:
    connection = ready()
    link = link_of(connection)
    with Turn(link):
        link.unsent += b"the rest of something"
    assert connection.state is State.CLOSED


def test_a_connection_that_is_over_stays_as_it_is() -> None:
    connection = ready()
    with Turn(link_of(connection)):
        connection.send(Quit())
        said(connection)
        hear(connection, b"221 bye\r\n")
    assert connection.state is State.CLOSING


def test_an_open_transaction_may_be_left() -> None:
    connection = ready()
    with Turn(link_of(connection)):
        connection.send(Mail(None))
        said(connection)
        hear(connection, b"250 ok\r\n")
    assert connection.state is State.MAIL
    assert connection.is_in_step


def test_an_error_says_that_the_connection_is_usable() -> None:
    connection = ready()
    error = SenderRefused("no", reply=Reply.of(550))
    with pytest.raises(SenderRefused), Turn(link_of(connection)):
        raise error
    assert error.connection_usable
    assert connection.is_idle


@pytest.mark.parametrize("error", [SenderRefused("no"), Timeout("late"), InvalidInput("bad")])
def test_an_error_says_that_the_connection_is_not_usable(error: SenderRefused) -> None:
    connection = ready()
    connection.send(Noop())
    with pytest.raises(type(error)), Turn(link_of(connection)):
        raise error
    assert not error.connection_usable
    assert connection.state is State.CLOSED


def test_an_error_says_when_more_was_said() -> None:
    connection = ready()
    error = SenderRefused("no")
    connection.receive_data(b"421 bye\r\n")
    with pytest.raises(SenderRefused), Turn(link_of(connection)):
        raise error
    assert not error.connection_usable


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (None, "the connection was lost while sending MAIL FROM"),
        (OSError(), "the connection was lost while sending MAIL FROM"),
        (OSError("reset"), "the connection was lost while sending MAIL FROM: reset"),
    ],
)
def test_lost(cause: OSError | None, text: str) -> None:
    error = lost(Phase.MAIL, cause)
    assert type(error) is ConnectionLost
    assert str(error) == text
    assert error.phase is Phase.MAIL
    assert error.__cause__ is cause


@pytest.mark.parametrize(("seconds", "text"), [(60.0, "60"), (0.25, "0.25")])
def test_timed_out(seconds: float, text: str) -> None:
    error = timed_out(Phase.DATA, seconds)
    assert str(error) == f"no answer within {text} seconds while sending the DATA command"
    assert error.phase is Phase.DATA


def test_told() -> None:
    connection = ready()
    error = TlsFailed("no")
    assert told(error, Phase.TLS, connection) is error
    assert (error.phase, error.command) == (Phase.TLS, None)
    assert told(error, Phase.QUIT, connection).phase is Phase.TLS
    assert told(TlsFailed("no"), Phase.TLS, Connection()).command is None  # the greeting is none
    connection.send(Noop())
    assert told(error, Phase.TLS, connection).command == "NOOP"
    error.command = "QUIT"
    assert told(error, Phase.TLS, connection).command == "QUIT"


def test_a_busy_session_goes_on() -> None:
    """The error is the second user's; what the first one does is not disturbed."""
    connection = ready()
    turn = Turn(link_of(connection))
    with turn:
        connection.send(Noop())
        with pytest.raises(LocalProtocolError), turn:
            pytest.fail("two turns at once")
        assert connection.in_flight == (Noop(),)
        said(connection)
        hear(connection, b"250 ok\r\n")
    assert connection.is_idle


@pytest.mark.parametrize(
    ("cause", "kind", "text"),
    [
        (TimeoutError(), Timeout, "no connection to smtp://mx.example.com in time"),
        (OSError("refused"), ConnectFailed, "no connection to smtp://mx.example.com: refused"),
    ],
)
def test_not_connected(cause: OSError, kind: type[ConnectionLost], text: str) -> None:
    error = not_connected(Endpoint.from_url("smtp://mx.example.com"), cause)
    assert type(error) is kind
    assert error.phase is Phase.CONNECT
    assert str(error).startswith(text.partition("smtp:")[0])
    assert error.retry_safe
