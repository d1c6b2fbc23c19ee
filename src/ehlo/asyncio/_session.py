"""Sessions on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from ehlo import commands, dialogues
from ehlo.address import Address
from ehlo.asyncio._pump import Pump
from ehlo.endpoint import Endpoint
from ehlo.phase import Phase
from ehlo.policies import Cleartext, OnRefusal
from ehlo.runtime.driving import not_connected
from ehlo.runtime.options import Settings
from ehlo.runtime.session_facts import SessionFacts

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Unpack

    from ehlo.address import AddressLike
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.options import ConnectOptions
    from ehlo.receipt import Receipt
    from ehlo.reply import Reply
    from ehlo.sasl import Credentials

__all__ = ["Session", "connect", "send"]


def connect(server: str | Endpoint, **options: Unpack[ConnectOptions]) -> Connecting:
    """Open a session: connect, greeting, EHLO, TLS and authentication as asked for.

    Use it as a context manager, which says QUIT and closes at the end.

    Args:
        server: A URL such as `smtp+starttls://user:secret@smtp.example.com`, or an `Endpoint`.
        **options: See `ehlo.ConnectOptions`.

    Returns:
        The session, ready for a transaction.

    Raises:
        InvalidInput: An argument is wrong; nothing was sent.
        ConnectFailed: No connection came about.
        TlsFailed: TLS was required, and did not come about.
        SMTPError: The server refused, or the connection broke; see `ehlo.errors`.
    """
    server = Endpoint.of(server)  # a URL may hold a password, and tracebacks show local variables
    return Connecting(Settings.of(server, options))


class Connecting:
    """What `connect` returns: await it, or use it with `async with`, to get the `Session`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Session | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        """Open the session."""
        return self._open().__await__()

    async def _open(self) -> Session:
        end = self._settings.timeouts.end(asyncio.get_running_loop().time())
        return Session(self._settings, await _open(self._settings, end))

    async def __aenter__(self) -> Session:
        """Open the session."""
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say QUIT if the session is in step, and close the connection."""
        await cast("Session", self._session).__aexit__(exc_type, exc, traceback)


async def send(
    message: Sendable,
    server: str | Endpoint,
    *,
    envelope: Envelope | None = None,
    on_refusal: OnRefusal | str = OnRefusal.ABORT,
    **options: Unpack[ConnectOptions],
) -> Receipt:
    """Send one message over a connection of its own.

    Args:
        message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets.
        server: A URL or an `Endpoint`; see `connect`.
        envelope: Sender and recipients; octets need one, messages have their own.
        on_refusal: What to do if some recipients are refused.
        **options: See `ehlo.ConnectOptions`.

    Returns:
        The server's receipt.

    Raises:
        InvalidInput: The message or an argument is wrong; nothing was sent.
        DeliveryUnknown: The message was sent to its end, and no valid reply came back.
        SMTPError: It was not delivered; see `ehlo.errors`.
    """
    server = Endpoint.of(server)  # as in connect
    settings = Settings.of(server, options)
    transaction = settings.transaction(message, envelope, on_refusal)
    end = settings.timeouts.end(asyncio.get_running_loop().time())
    pump = await _open(settings, end)
    async with Session(settings, pump):
        return await pump.run(dialogues.deliver(pump.link.connection, transaction), end=end)


async def _open(settings: Settings, end: float | None) -> Pump:
    pump = await _connect(settings, end)
    try:
        opening = settings.opening(pump.transport.get_extra_info("sockname"))
        await pump.run(dialogues.open_session(pump.link.connection, opening), end=end)
    except BaseException:
        await pump.close()
        raise
    return pump


async def _connect(settings: Settings, end: float | None) -> Pump:
    endpoint = settings.endpoint
    loop = asyncio.get_running_loop()
    timeout = settings.timeouts.left(Phase.CONNECT, loop.time(), end)
    pump = Pump(settings.link(loop.time), settings.timeouts, loop)
    try:
        async with asyncio.timeout(timeout):
            if endpoint.path:
                await loop.create_unix_connection(lambda: pump, endpoint.path)
            else:
                await loop.create_connection(lambda: pump, endpoint.host, endpoint.port)
    except OSError as exc:
        raise not_connected(endpoint, exc) from exc
    return pump


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

    async def __aenter__(self) -> Self:
        """Return the session itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say QUIT if the session is in step, and close the connection."""
        try:
            if exc is None or isinstance(exc, Exception):
                await self.quit()
        finally:
            await self.close()

    async def send(
        self,
        message: Sendable,
        *,
        envelope: Envelope | None = None,
        on_refusal: OnRefusal | str = OnRefusal.ABORT,
    ) -> Receipt:
        """Send one message.

        Args:
            message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets.
            envelope: Sender and recipients; octets need one, messages have their own.
            on_refusal: What to do if some recipients are refused.

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
        transaction = self._settings.transaction(message, envelope, on_refusal)
        return await self._pump.run(dialogues.deliver(self.connection, transaction))

    async def ehlo(self, name: str) -> Reply:
        """Say EHLO: introduce the client, and ask what the server offers.

        Args:
            name: The client's host name or an address literal.

        Returns:
            The reply.
        """
        return await self._perform(commands.Ehlo(name))

    async def helo(self, name: str) -> Reply:
        """Say HELO: introduce the client without asking for extensions.

        Args:
            name: The client's host name or an address literal.

        Returns:
            The reply.
        """
        return await self._perform(commands.Helo(name))

    async def starttls(self) -> Reply:
        """Say STARTTLS and, if the server agrees, perform the handshake; EHLO is due then.

        Returns:
            The reply.

        Raises:
            TlsFailed: The handshake failed.
        """
        return await self._pump.run(dialogues.start_tls(self.connection))

    async def authenticate(self, credentials: Credentials) -> Reply:
        """Authenticate, with the strongest mechanism that both sides know.

        Args:
            credentials: Such as `ehlo.Password("user", "secret")`.

        Returns:
            The positive reply.

        Raises:
            AuthenticationRefused: The server did not accept them.
            CapabilityMissing: There is no mechanism that both sides know.
            InvalidInput: The connection is not encrypted.
        """
        cleartext: Cleartext = self._settings.cleartext
        return await self._pump.run(dialogues.authenticate(self.connection, credentials, cleartext))

    async def mail(self, sender: AddressLike | None) -> Reply:
        """Say MAIL: begin a transaction.

        Args:
            sender: The reverse-path; None for the null reverse-path `<>`.

        Returns:
            The reply.
        """
        path = None if sender is None else Address.of(sender)
        smtputf8 = path is not None and not path.is_ascii
        return await self._perform(commands.Mail(path, smtputf8=smtputf8))

    async def rcpt(self, recipient: AddressLike) -> Reply:
        """Say RCPT: name a recipient.

        Args:
            recipient: The forward-path.

        Returns:
            The reply.
        """
        return await self._perform(commands.Rcpt(Address.of(recipient)))

    async def data(self, content: bytes) -> Reply:
        """Say DATA and, if the server agrees, send the content.

        Args:
            content: The octets of the message; line ends and leading dots are seen to.

        Returns:
            The reply to the content, or the refusal of DATA.

        Raises:
            DeliveryUnknown: The content was sent to its end, and no valid reply came back.
        """
        return await self._pump.run(dialogues.data(self.connection, content))

    async def rset(self) -> Reply:
        """Say RSET: forget the transaction.

        Returns:
            The reply.
        """
        return await self._perform(commands.Rset())

    async def noop(self, argument: str = "") -> Reply:
        """Say NOOP: see whether the server still answers.

        Args:
            argument: A text that the server ignores.

        Returns:
            The reply.
        """
        return await self._perform(commands.Noop(argument))

    async def vrfy(self, argument: str) -> Reply:
        """Say VRFY: ask whether a user exists.

        Args:
            argument: A user name or an address.

        Returns:
            The reply.
        """
        return await self._perform(commands.Vrfy(argument))

    async def expn(self, argument: str) -> Reply:
        """Say EXPN: ask who is on a mailing list.

        Args:
            argument: The name of the list.

        Returns:
            The reply.
        """
        return await self._perform(commands.Expn(argument))

    async def help(self, argument: str = "") -> Reply:
        """Say HELP.

        Args:
            argument: What about.

        Returns:
            The reply.
        """
        return await self._perform(commands.Help(argument))

    async def execute(self, line: str) -> Reply:
        """Say anything at all, as long as it is one line.

        Args:
            line: The line without its end, such as `XFOO bar`.

        Returns:
            The reply.

        Raises:
            InvalidInput: The line holds a control character, or begins what takes more than a line.
        """
        return await self._perform(commands.Raw(line))

    async def quit(self) -> Reply | None:
        """Say QUIT and close the connection; no failure on the way is an error.

        Returns:
            The reply, or None if none came.
        """
        reply = await self._pump.run(dialogues.quit_session(self.connection))
        await self._pump.close()
        return reply

    async def close(self) -> None:
        """Close the connection without a word; may be called again."""
        await self._pump.close()

    async def _perform(self, command: commands.Command) -> Reply:
        return await self._pump.run(dialogues.perform(self.connection, command))
