"""What a client tells whoever watches it: one frozen value for each thing that happens.

Times are seconds by the client's own clock. None of these carries a secret or any content.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ehlo.errors import SMTPError
    from ehlo.receipt import Receipt
    from ehlo.tls import TlsFacts

__all__ = [
    "Authenticated",
    "ClientEvent",
    "Connected",
    "Discarded",
    "Encrypted",
    "Failed",
    "Observer",
    "Opened",
    "OpeningFailed",
    "PassedOver",
    "Retrying",
    "Sent",
    "Why",
]


class Why(StrEnum):
    """Why a connection is not used any more.

    `LOST`: it broke, or was found broken. `SERVER_CLOSED`: the server has said 421.
    `NO_ANSWER`: it was idle for long, and did not answer NOOP. `INTERRUPTED`: its user was
    cancelled, or has left it amid something. `CHANGED`: its borrower has introduced or
    authenticated itself anew. `MAX_MESSAGES`, `MAX_AGE`, `IDLE`: as the options say. `LIMITS`: as
    the server says (RFC 9422). `CLIENT_CLOSED`: the client was closed.
    """

    LOST = "lost"
    """It broke, or was found broken."""
    SERVER_CLOSED = "server-closed"
    """The server has said 421."""
    NO_ANSWER = "no-answer"
    """It was idle for long, and did not answer NOOP."""
    INTERRUPTED = "interrupted"
    """Its user was cancelled, or has left it in the midst of something."""
    CHANGED = "changed"
    """Its borrower has introduced or authenticated itself anew."""
    MAX_MESSAGES = "max-messages"
    """It has carried as many messages as it may."""
    LIMITS = "limits"
    """It has carried as many messages as the server said it takes (RFC 9422)."""
    MAX_AGE = "max-age"
    """It is as old as it may become."""
    IDLE = "idle"
    """Nobody has used it for long."""
    CLIENT_CLOSED = "client-closed"
    """The client was closed."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection came about; nothing was said yet.

    Of several servers one may do that and fail nevertheless: then the next one is told as well.

    Attributes:
        connection: Its number: the client's first is 1.
        seconds: How long that took, the look-up of the name and servers before this one included.
        server: To which server, as `host:port` or the path; through a proxy it is that behind it.
    """

    connection: int
    seconds: float
    server: str


@dataclass(frozen=True, slots=True)
class Encrypted:
    """The TLS handshake is done.

    Attributes:
        connection: The connection's number.
        seconds: How long the handshake took.
        tls: The facts.
    """

    connection: int
    seconds: float
    tls: TlsFacts | None


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The server has accepted the credentials.

    Attributes:
        connection: The connection's number.
        seconds: How long that took; a token that had to be fetched is included.
    """

    connection: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection is ready for mail.

    Attributes:
        connection: Its number.
        seconds: How long everything took, from the look-up of the name on.
    """

    connection: int
    seconds: float


@dataclass(frozen=True, slots=True)
class OpeningFailed:
    """A connection could not be had.

    Attributes:
        connection: The number it would have had.
        seconds: After how long it failed.
        error: Why; not always an `SMTPError`, since a function for tokens may raise anything.
    """

    connection: int
    seconds: float
    error: Exception


@dataclass(frozen=True, slots=True)
class PassedOver:
    """One of several servers could not be had; the next one is tried.

    Attributes:
        connection: The connection's number.
        seconds: After how long that was clear.
        server: Which server, as `host:port` or the path.
        error: Why not.
    """

    connection: int
    seconds: float
    server: str
    error: SMTPError


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has accepted a message.

    Attributes:
        connection: The number of the connection it went over.
        seconds: How long everything took, from the call on.
        receipt: The receipt; its `timings` are those of the last attempt.
    """

    connection: int
    seconds: float
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Failed:
    """A message was given up: the caller has got, or will get, this error.

    Attributes:
        connection: The number of the connection it was tried over last; 0 for none.
        seconds: How long everything took, from the call on.
        error: Why.
    """

    connection: int
    seconds: float
    error: SMTPError


@dataclass(frozen=True, slots=True)
class Retrying:
    """A message was not accepted, and will be tried again.

    Attributes:
        connection: The number of the connection it was tried over.
        attempt: Which attempt has failed, from 1.
        delay: In how many seconds the next one may begin.
        error: Why it has failed.
    """

    connection: int
    attempt: int
    delay: float
    error: SMTPError


@dataclass(frozen=True, slots=True)
class Discarded:
    """A connection is not used any more; it was closed, or is about to be.

    Attributes:
        connection: Its number.
        seconds: For how long it was open.
        why: The reason.
        messages: How many messages were begun on it.
    """

    connection: int
    seconds: float
    why: Why
    messages: int


ClientEvent: TypeAlias = (
    Connected
    | Encrypted
    | Authenticated
    | Opened
    | OpeningFailed
    | PassedOver
    | Sent
    | Failed
    | Retrying
    | Discarded
)
"""Whatever `on_event` is called with."""
Observer: TypeAlias = Callable[[ClientEvent], None]
"""Is told what happens, in the thread or task it happens in; has to be quick."""
