"""A message that becomes one of the standard library, and comes back, is the same."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ehlo import (
    Alternative,
    Attachment,
    Calendar,
    Group,
    InvalidInput,
    Message,
    Resent,
)
from ehlo.message.encoded_words import decoded_words, encoded_words
from support.hostile import controls_in
from support.message_strategies import DISPLAY_NAMES, FILENAMES, MAILBOXES, SUBJECTS, TEXTS

# A body that is read is a text with lines that all end.
BODIES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=90), max_size=4
).map(lambda lines: "".join(f"{line}\n" for line in lines))
ENTRIES = st.lists(
    MAILBOXES | st.builds(Group, DISPLAY_NAMES.filter(str.strip), st.lists(MAILBOXES, max_size=3)),
    max_size=4,
)
DATES = st.builds(
    lambda date, minutes: date.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes))),
    st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30)),  # noqa: DTZ001 - the zone comes after
    st.integers(-1439, 1439),
)
IDENTIFIERS = st.from_regex(re.compile(r"<[a-z0-9.!#$]{1,30}@[a-z.]{1,30}>"), fullmatch=True)
CONTENT_IDS = st.lists(
    st.from_regex(re.compile(r"[a-z0-9.]{1,9}@[a-z]{1,9}"), fullmatch=True), unique=True, max_size=3
)
# Names have no white space at their ends: readers take it off.
FILES = st.builds(
    lambda content, filename, kind: Attachment(content, filename=filename, content_type=kind),
    st.binary(max_size=300),
    st.none() | FILENAMES.filter(lambda name: name == name.strip()),
    st.sampled_from(["application/pdf", 'a/b; c="d;e"; f=g', "image/png"]),
)
PARTS: dict[str, Any] = {
    "to": ENTRIES,
    "cc": ENTRIES,
    "reply_to": ENTRIES,
    "sender": st.none() | MAILBOXES,
    "subject": SUBJECTS.map(str.strip),
    "html": st.none() | BODIES,
    "alternatives": st.lists(
        st.builds(
            Alternative,
            BODIES,
            content_type=st.sampled_from(["text/markdown; variant=GFM", "text/x-amp-html"]),
        ),
        max_size=2,
    ),
    "calendar": st.none()
    | st.builds(
        lambda text, name: Calendar(f"BEGIN:VCALENDAR\nMETHOD:REPLY\n{text}", filename=name),
        BODIES,
        st.none() | FILENAMES.filter(lambda name: name == name.strip()),
    ),
    "attachments": st.lists(FILES, max_size=3),
    "in_reply_to": st.lists(IDENTIFIERS, max_size=3),
    "references": st.lists(IDENTIFIERS, max_size=9),
    "disposition_notification_to": st.lists(MAILBOXES, max_size=2),
    "resent": st.lists(
        st.builds(Resent, from_=MAILBOXES, to=ENTRIES, date=DATES, message_id=IDENTIFIERS),
        max_size=2,
    ),
    "headers": st.lists(
        st.tuples(st.sampled_from(["X-A", "X-B"]), TEXTS.map(str.strip).filter(bool)), max_size=3
    ),
}


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Draw a message that has a date and an identifier, and a text, as what is read has."""
    parts = draw(st.fixed_dictionaries({}, optional=PARTS))
    sender = parts.get("sender")
    authors: Any = draw(
        MAILBOXES if sender is None else st.lists(MAILBOXES, min_size=1, max_size=3)
    )
    message = Message(
        from_=authors,
        text=draw(BODIES),
        date=draw(DATES),
        message_id=draw(IDENTIFIERS),
        **parts,
    )
    if message.from_ == (message.sender,):  # then it is not written
        message = message.replace(sender=None)
    if message.html is not None:
        images = [Attachment(b"png", content_id=it) for it in draw(CONTENT_IDS)]
        message = message.replace(inline=images)
    return message


@given(messages(), st.sampled_from(["7BIT", "8BITMIME"]), st.booleans(), st.booleans())
def test_a_message_comes_back_as_it_was(
    message: Message, transfer: str, smtputf8: bool, is_modern: bool
) -> None:
    octets = message.as_bytes(make_id=lambda: "id", transfer=transfer, smtputf8=smtputf8)
    reader: Any = policy.default if is_modern else policy.compat32
    again = Message.from_email(message_from_bytes(octets, policy=reader))
    for field in fields(Message):
        assert getattr(again, field.name) == getattr(message, field.name), field.name
    assert again == message
    assert again.as_bytes(make_id=lambda: "id", transfer=transfer, smtputf8=smtputf8) == octets


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(24, 75))
def test_encoded_words_are_decoded(text: str, first: int) -> None:
    assert decoded_words(" ".join(encoded_words(text, first))) == text


FIELDS = st.sampled_from(
    [
        *("From", "To", "Cc", "Bcc", "Sender", "Reply-To", "Subject", "Date", "Message-ID"),
        *("References", "Resent-From", "Resent-To", "Resent-Date", "Errors-To", "List-Id", "X-A"),
        *("Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID"),
    ]
)
VALUES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *("a@b", "<c@d>", "A", '"', ",", ":", ";", "=", "(", "\t", "\r\n ", "x" * 70),
                *("=?utf-8?q?a=2Cb=40c=0A?=", "=?utf-8?b?w7w=?=", "=?x?q?=FF?=", "ü", "\xff"),
                *("multipart/mixed", "boundary=b", "text/plain", "charset=utf-16", "base64"),
                *("message/rfc822", "attachment", "filename*0*=utf-8''%0D", "name=", "method=x"),
                *("Mon, 01 Jan 2024 00:00:00 +0000", "99999999999999999999", "+9999"),
            ]
        ),
        st.text(max_size=5),
    ),
    max_size=6,
).map(" ".join)
LINES = st.lists(
    st.one_of(
        st.tuples(FIELDS, VALUES).map(": ".join),
        st.sampled_from(["", "--b", "--b--", "BEGIN:VCALENDAR", "METHOD:X", "=00", "w7w="]),
    ),
    max_size=14,
)


@given(LINES, st.booleans())
def test_anything_is_read_or_refused_and_is_clean(lines: list[str], is_modern: bool) -> None:  # H1
    source = "\r\n".join(("From: a@b", *lines)).encode("utf-8", "surrogatepass")
    reader: Any = policy.default if is_modern else policy.compat32
    try:
        message = Message.from_email(message_from_bytes(source, policy=reader))
    except InvalidInput:
        return
    assert controls_in(message.subject) == []
    for name, value in message.headers:
        assert controls_in(name + value) == []
    form: dict[str, Any] = {
        "now": datetime(2024, 1, 1, tzinfo=UTC),
        "make_id": lambda: "i",
    }
    octets = message.as_bytes(transfer="8BITMIME", smtputf8=True, **form)
    assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
    again = Message.from_email(message_from_bytes(octets, policy=policy.default))
    assert again.to == message.to
    assert again.subject == message.subject.strip()
