from __future__ import annotations

import pytest

from ehlo import EnhancedStatus, Reply, Severity
from support.hostile import CONTROL_CHARACTERS, code_point, controls_in
from support.pickling import unpickled


@pytest.mark.parametrize(
    ("code", "severity", "positive", "intermediate", "temporary", "permanent"),
    [
        (200, Severity.POSITIVE_COMPLETION, True, False, False, False),
        (299, Severity.POSITIVE_COMPLETION, True, False, False, False),
        (354, Severity.POSITIVE_INTERMEDIATE, False, True, False, False),
        (421, Severity.TRANSIENT_NEGATIVE, False, False, True, False),
        (499, Severity.TRANSIENT_NEGATIVE, False, False, True, False),
        (571, Severity.PERMANENT_NEGATIVE, False, False, False, True),
        (599, Severity.PERMANENT_NEGATIVE, False, False, False, True),
    ],
)
def test_the_first_digit_decides(  # R4
    code: int,
    severity: Severity,
    positive: bool,
    intermediate: bool,
    temporary: bool,
    permanent: bool,
) -> None:
    reply = Reply(code)
    assert reply.severity is severity
    assert reply.is_positive is positive
    assert reply.is_intermediate is intermediate
    assert reply.is_temporary is temporary
    assert reply.is_permanent is permanent


@pytest.mark.parametrize(
    ("code", "closes"), [(421, True), (420, False), (521, False), (221, False)]
)
def test_421_alone_closes_the_session(code: int, closes: bool) -> None:  # T1
    assert Reply(code).closes_session is closes


@pytest.mark.parametrize(
    ("code", "line", "status"),
    [
        (250, b"2.1.5 Ok", "2.1.5"),
        (250, b"2.1.5", "2.1.5"),
        (250, b"2.0.0 ", "2.0.0"),
        (451, b"4.7.1 Later", "4.7.1"),
        (550, b"5.100.999 No", "5.100.999"),
        (354, b"3.0.0 Go", None),
        (220, b"1.2.3 Hello", None),
        (250, b"5.1.1 Class differs", None),
        (550, b"2.1.1 Class differs", None),
        (354, b"2.0.0 Class differs", None),
        (550, b"5.01.1 Leading zero", None),
        (550, b"5.1.00 Leading zero", None),
        (550, b"5.1000.1 Four digits", None),
        (550, b"5.1.1000 Four digits", None),
        (550, b"5.1.1: colon", None),
        (550, b"5.1.1\ttab", None),
        (550, b"5.1.1.1 Four parts", None),
        (550, b"5.1 Two parts", None),
        (550, b"5..1 No part", None),
        (550, b" 5.1.1 Blank", None),
        (550, b"#5.1.1 Sign", None),
        (550, "5.\u0661.1 Other digits".encode(), None),
        (250, b"", None),
        (250, b"Ok 2.1.5", None),
        pytest.param(250, b"2.0.0\n", None),
    ],
)
def test_an_enhanced_status_is_strict_or_just_text(  # R10
    code: int, line: bytes, status: str | None
) -> None:
    reply = Reply(code, (line,))
    found = reply.enhanced_status
    assert (None if found is None else str(found)) == status
    assert reply.raw_lines == (line,)


def test_the_enhanced_status_is_that_of_the_first_line() -> None:
    assert Reply(250, (b"hello", b"2.0.0 Ok")).enhanced_status is None
    assert Reply(250, (b"2.0.0 a", b"2.1.5 b")).enhanced_status == EnhancedStatus(2, 0, 0)


def test_enhanced_statuses_have_an_order() -> None:
    assert EnhancedStatus(4, 7, 1) < EnhancedStatus(5, 1, 1) < EnhancedStatus(5, 1, 10)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("gr\u00fcn".encode(), "gr\u00fcn"),
        (b"gr\xfcn", "gr\\xfcn"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"a\x00b", "a\x00b"),
    ],
)
def test_any_octet_may_appear_in_text(raw: bytes, text: str) -> None:  # R7
    reply = Reply(250, (raw, b""))
    assert reply.lines == (text, "")
    assert reply.text == f"{text}\n"


def test_a_reply_is_made_from_text() -> None:
    assert Reply.of(250, "a", "", "gr\u00fcn") == Reply(250, (b"a", b"", "gr\u00fcn".encode()))


@pytest.mark.parametrize("reply", [Reply(250), Reply.of(250), Reply.of(250, "")])
def test_a_reply_without_text_has_one_empty_line(reply: Reply) -> None:  # R5
    assert reply.raw_lines == (b"",)
    assert reply.lines == ("",)
    assert not reply.text
    assert str(reply) == "250"


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply.of(250), b"250 \r\n"),
        (Reply.of(250, "Ok"), b"250 Ok\r\n"),
        (Reply.of(250, "a", "", "b"), b"250-a\r\n250-\r\n250 b\r\n"),
        (Reply(599, (b"\xff\x00",)), b"599 \xff\x00\r\n"),
    ],
)
def test_the_wire_form_is_what_a_server_sends(reply: Reply, wire: bytes) -> None:
    assert reply.wire() == wire


def test_shown_on_one_line() -> None:
    assert str(Reply.of(550, "5.1.1 No such", "user")) == "550 5.1.1 No such user"


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_shown_without_control_characters(character: str) -> None:  # R7
    reply = Reply(250, (f"a{character}b".encode("utf-8", "surrogatepass"),))
    assert not controls_in(str(reply))
    assert str(reply).startswith("250 a\\")


def test_replies_are_values() -> None:
    reply = Reply.of(250, "a", "b")
    assert unpickled(reply) == reply
    assert hash(unpickled(reply)) == hash(reply)
    assert reply != Reply.of(251, "a", "b")
