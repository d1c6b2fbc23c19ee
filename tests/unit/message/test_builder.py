"""Messages that are built here: `ehlo.Message`, `ehlo.Attachment`, and the octets they make."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from ehlo import Address, Attachment, InvalidAddress, InvalidInput, Mailbox, Message
from ehlo.message.identifiers import new_message_id
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import unpickled

UUML = "\u00fc"
EMOJI = "\U0001f4e7"
NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=timezone(timedelta(hours=2)))
ANY_MESSAGE: Any = Message  # to be called with what its annotations forbid
ANY_ATTACHMENT: Any = Attachment
PLAIN: dict[str, Any] = {"from_": "ada@example.org", "to": "bob@example.com"}


def identifiers(*given: str) -> Callable[[], str]:
    """Return a source of identifiers that tells of each use."""
    left = iter(given)
    return lambda: next(left)


def octets_of(message: Message) -> bytes:
    return message.as_bytes(now=NOW, make_id=identifiers("first", "second"))


def build(**parts: Any) -> bytes:
    """Write a message, and see that it may be sent: what every message promises."""
    octets = octets_of(Message(**(PLAIN | parts)))
    header, empty_line, _ = octets.partition(b"\r\n\r\n")
    assert empty_line
    assert octets.isascii()
    assert b"\0" not in octets
    assert octets.endswith(b"\r\n")
    rest = octets.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert not re.search(rb"^(resent-)?bcc", header, re.MULTILINE | re.IGNORECASE)
    for name in (b"From", b"Date", b"Message-ID", b"MIME-Version", b"Content-Type"):
        assert len(re.findall(rb"^%s:" % name, header, re.MULTILINE | re.IGNORECASE)) == 1
    return octets


def read(octets: bytes) -> EmailMessage:
    """Return what the standard library reads, and see that nothing is wrong with it."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    for part in message.walk():
        assert part.defects == []
        for value in part.values():
            assert (value, value.defects) == (value, ())
    return message


def built(**parts: Any) -> EmailMessage:
    return read(build(**parts))


def text_of(part: Any) -> str:
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


# --- the whole ------------------------------------------------------------------------------------


def test_a_message_is_these_octets() -> None:
    assert build(
        from_="Ada Lovelace <ada@example.org>",
        to=["bob@example.com", ("Lovelace, C.", "c@example.com")],
        cc="carol@example.com",
        bcc="dave@example.com",
        reply_to="desk@example.org",
        sender="eve@example.org",
        subject="Notes",
        text="Plain words.",
        headers={"X-Mailer": "ehlo", "In-Reply-To": "<1@example.com>"},
    ) == (
        b"Date: Thu, 29 Feb 2024 12:30:05 +0200\r\n"
        b"From: Ada Lovelace <ada@example.org>\r\n"
        b"Sender: eve@example.org\r\n"
        b"Reply-To: desk@example.org\r\n"
        b'To: bob@example.com, "Lovelace, C." <c@example.com>\r\n'
        b"Cc: carol@example.com\r\n"
        b"Message-ID: <first@example.org>\r\n"
        b"Subject: Notes\r\n"
        b"X-Mailer: ehlo\r\n"
        b"In-Reply-To: <1@example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Plain words.\r\n"
    )


def test_parts_are_these_octets() -> None:
    octets = build(
        text="Plain.",
        html="<p>Rich.</p>",
        attachments=[Attachment(b"\xff\0", filename="data.bin")],
        message_id="1@example.org",
    )
    assert octets.partition(b"MIME-Version: 1.0\r\n")[2] == (
        b'Content-Type: multipart/mixed; boundary="=_2_first"\r\n'
        b"\r\n"
        b"--=_2_first\r\n"
        b'Content-Type: multipart/alternative; boundary="=_1_first"\r\n'
        b"\r\n"
        b"--=_1_first\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Plain.\r\n"
        b"\r\n"
        b"--=_1_first\r\n"
        b'Content-Type: text/html; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"<p>Rich.</p>\r\n"
        b"\r\n"
        b"--=_1_first--\r\n"
        b"\r\n"
        b"--=_2_first\r\n"
        b'Content-Type: application/octet-stream; name="data.bin"\r\n'
        b'Content-Disposition: attachment; filename="data.bin"\r\n'
        b"Content-Transfer-Encoding: base64\r\n"
        b"\r\n"
        b"/wA=\r\n"
        b"\r\n"
        b"--=_2_first--\r\n"
    )


def test_a_message_that_says_nothing_is_a_message() -> None:
    message = built()
    assert message["Subject"] is None
    assert message["To"] == "bob@example.com"
    assert message.get_content_type() == "text/plain"
    assert text_of(message) == ""
    assert built(to=(), bcc="bob@example.com")["To"] is None


def test_the_same_message_makes_the_same_octets() -> None:  # H6
    message = Message(**PLAIN, text=UUML, html=UUML, attachments=[Attachment(b"", filename="a")])
    assert octets_of(message) == octets_of(message) == octets_of(unpickled(message))


# --- people ---------------------------------------------------------------------------------------

ADA = Mailbox(Address("ada@example.org"), "Ada")
BOB = Mailbox(Address("bob@example.com"))


@pytest.mark.parametrize(
    ("value", "mailboxes"),
    [
        ("Ada <ada@example.org>", (ADA,)),
        (ADA, (ADA,)),
        (Address("bob@example.com"), (BOB,)),
        (("Ada", "ada@example.org"), (ADA,)),
        (("Ada", Address("ada@example.org")), (ADA,)),
        (["Ada <ada@example.org>", "bob@example.com"], (ADA, BOB)),
        ((ADA, BOB), (ADA, BOB)),
        ((ADA, "bob@example.com"), (ADA, BOB)),
        (("Ada <ada@example.org>", BOB), (ADA, BOB)),
        ([("Ada", "ada@example.org"), BOB.address], (ADA, BOB)),
        (iter([ADA, BOB]), (ADA, BOB)),
        (("bob@example.com", "bob@example.com"), (Mailbox(BOB.address, "bob@example.com"),)),
        ((ADA,), (ADA,)),
        ((), ()),
        ([], ()),
    ],
    ids=repr,
)
def test_one_mailbox_or_several_are_taken_in_any_form(value: Any, mailboxes: Any) -> None:
    assert Message(from_="x@y", to=value).to == mailboxes


@pytest.mark.parametrize("name", ["cc", "bcc", "reply_to", "to", "from_"])
def test_every_field_takes_one_or_several(name: str) -> None:
    one = Message(**(PLAIN | {name: "a@b"}))
    several = Message(**(PLAIN | {name: ["a@b", "c@d"]}), sender="x@y")
    assert getattr(one, name) == (Mailbox(Address("a@b")),)
    assert len(getattr(several, name)) == 2


@pytest.mark.parametrize(
    "pair",
    [
        ("ada@example.org", "bob@example.com"),
        ("ada@example.org", Address("bob@example.com")),
        ("Ada <ada@example.org>", "bob@example.com"),
    ],
    ids=repr,
)
def test_two_addresses_in_a_bare_tuple_are_no_pair(pair: Any) -> None:  # I2
    with pytest.raises(InvalidInput, match="write a list for two mailboxes"):
        Message(from_="x@y", to=pair)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "a@b, c@d",
        "a@b;c@d",
        "friends: a@b;",
        "a@b (Ada)",
        "a@b\r\nBcc: c@d",
        "Ada\r\nBcc: c@d <a@b>",
    ],
)
def test_a_text_is_one_mailbox_or_refused(text: str) -> None:  # I2
    for name in ("from_", "to", "cc", "bcc", "reply_to", "sender"):
        with pytest.raises(InvalidAddress):
            Message(**(PLAIN | {name: text}))


@pytest.mark.parametrize("value", [None, 5, b"a@b", [b"a@b"], [None], [["Ada", "a@b"]]], ids=repr)
def test_what_cannot_be_a_mailbox_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        Message(from_="x@y", to=value)


def test_a_message_needs_an_author() -> None:  # H4
    with pytest.raises(InvalidInput, match="needs an author"):
        Message(from_=[], to="a@b")


def test_several_authors_need_a_sender() -> None:  # H4
    with pytest.raises(InvalidInput, match="several authors need a sender"):
        Message(from_=["a@b", "c@d"], to="e@f")
    message = built(from_=["a@b", "c@d"], sender="Eve <e@f>")
    assert [one.addr_spec for one in message["From"].addresses] == ["a@b", "c@d"]
    assert message["Sender"].address.display_name == "Eve"


def test_a_sender_who_is_the_author_is_not_written() -> None:
    assert built(sender=PLAIN["from_"])["Sender"] is None


def test_the_envelope_is_from_the_sender_to_everybody_once() -> None:  # H3
    message = Message(
        from_="Ada <a@x>", to=["b@x", "c@x"], cc="Bob <b@x>", bcc=["d@x", "d@x", "c@x"]
    )
    envelope = message.envelope()
    assert envelope.sender == Address("a@x")
    assert [one.spec for one in envelope.recipients] == ["b@x", "c@x", "d@x"]
    with_sender = Message(from_=["a@x", "b@x"], sender="e@x", bcc="d@x").envelope()
    assert with_sender.sender == Address("e@x")


def test_a_message_to_nobody_has_no_envelope() -> None:  # H4
    with pytest.raises(InvalidInput, match="recipient"):
        Message(from_="a@b").envelope()


def test_bcc_is_never_written() -> None:  # H3
    octets = build(bcc=["Hidden <hidden@example.org>"], text="x")
    assert b"hidden" not in octets.lower()


def test_a_local_part_that_is_not_ascii_is_shown_in_utf8_alone() -> None:  # E4
    message = Message(from_="a@b", to=f"{UUML}@b", date=NOW, message_id="1@b")
    with pytest.raises(InvalidInput, match="SMTPUTF8"):
        message.as_bytes(smtputf8=False)
    assert f"To: {UUML}@b\r\n".encode() in message.as_bytes(smtputf8=True)
    assert octets_of(Message(from_="a@b", to="a@b", bcc=f"{UUML}@b")).isascii()


def test_a_domain_has_a_form_in_ascii() -> None:  # E4
    message = Message(from_="a@b", to=f"a@{UUML}.example", date=NOW, message_id="1@b")
    assert b"To: a@xn--tda.example\r\n" in message.as_bytes()
    assert f"To: a@{UUML}.example\r\n".encode() in message.as_bytes(smtputf8=True)


NAMES = [
    "Lovelace, Ada",
    'A. "the first" Lovelace',
    "back\\slash",
    f"Gr{UUML}n, A.",
    "=?utf-8?q?=3Cbob=40x=3E=2C?=",
    "\u6f22\u5b57",
    EMOJI,
    "bob@example.org",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_arrive_as_they_are(name: str) -> None:  # H1 H2
    who = Mailbox(Address("who@example.org"), name)
    message = built(from_=[who, ADA], sender=who, reply_to=who, to=who, cc=[BOB, who])
    for field, position in (("From", 0), ("Sender", 0), ("Reply-To", 0), ("To", 0), ("Cc", 1)):
        found = message[field].addresses[position]
        assert (found.display_name, found.addr_spec) == (name, "who@example.org")


# --- subject and further fields -------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "Notes",
        "word " * 40 + "end",
        f"Gr{UUML}{UUML}e, \u6f22\u5b57 {EMOJI} " * 10 + "end",
        "=?utf-8?q?left_alone?=",
        "  blanks  all  over  ",
        "x" * 3000,
        "Bcc: x@y",
    ],
    ids=len,
)
def test_a_subject_arrives_as_it_is(subject: str) -> None:
    message = built(subject=subject, headers=[("X-Copy", subject)])
    assert message["Subject"] == subject
    assert message["X-Copy"] == subject


def test_further_fields_keep_their_order_and_may_be_repeated() -> None:
    fields = [("X-Tag", "b"), ("X-Other", f"{UUML}"), ("x-tag", "a")]
    message = Message(**PLAIN, headers=fields)
    assert message.headers == tuple(fields)
    assert [item for item in built(headers=iter(fields)).items() if "X-" in item[0].upper()] == (
        fields
    )
    assert Message(**PLAIN, headers=dict(fields)).headers == tuple(fields)


@pytest.mark.parametrize(
    "name",
    [
        *("From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-ID", "content-x"),
        *("Resent-Bcc", "Resent-To", "RESENT-DATE", "Return-Path", "fRoM", "BCC"),
    ],
)
def test_a_field_that_the_message_writes_itself_is_refused(name: str) -> None:  # H3 H4
    with pytest.raises(InvalidInput, match=f"the field {name} is none that can be added"):
        Message(**PLAIN, headers={name: "a@b"})


@pytest.mark.parametrize(
    "name",
    ["", " ", "X Y", "X:", "X-Y ", " X-Y", "X\t", "X\r\nBcc", "X\n", f"X{UUML}", "X" * 77, "\x7f"],
)
def test_what_is_no_field_name_is_refused(name: str) -> None:  # H1
    with pytest.raises(InvalidInput, match="not the name of a header field"):
        Message(**PLAIN, headers={name: "x"})


@pytest.mark.parametrize("headers", [{5: "x"}, {"X": 5}, {"X": None}, [("X", b"x")]], ids=repr)
def test_a_field_is_made_of_texts(headers: Any) -> None:
    with pytest.raises(TypeError):
        Message(**PLAIN, headers=headers)


def test_fields_of_identifiers_are_never_encoded() -> None:
    ids = " ".join(f"<{number}=?x?q?y?=@example.org>" for number in range(20))
    octets = build(headers=[("References", ids), ("List-Unsubscribe", "<mailto:x@y>, <http://z>")])
    assert ids.encode() in octets.replace(b"\r\n", b"")
    assert b"List-Unsubscribe: <mailto:x@y>, <http://z>\r\n" in octets
    with pytest.raises(InvalidInput, match="In-Reply-To takes ASCII words"):
        Message(**PLAIN, headers={"In-Reply-To": f"<{UUML}@x>"})


@pytest.mark.parametrize("name", ["References", "In-Reply-To"])
def test_fields_that_may_stand_once_stand_once(name: str) -> None:  # H4
    with pytest.raises(InvalidInput, match="only once"):
        Message(**PLAIN, headers=[(name, "<a@b>"), (name.upper(), "<c@d>")])


def test_further_fields_of_mailboxes_are_written_as_such() -> None:
    octets = build(headers={"Mail-Followup-To": f'"Doe, {UUML}" <a@b>, friends: c@d;'})
    field = read(octets)["Mail-Followup-To"]
    assert b"Mail-Followup-To: =?utf-8?" in octets
    assert b"<a@b>, c@d\r\n" in octets
    assert f"Doe, {UUML}" in field
    with pytest.raises(InvalidAddress):
        Message(**PLAIN, headers={"Errors-To": "nobody"})
    with pytest.raises(InvalidInput, match="the field Errors-To holds no mailbox"):
        Message(**PLAIN, headers={"Errors-To": " "})


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_stands_in_a_header(character: str) -> None:  # H1 I1
    text = f"a{character}Bcc: x@y"
    tries: Iterable[Callable[[], object]] = (
        lambda: Message(**PLAIN, subject=text),
        lambda: Message(**PLAIN, headers={"X-A": text}),
        lambda: Message(**PLAIN, headers={"References": text}),
        lambda: Message(**PLAIN, headers={"Errors-To": f"{text} <a@b>"}),
        lambda: Message(**PLAIN, headers={f"X{character}": "a"}),
        lambda: Message(**PLAIN, message_id=f"a{character}@b"),
        lambda: Message(from_="a@b", to=(text, "c@d")),
        lambda: Message(from_=f"{text} <a@b>", to="c@d"),
        lambda: Attachment(b"", filename=text),
        lambda: Attachment(b"", filename="a", content_type=f"text/{text}"),
        lambda: Attachment(b"", filename="a", content_type=f'text/plain; a="{character}"'),
    )
    for attempt in tries:
        with pytest.raises(InvalidInput):
            attempt()


# --- date and identifiers -------------------------------------------------------------------------


def test_the_date_is_the_messages_own_or_now() -> None:
    date = datetime(2003, 7, 1, 10, 52, 37, tzinfo=UTC)
    assert built(date=date)["Date"].datetime == date
    assert built()["Date"].datetime == NOW
    assert b"Date: Tue, 01 Jul 2003 10:52:37 +0000\r\n" in build(date=date)


def test_a_date_without_an_offset_is_refused() -> None:
    naive = datetime(2003, 7, 1)  # noqa: DTZ001 - the point of it
    with pytest.raises(InvalidInput, match="no UTC offset"):
        Message(**PLAIN, date=naive)
    with pytest.raises(InvalidInput, match="no UTC offset"):
        Message(**PLAIN).as_bytes(now=naive, make_id=identifiers("a"))
    with pytest.raises(InvalidInput, match="pass `now`"):
        Message(**PLAIN).as_bytes(make_id=identifiers("a"))


@pytest.mark.parametrize(
    "given", ["1@example.org", "<1@example.org>", "<=?utf-8?q?a?=@b>", "a@[b]"]
)
def test_a_message_id_is_kept(given: str) -> None:
    bracketed = given if given.startswith("<") else f"<{given}>"
    message = Message(**PLAIN, message_id=given, date=NOW)
    assert message.message_id == bracketed
    assert f"\r\nMessage-ID: {bracketed}\r\n".encode() in message.as_bytes()


@pytest.mark.parametrize(
    "given",
    [
        *("", "a", "@", "<>", "a@", "@b", "<a@b", "a@b>", "<<a@b>>", "a@b@c", "a b@c", "a@b c"),
        *(f"{UUML}@b", "a@b\r\nX: y", "a@b\n", " a@b", "<a@b> ", "a@" + "b" * 900),
    ],
)
def test_what_is_no_message_id_is_refused(given: str) -> None:  # H1
    with pytest.raises(InvalidInput, match="not a Message-ID"):
        Message(**PLAIN, message_id=given)


def test_a_message_id_is_a_text() -> None:
    value: Any = b"a@b"
    with pytest.raises(TypeError, match="a Message-ID is a str"):
        Message(**PLAIN, message_id=value)


@pytest.mark.parametrize(
    ("author", "domain"),
    [
        ("a@example.org", "example.org"),
        ("a@[192.0.2.1]", "[192.0.2.1]"),
        (f"a@{UUML}.example", "xn--tda.example"),
    ],
)
def test_a_message_gets_an_identifier_in_its_authors_domain(author: str, domain: str) -> None:
    assert f"\r\nMessage-ID: <first@{domain}>\r\n".encode() in build(from_=author)


def test_a_domain_without_a_form_in_ascii_makes_no_identifier() -> None:
    author = Address(f"a@{UUML * 60}.example")
    assert new_message_id(author, lambda: "x") == "<x@localhost>"


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "a\r\n", "a@b", ".a", "a..b", "a" * 61, UUML, "é"]
)
def test_an_identifier_that_would_not_do_is_refused(given: str) -> None:  # H1
    with pytest.raises(InvalidInput, match="not an identifier"):
        Message(**PLAIN).as_bytes(now=NOW, make_id=lambda: given)
    with pytest.raises(InvalidInput, match="not an identifier"):
        Message(**PLAIN, message_id="a@b", text="", html="").as_bytes(
            now=NOW, make_id=lambda: given
        )


def test_identifiers_are_asked_for_where_they_are_needed() -> None:
    Message(**PLAIN, message_id="a@b", date=NOW).as_bytes()
    with pytest.raises(InvalidInput, match="pass `make_id`"):
        Message(**PLAIN, date=NOW).as_bytes()
    message = Message(**PLAIN, message_id="a@b", text="", html="", date=NOW)
    boundary = re.search(rb'boundary="=_1_([0-9a-f]{32})"', message.as_bytes())
    assert boundary is not None
    assert boundary[1] not in message.replace(message_id="b@b").as_bytes()


# --- bodies ---------------------------------------------------------------------------------------

BODIES = [
    "",
    "one line",
    "two\nlines\n",
    "any\r\nline\rend\n",
    ".\n..\n.hidden\nFrom me\n--\n",
    "x" * 998,
    "x" * 999,
    "x" * 100_000,
    f"Gr{UUML}{UUML}e\n" * 3,
    f"{EMOJI}\n" * 300,
    "trailing \nblanks\t\n" * 4 + UUML,
    "=20=3D=\n" + UUML,
    "\x01\x0b\x0c\x1a\x1b\x7f\x85\u2028",
    "--=_1_first\r\n--=_1_first--\n",
]


@pytest.mark.parametrize("text", BODIES, ids=range(len(BODIES)))
def test_texts_arrive_as_they_are(text: str) -> None:  # D3 D4
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    if text and not expected.endswith("\n"):
        expected += "\n"
    plain = built(text=text)
    html = built(html=text)
    assert (plain.get_content_type(), text_of(plain)) == ("text/plain", expected)
    assert (html.get_content_type(), text_of(html)) == ("text/html", expected)
    both = built(text=text, html=text, attachments=[Attachment(b"x", filename="x")])
    parts = [part for part in both.walk() if part.get_content_maintype() == "text"]
    assert [part.get_content_subtype() for part in parts] == ["plain", "html"]  # H5
    assert [text_of(part) for part in parts] == [expected, expected]


@pytest.mark.parametrize("name", ["text", "html"])
@pytest.mark.parametrize(
    ("text", "why"),
    [("a\ud800", "a lone surrogate at position 1"), ("ab\0", "a NUL at position 2")],
)
def test_a_text_that_cannot_be_sent_is_refused(name: str, text: str, why: str) -> None:  # I1 D2
    with pytest.raises(InvalidInput, match=f"{name} holds {why}"):
        Message(**(PLAIN | {name: text}))


@pytest.mark.parametrize("name", ["text", "html", "subject"])
def test_a_text_is_a_str(name: str) -> None:
    parts: Any = {name: b"bytes"}
    with pytest.raises(TypeError, match="is a str, not bytes"):
        Message(**PLAIN, **parts)


def test_no_boundary_stands_in_a_part() -> None:
    inner = octets_of(Message(**PLAIN, text="a", html="b", message_id="a@b"))
    quoted = inner.decode() + "--=_2_first\n" + "--=_3_firstly\n"
    message = built(
        text=quoted,
        html=quoted,
        message_id="a@b",
        attachments=[Attachment(inner, filename="a.eml", content_type="message/rfc822")],
    )
    assert message.get_boundary() == "=_5_first"
    alternative, attached = message.iter_parts()
    assert isinstance(alternative, EmailMessage)
    assert alternative.get_boundary() == "=_4_first"
    assert [text_of(part) for part in alternative.iter_parts()] == [quoted.replace("\r", "")] * 2
    assert [part.get_content_type() for part in attached.walk()] == [
        *("message/rfc822", "multipart/alternative", "text/plain", "text/html"),
    ]


# --- attachments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"a\nb\rc\r\nd", bytes(range(256)) * 3, b"\r\n", b"x" * 57, b"y" * 41_041],
    ids=len,
)
def test_octets_arrive_as_they_are(content: bytes) -> None:  # H5
    for kind in (bytes, bytearray, memoryview):
        attachments = [Attachment(kind(content), filename=name) for name in ("a", "b.pdf", "c.txt")]
        message = built(attachments=attachments)
        body, *parts = message.iter_parts()
        assert body.get_content_type() == "text/plain"
        assert [part.get_payload(decode=True) for part in parts] == [content] * 3
        assert [part.get_filename() for part in parts] == ["a", "b.pdf", "c.txt"]
        assert all(part.get_content_disposition() == "attachment" for part in parts)


FILENAMES = [
    "report.pdf",
    "two words.pdf",
    ".hidden",
    "no extension",
    'quo"te.txt',
    "back\\slash.txt",
    "C:\\dir\\file.txt",
    "../../etc/passwd",
    "100%.txt",
    "%41%22.txt",
    "semi;colon; filename=evil.exe",
    "a=b'c''d.txt",
    "utf-8''x.txt",
    "*star*.txt",
    "comma, (paren) [bracket] <angle> @ : ?.txt",
    "=?utf-8?q?a?=.txt",
    " leading and trailing ",
    "double  blank.txt",
    f"Gr{UUML}{UUML}e.txt",
    f"{EMOJI}.png",
    "\u6f22\u5b57.txt",
    "e\u0301.txt",
    "x" * 200,
    "x" * 60 + ".txt",
    f"{UUML}" * 200 + ".txt",
    f"{EMOJI}" * 200,
    f"{EMOJI}a" * 100 + ".pdf",
    "a" * 2000,
    "-",
    "~",
    "'",
]


@pytest.mark.parametrize("filename", FILENAMES, ids=range(len(FILENAMES)))
def test_file_names_arrive_as_they_are(filename: str) -> None:  # H1 H5
    octets = build(attachments=[Attachment(b"x", filename=filename)])
    (part,) = read(octets).iter_attachments()
    assert part.get_filename() == filename.strip()  # as the standard library says it does
    # the older reader of the standard library too
    legacy: Any = email.message_from_bytes(octets).get_payload()
    assert legacy[1].get_filename() == filename.strip()
    header = octets.split(b"--=_1_second\r\n")[2].partition(b"\r\n\r\n")[0]
    assert max(map(len, header.split(b"\r\n"))) <= 78


def test_old_readers_get_a_plain_name_beside_the_right_one() -> None:
    for filename, plain in (
        (f"Gr{UUML}ne Akte.pdf", "Grune_Akte.pdf"),
        ('a"b;c\\d.txt', "a_b_c_d.txt"),
        (f"{EMOJI}.png", "_.png"),
        ("x" * 200 + ".txt", "x" * 56 + ".txt"),
    ):
        octets = build(attachments=[Attachment(b"x", filename=filename)])
        assert f'name="{plain}"\r\n'.encode() in octets


@pytest.mark.parametrize(
    ("filename", "content", "content_type"),
    [
        ("a.pdf", b"", "application/pdf"),
        ("a.PNG", b"", "image/png"),
        ("a.txt", b"", "text/plain"),
        ("a", b"", "application/octet-stream"),
        ("a.unknown-type", b"", "application/octet-stream"),
        ("a.tar.gz", b"", "application/octet-stream"),
        ("a.eml", b"Subject: x\n\n", "message/rfc822"),
        ("a.eml", b"\xff", "application/octet-stream"),
        ("data:text/html,x.png", b"", "image/png"),
        (f"{EMOJI}.html", b"", "text/html"),
    ],
)
def test_the_media_type_is_guessed_from_the_name(
    filename: str, content: bytes, content_type: str
) -> None:
    assert Attachment(content, filename=filename).content_type == content_type


@pytest.mark.parametrize(
    ("content_type", "content", "read_type"),
    [
        ("text/csv", b"a", "text/csv"),
        ("text/csv", b"\xc3\xbc", "text/csv; charset=utf-8"),
        ("text/csv", b"\xff", "text/csv"),
        ("text/csv; charset=latin-1", b"\xff", "text/csv; charset=latin-1"),
        (
            'TEXT/CSV;charset="utf-8" ; header=present',
            b"\xff",
            'TEXT/CSV; charset="utf-8"; header=present',
        ),
        ("application/x; name=evil; a=b", b"", "application/x; a=b"),
        ('application/x; a="b;c=d\\" e"', b"", 'application/x; a="b;c=d\\" e"'),
        ("application/vnd.a+b", b"", "application/vnd.a+b"),
    ],
)
def test_a_media_type_is_written_with_its_parameters(
    content_type: str, content: bytes, read_type: str
) -> None:
    attachment = Attachment(content, filename="a", content_type=content_type)
    octets = build(attachments=[attachment])
    assert attachment.content_type == content_type
    assert f'Content-Type: {read_type}; name="a"\r\n'.encode() in octets
    assert next(read(octets).iter_attachments()).get_payload(decode=True) == content


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text", "text/", "/plain", "text/plain/x", "text /plain", " text/plain", "a/b;"),
        *("a/b; c", "a/b; c=", "a/b; c=d e", 'a/b; c="d', "a/b c=d", f"a/{UUML}", "a/b\r\nX: y"),
        *("a/b, c/d", "a/" + "b" * 500, 'a/b; c="\\', "a/b; c*=utf-8''%00 "),
    ],
)
def test_what_is_no_media_type_is_refused(content_type: str) -> None:  # H1
    with pytest.raises(InvalidInput, match="media type"):
        Attachment(b"", filename="a", content_type=content_type)


@pytest.mark.parametrize("content_type", ["multipart/mixed", "Multipart/x; boundary=y"])
def test_an_attachment_is_one_part(content_type: str) -> None:
    with pytest.raises(InvalidInput, match="an attachment is one part"):
        Attachment(b"", filename="a", content_type=content_type)


def test_a_message_is_attached_as_it_is() -> None:  # H5
    inner = b"Subject: inner\n\nfirst\r\nsecond\n"
    octets = build(attachments=[Attachment(inner, filename="a.eml", content_type="Message/RFC822")])
    (part,) = read(octets).iter_attachments()
    assert part["Content-Transfer-Encoding"] == "7bit"
    assert part.get_content()["Subject"] == "inner"
    assert b"Subject: inner\r\n\r\nfirst\r\nsecond\r\n" in octets


@pytest.mark.parametrize("content", [b"x" * 999, b"\0"], ids=["long", "NUL"])
def test_a_message_that_would_need_an_encoding_is_refused(content: bytes) -> None:  # H5
    with pytest.raises(InvalidInput, match="may not be encoded"):
        Attachment(content, filename="a", content_type="message/rfc822")


def test_an_attachment_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF\r\n\0")
    attachment = Attachment.from_path(path)
    assert attachment == Attachment(b"%PDF\r\n\0", filename="report.pdf")
    assert attachment.content_type == "application/pdf"
    named = Attachment.from_path(str(path), filename="b.txt", content_type="text/x")
    assert named == Attachment(b"%PDF\r\n\0", filename="b.txt", content_type="text/x")
    with pytest.raises(FileNotFoundError):
        Attachment.from_path(tmp_path / "none")
    with pytest.raises(InvalidInput, match="the file name is empty"):
        Attachment.from_path(path, filename="")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ANY_ATTACHMENT("text", filename="a"),
        lambda: ANY_ATTACHMENT(None, filename="a"),
        lambda: ANY_ATTACHMENT(b"", filename=b"a"),
        lambda: ANY_ATTACHMENT(b"", filename="a", content_type=b"a/b"),
        lambda: ANY_MESSAGE(**PLAIN, attachments=["a.pdf"]),
        lambda: ANY_MESSAGE(**PLAIN, attachments=[b"x"]),
        lambda: ANY_MESSAGE(**PLAIN, attachments=[None]),
    ],
)
def test_what_is_no_attachment_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=", not "):
        make()


def test_an_attachment_shows_how_big_it_is_and_not_what_it_holds() -> None:
    attachment = Attachment(b"secret", filename="a.pdf")
    assert repr(attachment) == (
        "Attachment(<6 octets>, filename='a.pdf', content_type='application/pdf')"
    )
    assert unpickled(attachment) == attachment
    assert hash(attachment) == hash(Attachment(b"secret", filename="a.pdf"))


def test_messages_are_values() -> None:
    message = Message(**PLAIN, subject="a", headers={"X-A": "b"}, date=NOW, message_id="a@b")
    assert message == unpickled(message)
    assert message != Message(**PLAIN)
    anything: Any = message
    with pytest.raises(AttributeError):
        anything.subject = "a\r\nBcc: x@y"
