"""What is made ready to be sent: `ehlo.message.prepare`, and content that others have made."""

from __future__ import annotations

import email.message
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ehlo import Envelope, InvalidInput, Message
from ehlo.message import prepare
from ehlo.message.octets import has_long_line, message_id_of, why_not_text
from support.outgoing import in_memory, octets_of
from support.pickling import unpickled

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
ENVELOPE = Envelope("ada@example.org", "bob@example.com")
CONTENT = b"Message-ID: <1@example.org>\r\n\r\n.text\r\n"
UUML = "\u00fc"


def now() -> datetime:
    return NOW


def make_id() -> str:
    return "unique"


def not_asked() -> Any:
    pytest.fail("nothing is missing")


# --- messages of ours -----------------------------------------------------------------------------


def test_a_message_brings_its_own_envelope() -> None:
    message = Message(from_="a@x", to="b@x", bcc="c@x", text=UUML)
    outgoing = prepare(message, now=now, make_id=make_id)
    assert outgoing.envelope == message.envelope()
    assert octets_of(outgoing) == message.as_bytes(now=NOW, make_id=make_id)
    assert outgoing.message_id == "<unique@x>"
    assert in_memory(outgoing).is_eight_bit is False


def test_an_envelope_that_is_given_is_taken() -> None:
    for message in (
        Message(from_="a@x", to="b@x"),
        Message(from_="a@x"),
        Message(from_="a@x", bcc="b@x"),
    ):
        assert prepare(message, ENVELOPE, now=now, make_id=make_id).envelope is ENVELOPE


def test_a_message_to_nobody_is_refused() -> None:  # H4
    with pytest.raises(InvalidInput, match="recipient"):
        prepare(Message(from_="a@x"), now=not_asked, make_id=not_asked)


def test_nothing_is_asked_for_that_is_there() -> None:
    message = Message(from_="a@x", to="b@x", date=NOW, message_id="1@x")
    outgoing = prepare(message, now=not_asked, make_id=not_asked)
    assert outgoing.message_id == "<1@x>"
    assert b"Date: Thu, 29 Feb 2024 12:30:05 +0000\r\n" in octets_of(outgoing)


def test_each_sending_gets_an_identifier_of_its_own() -> None:
    left = iter("abcd")
    message = Message(from_="a@x", to="b@x", text="", html="")
    ids = [prepare(message, now=now, make_id=lambda: next(left)).message_id for _ in range(2)]
    assert ids == ["<a@x>", "<b@x>"]


# --- octets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [bytes, bytearray, memoryview])
def test_octets_are_passed_on_as_they_are(made: Callable[[bytes], Any]) -> None:
    given_octets = made(CONTENT)
    outgoing = prepare(given_octets, ENVELOPE, now=not_asked, make_id=not_asked)
    assert type(octets_of(outgoing)) is bytes
    assert octets_of(outgoing) == CONTENT
    assert outgoing.envelope is ENVELOPE
    assert outgoing.message_id == "<1@example.org>"
    assert in_memory(outgoing).is_eight_bit is False
    assert bytes(given_octets) == CONTENT


def test_octets_that_change_later_do_not_change_the_message() -> None:
    octets = bytearray(CONTENT)
    outgoing = prepare(octets, ENVELOPE, now=now, make_id=make_id)
    octets[:] = b"\0" * len(octets)
    assert octets_of(outgoing) == CONTENT


@pytest.mark.parametrize(
    "content",
    [b"", b"\r", b"\n.\r\n", b"a\rb\nc\r\nd", b"\x1a\x0b\x0c\x7f", b"Bcc: c@x\r\n\r\n", b"x" * 998],
)
def test_octets_may_have_any_line_ends_and_no_header(content: bytes) -> None:  # D4
    outgoing = prepare(content, ENVELOPE, now=not_asked, make_id=not_asked)
    assert (octets_of(outgoing), outgoing.message_id) == (content, None)


def test_octets_above_127_are_noticed() -> None:  # E3
    assert in_memory(prepare(b"\x80", ENVELOPE, now=now, make_id=make_id)).is_eight_bit is True


def test_octets_need_an_envelope() -> None:
    with pytest.raises(InvalidInput, match="pass an envelope"):
        prepare(CONTENT, now=now, make_id=make_id)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0", "line 1 of the message holds a NUL"),
        (b"a\r\nb\rc\nd\0", "line 4 of the message holds a NUL"),
        (b"x" * 999, "line 1 of the message is longer than 998 octets"),
        (b"a\r\n\r\n" + b"x" * 999 + b"\r\n", "line 3 of the message is longer"),
        (b"x" * 999 + b"\0", "line 1 of the message holds a NUL"),
        (b"\xc3\xbc" * 499 + b"x", "line 1 of the message is longer"),
    ],
)
def test_content_that_no_server_has_to_take_says_why(content: bytes, why: str) -> None:  # D2 D3
    """Whether the server at hand takes it all the same (BINARYMIME) is found out later."""
    assert why_not_text(content).startswith(why)
    outgoing = prepare(content, ENVELOPE, now=not_asked, make_id=not_asked)
    assert in_memory(outgoing).not_text == why_not_text(content)


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r"])
@pytest.mark.parametrize("length", [997, 998, 999, 1000])
@pytest.mark.parametrize("before", [0, 1, 2, 500, 997, 998])
def test_a_line_has_998_octets_whatever_ends_it(end: bytes, length: int, before: int) -> None:  # D3
    content = b"y" * before + end + b"x" * length + end + b"z"
    assert has_long_line(content) is (length > 998)
    assert has_long_line(content.rstrip(b"z")) is (length > 998)


def longest_line(content: bytes) -> int:
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return max(map(len, lines))


PIECES = st.one_of(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\r"]),
    st.integers(0, 1005).map(lambda size: b"x" * size),
    st.integers(990, 1002).map(lambda size: b"y" * size),
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
@example(b"x" * 998 + b"\r\n")
@example(b"x" * 998 + b"\r")
@example(b"\r" + b"x" * 999)
def test_a_long_line_is_found_as_the_plain_way_finds_it(content: bytes) -> None:  # D3
    assert has_long_line(content) is (longest_line(content) > 998)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "content",
    [
        b"x" * 998 + b"\r\n",
        b"x" * 998 + b"\n",
        b"x" * 998 + b"\r",
        b"\r\n",
        b"\n",
        b"\r",
        b"\n" + b"\r" * 500,
    ],
    ids=repr,
)
def test_looking_for_a_long_line_is_linear(content: bytes) -> None:  # I5
    many = content * (2_000_000 // len(content))
    assert not has_long_line(many)
    assert why_not_text(many) == ""
    assert "longer than" in why_not_text(many + b"x" * 999)


# --- the Message-ID -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"Message-ID: <a@b>\r\n\r\n", "<a@b>"),
        (b"message-id:<a@b>", "<a@b>"),
        (b"MESSAGE-ID : <a@b>\n", "<a@b>"),
        (b"X: y\nMessage-Id:\t <a@b>\nZ: y\n\n", "<a@b>"),
        (b"X: y\rMessage-Id: <a@b>\r\r", "<a@b>"),
        (b"X: y\r\nMessage-ID:\r\n <a@b>\r\n\r\n", "<a@b>"),
        (b"Message-ID:\r\n\t\r\n  <a@b>\r\n", "<a@b>"),
        (b"Message-ID: (old) <a@b> <c@d>\r\n", "<a@b>"),
        (b"Message-ID: <a>\r\n", "<a>"),
        (b"Message-ID: <a@b>\r\nMessage-ID: <c@d>\r\n", "<a@b>"),
        (b"X: " + b"y" * 60_000 + b"\r\nMessage-ID: <a@b>\r\n", "<a@b>"),
        # None that can be shown.
        (b"", None),
        (b"\r\n", None),
        (b"Subject: x\r\n\r\nMessage-ID: <a@b>\r\n", None),
        (b"Subject: x\n\nMessage-ID: <a@b>\n", None),
        (b"Subject: x\r\rMessage-ID: <a@b>\r", None),
        (b"Subject: x\r\n\nMessage-ID: <a@b>\r", None),
        (b"Subject: x\n\r\nMessage-ID: <a@b>\r", None),
        (b"\r\nMessage-ID: <a@b>\r\n", None),
        (b"\nMessage-ID: <a@b>\r\n", None),
        (b"\rMessage-ID: <a@b>\r\n", None),
        (b"X-Message-ID: <a@b>\r\n", None),
        (b"X: Message-ID: <a@b>\r\n", None),
        (b"X: y\r\n Message-ID: <a@b>\r\n", None),
        (b"Message-ID: a@b\r\n", None),
        (b"Message-ID: <a b>\r\n", None),
        (b"Message-ID: <>\r\n", None),
        (b"Message-ID: <\xfc@b>\r\n", None),
        (b"Message-ID: <\x1b[2J@b>\r\n", None),
        (b"Message-ID: <a@b\r\n", None),
        (b"Message-ID:\r\nX: <a@b>\r\n", None),
        (b"X: " + b"y" * 70_000 + b"\r\nMessage-ID: <a@b>\r\n", None),
    ],
)
def test_the_message_id_of_octets(content: bytes, found: str | None) -> None:
    assert message_id_of(content) == found


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [b"Message-ID", b":", b"<", b">", b"a@b", b"\r", b"\n", b" ", b"\t", b"\0", b"\xff"]
            ),
            st.binary(max_size=8),
        ),
        max_size=20,
    ).map(b"".join)
)
def test_any_octets_have_a_message_id_or_none(content: bytes) -> None:
    found = message_id_of(content)
    if found is not None:
        assert found.encode("ascii") in content
        assert found.isprintable()
        assert " " not in found


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "content",
    [
        b"Message-ID:" * 90_000,
        b"Message-ID: " + b"<" * 1_000_000,
        b"\n" * 1_000_000,
        b"Message-ID:" + b"\n " * 500_000,
        b"message-id" + b" \t" * 500_000,
    ],
    ids=range(5),
)
def test_looking_for_a_message_id_is_linear(content: bytes) -> None:  # I5
    assert message_id_of(content) is None


# --- everything else ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [None, 5, "text", object(), ENVELOPE, Message],
    ids=lambda value: type(value).__name__,
)
def test_nothing_else_is_a_message(value: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(value).__name__}"):
        prepare(value, ENVELOPE, now=not_asked, make_id=not_asked)


def test_a_text_has_to_be_encoded_first() -> None:
    text: Any = "Subject: x"
    with pytest.raises(TypeError, match=r"encode it, or make an ehlo\.Message"):
        prepare(text, ENVELOPE, now=now, make_id=make_id)


def test_nobody_needs_the_email_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "email.message")
    anything: Any = object()
    with pytest.raises(TypeError, match="not object"):
        prepare(anything, ENVELOPE, now=now, make_id=make_id)


def test_a_message_of_the_standard_library_is_one() -> None:
    message = email.message.EmailMessage()
    message["From"] = "a@x"
    message["To"] = "b@x"
    outgoing = prepare(message, now=now, make_id=make_id)
    assert outgoing.envelope == Envelope("a@x", "b@x")
    assert outgoing.message_id == "<unique@x>"
    assert in_memory(outgoing).is_eight_bit is False


def test_what_is_ready_is_a_value() -> None:
    outgoing = prepare(CONTENT, ENVELOPE, now=now, make_id=make_id)
    assert outgoing == unpickled(outgoing)
    anything: Any = outgoing
    with pytest.raises(AttributeError):
        anything.content = b""
