from __future__ import annotations

from email import message_from_string, policy
from email.header import decode_header, make_header
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo import Address, InvalidInput, Mailbox
from ehlo.message.encoded_words import encoded_words
from ehlo.message.headers import address_groups, addresses, fold, identifiers, unstructured
from ehlo.message.mailboxes import parse_groups

ADA = Address("ada@example.org")

# What no control character is; runs of blanks and what looks encoded are in it on purpose.
TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])),
        st.sampled_from(
            [" ", "   ", "=?utf-8?q?a=2Cb?=", "=?", "?=", "=20", "word", "ü", "\U0001f4e7"]
        ),
        st.integers(0, 200).map(lambda n: "x" * n),
    ),
    max_size=12,
).map("".join)


def read_legacy(field: str) -> str:
    """Read a field as the older of the standard library's two readers does."""
    _, value = field.split(":", 1)
    return str(make_header(decode_header(value.replace("\r\n", "").removeprefix(" "))))


def read_modern(field: str) -> Any:
    """Read a field as the newer one does."""
    return message_from_string(field + "\r\n", policy=policy.default).values()[0]


def check_lines(field: str, limit: int = 998) -> None:
    assert field.isascii()
    assert field.endswith("\r\n")
    lines = field[:-2].split("\r\n")
    assert all(len(line) <= limit for line in lines)
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert all(line.isprintable() for line in lines)
    assert all(len(line) <= 76 for line in lines if "=?utf-8?" in line)


def test_a_short_plain_text_stands_as_it_is() -> None:
    assert unstructured("Subject", "Lunch at 12?") == "Subject: Lunch at 12?\r\n"


def test_an_empty_text_leaves_an_empty_field() -> None:
    assert unstructured("Comments", "") == "Comments: \r\n"


def test_a_long_plain_text_is_folded_at_blanks_and_only_there() -> None:
    text = "  and ".join(["words"] * 30)
    field = unstructured("Subject", text)
    check_lines(field, 78)
    assert field.replace("\r\n", "") == f"Subject: {text}"


def test_only_what_needs_it_is_encoded() -> None:
    field = unstructured("Subject", "Re: Zoë and elsewhere")
    assert field == "Subject: Re: =?utf-8?q?Zo=C3=AB?= and elsewhere\r\n"


def test_base64_is_taken_where_it_is_shorter() -> None:
    assert unstructured("Subject", "日本語") == "Subject: =?utf-8?b?5pel5pys6Kqe?=\r\n"


@pytest.mark.parametrize(
    "text",
    [
        " leading",
        "trailing ",
        " ",
        "=?utf-8?q?=0D=0ABcc:_eve?=",
        "a=?b",
        "x" * 901,
        "a" + " " * 1000 + "b",
        " " * 1000,
        "\U0001f4e7" * 200,
        "a  ü  b",
    ],
)
def test_a_text_that_readers_would_change_is_encoded(text: str) -> None:  # H1
    field = unstructured("Subject", text)
    check_lines(field)
    assert "=?utf-8?" in field
    assert read_legacy(field) == text


def test_an_encoded_word_goes_below_a_name_that_leaves_no_room_for_it() -> None:
    name = "X-" + "n" * 74
    field = unstructured(name, "\U0001f4e7" * 30)
    assert field.startswith(f"{name}:\r\n =?utf-8?")
    assert max(map(len, field.split("\r\n")[1:])) <= 76


@given(TEXTS)
def test_both_readers_find_the_text_that_was_written(text: str) -> None:
    field = unstructured("Subject", text)
    check_lines(field)
    assert read_legacy(field) == text
    if "\xa0" not in text:  # the newer reader takes other white space than blanks for blanks
        assert " ".join(str(read_modern(field)).split()) == " ".join(text.split())


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(24, 75))
def test_encoded_words_hold_whole_characters(text: str, first: int) -> None:  # H2
    words = encoded_words(text, first)
    assert len(words[0]) <= first
    assert all(len(word) <= 75 for word in words)
    decoded = [decode_header(word)[0] for word in words]
    assert "".join(octets.decode(charset) for octets, charset in decoded) == text


def test_identifiers_are_folded_and_never_encoded() -> None:
    text = " ".join(f"<{n:030}=?utf-8?q?x?=@example.org>" for n in range(5))
    field = identifiers("References", text)
    check_lines_plain = [len(line) <= 78 for line in field.split("\r\n")]
    assert all(check_lines_plain)
    assert field.replace("\r\n", "") == f"References: {text}"


@pytest.mark.parametrize("text", ["", " ", "<ä@example.org>", "x" * 901])
def test_identifiers_that_no_reader_would_find_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="References takes ASCII words"):
        identifiers("References", text)


def test_a_piece_is_never_cut() -> None:
    assert fold("A:", [" " + "b" * 90, " c"]) == f"A:\r\n {'b' * 90}\r\n c\r\n"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", "ada@example.org"),
        ("Ada", "Ada <ada@example.org>"),
        ("Ada Lovelace", "Ada Lovelace <ada@example.org>"),
        ("Lovelace, Ada", '"Lovelace, Ada" <ada@example.org>'),
        ('Ada "A" \\ L', '"Ada \\"A\\" \\\\ L" <ada@example.org>'),
        ("A. Lovelace", '"A. Lovelace" <ada@example.org>'),
        ("Jürgen", "=?utf-8?q?J=C3=BCrgen?= <ada@example.org>"),
        ("Müller, J.", "=?utf-8?b?TcO8bGxlciwgSi4=?= <ada@example.org>"),
        ("=?utf-8?q?x?=", "=?utf-8?b?PT91dGYtOD9xP3g/PQ==?= <ada@example.org>"),
        ("a  b", "=?utf-8?q?a__b?= <ada@example.org>"),
    ],
)
def test_names_are_quoted_or_encoded_never_both(name: str, written: str) -> None:  # H2
    assert addresses("To", [Mailbox(ADA, name)]) == f"To: {written}\r\n"


def test_a_long_list_is_folded_between_addresses_and_commas_stay() -> None:  # H2
    people = [Mailbox(Address(f"p{n}@example.org"), f"Persön, {n}") for n in range(50)]
    field = addresses("To", people)
    check_lines(field, 76)
    assert field.count(",") == 49
    assert [(a.display_name, a.addr_spec) for a in read_modern(field).addresses] == [
        (person.name, person.address.spec) for person in people
    ]


NAMES = TEXTS.map(lambda text: "".join(c for c in text if c.isprintable()))
SPECS = st.sampled_from(
    ["ada@example.org", '"a, b"@example.org', "a+b@[192.0.2.1]", "x" * 64 + "@" + "y" * 60 + ".org"]
)


@given(st.lists(st.tuples(NAMES, SPECS), min_size=1, max_size=8))
def test_readers_find_the_mailboxes_that_were_written(people: list[tuple[str, str]]) -> None:
    mailboxes = [Mailbox(Address(spec), name) for name, spec in people]
    field = addresses("Reply-To", mailboxes)
    check_lines(field)
    value = field.split(":", 1)[1].replace("\r\n", "").strip()
    ours = [member for group in parse_groups(value) for member in group.members]
    assert [member.mailbox.address.spec for member in ours] == [spec for _, spec in people]
    assert [read_legacy(f"X: {member.mailbox.name}") for member in ours] == [
        name for name, _ in people
    ]


@given(st.lists(st.tuples(NAMES, st.just("ada@example.org")), min_size=1, max_size=8))
def test_the_standard_library_finds_them_too(people: list[tuple[str, str]]) -> None:
    field = addresses("To", [Mailbox(Address(spec), name) for name, spec in people])
    found = read_modern(field).addresses
    assert [address.addr_spec for address in found] == [spec for _, spec in people]


def test_an_address_that_is_not_ascii_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match=r"dör@example\.org is not ASCII"):
        addresses("To", [Mailbox(Address("dör@example.org"), "Ada")])


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("Team: ada@example.org, Bob <bob@example.org>;", None),
        ("undisclosed-recipients:;", None),
        (
            "Jürgen: ada@example.org;, bob@example.org",
            "=?utf-8?q?J=C3=BCrgen?= : ada@example.org;,",
        ),
    ],
)
def test_groups_are_written(text: str, decoded: str | None) -> None:
    field = address_groups("To", parse_groups(text), as_source=False)
    assert field == f"To: {decoded + ' bob@example.org' if decoded else text}\r\n"


def test_source_is_written_as_it_was() -> None:
    text = '=?utf-8?q?T?=: =?utf-8?q?J=C3=BC?= <ada@example.org>;, "B, B" <bob@example.org>'
    assert address_groups("To", parse_groups(text), as_source=True).replace("\r\n", "") == (
        f"To: {text}"
    )
