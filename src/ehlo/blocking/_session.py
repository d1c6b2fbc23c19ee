"""Sessions with plain sockets."""

from __future__ import annotations

from collections.abc import AsyncIterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from ehlo import commands, dialogues
from ehlo.address import Address
from ehlo.content import Octets
from ehlo.envelope import Recipient
from ehlo.parameters import NO_MAIL_OPTIONS
from ehlo.policies import OnRefusal
from ehlo.runtime.session_facts import SessionFacts
from ehlo.sasl import require_sync

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from types import TracebackType
    from typing import Self

    from ehlo.address import AddressLike
    from ehlo.blocking._pump import Pump
    from ehlo.envelope import Envelope, RecipientLike
    from ehlo.message import Sendable
    from ehlo.options import Progress
    from ehlo.parameters import MailOptions
    from ehlo.receipt import Receipt, Result
    from ehlo.reply import Reply
    from ehlo.runtime.options import Settings
    from ehlo.sasl import CredentialsLike

__all__ = ["Item", "Session", "checked", "source_of"]

Item: TypeAlias = "Sendable | tuple[Sendable, Envelope]"
"""What `send_many` takes for each message."""


_NOT_HERE: Final = "an async iterable can be awaited by ehlo.asyncio alone"


def source_of(messages: Iterable[Item]) -> dialogues.Source[Item]:
    """Return where a batch takes its messages from."""
    if isinstance(messages, AsyncIterable):
        raise TypeError(_NOT_HERE)
    return iter(messages)


def checked(transaction: dialogues.Transaction) -> dialogues.Transaction:
    """Refuse content that only an event loop can read, before an octet of it is asked for."""
    content = transaction.content
    if not isinstance(content, Octets) and content.is_async:
        raise TypeError(_NOT_HERE)
    return transaction


class Session(SessionFacts):
    """One connection to a server, with a method for each thing one can say on it.

    The methods named after commands return the server's `Reply`, whatever its code, and raise only
    if there is none. `send` performs a whole transaction and raises if it fails. A session is for
    one user at a time; a second one at the same moment gets a `LocalProtocolError`.

    Sessions are made by `connect`.
    """

    def __init__(self, settings: Settings, pump: Pump) -> None:
        super().__init__(settings, pump.link)
        self._pump = pump

    def __enter__(self) -> Self:
        """Return the session itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say QUIT if the session is in step, and close the connection."""
        try:
            if (exc is None or isinstance(exc, Exception)) and not self._pump.turn.taken:
                self.quit()
        finally:
            self.close()

    def send(
        self,
        message: Sendable,
        *,
        envelope: Envelope | None = None,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        progress: Progress | None = None,
    ) -> Receipt:
        """Send one message.

        Args:
            message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets: in memory, in an
                open binary file, as an iterable or (with `ehlo.asyncio`) async iterable of pieces.
            envelope: Sender and recipients; octets need one, messages have their own.
            on_refusal: What to do if some recipients are refused.
            progress: Is told how many octets of content were sent, of how many if that is known.

        Returns:
            The server's receipt.

        Raises:
            InvalidInput: The message is wrong; nothing was sent.
            SenderRefused: The server refused the sender.
            RecipientsRefused: It refused all recipients, or some and the policy is to abort.
            ContentRefused: It refused the content.
            CapabilityMissing: The message needs an extension that the server does not offer.
            ConnectionLost: The connection broke before the end of the content: not sent.
            DeliveryUnknown: The message was sent to its end, and no valid reply came back.
        """
        transaction = self._settings.transaction(
            message, envelope, on_refusal, clock=self._pump.clock, progress=progress
        )
        return self._pump.run(dialogues.deliver(self.connection, checked(transaction)))

    def send_many(
        self,
        messages: Iterable[Item],
        *,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
        depth: int = dialogues.DEPTH,
    ) -> Generator[Result, None, None]:
        """Send many messages, one after the other, and tell what became of each.

        A message that fails touches no other. The messages are taken one by one, no earlier than
        they are needed, and while the iteration goes on the session is busy. At
        `Pipelining.CONTINUOUS` up to `depth` messages are under way at once: if the connection
        breaks, the outcome of each of those is unknown.

        Args:
            messages: Messages, or pairs of a message and its envelope (octets need one).
            on_refusal: What to do if some recipients of a message are refused.
            depth: How many messages may be under way at continuous level.

        Returns:
            An iterator (with `ehlo.asyncio` an async one) with one `Result` for each message, in
            their order, as they become known.

        Raises:
            InvalidInput: An argument is wrong; nothing was sent.
            LocalProtocolError: The session is not ready for a transaction.
            ConnectionLost: While iterating: the session is over, and there are more messages. Each
                one that was taken has got its result.
        """
        prepare = self._settings.preparing(on_refusal, self._pump.clock)
        batch = dialogues.Batch(
            self.connection,
            source_of(messages),
            prepare=lambda item: checked(prepare(item)),
            pipelining=self._settings.pipelining,
            depth=depth,
            source_is_quick=isinstance(messages, Sequence),
        )
        return self.results(batch)

    def results(self, batch: dialogues.Batch[Item]) -> Generator[Result, None, None]:
        """Tell the results of a batch until it is done, or needs another connection.

        Args:
            batch: A batch on this session's Connection.

        Returns:
            The results.
        """
        pump = self._pump
        try:
            while not (batch.is_done or batch.needs_connection):
                with pump.turn:
                    results = pump.drive(batch.step())
                    while batch.is_under_way:
                        yield from results
                        results = pump.drive(batch.step())
                yield from results  # the session is free meanwhile
        finally:
            if self.connection.is_over and not pump.turn.taken:
                pump.close()

    def ehlo(self, name: str) -> Reply:
        """Say EHLO: introduce the client, and ask what the server offers.

        Args:
            name: The client's host name or an address literal.

        Returns:
            The reply.
        """
        return self._perform(commands.Ehlo(name))

    def helo(self, name: str) -> Reply:
        """Say HELO: introduce the client without asking for extensions.

        Args:
            name: The client's host name or an address literal.

        Returns:
            The reply.
        """
        return self._perform(commands.Helo(name))

    def lhlo(self, name: str) -> Reply:
        """Say LHLO: introduce the client in LMTP (RFC 2033).

        Args:
            name: The client's host name or an address literal.

        Returns:
            The reply.
        """
        return self._perform(commands.Lhlo(name))

    def starttls(self) -> Reply:
        """Say STARTTLS and, if the server agrees, perform the handshake; EHLO is due then.

        Returns:
            The reply.

        Raises:
            TlsFailed: The handshake failed.
        """
        return self._pump.run(dialogues.start_tls(self.connection))

    def authenticate(self, credentials: CredentialsLike) -> Reply:
        """Authenticate, with the strongest mechanism that both sides know.

        Args:
            credentials: Such as `ehlo.Password("user", "secret")`, or a mechanism.

        Returns:
            The positive reply.

        Raises:
            AuthenticationRefused: The server did not accept them.
            CapabilityMissing: There is no mechanism that both sides know.
            ServerNotAuthenticated: The server did not prove who it is.
            InvalidInput: The connection is not encrypted.
        """
        require_sync(credentials)
        cleartext, channel = self._settings.cleartext, self._settings.channel
        return self._pump.run(
            dialogues.authenticate(self.connection, credentials, cleartext, channel)
        )

    def mail(
        self,
        sender: AddressLike | None,
        *,
        size: int | None = None,
        body: commands.Body | None = None,
        options: MailOptions = NO_MAIL_OPTIONS,
    ) -> Reply:
        """Say MAIL: begin a transaction. SMTPUTF8 is asked for where the sender needs it.

        Args:
            sender: The reverse-path; None for the null reverse-path `<>`.
            size: The octets of the content, for the SIZE parameter.
            body: The BODY parameter.
            options: Further parameters; the server is the judge of whether it knows them.

        Returns:
            The reply.

        Raises:
            TlsFailed: REQUIRETLS was asked for, and the connection has no verified TLS.
        """
        path = None if sender is None else Address.of(sender)
        smtputf8 = path is not None and not path.is_ascii
        if options.require_tls:
            dialogues.require_verified_tls(self.connection)
        return self._perform(commands.Mail(path, size, body, smtputf8, options))

    def rcpt(self, recipient: RecipientLike) -> Reply:
        """Say RCPT: name a recipient.

        Args:
            recipient: The forward-path; an `ehlo.Recipient` may ask for reports.

        Returns:
            The reply.
        """
        if isinstance(recipient, Recipient):
            return self._perform(commands.Rcpt(recipient.address, recipient.options))
        return self._perform(commands.Rcpt(Address.of(recipient)))

    def data(self, content: bytes) -> Reply:
        """Say DATA and, if the server agrees, send the content.

        Args:
            content: The octets of the message; line ends and leading dots are seen to.

        Returns:
            The reply to the content, or the refusal of DATA; the last of several in LMTP.

        Raises:
            DeliveryUnknown: The content was sent to its end, and no valid reply came back.
        """
        octets = Octets(bytes(memoryview(content)))  # what is no octets must not open a content
        return self._pump.run(dialogues.data(self.connection, octets))

    def bdat(self, octets: bytes, *, last: bool = True) -> Reply:
        """Say BDAT and send its octets, just as they are (RFC 3030).

        Args:
            octets: The chunk.
            last: Whether the content ends with it.

        Returns:
            The reply; the last of several in LMTP.

        Raises:
            CapabilityMissing: The server does not offer CHUNKING.
            DeliveryUnknown: The content was sent to its end, and no valid reply came back.
        """
        chunk = bytes(memoryview(octets))
        return self._pump.run(dialogues.bdat(self.connection, chunk, last=last))

    def rset(self) -> Reply:
        """Say RSET: forget the transaction.

        Returns:
            The reply.
        """
        return self._perform(commands.Rset())

    def noop(self, argument: str = "") -> Reply:
        """Say NOOP: see whether the server still answers.

        Args:
            argument: A text that the server ignores.

        Returns:
            The reply.
        """
        return self._perform(commands.Noop(argument))

    def vrfy(self, argument: str) -> Reply:
        """Say VRFY: ask whether a user exists.

        Args:
            argument: A user name or an address.

        Returns:
            The reply.
        """
        return self._perform(commands.Vrfy(argument))

    def expn(self, argument: str) -> Reply:
        """Say EXPN: ask who is on a mailing list.

        Args:
            argument: The name of the list.

        Returns:
            The reply.
        """
        return self._perform(commands.Expn(argument))

    def help(self, argument: str = "") -> Reply:
        """Say HELP.

        Args:
            argument: What about.

        Returns:
            The reply.
        """
        return self._perform(commands.Help(argument))

    def etrn(self, node: str) -> Reply:
        """Say ETRN: ask the server to send what it has queued for a node (RFC 1985).

        Args:
            node: The name of a host or domain; behind `@` a domain with all below it, behind `#` a
                queue.

        Returns:
            The reply.
        """
        return self._perform(commands.Etrn(node))

    def xclient(self, **attributes: str) -> Reply:
        """Say XCLIENT: speak for another client; the server greets anew, and EHLO is due then.

        Args:
            **attributes: The values by the names of the attributes, such as `ADDR="192.0.2.1"`.

        Returns:
            The reply; of several lines, the first that is no success, or the last.

        Raises:
            CapabilityMissing: The server did not announce XCLIENT, or one of the attributes.
            InvalidInput: An attribute is none.
        """
        return self._pump.run(dialogues.xclient(self.connection, attributes))

    def xforward(self, **attributes: str) -> Reply:
        """Say XFORWARD: tell the server, for its log, where the next message came from.

        Args:
            **attributes: The values by the names of the attributes, such as `ADDR="192.0.2.1"`.

        Returns:
            The reply; of several lines, the first that is no success, or the last.

        Raises:
            CapabilityMissing: The server did not announce XFORWARD, or one of the attributes.
            InvalidInput: An attribute is none.
        """
        return self._pump.run(dialogues.xforward(self.connection, attributes))

    def execute(self, line: str) -> Reply:
        """Say anything at all, as long as it is one line.

        Args:
            line: The line without its end, such as `XFOO bar`.

        Returns:
            The reply.

        Raises:
            InvalidInput: The line holds a control character, or begins what takes more than a line.
        """
        return self._perform(commands.Raw(line))

    def quit(self) -> Reply | None:
        """Say QUIT and close the connection; no failure on the way is an error.

        Returns:
            The reply, or None if none came.
        """
        reply = self._pump.run(dialogues.quit_session(self.connection))
        self._pump.close()
        return reply

    def close(self) -> None:
        """Close the connection without a word; may be called again."""
        self._pump.close()

    def _perform(self, command: commands.Command) -> Reply:
        return self._pump.run(dialogues.perform(self.connection, command))
