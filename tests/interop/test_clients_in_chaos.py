"""Clients with a real Postfix, and a proxy between them that breaks connections (C3, T9, T10).

What is reported is true: a message that was accepted is in the mailbox once, one that was not sent
is not, and one that nobody knows of is there once at the most.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
from ehlo import Outcome
from ehlo.dialogues import DEPTH
from support.chaos import ChaosProxy
from support.servers import Servers

pytestmark = [pytest.mark.interop, pytest.mark.long, pytest.mark.timeout(280)]

SEED: Final = 20_261_127
EACH: Final = 200
TIMEOUTS: Final = ehlo.Timeouts(
    connect=5, greeting=5, mail=3, rcpt=3, data=3, content=3, command=3, end_of_content=5, quit=1
)
OPTIONS: Final[dict[str, Any]] = {"max_connections": 4, "retries": 6, "timeouts": TIMEOUTS}
NUMBER: Final = re.compile(rb"^Subject: chaos (\w+) (\d+)\r?$", re.MULTILINE)


class Mails:
    """Messages that are known by a mark of their own, and what was reported of each."""

    def __init__(self, user: str) -> None:
        self.mark = uuid.uuid4().hex
        self.envelope = ehlo.Envelope("ada@example.org", f"{user}@example.org")
        self.reported: dict[int, Outcome] = {}
        self.attempts: Counter[int] = Counter()

    def content(self, number: int) -> bytes:
        text = f"Subject: chaos {self.mark} {number}\r\n"
        text += f"Message-ID: <{number}.{self.mark}@example.org>\r\n\r\n"
        return text.encode() + b".a line\r\n" * (number % 40)

    def pairs(self, count: int) -> Iterator[tuple[bytes, ehlo.Envelope]]:
        return ((self.content(number), self.envelope) for number in range(count))

    def take(self, number: int, receipt: Any, error: Any) -> None:
        assert number not in self.reported
        self.reported[number] = Outcome.ACCEPTED if error is None else error.outcome
        self.attempts[len((error or receipt).failed_attempts)] += 1

    def arrived(self, maildir: Path) -> Counter[int]:
        """Wait until all that was accepted is there, and a while for what should not be."""
        accepted = {n for n, outcome in self.reported.items() if outcome is Outcome.ACCEPTED}
        found: Counter[int] = Counter()
        seen: set[str] = set()
        end, calm = time.monotonic() + 100, 0
        while time.monotonic() < end and calm < 4:
            before = len(seen)
            for path in maildir.glob("new/*"):
                if path.name not in seen:
                    seen.add(path.name)
                    match = NUMBER.search(path.read_bytes())
                    if match and match[1].decode() == self.mark:
                        found[int(match[2])] += 1
            calm = calm + 1 if accepted <= set(found) and len(seen) == before else 0
            time.sleep(0.25)
        return found

    def check(self, count: int, maildir: Path, in_doubt: int) -> None:
        """Compare what was reported with what is there.

        Args:
            count: How many messages there were.
            maildir: Where they are.
            in_doubt: Of how many nobody may know at the most.
        """
        found = self.arrived(maildir)
        assert sorted(self.reported) == list(range(count))
        assert [number for number, times in found.items() if times > 1] == []
        by_outcome: dict[Outcome, set[int]] = {outcome: set() for outcome in Outcome}
        for number, outcome in self.reported.items():
            by_outcome[outcome].add(number)
        assert by_outcome[Outcome.ACCEPTED] <= set(found)
        assert by_outcome[Outcome.NOT_SENT] & set(found) == set()
        assert by_outcome[Outcome.REFUSED] == set()
        assert len(by_outcome[Outcome.UNKNOWN]) <= in_doubt
        told = {str(outcome): len(numbers) for outcome, numbers in by_outcome.items()}
        print(told, "attempts that failed before:", dict(self.attempts))


@pytest.fixture
def proxy(servers: Servers) -> Iterator[ChaosProxy]:
    with ChaosProxy(servers.plain.host, servers.plain.port, SEED) as running:
        yield running
    print({fault.name: times for fault, times in running.faults.items()})
    assert sum(running.faults.values()) > 20


def test_tasks(servers: Servers, proxy: ChaosProxy) -> None:
    mails, tasks = Mails("carol"), 50

    async def work(client: ehlo.asyncio.Client, first: int) -> None:
        for number in range(first, first + EACH):
            receipt = error = None
            try:
                receipt = await client.send(mails.content(number), envelope=mails.envelope)
            except ehlo.SMTPError as exc:
                error = exc
            mails.take(number, receipt, error)

    async def main() -> None:
        async with ehlo.asyncio.Client(f"smtp://127.0.0.1:{proxy.port}", **OPTIONS) as client:
            async with asyncio.TaskGroup() as group:
                for task in range(tasks):
                    group.create_task(work(client, task * EACH))
            print(client.stats())

    asyncio.run(main())
    mails.check(tasks * EACH, servers.maildir / "carol", sum(proxy.faults.values()))


def test_threads(servers: Servers, proxy: ChaosProxy) -> None:
    mails, threads, lock = Mails("dave"), 16, threading.Lock()

    def work(first: int) -> None:
        for number in range(first, first + EACH):
            receipt = error = None
            try:
                receipt = client.send(mails.content(number), envelope=mails.envelope)
            except ehlo.SMTPError as exc:
                error = exc
            with lock:
                mails.take(number, receipt, error)

    url = f"smtp://127.0.0.1:{proxy.port}"
    with ehlo.blocking.Client(url, **OPTIONS) as client:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(0, threads * EACH, EACH)))
        print(client.stats())
    mails.check(threads * EACH, servers.maildir / "dave", sum(proxy.faults.values()))


@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_batches_of_tasks(servers: Servers, proxy: ChaosProxy, level: str) -> None:
    mails, count = Mails("erin"), 2000

    async def main() -> None:
        url = f"smtp://127.0.0.1:{proxy.port}"
        async with ehlo.asyncio.Client(url, pipelining=level, **OPTIONS) as client:
            async for result in client.send_many(mails.pairs(count), order="completion"):
                mails.take(result.index, result.receipt, result.error)
            print(client.stats())

    asyncio.run(main())
    # One for each connection that broke, and at continuous level what was under way at first.
    at_first = 4 * DEPTH if level == "continuous" else 0
    mails.check(count, servers.maildir / "erin", sum(proxy.faults.values()) + at_first)


@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_batches_of_threads(servers: Servers, proxy: ChaosProxy, level: str) -> None:
    mails, count = Mails("erin"), 2000
    url = f"smtp://127.0.0.1:{proxy.port}"
    with ehlo.blocking.Client(url, pipelining=level, **OPTIONS) as client:
        for result in client.send_many(mails.pairs(count)):
            mails.take(result.index, result.receipt, result.error)
        print(client.stats())
    # One for each connection that broke, and at continuous level what was under way at first.
    at_first = 4 * DEPTH if level == "continuous" else 0
    mails.check(count, servers.maildir / "erin", sum(proxy.faults.values()) + at_first)
