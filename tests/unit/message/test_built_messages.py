from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo import Address, Attachment, Envelope, InvalidAddress, InvalidInput, Mailbox, Message
from ehlo.message.octets import has_long_line
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import unpickled

NOW = datetime(2003, 7, 1, 10, 52, 37, tzinfo=timezone(timedelta(hours=2)))
ADA = "Ada <ada@example.org>"
BOB = "bob@example.org"


def make_id() -> str:
    return "id1"


def built(message: Message) -> bytes:
    octets = message.as_bytes(now=NOW, make_id=make_id)
    assert octets.isascii()
    assert octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")
    assert b"\0" not in octets
    assert octets.endswith(b"\r\n")
    assert not has_long_line(octets)
    return octets


def read(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=policy.default)


def text_of(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_plain_message_is_a_header_and_its_text() -> None:
    message = Message(from_=ADA, to=BOB, subject="Lunch", text="At 12?\n")
    assert built(message).decode() == (
        "Date: Tue, 01 Jul 2003 10:52:37 +0200\r\n"
        "From: Ada <ada@example.org>\r\n"
        "To: bob@example.org\r\n"
        "Message-ID: <id1@example.org>\r\n"
        "Subject: Lunch\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="us-ascii"\r\n'
        "Content-Transfer-Encoding: 7bit\r\n"
        "\r\n"
        "At 12?\r\n"
    )


def test_everything_a_message_can_have_is_written() -> None:
    message = Message(
        from_=[ADA, ("Bob", BOB)],
        to=["c@example.org", Mailbox(Address("d@example.org"))],
        cc=Address("e@example.org"),
        bcc="secret@example.org",
        reply_to="f@example.org",
        sender="g@example.org",
        headers={"X-One": "1", "References": "<a@b> <c@d>"},
        date=datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC),
        message_id="given@example.org",
    )
    parsed = read(built(message))
    assert parsed["From"] == "Ada <ada@example.org>, Bob <bob@example.org>"
    assert parsed["To"] == "c@example.org, d@example.org"
    assert parsed["Cc"] == "e@example.org"
    assert parsed["Reply-To"] == "f@example.org"
    assert parsed["Sender"] == "g@example.org"
    assert parsed["X-One"] == "1"
    assert parsed["References"] == "<a@b> <c@d>"
    assert parsed["Date"] == "Sat, 29 Feb 2020 23:59:59 +0000"
    assert parsed["Message-ID"] == "<given@example.org>"
    assert parsed["Subject"] is None


def test_bcc_is_in_the_envelope_and_nowhere_else() -> None:  # H3
    message = Message(from_=ADA, to=BOB, bcc=["secret@example.org", BOB], text="x")
    assert b"secret" not in built(message)
    assert message.envelope() == Envelope("ada@example.org", [BOB, "secret@example.org"])


def test_a_sender_gets_the_bounces() -> None:
    message = Message(from_=[ADA, BOB], sender="g@example.org", cc=BOB)
    assert message.envelope() == Envelope("g@example.org", BOB)


def test_a_sender_who_is_the_author_is_not_written() -> None:
    assert b"Sender" not in built(Message(from_=ADA, sender=ADA, to=BOB))


def test_a_message_without_recipients_has_no_envelope() -> None:
    with pytest.raises(InvalidInput, match="at least one recipient"):
        Message(from_=ADA).envelope()


@pytest.mark.parametrize(
    "value",
    [BOB, Address(BOB), Mailbox(Address(BOB)), [BOB], (BOB,), ("", BOB), [("", Address(BOB))]],
    ids=repr,
)
def test_one_mailbox_may_come_alone_or_in_a_sequence(value: Any) -> None:
    assert Message(from_=ADA, to=value).to == (Mailbox(Address(BOB)),)


def test_a_bare_tuple_of_two_texts_is_one_pair() -> None:
    assert Message(from_=("Ada, L", "ada@example.org")).from_ == (
        Mailbox(Address("ada@example.org"), "Ada, L"),
    )
    same = Message(from_=(BOB, BOB)).from_[0]
    assert (same.name, same.address.spec) == (BOB, BOB)
    assert len(Message(from_=ADA, to=(Address(BOB), Address("c@d.org"))).to) == 2


@pytest.mark.parametrize("first", ["ada@example.org", ADA])
def test_a_bare_tuple_of_two_addresses_is_refused(first: str) -> None:
    with pytest.raises(InvalidInput, match="write a list for two mailboxes"):
        Message(from_=ADA, to=(first, BOB))


def test_a_text_is_never_a_list() -> None:  # I2
    with pytest.raises(InvalidAddress):
        Message(from_=ADA, to="bob@example.org, eve@example.org")


@pytest.mark.parametrize("value", [5, [5], None, b"bob@example.org"])
def test_what_is_no_mailbox_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        Message(from_=ADA, to=value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"from_": []}, "needs an author"),
        ({"from_": [ADA, BOB]}, "several authors need a sender"),
        ({"date": datetime(2020, 1, 1)}, "no UTC offset"),  # noqa: DTZ001 - the mistake to be found
        ({"date": datetime(1899, 12, 31, tzinfo=UTC)}, "year from 1900"),
        ({"date": NOW.replace(tzinfo=timezone(timedelta(seconds=1)))}, "whole minutes"),
        ({"message_id": "no-at"}, "not a Message-ID"),
        ({"message_id": "<a@b"}, "not a Message-ID"),
        ({"message_id": "a b@c"}, "not a Message-ID"),
        ({"message_id": "ä@b"}, "not a Message-ID"),
        ({"message_id": "a" * 900 + "@b"}, "not a Message-ID"),
        ({"headers": {"": "x"}}, "not the name of a header field"),
        ({"headers": {"X Y": "x"}}, "not the name of a header field"),
        ({"headers": {"X:": "x"}}, "not the name of a header field"),
        ({"headers": {"Ü": "x"}}, "not the name of a header field"),
        ({"headers": {"X" * 77: "x"}}, "not the name of a header field"),
        ({"headers": [("References", "<a@b>"), ("references", "<c@d>")]}, "only once"),
        ({"headers": {"References": "ä"}}, "ASCII words"),
        ({"headers": {"List-Unsubscribe": ""}}, "ASCII words"),
        ({"headers": {"Errors-To": ""}}, "holds no mailbox"),
        ({"headers": {"Errors-To": "nobody"}}, "not an address"),
        ({"headers": {"Errors-To": "dör@example.org"}}, "not ASCII"),
        ({"text": "a\0"}, "text holds a NUL at position 1"),
        ({"html": "a\ud800"}, "html holds a lone surrogate at position 1"),
    ],
    ids=str,
)
def test_what_cannot_stand_in_a_message_is_refused_at_once(
    arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidInput, match=why):
        Message(**{"from_": ADA, **arguments})


@pytest.mark.parametrize(
    "name",
    [
        *("Subject", "From", "To", "Cc", "BCC", "Reply-To", "Sender", "Date", "message-id"),
        *("MIME-Version", "Content-Type", "content-anything", "Resent-Bcc", "Return-Path"),
    ],
)
def test_a_field_the_message_writes_itself_cannot_be_added(name: str) -> None:  # H4
    with pytest.raises(InvalidInput, match=f"the field {name} is none that can be added"):
        Message(from_=ADA, headers={name: "x"})


PLACES: dict[str, Callable[[str], object]] = {
    "subject": lambda text: Message(from_=ADA, subject=text),
    "header value": lambda text: Message(from_=ADA, headers={"X-A": text}),
    "header name": lambda text: Message(from_=ADA, headers={text: "x"}),
    "name": lambda text: Message(from_=(text, BOB)),
    "message_id": lambda text: Message(from_=ADA, message_id=f"{text}@example.org"),
    "file name": lambda text: Attachment(b"", filename=text),
    "media type": lambda text: Attachment(b"", filename="a", content_type=f"text/{text}"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_gets_into_a_header(place: str, character: str) -> None:  # I1 H1
    with pytest.raises(InvalidInput):
        PLACES[place](f"a{character}b")


@pytest.mark.parametrize(
    "arguments",
    [
        *({"subject": 5}, {"text": b"x"}, {"html": 5}, {"message_id": 5}),
        *({"headers": {5: "x"}}, {"headers": {"X": 5}}, {"attachments": ["/tmp/x"]}),  # noqa: S108
    ],
    ids=str,
)
def test_other_types_are_type_errors(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Message(from_=ADA, **arguments)


def test_added_fields_that_hold_mailboxes_are_written_as_such() -> None:
    value = "Jürgen <j@example.org>"
    message = Message(from_=ADA, headers={"Disposition-Notification-To": value})
    assert b"Disposition-Notification-To: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n" in built(
        message
    )


def test_added_fields_may_stand_twice_and_keep_their_order() -> None:
    message = Message(from_=ADA, headers=[("X-A", "1"), ("X-B", "2"), ("X-A", "3")])
    assert b"X-A: 1\r\nX-B: 2\r\nX-A: 3\r\n" in built(message)


@pytest.mark.parametrize(
    ("spec", "domain"),
    [
        ("ada@[192.0.2.1]", "[192.0.2.1]"),
        ("ada@bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_message_id_is_made_in_the_domain_of_the_author(spec: str, domain: str) -> None:
    assert f"Message-ID: <id1@{domain}>".encode() in built(Message(from_=spec))


@pytest.mark.parametrize("identifier", ["", "a b", "a@b", "\r\n", "ä", "a" * 61, ".a", "a..b"])
def test_an_identifier_that_breaks_a_header_is_refused(identifier: str) -> None:
    with pytest.raises(InvalidInput, match="not an identifier"):
        Message(from_=ADA).as_bytes(now=NOW, make_id=lambda: identifier)


def test_what_is_missing_is_asked_for() -> None:
    with pytest.raises(InvalidInput, match="pass `now`"):
        Message(from_=ADA).as_bytes()
    with pytest.raises(InvalidInput, match="pass `make_id`"):
        Message(from_=ADA).as_bytes(now=NOW)
    complete = Message(from_=ADA, date=NOW, message_id="<a@b>")
    assert b"Message-ID: <a@b>" in complete.as_bytes()
    assert b"boundary=" in dataclasses.replace(complete, text="a", html="b").as_bytes()


@pytest.mark.parametrize("others", [[], ["bob@b"], ['"x@y"@b'], ["x@[a@b]"]])
def test_no_header_names_an_address_without_a_domain(others: list[str]) -> None:
    message = Message(from_=ADA, to=[*others, "postmaster"], date=NOW, message_id="<a@b>")
    with pytest.raises(InvalidInput, match="no header can name 'postmaster' without a domain"):
        message.as_bytes()
    hidden = message.replace(to=(), bcc="postmaster")
    assert hidden.envelope().recipients == (Address("postmaster"),)
    assert b"postmaster" not in hidden.as_bytes()


def test_an_address_that_is_not_ascii_makes_a_header_in_utf8() -> None:
    message = Message(from_="dör@example.org", to=BOB, date=NOW, message_id="<a@b>")
    assert "From: dör@example.org\r\n".encode() in message.as_bytes()
    with pytest.raises(InvalidInput, match="needs SMTPUTF8"):
        message.as_bytes(smtputf8=False)


def test_messages_are_values() -> None:
    message = Message(from_=ADA, to=BOB, text="x", attachments=[Attachment(b"y", filename="z")])
    assert message == unpickled(message)
    assert hash(message) == hash(unpickled(message))
    assert dataclasses.replace(message, subject="s").subject == "s"
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.subject = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("", b""),
        ("a", b"a\r\n"),
        ("a\nb\rc\r\nd", b"a\r\nb\r\nc\r\nd\r\n"),
        (".\n..\n", b".\r\n..\r\n"),
        ("a\x0bb\x0cc\tc \n", b"a\x0bb\x0cc\tc \r\n"),
        ("x" * 998, b"x" * 998 + b"\r\n"),
    ],
)
def test_short_ascii_lines_stay_as_they_are(text: str, body: bytes) -> None:
    octets = built(Message(from_=ADA, text=text)) if text else b""
    assert octets.partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zoë and more plain words\n", "quoted-printable"),
        ("日本語\n", "base64"),
        ("x" * 999, "quoted-printable"),
        ("x" * 74 + " \nü", "quoted-printable"),
        ("a\u2028b\u0085c, and some more of plain text" * 3, "quoted-printable"),
    ],
)
def test_other_text_is_encoded_in_the_smaller_way(text: str, encoding: str) -> None:
    octets = built(Message(from_=ADA, text=text))
    parsed = read(octets)
    assert parsed["Content-Transfer-Encoding"] == encoding
    assert text_of(parsed) == text.removesuffix("\n") + "\n"
    assert max(map(len, octets.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 76


def test_html_alone_is_html() -> None:
    parsed = read(built(Message(from_=ADA, html="<p>Hi</p>")))
    assert parsed.get_content_type() == "text/html"
    assert text_of(parsed) == "<p>Hi</p>\n"


def test_text_and_html_are_alternatives_the_plain_one_first() -> None:
    parsed = read(built(Message(from_=ADA, text="plain", html="<p>rich")))
    assert parsed.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]


def test_the_tree_of_a_message_with_everything() -> None:
    attachments = [Attachment(bytes(range(256)), filename="a.bin"), Attachment(b"", filename="b")]
    parsed = read(built(Message(from_=ADA, text="p", html="h", attachments=attachments)))
    assert parsed.get_content_type() == "multipart/mixed"
    body, first, second = list(parsed.iter_parts())
    assert body.get_content_type() == "multipart/alternative"
    assert first.get_content() == bytes(range(256))
    assert second.get_content() == b""
    assert second.get_filename() == "b"


def test_attachments_alone_come_with_an_empty_text() -> None:
    parsed = read(built(Message(from_=ADA, attachments=[Attachment(b"x", filename="a")])))
    assert [part.get_content_type() for part in parsed.iter_parts()] == [
        "text/plain",
        "application/octet-stream",
    ]


def test_a_boundary_is_in_no_body_and_none_begins_another() -> None:
    text = "--=_1_id1\n--=_2_id1--\n"
    octets = built(
        Message(from_=ADA, text=text, html="x", attachments=[Attachment(b"", filename="a")])
    )
    assert b'boundary="=_3_id1"' in octets
    assert b'boundary="=_4_id1"' in octets
    body = next(read(octets).iter_parts())
    assert text_of(next(cast("EmailMessage", body).iter_parts())) == text


def test_the_same_is_written_twice() -> None:
    message = Message(from_=ADA, text="ä", html="ö", attachments=[Attachment(b"x", filename="ü")])
    assert built(message) == built(message)


LINES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300)
ONE_LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120
)


@given(subject=ONE_LINE, name=ONE_LINE, text=LINES, html=LINES, octets=st.binary(max_size=300))
def test_what_is_built_is_read_back(
    subject: str, name: str, text: str, html: str, octets: bytes
) -> None:
    message = Message(
        from_=[(name, "ada@example.org")],
        to=BOB,
        subject=subject,
        text=text,
        html=html,
        attachments=[Attachment(octets, filename="f" + name)],
    )
    parsed = read(built(message))
    assert sorted(parsed.keys()) == sorted(
        [
            *("Date", "From", "To", "Message-ID", "MIME-Version", "Content-Type"),
            *(["Subject"] if subject else []),
        ]
    )
    alternative, attachment = list(parsed.iter_parts())
    plain, rich = list(cast("EmailMessage", alternative).iter_parts())
    for part, written in ((plain, text), (rich, html)):
        lines = written.replace("\r\n", "\n").replace("\r", "\n")
        assert text_of(part) == (lines + "\n" if lines and not lines.endswith("\n") else lines)
    assert attachment.get_content() == octets
    assert attachment.get_filename() == ("f" + name).rstrip()
    assert parsed["From"].addresses[0].addr_spec == "ada@example.org"
    # This reader collapses white space in names, and puts some between encoded words.
    found = parsed["From"].addresses[0].display_name
    assert "".join(found.split()) == "".join(name.split())


@pytest.mark.parametrize("size", [2**31, 2**50, 2**70])
def test_a_size_that_lies_takes_no_memory(size: int) -> None:
    file = Attachment([b"abc"], filename="x.bin", size=size)
    message = Message(from_=ADA, attachments=file, date=NOW, message_id="<a@b>")
    with pytest.raises(InvalidInput, match=f"has not the {size} octets"):
        message.as_bytes()
