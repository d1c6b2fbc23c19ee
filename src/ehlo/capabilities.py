"""What one EHLO reply announced (RFC 5321 section 4.1.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ehlo.reply import Reply

__all__ = ["Capabilities", "FutureRelease", "Limits"]

# ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-"); underscores and dots are met in the field.
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BLANKS = re.compile(r"[ \t]+")
_AUTH = "AUTH"
# "AUTH=LOGIN PLAIN": how servers wrote it before RFC 2554; some still send both forms.
_OLD_AUTH = "AUTH="
_SIZE_DIGITS: Final = 20
"""Digits of a size-value at the most (RFC 1870 section 4)."""
_SECONDS_DIGITS: Final = 9
"""Digits of a time in seconds at the most (RFC 2852 section 2, RFC 4865 section 3)."""
_LIMIT_DIGITS: Final = 6
"""Digits of a limit at the most (RFC 9422 section 4)."""
# date-time of RFC 3339 section 5.6, which RFC 4865 has in mind (erratum 2040).
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)


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


def _number(word: str, digits: int) -> int | None:
    """Return the number that a word is; None for anything odd."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= digits else None


def _moment(word: str) -> datetime | None:
    """Return the point in time that a word is; None for anything odd."""
    if not _DATE_TIME.fullmatch(word.upper()):
        return None
    try:
        return datetime.fromisoformat(word.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of February; a year that UTC does not have
        return None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a session that a server announced (LIMITS, RFC 9422); None where it did not.

    Attributes:
        mail_max: How many transactions a session may have.
        rcpt_max: How many recipients a transaction may have.
        rcpt_domain_max: How many domains the recipients of a session may have.
    """

    mail_max: int | None = None
    rcpt_max: int | None = None
    rcpt_domain_max: int | None = None


_LIMIT_NAMES: Final = {
    "MAILMAX": "mail_max",
    "RCPTMAX": "rcpt_max",
    "RCPTDOMAINMAX": "rcpt_domain_max",
}


@dataclass(frozen=True, slots=True)
class FutureRelease:
    """For how long a server holds a message (FUTURERELEASE, RFC 4865); None where it is odd.

    Attributes:
        max_seconds: The longest time from now, in seconds.
        max_datetime: The latest point in time, in UTC.
    """

    max_seconds: int | None = None
    max_datetime: datetime | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that a server announced in one EHLO reply; empty after HELO.

    A keyword is read whole and without regard to case, from the second line on. Blank and odd
    lines are ignored. `"SIZE" in capabilities` asks for a keyword, `capabilities["SIZE"]` gives
    its parameters.

    Attributes:
        keywords: Each keyword in upper case with its parameters as they came.
        domain: The first word of the reply: the name the server gives itself.
        size: The largest message that the server takes, in octets; None for no known limit.
            `SIZE` without a number, with 0 or with anything odd sets none (RFC 1870 section 4).
        pipelining: Whether PIPELINING is offered (RFC 2920).
        chunking: Whether CHUNKING is offered (RFC 3030).
        eight_bit_mime: Whether 8BITMIME is offered (RFC 6152).
        smtputf8: Whether SMTPUTF8 is offered (RFC 6531).
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    domain: str = ""
    # Asked for with every message, and so not looked up each time.
    size: int | None = field(init=False, repr=False, compare=False)
    pipelining: bool = field(init=False, repr=False, compare=False)
    chunking: bool = field(init=False, repr=False, compare=False)
    eight_bit_mime: bool = field(init=False, repr=False, compare=False)
    smtputf8: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keywords = self.keywords
        object.__setattr__(self, "size", _number(self._first("SIZE"), _SIZE_DIGITS) or None)
        object.__setattr__(self, "pipelining", "PIPELINING" in keywords)
        object.__setattr__(self, "chunking", "CHUNKING" in keywords)
        object.__setattr__(self, "eight_bit_mime", "8BITMIME" in keywords)
        object.__setattr__(self, "smtputf8", "SMTPUTF8" in keywords)

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

    def without(self, keywords: Iterable[str]) -> Capabilities:
        """Return the same capabilities, less some: what a client does not want to use.

        Args:
            keywords: EHLO keywords, in any case; whether they were announced does not matter.

        Returns:
            A copy that lacks them.
        """
        left_out = {keyword.upper() for keyword in keywords}
        kept = {word: known for word, known in self.keywords.items() if word not in left_out}
        return Capabilities(MappingProxyType(kept), self.domain)

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

    def _first(self, keyword: str) -> str:
        """Return the first parameter of a keyword; empty if there is none."""
        parameters = self.keywords.get(keyword, ())
        return parameters[0] if parameters else ""

    def _words(self, keyword: str) -> frozenset[str]:
        return frozenset(word.upper() for word in self.keywords.get(keyword, ()))

    @property
    def auth(self) -> tuple[str, ...]:
        """The SASL mechanisms that the server offers, in upper case (RFC 4954)."""
        return tuple(word.upper() for word in self.keywords.get(_AUTH, ()))

    @property
    def starttls(self) -> bool:
        """Whether STARTTLS is offered (RFC 3207)."""
        return "STARTTLS" in self.keywords

    @property
    def enhanced_status_codes(self) -> bool:
        """Whether ENHANCEDSTATUSCODES is offered (RFC 2034)."""
        return "ENHANCEDSTATUSCODES" in self.keywords

    @property
    def binary_mime(self) -> bool:
        """Whether BINARYMIME is offered, and CHUNKING, which it depends on (RFC 3030 section 3)."""
        return self.chunking and "BINARYMIME" in self.keywords

    @property
    def dsn(self) -> bool:
        """Whether DSN is offered (RFC 3461)."""
        return "DSN" in self.keywords

    @property
    def deliver_by(self) -> int | None:
        """The least time for delivery or return, in seconds; 0 for none, None without DELIVERBY.

        RFC 2852 section 2.
        """
        if "DELIVERBY" not in self.keywords:
            return None
        # min-by-time *( ',' extension-token )
        return _number(self._first("DELIVERBY").partition(",")[0], _SECONDS_DIGITS) or 0

    @property
    def future_release(self) -> FutureRelease | None:
        """For how long the server holds a message; None without FUTURERELEASE (RFC 4865)."""
        if "FUTURERELEASE" not in self.keywords:
            return None
        interval, moment = (*self.keywords["FUTURERELEASE"], "", "")[:2]
        return FutureRelease(_number(interval, _SECONDS_DIGITS) or None, _moment(moment))

    @property
    def mt_priority(self) -> str | None:
        """The profile of priorities, in upper case; empty if unnamed, None without MT-PRIORITY.

        RFC 6710 section 3.
        """
        return self._first("MT-PRIORITY").upper() if "MT-PRIORITY" in self.keywords else None

    @property
    def require_tls(self) -> bool:
        """Whether REQUIRETLS is offered (RFC 8689)."""
        return "REQUIRETLS" in self.keywords

    @property
    def limits(self) -> Limits:
        """The limits of the session; odd ones are ignored (LIMITS, RFC 9422)."""
        found: dict[str, int] = {}
        for word in self.keywords.get("LIMITS", ()):
            name, _, value = word.partition("=")
            limit = _number(value, _LIMIT_DIGITS)
            if limit and name.upper() in _LIMIT_NAMES:
                found.setdefault(_LIMIT_NAMES[name.upper()], limit)
        return Limits(**found)

    @property
    def etrn(self) -> bool:
        """Whether ETRN is offered (RFC 1985)."""
        return "ETRN" in self.keywords

    @property
    def xclient(self) -> frozenset[str]:
        """The attributes that XCLIENT may set, in upper case (Postfix's XCLIENT_README)."""
        return self._words("XCLIENT")

    @property
    def xforward(self) -> frozenset[str]:
        """The attributes that XFORWARD may tell, in upper case (Postfix's XFORWARD_README)."""
        return self._words("XFORWARD")


def _restore(keywords: dict[str, tuple[str, ...]], domain: str) -> Capabilities:
    return Capabilities(MappingProxyType(keywords), domain)
