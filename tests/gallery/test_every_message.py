"""What holds of every message of the gallery, in every form it can be had in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from ehlo import Attachment, Calendar, InvalidInput, MailingList, Message
from ehlo.commands import Body
from ehlo.message.sources import Source
from gallery import GALLERY, LARGE
from gallery.basics import make_id
from gallery.showing import TRANSFERS
from support.reader import PerlReader, read_by_email
from support.structure import check

FORMS = tuple(product(Body, (False, True)))
EVERY = [
    pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in GALLERY
]
every_message = pytest.mark.parametrize("name", EVERY)
every_form = pytest.mark.parametrize(("body", "smtputf8"), FORMS)

NOT_IN_SEVEN_BIT = {"bounce_with_eight_bit_message"}
"""An attached message may not be encoded (RFC 2046 section 5.2.1)."""
WITH_SMTPUTF8_ALONE = {"international_addresses"}
"""A local part has no form in ASCII (RFC 6532)."""


def can_be_had(name: str, body: Body, smtputf8: bool) -> bool:
    return (body is not Body.SEVEN_BIT or name not in NOT_IN_SEVEN_BIT) and (
        smtputf8 or name not in WITH_SMTPUTF8_ALONE
    )


def forms_of(name: str) -> Iterator[dict[str, Any]]:
    for body, smtputf8 in FORMS:
        if can_be_had(name, body, smtputf8):
            yield {"body": body, "smtputf8": smtputf8, "make_id": make_id}


@every_message
@every_form
def test_its_structure_is_sound(name: str, body: Body, smtputf8: bool) -> None:
    message = GALLERY[name]()
    if can_be_had(name, body, smtputf8):
        octets = message.as_bytes(make_id=make_id, body=body, smtputf8=smtputf8)
        check(octets, transfer=TRANSFERS[body], utf8_header=smtputf8)
    else:
        with pytest.raises(InvalidInput):
            message.as_bytes(make_id=make_id, body=body, smtputf8=smtputf8)


@every_message
def test_two_readers_understand_the_same(name: str, perl_reader: PerlReader) -> None:
    """And they find the subject and the names that were given."""
    message = GALLERY[name]()
    form = next(forms_of(name))
    if message.needs_smtputf8:
        pytest.skip("Perl's reader knows no header in UTF-8")
    octets = message.as_bytes(**form)
    reading = read_by_email(octets)
    found = perl_reader.read(octets)
    assert found.leaves == reading.leaves
    assert (found.subject, found.from_, found.to, found.cc, found.sender, found.reply_to) == (
        *(reading.subject, reading.from_, reading.to, reading.cc, reading.sender),
        reading.reply_to,
    )
    assert (reading.subject or "") == message.subject


@every_message
def test_its_size_is_known_and_its_pieces_are_its_octets(name: str) -> None:
    message = GALLERY[name]()
    for form in forms_of(name):
        octets = message.as_bytes(**form)
        assert message.size(**form) == len(octets)
        assert b"".join(message.iter_bytes(**form)) == octets


@every_message
def test_it_is_the_same_each_time_it_is_made(name: str) -> None:
    for form in forms_of(name):
        assert GALLERY[name]().as_bytes(**form) == GALLERY[name]().as_bytes(**form)


@every_message
def test_replacing_nothing_changes_nothing(name: str) -> None:
    message = GALLERY[name]()
    same = message.replace()
    assert same == message
    form = next(forms_of(name))
    assert same.as_bytes(**form) == message.as_bytes(**form)


@every_message
def test_replacing_the_subject_changes_the_subject_alone(name: str) -> None:
    message = GALLERY[name]().replace(subject="One")
    form = next(forms_of(name))
    octets = message.as_bytes(**form)
    assert octets.count(b"Subject: One\r\n") == 1
    other = message.replace(subject="Another").as_bytes(**form)
    assert other == octets.replace(b"Subject: One\r\n", b"Subject: Another\r\n", 1)


# --- to the standard library, and back ------------------------------------------------------------

WHY_NOT: dict[str, str] = {
    "bounce_with_eight_bit_message": "has no 7-bit form, and as_email asks for one",
}
"""Messages that do not come back, and why."""


def all_octets(attachment: Attachment) -> Attachment:
    """Return an attachment with its octets in memory, and its type without the quotes."""
    source = attachment.source
    octets = source if isinstance(source, bytes) else b"".join(pieces(source))
    return Attachment(
        octets,
        filename=attachment.filename,
        content_type=attachment.content_type.replace('"', ""),
        content_id=attachment.content_id,
    )


def pieces(source: Source) -> Iterator[bytes]:
    found = source.begin()
    assert isinstance(found, Iterator)
    yield from map(bytes, found)


def in_lines(text: str | None) -> str | None:
    """Return a text as it travels: every line is ended."""
    return f"{text}\n" if text and not text.endswith("\n") else text


def as_fields(message: Message) -> list[tuple[str, str]]:
    """Return the fields that come back as what they are, and not as parts of a message."""
    fields = message.mailing_list.fields(utf8=True) if message.mailing_list else ()
    pairs = [field.replace("\r\n", "").split(": ", 1) for field in fields]
    automatic = [("Auto-Submitted", str(message.auto_submitted))] if message.auto_submitted else []
    return [*automatic, *((name, value) for name, value in pairs), *message.headers]


NORMAL: dict[str, Callable[[Message], Any]] = {
    "bcc": lambda _: (),  # is never written
    "text": lambda message: in_lines(message.text) or ("" if message.html is None else None),
    "html": lambda message: in_lines(message.html),
    "inline": lambda message: tuple(map(all_octets, message.inline)),
    "attachments": lambda message: tuple(map(all_octets, message.attachments)),
    "calendar": lambda message: in_line_feeds(message.calendar),
    "resent": lambda message: tuple(without_bcc(message)),
    "auto_submitted": lambda _: None,
    "mailing_list": lambda _: None,
    "headers": as_fields,
}
"""The parts that come back in another form than they may have been given in."""


def in_line_feeds(calendar: Calendar | None) -> Calendar | None:
    if calendar is None:
        return None
    return Calendar(calendar.text.replace("\r\n", "\n"), filename=calendar.filename)


def without_bcc(message: Message) -> Iterator[Any]:
    for it in message.resent:
        names = ("from_", "to", "cc", "sender", "date", "message_id")
        yield type(it)(**{name: getattr(it, name) for name in names})


def parts_of(message: Message) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(Message)]
    return {name: NORMAL.get(name, lambda it, n=name: getattr(it, n))(message) for name in names}


@every_message
def test_it_comes_back_from_the_standard_library(name: str) -> None:
    message = GALLERY[name]()
    if name in WHY_NOT:
        with pytest.raises(InvalidInput):
            message.as_email(make_id=make_id)
        return
    again = Message.from_email(message.as_email(make_id=make_id))
    assert parts_of(again) == parts_of(message)
    assert isinstance(message.mailing_list, MailingList | None)


@every_message
def test_what_comes_back_is_written_as_before(name: str) -> None:
    if name in WHY_NOT:
        pytest.skip(WHY_NOT[name])
    message = GALLERY[name]()
    again = Message.from_email(message.as_email(make_id=make_id))
    for form in forms_of(name):
        assert again.as_bytes(**form) == message.as_bytes(**form)
