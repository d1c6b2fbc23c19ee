"""What a server knows of a session, and how each command changes it.

The truth is in a few facts: was the client greeted, who is it, what is the transaction. The
`Stage` of the session follows from them, and one table says at which stages a command is in
order. A command is judged first and takes effect later, and only if its reply goes out as judged:
a `Verdict` is both. Octets, lines and answers that were overridden are not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from ehlo.capabilities import Capabilities
from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._actions import Close, StartTls
from ehlo.testing._grammar import Declined, Path, Refusal, check_ascii, read_path
from ehlo.testing._options import AuthChannel, Dialect, Offer, ServerOptions
from ehlo.testing._received import ReceivedMessage
from ehlo.testing._sasl import Challenge, begin, respond
from ehlo.testing._state import Mode, Stage, Transaction, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.testing._grammar import Line
    from ehlo.testing._sasl import Exchange

__all__ = ["Session"]


_ANY: Final = frozenset(Stage) - {Stage.NOT_GREETED}
_READY: Final = frozenset({Stage.READY})
_SENDER: Final = frozenset({Stage.SENDER_GIVEN, Stage.RECIPIENT_GIVEN})


_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3} ?")


@dataclass(frozen=True, slots=True)
class _Argument:
    """Whether a command has an argument: why it is refused without one, and with one."""

    absent: Refusal | None
    present: Refusal | None


_NONE: Final = _Argument(None, Refusal.ARGUMENT)
_OPTIONAL: Final = _Argument(None, None)
_REQUIRED: Final = _Argument(Refusal.NO_ARGUMENT, None)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a command is in order, and who handles it."""

    handler: Callable[[Session, str], Verdict]
    stages: frozenset[Stage]
    argument: _Argument


class Session:
    """The state of one session.

    Args:
        options: How the server behaves.
        connection: The number of the connection, counted from 1.
        peer: The client's network address.
        tls: Whether the connection is encrypted from the start.

    Attributes:
        mode: What the octets that come next are.
        messages: What was accepted.
    """

    def __init__(self, options: ServerOptions, *, connection: int, peer: str, tls: bool) -> None:
        self._options = options
        self._connection = connection
        self._peer = peer
        # What the options promise; what the client was told is `_announced`.
        offered = Capabilities.from_reply(Reply.of(250, "", *options.capabilities))
        self._enhanced = offered.enhanced_status_codes
        self.size_limit = offered.size
        self.mode = Mode.COMMAND
        self.messages: list[ReceivedMessage] = []
        self.tls = tls
        self._greeted = False
        self._exchange: Exchange | None = None
        self._forget_client()

    def _forget_client(self) -> None:
        """Return to the state of a new connection (RFC 3207 section 4.2)."""
        self.hello = ""
        self.user: str | None = None
        self._esmtp = False
        self._announced = Capabilities()
        self._transaction: Transaction | None = None

    # --- facts

    @property
    def stage(self) -> Stage:
        """How far the session has come."""
        if not self._greeted:
            return Stage.NOT_GREETED
        if not self.hello:
            return Stage.GREETED
        if self._transaction is None:
            return Stage.READY
        return Stage.RECIPIENT_GIVEN if self._transaction.recipients else Stage.SENDER_GIVEN

    @property
    def sender(self) -> str | None:
        """The reverse-path of the transaction; None outside one."""
        return self._transaction.path.address if self._transaction else None

    @property
    def recipients(self) -> tuple[str, ...]:
        """The forward-paths of the transaction."""
        return tuple(self._transaction.recipients) if self._transaction else ()

    # --- replies

    def _reply(self, code: int, text: str, **values: str) -> Reply:
        known = {"hostname": self._options.hostname, "hello": self.hello, "peer": self._peer}
        return self._plain_reply(code, text.format_map(known | values))

    def _plain_reply(self, code: int, text: str) -> Reply:
        reply = Reply.of(code, *text.split("\n"))
        if reply.enhanced_status is None or self._enhanced:
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

    # --- what can come in

    def greeting(self) -> Verdict:
        """Return the verdict on the opening of the connection."""
        reply = self._reply(220, self._options.wording.greeting)
        return Verdict(reply, self._greet)

    def _greet(self) -> None:
        self._greeted = True

    def command(self, line: Line) -> Verdict:
        """Judge a command.

        Args:
            line: The command.

        Returns:
            The verdict.
        """
        try:
            return self._judge(line)
        except Declined as exc:
            return self.declined(exc.refusal)

    def _judge(self, line: Line) -> Verdict:
        if line.fault is not None:
            raise Declined(line.fault)
        rule = self._RULES.get(line.verb)
        if rule is None:
            raise Declined(Refusal.UNKNOWN)
        if self.stage not in rule.stages:
            raise Declined(Refusal.OUT_OF_ORDER)
        self._check_gates(line.verb)
        refusal = rule.argument.present if line.argument else rule.argument.absent
        if refusal is not None:
            raise Declined(refusal)
        return rule.handler(self, line.argument)

    def _check_gates(self, verb: Verb) -> None:
        """Refuse what needs TLS or AUTH first, where the options say so."""
        options = self._options
        if options.starttls is Offer.REQUIRED and not self.tls and verb not in _FREE_WITHOUT_TLS:
            raise Declined(Refusal.TLS_REQUIRED)
        required = options.users and options.auth is Offer.REQUIRED
        if required and self.user is None and verb not in _FREE_WITHOUT_AUTH:
            raise Declined(Refusal.AUTH_REQUIRED)

    def auth_response(self, response: bytes, refusal: Refusal | None) -> Verdict:
        """Judge a line of a SASL exchange (RFC 4954 section 4).

        Args:
            response: The line without its end.
            refusal: Why it is no response; None if it is one.

        Returns:
            The verdict; unless it is a further challenge, the exchange is over.
        """
        exchange, self._exchange = self._exchange, None
        self.mode = Mode.COMMAND
        assert exchange is not None  # noqa: S101 - the mode says so
        if refusal is not None:
            return self.declined(refusal)
        try:
            return self._authentication(respond(exchange, response))
        except Declined as exc:
            return self.declined(exc.refusal)

    def end_of_content(self, content: bytes | None) -> Verdict:
        """Judge the content of a message.

        Args:
            content: Its octets; None if there are too many.

        Returns:
            The verdict. `end_transaction` must be called when it has been dealt with.
        """
        self.mode = Mode.COMMAND
        transaction = self._transaction
        assert transaction is not None  # noqa: S101 - the mode says so
        if content is None:
            return self.declined(Refusal.TOO_BIG)
        message = ReceivedMessage(
            sender=transaction.path.address,
            recipients=self.recipients,
            content=content,
            parameters=transaction.path.parameters,
            hello=self.hello,
            tls=self.tls,
            user=self.user,
            queue_id=f"{self._connection:04X}{len(self.messages) + 1:04X}",
            connection=self._connection,
        )
        reply = self._reply(250, self._options.wording.accepted, queue_id=message.queue_id)
        return Verdict(reply, partial(self.messages.append, message))

    def end_transaction(self) -> None:
        """Forget the transaction."""
        self._transaction = None

    def tls_started(self) -> None:
        """Take note that the TLS handshake is done."""
        self._forget_client()
        self.tls = True
        self.mode = Mode.COMMAND

    # --- one method for each command

    def _ehlo(self, argument: str) -> Verdict:
        if self._options.dialect is Dialect.SMTP:
            raise Declined(Refusal.NOT_IMPLEMENTED)
        first = self._hello_reply(argument)
        reply = Reply(250, first.raw_lines + tuple(line.encode() for line in self._offers()))
        announced = Capabilities.from_reply(reply)
        return Verdict(reply, partial(self._enter, argument, announced, esmtp=True))

    def _helo(self, argument: str) -> Verdict:
        reply = self._hello_reply(argument)
        return Verdict(reply, partial(self._enter, argument, Capabilities(), esmtp=False))

    def _hello_reply(self, name: str) -> Reply:
        if " " in name:
            raise Declined(Refusal.BAD_HELLO_NAME)
        return self._reply(250, self._options.wording.hello, hello=name)

    def _enter(self, name: str, announced: Capabilities, *, esmtp: bool) -> None:
        self.hello = name
        self._esmtp = esmtp
        self._announced = announced
        self._transaction = None  # RFC 5321 section 4.1.4: EHLO is a RSET, too

    def _offers(self) -> tuple[str, ...]:
        """Return the lines that EHLO announces on this connection, as things stand."""
        starttls = ("STARTTLS",) if self._has_starttls() else ()
        auth = (" ".join(("AUTH", *self._options.mechanisms)),) if self._has_auth() else ()
        return (*self._options.capabilities, *starttls, *auth)

    def _has_starttls(self) -> bool:
        return self._options.starttls is not Offer.OFF and not self.tls

    def _has_users(self) -> bool:
        return bool(self._options.users) and self._options.auth is not Offer.OFF

    def _has_auth(self) -> bool:
        return self._has_users() and (self.tls or self._options.auth_channel is AuthChannel.ANY)

    def _starttls(self, _argument: str) -> Verdict:
        if self._options.starttls is Offer.OFF or not self._esmtp:
            raise Declined(Refusal.NOT_IMPLEMENTED)
        if self.tls:
            raise Declined(Refusal.OUT_OF_ORDER)
        return Verdict(self._reply(220, self._options.wording.starttls), then=StartTls())

    def _auth(self, argument: str) -> Verdict:
        if not self._has_users() or not self._esmtp:
            raise Declined(Refusal.NOT_IMPLEMENTED)
        if not self._has_auth():
            raise Declined(Refusal.AUTH_NEEDS_TLS)
        if self.user is not None:  # RFC 4954 section 4: once in a session
            raise Declined(Refusal.OUT_OF_ORDER)
        name, _, initial = argument.partition(" ")
        if name.upper() not in self._options.mechanisms:
            raise Declined(Refusal.UNKNOWN_MECHANISM)
        return self._authentication(begin(name.upper(), self._options.users, initial))

    def _authentication(self, step: Challenge | str) -> Verdict:
        if isinstance(step, Challenge):
            return Verdict(Reply(334, (step.text,)), partial(self._await_response, step.exchange))
        reply = self._reply(235, self._options.wording.authenticated)
        return Verdict(reply, partial(self._authenticate, step))

    def _await_response(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.mode = Mode.AUTH_RESPONSE

    def _authenticate(self, user: str) -> None:
        self.user = user

    def _mail(self, argument: str) -> Verdict:
        path = read_path(Verb.MAIL, argument, self._announced)
        check_ascii(path.address, path.parameters)
        size = path.parameters.get("SIZE")
        if size is not None and self.size_limit is not None and int(size) > self.size_limit:
            raise Declined(Refusal.TOO_BIG)
        reply = self._reply(250, self._options.wording.sender, sender=path.address)
        return Verdict(reply, partial(self._begin, path))

    def _begin(self, path: Path) -> None:
        self._transaction = Transaction(path)

    def _rcpt(self, argument: str) -> Verdict:
        transaction = self._transaction
        assert transaction is not None  # noqa: S101 - the stage says so
        path = read_path(Verb.RCPT, argument, self._announced)
        check_ascii(path.address, transaction.path.parameters)
        reply = self._reply(250, self._options.wording.recipient, recipient=path.address)
        return Verdict(reply, partial(transaction.recipients.append, path.address))

    def _data(self, _argument: str) -> Verdict:
        reply = self._reply(354, self._options.wording.start_content)
        return Verdict(reply, self._await_content)

    def _await_content(self) -> None:
        self.mode = Mode.CONTENT

    def _rset(self, _argument: str) -> Verdict:
        return Verdict(self._reply(250, self._options.wording.reset), self.end_transaction)

    def _noop(self, _argument: str) -> Verdict:
        return Verdict(self._reply(250, self._options.wording.noop))

    def _vrfy(self, _argument: str) -> Verdict:
        return Verdict(self._reply(252, self._options.wording.vrfy))

    def _expn(self, _argument: str) -> Verdict:
        raise Declined(Refusal.NOT_IMPLEMENTED)

    def _help(self, _argument: str) -> Verdict:
        return Verdict(self._reply(214, self._options.wording.help))

    def _quit(self, _argument: str) -> Verdict:
        return Verdict(self._reply(221, self._options.wording.closing), then=Close())

    _RULES: ClassVar[Mapping[Verb, _Rule]] = MappingProxyType(
        {
            Verb.EHLO: _Rule(_ehlo, _ANY, _REQUIRED),
            Verb.HELO: _Rule(_helo, _ANY, _REQUIRED),
            Verb.STARTTLS: _Rule(_starttls, _READY, _NONE),
            Verb.AUTH: _Rule(_auth, _READY, _REQUIRED),
            Verb.MAIL: _Rule(_mail, _READY, _REQUIRED),
            Verb.RCPT: _Rule(_rcpt, _SENDER, _REQUIRED),
            Verb.DATA: _Rule(_data, frozenset({Stage.RECIPIENT_GIVEN}), _NONE),
            Verb.RSET: _Rule(_rset, _ANY, _NONE),
            Verb.NOOP: _Rule(_noop, _ANY, _OPTIONAL),
            Verb.VRFY: _Rule(_vrfy, _ANY, _REQUIRED),
            Verb.EXPN: _Rule(_expn, _ANY, _REQUIRED),
            Verb.HELP: _Rule(_help, _ANY, _OPTIONAL),
            Verb.QUIT: _Rule(_quit, frozenset(Stage), _NONE),
        }
    )


# RFC 3207 section 4: "every command other than NOOP, EHLO, STARTTLS, or QUIT".
_FREE_WITHOUT_TLS: Final = frozenset({Verb.NOOP, Verb.EHLO, Verb.STARTTLS, Verb.QUIT})
# RFC 4954 section 6, and STARTTLS, which may have to come before AUTH.
_FREE_WITHOUT_AUTH: Final = frozenset(
    {Verb.AUTH, Verb.EHLO, Verb.HELO, Verb.NOOP, Verb.RSET, Verb.QUIT, Verb.STARTTLS}
)
