"""ehlo: SMTP for Python, without the I/O, with asyncio, and with plain sockets.

`ehlo.blocking` and `ehlo.asyncio` hold the same names (`send`, `connect`, `Session`); changing from
one to the other is changing the import. `import ehlo` alone loads next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ehlo import asyncio, blocking, commands, dialogues, dkim, errors, pool, sasl, testing
    from ehlo.address import Address, AddressLike, Mailbox, MailboxLike, address_literal
    from ehlo.capabilities import Capabilities, FutureRelease, Limits
    from ehlo.configured import Configured
    from ehlo.dsn import Notify, OriginalRecipient, Ret
    from ehlo.endpoint import Endpoint, Servers
    from ehlo.envelope import Envelope, Recipient, RecipientLike
    from ehlo.errors import (
        AuthenticationRefused,
        CapabilityMissing,
        ConnectFailed,
        ConnectionLost,
        ContentRefused,
        DeliveryUnknown,
        GreetingRefused,
        HelloRefused,
        InvalidAddress,
        InvalidInput,
        LocalProtocolError,
        RecipientsRefused,
        Refused,
        RemoteProtocolError,
        SenderRefused,
        ServerNotAuthenticated,
        SMTPError,
        Timeout,
        TlsFailed,
    )
    from ehlo.message import (
        Alternative,
        Attachment,
        AutoSubmitted,
        Calendar,
        Group,
        MailingList,
        Message,
        MessageParts,
        Resent,
        Seal,
        Sealed,
        Sendable,
    )
    from ehlo.options import ClientOptions, ConnectOptions, Connector, Progress
    from ehlo.parameters import MailOptions, RcptOptions
    from ehlo.phase import Outcome, Phase
    from ehlo.policies import Cleartext, Hello, OnRefusal, Pipelining, Protocol, Tls
    from ehlo.protocol import (
        NEED_DATA,
        Connection,
        ConnectionClosed,
        Event,
        ReplyReceived,
        ServerClosing,
        State,
    )
    from ehlo.proxy import Hop, Proxy, ProxyKind
    from ehlo.proxy_header import ProxyHeader, ProxyVersion
    from ehlo.receipt import Receipt, Result, Timings
    from ehlo.reply import EnhancedStatus, Reply, Severity
    from ehlo.runtime.stamping import stamped
    from ehlo.sasl import (
        Anonymous,
        BadChallenge,
        Channel,
        Credentials,
        CredentialsLike,
        Exchange,
        External,
        Mechanism,
        OAuth2,
        Password,
        Token,
        TokenCallback,
    )
    from ehlo.schedule import ByMode, DeliverBy
    from ehlo.secret import Secret
    from ehlo.timeouts import Timeouts
    from ehlo.tls import TlsFacts, TlsTrouble
    from ehlo.transcript import Entry, Side, Trace, Transcript
    from ehlo.wire import ReplyLimits

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - by topic
    # Adapters, loaded at first use
    "asyncio",
    "blocking",
    "testing",
    # What stands behind a Client
    "pool",
    # What is sent, and to whom
    "Address",
    "AddressLike",
    "Alternative",
    "Attachment",
    "AutoSubmitted",
    "Calendar",
    "Envelope",
    "Group",
    "Mailbox",
    "MailboxLike",
    "MailingList",
    "Message",
    "MessageParts",
    "Recipient",
    "RecipientLike",
    "Resent",
    "Seal",
    "Sealed",
    "Sendable",
    "address_literal",
    "stamped",
    "dkim",
    # What a sender can ask for
    "ByMode",
    "DeliverBy",
    "MailOptions",
    "Notify",
    "OriginalRecipient",
    "RcptOptions",
    "Ret",
    # What comes back
    "Capabilities",
    "EnhancedStatus",
    "FutureRelease",
    "Limits",
    "Outcome",
    "Receipt",
    "Reply",
    "Result",
    "Severity",
    "Timings",
    "TlsFacts",
    "TlsTrouble",
    # How
    "Cleartext",
    "ClientOptions",
    "Configured",
    "ConnectOptions",
    "Connector",
    "Endpoint",
    "Hello",
    "Hop",
    "OnRefusal",
    "Phase",
    "Pipelining",
    "Progress",
    "Protocol",
    "Proxy",
    "ProxyHeader",
    "ProxyKind",
    "ProxyVersion",
    "Servers",
    "Timeouts",
    "Tls",
    # Who one is
    "Anonymous",
    "BadChallenge",
    "Channel",
    "Credentials",
    "CredentialsLike",
    "Exchange",
    "External",
    "Mechanism",
    "OAuth2",
    "Password",
    "Secret",
    "Token",
    "TokenCallback",
    "sasl",
    # Seeing it
    "Entry",
    "Side",
    "Trace",
    "Transcript",
    # Without I/O
    "NEED_DATA",
    "Connection",
    "ConnectionClosed",
    "Event",
    "ReplyLimits",
    "ReplyReceived",
    "ServerClosing",
    "State",
    "commands",
    "dialogues",
    # Errors
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
    "errors",
]

# Where each name lives. Everything is loaded at its first use (PEP 562): a command line tool that
# prints its help, or a program that sends no mail today, does not wait for what it does not need.
_HOMES: Final = {
    "ehlo.errors": (
        "AuthenticationRefused CapabilityMissing ConnectFailed ConnectionLost ContentRefused "
        "DeliveryUnknown GreetingRefused HelloRefused InvalidAddress InvalidInput "
        "LocalProtocolError RecipientsRefused Refused RemoteProtocolError SenderRefused "
        "SMTPError ServerNotAuthenticated Timeout TlsFailed"
    ),
    "ehlo.address": "Address AddressLike Mailbox MailboxLike address_literal",
    "ehlo.capabilities": "Capabilities FutureRelease Limits",
    "ehlo.configured": "Configured",
    "ehlo.dsn": "Notify OriginalRecipient Ret",
    "ehlo.endpoint": "Endpoint Servers",
    "ehlo.envelope": "Envelope Recipient RecipientLike",
    "ehlo.message": (
        "Alternative Attachment AutoSubmitted Calendar Group MailingList Message MessageParts "
        "Resent Seal Sealed Sendable"
    ),
    "ehlo.options": "ClientOptions ConnectOptions Connector Progress",
    "ehlo.parameters": "MailOptions RcptOptions",
    "ehlo.phase": "Outcome Phase",
    "ehlo.policies": "Cleartext Hello OnRefusal Pipelining Protocol Tls",
    "ehlo.protocol": (
        "NEED_DATA Connection ConnectionClosed Event ReplyReceived ServerClosing State"
    ),
    "ehlo.proxy": "Hop Proxy ProxyKind",
    "ehlo.proxy_header": "ProxyHeader ProxyVersion",
    "ehlo.receipt": "Receipt Result Timings",
    "ehlo.reply": "EnhancedStatus Reply Severity",
    "ehlo.sasl": (
        "Anonymous BadChallenge Channel Credentials CredentialsLike Exchange External Mechanism "
        "OAuth2 Password Token TokenCallback"
    ),
    "ehlo.runtime.stamping": "stamped",
    "ehlo.schedule": "ByMode DeliverBy",
    "ehlo.secret": "Secret",
    "ehlo.timeouts": "Timeouts",
    "ehlo.tls": "TlsFacts TlsTrouble",
    "ehlo.transcript": "Entry Side Trace Transcript",
    "ehlo.wire": "ReplyLimits",
}
_MODULES: Final = frozenset(
    {"asyncio", "blocking", "commands", "dialogues", "dkim", "errors", "pool", "sasl", "testing"}
)
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a name, or a module, at its first use (PEP 562)."""
    if name in _MODULES:
        return import_module(f"ehlo.{name}")
    if name not in _HOME_OF:
        msg = f"module 'ehlo' has no attribute {name!r}"
        raise AttributeError(msg)
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*__all__, *globals()})
