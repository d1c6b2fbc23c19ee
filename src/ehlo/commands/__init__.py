"""The commands of a client, one frozen value each, with a single way to the wire.

Each command checks its arguments when it is made, so a command that exists can be sent. The one
way out is `Command.wire`, and it refuses whatever could end the line early. What people
see of a command (transcripts, logs, errors) is `Command.shown`, where secrets are masked.
"""

from __future__ import annotations

from ehlo.commands._command import AUTH_LINE_MAX, COMMAND_LINE_MAX, Command, Verb
from ehlo.commands._extensions import (
    ATTRIBUTE_LINE_MAX,
    TEMPORARILY_UNAVAILABLE,
    UNAVAILABLE,
    Etrn,
    Xclient,
    Xforward,
)
from ehlo.commands._session import (
    Auth,
    AuthCancel,
    AuthResponse,
    Ehlo,
    Expn,
    Greeting,
    Helo,
    Help,
    Lhlo,
    Noop,
    Quit,
    Raw,
    StartTls,
    Vrfy,
)
from ehlo.commands._transaction import Bdat, Body, Data, EndOfContent, Mail, Rcpt, Rset

__all__ = [
    "ATTRIBUTE_LINE_MAX",
    "AUTH_LINE_MAX",
    "COMMAND_LINE_MAX",
    "TEMPORARILY_UNAVAILABLE",
    "UNAVAILABLE",
    "Auth",
    "AuthCancel",
    "AuthResponse",
    "Bdat",
    "Body",
    "Command",
    "Data",
    "Ehlo",
    "EndOfContent",
    "Etrn",
    "Expn",
    "Greeting",
    "Helo",
    "Help",
    "Lhlo",
    "Mail",
    "Noop",
    "Quit",
    "Raw",
    "Rcpt",
    "Rset",
    "StartTls",
    "Verb",
    "Vrfy",
    "Xclient",
    "Xforward",
]
