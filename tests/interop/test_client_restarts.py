"""Clients whose Postfix is restarted, or is impatient, in the midst of use.

Postfix is one of their own, which takes root; for anybody else these tests are skipped.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
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
from support.addresses import free_port
from support.colours import Colour, colour

pytestmark = [
    pytest.mark.interop,
    pytest.mark.long,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("postfix") is None,
        reason="a Postfix of one's own takes root",
    ),
]

SCRIPT: Final = Path(__file__).with_name("servers")
TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.org")


class Postfix:
    """A Postfix of our own."""

    def __init__(self, top: Path) -> None:
        self.top = top
        source = SCRIPT.read_text(encoding="utf-8").removesuffix("main()\n")
        self._script: dict[str, Any] = {"__name__": "servers"}
        exec(compile(source, str(SCRIPT), "exec"), self._script)  # noqa: S102 - our own script
        for name in ("PLAIN", "SUBMISSION", "IMPLICIT"):
            self._script[name] = free_port()
        self.url = f"smtp://127.0.0.1:{self._script['PLAIN']}"

    def configure(self, *lines: str) -> None:
        self._script["claim"](self.top)
        self._script["configure_postfix"](self.top, self._script["mail_owner"]())
        with (self.top / "postfix/conf/main.cf").open("a", encoding="utf-8") as config:
            config.writelines(f"{line}\n" for line in lines)

    def start(self) -> None:
        # What looks through the queue where it was left amid something runs as another user, and
        # has something to say then.
        log = self.top / "postfix/log"
        log.chmod(0o777)
        for file in log.iterdir():
            file.chmod(0o666)
        end = time.monotonic() + 20
        while True:
            try:
                self._script["run"]("postfix", "-c", self.top / "postfix/conf", "start")
            except SystemExit:  # what was left of it a moment ago is in the way
                assert time.monotonic() < end
                time.sleep(0.2)
            else:
                break
        while not self._script["says"](("127.0.0.1", self._script["PLAIN"]), b"220"):
            assert time.monotonic() < end
            time.sleep(0.02)

    def stop(self) -> None:
        self._script["stop"](self.top)

    def restart(self) -> None:
        self._script["run"]("postfix", "-c", self.top / "postfix/conf", "stop")
        self.start()

    def arrived(self, mark: str, wanted: set[str]) -> dict[str, set[str]]:
        """Return what was delivered, once all of it is there that has to be.

        Each subject has the identifiers under which Postfix has queued it. What stands there twice
        under one of them Postfix has delivered twice: it was stopped amid noting that it had.
        """
        end = time.monotonic() + 40
        while True:
            found: dict[str, set[str]] = {}
            for path in (self.top / "maildir/bob").glob("new/*"):
                text = path.read_text()
                if mark in text:
                    subject = text.partition("Subject: ")[2].partition("\n")[0]
                    queued = re.search(r"with ESMTP id (\w+)", text)
                    assert queued
                    found.setdefault(subject, set()).add(queued[1])
            if wanted <= set(found) or time.monotonic() > end:
                return found
            time.sleep(0.1)


@pytest.fixture
def postfix() -> Iterator[Postfix]:
    top = Path(f"/tmp/ehlo-own-{uuid.uuid4().hex[:8]}")  # noqa: S108 - a short path that all may read
    running = Postfix(top)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


def content(mark: str, number: int) -> bytes:
    return f"Subject: {mark} {number}\r\n\r\nHello.\r\n".encode()


USERS: Final = 8
EACH: Final = 150


def in_threads(url: str, mark: str) -> dict[int, Outcome]:
    reported: dict[int, Outcome] = {}

    def work(first: int) -> None:
        for number in range(first, first + EACH):
            reported[number] = Outcome.ACCEPTED
            try:
                client.send(content(mark, number), envelope=TO_BOB)
            except ehlo.SMTPError as error:
                reported[number] = error.outcome

    with ehlo.blocking.Client(url, retries=6) as client, ThreadPoolExecutor(USERS) as pool:
        list(pool.map(work, range(0, USERS * EACH, EACH)))
    return reported


def in_tasks(url: str, mark: str) -> dict[int, Outcome]:
    reported: dict[int, Outcome] = {}

    async def work(client: ehlo.asyncio.Client, first: int) -> None:
        for number in range(first, first + EACH):
            reported[number] = Outcome.ACCEPTED
            try:
                await client.send(content(mark, number), envelope=TO_BOB)
            except ehlo.SMTPError as error:
                reported[number] = error.outcome

    async def main() -> None:
        async with ehlo.asyncio.Client(url, retries=6) as client:
            async with asyncio.TaskGroup() as group:
                for first in range(0, USERS * EACH, EACH):
                    group.create_task(work(client, first))

    asyncio.run(main())
    return reported


@pytest.mark.parametrize("run", [in_threads, in_tasks])
def test_restarted_in_the_middle_of_use(postfix: Postfix, run: Any) -> None:
    """No message fails that could be saved: all are accepted, but what was in doubt."""
    postfix.configure()
    postfix.start()
    mark = uuid.uuid4().hex
    restarts = 0
    is_over = threading.Event()

    def restart() -> None:
        nonlocal restarts
        while not is_over.wait(0.7) and restarts < 3:
            postfix.restart()
            restarts += 1

    thread = threading.Thread(target=restart)
    thread.start()
    try:
        reported = run(postfix.url, mark)
    finally:
        is_over.set()
        thread.join()
    outcomes = Counter(reported.values())
    print(restarts, outcomes)
    assert restarts >= 1
    assert len(reported) == USERS * EACH
    assert set(outcomes) <= {Outcome.ACCEPTED, Outcome.UNKNOWN}
    assert outcomes[Outcome.UNKNOWN] <= 4 * restarts  # one for each connection
    accepted = {
        f"{mark} {number}" for number, outcome in reported.items() if outcome is Outcome.ACCEPTED
    }
    found = postfix.arrived(mark, accepted)
    assert accepted <= set(found)
    assert max(map(len, found.values())) == 1


def test_an_impatient_server(postfix: Postfix, adapter: Colour) -> None:
    """It closes what is idle for a second: whoever comes next is none the wiser."""
    log = postfix.top / "postfix/log/mail.log"
    postfix.configure("smtpd_timeout = 1s")
    postfix.start()
    with adapter.client(postfix.url) as client:
        for number in range(3):
            client.send(content("idle", number), envelope=TO_BOB)
            end = time.monotonic() + 30
            while log.read_text().count("timeout after") <= number:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert client.stats().sent == 3
        assert client.stats().failed == 0
        assert client.stats().opened == 3
