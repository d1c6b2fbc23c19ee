"""The commands of a transaction: MAIL, RCPT, DATA, BDAT, RSET, and the end of the content."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb
from ehlo.testing._content import ContentStore
from ehlo.testing._grammar import Declined, Refusal
from ehlo.testing._options import Dialect
from ehlo.testing._paths import check_ascii, read_path
from ehlo.testing._state import Ending, Mode, Stage, Transaction, Verdict

if TYPE_CHECKING:
    from ehlo.testing._paths import Path
    from ehlo.testing._session import Session

__all__ = ["bdat", "data", "end_chunk", "end_content", "mail", "rcpt", "rset", "take_chunk"]

_SEVERAL: Final = 2
"""How many recipients it takes for a reply of their own each (PRDR)."""


def mail(session: Session, argument: str) -> Verdict:
    """MAIL (RFC 5321 section 4.1.1.2)."""
    path = read_path(Verb.MAIL, argument, session.announced, session.conduct.moved)
    check_ascii(path.address, path.parameters)
    size = path.parameters.get("SIZE")
    if size is not None and session.size_limit is not None and int(size) > session.size_limit:
        raise Declined(Refusal.TOO_BIG)
    session.limits.check_mail(session.mails)
    reply = session.reply(250, session.options.wording.sender, sender=path.address)
    return Verdict(reply, partial(_begin, session, path))


def _begin(session: Session, path: Path) -> None:
    store = ContentStore(session.size_limit, session.options.keep)
    session.transaction = Transaction(path, store)
    session.mails += 1


def rcpt(session: Session, argument: str) -> Verdict:
    """RCPT (RFC 5321 section 4.1.1.3)."""
    transaction = session.current
    path = read_path(Verb.RCPT, argument, session.announced, session.conduct.moved)
    check_ascii(path.address, transaction.path.parameters)
    reply = session.reply(250, session.options.wording.recipient, recipient=path.address)
    domains = len(session.domains) + (_domain(path) not in session.domains)
    session.limits.check_recipient(len(transaction.recipients), domains)
    return Verdict(reply, partial(_add, session, path))


def _add(session: Session, path: Path) -> None:
    session.current.recipients.append(path)
    session.domains.add(_domain(path))


def _domain(path: Path) -> str:
    return path.address.rpartition("@")[2].lower()


def data(session: Session, _argument: str) -> Verdict:
    """DATA (RFC 5321 section 4.1.1.4)."""
    # RFC 3030 sections 2 and 3: 503, and RSET is due.
    if session.stage is Stage.CHUNKS or session.current.is_binary:
        return Verdict(session.declined(Refusal.OUT_OF_ORDER).reply, session.fail)
    reply = session.reply(354, session.options.wording.start_content)
    return Verdict(reply, partial(_await_content, session))


def _await_content(session: Session) -> None:
    session.mode = Mode.CONTENT


def rset(session: Session, _argument: str) -> Verdict:
    """RSET (RFC 5321 section 4.1.1.5)."""
    return Verdict(session.reply(250, session.options.wording.reset), session.reset)


def bdat(_session: Session, _argument: str) -> Verdict:
    """BDAT in order, but without a chunk: its line does not say how long it is."""
    raise Declined(Refusal.BAD_CHUNK)


def end_chunk(session: Session, size: int, refusal: Refusal | None) -> Verdict:
    """Judge a chunk that is not the last, or any chunk that is refused (RFC 3030 section 2).

    Args:
        session: The session.
        size: How many octets it had.
        refusal: Why it is refused; None if its octets are in the transaction's store.

    Returns:
        The verdict.
    """
    refusal = refusal or _overflow(session)
    if refusal is not None:
        return Verdict(session.declined(refusal).reply, session.fail)
    reply = session.reply(250, session.options.wording.chunk, length=size)
    return Verdict(reply, partial(take_chunk, session, size), otherwise=session.fail)


def take_chunk(session: Session, size: int) -> None:
    """Note that a chunk is part of the content.

    Args:
        session: The session.
        size: How many octets it has.
    """
    transaction = session.current
    transaction.via = Verb.BDAT
    transaction.chunks.append(size)


def _overflow(session: Session) -> Refusal | None:
    return Refusal.TOO_BIG if session.current.store.overflowed else None


def end_content(session: Session) -> tuple[Ending, ...]:
    """Judge the content of a message that has come to its end.

    Args:
        session: The session; the content is in the transaction's store.

    Returns:
        The verdicts that are due, in order; `Session.finish` must be called when they have been
        dealt with.
    """
    recipients = session.current.recipients
    if session.options.dialect is Dialect.LMTP and recipients:
        return _each(session, recipients)
    whole = _end(session, recipients)
    if "PRDR" not in session.current.path.parameters or len(recipients) < _SEVERAL:
        return (Ending(whole),)
    first, *rest = _each(session, recipients)
    begun = session.reply(353, session.options.wording.judging)
    last = replace(whole, effect=_nothing, otherwise=session.current.delivered.clear)
    return (replace(first, preface=begun), *rest, Ending(last))


def _nothing() -> None:
    """Do nothing: the recipients had their own replies."""


def _each(session: Session, recipients: list[Path]) -> tuple[Ending, ...]:
    return tuple(Ending(_end(session, [path], apart=True), path.address) for path in recipients)


def _end(session: Session, recipients: list[Path], *, apart: bool = False) -> Verdict:
    refusal = _overflow(session) if recipients else Refusal.NO_RECIPIENTS
    if refusal is not None:
        return session.declined(refusal)
    wording = session.options.wording
    text = wording.delivered if apart else wording.accepted
    named = recipients[0].address
    reply = session.reply(250, text, queue_id=session.queue_id, recipient=named)
    return Verdict(reply, partial(session.current.delivered.extend, recipients))
