"""One measurement in a process of its own: `python -m benchmarks.worker TASK`, all in JSON.

A task is an object: `kind` names one of the functions below, the rest are its arguments. The answer is
an object of numbers, or `{"unavailable": "why"}`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.contestants import CONTESTANTS, USES_BDAT
from benchmarks.loads import Job
from benchmarks.sinks import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contestants import Contestant, Driver

_WARM_UP: Final = 100


class WrongCountError(Exception):
    """The sink did not get what the contestant says it sent."""


class UnfitError(Exception):
    """What was measured is not what was meant to be."""


def _pin(cpu: int | None) -> None:
    if cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})


def _verify(contestant: Contestant, job: Job, before: Any, sent: int) -> None:
    """Ask the sink whether it got the messages, whole, and in the way that the mode says."""
    got = count(job.host, job.port).since(before)
    if got.messages != sent:
        raise WrongCountError(f"{sent} messages were sent, {got.messages} arrived")
    if got.octets < sent * len(job.ready):
        raise WrongCountError(f"the messages that arrived have only {got.octets} octets")
    if contestant.library == "ehlo" and contestant.mode in USES_BDAT and not got.bdats:
        raise UnfitError("the content went by DATA although CHUNKING was offered")


def throughput(name: str, job: dict[str, Any], seconds: float, cpu: int | None) -> dict[str, Any]:
    """Send messages for a while: how many a second, and CPU time for each."""
    _pin(cpu)
    contestant, todo = CONTESTANTS[name], Job(**job)
    before = count(todo.host, todo.port)
    driver = contestant.make(todo)
    driver.open()
    run = _run_for(driver, seconds, todo.connections)
    driver.close()
    _verify(contestant, todo, before, run.total)
    return {"messages_per_s": run.batch / run.wall, "cpu_us": run.cpu / run.batch * 1e6}


class _Run(NamedTuple):
    """The last of several batches, each larger than the one before; `total` counts them all."""

    batch: int
    wall: float
    cpu: float
    total: int


def _run_for(driver: Driver, seconds: float, connections: int) -> _Run:
    """Run batches until one lasts long enough; the others have warmed everything up."""
    batch, total = _WARM_UP * connections, 0
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        driver.run(batch)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        total += batch
        if wall > 0.6 * seconds:
            return _Run(batch, wall, cpu, total)
        batch = int(batch * min(20, max(1.2, seconds / wall)))


KINDS: Final[dict[str, Callable[..., dict[str, Any]]]] = {"throughput": throughput}


def main() -> None:
    task = json.loads(sys.argv[1])
    try:
        answer = KINDS[task.pop("kind")](**task)
    except Exception as exc:
        if type(exc).__name__ not in {"NotAvailableError", "UnfitError", "ModuleNotFoundError"}:
            raise
        answer = {"unavailable": str(exc)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
