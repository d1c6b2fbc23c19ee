"""SASL mechanisms: each a generator from challenge to response.

A mechanism knows nothing of SMTP, Base64 or I/O. Its exchange yields the initial response
(None if it has none), is sent each challenge and yields each response, all plain octets; it returns
when it has nothing more to say.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from ehlo.secret import Secret

__all__ = ["Exchange", "Login", "Mechanism", "Plain"]

Exchange: TypeAlias = Generator[bytes | None, bytes, None]
"""Yields responses (first the initial one, or None), is sent challenges."""


class Mechanism(Protocol):
    """What a SASL mechanism has to offer.

    Attributes:
        name: Its registered name, in upper case.
        hidden: What of it must never be shown, beyond the responses themselves.
    """

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """What must never be shown, beyond the responses themselves."""
        ...

    def exchange(self) -> Exchange:
        """Begin one exchange."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """PLAIN (RFC 4616): user and password, in the clear, in one message.

    Attributes:
        username: The authentication identity.
        password: Its password.
    """

    username: str
    password: Secret

    @property
    def name(self) -> str:
        """The registered name."""
        return "PLAIN"

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)

    def exchange(self) -> Exchange:
        """Begin one exchange: an initial response, and nothing after it."""
        yield b"\0%b\0%b" % (self.username.encode(), self.password.reveal().encode())


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN (draft-murchison-sasl-login): user, then password, in the clear.

    Attributes:
        username: The user name.
        password: Its password.
    """

    username: str
    password: Secret

    @property
    def name(self) -> str:
        """The registered name."""
        return "LOGIN"

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)

    def exchange(self) -> Exchange:
        """Begin one exchange: whatever the prompts say, the user comes first."""
        yield None
        yield self.username.encode()
        yield self.password.reveal().encode()
