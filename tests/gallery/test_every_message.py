"""What holds of every message of the gallery, in every form it can be had in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any

import pytest

from ehlo import Attachment, Calendar, InvalidInput, Message, Resent
from ehlo.commands import Body
from ehlo.message.sources import Source
from gallery import GALLERY, LARGE
from gallery.basics import make_id
from gallery.showing import TRANSFERS
from support.reader import PerlReader, read_by_email
from support.structure import check

FORMS = tuple(product(Body, (False, True)))
EVERY = [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in GALLERY]
every_message = pytest.mark.parametrize("name", EVERY)
every_small_message = pytest.mark.parametrize("name", [it for it in GALLERY if it not in LARGE])
every_form = pytest.mark.parametrize(("transfer", "smtputf8"), FORMS)

NOT_IN_SEVEN_BIT = {"bounce_with_eight_bit_message"}
"""An attached message may not be encoded (RFC 2046 section 5.2.1)."""
WITH_SMTPUTF8_ALONE = {"international_addresses"}
"""A local part has no form in ASCII (RFC 6532)."""


def can_be_had(name: str, transfer: Body, smtputf8: bool) -> bool:
    return (transfer is not Body.SEVEN_BIT or name not in NOT_IN_SEVEN_BIT) and (
        smtputf8 or name not in WITH_SMTPUTF8_ALONE
    )


def forms_of(name: str) -> Iterator[dict[str, Any]]:
    for transfer, smtputf8 in FORMS:
        if can_be_had(name, transfer, smtputf8):
            yield {"transfer": transfer, "smtputf8": smtputf8, "make_id": make_id}


@every_message
@every_form
def test_its_structure_is_sound(name: str, transfer: Body, smtputf8: bool) -> None:
    message = GALLERY[name]()
    if can_be_had(name, transfer, smtputf8):
        octets = message.as_bytes(make_id=make_id, transfer=transfer, smtputf8=smtputf8)
        check(octets, transfer=TRANSFERS[transfer], utf8_header=smtputf8)
    else:
        with pytest.raises(InvalidInput):
            message.as_bytes(make_id=make_id, transfer=transfer, smtputf8=smtputf8)


@every_small_message
def test_two_readers_understand_the_same(name: str, perl_reader: PerlReader) -> None:
    """And it is the subject that was given."""
    message = GALLERY[name]()
    if name in WITH_SMTPUTF8_ALONE:
        return  # Perl's reader knows no header in UTF-8
    octets = message.as_bytes(**next(forms_of(name)))
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
    for form in islice(forms_of(name), 1 if name in LARGE else None):
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

CHANGED: dict[str, dict[str, Any]] = {
    "one_click_newsletter": {"headers": "the name of the list is left as it is encoded"},
    "idn_domain": {
        "from_": "a domain in A-labels stays that",
        "to": "likewise",
    },
    "contact_card": {"attachments": "a text without a charset is sent with one"},
}
"""What comes back as something else, and why."""


def all_octets(attachment: Attachment) -> Attachment:
    """Return an attachment with its octets in memory; a message in it has CRLF (RFC 2046)."""
    source = attachment.source
    octets = source if isinstance(source, bytes) else b"".join(pieces(source))
    is_message = attachment.content_type == "message/rfc822"
    return Attachment(
        octets.replace(b"\r\n", b"\n") if is_message else octets,
        filename=attachment.filename,
        content_type=attachment.content_type,
        content_id=attachment.content_id,
    )


def pieces(source: Source) -> Iterator[bytes]:
    found = source.begin()
    assert isinstance(found, Iterator)
    yield from map(bytes, found)


def in_lines(text: str | None) -> str | None:
    """Return a text as it travels: every line is ended."""
    return f"{text}\n" if text and not text.endswith("\n") else text


def in_line_feeds(calendar: Calendar | None) -> Calendar | None:
    if calendar is None:
        return None
    return Calendar(calendar.text.replace("\r\n", "\n"), filename=calendar.filename)


def without_bcc(message: Message) -> list[Resent]:
    names = ("from_", "to", "cc", "sender", "date", "message_id")
    return [Resent(**{name: getattr(it, name) for name in names}) for it in message.resent]


def as_fields(message: Message) -> list[tuple[str, str]]:
    """Return the fields that come back as fields, and not as the parts they were given as."""
    found = [] if message.auto_submitted is None else [f"Auto-Submitted: {message.auto_submitted}"]
    if message.mailing_list is not None:
        found += message.mailing_list.fields(utf8=True)
    pairs = (field.replace("\r\n", "").partition(": ") for field in found)
    return [*((name, value) for name, _, value in pairs), *message.headers]


NORMAL: dict[str, Callable[[Message], Any]] = {
    "bcc": lambda _: (),  # is never written
    "text": lambda it: "" if it.text is None and it.html is None else in_lines(it.text),
    "html": lambda it: in_lines(it.html),
    "inline": lambda it: [all_octets(part) for part in it.inline],
    "attachments": lambda it: [all_octets(part) for part in it.attachments],
    "calendar": lambda it: in_line_feeds(it.calendar),
    "resent": without_bcc,
    "auto_submitted": lambda _: None,
    "mailing_list": lambda _: None,
    "headers": as_fields,
}
"""Parts that come back in another form than they may have been given in."""


def parts_of(name: str, message: Message) -> dict[str, Any]:
    found = {field.name: getattr(message, field.name) for field in dataclasses.fields(Message)}
    found |= {part: normal(message) for part, normal in NORMAL.items()}
    return {part: found[part] for part in found if part not in CHANGED.get(name, ())}


@every_small_message
def test_it_comes_back_from_the_standard_library(name: str) -> None:
    message = GALLERY[name]()
    again = Message.from_email(message.as_email(make_id=make_id))
    assert parts_of(name, again) == parts_of(name, message)
    for part in CHANGED.get(name, ()):  # or else it need not be named there
        assert getattr(again, part) != getattr(message, part)


@every_small_message
def test_what_comes_back_is_written_as_before(name: str) -> None:
    message = GALLERY[name]()
    again = Message.from_email(message.as_email(make_id=make_id))
    for form in forms_of(name):
        if name in CHANGED and form["smtputf8"]:  # in UTF-8 they are not what they were
            continue
        assert again.as_bytes(**form) == message.as_bytes(**form)
