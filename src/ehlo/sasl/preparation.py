"""SASLprep (RFC 4013): user names and passwords in the one form in which they are compared.

The tables are those of Unicode 3.2, as stringprep (RFC 3454) prescribes; the standard library has
them. ASCII without control characters is its own prepared form.
"""

from __future__ import annotations

from enum import Enum

from ehlo.errors import InvalidInput
from ehlo.secret import Secret

__all__ = ["Unassigned", "prepared", "saslprep"]


class Unassigned(Enum):
    """What becomes of code points that Unicode 3.2 does not know (RFC 3454 section 7)."""

    ALLOWED = "a query string"
    REFUSED = "a stored string"


def saslprep(text: str, unassigned: Unassigned = Unassigned.REFUSED) -> str:
    """Prepare a text that is no secret.

    Args:
        text: The text.
        unassigned: Whether it may hold code points that Unicode 3.2 does not know.

    Returns:
        The prepared text.

    Raises:
        InvalidInput: It cannot be prepared.
    """
    return prepared("the text", Secret(text), unassigned).reveal()


def prepared(what: str, value: Secret, unassigned: Unassigned = Unassigned.REFUSED) -> Secret:
    """Prepare a text that may be a secret: no error and no traceback will show it.

    Args:
        what: What it is, for the error.
        value: The text.
        unassigned: Whether it may hold code points that Unicode 3.2 does not know.

    Returns:
        The prepared text.

    Raises:
        InvalidInput: It holds something that RFC 4013 prohibits, mixes directions of writing, or
            nothing is left of it. The message does not repeat the value.
    """
    found = _fault(value, unassigned)
    if found:
        msg = f"{what} {found} (SASLprep, RFC 4013)"
        raise InvalidInput(msg)
    return Secret(_mapped(value.reveal()))


def _mapped(text: str) -> str:
    """Map and normalize (RFC 4013 sections 2.1 and 2.2)."""
    if text.isascii():
        return text
    import stringprep  # noqa: PLC0415 - with its tables a heavy import, and few need it
    from unicodedata import ucd_3_2_0  # noqa: PLC0415

    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    return ucd_3_2_0.normalize("NFKC", mapped)


def _fault(value: Secret, unassigned: Unassigned) -> str:
    """Return why a text cannot be prepared; an empty text if it can."""
    text = _mapped(value.reveal())
    if not text:
        return "is empty"
    if text.isascii() and text.isprintable():
        return ""
    return _prohibited(text, unassigned) or _bidirectional(text)


def _prohibited(text: str, unassigned: Unassigned) -> str:
    """Look for what is prohibited (RFC 4013 sections 2.3 and 2.5)."""
    import stringprep  # noqa: PLC0415 - as above

    tables = (
        stringprep.in_table_c12,
        stringprep.in_table_c21_c22,
        stringprep.in_table_c3,
        stringprep.in_table_c4,
        stringprep.in_table_c5,
        stringprep.in_table_c6,
        stringprep.in_table_c7,
        stringprep.in_table_c8,
        stringprep.in_table_c9,
    )
    for position, character in enumerate(text):
        if any(table(character) for table in tables):
            return f"holds a prohibited character at position {position}"
        if unassigned is Unassigned.REFUSED and stringprep.in_table_a1(character):
            return f"holds a character that Unicode 3.2 does not know, at position {position}"
    return ""


def _bidirectional(text: str) -> str:
    """Look for a mixture of directions (RFC 3454 section 6)."""
    import stringprep  # noqa: PLC0415 - as above

    if not any(map(stringprep.in_table_d1, text)):
        return ""
    if any(map(stringprep.in_table_d2, text)):
        return "mixes characters written from right to left with others"
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        return "is written from right to left, but does not begin and end so"
    return ""
