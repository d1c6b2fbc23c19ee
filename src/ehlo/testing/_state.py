"""The states of a session, and what a server makes of a command in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from ehlo.commands import Body, Verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.reply import Reply
    from ehlo.testing._actions import Action
    from ehlo.testing._content import ContentStore
    from ehlo.testing._paths import Path

__all__ = ["Ending", "Mode", "Stage", "Transaction", "Verdict"]


class Mode(Enum):
    """What the octets that come next are."""

    PREAMBLE = auto()
    """The header of the PROXY protocol."""
    COMMAND = auto()
    AUTH_RESPONSE = auto()
    CONTENT = auto()
    CHUNK = auto()
    """The octets of a BDAT chunk (RFC 3030)."""
    TLS = auto()
    """Plaintext where a TLS handshake is due: nothing that may be looked at."""
    CLOSED = auto()

    # Members are singletons. Enum's own hash is a Python function, and every step looks up one.
    __hash__ = object.__hash__


class Stage(Enum):
    """How far a session has come (RFC 5321 section 4.1.4)."""

    NOT_GREETED = auto()
    """The greeting was no 220: nothing but QUIT is in order (RFC 5321 section 3.1)."""
    GREETED = auto()
    READY = auto()
    SENDER_GIVEN = auto()
    RECIPIENT_GIVEN = auto()
    CHUNKS = auto()
    """Content is coming in by BDAT."""
    FAILED = auto()
    """A chunk was refused: RSET is due (RFC 3030 section 2)."""

    __hash__ = object.__hash__


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the server makes of a command.

    Attributes:
        reply: The usual reply.
        effect: What is to be done if it goes out, before it does.
        then: What follows it on the wire.
        otherwise: What is to be done if the effect does not come about.
    """

    reply: Reply
    effect: Callable[[], None] = _nothing
    then: Action | None = None
    otherwise: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Ending:
    """One of the replies to the end of the content.

    Attributes:
        verdict: What the server makes of the content.
        recipient: Whom it is about; None if it is about all (RFC 2033 section 4.2).
        preface: What is said before it, whatever is answered.
    """

    verdict: Verdict
    recipient: str | None = None
    preface: Reply | None = None


@dataclass(slots=True)
class Transaction:
    """MAIL and what followed it.

    Attributes:
        path: The reverse-path and the parameters of MAIL.
        store: Where the content goes.
        recipients: The forward-paths that were accepted, with their parameters.
        refused: The replies that refused the others.
        delivered: The recipients whose copy was accepted in the end.
        via: The command that brings the content.
        chunks: How many octets each accepted chunk had.
    """

    path: Path
    store: ContentStore
    recipients: list[Path] = field(default_factory=list["Path"])
    refused: list[Reply] = field(default_factory=list["Reply"])
    delivered: list[Path] = field(default_factory=list["Path"])
    via: Verb = Verb.DATA
    chunks: list[int] = field(default_factory=list[int])

    @property
    def is_binary(self) -> bool:
        """Whether the content needs BDAT (RFC 3030 section 3)."""
        return (self.path.parameters.get("BODY") or "").upper() == Body.BINARY_MIME
