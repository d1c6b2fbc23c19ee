"""Who signs: domain, selector, and the identity within the domain (RFC 6376 section 3.5)."""

from __future__ import annotations

import re
from typing import Final

from ehlo.address import Address
from ehlo.errors import InvalidInput
from ehlo.idna import a_labels
from ehlo.text import refuse_control_characters, require_str

__all__ = ["check_record_name", "checked_domain", "checked_identity", "checked_selector", "quoted"]

DNS_NAME_MAX: Final = 253
"""Characters of a name in the DNS (RFC 1035 section 2.3.4, without the length octets)."""

# sub-domain of RFC 5321 section 4.1.2, at most 63 octets (RFC 1035 section 2.3.4)
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SELECTOR: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
# dkim-safe-char (section 2.11)
_UNSAFE: Final = re.compile(rb"[^!-:<>-~]")


def _a_labels(what: str, name: str) -> str:
    refuse_control_characters(what, require_str(what, name))
    try:
        return a_labels(name)
    except UnicodeError as exc:
        raise InvalidInput(f"{what} {name!r} is no domain name: {exc}") from exc


def _is_domain(name: str) -> bool:
    return len(name) <= DNS_NAME_MAX and _DOMAIN.fullmatch(name) is not None


def checked_domain(name: str) -> str:
    """Return the domain that signs, in A-labels (RFC 6376 section 3.5).

    RFC 8616 would have U-labels where the header is UTF-8, and leaves A-labels valid there.

    Args:
        name: A domain name of two labels or more.

    Returns:
        The name.

    Raises:
        InvalidInput: It is none.
    """
    domain = _a_labels("the domain", name)
    if not _is_domain(domain):
        raise InvalidInput(f"the domain {name!r} is no domain name of two labels or more")
    return domain


def checked_selector(name: str) -> str:
    """Return the selector, in A-labels.

    Args:
        name: A domain name of one label or more.

    Returns:
        The name.

    Raises:
        InvalidInput: It is none.
    """
    selector = _a_labels("the selector", name)
    if not _SELECTOR.fullmatch(selector):
        raise InvalidInput(f"the selector {name!r} is no domain name (RFC 6376 section 3.1)")
    return selector


def check_record_name(name: str) -> None:
    """Refuse a name that the DNS cannot have.

    Args:
        name: Where the key record stands.

    Raises:
        InvalidInput: It is too long.
    """
    if len(name) > DNS_NAME_MAX:
        raise InvalidInput(f"selector and domain make a name of more than {DNS_NAME_MAX} octets")


def checked_identity(identity: str, domain: str) -> str:
    """Return the identity on whose behalf the domain signs, its domain in A-labels.

    Args:
        identity: An address, or an `@` and a domain.
        domain: The domain that signs.

    Returns:
        The identity.

    Raises:
        InvalidInput: It is no address, or not in the domain.
    """
    refuse_control_characters("the identity", require_str("the identity", identity))
    local_part, at, name = identity.rpartition("@")
    if not at:
        raise InvalidInput(f"an identity is an address, or an @ and a domain, not {identity!r}")
    if local_part:
        Address(identity)
    own = _a_labels("the domain of the identity", name)
    if not (_is_domain(own) and f".{own}".lower().endswith(f".{domain}".lower())):
        raise InvalidInput(f"the identity {identity!r} is not in the domain {domain}")
    return f"{local_part}@{own}"


def quoted(text: str) -> str:
    """Return a text as it stands in a tag (dkim-quoted-printable, RFC 6376 section 2.11).

    Args:
        text: Any text.

    Returns:
        ASCII without blanks and semicolons.
    """
    return _UNSAFE.sub(lambda match: b"=%02X" % match[0][0], text.encode()).decode("ascii")
