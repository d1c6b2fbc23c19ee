r"""What a server can be told to do: a closed alphabet, so that misbehaviour is data.

An `Action` is what the sans-IO server asks of whoever moves its octets. A `Step` is what a test
writes as the answer to a command: a reply, any action, or one of the four words that speak
about the server itself (`Usual`, `TakeEffect`, `Discard`, `Silence`). An `Answer` is a step or a
tuple of several, all of them done in answer to one command. `InTurn` has an answer for each time::

    Reply.of(550, "5.1.1 No such user")            # instead of the usual reply
    Close()                                        # hang up before the reply
    (Usual(), Reset())                             # reply, then reset the connection
    (TakeEffect(), Close())                        # accept the message, lose the reply
    (Send(b"250 o"), Wait("go"), Send(b"k\r\n"))   # half a reply now, half of it when released
    (Usual(), Send(b"250 injected\r\n"))           # to STARTTLS: octets glued behind its 220
    (Usual(), Silence())                           # reply, and never say anything again
    (Usual(), Discard())                           # reply, and lose what came with the command
    InTurn(Reply.of(450, "4.7.1 Later"), Usual())  # refuse the first time, and never again
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, get_args

from ehlo.reply import Reply

__all__ = [
    "Action",
    "Answer",
    "Close",
    "Discard",
    "InTurn",
    "OneAnswer",
    "Reset",
    "Send",
    "Silence",
    "StartTls",
    "Step",
    "TakeEffect",
    "Usual",
    "Wait",
    "check_answer",
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
OneAnswer: TypeAlias = Step | tuple[Step, ...]
"""All that is done in answer to one command; `()` leaves it unanswered and without effect."""


@dataclass(frozen=True, slots=True, init=False, eq=False)
class InTurn:
    """One answer the first time, another the second, and so on; the last one from then on.

    It is counted how often this object was used, by a `Server` over all its connections, and by a
    `ServerConnection` that stands alone for itself. In the table of the answers that is how often
    the command came for which it is the answer; in LMTP the end of the content asks once for each
    recipient. The object itself never changes: another server begins with the first answer.

    Args:
        answers: Steps, or tuples of steps, at least one.

    Raises:
        TypeError: There is none, or one of them is something else.

    Attributes:
        answers: The same.
    """

    answers: tuple[OneAnswer, ...]

    def __init__(self, *answers: OneAnswer) -> None:
        object.__setattr__(self, "answers", answers)  # before: a traceback may show it
        if not answers:
            raise TypeError("InTurn needs an answer at least")
        for answer in answers:
            _check_steps("InTurn has", answer)


Answer: TypeAlias = OneAnswer | InTurn
"""What a command is answered with: a step, a tuple of steps, or an `InTurn` of those."""

_STEPS: Final[tuple[type[Any], ...]] = get_args(Step)


def check_answer(whose: str, answer: object) -> None:
    """Refuse what is no answer.

    Args:
        whose: Whose answer it is, for the error: `the answer to 'RCPT' is`.
        answer: What may be one.

    Raises:
        TypeError: It is none; says what to write instead.
    """
    if not isinstance(answer, InTurn):
        _check_steps(whose, answer)


def _check_steps(whose: str, answer: object) -> None:
    is_tuple = isinstance(answer, tuple)
    for step in cast("tuple[object, ...]", answer) if is_tuple else (answer,):
        if not isinstance(step, _STEPS):
            raise TypeError(f"{whose} {step!r}, {_advice(step)}")


def _advice(step: object) -> str:
    """Say what to write instead of what is no step."""
    if isinstance(step, type):
        return f"which is a class: write {step.__name__}(...)"
    return (
        'which is no step: write Reply.of(450, "4.7.1 Later"), Close() or another step; a tuple '
        "for several steps each time, InTurn(first, then) for another answer each time, and a "
        "function for all of `answers` where it depends on more"
    )
