"""Texts that are hard on transports."""

from __future__ import annotations

from ehlo import Message
from gallery.basics import ADA, BOB, WHEN

__all__ = [
    "empty_message",
    "from_lines",
    "lone_dots",
    "long_url_in_text",
    "one_time_code",
    "smtp_in_text",
    "very_long_lines",
]


def empty_message() -> Message:
    """Nothing: no subject, no text."""
    return Message(from_=ADA, to=BOB, date=WHEN, message_id="empty@example.org")


def one_time_code() -> Message:
    """One short line without an end."""
    return Message(
        from_="Example <code@example.org>",
        to=BOB,
        subject="123456 is your code",
        text="123456",
        date=WHEN,
        message_id="code.1@example.org",
    )


def lone_dots() -> Message:
    """Lines that look like the end of the content, or like dots that were added."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="...",
        text=".\n..\n.a\n\n.\n\n... --- ...\n.",
        date=WHEN,
        message_id="dots@example.org",
    )


def from_lines() -> Message:
    """Lines that mailboxes of the mbox kind take for the beginning of a message."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="From here to there",
        text="From here\n>From there\n\nFrom ada@example.org Mon Nov 23 09:30:00 2026\nFrom: me\n",
        date=WHEN,
        message_id="from@example.org",
    )


def smtp_in_text() -> Message:
    """A dialogue, quoted, with lines that look like boundaries."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="How to smuggle",
        text=(
            "DATA\n.\nMAIL FROM:<eve@example.org>\nRCPT TO:<bob@example.com>\nBDAT 5 LAST\n"
            "--=_1_7f3a\n--=_1_7f3a--\n--=_2_7f3a\nQUIT\n"
        ),
        html="<pre>\n--=_1_7f3a\n--=_1_7f3a--\n</pre>\n",
        date=WHEN,
        message_id="smuggle@example.org",
    )


def very_long_lines() -> Message:
    """Lines at the limit of 998 octets and beyond it, words of letters that take several."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="w" * 400 + " " + "ü" * 400,
        text="\n".join(("x" * 998, "y" * 999, "z" * 5_000, "ä" * 700, "word " * 1_000)),
        date=WHEN,
        message_id="long@example.org",
    )


def long_url_in_text() -> Message:
    """A link longer than a line; it has to come out in one piece."""
    query = "&".join(f"utm_{number}=3D%20{number}" for number in range(30))
    return Message(
        from_=ADA,
        to=BOB,
        subject=f"https://example.org/{'path/' * 20}",
        text=f"Größe: https://example.org/?{query}\n",
        date=WHEN,
        message_id="url@example.org",
    )
