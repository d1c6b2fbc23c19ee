"""Many messages over one session or several, in both adapters: order, laziness, limits, ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import aclosing
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Outcome
from ehlo.commands import Verb
from ehlo.testing import (
    Answer,
    Close,
    ReceivedCommand,
    Server,
    ServerOptions,
    Situation,
    Usual,
    Wait,
)
from support.colours import Colour

BASIC: Final = ("PIPELINING", "8BITMIME", "SIZE 100000", "ENHANCEDSTATUSCODES")
CHUNKING: Final = (*BASIC, "CHUNKING")
LEVELS: Final = ("none", "transaction", "continuous")

Pair = tuple[bytes, ehlo.Envelope]


pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


def content(number: int) -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\n{number}\r\n".encode()


def pair(number: int, *recipients: str) -> Pair:
    to = recipients or (f"bob{number}@example.com",)
    return content(number), ehlo.Envelope(f"ada+{number}@example.org", to)


def pairs(count: int) -> list[Pair]:
    return [pair(number) for number in range(count)]


def numbers(server: Server) -> list[int]:
    """Return the numbers of the messages that a server kept, in its order."""
    return [int(message.parse()["Subject"]) for message in server.messages]


class Source:
    """A source that counts what was asked of it, and what was told in the meantime."""

    def __init__(self, count: int) -> None:
        self.asked = self.told = 0
        self.ahead: list[int] = []
        self._count = count

    def __iter__(self) -> Iterator[Pair]:
        for number in range(self._count):
            self.asked += 1
            self.ahead.append(self.asked - self.told)
            yield pair(number)


# -- Order, laziness, the window -----------------------------------------------------------------


@pytest.mark.parametrize("capabilities", [BASIC, CHUNKING], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("level", LEVELS)
def test_each_message_has_one_result_in_order(
    adapter: Colour, level: str, capabilities: tuple[str, ...]
) -> None:
    options = ServerOptions(capabilities=capabilities)
    with Server(options) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many(pairs(40)))
        assert session.is_idle
    assert [result.index for result in results] == list(range(40))
    assert [result.message for result in results] == pairs(40)
    assert numbers(server) == list(range(40))
    assert [result.unwrap().message_id for result in results] == [
        f"<{number}@example.org>" for number in range(40)
    ]
    assert [result.unwrap().queue_id for result in results] == [
        message.queue_id for message in server.messages
    ]
    assert server.connections == 1


def test_messages_of_every_kind(adapter: Colour) -> None:
    message = ehlo.Message(
        from_="ada@example.org", to=["bob@example.com"], subject="0", text="Hello"
    )
    with Server() as server, adapter.connect(server.url) as session:
        results = list(session.send_many([message, pair(1), (message, pair(2)[1])]))
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 3
    assert [message.recipients for message in server.messages] == [
        ("bob@example.com",),
        ("bob1@example.com",),
        ("bob2@example.com",),
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_an_empty_source(adapter: Colour, level: str) -> None:
    with Server() as server:
        with adapter.connect(server.url, pipelining=level) as session:
            assert list(session.send_many([])) == []
            assert list(session.send_many(iter(()))) == []
            assert session.is_idle
        assert list(adapter.send_many([], server.url, pipelining=level)) == []
        assert {command.verb for command in server.commands} == {"EHLO", "QUIT"}


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_the_source_is_not_read_ahead(adapter: Colour, level: str) -> None:
    source = Source(5)
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        for result in session.send_many(source):
            assert source.asked == result.index + 1
            source.told += 1
    assert source.ahead == [1] * 5


@pytest.mark.parametrize("capabilities", [BASIC, CHUNKING], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_the_source_is_not_read_further_than_the_window(
    adapter: Colour, depth: int, capabilities: tuple[str, ...]
) -> None:
    source = Source(12)
    options = ServerOptions(capabilities=capabilities)
    with (
        Server(options) as server,
        adapter.connect(server.url, pipelining="continuous") as session,
    ):
        for result in session.send_many(source, depth=depth):
            assert source.asked - result.index <= depth
            source.told += 1
    assert max(source.ahead) <= depth
    assert numbers(server) == list(range(12))


def test_the_window_is_filled(adapter: Colour) -> None:
    """A server that keeps its replies to itself gets as many messages as the window has."""
    depth, answers = 4, {"BDAT LAST": (Wait("go"), Usual())}
    options = ServerOptions(capabilities=CHUNKING, answers=answers)
    source = Source(10)
    with Server(options) as server:
        release = threading.Thread(target=release_behind, args=(server, 1 + 4 * depth - 1))
        with adapter.connect(server.url, pipelining="continuous") as session:
            release.start()
            results = list(session.send_many(source, depth=depth))
        release.join()
    assert source.ahead[:depth] == list(range(1, depth + 1))
    assert max(source.ahead) >= depth
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 10


def release_behind(server: Server, commands: int) -> None:
    """Let the server speak once so many commands have come."""
    server.wait_for_commands(commands)
    server.release("go")


def test_continuous_level_takes_one_flight_for_a_window(adapter: Colour) -> None:
    options = ServerOptions(capabilities=CHUNKING)
    with Server(options) as server:
        with adapter.connect(server.url, pipelining="continuous") as session:
            assert len(list(session.send_many(pairs(8), depth=8))) == 8
            assert server.flights == 2
    assert server.flights == 3


@pytest.mark.parametrize("depth", [0, -1])
def test_a_window_of_no_messages(adapter: Colour, depth: int) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.InvalidInput, match="depth"):
            session.send_many(pairs(1), depth=depth).__next__()
        assert session.is_idle
    assert numbers(server) == []


# -- What is refused, and what is wrong ----------------------------------------------------------


REFUSED_COMMANDS: Final[dict[str, type[ehlo.Refused]]] = {
    "MAIL FROM:<ada+2@example.org>": ehlo.SenderRefused,
    "RCPT TO:<bob2@example.com>": ehlo.RecipientsRefused,
}


@pytest.mark.parametrize("capabilities", [BASIC, CHUNKING], ids=["DATA", "BDAT"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("command", REFUSED_COMMANDS)
@pytest.mark.parametrize("code", [450, 550])
def test_a_refusal_touches_no_other_message(
    adapter: Colour, level: str, capabilities: tuple[str, ...], command: str, code: int
) -> None:
    answers = {command: ehlo.Reply.of(code, "No")}
    options = ServerOptions(capabilities=capabilities, answers=answers)
    with Server(options) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many(pairs(5)))
        assert session.is_idle
    assert numbers(server) == [0, 1, 3, 4]
    assert [result.index for result in results if result.receipt is None] == [2]
    error = results[2].error
    assert isinstance(error, REFUSED_COMMANDS[command])
    assert (error.reply.code, error.connection_usable) == (code, True)
    assert error.message_id == "<2@example.org>"


@pytest.mark.parametrize("level", LEVELS)
def test_everything_is_refused(adapter: Colour, level: str) -> None:
    options = ServerOptions(answers={"MAIL": ehlo.Reply.of(550, "No")}, capabilities=CHUNKING)
    with Server(options) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many(pairs(6), depth=3))
        assert [type(result.error) for result in results] == [ehlo.SenderRefused] * 6
        assert session.is_idle
    assert server.connections == 1


@pytest.mark.parametrize("level", LEVELS)
def test_what_cannot_be_sent_has_a_result_of_its_own(adapter: Colour, level: str) -> None:
    no_envelope: Any = content(1)
    long_line = b"x" * 1200 + b"\r\n"
    messages = [pair(0), no_envelope, pair(2), (long_line, pair(3)[1]), pair(4)]
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many(messages))
        assert session.is_idle
    assert [type(result.error) for result in results] == [
        type(None),
        ehlo.InvalidInput,
        type(None),
        ehlo.InvalidInput,
        type(None),
    ]
    assert numbers(server) == [0, 2, 4]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("what", ["a text", None, 5], ids=["str", "None", "int"])
def test_what_is_no_message_ends_the_batch(adapter: Colour, level: str, what: object) -> None:
    """It is a mistake of the program; what was taken before it has its result all the same."""
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        batch = session.send_many([pair(0), what, pair(2)])
        assert next(batch).index == 0
        with pytest.raises(TypeError):
            next(batch)
        batch = session.send_many([pair(0), (what, pair(1)[1]), pair(2)])
        assert next(batch).index == 0
        with pytest.raises(TypeError):
            next(batch)
        assert session.is_idle
        assert session.send(*pair(3)[:1], envelope=pair(3)[1]).accepted
    assert numbers(server) == [0, 0, 3]


class Broken(Exception):
    """What a source may raise."""


def collect(results: Iterator[ehlo.Result], told: list[ehlo.Result]) -> None:
    """Keep results one by one, so that those are there that came before an error."""
    for result in results:
        told.append(result)  # noqa: PERF402 - one by one


def failing_source(count: int, error: Exception) -> Iterator[Pair]:
    yield from pairs(count)
    raise error


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_source_that_raises(adapter: Colour, level: str, count: int) -> None:
    told: list[ehlo.Result] = []
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        batch = session.send_many(failing_source(count, Broken("midway")))
        with pytest.raises(Broken, match="midway"):
            collect(batch, told)
        assert session.is_idle
        assert session.noop().is_positive
    assert [result.outcome for result in told] == [Outcome.ACCEPTED] * count
    assert numbers(server) == list(range(count))


@pytest.mark.parametrize("error", [ehlo.InvalidInput("mine"), ValueError("mine")])
def test_a_source_may_raise_what_it_likes(adapter: Colour, error: Exception) -> None:
    with Server() as server:
        with pytest.raises(type(error), match="mine"):
            list(adapter.send_many(failing_source(2, error), server.url))
    assert numbers(server) == [0, 1]
    assert server.commands[-1].verb == "QUIT"


# -- Leaving early -------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_a_batch_that_is_left_early(adapter: Colour, level: str) -> None:
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        batch = session.send_many(pairs(5))
        assert [next(batch).index, next(batch).index] == [0, 1]
        batch.close()
        assert session.is_idle
        assert session.send(content(9), envelope=pair(9)[1]).accepted
    assert numbers(server) == [0, 1, 9]
    assert server.commands[-1].verb == "QUIT"


def test_a_batch_that_is_left_while_messages_are_under_way(adapter: Colour) -> None:
    """The replies that are due belong to nobody any more, and so the session is over."""
    answers = {"MAIL FROM:<ada+1@example.org>": (Wait("never"), Usual())}
    options = ServerOptions(capabilities=CHUNKING, answers=answers)
    with Server(options) as server:
        with adapter.connect(server.url, pipelining="continuous") as session:
            batch = session.send_many(pairs(4))
            assert next(batch).index == 0
            batch.close()
            with pytest.raises(ehlo.ConnectionLost):
                session.noop()
        assert "QUIT" not in {command.verb for command in server.commands}


@pytest.mark.parametrize("level", LEVELS)
def test_a_batch_over_any_connection_that_is_left_early(adapter: Colour, level: str) -> None:
    options = ServerOptions(capabilities=CHUNKING)
    with Server(options) as server:
        batch = adapter.send_many(iter(pairs(5)), server.url, pipelining=level, depth=1)
        assert next(batch).index == 0
        batch.close()  # type: ignore[attr-defined]  # a generator has it
        server.wait_until_idle()
        assert server.commands[-1].verb == "QUIT"
    assert numbers(server) == [0]


def test_a_batch_that_was_never_begun(adapter: Colour) -> None:
    with Server() as server:
        with adapter.connect(server.url) as session:
            batch = session.send_many(pairs(2))
            assert session.noop().is_positive
            batch.close()
            assert session.is_idle
        adapter.send_many(pairs(2), server.url).close()  # type: ignore[attr-defined]
        assert server.connections == 1
    assert numbers(server) == []


def fail_inside(adapter: Colour, url: str, level: str) -> None:
    with adapter.connect(url, pipelining=level) as session:
        for result in session.send_many(pairs(3)):
            raise LookupError(result.index)


@pytest.mark.parametrize("level", LEVELS)
def test_an_error_in_the_loop(adapter: Colour, level: str) -> None:
    with Server() as server:
        with pytest.raises(LookupError, match="0"):
            fail_inside(adapter, server.url, level)
        server.wait_until_idle()
    assert 0 in numbers(server)


@pytest.mark.parametrize("level", LEVELS)
def test_an_error_in_the_loop_of_an_event_loop(level: str) -> None:
    """Nobody closes the generator there; the session is closed all the same."""

    async def main(url: str) -> None:
        async with ehlo.asyncio.connect(url, pipelining=level) as session:
            async for result in session.send_many(pairs(3)):
                raise LookupError(result.index)

    with Server() as server:
        with pytest.raises(LookupError, match="0"):
            asyncio.run(main(server.url))
        server.wait_until_idle()


@pytest.mark.parametrize("level", LEVELS)
def test_the_session_is_free_between_results(adapter: Colour, level: str) -> None:
    """Where no reply is due: at the levels below continuous, and with a window of one message."""
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        for result in session.send_many(pairs(3), depth=1):
            assert result.outcome is Outcome.ACCEPTED
            assert session.noop().is_positive
            assert [it.outcome for it in session.send_many(pairs(1))] == [Outcome.ACCEPTED]
            assert session.is_idle
    assert numbers(server) == [0, 0, 1, 0, 2, 0]


def test_the_session_is_busy_while_messages_are_under_way(adapter: Colour) -> None:
    """A reply that is due to one of them must not be taken for that to something else."""
    answers = {"MAIL FROM:<ada+2@example.org>": (Wait("go"), Usual())}
    options = ServerOptions(capabilities=CHUNKING, answers=answers)
    with Server(options) as server:
        with adapter.connect(server.url, pipelining="continuous") as session:
            batch = session.send_many(pairs(4))
            for _ in range(2):
                assert next(batch).outcome is Outcome.ACCEPTED
                with pytest.raises(ehlo.LocalProtocolError, match="busy"):
                    session.noop()
                with pytest.raises(ehlo.LocalProtocolError, match="replies are due"):
                    list(session.send_many(pairs(1)))
            server.release("go")
            assert [result.outcome for result in batch] == [Outcome.ACCEPTED] * 2
            assert session.noop().is_positive
    assert numbers(server) == [0, 1, 2, 3]


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_a_transaction_of_the_callers_own_between_results(adapter: Colour, level: str) -> None:
    """One that was begun and left open is reset: the next message has nothing to do with it."""
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        for _ in session.send_many(pairs(2)):
            session.mail("eve@example.org")
        assert session.is_idle
    assert [(message.sender, message.recipients) for message in server.messages] == [
        (f"ada+{number}@example.org", (f"bob{number}@example.com",)) for number in range(2)
    ]


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_a_session_that_is_ended_between_results(adapter: Colour, level: str) -> None:
    told: list[ehlo.Result] = []
    with Server() as server, adapter.connect(server.url, pipelining=level) as session:
        batch = session.send_many(pairs(3))
        told.append(next(batch))
        session.quit()
        with pytest.raises(ehlo.ConnectionLost):
            collect(batch, told)
    assert [result.outcome for result in told] == [Outcome.ACCEPTED, Outcome.NOT_SENT]
    assert numbers(server) == [0]


def test_a_batch_needs_an_idle_session(adapter: Colour) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        with pytest.raises(ehlo.LocalProtocolError):
            list(session.send_many(pairs(1)))
        session.rset()
        assert len(list(session.send_many(pairs(1)))) == 1


def test_a_batch_on_a_session_that_is_over(adapter: Colour) -> None:
    source = Source(3)
    with Server() as server:
        session = adapter.connect(server.url)
        session.quit()
        told: list[ehlo.Result] = []
        with pytest.raises(ehlo.ConnectionLost):
            collect(session.send_many(source), told)
    assert len(told) == source.asked <= 1
    assert numbers(server) == []


# -- Several connections -------------------------------------------------------------------------


class Closing:
    """An answers hook: closes the connection behind every so many messages."""

    def __init__(self, every: int, last_words: Answer = ()) -> None:
        self._every = every
        self._ended: dict[int, int] = {}
        self._last_words = last_words if isinstance(last_words, tuple) else (last_words,)

    def __call__(self, command: ReceivedCommand, _: Situation) -> Answer | None:
        if command.verb not in {Verb.END_OF_CONTENT, Verb.BDAT_LAST}:
            return None
        ended = self._ended[command.connection] = self._ended.get(command.connection, 0) + 1
        return None if ended < self._every else (Usual(), *self._last_words, Close())


@pytest.mark.parametrize("level", ["none", "transaction"])
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize(
    "last_words", [(), ehlo.Reply.of(421, "4.7.0 Enough")], ids=["nothing", "421"]
)
def test_a_server_that_closes_between_messages(
    adapter: Colour, level: str, every: int, last_words: Answer
) -> None:
    """Whether the client hears of it before it says MAIL again is a matter of luck."""
    options = ServerOptions(answers=Closing(every, last_words))
    with Server(options) as server:
        results = list(adapter.send_many(pairs(6), server.url, pipelining=level))
        server.wait_until_idle()
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 6
    assert numbers(server) == list(range(6))
    assert server.connections == 6 // every


@pytest.mark.parametrize("capabilities", [BASIC, CHUNKING], ids=["DATA", "BDAT"])
def test_a_server_that_closes_between_messages_under_way(
    adapter: Colour, capabilities: tuple[str, ...]
) -> None:
    """At continuous level, what had been sent to its end is in doubt, and nothing else fails.

    How much that is depends on when the client hears of it.
    """
    options = ServerOptions(answers=Closing(2), capabilities=capabilities)
    with Server(options) as server:
        results = list(adapter.send_many(pairs(6), server.url, pipelining="continuous", depth=4))
        server.wait_until_idle()
    outcomes = [result.outcome for result in results]
    good = [number for number in range(6) if outcomes[number] is Outcome.ACCEPTED]
    assert numbers(server) == good
    assert good[:2] == [0, 1]
    assert set(outcomes[2:]) <= {Outcome.ACCEPTED, Outcome.UNKNOWN}
    assert (Outcome.UNKNOWN in outcomes) is (capabilities is CHUNKING)


def test_mailmax_is_kept(adapter: Colour) -> None:
    options = ServerOptions(capabilities=(*CHUNKING, "LIMITS MAILMAX=2"))
    for level in LEVELS:
        with Server(options) as server:
            results = list(adapter.send_many(pairs(5), server.url, pipelining=level))
        assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 5
        assert numbers(server) == list(range(5))
        assert server.connections == 3
        verbs = [command.verb for command in server.commands]
        assert verbs.count(Verb.MAIL) == 5
        assert verbs.count(Verb.QUIT) == 3


class Limited:
    """An answers hook: 421 to MAIL behind so many of them on one connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._mails: dict[int, int] = {}

    def __call__(self, command: ReceivedCommand, _: Situation) -> Answer | None:
        if command.verb is not Verb.MAIL:
            return None
        mails = self._mails[command.connection] = self._mails.get(command.connection, 0) + 1
        return None if mails <= self._most else (ehlo.Reply.of(421, "4.7.0 Enough"), Close())


@pytest.mark.parametrize("level", LEVELS)
def test_421_to_mail(adapter: Colour, level: str) -> None:
    """It is the answer to one message, which is refused; the rest goes over a new connection.

    A message that rode behind others goes over that as well: alone, it would not have been told.
    """
    with Server(ServerOptions(answers=Limited(2))) as server:
        results = list(adapter.send_many(pairs(6), server.url, pipelining=level))
    outcomes = [result.outcome for result in results]
    accepted = [number for number in range(6) if outcomes[number] is Outcome.ACCEPTED]
    assert numbers(server) == accepted
    refused = [result for result in results if result.outcome is Outcome.REFUSED]
    assert len(accepted) + len(refused) == 6
    for result in refused:
        assert isinstance(result.error, ehlo.SenderRefused)
        assert result.error.retry_safe
        assert not result.error.connection_usable
    assert [result.index for result in refused] == ([] if level == "continuous" else [2, 5])


class Once:
    """An answers hook: takes one connection, and greets the next with a refusal."""

    def __call__(self, command: ReceivedCommand, _: Situation) -> Answer | None:
        if command.verb is Verb.GREETING and command.connection > 1:
            return ehlo.Reply.of(554, "No more"), Close()
        ends = {Verb.END_OF_CONTENT, Verb.BDAT_LAST}
        return (Usual(), Close()) if command.verb in ends else None


@pytest.mark.parametrize("level", LEVELS)
def test_no_new_connection_can_be_had(adapter: Colour, level: str) -> None:
    source = Source(5)
    told: list[ehlo.Result] = []
    with Server(ServerOptions(answers=Once())) as server:
        with pytest.raises(ehlo.GreetingRefused):
            collect(adapter.send_many(source, server.url, pipelining=level), told)
    assert [result.index for result in told] == list(range(source.asked))
    assert [result.outcome for result in told[:1]] == [Outcome.ACCEPTED]
    assert {result.outcome for result in told[1:]} == {Outcome.NOT_SENT}
    assert all(isinstance(result.error, ehlo.GreetingRefused) for result in told[1:])
    assert numbers(server) == [0]


def test_no_connection_at_all(adapter: Colour) -> None:
    source = Source(3)
    with Server(ServerOptions(answers={"(greeting)": ehlo.Reply.of(554, "No")})) as server:
        with pytest.raises(ehlo.GreetingRefused):
            list(adapter.send_many(source, server.url))
    assert source.asked == 0


def test_arguments_are_checked_at_once(adapter: Colour) -> None:
    with Server() as server:
        with pytest.raises(ehlo.InvalidInput):
            adapter.send_many(pairs(1), server.url, on_refusal="sometimes")
        with pytest.raises(ehlo.InvalidInput):
            adapter.send_many(pairs(1), server.url, pipelining="reckless")
        with pytest.raises(ehlo.InvalidInput, match="depth"):
            adapter.send_many([], server.url, depth=0)
        assert server.connections == 0


# -- LIMITS (RFC 9422) ---------------------------------------------------------------------------


MANY: Final = tuple(f"r{number}@d{number // 2}.example.com" for number in range(5))


@pytest.mark.parametrize("level", LEVELS)
def test_recipients_over_several_transactions(adapter: Colour, level: str) -> None:
    options = ServerOptions(capabilities=(*CHUNKING, "LIMITS RCPTMAX=2"))
    messages = [pair(0), pair(1, *MANY), pair(2)]
    with Server(options) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many(messages))
        assert session.is_idle
    receipt = results[1].unwrap()
    assert [str(address) for address in receipt.accepted] == list(MANY)
    assert [len(part.accepted) for part in receipt.parts] == [2, 2, 1]
    assert [message.recipients for message in server.messages] == [
        ("bob0@example.com",),
        MANY[:2],
        MANY[2:4],
        MANY[4:],
        ("bob2@example.com",),
    ]
    assert len({message.content for message in server.messages[1:4]}) == 1
    assert server.connections == 1


@pytest.mark.parametrize("level", LEVELS)
def test_limits_are_kept_where_anybody_will_do(adapter: Colour, level: str) -> None:
    """Then the plan of a message is known at once, and many leave in one flight."""
    options = ServerOptions(capabilities=(*CHUNKING, "LIMITS RCPTMAX=2 MAILMAX=4"))
    messages = [pair(0), pair(1, *MANY), pair(2), pair(3)]
    with Server(options) as server:
        choices = {"pipelining": level, "on_refusal": "deliver"}
        results = list(adapter.send_many(messages, server.url, **choices))
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 4
    assert [(message.connection, len(message.recipients)) for message in server.messages] == [
        *((1, 1), (1, 2), (1, 2), (1, 1)),
        *((2, 1), (2, 1)),
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_domains_over_several_sessions(adapter: Colour, level: str) -> None:
    options = ServerOptions(capabilities=(*CHUNKING, "LIMITS RCPTDOMAINMAX=2"))
    messages = [pair(1, *MANY), pair(2)]
    with Server(options) as server:
        results = list(adapter.send_many(messages, server.url, pipelining=level))
    assert [str(address) for address in results[0].unwrap().accepted] == list(MANY)
    assert results[1].outcome is Outcome.ACCEPTED
    assert [(message.connection, message.recipients) for message in server.messages] == [
        (1, MANY[:4]),
        (2, MANY[4:]),
        (2, ("bob2@example.com",)),
    ]


def test_domains_that_one_session_does_not_take(adapter: Colour) -> None:
    """Nothing of a message is sent if the session cannot take all of it."""
    options = ServerOptions(capabilities=(*BASIC, "LIMITS RCPTDOMAINMAX=2"))
    with Server(options) as server, adapter.connect(server.url) as session:
        results = list(session.send_many([pair(0, *MANY), pair(1, *MANY[:4])]))
        assert isinstance(results[0].error, ehlo.CapabilityMissing)
        assert results[0].error.connection_usable
        assert results[1].outcome is Outcome.ACCEPTED
    assert numbers(server) == [1]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ehlo.Reply.of(451, "4.3.0 Not now"), Outcome.REFUSED),
        (Close(), Outcome.NOT_SENT),
    ],
    ids=["refused", "lost"],
)
def test_a_part_that_fails(adapter: Colour, answer: Answer, outcome: Outcome) -> None:
    """What was delivered before it must not be sent again."""
    options = ServerOptions(
        capabilities=(*BASIC, "LIMITS RCPTMAX=2"), answers={f"RCPT TO:<{MANY[2]}>": answer}
    )
    with Server(options) as server:
        [result, other] = adapter.send_many([pair(0, *MANY), pair(1)], server.url)
        server.wait_until_idle()
    assert result.outcome is outcome
    assert result.error is not None
    assert [str(address) for address in result.error.delivered] == list(MANY[:2])
    assert not result.error.retry_safe
    assert other.outcome is Outcome.ACCEPTED
    assert [message.recipients for message in server.messages] == [MANY[:2], ("bob1@example.com",)]


# -- Async sources -------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("over_any", [False, True], ids=["session", "any"])
def test_results_come_while_the_source_waits(level: str, over_any: bool) -> None:
    """The source gives the third message when the results of the first two are known."""
    both_known = asyncio.Event()

    async def source() -> AsyncIterator[Pair]:
        yield pair(0)
        await asyncio.sleep(0)
        yield pair(1)
        await asyncio.wait_for(both_known.wait(), 10)
        yield pair(2)

    async def told(results: AsyncIterator[ehlo.Result]) -> list[int]:
        indexes = []
        async for result in results:
            assert result.outcome is Outcome.ACCEPTED
            indexes.append(result.index)
            if result.index == 1:
                both_known.set()
        return indexes

    async def main(url: str) -> list[int]:
        if over_any:
            return await told(ehlo.asyncio.send_many(source(), url, pipelining=level))
        async with ehlo.asyncio.connect(url, pipelining=level) as session:
            return await told(session.send_many(source()))

    with Server(ServerOptions(capabilities=CHUNKING)) as server:
        assert asyncio.run(main(server.url)) == [0, 1, 2]


def test_an_async_source_that_raises() -> None:
    async def source() -> AsyncIterator[Pair]:
        yield pair(0)
        await asyncio.sleep(0)
        raise Broken

    async def main(url: str) -> None:
        async with ehlo.asyncio.connect(url, pipelining="continuous") as session:
            results = session.send_many(source())
            assert (await anext(results)).outcome is Outcome.ACCEPTED
            with pytest.raises(Broken):
                await anext(results)
            assert session.is_idle

    with Server() as server:
        asyncio.run(main(server.url))


def test_the_blocking_adapter_takes_no_async_source() -> None:
    async def source() -> AsyncIterator[Pair]:
        yield pair(0)

    with Server() as server, ehlo.blocking.connect(server.url) as session:
        messages: Any = source()
        with pytest.raises(TypeError, match=r"ehlo\.asyncio alone"):
            session.send_many(messages)
        with pytest.raises(TypeError, match=r"ehlo\.asyncio alone"):
            ehlo.blocking.send_many(messages, server.url)
        assert session.is_idle


def test_the_connection_breaks_while_the_source_waits() -> None:
    """What is under way gets its result; the source goes on over a new connection."""
    lost = asyncio.Event()

    async def source() -> AsyncIterator[Pair]:
        yield pair(0)
        await asyncio.wait_for(lost.wait(), 10)
        yield pair(1)

    async def main(url: str) -> list[Outcome]:
        outcomes = []
        async for result in ehlo.asyncio.send_many(source(), url, pipelining="continuous"):
            outcomes.append(result.outcome)
            lost.set()
        return outcomes

    def lose_first(command: ReceivedCommand, _: Situation) -> Answer | None:
        is_hit = command.verb is Verb.END_OF_CONTENT and command.connection == 1
        return Close() if is_hit else None

    with Server(ServerOptions(answers=lose_first)) as server:
        assert asyncio.run(main(server.url)) == [Outcome.UNKNOWN, Outcome.ACCEPTED]
        assert numbers(server) == [1]


# -- Cancellation --------------------------------------------------------------------------------


class CancelledAt:
    """Awaits a coroutine, and cancels its task at one of its awaits, counted from 0."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], at: int) -> None:
        self._coroutine = coroutine
        self._at = at
        self.awaits = 0

    def __await__(self) -> Generator[Any, None, object]:
        inner = self._coroutine.__await__()
        task = asyncio.current_task()
        assert task is not None
        value = None
        try:
            future = next(inner)
            while True:
                if self.awaits == self._at:
                    asyncio.get_running_loop().call_soon(task.cancel)
                self.awaits += 1
                try:
                    value = yield future
                except BaseException as exc:  # noqa: BLE001 - handed on as it is
                    future = inner.throw(exc)
                else:
                    future = inner.send(value)
        except StopIteration as stop:
            result: object = stop.value
            return result


def cancelled_at(at: int, begin: Callable[[str], Coroutine[Any, Any, object]], url: str) -> bool:
    """Run what `begin` returns and cancel it; return whether it got that far."""

    async def main() -> bool:
        async def job() -> object:
            return await CancelledAt(begin(url), at)

        task = asyncio.create_task(job())
        await asyncio.wait([task])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if task.cancelled():
            return True
        assert task.result() is None
        return False

    return asyncio.run(main())


async def paused(count: int) -> AsyncIterator[Pair]:
    for number in range(count):
        await asyncio.sleep(0)
        yield pair(number)


@pytest.mark.parametrize("kind", ["list", "async source", "any"])
@pytest.mark.parametrize("level", LEVELS)
def test_cancellation_at_every_await(level: str, kind: str) -> None:
    async def batch(url: str) -> None:
        if kind == "any":
            results = ehlo.asyncio.send_many(paused(3), url, pipelining=level, depth=2)
            async with aclosing(results):
                async for result in results:
                    assert result.outcome is Outcome.ACCEPTED
            return
        source = pairs(3) if kind == "list" else paused(3)
        async with ehlo.asyncio.connect(url, pipelining=level) as session:
            async for result in session.send_many(source, depth=2):
                assert result.outcome is Outcome.ACCEPTED

    with Server(ServerOptions(capabilities=CHUNKING)) as server:
        at = 0
        while cancelled_at(at, batch, server.url):
            server.wait_until_idle()
            at += 1
        assert at >= 5


def test_cancellation_while_the_source_waits() -> None:
    closed = []

    async def source() -> AsyncIterator[Pair]:
        try:
            yield pair(0)
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def main(url: str) -> None:
        known = asyncio.Event()

        async def batch() -> None:
            async with ehlo.asyncio.connect(url) as session:
                async for _ in session.send_many(source()):
                    known.set()

        task = asyncio.create_task(batch())
        await known.wait()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == [True]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with Server() as server:
        asyncio.run(main(server.url))
        server.wait_until_idle()
