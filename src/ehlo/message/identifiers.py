"""Message identifiers: checked, and made (RFC 5322 section 3.6.4)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ehlo.errors import InvalidInput
from ehlo.text import require_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ehlo.address import Address

__all__ = ["check_message_id", "identifier_of", "message_ids", "new_identifier", "new_message_id"]

_MESSAGE_ID_MAX: Final = 900  # characters, so that its line stays below 998
_MESSAGE_ID: Final = re.compile(r"<[!-;=?A-~]++@[!-;=?A-~]++>")

# Of a Message-ID (RFC 5322 section 3.6.4) and of a boundary, which has 70 characters at most.
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9]++(?:[._-][A-Za-z0-9]++)*+")
_IDENTIFIER_MAX: Final = 60


def check_message_id(message_id: str) -> str:
    """Return a Message-ID as it stands in the header.

    Args:
        message_id: The identifier, with or without its angle brackets.

    Returns:
        The identifier in angle brackets.

    Raises:
        InvalidInput: It is not printable ASCII with one @ in it and something on both its sides.
        TypeError: It is no text.
    """
    text = require_str("a Message-ID", message_id)
    bracketed = text if text.startswith("<") else f"<{text}>"
    if len(bracketed) > _MESSAGE_ID_MAX or not _MESSAGE_ID.fullmatch(bracketed):
        raise InvalidInput(f"not a Message-ID: {text[:_MESSAGE_ID_MAX]!r}")
    return bracketed


def message_ids(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the identifiers of a value that is one, or holds some.

    Args:
        value: One, or several with blanks between them, as other messages have them in their
            References; or an iterable of them.

    Returns:
        The identifiers in angle brackets.

    Raises:
        InvalidInput: One is none; see `check_message_id`.
        TypeError: One is no text.
    """
    found = value.split() if isinstance(value, str) else value
    return tuple(map(check_message_id, found))


def new_identifier(make_id: Callable[[], str]) -> str:
    """Make an identifier for a Message-ID or a boundary.

    Args:
        make_id: Makes identifiers.

    Returns:
        The identifier.

    Raises:
        InvalidInput: It is not 1 to 60 letters and digits, with single dots, hyphens and low
            lines between them.
    """
    identifier = make_id()
    is_usual = identifier.isalnum() and identifier.isascii()
    is_one = is_usual or _IDENTIFIER.fullmatch(identifier)
    if len(identifier) > _IDENTIFIER_MAX or not is_one:
        raise InvalidInput(f"not an identifier for a header: {identifier!r}")
    return identifier


def identifier_of(message_id: str) -> str:
    """Make an identifier for boundaries of a Message-ID.

    Args:
        message_id: The Message-ID.

    Returns:
        The same 32 digits for the same one.
    """
    import hashlib  # noqa: PLC0415 - slow to import, and few need it

    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def new_message_id(author: Address | None, make_id: Callable[[], str]) -> str:
    """Make a Message-ID in the author's domain.

    Args:
        author: The author's address. None, one without a domain, or with one that has no form in
            ASCII stands for `localhost`.
        make_id: Makes identifiers.

    Returns:
        The identifier, with angle brackets.

    Raises:
        InvalidInput: See `new_identifier`.
    """
    domain = "" if author is None else author.domain
    if author is not None and not domain.isascii():
        with suppress(InvalidInput):  # none of IDNA 2008, or the package `idna` is not there
            domain = author.to_ascii().domain
        domain = domain if domain.isascii() else ""
    return f"<{new_identifier(make_id)}@{domain or 'localhost'}>"
