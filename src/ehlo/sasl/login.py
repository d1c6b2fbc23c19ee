"""LOGIN (draft-murchison-sasl-login): user, then password, in the clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.sasl.password import PasswordMechanism

if TYPE_CHECKING:
    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["Login"]


@dataclass(frozen=True, slots=True, init=False)
class Login(PasswordMechanism):
    """LOGIN (draft-murchison-sasl-login).

    Attributes:
        username: The user name.
        password: Its password.
    """

    @property
    @override
    def name(self) -> str:
        return "LOGIN"

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange: whatever the prompts say, the user comes first."""
        yield None
        yield self.username.encode()
        yield self.password.reveal().encode()
