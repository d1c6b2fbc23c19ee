"""Lists of mailboxes in header fields, read strictly (RFC 5322 section 3.4).

What is read is what people and programs write today: mailboxes separated by commas, and groups.
Comments, routes and everything else that hides a second meaning are refused. Encoded words are text
like any other: they are never decoded into structure. The time taken is linear.
"""

from __future__ import annotations

import re
from typing import Final

from ehlo.address import Mailbox
from ehlo.errors import InvalidAddress

__all__ = ["parse_mailboxes"]

# Text up to a character that means something here; a quoted string is swallowed whole.
_PLAIN: Final = re.compile(r'(?:[^",:;<>()\\]|"(?:[^"\\]|\\.)*")+', re.DOTALL)
_ANGLE: Final = re.compile(r'<(?:[^"<>]|"(?:[^"\\]|\\.)*")*>')


def parse_mailboxes(text: str) -> list[Mailbox]:
    """Read the text of an address field.

    Args:
        text: Such as `Ada <ada@example.org>, Team: bob@example.com, eve@example.com;`.

    Returns:
        The mailboxes, those in groups included; empty for an empty group or text.

    Raises:
        InvalidAddress: Something in it is not a mailbox; the position counts in `text`.
    """
    return [_mailbox(text, start, end) for start, end in _elements(text)]


def _mailbox(text: str, start: int, end: int) -> Mailbox:
    try:
        return Mailbox.parse(text[start:end].strip(" \t"))
    except InvalidAddress as exc:
        raise InvalidAddress(str(exc), text=text, position=start + exc.position) from None


def _elements(text: str) -> list[tuple[int, int]]:
    """Return where each mailbox begins and ends."""
    found: list[tuple[int, int]] = []
    in_group = False
    start = position = 0
    while position <= len(text):
        position = _skip(text, position)
        mark = text[position : position + 1]
        if mark == ":" and not in_group:
            in_group = True  # what came before is the group's name, which no message is sent to
        elif mark in {",", ";", ""} and (mark != ";" or in_group) and (mark or not in_group):
            if text[start:position].strip(" \t"):
                found.append((start, position))
            in_group = in_group and mark != ";"
        else:
            what = f"{mark!r}" if mark else "the end of the text inside a group"
            msg = f"not a list of mailboxes: unexpected {what} at position {position}"
            raise InvalidAddress(msg, text=text, position=position)
        position += 1
        start = position
    return found


def _skip(text: str, position: int) -> int:
    """Return where the next character stands that separates elements."""
    while match := (_PLAIN.match(text, position) or _ANGLE.match(text, position)):
        position = match.end()
    return position
