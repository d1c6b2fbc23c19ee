"""Messages whose attachments are read while they are sent, in both adapters."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import ehlo
from ehlo import Attachment, InvalidInput, Message, Outcome
from ehlo.testing import ReceivedMessage, Server, ServerOptions
from support.colours import Asyncio, Colour

pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")

OFFERS: Final = {
    "DATA": ("PIPELINING", "SIZE 100000000", "8BITMIME"),
    "BDAT": ("PIPELINING", "SIZE 100000000", "8BITMIME", "CHUNKING"),
    "BINARYMIME": ("PIPELINING", "SIZE 100000000", "8BITMIME", "CHUNKING", "BINARYMIME"),
}
FILE: Final = bytes(range(256)) * 2000  # several blocks, and part of another one


class Pipe:
    def __init__(self) -> None:
        self._file = io.BytesIO(FILE)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 10_000))


class Again:
    def __aiter__(self) -> AsyncIterator[bytes]:
        return asynchronous()


async def asynchronous() -> AsyncIterator[bytes]:
    for at in range(0, len(FILE), 60_000):
        await asyncio.sleep(0)
        yield FILE[at : at + 60_000]


def pieces() -> Iterator[bytes]:
    for at in range(0, len(FILE), 777):
        yield FILE[at : at + 777]


def on_disk(directory: Path) -> Path:
    path = directory / "file.bin"
    path.write_bytes(FILE)
    return path


SOURCES: Final[dict[str, Callable[[Path], Any]]] = {
    "octets": lambda _: FILE,
    "path": on_disk,
    "file": lambda _: io.BytesIO(FILE),
    "pipe": lambda _: Pipe(),
    "list": lambda _: [FILE[:5], FILE[5:]],
    "generator": lambda _: pieces(),
    "async": lambda _: asynchronous(),
    "async, again": lambda _: Again(),
}


def message_with(source: Any, **options: Any) -> Message:
    file = Attachment(source, filename="file.bin", **options)
    return Message(
        from_="ada@example.org",
        to="bob@example.com",
        text="Grüße",
        html="<p>Grüße</p>",
        attachments=[file, Attachment(b"small", filename="small.bin")],
        transfer="BINARYMIME",
    )


def check(received: ReceivedMessage) -> None:
    large, small = received.parse().iter_attachments()
    assert large.get_content() == FILE
    assert small.get_content() == b"small"


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_arrives(
    adapter: Colour, kind: str, sized: bool, offer: str, tmp_path: Path
) -> None:
    message = message_with(SOURCES[kind](tmp_path), size=len(FILE) if sized else None)
    options = ServerOptions(capabilities=OFFERS[offer])
    with Server(options) as server, adapter.connect(server.url) as session:
        if kind.startswith("async") and not isinstance(adapter, Asyncio):
            with pytest.raises(TypeError, match=r"ehlo\.asyncio alone"):
                session.send(message)
            assert [command.verb for command in server.commands] == ["EHLO"]
            return
        told: list[tuple[int, int | None]] = []
        receipt = session.send(message, progress=lambda *how_far: told.append(how_far))
        assert session.is_idle
        [received] = server.messages
    check(received)
    assert receipt.message_id is not None
    assert receipt.message_id.encode() in received.content
    is_known = sized or kind in {"octets", "path", "file"}
    assert ("SIZE" in received.parameters) == is_known
    if is_known:
        assert int(received.parameters["SIZE"] or 0) == len(received.content)
        assert told[-1] == (len(received.content), len(received.content))
    assert received.parameters["BODY"] == ("BINARYMIME" if offer == "BINARYMIME" else "8BITMIME")
    assert received.via == ("DATA" if offer == "DATA" else "BDAT")


def test_a_message_that_is_too_large_is_refused_before_it_is_read(
    adapter: Colour, tmp_path: Path
) -> None:  # E2
    options = ServerOptions(capabilities=("SIZE 500000",))
    with Server(options) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.CapabilityMissing, match="the server takes 500000"):
            session.send(message_with(on_disk(tmp_path)))
        assert session.is_idle
        assert [command.verb for command in server.commands] == ["EHLO"]


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_of_another_size_is_never_sent_as_if_it_were_whole(
    adapter: Colour, offer: str, change: int, tmp_path: Path
) -> None:  # H7
    path = on_disk(tmp_path)
    message = message_with(path)
    path.write_bytes(FILE[:change] if change < 0 else FILE + b"x")
    with Server(ServerOptions(capabilities=OFFERS[offer])) as server:
        with pytest.raises(InvalidInput, match="was not sent") as caught:
            adapter.send(message, server.url)
        assert caught.value.outcome is Outcome.NOT_SENT
    assert server.messages == ()


@pytest.mark.parametrize("level", ["none", "transaction", "continuous"])
def test_many_messages_share_a_file_that_is_open(adapter: Colour, level: str) -> None:
    file = io.BytesIO(FILE)
    messages = [message_with(file) for _ in range(5)]
    options = ServerOptions(capabilities=OFFERS["BDAT"])
    with Server(options) as server:
        results = list(adapter.send_many(messages, server.url, pipelining=level))
    assert all(result.receipt for result in results)
    for received in server.messages:
        check(received)
    assert len(server.messages) == 5


def test_what_can_be_read_once_is_sent_once(adapter: Colour) -> None:
    message = message_with(pieces())
    with Server() as server, adapter.connect(server.url) as session:
        session.send(message)
        with pytest.raises(InvalidInput, match="can be read only once, and was"):
            session.send(message)
    check(*server.messages)


def test_more_recipients_than_the_server_takes_need_a_source_that_begins_anew(
    adapter: Colour, tmp_path: Path
) -> None:
    options = ServerOptions(capabilities=(*OFFERS["DATA"], "LIMITS RCPTMAX=1"))
    several = ["bob@example.com", "carol@example.com"]
    with Server(options) as server, adapter.connect(server.url) as session:
        session.send(message_with(on_disk(tmp_path)).replace(to=several))
        with pytest.raises(ehlo.CapabilityMissing, match="can be read only once"):
            session.send(message_with(pieces()).replace(to=several))
        session.noop()
    first, second = server.messages
    assert first.content == second.content
    check(first)
