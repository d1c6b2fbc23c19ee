"""Header fields as they are sent: ASCII, folded, ended by CRLF (RFC 5322 sections 2.2.3 and 3.6).

A field is a list of pieces that may not be cut, each with the white space before it; folding puts
line ends before pieces and nowhere else. So nothing but white space is ever changed by folding: no
comma is encoded, no quoted string is opened, and no line is left that is white space only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ehlo.errors import InvalidInput
from ehlo.message.encoded_words import ENCODED_LINE_MAX, ENCODED_WORD_MAX, encoded_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ehlo.address import Address, Mailbox
    from ehlo.message.mailboxes import Group

__all__ = [
    "FIELD_NAME_MAX",
    "LINE_MAX",
    "address_groups",
    "addresses",
    "fold",
    "identifiers",
    "phrase",
    "unstructured",
]

LINE_MAX: Final = 78
"""Characters a header line should have at most (RFC 5322 section 2.1.1)."""
FIELD_NAME_MAX: Final = 76
"""Characters of a field's name that we write; no registered one is half as long."""

_WORD_MAX: Final = 900  # the longest piece left whole, so that no line exceeds 998 octets
_NAME_MAX: Final = 60  # the longest display name left whole
_SHORTEST_WORD: Final = 24  # an encoded word with one character of four octets, in Q
_ENCODED: Final = "=?"  # where a reader may see an encoded word in what is just text
_MANY_BLANKS: Final = " " * 60
_ATOMS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*"
)
_TO_ESCAPE: Final = re.compile(r'(["\\])')


def fold(start: str, pieces: Iterable[str], limit: int = LINE_MAX) -> str:
    """Write a field from pieces.

    Args:
        start: The beginning of the field, which stays on the first line.
        pieces: What follows; each begins with white space, has more than that, and is not cut.
        limit: Characters of a line, where the pieces allow it.

    Returns:
        The field, ended by CRLF.
    """
    lines: list[str] = []
    line = start
    for piece in pieces:
        if len(line) + len(piece) > limit:
            lines.append(line)
            line = piece
        else:
            line += piece
    return "\r\n".join((*lines, line, ""))


def unstructured(name: str, text: str) -> str:
    """Write a field that holds text, such as Subject (RFC 5322 section 3.6.5).

    Args:
        name: The field's name.
        text: The text as people read it, without control characters. What looks like an encoded
            word is text too, and is encoded so that it reads as it was written.

    Returns:
        The field, ended by CRLF.
    """
    if len(name) + len(text) + 2 <= LINE_MAX and _is_plain(text):
        return f"{name}: {text}\r\n"
    words = text.split(" ")
    odd = _odd_words(text, words)
    if odd:
        run = " ".join(words[odd])
        words[odd] = encoded_words(run, ENCODED_WORD_MAX if odd.start else _room_for_word(name))
    first, *others = _pieces(words)
    if odd and odd.start == 0 and len(name) + 1 + len(first) > ENCODED_LINE_MAX:
        return fold(f"{name}:", (first, *others), ENCODED_LINE_MAX)
    return fold(f"{name}:{first}", others, ENCODED_LINE_MAX if odd else LINE_MAX)


def _room_for_word(name: str) -> int:
    """Return how many characters an encoded word may have on the line that a field starts with."""
    return max(ENCODED_LINE_MAX - len(name) - 2, _SHORTEST_WORD)


def _is_plain(text: str) -> bool:
    return (
        text.isascii()
        and _ENCODED not in text
        and not text.startswith(" ")
        and not text.endswith(" ")
    )


def _odd_words(text: str, words: Sequence[str]) -> slice | None:
    """Tell which run of words has to be encoded."""
    if _MANY_BLANKS in text:  # a fold would leave them at the start of a line of any length
        return slice(0, len(words))
    odd = [index for index, word in enumerate(words) if len(word) > _WORD_MAX or _is_odd(word)]
    # white space at either end of a field is lost on the way
    odd += [index for index in (0, len(words) - 1) if words[index] == ""]
    if not odd:
        return None
    start, end = min(odd), max(odd) + 1
    if end - start == 1 and not words[start]:  # one blank at an end, and no word may be empty
        start, end = (start - 1, end) if start else (0, 2)
    while start and not words[start - 1]:  # blanks would make the line of the first word too long
        start -= 1
    return slice(start, end)


def _is_odd(word: str) -> bool:
    return not word.isascii() or _ENCODED in word


def _pieces(words: Iterable[str]) -> Iterator[str]:
    """Put before each word its white space; an empty word stands for one blank more."""
    blanks = " "
    for word in words:
        if word:
            yield blanks + word
            blanks = " "
        else:
            blanks += " "


def identifiers(name: str, text: str) -> str:
    """Write a field whose value is made of tokens that readers take literally.

    Args:
        name: The field's name, such as References or List-Unsubscribe.
        text: Its value, ASCII.

    Returns:
        The field, ended by CRLF, folded at blanks and never encoded.

    Raises:
        InvalidInput: The value is empty, not ASCII, or has a word that no line can hold.
    """
    words = text.split()
    if not words or not text.isascii() or max(map(len, words)) > _WORD_MAX:
        raise InvalidInput(f"{name} takes ASCII words of at most {_WORD_MAX} characters")
    return fold(f"{name}: {words[0]}", (f" {word}" for word in words[1:]))


def addresses(name: str, mailboxes: Iterable[Mailbox]) -> str:
    """Write a field that holds a list of mailboxes (RFC 5322 section 3.6.2).

    Args:
        name: The field's name.
        mailboxes: At least one.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidInput: An address is not ASCII.
    """
    room = _room_for_word(name)
    return _address_list(name, [_mailbox_words(mailbox, room) for mailbox in mailboxes])


def address_groups(name: str, groups: Iterable[Group], *, as_source: bool) -> str:
    """Write a field that holds a list of mailboxes and groups (RFC 5322 section 3.4).

    Args:
        name: The field's name.
        groups: At least one.
        as_source: Whether to write names and mailboxes as the text they were read from wrote
            them: its encoded words are none of ours.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidInput: An address is not ASCII.
    """
    room = _room_for_word(name)
    return _address_list(name, [_group_words(group, room, as_source) for group in groups])


def _address_list(name: str, entries: Iterable[list[str]]) -> str:
    first, *others = _listed(entries)
    return fold(f"{name}: {first}", (f" {word}" for word in others), ENCODED_LINE_MAX)


def _listed(entries: Iterable[list[str]]) -> list[str]:
    """Put a comma behind the last word of each entry but the last."""
    words: list[str] = []
    for entry in entries:
        if words:
            words[-1] += ","
        words += entry
    return words


def _group_words(group: Group, room: int, as_source: bool) -> list[str]:  # noqa: FBT001 - private
    members = [
        [member.source] if as_source else _mailbox_words(member.mailbox, room)
        for member in group.members
    ]
    if group.name is None:
        return _listed(members)
    words = [group.source] if as_source else phrase(group.name, room)
    words[-1] += ":"
    words += _listed(members)
    words[-1] += ";"
    return words


def _mailbox_words(mailbox: Mailbox, room: int) -> list[str]:
    spec = _ascii_spec(mailbox.address)
    return [*phrase(mailbox.name, room), f"<{spec}>"] if mailbox.name else [spec]


def phrase(text: str, room: int = ENCODED_WORD_MAX) -> list[str]:
    """Write a display name: as it is, quoted, or as encoded words (RFC 5322 section 3.2.5).

    Args:
        text: The name as people read it, not empty, without control characters.
        room: How many characters the first encoded word may have.

    Returns:
        The pieces between which a line may be folded.
    """
    # Readers decode what looks like an encoded word even in a quoted string, where none may stand,
    # and collapse white space there.
    if _is_odd(text) or len(text) > min(_NAME_MAX, room) or text != " ".join(text.split()):
        return encoded_words(text, room)
    if _ATOMS.fullmatch(text):
        return [text]
    return ['"' + _TO_ESCAPE.sub(r"\\\1", text) + '"']


def _ascii_spec(address: Address) -> str:
    # The one place that bars internationalised addresses: their header is UTF-8 (RFC 6532).
    if not address.is_ascii:
        raise InvalidInput(
            f"{address} is not ASCII: a header that holds it needs SMTPUTF8, "
            "which messages are not built for yet"
        )
    return address.spec
