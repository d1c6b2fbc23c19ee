"""A process that sends steadily, in all the ways a client has, and looks at what it holds.

It is started by `interop/soak.py`, is told what to do in JSON on its command line, and writes a
line of JSON for each look at itself, and one at the end with what became of the messages.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import random
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import ehlo
import ehlo.asyncio
import ehlo.blocking
import ehlo.pool

USERS: Final = 6
BATCH: Final = 15
TIMEOUTS: Final = ehlo.Timeouts(
    connect=5, tls=5, greeting=5, mail=3, rcpt=3, data=3, content=3, command=3, end_of_content=5,
    quit=1, total=30,
)  # fmt: skip


class Task:
    """What is to be done, and what has become of it.

    Args:
        told: How the parent describes it.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.urls: list[str] = told["urls"]
        self.recipients: list[str] = told["recipients"]
        self.mark: str = told["mark"]
        self.end: float = time.monotonic() + told["seconds"]
        self.pause: float = told["seconds"] / told["looks"]
        self.file = Path(told["file"])
        context = ssl.create_default_context(cafile=told["ca"])
        self.options: dict[str, Any] = {
            "timeouts": TIMEOUTS,
            "retries": 6,
            "backoff": 0.05,
            "max_age": 20.0,
            "max_messages": 60,
            "rate": told["rate"] / len(self.urls),
            "ssl_context": context,
        }
        self.outcomes: Counter[str] = Counter()
        self.reported: dict[str, list[int]] = {"accepted": [], "not-sent": [], "unknown": []}
        self._numbers = itertools.count()

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.end

    def mail(self, which: int, dice: random.Random) -> tuple[int, ehlo.Message]:
        """Return a message, and its number."""
        number = next(self._numbers)
        attachments = (ehlo.Attachment(self.file),) if dice.random() < 0.3 else ()
        return number, ehlo.Message(
            from_="ada@example.org",
            to=[self.recipients[which]],
            subject=f"soak {self.mark} {number}",
            text="Grüße!\n" * dice.randrange(1, 30),
            html="<p>Grüße!</p>" if dice.random() < 0.3 else None,
            attachments=attachments,
        )

    def report(self, which: int, number: int, outcome: str) -> None:
        """Take what became of a message; the first server's are kept one by one."""
        self.outcomes[outcome] += 1
        if which == 0 and outcome in self.reported:
            self.reported[outcome].append(number)

    def look(self, tasks: int) -> None:
        """Write down what this process holds."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        seen = {
            "seconds": round(self.pause, 3),
            "rss": pages * os.sysconf("SC_PAGE_SIZE") >> 10,
            "descriptors": len(list(Path("/proc/self/fd").iterdir())) - 1,
            "threads": threading.active_count(),
            "tasks": tasks,
            "objects": len(gc.get_objects()),
            "messages": sum(self.outcomes.values()),
        }
        print(json.dumps(seen), flush=True)

    def finish(self, stats: list[ehlo.pool.Stats]) -> None:
        """Write down what became of the messages."""
        end = {
            "outcomes": dict(self.outcomes),
            "reported": self.reported,
            "stats": [one._asdict() for one in stats],
        }
        print(json.dumps(end), flush=True)


def _outcome(error: ehlo.SMTPError | None) -> str:
    return "accepted" if error is None else str(error.outcome)


# -- Tasks -----------------------------------------------------------------------------------------


async def _send(task: Task, client: ehlo.asyncio.Client, which: int, dice: random.Random) -> None:
    number, message = task.mail(which, dice)
    error = None
    try:
        await client.send(message)
    except ehlo.SMTPError as exc:
        error = exc
    task.report(which, number, _outcome(error))


async def _send_briefly(
    task: Task, client: ehlo.asyncio.Client, which: int, dice: random.Random
) -> None:
    number, message = task.mail(which, dice)
    outcome = "cancelled"
    with suppress(TimeoutError):
        async with asyncio.timeout(dice.random() * 0.02):
            try:
                await client.send(message)
                outcome = "accepted"
            except ehlo.SMTPError as exc:
                outcome = _outcome(exc)
    task.report(which, number, outcome)


async def _send_many(
    task: Task, client: ehlo.asyncio.Client, which: int, dice: random.Random
) -> None:
    numbers: list[int] = []

    def source() -> Iterator[ehlo.Message]:
        for _ in range(BATCH):
            number, message = task.mail(which, dice)
            numbers.append(number)
            yield message

    results = client.send_many(source(), order=dice.choice(["source", "completion"]))
    left = set()
    most = dice.randrange(1, BATCH) if dice.random() < 0.3 else BATCH
    with suppress(ehlo.ConnectionLost):  # no connection can be had, which is all that ends it
        async for result in results:
            left.add(result.index)
            task.report(which, numbers[result.index], _outcome(result.error))
            if len(left) == most:
                break
    await results.aclose()
    for index in set(range(len(numbers))) - left:
        task.report(which, numbers[index], "left")


async def _borrow(_: Task, client: ehlo.asyncio.Client, _which: int, dice: random.Random) -> None:
    with suppress(ehlo.SMTPError):
        async with client.session() as session:
            await session.noop()
            if dice.random() < 0.2:
                await session.mail("ada@example.org")  # left so: the connection cannot be kept


async def _verify(_: Task, client: ehlo.asyncio.Client, *_more: object) -> None:
    with suppress(ehlo.SMTPError):
        await client.verify()


async def _soak_tasks(task: Task) -> list[ehlo.pool.Stats]:
    asyncio.get_running_loop().slow_callback_duration = 10.0  # looking at oneself takes a while
    clients = [ehlo.asyncio.Client(url, **task.options) for url in task.urls]
    uses: list[Callable[..., Any]] = [_send] * 6
    uses += [_send_briefly, _send_many, _borrow, _verify]

    async def use(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - it has to be repeatable
        while not task.is_over:
            which = _which(dice, clients)
            await dice.choice(uses)(task, clients[which], which, dice)

    task.look(len(asyncio.all_tasks()))
    async with asyncio.TaskGroup() as group:
        for seed in range(USERS):
            group.create_task(use(seed))
        while not task.is_over:
            await asyncio.sleep(task.pause)
            task.look(len(asyncio.all_tasks()))
    for client in clients:
        await client.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return [client.stats() for client in clients]


def _which(dice: random.Random, clients: list[Any]) -> int:
    """Choose a server; the first one keeps what it gets, and so gets less."""
    return 0 if dice.random() < 0.1 else dice.randrange(1, len(clients))


# -- Threads ---------------------------------------------------------------------------------------


def _threads_send(
    task: Task, client: ehlo.blocking.Client, which: int, dice: random.Random
) -> None:
    number, message = task.mail(which, dice)
    error = None
    try:
        client.send(message)
    except ehlo.SMTPError as exc:
        error = exc
    task.report(which, number, _outcome(error))


def _threads_send_many(
    task: Task, client: ehlo.blocking.Client, which: int, dice: random.Random
) -> None:
    numbers: list[int] = []

    def source() -> Iterator[ehlo.Message]:
        for _ in range(BATCH):
            number, message = task.mail(which, dice)
            numbers.append(number)
            yield message

    left = set()
    most = dice.randrange(1, BATCH) if dice.random() < 0.3 else BATCH
    order = dice.choice(["source", "completion"])
    with closing(client.send_many(source(), order=order)) as results, suppress(ehlo.ConnectionLost):
        for result in results:
            left.add(result.index)
            task.report(which, numbers[result.index], _outcome(result.error))
            if len(left) == most:
                break
    for index in set(range(len(numbers))) - left:
        task.report(which, numbers[index], "left")


def _threads_borrow(
    _: Task, client: ehlo.blocking.Client, _which: int, dice: random.Random
) -> None:
    with suppress(ehlo.SMTPError), client.session() as session:
        session.noop()
        if dice.random() < 0.2:
            session.mail("ada@example.org")


def _threads_verify(_: Task, client: ehlo.blocking.Client, *_more: object) -> None:
    with suppress(ehlo.SMTPError):
        client.verify()


def _soak_threads(task: Task) -> list[ehlo.pool.Stats]:
    clients = [ehlo.blocking.Client(url, **task.options) for url in task.urls]
    uses: list[Callable[..., None]] = [_threads_send] * 6
    uses += [_threads_send_many, _threads_borrow, _threads_verify]

    def use(seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - it has to be repeatable
        while not task.is_over:
            which = _which(dice, clients)
            dice.choice(uses)(task, clients[which], which, dice)

    task.look(0)
    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(USERS)]
    for thread in threads:
        thread.start()
    while not task.is_over:
        time.sleep(task.pause)
        task.look(0)
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    return [client.stats() for client in clients]


def main() -> None:
    """Do what the command line says."""
    told = json.loads(sys.argv[1])
    task = Task(told)
    is_asyncio = told["adapter"] == "asyncio"
    stats = asyncio.run(_soak_tasks(task)) if is_asyncio else _soak_threads(task)
    task.look(0)
    task.finish(stats)


if __name__ == "__main__":
    main()
