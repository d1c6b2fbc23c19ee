"""Reads what header fields are made of, written from the RFCs and from nothing else.

Neither the library's own code nor Python's `email` is asked: this is what both are checked against.
A field is read as it stands in the header, folds included, in the strict forms that may be written
today; the obsolete ones are refused. Where a class of characters includes `_UTF8` it is that of
RFC 6532; a header that has to be ASCII was seen to be ASCII before.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

__all__ = ["DOT_ATOM", "FWS", "LITERAL", "TOKEN", "Field", "Malformed", "Scanner"]

_UTF8: Final = "\u0080-\U0010ffff"
_ATOM: Final = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]+"
DOT_ATOM: Final = rf"{_ATOM}(?:\.{_ATOM})*"
FWS: Final = r"(?:\r\n)?[ \t]+"
_QUOTED: Final = rf'"(?:(?:\r\n)?[ \t]|[!#-\[\]-~{_UTF8}]|\\[ -~\t{_UTF8}])*"'
LITERAL: Final = rf"\[[!-Z^-~{_UTF8}]*\]"
_SPEC: Final = rf"(?:{DOT_ATOM}|{_QUOTED})@(?:{DOT_ATOM}|{LITERAL})"
_BARE: Final = rf"{_SPEC}(?=[ \t\r,;(]|$)"
_COMMENT_TEXT: Final = rf"(?:[!-'*-\[\]-~{_UTF8}]|\\[ -~\t{_UTF8}])+"
TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # RFC 2045 section 5.1
_ATTRIBUTE: Final = r"[A-Za-z0-9!#$&+.^_`{|}~-]"  # RFC 2231 section 7: no * ' %
_PARAMETER: Final = rf"({_ATTRIBUTE}+)(?:\*(0|[1-9][0-9]*))?(\*)?="
_EXTENDED: Final = rf"(?:{_ATTRIBUTE}|['%])*"
_PERCENT: Final = rf"(?:{_ATTRIBUTE}|%[0-9A-F]{{2}})*"
_WORD: Final = re.compile(
    r"=\?([A-Za-z0-9!#$%&'+^_`{}~-]+)(?:\*[A-Za-z0-9-]+)?\?([BbQq])\?([!->@-~]+)\?="
)
_WORD_MAX: Final = 75
_Q: Final = {
    "text": re.compile(r"(?:[!-<>@-~]|=[0-9A-F]{2})+"),
    "phrase": re.compile(r"(?:[A-Za-z0-9!*+/_-]|=[0-9A-F]{2})+"),
    "comment": re.compile(r"(?:[!#-'*-<>@-\[\]^-~]|=[0-9A-F]{2})+"),
}
"""What Q may look like in each place (RFC 2047 sections 4.2 and 5)."""
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Malformed(AssertionError):
    """What is wrong, and where."""


class Field(NamedTuple):
    """A header field: its name, what stands behind the colon (with its folds), and its line."""

    name: str
    body: str
    line: int


def word(text: str, place: str) -> str:
    """Check an encoded word that stands in a `text`, a `phrase` or a `comment`, and decode it."""
    found = _WORD.fullmatch(text)
    if not found:
        raise Malformed(f"not an encoded word: {text!r}")
    if len(text) > _WORD_MAX:
        raise Malformed(f"an encoded word of more than {_WORD_MAX} characters: {text!r}")
    charset, encoding, encoded = found.groups()
    octets = _base64(encoded) if encoding in "Bb" else _quoted(encoded, place)
    try:
        decoded = octets.decode(charset)
    except (LookupError, ValueError) as exc:
        raise Malformed(f"an encoded word that does not decode alone: {text!r}") from exc
    if _CONTROL.search(decoded):
        raise Malformed(f"an encoded word that hides a control character: {text!r}")
    return decoded


def _base64(encoded: str) -> bytes:
    try:
        octets = binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error as exc:
        raise Malformed(f"bad base64 in an encoded word: {encoded!r}") from exc
    if binascii.b2a_base64(octets, newline=False) != encoded.encode():
        raise Malformed(f"bad base64 in an encoded word: {encoded!r}")
    return octets


def _quoted(encoded: str, place: str) -> bytes:
    if not _Q[place].fullmatch(encoded):
        raise Malformed(f"bad Q encoding in an encoded word of a {place}: {encoded!r}")
    spaced = encoded.replace("_", "=20").encode()
    return re.sub(rb"=(..)", lambda found: bytes.fromhex(found[1].decode()), spaced)


class Scanner:
    """Reads a field from left to right."""

    def __init__(self, field: Field) -> None:
        self._start = f"{field.name}:"
        self.text = field.body
        self.at = 0

    def take(self, pattern: str) -> str | None:
        """Take what fits the pattern here, if it does."""
        found = re.compile(pattern).match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        return found[0]

    def need(self, pattern: str, what: str) -> str:
        """Take what has to fit the pattern here."""
        taken = self.take(pattern)
        if taken is None:
            self.fail(f"no {what}")
        return taken

    def fail(self, why: str) -> NoReturn:
        """Say what is wrong, and where."""
        rest = self.text[self.at : self.at + 30]
        raise Malformed(f"{why} at {rest!r}" if rest else f"{why} at the end")

    def cfws(self) -> bool:
        """Skip white space and comments (RFC 5322 section 3.2.2)."""
        start = self.at
        while self.take(FWS) or self._comment():
            pass
        return self.at > start

    def _comment(self) -> bool:
        if not self.take(r"\("):
            return False
        depth = 1
        while depth:
            if self.take(r"\("):
                depth += 1
            elif self.take(r"\)"):
                depth -= 1
            elif text := self.take(_COMMENT_TEXT):
                self._encoded(text, "comment")
            elif not self.take(FWS):
                self.fail("a comment that does not end")
        return True

    def end(self) -> None:
        """See that nothing is left."""
        self.cfws()
        if self.at < len(self.text):
            self.fail("unexpected text")

    def alone(self, pattern: str, what: str) -> str:
        """Take the one thing that a field holds."""
        self.cfws()
        taken = self.need(pattern, what)
        self.end()
        return taken

    def text_to_end(self) -> None:
        """Read unstructured text."""
        for found in re.compile(r"[^ \t\r\n]+").finditer(self.text):
            self.at = found.end()
            self._encoded(found[0], "text")

    def _encoded(self, text: str, place: str) -> bool:
        """Check a run of characters if it looks encoded (RFC 2047 section 5)."""
        if "=?" not in text:
            return False
        word(text, place)
        start, end = self.text.rfind("\n", 0, self.at) + 1, self.text.find("\r", self.at)
        line = self.text[start : end if end >= 0 else None]
        if start == 0:
            line = self._start + line
        if len(line) > _WORD_MAX + 1:
            raise Malformed(f"a line with an encoded word, and more than 76 characters: {line!r}")
        return True

    def phrase(self) -> bool:
        """Read words as far as there are any (RFC 5322 section 3.2.5)."""
        start = self.at
        while True:
            before = self.text[self.at - 1 : self.at]
            if atom := self.take(_ATOM):
                after = self.text[self.at : self.at + 1]
                if self._encoded(atom, "phrase") and (before + after).strip(" \t\r"):
                    self.fail("an encoded word without white space around it")
            elif quoted := self.take(_QUOTED):
                if re.search(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=", quoted):
                    raise Malformed(f"an encoded word in a quoted string: {quoted!r}")
            else:
                return self.at > start
            self.cfws()

    def listed(self, entry: Callable[[], int]) -> int:
        """Read entries with commas between them; return how many they count for."""
        count = entry()
        while self.take(","):
            count += entry()
        return count

    def mailbox(self) -> int:
        """Read a mailbox (RFC 5322 section 3.4)."""
        self.cfws()
        if not self.take(_BARE):
            self.phrase()
            self._angle()
        self.cfws()
        return 1

    def _angle(self) -> None:
        self.need("<", "<")
        self.cfws()
        self.need(_SPEC, "address")
        self.cfws()
        self.need(">", ">")

    def address(self) -> int:
        """Read a mailbox or a group; return how many mailboxes it is."""
        self.cfws()
        start = self.at
        if self.take(_BARE) or not self.phrase() or not self.take(":"):
            self.at = start
            return self.mailbox()
        self.cfws()
        count = 0 if self.text.startswith(";", self.at) else self.listed(self.mailbox)
        self.need(";", ";")
        self.cfws()
        return count

    def parameters(self) -> dict[str, str]:
        """Read the parameters of a MIME field (RFC 2045 section 5.1, RFC 2231)."""
        parts: dict[str, list[tuple[str, str, str]]] = {}
        self.cfws()
        while self.take(";"):
            self.cfws()
            found = re.match(_PARAMETER, self.need(_PARAMETER, "parameter"))
            assert found
            name, number, star = found[1].lower(), found[2] or "", found[3] or ""
            parts.setdefault(name, []).append((number, star, self._value(is_extended=bool(star))))
            self.cfws()
        self.end()
        return {name: _joined(name, segments) for name, segments in parts.items()}

    def _value(self, *, is_extended: bool) -> str:
        if is_extended:
            return self.need(_EXTENDED, "value")
        if quoted := self.take(_QUOTED):
            value = re.sub(r"\\(.)", r"\1", quoted[1:-1].replace("\r\n", ""))
        else:
            value = self.need(TOKEN, "value")
        if re.search(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=", value):
            raise Malformed(f"an encoded word in a parameter: {value!r}")
        return value


def _joined(name: str, segments: list[tuple[str, str, str]]) -> str:
    """Put the segments of a parameter together (RFC 2231 sections 3 and 4)."""
    numbers = [number for number, _, _ in segments]
    if len(segments) > 1 and (len(set(numbers)) < len(numbers) or "" in numbers):
        raise Malformed(f"the parameter {name} stands twice")
    if numbers != [""] and numbers != [str(index) for index in range(len(numbers))]:
        raise Malformed(f"the parameter {name} has the segments {', '.join(numbers)}")
    values = [value for _, _, value in segments]
    charset = "utf-8"  # of what is not encoded: ASCII, or the header is UTF-8 (RFC 6532)
    if segments[0][1]:
        charset, *others = values[0].split("'", 2)
        if len(others) != 2:
            raise Malformed(f"the parameter {name} has no charset'language' in front")
        values[0] = others[1]
    elif any(star for _, star, _ in segments):
        raise Malformed(f"the parameter {name} is encoded, and its first segment has no charset")
    octets = [
        _percent_decoded(name, value) if star else value.encode()
        for value, (_, star, _) in zip(values, segments, strict=True)
    ]
    try:
        decoded = b"".join(octets).decode(charset)
    except (LookupError, ValueError) as exc:
        raise Malformed(f"the parameter {name} is not in its charset, {charset!r}") from exc
    if _CONTROL.search(decoded):
        raise Malformed(f"the parameter {name} hides a control character")
    return decoded


def _percent_decoded(name: str, text: str) -> bytes:
    if not re.fullmatch(_PERCENT, text):
        raise Malformed(f"the parameter {name} has a bad percent encoding: {text!r}")
    return re.sub(rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), text.encode())
