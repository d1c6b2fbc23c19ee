"""Header fields as they are sent: folded, ended by CRLF (RFC 5322 sections 2.2.3 and 3.6).

A field is a list of pieces that may not be cut, each with the white space before it; folding puts
line ends before pieces and nowhere else. So nothing but white space is ever changed by folding: no
comma is encoded, no quoted string is opened, and no line is left that is white space only.

Text beyond ASCII becomes encoded words, or stays as it is where the header may be UTF-8 (`utf8`):
wherever a message is sent with SMTPUTF8 (RFC 6532).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ehlo.address import Mailbox
from ehlo.errors import InvalidInput
from ehlo.message.encoded_words import ENCODED_LINE_MAX, ENCODED_WORD_MAX, encoded_words
from ehlo.message.group import Group

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ehlo.address import Address
    from ehlo.message.group import Entry
    from ehlo.message.mailboxes import Group as GroupSource

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


def unstructured(name: str, text: str, *, utf8: bool = False) -> str:
    """Write a field that holds text, such as Subject (RFC 5322 section 3.6.5).

    Args:
        name: The field's name.
        text: The text as people read it, without control characters. What looks like an encoded
            word is text too, and is encoded so that it reads as it was written.
        utf8: Whether the header may be UTF-8.

    Returns:
        The field, ended by CRLF.
    """
    if len(name) + len(text) + 2 <= LINE_MAX and _is_plain(text, utf8):
        return f"{name}: {text}\r\n"
    words = text.split(" ")
    odd = _odd_words(text, words, utf8)
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


def _is_plain(text: str, utf8: bool) -> bool:  # noqa: FBT001 - private
    return (
        (utf8 or text.isascii())
        and _ENCODED not in text
        and not text.startswith(" ")
        and not text.endswith(" ")
    )


def _odd_words(text: str, words: Sequence[str], utf8: bool) -> slice | None:  # noqa: FBT001 - private
    """Tell which run of words has to be encoded."""
    if _MANY_BLANKS in text:  # a fold would leave them at the start of a line of any length
        return slice(0, len(words))
    odd = [index for index, word in enumerate(words) if _is_odd(word, utf8) or _is_long(word)]
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


def _is_odd(text: str, utf8: bool) -> bool:  # noqa: FBT001 - private
    return not (utf8 or text.isascii()) or _ENCODED in text


def _is_long(word: str) -> bool:
    return len(word) > _WORD_MAX or (not word.isascii() and len(word.encode()) > _WORD_MAX)


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


def addresses(name: str, entries: Sequence[Entry], *, utf8: bool = False) -> str:
    """Write a field that holds a list of mailboxes and groups (RFC 5322 section 3.6.2).

    Args:
        name: The field's name.
        entries: At least one.
        utf8: Whether the header may be UTF-8.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidAddress: A domain is not ASCII, has to be, and is none of IDNA 2008.
        InvalidInput: A local part is not ASCII and has to be, or the package `idna` is needed.
    """
    bare = _bare(entries)
    if len(bare) == 1:
        return f"{name}: {bare[0]}\r\n"
    if bare:
        last = bare.pop()
        first, *others = [f" {it}," for it in bare]
        return fold(f"{name}:{first}", (*others, f" {last}"), ENCODED_LINE_MAX)
    words = _Words(_room_for_word(name), utf8)
    return _address_list(name, map(words.entry, entries))


def _bare(entries: Sequence[Entry]) -> list[str]:
    """Return the addresses of mailboxes without a name, if all are ASCII; else none.

    Most recipients are such, and there may be very many.
    """
    specs = [entry.address.spec for entry in entries if type(entry) is Mailbox and entry.name == ""]
    if len(specs) != len(entries):
        return []
    joined = "".join(specs)
    # Nothing quoted and no literal: then each has one @, or none of them for lack of a domain.
    is_usual = joined.isascii() and '"' not in joined and "[" not in joined
    return specs if is_usual and joined.count("@") == len(specs) else []


def address_groups(
    name: str, groups: Iterable[GroupSource], *, as_source: bool, utf8: bool = False
) -> str:
    """Write a field that was read as a list of mailboxes and groups (RFC 5322 section 3.4).

    Args:
        name: The field's name.
        groups: At least one.
        as_source: Whether to write names and mailboxes as the text they were read from wrote
            them: its encoded words are none of ours.
        utf8: Whether the header may be UTF-8.

    Returns:
        The field, ended by CRLF.

    Raises:
        InvalidInput: As for `addresses`.
    """
    words = _Words(_room_for_word(name), utf8)
    return _address_list(name, [words.source(group, as_source=as_source) for group in groups])


def _address_list(name: str, entries: Iterable[list[str]]) -> str:
    first, *others = _listed(entries)
    return fold(f"{name}: {first}", [f" {word}" for word in others], ENCODED_LINE_MAX)


def _listed(entries: Iterable[list[str]]) -> list[str]:
    """Put a comma behind the last word of each entry but the last."""
    words: list[str] = []
    for entry in entries:
        if words:
            words[-1] += ","
        words += entry
    return words


def _group(name: list[str], members: Iterable[list[str]]) -> list[str]:
    words = [*name, *_listed(members)]
    words[-1] += ";"
    return words


class _Words:
    """Makes of mailboxes and groups the words between which a line may be folded.

    Args:
        room: How many characters the first encoded word of a name may have.
        utf8: Whether the header may be UTF-8.
    """

    def __init__(self, room: int, utf8: bool) -> None:  # noqa: FBT001 - private
        self._room = room
        self._utf8 = utf8

    def entry(self, entry: Entry) -> list[str]:
        if isinstance(entry, Group):
            return _group(self._group_name(entry.name), map(self._mailbox, entry.mailboxes))
        return self._mailbox(entry)

    def source(self, group: GroupSource, *, as_source: bool) -> list[str]:
        members = [
            [member.source] if as_source else self._mailbox(member.mailbox)
            for member in group.members
        ]
        if group.name is None:
            return _listed(members)
        return _group([f"{group.source}:"] if as_source else self._group_name(group.name), members)

    def _group_name(self, name: str) -> list[str]:
        words = self._phrase(name)
        if words[-1].startswith(_ENCODED):
            return [*words, ":"]  # no special may touch an encoded word (RFC 2047 section 5)
        return [*words[:-1], f"{words[-1]}:"]

    def _mailbox(self, mailbox: Mailbox) -> list[str]:
        address, name = mailbox.address, mailbox.name
        spec = address.spec
        if not self._utf8 and not spec.isascii():
            spec = _ascii_spec(address)
        if "@" not in spec:
            raise InvalidInput(
                f"no header can name {spec!r} without a domain (RFC 5322 section 3.4.1); it can "
                "be a recipient in an envelope, or in bcc"
            )
        return [*self._phrase(name), f"<{spec}>"] if name else [spec]

    def _phrase(self, name: str) -> list[str]:
        return phrase(name, self._room, utf8=self._utf8)


def phrase(text: str, room: int = ENCODED_WORD_MAX, *, utf8: bool = False) -> list[str]:
    """Write a display name: as it is, quoted, or as encoded words (RFC 5322 section 3.2.5).

    Args:
        text: The name as people read it, not empty, without control characters.
        room: How many characters the first encoded word may have.
        utf8: Whether the header may be UTF-8.

    Returns:
        The pieces between which a line may be folded.
    """
    # Readers decode what looks like an encoded word even in a quoted string, where none may stand,
    # and collapse white space there.
    is_long = len(text) > min(_NAME_MAX, room)
    if is_long or _is_odd(text, utf8) or text != " ".join(text.split()):
        return encoded_words(text, room)
    if _ATOMS.fullmatch(text):
        return [text]
    return ['"' + _TO_ESCAPE.sub(r"\\\1", text) + '"']


def _ascii_spec(address: Address) -> str:
    if address.needs_smtputf8:
        raise InvalidInput(
            f"the local part of {address} is not ASCII: a header that holds it is UTF-8, "
            "and needs SMTPUTF8"
        )
    return address.to_ascii().spec
