r"""Text that is safe to show, and text that is safe to send.

Nothing a caller passes may end a command line or a header field (CR, LF, NUL and their kin),
and nothing a server sends may drive a terminal or forge a log line.
"""

from __future__ import annotations

import re

from ehlo.errors import InvalidInput

__all__ = [
    "CONTROL_CHARACTER",
    "control_character",
    "printable",
    "refuse_control_characters",
    "require_str",
]

# C0 controls, DEL, C1 controls, the Unicode line and paragraph separators, lone surrogates.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
CONTROL_CHARACTER = re.compile(f"[{_CONTROLS}]")
# Bidirectional marks, embeddings, overrides and isolates (Unicode Standard Annex 9).
_UNSHOWN = re.compile(f"[{_CONTROLS}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Return the text with whatever could mislead its reader written as escapes.

    Beside control characters and lone surrogates these are the ones that turn the direction of
    writing.

    Args:
        text: Any text, as a server may have sent it.

    Returns:
        The same text with each such character as `\xNN` or `\uNNNN`.
    """
    if text.isprintable():
        return text
    return _UNSHOWN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def control_character(text: str) -> str:
    """Describe the first character of a text that may not stand on a line of the protocol.

    Args:
        text: Any text.

    Returns:
        Its code point and position in words, or an empty text if there is none. The text itself
        is not repeated: it may be a secret.
    """
    if text.isprintable():  # true for every text without them; false for some that are harmless
        return ""
    match = CONTROL_CHARACTER.search(text)
    if match is None:
        return ""
    return f"the control character U+{ord(match[0]):04X} at position {match.start()}"


def refuse_control_characters(what: str, text: str) -> str:
    """Return the text if it may stand on a line of the protocol.

    Args:
        what: What the text is, for the error message: "the EHLO name", "the subject".
        text: The value a caller passed.

    Returns:
        The text itself.

    Raises:
        InvalidInput: It holds CR, LF, NUL, another control character, a Unicode line
            separator or a lone surrogate. The message says which and where.
    """
    found = control_character(text)
    if found:
        msg = f"{what} holds {found}"
        raise InvalidInput(msg)
    return text


def require_str(what: str, value: object) -> str:
    """Return the value if it is a text.

    Args:
        what: What the value is, for the error message.
        value: What a caller passed.

    Returns:
        The value itself.

    Raises:
        TypeError: It is no `str`; the message names its type, not the value.
    """
    if not isinstance(value, str):
        msg = f"{what} is a str, not {type(value).__name__}"
        del value  # it may be a secret, and tracebacks show local variables
        raise TypeError(msg)
    return value
