"""A Connection and the server of the testing kit in one room, and batches that are run there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ehlo.content import Content, Octets, Stream
from ehlo.dialogues import AsyncSource, Batch, Opening, Transaction, open_session
from ehlo.envelope import Envelope
from ehlo.errors import SMTPError
from ehlo.policies import Pipelining, Protocol, Tls
from ehlo.protocol import Connection
from ehlo.receipt import Result
from ehlo.testing import Answers, Dialect, ServerConnection, ServerOptions, converse

OPENING = Opening(name="client.example.org", tls=Tls.NONE)
Room = tuple[Connection, ServerConnection]


def room(
    *capabilities: str, answers: Answers | None = None, dialect: Dialect = Dialect.ESMTP
) -> Room:
    """Return a Connection behind EHLO, or LHLO, and the server it speaks with."""
    options = ServerOptions(capabilities=capabilities, answers=answers or {}, dialect=dialect)
    protocol = Protocol.LMTP if dialect is Dialect.LMTP else Protocol.SMTP
    connection, server = Connection(protocol=protocol), ServerConnection(options)
    converse(open_session(connection, OPENING), connection, server)
    return connection, server


def to(count: int = 1, /, content: bytes | Content = b"Hello\r\n", **options: Any) -> Transaction:
    """Return a transaction with so many recipients."""
    recipients = [f"r{number}@example.com" for number in range(count)]
    if isinstance(content, bytes):
        content = Octets(content)
    envelope = options.pop("envelope", Envelope("ada@example.org", recipients))
    return Transaction(envelope=envelope, content=content, **options)


def stream(*pieces: Any, **known: Any) -> Stream:
    """Return content that is read piece by piece, as often as one likes."""
    return Stream(lambda: iter(pieces), is_repeatable=True, **known)


async def later(items: Iterable[Any]) -> Any:
    """Iterate over items as a source that must be awaited, but never waits long."""
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


def awaited(*pieces: Any, **known: Any) -> Stream:
    """Return content that must be awaited piece by piece."""
    return Stream(lambda: later(pieces), is_repeatable=True, **known)


def batch_of(
    connection: Connection,
    source: Iterable[Any] | AsyncSource[Any],
    level: Pipelining = Pipelining.CONTINUOUS,
    **options: Any,
) -> Batch[Any]:
    """Return a batch of transactions, or of what `prepare` makes some of."""
    items = source if isinstance(source, AsyncSource) else iter(source)
    options.setdefault("prepare", lambda item: item)
    options.setdefault("source_is_quick", True)
    return Batch(connection, items, pipelining=level, **options)


class Steps:
    """Runs a batch, over one connection or several.

    Attributes:
        results: What came of each message.
        flights: How often the client had to wait.
        error: What ended the batch.
        kept: What the servers took, in order.
    """

    def __init__(self, batch: Batch[Any], first: Room, others: Iterable[Room] = ()) -> None:
        self.results: list[Result] = []
        self.flights = 0
        self.error: Exception | None = None
        self._batch = batch
        self._rooms = [first]
        self._others = iter(others)

    @property
    def kept(self) -> list[bytes]:
        """The content of all messages that the servers took."""
        return [message.content for _, server in self._rooms for message in server.messages]

    def run(self) -> Steps:
        """Run it to its end."""
        try:
            while not self._batch.is_done:
                if self._batch.needs_connection and not self._go_on():
                    break
                talk = converse(self._batch.step(), *self._rooms[-1])
                self.results += talk.result
                self.flights += talk.flights
        except Exception as exc:  # noqa: BLE001 - looked at by the test
            self.error = exc
        return self

    def _go_on(self) -> bool:
        other = next(self._others, None)
        if other is None:
            self.error = SMTPError("no connection can be had")
            self.results += self._batch.give_up(self.error)
            return False
        self._rooms.append(other)
        self._batch.go_on(other[0])
        return True
