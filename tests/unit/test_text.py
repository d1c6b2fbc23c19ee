from __future__ import annotations

import pytest

from ehlo import InvalidInput
from ehlo.text import control_character, printable, refuse_control_characters, require_str
from support.hostile import CONTROL_CHARACTERS, HARMLESS, code_point


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
class TestAControlCharacter:
    def test_is_found_and_described_without_the_text(self, character: str) -> None:  # I1
        found = control_character(f"ab{character}cd{character}")
        assert found == f"the control character U+{ord(character):04X} at position 2"

    def test_is_refused(self, character: str) -> None:  # I1
        with pytest.raises(InvalidInput, match=r"^the thing holds the control character U\+"):
            refuse_control_characters("the thing", f"hunter{character}2")

    def test_does_not_bring_the_text_into_the_error(self, character: str) -> None:  # A8
        with pytest.raises(InvalidInput) as caught:
            refuse_control_characters("the password", f"hunter{character}2")
        assert "hunter" not in repr(caught.value)

    def test_is_shown_as_an_ascii_escape(self, character: str) -> None:  # R7
        shown = printable(f"a{character}\u00e9")
        assert shown.startswith("a\\")
        assert shown.endswith("\u00e9")
        assert shown[1:-1].isascii()
        assert shown.isprintable()


@pytest.mark.parametrize("character", HARMLESS, ids=code_point)
def test_what_is_no_control_passes_unchanged(character: str) -> None:
    text = f"a{character}b"
    assert not control_character(text)
    assert refuse_control_characters("it", text) == text


def test_what_turns_the_direction_of_writing_is_shown_as_an_escape() -> None:  # R7
    assert printable("a\u202eb\u2066c") == r"a\u202eb\u2066c"
    assert printable("a\u00a0b\u3000") == "a\u00a0b\u3000"


def test_the_empty_text_is_harmless() -> None:
    assert not control_character("")
    assert not refuse_control_characters("it", "")
    assert not printable("")


def test_escapes_are_those_of_python() -> None:
    text = "\r\n\x00\x1b\x85\u2028\ud800"
    assert printable(text) == "\\r\\n\\x00\\x1b\\x85\\u2028\\ud800"


def test_a_str_is_a_str() -> None:
    assert require_str("it", "text") == "text"


@pytest.mark.parametrize("value", [None, 5, b"hunter2", ["hunter2"]], ids=repr)
def test_anything_else_is_not_and_is_not_repeated(value: object) -> None:  # A8
    with pytest.raises(TypeError) as caught:
        require_str("the password", value)
    assert str(caught.value) == f"the password is a str, not {type(value).__name__}"
