from __future__ import annotations

import pytest

from ehlo import Entry, Side, Transcript
from support.hostile import CONTROL_CHARACTERS, code_point, controls_in


def ticking(*times: float) -> Transcript:
    return Transcript(clock=iter(times).__next__)


def test_lines_are_kept_in_order_with_who_said_them() -> None:
    transcript = Transcript()
    transcript.line(Side.SERVER, "220 ready")
    transcript.line(Side.CLIENT, "QUIT")
    transcript.line(Side.NOTE, "closed")
    assert str(transcript) == "S: 220 ready\nC: QUIT\n*: closed"
    assert [entry.side for entry in transcript] == [Side.SERVER, Side.CLIENT, Side.NOTE]
    assert list(transcript) == transcript.entries


def test_an_empty_transcript_is_an_empty_text() -> None:
    assert not str(Transcript())


def test_times_count_from_the_first_line() -> None:
    transcript = ticking(100.0, 100.5, 103.0)
    for text in ("a", "b", "c"):
        transcript.line(Side.CLIENT, text)
    assert [entry.time for entry in transcript] == [0.0, 0.5, 3.0]


def test_without_a_clock_no_time_passes() -> None:
    transcript = Transcript()
    assert transcript.clock is None
    transcript.line(Side.CLIENT, "a")
    transcript.line(Side.CLIENT, "b")
    assert [entry.time for entry in transcript] == [0.0, 0.0]


def test_whoever_asked_sees_each_entry_as_it_is_made() -> None:
    seen: list[Entry] = []
    transcript = Transcript(on_entry=seen.append)
    transcript.line(Side.CLIENT, "NOOP")
    assert seen == [Entry(0.0, Side.CLIENT, "NOOP")]
    transcript.line(Side.SERVER, "250")
    assert seen == transcript.entries


@pytest.mark.parametrize(
    "pieces",
    [[b"a\r\nb\r\n"], [b"a\r", b"\nb", b"\r\n"], [b"", b"a\r\nb\r\n", b""]],
)
def test_content_becomes_lines_at_the_next_line_however_it_was_cut(pieces: list[bytes]) -> None:
    transcript = Transcript()
    for piece in pieces:
        transcript.content(piece)
    transcript.line(Side.CLIENT, ".")
    assert str(transcript) == "C: a\nC: b\nC: ."


def test_empty_lines_of_content_keep_their_place() -> None:
    transcript = Transcript()
    transcript.content(b"a\r\n\r\nb\r\n\r\n")
    transcript.line(Side.CLIENT, ".")
    assert [entry.text for entry in transcript] == ["a", "", "b", "", "."]


def test_content_that_is_not_utf8_is_shown_as_escapes() -> None:
    transcript = Transcript()
    transcript.content("\u00e9".encode() + b"\xff\r\n")
    transcript.line(Side.CLIENT, ".")
    assert transcript.entries[0].text == "\u00e9\\xff"


def test_content_is_kept_up_to_the_limit_and_then_counted() -> None:
    transcript = Transcript(content_limit=5)
    transcript.content(b"abc")
    transcript.content(b"defg")
    transcript.content(b"hijk")
    transcript.line(Side.CLIENT, ".")
    assert str(transcript) == "C: abcde\n*: ... 6 more octets of content\nC: ."


def test_content_of_just_the_limit_is_kept_whole() -> None:
    transcript = Transcript(content_limit=5)
    transcript.content(b"abcde")
    transcript.line(Side.CLIENT, ".")
    assert str(transcript) == "C: abcde\nC: ."


def test_each_content_has_its_own_limit() -> None:
    transcript = Transcript(content_limit=2)
    for content in (b"abc", b"xyz"):
        transcript.content(content)
        transcript.line(Side.CLIENT, ".")
    texts = [entry.text for entry in transcript]
    more = "... 1 more octets of content"
    assert texts == ["ab", more, ".", "xy", more, "."]


def test_content_that_is_not_to_be_kept_is_only_counted() -> None:
    transcript = Transcript(content_limit=0)
    transcript.content(b"abc\r\n")
    transcript.line(Side.CLIENT, ".")
    assert str(transcript) == "*: ... 5 more octets of content\nC: ."


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_line_can_forge_another(character: str) -> None:  # R7
    entry = Entry(0.0, Side.SERVER, f"250 ok{character}C: QUIT")
    assert not controls_in(str(entry))
    assert str(entry).startswith("S: 250 ok\\")
    assert entry.text == f"250 ok{character}C: QUIT"
