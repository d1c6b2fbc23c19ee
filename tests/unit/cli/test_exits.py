import pytest

from ehlo import errors
from ehlo.cli import ExitCode
from ehlo.cli._exits import BY_CLASS, BY_PHASE, exit_code
from ehlo.phase import Phase
from ehlo.reply import Reply

REPLY = Reply.of(550, "5.7.1 No")


def test_every_phase_has_a_code() -> None:
    assert set(BY_PHASE) == {*Phase, None}


def test_every_code_has_words_of_its_own() -> None:
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)
    assert len({code.value for code in ExitCode}) == len(ExitCode)


def test_every_code_can_come_about() -> None:
    without_error = {ExitCode.OK, ExitCode.PARTLY_REFUSED, ExitCode.INTERRUPTED}
    assert {*BY_CLASS.values(), *BY_PHASE.values(), *without_error} == set(ExitCode)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("x"), 2),
        (errors.InvalidAddress("x"), 2),
        (errors.ConnectFailed("x", phase=Phase.CONNECT), 20),
        (errors.Timeout("x", phase=Phase.CONNECT), 20),
        (errors.GreetingRefused("x", phase=Phase.GREETING, reply=REPLY), 21),
        (errors.Timeout("x", phase=Phase.GREETING), 21),
        (errors.HelloRefused("x", phase=Phase.HELLO, reply=REPLY), 22),
        (errors.SenderRefused("x", phase=Phase.MAIL, reply=REPLY), 23),
        (errors.CapabilityMissing("x", phase=Phase.MAIL), 23),
        (errors.RecipientsRefused("x", phase=Phase.RCPT), 24),
        (errors.ContentRefused("x", phase=Phase.DATA, reply=REPLY), 25),
        (errors.ContentRefused("x", phase=Phase.END_OF_CONTENT, reply=REPLY), 26),
        (errors.ConnectionLost("x", phase=Phase.CONTENT), 26),
        (errors.AuthenticationRefused("x", phase=Phase.AUTH, reply=REPLY), 28),
        (errors.TlsFailed("x", phase=Phase.TLS), 29),
        (errors.TlsFailed("x", phase=Phase.STARTTLS), 30),
        (errors.DeliveryUnknown("x", phase=Phase.END_OF_CONTENT), 40),
        (errors.RemoteProtocolError("x", phase=Phase.HELLO), 42),
        (errors.LocalProtocolError("x"), 70),
        (errors.SMTPError("x"), 31),
    ],
)
def test_the_code_of_an_error(error: errors.SMTPError, code: int) -> None:
    assert exit_code(error) == code
