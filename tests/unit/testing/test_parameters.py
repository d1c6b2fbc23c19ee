"""The parameters of MAIL and RCPT, and what their extensions change."""

from __future__ import annotations

import pytest

from ehlo.reply import Reply
from ehlo.testing import Answer, ServerConnection, ServerOptions

EVERYTHING = (
    "DSN",
    "DELIVERBY 60",
    "FUTURERELEASE 86400 2030-01-01T00:00:00Z",
    "MT-PRIORITY",
    "REQUIRETLS",
    "PRDR",
    "SMTPUTF8",
)
HELLO = "EHLO c"
MAIL = "MAIL FROM:<a@example.org>"
RCPT = "RCPT TO:<b@example.org>"


def codes(*lines: str, options: ServerOptions) -> tuple[ServerConnection, list[str]]:
    """Return the codes of the replies behind that to EHLO."""
    connection = ServerConnection(options)
    connection.receive_data(f"{HELLO}\r\n".encode())
    connection.data_to_send()
    connection.receive_data("".join(f"{line}\r\n" for line in lines).encode())
    return connection, [line[:3] for line in connection.data_to_send().decode().splitlines()]


@pytest.mark.parametrize(
    ("capability", "parameter", "valid"),
    [
        ("DSN", "RET=FULL", True),
        ("DSN", "ret=hdrs", True),
        ("DSN", "RET=ALL", False),
        ("DSN", "RET", False),
        ("DSN", "ENVID=QQ+2B314159", True),
        ("DSN", "ENVID=" + "x" * 100, True),
        ("DSN", "ENVID=" + "x" * 101, False),
        ("DSN", "ENVID=a=b", False),
        ("DSN", "ENVID=a+2b", False),
        ("DELIVERBY", "BY=120;R", True),
        ("DELIVERBY", "BY=+120;RT", True),
        ("DELIVERBY", "BY=-120;N", True),
        ("DELIVERBY", "BY=0;nt", True),
        ("DELIVERBY", "BY=-120;R", False),
        ("DELIVERBY", "BY=0;R", False),
        ("DELIVERBY", "BY=120", False),
        ("DELIVERBY", "BY=1234567890;N", False),
        ("FUTURERELEASE", "HOLDFOR=60", True),
        ("FUTURERELEASE", "HOLDFOR=0", False),
        ("FUTURERELEASE", "HOLDFOR=-1", False),
        ("FUTURERELEASE", "HOLDUNTIL=2026-11-23T21:00:00Z", True),
        ("FUTURERELEASE", "HOLDUNTIL=2026-11-23T21:00:00.5+01:00", True),
        ("FUTURERELEASE", "HOLDUNTIL=2030-01-01T00:00:00Z", True),
        ("FUTURERELEASE", "HOLDUNTIL=2030-01-01T00:00:01Z", False),
        ("FUTURERELEASE", "HOLDUNTIL=2026-13-23T21:00:00Z", False),
        ("FUTURERELEASE", "HOLDUNTIL=2026-11-23", False),
        ("FUTURERELEASE", "HOLDFOR=86400", True),
        ("FUTURERELEASE", "HOLDFOR=86401", False),
        ("FUTURERELEASE", "HOLDFOR=1 HOLDUNTIL=2026-11-23T21:00:00Z", False),
        ("MT-PRIORITY", "MT-PRIORITY=-9", True),
        ("MT-PRIORITY", "MT-PRIORITY=3", True),
        ("MT-PRIORITY", "MT-PRIORITY=0", True),
        ("MT-PRIORITY", "MT-PRIORITY=10", False),
        ("MT-PRIORITY", "MT-PRIORITY=-0", False),
        ("REQUIRETLS", "REQUIRETLS", True),
        ("REQUIRETLS", "REQUIRETLS=YES", False),
        ("PRDR", "PRDR", True),
    ],
)
def test_a_parameter_of_mail(capability: str, parameter: str, valid: bool) -> None:
    line = f"{MAIL} {parameter}"
    options = ServerOptions(capabilities=EVERYTHING)
    assert codes(line, options=options)[1] == ["250" if valid else "501"]
    rest = tuple(offer for offer in EVERYTHING if offer.split()[0] != capability)
    assert codes(line, options=ServerOptions(capabilities=rest))[1] == ["555"]
    assert codes(MAIL, f"{RCPT} {parameter}", options=options)[1] == ["250", "555"]


@pytest.mark.parametrize(
    ("parameter", "valid"),
    [
        ("NOTIFY=NEVER", True),
        ("NOTIFY=success,FAILURE,Delay", True),
        ("NOTIFY=NEVER,DELAY", False),
        ("NOTIFY=", False),
        ("NOTIFY=MAYBE", False),
        ("ORCPT=rfc822;b+2Bc@example.org", True),
        ("ORCPT=utf-8;bücher@example.org", True),
        ("ORCPT=rfc822;" + "b" * 493, True),
        ("ORCPT=rfc822;" + "b" * 494, False),
        ("ORCPT=b@example.org", False),
        ("ORCPT=rfc822;a+b", False),
    ],
)
def test_a_parameter_of_rcpt(parameter: str, valid: bool) -> None:
    line = f"{RCPT} {parameter}"
    options = ServerOptions(capabilities=("DSN",))
    assert codes(MAIL, line, options=options)[1] == ["250", "250" if valid else "501"]
    assert codes(MAIL, line, options=ServerOptions())[1] == ["250", "555"]
    assert codes(f"{MAIL} {parameter}", options=options)[1] == ["555"]


def test_a_server_need_not_say_how_long_it_holds() -> None:
    options = ServerOptions(capabilities=("FUTURERELEASE",))
    for parameter in ("HOLDFOR=999999999", "HOLDUNTIL=9999-01-01T00:00:00Z"):
        assert codes(f"{MAIL} {parameter}", options=options)[1] == ["250"]


def test_parameters_are_kept() -> None:
    options = ServerOptions(capabilities=EVERYTHING)
    lines = (
        f"{MAIL} RET=HDRS envid=x BY=9;N MT-PRIORITY=1 REQUIRETLS",
        f"{RCPT} NOTIFY=NEVER",
        "RCPT TO:<c@example.org>",
        "RCPT TO:<d@example.org> ORCPT=rfc822;d@example.com",
    )
    connection, _ = codes(*lines, "DATA", ".", options=options)
    [message] = connection.messages
    assert message.parameters == {
        "RET": "HDRS",
        "ENVID": "x",
        "BY": "9;N",
        "MT-PRIORITY": "1",
        "REQUIRETLS": None,
    }
    assert message.recipient_parameters == (
        {"NOTIFY": "NEVER"},
        {},
        {"ORCPT": "rfc822;d@example.com"},
    )


# --- LIMITS


def test_no_more_recipients_than_rcptmax() -> None:
    options = ServerOptions(capabilities=("LIMITS RCPTMAX=2",))
    group = (MAIL, *[f"RCPT TO:<b{number}@example.org>" for number in range(4)], "DATA", ".")
    connection, said = codes(*group, *group, options=options)
    assert said == ["250", "250", "250", "452", "452", "354", "250"] * 2
    assert [len(message.recipients) for message in connection.messages] == [2, 2]


def test_no_more_messages_than_mailmax() -> None:
    options = ServerOptions(capabilities=("ENHANCEDSTATUSCODES", "LIMITS mailmax=2 X=1 Y"))
    _, said = codes(MAIL, "RSET", MAIL, "RSET", MAIL, "NOOP", options=options)
    assert said == ["250", "250", "250", "250", "452", "250"]


def test_no_more_domains_than_rcptdomainmax() -> None:
    options = ServerOptions(capabilities=("LIMITS RCPTDOMAINMAX=1",))
    _, said = codes(
        MAIL,
        "RCPT TO:<b@example.org>",
        "RCPT TO:<c@EXAMPLE.org>",
        "RCPT TO:<b@example.com>",
        "RSET",
        MAIL,
        "RCPT TO:<b@example.com>",
        options=options,
    )
    assert said == ["250", "250", "250", "452", "250", "250", "452"]


@pytest.mark.parametrize("limits", ["LIMITS", "LIMITS RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX="])
def test_limits_that_make_no_sense_are_none(limits: str) -> None:
    options = ServerOptions(capabilities=(limits,))
    _, said = codes(MAIL, RCPT, RCPT, options=options)
    assert said == ["250"] * 3


# --- PRDR


def prdr(
    answers: dict[str, Answer], *recipients: str, parameter: str = " PRDR"
) -> tuple[ServerConnection, list[str]]:
    options = ServerOptions(capabilities=("PRDR",), answers=answers)
    rcpts = [f"RCPT TO:<{name}@example.org>" for name in recipients]
    connection, said = codes(MAIL + parameter, *rcpts, "DATA", ".", options=options)
    return connection, said[2 + len(rcpts) :]


@pytest.mark.parametrize(
    ("answers", "said", "recipients"),
    [
        ({}, "353 250 250 250", [("b@example.org", "c@example.org")]),
        ({". <c@example.org>": 550}, "353 250 550 250", [("b@example.org",)]),
        ({". <b@example.org>": 250, ". <c@example.org>": 250, ".": 550}, "353 250 250 550", []),
    ],
)
def test_each_recipient_has_a_reply_and_then_the_message(
    answers: dict[str, int], said: str, recipients: list[tuple[str, ...]]
) -> None:
    table: dict[str, Answer] = {key: Reply.of(code) for key, code in answers.items()}
    connection, replies = prdr(table, "b", "c")
    assert replies == said.split()
    assert [message.recipients for message in connection.messages] == recipients


def test_one_reply_for_one_recipient_or_where_it_was_not_asked_for() -> None:
    assert prdr({}, "b")[1] == ["250"]
    assert prdr({}, "b", "c", parameter="")[1] == ["250"]
