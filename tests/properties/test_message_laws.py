"""The laws of messages: what is built reads back, what is taken is not changed, nothing else."""

from __future__ import annotations

import email
import email.message
import email.policy
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import getaddresses
from inspect import signature
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ehlo import Address, Attachment, Envelope, InvalidAddress, InvalidInput, Mailbox, Message
from ehlo.message import prepare
from ehlo.message.mailboxes import Group, parse_groups, parse_mailboxes
from support.hostile import CONTROL_CHARACTERS, HARMLESS, controls_in
from support.outgoing import in_memory

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
ENVELOPE = Envelope("ada@example.org", "bob@example.com")
PLAIN: dict[str, Any] = {"from_": "ada@example.org", "to": "bob@example.com"}

# --- what the laws are tried on -------------------------------------------------------------------

HARMLESS_CHARACTERS = st.one_of(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]),
    st.sampled_from([*HARMLESS, *" ,;:.@\"'\\<>()[]=?_%*/"]),
)
CHUNKS = st.one_of(
    st.text(HARMLESS_CHARACTERS, max_size=12),
    st.sampled_from(["=?utf-8?q?a=2Cb?=", "=?utf-8?b?YQ==?=", "   ", "utf-8''", "word word "]),
    st.integers(0, 90).map(lambda number: "x" * number),
)
TEXTS = st.lists(CHUNKS, max_size=8).map("".join)
NAMES = TEXTS.filter(bool)
SPECS = st.sampled_from(
    ["a@b", "ada@example.org", '"a b, c"@example.org', "a@[192.0.2.1]", "x" * 64 + "@" + "y" * 99]
)
MAILBOXES = st.builds(Mailbox, SPECS.map(Address), st.one_of(st.just(""), NAMES))
BODIES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.sampled_from(["\r\n", "\n", "\r", ".", "--=_1_id", "=20", " \n", "From "]),
        st.integers(0, 1100).map(lambda number: "x" * number),
    ),
    max_size=8,
).map("".join)
FILES = st.builds(
    lambda content, filename: Attachment(content, filename=filename),
    st.binary(max_size=200),
    NAMES.filter(lambda name: name == name.strip()),  # the reader strips it
)
LIST_PIECES = st.one_of(
    st.sampled_from([*'"<>@,:;()[]\\. \t', "a", "a@b", "<a@b>", '"x"', "friends:", "é", "\r\n"]),
    st.sampled_from(CONTROL_CHARACTERS),
    st.text(max_size=4),
)
LISTS = st.lists(LIST_PIECES, max_size=25).map("".join)


def octets_of(message: Message) -> bytes:
    return message.as_bytes(now=NOW, make_id=lambda: "id")


def checked(octets: bytes) -> bytes:
    """See that octets may be sent, and return their header."""
    assert octets.isascii()
    assert b"\0" not in octets
    assert octets.endswith(b"\r\n")
    rest = octets.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    header = octets.partition(b"\r\n\r\n")[0]
    for line in header.split(b"\r\n"):
        words = re.findall(rb"=\?utf-8\?[bq]\?[!->@-~]*\?=", line)
        assert not words or len(line) <= 76
        for word in words:
            ((encoded, charset),) = decode_header(word.decode())
            assert charset == "utf-8"
            encoded.decode()
    return header


def read(octets: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)


def field(header: bytes, name: str) -> str:
    """Return a field's value, unfolded and not decoded."""
    match = re.search(rf"^{name}: ?([^\r]*(?:\r\n [^\r]*)*)", header.decode(), re.MULTILINE)
    assert match
    return match[1].replace("\r\n", "")


def unix(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if not text or text.endswith("\n") else text + "\n"


# --- messages that are built ----------------------------------------------------------------------


@given(TEXTS)
def test_a_subject_reads_as_it_was_written(subject: str) -> None:  # H1
    octets = octets_of(Message(**PLAIN, subject=subject, headers={"X-Copy": subject}))
    checked(octets)
    message = read(octets)
    assert (message["Subject"] or "") == subject
    assert message["X-Copy"] == subject


def read_addresses(value: str) -> list[tuple[str, str]]:
    """Read with the standard library, without the strict mode that refuses address literals."""
    lenient = {"strict": False} if "strict" in signature(getaddresses).parameters else {}
    return getaddresses([value], **lenient)


@given(st.lists(MAILBOXES, min_size=1, max_size=8))
def test_mailboxes_read_as_they_were_written(mailboxes: list[Mailbox]) -> None:  # H2
    message = Message(from_=mailboxes, sender="s@x", to=mailboxes)
    header = checked(octets_of(message))
    for name in ("From", "To"):
        value = field(header, name)
        found = [(str(make_header(decode_header(n))), spec) for n, spec in read_addresses(value)]
        assert found == [(one.name, one.address.spec) for one in mailboxes]
        # our own reader finds the same addresses, and encoded words for names
        assert [one.address for one in parse_mailboxes(value)] == [one.address for one in mailboxes]


@given(st.none() | BODIES, st.none() | BODIES, st.lists(FILES, max_size=3))
def test_bodies_and_files_read_as_they_were_written(  # H5 D3
    text: str | None, html: str | None, files: list[Attachment]
) -> None:
    message = Message(**PLAIN, text=text, html=html, attachments=files)
    octets = octets_of(message)
    checked(octets)
    assert octets_of(message) == octets
    parts: list[Any] = [part for part in read(octets).walk() if not part.is_multipart()]
    texts = [it for it in (text, html) if it is not None] or [""]
    assert len(parts) == len(texts) + len(files)
    for part, expected in zip(parts, texts, strict=False):
        assert part.get_content().replace("\r\n", "\n") == unix(expected)
    for part, attachment in zip(parts[len(texts) :], files, strict=True):
        assert part.get_payload(decode=True) == attachment.content
        assert part.get_filename() == attachment.filename


@given(st.text(max_size=12), st.sampled_from(CONTROL_CHARACTERS), st.text(max_size=12))
def test_no_control_character_gets_into_a_header(before: str, bad: str, after: str) -> None:  # H1
    text = before + bad + after
    for make in (
        lambda: Message(**PLAIN, subject=text),
        lambda: Message(**PLAIN, headers={"X-A": text}),
        lambda: Message(**PLAIN, headers={text: "x"}),
        lambda: Message(**PLAIN, message_id=text),
        lambda: Message(from_=text, to="a@b"),
        lambda: Message(from_=[(text, "a@b")], to="a@b"),
        lambda: Attachment(b"", filename=text),
        lambda: Attachment(b"", filename="a", content_type=text),
    ):
        try:
            make()
        except InvalidInput:
            continue
        raise AssertionError(text)


@given(TEXTS, TEXTS, LISTS)
def test_what_is_refused_is_refused_when_it_is_given(name: str, value: str, people: str) -> None:
    try:
        message = Message(
            from_="a@b", to="c@d", headers=[(name, value), ("Errors-To", people)], message_id=value
        )
    except InvalidInput:
        return
    checked(octets_of(message))


# --- lists of mailboxes ---------------------------------------------------------------------------


@given(LISTS)
def test_any_text_is_a_list_of_mailboxes_or_says_where_it_is_none(text: str) -> None:  # I2 I5
    groups: tuple[Group, ...] = ()
    try:
        groups = parse_groups(text)
    except InvalidAddress as error:
        where = (error.text, error.position)
    else:
        where = (text, 0)
    assert where[0] == text
    assert 0 <= where[1] <= len(text)
    if not groups:
        return
    assert parse_mailboxes(text) == tuple(it.mailbox for group in groups for it in group.members)
    for group in groups:
        assert not controls_in(group.name or "")
        for member in group.members:
            assert member.source in text
            assert member.mailbox == Mailbox.parse(member.source)


@given(st.lists(MAILBOXES, max_size=6))
def test_a_list_is_read_as_it_is_shown(mailboxes: list[Mailbox]) -> None:  # I2
    assert parse_mailboxes(", ".join(map(str, mailboxes))) == tuple(mailboxes)
    assert parse_mailboxes(f"a: {','.join(map(str, mailboxes))};") == tuple(mailboxes)


# --- messages of the standard library -------------------------------------------------------------

FIELD_NAMES = st.sampled_from(
    ["From", "To", "Cc", "Bcc", "Resent-To", "Resent-From", "Resent-Bcc", "Subject", "Message-ID"]
)
LINES = st.one_of(
    st.tuples(FIELD_NAMES, st.sampled_from([":", ": "]), LISTS).map("".join),
    st.tuples(FIELD_NAMES, st.just(": "), st.sampled_from(["a@b", "A <a@b>, c@d"])).map("".join),
    st.sampled_from(
        [
            *("", " folded", "\tfolded", "no field", "Content-Transfer-Encoding: 8bit"),
            *("Content-Type: multipart/mixed; boundary=b", "--b", "--b--", "MIME-Version: 1.0"),
            *("Content-Type: message/rfc822", "Content-Type: text/plain; charset=utf-8"),
            *("Subject: =?utf-8?q?a=0D=0ABcc:_e=40x?=", "To: =?utf-8?q?a=0A?= <a@b>"),
        ]
    ),
    LISTS,
)
SOURCES = st.lists(LINES, max_size=12).map(
    lambda lines: "\r\n".join(lines).encode("utf-8", "surrogatepass")
)


def shape(message: email.message.Message[Any, Any]) -> list[object]:
    """Return all that is in a message, its parts included."""
    found: list[object] = []
    for part in message.walk():
        payload = vars(part)["_payload"]
        found += [list(part.raw_items()), len(payload) if isinstance(payload, list) else payload]
        found += [part.policy, part.preamble, part.epilogue, part.get_charset()]
    return found


@given(SOURCES, st.booleans(), st.booleans())
def test_any_message_is_made_ready_or_refused_and_never_changed(  # H1 H3
    source: bytes, is_modern: bool, is_given: bool
) -> None:
    policy: Any = email.policy.default if is_modern else email.policy.compat32
    message: email.message.Message[Any, Any] = email.message_from_bytes(source, policy=policy)
    before = shape(message)
    envelope = ENVELOPE if is_given else None
    try:
        outgoing = prepare(message, envelope, now=lambda: NOW, make_id=lambda: "id")
    except InvalidInput:
        outgoing = None
    assert shape(message) == before
    if outgoing is None:
        return
    content = in_memory(outgoing).octets
    rest = content.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    header = content.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].lower() for line in header.split(b"\r\n") if line[:1].strip()]
    assert b"bcc" not in names
    assert b"resent-bcc" not in names
    assert names.count(b"date") == names.count(b"message-id") == 1
    assert names.count(b"from") <= 1
