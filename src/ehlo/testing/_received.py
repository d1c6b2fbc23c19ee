"""What a server keeps of what it received."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.capabilities import Capabilities
from ehlo.commands import Verb
from ehlo.testing._content import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

    from ehlo.reply import Reply

__all__ = ["ReceivedCommand", "ReceivedMessage", "Situation"]

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCommand:
    """One command as it came in; `str()` of it is its line.

    Attributes:
        verb: Which command it is: `OTHER` for an unknown one, `AUTH_RESPONSE` for a line of a
            SASL exchange, `END_OF_CONTENT` for the lone dot, `BDAT_LAST` for the last chunk.
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
            otherwise as they came (RFC 5321 section 4.5.2), or those of all chunks; empty if the
            server was told to keep the digest alone.
        digest: Length and SHA-256 of the content if it was not kept; None if it was.
        via: The command that brought the content: `DATA` or `BDAT`.
        chunks: How many octets each BDAT had, in order; empty for DATA.
        parameters: The parameters of MAIL: keywords in upper case; None where there is no value.
        recipient_parameters: The parameters of each RCPT, in the order of `recipients`.
        hello: The name the client gave with EHLO or HELO.
        tls: Whether it came over an encrypted connection.
        user: Who was authenticated; None for nobody.
        queue_id: The identifier that the server's reply gave to it.
        connection: The number of the connection it came over, counted from 1.
        xclient: What XCLIENT said about the client: decoded values by attribute.
        xforward: What XFORWARD said about the message, likewise.
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
    digest: Digest | None = None
    via: Verb = Verb.DATA
    chunks: tuple[int, ...] = ()
    recipient_parameters: tuple[Mapping[str, str | None], ...] = ()
    xclient: Mapping[str, str] = field(default_factory=dict[str, str])
    xforward: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def length(self) -> int:
        """How many octets the content has."""
        return len(self.content) if self.digest is None else self.digest.length

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal digits."""
        return (self.digest or Digest.of(self.content)).sha256

    @property
    def bare_line_ends(self) -> int:
        """How many CR without LF and LF without CR the content holds; a client may send none.

        RFC 5321 section 2.3.8. The server takes them for ordinary octets, never for a line end.
        In content that was not kept there are none.
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
        content: The content, when the command is its end; empty otherwise, and where the server
            keeps the digest alone.
        recipient: Whom a reply to the end of the content is for, where each recipient gets one
            (LMTP); None otherwise.
        refused: The replies that refused recipients of this transaction, in order.
        announced: What the server told the client it can do.
        first_in_read: Whether nothing came before the command in the same read, which is one call
            of `ServerConnection.receive_data`.
        last_in_read: Whether nothing came behind it in the same read.
        behind_content: Whether the end of a message's content came before it in the same read.
        early_talker: Whether the client spoke before a greeting that was held.
        ends_content: Whether the command is the end of a message's content: the lone dot, or the
            last chunk, unless that was out of order.
    """

    usual: Reply
    hello: str
    user: str | None
    sender: str | None
    recipients: tuple[str, ...]
    content: bytes
    recipient: str | None = None
    refused: tuple[Reply, ...] = ()
    announced: Capabilities = field(default_factory=Capabilities)
    first_in_read: bool = True
    last_in_read: bool = True
    behind_content: bool = False
    early_talker: bool = False
    ends_content: bool = False
