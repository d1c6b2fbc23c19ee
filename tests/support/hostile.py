"""Characters that must never reach a line of the protocol."""

from __future__ import annotations

CONTROL_CHARACTERS = tuple(
    chr(code)
    for code in (
        *range(0x20),  # C0, and with them CR, LF and NUL
        *range(0x7F, 0xA0),  # DEL and C1
        0x2028,
        0x2029,
        0xD800,
        0xDBFF,
        0xDC00,
        0xDFFF,
    )
)
"""C0, DEL, C1, the Unicode line and paragraph separators, lone surrogates."""

HARMLESS = ("a", " ", "~", "\u00a0", "\u00e9", "\u200b", "\u202e", "\ue000", "\U0001f4e7")
"""Characters beside them that are no controls, some of them invisible."""


def code_point(text: str) -> str:
    """Name a test after the character it is about."""
    return f"U+{ord(text):04X}"


def controls_in(text: str) -> list[str]:
    """Return every character of a text that must not be there, found one by one."""
    return [
        character
        for character in text
        if ord(character) < 0x20
        or 0x7F <= ord(character) < 0xA0
        or ord(character) in {0x2028, 0x2029}
        or 0xD800 <= ord(character) < 0xE000
    ]
