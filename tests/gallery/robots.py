"""Messages that no person writes: receipts, alerts, reports."""

from __future__ import annotations

from ehlo import Attachment, AutoSubmitted, Calendar, Message
from gallery.basics import ADA, BOB, CAROL, DAY, WHEN

__all__ = [
    "alert",
    "bounce_proof_receipt",
    "bounce_with_eight_bit_message",
    "calendar_reply",
    "cancellation",
    "control_pictures",
    "delivery_status_text",
    "invitation",
    "log_mail_with_ansi",
    "password_reset",
    "vacation_reply",
]


def password_reset() -> Message:
    """A link with a token, in text and in HTML; it must arrive as it is."""
    link = "https://accounts.example.org/reset?user=42&token=c2VjcmV0LXRva2Vu%3D%3D"
    return Message(
        from_="Example Accounts <no-reply@accounts.example.org>",
        to=BOB,
        subject="Reset your password",
        text=f"Somebody asked to reset your password. If it was you:\n\n{link}\n",
        html=f'<p>Somebody asked to reset your password. <a href="{link}">It was me</a>.</p>\n',
        auto_submitted=AutoSubmitted.GENERATED,
        date=WHEN,
        message_id="reset.42@accounts.example.org",
    )


def bounce_proof_receipt() -> Message:
    """A receipt that asks for no answer: no robot replies, and bounces have nowhere to go."""
    return Message(
        from_="Café Zürich <kasse@example.org>",
        to=("Müller, Jürgen", "juergen@example.com"),
        reply_to="Café Zürich <hallo@example.org>",
        subject="Ihre Quittung über 12,50 €",
        text="2 × Kaffee  9,00 €\n1 × Torte   3,50 €\n\nVielen Dank!\n",
        attachments=[
            Attachment(
                b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n%%EOF\n", filename="Quittung Nr. 4711 – €.pdf"
            )
        ],
        auto_submitted=AutoSubmitted.GENERATED,
        headers={"X-Auto-Response-Suppress": "All"},
        date=WHEN,
        message_id="quittung.4711@example.org",
    )


def vacation_reply() -> Message:
    """What a robot answers while its owner is away (RFC 3834)."""
    return Message(
        from_=BOB,
        to=ADA,
        subject="Auto: Carry mechanism jams at 10^21",
        text="I am away until Monday.\n",
        auto_submitted=AutoSubmitted.REPLIED,
        in_reply_to="carry.1843@example.org",
        references="carry.1843@example.org",
        date=WHEN,
        message_id="away.1@example.com",
    )


def alert() -> Message:
    """An alert of a monitoring system, marked as urgent in all the ways that readers know."""
    return Message(
        from_="nagios <nagios@db-1.example.org>",
        to=["ops@example.org", "+15550100@sms.example.org"],
        subject="** PROBLEM alert - db-1/disk /var is CRITICAL **",
        text="DISK CRITICAL - free space: /var 12 MB (1% inode=99%)\n",
        auto_submitted=AutoSubmitted.GENERATED,
        headers={"Importance": "high", "Priority": "urgent", "X-Priority": "1 (Highest)"},
        date=WHEN,
        message_id="20261123083000.3412@db-1.example.org",
    )


def log_mail_with_ansi() -> Message:
    """The coloured output of a job: control characters in a text travel as they are."""
    return Message(
        from_="Cron Daemon <root@build.example.org>",
        to="root@example.org",
        subject="Cron <root@build> make -C /srv/site",
        text="\x1b[1;32mok\x1b[0m    index\n\x1b[31mFAIL\x1b[0m\tabout\x07\n 50%\b\b\b100%\n\f\n",
        auto_submitted=AutoSubmitted.GENERATED,
        headers={"X-Cron-Env": "<SHELL=/bin/sh>"},
        date=WHEN,
        message_id="cron.1@build.example.org",
    )


def control_pictures() -> Message:
    """Pictures of control characters, which look dangerous and are letters like others."""
    return Message(
        from_="␀ Null ␛ <null@example.org>",
        to=BOB,
        subject="␍␊ is CRLF, ␀ is NUL, ␛[31m is red",
        text="␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏\n",
        date=WHEN,
        message_id="pictures@example.org",
    )


def delivery_status_text() -> Message:
    """A report on a delivery in words, with the machine's part as a text file."""
    return Message(
        from_="Mail Delivery System <mailer-daemon@example.org>",
        to=ADA,
        subject="Undelivered Mail Returned to Sender",
        text="<nobody@example.com>: host mx.example.com said: 550 5.1.1 No such user\n",
        attachments=[
            Attachment(
                b"Reporting-MTA: dns; mx.example.org\r\n\r\n"
                b"Final-Recipient: rfc822; nobody@example.com\r\n"
                b"Action: failed\r\nStatus: 5.1.1\r\n",
                filename="status.txt",
                content_type="text/plain; charset=us-ascii",
            )
        ],
        auto_submitted=AutoSubmitted.REPLIED,
        in_reply_to="lost@example.org",
        references="lost@example.org",
        date=WHEN,
        message_id="bounce.1@example.org",
    )


def bounce_with_eight_bit_message() -> Message:
    """A message that came back, attached as it was: with octets above 127, which must stay."""
    returned = (
        "From: ada@example.org\r\nTo: nobody@example.com\r\nSubject: Hello\r\n"
        "Message-ID: <lost@example.org>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0100\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
    ).encode()
    return Message(
        from_="Mail Delivery System <mailer-daemon@example.org>",
        to=ADA,
        subject="Undelivered Mail Returned to Sender",
        text="The message below could not be delivered.\n",
        attachments=[Attachment(returned, content_type="message/rfc822")],
        auto_submitted=AutoSubmitted.REPLIED,
        date=WHEN + DAY,
        message_id="bounce.2@example.org",
    )


def _event(method: str, status: str, *lines: str) -> str:
    return "\r\n".join(
        (
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Example//Calendar//EN",
            f"METHOD:{method}",
            "BEGIN:VEVENT",
            "UID:breakfast-1@example.org",
            "DTSTAMP:20261123T083000Z",
            "DTSTART:20261201T080000Z",
            "DTEND:20261201T090000Z",
            "SUMMARY:Frühstück im Café",
            "ORGANIZER;CN=Ada Lovelace:mailto:ada@example.org",
            *lines,
            f"STATUS:{status}",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        )
    )


def invitation() -> Message:
    """An invitation: text, HTML, what calendars read, and the same as a file."""
    attendees = (
        "ATTENDEE;RSVP=TRUE:mailto:bob@example.com",
        "ATTENDEE;RSVP=TRUE:mailto:carol@example.net",
    )
    return Message(
        from_=ADA,
        to=[BOB, CAROL],
        subject="Invitation: Frühstück im Café",
        text="Tuesday, 1 December, 9 o'clock\n",
        html="<p>Tuesday, 1 December, 9 o'clock</p>\n",
        calendar=Calendar(_event("REQUEST", "CONFIRMED", *attendees, "SEQUENCE:0")),
        date=WHEN,
        message_id="invitation.1@example.org",
    )


def cancellation() -> Message:
    """The same called off, without a file."""
    return Message(
        from_=ADA,
        to=[BOB, CAROL],
        subject="Cancelled: Frühstück im Café",
        text="The café has burnt down.\n",
        calendar=Calendar(_event("CANCEL", "CANCELLED", "SEQUENCE:1"), filename=None),
        date=WHEN + DAY,
        message_id="cancellation.1@example.org",
    )


def calendar_reply() -> Message:
    """The answer of one who comes, as calendars send it: no HTML, no file."""
    accepted = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.com"
    return Message(
        from_=BOB,
        to=ADA,
        subject="Accepted: Frühstück im Café",
        text="Bob Baker has accepted this invitation.\n",
        calendar=Calendar(_event("REPLY", "CONFIRMED", accepted), filename=None),
        in_reply_to="invitation.1@example.org",
        date=WHEN,
        message_id="reply.1@example.com",
    )
