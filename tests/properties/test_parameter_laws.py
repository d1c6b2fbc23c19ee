"""The laws of parameters, attributes and capabilities, for any input at all."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ehlo import (
    Address,
    ByMode,
    Capabilities,
    CapabilityMissing,
    DeliverBy,
    FutureRelease,
    InvalidInput,
    Limits,
    MailOptions,
    Notify,
    OriginalRecipient,
    ProxyHeader,
    ProxyVersion,
    RcptOptions,
    Reply,
    Ret,
    commands,
)
from ehlo.commands import Body, Command
from ehlo.parameters import check_limits, needs
from ehlo.xtext import decode_xtext, encode_utf8_address, encode_xtext
from support.hostile import CONTROL_CHARACTERS, HARMLESS, controls_in
from support.pickling import unpickled

HOSTILE_TEXTS = st.text(
    st.one_of(
        st.sampled_from([*CONTROL_CHARACTERS, *HARMLESS, *' +=;,"<>\\@.%', "\r", "\n", "\0"]),
        st.characters(),
    ),
    max_size=20,
)
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=ZONES)
SECONDS = st.one_of(st.integers(), st.timedeltas())
ADDRESSES = st.one_of(
    st.just("ada@example.org"),
    HOSTILE_TEXTS.map(lambda text: f'"{text}"@example.org'),
    HOSTILE_TEXTS,
)
# What a caller may pass for each option, right or wrong, of the right type.
MAIL = st.fixed_dictionaries(
    {},
    optional={
        "ret": st.one_of(st.sampled_from(Ret), HOSTILE_TEXTS),
        "envid": HOSTILE_TEXTS,
        "hold_for": SECONDS,
        "mt_priority": st.integers(-12, 12),
        "require_tls": st.booleans(),
        "auth": st.one_of(st.just("<>"), ADDRESSES),
    },
)
RCPT = st.fixed_dictionaries(
    {},
    optional={
        "notify": st.one_of(st.lists(st.sampled_from(Notify)), HOSTILE_TEXTS),
        "orcpt": ADDRESSES,
    },
)
# esmtp-param = esmtp-keyword ["=" esmtp-value], each behind one blank (RFC 5321 section 4.1.2).
PARAMETERS = re.compile(r"(?: [A-Z0-9-]+(?:=[!-<>-~]+)?)*")


def names(parameters: str) -> list[str]:
    return [word.partition("=")[0] for word in parameters.split()]


# --- xtext ----------------------------------------------------------------------------------------


@given(HOSTILE_TEXTS)
def test_xtext_is_read_as_it_was_written(text: str) -> None:  # I1
    try:
        written = encode_xtext("it", text)
    except InvalidInput:
        assert controls_in(text)
        return
    assert re.fullmatch(r"[!-*,-<>-~+]*", written)
    assert decode_xtext(written) == text


@given(HOSTILE_TEXTS)
def test_an_address_in_ascii_is_read_as_it_was_written(text: str) -> None:  # I1
    with suppress(InvalidInput):
        written = encode_utf8_address("it", text)
        # utf-8-addr-xtext of RFC 6533 section 3
        assert re.fullmatch(r"(?:[!-*,-<>-\[\]-~]|\\x\{[0-9A-F]{2,6}\})*", written)
        read = re.sub(r"\\x\{([0-9A-F]+)\}", lambda match: chr(int(match[1], 16)), written)
        assert read == text


@given(st.text(st.sampled_from("+09AFaf =x\u00fc\x7f"), max_size=12))
def test_any_text_is_xtext_or_an_error(text: str) -> None:
    with suppress(InvalidInput):
        assert len(decode_xtext(text)) <= len(text)
        assert re.fullmatch(r"[!-~]*", text)


# --- parameters -----------------------------------------------------------------------------------


@given(MAIL)
def test_any_options_of_a_message_are_parameters_or_an_error(given_: dict[str, Any]) -> None:  # I1
    with suppress(InvalidInput):
        options = MailOptions(**given_)
        assert PARAMETERS.fullmatch(options.parameters)
        asked = {name for name, value in given_.items() if value is not False}
        assert len(names(options.parameters)) == len(asked)
        assert unpickled(options) == options
        assert bool(needs(options)) == bool(asked)


@given(RCPT)
def test_any_options_of_a_recipient_are_parameters_or_an_error(given_: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        options = RcptOptions(**given_)
        assert PARAMETERS.fullmatch(options.parameters)
        assert len(names(options.parameters)) <= len(given_)
        assert RcptOptions(notify=options.notify, orcpt=options.orcpt) == options


@given(SECONDS, st.sampled_from(ByMode), st.booleans())
def test_any_time_of_delivery_is_a_parameter_or_an_error(
    seconds: Any, mode: ByMode, trace: bool
) -> None:
    with suppress(InvalidInput):
        options = MailOptions(deliver_by=DeliverBy(seconds, mode, trace=trace))
        assert re.fullmatch(r" BY=-?[0-9]{1,9};[RN]T?", options.parameters)


@given(MOMENTS)
def test_any_moment_of_release_is_a_parameter_or_an_error(moment: Any) -> None:
    with suppress(InvalidInput):
        options = MailOptions(hold_until=moment)
        assert re.fullmatch(
            r" HOLDUNTIL=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
            options.parameters,
        )
        assert options.hold_until is not None
        assert timedelta(0) <= options.hold_until - moment < timedelta(seconds=1)


@given(HOSTILE_TEXTS, HOSTILE_TEXTS)
def test_any_original_recipient_is_one_word_or_an_error(text: str, kind: str) -> None:  # I1
    for type_ in ("rfc822", "utf-8", kind):
        with suppress(InvalidInput):
            assert re.fullmatch(r"[A-Za-z0-9_-]+;[!-<>-~]+", str(OriginalRecipient(text, type_)))


@given(
    st.one_of(st.none(), ADDRESSES),
    st.one_of(st.none(), st.integers()),
    st.one_of(st.none(), st.sampled_from(Body), HOSTILE_TEXTS),
    st.booleans(),
    MAIL,
    RCPT,
)
def test_mail_and_rcpt_are_one_line(
    path: str | None, size: Any, body: Any, smtputf8: bool, mail: Any, rcpt: Any
) -> None:  # I1
    with suppress(InvalidInput):
        sender = None if path is None else Address(path)
        recipient = sender or Address("postmaster")
        lines: list[tuple[str, Command]] = [
            (
                f"MAIL FROM:<{path or ''}>",
                commands.Mail(sender, size, body, smtputf8, MailOptions(**mail)),
            ),
            (f"RCPT TO:<{recipient}>", commands.Rcpt(recipient, RcptOptions(**rcpt))),
        ]
        for start, command in lines:
            line = command.wire().decode()
            assert line.startswith(start)
            assert line.endswith("\r\n")
            assert not controls_in(line[:-2])
            assert PARAMETERS.fullmatch(line[len(start) : -2])


@given(st.dictionaries(st.one_of(st.just("NAME"), HOSTILE_TEXTS), HOSTILE_TEXTS, max_size=3))
def test_any_attributes_are_one_line_or_an_error(attributes: dict[str, str]) -> None:  # I1
    for make in (commands.Xclient, commands.Xforward):
        with suppress(InvalidInput):
            line = make(attributes).wire().decode()
            pairs = dict(word.split("=") for word in line.split()[1:])
            assert {name: decode_xtext(value) for name, value in pairs.items()} == attributes


@given(HOSTILE_TEXTS)
def test_any_node_is_one_word_or_an_error(node: str) -> None:  # I1
    with suppress(InvalidInput):
        assert commands.Etrn(node).wire().decode().split() == ["ETRN", node]


# --- what a server announces ----------------------------------------------------------------------

WORDS = st.one_of(
    st.sampled_from(
        ["", "0", "60", "1" * 30, "-1", "MAILMAX=5", "RCPTMAX=x", "2030-01-01T00:00:00Z", "9,x"]
    ).map(str.encode),
    st.binary(max_size=8),
)
KEYWORDS = st.sampled_from(
    [b"SIZE", b"DELIVERBY", b"FUTURERELEASE", b"MT-PRIORITY", b"LIMITS", b"XCLIENT", b"AUTH"]
)
ANNOUNCED = st.lists(
    st.tuples(KEYWORDS, st.lists(WORDS, max_size=3)).map(lambda row: b" ".join([row[0], *row[1]])),
    max_size=4,
)


@given(ANNOUNCED)
def test_any_octets_are_capabilities(lines: list[bytes]) -> None:  # E2 R12
    capabilities = Capabilities.from_reply(Reply(250, (b"mx", *lines)))
    assert capabilities.size is None or capabilities.size > 0
    assert capabilities.deliver_by is None or 0 <= capabilities.deliver_by < 10**9
    assert isinstance(capabilities.limits, Limits)
    assert (capabilities.future_release is None) is ("FUTURERELEASE" not in capabilities)
    release = capabilities.future_release or FutureRelease()
    assert release.max_seconds is None or 0 < release.max_seconds < 10**9
    assert all(name == name.upper() for name in capabilities.xclient | capabilities.xforward)
    assert unpickled(capabilities) == capabilities
    assert not capabilities.without(capabilities.keywords).keywords


@given(ANNOUNCED, st.integers(1, 999_999_999))
def test_a_limit_is_kept_or_exceeded(lines: list[bytes], seconds: int) -> None:
    capabilities = Capabilities.from_reply(Reply(250, (b"mx", *lines)))
    options = MailOptions(hold_for=seconds)
    most = (capabilities.future_release or FutureRelease()).max_seconds
    try:
        check_limits(options, capabilities)
    except CapabilityMissing:
        assert most is not None
        assert seconds > most
    else:
        assert most is None or seconds <= most


# --- the PROXY protocol ---------------------------------------------------------------------------


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 65535), st.sampled_from(ProxyVersion))
def test_any_ends_are_a_header_or_an_error(
    one: Any, other: Any, port: int, version: ProxyVersion
) -> None:
    if "%" in f"{one}{other}":
        return
    try:
        octets = ProxyHeader((str(one), port), (str(other), port), version).octets()
    except InvalidInput:
        assert one.version != other.version
        return
    if version is ProxyVersion.V1:
        assert len(octets) <= 107
        assert octets.split() == [
            b"PROXY", b"TCP%d" % one.version, str(one).encode(), str(other).encode(),
            *[str(port).encode()] * 2,
        ]  # fmt: skip
    else:
        assert len(octets) == 16 + int.from_bytes(octets[14:16], "big")
        assert octets[16:].startswith(one.packed + other.packed)
