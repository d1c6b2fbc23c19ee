"""Scripts: read, played by hand, and served; whoever strays from one is told."""

import socket
import struct

import pytest

import ehlo
import ehlo.blocking
from ehlo.dialogues import Dialogue, Flush, Receive, UpgradeTls, greet, open_session
from ehlo.dialogues.session import Opening
from ehlo.phase import Phase
from ehlo.testing import (
    Close,
    Expect,
    Pace,
    Reset,
    Script,
    ScriptMismatch,
    ScriptPlayer,
    ScriptServer,
    Send,
    StartTls,
    rehearse,
)
from support.tls import client_context, server_context

SHORT = Script.parse(
    """
# a comment, and lines that are empty

S: 220 mail.example.org ESMTP
C: EHLO client.example.org
S: 250-mail.example.org
S: 250 PIPELINING
"""
)
OPENING = Opening(name="client.example.org", tls=ehlo.Tls.NONE)


def test_every_kind_of_line_is_read() -> None:
    script = Script.parse("S: 220\nC:\nS> 2\n* close\n* reset\n* starttls\nC:  two blanks\n")
    assert script.steps == (
        Send(b"220\r\n"),
        Expect(b"\r\n"),
        Send(b"2"),
        Close(),
        Reset(),
        StartTls(),
        Expect(b" two blanks\r\n"),
    )


def test_a_line_of_no_kind_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"line 2 of the script .* 'X: what'"):
        Script.parse("S: 220\nX: what")


@pytest.mark.parametrize(
    ("pace", "pieces"),
    [(Pace.WHOLE, 1), (Pace.LINES, 2), (Pace.OCTETS, 18)],
)
def test_the_pace_cuts_what_the_server_says(pace: Pace, pieces: int) -> None:
    player = ScriptPlayer(Script.parse("S: 250-one\nS: 250 two"), pace)
    said: list[bytes] = []
    while isinstance(action := player.next_action(), Send):
        said.append(action.octets)
    assert action is None
    assert len(said) == pieces
    assert b"".join(said) == b"250-one\r\n250 two\r\n"
    assert player.is_over


@pytest.mark.parametrize("pace", Pace)
def test_a_dialogue_that_follows_the_script(pace: Pace) -> None:
    connection = ehlo.Connection()
    player = ScriptPlayer(SHORT, pace)
    rehearse(open_session(connection, OPENING), connection, player)
    assert connection.is_idle
    assert player.is_over


def test_a_dialogue_that_says_something_else() -> None:
    connection = ehlo.Connection()
    opening = Opening(name="other.example.org", tls=ehlo.Tls.NONE)
    with pytest.raises(ScriptMismatch, match=r"said b'EHLO other.*has b'EHLO client"):
        rehearse(open_session(connection, opening), connection, ScriptPlayer(SHORT))


def test_a_dialogue_that_waits_where_the_script_does_too() -> None:
    connection = ehlo.Connection()
    player = ScriptPlayer(Script.parse("C: EHLO client.example.org"))
    with pytest.raises(ScriptMismatch, match="the script has it speak"):
        rehearse(greet(connection), connection, player)


def test_tls_where_the_script_has_none() -> None:
    connection = ehlo.Connection()
    opening = Opening(name="client.example.org", tls=ehlo.Tls.IMPLICIT)
    with pytest.raises(ScriptMismatch, match="needs UpgradeTls"):
        rehearse(open_session(connection, opening), connection, ScriptPlayer(SHORT))


def test_a_reset_is_a_lost_connection() -> None:
    connection = ehlo.Connection()
    with pytest.raises(ehlo.ConnectionLost, match="was reset"):
        rehearse(greet(connection), connection, ScriptPlayer(Script.parse("* reset")))


def test_needs_of_every_kind() -> None:
    connection = ehlo.Connection()

    def dialogue() -> Dialogue[str]:
        yield Flush(Phase.COMMAND)
        yield UpgradeTls()
        yield Receive(Phase.GREETING)
        return "over"

    script = Script.parse("* starttls\n* close")
    assert rehearse(dialogue(), connection, ScriptPlayer(script)) == "over"


def test_octets_may_come_in_any_pieces_and_ahead_of_their_turn() -> None:
    player = ScriptPlayer(Script.parse("C: NOOP\nS: 250\nC: QUIT\nS: 221"))
    player.receive_data(b"NO")
    assert player.next_action() is None
    player.receive_data(b"OP\r\nQUIT\r\n")
    assert player.next_action() == Send(b"250\r\n")
    assert player.next_action() == Send(b"221\r\n")
    assert player.is_over


def test_octets_behind_the_end_are_a_mismatch() -> None:
    player = ScriptPlayer(Script.parse("C: NOOP"))
    with pytest.raises(ScriptMismatch, match="nothing more"):
        player.receive_data(b"NOOP\r\nNOOP\r\n")


def test_a_client_that_is_gone_too_early() -> None:
    player = ScriptPlayer(Script.parse("S: 220\nC: NOOP"))
    with pytest.raises(ScriptMismatch, match="the connection is closed"):
        player.receive_eof()


def test_a_client_that_is_gone_when_only_the_server_would_speak() -> None:
    player = ScriptPlayer(Script.parse("S: 220\n* close"), Pace.OCTETS)
    player.next_action()
    player.receive_eof()
    assert player.is_over


# -- Served ----------------------------------------------------------------------------------------


def talk(server: ScriptServer, *said: bytes) -> bytes:
    with socket.create_connection((server.host, server.port)) as sock:
        for octets in said:
            sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        heard = b""
        while data := sock.recv(4096):
            heard += data
    return heard


def test_a_script_is_served() -> None:
    with ScriptServer(Script.parse("S: 220 hi\nC: QUIT\nS: 221 bye\n* close")) as server:
        assert talk(server, b"QUIT\r\n") == b"220 hi\r\n221 bye\r\n"


def test_a_client_that_strays_is_told_at_the_end() -> None:
    with (
        pytest.raises(ScriptMismatch, match="said b'EXIT"),
        ScriptServer(Script.parse("S: 220 hi\nC: QUIT")) as server,
    ):
        talk(server, b"EXIT\r\n")


def test_a_client_that_leaves_early_is_told_at_the_end() -> None:
    with (
        pytest.raises(ScriptMismatch, match="the connection is closed"),
        ScriptServer(Script.parse("S: 220 hi\nC: QUIT")) as server,
    ):
        talk(server)


def test_an_error_in_the_test_itself_comes_first() -> None:
    def fail_inside() -> None:
        with ScriptServer(Script.parse("S: 220 hi\nC: QUIT")) as server:
            talk(server, b"EXIT\r\n")
            raise LookupError

    with pytest.raises(LookupError):
        fail_inside()


def test_tls_needs_a_context() -> None:
    with (
        pytest.raises(ValueError, match="no ssl_context"),
        ScriptServer(Script.parse("S: 220\n* starttls")) as server,
    ):
        talk(server)


def test_tls_is_served() -> None:
    script = Script.parse(
        "S: 220\nC: EHLO c\nS: 250-m\nS: 250 STARTTLS\nC: STARTTLS\nS: 220\n* starttls\n"
        "C: EHLO c\nS: 250 m\nC: QUIT\nS: 221\n* close"
    )
    with ScriptServer(script, ssl_context=server_context()) as server:
        url = server.url.replace("smtp:", "smtp+starttls:")
        with ehlo.blocking.connect(url, name="c", ssl_context=client_context()) as session:
            assert session.connection.encrypted


def test_a_reset_is_served() -> None:
    with ScriptServer(Script.parse("S: 220\nC: NOOP\n* reset")) as server:
        with socket.create_connection((server.host, server.port)) as sock:
            assert sock.recv(100) == b"220\r\n"
            sock.sendall(b"NOOP\r\n")
            with pytest.raises(ConnectionResetError):
                sock.recv(100)


def test_a_client_that_hangs_up_while_the_server_speaks() -> None:
    with ScriptServer(Script.parse("S: 220 hi\nS: " + "x" * 100), pace=Pace.OCTETS) as server:
        sock = socket.create_connection((server.host, server.port))
        sock.recv(1)
        sock.close()


def test_a_client_that_resets() -> None:
    def reset(server: ScriptServer) -> None:
        sock = socket.create_connection((server.host, server.port))
        sock.recv(100)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    with (
        pytest.raises(ScriptMismatch, match="the connection is closed"),
        ScriptServer(Script.parse("S: 220 hi\nC: NOOP")) as server,
    ):
        reset(server)


def test_a_script_that_nobody_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `is_over` says at the end is believed, whatever led there."""
    monkeypatch.setattr(ScriptPlayer, "is_over", property(lambda _: False))
    with (
        pytest.raises(ScriptMismatch, match="gone before the end"),
        ScriptServer(Script.parse("S: 220 hi")) as server,
    ):
        talk(server)
