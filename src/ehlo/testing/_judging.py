"""When a command is in order, and who judges it.

A command is judged first and takes effect later, and only if its reply goes out as judged: a
`Verdict` is both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ehlo.commands import Verb
from ehlo.testing import _opening, _relaying, _transacting
from ehlo.testing._conduct import Habit
from ehlo.testing._grammar import Declined, Refusal, read_chunk_size
from ehlo.testing._options import Dialect, Offer
from ehlo.testing._session import Session
from ehlo.testing._state import Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

from ehlo.testing._grammar import Line

__all__ = ["Chunk", "judge", "open_chunk"]

_Handler: TypeAlias = Callable[[Session, str], Verdict]

_ANY: Final = frozenset(Stage) - {Stage.NOT_GREETED}
_READY: Final = frozenset({Stage.READY})
_OUTSIDE: Final = frozenset({Stage.GREETED, Stage.READY})
_SENDER: Final = frozenset({Stage.SENDER_GIVEN, Stage.RECIPIENT_GIVEN})
_CHUNKS: Final = frozenset({Stage.RECIPIENT_GIVEN, Stage.CHUNKS})
_BDAT: Final = frozenset({Verb.BDAT, Verb.BDAT_LAST})


@dataclass(frozen=True, slots=True)
class _Argument:
    """Whether a command has an argument: why it is refused without one, and with one."""

    absent: Refusal | None
    present: Refusal | None


_NONE: Final = _Argument(None, Refusal.ARGUMENT)
_OPTIONAL: Final = _Argument(None, None)
_REQUIRED: Final = _Argument(Refusal.NO_ARGUMENT, None)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a command is in order, and who handles it."""

    handler: _Handler
    stages: frozenset[Stage]
    argument: _Argument
    extension: str = ""  # the EHLO keyword without which the command is unknown


_RULES: Final[Mapping[Verb, _Rule]] = {
    Verb.EHLO: _Rule(_opening.ehlo, _ANY, _REQUIRED),
    Verb.LHLO: _Rule(_opening.ehlo, _ANY, _REQUIRED),
    Verb.HELO: _Rule(_opening.helo, _ANY, _REQUIRED),
    Verb.STARTTLS: _Rule(_opening.starttls, _READY, _NONE),
    Verb.AUTH: _Rule(_opening.auth, _READY, _REQUIRED),
    Verb.MAIL: _Rule(_transacting.mail, _READY, _REQUIRED),
    Verb.RCPT: _Rule(_transacting.rcpt, _SENDER, _REQUIRED),
    Verb.DATA: _Rule(_transacting.data, _CHUNKS, _NONE),
    Verb.BDAT: _Rule(_transacting.bdat, _CHUNKS, _REQUIRED, "CHUNKING"),
    Verb.BDAT_LAST: _Rule(_transacting.bdat, _CHUNKS, _REQUIRED, "CHUNKING"),
    Verb.ETRN: _Rule(_relaying.etrn, _READY, _REQUIRED, "ETRN"),
    Verb.XCLIENT: _Rule(_relaying.xclient, _OUTSIDE, _REQUIRED, "XCLIENT"),
    Verb.XFORWARD: _Rule(_relaying.xforward, _OUTSIDE, _REQUIRED, "XFORWARD"),
    Verb.RSET: _Rule(_transacting.rset, _ANY, _NONE),
    Verb.NOOP: _Rule(_opening.noop, _ANY, _OPTIONAL),
    Verb.VRFY: _Rule(_opening.vrfy, _ANY, _REQUIRED),
    Verb.EXPN: _Rule(_opening.expn, _ANY, _REQUIRED),
    Verb.HELP: _Rule(_opening.help_, _ANY, _OPTIONAL),
    Verb.QUIT: _Rule(_opening.quit_, frozenset(Stage), _NONE),
}

_FOREIGN: Final[Mapping[Dialect, Mapping[Verb, Refusal]]] = {
    Dialect.ESMTP: {Verb.LHLO: Refusal.UNKNOWN},
    Dialect.SMTP: {Verb.LHLO: Refusal.UNKNOWN, Verb.EHLO: Refusal.NOT_IMPLEMENTED},
    # RFC 2033 section 4.1: "MUST NOT return a positive response", and 500 is its example.
    Dialect.LMTP: {Verb.EHLO: Refusal.UNKNOWN, Verb.HELO: Refusal.UNKNOWN},
}
"""What belongs to another protocol."""

# RFC 3207 section 4: "every command other than NOOP, EHLO, STARTTLS, or QUIT".
_FREE_WITHOUT_TLS: Final = frozenset({Verb.NOOP, Verb.EHLO, Verb.LHLO, Verb.STARTTLS, Verb.QUIT})
# RFC 4954 section 6, and STARTTLS, which may have to come before AUTH.
_FREE_WITHOUT_AUTH: Final = frozenset(
    {Verb.AUTH, Verb.HELO, Verb.RSET, *_FREE_WITHOUT_TLS},
)


def judge(session: Session, line: Line) -> Verdict:
    """Judge a command.

    Args:
        session: The session.
        line: The command.

    Returns:
        The verdict.
    """
    try:
        return _judge(session, line)
    except Declined as exc:
        return session.declined(exc.refusal)


def _judge(session: Session, line: Line) -> Verdict:
    if line.fault is not None:
        raise Declined(line.fault)
    rule = _RULES.get(line.verb)
    if rule is None or (rule.extension and rule.extension not in session.offered):
        raise Declined(Refusal.UNKNOWN)
    refusal = _FOREIGN[session.options.dialect].get(line.verb)
    if refusal is not None:
        raise Declined(refusal)
    _check(session, line.verb, rule.stages | _extra_stages(session, line.verb))
    refusal = rule.argument.present if line.argument else rule.argument.absent
    if refusal is not None:
        raise Declined(refusal)
    return rule.handler(session, line.argument)


def _extra_stages(session: Session, verb: Verb) -> frozenset[Stage]:
    takes = verb is Verb.DATA and Habit.TAKES_CONTENT_FOR_NOBODY in session.conduct.habits
    return frozenset({Stage.SENDER_GIVEN}) if takes else frozenset()


def _check(session: Session, verb: Verb, stages: frozenset[Stage]) -> None:
    """Refuse what is out of order, or needs TLS or AUTH first where the options say so."""
    if session.stage not in stages:
        raise Declined(Refusal.OUT_OF_ORDER)
    options = session.options
    if options.starttls is Offer.REQUIRED and not session.tls and verb not in _FREE_WITHOUT_TLS:
        raise Declined(Refusal.TLS_REQUIRED)
    required = options.users and options.auth is Offer.REQUIRED
    if required and session.user is None and verb not in _FREE_WITHOUT_AUTH:
        raise Declined(Refusal.AUTH_REQUIRED)


@dataclass(slots=True)
class Chunk:
    """The octets that follow a BDAT line; they are swallowed where they are refused.

    Attributes:
        size: How many there are.
        refusal: Why they are refused; None if they are content.
        due: How many of them are still to come.
    """

    size: int
    refusal: Refusal | None
    due: int


def open_chunk(session: Session, line: Line) -> Chunk | None:
    """Return what follows a line, if it is a chunk (RFC 3030 section 2).

    Args:
        session: The session.
        line: A command.

    Returns:
        The chunk; None if the line is all there is, which `judge` judges.
    """
    if line.verb not in _BDAT or line.fault is not None or "CHUNKING" not in session.offered:
        return None
    try:
        size = read_chunk_size(line.argument)
    except Declined:
        return None
    refusal = _chunk_refusal(session, line.verb)
    if refusal is not None and Habit.READS_REFUSED_CHUNKS in session.conduct.habits:
        return None
    return Chunk(size, refusal, size)


def _chunk_refusal(session: Session, verb: Verb) -> Refusal | None:
    try:
        _check(session, verb, _CHUNKS)
    except Declined as exc:
        return exc.refusal
    return None
