"""Encoded words: text of any script in a header field (RFC 2047).

A word is at most 75 characters, holds whole characters only, is UTF-8 and uses the safest alphabet
of section 5 (3), so that it may stand wherever an encoded word may stand at all.
"""

from __future__ import annotations

import codecs
import re
import string
from binascii import Error, a2b_base64, a2b_qp, b2a_base64
from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ENCODED_LINE_MAX", "ENCODED_WORD_MAX", "decoded", "decoded_words", "encoded_words"]

# Codecs of Python's own, which no message is written in; some take quadratic time.
_NO_CHARSETS: Final = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
ENCODED_WORD_MAX: Final = 75
"""Characters of an encoded word (RFC 2047 section 2)."""
ENCODED_LINE_MAX: Final = 76
"""Characters of a header line that holds an encoded word (RFC 2047 section 2)."""

_FRAME: Final = len("=?utf-8?q??=")
# Charset, perhaps a language (RFC 2231 section 5), encoding, text. Others leave blanks in the text.
_WORD: Final = re.compile(r"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([BbQq])\?([^?]*+)\?=")
_Q_TABLE: Final = {
    character: character for character in string.ascii_letters + string.digits + "!*+-/"
} | {" ": "_"}


def encoded_words(text: str, first: int = ENCODED_WORD_MAX) -> list[str]:
    """Write a text as encoded words, in Q or B, whichever is shorter.

    Args:
        text: The text, not empty.
        first: How many characters the first word may have, 24 to 75: it may have to share its
            line.

    Returns:
        The words. A reader joins them again when white space alone stands between them.
    """
    q = [_Q_TABLE.get(character) or _escaped(character) for character in text]
    if sum(map(len, q)) <= _base64_length(len(text.encode())):
        rooms = first - _FRAME, ENCODED_WORD_MAX - _FRAME
        return [f"=?utf-8?q?{''.join(q[cut])}?=" for cut in _cuts([*map(len, q)], *rooms)]
    octets = [len(character.encode()) for character in text]
    # base64 makes four characters of three octets
    rooms = (first - _FRAME) // 4 * 3, (ENCODED_WORD_MAX - _FRAME) // 4 * 3
    return [f"=?utf-8?b?{_base64(text[cut])}?=" for cut in _cuts(octets, *rooms)]


def _escaped(character: str) -> str:
    return "".join(f"={octet:02X}" for octet in character.encode())


def _base64(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode("ascii")


def _base64_length(octets: int) -> int:
    return -(-octets // 3) * 4


def _cuts(costs: Sequence[int], room: int, later_room: int) -> Iterator[slice]:
    """Cut a sequence into runs whose costs fit the room, which the first may have less of."""
    start = used = 0
    for index, cost in enumerate(costs):
        if used + cost > room:
            yield slice(start, index)
            start, used, room = index, 0, later_room
        used += cost
    yield slice(start, len(costs))


def decoded(octets: bytes, charset: str) -> str:
    """Decode octets of a message.

    Args:
        octets: The octets.
        charset: Its name, as MIME has it.

    Returns:
        The text.

    Raises:
        LookupError: There is no such charset.
        ValueError: The octets are none of it.
    """
    if codecs.lookup(charset).name in _NO_CHARSETS:
        raise LookupError(f"{charset} is no charset")
    return octets.decode(charset)


def decoded_words(text: str) -> str:
    """Read a text that may hold encoded words, of any charset.

    Words that stand side by side are read together, since some senders cut characters in two.

    Args:
        text: The text of a field, on one line.

    Returns:
        The text as people read it; what cannot be decoded stays as it is.
    """
    found: list[str] = []
    run: list[re.Match[str]] = []
    end = 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()]
        if not run or between.strip():
            found += (*_decoded_run(run), between)
            run = []
        run.append(word)
        end = word.end()
    return "".join((*found, *_decoded_run(run), text[end:]))


def _decoded_run(words: Iterable[re.Match[str]]) -> Iterator[str]:
    for charset, group in groupby(words, key=lambda word: word[1].lower()):
        same = list(group)
        try:
            yield decoded(b"".join(map(_octets, same)), charset)
        except (LookupError, ValueError):  # no such charset, or not the octets of one
            yield " ".join(word[0] for word in same)


def _octets(word: re.Match[str]) -> bytes:
    text = word[3].encode("ascii")
    if word[2] in "Qq":
        return a2b_qp(text, header=True)
    try:
        return a2b_base64(text)
    except Error:
        return a2b_base64(text + b"==")  # some leave out what fills the last four
