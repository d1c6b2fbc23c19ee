"""The hook on the final octets: `ehlo.Sealed`."""

from __future__ import annotations

import io
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from ehlo import Attachment, Envelope, InvalidInput, Message, Sealed
from ehlo.commands import Body
from ehlo.content import SEVEN_BIT, Form, Formed
from ehlo.message import Outgoing, prepare
from support.outgoing import octets_of, written

NOW = datetime(2024, 2, 29, tzinfo=UTC)
ENVELOPE = Envelope("ada@example.org", "bob@example.com")
MESSAGE = Message(from_="ada@example.org", to="bob@example.com", bcc="eve@x", text="Grüße")


def prepared(message: Any, envelope: Envelope | None = None) -> Outgoing:
    return prepare(message, envelope, now=lambda: NOW, make_id=lambda: "id")


def reversed_lines(octets: bytes) -> bytes:
    return b"X-Lines: 1\r\n" + octets


def signed(octets: bytes) -> bytes:
    return b"Signature: %d\r\n" % len(octets) + octets


def test_seals_see_the_final_octets_one_after_the_other() -> None:  # H9
    seen: list[bytes] = []

    def seal(octets: bytes) -> bytes:
        seen.append(octets)
        return signed(octets)

    outgoing = prepared(Sealed(MESSAGE, reversed_lines, seal))
    octets = octets_of(outgoing)
    (last,) = seen
    assert last == b"X-Lines: 1\r\n" + octets_of(prepared(MESSAGE))
    assert octets == signed(last)
    assert b"Date: " in last
    assert b"Message-ID: <id@example.org>" in last
    assert b"eve" not in last
    assert outgoing.envelope == MESSAGE.envelope()
    assert outgoing.message_id == "<id@example.org>"


def test_a_message_is_sealed_once_for_each_form() -> None:
    calls: list[bytes] = []

    def seal(octets: bytes) -> bytes:
        calls.append(octets)
        return octets

    outgoing = prepared(Sealed(MESSAGE, seal))
    content = outgoing.content
    assert isinstance(content, Formed)
    assert content.most is Body.SEVEN_BIT
    assert content.is_repeatable
    assert written(outgoing, SEVEN_BIT) is written(outgoing, SEVEN_BIT)
    assert len(calls) == 1
    assert calls[0].isascii()
    assert not written(outgoing, Form(smtputf8=True)).octets.isascii() or len(calls) == 2
    assert len(calls) == 2


def test_an_address_beyond_ascii_is_sealed_with_a_header_in_utf8() -> None:
    outgoing = prepared(Sealed(MESSAGE.replace(to="søren@example.com"), signed))
    content = outgoing.content
    assert isinstance(content, Formed)
    assert content.needs_smtputf8
    found = written(outgoing, Form(smtputf8=True))
    assert found.has_utf8_header
    assert "To: søren@example.com\r\n".encode() in found.octets


def test_messages_of_the_standard_library_are_sealed() -> None:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message["To"] = "bob@example.com"
    message.set_content("text\n")
    octets = octets_of(prepared(Sealed(message, signed)))
    assert octets.startswith(b"Signature: ")
    assert b"Message-ID: <id@example.org>\r\n" in octets
    assert "Date" not in message


@pytest.mark.parametrize(
    "given",
    [
        b"Subject: x\n\na\rb",
        bytearray(b"Subject: x\r\n\r\na\nb"),
        io.BytesIO(b"Subject: x\n\na\nb"),
        [b"Subject: x\n", b"\na\nb\n"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_octets_are_sealed_as_lines_that_end_with_crlf(given: Any) -> None:
    seen: list[bytes] = []

    def seal(octets: bytes) -> bytes:
        seen.append(octets)
        return octets

    assert octets_of(prepared(Sealed(given, seal), ENVELOPE)) == b"Subject: x\r\n\r\na\r\nb\r\n"
    assert seen == [b"Subject: x\r\n\r\na\r\nb\r\n"]


def test_attachments_are_read_to_be_sealed() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a" * 300_000

    message = MESSAGE.replace(attachments=[Attachment(pieces(), filename="a")])
    octets = octets_of(prepared(Sealed(message, signed)))
    assert len(octets) > 400_000


def test_a_sealed_message_can_be_sealed() -> None:
    twice = Sealed(Sealed(MESSAGE, reversed_lines), signed)
    once = Sealed(MESSAGE, reversed_lines, signed)
    assert octets_of(prepared(twice)) == octets_of(prepared(once))


def test_what_must_be_awaited_cannot_be_sealed() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b""  # pragma: no cover - never read

    for message in (MESSAGE.replace(attachments=Attachment(pieces(), filename="a")), pieces()):
        with pytest.raises(InvalidInput, match="cannot have async content"):
            prepared(Sealed(message, signed), ENVELOPE)


def test_what_a_seal_raises_says_that_nothing_was_sent() -> None:
    def seal(octets: bytes) -> bytes:
        raise OSError(f"no key for {len(octets)} octets")

    with pytest.raises(InvalidInput, match=r"was not sent: OSError\('no key") as caught:
        octets_of(prepared(Sealed(MESSAGE, seal)))
    assert isinstance(caught.value.__cause__, OSError)

    def refuse(_: bytes) -> bytes:
        raise InvalidInput("not this one")

    with pytest.raises(InvalidInput, match=r"^not this one$"):
        octets_of(prepared(Sealed(MESSAGE, refuse)))


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "it is empty"),
        (b"\r\n", "it is empty"),
        (b"a\0", "holds a NUL"),
        (b"a" * 999, "is longer than 998 octets"),
    ],
)
def test_what_a_seal_returns_is_a_message(octets: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        octets_of(prepared(Sealed(MESSAGE, lambda _: octets)))


@pytest.mark.parametrize("wrong", [None, "text", bytearray(b"x")])
def test_a_seal_returns_octets(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="a seal returns octets, not "):
        octets_of(prepared(Sealed(MESSAGE, lambda _: wrong)))


def test_a_seal_is_a_function_and_there_is_one() -> None:
    anything: Any = Sealed
    with pytest.raises(InvalidInput, match="needs a seal"):
        Sealed(MESSAGE)
    with pytest.raises(TypeError, match="a seal is a function of octets, not str") as caught:
        anything(MESSAGE, "key")
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not [
        text
        for frame in report.stack
        for text in (frame.locals or {}).values()
        if "repr() failed" in text
    ]


def test_sealed_messages_are_values() -> None:
    sealed = Sealed(MESSAGE, signed)
    assert sealed == Sealed(MESSAGE, signed)
    assert sealed != Sealed(MESSAGE, reversed_lines)
    assert repr(sealed).startswith("Sealed(Message(from_=(Mailbox(")
    assert "signed" in repr(sealed)
