"""What a SASL mechanism is: a name, and exchanges, each a generator from challenge to response.

A mechanism knows nothing of SMTP, Base64 or I/O. Its exchange yields the initial response
(None if the server speaks first), is sent each challenge and yields each response, all plain
octets; it returns when it has nothing more to say.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from ehlo.secret import Secret

__all__ = ["Accepted", "BadChallenge", "Channel", "Exchange", "Mechanism", "ServerUnproven"]

Exchange: TypeAlias = Generator[bytes | None, bytes, None]
"""Yields responses (first the initial one, or None), is sent challenges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What an exchange may need to know of the connection that it is held on.

    Attributes:
        host: The name of the server, as the client was given it; empty if it has none.
        port: The server's TCP port; 0 if it has none.
        offered: The mechanisms that the server offers, in upper case.
        encrypted: Whether TLS is on.
        bindings: The channel bindings of the TLS connection by the names of their types, the best
            first (RFC 5056, RFC 5929, RFC 9266); empty where there are none to be had.
        make_nonce: Returns a fresh nonce of at least 18 random octets as printable ASCII without a
            comma; None where nobody has a source of randomness, which SCRAM cannot do without.
    """

    host: str = ""
    port: int = 0
    offered: tuple[str, ...] = ()
    encrypted: bool = False
    bindings: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False, hash=False)
    make_nonce: Callable[[], str] | None = field(default=None, repr=False)


class Mechanism(Protocol):
    """What a SASL mechanism has to offer; derive from it, or have the same attributes.

    Attributes:
        name: Its registered name, in upper case.
        hidden: What of it must never be shown, beyond the responses themselves.
        exposes_secret: Whether who reads an exchange could learn a secret that can be used again,
            be it by guessing. Such a mechanism is not used on an unencrypted connection.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def hidden(self) -> tuple[Secret, ...]:
        """What must never be shown, beyond the responses themselves; by default nothing."""
        return ()

    @property
    def exposes_secret(self) -> bool:
        """Whether it must not be used on an unencrypted connection; by default it must not."""
        return True

    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange.

        When the server says that the exchange succeeded, `Accepted` is thrown into it; one that
        has to authenticate the server as well, and has not yet, raises `ServerUnproven` then.

        Args:
            channel: What there is to know of the connection.

        Returns:
            The exchange; it raises `BadChallenge` at a challenge that cannot be answered.
        """
        ...


class BadChallenge(Exception):  # it never leaves a dialogue, which turns it into an SMTPError
    """Raised by an exchange: the server said something that cannot be answered.

    The exchange is cancelled, and the error for the caller repeats the text, which therefore must
    not hold a secret.
    """


class ServerUnproven(BadChallenge):
    """Raised by an exchange: the server has not proved that it knows the user's secret."""


class Accepted(Exception):  # likewise
    """Thrown into an exchange when the server says that it succeeded; most need not care."""
