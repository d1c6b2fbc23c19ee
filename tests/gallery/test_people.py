"""What messages look like whose people have many names, scripts and kinds of addresses."""

from __future__ import annotations

import pytest

from ehlo import InvalidInput
from gallery import people
from gallery.showing import header, text, tree
from support.reader import Group, Person, read_by_email


def read(message_header: str) -> tuple[Group, ...]:
    """Return whom a reader finds in To."""
    return read_by_email(message_header.encode()).to


def test_japanese_subject() -> None:
    message = people.japanese_subject()
    assert header(message) == (
        "From: =?utf-8?b?5bGx55SwIOWkqumDjg==?= <taro@example.jp>\n"
        "To: =?utf-8?b?5L2Q6JekIOiKseWtkA==?= <hanako@example.jp>\n"
        "Message-ID: <kaigi@example.jp>\n"
        "Subject: =?utf-8?b?44CQ6YeN6KaB44CR5p2l6YCx5pyI5puc5pel44Gu5a6a5L6L5Lya?=\n"
        " =?utf-8?b?6K2w44Gu6ZaL5YKs5aC05omA44GM5aSJ5pu044Gr44Gq44KK44G+44GX44Gf?=\n"
        " =?utf-8?b?44Gu44Gn44GK55+l44KJ44Gb44GE44Gf44GX44G+44GZ?=\n"
    )
    assert tree(message) == "text/plain base64\n"
    assert read_by_email(header(message).encode()).subject == message.subject


def test_three_hundred_recipients() -> None:
    message = people.three_hundred_recipients()
    assert len(message.envelope().recipients) == 300
    [group] = read(header(message))
    assert [(it.name, it.local_part) for it in group.members] == [
        (mailbox.name, f"member.{number}") for number, mailbox in enumerate(message.to)
    ]
    assert max(map(len, header(message).splitlines())) <= 78


def test_undisclosed_recipients() -> None:
    message = people.undisclosed_recipients()
    assert header(message) == (
        "From: Ada Lovelace <ada@example.org>\n"
        "To: undisclosed-recipients:;\n"
        "Message-ID: <moving@example.org>\n"
        "Subject: We are moving\n"
    )
    recipients = [str(address) for address in message.envelope().recipients]
    assert recipients == ["bob@example.com", "carol@example.net"]


def test_arabic_and_hebrew_names() -> None:
    message = people.arabic_and_hebrew_names()
    assert header(message) == (
        "From: =?utf-8?b?2YXYrdmF2K8g2KfZhNiu2YjYp9ix2LLZhdmK?= <algebra@example.org>\n"
        "To: =?utf-8?b?16nXqNeUINeb15TXnw==?= <sara@example.com>,\n"
        " =?utf-8?b?2K8uINmE2YrZhNmJICjYp9mE2YLYp9mH2LHYqSk=?= <layla@example.net>\n"
        "Message-ID: <jabr@example.org>\n"
        "Subject: =?utf-8?b?2K/YudmI2Kk6INep15nXoteV16gg15HXkNec15LXkdeo15Qs?= 10:30\n"
    )
    [group] = read(header(message))
    assert [it.name for it in group.members] == ["שרה כהן", "د. ليلى (القاهرة)"]


def test_emoji_everywhere() -> None:
    message = people.emoji_everywhere()
    reading = read_by_email(header(message).encode())
    assert reading.subject == message.subject
    assert reading.from_ == (Group(None, (Person("Ada 👨‍👩‍👧‍👦", "ada", "example.org"),)),)
    assert text(message) == message.text


def test_several_authors() -> None:
    message = people.several_authors()
    assert header(message) == (
        "From: Ada Lovelace <ada@example.org>, Bob Baker <bob@example.com>,\n"
        " =?utf-8?b?w4VuZ3N0csO2bSwgQW5kZXJz?= <anders@example.se>\n"
        "Sender: Secretary <secretary@example.org>\n"
        "Reply-To: Ada Lovelace <ada@example.org>, Bob Baker <bob@example.com>\n"
        "To: Carol Cooper <carol@example.net>\n"
        "Cc: dave@example.net, Erin <erin@example.net>\n"
        "Message-ID: <paper@example.org>\n"
        "Subject: Our paper\n"
    )
    assert str(message.envelope().sender) == "secretary@example.org"
    with pytest.raises(InvalidInput, match="several authors need a sender"):
        message.replace(sender=None)


def test_names_that_look_like_syntax() -> None:
    message = people.names_that_look_like_syntax()
    assert header(message) == (
        'From: "\\"Ada\\", <the> (first)" <ada@example.org>\n'
        'To: "bob@example.net" <bob@example.com>,\n'
        " =?utf-8?b?PT91dGYtOD9xP25vdF9lbmNvZGVkPz0=?= <carol@example.net>,\n"
        ' "Back\\\\slash; colon: dot." <dave@example.net>\n'
        "Message-ID: <syntax@example.org>\n"
        "Subject: =?utf-8?b?PT91dGYtOD9iP2JtOD0/PQ==?= Re: <a@b>, (c); \\d\n"
    )
    reading = read_by_email(header(message).encode())
    assert reading.subject == message.subject
    assert [it.name for it in reading.to[0].members] == [
        "bob@example.net",
        "=?utf-8?q?not_encoded?=",
        "Back\\slash; colon: dot.",
    ]


def test_quoted_local_parts() -> None:
    assert header(people.quoted_local_parts()) == (
        'From: Ada <"ada lovelace"@example.org>\n'
        'To: "b@b"@example.com, Carol <"c\\"c"@example.net>, "..d"@example.net\n'
        "Message-ID: <quoted@example.org>\n"
        "Subject: Quoted\n"
    )


def test_address_literal() -> None:
    assert header(people.address_literal()) == (
        "From: root@[192.0.2.1]\n"
        "To: Printer <printer@[IPv6:2001:db8::1]>, scanner@[192.0.2.2]\n"
        "Message-ID: <paper.2@printer.example.org>\n"
        "Subject: Paper is out\n"
    )


def test_international_addresses() -> None:
    message = people.international_addresses()
    assert message.needs_smtputf8
    assert header(message, smtputf8=True) == (
        'From: "Søren Ørsted" <søren@example.dk>\n'
        'To: 用户@例子.广告, "Δοκιμή" <δοκιμή@παράδειγμα.δοκιμή>, bob@example.com\n'
        "Message-ID: <hilsen@example.dk>\n"
        "Subject: Hilsen, 问候, χαιρετισμός\n"
    )
    with pytest.raises(InvalidInput, match=r"the local part of søren@example\.dk is not ASCII"):
        header(message)


def test_idn_domain() -> None:
    message = people.idn_domain()
    assert not message.needs_smtputf8
    assert header(message) == (
        "From: =?utf-8?b?QsO8Y2hlcmVp?= <ausleihe@xn--bcher-kva.example>\n"
        "To: leser@xn--strae-oqa.example\n"
        "Message-ID: <ausleihe.1@xn--bcher-kva.example>\n"
        "Subject: Ihre =?utf-8?q?B=C3=BCcher?=\n"
    )
    assert header(message, smtputf8=True) == (
        'From: "Bücherei" <ausleihe@bücher.example>\n'
        "To: leser@straße.example\n"
        "Message-ID: <ausleihe.1@xn--bcher-kva.example>\n"
        "Subject: Ihre Bücher\n"
    )


def test_group_addresses() -> None:
    message = people.group_addresses()
    assert header(message) == (
        "From: Ada Lovelace <ada@example.org>\n"
        'To: "Team: Motoren": Bob Baker <bob@example.com>,\n'
        " =?utf-8?b?R3Jvw59tYW5uLCBKw7ZyZw==?= <joerg@example.de>;, Carol Cooper\n"
        " <carol@example.net>,\n"
        " =?utf-8?q?Vorstand_f=C3=BCr_=C3=96ffentlichkeitsarbeit?= :\n"
        " vorstand@example.org;\n"
        "Cc: Nobody:;\n"
        "Message-ID: <minutes@example.org>\n"
        "Subject: Minutes\n"
    )
    recipients = [address.spec for address in message.envelope().recipients]
    assert recipients == [
        *("bob@example.com", "joerg@example.de", "carol@example.net", "vorstand@example.org")
    ]
