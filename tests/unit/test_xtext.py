from __future__ import annotations

import pytest

from ehlo import InvalidInput
from ehlo.xtext import decode_xtext, encode_utf8_address, encode_xtext
from support.hostile import CONTROL_CHARACTERS

# Text, its xtext (RFC 3461 section 4), its utf-8-addr-xtext (RFC 6533 section 3).
TEXTS = [
    ("", "", ""),
    ("ada@example.org", "ada@example.org", "ada@example.org"),
    ("!*,-<>-~", "!*,-<>-~", "!*,-<>-~"),
    ("a+b=c d", "a+2Bb+3Dc+20d", r"a\x{2B}b\x{3D}c\x{20}d"),
    ('"a\\"b"@x', '"a\\"b"@x', r'"a\x{5C}"b"@x'),
    ("gr\u00fcn@x", "gr+C3+BCn@x", r"gr\x{FC}n@x"),
    ("\u4f8b", "+E4+BE+8B", r"\x{4F8B}"),
    ("\U0001f4e7", "+F0+9F+93+A7", r"\x{1F4E7}"),
    ("+41", "+2B41", r"\x{2B}41"),
]


@pytest.mark.parametrize(("text", "xtext", "address"), TEXTS)
def test_text_is_written_in_visible_ascii(text: str, xtext: str, address: str) -> None:
    assert encode_xtext("it", text) == xtext
    assert encode_utf8_address("it", text) == address
    assert decode_xtext(xtext) == text


@pytest.mark.parametrize("encode", [encode_xtext, encode_utf8_address])
def test_control_characters_are_not_written_at_all(encode: object) -> None:  # I1
    for character in CONTROL_CHARACTERS:
        with pytest.raises(InvalidInput, match="it holds the control character"):
            encode("it", f"a{character}b")  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["+", "+4", "+4g", "+2b", "a b", "a=b", "a\n", "\u00fc", "\x7f", "+\u0664\u0661"]
)
def test_what_is_no_xtext_is_not_read(text: str) -> None:
    with pytest.raises(InvalidInput, match="not an xtext: visible ASCII"):
        decode_xtext(text)


def test_xtext_that_is_no_utf8_is_not_read() -> None:
    with pytest.raises(InvalidInput, match="its octets are no UTF-8"):
        decode_xtext("+FF")


@pytest.mark.parametrize(("xtext", "text"), [("+0D+0A", "\r\n"), ("+41", "A")])
def test_what_others_wrote_is_read_as_it_is(xtext: str, text: str) -> None:
    assert decode_xtext(xtext) == text
