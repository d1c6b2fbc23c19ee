"""Opening and closing a session: greeting, EHLO, STARTTLS, AUTH; QUIT."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ehlo.commands import Ehlo, Helo, Lhlo, Quit, StartTls
from ehlo.dialogues.authentication import authenticate
from ehlo.dialogues.exchange import perform, receive_reply
from ehlo.dialogues.needs import UpgradeTls
from ehlo.errors import (
    ConnectionLost,
    GreetingRefused,
    HelloRefused,
    RemoteProtocolError,
    SMTPError,
    TlsFailed,
)
from ehlo.phase import Phase
from ehlo.policies import Cleartext, Hello, Protocol, Tls, chosen
from ehlo.sasl import Channel
from ehlo.tls import TlsTrouble

if TYPE_CHECKING:
    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply
    from ehlo.sasl import CredentialsLike

__all__ = ["Opening", "greet", "hello", "open_session", "quit_session", "start_tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a session is to be opened.

    Attributes:
        name: The EHLO name: the client's host name or an address literal.
        tls: When the connection is encrypted.
        hello: How to introduce the client; STARTTLS and credentials need `Hello.EHLO`.
        credentials: Whom to authenticate as; None for nobody.
        cleartext: Whether credentials may travel unencrypted.
        channel: Where the server is, and where nonces come from; for authentication.
    """

    name: str
    tls: Tls
    hello: Hello = Hello.EHLO
    credentials: CredentialsLike | None = None
    cleartext: Cleartext = Cleartext.REFUSE
    channel: Channel = field(default_factory=Channel)

    def __post_init__(self) -> None:
        """Read policies that were given as strings.

        Raises:
            InvalidInput: There is no such policy.
        """
        object.__setattr__(self, "tls", chosen(Tls, self.tls))
        object.__setattr__(self, "hello", chosen(Hello, self.hello))
        object.__setattr__(self, "cleartext", chosen(Cleartext, self.cleartext))


def open_session(connection: Connection, opening: Opening) -> Dialogue[None]:
    """Bring a new connection to the point where mail can be sent (RFC 5321 section 3.1).

    A session that could not be opened as asked for is given up.

    Args:
        connection: A new Connection.
        opening: What is wanted.

    Raises:
        GreetingRefused: The server does not want to talk.
        HelloRefused: It refused EHLO and HELO.
        TlsFailed: TLS was required, and did not come about.
        AuthenticationRefused: The credentials were not accepted.
        CapabilityMissing: No way of authenticating that both sides know.
        ConnectionLost: The connection broke.
        RemoteProtocolError: The server broke the protocol.
    """
    try:
        yield from _open(connection, opening)
    except SMTPError:
        connection.abandon("the session could not be opened")
        raise


def _open(connection: Connection, opening: Opening) -> Dialogue[None]:
    if opening.tls is Tls.IMPLICIT:
        yield UpgradeTls()
        connection.tls_started()
    yield from greet(connection)
    if opening.hello is not Hello.EHLO:
        if opening.hello is Hello.HELO:
            yield from _helo(connection, opening.name)
        return
    yield from hello(connection, opening.name)
    if opening.tls in {Tls.STARTTLS, Tls.STARTTLS_IF_OFFERED}:
        yield from _encrypt(connection, opening)
    if opening.credentials is not None:
        yield from authenticate(connection, opening.credentials, opening.cleartext, opening.channel)


def _encrypt(connection: Connection, opening: Opening) -> Dialogue[None]:
    opportunistic = opening.tls is Tls.STARTTLS_IF_OFFERED
    if not connection.capabilities.starttls:
        if opportunistic:
            return
        msg = (
            "the server does not offer STARTTLS; no credentials and no mail were sent. It may have "
            "a port for TLS alone: smtps://. If it is to be trusted without TLS, say tls='none'"
        )
        raise TlsFailed(msg, phase=Phase.STARTTLS, reason=TlsTrouble.NOT_OFFERED)
    reply = yield from start_tls(connection)
    if connection.encrypted:
        yield from hello(connection, opening.name)
    elif not opportunistic or connection.is_over:
        raise _tls_refused(reply)


def _tls_refused(reply: Reply) -> TlsFailed:
    error = TlsFailed(
        f"the server refused STARTTLS: {reply}",
        phase=Phase.STARTTLS,
        command=StartTls().shown,
        reply=reply,
        reason=TlsTrouble.REFUSED,
    )
    error.temporary = reply.is_temporary
    return error


def greet(connection: Connection) -> Dialogue[Reply]:
    """Wait for the server's greeting.

    Args:
        connection: A new Connection.

    Returns:
        The greeting.

    Raises:
        GreetingRefused: The server does not want to talk (4yz or 5yz).
        TlsFailed: It speaks TLS, and not in clear.
        ConnectionLost: It said nothing.
        RemoteProtocolError: It said something that is no greeting.
    """
    try:
        reply = yield from receive_reply(connection)
    except RemoteProtocolError as exc:
        if _is_tls(connection):
            raise TlsFailed(_TLS_FIRST, phase=Phase.GREETING, reason=TlsTrouble.TLS_FIRST) from exc
        raise
    except ConnectionLost as exc:
        if not connection.encrypted:
            exc.args = (f"{exc}; {_PERHAPS_TLS_FIRST}",)
        raise
    if not reply.is_positive:
        msg = f"the server refused the connection: {reply}"
        raise GreetingRefused(msg, phase=Phase.GREETING, reply=reply)
    return reply


_TLS_FIRST: Final = (
    "the server speaks TLS from the first octet, and greets nobody in clear: use smtps:// (or "
    "tls='implicit')"
)
_PERHAPS_TLS_FIRST: Final = (
    "if the server speaks TLS from the first octet, as on port 465, use smtps:// (or "
    "tls='implicit')"
)
_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin in all versions of TLS (RFC 8446 section 5.1)."""


def _is_tls(connection: Connection) -> bool:
    """Return whether what the server said instead of a greeting is TLS."""
    return not connection.encrypted and connection.garbage.startswith(_RECORDS)


def hello(connection: Connection, name: str) -> Dialogue[Reply]:
    """Say EHLO; where that is unknown, HELO (RFC 5321 section 3.2). In LMTP, say LHLO.

    HELO follows a permanent refusal only: behind a 4yz the server may be another one soon.

    Args:
        connection: The Connection.
        name: The EHLO name.

    Returns:
        The positive reply.

    Raises:
        HelloRefused: The server refused.
    """
    if connection.protocol is Protocol.LMTP:
        return _accepted((yield from perform(connection, Lhlo(name))), Lhlo(name))
    reply = yield from perform(connection, Ehlo(name))
    if reply.is_permanent:
        return (yield from _helo(connection, name))
    return _accepted(reply, Ehlo(name))


def _helo(connection: Connection, name: str) -> Dialogue[Reply]:
    return _accepted((yield from perform(connection, Helo(name))), Helo(name))


def _accepted(reply: Reply, command: Ehlo | Helo | Lhlo) -> Reply:
    if reply.is_positive:
        return reply
    msg = f"the server refused {command.verb}: {reply}"
    raise HelloRefused(msg, phase=Phase.HELLO, command=command.shown, reply=reply)


def start_tls(connection: Connection) -> Dialogue[Reply]:
    """Say STARTTLS and perform the handshake (RFC 3207 section 4).

    Afterwards all that the server announced is forgotten, and EHLO is due.

    Args:
        connection: The Connection.

    Returns:
        The reply to STARTTLS; TLS is on if it is positive.

    Raises:
        TlsFailed: The handshake failed, or octets came in clear behind the 220: something on
            the way may have put them there (CVE-2021-38371 and its many kin).
    """
    reply = yield from perform(connection, StartTls())
    if not reply.is_positive:
        return reply
    try:
        connection.assert_in_step()
        yield UpgradeTls()
        connection.tls_started()
    except RemoteProtocolError as exc:
        msg = "the server sent octets in clear behind its 220 to STARTTLS; they are not believed"
        raise TlsFailed(msg, phase=Phase.STARTTLS, reason=TlsTrouble.INJECTED) from exc
    return reply


def quit_session(connection: Connection) -> Dialogue[Reply | None]:
    """Say QUIT; whatever comes of it changes nothing (RFC 5321 section 4.1.1.10).

    Args:
        connection: The Connection.

    Returns:
        The reply, or None if none came or QUIT could not be sent.
    """
    command = Quit()
    if connection.awaited is not None or not connection.may_send(command):
        return None  # behind replies that are due, QUIT could be taken for something else
    try:
        return (yield from perform(connection, command))
    except (ConnectionLost, RemoteProtocolError):
        return None
