"""The arguments of MAIL and RCPT: a path, and ESMTP parameters (RFC 5321 section 4.1.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ehlo.address import Address
from ehlo.commands import Verb
from ehlo.errors import InvalidAddress
from ehlo.testing._grammar import Declined, Refusal
from ehlo.testing._parameters import ParameterReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.capabilities import Capabilities

__all__ = ["Path", "check_ascii", "read_path"]


@dataclass(frozen=True, slots=True)
class Path:
    """The argument of MAIL or RCPT.

    Attributes:
        address: The address without angle brackets and source route; empty for `<>`.
        parameters: The ESMTP parameters: keywords in upper case; None where there is no value.
    """

    address: str
    parameters: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How the argument of one command is read."""

    prefix: str
    refusal: Refusal
    null: bool


_PATHS: Final[Mapping[Verb, _Grammar]] = {
    Verb.MAIL: _Grammar("FROM", Refusal.BAD_SENDER, null=True),
    Verb.RCPT: _Grammar("TO", Refusal.BAD_RECIPIENT, null=False),
}

# Blanks behind the colon are wrong, and typed by everyone (RFC 5321 section 3.3 has a word for
# it: "Since it has been a common source of errors, it is worth noting ..."). A quoted local part
# may hold ">"; a source route must be accepted and should be ignored (section 4.1.1.3).
_PATH = re.compile(
    r'(?P<prefix>[A-Za-z]+): *<(?:@[^:">]*:)?(?P<address>(?:"(?:\\.|[^"\\])*"|[^">])*)>'
    r"(?: +(?P<parameters>.*))?"
)


def read_path(
    verb: Verb, argument: str, announced: Capabilities, moved: frozenset[str] = frozenset()
) -> Path:
    """Read the argument of MAIL or RCPT (RFC 5321 sections 4.1.1.2 and 4.1.1.3).

    Args:
        verb: Which of the two.
        argument: What follows the verb.
        announced: What the server told the client it can do: other parameters are unknown.
        moved: The parameters that belong to the other one of the two.

    Returns:
        The path and its parameters.

    Raises:
        Declined: The syntax is wrong, or a parameter is.
    """
    grammar = _PATHS[verb]
    match = _PATH.fullmatch(argument)
    if match is None or match["prefix"].upper() != grammar.prefix:
        raise Declined(grammar.refusal)
    address = match["address"]
    if address or not grammar.null:
        _check_address(address, grammar.refusal)
    reader = ParameterReader(verb, announced, moved)
    return Path(address, reader.read(match["parameters"] or ""))


def check_ascii(address: str, parameters: Mapping[str, str | None]) -> None:
    """Check that an internationalised address is within a transaction of that kind.

    Args:
        address: The address.
        parameters: The parameters of MAIL.

    Raises:
        Declined: It has other than ASCII characters, and there is no SMTPUTF8 (RFC 6531
            section 3.5).
    """
    if not address.isascii() and "SMTPUTF8" not in parameters:
        raise Declined(Refusal.NEEDS_SMTPUTF8)


def _check_address(address: str, refusal: Refusal) -> None:
    try:
        Address(address)
    except InvalidAddress:
        raise Declined(refusal) from None
