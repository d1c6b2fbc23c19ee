"""Dialogues against the server without I/O, and the count of their round trips."""

from __future__ import annotations

import smtplib
from collections.abc import AsyncIterator, Generator

import pytest

from ehlo import (
    Connection,
    ConnectionLost,
    DeliveryUnknown,
    Envelope,
    Pipelining,
    Receipt,
    Timeout,
    TlsFailed,
)
from ehlo.commands import Mail, Noop
from ehlo.content import Octets
from ehlo.dialogues import (
    AsyncSource,
    Dialogue,
    Fetch,
    Flush,
    Opening,
    Receive,
    Transaction,
    UpgradeTls,
    deliver,
    open_session,
    perform,
)
from ehlo.errors import InvalidInput
from ehlo.phase import Phase
from ehlo.policies import OnRefusal, Tls
from ehlo.reply import Reply
from ehlo.testing import (
    Answer,
    Close,
    Conversation,
    Offer,
    Reset,
    Send,
    Server,
    ServerConnection,
    ServerOptions,
    Silence,
    TakeEffect,
    Usual,
    Wait,
    converse,
)

OPENING = Opening(name="client.example.org", tls=Tls.NONE)


def opened(options: ServerOptions | None = None) -> tuple[Connection, ServerConnection]:
    connection, server = Connection(), ServerConnection(options)
    assert converse(open_session(connection, OPENING), connection, server).flights == 2
    return connection, server


def answering(answers: dict[str, Answer]) -> ServerOptions:
    return ServerOptions(answers=answers)


def transaction(
    pipelining: Pipelining = Pipelining.TRANSACTION, content: bytes = b"Hello\r\n"
) -> Transaction:
    envelope = Envelope("a@example.org", ["b@example.org", "c@example.org"])
    return Transaction(
        envelope=envelope,
        content=Octets(content),
        on_refusal=OnRefusal.DELIVER,
        pipelining=pipelining,
    )


@pytest.mark.parametrize(
    ("pipelining", "flights"), [(Pipelining.TRANSACTION, 2), (Pipelining.NONE, 5)]
)
def test_the_flights_of_a_message(pipelining: Pipelining, flights: int) -> None:
    connection, server = opened()
    for number in (1, 2):
        talk = converse(deliver(connection, transaction(pipelining)), connection, server)
        assert isinstance(talk, Conversation)
        assert talk.flights == flights
        assert isinstance(talk.result, Receipt)
        assert server.flights == 1 + number * flights
    assert [message.content for message in server.messages] == [b"Hello\r\n"] * 2


def test_a_big_message_is_one_flight() -> None:
    connection, server = opened()
    content = b"x" * 78 + b"\r\n"
    talk = converse(deliver(connection, transaction(content=content * 5000)), connection, server)
    assert talk.flights == 2
    assert server.messages[0].content == content * 5000


def talk_while_sending(connection: Connection) -> Dialogue[bool]:
    """Tell whether the answer to NOOP was there before anybody waited for it."""
    connection.send(Noop())
    yield Flush(Phase.CONTENT)
    heard = not connection.needs_data
    yield Receive(Phase.COMMAND)
    connection.next_event()
    return heard


@pytest.mark.parametrize(("arrival", "heard"), [("awaited", False), ("at-once", True)])
def test_when_octets_arrive(arrival: str, heard: bool) -> None:
    connection, server = opened()
    talk = converse(talk_while_sending(connection), connection, server, arrival=arrival)
    assert talk == Conversation(heard, flights=0 if heard else 1)


def test_there_are_two_ways_to_arrive() -> None:
    connection, server = opened()
    with pytest.raises(InvalidInput, match="at-once"):
        converse(talk_while_sending(connection), connection, server, arrival="soon")


def test_a_group_arrives_in_one_read() -> None:
    reads: list[bool] = []
    server = ServerConnection(
        ServerOptions(answers=lambda _, situation: reads.append(situation.last_in_read))
    )
    connection = Connection()
    converse(open_session(connection, OPENING), connection, server)
    converse(deliver(connection, transaction()), connection, server)
    assert reads == [True, True, False, False, False, True, True]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Close(), ConnectionLost),
        (Reset(), ConnectionLost),
        (Silence(), Timeout),
        ((), Timeout),
        ((Send(b"250 o"), Wait("go"), Send(b"k\r\n")), Timeout),
    ],
)
def test_a_server_that_does_not_answer(answer: Answer, error: type[Exception]) -> None:
    connection, server = opened(answering({"NOOP": answer}))
    with pytest.raises(error) as caught:
        converse(perform(connection, Noop()), connection, server)
    assert type(caught.value) is error


def test_a_server_that_is_gone_stays_so() -> None:
    connection, server = opened(answering({"NOOP": Reset()}))
    with pytest.raises(ConnectionLost, match="reset"):
        converse(perform(connection, Noop()), connection, server)
    with pytest.raises(ConnectionLost, match="closed"):
        converse(receive_again(connection), connection, server)


def receive_again(connection: Connection) -> Dialogue[None]:
    yield Receive(Phase.COMMAND)
    event = connection.next_event()
    raise ConnectionLost(f"closed: {event}")


def test_the_end_of_a_message_that_is_not_answered() -> None:
    connection, server = opened(answering({".": (TakeEffect(), Close())}))
    with pytest.raises(DeliveryUnknown):
        converse(deliver(connection, transaction()), connection, server)
    assert len(server.messages) == 1


def test_a_late_reply_comes_after_the_wait() -> None:
    connection, server = opened(answering({"NOOP": (Wait("go"), Usual())}))
    with pytest.raises(Timeout):
        converse(perform(connection, Noop()), connection, server)
    assert server.data_to_send() == b"250 2.0.0 OK\r\n"


def test_starttls_without_a_handshake() -> None:
    connection = Connection()
    server = ServerConnection(ServerOptions(starttls=Offer.OFFERED))
    opening = Opening(name="client.example.org", tls=Tls.STARTTLS)
    talk = converse(open_session(connection, opening), connection, server)
    assert talk.flights == 4
    assert connection.encrypted
    converse(deliver(connection, transaction()), connection, server)
    assert server.messages[0].tls


def test_octets_in_clear_behind_starttls() -> None:
    injecting: dict[str, Answer] = {"STARTTLS": (Usual(), Send(b"250 injected\r\n"))}
    connection = Connection()
    server = ServerConnection(ServerOptions(starttls=Offer.OFFERED, answers=injecting))
    opening = Opening(name="client.example.org", tls=Tls.STARTTLS)
    with pytest.raises(TlsFailed, match="in clear"):
        converse(open_session(connection, opening), connection, server)


def upgrade() -> Dialogue[None]:
    yield UpgradeTls()


def test_tls_that_the_server_does_not_begin() -> None:
    connection, server = opened()
    with pytest.raises(TlsFailed, match="no TLS handshake"):
        converse(upgrade(), connection, server)


def test_the_flights_of_a_running_server() -> None:
    with Server() as server:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            client.noop()
            client.noop()
        server.wait_until_idle()
        assert server.flights == 3


def test_a_refusal_in_the_middle_of_a_group() -> None:
    connection, server = opened(answering({"MAIL": Reply.of(550)}))
    talk = converse(perform(connection, Mail(None)), connection, server)
    assert talk.result.code == 550


class Suspended:
    """Waits for an event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def test_a_source_that_waits_for_something_waits_for_ever() -> None:
    async def items() -> AsyncIterator[int]:
        await Suspended()
        yield 1

    def fetching() -> Dialogue[None]:
        yield Fetch(AsyncSource(items()))

    connection, server = opened()
    with pytest.raises(RuntimeError, match="there is no event loop in this room"):
        converse(fetching(), connection, server)
