"""Messages of the standard library, made ready without being changed: `ehlo.message.stdlib`."""

from __future__ import annotations

import copy
import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime
from email.header import Header, decode_header, make_header
from email.headerregistry import Address as StdlibAddress
from email.headerregistry import Group
from email.message import EmailMessage
from email.message import Message as LegacyMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr, getaddresses
from typing import Any, TypeAlias

import pytest

from ehlo import Address, Envelope, InvalidAddress, InvalidInput
from ehlo.content import Formed
from ehlo.message import Outgoing, prepare
from support.hostile import code_point
from support.outgoing import in_memory, octets_of

AnyMessage: TypeAlias = "LegacyMessage[Any, Any]"

ANY_HEADER: Any = Header  # the legacy class is no str, as the annotations of messages demand

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
ENVELOPE = Envelope("env@example.org", "lope@example.org")
UUML = "\u00fc"
EMOJI = "\U0001f4e7"


def parsed(octets: bytes) -> EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)


def legacy(octets: bytes) -> AnyMessage:
    return email.message_from_bytes(octets)


def state(message: AnyMessage) -> list[object]:
    """Return all that a message is, the identity of its values included."""
    found: list[object] = []
    for part in message.walk():
        payload = vars(part)["_payload"]
        fields = [(name, id(value), str(value)) for name, value in part.raw_items()]
        inner = [id(it) for it in payload] if isinstance(payload, list) else payload
        found.append((id(part), part.policy, fields, id(payload), inner, part.preamble))
    clone = copy.deepcopy(message)
    for number, part in enumerate(clone.walk()):
        if part.get_content_maintype() == "multipart" and part.get_boundary() is None:
            part.set_boundary(f"boundary {number}")  # else it gets a random one
    found.append(clone.as_bytes())
    return found


def sent(message: AnyMessage, envelope: Envelope | None = None) -> Outgoing:
    """Make a message ready, and see what holds for all of them."""
    numbers = iter(range(100))
    before = state(message)
    outgoing = prepare(message, envelope, now=lambda: NOW, make_id=lambda: f"id{next(numbers)}")
    assert state(message) == before
    content = octets_of(outgoing)
    header = content.partition(b"\r\n\r\n")[0]
    rest = content.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert max(map(len, content.split(b"\r\n"))) <= 998
    lower = b"\r\n" + header.lower()
    assert b"\r\nbcc:" not in lower
    assert b"\r\nresent-bcc:" not in lower
    assert lower.count(b"\r\ndate:") == lower.count(b"\r\nmessage-id:") == 1
    return outgoing


def sent_again(message: AnyMessage, envelope: Envelope | None = None) -> EmailMessage:
    outgoing = sent(message, envelope)
    assert in_memory(outgoing).is_eight_bit is False
    return parsed(octets_of(outgoing))


def simple(**fields: Any) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message["To"] = "bob@example.com"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("text\n")
    return message


# --- the envelope, Date, Message-ID ---------------------------------------------------------------


def test_a_message_is_these_octets() -> None:
    outgoing = sent(simple(Subject="Notes", Bcc="carol@example.com", Cc="bob@example.com"))
    assert octets_of(outgoing) == (
        b"From: ada@example.org\r\n"
        b"To: bob@example.com\r\n"
        b"Subject: Notes\r\n"
        b"Cc: bob@example.com\r\n"
        b'Content-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n"
        b"Message-ID: <id0@example.org>\r\n"
        b"\r\n"
        b"text\r\n"
    )
    assert outgoing.envelope == Envelope(
        "ada@example.org", ["bob@example.com", "carol@example.com"]
    )
    assert outgoing.message_id == "<id0@example.org>"


def test_date_and_message_id_are_kept() -> None:
    message = simple(Date="Tue, 01 Jul 2003 10:52:37 +0200", Message_ID="<kept@example.org>")
    outgoing = sent(message)
    assert outgoing.message_id == "<kept@example.org>"
    assert b"Date: Tue, 01 Jul 2003 10:52:37 +0200\r\n" in octets_of(outgoing)


@pytest.mark.parametrize(
    ("fields", "sender", "recipients"),
    [
        (b"From: a@x\nTo: b@x, c@x\nCc: d@x\nBcc: e@x\n", "a@x", "b@x c@x d@x e@x"),
        (b"From: a@x\nSender: s@x\nTo: b@x\n", "s@x", "b@x"),
        (b"From: a@x, b@x\nSender: s@x\nBcc: c@x, c@x\n", "s@x", "c@x"),
        (b"From: a@x\nTo: Friends: b@x, C <c@x>;\n", "a@x", "b@x c@x"),
        (b"From: a@x\nTo: undisclosed-recipients:;\nBcc: b@x\n", "a@x", "b@x"),
        (b"From: a@x\nTo: b@x\nTo: c@x\nCc: d@x\nCC: e@x\n", "a@x", "b@x c@x d@x e@x"),
        (b'From: =?utf-8?q?=3Cz=40z=3E=2C?= <a@x>\nTo: "b, c" <b@x>\n', "a@x", "b@x"),
        (b"From: A\n <a@x>\nTo: b@x,\n\tc@x\n", "a@x", "b@x c@x"),
        # Resent: the latest block is on top (RFC 5322 section 3.6.6).
        (b"Resent-From: r@x\nResent-To: t@x\nFrom: a@x\nTo: b@x\n", "r@x", "t@x"),
        (b"Resent-Sender: s@x\nResent-From: r@x\nResent-Cc: t@x\nResent-Bcc: u@x\nFrom: a@x\n",
         "s@x", "t@x u@x"),
        (b"Resent-From: r@x\nResent-To: t@x\nResent-From: old@x\nResent-To: older@x\nFrom: a@x\n",
         "r@x", "t@x"),
        (b"Resent-From: r@x\nResent-To: t@x\nReceived: x\nResent-From: q@x\nTo: b@x\nCc: c@x\n",
         "r@x", "t@x"),
        (b"From: a@x\nTo: b@x\nBcc: c@x\nResent-From: r@x\nResent-Bcc: t@x\n", "r@x", "t@x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("parse", [parsed, legacy])
def test_the_envelope_is_read_from_the_header(  # H3
    parse: Callable[[bytes], AnyMessage], fields: bytes, sender: str, recipients: str
) -> None:
    outgoing = sent(parse(fields + b"\ntext\n"))
    assert outgoing.envelope == Envelope(sender, recipients.split())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (b"To: b@x\n", "has no from"),
        (b"From: \nTo: b@x\n", "has no from"),
        (b"From: a@x\n", "recipient"),
        (b"From: a@x\nTo: Friends:;\n", "recipient"),
        (b"From: a@x, b@x\nTo: c@x\n", "several authors need one sender"),
        (b"From: a@x\nSender: s@x, t@x\nTo: c@x\n", "several authors need one sender"),
        (b"Resent-To: t@x\nFrom: a@x\nTo: b@x\n", "has no resent-from"),
        (b"Resent-From: r@x\nFrom: a@x\nTo: b@x\n", "recipient"),
        (b"Resent-To: t@x\nResent-From: r@x\nResent-From: q@x\nFrom: a@x\n", "run into each other"),
    ],
)
@pytest.mark.parametrize("parse", [parsed, legacy])
def test_a_header_that_tells_no_envelope_is_refused(  # H4
    parse: Callable[[bytes], AnyMessage], fields: bytes, why: str
) -> None:
    message = parse(fields + b"\n")
    with pytest.raises(InvalidInput, match=why):
        sent(message)
    assert sent(message, ENVELOPE).envelope is ENVELOPE


@pytest.mark.parametrize(
    "to",
    [
        *(b"b", b"b@x c@x", b"b@x (Bob)", b"Bob, Ada <a@x>", b'"Bob <b@x>', b"b@x;", b"<b@x", b"@"),
        *(b"Friends: b@x", b"Bob <b@x>, ,", b"b@x\x01"),
    ],
)
@pytest.mark.parametrize("parse", [parsed, legacy])
def test_no_address_is_guessed(parse: Callable[[bytes], AnyMessage], to: bytes) -> None:  # I2
    message = parse(b"From: a@x\nTo: " + to + b"\n\n")
    with pytest.raises(InvalidAddress):
        sent(message)
    assert sent(message, ENVELOPE).envelope is ENVELOPE


@pytest.mark.parametrize(
    "name",
    [
        *("From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    ],
)
def test_a_field_that_stands_twice_is_refused(name: str) -> None:  # H4
    message = LegacyMessage()
    values = {"From": "a@x", "To": "b@x", "Date": "Tue, 01 Jul 2003 10:52:37 +0200"}
    for field, value in values.items():
        message[field] = value
    while len(message.get_all(name, [])) < 2:
        message[name.upper()] = values.get(name, "x@y")
    for envelope in (None, ENVELOPE):
        with pytest.raises(InvalidInput, match=f"2 '{name.lower()}' fields"):
            sent(message, envelope)


@pytest.mark.parametrize(
    ("author", "sender", "domain"),
    [
        (b"a@example.net", "x@example.org", "example.net"),
        (b"A <a@example.net>, b@example.com", "x@example.org", "example.net"),
        (b"broken", "x@example.org", "example.org"),
        (b"", "x@example.org", "example.org"),
        (b"broken", None, "localhost"),
        (b"broken", f"x@{UUML}", "xn--tda"),
        (b"postmaster", "x@example.org", "localhost"),
    ],
)
def test_a_message_gets_an_identifier_in_its_authors_domain(
    author: bytes, sender: str | None, domain: str
) -> None:
    message = legacy(b"From: " + author + b"\nTo: b@x\n\n")
    assert sent(message, Envelope(sender, "b@x")).message_id == f"<id0@{domain}>"


@pytest.mark.parametrize("blank", [b"", b" ", b"\n  "])
@pytest.mark.parametrize("parse", [parsed, legacy])
def test_an_empty_date_or_message_id_is_none(
    parse: Callable[[bytes], AnyMessage], blank: bytes
) -> None:
    fields = b"Date:" + blank + b"\nMessage-ID:" + blank + b"\nFrom: a@x\nTo: b@x\n\n"
    outgoing = sent(parse(fields))
    assert outgoing.message_id == "<id0@x>"
    assert b"Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n" in octets_of(outgoing)


# --- address fields -------------------------------------------------------------------------------

NAMES = [
    "Lovelace, Ada",
    "A. Lovelace",
    'Ada "the first" Lovelace',
    "back\\slash",
    f"Gr{UUML}n, Ada",
    f"{EMOJI}, {EMOJI}",
    f"Gr{UUML}n, Ada, and a name, that is, by far, too long, for a line, of any, message {EMOJI}",
    "\u6f22\u5b57, " * 12 + "end",
    "group: a@b;",
    "bob@example.org",
]


def names_and_addresses(field: str) -> list[tuple[str, str]]:
    return [(str(make_header(decode_header(name))), spec) for name, spec in getaddresses([field])]


def raw_field(octets: bytes, name: bytes) -> str:
    """Return a field's value with its encoded words, unfolded."""
    header = octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    (value,) = [line for line in header.split(b"\r\n") if line.startswith(name + b":")]
    return value.partition(b":")[2].strip().decode("ascii")


@pytest.mark.parametrize("name", ["From", "Sender", "Reply-To", "To", "Cc"])
def test_long_address_fields_survive(name: str) -> None:  # H2 cpython#121284
    message = simple()
    del message[name]
    many = [StdlibAddress(text, addr_spec=f"u{i}@example.org") for i, text in enumerate(NAMES)]
    message[name] = many[:1] if name in {"From", "Sender"} else many
    expected = [(one.display_name, one.addr_spec) for one in message[name].addresses]
    outgoing = sent(message, ENVELOPE)
    assert names_and_addresses(raw_field(octets_of(outgoing), name.encode())) == expected
    header = octets_of(outgoing).partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_survives_each_way_into_a_message(name: str) -> None:  # H2
    ways: list[AnyMessage] = [simple(), LegacyMessage(), LegacyMessage(), LegacyMessage()]
    del ways[0]["To"]
    ways[0]["To"] = StdlibAddress(name, addr_spec="b@x")
    ways[1]["To"] = formataddr((name, "b@x"))
    ways[2]["To"] = f"{Header(name, 'utf-8').encode()} <b@x>"
    header = ANY_HEADER()
    header.append(name, "utf-8")
    header.append("<b@x>", "us-ascii")
    ways[3]["To"] = header
    for message in ways:
        if "From" not in message:
            message["From"] = "ada@example.org"
        outgoing = sent(message)
        assert outgoing.envelope == Envelope("ada@example.org", "b@x")
        assert names_and_addresses(raw_field(octets_of(outgoing), b"To")) == [(name, "b@x")]


def test_groups_survive() -> None:
    message = simple()
    members = tuple(StdlibAddress(name, "user", "example.org") for name in NAMES[:7])
    message["Cc"] = [
        StdlibAddress("Ada", "a", "x"),
        Group(f"Gr{UUML}ne, viele", members),
        Group("Nobody, here"),
    ]
    value = sent_again(message)["Cc"]
    assert [group.display_name for group in value.groups] == [
        None,
        f"Gr{UUML}ne, viele",
        "Nobody, here",
    ]
    assert [one.addr_spec for one in value.addresses] == ["a@x", *["user@example.org"] * 7]


def test_source_that_fits_stays_as_it_is() -> None:
    fields = (
        b"From: =?iso-8859-1?q?Gr=FCn=2C_A=2E?=\r\n\t<a@x>\r\n"
        b'To: "Doe, J."\r\n  <b@x>,\r\n   c@x\r\n'
        b"Cc: Old (with a comment) <d@x>\r\n"
    )
    for parse in (parsed, legacy):
        content = octets_of(sent(parse(fields + b"\r\n"), ENVELOPE))
        if parse is legacy:
            assert content.startswith(fields)
        assert names_and_addresses(raw_field(content, b"From")) == [(f"Gr{UUML}n, A.", "a@x")]
        assert names_and_addresses(raw_field(content, b"To")) == [("Doe, J.", "b@x"), ("", "c@x")]


def test_source_that_is_too_long_is_folded_between_mailboxes() -> None:
    mailboxes = [f'"=?utf-8?q?{number}?=, x" <u{number}@example.org>' for number in range(40)]
    message = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = ", ".join(mailboxes)
    content = octets_of(sent(message))
    assert raw_field(content, b"To") == ", ".join(mailboxes)
    assert max(map(len, content.split(b"\r\n"))) <= 78


def test_source_that_no_grammar_of_ours_knows_stays_as_it_is() -> None:
    value = "Ada (" + "a comment " * 20 + ") <a@x>"
    message = LegacyMessage()
    message["From"] = value
    assert f"From: {value}\r\n".encode() in octets_of(sent(message, ENVELOPE))
    words = " ".join(["x" * 20] * 100)
    message.replace_header("From", words)  # which the standard library folds
    content = octets_of(sent(message, ENVELOPE))
    assert raw_field(content, b"From").split() == words.split()


def test_octets_in_an_address_field_are_read_as_utf_8() -> None:
    message = legacy(f"From: a@x\nTo: Gr{UUML}n <b@x>\n\n".encode())
    outgoing = sent(message)
    assert names_and_addresses(raw_field(octets_of(outgoing), b"To")) == [(f"Gr{UUML}n", "b@x")]
    broken = legacy(b"From: a@x\nTo: Gr\xfcn <b@x>\n\n")
    with pytest.raises(InvalidInput, match="octets that are no UTF-8"):
        sent(broken)


def test_an_address_that_is_not_ascii_makes_a_header_in_utf8() -> None:  # E4
    message = simple()
    message["Cc"] = StdlibAddress(f"J{UUML}rgen", UUML, "example.org")
    message["X-More"] = f"gr{UUML}n"
    outgoing = sent(message, ENVELOPE)
    assert isinstance(outgoing.content, Formed)
    assert outgoing.content.needs_smtputf8
    octets = octets_of(outgoing)
    assert f'\r\nCc: "J{UUML}rgen" <{UUML}@example.org>\r\n'.encode() in octets
    assert f"\r\nX-More: gr{UUML}n\r\n".encode() in octets
    assert octets.isascii() is False


def test_a_legacy_message_has_its_addresses_in_utf8_and_the_rest_encoded() -> None:  # E4
    message = legacy(b"From: a@x\nTo: a@x\nSubject: x\n\n")
    del message["To"]
    message["To"] = f"{UUML}@example.org, Bob <b@x>"
    message["X-More"] = Header(f"gr{UUML}n", "utf-8")
    octets = octets_of(sent(message))
    assert f"\r\nTo: {UUML}@example.org, Bob <b@x>\r\n".encode() in octets
    assert b"\r\nX-More: =?utf-8?b?Z3LDvG4=?=\r\n" in octets


def test_what_is_no_address_asks_for_nothing_of_the_header() -> None:
    message = legacy(b"From: a@x\nTo: a@x\nSubject: x\n\n")
    message["Cc"] = f"Gr{UUML}n <b@@x>"
    octets = octets_of(sent(message, ENVELOPE))
    assert octets.isascii()
    assert str(make_header(decode_header(raw_field(octets, b"Cc")))) == f"Gr{UUML}n <b@@x>"


def test_a_hidden_address_asks_for_nothing_of_the_header() -> None:
    message = simple()
    message["Bcc"] = StdlibAddress("", UUML, "example.org")
    assert octets_of(sent(message)).isascii()


# --- other fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "Notes",
        f"Gr{UUML}{UUML}e {EMOJI} " * 9 + "end",
        "word " * 60 + "end",
        "x" * 300,
    ],
    ids=len,
)
def test_a_subject_arrives_as_it_is(subject: str) -> None:
    assert sent_again(simple(Subject=subject))["Subject"] == subject
    with_header = LegacyMessage()
    with_header["From"] = "a@x"
    with_header["To"] = "b@x"
    with_header["Subject"] = ANY_HEADER(subject, "utf-8")
    written = raw_field(octets_of(sent(with_header)), b"Subject")
    assert str(make_header(decode_header(written))) == subject


@pytest.mark.parametrize("name", ["List-Unsubscribe", "References", "In-Reply-To"])
def test_long_identifiers_are_not_encoded(name: str) -> None:
    message = simple()
    message[name] = f"<https://example.org/{'u' * 100}>"
    assert raw_field(octets_of(sent(message)), name.encode()) == message[name]


def test_signed_parts_are_left_as_they_are() -> None:
    part = (
        b'Content-Type: text/plain;\r\n  charset="us-ascii"\r\n'
        b"X-Long: " + b"word " * 40 + b"end\r\n"
        b"To: =?utf-8?q?a?= <a@b>,\r\n   c@d\r\n\r\nbody \r\n.\r\nFrom here"
    )
    source = (
        b"From: a@x\r\nTo: b@x\r\nContent-Type: multipart/signed; boundary=b;\r\n"
        b' protocol="application/pgp-signature"\r\n\r\n--b\r\n' + part + b"\r\n--b\r\n"
        b"Content-Type: application/pgp-signature\r\n\r\nsignature\r\n--b--\r\n"
    )
    for parse in (parsed, legacy):
        assert b"--b\r\n" + part + b"\r\n--b\r\n" in octets_of(sent(parse(source)))


INJECTIONS = ["\r\nBcc: e@x", "\nBcc: e@x", "\rBcc: e@x", "\r\n\r\nbody", "\n", "\0", "\r\n"]


@pytest.mark.parametrize("injection", INJECTIONS, ids=repr)
@pytest.mark.parametrize("name", ["Subject", "To", "From", "X-Other", "Message-ID", "Content-Type"])
def test_no_field_brings_in_another(name: str, injection: str) -> None:  # H1
    message = MIMEText("text")
    message["From"] = "a@x"
    message["To"] = "b@x"
    del message[name]
    message[name] = f"a@x{injection}"
    for envelope in (None, ENVELOPE):
        with pytest.raises(InvalidInput):
            prepare(message, envelope, now=lambda: NOW, make_id=lambda: "a")


@pytest.mark.parametrize("injection", ["\nBcc: e@x", "\r\nBcc: e@x", "\rBcc: e@x"], ids=repr)
def test_no_legacy_header_brings_in_another(injection: str) -> None:  # H1
    message = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message["Subject"] = ANY_HEADER(f"a{injection}")
    with pytest.raises(InvalidInput):
        prepare(message, now=lambda: NOW, make_id=lambda: "a")


@pytest.mark.parametrize("name", ["Subject", "To", "From", "Cc", "X-Other", "Reply-To"])
@pytest.mark.parametrize("end", [b"=0D=0A", b"=0A", b"=0D"])
@pytest.mark.parametrize("parse", [parsed, legacy])
@pytest.mark.parametrize("padding", [0, 100])
def test_no_decoded_line_end_gets_into_a_header(  # H1 CVE-2024-6923
    parse: Callable[[bytes], AnyMessage], end: bytes, name: str, padding: int
) -> None:
    words = b"=?utf-8?q?a" + end + b"Bcc:_e=40x?= " + b"word " * (padding // 5)
    fields = {b"From": b"<a@x>", b"To": b"<b@x>", name.encode(): words + b"<c@x>"}
    message = parse(b"".join(b"%s: %s\n" % field for field in fields.items()) + b"\n")
    try:
        outgoing = prepare(message, ENVELOPE, now=lambda: NOW, make_id=lambda: "a")
    except InvalidInput:
        return
    header = octets_of(outgoing).partition(b"\r\n\r\n")[0]
    assert not [line for line in header.split(b"\r\n") if line.lower().startswith(b"bcc")]
    assert b"\r" not in header.replace(b"\r\n", b"")
    assert b"\n" not in header.replace(b"\r\n", b"")


@pytest.mark.parametrize("name", ["X Y", "X\r\nBcc", "", "X\n", "X:", "X" * 77])
def test_what_is_no_field_name_is_refused(name: str) -> None:  # H1
    message = MIMEText("text")
    message["From"] = "a@x"
    message["To"] = "b@x"
    message[name] = "value"
    with pytest.raises(InvalidInput, match="not the name of a header field"):
        sent(message, ENVELOPE)


def test_a_field_name_that_is_not_ascii_is_refused() -> None:  # H1
    message = MIMEText("text")
    message[f"X-{UUML}"] = "value"
    with pytest.raises(InvalidInput, match="not the name of a header field"):
        prepare(message, ENVELOPE, now=lambda: NOW, make_id=lambda: "a")


@pytest.mark.parametrize("character", ["\r", "\n", "\0"], ids=code_point)
def test_no_part_brings_in_a_field(character: str) -> None:  # H1
    message = MIMEMultipart()
    message["From"] = "a@x"
    message["To"] = "b@x"
    part = MIMEApplication(b"x")
    part.add_header("Content-Disposition", "attachment", filename=f"a{character}X: y")
    message.attach(part)
    with pytest.raises(InvalidInput):
        prepare(message, now=lambda: NOW, make_id=lambda: "a")


# --- bodies and parts -----------------------------------------------------------------------------


def test_eight_bit_bodies_become_seven_bit() -> None:  # E3
    text = f"Gr{UUML}{UUML}e {EMOJI}\n.\nFrom here\n"
    modern = simple()
    modern.set_content(text, cte="8bit")
    read = parsed(
        b"From: a@x\nTo: b@x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: 8bit\n\n" + text.encode()
    )
    old = legacy(read.as_bytes())
    for message in (modern, read, old):
        outgoing = sent(message)
        assert octets_of(outgoing).isascii()
        again = parsed(octets_of(outgoing))
        assert again.get_content().replace("\r\n", "\n") == text


def test_octets_of_no_known_charset_are_left_and_noticed() -> None:
    outgoing = sent(legacy(b"From: a@x\nTo: b@x\n\n\xff\xfe\n"))
    assert in_memory(outgoing).is_eight_bit is (not octets_of(outgoing).isascii())


class Uncopied(str):
    __slots__ = ()

    def __deepcopy__(self, memo: object) -> str:
        raise AssertionError("fields are shared, not copied: it takes longer than all the rest")


def test_what_is_encoded_anew_is_not_copied_deeply() -> None:
    message = legacy(
        b"From: a@x\nTo: b@x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
        b"Content-Transfer-Encoding: 8bit\n\n" + UUML.encode()
    )
    message["X-Uncopied"] = Uncopied("yes")
    fields, payload = list(message.raw_items()), message.get_payload()
    again = parsed(octets_of(prepare(message, now=lambda: NOW, make_id=lambda: "x")))
    assert (again.get_content().strip(), again["X-Uncopied"]) == (UUML, "yes")
    assert again["Content-Transfer-Encoding"] != "8bit"
    assert (list(message.raw_items()), message.get_payload()) == (fields, payload)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("more", range(4))
def test_long_payloads_of_the_wrong_type_end_their_lines_with_crlf(
    line_end: str, more: int
) -> None:
    lines = ["x" * 62] * 2048  # 128 KiB, looked at in pieces that end in each place of a line end
    message = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message["X-More"] = "x" * more
    message["Content-Type"] = "multipart/mixed"
    message.set_payload("\r\n".join(lines) + line_end)
    octets = octets_of(sent(message))
    assert octets.endswith("\r\n".join([*lines, ""]).encode())
    assert octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_ends_with_crlf(line_end: str) -> None:  # D1 D2
    message = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message.set_payload(line_end.join(["one", ".", "", "two", ""]))
    assert octets_of(sent(message)).endswith(b"\r\n\r\none\r\n.\r\n\r\ntwo\r\n")


def test_a_legacy_message_with_header_objects() -> None:
    message = MIMEMultipart("alternative")
    message["From"] = ANY_HEADER("ada@example.org")
    message["To"] = ANY_HEADER("Bob <bob@example.com>", header_name="To")
    message["Subject"] = ANY_HEADER(f"Gr{UUML}{UUML}e", "utf-8")
    message.attach(MIMEText(f"Text {UUML}", "plain", "utf-8"))
    message.attach(MIMEText(f"<p>{UUML}</p>", "html", "utf-8"))
    again = sent_again(message)
    assert again["Subject"] == f"Gr{UUML}{UUML}e"
    assert [part.get_content() for part in again.iter_parts()] == [f"Text {UUML}", f"<p>{UUML}</p>"]


def nested(*, boundaries: bool) -> MIMEMultipart:
    outer = MIMEMultipart("mixed", boundary="outer" if boundaries else None)
    inner = MIMEMultipart("alternative", boundary="inner" if boundaries else None)
    innermost = MIMEMultipart("related", boundary="innermost" if boundaries else None)
    innermost.attach(MIMEText("<p>x</p>", "html"))
    inner.attach(MIMEText("x", "plain"))
    inner.attach(innermost)
    outer.attach(inner)
    outer.attach(MIMEApplication(bytes(range(256))))
    outer["From"] = "a@x"
    outer["To"] = "b@x"
    return outer


@pytest.mark.parametrize("boundaries", [True, False])
def test_nested_parts_keep_their_order_and_get_boundaries_of_their_own(boundaries: bool) -> None:
    message = nested(boundaries=boundaries)
    again = sent_again(message)
    assert [part.get_content_type() for part in again.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related"),
        *("text/html", "application/octet-stream"),
    ]
    found = [part.get_boundary() for part in again.walk() if part.is_multipart()]
    assert len(set(found)) == 3
    if boundaries:
        assert found == ["outer", "inner", "innermost"]
    *_, last = again.walk()
    assert last.get_payload(decode=True) == bytes(range(256))
    if not boundaries:
        assert [part.get_boundary() for part in message.walk() if part.is_multipart()] == [None] * 3


def test_an_attached_message_is_written_with_its_own_header() -> None:
    inner = simple(Subject="inner", Bcc="kept@example.org")
    message = simple()
    message.add_attachment(inner)
    message.add_attachment(b"\xff\0", maintype="application", subtype="x", filename=f"{EMOJI}.x")
    again = sent_again(message)
    attached, file = again.iter_attachments()
    assert attached.get_content()["Subject"] == "inner"
    assert attached.get_content()["Bcc"] == "kept@example.org"
    assert file.get_filename() == f"{EMOJI}.x"
    assert file.get_content() == b"\xff\0"


@pytest.mark.parametrize(
    "policy",
    [
        *(email.policy.default, email.policy.SMTP, email.policy.SMTPUTF8, email.policy.strict),
        email.policy.default.clone(max_line_length=0, mangle_from_=True, linesep="\n"),
        email.policy.compat32.clone(cte_type="8bit", mangle_from_=True),
    ],
)
def test_the_policy_of_a_message_does_not_matter(policy: Any) -> None:
    octets = (
        f"From: a@x\nTo: =?utf-8?q?Gr=C3=BCn=2C_A=2E?= <b@x>\nSubject: {UUML}{'x ' * 80}y\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
        f"From {UUML}\n"
    ).encode()
    outgoing = sent(email.message_from_bytes(octets, policy=policy))
    assert octets_of(outgoing).isascii()
    again = parsed(octets_of(outgoing))
    assert again.get_content().replace("\r\n", "\n") == f"From {UUML}\n"
    assert again["To"].addresses[0].display_name == f"Gr{UUML}n, A."


# --- what is put together wrongly -----------------------------------------------------------------


def wrong_payload() -> AnyMessage:
    message: Any = simple()
    message.set_payload(5)
    wrong: AnyMessage = message
    return wrong


def wrong_part() -> AnyMessage:
    message = MIMEMultipart()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message.set_payload(["no part"])
    return message


def wrong_header() -> AnyMessage:
    message: Any = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message.set_raw("Subject", 5)
    wrong: AnyMessage = message
    return wrong


def part_of_itself() -> AnyMessage:
    message = MIMEMultipart()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message.attach(message)
    return message


@pytest.mark.parametrize("make", [wrong_payload, wrong_part, wrong_header, part_of_itself])
def test_a_message_that_cannot_be_written_is_refused(make: Callable[[], AnyMessage]) -> None:
    with pytest.raises(InvalidInput):
        prepare(make(), ENVELOPE, now=lambda: NOW, make_id=lambda: "a")


def test_a_line_that_is_too_long_is_noticed() -> None:  # D3
    message = LegacyMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message.set_payload("x" * 999)
    outgoing = prepare(message, now=lambda: NOW, make_id=lambda: "a")
    assert "longer than 998" in in_memory(outgoing).not_text


def test_a_multipart_without_parts_is_written() -> None:
    message = EmailMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    message["Content-Type"] = "multipart/mixed"
    assert b"multipart/mixed" in octets_of(sent(message))
    text = legacy(b"From: a@x\nTo: b@x\nContent-Type: multipart/mixed\n\nno parts\n")
    assert b"no parts" in octets_of(sent(text))


def test_addresses_are_those_of_our_own() -> None:
    assert sent(simple()).envelope.sender == Address("ada@example.org")


# --- what is longer than a line -------------------------------------------------------------------


def test_words_that_are_longer_than_a_line_stay_as_they_are() -> None:
    """The package makes encoded words of them, and so breaks links, identifiers and signatures."""
    source = f"v=1; a=rsa-sha256; b={'A' * 344}"
    message = parsed(f"From: a@x\nTo: b@x\nDKIM-Signature: {source}\n\n".encode())
    message["X-Token"] = "t" * 200
    octets = octets_of(sent(message))
    assert f"\r\nDKIM-Signature: {source}\r\n".encode() in octets
    assert b"\r\nX-Token: " + b"t" * 200 + b"\r\n" in octets


def test_a_content_id_that_is_longer_than_a_line_stays_as_it_is() -> None:
    message = simple()
    identifier = f"<{'a' * 120}@x.org>"
    message.add_attachment(b"x", maintype="image", subtype="png", cid=identifier)
    assert f"\r\nContent-ID: {identifier}\r\n".encode() in octets_of(sent(message))


def test_a_folded_source_stays_as_it_is_and_a_line_that_is_too_long_does_not() -> None:
    folded = b"X-A: one\r\n two\r\n\tthree"
    message = legacy(b"From: a@x\nTo: b@x\n" + folded + b"\nX-B: " + b"w " * 600 + b"\n\n")
    octets = octets_of(sent(message))
    assert folded in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998
