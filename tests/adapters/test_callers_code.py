"""What the caller's own code raises: content, sources, callbacks. It is no news of the session."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, nullcontext
from typing import Any, Final

import pytest
from typing_extensions import override

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Outcome, Phase
from ehlo.commands import Verb
from ehlo.testing import (
    Answer,
    Close,
    ReceivedCommand,
    Server,
    ServerOptions,
    Silence,
    Situation,
    Usual,
    Wait,
)
from support.colours import Asyncio, Colour

FRAMINGS: Final = {
    "DATA, lock step": ("8BITMIME",),
    "DATA": ("PIPELINING", "8BITMIME"),
    "BDAT": ("PIPELINING", "8BITMIME", "CHUNKING"),
}
EACH_FRAMING: Final = pytest.mark.parametrize("framing", FRAMINGS)
LEVELS: Final = ("none", "transaction", "continuous")
EACH_LEVEL: Final = pytest.mark.parametrize("level", LEVELS)
HEADER: Final = b"Subject: 1\r\n\r\n"
LARGE: Final = HEADER + (b"y" * 78 + b"\r\n") * 5000
TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
BYE: Final = ehlo.Reply.of(421, "4.3.2 Bye")
NO: Final = ehlo.Reply.of(550, "5.7.1 No")

# Of another session, all but the last: each would mean something if it were of this one.
ERRORS: Final[dict[str, Exception]] = {
    "busy": ehlo.LocalProtocolError("busy"),
    "lost": ehlo.ConnectionLost("another session", reply=BYE),
    "late": ehlo.Timeout("another session"),
    "broken": ehlo.RemoteProtocolError("another session"),
    "refused": ehlo.ContentRefused("another message", reply=NO),
    "missing": ehlo.CapabilityMissing("another server", capability="SIZE"),
    "invalid": ehlo.InvalidInput("another message"),
    "OSError": OSError("disk gone"),
}
EACH_ERROR: Final = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


def server_of(framing: str, answers: Any = None) -> Server:
    return Server(ServerOptions(capabilities=FRAMINGS[framing], answers=answers or {}))


def numbered(number: int) -> tuple[bytes, ehlo.Envelope]:
    return f"Subject: {number}\r\n\r\nx\r\n".encode(), TO_BOB


def subjects(server: Server) -> list[str]:
    return [str(message.parse()["Subject"]) for message in server.messages]


class FailingFile(io.BytesIO):
    """A file whose reading fails once it is read for the second time, behind so many pieces."""

    def __init__(self, octets: bytes, error: Exception, *, behind: int) -> None:
        super().__init__(octets)
        self._error = error
        self._left = behind
        self._is_again = False

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._is_again = True
        return super().seek(offset, whence)

    @override
    def read(self, size: int | None = -1, /) -> bytes:
        if self._is_again:
            if not self._left:
                raise self._error
            self._left -= 1
        return super().read(size)


def failing(error: BaseException, *pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise error


async def failing_later(error: BaseException, *pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece
    raise error


READS: Final = -(-len(LARGE) // 131_072)
CONTENTS: Final[dict[str, Callable[[Exception], Any]]] = {
    "before the first piece": failing,
    "behind a piece": lambda error: failing(error, HEADER),
    "behind much": lambda error: failing(error, LARGE, LARGE),
    "a file, at once": lambda error: FailingFile(LARGE, error, behind=0),
    "a file, midway": lambda error: FailingFile(LARGE, error, behind=1),
    "a file, at its end": lambda error: FailingFile(LARGE, error, behind=READS),
    "async, behind a piece": lambda error: failing_later(error, HEADER),
    "async, behind much": lambda error: failing_later(error, LARGE, LARGE),
}


# -- One message -----------------------------------------------------------------------------------


@EACH_ERROR
@EACH_FRAMING
def test_content_that_raises_is_never_a_message(
    adapter: Colour, framing: str, error: Exception
) -> None:
    """It is raised as it is, whatever it is, and nothing of the content arrives as a message."""
    with server_of(framing) as server:
        for kind, make in CONTENTS.items():
            if kind.startswith("async") and not isinstance(adapter, Asyncio):
                continue
            with adapter.connect(server.url) as session:
                with pytest.raises(type(error)) as caught:
                    session.send(make(error), envelope=TO_BOB)
                assert caught.value is error
                if session.is_idle:
                    assert session.noop().is_positive
        server.wait_until_idle()
    assert server.messages == ()


@EACH_ERROR
@EACH_FRAMING
def test_progress_that_raises_lets_nothing_pass_for_sent(
    adapter: Colour, framing: str, error: Exception
) -> None:
    def at(when: str) -> Callable[[int, int | None], None]:
        def progress(sent: int, total: int | None) -> None:
            if when == "first" or sent == total:
                raise error

        return progress

    with server_of(framing) as server:
        for make in (lambda: HEADER, lambda: LARGE, lambda: io.BytesIO(LARGE)):
            for when in ("first", "end"):
                content: Any = make()
                with adapter.connect(server.url, pipelining="continuous") as session:
                    with pytest.raises(type(error)) as caught:
                        session.send(content, envelope=TO_BOB, progress=at(when))
                    assert caught.value is error
        server.wait_until_idle()
    assert server.messages == ()


@EACH_FRAMING
def test_content_that_uses_its_own_session(framing: str) -> None:
    """A keep-alive in the wrong place; it is told that the session is busy."""

    def content(session: ehlo.blocking.Session) -> Iterator[bytes]:
        yield HEADER
        session.noop()

    with server_of(framing) as server:
        with ehlo.blocking.connect(server.url) as session:
            with pytest.raises(ehlo.LocalProtocolError, match="busy") as caught:
                session.send(content(session), envelope=TO_BOB)
            assert caught.value.outcome is Outcome.NOT_SENT
        with ehlo.blocking.connect(server.url) as other:

            def keep_alive(_sent: int, _total: int | None) -> None:
                other.noop()

            with pytest.raises(ehlo.LocalProtocolError, match="busy") as caught:
                other.send(LARGE, envelope=TO_BOB, progress=keep_alive)
            assert caught.value.outcome is Outcome.NOT_SENT
        server.wait_until_idle()
    assert server.messages == ()


@pytest.mark.parametrize("behind", [0, 1, READS])
def test_a_part_whose_content_fails(adapter: Colour, behind: int) -> None:
    """Who has got the message in an earlier part is told: it must not be sent to them again."""

    class Second(FailingFile):
        seeks = 0

        @override
        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.seeks += 1
            result = super().seek(offset, whence)
            self._is_again = self.seeks > 1
            return result

    envelope = ehlo.Envelope("ada@example.org", ["bob@example.com", "eve@example.com"])
    error = OSError("disk gone")
    options = ServerOptions(capabilities=("PIPELINING", "LIMITS RCPTMAX=1"))
    for many in (False, True):
        content = Second(LARGE, error, behind=behind)
        with Server(options) as server:
            if many:
                [result] = adapter.send_many([(content, envelope)], server.url)
                caught = result.error
            else:
                with pytest.raises(ehlo.InvalidInput) as info:
                    adapter.send(content, server.url, envelope=envelope)
                caught = info.value
            server.wait_until_idle()
        assert isinstance(caught, ehlo.InvalidInput)
        assert caught.__cause__ is error
        assert caught.delivered == envelope.recipients[:1]
        assert not caught.retry_safe
        assert [message.content for message in server.messages] == [LARGE]


# -- Many messages ---------------------------------------------------------------------------------


@EACH_LEVEL
@EACH_FRAMING
@EACH_ERROR
def test_content_that_raises_is_the_affair_of_its_message(
    adapter: Colour, framing: str, level: str, error: Exception
) -> None:
    kinds = [kind for kind in CONTENTS if "async" not in kind or isinstance(adapter, Asyncio)]
    bad = [(CONTENTS[kind](error), TO_BOB) for kind in kinds]
    messages = [numbered(0), numbered(1), *bad, numbered(2)]
    with server_of(framing) as server:
        results = list(adapter.send_many(messages, server.url, pipelining=level))
        server.wait_until_idle()
    assert len(results) == len(messages)
    for result in results[2:-1]:
        assert isinstance(result.error, ehlo.InvalidInput)
        assert result.error.__cause__ is error
        assert result.error.phase is Phase.CONTENT
        assert result.outcome is Outcome.NOT_SENT
    assert subjects(server) == ["0", "1", "2"]
    assert [result.outcome for result in (*results[:2], results[-1])] == [Outcome.ACCEPTED] * 3


@EACH_LEVEL
@pytest.mark.parametrize("framing", ["DATA", "BDAT"])
def test_a_small_file_harms_no_others(adapter: Colour, framing: str, level: str) -> None:
    """It was read before it had its turn, so that nothing can fail behind those under way."""
    small = FailingFile(HEADER, OSError("disk gone"), behind=0)
    answers = {"BDAT LAST": (Wait("go"), Usual())}
    messages = [numbered(0), numbered(2), (small, TO_BOB), numbered(3)]
    with server_of(framing, answers if level == "continuous" else None) as server:
        server.release("go")
        results = list(adapter.send_many(messages, server.url, pipelining=level))
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 4
    assert subjects(server) == ["0", "2", "1", "3"]


@EACH_ERROR
@EACH_LEVEL
def test_a_source_that_raises(adapter: Colour, level: str, error: Exception) -> None:
    """Behind all results, as it is; and the session goes on."""

    def source() -> Iterator[Any]:
        yield from (numbered(0), numbered(1))
        raise error

    told: list[ehlo.Result] = []
    with server_of("BDAT") as server, adapter.connect(server.url, pipelining=level) as session:
        batch = session.send_many(source())
        told += [next(batch), next(batch)]
        with pytest.raises(type(error)) as caught:
            next(batch)
        assert caught.value is error
        assert session.is_idle
    assert [result.outcome for result in told] == [Outcome.ACCEPTED] * 2
    assert subjects(server) == ["0", "1"]


@EACH_LEVEL
def test_a_loop_that_is_left_leaves_the_session_in_order(adapter: Colour, level: str) -> None:
    """At continuous level it is in order if nothing was under way: with a window of one."""
    depth = 1 if level == "continuous" else 32
    with server_of("BDAT") as server, adapter.connect(server.url, pipelining=level) as session:
        for result in session.send_many(map(numbered, range(9)), depth=depth):
            if result.index == 2:
                break
        content, envelope = numbered(9)
        assert session.send(content, envelope=envelope).accepted
    assert subjects(server) == ["0", "1", "2", "9"]


@pytest.mark.parametrize("level", ["none", "transaction"])
@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_a_loop_of_an_event_loop_that_is_left(level: str, closes: bool, is_async: bool) -> None:
    """Whether or not the generator is closed: what is between two results holds nobody up."""

    async def later() -> AsyncIterator[Any]:
        for number in range(9):
            await asyncio.sleep(0)
            yield numbered(number)

    async def main(url: str) -> None:
        async with ehlo.asyncio.connect(url, pipelining=level) as session:
            source: Any = later() if is_async else map(numbered, range(9))
            results = session.send_many(source)
            async for result in results:
                if result.index == 2:
                    break
            if closes:
                await results.aclose()
            content, envelope = numbered(9)
            assert (await session.send(content, envelope=envelope)).accepted
            assert session.is_idle
            await results.aclose()

    with server_of("BDAT") as server:
        asyncio.run(main(server.url))
    assert subjects(server) == ["0", "1", "2", "9"]


# -- In an event loop ------------------------------------------------------------------------------


class Stop(BaseException):
    """What is no Exception."""


INTERRUPTIONS: Final = pytest.mark.parametrize("kind", [asyncio.CancelledError, Stop])


async def cancelled() -> None:
    """Await a task that was cancelled, as the caller's code may."""
    task = asyncio.ensure_future(asyncio.sleep(10))
    task.cancel()
    await task


@EACH_FRAMING
def test_async_content_that_is_cancelled_from_within(framing: str) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield HEADER
        await cancelled()
        yield b"never\r\n"

    async def main(url: str) -> None:
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await ehlo.asyncio.send(content(), url, envelope=TO_BOB)

    with server_of(framing) as server:
        asyncio.run(main(server.url))
        server.wait_until_idle()
    assert server.messages == ()


@EACH_LEVEL
def test_an_async_source_that_is_cancelled_from_within(level: str) -> None:
    """It has not come to its end, and a batch must not look as if it had."""

    async def source() -> AsyncIterator[Any]:
        yield numbered(0)
        await cancelled()
        yield numbered(1)

    async def main(url: str) -> None:
        results = ehlo.asyncio.send_many(source(), url, pipelining=level)
        async with asyncio.timeout(10), aclosing(results):
            assert (await anext(results)).outcome is Outcome.ACCEPTED
            with pytest.raises(asyncio.CancelledError):
                await anext(results)

    with server_of("BDAT") as server:
        asyncio.run(main(server.url))
    assert subjects(server) == ["0"]


@INTERRUPTIONS
@EACH_FRAMING
def test_what_is_no_exception_is_raised_as_well(framing: str, kind: type[BaseException]) -> None:
    """Within the callbacks of an event loop it would be lost, and the task wait for ever."""

    def interrupt(_sent: int, _total: int | None) -> None:
        raise kind

    async def main(url: str) -> None:
        for content, progress in ((HEADER, interrupt), (failing(kind(), HEADER), None)):
            async with asyncio.timeout(10):
                with pytest.raises(kind):
                    await ehlo.asyncio.send(content, url, envelope=TO_BOB, progress=progress)

    with server_of(framing) as server:
        asyncio.run(main(server.url))
        server.wait_until_idle()
    assert server.messages == ()


@EACH_FRAMING
@pytest.mark.parametrize("closes", [True, False])
def test_421_while_async_content_is_not_ready(framing: str, closes: bool) -> None:
    """Nobody waits for content that nobody will take; and its source can tidy up."""
    closed: list[bool] = []

    async def content(server: Server) -> AsyncIterator[bytes]:
        try:
            yield LARGE  # a chunk, where it is sent by BDAT
            server.release("go")
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def main(server: Server) -> ehlo.SMTPError:
        source = content(server)
        async with asyncio.timeout(10):
            with pytest.raises(ehlo.SMTPError) as caught:
                await ehlo.asyncio.send(source, server.url, envelope=TO_BOB)
        return caught.value

    last = (Wait("go"), BYE, *[Close()] * closes)
    with server_of(framing, {"DATA": (Usual(), *last), "BDAT": last}) as server:
        error = asyncio.run(main(server))
        server.wait_until_idle()
    # To a chunk it is the reply; in the midst of DATA no reply is due.
    assert type(error) is (ehlo.ContentRefused if framing == "BDAT" else ehlo.ConnectionLost)
    assert error.reply == BYE
    assert error.retry_safe
    assert error.phase is Phase.CONTENT
    assert closed == [True]
    assert server.messages == ()


def closing(last_words: tuple[Any, ...], at: str) -> Callable[..., Answer | None]:
    """Close the first connection, in answer to one command."""

    def answers(command: ReceivedCommand, _: Situation) -> Answer | None:
        is_it = command.line.startswith(at) or command.verb == at
        return (*last_words, Close()) if is_it and command.connection == 1 else None

    return answers


CLOSINGS: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "421 to MAIL": ((BYE,), "MAIL"),
    "421 to RCPT": ((BYE,), "RCPT"),
    "421 to BDAT": ((BYE,), "BDAT LAST"),
    "behind 250": ((Usual(),), "BDAT LAST"),
    "behind 250, with 421": ((Usual(), BYE), "BDAT LAST"),
    "in place of 250": ((), "BDAT LAST"),
}


@EACH_LEVEL
@pytest.mark.parametrize("case", CLOSINGS)
@pytest.mark.parametrize("slow", [True, False])
def test_the_connection_goes_while_the_source_is_not_ready(
    monkeypatch: pytest.MonkeyPatch, level: str, case: str, slow: bool
) -> None:
    """The rest goes over another one, nothing of the source is lost, and nobody spins meanwhile."""
    steps = 0
    step = ehlo.dialogues.Batch.step

    def counted(batch: Any) -> Any:
        nonlocal steps
        steps += 1
        return step(batch)

    monkeypatch.setattr(ehlo.dialogues.Batch, "step", counted)

    async def main(server: Server) -> list[Outcome]:
        told: list[Outcome] = []
        gone = asyncio.Event()

        async def source() -> AsyncIterator[Any]:
            yield numbered(0)
            await gone.wait()
            await asyncio.to_thread(server.wait_until_idle)  # however long it takes to close
            for _ in range(200):
                await asyncio.sleep(0)  # a batch that spins has many turns meanwhile
            yield numbered(1)
            yield numbered(2)

        batch = ehlo.asyncio.send_many(source(), server.url, pipelining=level)
        async with asyncio.timeout(10), aclosing(batch):
            async for result in batch:
                told.append(result.outcome)
                if slow and result.index == 0:
                    await asyncio.to_thread(server.wait_until_idle)
                gone.set()
        return told

    with server_of("BDAT", closing(*CLOSINGS[case])) as server:
        first, *others = asyncio.run(main(server))
        assert server.connections == 2
    refused = Outcome.UNKNOWN if case.startswith("in place") else Outcome.REFUSED
    assert first is (Outcome.ACCEPTED if case.startswith("behind") else refused)
    assert others == [Outcome.ACCEPTED] * 2
    assert steps < 20


def riding(greeting: Answer | None) -> Callable[..., Answer | None]:
    """Close the first connection in answer to a message that rode; greet others in some way."""

    def answers(command: ReceivedCommand, _: Situation) -> Answer | None:
        if command.connection > 1:
            return greeting if command.verb is Verb.GREETING else None
        if command.line == "MAIL FROM:<second@example.org>":
            return BYE, Close()
        return (Wait("go"), Usual()) if command.verb is Verb.BDAT_LAST else None

    return answers


@pytest.mark.parametrize("can_go_on", [True, False])
def test_what_rode_goes_over_another_connection_while_the_source_is_not_ready(
    can_go_on: bool,
) -> None:
    """What is being fetched from the source then is fetched for the next connection.

    Where none can be had it is cancelled, so that the source can tidy up.
    """
    closed: list[bool] = []

    async def main(server: Server) -> list[Outcome]:
        told: list[Outcome] = []
        again = asyncio.Event()

        async def source() -> AsyncIterator[Any]:
            try:
                yield numbered(0)
                yield numbered(1)[0], ehlo.Envelope("second@example.org", "bob@example.com")
                server.release("go")
                await again.wait()
                yield numbered(2)
            finally:
                closed.append(True)

        batch = ehlo.asyncio.send_many(source(), server.url, pipelining="continuous")
        async with asyncio.timeout(10), aclosing(batch):
            with pytest.raises(ehlo.GreetingRefused) if not can_go_on else nullcontext():
                async for result in batch:
                    told.append(result.outcome)
                    if result.index == 1:
                        again.set()
        return told

    with server_of("BDAT", riding(None if can_go_on else (NO, Close()))) as server:
        outcomes = asyncio.run(main(server))
        assert server.connections == 2
    rest = [Outcome.ACCEPTED] * 2 if can_go_on else [Outcome.NOT_SENT]
    assert outcomes == [Outcome.ACCEPTED, *rest]
    assert closed == [True]


@EACH_FRAMING
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_the_program_ends_it(framing: str, kind: type[BaseException]) -> None:
    def interrupt(_sent: int, _total: int | None) -> None:
        raise kind

    async def main(url: str) -> None:
        await ehlo.asyncio.send(LARGE, url, envelope=TO_BOB, progress=interrupt)

    with server_of(framing) as server:
        with pytest.raises(kind):
            asyncio.run(main(server.url))
        server.wait_until_idle()
    assert server.messages == ()


@EACH_LEVEL
def test_a_reply_that_is_due_keeps_its_deadline(level: str) -> None:
    """However long the source takes for the next message: that is another matter."""

    async def source() -> AsyncIterator[Any]:
        yield numbered(0)
        await asyncio.Event().wait()

    async def main(url: str) -> ehlo.Result:
        timeouts = ehlo.Timeouts(end_of_content=0.05)
        async with (
            asyncio.timeout(10),
            ehlo.asyncio.connect(url, pipelining=level, timeouts=timeouts) as session,
            aclosing(session.send_many(source())) as results,
        ):
            return await anext(results)

    with server_of("BDAT", {"BDAT LAST": Silence()}) as server:
        result = asyncio.run(main(server.url))
    assert result.outcome is Outcome.UNKNOWN
    assert isinstance(result.error, ehlo.DeliveryUnknown)
