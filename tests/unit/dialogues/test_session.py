import pytest

from ehlo.address import Address
from ehlo.commands import Ehlo, Mail, Rcpt
from ehlo.dialogues import (
    Opening,
    UpgradeTls,
    greet,
    hello,
    open_session,
    quit_session,
    start_tls,
)
from ehlo.errors import (
    AuthenticationRefused,
    CapabilityMissing,
    ConnectionLost,
    GreetingRefused,
    HelloRefused,
    InvalidInput,
    LocalProtocolError,
    RemoteProtocolError,
    Timeout,
    TlsFailed,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import Cleartext, Hello, Tls
from ehlo.protocol import Connection, State
from ehlo.reply import Reply
from ehlo.sasl import Password
from support.stepping import C, Cut, S, hear, ready, run, said

NAME = "client.example.org"
CUTS = pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)

HELLO = """
    C: EHLO client.example.org
    S: 250-mx.example.com
    S: 250 PIPELINING
"""
HELLO_TLS = """
    C: EHLO client.example.org
    S: 250-mx.example.com
    S: 250-PIPELINING
    S: 250-AUTH PLAIN
    S: 250 STARTTLS
"""
AUTHENTICATE = """
    C: AUTH PLAIN AGFkYQB0YW5zdGFhZg==
    S: 235 2.7.0 ok
"""
ADA = Password("ada", "tanstaaf")


def opening(
    tls: Tls = Tls.NONE,
    how: Hello = Hello.EHLO,
    auth: Password | None = None,
    cleartext: Cleartext = Cleartext.REFUSE,
) -> Opening:
    return Opening(name=NAME, tls=tls, hello=how, credentials=auth, cleartext=cleartext)


def open_by(steps: str, what: Opening, cut: Cut = Cut.WHOLE) -> Connection:
    connection = Connection()
    run(open_session(connection, what), connection, steps, cut)
    return connection


# -- Opening ---------------------------------------------------------------------------------------


@CUTS
def test_plain(cut: Cut) -> None:
    connection = open_by("S: 220-mx\nS: 220 ESMTP" + HELLO, opening(), cut)
    assert connection.is_idle
    assert connection.capabilities.pipelining
    assert not connection.encrypted


@CUTS
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.STARTTLS_IF_OFFERED])
def test_starttls(tls: Tls, cut: Cut) -> None:
    """L2: EHLO is repeated, and only what is offered inside TLS counts."""
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: 220 go\nTLS {HELLO}"
    connection = open_by(steps, opening(tls), cut)
    assert connection.is_idle
    assert connection.encrypted
    assert connection.capabilities.pipelining
    assert not connection.capabilities.auth


@CUTS
def test_implicit_tls(cut: Cut) -> None:
    connection = open_by(
        f"TLS\nS: 220 mx {HELLO_TLS} {AUTHENTICATE}", opening(Tls.IMPLICIT, auth=ADA), cut
    )
    assert connection.encrypted
    assert connection.authenticated
    assert connection.is_idle


@CUTS
def test_starttls_and_authentication(cut: Cut) -> None:
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: 220 go\nTLS {HELLO_TLS} {AUTHENTICATE}"
    connection = open_by(steps, opening(Tls.STARTTLS, auth=ADA), cut)
    assert connection.authenticated


def test_no_authentication_in_clear() -> None:
    """A1."""
    with pytest.raises(InvalidInput, match="unencrypted connection"):
        open_by(f"S: 220 mx {HELLO_TLS}", opening(auth=ADA))


def test_authentication_in_clear_for_those_who_insist() -> None:
    what = opening(auth=ADA, cleartext=Cleartext.ALLOW_CREDENTIALS)
    assert open_by(f"S: 220 mx {HELLO_TLS} {AUTHENTICATE}", what).authenticated


@pytest.mark.parametrize("code", [451, 554, 421])
def test_the_greeting_may_be_a_refusal(code: int) -> None:
    connection = Connection()
    with pytest.raises(GreetingRefused, match="go away") as caught:
        run(open_session(connection, opening()), connection, f"S: {code} go away")
    error = caught.value
    assert error.phase is Phase.GREETING
    assert error.reply == Reply.of(code, "go away")
    assert error.temporary is (code < 500)
    assert error.outcome is Outcome.NOT_SENT
    assert connection.is_over


@pytest.mark.parametrize("steps", ["EOF", "S: 250 mx", "S: 354 x", "TIMEOUT", "LOST", "S: SSH-2.0"])
def test_a_greeting_that_is_none(steps: str) -> None:
    connection = Connection()
    with pytest.raises((ConnectionLost, RemoteProtocolError)) as caught:
        run(open_session(connection, opening()), connection, steps)
    assert caught.value.phase in {Phase.GREETING, None}
    assert caught.value.outcome is Outcome.NOT_SENT
    assert connection.is_over


# -- EHLO and HELO ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [500, 502, 550])
def test_helo_follows_a_permanent_refusal(code: int) -> None:
    """T12."""
    steps = f"S: 220 mx\nC: EHLO {NAME}\nS: {code} what?\nC: HELO {NAME}\nS: 250 mx"
    connection = open_by(steps, opening())
    assert connection.is_idle
    assert not connection.esmtp
    assert not connection.capabilities.keywords


@pytest.mark.parametrize("code", [421, 451])
def test_helo_does_not_follow_a_temporary_refusal(code: int) -> None:
    """T12: after 421 above all."""
    connection = Connection()
    with pytest.raises(HelloRefused, match="EHLO") as caught:
        run(
            open_session(connection, opening()),
            connection,
            f"S: 220 x\nC: EHLO {NAME}\nS: {code} no",
        )
    assert caught.value.phase is Phase.HELLO
    assert caught.value.command == f"EHLO {NAME}"
    assert caught.value.temporary
    assert connection.is_over


def test_helo_may_be_refused_as_well() -> None:
    connection = Connection()
    steps = f"S: 220 mx\nC: EHLO {NAME}\nS: 502 no\nC: HELO {NAME}\nS: 550 5.7.1 no"
    with pytest.raises(HelloRefused, match="HELO") as caught:
        run(open_session(connection, opening()), connection, steps)
    assert caught.value.command == f"HELO {NAME}"
    assert caught.value.reply.code == 550
    assert not caught.value.temporary


def test_a_second_greeting_is_no_answer_to_ehlo() -> None:
    connection = Connection()
    with pytest.raises(RemoteProtocolError, match="220 is no answer to EHLO") as caught:
        run(open_session(connection, opening()), connection, f"S: 220 x\nC: EHLO {NAME}\nS: 220 x")
    assert caught.value.phase is Phase.HELLO


def test_helo_alone() -> None:
    connection = open_by(f"S: 220 mx\nC: HELO {NAME}\nS: 250 mx", opening(how=Hello.HELO))
    assert connection.is_idle
    assert not connection.esmtp


def test_no_hello_at_all() -> None:
    connection = open_by("S: 220 mx", opening(how=Hello.NONE))
    assert connection.state is State.GREETED
    assert connection.is_in_step
    assert not connection.is_idle


def test_hello_again() -> None:
    connection = ready("DSN")
    reply = run(hello(connection, NAME), connection, HELLO)
    assert reply.lines == ("mx.example.com", "PIPELINING")
    assert not connection.capabilities.dsn


def test_greet_returns_the_greeting() -> None:
    connection = Connection()
    assert run(greet(connection), connection, "S: 220 mx") == Reply.of(220, "mx")


# -- STARTTLS --------------------------------------------------------------------------------------


def test_starttls_not_offered() -> None:
    """L3."""
    connection = Connection()
    with pytest.raises(TlsFailed, match="does not offer STARTTLS") as caught:
        run(open_session(connection, opening(Tls.STARTTLS)), connection, f"S: 220 mx {HELLO}")
    assert caught.value.phase is Phase.STARTTLS
    assert not caught.value.temporary
    assert connection.is_over


def test_starttls_not_offered_where_it_is_optional() -> None:
    connection = open_by(f"S: 220 mx {HELLO}", opening(Tls.STARTTLS_IF_OFFERED))
    assert connection.is_idle
    assert not connection.encrypted


def test_optional_starttls_sends_no_credentials_in_clear() -> None:
    """L5."""
    with pytest.raises(InvalidInput):
        open_by(f"S: 220 mx {HELLO}", opening(Tls.STARTTLS_IF_OFFERED, auth=ADA))


@pytest.mark.parametrize("code", [454, 502, 421])
def test_starttls_refused(code: int) -> None:
    """L3."""
    connection = Connection()
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: {code} no"
    with pytest.raises(TlsFailed, match="refused STARTTLS") as caught:
        run(open_session(connection, opening(Tls.STARTTLS)), connection, steps)
    assert caught.value.reply == Reply.of(code, "no")
    assert caught.value.command == "STARTTLS"
    assert caught.value.temporary is (code < 500)
    assert connection.is_over


@pytest.mark.parametrize("code", [454, 502])
def test_optional_starttls_refused_goes_on(code: int) -> None:
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: {code} no"
    assert open_by(steps, opening(Tls.STARTTLS_IF_OFFERED)).is_idle


def test_optional_starttls_answered_421() -> None:
    connection = Connection()
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: 421 bye"
    with pytest.raises(TlsFailed) as caught:
        run(open_session(connection, opening(Tls.STARTTLS_IF_OFFERED)), connection, steps)
    assert caught.value.temporary


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.STARTTLS_IF_OFFERED])
@pytest.mark.parametrize("reply", ["250 ok", "354 go", "nonsense"])
def test_starttls_answered_oddly(tls: Tls, reply: str) -> None:
    """L3."""
    connection = Connection()
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: {reply}"
    with pytest.raises(RemoteProtocolError) as caught:
        run(open_session(connection, opening(tls)), connection, steps)
    assert caught.value.phase is Phase.STARTTLS


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.STARTTLS_IF_OFFERED])
@pytest.mark.parametrize("word", ["TLSFAILED", "LOST", "TIMEOUT"])
def test_a_failed_handshake_is_the_end(tls: Tls, word: str) -> None:
    """L5: no falling back to clear text."""
    connection = Connection()
    steps = f"S: 220 mx {HELLO_TLS} C: STARTTLS\nS: 220 go\n{word}"
    errors = {"TLSFAILED": TlsFailed, "LOST": ConnectionLost, "TIMEOUT": Timeout}
    with pytest.raises(errors[word]):
        run(open_session(connection, opening(tls)), connection, steps)
    assert connection.is_over
    assert said(connection) == b""


def test_a_failed_implicit_handshake() -> None:
    connection = Connection()
    with pytest.raises(TlsFailed):
        run(open_session(connection, opening(Tls.IMPLICIT)), connection, "TLSFAILED")
    assert connection.is_over


INJECTED = b"220 go\r\n250 injected\r\n"


@pytest.mark.parametrize("split", range(len(INJECTED)))
def test_octets_behind_the_220_are_a_tls_error(split: int) -> None:
    """L1: none of them is believed, in whatever segment."""
    connection = ready("STARTTLS")
    dialogue = start_tls(connection)
    next(dialogue)
    connection.receive_data(INJECTED[:split])
    rest = INJECTED[split:]
    with pytest.raises(TlsFailed) as caught:  # noqa: PT012 - the needs are met one by one
        for _ in range(3):
            next(dialogue)
            connection.receive_data(rest)
            rest = b""
    assert caught.value.phase is Phase.STARTTLS
    assert isinstance(caught.value.__cause__, RemoteProtocolError)
    assert not connection.encrypted
    assert connection.state is State.BROKEN


def test_octets_in_clear_during_the_handshake_are_a_tls_error() -> None:
    connection = ready("STARTTLS")
    dialogue = start_tls(connection)
    next(dialogue)
    connection.receive_data(b"220 go\r\n")
    assert next(dialogue) == UpgradeTls()
    connection.receive_data(b"2")
    with pytest.raises(TlsFailed, match="in clear behind its 220"):
        next(dialogue)


def test_start_tls_by_itself() -> None:
    connection = ready("STARTTLS")
    reply = run(start_tls(connection), connection, "C: STARTTLS\nS: 220 go\nTLS")
    assert reply.code == 220
    assert connection.state is State.GREETED
    assert connection.encrypted
    refusing = ready("STARTTLS")
    assert run(start_tls(refusing), refusing, "C: STARTTLS\nS: 454 no").code == 454
    assert refusing.is_idle


@pytest.mark.parametrize("error", [AuthenticationRefused, CapabilityMissing])
def test_a_session_that_could_not_be_opened_is_given_up(error: type[Exception]) -> None:
    connection = Connection()
    steps = {
        AuthenticationRefused: f"TLS\nS: 220 mx {HELLO_TLS}"
        + AUTHENTICATE.replace("235 2.7.0 ok", "535 no"),
        CapabilityMissing: f"TLS\nS: 220 mx {HELLO}",
    }
    with pytest.raises(error):
        run(open_session(connection, opening(Tls.IMPLICIT, auth=ADA)), connection, steps[error])
    assert connection.state is State.CLOSED
    assert connection.ending == "the session could not be opened"


# -- QUIT ------------------------------------------------------------------------------------------


def test_quit() -> None:
    connection = ready()
    assert run(quit_session(connection), connection, "C: QUIT\nS: 221 bye") == Reply.of(221, "bye")
    assert connection.is_over
    assert run(quit_session(connection), connection, "") is None


@pytest.mark.parametrize("code", [221, 250, 421, 451, 500])
def test_any_answer_to_quit_is_good(code: int) -> None:
    """T11."""
    connection = ready()
    reply = run(quit_session(connection), connection, f"C: QUIT\nS: {code} bye")
    assert reply is not None
    assert reply.code == code
    assert connection.is_over


@pytest.mark.parametrize("word", ["EOF", "S: 221-bye\nEOF", "LOST", "TIMEOUT", "S: x", "S: 354 x"])
def test_no_answer_to_quit_is_good_as_well(word: str) -> None:
    """T11."""
    connection = ready()
    assert run(quit_session(connection), connection, f"C: QUIT\n{word}") is None
    assert not connection.is_in_step


@pytest.mark.parametrize("before", [b"421 bye\r\n", b"250 surprise\r\n"])
def test_quit_behind_something_unasked(before: bytes) -> None:
    connection = ready()
    connection.receive_data(before)
    assert run(quit_session(connection), connection, "") is None


def test_quit_is_not_sent_while_a_reply_is_due() -> None:
    connection = ready()
    connection.send(Ehlo(NAME))
    assert run(quit_session(connection), connection, [C(b"EHLO client.example.org\r\n")]) is None


def test_quit_in_a_transaction() -> None:
    connection = ready()
    connection.send(Mail(None))
    said(connection)
    hear(connection, b"250 ok\r\n")
    assert run(quit_session(connection), connection, [C(b"QUIT\r\n"), S(b"221 x\r\n")]) is not None


def test_quit_after_the_end() -> None:
    connection = ready()
    connection.receive_eof()
    assert run(quit_session(connection), connection, "") is None
    assert connection.state is State.CLOSED


# -- Out of order ----------------------------------------------------------------------------------


def test_quit_does_not_take_another_commands_reply() -> None:
    """R11."""
    connection = ready("PIPELINING")
    connection.send(Mail(None))
    connection.send(Rcpt(Address.of("bob@example.com")))
    steps = "C: MAIL FROM:<>\nC: RCPT TO:<bob@example.com>"
    assert run(quit_session(connection), connection, steps) is None


def test_an_opened_connection_is_not_opened_again() -> None:
    connection = ready()
    with pytest.raises(LocalProtocolError):
        run(greet(connection), connection, "")


def test_starttls_is_not_said_inside_tls() -> None:
    """RFC 3207 section 4: a client must not start TLS where it is on already."""
    connection = open_by(f"TLS\nS: 220 mx {HELLO_TLS}", opening(Tls.IMPLICIT))
    with pytest.raises(LocalProtocolError):
        run(start_tls(connection), connection, "")
    assert connection.is_idle


def test_what_was_authenticated_before_tls_is_forgotten() -> None:
    """L2: RFC 3207 section 4.2 begins anew, authentication included."""
    connection = open_by(
        f"S: 220 mx {HELLO_TLS} {AUTHENTICATE}",
        opening(auth=ADA, cleartext=Cleartext.ALLOW_CREDENTIALS),
    )
    run(start_tls(connection), connection, "C: STARTTLS\nS: 220 go\nTLS")
    assert not connection.authenticated


def test_a_session_that_was_quit_says_so() -> None:
    connection = ready()
    run(quit_session(connection), connection, "C: QUIT\nS: 221 bye")
    with pytest.raises(ConnectionLost) as caught:
        run(hello(connection, NAME), connection, "")
    assert not str(caught.value).rstrip().endswith(":")
