"""What the mechanisms share that know a user name and a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.sasl.identity import check_identity
from ehlo.sasl.mechanism import Mechanism

if TYPE_CHECKING:
    from ehlo.secret import Secret

__all__ = ["PasswordMechanism"]


@dataclass(frozen=True, slots=True)
class PasswordMechanism(Mechanism):
    """A mechanism with a user name and a password.

    Attributes:
        username: The user name.
        password: Its password.
    """

    username: str
    password: Secret

    def __post_init__(self) -> None:
        """Refuse what no mechanism can carry.

        Raises:
            InvalidInput: The user name or the password is empty or holds a control character.
        """
        check_identity(self.username, self.password)

    @property
    @override
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)
