"""The commands around transactions: hello, STARTTLS, AUTH, questions, the end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ehlo.capabilities import Capabilities
from ehlo.reply import Reply
from ehlo.testing._actions import Close, StartTls
from ehlo.testing._grammar import Declined, Refusal
from ehlo.testing._options import Offer
from ehlo.testing._sasl import Challenge, begin, respond
from ehlo.testing._state import Mode, Verdict

if TYPE_CHECKING:
    from ehlo.testing._accounts import Exchange
    from ehlo.testing._session import Session

__all__ = [
    "auth",
    "auth_response",
    "ehlo",
    "expn",
    "helo",
    "help_",
    "noop",
    "quit_",
    "starttls",
    "vrfy",
]


def ehlo(session: Session, argument: str) -> Verdict:
    """EHLO (RFC 5321 section 4.1.1.1) and LHLO (RFC 2033 section 4.1)."""
    first = _hello_reply(session, argument)
    reply = Reply(250, first.raw_lines + tuple(line.encode() for line in session.offers))
    announced = Capabilities.from_reply(reply)
    return Verdict(reply, partial(_enter, session, argument, announced, esmtp=True))


def helo(session: Session, argument: str) -> Verdict:
    """HELO (RFC 5321 section 4.1.1.1)."""
    reply = _hello_reply(session, argument)
    return Verdict(reply, partial(_enter, session, argument, Capabilities(), esmtp=False))


def _hello_reply(session: Session, name: str) -> Reply:
    if " " in name:
        raise Declined(Refusal.BAD_HELLO_NAME)
    text = session.conduct.hello or session.options.wording.hello
    return session.reply(250, text, hello=name)


def _enter(session: Session, name: str, announced: Capabilities, *, esmtp: bool) -> None:
    session.hello = name
    session.esmtp = esmtp
    session.announced = announced
    session.reset()  # RFC 5321 section 4.1.4: EHLO is a RSET, too


def starttls(session: Session, _argument: str) -> Verdict:
    """STARTTLS (RFC 3207 section 4)."""
    if session.options.starttls is Offer.OFF or not session.esmtp:
        raise Declined(Refusal.NOT_IMPLEMENTED)
    if session.tls:
        raise Declined(Refusal.OUT_OF_ORDER)
    return Verdict(session.reply(220, session.options.wording.starttls), then=StartTls())


def auth(session: Session, argument: str) -> Verdict:
    """AUTH (RFC 4954 section 4)."""
    if not session.has_users or not session.esmtp:
        raise Declined(Refusal.NOT_IMPLEMENTED)
    if not session.has_auth:
        raise Declined(Refusal.AUTH_NEEDS_TLS)
    if session.user is not None:  # RFC 4954 section 4: once in a session
        raise Declined(Refusal.OUT_OF_ORDER)
    name, _, initial = argument.partition(" ")
    if name.upper() not in session.mechanisms:
        raise Declined(Refusal.UNKNOWN_MECHANISM)
    return _authentication(session, begin(name.upper(), session.accounts, initial))


def auth_response(session: Session, response: bytes, refusal: Refusal | None) -> Verdict:
    """Judge a line of a SASL exchange (RFC 4954 section 4).

    Args:
        session: The session.
        response: The line without its end.
        refusal: Why it is no response; None if it is one.

    Returns:
        The verdict; unless it is a further challenge, the exchange is over.
    """
    exchange, session.exchange = session.exchange, None
    session.mode = Mode.COMMAND
    assert exchange is not None  # noqa: S101 - the mode says so
    if refusal is not None:
        return session.declined(refusal)
    try:
        return _authentication(session, respond(exchange, response))
    except Declined as exc:
        return session.declined(exc.refusal)


def _authentication(session: Session, step: Challenge | str) -> Verdict:
    if isinstance(step, Challenge):
        effect = partial(_await_response, session, step.exchange)
        return Verdict(Reply(334, (step.text,)), effect)
    reply = session.reply(235, session.options.wording.authenticated)
    return Verdict(reply, partial(_authenticate, session, step))


def _await_response(session: Session, exchange: Exchange) -> None:
    session.exchange = exchange
    session.mode = Mode.AUTH_RESPONSE


def _authenticate(session: Session, user: str) -> None:
    session.user = user


def noop(session: Session, _argument: str) -> Verdict:
    """NOOP (RFC 5321 section 4.1.1.9)."""
    return Verdict(session.reply(250, session.options.wording.noop))


def vrfy(session: Session, _argument: str) -> Verdict:
    """VRFY (RFC 5321 section 4.1.1.6)."""
    return Verdict(session.reply(252, session.options.wording.vrfy))


def expn(_session: Session, _argument: str) -> Verdict:
    """EXPN (RFC 5321 section 4.1.1.7)."""
    raise Declined(Refusal.NOT_IMPLEMENTED)


def help_(session: Session, _argument: str) -> Verdict:
    """HELP (RFC 5321 section 4.1.1.8)."""
    return Verdict(session.reply(214, session.options.wording.help))


def quit_(session: Session, _argument: str) -> Verdict:
    """QUIT (RFC 5321 section 4.1.1.10)."""
    return Verdict(session.reply(221, session.options.wording.closing), then=Close())
