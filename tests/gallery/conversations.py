"""Answers, and messages that are sent on."""

from __future__ import annotations

from ehlo import Attachment, Message, Resent
from gallery.basics import ADA, BOB, CAROL, DAY, WHEN

__all__ = [
    "forwarded_message",
    "long_thread",
    "patch",
    "read_receipt_request",
    "reply_in_a_thread",
    "resent_message",
    "resent_twice",
]


def reply_in_a_thread() -> Message:
    """An answer below quoted lines, with a signature whose mark ends with a blank."""
    return Message(
        from_=BOB,
        to=ADA,
        cc=CAROL,
        subject="Re: Lunch?",
        text="On Monday, Ada wrote:\n> At 12?\n>> Or at 1?\n\nAt 12. \n\n-- \nBob\n",
        in_reply_to="lunch.2@example.org",
        references=["lunch.1@example.org", "lunch.2@example.org"],
        date=WHEN,
        message_id="lunch.3@example.com",
    )


def long_thread() -> Message:
    """The ninetieth answer: References has all the others."""
    before = [f"thread.{number}.0123456789abcdef@mail.example.org" for number in range(90)]
    return Message(
        from_=ADA,
        to=BOB,
        subject="Re: AW: RE: Aw: SV: tabs or spaces",
        text="Spaces.\n",
        in_reply_to=before[-1],
        references=before,
        date=WHEN,
        message_id="thread.90@example.org",
    )


def forwarded_message() -> Message:
    """A message that is attached to another one, as it came (message/rfc822)."""
    original = (
        b"Return-Path: <bob@example.com>\nReceived: from mx (mx [192.0.2.1]);\n"
        b"\tMon, 23 Nov 2026 08:00:00 +0000\nFrom: bob@example.com\nTo: ada@example.org\n"
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <gruss@example.com>\n"
        b"Date: Mon, 23 Nov 2026 08:00:00 +0000\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/mixed; boundary="=_1_7f3a"\n\n'
        b"--=_1_7f3a\nContent-Type: text/plain\n\nInside.\n--=_1_7f3a--\n"
    )
    return Message(
        from_=ADA,
        to=CAROL,
        subject="Fwd: Grüße",
        text="See below.\n",
        attachments=[Attachment(original, filename="Grüße.eml")],
        date=WHEN,
        message_id="forward.1@example.org",
    )


def patch() -> Message:
    """A patch as `git send-email` sends it: every blank and tab in it counts."""
    return Message(
        from_=ADA,
        to="engine@lists.example.org",
        cc=BOB,
        subject="[PATCH v2 1/3] carry: handle a column of nines",
        text=(
            "Signed-off-by: Ada Lovelace <ada@example.org>\n---\n carry.c | 2 +-\n\n"
            "--- a/carry.c\n+++ b/carry.c\n@@ -1,3 +1,3 @@\n \tcase 9:\n-\t\tbreak;  \n"
            "+\t\treturn carry(column + 1);\t\n \n-- \n2.47.0\n\n"
        ),
        in_reply_to="patch.0@example.org",
        references="patch.0@example.org",
        headers={"X-Mailer": "git-send-email 2.47.0"},
        date=WHEN,
        message_id="patch.1@example.org",
    )


def read_receipt_request() -> Message:
    """A message whose author wants to know when it was read (RFC 8098)."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="Please confirm",
        text="Did you read this?\n",
        disposition_notification_to=ADA,
        headers={"Return-Receipt-To": ADA},
        date=WHEN,
        message_id="confirm@example.org",
    )


def resent_message() -> Message:
    """A message that somebody who got it sends on as it is; the new fields stand on top."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="The plans",
        text="As promised.\n",
        resent=Resent(from_=BOB, to=CAROL, date=WHEN + DAY, message_id="resent.1@example.com"),
        date=WHEN,
        message_id="plans@example.org",
    )


def resent_twice() -> Message:
    """The same sent on once more, by a secretary, with copies that nobody knows of."""
    first = Resent(from_=BOB, to=CAROL, date=WHEN + DAY, message_id="resent.1@example.com")
    second = Resent(
        from_=CAROL,
        sender="secretary@example.net",
        to=["dave@example.net", "Erin <erin@example.net>"],
        bcc="archive@example.net",
        date=WHEN + 2 * DAY,
        message_id="resent.2@example.net",
    )
    return resent_message().replace(resent=[second, first])
