from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ehlo import Address, Envelope, InvalidInput, Message
from ehlo.content import LineEnds, Octets
from ehlo.message import Outgoing, prepare
from ehlo.message.octets import has_long_line, message_id_of, why_not_text
from support.outgoing import in_memory, octets_of

NOW = datetime(2020, 1, 1, tzinfo=UTC)
ENVELOPE = Envelope("ada@example.org", "bob@example.org")
MEBI = 1_048_576


def prepared(message: Any, envelope: Envelope | None = None) -> Outgoing:
    return prepare(message, envelope, now=lambda: NOW, make_id=lambda: "id1")


def test_a_built_message_tells_its_envelope_and_its_identifier() -> None:
    message = Message(from_="ada@example.org", to="bob@example.org", text="ü")
    outgoing = prepared(message)
    assert outgoing.envelope == ENVELOPE
    assert outgoing.message_id == "<id1@example.org>"
    assert not in_memory(outgoing).is_eight_bit
    assert in_memory(outgoing).line_ends is LineEnds.CRLF
    assert octets_of(outgoing) == message.as_bytes(now=NOW, make_id=lambda: "id1")


def test_what_a_message_has_is_not_asked_for() -> None:
    def nothing() -> Any:
        raise AssertionError

    message = Message(from_="ada@example.org", date=NOW, message_id="a@b")
    outgoing = prepare(message, ENVELOPE, now=nothing, make_id=nothing)
    assert outgoing.envelope is ENVELOPE
    assert outgoing.message_id == "<a@b>"


def test_a_message_without_recipients_needs_an_envelope() -> None:
    message = Message(from_="ada@example.org")
    with pytest.raises(InvalidInput, match="at least one recipient"):
        prepared(message)
    assert prepared(message, ENVELOPE).envelope is ENVELOPE


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_octets_are_passed_on_unchanged(kind: Any) -> None:
    octets = b"Message-ID: <a@b>\nBcc: eve@example.org\r\rx\xff\r\n"
    outgoing = prepared(kind(octets), ENVELOPE)
    assert outgoing == Outgoing(ENVELOPE, Octets(octets, is_eight_bit=True), message_id="<a@b>")


def test_empty_octets_are_a_message() -> None:
    assert prepared(b"", ENVELOPE) == Outgoing(ENVELOPE, Octets(b""), message_id=None)


@pytest.mark.parametrize(
    ("octets", "eight_bit", "utf8_header"),
    [
        (b"Subject: x\r\n\r\ny", False, False),
        (b"Subject: x\r\n\r\n\xc3\xbc", True, False),
        (b"Subject: \xc3\xbc\r\n\r\ny", True, True),
        (b"Subject: \xfc\r\n\r\ny", True, False),  # an old custom, and no UTF-8
        (b"Subject: \xc3\xbc \xfc\r\n\r\ny", True, False),
        (b"X: " + b"y" * 65_532 + b"\xc3\xbc\r\n\r\ny", True, True),  # looked at in part
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_header_in_utf_8_is_noticed(octets: bytes, eight_bit: bool, utf8_header: bool) -> None:
    content = in_memory(prepared(octets, ENVELOPE))
    assert (content.is_eight_bit, content.has_utf8_header) == (eight_bit, utf8_header)
    assert content.line_ends is LineEnds.ANY


def test_octets_need_an_envelope() -> None:
    with pytest.raises(InvalidInput, match="pass an envelope"):
        prepared(b"Subject: x\r\n\r\n")


def test_a_text_is_no_message_and_the_error_says_what_to_do() -> None:
    with pytest.raises(TypeError, match=r"not str: encode it, or make an ehlo\.Message of it"):
        prepared("Subject: x\n\n", ENVELOPE)


@pytest.mark.parametrize("message", [None, 5, object()])
def test_other_types_are_type_errors(message: Any) -> None:
    with pytest.raises(
        TypeError, match="a message is a Message, an EmailMessage, bytes, a binary file or"
    ):
        prepared(message, ENVELOPE)


def test_the_email_package_is_not_loaded_for_octets() -> None:
    script = (
        "import sys, datetime, ehlo.message as m; from ehlo.envelope import Envelope\n"
        "m.prepare(b'x', Envelope(None, 'a@b.org'), now=None, make_id=None)\n"
        "try: m.prepare('x', now=None, make_id=None)\n"
        "except TypeError: pass\n"
        "print([n for n in sys.modules if n.split('.')[0] in {'email', 'mimetypes', 'pathlib'}])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\0", "line 1 of the message holds a NUL"),
        (b"a\nb\rc\r\nd\0", "line 4 of the message holds a NUL"),
        (b"x" * 999, "line 1 of the message is longer than 998 octets"),
        (b"\r\n\n\r" + b"x" * 999 + b"\r\n", "line 4 of the message is longer"),
        (b"a\r\n" * 1000 + b"x" * 999 + b"\n" + b"x" * 999, "line 1001 of the message is longer"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_octets_no_server_has_to_take_say_why(content: bytes, why: str) -> None:  # D2 D3
    assert in_memory(prepared(content, ENVELOPE)).not_text.startswith(why)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n", b"\r"])
def test_lines_of_998_octets_pass(end: bytes) -> None:
    assert why_not_text((b"x" * 998 + (end or b"\r\n")) * 3 + b"x" * 998 + end) == ""


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 500, 996, 997, 998, 999, 1000, 1997]),
            st.sampled_from([b"\r", b"\n", b"\r\n", b"\n\r", b"\r\r\n"]),
        )
    )
)
def test_long_lines_are_found_wherever_they_are(lines: list[tuple[int, bytes]]) -> None:
    content = b"".join(b"x" * length + end for length, end in lines)
    expected = any(length > 998 for length, _ in lines)
    assert has_long_line(content) == expected


@pytest.mark.slow
@pytest.mark.parametrize("unit", [b"\n", b"\r", b"x\n", b"x" * 998 + b"\r\n", b"\n" + b"x" * 998])
def test_looking_for_long_lines_is_linear(unit: bytes) -> None:
    start = time.process_time()
    assert why_not_text(unit * (10 * MEBI // len(unit))) == ""
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"Message-ID: <a@b>\r\n\r\n", "<a@b>"),
        (b"A: b\nmessage-id:<a@b>", "<a@b>"),
        (b"A: b\rMESSAGE-ID \t: <a@b>\r\r", "<a@b>"),
        (b"Message-ID:\r\n <a@b>\r\nB: c\r\n", "<a@b>"),
        (b"Message-ID:\r\n\t \r\n  <a@b> (old)\r\n", "<a@b>"),
        (b"Message-ID: a@b\r\n\r\n", None),
        (b"Message-ID:\r\nX: <a@b>\r\n\r\n", None),
        (b"X-Message-ID: <a@b>\r\n\r\n", None),
        (b" Message-ID: <a@b>\r\n\r\n", None),
        (b"Message-ID: <\xff@b>\r\n\r\n", None),
        (b"Message-ID: <a\x1b@b>\r\n\r\n", None),
        (b"\r\nMessage-ID: <a@b>\r\n", None),
        (b"A: b\r\n\r\nMessage-ID: <a@b>\r\n", None),
        (b"A: b\n\nMessage-ID: <a@b>\r\n", None),
        (b"A: b\n\r\nMessage-ID: <a@b>\r\n", None),
        (b"A: b\r\rMessage-ID: <a@b>\r\n", None),
        (b"A: b\r\n" * 11_000 + b"Message-ID: <a@b>\r\n", None),
        (b"", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_message_id_is_found_in_the_header_alone(content: bytes, found: str | None) -> None:
    assert message_id_of(content) == found


@given(st.binary(max_size=200).map(lambda octets: b"message-id:" + octets))
def test_garbage_is_no_identifier_and_no_error(content: bytes) -> None:
    found = message_id_of(content)
    assert found is None or (found.isprintable() and found.isascii())


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", [b"message-id:", b"message-id: <", b"\nmessage-id ", b"message-id:\n ", b"\n ", b"< "]
)
def test_looking_for_an_identifier_is_linear(unit: bytes) -> None:
    start = time.process_time()
    message_id_of(b"Message-ID:" + unit * (MEBI // len(unit)))
    assert time.process_time() - start < 1


def test_an_address_needs_no_name() -> None:
    message = Message(from_=Address("ada@example.org"), to="bob@example.org")
    assert prepared(message).envelope == ENVELOPE
