"""The server's side of SASL: one generator for each mechanism (RFC 4954 section 4).

A mechanism yields challenges, is sent responses, and returns who was authenticated. An initial
response answers the first challenge, which is then not sent. Base64 is not its business.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ehlo.sasl.digests import Digest, keyed, same
from ehlo.testing._accounts import Accounts, Exchange, Mechanism, text_of
from ehlo.testing._grammar import Declined, Refusal
from ehlo.testing._sasl_faults import faulty
from ehlo.testing._sasl_scram import SCRAM
from ehlo.testing._sasl_tokens import oauthbearer, xoauth2

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MECHANISMS", "Challenge", "begin", "respond"]

# RFC 4648 section 4; `binascii` takes too much for it, even where it is told to be strict.
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_EMPTY: Final = "="
"""An initial response of no octets, which could not be told from none (RFC 4954 section 4)."""


def _plain(accounts: Accounts) -> Exchange:
    """PLAIN (RFC 4616): authorization identity, NUL, user, NUL, password."""
    parts = text_of((yield b"")).split("\0")
    if len(parts) != 3:  # noqa: PLR2004 - the three that the docstring names
        raise Declined(Refusal.BAD_RESPONSE)
    identity, user, password = parts
    return accounts.checked(user, password) if identity in {"", user} else None


def _login(accounts: Accounts) -> Exchange:
    """LOGIN (draft-murchison-sasl-login-00): the user, then the password."""
    user = text_of((yield b"Username:"))
    password = text_of((yield b"Password:"))
    return accounts.checked(user, password)


def _cram_md5(accounts: Accounts) -> Exchange:
    """CRAM-MD5 (RFC 2195): a keyed digest of the challenge."""
    challenge = f"<{accounts.connection}.challenge@{accounts.hostname}>".encode()
    user, _, digest = text_of((yield challenge)).rpartition(" ")
    password = accounts.users.get(user)
    if password is None:
        return None
    right = keyed(Digest.MD5, password.encode(), challenge).hex()
    return user if same(right.encode(), digest.encode()) else None


def _external(accounts: Accounts) -> Exchange:
    """EXTERNAL (RFC 4422 appendix A): the one that the options name."""
    identity = text_of((yield b""))
    return accounts.external if identity in {"", accounts.external} and accounts.external else None


def _anonymous(_accounts: Accounts) -> Exchange:
    """ANONYMOUS (RFC 4505): anybody."""
    text_of((yield b""))
    return "anonymous"


MECHANISMS: Final[Mapping[str, Mechanism]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    **SCRAM,
    "OAUTHBEARER": oauthbearer,
    "XOAUTH2": xoauth2,
    "EXTERNAL": _external,
    "ANONYMOUS": _anonymous,
}
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


def begin(mechanism: str, accounts: Accounts, initial: str) -> Challenge | str:
    """Begin an exchange.

    Args:
        mechanism: The name of the mechanism.
        accounts: Who can authenticate, and how.
        initial: The initial response as it stands behind AUTH; empty for none.

    Returns:
        The first challenge, or who was authenticated by the initial response.

    Raises:
        Declined: The initial response cannot be read, or the credentials in it are wrong.
    """
    exchange = faulty(MECHANISMS[mechanism](accounts), accounts)
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
