"""Mailing lists, groups, blocks of Resent fields, identifiers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ehlo import (
    Address,
    Group,
    InvalidAddress,
    InvalidInput,
    Mailbox,
    MailingList,
    Message,
    Resent,
)
from ehlo.message.identifiers import (
    check_message_id,
    identifier_of,
    message_ids,
    new_identifier,
    new_message_id,
)
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import unpickled

DATE = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
ONE_CLICK = "https://x.org/u?a=b"

# --- mailing lists --------------------------------------------------------------------------------


def written(found: MailingList, *, utf8: bool = False) -> str:
    fields = "".join(found.fields(utf8=utf8))
    assert all(len(line.encode()) <= 998 for line in fields.split("\r\n"))
    return fields


def test_nothing_said_is_nothing_written() -> None:
    assert written(MailingList()) == ""


def test_every_field_of_a_list_is_written() -> None:
    found = MailingList(
        id="news.example.org",
        name="News, daily",
        unsubscribe=["mailto:u@x.org", "mailto:v@x.org"],
        one_click_unsubscribe=ONE_CLICK,
        help="https://x.org/h",
        subscribe="https://x.org/s",
        post="mailto:p@x.org",
        owner="mailto:o@x.org",
        archive=["https://x.org/a"],
    )
    assert written(found) == (
        'List-Id: "News, daily" <news.example.org>\r\n'
        "List-Unsubscribe: <https://x.org/u?a=b>, <mailto:u@x.org>, <mailto:v@x.org>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "List-Help: <https://x.org/h>\r\n"
        "List-Subscribe: <https://x.org/s>\r\n"
        "List-Post: <mailto:p@x.org>\r\n"
        "List-Owner: <mailto:o@x.org>\r\n"
        "List-Archive: <https://x.org/a>\r\n"
    )
    assert unpickled(found) == found
    assert hash(unpickled(found)) == hash(found)


def test_a_list_nobody_can_write_to_says_so() -> None:
    assert written(MailingList(post="NO")) == "List-Post: NO\r\n"
    with pytest.raises(InvalidInput, match="not a URL"):
        MailingList(help="NO")
    with pytest.raises(InvalidInput, match="not a URL"):
        MailingList(post=["NO"])


def test_the_name_of_a_list_may_be_in_any_script() -> None:
    found = MailingList(id="a.b", name=" Grüße ")
    assert found.name == "Grüße"
    assert written(found) == "List-Id: =?utf-8?b?R3LDvMOfZQ==?= <a.b>\r\n"
    assert written(found, utf8=True) == 'List-Id: "Grüße" <a.b>\r\n'
    assert written(MailingList(id="a.b", name="  ")) == "List-Id: <a.b>\r\n"


def test_long_urls_stand_on_lines_of_their_own() -> None:
    urls = [f"mailto:x.org/{number}{'a' * 880}" for number in range(3)]
    lines = written(MailingList(unsubscribe=urls, one_click_unsubscribe=ONE_CLICK)).split("\r\n")
    assert lines[:-2] == [
        "List-Unsubscribe: <https://x.org/u?a=b>,",
        *(f" <{url}>," for url in urls[:2]),
        f" <{urls[2]}>",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        *(({"id": name}, "not a list's id") for name in ("", "a", "a.", "a..b", "a b.c", "ä.b")),
        ({"id": "a." + "b" * 254}, "not a list's id"),
        ({"name": "News"}, "stands before its id"),
        ({"one_click_unsubscribe": "http://x.org"}, "takes an https URL"),
        ({"one_click_unsubscribe": "mailto:a@b"}, "takes an https URL"),
        ({"one_click_unsubscribe": "x"}, "not a URL"),
        ({"one_click_unsubscribe": ONE_CLICK, "unsubscribe": "HTTP://x"}, "no other http URL"),
        ({"unsubscribe": ""}, "not a URL"),
        ({"unsubscribe": "x.org/u"}, "not a URL"),
        ({"unsubscribe": "https://x.org/ü"}, "not a URL"),
        ({"unsubscribe": "https://x.org/>, <https://evil.org/"}, "not a URL"),
        ({"unsubscribe": ["https://x.org/a", "https://x.org/ b"]}, "not a URL"),
        ({"unsubscribe": "https://x.org/" + "a" * 900}, "not a URL"),
    ],
    ids=repr,
)
def test_what_no_list_has_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        MailingList(**arguments)


URL_PLACES = ["unsubscribe", "one_click_unsubscribe", "help", "post", "archive"]


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_gets_into_the_fields_of_a_list(character: str) -> None:  # H1
    for arguments in (
        {"id": f"a{character}.b"},
        {"id": "a.b", "name": f"a{character}b"},
        *({place: f"https://x.org/{character}b"} for place in URL_PLACES),
    ):
        with pytest.raises(InvalidInput):
            MailingList(**arguments)


@pytest.mark.parametrize(
    "arguments", [{"id": 5}, {"name": 5}, {"help": 5}, {"help": [5]}, {"one_click_unsubscribe": 5}]
)
def test_lists_are_made_of_texts(arguments: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        MailingList(**arguments)


def test_a_field_of_a_list_cannot_be_given_twice() -> None:
    with pytest.raises(InvalidInput, match="List-Id is given twice"):
        Message(from_="a@b", mailing_list=MailingList(id="a.b"), headers={"List-Id": "<c.d>"})
    Message(from_="a@b", mailing_list=MailingList(id="a.b"), headers={"List-Help": "<http:x>"})


# --- groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "text"),
    [
        (Group("undisclosed-recipients"), "undisclosed-recipients: ;"),
        (Group("Team", ["a@b.org", ("Bob, B", "c@d.org")]), 'Team: a@b.org, "Bob, B" <c@d.org>;'),
        (Group("A: B;", "Ada <a@b.org>"), '"A: B;": Ada <a@b.org>;'),
        (Group('"q"', [Mailbox(Address("a@b.org"))]), '"\\"q\\"": a@b.org;'),
        (Group(" Grüße ", [Address("a@b.org")]), '" Grüße ": a@b.org;'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_groups_are_shown_and_read_as_people_write_them(group: Group, text: str) -> None:
    assert str(group) == text
    assert Group.parse(text) == group
    assert unpickled(group) == group
    assert hash(unpickled(group)) == hash(group)


@pytest.mark.parametrize("text", ["", "a@b.org", "A: a@b.org;, B: ;", "A: a@b.org;, c@d.org"])
def test_what_is_not_one_group_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not one group"):
        Group.parse(text)


@pytest.mark.parametrize("text", ["A: a@b.org", "A: x;", ": a@b.org;", "A: B: ;;"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        Group.parse(text)


@pytest.mark.parametrize("name", ["", "  "])
def test_a_group_has_a_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="the name of a group is empty"):
        Group(name)


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_gets_into_the_name_of_a_group(character: str) -> None:  # H1
    with pytest.raises(InvalidInput):
        Group(f"a{character}b")


@pytest.mark.parametrize("arguments", [(5,), ("a", 5), ("a", [5]), ("a", [Group("b")])])
def test_groups_are_made_of_a_text_and_mailboxes(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        Group(*arguments)
    with pytest.raises(TypeError):
        Group.parse(5)  # type: ignore[arg-type]


# --- resent ---------------------------------------------------------------------------------------


def test_a_block_is_written_without_those_that_nobody_knows_of() -> None:
    resent = Resent(
        from_=["p@x.org", "q@x.org"],
        sender="s@x.org",
        to=[Group("Team", ["t@x.org"]), "u@x.org"],
        cc=("Cee", "c@x.org"),
        bcc="secret@x.org",
        message_id="1@x.org",
        date=DATE,
    )
    assert "".join(resent.fields(date=DATE, message_id="<1@x.org>")) == (
        "Resent-Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n"
        "Resent-From: p@x.org, q@x.org\r\n"
        "Resent-Sender: s@x.org\r\n"
        "Resent-To: Team: t@x.org;, u@x.org\r\n"
        "Resent-Cc: Cee <c@x.org>\r\n"
        "Resent-Message-ID: <1@x.org>\r\n"
    )
    assert resent.message_id == "<1@x.org>"
    assert unpickled(resent) == resent


def test_a_block_lacks_what_it_need_not_say() -> None:
    resent = Resent(from_="p@x.org", sender="p@x.org")
    assert "".join(resent.fields(date=DATE, message_id="<1@x>")) == (
        "Resent-Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n"
        "Resent-From: p@x.org\r\n"
        "Resent-Message-ID: <1@x>\r\n"
    )


def test_a_block_may_be_utf_8() -> None:
    resent = Resent(from_="dör@x.org", sender=("Jürgen", "s@x.org"), to="ü@x.org")
    fields = "".join(resent.fields(date=DATE, message_id="<1@x>", utf8=True))
    assert 'Resent-Sender: "Jürgen" <s@x.org>\r\nResent-To: ü@x.org\r\n' in fields
    with pytest.raises(InvalidInput, match="needs SMTPUTF8"):
        list(resent.fields(date=DATE, message_id="<1@x>"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"from_": []}, "needs an author"),
        ({"from_": ["a@b", "c@d"]}, "several authors need a sender"),
        ({"date": datetime(2020, 1, 1)}, "no UTC offset"),  # noqa: DTZ001 - the mistake to be found
        ({"message_id": "x"}, "not a Message-ID"),
        ({"to": "nobody"}, "not an address"),
        ({"sender": "a\r\nb@c"}, "not an address"),
    ],
    ids=str,
)
def test_what_no_block_has_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Resent(**{"from_": "a@b", **arguments})


def test_a_message_goes_to_those_of_its_latest_block() -> None:
    blocks = [
        Resent(from_=["p@x.org", "q@x.org"], sender="s@x.org", to=Group("T", ["t@x.org"])),
        Resent(from_="z@x.org", to="y@x.org"),
    ]
    message = Message(from_="a@x.org", to="b@x.org", resent=blocks)
    envelope = message.envelope()
    assert envelope.sender == Address("s@x.org")
    assert [one.spec for one in envelope.recipients] == ["t@x.org"]
    names = iter(["1", "2", "3"])
    octets = message.as_bytes(now=DATE, make_id=lambda: next(names))
    assert octets.count(b"Resent-Message-ID:") == 2
    assert octets.index(b"Resent-From: p@x.org") < octets.index(b"Resent-From: z@x.org")
    assert octets.index(b"Resent-From: z@x.org") < octets.index(b"\r\nFrom: a@x.org")
    with pytest.raises(InvalidInput, match="at least one recipient"):
        message.replace(resent=Resent(from_="p@x.org")).envelope()


# --- identifiers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a@b", "<a@b>", "a.!#$%&'*+/=?^_`{|}~-@[x]", "a" * 896 + "@b"])
def test_identifiers_get_angle_brackets(text: str) -> None:
    assert check_message_id(text) == f"<{text.strip('<>')}>"


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "@b", "a@", "a@b@c", "<a@b", "a@b>", "<<a@b>>", "a b@c", "a@b c", "ä@b"),
        *("a@b\r\nX: y", "<a@b><c@d>", "a" * 897 + "@b"),
    ],
)
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a Message-ID"):
        check_message_id(text)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", ()),
        ("a@b", ("<a@b>",)),
        ("<a@b> <c@d>\t<e@f>", ("<a@b>", "<c@d>", "<e@f>")),
        (["a@b", "<c@d>"], ("<a@b>", "<c@d>")),
        ((it for it in ("a@b",)), ("<a@b>",)),
    ],
)
def test_several_identifiers_may_stand_in_one_text(value: Any, found: tuple[str, ...]) -> None:
    assert message_ids(value) == found


@pytest.mark.parametrize("value", [[5], [b"a@b"], ["<a@b>", None]])
def test_identifiers_are_texts(value: Any) -> None:
    with pytest.raises(TypeError):
        message_ids(value)


def test_a_thread_is_written_in_order() -> None:
    references = [f"<{number}@example.org>" for number in range(50)]
    message = Message(from_="a@b", in_reply_to=references[-1], references=references)
    octets = message.as_bytes(now=DATE, make_id=lambda: "id")
    assert max(map(len, octets.split(b"\r\n"))) <= 78
    header = octets.replace(b"\r\n ", b" ").decode()
    assert f"In-Reply-To: {references[-1]}\r\n" in header
    assert f"References: {' '.join(references)}\r\n" in header
    with pytest.raises(InvalidInput, match="References is given twice"):
        message.replace(headers={"References": "<a@b>"})


def test_identifiers_for_boundaries_are_made_of_the_message_id() -> None:
    identifier = identifier_of("<a@b>")
    assert new_identifier(lambda: identifier) == identifier == identifier_of("<a@b>")
    assert len(identifier) == 32
    assert identifier != identifier_of("<a@c>")


@pytest.mark.parametrize(
    ("author", "domain"),
    [
        (None, "localhost"),
        ("postmaster", "localhost"),
        ("a@b.org", "b.org"),
        ("a@[192.0.2.1]", "[192.0.2.1]"),
        ("a@bücher.example", "xn--bcher-kva.example"),
        ("dör@bücher.example", "xn--bcher-kva.example"),
        ("a@☃.example", "localhost"),  # none of IDNA 2008
    ],
)
def test_a_message_id_is_made_in_the_domain_of_the_author(author: str | None, domain: str) -> None:
    address = None if author is None else Mailbox.parse(author).address
    assert new_message_id(address, lambda: "id") == f"<id@{domain}>"
