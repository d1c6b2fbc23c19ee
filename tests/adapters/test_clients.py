"""The client that an app shares, in both adapters: one scenario, two ways to run it (C3)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Outcome, Reply
from ehlo.commands import Verb
from ehlo.pool import (
    Backoff,
    Discarded,
    Failed,
    Opened,
    OpeningFailed,
    PassedOver,
    Retrying,
    Sent,
    Why,
)
from ehlo.testing import (
    Answer,
    Close,
    InTurn,
    ReceivedCommand,
    Reset,
    Server,
    ServerOptions,
    Silence,
    Situation,
    TakeEffect,
    Usual,
)
from support.colours import ADAPTERS, Colour, colour

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
LATER: Final = Reply.of(450, "4.7.1 Later")
SESSION: Final = (Verb.GREETING, "EHLO", "MAIL", "RCPT", "DATA", ".")
"""What is answered in a session of one message."""
GOING: Final = (Reply.of(421, "4.3.2 Going down"), Close())
CHUNKING: Final = ("PIPELINING", "CHUNKING", "8BITMIME", "ENHANCEDSTATUSCODES")

Pair = tuple[bytes, ehlo.Envelope]


def content(number: int) -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n{number}\r\n".encode()


def pair(number: int) -> Pair:
    return content(number), TO_BOB


def pairs(count: int) -> list[Pair]:
    return [pair(number) for number in range(count)]


def numbers(server: Server) -> list[int]:
    return sorted(int(message.parse()["Subject"]) for message in server.messages)


def verbs(server: Server) -> list[str]:
    return [command.verb for command in server.commands]


@pytest.fixture(params=[*ADAPTERS, "uvloop"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test with each adapter, and with an event loop of another make."""
    with colour(request.param) as chosen:
        yield chosen


class Watch:
    """Keeps what a client tells."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def told(sending: Iterator[ehlo.Result]) -> tuple[list[ehlo.Result], Exception | None]:
    """Return the results of a batch, and what it raised in the end."""
    results: list[ehlo.Result] = []
    try:
        results.extend(sending)
    except Exception as error:  # noqa: BLE001 - for the test
        return results, error
    return results, None


# -- One message after the other -----------------------------------------------------------------


def test_nothing_is_connected_before_it_is_used(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        assert client.stats() == ehlo.pool.Stats()
    assert server.connections == 0


def test_one_connection_serves_who_comes_one_after_the_other(adapter: Colour) -> None:
    with Server() as server:
        with adapter.client(server.url) as client:
            receipts = [client.send(content(n), envelope=TO_BOB) for n in range(5)]
            stats = client.stats()
        assert server.connections == 1
        assert numbers(server) == list(range(5))
        assert verbs(server)[-1] == "QUIT"
    assert [receipt.failed_attempts for receipt in receipts] == [()] * 5
    assert (stats.connections, stats.idle, stats.opened, stats.reused) == (1, 1, 1, 4)
    assert (stats.sent, stats.failed, stats.unknown, stats.retried) == (5, 0, 0, 0)


def test_a_refused_message_does_not_harm_the_connection(adapter: Colour) -> None:
    options = ServerOptions(answers={"RCPT": InTurn(Reply.of(550, "5.1.1 No"), Usual())})
    with Server(options) as server, adapter.client(server.url) as client:
        with pytest.raises(ehlo.RecipientsRefused) as caught:
            client.send(content(0), envelope=TO_BOB)
        client.send(content(1), envelope=TO_BOB)
        stats = client.stats()
    assert caught.value.failed_attempts == ()
    assert server.connections == 1
    assert (stats.sent, stats.failed, stats.retried) == (1, 1, 0)


def test_many_at_once_share_few_connections(adapter: Colour) -> None:
    with Server() as server:
        with adapter.client(server.url, max_connections=3) as client:
            receipts = adapter.together(client, pairs(30))
            stats = client.stats()
        assert numbers(server) == list(range(30))
        assert 1 <= server.connections <= 3
    assert all(isinstance(receipt, ehlo.Receipt) for receipt in receipts)
    assert stats.waiting == 0
    assert stats.idle == stats.connections <= 3


def test_a_closed_client_says_so(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        client.send(content(0), envelope=TO_BOB)
        client.close()
        client.close()
        with pytest.raises(ehlo.LocalProtocolError, match="the client is closed"):
            client.send(content(1), envelope=TO_BOB)
        with pytest.raises(ehlo.LocalProtocolError, match="the client is closed"):
            list(client.send_many(pairs(2)))
    with adapter.client(server.url) as client:
        client.close()
        with pytest.raises(ehlo.LocalProtocolError, match="the client is closed"):
            client.verify()


def test_a_message_that_is_none_is_refused_before_anything_is_connected(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        with pytest.raises(ehlo.InvalidInput):
            client.send(content(0))
    assert server.connections == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_connections": 0}, "max_connections"),
        ({"max_messages": 0}, "max_messages"),
        ({"max_age": 0.0}, "max_age"),
        ({"idle_timeout": -1.0}, "idle_timeout"),
        ({"check_after": float("nan")}, "check_after"),
        ({"rate": float("inf")}, "rate"),
        ({"retries": -1}, "retries"),
        ({"backoff": True}, "backoff"),
    ],
)
def test_numbers_out_of_range(adapter: Colour, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ehlo.InvalidInput, match=complaint), adapter.client("smtp://x", **options):
        raise AssertionError


def test_an_option_that_there_is_not_is_told_with_those_there_are(adapter: Colour) -> None:
    with pytest.raises(TypeError, match=r"auth, backoff, .*max_connections, .*without"):
        with adapter.client("smtp://x", max_connexions=3):
            raise AssertionError


@pytest.mark.parametrize(
    "options", [{"max_connexions": 3}, {"on_event": 3}, {"retry_policy": 3}, {"tls_": "none"}]
)
def test_options_of_another_kind(adapter: Colour, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError), adapter.client("smtp://x", **options):
        raise AssertionError


# -- How long a connection is used ---------------------------------------------------------------


def test_a_connection_carries_so_many_messages(adapter: Colour) -> None:
    watch = Watch()
    with Server() as server:
        with adapter.client(server.url, max_messages=2, on_event=watch) as client:
            for number in range(5):
                client.send(content(number), envelope=TO_BOB)
        assert server.connections == 3
    left = watch.of(Discarded)
    assert [(event.why, event.messages) for event in left] == [
        (Why.MAX_MESSAGES, 2),
        (Why.MAX_MESSAGES, 2),
        (Why.CLIENT_CLOSED, 1),
    ]
    assert verbs(server).count("QUIT") == 3


@pytest.mark.parametrize("single", [True, False])
def test_as_many_as_the_server_says_it_takes(adapter: Colour, single: bool) -> None:
    options = ServerOptions(capabilities=("PIPELINING", "LIMITS MAILMAX=2"))
    with Server(options) as server:
        with adapter.client(server.url, max_connections=1) as client:
            if single:
                for number in range(5):
                    client.send(content(number), envelope=TO_BOB)
            else:
                results = list(client.send_many(pairs(5)))
                assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 5
            assert client.stats().retried == 0
        assert numbers(server) == list(range(5))
        assert server.connections == 3


@pytest.mark.parametrize("single", [True, False])
def test_what_its_limits_keep_from_a_session_another_one_takes(
    adapter: Colour, single: bool
) -> None:
    options = ServerOptions(capabilities=("PIPELINING", "LIMITS RCPTDOMAINMAX=1"))
    envelopes = [ehlo.Envelope("a@example.org", f"b@{n}.example.com") for n in range(3)]
    with Server(options) as server:
        with adapter.client(server.url, max_connections=1) as client:
            if single:
                receipts = [client.send(content(0), envelope=to) for to in envelopes]
                assert [len(receipt.failed_attempts) for receipt in receipts] == [0, 1, 1]
            else:
                results = list(client.send_many([(content(0), to) for to in envelopes]))
                assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 3
        assert server.connections == 3
        assert len(server.messages) == 3


def test_a_connection_that_was_idle_for_long_is_asked_first(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url, check_after=1e-9) as client:
        for number in range(2):
            client.send(content(number), envelope=TO_BOB)
            adapter.tick()
        said = ["MAIL", "RCPT", "DATA", "."]
        assert verbs(server) == ["EHLO", *said, "NOOP", *said]
    assert server.connections == 1


@pytest.mark.parametrize("answer", [Close(), Reset(), GOING])
def test_one_that_does_not_answer_is_replaced(adapter: Colour, answer: Any) -> None:
    watch = Watch()
    with Server(ServerOptions(answers={"NOOP": answer})) as server:
        with adapter.client(server.url, check_after=1e-9, on_event=watch) as client:
            for number in range(2):
                assert client.send(content(number), envelope=TO_BOB).failed_attempts == ()
                adapter.tick()
        assert server.connections == 2
    assert watch.of(Discarded)[0].why is Why.NO_ANSWER


def test_idle_connections_are_closed(adapter: Colour) -> None:
    """At once in an event loop; with plain sockets at the next use, for nobody is there before."""
    watch, left = Watch(), threading.Event()
    with Server() as server:

        def on_event(event: Any) -> None:
            watch(event)
            if isinstance(event, Discarded):
                left.set()

        with adapter.client(server.url, idle_timeout=0.01, on_event=on_event) as client:
            client.send(content(0), envelope=TO_BOB)
            if adapter.name == "asyncio":
                client._run(until(left.is_set))
                assert client.stats().connections == 0
            else:
                threading.Event().wait(0.02)
                client.send(content(1), envelope=TO_BOB)
                assert server.connections == 2
    assert watch.of(Discarded)[0].why is Why.IDLE
    assert "QUIT" in verbs(server)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - set by a callback
        await asyncio.sleep(0.001)


# -- What is tried again, and what is not --------------------------------------------------------

SAFE: Final[dict[str, dict[str, Any]]] = {
    "lost at MAIL": {"MAIL": InTurn(Close(), Usual())},
    "reset at MAIL": {"MAIL": InTurn(Reset(), Usual())},
    "421 to MAIL": {"MAIL": InTurn(GOING, Usual())},
    "lost at RCPT": {"RCPT": InTurn(Close(), Usual())},
    "421 to RCPT": {"RCPT": InTurn(GOING, Usual())},
    "lost at DATA": {"DATA": InTurn(Close(), Usual())},
    "421 to DATA": {"DATA": InTurn(GOING, Usual())},
}


@pytest.mark.parametrize("answers", SAFE.values(), ids=SAFE)
def test_what_is_certainly_not_sent_goes_over_another_connection(
    adapter: Colour, answers: dict[str, Any]
) -> None:
    watch = Watch()
    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, on_event=watch) as client:
            receipt = client.send(content(0), envelope=TO_BOB)
            stats = client.stats()
        assert numbers(server) == [0]
        assert server.connections == 2
    (error,) = receipt.failed_attempts
    assert error.outcome in {Outcome.NOT_SENT, Outcome.REFUSED}
    assert error.__traceback__ is None
    assert (stats.sent, stats.retried, stats.failed) == (1, 1, 0)
    (event,) = watch.of(Retrying)
    assert (event.connection, event.attempt, event.delay, event.error) == (1, 1, 0.0, error)
    assert watch.of(Sent)[0].receipt == receipt


def test_a_bounded_number_of_times(adapter: Colour) -> None:
    watch = Watch()
    with Server(ServerOptions(answers={"MAIL": Close()})) as server:
        with adapter.client(server.url, retries=2, on_event=watch) as client:
            with pytest.raises(ehlo.ConnectionLost) as caught:
                client.send(content(0), envelope=TO_BOB)
            stats = client.stats()
        assert server.connections == 3
    assert len(caught.value.failed_attempts) == 2
    assert caught.value.message_id == "<0@example.org>"
    assert (stats.sent, stats.retried, stats.failed) == (0, 2, 1)
    assert [event.error for event in watch.of(Failed)] == [caught.value]


UNSAFE: Final[dict[str, tuple[Any, Outcome]]] = {
    "lost behind the content": ((TakeEffect(), Close()), Outcome.UNKNOWN),
    "refused for good": (Reply.of(554, "5.6.0 No"), Outcome.REFUSED),
    "refused for now": (Reply.of(452, "4.3.1 Full"), Outcome.REFUSED),
    "421 to the content": (GOING, Outcome.REFUSED),
}


@pytest.mark.parametrize(("answer", "outcome"), UNSAFE.values(), ids=UNSAFE)
@pytest.mark.parametrize("single", [True, False])
def test_what_is_unknown_or_refused_is_never_repeated(
    adapter: Colour, answer: Any, outcome: Outcome, single: bool
) -> None:
    with Server(ServerOptions(answers={".": answer})) as server:
        with adapter.client(server.url) as client:
            if single:
                with pytest.raises(ehlo.SMTPError) as caught:
                    client.send(content(0), envelope=TO_BOB)
                error = caught.value
            else:
                (result,) = client.send_many(pairs(1))
                error = result.error
            stats = client.stats()
        assert verbs(server).count("MAIL") == 1
    assert error.outcome is outcome
    assert error.failed_attempts == ()
    assert stats.retried == 0
    assert stats.unknown == (outcome is Outcome.UNKNOWN)


def test_connections_that_died_while_idle(adapter: Colour) -> None:
    """A server that was restarted: whoever comes next is none the wiser."""
    said: Counter[int] = Counter()

    def answers(command: ReceivedCommand, _situation: Situation) -> Answer | None:
        said[command.connection] += 1
        is_old = command.connection <= 3 and said[command.connection] > len(SESSION)
        return Close() if is_old else None

    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, max_connections=3, retries=1) as client:
            adapter.together(client, pairs(3))
            receipts = adapter.together(client, [pair(n) for n in range(3, 9)])
        assert numbers(server) == list(range(9))
    assert all(isinstance(receipt, ehlo.Receipt) for receipt in receipts)
    assert max(len(receipt.failed_attempts) for receipt in receipts) <= 1


@pytest.mark.parametrize("single", [True, False])
def test_content_that_can_be_read_once(adapter: Colour, single: bool) -> None:
    """Nothing of it is read before the server has asked for it."""

    def once() -> Iterator[bytes]:
        yield content(0)

    with Server(ServerOptions(answers={"MAIL": InTurn(Close(), Usual())})) as server:
        with adapter.client(server.url) as client:
            if single:
                receipt = client.send(once(), envelope=TO_BOB)
            else:
                (result,) = client.send_many([(once(), TO_BOB)])
                receipt = result.unwrap()
        assert numbers(server) == [0]
        assert server.connections == 2
    assert len(receipt.failed_attempts) == 1


def test_a_policy_decides_about_refusals_for_now(adapter: Colour) -> None:
    answers = {"MAIL": InTurn(LATER, LATER, Usual())}
    policy = Backoff(first=0.001, most=0.01, attempts=3)
    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, retry_policy=policy) as client:
            receipt = client.send(content(0), envelope=TO_BOB)
        assert server.connections == 1
    assert [error.reply.code for error in receipt.failed_attempts] == [450, 450]


@pytest.mark.parametrize("single", [True, False])
def test_a_policy_gives_up(adapter: Colour, single: bool) -> None:
    policy = Backoff(first=0.001, attempts=3)
    with Server(ServerOptions(answers={"MAIL": LATER})) as server:
        with adapter.client(server.url, retry_policy=policy) as client:
            if single:
                with pytest.raises(ehlo.SenderRefused) as caught:
                    client.send(content(0), envelope=TO_BOB)
                error = caught.value
            else:
                (result,) = client.send_many(pairs(1))
                error = result.error
    assert verbs(server).count("MAIL") == 3
    assert len(error.failed_attempts) == 2


def test_a_policy_that_would_be_too_late_is_not_waited_for(adapter: Colour) -> None:
    options: dict[str, Any] = {
        "retry_policy": Backoff(first=100, most=1000),
        "timeouts": ehlo.Timeouts(total=20),
    }
    with Server(ServerOptions(answers={"MAIL": LATER})) as server:
        with adapter.client(server.url, **options) as client:
            with pytest.raises(ehlo.SenderRefused):
                client.send(content(0), envelope=TO_BOB)


# -- A server that cannot be reached -------------------------------------------------------------


def refusing(times: int) -> ServerOptions:
    turns = [(Reply.of(421, "4.7.0 Too many"), Close())] * times
    return ServerOptions(answers={Verb.GREETING: InTurn(*turns, Usual())})


def test_a_connection_is_tried_again_after_a_pause(adapter: Colour) -> None:
    watch = Watch()
    with Server(refusing(2)) as server:
        with adapter.client(server.url, backoff=0.001, on_event=watch) as client:
            receipt = client.send(content(0), envelope=TO_BOB)
            stats = client.stats()
        assert server.connections == 3
    assert [type(error) for error in receipt.failed_attempts] == [ehlo.GreetingRefused] * 2
    assert (stats.opened, stats.refused) == (1, 2)
    assert len(watch.of(OpeningFailed)) == 2
    assert len(watch.of(Opened)) == 1


def test_a_server_that_is_down_fails_all_together(adapter: Colour) -> None:
    with Server(refusing(1000)) as server:
        with adapter.client(server.url, max_connections=2, retries=1, backoff=0.001) as client:
            errors = adapter.together(client, pairs(20))
    assert [type(error) for error in errors] == [ehlo.GreetingRefused] * 20
    assert all(len(error.failed_attempts) <= 1 for error in errors)
    assert len({id(error) for error in errors}) == 20
    assert {error.message_id for error in errors} == {f"<{n}@example.org>" for n in range(20)}


def test_what_will_not_help_is_not_tried_again(adapter: Colour) -> None:
    with Server(ServerOptions(answers={Verb.GREETING: Reply.of(554, "No")})) as server:
        with adapter.client(server.url, backoff=0.001) as client:
            for _ in range(2):
                with pytest.raises(ehlo.GreetingRefused) as caught:
                    client.verify()
                assert caught.value.failed_attempts == ()
        assert server.connections == 2


def test_a_server_that_takes_fewer_connections_than_we_would_like(adapter: Colour) -> None:
    """Whoever has one goes on with it, and serves the others."""

    def answers(command: ReceivedCommand, _situation: Situation) -> Answer | None:
        if command.verb is Verb.GREETING and command.connection > 2:
            return (Reply.of(421, "4.7.0 Too many connections"), Close())
        return None

    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, max_connections=5, retries=0, backoff=0.001) as client:
            receipts = adapter.together(client, pairs(40))
        assert numbers(server) == list(range(40))
    assert all(isinstance(receipt, ehlo.Receipt) for receipt in receipts)


def test_nobody_listens(adapter: Colour) -> None:
    with Server() as server:
        url = server.url
    with adapter.client(url, retries=1, backoff=0.001) as client:
        with pytest.raises(ehlo.ConnectFailed) as caught:
            client.send(content(0), envelope=TO_BOB)
        assert len(caught.value.failed_attempts) == 1
        with pytest.raises(ehlo.ConnectFailed):
            list(client.send_many(pairs(9)))


def test_a_batch_for_a_server_that_is_down(adapter: Colour) -> None:
    """Each message that was taken has its result, and then the loop raises."""
    with Server(refusing(1000)) as server:
        with adapter.client(server.url, retries=0, backoff=0.001) as client:
            results, error = told(client.send_many(pairs(50)))
    assert isinstance(error, ehlo.GreetingRefused)
    assert [result.index for result in results] == list(range(len(results)))
    assert {type(result.error) for result in results} == {ehlo.GreetingRefused}
    assert 0 < len(results) <= 8


# -- Time ----------------------------------------------------------------------------------------


def test_the_total_bounds_the_wait_for_a_connection(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(total=0.05)
    with Server() as server:
        with adapter.client(server.url, max_connections=1, timeouts=timeouts) as client:
            with client.session():
                with pytest.raises(ehlo.Timeout, match="no connection was free") as caught:
                    client.send(content(0), envelope=TO_BOB)
            assert caught.value.phase is ehlo.Phase.CONNECT
            client.send(content(1), envelope=TO_BOB)


def test_the_total_bounds_attempts(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(total=0.1)
    with Server(ServerOptions(answers={"MAIL": Silence()})) as server:
        with adapter.client(server.url, timeouts=timeouts) as client:
            with pytest.raises(ehlo.Timeout):
                client.send(content(0), envelope=TO_BOB)
        assert server.connections == 1


def test_the_total_bounds_the_pause(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(total=0.05)
    with Server(refusing(1000)) as server:
        with adapter.client(server.url, backoff=10, timeouts=timeouts) as client:
            with pytest.raises(ehlo.Timeout) as caught:
                client.send(content(0), envelope=TO_BOB)
    assert isinstance(caught.value.__cause__, ehlo.GreetingRefused)


def test_tasks_get_their_turns_alike() -> None:
    """None is ever more than two messages ahead of another."""
    counts: Counter[int] = Counter(dict.fromkeys(range(20), 0))
    ahead: list[int] = []

    async def main() -> None:
        with Server() as server:
            async with ehlo.asyncio.Client(server.url) as client:

                async def work(number: int) -> None:
                    for _ in range(10):
                        await client.send(content(number), envelope=TO_BOB)
                        counts[number] += 1
                        ahead.append(max(counts.values()) - min(counts.values()))

                async with asyncio.TaskGroup() as group:
                    for number in counts:
                        group.create_task(work(number))

    asyncio.run(main())
    assert max(ahead) <= 2
    assert set(counts.values()) == {10}


def test_so_many_messages_a_second(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url, rate=100) as client:
        client.send(content(0), envelope=TO_BOB)
        begin = time.monotonic()
        for number in range(1, 4):
            client.send(content(number), envelope=TO_BOB)
        results = list(client.send_many(pairs(3)))
        results += adapter.together(client, pairs(3))
        # The first one of these was due up to a hundredth of a second before they began.
        assert time.monotonic() - begin > 7 * 0.01
        assert len(server.messages) == 10


def test_a_rate_that_does_not_fit_into_the_total(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(total=5)
    with Server() as server, adapter.client(server.url, rate=0.1, timeouts=timeouts) as client:
        client.send(content(0), envelope=TO_BOB)
        with pytest.raises(ehlo.Timeout, match="rate"):
            client.send(content(1), envelope=TO_BOB)


# -- Borrowing -----------------------------------------------------------------------------------


def test_a_borrowed_session_goes_back(adapter: Colour) -> None:
    with Server() as server:
        with adapter.client(server.url) as client:
            with client.session() as session:
                assert session.vrfy("bob").code == 252
                assert client.stats().idle == 0
            assert client.stats().idle == 1
            client.send(content(0), envelope=TO_BOB)
        assert server.connections == 1


def test_what_a_borrower_leaves_open_is_closed(adapter: Colour) -> None:
    watch = Watch()
    with Server() as server:
        with adapter.client(server.url, on_event=watch) as client:
            with client.session() as session:
                session.mail("ada@example.org")
            client.send(content(0), envelope=TO_BOB)
        assert server.connections == 2
    assert watch.of(Discarded)[0].why is Why.INTERRUPTED


def test_a_session_that_was_changed_does_not_go_back(adapter: Colour) -> None:
    watch = Watch()
    with Server() as server:
        with adapter.client(server.url, on_event=watch) as client:
            with client.session() as session:
                session.ehlo("another.example.org")
            client.send(content(0), envelope=TO_BOB)
        assert server.connections == 2
    assert watch.of(Discarded)[0].why is Why.CHANGED


def test_a_borrower_that_fails_gives_back_what_is_sound(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        with pytest.raises(ZeroDivisionError), client.session():
            _ = 1 / 0
        assert client.stats().idle == 1
    assert server.connections == 1


def test_verify(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        assert client.verify().size == 10485760
        assert verbs(server) == ["EHLO"]
        client.verify()
        assert verbs(server) == ["EHLO", "NOOP"]


def test_a_borrower_that_changes_it_and_fails_does_not_give_it_back(adapter: Colour) -> None:
    """The next message would go out in his name."""
    with Server() as server:
        with adapter.client(server.url) as client:
            with suppress(ZeroDivisionError), client.session() as session:
                session.ehlo("eve.example.org")
                _ = 1 / 0
            client.send(content(0), envelope=TO_BOB)
        assert server.connections == 2


def test_a_batch_beside_borrowers(adapter: Colour) -> None:
    """A worker that stands in line when all is done is not needed, which is no failure."""
    with Server() as server, adapter.client(server.url, max_connections=3) as client:
        with client.session(), client.session():
            results = list(client.send_many(pairs(4)))
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 4


def test_who_sends_does_not_wait_for_the_answer_to_quit(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(quit=0.05, total=20)
    with Server(ServerOptions(answers={"QUIT": Silence()})) as server:
        with adapter.client(server.url, max_messages=1, timeouts=timeouts) as client:
            for number in range(3):
                client.send(content(number), envelope=TO_BOB)
        assert numbers(server) == [0, 1, 2]


def test_all_connections_together_have_as_long_as_one_quit(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(quit=0.05)
    with Server(ServerOptions(answers={"QUIT": Silence()})) as server:
        with adapter.client(server.url, max_connections=3, timeouts=timeouts) as client:
            with client.session(), client.session(), client.session():
                pass
        assert client.stats().connections == 0
        assert 1 <= verbs(server).count("QUIT") <= 3


def test_a_server_that_is_passed_over_is_told(adapter: Colour) -> None:
    watch = Watch()
    with Server(ServerOptions(answers={Verb.GREETING: GOING})) as full, Server() as server:
        with adapter.client([full.url, server.url], on_event=watch) as client:
            client.send(content(0), envelope=TO_BOB)
    [event] = watch.of(PassedOver)
    assert event.server == f"127.0.0.1:{full.port}"
    assert isinstance(event.error, ehlo.GreetingRefused)


def test_progress_that_raises_breaks_nothing_off(adapter: Colour) -> None:
    def progress(*_: object) -> None:
        raise ZeroDivisionError

    with Server() as server, adapter.client(server.url) as client:
        with pytest.raises(ZeroDivisionError):
            list(client.send_many(pairs(6), progress=progress))
        stats = client.stats()
        assert stats.unknown == 0
        assert stats.sent == len(server.messages)


async def nobody_awaits(*_: object) -> None:
    """A function that is not for hooks."""


class Coroutine:
    """A policy that is none."""

    async def delay(self, error: Exception, attempt: int) -> float | None:
        """Return nothing that anybody awaits."""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"retry_policy": Backoff}, "Backoff is a class: call it"),
        ({"retry_policy": Coroutine()}, "nobody would await"),
        ({"on_event": nobody_awaits}, "nobody would await"),
        ({"on_event": 3}, "on_event= is a function, not int"),
    ],
)
def test_hooks_that_are_none(adapter: Colour, options: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words), adapter.client("smtp://127.0.0.1", **options):
        pass


@pytest.mark.parametrize("progress", [3, nobody_awaits])
def test_progress_that_is_none(adapter: Colour, progress: Any) -> None:
    with adapter.client("smtp://127.0.0.1") as client:
        with pytest.raises(TypeError, match="progress= is a "):
            list(client.send_many([], progress=progress))


def test_a_session_by_hand_is_none_for_a_client(adapter: Colour) -> None:
    with pytest.raises(ehlo.InvalidInput, match="ready for mail"):
        with adapter.client("smtp://127.0.0.1", hello="none"):
            pass


# -- Many messages -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["source", "completion"])
@pytest.mark.parametrize("level", ["none", "transaction", "continuous"])
def test_send_many(adapter: Colour, level: str, order: str) -> None:
    watch = Watch()
    done: list[tuple[int, int | None]] = []
    options = ServerOptions(capabilities=CHUNKING)
    with Server(options) as server:
        with adapter.client(server.url, pipelining=level, on_event=watch) as client:
            sending = client.send_many(
                pairs(60), order=order, progress=lambda *so_far: done.append(so_far)
            )
            results = list(sending)
            stats = client.stats()
        assert numbers(server) == list(range(60))
        assert server.connections <= 4
    indices = [result.index for result in results]
    assert sorted(indices) == list(range(60))
    assert order == "completion" or indices == list(range(60))
    assert all(result.message == pair(result.index) for result in results)
    assert all(result.unwrap().message_id == f"<{result.index}@example.org>" for result in results)
    assert done == [(number, 60) for number in range(1, 61)]
    assert (stats.sent, stats.connections) == (60, stats.idle)
    assert len(watch.of(Sent)) == 60


def test_an_empty_source(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        assert list(client.send_many([])) == []
        assert list(client.send_many(iter(()))) == []
    assert server.connections == 0


def test_the_source_is_asked_as_there_is_room(adapter: Colour) -> None:
    asked = said = 0
    ahead: list[int] = []

    def source() -> Iterator[Pair]:
        nonlocal asked
        for number in range(40):
            asked += 1
            ahead.append(asked - said)
            yield pair(number)

    with Server() as server, adapter.client(server.url, max_connections=2) as client:
        for _ in client.send_many(source()):
            said += 1
    assert max(ahead) <= 4
    assert len(server.messages) == 40


def test_what_is_no_message_ends_the_batch_behind_the_others(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        results, error = told(client.send_many([*pairs(5), 3, *pairs(5)]))
    assert isinstance(error, TypeError)
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 5
    assert len(server.messages) == 5


def test_a_source_that_fails(adapter: Colour) -> None:
    def source() -> Iterator[Pair]:
        yield pair(0)
        raise ZeroDivisionError

    with Server() as server, adapter.client(server.url) as client:
        results, error = told(client.send_many(source()))
        client.send(content(1), envelope=TO_BOB)
    assert isinstance(error, ZeroDivisionError)
    assert [result.outcome for result in results] == [Outcome.ACCEPTED]
    assert numbers(server) == [0, 1]


def test_a_message_that_is_wrong_is_a_result(adapter: Colour) -> None:
    items = [pair(0), content(1), pair(2)]
    with Server() as server, adapter.client(server.url) as client:
        results = list(client.send_many(items))
    assert [type(result.error) for result in results] == [
        type(None),
        ehlo.InvalidInput,
        type(None),
    ]
    assert numbers(server) == [0, 2]


@pytest.mark.parametrize(("given", "complaint"), [({"depth": 0}, "depth"), ({"order": "x"}, "x")])
def test_arguments_of_send_many(adapter: Colour, given: dict[str, Any], complaint: str) -> None:
    with Server() as server, adapter.client(server.url) as client:
        with pytest.raises(ehlo.InvalidInput, match=complaint):
            list(client.send_many(pairs(1), **given))


@pytest.mark.parametrize("level", ["none", "transaction", "continuous"])
def test_a_connection_that_fails_touches_its_own_messages_alone(
    adapter: Colour, level: str
) -> None:
    """Every tenth content loses its reply: nothing else is in doubt, nothing is sent twice."""

    def answers(_command: ReceivedCommand, situation: Situation) -> Answer | None:
        if situation.ends_content and b"9\r\nMessage-ID" in situation.content:
            return (TakeEffect(), Close())
        return None

    with Server(ServerOptions(answers=answers)) as server:
        with adapter.client(server.url, pipelining=level) as client:
            results = list(client.send_many(pairs(40)))
        kept = numbers(server)
    assert kept == list(range(40))
    unknown = {result.index for result in results if result.outcome is Outcome.UNKNOWN}
    assert unknown == {9, 19, 29, 39}
    assert {result.outcome for result in results} == {Outcome.ACCEPTED, Outcome.UNKNOWN}


@pytest.mark.parametrize("level", ["none", "transaction", "continuous"])
def test_what_did_not_begin_goes_over_another_connection(adapter: Colour, level: str) -> None:
    """The server closes every connection behind its third message."""

    ended: Counter[int] = Counter()

    def answers(command: ReceivedCommand, situation: Situation) -> Answer | None:
        ended[command.connection] += situation.ends_content
        if situation.ends_content and ended[command.connection] == 3:
            return (Usual(), Close())
        return None

    options = ServerOptions(capabilities=CHUNKING, answers=answers)
    with Server(options) as server:
        with adapter.client(server.url, pipelining=level, max_connections=2) as client:
            results = list(client.send_many(pairs(30)))
        kept = numbers(server)
    accepted = [result.index for result in results if result.outcome is Outcome.ACCEPTED]
    unknown = [result.index for result in results if result.outcome is Outcome.UNKNOWN]
    assert len(accepted) + len(unknown) == 30
    assert level == "continuous" or not unknown
    assert set(accepted) <= set(kept) <= set(range(30))
    assert len(kept) == len(set(kept))


def test_a_server_that_loses_step_is_remembered(adapter: Colour) -> None:
    quirks = ServerOptions(
        capabilities=("PIPELINING",),
        answers={"MAIL": InTurn(Usual(), Reply.of(503, "No"), Usual())},
    )
    with Server(quirks) as server:
        with adapter.client(server.url, pipelining="continuous", max_connections=1) as client:
            first = list(client.send_many(pairs(3)))
            flights = server.flights
            second = list(client.send_many(pairs(3)))
        assert server.flights - flights >= 6
    assert [result.outcome for result in first + second] == [Outcome.ACCEPTED] * 6


def test_others_get_their_turn_beside_a_batch(adapter: Colour) -> None:
    """One connection, a batch that has it, and somebody who wants to send one message."""
    with Server() as server, adapter.client(server.url, max_connections=1) as client:
        sending = client.send_many(pair(n) for n in range(200))
        with closing(sending):
            next(sending)
            client.send(content(1000), envelope=TO_BOB)
        assert 1000 in numbers(server)
        assert len(server.messages) < 100
    assert server.connections == 1


@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_a_batch_that_is_left_early(adapter: Colour, level: str) -> None:
    """What is under way comes to its end; nothing more is begun; the client works."""
    options = ServerOptions(capabilities=CHUNKING)
    with Server(options) as server:
        with adapter.client(server.url, pipelining=level) as client:
            with closing(client.send_many((pair(n) for n in range(1000)), depth=4)) as sending:
                next(sending)
            stats = client.stats()
            assert stats.unknown == stats.failed == 0
            assert stats.connections == stats.idle
            client.send(content(1000), envelope=TO_BOB)
            assert client.stats().sent == len(server.messages) < 100


def test_a_batch_that_is_never_begun(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url) as client:
        client.send_many(pairs(3))
    assert server.connections == 0


def test_a_client_that_is_closed_amid_a_batch(adapter: Colour) -> None:
    with Server() as server, adapter.client(server.url, max_connections=2) as client:
        sending = client.send_many(pair(n) for n in range(1000))
        first = next(sending)
        client.close()
        results, error = told(sending)
    results.insert(0, first)
    assert isinstance(error, ehlo.LocalProtocolError)
    accepted = [result.index for result in results if result.outcome is Outcome.ACCEPTED]
    assert sorted(accepted) == numbers(server)
    assert [result.index for result in results] == list(range(len(results)))


def test_a_hook_that_fails_harms_nobody(adapter: Colour, caplog: Any) -> None:
    def hook(_: Any) -> None:
        raise ZeroDivisionError

    with Server() as server, adapter.client(server.url, on_event=hook) as client:
        client.send(content(0), envelope=TO_BOB)
    assert len(server.messages) == 1
    assert "ZeroDivisionError" in caplog.text
