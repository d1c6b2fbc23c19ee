"""SASL mechanisms: each a generator from challenge to response.

A mechanism knows nothing of SMTP, Base64 or I/O. Its exchange yields the initial response
(None if it has none), is sent each challenge and yields each response, all plain octets; it returns
when it has nothing more to say.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from ehlo.errors import InvalidInput
from ehlo.text import control_character, refuse_control_characters, require_str

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


def check_identity(username: str, password: Secret) -> None:
    """Refuse a user name or a password that no mechanism can carry.

    Args:
        username: The user name.
        password: The password.

    Raises:
        InvalidInput: One of them is empty or holds a control character; NUL, for one, would move
            the fields of PLAIN (RFC 4616 section 2). The message does not repeat the value.
    """
    refuse_control_characters("the user name", require_str("the user name", username))
    if found := control_character(password.reveal()):
        msg = f"the password holds {found}"
        raise InvalidInput(msg)
    if not username or not password.reveal():
        msg = "user name and password must not be empty"
        raise InvalidInput(msg)


@dataclass(frozen=True, slots=True)
class _WithPassword:
    """What mechanisms share that send a user name and a password as they are.

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
    def name(self) -> str:
        """The registered name."""
        return type(self).__name__.upper()

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)


@dataclass(frozen=True, slots=True)
class Plain(_WithPassword):
    """PLAIN (RFC 4616): user and password, in the clear, in one message.

    Attributes:
        username: The authentication identity.
        password: Its password.
    """

    def exchange(self) -> Exchange:
        """Begin one exchange: an initial response, and nothing after it."""
        yield b"\0%b\0%b" % (self.username.encode(), self.password.reveal().encode())


@dataclass(frozen=True, slots=True)
class Login(_WithPassword):
    """LOGIN (draft-murchison-sasl-login): user, then password, in the clear.

    Attributes:
        username: The user name.
        password: Its password.
    """

    def exchange(self) -> Exchange:
        """Begin one exchange: whatever the prompts say, the user comes first."""
        yield None
        yield self.username.encode()
        yield self.password.reveal().encode()
