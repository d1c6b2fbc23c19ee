"""Lists of mailboxes, read strictly: `ehlo.message.mailboxes`."""

from __future__ import annotations

import pytest

from ehlo import Address, InvalidAddress, Mailbox
from ehlo.message.mailboxes import Group, Member, parse_groups, parse_mailboxes
from support.hostile import CONTROL_CHARACTERS

MEGABYTE = 1_000_000
UUML = "\u00fc"

# Text, and the names and addresses in it.
LISTS = [
    ("", []),
    (" \t ", []),
    ("a@b", [("", "a@b")]),
    (" a@b ", [("", "a@b")]),
    ("\ta@b\t", [("", "a@b")]),
    ("postmaster", [("", "postmaster")]),
    ("<a@b>", [("", "a@b")]),
    ("a@b,c@d", [("", "a@b"), ("", "c@d")]),
    ("a@b , c@d", [("", "a@b"), ("", "c@d")]),
    ("a@b, a@b", [("", "a@b"), ("", "a@b")]),
    ("Ada <a@b>, Bob <c@d>", [("Ada", "a@b"), ("Bob", "c@d")]),
    ("Ada M. Lovelace <a@b>", [("Ada M. Lovelace", "a@b")]),
    ('"Lovelace, Ada" <a@b>, c@d', [("Lovelace, Ada", "a@b"), ("", "c@d")]),
    ('"a\\"b, c" <a@b>', [('a"b, c', "a@b")]),
    ('"\\\\" <a@b>, c@d', [("\\", "a@b"), ("", "c@d")]),
    ('"a: b; <c@d>" <a@b>', [("a: b; <c@d>", "a@b")]),
    ('"(c)" <a@b>', [("(c)", "a@b")]),
    ('"" <a@b>', [("", "a@b")]),
    ('"a,b"@c, d@e', [("", '"a,b"@c'), ("", "d@e")]),
    ('Ada <"a,b>;:"@c>, d@e', [("Ada", '"a,b>;:"@c'), ("", "d@e")]),
    ("a@[192.0.2.1], b@c", [("", "a@[192.0.2.1]"), ("", "b@c")]),
    (
        "a@[IPv6:2001:db8::1], Ada <b@[IPv6:::1]>",
        [("", "a@[IPv6:2001:db8::1]"), ("Ada", "b@[IPv6:::1]")],
    ),
    (f"Gr{UUML}n <gr{UUML}n@b>", [(f"Gr{UUML}n", f"gr{UUML}n@b")]),
    # Encoded words are text.
    ("=?utf-8?q?=3Cc=40d=3E=2C?= <a@b>", [("=?utf-8?q?=3Cc=40d=3E=2C?=", "a@b")]),
    # Groups.
    ("friends:;", []),
    ("friends: ;", []),
    ("friends: a@b;", [("", "a@b")]),
    ("friends: a@b, Bob <c@d> ; ", [("", "a@b"), ("Bob", "c@d")]),
    ('"my: friends;": a@b;', [("", "a@b")]),
    ("x@y, friends: a@b;, z@y", [("", "x@y"), ("", "a@b"), ("", "z@y")]),
    ("a:;,b:c@d;", [("", "c@d")]),
    ("undisclosed-recipients:;", []),
    ("a:b@[IPv6:::1];", [("", "b@[IPv6:::1]")]),
]


@pytest.mark.parametrize(("text", "found"), LISTS)
def test_a_list_is_read(text: str, found: list[tuple[str, str]]) -> None:  # I2
    expected = tuple(Mailbox(Address(address), name) for name, address in found)
    assert parse_mailboxes(text) == expected


# Text, why it is none, and where that is seen.
NO_LISTS = [
    ("a", "missing @", 1),
    (",", "empty text", 0),
    ("a@b,", "empty text", 4),
    ("a@b, ", "empty text", 5),
    (",a@b", "empty text", 0),
    ("a@b,,c@d", "empty text", 4),
    ("a@b c@d", "bad domain", 3),
    ("a@b; c@d", "unexpected character", 3),
    ("a@b;", "unexpected character", 3),
    ("Lovelace, Ada <a@b>", "missing @", 8),
    ("x@y, Lovelace, Ada <a@b>", "missing @", 13),
    ("a@b (Ada)", "comments are refused", 4),
    ("(Ada) a@b", "comments are refused", 0),
    (") a@b", "unexpected character", 0),
    ('"Ada <a@b>', "a quoted string that does not end", 0),
    ('x@y, "Ada\\" <a@b>', "a quoted string that does not end", 5),
    ("Ada <a@b", "a < without its >", 4),
    ("Ada <a@b, c@d", "a < without its >", 4),
    ("Ada a@b>", "unexpected character", 7),
    ("Ada <<a@b>>", "a < without its >", 4),
    ("Ada <>", "empty text", 5),
    ("Ada <a@b>, Bob <c@>", "missing domain", 18),
    ("x@y,  Bob <c d@e>", "bad local part", 12),
    ("a@[b", "an address literal that does not end", 2),
    ("a@b]", "unexpected character", 3),
    ("<@a,@b:c@d>", "bad local part", 1),
    ("@a,@b:c@d", "bad local part", 0),
    ("Ada <a@b> x", "missing >", 11),
    ("mailto:a@b", "missing ;", 10),
    (f"x@y, {UUML}", "missing @", 6),
    # Groups.
    ("friends: a@b", "missing ;", 12),
    ("friends:", "missing ;", 8),
    (":;", "no name before :", 0),
    ("a@b:;", "no name before :", 3),
    ('"a" b:;', "no name before :", 5),
    ("<a@b>:;", "no name before :", 5),
    ("a:b:c@d;;", "unexpected character", 3),
    ("a: b: c@d;, e@f;", "unexpected character", 4),
    ("a: b@c;;", "unexpected character", 7),
    ("a:;:", "unexpected character", 3),
    ("a: b@c; d@e", "missing , behind a group", 7),
    ("a: b@c; d@e, f@g", "missing , behind a group", 7),
    ("a: ,;", "empty text", 3),
    ("a: b@c,;", "empty text", 7),
    ("a: b;", "missing @", 4),
]


@pytest.mark.parametrize(("text", "why", "position"), NO_LISTS)
def test_what_is_no_list_says_why_and_where(text: str, why: str, position: int) -> None:  # I2
    with pytest.raises(InvalidAddress) as caught:
        parse_mailboxes(text)
    assert why in str(caught.value)
    assert (caught.value.text, caught.value.position) == (text, position)


@pytest.mark.parametrize(
    "frame",
    ["A{}b <a@b>", '"A{}b" <a@b>', "a{}b@c", "<a@b{}>", "a@[b{}c]", '"a{}"@b'],
)
def test_no_control_character_stands_in_a_list(frame: str) -> None:  # I1
    for character in CONTROL_CHARACTERS:
        with pytest.raises(InvalidAddress) as caught:
            parse_mailboxes(f"x@y, {frame.format(character)}")
        assert 0 <= caught.value.position <= len(caught.value.text)


def test_a_group_is_read_with_its_name_and_its_sources() -> None:
    ada = Mailbox(Address("a@b"), "Lovelace, Ada")
    bob = Mailbox(Address("c@d"))
    assert parse_groups('x@y, "my \\"dear\\": friends" : "Lovelace, Ada"  <a@b> , c@d ; ,a:;') == (
        Group(None, "", (Member(Mailbox(Address("x@y")), "x@y"),)),
        Group(
            'my "dear": friends',
            '"my \\"dear\\": friends"',
            (Member(ada, '"Lovelace, Ada"  <a@b>'), Member(bob, "c@d")),
        ),
        Group("a", "a", ()),
    )
    assert parse_groups(" ") == ()


@pytest.mark.parametrize("frame", ["x@y, A{}b: a@b;", 'x@y, "A{}b": a@b;', 'x@y, "A\\{}b": a@b;'])
def test_no_control_character_stands_in_the_name_of_a_group(frame: str) -> None:  # H1
    for character in CONTROL_CHARACTERS:
        with pytest.raises(InvalidAddress, match="not a list of mailboxes"):
            parse_groups(frame.format(character))


def hostile_lists() -> dict[str, str]:
    half = MEGABYTE // 2
    return {
        "commas": "," * MEGABYTE,
        "semicolons": ";" * MEGABYTE,
        "colons": ":" * MEGABYTE,
        "quotes": '"' * (MEGABYTE + 1),
        "open quote": '"' + "\\a" * half,
        "open quotes": '"a' * half + '"',
        "backslashes": "\\" * MEGABYTE,
        "quoted backslashes": '"' + "\\" * MEGABYTE,
        "angles": "<" * MEGABYTE,
        "closing angles": ">" * MEGABYTE,
        "open angle": "<" + '""' * half,
        "open angles": "<a" * half,
        "open angles with quotes": '<"' * half,
        "brackets": "[" * MEGABYTE,
        "open brackets": "[a" * half,
        "parentheses": "(" * MEGABYTE,
        "nested comments": "(" * half + ")" * half,
        "groups": "a:" * half,
        "nested groups": "a:" * half + ";" * half,
        "dots": "." * MEGABYTE,
        "letters": "a" * MEGABYTE,
        "blanks in front": " " * MEGABYTE + "a",
        "blanks": "a" + " " * MEGABYTE + "b",
        "at signs": "@" * MEGABYTE,
        "words": "a " * half,
        "mailboxes, the last is bad": "a@b," * 10_000 + "a",
        "groups, the last is open": "a:b@c;," * 10_000 + "a:",
        "empty groups, the last is open": "a:;," * 10_000 + "a:",
        "quoted names": '"a" ' * (MEGABYTE // 4),
        "controls": "\0" * MEGABYTE,
    }


# Linear takes milliseconds, or a good part of a second; anything worse takes hours.
@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", hostile_lists().values(), ids=hostile_lists())
def test_reading_a_list_is_linear_and_not_recursive(text: str) -> None:  # I5
    with pytest.raises(InvalidAddress):
        parse_mailboxes(text)


@pytest.mark.timeout(5)
def test_a_long_list_is_read() -> None:  # I5
    assert len(parse_mailboxes("a: " + "Ada <a@b>, " * 5_000 + "a@b;")) == 5_001
