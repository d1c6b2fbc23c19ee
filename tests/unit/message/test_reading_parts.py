"""The body of a message of the standard library, read into our parts."""

from __future__ import annotations

import copy
from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage
from email.message import Message as LegacyMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any, cast

import pytest

from ehlo import Alternative, Attachment, Calendar, InvalidInput, Message

POLICIES = {"modern": policy.default, "legacy": policy.compat32}
both = pytest.mark.parametrize("reader", POLICIES)
HEAD = "From: ada@example.org\nMIME-Version: 1.0\n"
ICS = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
PNG = Attachment(b"png", content_id="logo@x", content_type="image/png", filename="logo.png")


def part(content_type: str, body: str = "", *fields: str) -> str:
    return "\n".join((f"Content-Type: {content_type}", *fields, "", body))


def multipart(subtype: str, *parts: str, boundary: str = "b") -> str:
    bodies = "".join(f"--{boundary}\n{it}\n" for it in parts)
    return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\n\n{bodies}--{boundary}--\n'


PLAIN = part("text/plain", "plain")
HTML = part("text/html", "<p>rich")
LOGO = part(
    'image/png; name="logo.png"',
    "cG5n",
    "Content-Transfer-Encoding: base64",
    "Content-ID: <logo@x>",
    "Content-Disposition: inline; filename=logo.png",
)
PDF = part(
    "application/pdf",
    "cGRm",
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="a.pdf"',
)
READ_PDF = Attachment(b"pdf", filename="a.pdf")
INVITATION = part('text/calendar; charset="UTF-8"; method=REQUEST', ICS)


def read(reader: str, body: str | bytes) -> Message:
    octets = body if isinstance(body, bytes) else body.encode()
    message = message_from_bytes(HEAD.encode() + octets, policy=cast("Any", POLICIES[reader]))
    before = copy.deepcopy(message).as_bytes()
    found = Message.from_email(message)
    assert message.as_bytes() == before
    return found


def ours(**parts: Any) -> Message:
    return Message(from_="ada@example.org", **parts)


# --- shapes ---------------------------------------------------------------------------------------

ALTERNATIVE = multipart("alternative", PLAIN, HTML, boundary="a")
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": (PLAIN, {"text": "plain"}),
    "html": (HTML, {"html": "<p>rich"}),
    "nothing said": ("\nplain", {"text": "plain"}),
    "a file alone": (PDF, {"attachments": [READ_PDF]}),
    "alternative": (ALTERNATIVE, {"text": "plain", "html": "<p>rich"}),
    "mixed": (multipart("mixed", PLAIN, PDF), {"text": "plain", "attachments": [READ_PDF]}),
    "mixed of files": (multipart("mixed", PDF, PDF), {"attachments": [READ_PDF, READ_PDF]}),
    "related": (multipart("related", HTML, LOGO), {"html": "<p>rich", "inline": [PNG]}),
    "related in alternative": (
        multipart("alternative", PLAIN, multipart("related", HTML, LOGO, boundary="r")),
        {"text": "plain", "html": "<p>rich", "inline": [PNG]},
    ),
    "related around alternative": (  # Apple Mail
        multipart("related", ALTERNATIVE, LOGO),
        {"text": "plain", "html": "<p>rich", "inline": [PNG]},
    ),
    "alternative in alternative": (
        multipart("alternative", ALTERNATIVE, INVITATION),
        {"text": "plain", "html": "<p>rich", "calendar": Calendar(ICS, filename=None)},
    ),
    "mixed in mixed, with a footer": (  # Mailman
        multipart(
            "mixed",
            multipart("mixed", PLAIN, PDF, boundary="inner"),
            part('text/plain; charset="us-ascii"', "footer", "Content-Disposition: inline"),
        ),
        {
            "text": "plain",
            "attachments": [
                READ_PDF,
                Attachment(b"footer", content_type="text/plain; charset=us-ascii"),
            ],
        },
    ),
    "further forms": (
        multipart(
            "alternative",
            PLAIN,
            part("text/x-amp-html; charset=utf-8; a=b", "amp"),
            part("text/plain", "again"),
            HTML,
            part("text/html", "again"),
            part("application/x-form", "x"),
        ),
        {
            "text": "plain",
            "html": "<p>rich",
            "alternatives": [
                Alternative("amp", content_type="text/x-amp-html; a=b"),
                Alternative("again", content_type="text/plain"),
                Alternative("again", content_type="text/html"),
            ],
            "attachments": [Attachment(b"x", content_type="application/x-form")],
        },
    ),
    "two invitations, and one without a method": (
        multipart("alternative", INVITATION, INVITATION, part("text/calendar", ICS)),
        {
            "calendar": Calendar(ICS, filename=None),
            "alternatives": [
                Alternative(ICS, content_type="text/calendar; method=REQUEST"),
                Alternative(ICS, content_type="text/calendar"),
            ],
        },
    ),
    "a text that is a file": (
        part("text/plain", "log", 'Content-Disposition: attachment; filename="log.txt"'),
        {"attachments": [Attachment(b"log", filename="log.txt")]},
    ),
    "a page that is a file": (
        multipart(
            "mixed", part("text/html", "x", 'Content-Disposition: attachment; filename="a.html"')
        ),
        {"attachments": [Attachment(b"x", filename="a.html")]},
    ),
}


@both
@pytest.mark.parametrize("shape", SHAPES)
def test_trees_are_read(reader: str, shape: str) -> None:
    body, parts = SHAPES[shape]
    assert read(reader, body) == ours(**parts)


REFUSED = {
    "signed": multipart("signed", PLAIN, part("application/pgp-signature", "x")),
    "encrypted": multipart("encrypted", PLAIN, PLAIN),
    "report": multipart("report", PLAIN, PLAIN),
    "digest": multipart("digest", "\nSubject: a\n\nb"),
    "signed in mixed": multipart("mixed", multipart("signed", PLAIN, PLAIN, boundary="s"), PLAIN),
    "mixed in alternative": multipart("alternative", multipart("mixed", PLAIN, boundary="m")),
    "signed attached": multipart("mixed", PLAIN, multipart("signed", PLAIN, PLAIN, boundary="s")),
    "a message": part("message/rfc822", "Subject: a\n\nb"),
    "signed without parts": part("multipart/signed", "x"),
}


@both
@pytest.mark.parametrize("shape", REFUSED)
def test_other_trees_are_refused(reader: str, shape: str) -> None:
    with pytest.raises(InvalidInput, match="is sent as it is, or as octets"):
        read(reader, REFUSED[shape])


@both
@pytest.mark.parametrize("kind", ["mixed", "alternative", "related"])
def test_a_multipart_without_parts_is_refused(reader: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match=f"there is a multipart/{kind} without parts"):
        read(reader, part(f"multipart/{kind}", "x"))


@both
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (multipart("related", PLAIN, LOGO), "shown by HTML"),
        (multipart("related", HTML, PDF), "needs a content_id"),
        (multipart("related", HTML, LOGO, LOGO), "the same content_id"),
    ],
)
def test_images_that_nothing_shows_are_refused(reader: str, body: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read(reader, body)


def test_endless_nesting_is_refused() -> None:
    message: Any = MIMEText("x")
    for _ in range(2000):
        outer = MIMEMultipart()
        outer.attach(message)
        message = outer
    message["From"] = "ada@example.org"
    with pytest.raises(InvalidInput, match="cannot be read"):
        Message.from_email(message)


@pytest.mark.parametrize("payload", [5, [5], ["x"]])
def test_what_is_put_together_wrongly_is_our_error(payload: Any) -> None:
    message = LegacyMessage()
    message["From"] = "ada@example.org"
    message["Content-Type"] = "multipart/mixed"
    message._payload = payload  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput):
        Message.from_email(message)


# --- texts ----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", "ü€".encode(), "ü€"),
        ("iso-8859-1", b"\xfc", "ü"),
        ("windows-1252", b"\x80", "€"),
        ("us-ascii", "ü".encode(), "ü"),
        ("iso-2022-jp", "日本".encode("iso-2022-jp"), "日本"),
        ("utf-16", "ü\r\n".encode("utf-16"), "ü\n"),
    ],
)
def test_texts_are_read_in_their_charset(
    reader: str, charset: str, octets: bytes, text: str
) -> None:
    head = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n"
    assert read(reader, head.encode() + b64encode(octets)).text == text


@both
@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "x-unknown", "rot13", "undefined"])
def test_a_charset_that_is_wrong_is_refused(reader: str, charset: str) -> None:
    body = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(reader, body.encode() + b"\xff\xfe\n")


@both
def test_a_text_that_no_body_can_hold_is_refused(reader: str) -> None:
    with pytest.raises(InvalidInput, match="text holds a NUL"):
        read(reader, part("text/plain", "=00", "Content-Transfer-Encoding: quoted-printable"))


@pytest.mark.parametrize("kind", [EmailMessage, LegacyMessage])
def test_a_message_without_a_body_has_an_empty_text(kind: Any) -> None:
    message = kind()
    message["From"] = "ada@example.org"
    assert Message.from_email(message) == ours(text="")


@both
@pytest.mark.parametrize("charset", ["; charset=utf-8", ""])
def test_a_message_that_was_parsed_from_a_text_is_read(reader: str, charset: str) -> None:
    chosen = cast("Any", POLICIES[reader])
    source = f"{HEAD}Content-Type: text/plain{charset}\n\nü € 日本\n"
    message = message_from_string(source, policy=chosen)
    assert Message.from_email(message).text == "ü € 日本\n"
    body = multipart("mixed", PLAIN, part("text/csv; charset=utf-16", "ü €"))
    message = message_from_string(HEAD + body, policy=chosen)
    assert Message.from_email(message).attachments[0].content == "ü €".encode("utf-16")


@both
def test_line_ends_are_those_of_texts(reader: str) -> None:
    assert read(reader, b"\r\n" + b"a\r\nb\r\n").text == "a\nb\n"


# --- files ----------------------------------------------------------------------------------------

NAMES = [
    ('filename="a b.pdf"', "a b.pdf"),
    ("filename=a.pdf", "a.pdf"),
    ("filename*=utf-8''%C3%BC.pdf", "ü.pdf"),
    ("filename*0*=utf-8''%C3%BC;\n filename*1=\".pdf\"", "ü.pdf"),
    ('filename="=?utf-8?q?=C3=BC.pdf?="', "ü.pdf"),
    ('filename="=?utf-8?q?=C3=BC?=\n =?utf-8?q?.pdf?="', "ü.pdf"),
    ("filename==?utf-8?q?=C3=BC.pdf?=", "ü.pdf"),
    ("filename*=utf-8''%3D%3Futf-8%3Fq%3Fa%3F%3D", "=?utf-8?q?a?="),
    ('filename="ü.pdf"', "ü.pdf"),
    ('filename="long\n name.pdf"', "long name.pdf"),
    ('filename="long\n\tname.pdf"', "long name.pdf"),
    ('filename=" a "', "a"),
    ('filename=""', None),
    ("", None),
]


@both
@pytest.mark.parametrize(("written", "name"), NAMES)
def test_names_of_files_are_read_as_everybody_writes_them(
    reader: str, written: str, name: str | None
) -> None:
    body = part("application/pdf", "x", f"Content-Disposition: attachment; {written}")
    (file,) = read(reader, body).attachments
    assert file == Attachment(b"x", filename=name, content_type="application/pdf")


@both
def test_the_name_may_stand_in_the_media_type_alone(reader: str) -> None:
    (file,) = read(reader, part('application/pdf; name="=?utf-8?b?w7w=?="', "x")).attachments
    assert file == Attachment(b"x", filename="ü", content_type="application/pdf")


@both
@pytest.mark.parametrize("name", ["a%0D%0Ab", "a%00", "a%E2%80%A8b"])
def test_a_name_with_a_control_character_is_refused(reader: str, name: str) -> None:  # H1
    body = part("a/b", "x", f"Content-Disposition: attachment; filename*=utf-8''{name}")
    with pytest.raises(InvalidInput, match="control character"):
        read(reader, body)


def test_names_that_were_set_are_read() -> None:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message.set_content("x")
    names = ["ü.pdf", "a b.pdf", "日本" * 40 + ".pdf", "=.pdf"]
    for name in names:
        message.add_attachment(b"x", maintype="a", subtype="b", filename=name)
    assert [file.filename for file in Message.from_email(message).attachments] == names


@both
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("text/csv; charset=utf-8; header=absent", "text/csv; charset=utf-8; header=absent"),
        ('a/b; c="d;\\"e"', 'a/b; c="d;\\"e"'),
        ('a/b; c=""; d=e', 'a/b; c=""; d=e'),
        ('a/b; name="x"; NAME=y', "a/b"),
        ("a/b; title*=utf-8''x%20y", 'a/b; title="x y"'),
        ("a/b; title*=utf-8''%C3%BC", "a/b"),
        ('a/b; title="=?utf-8?q?x?="', "a/b"),
        ("a/b; c=1; C=2", "a/b; c=1"),
        ("a/b; c", 'a/b; c=""'),
        ("A/B; c'd=e", "a/b"),
        ("nonsense", "text/plain"),
    ],
)
def test_media_types_keep_their_parameters(reader: str, written: str, kept: str) -> None:
    body = multipart("mixed", PLAIN, part(written, "x", "Content-Disposition: attachment"))
    (file,) = read(reader, body).attachments
    assert file.content_type == kept


@both
def test_content_ids_are_read_as_they_come(reader: str) -> None:
    files = ["<ii_lq1x0>", "<a@b>", " <image001.png@01D9.AB> ", "a@b", "<>", ""]  # Gmail's first
    parts = [part("a/b", "x", f"Content-ID: {identifier}") for identifier in files]
    found = read(reader, multipart("mixed", PLAIN, *parts)).attachments
    assert [file.content_id for file in found] == [
        *("ii_lq1x0", "a@b", "image001.png@01D9.AB", "a@b", None, None),
    ]


# --- messages within messages ---------------------------------------------------------------------

LETTER = b"Subject: a\n\nb\n--x\n"


@both
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("7bit", LETTER.decode()),
        ("8bit", LETTER.decode()),
        ("base64", b64encode(LETTER).decode()),  # which may not be, and is
        ("Quoted-Printable", "Subject: a\n\nb\n--=78\n"),
    ],
)
def test_an_attached_message_is_read_as_it_is(reader: str, encoding: str, body: str) -> None:
    fields = ("Content-Disposition: attachment", f"Content-Transfer-Encoding: {encoding}")
    body = multipart("mixed", PLAIN, part("message/rfc822", body, *fields))
    (file,) = read(reader, body).attachments
    assert file.content_type == "message/rfc822"
    assert file.content is not None
    assert file.content.replace(b"\r\n", b"\n").rstrip(b"\n") == LETTER.rstrip(b"\n")


def test_the_header_of_an_attached_message_keeps_its_words() -> None:
    """Signatures among them: the package encodes what is longer than a line."""
    signature = f"DKIM-Signature: v=1; b={'A' * 400}\nX-Long: {'a' * 200}"
    letter = part("message/rfc822", f"{signature}\nSubject: a\n\nb\n")
    (file,) = read("modern", multipart("mixed", PLAIN, letter)).attachments
    assert (file.content or b"").startswith(signature.replace("\n", "\r\n").encode())


def test_an_attached_message_that_was_built_is_not_changed() -> None:
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("x")
    inner.add_attachment(b"x", maintype="a", subtype="b")
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message.set_content("y")
    message.add_attachment(inner)
    (file,) = Message.from_email(message).attachments
    assert inner.get_boundary() is None
    assert b"Subject: inner\r\n" in (file.content or b"")


@both
def test_the_blocks_of_a_delivery_status_stay_together(reader: str) -> None:
    blocks = "Reporting-MTA: dns; a\n\nAction: failed\n"
    body = multipart("mixed", PLAIN, part("message/delivery-status", blocks))
    (file,) = read(reader, body).attachments
    assert file.content is not None
    assert file.content.split() == blocks.encode().split()


def test_octets_above_127_in_an_attached_message_stay() -> None:
    letter = Attachment("Subject: a\n\nü\n".encode(), content_type="message/rfc822", filename="a")
    message = ours(text="x\n", attachments=letter, message_id="1@x")
    email = message.as_email(now=datetime(2024, 2, 29, tzinfo=UTC))
    (file,) = Message.from_email(email).attachments
    assert file.content is not None
    assert "ü".encode() in file.content


# --- invitations ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", ["application/ics", "text/calendar; charset=utf-8"])
def test_an_invitation_and_its_file_are_one(reader: str, kind: str) -> None:
    file = part(kind, ICS, 'Content-Disposition: attachment; filename="meet.ics"')
    body = multipart("mixed", multipart("alternative", PLAIN, INVITATION, boundary="a"), PDF, file)
    assert read(reader, body) == ours(
        text="plain", calendar=Calendar(ICS, filename="meet.ics"), attachments=[READ_PDF]
    )


@both
@pytest.mark.parametrize(
    ("kind", "content", "fields"),
    [
        (
            "application/ics",
            ICS.replace("END", "X-A:\nEND"),
            ["Content-Disposition: attachment; filename=a.ics"],
        ),
        ("application/octet-stream", ICS, ["Content-Disposition: attachment; filename=a.ics"]),
        ("application/ics", ICS, []),
    ],
    ids=["another text", "another type", "no name"],
)
def test_another_file_stays_one(reader: str, kind: str, content: str, fields: list[str]) -> None:
    body = multipart(
        "mixed",
        multipart("alternative", PLAIN, INVITATION, boundary="a"),
        part(kind, content, *fields),
    )
    message = read(reader, body)
    assert message.calendar == Calendar(ICS, filename=None)
    assert [file.content_type for file in message.attachments] == [kind]


@both
def test_an_invitation_that_contradicts_itself_is_refused(reader: str) -> None:
    with pytest.raises(InvalidInput, match="they have to be the same"):
        read(reader, part("text/calendar; method=CANCEL", ICS))


# --- as they come ---------------------------------------------------------------------------------

GMAIL = (
    "Return-Path: <ada@gmail.example>\n"
    "Received: from mail-ej1.example ([192.0.2.1])\n\tby mx.example with ESMTPS id x1\n"
    "\tfor <bob@example.org>; Mon, 01 Jan 2024 00:00:00 -0800 (PST)\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\n        d=gmail.example; s=1;\n"
    "        b=AbC/dEf+gHi=\n"
    "From: =?UTF-8?Q?Ada_L=C3=B6velace?= <ada@gmail.example>\n"
    "Date: Mon, 1 Jan 2024 09:00:00 +0100\n"
    "Message-ID: <CAF=abc+d_e@mail.gmail.example>\n"
    "Subject: =?UTF-8?B?R3LDvMOfZQ==?= and more\n"
    'To: "Bob, B." <bob@example.org>\n'
    'Content-Type: multipart/related; boundary="000r"\nMIME-Version: 1.0\n\n'
    '--000r\nContent-Type: multipart/alternative; boundary="000a"\n\n'
    '--000a\nContent-Type: text/plain; charset="UTF-8"\n'
    "Content-Transfer-Encoding: base64\n\nR3LDvMOfZQo=\n"
    '--000a\nContent-Type: text/html; charset="UTF-8"\n'
    "Content-Transfer-Encoding: quoted-printable\n\n"
    '<div dir=3D"ltr"><img src=3D"cid:ii_lq1x0" alt=3D"a.png"></div>\n\n--000a--\n'
    '--000r\nContent-Type: image/png; name="a.png"\n'
    'Content-Disposition: inline; filename="a.png"\nContent-Transfer-Encoding: base64\n'
    "Content-ID: <ii_lq1x0>\nX-Attachment-Id: ii_lq1x0\n\ncG5n\n--000r--\n"
)
CRON = (
    'From: "(Cron Daemon)" <root@host.example>\nTo: root@host.example\n'
    "Subject: Cron <root@host> backup\nMIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"
    "Auto-Submitted: auto-generated\nX-Cron-Env: <SHELL=/bin/sh>\n"
    "Message-Id: <20240101000000.0A1B2@host.example>\n"
    "Date: Mon,  1 Jan 2024 00:00:00 +0000 (UTC)\n\nfertig: ü\n"
)


@both
def test_messages_of_the_real_world_are_read_and_sent_again(reader: str) -> None:
    chosen = cast("Any", POLICIES[reader])
    message = Message.from_email(message_from_bytes(GMAIL.encode(), policy=chosen))
    assert str(message.from_[0]) == "Ada Lövelace <ada@gmail.example>"
    assert str(message.to[0]) == '"Bob, B." <bob@example.org>'
    assert message.subject == "Grüße and more"
    assert message.text == "Grüße\n"
    assert [file.content_id for file in message.inline] == ["ii_lq1x0"]
    assert [name for name, _ in message.headers] == ["Received", "DKIM-Signature"]
    again = message.replace(to="carol@example.org")
    assert Message.from_email(again.as_email()).replace(to=message.to) == message

    message = Message.from_email(message_from_bytes(CRON.encode(), policy=chosen))
    assert message.from_[0].name == "(Cron Daemon)"
    assert message.text == "fertig: ü\n"
    assert message.headers == (
        ("Auto-Submitted", "auto-generated"),
        ("X-Cron-Env", "<SHELL=/bin/sh>"),
    )
    assert Message.from_email(message.as_email()) == message
