"""Addresses (RFC 5321 section 4.1.2) and mailboxes (RFC 5322 section 3.4), read strictly.

A text is one address or it is an error that says where. Nothing is guessed, repaired or
dropped: no comments, no routes, no lists, no display name where an address is due.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from typing_extensions import override

from ehlo.errors import InvalidAddress
from ehlo.idna import a_labels
from ehlo.text import CONTROL_CHARACTER, control_character, require_str

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Address",
    "AddressLike",
    "Mailbox",
    "MailboxLike",
    "address_literal",
    "addresses_at_once",
    "mailboxes_at_once",
]

LOCAL_PART_MAX: Final = 64
"""Octets of a local part (RFC 5321 section 4.5.3.1.1)."""
DOMAIN_MAX: Final = 255
"""Octets of a domain (RFC 5321 section 4.5.3.1.2)."""
PATH_MAX: Final = 254
"""Octets of an address: a path of 256 (section 4.5.3.1.3) without its angle brackets."""

# The productions of RFC 5321 section 4.1.2 with the additions of RFC 6531 section 3.3: every
# non-ASCII character that is not a control may stand in an atom, a quoted string or a label.
_UTF8 = "\u00a0-\u2027\u202a-\ud7ff\ue000-\U0010ffff"
_ATEXT = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]"
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED_STRING = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'
_LET_DIG = rf"[A-Za-z0-9{_UTF8}]"
_LABEL = rf"{_LET_DIG}(?:[A-Za-z0-9{_UTF8}-]*{_LET_DIG})?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
# IPv4, IPv6 or a general literal; the numbers themselves are the server's to judge.
_LITERAL = r"\[[!-Z^-~]+\]"

# Nearly all addresses: ASCII, short, nothing quoted, no literal. One match, with nothing to go back
# for, says all there is to say of them; an address costs half.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_ASCII_LABEL = r"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*+"
_USUAL = rf"{_ATOM}(?:\.{_ATOM})*+@{_ASCII_LABEL}(?:\.{_ASCII_LABEL})*+"
_is_usual = re.compile(_USUAL).fullmatch
_are_usual = re.compile(rf"(?:{_USUAL}\n)*+").fullmatch
_USUAL_MAX: Final = LOCAL_PART_MAX  # as a whole, so that no part need be measured

_LOCAL_PART = rf"(?:{_DOT_STRING}|{_QUOTED_STRING})"

# RFC 5322 atext, the blanks between words, and what real display names hold unquoted: dots
# (obs-phrase) and non-ASCII text.
_PHRASE = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}. \t-]*"
_QUOTED_NAME = rf'"(?:[ \t!#-\[\]-~{_UTF8}]|\\[ -~{_UTF8}])*"'
_QUOTED_PAIR = r"\\(.)"


@cache
def _grammar(production: str) -> re.Pattern[str]:
    """Compile at first use: classes of all of Unicode take half of the import's time otherwise."""
    return re.compile(production)


POSTMASTER: Final = "postmaster"
"""The one local part that stands without a domain (RFC 5321 section 4.5.1)."""


def _fail(text: str, position: int, why: str) -> InvalidAddress:
    shown = text if len(text) <= PATH_MAX else f"{text[:PATH_MAX]}..."
    # The commonest mistake, and none that a grammar can name.
    hint = "; one text is one mailbox, a list holds several" if "," in text or ";" in text else ""
    msg = f"not an address: {why} at position {position} of {shown!r}{hint}"
    return InvalidAddress(msg, text=text, position=position)


def _check_length(text: str, what: str, part: str, limit: int, position: int) -> None:
    if len(part) > limit or (not part.isascii() and len(part.encode()) > limit):
        raise _fail(text, position, f"{what} is longer than {limit} octets")


def _check_domain(text: str, start: int) -> None:
    grammar = _LITERAL if text.startswith("[", start) else _DOMAIN
    match = _grammar(grammar).match(text, start)
    end = match.end() if match else start
    if end != len(text) or end == start:
        raise _fail(text, end, "bad domain" if end < len(text) else "missing domain")
    _check_length(text, "the domain", text[start:], DOMAIN_MAX, start)


def _end_of_local_part(text: str) -> int:
    match = _grammar(_LOCAL_PART).match(text)
    if match is None:
        raise _fail(text, 0, "bad local part" if text else "empty text")
    return match.end()


def _check(text: str) -> None:
    """Check an addr-spec."""
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise _fail(text, exc.start, "lone surrogate") from None
    at = _end_of_local_part(text)
    _check_length(text, "the local part", text[:at], LOCAL_PART_MAX, 0)
    if at == len(text) and text.lower() == POSTMASTER:
        return
    if not text.startswith("@", at):
        raise _fail(text, at, "missing @" if at == len(text) else "bad local part")
    _check_domain(text, at + 1)
    _check_length(text, "the address", text, PATH_MAX, 0)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Address:
    """One mail address (an addr-spec), exactly as it will be sent.

    Quoted local parts, address literals, internationalised addresses (RFC 6531) and the bare
    `postmaster` are addresses; `Ada <ada@example.org>` is not: that is a `Mailbox`.

    An address equals its text, so that `"ada@example.org" in receipt.refused` finds it.

    Args:
        spec: The text, for example `ada@example.org`.

    Raises:
        InvalidAddress: The text is not one address, or a part of it exceeds its limit (local
            part 64 octets, domain 255, all 254; RFC 5321 section 4.5.3.1).

    Attributes:
        spec: The whole text.
    """

    spec: str

    def __init__(self, spec: str) -> None:
        _set_spec(self, spec)  # before anything is refused: a traceback may show it
        if type(spec) is not str:
            require_str("an address", spec)
        if len(spec) > _USUAL_MAX or not _is_usual(spec):
            _check(spec)

    @classmethod
    def of(cls, value: AddressLike) -> Address:
        """Return the address of an `Address`, a `Mailbox` or a text.

        Args:
            value: What a caller passed.

        Returns:
            The address.

        Raises:
            InvalidAddress: A text is not one address.
            TypeError: The value is none of the three.
        """
        if isinstance(value, Address):
            return value
        if isinstance(value, Mailbox):
            return value.address
        return cls(value)

    @property
    def local_part(self) -> str:
        """What stands before the `@`, quotes included."""
        return self.spec[: self._at]

    @property
    def domain(self) -> str:
        """What stands behind the `@`; empty for the bare `postmaster`."""
        return self.spec[self._at + 1 :]

    @property
    def _at(self) -> int:
        """Where its `@` stands; its length if it has none. Found when needed, which is seldom."""
        if self.spec.startswith('"'):
            return _end_of_local_part(self.spec)
        at = self.spec.find("@")
        return at if at >= 0 else len(self.spec)

    @property
    def is_ascii(self) -> bool:
        """Whether the address can be sent as it is to a server without SMTPUTF8 (RFC 6531)."""
        return self.spec.isascii()

    @property
    def needs_smtputf8(self) -> bool:
        """Whether no other way of writing the address does without SMTPUTF8 (RFC 6531).

        A domain has an ASCII form (see `to_ascii`), a local part has none.
        """
        return not self.local_part.isascii()

    def to_ascii(self) -> Address:
        """Return the same address with its domain in A-labels (IDNA 2008).

        The local part is not touched: only the domain's own server knows what it means. A domain
        that is ASCII, and an address literal, stay as they are.

        Returns:
            An address whose domain is ASCII.

        Raises:
            InvalidAddress: The domain is none of IDNA 2008, or its ASCII form is too long.
            InvalidInput: The package `idna` is not there: install `ehlo[idna]`.
        """
        domain = self.domain
        if domain.isascii():
            return self
        try:
            return Address(f"{self.local_part}@{a_labels(domain)}")
        except UnicodeError as exc:
            raise _fail(self.spec, self._at + 1, f"bad domain ({exc})") from exc

    @override
    def __eq__(self, other: object) -> bool:
        if isinstance(other, Address):
            return self.spec == other.spec
        return self.spec == other if isinstance(other, str) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(self.spec)

    @override
    def __str__(self) -> str:
        return self.spec

    @override
    def __repr__(self) -> str:
        return f"Address({self.spec!r})"


def addresses_at_once(texts: Sequence[object]) -> list[Address] | None:
    """Read many addresses with one look at all of them: in a third of the time.

    Args:
        texts: What may be addresses.

    Returns:
        The addresses; None if one has to be looked at by itself, as it is not like most, or no
        text.
    """
    if not set(map(type, texts)) <= _TEXTS:
        return None
    known = cast("Sequence[str]", texts)
    lines = "\n".join((*known, ""))
    if lines.count("\n") != len(known) or not _are_usual(lines):
        return None
    if max(map(len, known), default=0) > _USUAL_MAX:
        return None
    addresses: list[Address] = []
    for text in known:
        address = _new(Address)
        _set_spec(address, text)
        addresses.append(address)
    return addresses


_TEXTS: Final = {str}
# A slot itself sets its value in two thirds of the time of `object.__setattr__`, which looks for it
# by name; and there may be a million addresses.
_set_spec = vars(Address)["spec"].__set__
_new = object.__new__


def _split_mailbox(text: str) -> tuple[str, int]:
    """Return the display name of `name <addr>` and where its `<` stands; -1 for a bare address."""
    start = len(text) - len(text.lstrip(" \t"))
    quoted = text.startswith('"', start)
    match = _grammar(_QUOTED_NAME if quoted else _PHRASE).match(text, start)
    end = match.end() if match else start
    name = text[start:end]
    while text.startswith((" ", "\t"), end):
        end += 1
    if not text.startswith("<", end):
        return "", -1
    return (re.sub(_QUOTED_PAIR, r"\1", name[1:-1]) if quoted else name.strip(" \t")), end


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with the name of whom it belongs to (RFC 5322 section 3.4).

    Attributes:
        address: The address.
        name: The display name as people read it, unquoted and decoded; empty for none.
    """

    address: Address
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse a name that no header may hold.

        Raises:
            InvalidAddress: The name holds a control character or a lone surrogate.
        """
        if found := control_character(require_str("the display name", self.name)):
            msg = f"the display name holds {found}"
            raise InvalidAddress(msg, text=self.name)

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """Read `ada@example.org`, `Ada <ada@example.org>` or `"Lovelace, Ada" <ada@...>`.

        Args:
            text: One mailbox. Encoded words in it are text like any other.

        Returns:
            The mailbox.

        Raises:
            InvalidAddress: The text is not one mailbox; the position counts in `text`.
        """
        if type(text) is str and "<" not in text:  # as nearly always where a program wrote it
            return _nameless(Address(text))
        name, bracket = _split_mailbox(text)
        if control := CONTROL_CHARACTER.search(name):
            raise _fail(text, text.index(control[0], text.index(name)), "control character")
        if bracket < 0:
            return _nameless(Address(text))
        body = text.rstrip(" \t")
        if not body.endswith(">"):
            raise _fail(text, len(body), "missing >")
        try:
            address = Address(body[bracket + 1 : -1])
        except InvalidAddress as exc:
            position = bracket + 1 + exc.position
            raise InvalidAddress(str(exc), text=text, position=position) from None
        return cls(address, name)

    @classmethod
    def of(cls, value: MailboxLike) -> Mailbox:
        """Return the mailbox of a `Mailbox`, an `Address`, a text or a pair (name, address).

        Args:
            value: What a caller passed.

        Returns:
            The mailbox.

        Raises:
            InvalidAddress: A text is not one mailbox.
            TypeError: The value is none of these.
        """
        match value:
            case str():
                return cls.parse(value)
            case Mailbox():
                return value
            case Address():
                return _nameless(value)
            case _:
                name, address = _pair(value)
                return cls(Address.of(address), name)

    @override
    def __str__(self) -> str:
        """Return the mailbox as people write it: the name quoted where that is needed."""
        if not self.name:
            return str(self.address)
        plain = (
            _grammar(_PHRASE).fullmatch(self.name)
            and self.name == self.name.strip()
            and "." not in self.name
        )
        name = self.name if plain else '"' + re.sub(r'(["\\])', r"\\\1", self.name) + '"'
        return f"{name} <{self.address}>"


def mailboxes_at_once(texts: Sequence[object]) -> tuple[Mailbox, ...] | None:
    """Read many mailboxes without a name; see `addresses_at_once`."""
    addresses = addresses_at_once(texts)
    return None if addresses is None else tuple(map(_nameless, addresses))


def _nameless(address: Address) -> Mailbox:
    """Return a mailbox without a name; there is nothing to check, and no time to lose."""
    mailbox = _new(Mailbox)
    _set_address(mailbox, address)
    _set_name(mailbox, "")
    return mailbox


_set_address, _set_name = (vars(Mailbox)[slot].__set__ for slot in ("address", "name"))


def _pair(value: object) -> tuple[str, AddressLike]:
    match value:
        case (str(name), str() | Address() | Mailbox() as address) if isinstance(value, tuple):
            return name, address
        case _:
            msg = f"a mailbox is a str, not {type(value).__name__}, or a pair (name, address)"
            raise TypeError(msg)


AddressLike = str | Address | Mailbox
"""What a parameter for one address takes."""
MailboxLike = str | Address | Mailbox | tuple[str, str | Address]
"""What a parameter for one mailbox takes; a pair is (display name, address)."""


def address_literal(socket_name: object) -> str:
    """Return the EHLO name of a socket: never a DNS look-up (RFC 5321 section 4.1.3).

    Args:
        socket_name: What `getsockname` tells: a tuple for IP, anything else for a unix socket.

    Returns:
        An address literal, or `localhost` for a unix socket.
    """
    if not isinstance(socket_name, tuple):
        return "localhost"
    host = str(socket_name[0]).partition("%")[0]  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"
