from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ehlo import (
    Address,
    Capabilities,
    CapabilityMissing,
    DeliverBy,
    InvalidAddress,
    InvalidInput,
    MailOptions,
    Notify,
    OriginalRecipient,
    Phase,
    RcptOptions,
    Reply,
    Ret,
)
from ehlo.parameters import NO_MAIL_OPTIONS, NO_RCPT_OPTIONS, check_limits, needs
from support.hostile import CONTROL_CHARACTERS
from support.pickling import unpickled

ADA = Address("ada@example.org")
NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)

# Options, their parameters, the extension they depend on.
MAIL: list[tuple[dict[str, Any], str, str]] = [
    ({"ret": Ret.FULL}, " RET=FULL", "DSN"),
    ({"ret": "hdrs"}, " RET=HDRS", "DSN"),
    ({"envid": "QQ314159"}, " ENVID=QQ314159", "DSN"),
    ({"envid": "a b+c=d"}, " ENVID=a+20b+2Bc+3Dd", "DSN"),
    ({"deliver_by": DeliverBy(120, "R")}, " BY=120;R", "DELIVERBY"),
    ({"deliver_by": DeliverBy(-5, "N", trace=True)}, " BY=-5;NT", "DELIVERBY"),
    ({"hold_for": 3600}, " HOLDFOR=3600", "FUTURERELEASE"),
    ({"hold_for": timedelta(days=1)}, " HOLDFOR=86400", "FUTURERELEASE"),
    ({"hold_until": NEW_YEAR}, " HOLDUNTIL=2030-01-01T00:00:00Z", "FUTURERELEASE"),
    (
        {"hold_until": NEW_YEAR.astimezone(timezone(timedelta(hours=-9, minutes=-30)))},
        " HOLDUNTIL=2030-01-01T00:00:00Z",
        "FUTURERELEASE",
    ),
    ({"hold_until": datetime(999, 1, 1, tzinfo=UTC)}, " HOLDUNTIL=0999-01-01T00:00:00Z",
     "FUTURERELEASE"),
    ({"mt_priority": -9}, " MT-PRIORITY=-9", "MT-PRIORITY"),
    ({"mt_priority": 0}, " MT-PRIORITY=0", "MT-PRIORITY"),
    ({"mt_priority": 9}, " MT-PRIORITY=9", "MT-PRIORITY"),
    ({"require_tls": True}, " REQUIRETLS", "REQUIRETLS"),
    ({"auth": "<>"}, " AUTH=<>", "AUTH"),
    ({"auth": "e=mc2@example.org"}, " AUTH=e+3Dmc2@example.org", "AUTH"),
    ({"auth": ADA}, " AUTH=ada@example.org", "AUTH"),
]  # fmt: skip
RCPT: list[tuple[dict[str, Any], str]] = [
    ({"notify": "never"}, " NOTIFY=NEVER"),
    ({"notify": Notify.DELAY}, " NOTIFY=DELAY"),
    ({"notify": "FAILURE,SUCCESS"}, " NOTIFY=SUCCESS,FAILURE"),
    ({"notify": ["delay", Notify.SUCCESS, "DELAY"]}, " NOTIFY=SUCCESS,DELAY"),
    ({"notify": iter([Notify.FAILURE])}, " NOTIFY=FAILURE"),
    ({"orcpt": "b+x@example.org"}, " ORCPT=rfc822;b+2Bx@example.org"),
    ({"orcpt": "gr\u00fcn@example.org"}, r" ORCPT=utf-8;gr\x{FC}n@example.org"),
    ({"orcpt": OriginalRecipient("x", "x400"), "notify": "NEVER"}, " NOTIFY=NEVER ORCPT=x400;x"),
]


@pytest.mark.parametrize(("given", "parameters", "capability"), MAIL)
def test_options_of_a_message_are_parameters_of_mail(
    given: dict[str, Any], parameters: str, capability: str
) -> None:
    options = MailOptions(**given)
    assert options.parameters == parameters
    assert list(needs(options)) == [capability]
    assert options == unpickled(options)
    assert unpickled(options).parameters == parameters
    assert hash(unpickled(options)) == hash(options)
    assert options != NO_MAIL_OPTIONS


@pytest.mark.parametrize(("given", "parameters"), RCPT)
def test_options_of_a_recipient_are_parameters_of_rcpt(
    given: dict[str, Any], parameters: str
) -> None:
    options = RcptOptions(**given)
    assert options.parameters == parameters
    assert list(needs(NO_MAIL_OPTIONS, [options])) == ["DSN"]
    assert options == unpickled(options)
    assert unpickled(options).parameters == parameters
    assert hash(unpickled(options)) == hash(options)
    assert options != NO_RCPT_OPTIONS


@pytest.mark.parametrize(
    "options",
    [
        NO_MAIL_OPTIONS,
        MailOptions(require_tls=False),
        NO_RCPT_OPTIONS,
        RcptOptions(notify=()),
        RcptOptions(notify=[]),
        RcptOptions(notify=None, orcpt=None),
    ],
)
def test_no_wish_is_no_parameter(options: MailOptions | RcptOptions) -> None:
    assert not options.parameters
    assert options == (MailOptions() if isinstance(options, MailOptions) else RcptOptions())


def test_all_at_once() -> None:
    options = MailOptions(
        auth=ADA,
        require_tls=True,
        mt_priority=1,
        hold_for=1,
        deliver_by=DeliverBy(9, "N"),
        envid="x",
        ret="FULL",
    )
    assert options.parameters == (
        " RET=FULL ENVID=x BY=9;N HOLDFOR=1 MT-PRIORITY=1 REQUIRETLS AUTH=ada@example.org"
    )
    assert replace(options, envid=None).envid is None
    assert " ENVID" not in replace(options, envid=None).parameters


def test_what_is_kept_is_typed() -> None:
    options = MailOptions(ret="full", hold_for=timedelta(minutes=1), auth="ada@example.org")
    assert options.ret is Ret.FULL
    assert options.hold_for == 60
    assert options.auth == ADA
    recipient = RcptOptions(notify="delay,success", orcpt="bob@example.org")
    assert recipient.notify == (Notify.SUCCESS, Notify.DELAY)
    assert recipient.orcpt == OriginalRecipient("bob@example.org")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"ret": "BODY"}, "Ret is one of 'FULL', 'HDRS'"),
        ({"envid": ""}, "not empty"),
        ({"envid": "\u00fc"}, "a text of ASCII characters"),
        ({"envid": "a" * 101}, "100 characters at the most"),
        ({"envid": " " * 34}, "100 characters at the most"),
        ({"hold_for": 0}, "positive"),
        ({"hold_for": 1, "hold_until": NEW_YEAR}, "only one of hold_for and hold_until"),
        ({"mt_priority": 10}, "from -9 to 9"),
        ({"mt_priority": -10}, "from -9 to 9"),
        ({"mt_priority": 1.0}, "from -9 to 9"),
        ({"mt_priority": True}, "from -9 to 9"),
        ({"auth": "gr\u00fcn@example.org"}, "takes an ASCII address"),
    ],
)
def test_what_a_parameter_cannot_say_is_refused(given: dict[str, Any], why: str) -> None:  # I3
    with pytest.raises(InvalidInput, match=why):
        MailOptions(**given)


def test_the_longest_envid() -> None:
    assert MailOptions(envid="a" * 100).parameters == " ENVID=" + "a" * 100


@pytest.mark.parametrize("auth", ["", "ada", "Ada <ada@example.org>", "<ada@example.org>"])
def test_auth_takes_one_address(auth: str) -> None:
    with pytest.raises(InvalidAddress):
        MailOptions(auth=auth)


@pytest.mark.parametrize("notify", ["", "ALWAYS", "SUCCESS, FAILURE", ["NEVER,DELAY"], [""]])
def test_notify_knows_four_keywords(notify: Any) -> None:
    with pytest.raises(InvalidInput, match="Notify is one of 'NEVER', 'SUCCESS'"):
        RcptOptions(notify=notify)


@pytest.mark.parametrize("notify", ["NEVER,DELAY", [Notify.SUCCESS, Notify.NEVER]])
def test_never_stands_alone(notify: Any) -> None:
    with pytest.raises(InvalidInput, match="NOTIFY is NEVER, or some of"):
        RcptOptions(notify=notify)


@pytest.mark.parametrize(
    "given",
    [
        {"ret": 5},
        {"envid": 5},
        {"deliver_by": 60},
        {"hold_for": "60"},
        {"hold_until": "2030-01-01T00:00:00Z"},
        {"require_tls": "no"},
        {"require_tls": 1},
        {"auth": 5},
    ],
)
def test_values_have_types(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        MailOptions(**given)


@pytest.mark.parametrize("given", [{"notify": 5}, {"notify": [None]}, {"orcpt": 5}])
def test_so_have_those_of_recipients(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        RcptOptions(**given)


def test_no_value_brings_a_control_character() -> None:  # I1
    for character in CONTROL_CHARACTERS:
        text = f"a{character}b"
        for given in ({"envid": text}, {"ret": text}, {"auth": f"{text}@example.org"}):
            with pytest.raises(InvalidInput):
                MailOptions(**given)  # type: ignore[arg-type]
        for wish in ({"notify": text}, {"orcpt": f"{text}@example.org"}):
            with pytest.raises(InvalidInput):
                RcptOptions(**wish)


def test_a_refused_value_can_be_shown() -> None:
    options = object.__new__(MailOptions)
    with pytest.raises(InvalidInput):
        MailOptions.__init__(options, envid="")
    assert "envid=''" in repr(options)
    assert not options.parameters


# --- what a server must offer ---------------------------------------------------------------------


def test_needs_say_why() -> None:
    mail = MailOptions(ret="FULL", envid="x", require_tls=True)
    rcpts = [RcptOptions(notify="NEVER"), NO_RCPT_OPTIONS, RcptOptions(orcpt=ADA, notify="DELAY")]
    assert needs(mail, rcpts) == {
        "DSN": "RET, ENVID, NOTIFY and ORCPT",
        "REQUIRETLS": "REQUIRETLS",
    }
    assert needs(NO_MAIL_OPTIONS, rcpts[:1]) == {"DSN": "NOTIFY"}
    assert needs(NO_MAIL_OPTIONS, [NO_RCPT_OPTIONS] * 3) == {}


def announced(*lines: str) -> Capabilities:
    return Capabilities.from_reply(Reply.of(250, "mx.example.com", *lines))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (NO_MAIL_OPTIONS, "DELIVERBY 60"),
        (MailOptions(deliver_by=DeliverBy(1, "R")), "DSN"),
        (MailOptions(deliver_by=DeliverBy(1, "R")), "DELIVERBY"),
        (MailOptions(deliver_by=DeliverBy(60, "R")), "DELIVERBY 60"),
        (MailOptions(deliver_by=DeliverBy(1, "N")), "DELIVERBY 60"),
        (MailOptions(hold_for=60), "DSN"),
        (MailOptions(hold_for=999_999_999), "FUTURERELEASE"),
        (MailOptions(hold_for=60), "FUTURERELEASE 60 2020-01-01T00:00:00Z"),
        (MailOptions(hold_until=NEW_YEAR), "FUTURERELEASE 60"),
        (MailOptions(hold_until=NEW_YEAR), "FUTURERELEASE 60 2030-01-01T00:00:00Z"),
    ],
)
def test_what_keeps_within_the_limits_is_taken(options: MailOptions, line: str) -> None:
    check_limits(options, announced(line))


@pytest.mark.parametrize(
    ("options", "line", "why"),
    [
        (
            MailOptions(deliver_by=DeliverBy(59, "R")),
            "DELIVERBY 60",
            "delivery within 59 seconds; the server asks for at least 60",
        ),
        (
            MailOptions(hold_for=61),
            "FUTURERELEASE 60 2030-01-01T00:00:00Z",
            "to be held for 61 seconds; the server takes 60",
        ),
        (
            MailOptions(hold_until=NEW_YEAR),
            "FUTURERELEASE 60 2029-12-31T23:59:59Z",
            "to be held until 2030-01-01",
        ),
    ],
)
def test_what_exceeds_the_limits_is_not(options: MailOptions, line: str, why: str) -> None:
    with pytest.raises(CapabilityMissing, match=why) as caught:
        check_limits(options, announced(line))
    assert caught.value.capability == line.split(maxsplit=1)[0]
    assert caught.value.phase is Phase.MAIL
