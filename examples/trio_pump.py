"""A pump for trio, written against the contract in `docs/explanation/dialogues-and-pumps.md`.

Run it with a server's URL: `python trio_pump.py smtp+starttls://localhost:2525`.
"""

from __future__ import annotations

import math
import ssl
import sys
from typing import TYPE_CHECKING, TypeVar

import trio

import ehlo
from ehlo.dialogues import Dialogue, Flush, Need, Receive, UpgradeTls

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

T = TypeVar("T")
PIECE = 65_536


class Pump:
    """Runs dialogues on a trio stream, one at a time."""

    def __init__(
        self, stream: trio.abc.Stream, host: str, context: ssl.SSLContext, timeouts: ehlo.Timeouts
    ) -> None:
        self.connection = ehlo.Connection()
        self._stream = stream
        self._host = host
        self._context = context
        self._timeouts = timeouts
        self._busy = False

    async def run(self, dialogue: Dialogue[T]) -> T:
        """Run one dialogue to its end."""
        if self._busy:
            raise ehlo.LocalProtocolError("another dialogue is under way")
        self._busy = True
        try:
            await self._read_ahead()
            return await self._drive(dialogue)
        except ehlo.SMTPError as error:
            error.connection_usable = self.connection.is_in_step
            raise
        except BaseException:  # cancelled, for example
            self.connection.abandon("the session was abandoned")
            raise
        finally:
            self._busy = False
            dialogue.close()
            if not self.connection.is_settled:
                self.connection.abandon("the session is out of step")
                await trio.aclose_forcefully(self._stream)

    async def _drive(self, dialogue: Dialogue[T]) -> T:
        try:
            need = next(dialogue)
            while True:
                try:
                    await self._meet(need)
                except (ehlo.ConnectionLost, ehlo.TlsFailed) as trouble:
                    need = dialogue.throw(trouble)
                else:
                    need = next(dialogue)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _meet(self, need: Need) -> None:
        match need:
            case Flush(phase):
                await self._flush(phase)
            case Receive(phase):
                await self._flush(phase)
                with trio.move_on_after(self._seconds(phase)) as deadline:
                    while self.connection.needs_data:
                        await self._read()
                if deadline.cancelled_caught:
                    raise ehlo.Timeout(f"no answer while {phase.phrase}", phase=phase)
            case UpgradeTls():
                await self._handshake()

    async def _flush(self, phase: ehlo.Phase) -> None:
        """Write, and read meanwhile: two peers that both only write would wait for ever."""
        octets = b"".join(self.connection.data_to_send())
        if not octets:
            return
        # What it is if the listener sees the end of the stream first, and ends the writing.
        message = f"the connection was lost while {phase.phrase}"
        trouble: ehlo.ConnectionLost | None = ehlo.ConnectionLost(message, phase=phase)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, phase, nursery.cancel_scope)
            trouble = await self._write(octets, phase)
            nursery.cancel_scope.cancel()
        refused_early = phase is ehlo.Phase.CONTENT and not self.connection.needs_data
        if trouble is not None and not refused_early:
            raise trouble

    async def _write(self, octets: bytes, phase: ehlo.Phase) -> ehlo.ConnectionLost | None:
        """Write; it is progress that is timed. A write that fails leaves a last look to read."""
        for start in range(0, len(octets), PIECE):
            with trio.move_on_after(self._seconds(phase)) as deadline:
                try:
                    await self._stream.send_all(octets[start : start + PIECE])
                except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                    with trio.move_on_after(0.1):
                        await trio.sleep_forever()  # the listener takes in the last words
                    return ehlo.ConnectionLost(f"while {phase.phrase}: {exc}", phase=phase)
            if deadline.cancelled_caught:
                return ehlo.Timeout(f"nothing was taken while {phase.phrase}", phase=phase)
        return None

    async def _listen(self, phase: ehlo.Phase, scope: trio.CancelScope) -> None:
        while await self._read():
            if phase is ehlo.Phase.CONTENT and not self.connection.needs_data:
                break
        scope.cancel()

    async def _read(self) -> bool:
        """Read once; return whether the stream goes on."""
        try:
            octets = await self._stream.receive_some(PIECE)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            octets = b""
        if octets:
            self.connection.receive_data(octets)
        else:
            self.connection.receive_eof()
        return bool(octets)

    async def _read_ahead(self) -> None:
        """Take in what the server said while nobody was looking."""
        if self.connection.is_settled:
            with trio.move_on_after(0):
                await self._read()

    async def _handshake(self) -> None:
        stream = trio.SSLStream(
            self._stream, self._context, server_hostname=self._host, https_compatible=True
        )
        try:
            with trio.fail_after(self._seconds(ehlo.Phase.TLS)):
                await stream.do_handshake()
        except (trio.BrokenResourceError, trio.TooSlowError) as exc:
            raise ehlo.TlsFailed(f"the TLS handshake failed: {exc.__cause__ or exc}") from exc
        self._stream = stream

    def _seconds(self, phase: ehlo.Phase) -> float:
        seconds = self._timeouts.of(phase)
        return math.inf if seconds is None else seconds

    async def __aenter__(self) -> Self:
        """Return the pump itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stream."""
        self.connection.abandon("the client closed the connection")
        await trio.aclose_forcefully(self._stream)


async def send(content: bytes, envelope: ehlo.Envelope, url: str) -> ehlo.Receipt:
    """Send the octets of one message."""
    endpoint = ehlo.Endpoint.from_url(url)
    stream = await trio.open_tcp_stream(endpoint.host, endpoint.port)
    context = ssl.create_default_context()
    async with Pump(stream, endpoint.host, context, ehlo.Timeouts()) as pump:
        opening = ehlo.dialogues.Opening(name="client.example.org", tls=endpoint.tls)
        await pump.run(ehlo.dialogues.open_session(pump.connection, opening))
        transaction = ehlo.dialogues.Transaction(envelope=envelope, content=content)
        receipt = await pump.run(ehlo.dialogues.deliver(pump.connection, transaction))
        await pump.run(ehlo.dialogues.quit_session(pump.connection))
        return receipt


def main(url: str) -> None:
    """Send one mail."""
    content = b"From: ada@example.org\r\nTo: bob@example.com\r\nSubject: trio\r\n\r\nHello.\r\n"
    envelope = ehlo.Envelope("ada@example.org", ["bob@example.com"])
    receipt = trio.run(send, content, envelope, url)
    print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(sys.argv[1])
