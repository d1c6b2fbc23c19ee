"""Messages as values, and as octets in each of their forms."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import override

from ehlo import (
    Alternative,
    Attachment,
    AutoSubmitted,
    Calendar,
    Group,
    InvalidInput,
    Mailbox,
    MailingList,
    Message,
    Resent,
)
from ehlo.commands import Body
from ehlo.message.message import MessageParts
from support.pickling import unpickled

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
LARGE = bytes(range(256)) * 1000
ICS = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
LETTER = Attachment(b"Subject: a\n\nb\n", filename="a.eml")
PARTS: dict[str, Any] = {
    "from_": "Ada <ada@example.org>",
    "to": ["bob@example.org", Group("Team", ["c@example.org"])],
    "cc": "d@example.org",
    "bcc": "e@example.org",
    "reply_to": Group("Nobody"),
    "sender": "s@example.org",
    "subject": "Grüße",
    "text": "plain ü",
    "html": "<p>rich ü",
    "alternatives": [Alternative("# m", content_type="text/markdown")],
    "inline": [Attachment(b"png", content_id="i@x", content_type="image/png")],
    "calendar": Calendar(ICS),
    "attachments": [Attachment(LARGE, filename="a.bin"), LETTER],
    "in_reply_to": "1@x",
    "references": "<0@x> <1@x>",
    "auto_submitted": "auto-replied",
    "disposition_notification_to": "n@example.org",
    "mailing_list": MailingList(id="a.b", help="https://x.org"),
    "resent": Resent(from_="r@example.org", to="t@example.org", date=NOW, message_id="2@x"),
    "headers": {"X-A": "ä"},
    "date": NOW,
    "message_id": "m@example.org",
    "transfer": "BINARYMIME",
}
WHOLE = Message(**PARTS)


def ours(**parts: Any) -> Message:
    return Message(**{"from_": "ada@example.org", **parts})


# --- values ---------------------------------------------------------------------------------------


def test_each_parameter_has_its_part() -> None:
    names = list(inspect.signature(Message.__init__).parameters)[1:]
    assert names == [*PARTS] == [it.name for it in fields(Message)]
    assert names == [*MessageParts.__annotations__]
    assert unpickled(WHOLE) == WHOLE
    assert hash(unpickled(WHOLE)) == hash(WHOLE)
    assert WHOLE.auto_submitted is AutoSubmitted.REPLIED
    assert WHOLE.transfer is Body.BINARY_MIME


@pytest.mark.parametrize("name", PARTS)
def test_each_part_can_be_replaced(name: str) -> None:
    bare = ours(html="x", sender="s@example.org")
    changed = bare.replace(**{name: PARTS[name]})
    assert getattr(changed, name) == getattr(WHOLE, name)
    assert changed.replace(**{name: getattr(bare, name)}) == bare
    assert bare == ours(html="x", sender="s@example.org")
    assert WHOLE.replace(**{name: getattr(WHOLE, name)}) == WHOLE == WHOLE.replace()


def test_what_is_replaced_is_checked() -> None:
    with pytest.raises(InvalidInput, match="needs an author"):
        WHOLE.replace(from_=[])
    with pytest.raises(InvalidInput, match="several authors"):
        ours(from_=["a@b", "c@d"], sender="a@b").replace(sender=None)
    with pytest.raises(InvalidInput, match="there is none"):
        WHOLE.replace(html=None)
    with pytest.raises(InvalidInput, match="In-Reply-To is given twice"):
        WHOLE.replace(headers={"In-Reply-To": "<a@b>"})
    with pytest.raises(TypeError, match="nonsense"):
        WHOLE.replace(nonsense=1)  # type: ignore[call-arg]


def test_a_kind_of_message_stays_one() -> None:
    class Letter(Message):
        __slots__ = ()

    letter = Letter(from_="a@b.org", date=NOW, message_id="1@b")
    assert type(letter.replace(subject="x")) is Letter
    assert type(Letter.from_email(letter.as_email())) is Letter


IMAGE = Attachment(b"", content_id="i@x")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"inline": [IMAGE]}, "inline parts are shown by HTML, and there is none"),
        ({"html": "x", "inline": [Attachment(b"")]}, "needs a content_id"),
        ({"html": "x", "inline": [IMAGE, Attachment(b"x", content_id="<i@x>")]}, "the same"),
        ({"auto_submitted": "maybe"}, "auto-generated"),
        ({"transfer": "9BIT"}, "7BIT"),
        ({"in_reply_to": "x"}, "not a Message-ID"),
        ({"references": ["x"]}, "not a Message-ID"),
        ({"disposition_notification_to": "x"}, "not an address"),
    ],
    ids=str,
)
def test_what_no_message_has_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        ours(**parts)


@pytest.mark.parametrize("name", ["alternatives", "inline", "attachments", "resent"])
def test_one_part_may_come_alone(name: str) -> None:
    one = getattr(WHOLE, name)[0]
    assert getattr(WHOLE.replace(**{name: one}), name) == (one,)
    once: Any = {name: iter([one])}
    assert getattr(WHOLE.replace(**once), name) == (one,)


@pytest.mark.parametrize(
    "name", ["alternatives", "inline", "calendar", "attachments", "mailing_list", "resent"]
)
@pytest.mark.parametrize("value", ["x", [5], [None], 5])
def test_parts_are_of_their_kinds(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        WHOLE.replace(**{name: value})


# --- as it is shown -------------------------------------------------------------------------------


def test_a_message_shows_what_it_has_and_no_text() -> None:
    message = ours(text="secret", html="<b>secret", subject="s", transfer=Body.SEVEN_BIT)
    assert repr(message) == (
        "Message(from_=(Mailbox(address=Address('ada@example.org'), name=''),), subject='s', "
        "text=<6 characters>, html=<9 characters>, transfer=<Body.SEVEN_BIT: '7BIT'>)"
    )
    assert repr(ours(text="")).endswith("text=<0 characters>)")
    assert "plain" not in repr(WHOLE)
    assert [name for name in PARTS if f"{name}=" not in repr(WHOLE)] == []


@pytest.mark.parametrize("count", range(len(fields(Message)) + 1))
def test_a_half_made_message_can_be_shown(count: int) -> None:
    half = object.__new__(Message)
    for field in fields(Message)[:count]:
        object.__setattr__(half, field.name, getattr(WHOLE, field.name))
    assert repr(half).startswith("Message(")


@pytest.mark.parametrize(
    "make",
    [
        lambda value: Attachment(value, filename=value),
        lambda value: Alternative(value, content_type=value),
        lambda value: Calendar(value, method=value),
        lambda value: Group(value, value),
        lambda value: MailingList(id=value, help=value),
        lambda value: Resent(from_=value, to=value),
        lambda value: ours(subject=value),
    ],
    ids=["attachment", "alternative", "calendar", "group", "list", "resent", "message"],
)
@pytest.mark.parametrize("value", [5, "a\0b", [], [5]], ids=str)
def test_what_was_refused_can_be_shown_by_a_report(make: Any, value: Any) -> None:
    with pytest.raises((InvalidInput, TypeError)) as refused:
        make(value)
    traceback = refused.value.__traceback__
    while traceback is not None:
        shown = [repr(found) for found in traceback.tb_frame.f_locals.values()]
        assert all(shown)
        traceback = traceback.tb_next


# --- as octets ------------------------------------------------------------------------------------


class Pieces:
    """Octets that are read while they are sent."""

    def __iter__(self) -> Iterator[bytes]:
        yield LARGE[:100_000]
        yield LARGE[100_000:]


class AsyncPieces:
    """The same, to be awaited."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in Pieces():
            yield piece


SOURCES = {
    "in memory": lambda size: Attachment(LARGE, size=size),
    "read": lambda size: Attachment(Pieces(), size=size),
    "awaited": lambda size: Attachment(AsyncPieces(), size=size),
}


async def awaited(message: Message, **form: Any) -> list[bytes]:
    return [piece async for piece in message.aiter_bytes(**form)]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("transfer", "smtputf8"), [*itertools.product(Body, [False, True])], ids=str
)
def test_size_pieces_and_octets_agree_in_every_form(
    source: str, transfer: Body, smtputf8: bool
) -> None:
    form: dict[str, Any] = {"transfer": transfer, "smtputf8": smtputf8, "make_id": lambda: "id"}
    whole = WHOLE.as_bytes(**form)
    assert WHOLE.size(**form) == len(whole)
    files = [SOURCES[source](len(LARGE)), SOURCES["in memory"](None), LETTER]
    message = WHOLE.replace(attachments=files)
    pieces = asyncio.run(awaited(message, **form))
    assert transfer is Body.BINARY_MIME or max(map(len, pieces)) <= 131_072
    octets = b"".join(pieces)
    assert message.size(**form) == len(octets)
    expected = WHOLE.replace(attachments=[Attachment(LARGE), Attachment(LARGE), LETTER])
    assert octets == expected.as_bytes(**form) == b"".join(expected.iter_bytes(**form))
    if source == "awaited":
        with pytest.raises(InvalidInput, match="must be awaited: use aiter_bytes"):
            message.iter_bytes(**form)
    else:
        assert octets == message.as_bytes(**form)
    assert octets.isascii() is (transfer is Body.SEVEN_BIT and not smtputf8)


def test_small_attachments_are_not_joined_to_a_large_piece() -> None:
    files = [Attachment(bytes(30_000), filename=f"{number}") for number in range(20)]
    message = ours(date=NOW, message_id="1@x", attachments=files)
    pieces = list(message.iter_bytes())
    assert max(map(len, pieces)) <= 131_072
    assert min(map(len, pieces[:-1])) > 60_000
    assert b"".join(pieces) == message.as_bytes()


@pytest.mark.parametrize("transfer", ["7BIT", "8BITMIME", "BINARYMIME"])
def test_a_small_message_is_one_piece(transfer: str) -> None:
    message = ours(text="ü", date=NOW, message_id="1@x", attachments=[Attachment(b"x")])
    assert list(message.iter_bytes(transfer=transfer)) == [message.as_bytes(transfer=transfer)]
    assert asyncio.run(awaited(message, transfer=transfer)) == [message.as_bytes(transfer=transfer)]


def test_the_size_is_not_known_if_that_of_an_attachment_is_not() -> None:
    message = WHOLE.replace(attachments=[Attachment(Pieces()), Attachment(b"x")])
    assert message.size(make_id=lambda: "id") is None


def test_a_wrong_form_is_refused() -> None:
    with pytest.raises(InvalidInput, match="7BIT"):
        WHOLE.as_bytes(transfer="9BIT")


def test_the_same_arguments_give_the_same_octets() -> None:
    bare = WHOLE.replace(date=None, message_id=None)

    def write() -> bytes:
        numbers = itertools.count()
        return bare.as_bytes(now=NOW, make_id=lambda: f"id{next(numbers)}")

    assert (
        write()
        == write()
        == unpickled(bare).as_bytes(now=NOW, make_id=iter(["id0", "id1", "id2"]).__next__)
    )
    assert WHOLE.replace(resent=()).as_bytes() == WHOLE.replace(resent=()).as_bytes()


def test_what_can_be_read_once_is_written_once() -> None:
    message = ours(date=NOW, message_id="1@x", attachments=[Attachment(iter([b"abc"]))])
    assert b"YWJj\r\n" in message.as_bytes()
    for write in (message.as_bytes, message.as_email):
        with pytest.raises(InvalidInput, match="can be read only once, and was"):
            write()


def test_whoever_is_in_a_group_is_a_recipient() -> None:
    assert [one.spec for one in WHOLE.replace(resent=()).envelope().recipients] == [
        *("bob@example.org", "c@example.org", "d@example.org", "e@example.org"),
    ]


@pytest.mark.parametrize(
    ("parts", "needs"),
    [
        ({}, False),
        ({"bcc": "dör@x.org"}, False),
        ({"to": "a@bücher.example"}, False),
        *(({name: "dör@x.org"}, True) for name in ("from_", "to", "cc", "reply_to", "sender")),
        ({"to": Group("T", ["dör@x.org"])}, True),
        ({"disposition_notification_to": "dör@x.org"}, True),
        *(
            ({"resent": Resent(**{"from_": "a@b", name: "dör@x.org"})}, True)  # type: ignore[arg-type]
            for name in ("from_", "to", "cc", "sender")
        ),
        ({"resent": Resent(from_="a@b", bcc="dör@x.org")}, False),
    ],
    ids=repr,
)
def test_an_address_in_the_header_may_need_smtputf8(parts: dict[str, Any], needs: bool) -> None:
    message = ours(**{"date": NOW, "message_id": "1@x", **parts})
    assert message.needs_smtputf8 is needs
    form: dict[str, Any] = {"make_id": lambda: "id", "now": NOW}
    assert ("ö".encode() in message.as_bytes(**form)) is needs
    if needs:
        with pytest.raises(InvalidInput, match="needs SMTPUTF8"):
            message.as_bytes(smtputf8=False, **form)


def test_the_files_of_a_message() -> None:
    assert WHOLE.files == (*WHOLE.attachments, *WHOLE.inline)
    assert ours(attachments=[LETTER]).files == (LETTER,)
    assert [
        ours(**{name: PARTS[name], "html": "x"}).has_parts
        for name in PARTS
        if name not in {"html", "from_"}
    ].count(True) == 4
    assert isinstance(WHOLE.from_[0], Mailbox)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"to": None}, "a list holds several: this is None"),
        ({"to": {"b@x.org": "Bob"}}, "a list holds several: this is dict"),
        ({"from_": None}, "a list holds several: this is None"),
        ({"attachments": None}, "Attachment is wanted here, or a list of them, not None"),
        ({"date": "2024-01-01"}, "a date is a datetime, not str"),
    ],
    ids=str,
)
def test_what_is_not_there_is_left_out(parts: dict[str, Any], why: str) -> None:
    whole: dict[str, Any] = {"from_": "a@x.org", **parts}
    with pytest.raises(TypeError, match=why):
        Message(**whole)


def test_a_message_that_answers_none_may_say_so() -> None:
    message = ours(in_reply_to=None, references=None)
    assert (message.in_reply_to, message.references) == ((), ())


def test_several_addresses_in_one_text_are_refused_with_a_hint() -> None:
    for text in ("a@x.org, b@x.org", "Ada <a@x.org>, Bob <b@x.org>", "a@x.org; b@x.org"):
        with pytest.raises(InvalidInput, match="one text is one mailbox, a list holds several"):
            ours(to=text)
    with pytest.raises(InvalidInput, match=r"bad domain at position 2 of 'a@\*'$"):
        ours(to="a@*")


def test_a_subject_that_only_looks_empty_is_refused() -> None:
    """One that is translated only when it is shown, for example."""

    class Lazy:
        @override
        def __eq__(self, other: object) -> bool:
            return other == ""

        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(TypeError, match="subject"):
        ours(subject=Lazy())
