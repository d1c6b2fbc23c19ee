"""What is written is sound, and two readers that are not ours understand it as it is meant."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ehlo import Attachment, Mailbox, Message
from support.message_strategies import (
    BODIES,
    DISPLAY_NAMES,
    FILENAMES,
    FILES,
    MAILBOX_LISTS,
    SUBJECTS,
    messages,
)
from support.reader import Group, Leaf, Person, Reading
from support.structure import check

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
# Each example is a message that two programs read, one of them slowly.
some = settings(max_examples=100 if os.environ.get("CI") == "true" else 50)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
Readers = Mapping[str, Callable[[bytes], Reading]]


# --- what is meant --------------------------------------------------------------------------------


def person(mailbox: Mailbox) -> Person:
    local_part = mailbox.address.local_part
    if local_part.startswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return Person(mailbox.name, local_part, mailbox.address.domain)


def group(mailboxes: tuple[Mailbox, ...]) -> tuple[Group, ...]:
    return (Group(None, tuple(map(person, mailboxes))),) if mailboxes else ()


def lines(text: str | None) -> list[str] | None:
    """The lines of a text, whatever ends them, and whether the last one is ended or not."""
    if text is None:
        return None
    return re.split(r"\r\n|\r|\n", re.sub(r"(?:\r\n|\r|\n)\Z", "", text))


def texts(message: Message) -> list[tuple[str, list[str] | None]]:
    found = [("text/plain", message.text), ("text/html", message.html)]
    return [(kind, lines(text)) for kind, text in found if text is not None] or [
        ("text/plain", [""])
    ]


def files(message: Message) -> list[tuple[str, str, str, bytes]]:
    return [
        (file.content_type.partition(";")[0], "attachment", file.filename, file.content)
        for file in message.attachments
    ]


def check_message(readers: Readers, message: Message) -> None:
    """See that a message is sound as it is sent, and means to every reader what it should."""
    octets = message.as_bytes(now=NOW, make_id=lambda: "id")
    check(octets)
    for name, read in readers.items():
        note(f"read by {name}")
        check_reading(message, read(octets))


def check_reading(message: Message, reading: Reading) -> None:
    assert (reading.subject or "") == message.subject
    assert reading.from_ == group(message.from_)
    assert reading.reply_to == group(message.reply_to)
    assert reading.to == group(message.to)
    assert reading.cc == group(message.cc)
    sender = message.sender
    written = () if sender is None or message.from_ == (sender,) else (sender,)
    assert reading.sender == group(written)
    assert reading.extra == {name: value for name, value in message.headers if name[:2] == "X-"}
    check_leaves(message, reading.leaves)


def check_leaves(message: Message, leaves: tuple[Leaf, ...]) -> None:
    expected = texts(message)
    assert [(leaf.kind, lines(leaf.text)) for leaf in leaves[: len(expected)]] == expected
    found = [
        (leaf.kind, leaf.disposition, leaf.filename, leaf.octets)
        for leaf in leaves[len(expected) :]
    ]
    assert found == files(message)


# --- the laws -------------------------------------------------------------------------------------


@some
@given(messages())
def test_a_message_is_sound_and_reads_as_it_was_meant(readers: Readers, message: Message) -> None:
    check_message(readers, message)


@some
@given(SUBJECTS)
def test_a_subject_reads_as_it_was_written(readers: Readers, subject: str) -> None:
    check_message(readers, Message(from_="a@b", subject=subject, headers={"X-Copy": subject}))


@some
@given(MAILBOX_LISTS)
def test_mailboxes_read_as_they_were_written(readers: Readers, people: list[Mailbox]) -> None:
    message = Message(from_="a@b", to=people, cc=people, reply_to=people)
    check_message(readers, message)


@some
@given(st.lists(DISPLAY_NAMES, min_size=1, max_size=3))
def test_names_read_as_they_were_written(readers: Readers, names: list[str]) -> None:
    message = Message(from_="a@b", to=[(name, "c@d.example") for name in names])
    check_message(readers, message)


@some
@given(FILENAMES)
def test_a_file_name_reads_as_it_was_written(readers: Readers, filename: str) -> None:
    file = Attachment(b"\0\xff", filename=filename)
    message = Message(from_="a@b", attachments=[file])
    check_message(readers, message)


@some
@given(st.none() | BODIES, st.none() | BODIES, st.lists(FILES, max_size=3))
def test_bodies_and_files_read_as_they_were_written(
    readers: Readers, text: str | None, html: str | None, attachments: list[Attachment]
) -> None:
    message = Message(from_="a@b", text=text, html=html, attachments=attachments)
    check_message(readers, message)
