"""Messages from and to people of many names, scripts and kinds of addresses."""

from __future__ import annotations

from ehlo import Group, Message
from gallery.basics import ADA, BOB, CAROL, WHEN

__all__ = [
    "address_literal",
    "arabic_and_hebrew_names",
    "emoji_everywhere",
    "group_addresses",
    "idn_domain",
    "international_addresses",
    "japanese_subject",
    "names_that_look_like_syntax",
    "quoted_local_parts",
    "several_authors",
    "three_hundred_recipients",
    "undisclosed_recipients",
]


def japanese_subject() -> Message:
    """A subject of many lines without a blank in it, and names in Japanese."""
    return Message(
        from_="山田 太郎 <taro@example.jp>",
        to="佐藤 花子 <hanako@example.jp>",
        subject="【重要】来週月曜日の定例会議の開催場所が変更になりましたのでお知らせいたします",
        text="佐藤様\n\nお世話になっております。山田です。\n会議室は三階に変わりました。\n",
        date=WHEN,
        message_id="kaigi@example.jp",
    )


def three_hundred_recipients() -> Message:
    """A list of three hundred, with names in several scripts, in one field."""
    names = ("Jane Roe", "Müller, Jürgen", "Łukasz", "王小明", "Ольга", 'Joe "Q" Public')
    return Message(
        from_=ADA,
        to=[
            (f"{names[number % len(names)]} {number}", f"member.{number}@example.com")
            for number in range(300)
        ],
        subject="The annual meeting",
        text="Dear members,\n\nit is on Friday.\n",
        date=WHEN,
        message_id="meeting@example.org",
    )


def undisclosed_recipients() -> Message:
    """Everybody gets it, and nobody learns who else does."""
    return Message(
        from_=ADA,
        to=Group("undisclosed-recipients"),
        bcc=[BOB, CAROL],
        subject="We are moving",
        text="The new address: 1 Mill Lane.\n",
        date=WHEN,
        message_id="moving@example.org",
    )


def arabic_and_hebrew_names() -> Message:
    """Names and a subject that are read from right to left."""
    return Message(
        from_="محمد الخوارزمي <algebra@example.org>",
        to=["שרה כהן <sara@example.com>", ("د. ليلى (القاهرة)", "layla@example.net")],
        subject="دعوة: שיעור באלגברה, 10:30",
        text="السلام عليكم\nשלום רב\n",
        html='<p dir="rtl">السلام عليكم</p>\n<p dir="rtl">שלום רב</p>\n',
        date=WHEN,
        message_id="jabr@example.org",
    )


def emoji_everywhere() -> Message:
    """Emoji of several code points: a line may be cut between these, and never within one."""
    family, flag, thumb = "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👍🏽"
    return Message(
        from_=f"Ada {family} <ada@example.org>",
        to=f"{flag}{thumb} <bob@example.com>",
        subject=f"🎉🎉🎉 {family * 4} {flag * 3} {thumb * 6}",
        text=f"{family}\n{flag}\n{thumb}\n",
        date=WHEN,
        message_id="party@example.org",
    )


def several_authors() -> Message:
    """A letter of three, sent by a fourth, with copies."""
    return Message(
        from_=[ADA, BOB, ("Ångström, Anders", "anders@example.se")],
        sender="Secretary <secretary@example.org>",
        to=CAROL,
        cc=["dave@example.net", "Erin <erin@example.net>"],
        reply_to=[ADA, BOB],
        subject="Our paper",
        text="It is done.\n",
        date=WHEN,
        message_id="paper@example.org",
    )


def names_that_look_like_syntax() -> Message:
    """Names full of what means something in a header, or looks encoded: it is all text."""
    return Message(
        from_=('"Ada", <the> (first)', "ada@example.org"),
        to=[
            ("bob@example.net", "bob@example.com"),
            ("=?utf-8?q?not_encoded?=", "carol@example.net"),
            ("Back\\slash; colon: dot.", "dave@example.net"),
        ],
        subject="=?utf-8?b?bm8=?= Re: <a@b>, (c); \\d",
        text="Nothing of it means anything.\n",
        date=WHEN,
        message_id="syntax@example.org",
    )


def quoted_local_parts() -> Message:
    """Addresses whose local parts need quotes (RFC 5321 section 4.1.2)."""
    return Message(
        from_=("Ada", '"ada lovelace"@example.org'),
        to=['"b@b"@example.com', 'Carol <"c\\"c"@example.net>', '"..d"@example.net'],
        subject="Quoted",
        text="Your addresses are odd.\n",
        date=WHEN,
        message_id="quoted@example.org",
    )


def address_literal() -> Message:
    """Addresses of machines that have no name."""
    return Message(
        from_="root@[192.0.2.1]",
        to=["Printer <printer@[IPv6:2001:db8::1]>", "scanner@[192.0.2.2]"],
        subject="Paper is out",
        text="Tray 2\n",
        date=WHEN,
        message_id="paper.2@printer.example.org",
    )


def international_addresses() -> Message:
    """Addresses beyond ASCII, which need SMTPUTF8 on every server (RFC 6531, RFC 6532)."""
    return Message(
        from_="Søren Ørsted <søren@example.dk>",
        to=["用户@例子.广告", "Δοκιμή <δοκιμή@παράδειγμα.δοκιμή>", "bob@example.com"],
        subject="Hilsen, 问候, χαιρετισμός",
        text="Kære alle\n",
        date=WHEN,
        message_id="hilsen@example.dk",
    )


def idn_domain() -> Message:
    """Domains beyond ASCII, which have a form in ASCII (RFC 5890)."""
    return Message(
        from_="Bücherei <ausleihe@bücher.example>",
        to="leser@straße.example",
        subject="Ihre Bücher",
        text="Bitte bringen Sie die Bücher zurück.\n",
        date=WHEN,
        message_id="ausleihe.1@xn--bcher-kva.example",
    )


def group_addresses() -> Message:
    """Groups under names, between mailboxes, one of them empty (RFC 5322 section 3.4)."""
    return Message(
        from_=ADA,
        to=[
            Group("Team: Motoren", [BOB, ("Großmann, Jörg", "joerg@example.de")]),
            CAROL,
            Group("Vorstand für Öffentlichkeitsarbeit", ["vorstand@example.org"]),
        ],
        cc=Group("Nobody"),
        subject="Minutes",
        text="We met.\n",
        date=WHEN,
        message_id="minutes@example.org",
    )
