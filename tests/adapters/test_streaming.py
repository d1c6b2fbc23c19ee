"""Content that is read while it is sent, and very many recipients, in both adapters."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from typing_extensions import override

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Outcome, Phase
from ehlo.testing import Keep, Server, ServerOptions
from support.colours import Asyncio, Colour
from support.tls import client_context, server_context

BASIC: Final = ("PIPELINING", "SIZE 100000000", "ENHANCEDSTATUSCODES")
FRAMINGS: Final = {
    "DATA": (*BASIC, "8BITMIME"),
    "BDAT": (*BASIC, "8BITMIME", "CHUNKING"),
}
SEVEN_BIT: Final = {"DATA": BASIC, "BDAT": (*BASIC, "CHUNKING")}
TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
HEADER: Final = b"Subject: a stream\r\nMessage-ID: <1@example.org>\r\n\r\n"
LINES: Final = b"".join(b".line %d of many, and a few words more\r\n" % n for n in range(20_000))
LARGE: Final = HEADER + LINES
"""Several pieces of every kind."""


pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def refused_at_once(adapter: Colour, source: Any) -> None:
    """An async iterable is for `ehlo.asyncio` alone, and that is said before anything is sent."""
    with Server() as server, adapter.connect(server.url) as session:
        with pytest.raises(TypeError, match=r"ehlo\.asyncio alone"):
            session.send(source, envelope=TO_BOB)
        assert session.is_idle
        assert [command.verb for command in server.commands] == ["EHLO"]


# -- Sources of every kind -----------------------------------------------------------------------


class Pipe:
    """A file that cannot be read twice."""

    def __init__(self, octets: bytes) -> None:
        self._file = io.BytesIO(octets)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 10_000))


async def asynchronous(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


SOURCES: Final[dict[str, Callable[[], Any]]] = {
    "file": lambda: io.BytesIO(LARGE),
    "pipe": lambda: Pipe(LARGE),
    "list": lambda: cut(LARGE, 100_000),
    "small pieces": lambda: iter(cut(LARGE, 777)),
    "one piece": lambda: iter([LARGE]),
    "bytearrays": lambda: map(bytearray, cut(LARGE, 50_000)),
    "views": lambda: map(memoryview, cut(LARGE, 50_000)),
    "empty pieces": lambda: iter([b"", LARGE[:10], b"", LARGE[10:], b""]),
    "async": lambda: asynchronous(cut(LARGE, 60_000)),
    "async, small": lambda: asynchronous(cut(LARGE, 1500)),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source(adapter: Colour, kind: str, framing: str) -> None:
    if kind.startswith("async") and not isinstance(adapter, Asyncio):
        refused_at_once(adapter, SOURCES[kind]())
        return
    options = ServerOptions(capabilities=FRAMINGS[framing])
    with Server(options) as server, adapter.connect(server.url) as session:
        receipt = session.send(SOURCES[kind](), envelope=TO_BOB)
        assert session.is_idle
        [message] = server.messages
    assert message.content == LARGE
    assert message.via == framing
    assert receipt.queue_id == message.queue_id


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_chunks_in_lock_step(adapter: Colour, level: str) -> None:
    """Without PIPELINING, or where it is switched off, each chunk waits for the reply before it."""
    keywords = [word for word in FRAMINGS["BDAT"] if word != "PIPELINING" or level == "none"]
    with Server(ServerOptions(capabilities=tuple(keywords))) as server:
        source = iter(cut(LARGE, 100_000))
        adapter.send(source, server.url, envelope=TO_BOB, pipelining=level)
        [message] = server.messages
        assert len(message.chunks) > 2
        # EHLO, MAIL, RCPT, and the chunks
        assert server.flights >= 3 + len(message.chunks)
    assert message.content == LARGE


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_file_on_disk_from_where_it_stands(adapter: Colour, tmp_path: Path, framing: str) -> None:
    path = tmp_path / "message"
    path.write_bytes(b"something before it\r\n" + LARGE)
    options = ServerOptions(capabilities=FRAMINGS[framing])
    with Server(options) as server, path.open("rb") as file:
        file.readline()
        receipt = adapter.send(file, server.url, envelope=TO_BOB)
        [message] = server.messages
    assert message.content == LARGE
    assert receipt.message_id == "<1@example.org>"
    assert message.parameters["SIZE"] == str(len(LARGE))


@pytest.mark.parametrize("framing", FRAMINGS)
def test_line_ends_are_seen_to_wherever_pieces_are_cut(adapter: Colour, framing: str) -> None:
    mixed = b"Subject: x\n\r\n.dot\r..\n.\r\n\n\r\rend"
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        adapter.send(iter(cut(mixed, 1)), server.url, envelope=TO_BOB)
        adapter.send(io.BytesIO(mixed), server.url, envelope=TO_BOB)
        adapter.send(mixed, server.url, envelope=TO_BOB)
        first, *others = [message.content for message in server.messages]
    assert first == b"Subject: x\r\n\r\n.dot\r\n..\r\n.\r\n\r\n\r\n\r\nend\r\n"
    assert others == [first, first]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("source", [[], [b""], [b"", b""]], ids=["none", "one", "two"])
def test_an_empty_stream(adapter: Colour, framing: str, source: list[bytes]) -> None:
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        assert adapter.send(iter(source), server.url, envelope=TO_BOB).accepted
        [message] = server.messages
    assert message.content == b""


def test_what_is_no_octets(adapter: Colour, tmp_path: Path) -> None:
    path = tmp_path / "message"
    path.write_bytes(HEADER)
    with Server() as server, adapter.connect(server.url) as session:
        with path.open(encoding="ascii") as text, pytest.raises(TypeError, match="binary mode"):
            session.send(text, envelope=TO_BOB)
        with pytest.raises(TypeError, match="encode it"):
            session.send("a text", envelope=TO_BOB)
        with pytest.raises(TypeError, match="not int"):
            session.send(5, envelope=TO_BOB)
        assert session.is_idle
        assert not [command for command in server.commands if command.verb == "MAIL"]
    assert server.messages == ()


@pytest.mark.parametrize("framing", FRAMINGS)
def test_pieces_that_are_no_octets(adapter: Colour, framing: str) -> None:
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        with pytest.raises(TypeError, match="not of str"):
            adapter.send(iter([HEADER, "text"]), server.url, envelope=TO_BOB)
        server.wait_until_idle()
    assert server.messages == ()


def test_an_async_source_is_for_asyncio_alone() -> None:
    with Server() as server, ehlo.blocking.connect(server.url) as session:
        source: Any = asynchronous([HEADER])
        with pytest.raises(TypeError, match=r"ehlo\.asyncio alone"):
            session.send(source, envelope=TO_BOB)
    assert server.messages == ()


# -- Content that raises, and content that cannot be sent ----------------------------------------


class Broken(Exception):
    """What a source may raise."""


def failing(pieces: list[bytes]) -> Iterator[bytes]:
    yield from pieces
    raise Broken("midway")


async def failing_asynchronously(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    await asyncio.sleep(0)
    raise Broken("midway")


PIECES_BEFORE: Final = {"nothing": [], "a little": [HEADER], "much": cut(LARGE, 100_000)}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("before", PIECES_BEFORE)
@pytest.mark.parametrize("make", [failing, failing_asynchronously], ids=["sync", "async"])
def test_a_source_that_raises(adapter: Colour, framing: str, before: str, make: Any) -> None:
    """Nothing of it may look like a message; where that can be had, the session goes on."""
    if make is failing_asynchronously and not isinstance(adapter, Asyncio):
        refused_at_once(adapter, make(PIECES_BEFORE[before]))
        return
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(Broken, match="midway"):
                session.send(make(PIECES_BEFORE[before]), envelope=TO_BOB)
            assert session.is_idle is (framing == "BDAT")
            if session.is_idle:
                assert session.send(HEADER, envelope=TO_BOB).accepted
        server.wait_until_idle()
    assert [message.content for message in server.messages] == [HEADER] * (framing == "BDAT")


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_a_source_that_raises_among_others(adapter: Colour, framing: str, level: str) -> None:
    """It is the affair of that one message alone."""
    messages = [
        (HEADER, TO_BOB),
        (failing(cut(LARGE, 100_000)), TO_BOB),
        (LARGE, TO_BOB),
        (iter(cut(LARGE, 9_000)), TO_BOB),
    ]
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        results = list(adapter.send_many(messages, server.url, pipelining=level))
        server.wait_until_idle()
    assert [result.outcome for result in results] == [
        Outcome.ACCEPTED,
        Outcome.NOT_SENT,
        Outcome.ACCEPTED,
        Outcome.ACCEPTED,
    ]
    assert isinstance(results[1].error, ehlo.InvalidInput)
    assert isinstance(results[1].error.__cause__, Broken)
    assert [message.content for message in server.messages] == [HEADER, LARGE, LARGE]


BAD: Final[dict[str, tuple[bytes, type[ehlo.SMTPError]]]] = {
    "NUL": (HEADER + b"before\0behind\r\n", ehlo.InvalidInput),
    "a long line": (HEADER + b"x" * 2000 + b"\r\n", ehlo.InvalidInput),
    "8 bit": (HEADER + "Grüße\r\n".encode(), ehlo.CapabilityMissing),
}


@pytest.mark.parametrize("before", [[], cut(LARGE, 100_000)], ids=["at once", "late"])
@pytest.mark.parametrize("framing", SEVEN_BIT)
@pytest.mark.parametrize("what", BAD)
def test_a_stream_that_turns_out_to_be_what_cannot_be_sent(
    adapter: Colour, what: str, framing: str, before: list[bytes]
) -> None:
    octets, kind = BAD[what]
    source = iter([*before, *cut(octets, 700)])
    with Server(ServerOptions(capabilities=SEVEN_BIT[framing])) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(kind) as caught:
                session.send(source, envelope=TO_BOB)
            assert session.is_idle is (framing == "BDAT")
            assert caught.value.connection_usable is (framing == "BDAT")
            if session.is_idle:
                assert session.send(HEADER, envelope=TO_BOB).accepted
        server.wait_until_idle()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.phase is Phase.CONTENT
    assert [message.content for message in server.messages] == [HEADER] * (framing == "BDAT")


@pytest.mark.parametrize("framing", SEVEN_BIT)
@pytest.mark.parametrize("what", BAD)
def test_a_file_that_cannot_be_sent_is_known_beforehand(
    adapter: Colour, what: str, framing: str
) -> None:
    octets, kind = BAD[what]
    with Server(ServerOptions(capabilities=SEVEN_BIT[framing])) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(kind):
                session.send(io.BytesIO(octets), envelope=TO_BOB)
            assert session.is_idle
        assert not [command for command in server.commands if command.verb == "MAIL"]


class Changing(io.BytesIO):
    """A file that is another one when it is read again."""

    def __init__(self, first: bytes, then: bytes) -> None:
        super().__init__(first)
        self._then = then
        self._seeks = 0

    @override
    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._seeks += 1
        if self._seeks == 1:
            super().seek(0)
            self.truncate(0)
            self.write(self._then)
        return super().seek(offset, whence)


SMALL: Final = HEADER + LINES[:1000].rpartition(b"\n")[0] + b"\n"
EDGE: Final = LARGE[: 2 * 131_072 - 2] + b"\r\n"
"""Two pieces that end where a read ends."""
CHANGES: Final = {
    "grows": (LARGE, LARGE + b"more\r\n"),
    "grows at the edge of a piece": (EDGE, EDGE + b"more\r\n"),
    "shrinks": (LARGE, LARGE[: len(LARGE) // 2].rpartition(b"\n")[0] + b"\n"),
    "shrinks at the edge of a piece": (EDGE, EDGE[:131_072]),
    "shrinks to a little": (LARGE, HEADER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_sent(adapter: Colour, change: str) -> None:
    """BDAT has announced how long it is: what is not that long is not sent."""
    first, then = CHANGES[change]
    with Server(ServerOptions(capabilities=FRAMINGS["BDAT"])) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(ehlo.InvalidInput, match="changed") as caught:
                session.send(Changing(first, then), envelope=TO_BOB)
            assert not session.is_idle
        server.wait_until_idle()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert not caught.value.connection_usable
    assert server.messages == ()


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_by_data(adapter: Colour, change: str) -> None:
    """SIZE was an estimate (RFC 1870 section 3), so it goes as it is by then."""
    first, then = CHANGES[change]
    with Server(ServerOptions(capabilities=FRAMINGS["DATA"])) as server:
        assert adapter.send(Changing(first, then), server.url, envelope=TO_BOB).accepted
    # Where a line was cut, it was ended.
    ended = then if then.endswith(b"\n") else then + b"\r\n"
    assert [message.content for message in server.messages] == [ended]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("then", [SMALL + b"more\r\n", HEADER], ids=["grows", "shrinks"])
def test_a_small_file_is_sent_as_it_was_found(adapter: Colour, framing: str, then: bytes) -> None:
    """It was read through once, and what was read is kept."""
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        assert adapter.send(Changing(SMALL, then), server.url, envelope=TO_BOB).accepted
    assert [message.content for message in server.messages] == [SMALL]


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_behind_others(adapter: Colour, change: str) -> None:
    """At continuous level it takes the connection along, and the others' outcomes are honest."""
    messages = [
        (HEADER, TO_BOB),
        (SMALL, TO_BOB),
        (Changing(*CHANGES[change]), TO_BOB),
        (LARGE, TO_BOB),
    ]
    with Server(ServerOptions(capabilities=FRAMINGS["BDAT"])) as server:
        results = list(adapter.send_many(messages, server.url, pipelining="continuous"))
        server.wait_until_idle()
    outcomes = [result.outcome for result in results]
    assert isinstance(results[2].error, ehlo.InvalidInput)
    assert outcomes[3] is Outcome.ACCEPTED
    kept = [message.content for message in server.messages]
    for result, content in zip(results[:2], (HEADER, SMALL), strict=True):
        count = kept.count(content)
        assert count <= 1
        assert result.outcome is Outcome.UNKNOWN or count == (result.outcome is Outcome.ACCEPTED)


# -- Progress ------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("kind", ["file", "pipe", "octets"])
def test_progress_is_told(adapter: Colour, framing: str, kind: str) -> None:
    told: list[tuple[int, int | None]] = []
    sources: dict[str, Any] = {"file": io.BytesIO(LARGE), "pipe": Pipe(LARGE), "octets": LARGE}
    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        adapter.send(
            sources[kind],
            server.url,
            envelope=TO_BOB,
            progress=lambda sent, total: told.append((sent, total)),
        )
    sent = [octets for octets, _ in told]
    assert sent == sorted(set(sent))
    assert len(sent) > 3
    assert sent[-1] == len(LARGE)
    assert {total for _, total in told} == {None if kind == "pipe" else len(LARGE)}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("at", ["the first piece", "the end"])
@pytest.mark.parametrize("content", [HEADER, LARGE], ids=["small", "large"])
def test_a_progress_callback_that_raises(
    adapter: Colour, framing: str, at: str, content: bytes
) -> None:
    """Who hears of an error must not find later that the message was sent all the same."""

    def progress(sent: int, total: int | None) -> None:
        if at == "the first piece" or sent == total:
            raise Broken(at)

    with Server(ServerOptions(capabilities=FRAMINGS[framing])) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(Broken):
                session.send(content, envelope=TO_BOB, progress=progress)
        server.wait_until_idle()
    assert server.messages == ()


# -- A reply in the middle of the content --------------------------------------------------------


class Impatient(threading.Thread):
    """A server that says something in the middle of the content.

    It speaks over TLS if it has a context, and its buffers are small.

    Attributes:
        said: Set when it has spoken.
        over: To be set when it may hang up.
    """

    def __init__(
        self, framing: str, says: bytes, then: str, context: ssl.SSLContext | None
    ) -> None:
        super().__init__()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        scheme = "smtp" if context is None else "smtps"
        self.url = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        self.said = threading.Event()
        self.over = threading.Event()
        self._is_bdat = framing == "BDAT"
        self._says = says
        self._then = then
        self._context = context

    @override
    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as sock, suppress(OSError):
            sock.settimeout(10)
            if self._context is None:
                self._talk(sock)
            else:
                with self._context.wrap_socket(sock, server_side=True) as secure:
                    self._talk(secure)

    def _talk(self, sock: socket.socket) -> None:
        keywords = ["PIPELINING", "CHUNKING"] if self._is_bdat else []
        hello = ehlo.Reply.of(250, "mx.example.com", *keywords).wire()
        sock.sendall(b"220 mx.example.com\r\n")
        with sock.makefile("rb", buffering=8192) as lines:
            while (line := lines.readline())[:4] not in {b"DATA", b"BDAT"}:
                sock.sendall(hello if line.startswith(b"EHLO") else b"250 ok\r\n")
            if self._is_bdat:
                lines.read(int(line.split()[1]))
            else:
                sock.sendall(b"354 go\r\n")
                lines.read(100_000)
            sock.sendall(self._says)
            self.said.set()
            if self._then == "goes away":
                return
            if self._then == "goes on" and self._is_bdat:
                self._refuse_chunks(sock, lines)
            elif self._then == "goes on":
                while lines.read(8192):
                    pass
            else:
                self.over.wait(10)

    @staticmethod
    def _refuse_chunks(sock: socket.socket, lines: Any) -> None:
        for line in lines:
            if line.startswith(b"BDAT"):
                lines.read(int(line.split()[1]))
                sock.sendall(b"503 5.5.1 RSET first\r\n")
            elif line.startswith(b"QUIT"):
                sock.sendall(b"221 bye\r\n")
                return
            else:
                sock.sendall(b"250 ok\r\n")


@contextmanager
def impatient(
    framing: str, *, says: bytes, then: str, tls: bool
) -> Iterator[tuple[Impatient, dict[str, Any]]]:
    """Run such a server; provide it and the options for its clients."""
    server = Impatient(framing, says, then, server_context() if tls else None)
    server.start()
    try:
        yield server, {"ssl_context": client_context()} if tls else {}
    finally:
        server.over.set()
        server.join()


WITH_TLS: Final = pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])


@WITH_TLS
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_refusal_in_the_middle_is_heard_before_the_rest_is_sent(
    adapter: Colour, framing: str, kind: str, tls: bool
) -> None:
    """Even if the server goes on reading, so that nothing ever holds the client up."""
    if kind == "async" and not isinstance(adapter, Asyncio):
        refused_at_once(adapter, asynchronous([HEADER]))
        return
    asked = 0
    with impatient(framing, says=b"552 5.3.4 Enough\r\n", then="goes on", tls=tls) as (
        server,
        tls_,
    ):

        def given() -> Iterator[bytes]:
            nonlocal asked
            yield HEADER
            for piece in cut(LINES * 20, 140_000):
                asked += 1
                if asked > 2:
                    assert server.said.wait(10)
                yield piece

        async def given_asynchronously() -> AsyncIterator[bytes]:
            for piece in given():
                await asyncio.sleep(0)
                yield piece

        source: Any = given() if kind == "sync" else given_asynchronously()
        with adapter.connect(server.url, **tls_) as session:
            with pytest.raises(ehlo.ContentRefused) as caught:
                session.send(source, envelope=TO_BOB)
            assert session.is_idle is (framing == "BDAT")
    assert caught.value.reply.code == 552
    assert caught.value.outcome is Outcome.REFUSED
    assert caught.value.phase is Phase.CONTENT
    assert asked < 8


@WITH_TLS
def test_a_refusal_while_the_last_piece_is_backed_up(adapter: Colour, tls: bool) -> None:
    """The end of the content is queued by then, and never leaves: refused, not in doubt."""
    content = [HEADER, LINES[:130_000], LINES[:130_000], LINES * 4]
    with impatient("DATA", says=b"552 5.3.4 Enough\r\n", then="waits", tls=tls) as (server, tls_):
        with pytest.raises(ehlo.ContentRefused) as caught:
            adapter.send(iter(content), server.url, envelope=TO_BOB, **tls_)
    assert caught.value.reply.code == 552
    assert caught.value.outcome is Outcome.REFUSED


@WITH_TLS
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("says", [b"", b"421 4.3.2 Shutting down\r\n"], ids=["nothing", "421"])
def test_a_server_that_goes_away_in_the_middle(
    adapter: Colour, tls: bool, framing: str, says: bytes
) -> None:
    content = [HEADER, *cut(LINES * 8, 100_000)]
    with impatient(framing, says=says, then="goes away", tls=tls) as (server, tls_):
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.send(iter(content), server.url, envelope=TO_BOB, **tls_)
    assert caught.value.outcome in {Outcome.NOT_SENT, Outcome.REFUSED}
    assert not caught.value.connection_usable


# -- Very many recipients through very small buffers ---------------------------------------------

RECIPIENTS: Final = 20_000


class Small(threading.Thread):
    """A server with small buffers that answers each command, and blocks where that blocks."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.listener = socket.socket()
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.listener.setsockopt(socket.SOL_SOCKET, buffer, 8192)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.host, self.port = self.listener.getsockname()
        self.recipients: list[bytes] = []
        self.content = bytearray()
        self._context = context

    @override
    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as sock:
            sock.settimeout(20)
            if self._context is None:
                self._talk(sock)
            else:
                with self._context.wrap_socket(sock, server_side=True) as secure:
                    self._talk(secure)

    def _talk(self, sock: socket.socket) -> None:
        sock.sendall(b"220 small\r\n")
        with sock.makefile("rb", buffering=8192) as lines:
            for line in lines:
                verb = line[:4]
                if verb == b"EHLO":
                    sock.sendall(b"250-small\r\n250 PIPELINING\r\n")
                elif verb == b"DATA":
                    sock.sendall(b"354 go\r\n")
                    while (line := lines.readline()) != b".\r\n":
                        self.content += line
                    sock.sendall(b"250 taken\r\n")
                elif verb == b"QUIT":
                    sock.sendall(b"221 bye\r\n")
                    return
                else:
                    if verb == b"RCPT":
                        self.recipients.append(line[8:].strip())
                    sock.sendall(b"250 2.1.5 ok, and some words to fill the buffers with\r\n")


@contextmanager
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every socket that is made meanwhile small buffers."""

    class SmallSocket(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                with suppress(OSError):
                    self.setsockopt(socket.SOL_SOCKET, buffer, 8192)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", SmallSocket)
        yield


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_very_many_recipients_through_small_buffers(
    adapter: Colour, monkeypatch: pytest.MonkeyPatch, level: str, tls: bool
) -> None:
    """Two peers that both only write would wait for each other for ever."""
    recipients = [f"recipient-number-{number}@example.com" for number in range(RECIPIENTS)]
    envelope = ehlo.Envelope("ada@example.org", recipients)
    options: dict[str, Any] = {"ssl_context": client_context()} if tls else {}
    server = Small(server_context() if tls else None)
    server.start()
    try:
        with small_buffers(monkeypatch):
            url = f"{'smtps' if tls else 'smtp'}://{server.host}:{server.port}"
            receipt = adapter.send(HEADER, url, envelope=envelope, pipelining=level, **options)
    finally:
        server.join()
    assert len(receipt.accepted) == RECIPIENTS
    assert server.recipients == [f"<{address}>".encode() for address in recipients]
    assert bytes(server.content) == HEADER


# -- Large streams -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_stream_of_many_pieces(adapter: Colour, framing: str, tls: bool) -> None:
    """Async pieces that come as the replies to chunks do: neither may be missed."""
    pieces = [HEADER, *cut(LINES * 40, 65_536)]
    octets = sum(map(len, pieces))
    options = ServerOptions(capabilities=FRAMINGS[framing], keep=Keep.DIGEST)
    context = server_context() if tls else None
    with Server(options, ssl_context=context) as server:
        choices = {"ssl_context": client_context()} if tls else {}
        source = asynchronous(pieces) if isinstance(adapter, Asyncio) else iter(pieces)
        adapter.send(source, server.url, envelope=TO_BOB, **choices)
        [message] = server.messages
    assert message.length == octets


def test_a_pipe_of_the_system(adapter: Colour) -> None:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(LARGE)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as file, Server() as server:
        adapter.send(file, server.url, envelope=TO_BOB)
        [message] = server.messages
    thread.join()
    assert message.content == LARGE
