"""PLAIN (RFC 4616): user and password, in the clear, in one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.sasl.password import PasswordMechanism

if TYPE_CHECKING:
    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["Plain"]


@dataclass(frozen=True, slots=True, init=False)
class Plain(PasswordMechanism):
    """PLAIN (RFC 4616).

    Attributes:
        username: The authentication identity.
        password: Its password.
    """

    @property
    @override
    def name(self) -> str:
        return "PLAIN"

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange: an initial response, and nothing after it."""
        yield b"\0%b\0%b" % (self.username.encode(), self.password.reveal().encode())
