"""Credentials: what a caller has, from which the mechanism follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ehlo.sasl.mechanisms import Login, Plain, check_identity
from ehlo.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ehlo.sasl.mechanisms import Mechanism

__all__ = ["Credentials", "Password"]


class Credentials(Protocol):
    """What `auth=` takes: something that knows which mechanisms it can serve."""

    def mechanisms(self) -> Sequence[Mechanism]:
        """Return the mechanisms these credentials can serve, the strongest first."""
        ...


@dataclass(frozen=True, slots=True, init=False)
class Password:
    """A user name and a password.

    Args:
        username: The user name.
        password: The password; a text is wrapped in a `Secret` at once.

    Raises:
        InvalidInput: One of them is empty or holds a control character. The message does not
            repeat the value.

    Attributes:
        username: As above.
        password: As above.
    """

    username: str
    password: Secret

    def __init__(self, username: str, password: str | Secret) -> None:
        secret = password if isinstance(password, Secret) else Secret(password)
        password = secret  # so that a traceback with locals shows no text of it
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", secret)
        check_identity(username, secret)

    def mechanisms(self) -> Sequence[Mechanism]:
        """Return PLAIN and LOGIN, in that order."""
        return (Plain(self.username, self.password), Login(self.username, self.password))
