"""A pump for trio: the dialogues of `ehlo`, TLS and all, on another event loop.

The contract is in `docs/explanation/dialogues-and-pumps.md`; `ehlo.runtime` holds the parts that
all pumps share. Run it with a server's URL: `python trio_pump.py smtp+starttls://localhost:2525`.
"""

from __future__ import annotations

import math
import sys
from contextlib import suppress
from typing import TypeVar

import trio

import ehlo
from ehlo import Sendable
from ehlo.dialogues import Dialogue, Fetch, Flush, Need, UpgradeTls
from ehlo.runtime import Link, Settings, Turn, lost, timed_out, told

T = TypeVar("T")


class Pump:
    """Runs dialogues on a trio stream, one at a time."""

    def __init__(self, stream: trio.SocketStream, link: Link, timeouts: ehlo.Timeouts) -> None:
        self._stream, self._link, self._timeouts = stream, link, timeouts
        self._turn = Turn(link)

    async def run(self, dialogue: Dialogue[T]) -> T:
        """Run one dialogue to its end; whatever goes wrong is settled by `Turn`."""
        with self._turn:
            try:
                need = next(dialogue)
                while True:
                    trouble = await self._meet(need)
                    if trouble is None:
                        need = next(dialogue)
                    else:
                        need = dialogue.throw(told(trouble, need.phase, self._link.connection))
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def _meet(self, need: Need) -> ehlo.SMTPError | None:
        """Meet one need within its deadline; return what went wrong."""
        phase = need.awaited if isinstance(need, Fetch) else need.phase  # a source may be slow
        seconds = None if phase is None else self._timeouts.of(phase)
        with trio.move_on_after(math.inf if seconds is None else seconds):
            try:
                if isinstance(need, UpgradeTls):
                    self._link.start_tls()
                await self._flush()
                if isinstance(need, Fetch) and not need.source.is_ready:
                    await need.source.fetch()
                while not self._is_met(need):
                    await self._read()
                    await self._flush()
            except (ehlo.ConnectionLost, ehlo.TlsFailed) as trouble:
                return trouble
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                return lost(need.phase, exc)
            return None
        return timed_out(need.phase, seconds or 0)

    def _is_met(self, need: Need) -> bool:
        if isinstance(need, UpgradeTls):
            return not self._link.is_handshaking
        return isinstance(need, Flush | Fetch) or not self._link.connection.needs_data

    async def _flush(self) -> None:
        """Write; read meanwhile, because two peers that only write wait for ever."""
        while self._link.collect():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_on)
                failure = await self._write()
                nursery.cancel_scope.cancel()
            if failure is not None:
                raise failure

    async def _write(self) -> Exception | None:
        octets = bytes(self._link.unsent)
        left = len(octets) - 1  # if it fails: the last octet is all that certainly has not left
        try:
            await self._stream.send_all(octets)
            left += 1
        except trio.BrokenResourceError as exc:
            return exc
        finally:
            del self._link.unsent[:left]
        return None

    async def _read_on(self) -> None:
        with suppress(trio.BrokenResourceError, ehlo.ConnectionLost, ehlo.TlsFailed):
            while await self._read():
                pass

    async def _read(self) -> bool:
        octets = await self._stream.receive_some()
        self._link.receive(octets)
        return bool(octets)


async def send(content: Sendable, envelope: ehlo.Envelope, url: str) -> ehlo.Receipt:
    """Send the octets of one message: in memory, from a file, or from a trio async generator."""
    settings = Settings.of(url, {})
    link = settings.link(trio.current_time)
    endpoint, connection = settings.endpoint, link.connection
    async with await trio.open_tcp_stream(endpoint.host, endpoint.port) as stream:
        pump = Pump(stream, link, settings.timeouts)
        opening = settings.opening(stream.socket.getsockname())
        await pump.run(ehlo.dialogues.open_session(connection, opening))
        transaction = settings.transaction(content, envelope, "abort")
        receipt = await pump.run(ehlo.dialogues.deliver(connection, transaction))
        await pump.run(ehlo.dialogues.quit_session(connection))
        return receipt


def main(url: str) -> None:
    """Send one mail."""
    content = b"From: ada@example.org\r\nTo: bob@example.com\r\nSubject: trio\r\n\r\nHello.\r\n"
    envelope = ehlo.Envelope("ada@example.org", ["bob@example.com"])
    receipt = trio.run(send, content, envelope, url)
    print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(sys.argv[1])
