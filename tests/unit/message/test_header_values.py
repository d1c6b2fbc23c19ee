"""What may stand in a header: media types, parameters, fields, and text in UTF-8."""

from __future__ import annotations

import mimetypes
from email import message_from_string, policy
from email.message import Message as LegacyMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo import Address, Alternative, Attachment, Calendar, Group, InvalidInput, Mailbox
from ehlo.message.fields import (
    entries,
    extra_field,
    extra_fields,
    holds_mailboxes,
    is_taken_literally,
    mailboxes,
    members,
)
from ehlo.message.headers import address_groups, addresses, phrase, unstructured
from ehlo.message.mailboxes import parse_groups
from ehlo.message.media_types import check_media_type, guess_media_type, is_composite, is_text
from ehlo.message.parameters import attachment_fields, calendar_file_fields, type_field
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import unpickled

ADA = Mailbox(Address("ada@example.org"), "Ada")
BOB = Mailbox(Address("bob@example.org"))
TEAM = Group("Team", [ADA, BOB])

# --- media types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("a/b", "A/B", "application/vnd.ms-excel.sheet+xml", "a/b;c=d", "a/b ; c=d ; e=f"),
        *('a/b; c=""', 'a/b; c="d;\\"e\\\\"', "a/b; c=utf-8''x", "a/" + "b" * 498),
    ],
)
def test_media_types_are_taken_as_they_are(text: str) -> None:
    assert check_media_type(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((text, "not a media type") for text in ("", "a", "a/", "/b", "a/b/c", "a/b;", "a b/c")),
        *((text, "not a media type") for text in ("a/b; c", "a/b; c=", 'a/b; c="', "a/b; c=d e")),
        *((text, "not a media type") for text in ("a/b; c*=d", "a/b; ä=b", 'a/b; c="=?x?="')),
        ("a/" + "b" * 499, "not a media type"),
        ("a/b; c=d; C=e", "has a parameter twice"),
        ("MULTIPART/mixed", "an attachment is one part"),
    ],
)
def test_what_is_no_media_type_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_media_type(text)


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_gets_into_a_media_type(character: str) -> None:  # H1
    for text in (f"a{character}/b", f"a/b; c=d{character}", f'a/b; c="{character}"'):
        with pytest.raises(InvalidInput):
            check_media_type(text)
        with pytest.raises(InvalidInput):
            Alternative("x", content_type=text)


def test_a_table_of_types_that_is_wrong_guesses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guess_media_type(None) == "application/octet-stream"
    for wrong in ("nonsense", "multipart/mixed", "a/b\r\nX: y"):
        monkeypatch.setattr(mimetypes, "guess_type", lambda _, wrong=wrong: (wrong, None))
        assert guess_media_type("a.x") == "application/octet-stream"


@pytest.mark.parametrize(
    ("text", "composite", "textual"),
    [
        ("message/rfc822", True, False),
        ("MESSAGE/partial; a=b", True, False),
        ("message/global", False, False),
        ("message/global-headers", False, False),
        ("Text/plain", False, True),
        ("texture/plain", False, False),
    ],
)
def test_kinds_of_media_types(text: str, composite: bool, textual: bool) -> None:
    assert is_composite(text) is composite
    assert is_text(text) is textual


# --- parameters -----------------------------------------------------------------------------------


def test_parameters_are_added_kept_and_left_out() -> None:
    assert type_field("a/b") == "Content-Type: a/b\r\n"
    assert type_field("a/b ;  c=d; E=f", ["g=h"], without="e") == "Content-Type: a/b; c=d; g=h\r\n"
    long = type_field("a/b", [f'c{number}="{"x" * 50}"' for number in range(3)])
    assert [len(line) <= 78 for line in long.split("\r\n")] == [True] * 4


@pytest.mark.parametrize("disposition", ["attachment", "inline"])
def test_what_has_no_name_says_none(disposition: str) -> None:
    attachment = Attachment(b"", content_id="a@b")
    assert attachment_fields(attachment, "base64", disposition) == (
        "Content-Type: application/octet-stream\r\n"
        f"Content-Disposition: {disposition}\r\n"
        "Content-ID: <a@b>\r\n"
        "Content-Transfer-Encoding: base64\r\n"
    )


def test_a_text_that_is_not_in_memory_says_no_charset() -> None:
    for content in (["ü".encode()], b"\xff", b"a"):
        fields = attachment_fields(
            Attachment(content, content_type="text/csv"), "base64", "attachment"
        )
        assert "charset" not in fields
    fields = attachment_fields(
        Attachment("ü".encode(), content_type="text/csv"), "base64", "attachment"
    )
    assert "Content-Type: text/csv; charset=utf-8\r\n" in fields


@pytest.mark.parametrize("name", ["invite.ics", "Einladung für Ä.ics", "a" * 200 + ".ics", '"'])
def test_the_file_of_an_invitation_has_its_name(name: str) -> None:
    fields: LegacyMessage[Any, Any] = message_from_string(calendar_file_fields(name) + "\r\n")
    assert fields.get_filename() == name
    assert fields.get_content_type() == "application/ics"
    assert all(len(line) <= 78 for line in calendar_file_fields(name).split("\r\n"))


# --- other forms of the text ----------------------------------------------------------------------

ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"


def test_alternatives_are_values_and_show_no_text() -> None:
    alternative = Alternative("secret", content_type="text/markdown; variant=GFM")
    assert repr(alternative) == (
        "Alternative(<6 characters>, content_type='text/markdown; variant=GFM')"
    )
    assert unpickled(alternative) == alternative
    assert Alternative("", content_type='text/x; charset="UTF-8"').text == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("x", "application/json"), "text in UTF-8, not application/json"),
        (("x", "text/x; charset=latin-1"), "text in UTF-8"),
        (("x", 'text/x; charset="us-ascii"'), "text in UTF-8"),
        (("a\0", "text/x"), "an alternative holds a NUL at position 1"),
        (("\ud800", "text/x"), "an alternative holds a lone surrogate at position 0"),
        (("x", "text"), "not a media type"),
    ],
)
def test_what_is_no_alternative_is_refused(arguments: tuple[str, str], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Alternative(arguments[0], content_type=arguments[1])


@pytest.mark.parametrize("arguments", [(5, "text/x"), (b"x", "text/x"), ("x", 5)])
def test_alternatives_are_texts(arguments: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        Alternative(arguments[0], content_type=arguments[1])


@pytest.mark.parametrize(
    ("text", "method", "found"),
    [
        (ICS, None, "REQUEST"),
        (ICS.replace("REQUEST", "reply "), None, "REPLY"),
        (ICS.replace("METHOD", "method;X=y"), "request", "REQUEST"),
        ("\ufeff\r\n" + ICS.lower(), None, "REQUEST"),
        (ICS.replace("\r\n", "\n"), None, "REQUEST"),
    ],
)
def test_the_method_of_an_invitation_is_found(text: str, method: str | None, found: str) -> None:
    calendar = Calendar(text, method=method)
    assert calendar.method == found
    assert calendar.text == text.lstrip("\ufeff\r\n")
    assert unpickled(calendar) == calendar
    assert repr(calendar) == (
        f"Calendar(<{len(calendar.text)} characters>, method={found!r}, filename='invite.ics')"
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"text": "BEGIN:VCARD"}, "not an iCalendar object"),
        ({"text": "BEGIN:VCALENDAR"}, "has no METHOD"),
        ({"text": "BEGIN:VCALENDAR\nX:1\n METHOD:REQUEST"}, "has no METHOD"),
        ({"text": "BEGIN:VCALENDAR", "method": "REQUEST"}, "have to be the same"),
        ({"method": "CANCEL"}, "have to be the same"),
        ({"method": ""}, "have to be the same"),
        ({"text": ICS.replace("REQUEST", "A;B")}, "not a method of iCalendar"),
        ({"text": ICS.replace("REQUEST", "A" * 61)}, "not a method of iCalendar"),
        ({"text": ICS + "\0"}, "holds a NUL"),
        ({"filename": " "}, "the file name is empty"),
        ({"filename": "a\r\nb"}, "control character"),
    ],
    ids=str,
)
def test_what_is_no_invitation_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Calendar(**{"text": ICS, **arguments})


@pytest.mark.parametrize("arguments", [{"text": 5}, {"method": 5}, {"filename": 5}], ids=str)
def test_invitations_are_texts(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Calendar(**{"text": ICS, **arguments})


# --- mailboxes and groups -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ((), ()),
        (TEAM, (TEAM,)),
        ([TEAM, "Ada <ada@example.org>"], (TEAM, ADA)),
        ((TEAM, ("Ada", "ada@example.org")), (TEAM, ADA)),
        ((it for it in (BOB, TEAM)), (BOB, TEAM)),
        (("Ada", "ada@example.org"), (ADA,)),
        (("Ada", Address("ada@example.org")), (ADA,)),
        (["ada@example.org", "bob@example.org"], (Mailbox(ADA.address), BOB)),
        (BOB, (BOB,)),
        (BOB.address, (BOB,)),
        ("bob@example.org", (BOB,)),
        ((it for it in ("bob@example.org",)), (BOB,)),
    ],
)
def test_entries_come_alone_or_in_any_iterable(value: Any, found: tuple[Any, ...]) -> None:
    assert entries(value) == found


def test_a_pair_is_a_pair_only_where_it_stands_alone() -> None:
    with pytest.raises(InvalidInput, match="write a list for two mailboxes"):
        entries(("ada@example.org", "bob@example.org"))
    assert entries(("a@b", "a@b")) == (Mailbox(Address("a@b"), "a@b"),)
    assert mailboxes(["a@b", "c@d"]) == (Mailbox(Address("a@b")), Mailbox(Address("c@d")))


@pytest.mark.parametrize("value", [5, [5], [TEAM, 5], [[TEAM]], [None]])
def test_other_entries_are_type_errors(value: Any) -> None:
    with pytest.raises(TypeError):
        entries(value)


def test_a_group_is_no_author() -> None:
    with pytest.raises(TypeError):
        mailboxes([TEAM])  # type: ignore[list-item]


def test_the_members_are_those_of_groups_as_well() -> None:
    assert list(members([BOB, TEAM, Group("Nobody")])) == [BOB, ADA, BOB]


# --- added fields ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "literal", "is_list"),
    [
        ("X-A", False, False),
        ("Message-ID", True, False),
        ("references", True, False),
        ("LIST-anything", True, False),
        ("Errors-To", False, True),
        ("mail-followup-to", False, True),
        ("Comments", False, False),
    ],
)
def test_fields_have_forms(name: str, literal: bool, is_list: bool) -> None:
    assert is_taken_literally(name) is literal
    assert holds_mailboxes(name) is is_list


def test_added_fields_may_be_utf_8_where_they_are_text() -> None:
    assert extra_field("X-A", "Grüße", utf8=True) == "X-A: Grüße\r\n"
    assert extra_field("Errors-To", "Jürgen <j@b>", utf8=True) == 'Errors-To: "Jürgen" <j@b>\r\n'
    with pytest.raises(InvalidInput, match="takes ASCII words"):
        extra_field("List-Id", "Grüße <a.b>", utf8=True)


@pytest.mark.parametrize(
    ("headers", "written", "why"),
    [
        ({"References": "<a@b>"}, {"references"}, "References is given twice: as a parameter"),
        ([("In-Reply-To", "<a@b>"), ("in-reply-to", "<c@d>")], (), "may stand only once"),
        ({"Resent-To": "a@b"}, (), "is none that can be added"),
        ({"Return-Path": "a@b"}, (), "is none that can be added"),
    ],
)
def test_fields_that_stand_twice_are_refused(headers: Any, written: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        extra_fields(headers, written)


# --- text in UTF-8 --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Grüße", "Grüße"),
        ("Grüße =?utf-8?q?a?= Ü", "Grüße =?utf-8?b?PT91dGYtOD9xP2E/PQ==?= Ü"),
        ("日本 " * 5 + "x", "日本 " * 5 + "x"),
    ],
)
def test_text_stays_as_it_is_in_utf_8(text: str, written: str) -> None:
    assert unstructured("Subject", text, utf8=True) == f"Subject: {written}\r\n"


def decoded(field: str) -> str:
    return str(message_from_string(field + "\r\n", policy=policy.default)["Subject"])


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"])),
            st.sampled_from(["=?utf-8?q?a=2Cb?=", "=?", "   ", "\U0001f4e7", "é" * 500]),
            st.integers(0, 1000).map(lambda number: "x" * number),
        ),
        max_size=8,
    ).map(" ".join)
)
def test_lines_in_utf_8_are_short_in_octets_and_read_back(text: str) -> None:
    field = unstructured("Subject", text, utf8=True)
    assert field.endswith("\r\n")
    lines = field[:-2].split("\r\n")
    assert all(len(line.encode()) <= 998 for line in lines)
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    # the reader drops white space at the ends of source, and what was encoded is not at an end
    assert decoded(field) == text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Jürgen", ['"Jürgen"']),
        ("Ada", ["Ada"]),
        ("a  ü", ["=?utf-8?b?YSAgw7w=?="]),
        ("=?ü", ["=?utf-8?b?PT/DvA==?="]),
    ],
)
def test_names_are_quoted_in_utf_8(name: str, words: list[str]) -> None:
    assert phrase(name, utf8=True) == words


def test_addresses_stay_as_they_are_in_utf_8() -> None:
    people: list[Any] = [
        Mailbox(Address("dör@bücher.example"), "Jürgen"),
        Group("Ü", ["a@bücher.example"]),
    ]
    assert addresses("To", people, utf8=True) == (
        'To: "Jürgen" <dör@bücher.example>, "Ü": a@bücher.example;\r\n'
    )
    assert addresses("To", [people[1]]) == ("To: =?utf-8?b?w5w=?= : a@xn--bcher-kva.example;\r\n")
    with pytest.raises(InvalidInput, match="needs SMTPUTF8"):
        addresses("To", people)


def test_groups_of_others_are_written_in_utf_8() -> None:
    found = parse_groups("Ü: dör@x.org;, a@b")
    assert address_groups("To", found, as_source=False, utf8=True) == (
        'To: "Ü": dör@x.org;, a@b\r\n'
    )
    assert address_groups("To", found, as_source=True, utf8=True) == "To: Ü: dör@x.org;, a@b\r\n"


def test_an_address_without_a_domain_is_in_no_header() -> None:
    with pytest.raises(InvalidInput, match="no header can name 'postmaster'"):
        addresses("To", [Mailbox.parse("postmaster")])
