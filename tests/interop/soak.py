"""Steady sending under faults for a long time: nothing grows, and what is reported is true.

``python tests/interop/soak.py --seconds 3600 --rate 20`` runs it by hand, with the servers that
EHLO_TEST_SERVERS names, and prints a table; ``test_soak.py`` runs it for a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

TESTS: Final = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))

from support.chaos import ChaosProxy  # noqa: E402 - it is found there
from support.servers import VARIABLE, Servers  # noqa: E402 - likewise

SEED: Final = 20_261_127
LOOKS: Final = 24
REACH: Final = 3
FILE_SIZE: Final = 40_000
SLACK: Final = {"rss": 4096, "objects": 6000}
"""By how much the last quarter may exceed the second: the users are in the midst of something."""
MOST: Final = {"descriptors": 32, "threads": 34, "tasks": 40}
"""What there may be at any time: three clients with four connections each, six users, whose batches
have four workers each, and what Python has for itself."""


class Soak(NamedTuple):
    """What came of it for one adapter.

    Attributes:
        adapter: Its name.
        looks: What the process has held: at the start, at equal times, and behind the end.
        outcomes: How many messages had which.
        reported: The numbers of those that went to the server that keeps them, by outcome.
        stats: What the clients say.
        found: How often which of them is in the mailbox.
    """

    adapter: str
    looks: list[dict[str, int]]
    outcomes: dict[str, int]
    reported: dict[str, list[int]]
    stats: list[dict[str, int]]
    found: Counter[int]

    def quarter(self, which: int, name: str) -> float:
        """Return the median in a quarter of the time, from 1."""
        inner = self.looks[1:-1]
        size = len(inner) // 4
        return statistics.median(look[name] for look in inner[(which - 1) * size : which * size])

    def check(self) -> None:
        """Raise unless nothing has grown, nothing is left, and what was reported is true."""
        for name, slack in SLACK.items():
            grown = self.quarter(4, name) - self.quarter(2, name)
            assert grown <= slack, f"{self.adapter}: {name} grew by {grown}: {self.looks}"
        for name, most in MOST.items():
            assert max(look[name] for look in self.looks) <= most, f"{self.adapter}: {self.looks}"
        first, last = self.looks[0], self.looks[-1]
        for name in ("threads", "tasks", "descriptors"):
            assert last[name] <= first[name], f"{self.adapter}: {name}: {first} -> {last}"
        assert self.outcomes["accepted"] > 0.7 * sum(self.outcomes.values()), self.outcomes
        assert not self.outcomes.get("refused"), self.outcomes
        assert self.reported["accepted"]
        assert set(self.reported["accepted"]) <= set(self.found), "accepted and not there"
        assert set(self.reported["not-sent"]).isdisjoint(self.found), "not sent and there"
        assert max(self.found.values()) == 1, "there more than once"

    def table(self) -> str:
        """Return the figures for people, as Markdown."""
        names = ("rss", "objects", "descriptors", "threads", "tasks")
        rows = [
            f"| {self.adapter} | " + " | ".join(str(value) for value in values) + " |"
            for values in zip(
                names,
                *([round(self.quarter(n, name)) for name in names] for n in (1, 2, 3, 4)),
                [self.looks[-1][name] for name in names],
                strict=True,
            )
        ]
        stats = {key: sum(one[key] for one in self.stats) for key in self.stats[0]}
        return "\n".join([*rows, f"{self.outcomes}", f"{stats}"])


def soak(servers: Servers, seconds: float, rate: float) -> list[Soak]:
    """Run both adapters side by side.

    Args:
        servers: The real servers.
        seconds: For how long.
        rate: How many messages a second each adapter sends.
    """
    with ExitStack() as stack:
        proxies = [
            stack.enter_context(ChaosProxy(host, port, SEED + number, REACH))
            for number, (host, port) in enumerate(
                (servers.plain, servers.submission, servers.implicit)
            )
        ]
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = directory / "notes.bin"
        file.write_bytes(bytes(range(256)) * (FILE_SIZE // 256))
        login = f"{quote(servers.user, safe='')}:{quote(servers.password, safe='')}"
        urls = [
            f"smtp://127.0.0.1:{proxies[0].port}",
            f"smtp+starttls://{login}@127.0.0.1:{proxies[1].port}",
            f"smtps://{login}@127.0.0.1:{proxies[2].port}",
        ]
        running = []
        for adapter in ("asyncio", "blocking"):
            told: dict[str, Any] = {
                "adapter": adapter,
                "urls": urls,
                "recipients": ["dave@example.org", "eve@example.net", "eve@example.net"],
                "mark": uuid.uuid4().hex,
                "seconds": seconds,
                "looks": LOOKS,
                "rate": rate,
                "file": str(file),
                "ca": str(servers.ca),
            }
            process = stack.enter_context(_start(told, directory / adapter))
            stack.callback(process.kill)
            running.append((adapter, told, process))
        soaks = []
        for adapter, told, process in running:
            process.wait(timeout=seconds + 120)
            lines = (directory / adapter).read_text().splitlines()
            noise = [line for line in lines if not line.startswith("{")]
            assert (process.returncode, noise) == (0, []), (adapter, process.returncode, noise)
            *looks, end = (json.loads(line) for line in lines)
            found = _found(servers.maildir / "dave", told["mark"], set(end["reported"]["accepted"]))
            soaks.append(Soak(adapter, looks, found=found, **end))
        faults = sum((proxy.faults for proxy in proxies), Counter())
        print({fault.name: times for fault, times in faults.items()})
        assert sum(faults.values()) > 10
        return soaks


def _start(told: dict[str, Any], output: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "PYTHONWARNINGS": "error",
        "MALLOC_ARENA_MAX": "2",
    }
    with output.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "support.soaking", json.dumps(told)],
            stdout=file,
            stderr=file,
            env=environment,
        )


def _found(maildir: Path, mark: str, wanted: set[int]) -> Counter[int]:
    """Return how often which message is in a Maildir, once those are there that have to be."""
    subject = re.compile(rf"^Subject: soak {mark} (\d+)\r?$".encode(), re.MULTILINE)
    found: Counter[int] = Counter()
    seen: set[str] = set()
    end, calm = time.monotonic() + 60, 0
    while calm < 4 and time.monotonic() < end:
        before = len(seen)
        for path in maildir.glob("new/*"):
            if path.name not in seen:
                seen.add(path.name)
                if match := subject.search(path.read_bytes()):
                    found[int(match[1])] += 1
        calm = calm + 1 if wanted <= set(found) and len(seen) == before else 0
        time.sleep(0.25)
    return found


def main() -> None:
    """Run it by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=float, default=20)
    arguments = parser.parse_args()
    for one in soak(Servers.load(Path(os.environ[VARIABLE])), arguments.seconds, arguments.rate):
        print(one.table(), flush=True)
        one.check()


if __name__ == "__main__":
    main()
