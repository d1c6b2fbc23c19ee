"""What a server knows of a session.

The truth is in a few facts: was the client greeted, who is it, what is the transaction. The
`Stage` of the session follows from them. How each command changes them is in `_judging` and the
modules it knows; octets, lines and answers that were overridden are not known here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce
from types import MappingProxyType
from typing import TYPE_CHECKING

from ehlo.capabilities import Capabilities
from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._accounts import Accounts
from ehlo.testing._limits import Limits
from ehlo.testing._options import AuthChannel, Dialect, Offer
from ehlo.testing._received import ReceivedMessage
from ehlo.testing._state import Mode, Stage, Transaction, Verdict
from ehlo.testing._traits import conduct_of

if TYPE_CHECKING:
    from ehlo.testing._accounts import Exchange
    from ehlo.testing._content import Content
    from ehlo.testing._grammar import Refusal
    from ehlo.testing._options import ServerOptions

__all__ = ["Session"]

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3} ?")


class Session:
    """The state of one session.

    Args:
        options: How the server behaves.
        connection: The number of the connection, counted from 1.
        peer: The client's network address.
        tls: Whether the connection is encrypted from the start.

    Attributes:
        options: How the server behaves.
        conduct: What the quirks among them come to.
        offered: What the options promise; what the client was told is `announced`.
        size_limit: How many octets a message may have; None for no limit.
        limits: How many transactions and recipients there may be.
        mode: What the octets that come next are.
        messages: What was accepted.
        tls: Whether the connection is encrypted.
        greeted: Whether the greeting was positive.
        peer: The client's network address.
        xclient: What XCLIENT said about the client.
        xforward: What XFORWARD said about the next message.
        exchange: The SASL exchange that is under way.
        hello: The name the client gave; empty before that.
        esmtp: Whether it gave it with EHLO or LHLO.
        user: Who is authenticated; None for nobody.
        announced: What the client was told that the server can do.
        transaction: What MAIL began; None outside a transaction.
        failed: Whether a chunk was refused, so that RSET is due.
        mails: How many transactions there were.
        domains: The domains of all recipients so far.
    """

    def __init__(self, options: ServerOptions, *, connection: int, peer: str, tls: bool) -> None:
        self.options = options
        self.conduct = conduct_of(options.quirks)
        self.offered = Capabilities.from_reply(Reply.of(250, "", *options.capabilities))
        self.size_limit = self.offered.size
        self.limits = Limits.of(self.offered)
        self.mode = Mode.COMMAND
        self.messages: list[ReceivedMessage] = []
        self.tls = tls
        self.greeted = False
        self.exchange: Exchange | None = None
        self.peer = peer
        self.xclient: dict[str, str] = {}
        self.xforward: dict[str, str] = {}
        self.mails = 0
        self.domains: set[str] = set()
        self._connection = connection
        self.forget_client()

    def forget_client(self) -> None:
        """Return to the state of a new connection (RFC 3207 section 4.2)."""
        self.hello = ""
        self.user: str | None = None
        self.esmtp = False
        self.announced = Capabilities()
        self.reset()

    def reset(self) -> None:
        """Forget the transaction (RFC 5321 section 4.1.1.5)."""
        self.transaction: Transaction | None = None
        self.failed = False
        self.xforward.clear()

    # --- facts

    @property
    def stage(self) -> Stage:
        """How far the session has come."""
        if not self.greeted:
            return Stage.NOT_GREETED
        if not self.hello:
            return Stage.GREETED
        if self.failed:
            return Stage.FAILED
        return Stage.READY if self.transaction is None else _stage_of(self.transaction)

    @property
    def current(self) -> Transaction:
        """The transaction, where the stage says that there is one."""
        assert self.transaction is not None  # noqa: S101 - the stage says so
        return self.transaction

    @property
    def sender(self) -> str | None:
        """The reverse-path of the transaction; None outside one."""
        return self.transaction.path.address if self.transaction else None

    @property
    def recipients(self) -> tuple[str, ...]:
        """The forward-paths of the transaction."""
        paths = self.transaction.recipients if self.transaction else ()
        return tuple(path.address for path in paths)

    @property
    def refused(self) -> tuple[Reply, ...]:
        """The replies that refused recipients of the transaction."""
        return tuple(self.transaction.refused) if self.transaction else ()

    @property
    def queue_id(self) -> str:
        """The identifier of the next message."""
        return f"{self._connection:04X}{len(self.messages) + 1:04X}"

    # --- what is offered

    @property
    def has_starttls(self) -> bool:
        """Whether STARTTLS is announced as things stand."""
        return self.options.starttls is not Offer.OFF and not self.tls

    @property
    def has_users(self) -> bool:
        """Whether there is anybody who could authenticate, on some connection."""
        options = self.options
        anybody = options.users or options.tokens or options.external
        known = bool(anybody) or "ANONYMOUS" in options.mechanisms
        return known and options.auth is not Offer.OFF

    @property
    def has_auth(self) -> bool:
        """Whether AUTH is announced on this connection."""
        return self.has_users and (self.tls or self.options.auth_channel is AuthChannel.ANY)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The SASL mechanisms of this connection: only one with TLS can be bound to."""
        can_bind = self.tls and self.options.channel_bindings
        names = self.options.mechanisms
        return tuple(name for name in names if can_bind or not name.endswith("-PLUS"))

    @property
    def accounts(self) -> Accounts:
        """Who can authenticate on this connection."""
        options = self.options
        return Accounts(
            users=options.users,
            tokens=options.tokens,
            external=options.external,
            bindings=options.channel_bindings,
            offered=self.mechanisms,
            fault=options.sasl_fault,
            hostname=options.hostname,
            connection=self._connection,
        )

    @property
    def offers(self) -> tuple[str, ...]:
        """The lines that EHLO announces on this connection, as things stand."""
        starttls = ("STARTTLS",) if self.has_starttls else ()
        auth = (" ".join(("AUTH", *self.mechanisms)),) if self.has_auth else ()
        offers = (*self.options.capabilities, *starttls, *auth)
        for change in self.conduct.offers:
            offers = change(offers, self.user is not None)
        return offers

    # --- replies

    def reply(self, code: int, text: str, **values: object) -> Reply:
        """Return a reply.

        Args:
            code: Its code.
            text: A template of `Wording`.
            values: What the template may name, beside what is always known.

        Returns:
            The reply.
        """
        peer = self.xclient.get("ADDR", self.peer)
        known = {"hostname": self.options.hostname, "hello": self.hello, "peer": peer}
        return self._plain_reply(code, text.format_map(known | values))

    def _plain_reply(self, code: int, text: str) -> Reply:
        reply = Reply.of(code, *text.split("\n"))
        if reply.enhanced_status is None or self.offered.enhanced_status_codes:
            return reply
        return Reply.of(code, *(_STATUS.sub("", line) for line in reply.lines))

    def declined(self, refusal: Refusal) -> Verdict:
        """Return the verdict that refuses a command.

        Args:
            refusal: Why.

        Returns:
            The verdict, which has no effect.
        """
        return Verdict(self._plain_reply(refusal.code, refusal.text))

    # --- what is no command

    def greeting(self) -> Verdict:
        """Return the verdict on the opening of the connection."""
        return Verdict(self.reply(220, self.options.wording.greeting), self._greet)

    def _greet(self) -> None:
        self.greeted = True

    def tls_started(self) -> None:
        """Take note that the TLS handshake is done."""
        self.forget_client()
        self.tls = True
        self.mode = Mode.COMMAND

    def fail(self) -> None:
        """Take note that a chunk was refused."""
        self.failed = True

    def finish(self, content: Content) -> None:
        """End the transaction; keep the message if it was accepted for anybody.

        Args:
            content: Its content.
        """
        transaction = self.current
        if transaction.delivered:
            octets = reduce(lambda octets, edit: edit(octets), self.conduct.edits, content.octets)
            self.messages.append(self._message(transaction, replace(content, octets=octets)))
        lmtp = self.options.dialect is Dialect.LMTP
        refused = transaction.via is Verb.BDAT and not transaction.delivered and not lmtp
        self.reset()
        self.failed = refused

    def _message(self, transaction: Transaction, content: Content) -> ReceivedMessage:
        return ReceivedMessage(
            sender=transaction.path.address,
            recipients=tuple(path.address for path in transaction.delivered),
            content=content.octets,
            digest=content.digest,
            via=transaction.via,
            chunks=tuple(transaction.chunks),
            parameters=transaction.path.parameters,
            recipient_parameters=tuple(path.parameters for path in transaction.delivered),
            hello=self.hello,
            tls=self.tls,
            user=self.user,
            queue_id=self.queue_id,
            connection=self._connection,
            xclient=MappingProxyType(dict(self.xclient)),
            xforward=MappingProxyType(dict(self.xforward)),
        )


def _stage_of(transaction: Transaction) -> Stage:
    if transaction.chunks:
        return Stage.CHUNKS
    return Stage.RECIPIENT_GIVEN if transaction.recipients else Stage.SENDER_GIVEN
