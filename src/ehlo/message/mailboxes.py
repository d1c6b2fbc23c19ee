"""Mailbox lists, read strictly (RFC 5322 section 3.4): the fields From, To, Cc and their kin.

A text is a list of mailboxes and groups, or it is an error that says where. Comments are refused;
encoded words are text like any other, so nothing hidden in them can become an address. Reading
takes linear time and never recurses.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from ehlo.address import Mailbox
from ehlo.errors import InvalidAddress
from ehlo.text import control_character

__all__ = ["Group", "Member", "parse_groups", "parse_mailboxes"]

_BLANKS: Final = " \t"

# Quoted strings, angle brackets and address literals hide the separators in them; what begins one
# and does not end it is left over as a single character, and refused.
_NEXT_MARK: Final = re.compile(
    r"""
    (?:
      [^"<>\[\](),:;]++
    | "(?:[^"\\]|\\.)*+"
    | <(?:[^"<>]|"(?:[^"\\]|\\.)*+")*+>
    | \[[^\[\]]*+\]
    )*+
    (?: (.) | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
_GROUP_NAME: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[^"<>\[\](),:;@\\]++')
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


class Member(NamedTuple):
    """One mailbox of a list.

    Attributes:
        mailbox: The mailbox.
        source: How the text wrote it, without white space around it.
    """

    mailbox: Mailbox
    source: str


class Group(NamedTuple):
    """Mailboxes that belong together.

    Attributes:
        name: The group's name as people read it; None for one mailbox that is in no group.
        source: How the text wrote the name; empty for no group.
        members: The mailboxes; a group may have none.
    """

    name: str | None
    source: str
    members: tuple[Member, ...]


def parse_mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Read a list of mailboxes, those in groups included.

    Args:
        text: A field's value, unfolded. Nothing but white space is an empty list.

    Returns:
        The mailboxes, in order.

    Raises:
        InvalidAddress: The text is no such list; the position counts in `text`.
    """
    return tuple(member.mailbox for group in parse_groups(text) for member in group.members)


def parse_groups(text: str) -> tuple[Group, ...]:
    """Read a list of mailboxes and groups.

    Args:
        text: A field's value, unfolded. Nothing but white space is an empty list.

    Returns:
        The groups, in order; a mailbox that is in none makes a `Group` without a name.

    Raises:
        InvalidAddress: The text is no such list; the position counts in `text`.
    """
    if not text.strip(_BLANKS):
        return ()
    reader = _Reader(text)
    for found in _NEXT_MARK.finditer(text):
        if found[1]:  # not the end of the text
            reader.mark(found[1], found.start(1))
    reader.finish()
    return tuple(reader.groups)


class _Reader:
    """Cuts the text at its separators, and reads what stands between them."""

    def __init__(self, text: str) -> None:
        self.groups: list[Group] = []
        self._text = text
        self._start = 0  # of the element being read
        self._group: tuple[str, str] | None = None  # name and source of the open group
        self._members: list[Member] = []
        self._closed = False  # whether a group has just ended: a separator is due

    def mark(self, mark: str, position: int) -> None:
        """Handle a character that separates, or that may not stand here."""
        if mark == ",":
            self._end_element(position)
        elif mark == ":" and self._group is None and not self._closed:
            self._open_group(position)
        elif mark == ";" and self._group is not None:
            self._close_group(*self._group, position)
        else:
            raise self._error(position, _REASONS.get(mark, "unexpected character"))
        self._start = position + 1

    def finish(self) -> None:
        """Handle the end of the text."""
        if self._group is not None:
            raise self._error(len(self._text), "missing ;")
        self._end_element(len(self._text))

    def _end_element(self, end: int) -> None:
        if self._closed:
            self._check_blank(end)
            self._closed = False
        elif self._group is not None:
            self._members.append(self._member(end))
        else:
            self.groups.append(Group(None, "", (self._member(end),)))

    def _member(self, end: int) -> Member:
        element = self._text[self._start : end]
        source = element.strip(_BLANKS)
        try:
            return Member(Mailbox.parse(source), source)
        except InvalidAddress as exc:
            offset = self._start + len(element) - len(element.lstrip(_BLANKS))
            message = f"{exc} (in a list, at {offset})"
            position = offset + exc.position
            raise InvalidAddress(message, text=self._text, position=position) from None

    def _open_group(self, end: int) -> None:
        source = self._text[self._start : end].strip(_BLANKS)
        if not _GROUP_NAME.fullmatch(source):
            raise self._error(end, "no name before :")
        if found := control_character(source):
            raise self._error(end, f"the name before : holds {found}")
        name = _QUOTED_PAIR.sub(r"\1", source[1:-1]) if source.startswith('"') else source
        self._group = name, source

    def _close_group(self, name: str, source: str, end: int) -> None:
        if self._members or self._text[self._start : end].strip(_BLANKS):
            self._members.append(self._member(end))
        self.groups.append(Group(name, source, tuple(self._members)))
        self._group = None
        self._members = []
        self._closed = True

    def _check_blank(self, end: int) -> None:
        if self._text[self._start : end].strip(_BLANKS):
            raise self._error(self._start, "missing , behind a group")

    def _error(self, position: int, why: str) -> InvalidAddress:
        message = f"not a list of mailboxes: {why} at position {position}"
        return InvalidAddress(message, text=self._text, position=position)


_REASONS: Final = {
    "(": "comments are refused, and there is one",
    '"': "a quoted string that does not end",
    "<": "a < without its >",
    "[": "an address literal that does not end",
}
