"""A dialogue and a server in one room: both without I/O, and nothing between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, assert_never

from ehlo.dialogues import Fetch, Flush, Receive, UpgradeTls
from ehlo.errors import ConnectionLost, Timeout, TlsFailed
from ehlo.phase import Phase
from ehlo.policies import chosen
from ehlo.testing._actions import Close, Reset, StartTls
from ehlo.testing._state import Mode

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ehlo.dialogues import Dialogue, Need
    from ehlo.errors import SMTPError
    from ehlo.protocol import Connection
    from ehlo.testing._connection import ServerConnection

__all__ = ["Arrival", "Conversation", "converse"]

_T = TypeVar("_T")


class Arrival(StrEnum):
    """When the server's octets reach the client."""

    AWAITED = "awaited"
    """Once the client waits for them: as if the way were long."""
    AT_ONCE = "at-once"
    """Also while the client is sending content: as if there were no way at all."""


@dataclass(frozen=True, slots=True)
class Conversation(Generic[_T]):
    """What came of a dialogue: its `result`, and its `flights`.

    The flights are how often the client had to wait for the server: the round trips. The greeting
    is one of them.
    """

    result: _T
    flights: int


def converse(
    dialogue: Dialogue[_T],
    connection: Connection,
    server: ServerConnection,
    *,
    arrival: Arrival | str = Arrival.AWAITED,
) -> Conversation[_T]:
    """Run a dialogue against a server, without any I/O.

    All that the client has to send when the dialogue has a need arrives at the server in one
    read. Octets of the server that follow each other arrive together. A server that has nothing
    to say any more, or is held by a `Wait`, is a `Timeout` for the client at once; the next time
    a `Wait` is over. `StartTls` needs no handshake: from there on the octets are
    taken for encrypted ones on both sides.

    A session is several dialogues on the same pair, one call for each.

    Args:
        dialogue: A dialogue on the Connection.
        connection: The Connection.
        server: The server.
        arrival: When the server's octets reach the client.

    Returns:
        The dialogue's result, with the number of round trips it took.

    Raises:
        SMTPError: As the dialogue says.
    """
    room = _Room(connection, server, chosen(Arrival, arrival))
    try:
        need = next(dialogue)
        while True:
            trouble = room.meet(need)
            need = next(dialogue) if trouble is None else dialogue.throw(trouble)
    except StopIteration as stop:
        result: _T = stop.value
        return Conversation(result, room.flights)


class _Room:
    """Where a client and a server hear each other.

    Attributes:
        flights: How often the client had to wait.
    """

    def __init__(self, connection: Connection, server: ServerConnection, arrival: Arrival) -> None:
        self.flights = 0
        self._connection = connection
        self._server = server
        self._arrival = arrival

    def meet(self, need: Need) -> SMTPError | None:
        """Meet a need; return what went wrong."""
        self._server.receive_data(b"".join(self._connection.data_to_send()))
        match need:
            case Receive():
                return self._wait(need)
            case UpgradeTls():
                return self._upgrade()
            case Flush():
                if need.phase is Phase.CONTENT and self._arrival is Arrival.AT_ONCE:
                    self._connection.receive_data(self._server.data_to_send())
                return None
            case Fetch():
                _complete(need.source.fetch())
                return None
            case _:
                assert_never(need)

    def _wait(self, need: Receive) -> SMTPError | None:
        self.flights += self._connection.needs_data
        while self._connection.needs_data:
            trouble = self._take_action(need)
            if trouble is not None:
                return trouble
        return None

    def _take_action(self, need: Receive) -> SMTPError | None:
        octets = self._server.data_to_send()
        if octets:
            self._connection.receive_data(octets)
            return None
        action = self._server.next_action()
        if isinstance(action, Reset):
            return ConnectionLost("the connection was reset", phase=need.phase)
        if isinstance(action, Close) or self._server.mode is Mode.CLOSED:
            self._connection.receive_eof()
            return None
        return Timeout(f"no answer while {need.phase.phrase}", phase=need.phase)

    def _upgrade(self) -> SMTPError | None:
        action = self._server.next_action()
        if not isinstance(action, StartTls):
            return TlsFailed("the server begins no TLS handshake", phase=Phase.TLS)
        self._server.tls_started()
        return None


def _complete(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing; there is no event loop here."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("the source waits for something, and there is no event loop in this room")
