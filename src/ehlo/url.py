"""What all URLs have in common that may hold a password: how they are split, and never shown."""

from __future__ import annotations

from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from ehlo.errors import InvalidInput

__all__ = ["decoded", "split"]

_ENCODE: Final = "special characters in user and password must be percent-encoded"


def split(what: str, url: str) -> SplitResult:
    """Split a URL into its parts.

    Args:
        what: What it is, for errors.
        url: The URL, which errors never repeat.

    Returns:
        The parts.

    Raises:
        InvalidInput: It has a bad host or port, or a part that does not belong there.
    """
    parts: SplitResult | None = None
    # The text of a ValueError may repeat parts of the URL, and with them the password: it must
    # not even be the context of ours.
    with suppress(ValueError):
        found = urlsplit(url)
        _ = found.port  # parsed on access
        parts = found
    if parts is None:
        msg = f"{what} has a bad host or port; {_ENCODE}"
        raise InvalidInput(msg)
    if "@" in parts.query:  # the user info was cut by a bare "?"
        msg = f"{what} has an @ behind its ?; {_ENCODE}"
        raise InvalidInput(msg)
    if parts.fragment or (parts.hostname is None and parts.netloc):
        msg = f"{what} has a part that does not belong there; {_ENCODE}"
        raise InvalidInput(msg)
    return parts


def decoded(what: str, text: str) -> str:
    """Decode a user or a password.

    Args:
        what: What URL it stands in, for errors.
        text: The user or password as it stands there.

    Returns:
        The text.

    Raises:
        InvalidInput: It is no percent-encoded UTF-8.
    """
    octets = unquote_to_bytes(text)
    with suppress(UnicodeDecodeError):
        return octets.decode()
    msg = f"user and password in {what} are percent-encoded UTF-8"
    raise InvalidInput(msg)
