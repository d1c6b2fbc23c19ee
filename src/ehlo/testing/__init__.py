r"""A real SMTP server for tests: in this process, on the loopback interface, with nothing faked.

    >>> import smtplib
    >>> from ehlo.testing import Server
    >>> with Server() as server:
    ...     with smtplib.SMTP(server.host, server.port) as client:
    ...         refused = client.sendmail("ada@example.org", ["bob@example.com"], "Hello\r\n")
    ...     [message] = server.wait_for_messages(1)
    >>> message.sender, message.recipients, message.content
    ('ada@example.org', ('bob@example.com',), b'Hello\r\n')

How it behaves is one value, `ServerOptions`, and misbehaviour is data in it:

    >>> from ehlo.reply import Reply
    >>> from ehlo.testing import Close, ServerOptions, TakeEffect
    >>> options = ServerOptions(
    ...     answers={
    ...         "RCPT TO:<nobody@example.com>": Reply.of(550, "5.1.1 No such user"),
    ...         ".": (TakeEffect(), Close()),  # accept the message, lose the reply
    ...     }
    ... )

`ServerConnection` is the same server without I/O, for tests that feed it octets themselves:

    >>> from ehlo.testing import ServerConnection
    >>> connection = ServerConnection(options)
    >>> connection.receive_data(b"NOOP\r\n")
    >>> connection.data_to_send()
    b'220 mail.example.org ESMTP ready\r\n250 2.0.0 OK\r\n'
"""

from __future__ import annotations

from ehlo.testing._accounts import SaslFault
from ehlo.testing._actions import (
    Action,
    Answer,
    Close,
    Discard,
    InTurn,
    OneAnswer,
    Reset,
    Send,
    Silence,
    StartTls,
    Step,
    TakeEffect,
    Usual,
    Wait,
)
from ehlo.testing._connection import ServerConnection
from ehlo.testing._content import Digest, Keep
from ehlo.testing._conversing import Arrival, Conversation, converse
from ehlo.testing._options import (
    Answers,
    AnswersHook,
    AnswerTable,
    AuthChannel,
    Dialect,
    Offer,
    ServerOptions,
    Wording,
)
from ehlo.testing._proxy import ProxyHeader, ProxyProtocol
from ehlo.testing._quirks import Quirk
from ehlo.testing._received import ReceivedCommand, ReceivedMessage, Situation
from ehlo.testing._runner import Server
from ehlo.testing._script import Expect, Pace, Script, ScriptMismatch, ScriptPlayer, rehearse
from ehlo.testing._script_server import ScriptServer
from ehlo.testing._state import Mode
from ehlo.testing._turns import Turns

__all__ = [
    "Action",
    "Answer",
    "AnswerTable",
    "Answers",
    "AnswersHook",
    "Arrival",
    "AuthChannel",
    "Close",
    "Conversation",
    "Dialect",
    "Digest",
    "Discard",
    "Expect",
    "InTurn",
    "Keep",
    "Mode",
    "Offer",
    "OneAnswer",
    "Pace",
    "ProxyHeader",
    "ProxyProtocol",
    "Quirk",
    "ReceivedCommand",
    "ReceivedMessage",
    "Reset",
    "SaslFault",
    "Script",
    "ScriptMismatch",
    "ScriptPlayer",
    "ScriptServer",
    "Send",
    "Server",
    "ServerConnection",
    "ServerOptions",
    "Silence",
    "Situation",
    "StartTls",
    "Step",
    "TakeEffect",
    "Turns",
    "Usual",
    "Wait",
    "Wording",
    "converse",
    "rehearse",
]
