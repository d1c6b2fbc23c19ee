"""The header of a message of the standard library, read into our parts."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import Header
from email.headerregistry import Address as TheirAddress
from email.message import EmailMessage
from email.message import Message as LegacyMessage
from time import perf_counter
from typing import Any, cast

import pytest

from ehlo import Address, Group, InvalidAddress, InvalidInput, Mailbox, Message, Resent
from ehlo.message.encoded_words import decoded_words
from ehlo.message.mailboxes import parse_mailboxes
from support.hostile import CONTROL_CHARACTERS, code_point

DATE = "Mon, 01 Jan 2024 00:00:00 +0000"
ADA = Mailbox(Address("ada@example.org"), "Ada")
POLICIES = {"modern": policy.default, "legacy": policy.compat32, "smtp": policy.SMTP}
both = pytest.mark.parametrize("reader", POLICIES)


def read(reader: str, *lines: str | bytes, author: str = "From: Ada <ada@example.org>") -> Message:
    octets = [line if isinstance(line, bytes) else line.encode() for line in (author, *lines)]
    source = b"\r\n".join((*octets, b"", b"text\r\n"))
    message = message_from_bytes(source, policy=cast("Any", POLICIES[reader]))
    before = copy.deepcopy(list(message.raw_items()))
    found = Message.from_email(message)
    assert list(message.raw_items()) == before
    return found


# --- what is there --------------------------------------------------------------------------------


@both
def test_every_field_finds_its_parameter(reader: str) -> None:
    message = read(
        reader,
        "Sender: s@x.org",
        "Reply-To: r@x.org, Team: a@x.org, b@x.org;",
        "To: Bob <b@x.org>, undisclosed-recipients:;",
        "Cc: c@x.org",
        "Bcc: d@x.org",
        "Subject: Lunch",
        f"Date: {DATE}",
        "Message-ID: <1@x.org>",
        "In-Reply-To: <2@x.org>",
        "References: <3@x.org> <2@x.org>",
        "Disposition-Notification-To: n@x.org",
        "Auto-Submitted: auto-replied",
        "List-Id: <a.b>",
        "X-A: 1",
        "X-A: 2",
        "X-Empty: ",
        "Return-Path: <z@x.org>",
        "MIME-Version: 1.0",
        "Content-Language: en",
    )
    assert message == Message(
        from_=ADA,
        sender="s@x.org",
        reply_to=["r@x.org", Group("Team", ["a@x.org", "b@x.org"])],
        to=["Bob <b@x.org>", Group("undisclosed-recipients")],
        cc="c@x.org",
        bcc="d@x.org",
        subject="Lunch",
        date=datetime(2024, 1, 1, tzinfo=UTC),
        message_id="1@x.org",
        in_reply_to="2@x.org",
        references=["3@x.org", "2@x.org"],
        disposition_notification_to="n@x.org",
        headers=[
            *(("Auto-Submitted", "auto-replied"), ("List-Id", "<a.b>")),
            *(("X-A", "1"), ("X-A", "2")),
        ],
        text="text\n",
    )


def test_values_that_were_set_are_read_as_they_are_shown() -> None:
    message = EmailMessage()
    message["From"] = TheirAddress("Müller, J. <x@evil.org>", "j", "example.org")
    message["To"] = "=?utf-8?q?eve=40evil=2Eorg=2C?= <bob@example.org>"
    message["Subject"] = "Grüße =?utf-8?q?_=3D=3Futf-8=3Fq=3Fa=3F=3D?="
    message["Date"] = datetime(2024, 1, 1, tzinfo=UTC)
    message["X-A"] = "ä"
    found = Message.from_email(message)
    assert found.from_ == (Mailbox(Address("j@example.org"), "Müller, J. <x@evil.org>"),)
    assert found.to == (Mailbox(Address("bob@example.org"), "eve@evil.org,"),)
    assert found.subject == "Grüße  =?utf-8?q?a?="  # decoded once
    assert found.date == datetime(2024, 1, 1, tzinfo=UTC)
    assert found.headers == (("X-A", "ä"),)


def test_values_of_the_older_kind_are_decoded() -> None:
    message = LegacyMessage()
    message["From"] = f"{Header('Jürgen', 'utf-8').encode()} <j@example.org>"
    message["Subject"] = cast("Any", Header("Grüße " * 30, "latin-1"))
    message["X-A"] = "ä"
    found = Message.from_email(message)
    assert found.from_ == (Mailbox(Address("j@example.org"), "Jürgen"),)
    assert found.subject == "Grüße " * 30
    assert found.headers == (("X-A", "ä"),)


@both
def test_octets_beyond_ascii_are_utf_8(reader: str) -> None:
    message = read(
        reader, "To: dör@example.org", "Subject: Grüße", author="From: J\u00fcrgen <j@b>"
    )
    assert message.from_ == (Mailbox(Address("j@b"), "Jürgen"),)
    assert message.to == (Mailbox(Address("dör@example.org")),)
    assert message.subject == "Grüße"
    with pytest.raises(InvalidInput, match="'Subject' holds octets that are no UTF-8"):
        read(reader, b"Subject: Gr\xfc\xdfe")


@both
def test_fields_that_are_folded_are_read_on_one_line(reader: str) -> None:
    message = read(
        reader,
        "Received: from a\r\n\tby b;\r\n\tMon, 01 Jan 2024",
        "Subject: one\r\n\ttwo\r\n  three",
        'To: b@x.org,\r\n\tBob\r\n\tB <c@x.org>,\r\n\t"D,\r\n\tD" <d@x.org>',
        "References: <1@x>\r\n\t<2@x>",
    )
    assert message.subject == "one two  three"
    assert message.to == (
        *(
            Mailbox(Address("b@x.org")),
            Mailbox(Address("c@x.org"), "Bob B"),
            Mailbox(Address("d@x.org"), "D, D"),
        ),
    )
    assert message.references == ("<1@x>", "<2@x>")
    assert message.headers == (("Received", "from a by b; Mon, 01 Jan 2024"),)


@both
def test_identifiers_need_no_blanks_between_them(reader: str) -> None:
    message = read(reader, "References: <1@x><2@x>", "In-Reply-To: <3@x><4@x>")
    assert message.references == ("<1@x>", "<2@x>")
    assert message.in_reply_to == ("<3@x>", "<4@x>")


@both
def test_nothing_that_stands_twice_is_lost(reader: str) -> None:
    fields = ("To", "Cc", "Bcc", "Disposition-Notification-To")
    lines = [f"{name}: {number}@x.org" for number in (1, 2) for name in fields]
    message = read(reader, *lines, "References: <1@x>", "references: <2@x>")
    for found in (message.to, message.cc, message.bcc, message.disposition_notification_to):
        assert found == (Mailbox(Address("1@x.org")), Mailbox(Address("2@x.org")))
    assert message.references == ("<1@x>", "<2@x>")


@both
@pytest.mark.parametrize("name", ["From", "Subject", "Date", "Message-ID", "Reply-To", "Sender"])
def test_what_may_stand_once_is_refused_twice(reader: str, name: str) -> None:
    with pytest.raises(InvalidInput, match="and may have one"):
        read(reader, f"{name}: a", f"{name}: b")


@both
def test_a_message_of_nobody_is_refused(reader: str) -> None:
    for author in ("From: ", "To: b@x.org", "From: Nobody:;"):
        with pytest.raises(InvalidInput, match="a message needs an author"):
            read(reader, author=author)
    with pytest.raises(InvalidInput, match="several authors need a sender"):
        read(reader, author="From: a@x.org, b@x.org")


@both
def test_an_empty_field_says_nothing(reader: str) -> None:
    names = ("To", "Cc", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "References", "X")
    message = read(reader, *(f"{name}: " for name in names))
    assert message == Message(from_=ADA, text="text\n")


# --- dates ----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("date", "read_as"),
    [
        ("Mon, 1 Jan 2024 10:00:00 +0530 (IST)", (2024, 10, 330)),
        ("1 Jan 2024 10:00 -0800", (2024, 10, -480)),
        ("Mon, 01 Jan 99 10:00:00 EST", (1999, 10, -300)),
        ("Mon, 01 Jan 2024 10:00:00 -0000", (2024, 10, 0)),
        ("Mon, 01 Jan 2024 10:00:00", (2024, 10, 0)),
        ("Mon, 01 Jan 2024\r\n\t10:00:00 GMT", (2024, 10, 0)),
    ],
)
def test_odd_dates_are_read(reader: str, date: str, read_as: tuple[int, int, int]) -> None:
    year, hour, minutes = read_as
    zone = timezone(timedelta(minutes=minutes))
    assert read(reader, f"Date: {date}").date == datetime(year, 1, 1, hour, tzinfo=zone)


@both
@pytest.mark.parametrize(
    "date",
    [
        *("yesterday", "Mon, 31 Feb 2024 10:00:00 +0000", "1 Jan 1850 10:00:00 +0000"),
        *("Mon, 01 Jan 2024 25:00:00 +0000", "Mon, 01 Jan 2024 10:00:00 +9999"),
        "Mon, 01 Jan 99999999999999999999 10:00:00 +0000",
        "Mon, 01 Jan 2024 10:00:00 +99999999999999999999",
    ],
)
def test_what_is_no_date_is_our_error(reader: str, date: str) -> None:
    with pytest.raises(InvalidInput):
        read(reader, f"Date: {date}")


# --- nothing is smuggled in -----------------------------------------------------------------------

SMUGGLED = "=?utf-8?q?eve=40evil=2Eorg=2C_=3Cx=40evil=2Eorg=3E=3B=22?="
NAME = 'eve@evil.org, <x@evil.org>;"'
BOB = Mailbox(Address("bob@example.org"), NAME)


@both
@pytest.mark.parametrize("name", ["To", "Cc", "Bcc", "Reply-To", "Sender"])
def test_encoded_words_never_become_addresses(reader: str, name: str) -> None:
    message = read(reader, f"{name}: {SMUGGLED} <bob@example.org>")
    part = getattr(message, name.lower().replace("-", "_"))
    assert part == (BOB if name == "Sender" else (BOB,))


@both
def test_nor_those_of_authors_groups_and_resent_blocks(reader: str) -> None:
    message = read(
        reader,
        f"To: {SMUGGLED}: {SMUGGLED} <bob@example.org>;",
        f"Resent-From: {SMUGGLED} <bob@example.org>",
        f"Resent-To: {SMUGGLED} <bob@example.org>",
        f"Disposition-Notification-To: {SMUGGLED} <bob@example.org>",
        author=f"From: {SMUGGLED} <bob@example.org>",
    )
    assert message.from_ == message.disposition_notification_to == (BOB,)
    assert message.to == (Group(NAME, [BOB]),)
    assert message.resent == (Resent(from_=BOB, to=BOB),)


@both
@pytest.mark.parametrize(
    "name",
    ["Errors-To", "Mail-Followup-To", "Mail-Reply-To", "Return-Receipt-To", "ERRORS-to"],
)
def test_nor_those_of_fields_that_are_kept(reader: str, name: str) -> None:
    message = read(reader, f"{name}: {SMUGGLED} <bob@example.org>, c@x.org")
    written = message.as_bytes(now=datetime(2024, 1, 1, tzinfo=UTC), make_id=lambda: "id")
    source = str(message_from_bytes(written)[name]).replace("\r\n", "")
    people = (BOB, Mailbox(Address("c@x.org")))
    assert parse_mailboxes(message.headers[0][1]) == parse_mailboxes(source) == people
    assert Message.from_email(message_from_bytes(written)).headers == message.headers


@both
def test_nor_text_that_only_looks_like_a_list(reader: str) -> None:
    message = read(reader, "X-To: =?utf-8?q?a=40b=2C_c=40d?=", f"Subject: {SMUGGLED}")
    assert message.headers == (("X-To", "a@b, c@d"),)
    assert message.subject == NAME


@both
@pytest.mark.parametrize("name", ["Subject", "X-A", "To", "Errors-To"])
@pytest.mark.parametrize("hidden", ["=0D=0ABcc=3A_x=40y", "=0A", "=00", "=E2=80=A8"])
def test_a_line_end_that_was_hidden_is_refused(reader: str, name: str, hidden: str) -> None:  # H1
    with pytest.raises(InvalidInput, match="control character"):
        read(reader, f"{name}: =?utf-8?q?a{hidden}?= <a@b>")


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_gets_in(character: str) -> None:  # H1
    message = LegacyMessage()
    message["From"] = "ada@example.org"
    message["Subject"] = f"a{character}b"
    if character == "\t":  # white space, as blanks are
        assert Message.from_email(message).subject == "a b"
        return
    with pytest.raises(InvalidInput):
        Message.from_email(message)


@pytest.mark.parametrize("value", ["a\r\nBcc: eve@evil.org", "a\nb", "a\rb", "a\0b"])
def test_a_line_end_that_was_set_is_refused(value: str) -> None:
    message = LegacyMessage()
    message["From"] = "ada@example.org"
    message["X-A"] = value
    with pytest.raises(InvalidInput, match="'X-A' holds a line end or a NUL"):
        Message.from_email(message)


@both
@pytest.mark.parametrize("value", ["nobody", "a@b c@d", "(Ada) a@b", "<a@b", "a@b,, c@d"])
def test_a_list_that_is_none_is_refused(reader: str, value: str) -> None:
    with pytest.raises(InvalidAddress):
        read(reader, f"To: {value}")


@pytest.mark.parametrize("value", [5, None, b"x"])
def test_a_value_of_another_type_is_our_error(value: Any) -> None:
    message = LegacyMessage()
    message["From"] = "ada@example.org"
    message._headers.append(("X-A", value))  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match="the message cannot be read"):
        Message.from_email(message)


# --- resent ---------------------------------------------------------------------------------------


@both
def test_blocks_of_resent_fields_come_the_latest_first(reader: str) -> None:
    message = read(
        reader,
        f"Resent-Date: {DATE}",
        "Resent-From: p@x.org, q@x.org",
        "Resent-Sender: s@x.org",
        "Resent-To: Team: t@x.org;",
        "Resent-Cc: c@x.org",
        "Resent-Bcc: d@x.org",
        "Resent-Message-ID: <1@x.org>",
        f"Resent-Date: {DATE}",
        "Resent-From: z@x.org",
        "To: b@x.org",
    )
    date = datetime(2024, 1, 1, tzinfo=UTC)
    assert message.resent == (
        Resent(
            from_=["p@x.org", "q@x.org"],
            sender="s@x.org",
            to=Group("Team", ["t@x.org"]),
            cc="c@x.org",
            bcc="d@x.org",
            date=date,
            message_id="1@x.org",
        ),
        Resent(from_="z@x.org", date=date),
    )
    assert [one.spec for one in message.envelope().recipients] == [
        *("t@x.org", "c@x.org", "d@x.org"),
    ]


@both
def test_another_field_parts_blocks_of_resent_fields(reader: str) -> None:
    message = read(
        reader,
        *("Resent-From: p@x.org", "Resent-To: q@x.org", "Received: x"),
        *(f"Resent-Date: {DATE}", "Resent-From: z@x.org", "Resent-To: y@x.org"),
    )
    first, second = message.resent
    assert first == Resent(from_="p@x.org", to="q@x.org")
    assert second == Resent(from_="z@x.org", to="y@x.org", date=datetime(2024, 1, 1, tzinfo=UTC))


@both
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["Resent-To: a@b"], "needs an author"),
        (["Resent-From: a@b", "Resent-To: a@b", "Resent-To: c@d"], "run into each other"),
        (["Resent-From: a@b", "Resent-Reply-To: c@d"], "Resent-Reply-To is none that can be kept"),
        (["Resent-From: a@b", "Resent-Subject: x"], "Resent-Subject is none that can be kept"),
        (["Resent-From: a@b", "Resent-Comments: x"], "Resent-Comments is none that can be kept"),
        (["Resent-From: a@b", "Resent-References: <a@b>"], "none that can be kept"),
    ],
)
def test_a_block_that_cannot_be_kept_is_refused(reader: str, lines: list[str], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read(reader, *lines)


# --- encoded words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?UTF-8?Q?=c3=bc?=", "ü"),
        ("=?utf-8?b?w7w=?=", "ü"),
        ("=?utf-8?B?w7w?=", "ü"),  # without what fills the last four
        ("=?iso-8859-1*de?q?=FC?=", "ü"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=   =?iso-8859-1?b?/A==?=", "aü"),
        ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
        ("=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),  # a character in two
        ("=?utf-8?b?w7?= =?utf-8?b?w7w=?=", "=?utf-8?b?w7?= =?utf-8?b?w7w=?="),
        ("x=?utf-8?q?a?=y", "xay"),
        ("=?utf-8?q??=", ""),
        ("=?utf-8?q?a b?=", "a b"),
        ("=?foo?q?a?=", "=?foo?q?a?="),
        ("=?utf-8?q?=FF?= x", "=?utf-8?q?=FF?= x"),
        ("=?us-ascii?q?=FC?= =?utf-8?q?b?=", "=?us-ascii?q?=FC?=b"),
        ("=?utf-8?q?ü?=", "=?utf-8?q?ü?="),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?rot13?q?a?=", "=?rot13?q?a?="),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8?q?a=C2=A0b?=", "a\xa0b"),
    ],
)
def test_encoded_words_are_decoded(text: str, decoded: str) -> None:
    assert decoded_words(text) == decoded


@both
@pytest.mark.parametrize(
    "line",
    [
        "Subject: " + "=? " * 30_000,
        "X-A: " + "=?utf-8?q?a?= " * 30_000,
        "To: a@b\r\n" * 10_000 + "To: ",
    ],
    ids=["openings", "words", "fields"],
)
def test_reading_takes_linear_time(reader: str, line: str) -> None:
    begun = perf_counter()
    read(reader, line)
    assert perf_counter() - begun < 5  # with quadratic time it is more than twenty


# --- and back -------------------------------------------------------------------------------------


def test_a_message_becomes_one_of_the_standard_library() -> None:
    ours = Message(
        from_=ADA, to=[("Bob, B", "b@x.org")], bcc="c@x.org", subject="Grüße", text="x\n"
    )
    theirs = ours.as_email(now=datetime(2024, 1, 1, tzinfo=UTC), make_id=lambda: "id")
    assert isinstance(theirs, EmailMessage)
    assert theirs["From"] == "Ada <ada@example.org>"
    assert theirs["To"].addresses[0].display_name == "Bob, B"
    assert theirs["Subject"] == "Grüße"
    assert theirs["Bcc"] is None
    assert theirs.get_content() == "x\r\n"
    again = Message.from_email(theirs)
    assert again == ours.replace(bcc=(), date=again.date, message_id="id@example.org")


def test_what_needs_smtputf8_is_shown_and_written_as_utf_8() -> None:
    ours = Message(
        from_=("Jürgen", "dör@example.org"),
        to=Address("b@x.org"),
        subject="Grüße",
        headers=[("X-A", "ä"), ("X-A", "b")],
        date=datetime(2024, 1, 1, tzinfo=UTC),
        message_id="1@x.org",
        text="ü\n",
    )
    theirs = ours.as_email()
    assert str(theirs["From"]) == "Jürgen <dör@example.org>"
    assert theirs["Subject"] == "Grüße"
    assert theirs.get_all("X-A") == ["ä", "b"]
    assert theirs.get_content() == "ü\r\n"
    assert theirs.as_bytes() == ours.as_bytes(smtputf8=True)
    assert Message.from_email(theirs) == ours


def test_other_things_are_type_errors() -> None:
    class Django:
        def message(self) -> None: ...

    anything: Any = Message.from_email
    with pytest.raises(TypeError, match=r"is wanted, not bytes$"):
        anything(b"Subject: x")
    with pytest.raises(TypeError, match=r"is wanted, not Django: it has a method message\(\)"):
        anything(Django())
