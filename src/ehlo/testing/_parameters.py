"""The ESMTP parameters of MAIL and RCPT, each with the extension it belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb
from ehlo.testing._grammar import Declined, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.capabilities import Capabilities

__all__ = ["XTEXT", "ParameterReader"]

_KEYWORD: Final = re.compile(r"[A-Z0-9][A-Z0-9-]*")
XTEXT: Final = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+"
"""RFC 3461 section 4."""


def _values(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter.

    Attributes:
        capability: The EHLO keyword of the extension it belongs to.
        value: The values it may have; None if it has none.
        length_max: How many octets the value may have.
        within: Whether a value is within what the extension's own parameters say; None for all.
        reserved: Values that belong to further capabilities.
    """

    capability: str
    value: re.Pattern[str] | None = None
    length_max: int = 2048
    within: Callable[[str, tuple[str, ...]], bool] | None = None
    reserved: Mapping[str, str] = field(default_factory=dict[str, str])

    def allows(self, value: str | None, announced: Capabilities) -> bool:
        """Return whether the parameter may have a value, or none."""
        if self.value is None or value is None:
            return self.value is None and value is None
        if self.reserved.get(value.upper(), self.capability) not in announced:
            return False
        if len(value) > self.length_max or not self.value.fullmatch(value):
            return False
        return self.within is None or self.within(value, announced[self.capability])


def _soon_enough(value: str, limits: tuple[str, ...]) -> bool:
    """Whether an interval in seconds is within FUTURERELEASE's first number."""
    return not limits or int(value) <= int(limits[0])


def _early_enough(value: str, limits: tuple[str, ...]) -> bool:
    """Whether a time exists, and is not behind FUTURERELEASE's second word."""
    try:
        time = datetime.fromisoformat(value.upper())
        return len(limits) < 2 or time <= datetime.fromisoformat(limits[1])  # noqa: PLR2004
    except ValueError:
        return False


_NOTIFY: Final = "(?:SUCCESS|FAILURE|DELAY)"
_ADDRESS: Final = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2}|[^\x00-\x7f])+"
"""The xtext of ORCPT; with SMTPUTF8 it may hold other than ASCII (RFC 6533 section 3)."""
_BODY: Final = _Parameter(
    "8BITMIME", _values("7BIT|8BITMIME|BINARYMIME"), reserved={"BINARYMIME": "BINARYMIME"}
)

_PARAMETERS: Final[Mapping[tuple[Verb, str], _Parameter]] = {
    # RFC 1870 section 6, RFC 6152 section 2, RFC 6531 section 3.4, RFC 4954 section 5
    (Verb.MAIL, "SIZE"): _Parameter("SIZE", _values("[0-9]{1,20}")),
    (Verb.MAIL, "BODY"): _BODY,
    (Verb.MAIL, "SMTPUTF8"): _Parameter("SMTPUTF8"),
    (Verb.MAIL, "AUTH"): _Parameter("AUTH", re.compile(f"<>|{XTEXT}")),
    # RFC 3461 sections 4.1 to 4.4
    (Verb.MAIL, "RET"): _Parameter("DSN", _values("FULL|HDRS")),
    (Verb.MAIL, "ENVID"): _Parameter("DSN", re.compile(XTEXT), 100),
    (Verb.RCPT, "NOTIFY"): _Parameter("DSN", _values(f"NEVER|{_NOTIFY}(?:,{_NOTIFY})*")),
    (Verb.RCPT, "ORCPT"): _Parameter("DSN", re.compile(f"[A-Za-z0-9-]+;{_ADDRESS}"), 500),
    # RFC 2852 section 4: nothing is returned for having been late before it was sent
    (Verb.MAIL, "BY"): _Parameter(
        "DELIVERBY", _values(r"[+-]?[0-9]{1,9};NT?|\+?(?=0*[1-9])[0-9]{1,9};RT?")
    ),
    # RFC 4865 section 3, with erratum 2040
    (Verb.MAIL, "HOLDFOR"): _Parameter(
        "FUTURERELEASE", _values("[1-9][0-9]{0,8}"), within=_soon_enough
    ),
    (Verb.MAIL, "HOLDUNTIL"): _Parameter(
        "FUTURERELEASE",
        re.compile(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
        ),
        within=_early_enough,
    ),
    # RFC 6710 section 4, RFC 8689 section 4
    (Verb.MAIL, "MT-PRIORITY"): _Parameter("MT-PRIORITY", _values("0|-?[1-9]")),
    (Verb.MAIL, "REQUIRETLS"): _Parameter("REQUIRETLS"),
    # draft-hall-prdr-00
    (Verb.MAIL, "PRDR"): _Parameter("PRDR"),
}
_EXCLUSIVE: Final = (frozenset({"HOLDFOR", "HOLDUNTIL"}),)
"""What cannot be said together."""
_OTHER: Final = {Verb.MAIL: Verb.RCPT, Verb.RCPT: Verb.MAIL}


@dataclass(frozen=True, slots=True)
class ParameterReader:
    """Reads the parameters of one command.

    Attributes:
        verb: MAIL or RCPT.
        announced: What the server told the client it can do: other parameters are unknown.
        moved: The parameters that belong to the other one of the two.
    """

    verb: Verb
    announced: Capabilities
    moved: frozenset[str]

    def read(self, text: str) -> Mapping[str, str | None]:
        """Read the parameters.

        Args:
            text: What follows the path.

        Returns:
            Keywords in upper case, with their values; None where there is no value.

        Raises:
            Declined: One is unknown, wrong, given twice or beside one that excludes it.
        """
        parameters: dict[str, str | None] = {}
        for word in text.split():
            keyword, equals, value = word.partition("=")
            keyword = keyword.upper()
            self._check(keyword, value if equals else None)
            if keyword in parameters:
                raise Declined(Refusal.BAD_PARAMETER)
            parameters[keyword] = value if equals else None
        if any(group <= parameters.keys() for group in _EXCLUSIVE):
            raise Declined(Refusal.BAD_PARAMETER)
        return MappingProxyType(parameters)

    def _check(self, keyword: str, value: str | None) -> None:
        if not _KEYWORD.fullmatch(keyword):
            raise Declined(Refusal.BAD_PARAMETER)
        verb = _OTHER[self.verb] if keyword in self.moved else self.verb
        known = _PARAMETERS.get((verb, keyword))
        if known is None or known.capability not in self.announced:
            raise Declined(Refusal.UNKNOWN_PARAMETER)
        if not known.allows(value, self.announced):
            raise Declined(Refusal.BAD_PARAMETER)
