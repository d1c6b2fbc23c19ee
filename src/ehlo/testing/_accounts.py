"""Who can authenticate to a server, and how."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ehlo.errors import InvalidInput
from ehlo.sasl.preparation import Unassigned, prepared, saslprep
from ehlo.secret import Secret
from ehlo.testing._grammar import Declined, Refusal

__all__ = ["Accounts", "Exchange", "Mechanism", "SaslFault", "text_of"]


class SaslFault(StrEnum):
    """What a server does wrong in SASL exchanges, for `ServerOptions.sasl_fault`."""

    NONE = "none"
    """Nothing."""
    WRONG_SIGNATURE = "wrong-signature"
    """SCRAM: the signature by which the server proves itself is wrong."""
    NO_SIGNATURE = "no-signature"
    """SCRAM: the server says 235 without a signature."""
    FEW_ITERATIONS = "few-iterations"
    """SCRAM: one iteration, which makes guessing cheap."""
    MANY_ITERATIONS = "many-iterations"
    """SCRAM: two thousand million iterations, which would keep the client busy for hours."""
    REPLAYED_NONCE = "replayed-nonce"
    """SCRAM: the nonce is one from another exchange."""
    BARE_NONCE = "bare-nonce"
    """SCRAM: the server adds nothing to the client's nonce."""
    BAD_SALT = "bad-salt"
    """SCRAM: the salt is not in Base64."""
    UNKNOWN_EXTENSION = "unknown-extension"
    """SCRAM: a mandatory extension that nobody has defined (`m=`)."""
    SERVER_ERROR = "server-error"
    """SCRAM: the server tells of an error (`e=`) in the place of its signature."""
    ENDLESS_CHALLENGES = "endless-challenges"
    """A challenge follows each response."""
    EARLY_SUCCESS = "early-success"
    """235 to the first response, whatever it is."""
    LATE_CHALLENGE = "late-challenge"
    """One challenge more where 235 would be due: behind the initial response of PLAIN, say."""
    ECHO = "echo"
    """Each challenge repeats the response that it follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Who can authenticate on a connection.

    Attributes:
        users: The passwords, by user.
        tokens: The OAuth tokens, by user.
        external: Whom the server takes the client for, by other means.
        bindings: The channel bindings of the connection, by the names of their types.
        offered: The mechanisms that the server offers on the connection.
        fault: What the server does wrong.
        hostname: The server's name.
        connection: The number of the connection, which makes nonces differ.
    """

    users: Mapping[str, str]
    tokens: Mapping[str, str]
    external: str
    bindings: Mapping[str, bytes]
    offered: tuple[str, ...]
    fault: SaslFault
    hostname: str
    connection: int

    def checked(self, user: str, password: str) -> str | None:
        """Return the user if the password is right."""
        return user if self.users.get(user) == password else None

    def prepared(self, user: str) -> Secret | None:
        """Return the password of a user, both in the form that SASLprep brings them into."""
        for name, password in self.users.items():
            with suppress(InvalidInput):
                if saslprep(name, Unassigned.ALLOWED) == user:
                    return prepared("the password", Secret(password))
        return None


Exchange: TypeAlias = Generator[bytes, bytes, str | None]
"""A running exchange; it returns the user, or None if the credentials were wrong."""
Mechanism: TypeAlias = Callable[[Accounts], Exchange]
"""Begins an exchange."""


def text_of(octets: bytes) -> str:
    """Return a response as text.

    Args:
        octets: The response.

    Returns:
        The text.

    Raises:
        Declined: It is not UTF-8.
    """
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Declined(Refusal.BAD_RESPONSE) from None
