"""What relays and proxies say: ETRN, XCLIENT, XFORWARD."""

from __future__ import annotations

import re
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb
from ehlo.testing._grammar import Declined, Refusal
from ehlo.testing._parameters import XTEXT
from ehlo.testing._state import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.testing._session import Session

__all__ = ["etrn", "xclient", "xforward"]

# RFC 1985 section 5: a node, "@" and a domain with all below it, or "#" and a queue.
_NODE: Final = re.compile(r"@?[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[!-Z^-~]+\]|#[!-~]+")
_ATTRIBUTE: Final = re.compile(f"([A-Za-z]+)=({XTEXT})")
_ENCODED: Final = re.compile(r"\+([0-9A-F]{2})")
_UNKNOWN: Final = frozenset({"[UNAVAILABLE]", "[TEMPUNAVAIL]"})
"""What a relay says that does not know a value."""


def _is_address(value: str) -> bool:
    try:
        return ip_address(value.removeprefix("IPV6:")).version == (6 if ":" in value else 4)
    except ValueError:
        return False


def _is_one_of(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda value: compiled.fullmatch(value) is not None


_VALID: Final[Mapping[str, Callable[[str], bool]]] = {
    "ADDR": _is_address,
    "DESTADDR": _is_address,
    "PORT": _is_one_of("[0-9]{1,5}"),
    "DESTPORT": _is_one_of("[0-9]{1,5}"),
    "PROTO": _is_one_of("E?SMTP"),
    "SOURCE": _is_one_of("LOCAL|REMOTE"),
}
"""Which values an attribute may have, beside those that are unknown; others may have any."""


def etrn(session: Session, argument: str) -> Verdict:
    """ETRN (RFC 1985 section 5)."""
    if not _NODE.fullmatch(argument):
        raise Declined(Refusal.BAD_NODE)
    return Verdict(session.reply(250, session.options.wording.etrn, node=argument))


def xclient(session: Session, argument: str) -> Verdict:
    """XCLIENT: the client is another one, and everything begins anew (Postfix)."""
    attributes = _read_attributes(session, Verb.XCLIENT, argument)
    reply = session.reply(220, session.options.wording.greeting)
    return Verdict(reply, partial(_become, session, attributes))


def _become(session: Session, attributes: Mapping[str, str]) -> None:
    session.forget_client()
    session.xclient.update(attributes)
    login = session.xclient.get("LOGIN", "")
    session.user = None if login.upper() in {"", *_UNKNOWN} else login


def xforward(session: Session, argument: str) -> Verdict:
    """XFORWARD: where the next message comes from (Postfix)."""
    attributes = _read_attributes(session, Verb.XFORWARD, argument)
    effect = partial(session.xforward.update, attributes)
    return Verdict(session.reply(250, session.options.wording.xforward), effect)


def _read_attributes(session: Session, verb: Verb, argument: str) -> Mapping[str, str]:
    """Read attributes; refuse those that were not announced."""
    attributes: dict[str, str] = {}
    for word in argument.split():
        match = _ATTRIBUTE.fullmatch(word)
        if match is None or match[1].upper() not in session.offered[verb]:
            raise Declined(Refusal.BAD_ATTRIBUTE)
        attributes[match[1].upper()] = _decoded(match[2])
    if not all(_is_valid(name, value) for name, value in attributes.items()):
        raise Declined(Refusal.BAD_ATTRIBUTE)
    return attributes


def _decoded(xtext: str) -> str:
    octets = _ENCODED.sub(lambda match: chr(int(match[1], 16)), xtext).encode("latin-1")
    return octets.decode("utf-8", "backslashreplace")


def _is_valid(name: str, value: str) -> bool:
    check = _VALID.get(name)
    return check is None or value.upper() in _UNKNOWN or check(value)
