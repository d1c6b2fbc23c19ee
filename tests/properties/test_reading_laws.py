"""What is written is sound, and two readers that are not ours understand it as it is meant."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import groupby

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import ehlo
from ehlo import Attachment, Mailbox, Message
from support.message_strategies import (
    BODIES,
    DISPLAY_NAMES,
    FILENAMES,
    FILES,
    GROUPS,
    INLINE,
    MAILBOX_LISTS,
    MAILBOXES,
    SUBJECTS,
    messages,
)
from support.reader import Group, Leaf, Person, Reading, read_by_email
from support.structure import check

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
# Each example is a message that two programs read, one of them slowly.
some = settings(max_examples=100 if os.environ.get("CI") == "true" else 50)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
Readers = Mapping[str, Callable[[bytes], Reading]]
File = tuple[str, str | None, str | None, str | None, bytes | None]


# --- what is meant --------------------------------------------------------------------------------


def person(mailbox: Mailbox) -> Person:
    local_part = mailbox.address.local_part
    if local_part.startswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return Person(mailbox.name, local_part, mailbox.address.domain)


def groups(entries: tuple[Mailbox | ehlo.Group, ...]) -> tuple[Group, ...]:
    """What is in a group, and what is in none: runs of the latter are one without a name."""
    found: list[Group] = []
    for is_group, run in groupby(entries, lambda it: isinstance(it, ehlo.Group)):
        if is_group:
            named = [it for it in run if isinstance(it, ehlo.Group)]
            found += [Group(it.name, tuple(map(person, it.mailboxes))) for it in named]
        else:
            found.append(Group(None, tuple(person(it) for it in run if isinstance(it, Mailbox))))
    return tuple(found)


def lines(text: str | None) -> list[str] | None:
    """The lines of a text, whatever ends them, and whether the last one is ended or not."""
    if text is None:
        return None
    return re.split(r"\r\n|\r|\n", re.sub(r"(?:\r\n|\r|\n)\Z", "", text))


def texts(message: Message) -> list[tuple[str, list[str] | None]]:
    """What a reader may show, the simplest first, with the inline parts left out."""
    others = [(other.content_type.partition(";")[0], other.text) for other in message.alternatives]
    found = [("text/plain", message.text), *others, ("text/html", message.html)]
    if message.calendar is not None:
        found.append(("text/calendar", message.calendar.text))
    return [(kind, lines(text)) for kind, text in found if text is not None] or [
        ("text/plain", [""])
    ]


def files(message: Message) -> list[File]:
    found = [
        *[(file, "inline") for file in message.inline],
        *[(file, "attachment") for file in message.attachments],
    ]
    return [
        (
            file.content_type.partition(";")[0],
            disposition,
            file.filename,
            None if file.content_id is None else f"<{file.content_id}>",
            file.content,
        )
        for file, disposition in found
    ]


def trees(message: Message) -> list[tuple[str, ...]]:
    """In which multiparts each leaf is, from the outside: the table of the documentation."""
    calendar, shown = message.calendar, texts(message)
    has_file = calendar is not None and calendar.filename is not None
    attached = len(message.attachments) + has_file
    mixed = ("multipart/mixed",) if attached else ()
    several = ("multipart/alternative",) if len(shown) > 1 else ()
    found: list[tuple[str, ...]] = []
    for kind, _ in shown:
        if kind == "text/html" and message.inline:
            found += [(*mixed, *several, "multipart/related")] * (1 + len(message.inline))
        else:
            found.append((*mixed, *several))
    return found + [mixed] * attached


def check_message(readers: Readers, message: Message) -> None:
    """See that a message is sound as it is sent, and means to every reader what it should."""
    octets = message.as_bytes(now=NOW, make_id=lambda: "id")
    check(octets)
    assert message.size(now=NOW, make_id=lambda: "id") == len(octets)
    for name, read in readers.items():
        note(f"read by {name}")
        check_reading(message, read(octets))


def check_reading(message: Message, reading: Reading) -> None:
    assert (reading.subject or "") == message.subject
    assert reading.from_ == groups(message.from_)
    assert reading.reply_to == groups(message.reply_to)
    assert reading.to == groups(message.to)
    assert reading.cc == groups(message.cc)
    sender = message.sender
    written = () if sender is None or message.from_ == (sender,) else (sender,)
    assert reading.sender == groups(written)
    assert reading.extra == {name: value for name, value in message.headers if name[:2] == "X-"}
    check_leaves(message, reading.leaves)


def check_leaves(message: Message, leaves: tuple[Leaf, ...]) -> None:
    calendar, dispositions = message.calendar, ("inline", "attachment")
    shown = [leaf for leaf in leaves if leaf.disposition not in dispositions]
    assert [(leaf.kind, lines(leaf.text)) for leaf in shown] == texts(message)
    found: list[File] = [
        (leaf.kind, leaf.disposition, leaf.filename, leaf.content_id, leaf.octets)
        for leaf in leaves
        if leaf.disposition in dispositions
    ]
    if calendar is not None and calendar.filename is not None:
        kind, disposition, filename, _, octets = found.pop()
        assert (kind, disposition) == ("application/ics", "attachment")
        assert filename == calendar.filename
        assert lines(octets.decode() if octets else "") == lines(calendar.text)
    assert found == files(message)
    assert [leaf.within for leaf in leaves] == trees(message)


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
@given(st.lists(GROUPS | MAILBOXES, min_size=1, max_size=4))
def test_groups_read_as_they_were_written(
    readers: Readers, entries: list[Mailbox | ehlo.Group]
) -> None:
    check_message(readers, Message(from_="a@b", to=entries, cc=entries))


@some
@given(messages(html=BODIES, inline=INLINE), st.sampled_from(["8BITMIME", "BINARYMIME"]))
def test_every_form_reads_as_it_was_meant(
    readers: Readers, message: Message, transfer: str
) -> None:
    octets = message.as_bytes(now=NOW, make_id=lambda: "id", transfer=transfer)
    check(octets, transfer="8bit" if transfer == "8BITMIME" else "binary")
    for name, read in readers.items():
        # Email::MIME takes the CR that ends binary content and the CRLF behind it for a line end
        if (transfer, name) != ("BINARYMIME", "Email::MIME"):
            note(f"read by {name}")
            check_reading(message, read(octets))


@some
@given(messages())
def test_a_header_in_utf8_reads_as_it_was_meant(message: Message) -> None:
    octets = message.as_bytes(now=NOW, make_id=lambda: "id", smtputf8=True)
    check(octets, utf8_header=True)
    check_reading(message, read_by_email(octets))


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
