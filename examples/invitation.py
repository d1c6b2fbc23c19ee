"""Invite people to an event, and cancel it: iCalendar (RFC 5545) by mail (RFC 6047).

Run it with a server's URL: `python invitation.py smtp://localhost:2525`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import ehlo

LINE_MAX = 75  # octets of a line (RFC 5545 section 3.1)


@dataclass(frozen=True)
class Event:
    """What people are invited to."""

    uid: str
    summary: str
    location: str
    start: datetime
    length: timedelta
    organizer: ehlo.Mailbox
    guests: tuple[ehlo.Mailbox, ...]
    sequence: int = 0


def folded(line: str) -> str:
    """Cut a line into lines of at most 75 octets, between characters."""
    lines, room = [""], LINE_MAX
    for character in line:
        octets = len(character.encode())
        if octets > room:
            lines.append(" ")
            room = LINE_MAX - 1
        lines[-1] += character
        room -= octets
    return "\n".join(lines)


def text(value: str) -> str:
    """Escape a text (RFC 5545 section 3.3.11)."""
    for special in "\\;,":
        value = value.replace(special, f"\\{special}")
    return value.replace("\n", "\\n")


def person(mailbox: ehlo.Mailbox) -> str:
    """Write a name and an address as parameter and value; a name has no quotes in it."""
    name = mailbox.name.replace('"', "'") or str(mailbox.address)
    return f'CN="{name}":mailto:{mailbox.address}'


def stamp(moment: datetime) -> str:
    """Write a date in UTC."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def calendar(event: Event, method: str, now: datetime) -> ehlo.Calendar:
    """Write the iCalendar object."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example.org//Invitation//EN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{event.uid}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTAMP:{stamp(now)}",
        f"DTSTART:{stamp(event.start)}",
        f"DTEND:{stamp(event.start + event.length)}",
        f"SUMMARY:{text(event.summary)}",
        f"LOCATION:{text(event.location)}",
        f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}",
        f"ORGANIZER;{person(event.organizer)}",
        *(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;{person(it)}" for it in event.guests),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return ehlo.Calendar("".join(f"{folded(line)}\n" for line in lines))


def invitation(event: Event, method: str, now: datetime) -> ehlo.Message:
    """Write the message around it, for readers without a calendar as well."""
    word = "Cancelled" if method == "CANCEL" else "Invitation"
    when = f"{event.start:%A, %d %B %Y, %H:%M %Z}"
    return ehlo.Message(
        from_=event.organizer,
        to=event.guests,
        subject=f"{word}: {event.summary}, {when}",
        text=f"{word}: {event.summary}\nWhen: {when}\nWhere: {event.location}\n",
        calendar=calendar(event, method, now),
    )


def main(url: str) -> None:
    """Invite two people, and think better of it."""
    now = datetime.now(UTC)
    event = Event(
        uid="4f1a-lunch@example.org",
        summary="Lunch, and cake",
        location="The usual place; round the corner, on the terrace if the weather is fine ☀",
        start=datetime(2026, 6, 5, 12, tzinfo=UTC),
        length=timedelta(hours=1),
        organizer=ehlo.Mailbox.parse("Ada Lovelace <ada@example.org>"),
        guests=(
            ehlo.Mailbox.parse("Bob <bob@example.com>"),
            ehlo.Mailbox.parse("carol@example.com"),
        ),
    )
    with ehlo.blocking.connect(url) as session:
        receipt = session.send(invitation(event, "REQUEST", now))
        print(f"invited: {receipt.reply}")
        cancelled = replace(event, sequence=event.sequence + 1)
        receipt = session.send(invitation(cancelled, "CANCEL", now))
        print(f"cancelled: {receipt.reply}")


if __name__ == "__main__":
    main(sys.argv[1])
