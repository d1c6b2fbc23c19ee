r"""What a server can be told to do: a closed alphabet, so that misbehaviour is data.

An `Action` is what the sans-IO server asks of whoever moves its octets. A `Step` is what a test
writes as the answer to a command: a reply, any action, or one of the four words that speak
about the server itself (`Usual`, `TakeEffect`, `Discard`, `Silence`). An `Answer` is a step or
several::

    Reply.of(550, "5.1.1 No such user")            # instead of the usual reply
    Close()                                        # hang up before the reply
    (Usual(), Reset())                             # reply, then reset the connection
    (TakeEffect(), Close())                        # accept the message, lose the reply
    (Send(b"250 o"), Wait("go"), Send(b"k\r\n"))   # half a reply now, half of it when released
    (Usual(), Send(b"250 injected\r\n"))           # to STARTTLS: octets glued behind its 220
    (Usual(), Silence())                           # reply, and never say anything again
    (Usual(), Discard())                           # reply, and lose what came with the command
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ehlo.reply import Reply

__all__ = [
    "Action",
    "Answer",
    "Close",
    "Discard",
    "Reset",
    "Send",
    "Silence",
    "StartTls",
    "Step",
    "TakeEffect",
    "Usual",
    "Wait",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Send octets as they are.

    Attributes:
        octets: What to send, line ends included; need not be a reply, nor end one.
    """

    octets: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing further on this connection until a name has been released.

    What the client sends meanwhile is read, and takes effect; only the answers wait. A name that
    was released stays so, for every connection. One that never is makes a server that hangs.

    Attributes:
        name: What `ehlo.testing.Server.release` will be called with.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection in good order (FIN; `close_notify` under TLS) behind what was sent."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection off (RST), with nothing said under TLS."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin the TLS handshake behind what was sent (RFC 3207 section 4)."""


Action: TypeAlias = Send | Wait | Close | Reset | StartTls
"""What a runner executes, one after the other."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Answer as the server would have done by itself, and let the command take effect."""


@dataclass(frozen=True, slots=True)
class TakeEffect:
    """Let the command take effect, if it can, without saying so.

    A step that is a `Reply` does this by itself if its first digit is that of the usual reply;
    an answer made of `Send` needs it spelled out.
    """


@dataclass(frozen=True, slots=True)
class Discard:
    """Throw away what came behind the command in the same read."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Say and do nothing more on this connection, ever; go on reading until the client closes."""


Step: TypeAlias = Reply | Usual | TakeEffect | Discard | Silence | Action
"""One thing to do in answer to a command."""
Answer: TypeAlias = Step | tuple[Step, ...]
"""All that is done in answer to a command; `()` leaves it unanswered and without effect."""
