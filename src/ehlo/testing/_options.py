"""How a server behaves: one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from ehlo.commands import COMMAND_LINE_MAX
from ehlo.errors import InvalidInput
from ehlo.policies import chosen
from ehlo.testing._accounts import SaslFault
from ehlo.testing._actions import Answer
from ehlo.testing._content import Keep
from ehlo.testing._proxy import ProxyProtocol
from ehlo.testing._quirks import Quirk
from ehlo.testing._received import ReceivedCommand, Situation
from ehlo.testing._sasl import MECHANISMS
from ehlo.testing._table import check_answers
from ehlo.text import refuse_control_characters

__all__ = [
    "AnswerTable",
    "Answers",
    "AnswersHook",
    "AuthChannel",
    "Dialect",
    "Keep",
    "Offer",
    "ServerOptions",
    "Wording",
]

DEFAULT_CAPABILITIES: Final = (
    "PIPELINING",
    "SIZE 10485760",
    "8BITMIME",
    "SMTPUTF8",
    "ENHANCEDSTATUSCODES",
)


class Dialect(StrEnum):
    """Which protocol the server speaks."""

    ESMTP = "esmtp"
    """EHLO and HELO (RFC 5321)."""
    SMTP = "smtp"
    """HELO only: EHLO is answered 502, as by servers from before RFC 1425."""
    LMTP = "lmtp"
    """LHLO, and a final reply for each recipient (RFC 2033)."""


class Offer(StrEnum):
    """Whether the server has something, and whether it insists on it."""

    OFF = "off"
    """Neither announced nor understood."""
    OFFERED = "offered"
    """Announced; clients may use it."""
    REQUIRED = "required"
    """Announced; clients get 530 until they have used it."""


class AuthChannel(StrEnum):
    """Where AUTH is offered."""

    ANY = "any"
    """On every connection."""
    TLS = "tls"
    """On encrypted connections; elsewhere AUTH is not announced and answered 538."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The texts of the positive replies.

    Each is a template for `str.format`: `{hostname}` is the server, `{hello}` the name that the
    client gave, `{peer}` its network address, `{sender}` and `{recipient}` are addresses without
    brackets, `{queue_id}` names the message. A line feed begins a further line of the reply.
    Enhanced status codes are left out where ENHANCEDSTATUSCODES is not offered.

    Attributes:
        greeting: 220 when the connection is opened.
        hello: 250 to EHLO, LHLO (its first line) and HELO.
        starttls: 220 to STARTTLS.
        authenticated: 235 to the end of an AUTH exchange.
        sender: 250 to MAIL.
        recipient: 250 to RCPT.
        start_content: 354 to DATA.
        chunk: 250 to a chunk that is not the last; `{length}` is its length in octets.
        accepted: 250 to the end of the content.
        judging: 353 to the end of the content, before the replies for each recipient (PRDR).
        delivered: 250 to the end of the content, for one recipient (LMTP, PRDR).
        reset: 250 to RSET.
        etrn: 250 to ETRN; `{node}` is what it asks about.
        xforward: 250 to XFORWARD.
        noop: 250 to NOOP.
        vrfy: 252 to VRFY.
        help: 214 to HELP.
        closing: 221 to QUIT.
    """

    greeting: str = "{hostname} ESMTP ready"
    hello: str = "{hostname} greets {hello}"
    starttls: str = "2.0.0 Ready to start TLS"
    authenticated: str = "2.7.0 Authentication successful"
    sender: str = "2.1.0 Sender OK"
    recipient: str = "2.1.5 Recipient OK"
    start_content: str = "End data with <CR><LF>.<CR><LF>"
    chunk: str = "2.0.0 {length} octets received"
    accepted: str = "2.0.0 Ok: queued as {queue_id}"
    judging: str = "Each recipient's reply follows, then the message's"
    delivered: str = "2.1.5 Ok: queued as {queue_id} for <{recipient}>"
    reset: str = "2.0.0 OK"
    etrn: str = "2.0.0 Queuing for node {node} started"
    xforward: str = "2.0.0 OK"
    noop: str = "2.0.0 OK"
    vrfy: str = "2.1.5 Cannot verify the user, but will try delivery"
    help: str = "2.0.0 This server keeps what it gets; see RFC 5321"
    closing: str = "2.0.0 {hostname} closing connection"


AnswersHook: TypeAlias = Callable[[ReceivedCommand, Situation], Answer | None]
"""Decides what is answered to a command; None leaves it to the server."""
AnswerTable: TypeAlias = Mapping[str, Answer]
"""What is answered to which command; see `ServerOptions.answers`."""
Answers: TypeAlias = AnswerTable | AnswersHook
"""A table, or a function where a table does not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server behaves; by default as RFC 5321 says, offering common extensions.

    Enums may be given as their plain strings.

    **Answers.** A table maps commands to what is answered instead of the usual. A key is a line
    or its beginning, cut at a blank; the longest that fits is used: of
    `"MAIL FROM:<a@example.org> SIZE=9"`, `"MAIL FROM:<a@example.org>"` and `"MAIL"` the first.
    Case does not matter. The greeting is `ehlo.commands.Verb.GREETING`, the end of the content
    `"."`, a chunk `"BDAT"`, a line of an AUTH exchange `Verb.AUTH_RESPONSE`, whatever is no known
    command `Verb.OTHER`. The last chunk ends the content, too: it is found under `"BDAT LAST"`,
    and else under `"."`. In LMTP the reply for one recipient is found under
    `". <b@example.org>"` (or `"BDAT LAST <b@example.org>"`) first.

    A value is a step or a tuple of steps, the same each time, or `InTurn` with one for each time.
    Where it depends on more, `answers` is a function of the command and the situation that returns
    such a value, or None for the usual.

    An answer's first `Reply` also decides what becomes of the command: it takes effect if that
    reply's first digit is the one of the usual reply. So a 550 to RCPT does not add the
    recipient, and a 250 to one that is out of order does not either. A 421 does not close the
    connection unless a `Close()` follows it: there are servers like that.

    Attributes:
        hostname: The server's name for itself.
        dialect: Which protocol it speaks.
        capabilities: The lines of the EHLO reply behind the first, as they are sent. STARTTLS
            and AUTH are added by `starttls` and `auth`. What is announced here is there, and
            nothing else: the parameters of DSN, DELIVERBY, FUTURERELEASE, MT-PRIORITY,
            REQUIRETLS, BINARYMIME and PRDR, the command BDAT of CHUNKING, ETRN, and with the
            attributes that are named XCLIENT and XFORWARD. `LIMITS` are kept
            (RFC 9422). `SIZE n` sets the limit of a message in octets, which holds whether the
            client used EHLO or not.
        keep: What is kept of the content of messages.
        proxy_protocol: Whether connections begin with a header of the PROXY protocol.
        starttls: Whether STARTTLS is there; a `Server` with a context turns `OFF` into `OFFERED`.
        users: The passwords of those who can authenticate, by user name.
        tokens: The OAuth 2 tokens of those who can authenticate, by user name.
        external: Whom the server takes clients for that authenticate with EXTERNAL; empty for
            nobody.
        channel_bindings: What the server takes for the channel bindings of its connections with
            TLS, by the names of their types; `ehlo.sasl.server_end_point` computes one from a
            certificate. Without any, mechanisms whose names end in `-PLUS` are not announced.
        auth: Whether AUTH is there; nothing is offered while nobody can authenticate.
        auth_channel: Where AUTH is offered.
        mechanisms: The SASL mechanisms, as announced: PLAIN and LOGIN, if nothing else is said.
            CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, SCRAM-SHA-512, these three with -PLUS,
            OAUTHBEARER, XOAUTH2, EXTERNAL and ANONYMOUS are known as well.
        sasl_fault: What the server does wrong in SASL exchanges.
        command_line_max: How many octets a command line may have, its end included; 512 at least
            for a server that keeps to RFC 5321 section 4.5.3.1.4.
        quirks: What it does that no RFC has it do.
        wording: The texts of positive replies.
        answers: What is answered to which command instead of the usual.

    Raises:
        InvalidInput: A value does not exist, or holds a control character; a key of the answers
            is nothing that a client could say.
        TypeError: The capabilities are one text, or the answers hold what is no answer.
    """

    hostname: str = "mail.example.org"
    dialect: Dialect = Dialect.ESMTP
    capabilities: tuple[str, ...] = DEFAULT_CAPABILITIES
    keep: Keep = Keep.CONTENT
    proxy_protocol: ProxyProtocol = ProxyProtocol.OFF
    starttls: Offer = Offer.OFF
    users: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    tokens: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    external: str = ""
    channel_bindings: Mapping[str, bytes] = field(default_factory=dict[str, bytes], repr=False)
    auth: Offer = Offer.OFFERED
    auth_channel: AuthChannel = AuthChannel.ANY
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    sasl_fault: SaslFault = SaslFault.NONE
    command_line_max: int = COMMAND_LINE_MAX
    quirks: tuple[Quirk, ...] = ()
    wording: Wording = field(default_factory=Wording)
    answers: Answers = field(default_factory=dict[str, Answer])

    def __post_init__(self) -> None:
        """Turn strings into enums and refuse what no server could say."""
        for name, policy in _POLICIES.items():
            object.__setattr__(self, name, chosen(policy, getattr(self, name)))
        _refuse_one_text(self.capabilities)
        check_answers(self.answers)
        object.__setattr__(self, "quirks", tuple(chosen(Quirk, quirk) for quirk in self.quirks))
        refuse_control_characters("the host name", self.hostname)
        for line in self.capabilities:
            refuse_control_characters("the capability", line)
        for mechanism in self.mechanisms:
            if mechanism not in MECHANISMS:
                right = ", ".join(MECHANISMS)
                raise InvalidInput(f"the SASL mechanisms are {right}, not {mechanism!r}")

    @classmethod
    def exchange(cls, *, date: str, hostname: str = "exchange.example.org") -> ServerOptions:
        """Return options for the classic dialogue of Exchange and the IIS SMTP service.

        Use `dataclasses.replace` to change the rest.

        Args:
            date: The date and time in the greeting, such as `Mon, 23 Nov 2026 21:00:00 +0000`.
            hostname: The server's name for itself.

        Returns:
            The options.
        """
        software = "Microsoft ESMTP MAIL Service, Version: 10.0.0.1"
        wording = Wording(
            greeting=f"{{hostname}} {software} ready at {date}",
            hello="{hostname} Hello [{peer}]",
            starttls="2.0.0 SMTP server ready",
            authenticated="2.7.0 Authentication successful",
            sender="2.1.0 {sender}....Sender OK",
            recipient="2.1.5 {recipient} ",  # the blank is theirs
            start_content="Start mail input; end with <CRLF>.<CRLF>",
            accepted="2.6.0 <{queue_id}@{hostname}> Queued mail for delivery",
            reset="2.0.0 Resetting",
            closing="2.0.0 {hostname} Service closing transmission channel",
        )
        capabilities = ("SIZE 10485760", "PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME")
        return cls(hostname=hostname, capabilities=capabilities, wording=wording)


def _refuse_one_text(capabilities: object) -> None:
    """Refuse a text, which is an iterable of lines of one character each."""
    if isinstance(capabilities, str):
        raise TypeError(f"capabilities are a tuple of lines, such as ({capabilities!r},)")


_POLICIES: Final[Mapping[str, type[StrEnum]]] = {
    "dialect": Dialect,
    "keep": Keep,
    "proxy_protocol": ProxyProtocol,
    "starttls": Offer,
    "auth": Offer,
    "auth_channel": AuthChannel,
    "sasl_fault": SaslFault,
}
