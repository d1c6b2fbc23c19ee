"""Commands of extensions: ETRN (RFC 1985), and Postfix's XCLIENT and XFORWARD."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.commands._command import Command, Verb, check_required
from ehlo.errors import InvalidInput
from ehlo.text import require_str
from ehlo.xtext import encode_xtext

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ATTRIBUTE_LINE_MAX",
    "TEMPORARILY_UNAVAILABLE",
    "UNAVAILABLE",
    "Etrn",
    "Xclient",
    "Xforward",
]

ATTRIBUTE_LINE_MAX: Final = 512
"""Octets of an XCLIENT or XFORWARD line (Postfix's XFORWARD_README, note 2)."""
ATTRIBUTE_VALUE_MAX: Final = 255
"""Characters of the value of an attribute (Postfix's XFORWARD_README, note 1)."""
UNAVAILABLE: Final = "[UNAVAILABLE]"
"""The value of an attribute that is not known, and will not be."""
TEMPORARILY_UNAVAILABLE: Final = "[TEMPUNAVAIL]"
"""The value of an attribute that cannot be found out at the moment, such as a host name."""

_ATTRIBUTE_NAME: Final = re.compile(r"[A-Z][A-Z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Etrn(Command):
    """ETRN: ask the server to send what it has queued for a node (RFC 1985).

    Attributes:
        node: The name of the client's host or domain; behind `@` a domain with all below it, and
            behind `#` whatever the server calls its queues.
    """

    verb = Verb.ETRN
    node: str

    def __post_init__(self) -> None:
        """Refuse what is no node.

        Raises:
            InvalidInput: The node is empty, or holds a blank or a control character.
        """
        check_required("the node of ETRN", require_str("the node of ETRN", self.node))
        if len(self.node.split()) > 1:
            msg = f"the node of ETRN is one word, not {self.node!r}"
            raise InvalidInput(msg)

    @override
    def _line(self) -> str:
        return f"ETRN {self.node}"


@dataclass(frozen=True, slots=True)
class _Attributes(Command):
    """What XCLIENT and XFORWARD share.

    Attributes:
        attributes: The values by the names of the attributes, which are in upper case.
    """

    line_max = ATTRIBUTE_LINE_MAX
    attributes: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse what is no attribute.

        Raises:
            InvalidInput: There is none; a name is none; a value is empty, too long or holds a
                control character.
        """
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))
        if not self.attributes:
            msg = f"{self.verb} needs at least one attribute"
            raise InvalidInput(msg)
        for name, value in self.attributes.items():
            self._check(name, value)

    def _check(self, name: str, value: str) -> None:
        if not _ATTRIBUTE_NAME.fullmatch(require_str("an attribute's name", name)):
            msg = f"the name of an attribute of {self.verb} is a word such as NAME, not {name!r}"
            raise InvalidInput(msg)
        if not require_str(f"{self.verb} {name}", value):
            msg = f"{self.verb} {name} is empty; what is not known is {UNAVAILABLE}"
            raise InvalidInput(msg)
        if len(encode_xtext(f"{self.verb} {name}", value)) > ATTRIBUTE_VALUE_MAX:
            msg = f"{self.verb} {name} has {ATTRIBUTE_VALUE_MAX} characters at the most, as xtext"
            raise InvalidInput(msg)

    @override
    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.attributes.items())))

    @override
    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by a plain dictionary (a mapping proxy cannot be pickled)."""
        return type(self), (dict(self.attributes),)

    @override
    def _line(self) -> str:
        pairs = (f"{name}={encode_xtext(name, text)}" for name, text in self.attributes.items())
        return f"{self.verb} {' '.join(pairs)}"


@dataclass(frozen=True, slots=True, eq=False)
class Xclient(_Attributes):
    """XCLIENT: speak for another client, whose attributes replace one's own (XCLIENT_README).

    For proxies and tests; the server must have been told to trust this client. It greets anew.

    Attributes:
        attributes: The values by the names of the attributes: NAME, ADDR, PORT, PROTO, HELO,
            LOGIN, DESTADDR, DESTPORT, as far as the server announced them. An IPv6 address
            stands behind `IPV6:`; what is not known is `UNAVAILABLE` or
            `TEMPORARILY_UNAVAILABLE`.
    """

    verb = Verb.XCLIENT


@dataclass(frozen=True, slots=True, eq=False)
class Xforward(_Attributes):
    """XFORWARD: tell the server, for its log, where a message came from (XFORWARD_README).

    Attributes:
        attributes: The values by the names of the attributes: NAME, ADDR, PORT, PROTO, HELO,
            IDENT, SOURCE, as far as the server announced them. An IPv6 address stands behind
            `IPV6:`; what is not known is `UNAVAILABLE`.
    """

    verb = Verb.XFORWARD
    ends_group = False  # "The command may be pipelined"
