from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from ehlo import Capabilities, FutureRelease, Limits, Reply
from support.pickling import unpickled


def announced(*lines: str) -> Capabilities:
    return Capabilities.from_reply(Reply.of(250, "mx.example.com greets you", *lines))


def test_a_reply_as_servers_send_it() -> None:
    capabilities = announced(
        "PIPELINING",
        "SIZE 10240000",
        "AUTH PLAIN LOGIN",
        "STARTTLS",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
        "DSN",
    )
    assert capabilities.domain == "mx.example.com"
    assert capabilities.size == 10240000
    assert capabilities.auth == ("PLAIN", "LOGIN")
    assert capabilities.pipelining
    assert capabilities.starttls
    assert capabilities.eight_bit_mime
    assert capabilities.smtputf8
    assert capabilities.enhanced_status_codes
    assert capabilities.chunking
    assert capabilities.dsn


@pytest.mark.parametrize("capabilities", [Capabilities(), announced()])
def test_nothing_announced_is_nothing_offered(capabilities: Capabilities) -> None:  # E1
    assert capabilities.keywords == {}
    assert capabilities.size is None
    assert capabilities.auth == ()
    assert not any(
        (
            capabilities.starttls,
            capabilities.pipelining,
            capabilities.eight_bit_mime,
            capabilities.smtputf8,
            capabilities.enhanced_status_codes,
            capabilities.chunking,
            capabilities.dsn,
            capabilities.binary_mime,
            capabilities.require_tls,
            capabilities.etrn,
            capabilities.xclient,
            capabilities.xforward,
            "SIZE" in capabilities,
        )
    )
    assert capabilities.deliver_by is None
    assert capabilities.future_release is None
    assert capabilities.mt_priority is None
    assert capabilities.limits == Limits()


def test_no_domain_before_a_reply() -> None:
    assert not Capabilities().domain


@pytest.mark.parametrize(
    ("first", "domain"), [("mx", "mx"), ("mx hello you", "mx"), ("", ""), (" mx", "")]
)
def test_the_domain_is_the_first_word(first: str, domain: str) -> None:
    assert Capabilities.from_reply(Reply.of(250, first)).domain == domain


@pytest.mark.parametrize("first", ["STARTTLS", "PIPELINING STARTTLS", "starttls"])
def test_the_first_line_is_never_a_keyword(first: str) -> None:  # R12
    assert Capabilities.from_reply(Reply.of(250, first)).keywords == {}


@pytest.mark.parametrize("line", ["STARTTLS", "starttls", "StartTLS", "STARTTLS ", "STARTTLS now"])
def test_a_keyword_is_read_in_any_case(line: str) -> None:  # R12
    capabilities = announced(line)
    assert capabilities.starttls
    assert "starttls" in capabilities
    assert "StartTls" in capabilities


@pytest.mark.parametrize(
    "line",
    ["STARTTLSX", "XSTARTTLS", "START TLS", "STARTTLS=", "STARTTLS,", "X-STARTTLS", "OFF STARTTLS"],
)
def test_a_keyword_is_read_whole(line: str) -> None:  # R12
    assert not announced(line).starttls


@pytest.mark.parametrize(
    "line",
    ["", " ", "\t", "-", "-STARTTLS", "=", "(x)", "\u00e9", "S\u0130ZE 5", "\x00SIZE", "A/B"],
)
def test_blank_and_odd_lines_are_ignored(line: str) -> None:  # R12
    assert announced(line, "DSN").keywords == {"DSN": ()}


@pytest.mark.parametrize(
    "blank", ["\x0b", "\x0c", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000"], ids=ascii
)
def test_no_character_but_sp_and_tab_parts_words(blank: str) -> None:  # R6 R12
    assert announced(f"{blank}STARTTLS").keywords == {}
    assert announced(f"X{blank}STARTTLS").keywords == {}
    assert announced(f"AUTH PLAIN{blank}LOGIN").auth == (f"PLAIN{blank}LOGIN",)


@pytest.mark.parametrize("keyword", ["XCLIENT", "X_Y", "X.Y", "8BITMIME", "X-EXPS", "0"])
def test_any_keyword_may_be_asked_for(keyword: str) -> None:
    capabilities = announced(f"{keyword} a B=c")
    assert keyword in capabilities
    assert capabilities[keyword.lower()] == ("a", "B=c")


def test_what_was_not_announced_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        announced("DSN")["SIZE"]


def test_lines_of_the_same_keyword_are_joined() -> None:
    capabilities = announced("AUTH PLAIN", "auth LOGIN PLAIN", "DSN", "DSN")
    assert capabilities.auth == ("PLAIN", "LOGIN")
    assert capabilities["DSN"] == ()


@pytest.mark.parametrize(
    ("lines", "mechanisms"),
    [
        (["AUTH"], ()),
        (["AUTH plain Login"], ("PLAIN", "LOGIN")),
        (["AUTH=PLAIN LOGIN"], ("PLAIN", "LOGIN")),
        (["auth=plain"], ("PLAIN",)),
        (["AUTH=", "DSN"], ()),
        (["AUTH= PLAIN"], ("PLAIN",)),
        (["AUTH LOGIN", "AUTH=PLAIN LOGIN"], ("LOGIN", "PLAIN")),
        (["AUTHX=PLAIN"], ()),
        (["XAUTH=PLAIN"], ()),
    ],
)
def test_mechanisms_in_the_new_and_the_old_form(
    lines: list[str], mechanisms: tuple[str, ...]
) -> None:
    assert announced(*lines).auth == mechanisms


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE", None),
        ("SIZE 0", None),
        ("SIZE 000", None),
        ("SIZE 1", 1),
        ("SIZE 35882577 extra", 35882577),
        (f"SIZE {'9' * 20}", 99999999999999999999),
        (f"SIZE {'9' * 21}", None),
        (f"SIZE {'9' * 5000}", None),
        ("SIZE -1", None),
        ("SIZE +1", None),
        ("SIZE 1_000", None),
        ("SIZE 1e3", None),
        ("SIZE 10MB", None),
        ("SIZE \u0665", None),
        ("SIZE \u00b2", None),
        ("SIZE x 5", None),
        ("SIZE=5", None),
    ],
)
def test_an_odd_size_is_no_limit(line: str, size: int | None) -> None:  # E2
    assert announced(line).size == size


def test_text_that_is_not_utf8_is_survived() -> None:
    reply = Reply(250, (b"\xff", b"DSN \xff", b"\xffSIZE", b"SIZE \xff"))
    capabilities = Capabilities.from_reply(reply)
    assert capabilities.domain == "\\xff"
    assert capabilities.dsn
    assert capabilities.size is None


# The largest reply that the parser lets through (ReplyLimits), with nothing but one keyword.
@pytest.mark.timeout(1)
def test_reading_is_linear() -> None:  # R8
    numbers = iter(range(60_000))
    lines = [" ".join(["A", *(f"{next(numbers):x}" for _ in range(50))]) for _ in range(1000)]
    assert len(announced(*lines)["A"]) == 50_000


def test_capabilities_cannot_be_changed() -> None:
    keywords: Any = announced("DSN").keywords
    with pytest.raises(TypeError):
        keywords["STARTTLS"] = ()


def test_capabilities_are_values() -> None:
    capabilities = announced("DSN", "SIZE 5")
    assert capabilities == announced("SIZE 5", "DSN")
    assert capabilities != announced("SIZE 6", "DSN")
    for same in (unpickled(capabilities), copy.copy(capabilities), copy.deepcopy(capabilities)):
        assert same == capabilities
        assert same.domain == "mx.example.com"
        assert type(same.keywords) is type(capabilities.keywords)


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        (["BINARYMIME", "CHUNKING"], True),
        (["BINARYMIME"], False),
        (["CHUNKING"], False),
    ],
)
def test_binary_content_needs_chunks(lines: list[str], offered: bool) -> None:  # E1
    assert announced(*lines).binary_mime is offered


def test_what_is_offered_or_not() -> None:
    capabilities = announced("REQUIRETLS", "ETRN")
    assert capabilities.require_tls
    assert capabilities.etrn


@pytest.mark.parametrize(
    ("line", "least"),
    [
        ("DELIVERBY", 0),
        ("DELIVERBY 240", 240),
        ("DELIVERBY 240,future", 240),
        ("DELIVERBY 0", 0),
        ("DELIVERBY 999999999", 999_999_999),
        ("DELIVERBY 1000000000", 0),
        ("DELIVERBY -5", 0),
        ("DELIVERBY soon", 0),
        ("DELIVERBY ,240", 0),
        ("DELIVERBYE 240", None),
    ],
)
def test_the_least_time_for_delivery(line: str, least: int | None) -> None:
    assert announced(line).deliver_by == least


NEW_YEAR = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("FUTURERELEASE", FutureRelease()),
        ("FUTURERELEASE 604800 2030-01-01T00:00:00Z", FutureRelease(604_800, NEW_YEAR)),
        ("FUTURERELEASE 1 2030-01-01t00:00:00z", FutureRelease(1, NEW_YEAR)),
        ("FUTURERELEASE 1 2030-01-01T02:00:00.00+02:00 x", FutureRelease(1, NEW_YEAR)),
        ("FUTURERELEASE 604800", FutureRelease(604_800)),
        ("FUTURERELEASE 0 2030-01-01T00:00:00Z", FutureRelease(None, NEW_YEAR)),
        ("FUTURERELEASE long 2030-01-01T00:00:00Z", FutureRelease(None, NEW_YEAR)),
        ("FUTURERELEASE 1209600 999999999", FutureRelease(1_209_600)),
        ("FUTURERELEASE 1 2030-01-01T00:00:00", FutureRelease(1)),
        ("FUTURERELEASE 1 2030-02-31T00:00:00Z", FutureRelease(1)),
        ("FUTURERELEASE 1 0001-01-01T00:00:00+01:00", FutureRelease(1)),
        ("FUTURERELEASE 1 20300101T000000Z", FutureRelease(1)),
    ],
)
def test_how_long_a_message_is_held(line: str, held: FutureRelease) -> None:
    assert announced(line).future_release == held


@pytest.mark.parametrize(
    ("line", "profile"),
    [("MT-PRIORITY", ""), ("MT-PRIORITY MIXER", "MIXER"), ("MT-PRIORITY nsep x", "NSEP")],
)
def test_the_profile_of_priorities(line: str, profile: str) -> None:
    assert announced(line).mt_priority == profile


@pytest.mark.parametrize(
    ("line", "limits"),
    [
        ("LIMITS", Limits()),
        ("LIMITS MAILMAX=10 RCPTMAX=100 RCPTDOMAINMAX=5", Limits(10, 100, 5)),
        ("LIMITS rcptmax=100", Limits(rcpt_max=100)),
        ("LIMITS RCPTMAX=999999", Limits(rcpt_max=999_999)),
        ("LIMITS RCPTMAX=100 RCPTMAX=5", Limits(rcpt_max=100)),
        ("LIMITS RCPTMAX=0 MAILMAX RCPTDOMAINMAX=", Limits()),
        ("LIMITS RCPTMAX=1000000 MAILMAX=-1 RCPTDOMAINMAX=x", Limits()),
        ("LIMITS RCPTMAX=1=2 FUTURE=7 =3 MAILMAX=\u0665", Limits()),
    ],
)
def test_odd_limits_are_ignored(line: str, limits: Limits) -> None:
    assert announced(line).limits == limits


def test_attributes_of_xclient_and_xforward() -> None:
    capabilities = announced("XCLIENT NAME addr", "XFORWARD NAME SOURCE", "XFORWARD PORT")
    assert capabilities.xclient == {"NAME", "ADDR"}
    assert capabilities.xforward == {"NAME", "SOURCE", "PORT"}


def test_what_is_not_to_be_used_can_be_left_out() -> None:
    capabilities = announced("PIPELINING", "SIZE 5", "CHUNKING", "DSN")
    less = capabilities.without(["pipelining", "CHUNKING", "NEVER-HEARD-OF"])
    assert dict(less.keywords) == {"SIZE": ("5",), "DSN": ()}
    assert (less.pipelining, less.chunking, less.size) == (False, False, 5)
    assert less.domain == capabilities.domain
    assert capabilities.pipelining
    assert capabilities.without([]) == capabilities
    assert unpickled(less) == less
