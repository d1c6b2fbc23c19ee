"""What the mechanisms share that know a user name and a password."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from ehlo.sasl.identity import check_identity
from ehlo.sasl.mechanism import Mechanism
from ehlo.secret import Secret, concealed

__all__ = ["PasswordMechanism"]


@dataclass(frozen=True, slots=True, init=False)
class PasswordMechanism(Mechanism):
    """A mechanism with a user name and a password.

    Attributes:
        username: The user name.
        password: Its password; a text is wrapped in a `Secret` at once.

    Raises:
        InvalidInput: The user name or the password is empty or holds a control character.
        TypeError: One of them is no text.
    """

    username: str
    password: Secret

    # Not the one that dataclass writes: its frame would show the text of a password.
    def __init__(self, username: str, password: str | Secret) -> None:
        password, fault = concealed("a password", password)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", password)
        if fault:
            raise TypeError(fault)
        check_identity(username, password)

    @property
    @override
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)
