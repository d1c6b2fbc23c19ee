"""Header fields, encoded words and dates: `ehlo.message.headers` and what it stands on."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

import pytest

from ehlo import Address, InvalidInput, Mailbox
from ehlo.message.dates import check_date, format_date
from ehlo.message.encoded_words import encoded_words
from ehlo.message.headers import (
    address_groups,
    addresses,
    fold,
    identifiers,
    phrase,
    unstructured,
)
from ehlo.message.mailboxes import parse_groups

UUML = "\u00fc"
EMOJI = "\U0001f4e7"
WORD = re.compile(r"=\?utf-8\?[qb]\?[!->@-~]*\?=")


def read(field: str) -> Any:
    """Return what the standard library reads in a field."""
    message = email.message_from_string(field + "\r\n", policy=email.policy.default)
    ((_, value),) = message.items()
    return value


def read_names(field: str) -> list[tuple[str, str]]:
    """Return the names and addresses that the older reader finds: it cuts first, then decodes."""
    value = field.partition(":")[2].replace("\r\n", "")
    return [(str(make_header(decode_header(name))), spec) for name, spec in getaddresses([value])]


def lines_of(field: str) -> list[str]:
    """Return the lines of a field that is well-formed."""
    assert field.isascii()
    *lines, rest = field.split("\r\n")
    assert rest == ""
    assert all(line.isprintable() and line.strip() for line in lines)
    assert all(line.startswith(" ") for line in lines[1:])
    assert max(map(len, lines)) <= 998
    return lines


def words_in(field: str) -> Iterator[str]:
    """Check the encoded words of a field one by one; return their texts (RFC 2047)."""
    for line in lines_of(field):
        words = WORD.findall(line)
        assert not words or len(line) <= 76
        for word in words:
            assert len(word) <= 75
            ((octets, charset),) = decode_header(word)
            assert charset == "utf-8"
            yield octets.decode()  # whole characters


# --- folding --------------------------------------------------------------------------------------


def test_pieces_fill_lines_and_are_never_cut() -> None:
    assert fold("A:", []) == "A:\r\n"
    assert fold("A:", [" b", "  c"]) == "A: b  c\r\n"
    assert fold("A:", [f" {'b' * 75}"]) == f"A: {'b' * 75}\r\n"
    assert fold("A:", [f" {'b' * 76}"]) == f"A:\r\n {'b' * 76}\r\n"
    assert fold("A:", [f" {'b' * 500}", " c"]) == f"A:\r\n {'b' * 500}\r\n c\r\n"
    assert fold("A:", [" b", " c"], 5) == "A: b\r\n c\r\n"


# --- encoded words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", ["=?utf-8?q?a?="]),
        ("a b", ["=?utf-8?q?a_b?="]),
        ("=?_", ["=?utf-8?b?PT9f?="]),
        ("a_b=c d e f g", ["=?utf-8?q?a=5Fb=3Dc_d_e_f_g?="]),
        (f"Gr{UUML}n", ["=?utf-8?b?R3LDvG4=?="]),
        (f"Gr{UUML}nes Gras", ["=?utf-8?q?Gr=C3=BCnes_Gras?="]),
        (EMOJI, ["=?utf-8?b?8J+Tpw==?="]),
    ],
)
def test_a_text_is_encoded_in_the_shorter_way(text: str, words: list[str]) -> None:
    assert encoded_words(text) == words


@pytest.mark.parametrize("first", [24, 25, 40, 75])
@pytest.mark.parametrize(
    "text",
    [
        "plain " * 60,
        UUML * 200,
        EMOJI * 100,
        f"a{UUML}{EMOJI}b " * 40,
        f"mostly plain words, and one {EMOJI} among them " * 5,
        "\u6f22\u5b57" * 99,
        "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 " * 30,
    ],
    ids=["plain", "two", "four", "mixed", "mostly plain", "Han", "Arabic"],
)
def test_encoded_words_are_short_and_hold_whole_characters(text: str, first: int) -> None:  # H2
    words = encoded_words(text, first)
    assert len(words[0]) <= first
    assert max(map(len, words)) <= 75
    texts = []
    for word in words:
        assert WORD.fullmatch(word)
        ((octets, charset),) = decode_header(word)
        assert charset == "utf-8"
        texts.append(octets.decode())
    assert all(texts)
    assert "".join(texts) == text


# --- unstructured fields --------------------------------------------------------------------------

SUBJECTS = [
    "",
    "Notes",
    "Notes: 1, 2; 3 <4> (5) \"6\" 'seven' \\8 @9",
    "many words that do not fit on one line " * 5,
    "x" * 70,
    "x" * 300,
    "x" * 899,
    "x" * 901,
    "short " + "x" * 2000 + " short",
    " leading",
    "trailing ",
    "  both  ",
    " ",
    "   ",
    "a  b   c",
    "a" + " " * 100 + "b",
    " " * 300,
    "a" + " " * 2000 + "b",
    f"a {' ' * 59}b " * 20,
    f"Gr{UUML}n",
    f"{UUML * 300}",
    f"{EMOJI * 100}",
    f"plain words first and {EMOJI} then plain words again, a good many of them, to fold",
    f"{UUML} a {UUML} b {UUML}",
    f"a  {UUML}  b",
    "=?utf-8?q?not_decoded?=",
    "Re: =?utf-8?b?R3LDvG4=?= and =?iso-8859-1?q?a?=",
    "=? ?=",
    "a=?utf-8?q?b?=c",
    f"=?utf-8?q?a?= {UUML}",
    "\u6f22\u5b57 " * 40,
    "\u00a0nbsp\u3000ideographic\u200b",
    "\u202eright to left",
]


@pytest.mark.parametrize("name", ["Subject", "X", "Y" * 50])
@pytest.mark.parametrize("text", SUBJECTS, ids=range(len(SUBJECTS)))
def test_a_text_is_read_as_it_was_written(name: str, text: str) -> None:  # H1
    field = unstructured(name, text)
    assert lines_of(field)[0].startswith(f"{name}:")
    list(words_in(field))
    if name == "Subject":
        # the standard library takes the white space of a fold for that of the text, and so do we
        assert read(field) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("trailing ", "=?utf-8?q?trailing_?="),
        (" leading", "=?utf-8?q?_leading?="),
        ("more words ", "more =?utf-8?q?words_?="),
        (" more words", "=?utf-8?q?_more?= words"),
        ("two  ", "two =?utf-8?q?_?="),
        ("  two", "=?utf-8?q?_?= two"),
        ("a   b ", "a =?utf-8?q?__b_?="),
    ],
)
def test_no_encoded_word_is_empty(text: str, written: str) -> None:  # RFC 2047 section 2
    assert unstructured("Subject", text) == f"Subject: {written}\r\n"


@pytest.mark.parametrize("text", SUBJECTS, ids=range(len(SUBJECTS)))
def test_lines_are_short_where_the_words_are(text: str) -> None:
    lines = lines_of(unstructured("Subject", text))
    longest_word = max(map(len, text.split(" ")))
    if longest_word < 70 or longest_word > 900 or not text.isascii():
        assert max(map(len, lines)) <= 78


def test_a_plain_word_is_not_encoded_for_its_length() -> None:
    assert unstructured("Subject", "x" * 300) == f"Subject: {'x' * 300}\r\n"
    words = ["x" * 900, "y" * 900]
    assert unstructured("Subject", " ".join(words)) == (f"Subject: {words[0]}\r\n {words[1]}\r\n")


def test_only_what_needs_it_is_encoded() -> None:
    field = unstructured("Subject", f"plain {UUML} plain")
    assert field == "Subject: plain =?utf-8?b?w7w=?= plain\r\n"


def test_a_name_that_nobody_registered_makes_a_long_line_and_no_other_harm() -> None:
    field = unstructured("Y" * 76, UUML * 100)
    assert len(lines_of(field)[0]) <= 76 + 2 + 24
    assert max(map(len, lines_of(field)[1:])) <= 76


# --- identifiers ----------------------------------------------------------------------------------


def test_identifiers_are_folded_and_never_encoded() -> None:
    ids = [f"<{number}.{'x' * 20}@example.org>" for number in range(9)]
    lines = lines_of(identifiers("References", "  ".join(ids)))
    assert max(map(len, lines)) <= 78
    assert "".join(lines) == f"References: {' '.join(ids)}"
    odd = "<=?utf-8?q?a?=@example.org>"
    assert identifiers("In-Reply-To", odd) == f"In-Reply-To: {odd}\r\n"
    assert identifiers("References", "x" * 900) == f"References: {'x' * 900}\r\n"


@pytest.mark.parametrize("text", ["", "  ", f"<{UUML}@b>", "x" * 901])
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="References takes ASCII words of at most 900"):
        identifiers("References", text)


# --- mailboxes ------------------------------------------------------------------------------------

NAMES = [
    "Ada",
    "Ada Lovelace",
    "Lovelace, Ada",
    "A. Lovelace",
    'Ada "the first" Lovelace',
    "back\\slash",
    "\\",
    '"',
    "(comment)",
    "<bob@example.org>",
    "bob@example.org",
    "group: a@b;",
    "a  b",
    " a",
    "a ",
    " ",
    "=?utf-8?q?=3Cbob=40example.org=3E=2C?=",
    "Ada =?utf-8?b?R3LDvG4=?= Lovelace",
    "=?",
    "?=",
    f"Gr{UUML}n, Ada",
    f'"{UUML}"',
    "\u6f22\u5b57",
    "\u0391\u03b3\u03b3\u03b5\u03bb\u03af\u03b1",
    "\u0410\u0434\u0430 \u041b\u0430\u0432\u043b\u0435\u0439\u0441",
    "\u05d0\u05d3\u05d4",
    "\u0639\u0644\u064a\u0627\u0621",
    EMOJI,
    f"{EMOJI}, " * 30,
    "x" * 60,
    "x" * 61,
    "word, " * 40,
    "y" * 2000,
    "!#$%&'*+-/=?^_`{|}~",
    "a\u00a0b",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_read_as_it_was_written(name: str) -> None:  # H1 H2
    field = addresses("To", [Mailbox(Address("ada@example.org"), name)])
    list(words_in(field))
    assert max(map(len, lines_of(field))) <= 78
    assert read_names(field) == [(name, "ada@example.org")]
    if len(WORD.findall(field)) < 2 and "  " not in name:
        # the newer reader of the standard library puts blanks between words, and drops others
        (found,) = read(field).addresses
        assert (found.display_name, found.addr_spec) == (name, "ada@example.org")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_no_encoded_word_stands_in_quotes(name: str) -> None:  # H2
    for piece in phrase(name):
        assert ("=?" in piece) is bool(WORD.fullmatch(piece))
        assert "," not in piece or piece.startswith('"')


def test_a_short_name_is_left_whole_and_a_long_one_is_not() -> None:
    assert phrase("x" * 60) == ["x" * 60]
    assert phrase("x." * 30) == [f'"{"x." * 30}"']
    assert all(map(WORD.fullmatch, phrase("x" * 61)))


def test_many_mailboxes_survive_folding() -> None:  # H2
    mailboxes = [
        Mailbox(Address(f"user{number}@example.org"), name) for number, name in enumerate(NAMES)
    ]
    for name in ("From", "Reply-To", "Disposition-Notification-To", "X" * 50):
        field = addresses(name, mailboxes)
        assert max(map(len, lines_of(field))) <= 78
        list(words_in(field))
        assert read_names(field) == [(mailbox.name, mailbox.address.spec) for mailbox in mailboxes]


@pytest.mark.parametrize(
    "spec", ['"a b"@example.org', '"a,b"@example.org', "a@[192.0.2.1]", "x" * 64 + "@" + "y" * 180]
)
def test_odd_addresses_stay_as_they_are(spec: str) -> None:  # I4
    bare = addresses("To", [Mailbox(Address(spec))])
    named = addresses("To", [Mailbox(Address(spec), "Ada")])
    assert "".join(lines_of(bare)) == f"To: {spec}"
    assert "".join(lines_of(named)) == f"To: Ada <{spec}>"


def test_an_address_that_is_not_ascii_is_refused() -> None:
    with pytest.raises(InvalidInput, match="SMTPUTF8"):
        addresses("To", [Mailbox(Address(f"gr{UUML}n@example.org"))])


def test_the_colon_of_a_group_stands_apart_from_an_encoded_word() -> None:
    """RFC 2047 section 5: white space between it and any special."""
    groups = parse_groups("Größe: a@b;, plain: ;")
    field = address_groups("To", groups, as_source=False)
    assert field == "To: =?utf-8?b?R3LDtsOfZQ==?= : a@b;, plain:;\r\n"


def test_groups_are_written_with_their_members() -> None:
    text = f'Gr{UUML}ne: "a, b" <a@x>, c@x;, d@x, "No, body": ;'
    field = address_groups("To", parse_groups(text), as_source=False)
    assert field == 'To: =?utf-8?b?R3LDvG5l?= : "a, b" <a@x>, c@x;, d@x, "No, body":;\r\n'
    value = read(field)
    assert [group.display_name for group in value.groups] == [f"Gr{UUML}ne", None, "No, body"]
    assert [one.addr_spec for one in value.addresses] == ["a@x", "c@x", "d@x"]


def test_source_is_folded_between_its_mailboxes_alone() -> None:
    text = ", ".join(f'"=?utf-8?q?{number}?=, x" <a{number}@example.org>' for number in range(9))
    field = address_groups("To", parse_groups(f"g: {text};"), as_source=True)
    lines = lines_of(field)
    assert max(map(len, lines)) <= 78
    assert "".join(lines) == f"To: g: {text};"


# --- dates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "written"),
    [
        (timedelta(0), "+0000"),
        (timedelta(hours=2), "+0200"),
        (timedelta(hours=-3, minutes=-30), "-0330"),
        (timedelta(hours=5, minutes=45), "+0545"),
        (timedelta(minutes=-1), "-0001"),
        (timedelta(hours=23, minutes=59), "+2359"),
    ],
)
def test_a_date_is_written_with_its_own_offset(offset: timedelta, written: str) -> None:
    date = datetime(2003, 7, 1, 10, 52, 37, 999_999, tzinfo=timezone(offset))
    assert format_date(date) == f"Tue, 01 Jul 2003 10:52:37 {written}"
    assert parsedate_to_datetime(format_date(date)) == date.replace(microsecond=0)
    assert check_date(date) == offset


def test_all_days_and_months_have_their_names() -> None:
    for days in range(0, 366, 3):
        date = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=days)
        assert parsedate_to_datetime(format_date(date)) == date
        assert format_date(date)[:3] == date.strftime("%a")


@pytest.mark.parametrize(
    ("date", "why"),
    [
        (datetime(2003, 7, 1), "no UTC offset"),  # noqa: DTZ001 - the point of it
        (datetime(2003, 7, 1, tzinfo=timezone(timedelta(seconds=30))), "whole minutes"),
        (datetime(1899, 12, 31, tzinfo=UTC), "a year from 1900"),
    ],
)
def test_a_date_that_no_header_can_hold_is_refused(date: datetime, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        format_date(date)
