"""The states of a session, and what a server makes of a command in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.reply import Reply
    from ehlo.testing._actions import Action
    from ehlo.testing._grammar import Path

__all__ = ["Mode", "Stage", "Transaction", "Verdict"]


class Mode(Enum):
    """What the octets that come next are."""

    COMMAND = auto()
    AUTH_RESPONSE = auto()
    CONTENT = auto()
    TLS = auto()
    """Plaintext where a TLS handshake is due: nothing that may be looked at."""
    CLOSED = auto()


class Stage(Enum):
    """How far a session has come (RFC 5321 section 4.1.4)."""

    NOT_GREETED = auto()
    """The greeting was no 220: nothing but QUIT is in order (RFC 5321 section 3.1)."""
    GREETED = auto()
    READY = auto()
    SENDER_GIVEN = auto()
    RECIPIENT_GIVEN = auto()


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server makes of a command.

    Attributes:
        reply: The usual reply.
        effect: What is to be done if it goes out, before it does.
        then: What follows it on the wire.
    """

    reply: Reply
    effect: Callable[[], None] = _nothing
    then: Action | None = None


@dataclass(slots=True)
class Transaction:
    """MAIL and what followed it.

    Attributes:
        path: The reverse-path and the parameters of MAIL.
        recipients: The forward-paths that were accepted.
    """

    path: Path
    recipients: list[str] = field(default_factory=list[str])
