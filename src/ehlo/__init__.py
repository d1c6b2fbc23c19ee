"""ehlo: SMTP for Python, without the I/O, with asyncio, and with plain sockets.

`ehlo.blocking` and `ehlo.asyncio` hold the same names (`send`, `connect`, `Session`); changing from
one to the other is changing the import. `import ehlo` alone loads neither, nor `ssl`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ehlo import commands, dialogues, errors
from ehlo.address import Address, AddressLike, Mailbox, MailboxLike, address_literal
from ehlo.capabilities import Capabilities, FutureRelease, Limits
from ehlo.dsn import Notify, OriginalRecipient, Ret
from ehlo.endpoint import Endpoint
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
from ehlo.message import Attachment, Message, Sendable
from ehlo.options import ConnectOptions, Progress
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
from ehlo.proxy_header import ProxyHeader, ProxyVersion
from ehlo.receipt import Receipt, Result, Timings
from ehlo.reply import EnhancedStatus, Reply, Severity
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

if TYPE_CHECKING:
    from types import ModuleType

    from ehlo import asyncio, blocking, testing

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - by topic
    # Adapters, loaded at first use
    "asyncio",
    "blocking",
    "testing",
    # What is sent, and to whom
    "Address",
    "AddressLike",
    "Attachment",
    "Envelope",
    "Mailbox",
    "MailboxLike",
    "Message",
    "Recipient",
    "RecipientLike",
    "Sendable",
    "address_literal",
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
    "ConnectOptions",
    "Endpoint",
    "Hello",
    "OnRefusal",
    "Phase",
    "Pipelining",
    "Progress",
    "Protocol",
    "ProxyHeader",
    "ProxyVersion",
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

_LOADED_AT_FIRST_USE = frozenset({"asyncio", "blocking", "testing"})


def __getattr__(name: str) -> ModuleType:
    """Load an adapter or the testing kit at its first use (PEP 562)."""
    if name in _LOADED_AT_FIRST_USE:
        return import_module(f"ehlo.{name}")
    msg = f"module 'ehlo' has no attribute {name!r}"
    raise AttributeError(msg)
