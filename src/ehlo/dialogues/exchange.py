"""The smallest dialogues, which the others are made of: wait for a reply, perform a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb
from ehlo.dialogues.needs import RECEIVE
from ehlo.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError
from ehlo.phase import Phase
from ehlo.protocol import NEED_DATA, ReplyReceived

if TYPE_CHECKING:
    from ehlo.commands import Command
    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["GROUP_MAX", "ensure_open", "lost", "perform", "phase_of", "receive_reply", "send"]

GROUP_MAX: Final = 65_536
"""Octets of commands in flight at the most (RFC 2920 section 3.1 leaves the bound to us)."""

_PHASES: Final = {
    Verb.GREETING: Phase.GREETING,
    Verb.EHLO: Phase.HELLO,
    Verb.HELO: Phase.HELLO,
    Verb.LHLO: Phase.HELLO,
    Verb.STARTTLS: Phase.STARTTLS,
    Verb.AUTH: Phase.AUTH,
    Verb.AUTH_RESPONSE: Phase.AUTH,
    Verb.MAIL: Phase.MAIL,
    Verb.RCPT: Phase.RCPT,
    Verb.DATA: Phase.DATA,
    Verb.END_OF_CONTENT: Phase.END_OF_CONTENT,
    Verb.BDAT: Phase.CONTENT,
    Verb.BDAT_LAST: Phase.END_OF_CONTENT,
    Verb.QUIT: Phase.QUIT,
}


def phase_of(verb: Verb) -> Phase:
    """Return the phase that a command belongs to.

    Args:
        verb: Which command.

    Returns:
        Its phase; `Phase.COMMAND` for those without one of their own.
    """
    return _PHASES.get(verb, Phase.COMMAND)


def lost(connection: Connection, phase: Phase, command: Command | None = None) -> ConnectionLost:
    """Return the error for a session that is over.

    Args:
        connection: The Connection, which knows how it ended.
        phase: What was going on.
        command: The command that was not answered, if one was sent.

    Returns:
        The error; it carries the server's 421, if it sent one.
    """
    msg = f"the connection was lost while {phase.phrase}: {connection.ending}"
    shown = None if command is None else command.shown
    return ConnectionLost(msg, phase=phase, command=shown, reply=connection.closing_reply)


def ensure_open(connection: Connection, phase: Phase) -> None:
    """Make sure that the server has not closed the session while nobody was looking.

    Args:
        connection: The Connection.
        phase: What is about to happen, for the error.

    Raises:
        ConnectionLost: It has; the error carries its 421, if it sent one.
        RemoteProtocolError: It said something that nobody asked for.
        LocalProtocolError: A reply is due to a command that somebody else sent.
    """
    awaited = connection.awaited
    if awaited is not None:
        msg = f"the reply to {awaited.shown.partition(' ')[0]} is due, and was not waited for"
        raise LocalProtocolError(msg, phase=phase)
    try:
        while connection.next_event() is not NEED_DATA:
            pass
    except RemoteProtocolError as exc:
        exc.phase = phase
        raise
    if connection.is_over:
        raise lost(connection, phase)


def receive_reply(connection: Connection) -> Dialogue[Reply]:
    """Wait for the reply to the oldest command in flight.

    Args:
        connection: The Connection; a command must be in flight.

    Returns:
        The reply, whatever its code.

    Raises:
        ConnectionLost: None will come any more.
        RemoteProtocolError: What came is no reply to that command.
    """
    awaited = connection.awaited
    if awaited is None:
        msg = "no reply is due"
        raise LocalProtocolError(msg)
    phase = phase_of(awaited.verb)
    try:
        while True:
            event = connection.next_event()
            if event is NEED_DATA:
                yield RECEIVE[phase]
            elif isinstance(event, ReplyReceived):
                return event.reply
            else:
                raise lost(connection, phase, awaited)
    except RemoteProtocolError as exc:
        exc.phase = phase
        raise


def perform(connection: Connection, command: Command) -> Dialogue[Reply]:
    """Send one command and wait for its reply.

    Args:
        connection: The Connection.
        command: The command.

    Returns:
        The reply, whatever its code.

    Raises:
        LocalProtocolError: The command must not be sent in this state.
        ConnectionLost: The connection is gone.
        RemoteProtocolError: The server broke the protocol.
    """
    ensure_open(connection, phase_of(command.verb))
    send(connection, command)
    return (yield from receive_reply(connection))


def send(connection: Connection, command: Command) -> None:
    """Queue a command; an error knows its phase.

    Args:
        connection: The Connection.
        command: The command.

    Raises:
        LocalProtocolError: The command must not be sent in this state.
        RemoteProtocolError: The server said something that nobody asked for.
    """
    try:
        connection.send(command)
    except (LocalProtocolError, RemoteProtocolError) as exc:
        exc.phase = phase_of(command.verb)
        raise
