from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from ehlo.dialogues import authenticate
from ehlo.errors import (
    AuthenticationRefused,
    CapabilityMissing,
    ConnectionLost,
    InvalidInput,
    LocalProtocolError,
    RemoteProtocolError,
    SMTPError,
    Timeout,
)
from ehlo.phase import Outcome, Phase
from ehlo.policies import Cleartext
from ehlo.protocol import Connection, State
from ehlo.reply import Reply
from ehlo.sasl import Channel, Exchange, Mechanism, Password
from ehlo.secret import Secret
from ehlo.transcript import Transcript
from support.stepping import EOF, C, Cut, S, Step, ready, run, said, script

ADA = Password("ada", "tanstaaf")
PLAIN = "C: AUTH PLAIN AGFkYQB0YW5zdGFhZg=="
LOGIN = """
    C: AUTH LOGIN
    S: 334 VXNlcm5hbWU6
    C: YWRh
    S: 334 UGFzc3dvcmQ6
    C: dGFuc3RhYWY=
"""
SECRETS = ("tanstaaf", "AGFkYQB0YW5zdGFhZg==", "dGFuc3RhYWY=")


@dataclass(frozen=True)
class Custom:
    """A mechanism made of a generator function."""

    name: str
    steps: Callable[[], Exchange]
    hidden: tuple[Secret, ...] = ()
    exposes_secret: bool = True

    def exchange(self, channel: Channel) -> Exchange:
        assert channel.offered
        return self.steps()


@dataclass(frozen=True)
class Several:
    """Credentials made of mechanisms."""

    served: tuple[Mechanism, ...]

    def mechanisms(self, channel: Channel) -> Sequence[Mechanism]:
        assert channel.encrypted
        return self.served


def encrypted(*mechanisms: str, trace: Transcript | None = None) -> Connection:
    connection = ready(f"AUTH {' '.join(mechanisms)}", trace=trace)
    connection.encrypted = True
    return connection


# -- Success ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
@pytest.mark.parametrize(
    ("offered", "steps"), [("PLAIN", PLAIN), ("LOGIN", LOGIN), ("LOGIN PLAIN", PLAIN)]
)
def test_the_strongest_that_is_offered_is_used(offered: str, steps: str, cut: Cut) -> None:
    """A2."""
    connection = encrypted(*offered.split())
    reply = run(authenticate(connection, ADA), connection, f"{steps}\nS: 235 2.7.0 ok", cut)
    assert reply == Reply.of(235, "2.7.0 ok")
    assert connection.authenticated
    assert connection.is_idle


def test_the_mechanisms_case_does_not_matter() -> None:
    connection = encrypted("plain")
    run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 235 ok")
    assert connection.authenticated


def empty_initial() -> Exchange:
    yield b""


def empty_response() -> Exchange:
    challenge = yield None
    assert challenge == b"go on"
    yield b""


def test_an_empty_initial_response_is_an_equals_sign() -> None:
    connection = encrypted("EXTERNAL")
    credentials = Several((Custom("EXTERNAL", empty_initial),))
    run(authenticate(connection, credentials), connection, "C: AUTH EXTERNAL =\nS: 235 ok")
    assert connection.authenticated


def test_an_empty_response_is_an_empty_line() -> None:
    connection = encrypted("X")
    credentials = Several((Custom("X", empty_response),))
    steps = "C: AUTH X\nS: 334 Z28gb24=\nC: \nS: 235 ok"
    run(authenticate(connection, credentials), connection, steps)
    assert connection.authenticated


# -- Before the first octet ------------------------------------------------------------------------


def test_no_credentials_in_clear() -> None:
    """A1."""
    connection = ready("AUTH PLAIN LOGIN")
    with pytest.raises(InvalidInput, match="unencrypted") as caught:
        run(authenticate(connection, ADA), connection, "")
    assert caught.value.phase is Phase.AUTH
    assert caught.value.outcome is Outcome.NOT_SENT
    assert said(connection) == b""
    assert connection.is_idle


def test_credentials_in_clear_for_those_who_insist() -> None:
    connection = ready("AUTH PLAIN")
    dialogue = authenticate(connection, ADA, Cleartext.ALLOW_CREDENTIALS)
    assert run(dialogue, connection, f"{PLAIN}\nS: 235 ok").code == 235


@pytest.mark.parametrize("offered", [("DIGEST-MD5", "GSSAPI"), ()])
def test_nothing_in_common(offered: tuple[str, ...]) -> None:
    """A2."""
    connection = encrypted(*offered)
    with pytest.raises(
        CapabilityMissing, match=r"can serve SCRAM-SHA-512, .*, LOGIN, CRA"
    ) as caught:
        run(authenticate(connection, ADA), connection, "")
    assert caught.value.capability == "AUTH"
    assert caught.value.phase is Phase.AUTH
    assert connection.is_idle


# -- Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [421, 432, 454, 500, 530, 535, 538])
def test_a_definite_no_is_final(code: int) -> None:
    """A4."""
    connection = encrypted("PLAIN", "LOGIN")
    with pytest.raises(AuthenticationRefused, match="did not accept the credentials") as caught:
        run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: {code} no")
    error = caught.value
    assert error.phase is Phase.AUTH
    assert error.command == "AUTH PLAIN"
    assert error.reply == Reply.of(code, "no")
    assert error.temporary is (code < 500)
    assert error.outcome is Outcome.NOT_SENT
    assert error.offered == ("PLAIN", "LOGIN")
    assert error.tried == ("PLAIN",)
    assert not connection.authenticated
    assert connection.is_idle is (code != 421)


@pytest.mark.parametrize("code", [504, 534])
def test_another_mechanism_follows_one_that_is_not_taken(code: int) -> None:
    connection = encrypted("PLAIN", "LOGIN")
    steps = f"{PLAIN}\nS: {code} not this one {LOGIN} S: 235 ok"
    assert run(authenticate(connection, ADA), connection, steps).code == 235


def test_all_mechanisms_refused() -> None:
    connection = encrypted("PLAIN", "LOGIN")
    steps = f"{PLAIN}\nS: 504 no\nC: AUTH LOGIN\nS: 504 neither"
    with pytest.raises(AuthenticationRefused) as caught:
        run(authenticate(connection, ADA), connection, steps)
    assert caught.value.tried == ("PLAIN", "LOGIN")
    assert caught.value.command == "AUTH LOGIN"
    assert caught.value.reply == Reply.of(504, "neither")


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("code", [421, 454, 535])
def test_login_refused_at_each_step(at: int, code: int) -> None:
    lines = LOGIN.strip().splitlines()
    steps = "\n".join([*lines[: 2 * at - 1], f"S: {code} no"])
    connection = encrypted("LOGIN")
    with pytest.raises(AuthenticationRefused) as caught:
        run(authenticate(connection, ADA), connection, steps)
    assert caught.value.reply.code == code
    assert not connection.authenticated


# -- Challenges ------------------------------------------------------------------------------------


@pytest.mark.parametrize("challenge", ["!!!", "Zg", "Zg=", "Zg==Zg==x", "Zg= =", "\udcff", "a b"])
def test_a_challenge_that_is_no_base64_is_cancelled(challenge: str) -> None:
    """A3."""
    connection = encrypted("LOGIN")
    steps = f"C: AUTH LOGIN\nS: 334 {challenge}\nC: *\nS: 501 cancelled"
    with pytest.raises(AuthenticationRefused) as caught:
        run(authenticate(connection, ADA), connection, steps)
    assert caught.value.reply == Reply.of(501, "cancelled")
    assert connection.is_idle


def test_a_challenge_to_plain_is_cancelled() -> None:
    """A3."""
    connection = encrypted("PLAIN", "LOGIN")
    with pytest.raises(AuthenticationRefused):
        run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 334 \nC: *\nS: 501 ok")
    assert connection.is_idle


def silent() -> Exchange:
    yield None
    yield None


def test_a_mechanism_with_nothing_to_say_cancels() -> None:
    connection = encrypted("X")
    steps = "C: AUTH X\nS: 334 \nC: *\nS: 501 ok"
    with pytest.raises(AuthenticationRefused):
        run(authenticate(connection, Several((Custom("X", silent),))), connection, steps)


def endless() -> Exchange:
    yield b"0"
    while True:
        yield b"1"


ROUND = "S: 334 Zg==\nC: MQ==\n"


def test_endless_challenges_are_cancelled() -> None:
    """A3."""
    connection = encrypted("X")
    steps = "C: AUTH X MA==\n" + ROUND * 16 + "S: 334 Zg==\nC: *\nS: 501 ok"
    with pytest.raises(AuthenticationRefused):
        run(authenticate(connection, Several((Custom("X", endless),))), connection, steps)
    assert connection.is_idle


def test_many_challenges_are_answered() -> None:
    connection = encrypted("X")
    steps = "C: AUTH X MA==\n" + ROUND * 16 + "S: 235 ok"
    dialogue = authenticate(connection, Several((Custom("X", endless),)))
    assert run(dialogue, connection, steps).code == 235


def test_a_success_behind_a_cancelled_exchange_is_not_believed() -> None:
    connection = encrypted("PLAIN")
    steps = f"{PLAIN}\nS: 334 \nC: *\nS: 235 welcome"
    with pytest.raises(AuthenticationRefused, match="made no sense") as caught:
        run(authenticate(connection, ADA), connection, steps)
    assert caught.value.reply.code == 235
    assert caught.value.phase is Phase.AUTH
    assert connection.state is State.CLOSED


def test_a_challenge_behind_a_cancelled_exchange() -> None:
    connection = encrypted("PLAIN")
    with pytest.raises(AuthenticationRefused):
        run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 334 \nC: *\nS: 334 again")
    assert not connection.is_in_step


# -- Faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ([EOF], ConnectionLost),
        ([S(b"235 o"), EOF], ConnectionLost),
        ([ConnectionLost("reset")], ConnectionLost),
        ([Timeout("no answer")], Timeout),
        ([S(b"nonsense\r\n")], RemoteProtocolError),
        ([S(b"250 ok\r\n")], RemoteProtocolError),
    ],
    ids=["close", "close inside", "lost", "timeout", "garbage", "wrong code"],
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_faults_within_login(at: int, fault: list[Step], error: type[SMTPError]) -> None:
    steps = script("\n".join(LOGIN.strip().splitlines()[: 2 * at - 1]))
    connection = encrypted("LOGIN")
    with pytest.raises(error) as caught:
        run(authenticate(connection, ADA), connection, [*steps, *fault])
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not connection.authenticated
    assert not connection.is_in_step


# -- Secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("offered", "steps"), [("PLAIN", PLAIN), ("LOGIN", LOGIN)])
@pytest.mark.parametrize("echo", SECRETS)
def test_no_secret_shows(offered: str, steps: str, echo: str) -> None:
    """A8: not even what the server echoes."""
    if offered == "LOGIN" and echo.startswith("AGFk"):
        return  # nothing like it was sent
    trace = Transcript()
    connection = encrypted(offered, trace=trace)
    echoed = echo if offered == "LOGIN" or echo != "dGFuc3RhYWY=" else "tanstaaf"
    with pytest.raises(AuthenticationRefused) as caught:
        run(authenticate(connection, ADA), connection, f"{steps}\nS: 535 {echoed} is wrong")
    shown = f"{caught.value} {caught.value.command} {caught.value.reply!r} {trace}"
    assert not any(secret in shown for secret in SECRETS)
    assert "***" in str(trace)


@pytest.mark.parametrize("password", ["V", "VXN", "m5", "=", "ZXIg"])
def test_a_short_password_does_not_spoil_a_challenge(password: str) -> None:
    """What is masked for people must not be masked for the mechanism."""
    seen: list[bytes] = []

    def mechanism() -> Exchange:
        seen.append((yield None))
        seen.append((yield b"x"))
        yield b"y"

    connection = encrypted("X")
    steps = "C: AUTH X\nS: 334 VXNlcm5hbWU6\nC: eA==\nS: 334 ZXIgbm8=\nC: eQ==\nS: 235 ok"
    custom = Custom("X", mechanism, (Secret(password),))
    run(authenticate(connection, Several((custom,))), connection, steps)
    assert seen == [b"Username:", b"er no"]


@pytest.mark.parametrize("filler", [0, 60, 70, 76])
def test_no_part_of_a_secret_shows_in_a_protocol_error(filler: int) -> None:
    """A8: neither where the error's text is cut nor where the network cuts."""
    secret = "correct horse battery staple"
    echo = b"x" * filler + secret.encode() + b" and so on\r\n"
    for end in range(4, len(echo) + 1):
        connection = encrypted("X")
        custom = Custom("X", empty_response, (Secret(secret),))
        steps: list[Step] = [C(b"AUTH X\r\n"), S(echo[:end])]
        with pytest.raises(RemoteProtocolError) as caught:
            run(authenticate(connection, Several((custom,))), connection, steps)
        assert "corr" not in str(caught.value)
        assert "corr" not in connection.ending


@pytest.mark.parametrize("late", ["S: tanstaaf is wrong", "S: 550 tanstaaf is wrong"])
def test_a_secret_that_is_echoed_late_is_not_shown(late: str) -> None:
    """A8: nor where the server says it behind its reply."""
    trace = Transcript()
    connection = encrypted("PLAIN", trace=trace)
    with pytest.raises(AuthenticationRefused):
        run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 535 no\n{late}")
    with pytest.raises(RemoteProtocolError) as caught:
        connection.next_event()
    assert "tanstaaf" not in str(caught.value)
    assert "tanstaaf" not in str(trace)


def test_an_exchange_that_is_out_of_order_says_in_which_phase() -> None:
    connection = encrypted("PLAIN")
    run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 235 ok")
    with pytest.raises(LocalProtocolError) as caught:
        run(authenticate(connection, ADA), connection, "")
    assert caught.value.phase is Phase.AUTH


def test_a_cancelled_exchange_tells_what_was_tried() -> None:
    connection = encrypted("PLAIN")
    with pytest.raises(AuthenticationRefused) as caught:
        run(authenticate(connection, ADA), connection, f"{PLAIN}\nS: 334 \nC: *\nS: 235 ok")
    assert caught.value.tried == ("PLAIN",)
    assert caught.value.offered == ("PLAIN",)
    assert caught.value.command == "AUTH PLAIN"


def test_policies_may_be_strings_and_fail_closed() -> None:  # A1
    connection = ready("AUTH PLAIN")
    with pytest.raises(InvalidInput, match="not sent over an unencrypted"):
        run(authenticate(connection, ADA, "refuse"), connection, "")  # type: ignore[arg-type]
