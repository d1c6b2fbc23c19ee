"""Everything that can go wrong, as one tree.

::

    SMTPError
    ├── InvalidInput (ValueError)         a value was refused before any octet was sent
    │   └── InvalidAddress                   ... because it is not an address
    ├── LocalProtocolError                the caller used a session out of order
    ├── CapabilityMissing                 the server does not offer what the caller asked for
    ├── Refused                           the server said no; carries the reply
    │   ├── GreetingRefused                  ... instead of greeting
    │   ├── HelloRefused                     ... to EHLO and HELO
    │   ├── AuthenticationRefused            ... to AUTH
    │   │   └── ServerNotAuthenticated           ... or did not prove who it is itself
    │   ├── SenderRefused                    ... to MAIL
    │   ├── RecipientsRefused                ... to RCPT; carries a reply for each recipient
    │   └── ContentRefused                   ... to DATA or to the content
    ├── TlsFailed                         no TLS: not offered, refused, or the handshake failed
    ├── RemoteProtocolError               the server broke the protocol
    ├── ConnectionLost (ConnectionError)  the connection is gone
    │   ├── ConnectFailed                    ... it never came about
    │   └── Timeout (TimeoutError)           ... the server did not answer in time
    └── DeliveryUnknown                   the end of the content was sent, its reply was lost

Every error answers the same questions: which `phase`, which `command` and `reply`, is it
`temporary`, what is the message's `outcome`, is the connection usable (`connection_usable`), and
all of that in one word: is it certain that sending again cannot duplicate the mail, and sensible
to do so (`retry_safe`). All errors are picklable and none carries a secret.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ehlo.phase import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.address import Address
    from ehlo.phase import Phase
    from ehlo.proxy import Hop
    from ehlo.receipt import Receipt
    from ehlo.reply import Reply
    from ehlo.tls import TlsFacts, TlsTrouble

__all__ = [
    "AuthenticationRefused",
    "CapabilityMissing",
    "ConnectFailed",
    "ConnectionLost",
    "ContentRefused",
    "DeliveryUnknown",
    "GreetingRefused",
    "HelloRefused",
    "InvalidAddress",
    "InvalidInput",
    "LocalProtocolError",
    "RecipientsRefused",
    "Refused",
    "RemoteProtocolError",
    "SMTPError",
    "SenderRefused",
    "ServerNotAuthenticated",
    "Timeout",
    "TlsFailed",
]


class SMTPError(Exception):
    """The root of all errors that this library raises on purpose.

    Args:
        message: What happened, for people.
        phase: The step it happened in; None before a connection was asked for.
        command: The command it happened to, as a transcript shows it (secrets redacted).
        reply: The reply that tells of it, if there is one.

    Attributes:
        phase: As above.
        command: As above.
        reply: As above.
        temporary: Whether the same attempt may succeed later.
        outcome: What became of the message that was being sent; `NOT_SENT` if none was.
        connection_usable: Whether the session it was raised from can go on.
        message_id: The Message-ID of the message being sent, as it stands in the header.
        delivered: The recipients for whom the server did accept the message, although it failed as
            a whole: of LMTP, or where it took several transactions. Sending it again to them would
            duplicate it.
        failed_over: The servers that were tried before this one, as `host:port`, each with what
            went wrong, where `connect` was given several.
        failed_attempts: The errors of the attempts before this one, where a `Client` has made
            several; in each of them the message was certainly not accepted.
    """

    outcome: Outcome = Outcome.NOT_SENT
    temporary: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.command = command
        self.reply = reply
        self.connection_usable = False
        self.message_id: str | None = None
        self.delivered: tuple[Address, ...] = ()
        self.failed_over: tuple[tuple[str, SMTPError], ...] = ()
        self.failed_attempts: tuple[SMTPError, ...] = ()

    @property
    def retry_safe(self) -> bool:
        """Whether sending the same message again is sensible and cannot duplicate it."""
        safe = self.outcome in {Outcome.NOT_SENT, Outcome.REFUSED}
        return self.temporary and safe and not self.delivered


class InvalidInput(SMTPError, ValueError):
    """A value cannot be sent.

    Nothing of it was, and a session goes on as if it had not been asked. The one exception is
    content that is read while it is sent, and turns out midway to be what cannot be: the session is
    closed then, if it is the only way to keep the server from taking what there is for all of it.
    """

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, phase=phase, command=command, reply=reply)
        self.connection_usable = True


class InvalidAddress(InvalidInput):
    """A text is not one address.

    Attributes:
        text: The text as it was passed.
        position: Where in it the trouble begins, counted in characters from 0.
    """

    def __init__(self, message: str = "", *, text: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.text = text
        self.position = position


class LocalProtocolError(SMTPError):
    """The caller asked for something that the protocol does not allow at this point.

    This is a bug in the calling program, not a failure of the server.
    """


class CapabilityMissing(SMTPError):
    """The server does not offer an extension that is needed; nothing of it was sent.

    Attributes:
        capability: The EHLO keyword that was looked for, in upper case.
    """

    def __init__(
        self, message: str = "", *, capability: str = "", phase: Phase | None = None
    ) -> None:
        super().__init__(message, phase=phase)
        self.capability = capability


class Refused(SMTPError):
    """The server refused a command; `reply` says why.

    `temporary` is true for a 4yz reply, 421 included.
    """

    reply: Reply  # type: ignore[mutable-override]  # a refusal always has one

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, phase=phase, command=command, reply=reply)
        self.temporary = reply is not None and reply.is_temporary


class GreetingRefused(Refused):
    """The server answered the connection with a refusal (RFC 5321 section 3.1)."""


class HelloRefused(Refused):
    """The server refused EHLO, and HELO where that was tried."""


class AuthenticationRefused(Refused):
    """The server did not accept the credentials (RFC 4954 section 6).

    Attributes:
        offered: The mechanisms that the server offered.
        tried: The mechanisms that were tried, in order.
        oauth_error: What the server said about an OAuth token (RFC 7628 section 3.2.2), such as
            `status` and `scope`; empty if it said nothing of the kind.
    """

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, phase=phase, command=command, reply=reply)
        self.offered: tuple[str, ...] = ()
        self.tried: tuple[str, ...] = ()
        self.oauth_error: Mapping[str, str] = {}


class ServerNotAuthenticated(AuthenticationRefused):
    """The server did not prove that it knows the password (RFC 5802 section 3).

    It claims to have accepted the user, but is not the server that the password is for, or somebody
    on the way speaks for it. The connection is given up.
    """


class SenderRefused(Refused):
    """The server refused MAIL: the sender, the size or a parameter."""

    outcome = Outcome.REFUSED


class RecipientsRefused(Refused):
    """The server refused recipients, and so the message was sent to nobody.

    Either all were refused, or some were and the policy was to abort then. Where refusals come
    behind the content (LMTP), it cannot be taken back from the others: `delivered` names them.
    `temporary` is true if every refusal is; `reply` is the first of them.

    Attributes:
        refused: The reply to each refused recipient.
        accepted: The recipients that the server would have taken; if the refusals came behind the
            content (LMTP), the ones that have got it, which `delivered` names as well.
        receipt: Then, the receipt for those; None otherwise.
    """

    outcome = Outcome.REFUSED

    def __init__(
        self,
        message: str = "",
        *,
        refused: Mapping[Address, Reply] | None = None,
        accepted: tuple[Address, ...] = (),
        command: str | None = None,
        phase: Phase | None = None,
    ) -> None:
        replies = dict(refused or {})
        super().__init__(
            message, phase=phase, command=command, reply=next(iter(replies.values()), None)
        )
        self.refused = replies
        self.accepted = accepted
        self.receipt: Receipt | None = None
        self.temporary = bool(replies) and all(reply.is_temporary for reply in replies.values())


class ContentRefused(Refused):
    """The server refused DATA or the content itself; it was delivered to nobody."""

    outcome = Outcome.REFUSED


class TlsFailed(SMTPError):
    """The connection could not be encrypted; no credential and no mail was sent.

    Attributes:
        reason: Why; None if nobody has told.
        tls: What is known of the connection that did not come about; where the certificate was the
            trouble, what stands in that.
    """

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
        reason: TlsTrouble | None = None,
        tls: TlsFacts | None = None,
    ) -> None:
        super().__init__(message, phase=phase, command=command, reply=reply)
        self.reason = reason
        self.tls = tls


class RemoteProtocolError(SMTPError):
    """The server sent something that no SMTP server may send; the connection is out of step."""


class ConnectionLost(SMTPError, ConnectionError):
    """The connection broke before the end of the content: the message was certainly not sent.

    Attributes:
        addresses: If no connection came about, the addresses that were tried, as `host:port`, each
            with what went wrong.
        hop: If it should have gone through a proxy, which part of the way did not come about.
    """

    temporary = True
    addresses: Mapping[str, OSError] = MappingProxyType({})
    hop: Hop | None = None


class ConnectFailed(ConnectionLost):
    """No connection came about.

    `temporary` is false if a proxy does not want to make one: its rules, or user and password.
    """


class Timeout(ConnectionLost, TimeoutError):
    """The server did not answer, or took nothing more, within the time allowed."""


class DeliveryUnknown(SMTPError):
    """The end of the content was sent, and no valid reply came back.

    The server may have accepted the message or not (RFC 5321 section 4.5.3.2.6, RFC 1047). This
    library never sends such a message again on its own. `__cause__` is what went wrong.

    Attributes:
        refused: The recipients for whom it certainly was not accepted, with the reply that said so;
            `delivered` are those for whom it was. In doubt are all others.
    """

    outcome = Outcome.UNKNOWN

    def __init__(
        self,
        message: str = "",
        *,
        phase: Phase | None = None,
        command: str | None = None,
        reply: Reply | None = None,
    ) -> None:
        super().__init__(message, phase=phase, command=command, reply=reply)
        self.refused: Mapping[Address, Reply] = {}
