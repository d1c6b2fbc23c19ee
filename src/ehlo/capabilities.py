"""What one EHLO reply announced (RFC 5321 section 4.1.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.reply import Reply

__all__ = ["Capabilities"]

# ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"); underscores and dots are met in the field.
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BLANKS = re.compile(r"[ \t]+")
_AUTH = "AUTH"
# "AUTH=LOGIN PLAIN": how servers wrote it before RFC 2554; some still send both forms.
_OLD_AUTH = "AUTH="
_SIZE_DIGITS = 20
"""Digits of a size-value at the most (RFC 1870 section 4)."""


def _entries(reply: Reply) -> dict[str, tuple[str, ...]]:
    entries: dict[str, dict[str, None]] = {}
    # The first line is the server's name and greeting, never a keyword.
    for line in reply.lines[1:]:
        words = [word for word in _BLANKS.split(line) if word]
        if not words:
            continue
        keyword, *parameters = words
        if keyword.upper().startswith(_OLD_AUTH):
            keyword, parameters = _AUTH, [keyword[len(_OLD_AUTH) :], *parameters]
        if not _KEYWORD.fullmatch(keyword):
            continue
        keyword = keyword.upper()
        known = entries.setdefault(keyword, {})
        known.update((word, None) for word in parameters if word)
    return {keyword: tuple(known) for keyword, known in entries.items()}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that a server announced in one EHLO reply; empty after HELO.

    A keyword is read whole and without regard to case, from the second line on. Blank and odd
    lines are ignored. `"SIZE" in capabilities` asks for a keyword, `capabilities["SIZE"]` gives
    its parameters.

    Attributes:
        keywords: Each keyword in upper case with its parameters as they came.
        domain: The first word of the reply: the name the server gives itself.
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    domain: str = ""

    @classmethod
    def from_reply(cls, reply: Reply) -> Capabilities:
        """Read the capabilities of a positive reply to EHLO.

        Args:
            reply: The reply.

        Returns:
            What it announces.
        """
        domain, _, _ = reply.lines[0].partition(" ")
        return cls(MappingProxyType(_entries(reply)), domain)

    @override
    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by a plain dictionary (a mapping proxy cannot be pickled)."""
        return _restore, (dict(self.keywords), self.domain)

    def __contains__(self, keyword: str) -> bool:
        """Return whether the server announced this keyword, in any case."""
        return keyword.upper() in self.keywords

    def __getitem__(self, keyword: str) -> tuple[str, ...]:
        """Return the parameters of a keyword, in any case; `KeyError` if it was not announced."""
        return self.keywords[keyword.upper()]

    @property
    def size(self) -> int | None:
        """The largest message that the server takes, in octets; None for no known limit.

        `SIZE` without a number, with 0 or with anything odd sets no limit (RFC 1870 section 4).
        """
        for word in self.keywords.get("SIZE", ())[:1]:
            if word.isascii() and word.isdigit() and len(word) <= _SIZE_DIGITS:
                return int(word) or None
        return None

    @property
    def auth(self) -> tuple[str, ...]:
        """The SASL mechanisms that the server offers, in upper case (RFC 4954)."""
        return tuple(word.upper() for word in self.keywords.get(_AUTH, ()))

    @property
    def starttls(self) -> bool:
        """Whether STARTTLS is offered (RFC 3207)."""
        return "STARTTLS" in self.keywords

    @property
    def pipelining(self) -> bool:
        """Whether PIPELINING is offered (RFC 2920)."""
        return "PIPELINING" in self.keywords

    @property
    def eight_bit_mime(self) -> bool:
        """Whether 8BITMIME is offered (RFC 6152)."""
        return "8BITMIME" in self.keywords

    @property
    def smtputf8(self) -> bool:
        """Whether SMTPUTF8 is offered (RFC 6531)."""
        return "SMTPUTF8" in self.keywords

    @property
    def enhanced_status_codes(self) -> bool:
        """Whether ENHANCEDSTATUSCODES is offered (RFC 2034)."""
        return "ENHANCEDSTATUSCODES" in self.keywords

    @property
    def chunking(self) -> bool:
        """Whether CHUNKING is offered (RFC 3030)."""
        return "CHUNKING" in self.keywords

    @property
    def dsn(self) -> bool:
        """Whether DSN is offered (RFC 3461)."""
        return "DSN" in self.keywords


def _restore(keywords: dict[str, tuple[str, ...]], domain: str) -> Capabilities:
    return Capabilities(MappingProxyType(keywords), domain)
