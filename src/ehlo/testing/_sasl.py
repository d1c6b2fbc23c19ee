"""The server's side of SASL: one generator for each mechanism (RFC 4954 section 4).

A mechanism yields challenges, is sent responses, and returns who was authenticated. An initial
response answers the first challenge, which is then not sent. Base64 is not its business.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from ehlo.testing._grammar import Declined, Refusal

__all__ = ["MECHANISMS", "Challenge", "Exchange", "begin", "respond"]

Exchange: TypeAlias = Generator[bytes, bytes, str | None]
"""A running exchange; it returns the user, or None if the credentials were wrong."""
Mechanism: TypeAlias = Callable[[Mapping[str, str]], Exchange]
"""Begins an exchange; takes the users and their passwords."""

# RFC 4648 section 4; `binascii` takes too much for it, even where it is told to be strict.
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_EMPTY: Final = "="
"""An initial response of no octets, which could not be told from none (RFC 4954 section 4)."""


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Declined(Refusal.BAD_RESPONSE) from None


def _checked(users: Mapping[str, str], user: str, password: str) -> str | None:
    return user if users.get(user) == password else None


def _plain(users: Mapping[str, str]) -> Exchange:
    """PLAIN (RFC 4616): authorization identity, NUL, user, NUL, password."""
    parts = _text((yield b"")).split("\0")
    if len(parts) != 3:  # noqa: PLR2004 - the three that the docstring names
        raise Declined(Refusal.BAD_RESPONSE)
    identity, user, password = parts
    return _checked(users, user, password) if identity in {"", user} else None


def _login(users: Mapping[str, str]) -> Exchange:
    """LOGIN (draft-murchison-sasl-login-00): the user, then the password."""
    user = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    return _checked(users, user, password)


MECHANISMS: Final[Mapping[str, Mechanism]] = {"PLAIN": _plain, "LOGIN": _login}
"""What the server knows, by name."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """The exchange goes on.

    Attributes:
        exchange: The exchange.
        text: The challenge in Base64.
    """

    exchange: Exchange
    text: bytes

    @classmethod
    def of(cls, exchange: Exchange, octets: bytes) -> Challenge:
        """Return the challenge for octets that are not in Base64 yet."""
        return cls(exchange, binascii.b2a_base64(octets, newline=False))


def begin(mechanism: str, users: Mapping[str, str], initial: str) -> Challenge | str:
    """Begin an exchange.

    Args:
        mechanism: The name of the mechanism.
        users: The passwords, by user.
        initial: The initial response as it stands behind AUTH; empty for none.

    Returns:
        The first challenge, or who was authenticated by the initial response.

    Raises:
        Declined: The initial response cannot be read, or the credentials in it are wrong.
    """
    exchange = MECHANISMS[mechanism](users)
    first = next(exchange)
    if not initial:
        return Challenge.of(exchange, first)
    return respond(exchange, b"" if initial == _EMPTY else initial.encode())


def respond(exchange: Exchange, response: bytes) -> Challenge | str:
    """Give an exchange the client's response.

    Args:
        exchange: The exchange.
        response: The response in Base64, read strictly.

    Returns:
        The next challenge, or who was authenticated.

    Raises:
        Declined: The response cannot be read, or the credentials are wrong.
    """
    if not _BASE64.fullmatch(response):
        raise Declined(Refusal.BAD_RESPONSE)
    try:
        return Challenge.of(exchange, exchange.send(binascii.a2b_base64(response)))
    except StopIteration as stop:
        user: str | None = stop.value
    if user is None:
        raise Declined(Refusal.BAD_CREDENTIALS)
    return user
