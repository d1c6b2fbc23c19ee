"""Cancelling at each await in turn, and interrupting at each line: what was begun is undone."""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

import ehlo

_WATCHED = tuple(
    str(Path(ehlo.__file__).parent / name)
    for name in ("pool", "blocking/_client.py", "blocking/_pool.py")
)


class Moment(Enum):
    """When the cancellation comes, seen from the await."""

    BEFORE = "the task is cancelled before it sleeps"
    AFTER = "it sleeps already, and others may have run"


class CancelledAt:
    """Runs a coroutine, and cancels its task at one await.

    Args:
        coroutine: The coroutine.
        turn: At which await, from 1.
        moment: When.

    Attributes:
        has_struck: Whether there were so many awaits.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], turn: int, moment: Moment) -> None:
        self._coroutine = coroutine
        self._turn = turn
        self._moment = moment
        self.has_struck = False

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._coroutine.__await__()
        task = asyncio.current_task()
        assert task is not None
        step: Callable[[], Any] = lambda: next(inner)  # noqa: E731
        while True:
            try:
                future = step()
            except StopIteration as stop:
                return stop.value
            self._turn -= 1
            if self._turn == 0:
                self.has_struck = True
                if self._moment is Moment.BEFORE:
                    task.cancel()
                else:
                    task.get_loop().call_soon(task.cancel)
            try:
                yield future
            except BaseException as error:  # noqa: BLE001 - the coroutine's
                step = _throwing(inner, error)
            else:
                step = lambda: next(inner)  # noqa: E731


def _throwing(inner: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(error)


async def at_every_await(
    make: Callable[[], Any], check: Callable[[Any], Coroutine[Any, Any, None]]
) -> int:
    """Cancel a coroutine at each of its awaits, one run for each.

    Args:
        make: Returns an async context manager, whose value is a coroutine to be cancelled, and
            anything for the check.
        check: Called behind each run.

    Returns:
        How many awaits there were.
    """
    most = 0
    for moment in Moment:
        turn, goes_on = 0, True
        while goes_on:
            turn += 1
            before = asyncio.all_tasks()
            async with make() as (coroutine, context):
                run = CancelledAt(coroutine, turn, moment)
                task = asyncio.ensure_future(_run(run))
                try:
                    await task
                except asyncio.CancelledError:
                    assert run.has_struck
                goes_on = run.has_struck
                await check(context)
            assert asyncio.all_tasks() == before, turn
        most = max(most, turn - 1)
    return most


async def _run(run: CancelledAt) -> Any:
    return await run


def _is_safe(frame: FrameType) -> bool:
    """Return whether no signal is ever looked at where a line begins.

    The interpreter looks for signals behind calls and jumps: not at a `try:`, and not between the
    body of a `with` and the release of its lock. A trace function is called there.
    """
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).lstrip()
    return line.startswith(("with ", "try:"))


@contextmanager
def interrupted_at(turn: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt at one line of the blocking client or its pool, as Ctrl-C would.

    Args:
        turn: At which line, from 1.

    Yields:
        A list that holds the line's number once that has happened.
    """
    left = turn
    struck: list[int] = []

    def on_line(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if event == "line" and not _is_safe(frame):
            left -= 1
            if left == 0:
                struck.append(frame.f_lineno)
                sys.settrace(None)
                raise KeyboardInterrupt
        return on_line

    def on_call(frame: FrameType, _event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        return on_line if name.startswith(_WATCHED) else None

    old = sys.gettrace()
    gc.disable()  # what is collected has finalizers, which nobody interrupts
    sys.settrace(on_call)
    try:
        yield struck
    finally:
        sys.settrace(old)
        gc.enable()
