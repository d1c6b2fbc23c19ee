"""What the drivers that need an event loop share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.loads import Job

_T = TypeVar("_T")


def shares(connections: Sequence[_T], count: int) -> Iterator[tuple[_T, int]]:
    """Divide messages among connections."""
    share, rest = divmod(count, len(connections))
    for number, connection in enumerate(connections):
        mine = share + (number < rest)
        if mine:
            yield connection, mine


class LoopDriver:
    """Runs coroutines on a loop of its own; subclasses say what happens there.

    Attributes:
        job: What to do.
        loop_factory: Makes the loop; None for the usual one. Set it before `open`.
    """

    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def __init__(self, job: Job) -> None:
        self.job = job

    def open(self) -> None:
        self._runner = asyncio.Runner(loop_factory=self.loop_factory)
        self._runner.run(self.start())

    def run(self, count: int) -> None:
        self._runner.run(self.send(count))

    def close(self) -> None:
        self._runner.run(self.stop())
        self._runner.close()

    async def start(self) -> None:
        raise NotImplementedError

    async def send(self, count: int) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError
