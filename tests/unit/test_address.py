from __future__ import annotations

from typing import Any

import pytest

from ehlo import Address, InvalidAddress, Mailbox
from ehlo.address import addresses_at_once, mailboxes_at_once
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import unpickled

MEGABYTE = 1_000_000
UUML = "\u00fc"

# Text, its local part, its domain.
ADDRESSES = [
    ("ada@example.org", "ada", "example.org"),
    ("a@b", "a", "b"),
    ("Ada.Lovelace@Example.ORG", "Ada.Lovelace", "Example.ORG"),
    ("ada+tag@example.org", "ada+tag", "example.org"),
    ("!#$%&'*+/=?^_`{|}~-@example.org", "!#$%&'*+/=?^_`{|}~-", "example.org"),
    ("1@2", "1", "2"),
    ("a@x-y.z--1", "a", "x-y.z--1"),
    ('"a b"@example.org', '"a b"', "example.org"),
    ('"a@b"@example.org', '"a@b"', "example.org"),
    ('""@example.org', '""', "example.org"),
    ('"\\""@example.org', '"\\""', "example.org"),
    ('"\\\\"@example.org', '"\\\\"', "example.org"),
    ('"<>,;:()[]."@example.org', '"<>,;:()[]."', "example.org"),
    ('"a>b"@example.org', '"a>b"', "example.org"),
    ("=?utf-8?q?a?=@example.org", "=?utf-8?q?a?=", "example.org"),
    ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"),
    ("a@[tag:content!]", "a", "[tag:content!]"),
    ("gr\u00fcn@example.org", "gr\u00fcn", "example.org"),
    ("a@b\u00fccher.example", "a", "b\u00fccher.example"),
    (
        '"gr\u00fcn"@\u4f8b\u3048.\u30c6\u30b9\u30c8',
        '"gr\u00fcn"',
        "\u4f8b\u3048.\u30c6\u30b9\u30c8",
    ),
    ("\U0001f4e7@example.org", "\U0001f4e7", "example.org"),
    ("postmaster", "postmaster", ""),
    ("PostMaster", "PostMaster", ""),
    ("postmaster@example.org", "postmaster", "example.org"),
    (f"{'a' * 64}@example.org", "a" * 64, "example.org"),
    (f"{UUML * 32}@example.org", "\u00fc" * 32, "example.org"),
    (f"a@{'b' * 252}", "a", "b" * 252),
    (f"{'a' * 64}@{'b' * 189}", "a" * 64, "b" * 189),
]


@pytest.mark.parametrize(("text", "local_part", "domain"), ADDRESSES)
def test_an_address_is_kept_as_it_is(text: str, local_part: str, domain: str) -> None:  # I2 I4
    address = Address(text)
    assert address.spec == str(address) == text
    assert address.local_part == local_part
    assert address.domain == domain
    assert address.is_ascii is text.isascii()


# Text, why it is none, and where that is seen.
NO_ADDRESSES = [
    ("", "empty text", 0),
    ("ada", "missing @", 3),
    ("a" * 65, "the local part is longer than 64 octets", 0),
    ("@", "bad local part", 0),
    ("@example.org", "bad local part", 0),
    ("ada@", "missing domain", 4),
    ("ada@@example.org", "bad domain", 4),
    ("ada@example.org@example.com", "bad domain", 15),
    (".ada@example.org", "bad local part", 0),
    ("ada.@example.org", "bad local part", 3),
    ("a..b@example.org", "bad local part", 1),
    ("a b@example.org", "bad local part", 1),
    (" ada@example.org", "bad local part", 0),
    ("ada@example.org ", "bad domain", 15),
    ("ada@.example.org", "bad domain", 4),
    ("ada@example.org.", "bad domain", 15),
    ("ada@example..org", "bad domain", 11),
    ("ada@-example.org", "bad domain", 4),
    ("ada@example-", "bad domain", 11),
    ("ada@example-.org", "bad domain", 11),
    ("ada@ex_ample.org", "bad domain", 6),
    ("ada@192.0.2.1:25", "bad domain", 13),
    ("ada@[]", "bad domain", 4),
    ("ada@[", "bad domain", 4),
    ("ada@[192.0.2.1", "bad domain", 4),
    ("ada@[192.0.2.1]x", "bad domain", 15),
    ("ada@[a b]", "bad domain", 4),
    ("ada@[a[b]", "bad domain", 4),
    ("ada@[gr\u00fcn]", "bad domain", 4),
    ("ada@x[192.0.2.1]", "bad domain", 5),
    ('"ada@example.org', "bad local part", 0),
    ('"ada" @example.org', "bad local part", 5),
    ('"a"b@example.org', "bad local part", 3),
    ('a"b"@example.org', "bad local part", 1),
    ('"a"."b"@example.org', "bad local part", 3),
    ('"a"b"@example.org', "bad local part", 3),
    ('"a\\"@example.org', "bad local part", 0),
    ('"\\\u00fc"@example.org', "bad local part", 0),
    # What guesses are made of: display names, comments, routes, lists, groups, URLs.
    ("Ada <ada@example.org>", "bad local part", 3),
    ("<ada@example.org>", "bad local part", 0),
    ("ada@example.org>", "bad domain", 15),
    ("ada(comment)@example.org", "bad local part", 3),
    ("ada@(comment)example.org", "bad domain", 4),
    ("ada@example.org(comment)", "bad domain", 15),
    ("@a,@b:ada@example.org", "bad local part", 0),
    ("ada@example.org,bob@example.org", "bad domain", 15),
    ("ada@example.org;bob@example.org", "bad domain", 15),
    ("ada@example.org, bob@example.org", "bad domain", 15),
    ("friends:ada@example.org;", "bad local part", 7),
    ("mailto:ada@example.org", "bad local part", 6),
    ("ada@example.org> SIZE=1", "bad domain", 15),
    ('"ada@evil.example> x"@example.org <a@b>', "bad domain", 33),
    ("postmaster ", "bad local part", 10),
    ('"postmaster"', "missing @", 12),
    # Limits.
    (f"{'a' * 65}@example.org", "the local part is longer than 64 octets", 0),
    (f"{UUML * 33}@example.org", "the local part is longer than 64 octets", 0),
    (f"a@{'b' * 256}", "the domain is longer than 255 octets", 2),
    (f"a@{UUML * 128}", "the domain is longer than 255 octets", 2),
    (f"a@{'b' * 255}", "the address is longer than 254 octets", 0),
    (f"a@{'b' * 253}", "the address is longer than 254 octets", 0),
    (f"a@{UUML * 126}b", "the address is longer than 254 octets", 0),
]


@pytest.mark.parametrize(("text", "why", "position"), NO_ADDRESSES)
def test_what_is_no_address_says_why_and_where(text: str, why: str, position: int) -> None:  # I2
    with pytest.raises(InvalidAddress) as caught:
        Address(text)
    error = caught.value
    assert f"not an address: {why} at position {position} of " in str(error)
    assert error.position == position
    assert error.text == text


@pytest.mark.parametrize(
    "frame",
    [
        "{}ada@example.org",
        "a{}b@example.org",
        '"a{}b"@example.org',
        '"a\\{}b"@example.org',
        "ada@exa{}mple.org",
        "ada@[a{}b]",
        "ada@example.org{}",
        "postmaster{}",
    ],
)
def test_no_control_character_stands_in_an_address(frame: str) -> None:  # I1
    for character in CONTROL_CHARACTERS:
        with pytest.raises(InvalidAddress):
            Address(frame.format(character))


@pytest.mark.parametrize("value", [None, 5, b"ada@example.org", ["ada@example.org"]], ids=repr)
def test_an_address_is_made_from_text(value: Any) -> None:
    with pytest.raises(TypeError, match="an address is a str, not"):
        Address(value)


def test_a_long_text_is_cut_in_the_message_and_whole_in_the_error() -> None:
    with pytest.raises(InvalidAddress, match=r"\.\.\.'$") as caught:
        Address("<" * 1000)
    assert len(str(caught.value)) < 400
    assert caught.value.text == "<" * 1000


def test_a_text_of_the_longest_path_is_shown_whole() -> None:
    with pytest.raises(InvalidAddress, match=f"of '{'<' * 254}'$"):
        Address("<" * 254)


def hostile_addresses() -> dict[str, str]:
    half = MEGABYTE // 2
    return {
        "dots": "." * MEGABYTE,
        "atoms": "a." * half,
        "letters": "a" * MEGABYTE,
        "quotes": '"' * MEGABYTE,
        "open quote of pairs": '"' + "\\a" * half,
        "backslashes": '"' + "\\" * MEGABYTE,
        "at signs": "@" * MEGABYTE,
        "letters and at signs": "a@" * half,
        "labels": "a@" + "a." * half,
        "hyphens": "a@a" + "-" * MEGABYTE,
        "letters and hyphens": "a@" + "a-" * half,
        "labels that end wrongly": "a@" + "a-." * (MEGABYTE // 3),
        "open literal": "a@[" + "a" * MEGABYTE,
        "brackets": "a@" + "[" * MEGABYTE,
        "routes": "@a," * (MEGABYTE // 3),
        "groups": "a:" * half,
        "comments": "(" * MEGABYTE,
        "non-ASCII": UUML * MEGABYTE,
    }


def hostile_mailboxes() -> dict[str, str]:
    half = MEGABYTE // 2
    return {
        "angles": "<" * MEGABYTE,
        "blanks": " " * MEGABYTE,
        "words": "a " * half,
        "word behind blanks": "a" + " \t" * half + "x",
        "quotes": '"' * MEGABYTE,
        "open quote": '"' + "\\a" * half,
        "quoted words": '"' + "a " * half + '" <',
        "groups": "a: <" * (MEGABYTE // 4),
        "atoms": "a <" + "a." * half + ">",
    }


# Linear takes milliseconds; anything worse takes hours.
@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", hostile_addresses().values(), ids=hostile_addresses())
def test_reading_an_address_is_linear_and_not_recursive(text: str) -> None:  # I5
    with pytest.raises(InvalidAddress):
        Address(text)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", hostile_mailboxes().values(), ids=hostile_mailboxes())
def test_reading_a_mailbox_is_linear_and_not_recursive(text: str) -> None:  # I5
    with pytest.raises(InvalidAddress):
        Mailbox.parse(text)


# The slowest forms: the regex engine takes each character as an alternative of its own.
@pytest.mark.slow
@pytest.mark.timeout(5)
def test_a_long_quoted_string_is_read_in_linear_time() -> None:  # I5
    with pytest.raises(InvalidAddress):
        Address('"' + "a" * MEGABYTE)
    assert len(Mailbox.parse('"' + "\\a" * (MEGABYTE // 2) + '" <a@b>').name) == MEGABYTE // 2


def test_addresses_are_values() -> None:
    address = Address("ada@example.org")
    assert address == Address("ada@example.org")
    assert hash(address) == hash(Address("ada@example.org")) == hash("ada@example.org")
    assert address == "ada@example.org"
    assert "ada@example.org" in {address: None}
    assert address != "Ada@example.org"
    assert address != b"ada@example.org"
    assert address != Address("Ada@example.org")  # only the server knows what a local part means
    assert repr(address) == "Address('ada@example.org')"
    copy = unpickled(address)
    assert (copy, copy.local_part, copy.domain) == (address, "ada", "example.org")


def test_an_address_cannot_be_changed() -> None:
    address: Any = Address("ada@example.org")
    with pytest.raises(AttributeError):
        address.spec = "a@b\r\nDATA"


def test_one_address_is_taken_from_whatever_holds_one() -> None:
    address = Address("ada@example.org")
    assert Address.of(address) is address
    assert Address.of(Mailbox(address, "Ada")) is address
    assert Address.of("ada@example.org") == address


@pytest.mark.parametrize("value", [None, b"ada@example.org", ("Ada", "ada@example.org")], ids=repr)
def test_nothing_else_holds_an_address(value: Any) -> None:
    with pytest.raises(TypeError, match="an address is a str, not"):
        Address.of(value)


# Text, the name in it, the address in it.
MAILBOXES = [
    ("ada@example.org", "", "ada@example.org"),
    ("postmaster", "", "postmaster"),
    ("<ada@example.org>", "", "ada@example.org"),
    (" <ada@example.org>", "", "ada@example.org"),
    ("Ada <ada@example.org>", "Ada", "ada@example.org"),
    ("Ada<ada@example.org>", "Ada", "ada@example.org"),
    (" \tAda \t<ada@example.org> \t", "Ada", "ada@example.org"),
    ("Ada  M. Lovelace <ada@example.org>", "Ada  M. Lovelace", "ada@example.org"),
    ('"Lovelace, Ada" <ada@example.org>', "Lovelace, Ada", "ada@example.org"),
    ('"Ada"<ada@example.org>', "Ada", "ada@example.org"),
    ('"Ada"\t<ada@example.org>', "Ada", "ada@example.org"),
    ('"\\"Ada\\" \\\\ \\a" <ada@example.org>', '"Ada" \\ a', "ada@example.org"),
    ('"" <ada@example.org>', "", "ada@example.org"),
    ('" Ada " <ada@example.org>', " Ada ", "ada@example.org"),
    ('"a@b" <ada@example.org>', "a@b", "ada@example.org"),
    ('"<a@b>" <ada@example.org>', "<a@b>", "ada@example.org"),
    ('Ada <"a>b"@example.org>', "Ada", '"a>b"@example.org'),
    ('Ada <"<a@b>"@example.org>', "Ada", '"<a@b>"@example.org'),
    ("=?utf-8?q?=3Ca=40b=3E?= <ada@example.org>", "=?utf-8?q?=3Ca=40b=3E?=", "ada@example.org"),
    ("Gr\u00fcn <gr\u00fcn@example.org>", "Gr\u00fcn", "gr\u00fcn@example.org"),
    ("\U0001f4e7 <a@[192.0.2.1]>", "\U0001f4e7", "a@[192.0.2.1]"),
]


@pytest.mark.parametrize(("text", "name", "address"), MAILBOXES)
def test_a_mailbox_is_a_name_and_an_address(text: str, name: str, address: str) -> None:  # I2
    mailbox = Mailbox.parse(text)
    assert mailbox == Mailbox(Address(address), name)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("Ada", 3),
        (" ada@example.org", 0),
        ("ada@example.org ", 15),
        ("Ada ada@example.org", 3),
        ("Ada <ada@example.org", 20),
        ("Ada <ada@example.org> x", 23),
        ("Ada <ada@example.org>>", 20),
        ("Ada <ada@example.org>, Bob <bob@example.org>", 20),
        ("Ada <ada@example.org>, <bob@example.org>", 20),
        ("Ada <>", 5),
        ("Ada < ada@example.org>", 5),
        ("Ada <ada@example.org >", 20),
        ("Ada <<ada@example.org>>", 5),
        ("Ada <@a:ada@example.org>", 5),
        ("Ada (comment) <ada@example.org>", 3),
        ("Lovelace, Ada <ada@example.org>", 8),
        ("ada@evil.example <ada@example.org>", 16),
        ('"Ada <ada@example.org>', 0),
        ('"Ada" x <ada@example.org>', 5),
        ('Ada "x" <ada@example.org>', 3),
        ('"a"b" <ada@example.org>', 3),
        ("friends: Ada <ada@example.org>;", 7),
    ],
)
def test_what_is_no_mailbox_says_where(text: str, position: int) -> None:  # I2
    with pytest.raises(InvalidAddress) as caught:
        Mailbox.parse(text)
    assert caught.value.text == text
    assert caught.value.position == position


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_stands_in_a_name(character: str) -> None:  # I1
    with pytest.raises(InvalidAddress, match="the display name holds the control character"):
        Mailbox(Address("ada@example.org"), f"Ada{character}")
    for text in ("A{}b <ada@example.org>", '"A{}b" <ada@example.org>', "Ada <ada@exa{}mple.org>"):
        with pytest.raises(InvalidAddress):
            Mailbox.parse(text.format(character))


@pytest.mark.parametrize("text", ["Ada\tLovelace <a@b>", '"Ada\tLovelace" <a@b>'])
def test_a_tab_in_a_name_is_found_in_the_text(text: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Mailbox.parse(text)
    assert (caught.value.text, caught.value.position) == (text, text.index("\t"))


def test_a_name_is_a_text() -> None:
    name: Any = b"Ada"
    with pytest.raises(TypeError, match="the display name is a str, not bytes"):
        Mailbox(Address("ada@example.org"), name)


ADA = Mailbox(Address("ada@example.org"), "Ada")


@pytest.mark.parametrize(
    "value",
    [
        ADA,
        "Ada <ada@example.org>",
        ("Ada", "ada@example.org"),
        ("Ada", Address("ada@example.org")),
    ],
    ids=repr,
)
def test_one_mailbox_is_taken_from_whatever_holds_one(value: Any) -> None:
    assert Mailbox.of(value) == ADA


def test_an_address_is_a_mailbox_without_a_name() -> None:
    assert Mailbox.of(Address("ada@example.org")) == Mailbox(Address("ada@example.org"))


def test_the_address_of_a_pair_is_an_address_alone() -> None:  # I2
    with pytest.raises(InvalidAddress):
        Mailbox.of(("Ada", "Ada <ada@example.org>"))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"ada@example.org",
        ["Ada", "ada@example.org"],
        ("Ada", b"ada@example.org"),
        (5, "ada@example.org"),
        ("ada@example.org",),
        ("Ada", "ada@example.org", "x"),
        (),
    ],
    ids=repr,
)
def test_nothing_else_holds_a_mailbox(value: Any) -> None:
    with pytest.raises(TypeError, match="is a str, not"):
        Mailbox.of(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "ada@example.org"),
        ("Ada Lovelace", "Ada Lovelace <ada@example.org>"),
        ("Gr\u00fcn", "Gr\u00fcn <ada@example.org>"),
        ("Lovelace, Ada", '"Lovelace, Ada" <ada@example.org>'),
        ("A. Lovelace", '"A. Lovelace" <ada@example.org>'),
        ('"Ada" \\', '"\\"Ada\\" \\\\" <ada@example.org>'),
        (" Ada", '" Ada" <ada@example.org>'),
        ("Ada ", '"Ada " <ada@example.org>'),
        ("<bob@example.org>", '"<bob@example.org>" <ada@example.org>'),
    ],
)
def test_a_name_is_quoted_where_that_is_needed(name: str, text: str) -> None:
    mailbox = Mailbox(Address("ada@example.org"), name)
    assert str(mailbox) == text
    assert Mailbox.parse(text) == mailbox


def test_mailboxes_are_values() -> None:
    assert unpickled(ADA) == ADA
    assert hash(unpickled(ADA)) == hash(ADA)
    assert Mailbox(ADA.address, "ada") != ADA


ODD: list[Any] = [
    *("a@b\nc@d", "a@b.c\n", "\n", "", "ü@b.c", "a@bü.c", "Ada <a@b.c>", '"a b"@c', "postmaster"),
    *(f"{'x' * 64}@b.c", Address("a@b.c"), Mailbox.parse("a@b.c"), None, 5),
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_of_many_that_has_to_be_looked_at_by_itself(odd: Any, place: int) -> None:
    texts: list[Any] = ["a@b.c", "d@e.f"]
    assert addresses_at_once(texts) == [Address("a@b.c"), Address("d@e.f")]
    texts.insert(place, odd)
    assert addresses_at_once(texts) is None
    assert mailboxes_at_once(texts) is None


def test_no_addresses_at_all() -> None:
    assert addresses_at_once([]) == []
    assert mailboxes_at_once(()) == ()
