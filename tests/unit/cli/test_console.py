import io
import os
from pathlib import Path

import pytest
from typing_extensions import override

from ehlo.cli._console import Console, Style
from ehlo.transcript import Entry, Side


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    @override
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    """A stream without a reader, and without a descriptor."""

    @override
    def write(self, text: str, /) -> int:
        raise BrokenPipeError


def test_say_writes_a_line() -> None:
    stream = io.StringIO()
    Console(stream).say("Hello.", Style.GOOD)
    assert stream.getvalue() == "Hello.\n"


def test_say_without_words_is_an_empty_line() -> None:
    stream = io.StringIO()
    Console(stream).say()
    assert stream.getvalue() == "\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("250 ok\r\n250 forged", "250 ok\\r\\n250 forged"),
        ("\x9b31m", "\\x9b31m"),
        ("\u2028", "\\u2028"),
        ("lone \udc80", "lone \\udc80"),
    ],
)
@pytest.mark.parametrize("stream_class", [io.StringIO, Terminal])
def test_r7_a_server_cannot_drive_the_terminal(
    stream_class: type[io.StringIO], text: str, written: str
) -> None:
    stream = stream_class()
    Console(stream).say(text)
    assert stream.getvalue() == f"{written}\n"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"Gr\\xfc\\xdfe \\u2713\n"), ("latin-1", b"Gr\xfc\xdfe \\u2713\n")],
)
def test_what_the_encoding_lacks_is_escaped(encoding: str, written: bytes) -> None:
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding=encoding, newline="\n")
    Console(stream).say("Gr\u00fc\u00dfe \u2713")
    assert octets.getvalue() == written


def test_a_terminal_gets_colour() -> None:
    stream = Terminal()
    console = Console(stream)
    console.say("Good.", Style.GOOD)
    console.say("Plain.")
    assert stream.getvalue() == "\x1b[32mGood.\x1b[0m\nPlain.\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colour(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    stream = Terminal()
    Console(stream).say("Good.", Style.GOOD)
    assert stream.getvalue() == "Good.\n"


@pytest.mark.parametrize(
    ("side", "written"),
    [
        (Side.CLIENT, "\x1b[36m  C: NOOP\x1b[0m\n"),
        (Side.SERVER, "\x1b[33m  S: NOOP\x1b[0m\n"),
        (Side.NOTE, "\x1b[2m  *: NOOP\x1b[0m\n"),
    ],
)
def test_entries_have_a_colour_for_each_side(side: Side, written: str) -> None:
    stream = Terminal()
    Console(stream).entry(Entry(0.0, side, "NOOP"), "  ")
    assert stream.getvalue() == written


def test_a_document_is_written_as_it_is() -> None:
    stream = io.StringIO()
    Console(stream).document('{\n  "a": 1\n}')
    assert stream.getvalue() == '{\n  "a": 1\n}\n'


def test_no_stream_swallows_everything() -> None:
    console = Console(None)
    console.say("Hello.")
    console.flush()


def test_a_broken_pipe_ends_the_output_and_nothing_else() -> None:
    readable, writable = os.pipe()
    os.close(readable)
    with os.fdopen(writable, "w", encoding="utf-8") as stream:
        console = Console(stream)
        console.say("Is anybody there?")
        console.say("Never mind.")
        assert os.path.samestat(os.fstat(writable), Path(os.devnull).stat())


def test_a_broken_stream_without_a_descriptor_is_quiet_too() -> None:
    stream = Broken()
    Console(stream).say("Is anybody there?")
    assert stream.getvalue() == ""
