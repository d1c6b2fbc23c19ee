"""Opening sessions with plain sockets; sending without keeping one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ehlo import dialogues
from ehlo.blocking._dialing import dial
from ehlo.blocking._pump import Pump
from ehlo.blocking._session import Session, checked, source_of
from ehlo.endpoint import read_server
from ehlo.errors import SMTPError
from ehlo.policies import OnRefusal
from ehlo.runtime.failover import Failover
from ehlo.runtime.options import Settings
from ehlo.sasl import require_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from typing_extensions import Unpack

    from ehlo.blocking._session import Item
    from ehlo.endpoint import Servers
    from ehlo.envelope import Envelope
    from ehlo.message import Sendable
    from ehlo.options import ConnectOptions, Progress
    from ehlo.receipt import Receipt, Result

__all__ = ["connect", "open_pump", "send", "send_many"]


def connect(server: Servers, **options: Unpack[ConnectOptions]) -> Session:
    """Open a session: connect, greeting, EHLO, TLS and authentication as asked for.

    Use it as a context manager, which says QUIT and closes at the end.

    Args:
        server: A URL such as `smtp+starttls://user:secret@smtp.example.com`, or an `Endpoint`; or
            several, in order of priority: where one fails for the time being, before any
            credentials were sent, the next one is tried.
        **options: See `ehlo.ConnectOptions`.

    Returns:
        The session, ready for a transaction.

    Raises:
        InvalidInput: An argument is wrong; nothing was sent.
        ConnectFailed: No connection came about.
        TlsFailed: TLS was required, and did not come about.
        SMTPError: The server refused, or the connection broke; see `ehlo.errors`.
    """
    endpoint = read_server(server)
    del server  # a URL may hold a password, and tracebacks show local variables
    settings = Settings.of(endpoint, options)
    return _connect_session(settings)


def send(
    message: Sendable,
    server: Servers,
    *,
    envelope: Envelope | None = None,
    on_refusal: OnRefusal | str = OnRefusal.ABORT,
    progress: Progress | None = None,
    **options: Unpack[ConnectOptions],
) -> Receipt:
    """Send one message over a connection of its own.

    Args:
        message: An `ehlo.Message`, an `email.message.EmailMessage`, or octets: in memory, in an
            open binary file, as an iterable or (with `ehlo.asyncio`) async iterable of pieces.
        server: A URL or an `Endpoint`, or several; see `connect`.
        envelope: Sender and recipients; octets need one, messages have their own.
        on_refusal: What to do if some recipients are refused.
        progress: Is told how many octets of content were sent, of how many if that is known.
        **options: See `ehlo.ConnectOptions`.

    Returns:
        The server's receipt.

    Raises:
        InvalidInput: The message or an argument is wrong; nothing was sent.
        DeliveryUnknown: The message was sent to its end, and no valid reply came back.
        SMTPError: It was not delivered; see `ehlo.errors`.
    """
    endpoint = read_server(server)
    del server  # as in connect
    settings = Settings.of(endpoint, options)
    transaction = checked(
        settings.transaction(message, envelope, on_refusal, clock=time.monotonic, progress=progress)
    )
    end = settings.timeouts.end(time.monotonic())
    pump = open_pump(settings, end)
    with Session(settings, pump):
        return pump.run(dialogues.deliver(pump.link.connection, transaction), end=end)


def send_many(
    messages: Iterable[Item],
    server: Servers,
    *,
    on_refusal: OnRefusal | str = OnRefusal.ABORT,
    depth: int = dialogues.DEPTH,
    **options: Unpack[ConnectOptions],
) -> Generator[Result, None, None]:
    """Send many messages over a connection of their own, or as many as it takes.

    A message that fails touches no other. Where the server closes the connection, or announces that
    it takes no more on it (RFC 9422), the rest goes over a new one. At `Pipelining.CONTINUOUS` up
    to `depth` messages are under way at once: if the connection breaks, the outcome of each of
    those is unknown, and the rest goes on at `Pipelining.TRANSACTION`.

    Args:
        messages: Messages, or pairs of a message and its envelope (octets need one); taken one by
            one, no earlier than they are needed.
        server: A URL or an `Endpoint`, or several; see `connect`.
        on_refusal: What to do if some recipients of a message are refused.
        depth: How many messages may be under way at continuous level.
        **options: See `ehlo.ConnectOptions`.

    Returns:
        An iterator (with `ehlo.asyncio` an async one) with one `Result` for each message, in their
        order, as they become known.

    Raises:
        InvalidInput: An argument is wrong; nothing was sent.
        SMTPError: While iterating: no connection can be had. Each message that was taken has got
            its result.
    """
    endpoint = read_server(server)
    del server  # as in connect
    settings = Settings.of(endpoint, options)
    dialogues.check_depth(depth)
    source = source_of(messages)
    prepare = settings.preparing(on_refusal, time.monotonic)
    quick = isinstance(messages, Sequence)
    return _results(settings, source, prepare, depth=depth, source_is_quick=quick)


def _results(
    settings: Settings,
    source: dialogues.Source[Item],
    prepare: Callable[[Item], dialogues.Transaction],
    *,
    depth: int,
    source_is_quick: bool,
) -> Generator[Result, None, None]:
    session = _connect_session(settings)
    try:
        batch = dialogues.Batch(
            session.connection,
            source,
            prepare=lambda item: checked(prepare(item)),
            pipelining=settings.pipelining,
            depth=depth,
            source_is_quick=source_is_quick,
            may_reconnect=True,
        )
        while not batch.is_done:
            yield from session.results(batch)
            if batch.needs_connection:
                session.quit()
                try:
                    session = _connect_session(settings)
                except Exception as error:  # a function for tokens may raise anything
                    yield from batch.give_up(error)
                    raise
                batch.go_on(session.connection)
    finally:
        session.__exit__(None, None, None)


def _connect_session(settings: Settings) -> Session:
    return Session(settings, open_pump(settings, settings.timeouts.end(time.monotonic())))


def open_pump(
    settings: Settings, end: float | None, begun: Callable[[Pump], None] | None = None
) -> Pump:
    """Open a session with the first server that can be had, without what users hold in hand.

    Args:
        settings: The options.
        end: When it must be open, by the adapter's clock; None for never.
        begun: Is given each pump as soon as there is a connection.

    Returns:
        The pump, with a Connection that is ready for a transaction; its link knows the settings of
        the server that it got.

    Raises:
        SMTPError: See `connect`.
    """
    require_sync(settings.credentials)
    failover = Failover(settings)
    while True:
        try:
            return _open_with(failover.next(), end, begun)
        except SMTPError as error:
            if failover.is_over(error):
                raise


def _open_with(settings: Settings, end: float | None, begun: Callable[[Pump], None] | None) -> Pump:
    sock = dial(settings, end)
    pump = Pump(sock, settings.link(time.monotonic), settings.timeouts)
    try:
        if begun is not None:
            begun(pump)
        pump.run(settings.open(pump.link.connection, sock.getsockname()), end=end)
    except BaseException:
        pump.close()
        raise
    return pump
