"""The laws of the values and codecs, for any input at all."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ehlo import (
    Address,
    Capabilities,
    Channel,
    Endpoint,
    Entry,
    Envelope,
    InvalidAddress,
    InvalidInput,
    Mailbox,
    OAuth2,
    Password,
    Reply,
    Secret,
    Side,
    commands,
    errors,
)
from ehlo.address import addresses_at_once, mailboxes_at_once
from ehlo.commands import Command
from ehlo.receipt import queue_id
from ehlo.secret import MASK, scrub
from ehlo.text import control_character, printable
from ehlo.wire import ContentEncoder, ReplyLimits
from support.cuts import cuttings
from support.hostile import CONTROL_CHARACTERS, HARMLESS, controls_in
from support.pickling import unpickled
from support.replies import Parsed, parse

# --- what the laws are tried on -------------------------------------------------------------------

HOSTILE_CHARACTERS = st.one_of(
    st.sampled_from(CONTROL_CHARACTERS),
    st.sampled_from([*HARMLESS, *'.@"\\<>()[]:;,-_=*']),
    st.characters(),
    st.characters(categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"]),
)
HOSTILE_TEXTS = st.text(HOSTILE_CHARACTERS, max_size=20)
CODES = st.integers(200, 599)
LINES = st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))
REPLIES = st.builds(Reply, CODES, st.lists(LINES, min_size=1, max_size=4).map(tuple))


@st.composite
def server_octets(draw: st.DrawFn) -> bytes:
    """What a server may say: replies, nearly replies, garbage, cut off anywhere."""
    ends = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\r\n", b""])
    starts = st.sampled_from([b"250-", b"250 ", b"250", b"550-", b"550 ", b"2", b"\t", b"600 "])
    line = st.tuples(starts, LINES, ends).map(b"".join)
    code_alone = st.tuples(st.sampled_from([b"250", b"250-"]), ends).map(b"".join)
    parts = st.one_of(REPLIES.map(Reply.wire), line, code_alone, st.binary(max_size=8))
    octets = b"".join(draw(st.lists(parts, max_size=5)))
    return octets[: draw(st.integers(0, len(octets)))] if draw(st.booleans()) else octets


def cut(draw: st.DrawFn, octets: bytes) -> list[bytes]:
    """Cut anywhere, into any number of pieces, some of them empty."""
    at = sorted(draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    return [octets[start:end] for start, end in pairwise([0, *at, len(octets)])]


# --- replies --------------------------------------------------------------------------------------


@given(server_octets())
@example(b"250\r\n")
def test_replies_do_not_depend_on_how_octets_are_cut(octets: bytes) -> None:  # R2
    whole = parse([octets])
    for pieces in cuttings(octets):
        assert parse(pieces) == whole, pieces


@given(server_octets(), st.integers(4, 12), st.integers(1, 3), st.integers(4, 40))
@example(b"250 1234\r\n", 8, 1, 40)
def test_nor_do_the_limits(octets: bytes, line: int, lines: int, total: int) -> None:  # R2 R8
    limits = ReplyLimits(line, lines, total)
    whole = parse([octets], limits)
    for pieces in cuttings(octets):
        assert parse(pieces, limits) == whole, pieces


@given(st.data(), st.one_of(st.binary(max_size=200), server_octets()))
def test_any_octets_are_replies_or_garbage(data: st.DataObject, octets: bytes) -> None:  # R2 R7
    # `parse` lets nothing but BadReply be caught.
    parsed = parse(data.draw(st.composite(cut)(octets)))
    for reply in parsed.replies:
        assert 200 <= reply.code <= 599
        assert reply.severity == reply.code // 100
        assert reply.raw_lines
        assert not controls_in(str(reply))


@given(st.lists(REPLIES, max_size=4))
def test_what_a_server_sends_is_what_is_read(replies: list[Reply]) -> None:  # R2 R5 R7
    octets = b"".join(reply.wire() for reply in replies)
    for pieces in cuttings(octets):
        assert parse(pieces) == Parsed(replies, residue=False, bad=False), pieces


@given(REPLIES)
def test_a_reply_answers_every_question(reply: Reply) -> None:  # R10 R12 E2
    assert len(reply.lines) == len(reply.raw_lines)
    status = reply.enhanced_status
    assert status is None or (
        status.class_ == reply.code // 100 and reply.raw_lines[0].startswith(str(status).encode())
    )
    name = queue_id(reply)
    assert name is None or name in " ".join(reply.lines)
    capabilities = Capabilities.from_reply(reply)
    assert all(re.fullmatch(r"[A-Z0-9][A-Z0-9._-]*", keyword) for keyword in capabilities.keywords)
    assert len(capabilities.keywords) < len(reply.lines)
    assert capabilities.size is None or capabilities.size > 0
    assert unpickled(capabilities) == capabilities
    assert unpickled(reply) == reply


@given(
    st.lists(
        st.text(st.sampled_from("AUTH=SIZE PLAIN0159\t-._\u00df\u0131\xa0"), max_size=24),
        max_size=5,
    )
)
def test_any_announcement_is_read(lines: list[str]) -> None:  # R12 E2
    capabilities = Capabilities.from_reply(Reply.of(250, "AUTH=PLAIN", *lines))
    assert capabilities.domain == "AUTH=PLAIN"
    assert all(keyword.isascii() and keyword in capabilities for keyword in capabilities.keywords)
    for parameters in capabilities.keywords.values():
        assert len(set(parameters)) == len(parameters)
        assert all(parameters)
    if capabilities.keywords:
        assert lines


# --- commands -------------------------------------------------------------------------------------

# Each argument of each command that reaches the line as text; what the types forbid as well.
ARGUMENTS: dict[str, Callable[[Any], Command]] = {
    "Ehlo.name": commands.Ehlo,
    "Ehlo.name, literal": lambda text: commands.Ehlo(f"[{text}]"),
    "Helo.name": commands.Helo,
    "Lhlo.name": commands.Lhlo,
    "Auth.mechanism": commands.Auth,
    "Auth.initial_response": lambda text: commands.Auth("PLAIN", Secret(text)),
    "AuthResponse.response": lambda text: commands.AuthResponse(Secret(text)),
    "Mail.sender": lambda text: commands.Mail(Address(text)),
    "Mail.sender, local part": lambda text: commands.Mail(Address(f"{text}@b")),
    "Mail.sender, quoted": lambda text: commands.Mail(Address(f'"{text}"@b'), smtputf8=True),
    "Mail.sender, mailbox": lambda text: commands.Mail(Mailbox.parse(f"A <{text}@b>").address),
    "Mail.size": lambda text: commands.Mail(None, size=text),
    "Mail.body": lambda text: commands.Mail(None, body=text),
    "Rcpt.recipient": lambda text: commands.Rcpt(Address(text)),
    "Rcpt.recipient, pair": lambda text: commands.Rcpt(Address(f'"\\{text}"@b')),
    "Rcpt.recipient, domain": lambda text: commands.Rcpt(Address(f"a@{text}")),
    "Rcpt.recipient, literal": lambda text: commands.Rcpt(Address(f"a@[{text}]")),
    "Noop.argument": commands.Noop,
    "Vrfy.argument": commands.Vrfy,
    "Expn.argument": commands.Expn,
    "Help.argument": commands.Help,
    "Etrn.node": commands.Etrn,
    "Raw.line": commands.Raw,
    "Raw.line, verb": lambda text: commands.Raw(f"X{text}"),
}


def test_every_command_that_takes_text_is_there() -> None:
    without = {"AuthCancel", "Bdat", "Data", "EndOfContent", "Greeting", "Quit", "Rset", "StartTls"}
    encoded = {"Xclient", "Xforward"}  # see test_parameter_laws.py
    no_commands = {"Body", "Command", "Verb"} | {
        name for name in commands.__all__ if name.isupper()
    }
    there = {name.partition(".")[0] for name in ARGUMENTS}
    assert there == set(commands.__all__) - without - encoded - no_commands


@pytest.mark.parametrize("make", ARGUMENTS.values(), ids=ARGUMENTS)
@given(text=st.one_of(HOSTILE_TEXTS, st.sampled_from(CONTROL_CHARACTERS)))
@example(text="a\r\nRCPT TO:<evil@example.org>")
@example(text="a\n")
@example(text="a\u2028b")
@example(text="a\ud800b")
def test_what_is_passed_stays_on_its_line(make: Callable[[Any], Command], text: str) -> None:  # I1
    try:
        wire = make(text).wire()
    except InvalidInput:
        return
    line = wire.removesuffix(b"\r\n")
    assert line + b"\r\n" == wire
    assert not controls_in(line.decode())  # strict: no surrogate got through either
    assert text in line.decode()  # as it was, or not at all
    assert not controls_in(text)


# --- content --------------------------------------------------------------------------------------

CONTENTS = st.one_of(
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"\r\n.\r\n", b"a", b"\0", b"\x85", b"\x1a"]),
        max_size=24,
    ).map(b"".join),
    st.binary(max_size=60),
)


def encode(chunks: list[bytes]) -> bytes:
    encoder = ContentEncoder()
    return b"".join(piece for chunk in chunks for piece in encoder.encode(chunk)) + encoder.finish()


def received(wire: bytes) -> bytes:
    """Read what RFC 5321 section 4.5.2 says a server gets, and that nothing is left behind it."""
    lines = wire.split(b"\r\n")
    assert lines[lines.index(b".") :] == [b".", b""]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


def normalised(content: bytes) -> bytes:
    lines = re.split(rb"\r\n|\r|\n", content)
    if lines[-1] == b"":
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@given(st.data(), CONTENTS)
def test_content_arrives_with_its_line_ends_normalised(  # D1 D2 D4
    data: st.DataObject, content: bytes
) -> None:
    wire = encode(data.draw(st.composite(cut)(content)))
    assert received(wire) == normalised(content)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    assert (b"\r\n" + wire).count(b"\r\n.\r\n") == 1
    assert (b"\r\n" + wire).endswith(b"\r\n.\r\n")


@given(CONTENTS)
def test_content_does_not_depend_on_how_it_is_cut(content: bytes) -> None:  # D1
    whole = encode([content])
    for chunks in cuttings(content):
        assert encode(chunks) == whole, chunks


@pytest.mark.parametrize("unit", [b".\n", b"\r", b"a\r\n.", b"\r\r\n.\r", b".", b"\n.\r.\r\n"])
@pytest.mark.parametrize("size", [131_071, 131_072, 131_073, 300_000])
def test_the_same_goes_for_much_content(unit: bytes, size: int) -> None:  # D1 D2
    content = (unit * (size // len(unit) + 1))[:size]
    whole = encode([content])
    assert received(whole) == normalised(content)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", whole)
    for step in (4093, 131_072):
        assert encode([content[at : at + step] for at in range(0, size, step)]) == whole


# --- addresses ------------------------------------------------------------------------------------

ATOMS = st.text(st.sampled_from("aZ9!#$%&'*+/=?^_`{|}~-\u00fc\u4f8b"), min_size=1, max_size=5)
DOT_STRINGS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join)
QUOTED = st.lists(
    st.one_of(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'),
        st.characters(min_codepoint=32, max_codepoint=126).map(lambda character: f"\\{character}"),
        st.sampled_from(["\u00fc", "\U0001f4e7"]),
    ),
    max_size=12,
).map(lambda parts: f'"{"".join(parts)}"')
LABELS = st.tuples(
    st.sampled_from("aZ9\u00fc"),
    st.text(st.sampled_from("bY8-"), max_size=8),
    st.sampled_from("cX7"),
).map("".join)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
LITERALS = st.text(st.sampled_from("aF09:.!~Z^"), min_size=1, max_size=20).map("[{}]".format)
ADDRESSES = st.tuples(st.one_of(DOT_STRINGS, QUOTED), st.one_of(DOMAINS, LITERALS)).map("@".join)


@given(st.one_of(HOSTILE_TEXTS, st.tuples(HOSTILE_TEXTS, HOSTILE_TEXTS).map("@".join)))
def test_any_text_is_one_address_as_it_is_or_none(text: str) -> None:  # I1 I2
    try:
        address = Address(text)
    except InvalidAddress as caught:
        refusal = caught
    else:
        assert str(address) == address.spec == text
        assert text.encode().decode() == text
        assert not controls_in(text)
        return
    assert refusal.text == text
    assert 0 <= refusal.position <= len(text)
    assert not controls_in(str(refusal))


@given(st.lists(st.one_of(ADDRESSES, HOSTILE_TEXTS, st.from_regex(r"[a-z]{1,80}@[a-z]\Z"))))
def test_many_addresses_are_read_like_each_of_them(texts: list[str]) -> None:
    addresses = addresses_at_once(texts)
    if addresses is not None:
        assert addresses == [Address(text) for text in texts]
        assert mailboxes_at_once(texts) == tuple(map(Mailbox.parse, texts))
        if texts:
            found = Envelope(None, texts).recipients
            assert found == tuple(dict.fromkeys(map(Address, texts)))


@given(ADDRESSES)
def test_every_address_of_the_grammar_works_unchanged(text: str) -> None:  # I4
    address = Address(text)
    assert address.spec == text
    assert f"{address.local_part}@{address.domain}" == text
    assert commands.Rcpt(address).wire() == f"RCPT TO:<{text}>\r\n".encode()
    assert Mailbox.parse(text) == Mailbox.parse(f"<{text}>") == Mailbox(address)
    assert unpickled(address) == address


@given(ADDRESSES, HOSTILE_TEXTS)
def test_a_mailbox_is_read_as_it_was_written(text: str, name: str) -> None:  # I1 I2
    try:
        mailbox = Mailbox(Address(text), name)
    except InvalidAddress:
        assert controls_in(name)
    else:
        assert Mailbox.parse(str(mailbox)) == mailbox


@given(HOSTILE_TEXTS)
def test_any_text_is_one_mailbox_or_none(text: str) -> None:  # I1 I2
    with suppress(InvalidAddress):
        mailbox = Mailbox.parse(text)
        assert mailbox.address.spec in text
        assert Mailbox.parse(str(mailbox)) == mailbox


# --- text -----------------------------------------------------------------------------------------


@given(HOSTILE_TEXTS)
def test_control_characters_are_found_and_never_shown(text: str) -> None:  # I1 R7
    assert bool(control_character(text)) == bool(controls_in(text))
    assert not controls_in(printable(text))
    assert controls_in(text) or printable(text) == text
    assert "\n" not in str(Entry(0.0, Side.SERVER, text))


@given(HOSTILE_TEXTS)
def test_any_text_is_an_endpoint_or_an_error(text: str) -> None:
    for url in (text, f"smtp://{text}", f"smtp://u:{text}@mx", f"smtp://mx?{text}"):
        with suppress(InvalidInput):
            endpoint = Endpoint.from_url(url)
            assert not controls_in(endpoint.host + endpoint.path)
            assert Endpoint.of(endpoint) is endpoint


# --- secrets --------------------------------------------------------------------------------------

VALUES = st.text(st.sampled_from("qxz789"), min_size=12, max_size=20)


@given(VALUES)
def test_a_secret_is_seen_nowhere(value: str) -> None:  # A8
    secret = Secret(value)
    holders: list[object] = [
        secret,
        Password("ada", value),
        *Password("ada", secret).mechanisms(Channel(bindings={"tls-exporter": b"x"})),
        OAuth2("ada", value),
        *OAuth2("ada", value).bearing(secret),
        commands.Auth("PLAIN", secret, (secret,)),
        commands.AuthResponse(secret, (secret,)),
        Endpoint.from_url(f"smtps://ada:{value}@mx.example.com"),
        errors.SMTPError("no", command=commands.Auth("PLAIN", secret).shown),
    ]
    for holder in holders:
        shown = f"{holder} {holder!r} {[holder]} {holder!s:>80} {holder!a}"
        assert value not in shown
        if not isinstance(holder, errors.SMTPError):
            with pytest.raises(TypeError, match="cannot be pickled"):
                unpickled(holder)


@given(VALUES, st.binary(max_size=20), st.binary(max_size=20))
def test_an_echo_is_masked(value: str, before: bytes, behind: bytes) -> None:  # A8
    octets = before + value.encode() + behind
    scrubbed = scrub(octets, (Secret(value),))
    assert value.encode() not in scrubbed
    assert MASK.encode() in scrubbed
