"""A proxy on the loopback interface that kills, resets and stalls connections, by a fixed seed."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Final, NamedTuple, Self

_PIECE: Final = 4096
_RESET: Final = struct.pack("ii", 1, 0)


class Fault(Enum):
    """What happens to a connection in the end."""

    NONE = "nothing"
    KILL = "both sides are closed in good order"
    RESET = "both sides get a reset"
    STALL = "nothing goes through any more, until the client gives up"


class Fate(NamedTuple):
    """What happens to one connection.

    Attributes:
        fault: What.
        towards_server: Whether it is counted what the client sends, and not what the server does.
        octets: Behind how many octets it happens.
    """

    fault: Fault
    towards_server: bool
    octets: int

    @classmethod
    def of(cls, seed: int, number: int, reach: int = 1) -> Fate:
        """Return the fate of a connection: the same for the same seed and number.

        Args:
            seed: Decides about all of them.
            number: The connection's.
            reach: How many times as many octets go through as usual.
        """
        dice = random.Random(f"{seed} {number}")  # noqa: S311 - it has to be repeatable
        fault = dice.choice([Fault.NONE, Fault.KILL, Fault.KILL, Fault.RESET, Fault.RESET])
        if dice.random() < 0.1:
            fault = Fault.STALL
        towards_server = dice.random() < 0.5
        most = reach * (20_000 if towards_server else 6_000)
        # A few are over before they have begun.
        octets = dice.randrange(300) if dice.random() < 0.2 else dice.randrange(most)
        return cls(fault, towards_server, octets)


class ChaosProxy:
    """Passes on what comes, until the fate of the connection strikes.

    Args:
        host: Where the server is.
        port: Its port.
        seed: Decides about all connections.
        reach: How many times as many octets go through as usual.

    Attributes:
        port: Where the proxy listens, on 127.0.0.1.
        faults: How often what has happened.
    """

    def __init__(self, host: str, port: int, seed: int, reach: int = 1) -> None:
        self._server = (host, port)
        self._seed = seed
        self._reach = reach
        self._number = 0
        self.faults: Counter[Fault] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._listener)
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._number += 1
        fate = Fate.of(self._seed, self._number, self._reach)
        ours: asyncio.StreamWriter | None = None
        try:
            theirs, ours = await asyncio.open_connection(*self._server)
            limits = {True: fate.octets, False: fate.octets}
            limits[not fate.towards_server] = -1
            if fate.fault is Fault.NONE:
                limits = dict.fromkeys(limits, -1)
            up = asyncio.ensure_future(_pass(reader, ours, limits[True]))
            down = asyncio.ensure_future(_pass(theirs, writer, limits[False]))
            done, pending = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
            if any(task.result() for task in done):
                await self._strike(fate.fault, reader, writer, ours)
        finally:
            for side in (writer, ours):
                if side is not None:
                    with suppress(OSError):
                        side.transport.abort()

    async def _strike(
        self,
        fault: Fault,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ours: asyncio.StreamWriter,
    ) -> None:
        self.faults[fault] += 1
        if fault is Fault.STALL:
            with suppress(OSError):
                while await reader.read(_PIECE):
                    pass
        for side in (writer, ours):
            if fault is Fault.RESET:
                sock = side.get_extra_info("socket")
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                with suppress(OSError):
                    side.close()
                    await side.wait_closed()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> bool:
    """Pass on octets; return True at the limit, and False at the end."""
    passed = 0
    with suppress(OSError):
        while data := await reader.read(_PIECE):
            if 0 <= limit <= passed + len(data):
                writer.write(data[: limit - passed])
                await writer.drain()
                return True
            passed += len(data)
            writer.write(data)
            await writer.drain()
    return False
