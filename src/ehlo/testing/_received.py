"""What a server keeps of what it received."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

    from ehlo.commands import Verb
    from ehlo.reply import Reply

__all__ = ["ReceivedCommand", "ReceivedMessage", "Situation"]

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCommand:
    """One command as it came in; `str()` of it is its line.

    Attributes:
        verb: Which command it is: `OTHER` for an unknown one, `AUTH_RESPONSE` for a line of a
            SASL exchange, `END_OF_CONTENT` for the lone dot.
        line: The line without its end; what could be a secret of AUTH is `***`, and octets that
            are not UTF-8 are written as escapes.
        connection: The number of the connection it came over, counted from 1.
        tls: Whether that was encrypted at the time.
    """

    verb: Verb
    line: str
    connection: int
    tls: bool

    @override
    def __str__(self) -> str:
        return self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage:
    """One message that the server accepted, with the transaction it came in.

    Attributes:
        sender: The reverse-path without its angle brackets; empty for the null reverse-path.
        recipients: The accepted forward-paths without their angle brackets, in order.
        content: The octets between DATA and the lone dot, with the stuffed dots removed and
            otherwise as they came (RFC 5321 section 4.5.2).
        parameters: The parameters of MAIL: keywords in upper case; None where there is no value.
        hello: The name the client gave with EHLO or HELO.
        tls: Whether it came over an encrypted connection.
        user: Who was authenticated; None for nobody.
        queue_id: The identifier that the server's reply gave to it.
        connection: The number of the connection it came over, counted from 1.
    """

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    parameters: Mapping[str, str | None]
    hello: str
    tls: bool
    user: str | None
    queue_id: str
    connection: int

    @property
    def bare_line_ends(self) -> int:
        """How many CR without LF and LF without CR the content holds; a client may send none.

        RFC 5321 section 2.3.8. The server takes them for ordinary octets, never for a line end.
        """
        return len(_BARE.findall(self.content))

    def parse(self) -> EmailMessage:
        """Return the content as read by the standard library's parser.

        Returns:
            A new message object.
        """
        return email.message_from_bytes(self.content, policy=email.policy.SMTP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a session stands when a command comes in: what an answers hook decides by.

    Attributes:
        usual: What the server would reply by itself.
        hello: The name the client gave with EHLO or HELO; empty before that.
        user: Who is authenticated; None for nobody.
        sender: The reverse-path of the transaction; None outside one.
        recipients: The forward-paths accepted so far.
        content: The content, when the command is its end; empty otherwise.
    """

    usual: Reply
    hello: str
    user: str | None
    sender: str | None
    recipients: tuple[str, ...]
    content: bytes
