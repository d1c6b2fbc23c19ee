"""One measurement in a process of its own: `python -m benchmarks.worker TASK`, all in JSON.

A task is an object: `kind` names one of the functions below, the rest are its arguments. The answer
is an object of numbers, or `{"unavailable": "why"}`.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.contestants import CONTESTANTS, USES_BDAT
from benchmarks.loads import Job
from benchmarks.sinks import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contestants import Contestant, Driver
    from benchmarks.sinks import Count

_WARM_UP: Final = 100
_IDLE: Final = 400
_OPERATIONS: Final = 300
_ADMITTED: Final = {"NotAvailableError", "UnfitError", "ModuleNotFoundError"}
"""Errors that say that there is nothing to measure; compared by name, to import nothing for it."""


class WrongCountError(Exception):
    """The sink did not get what the contestant says it sent."""


class UnfitError(Exception):
    """What was measured is not what was meant to be."""


def _pin(cpu: int | None) -> None:
    if cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})


def _verify(contestant: Contestant, job: Job, before: Count, sent: int) -> None:
    """Ask the sink whether it got the messages, whole, and in the way that the mode says."""
    got = count(job.host, job.port).since(before)
    if got.messages != sent:
        raise WrongCountError(f"{sent} messages were sent, {got.messages} arrived")
    if got.octets < sent * len(job.ready):
        raise WrongCountError(f"the messages that arrived have only {got.octets} octets")
    if contestant.library == "ehlo" and contestant.mode in USES_BDAT and not got.bdats:
        raise UnfitError("the content went by DATA although CHUNKING was offered")


# -- W1, W2 ------------------------------------------------------------------------------------


class _Run(NamedTuple):
    """The last of several batches, each larger than the one before; `total` counts them all."""

    batch: int
    wall: float
    cpu: float
    total: int


def _run_for(driver: Driver, seconds: float, batch: int) -> _Run:
    """Run batches until one lasts long enough; the others have warmed everything up."""
    total = 0
    while True:
        wall, cpu = time.perf_counter(), time.process_time()
        driver.run(batch)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        total += batch
        if wall > 0.6 * seconds:
            return _Run(batch, wall, cpu, total)
        batch = int(batch * min(20, max(1.2, seconds / wall))) + 1


def throughput(name: str, job: dict[str, Any], seconds: float, cpu: int | None) -> dict[str, Any]:
    """Send messages for a while: how many a second, and CPU time for each."""
    _pin(cpu)
    contestant, todo = CONTESTANTS[name], Job(**job)
    before = count(todo.host, todo.port)
    driver = contestant.make(todo)
    driver.open()
    run = _run_for(driver, seconds, _WARM_UP * todo.connections)
    driver.close()
    _verify(contestant, todo, before, run.total)
    return {"messages_per_s": run.batch / run.wall, "cpu_us": run.cpu / run.batch * 1e6}


def plain(name: str, job: dict[str, Any], messages: int, cpu: int | None) -> dict[str, Any]:
    """Send a number of messages, for somebody who watches from outside."""
    _pin(cpu)
    contestant, todo = CONTESTANTS[name], Job(**job)
    before = count(todo.host, todo.port)
    driver = contestant.make(todo)
    driver.open()
    driver.run(messages)
    driver.close()
    _verify(contestant, todo, before, messages)
    return {"messages": messages}


def operations(name: str, job: dict[str, Any], cpu: int | None) -> dict[str, Any]:
    """Count what the event loop does for each message."""
    from benchmarks.counting import CountingLoop  # noqa: PLC0415 - asyncio is heavy

    _pin(cpu)
    contestant, todo = CONTESTANTS[name], Job(**job)
    before = count(todo.host, todo.port)
    driver = contestant.make(todo, CountingLoop)
    driver.open()
    counts = []
    for messages in (_OPERATIONS, 2 * _OPERATIONS):  # the difference has no start and no end in it
        CountingLoop.reset()
        driver.run(messages)
        counts.append(dict(CountingLoop.counts))
    driver.close()
    _verify(contestant, todo, before, 3 * _OPERATIONS)
    return {what: round((counts[1][what] - n) / _OPERATIONS, 1) for what, n in counts[0].items()}


# -- W3 ----------------------------------------------------------------------------------------


def _memory(what: str) -> int | None:
    """Return this process's VmRSS or VmHWM in KiB, if the system tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return int(status.partition(f"{what}:")[2].split()[0])


def _forget_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def bulk(name: str, job: dict[str, Any], seconds: float, cpu: int | None) -> dict[str, Any]:
    """Send large messages: MB/s, and how much memory the first one took beyond itself."""
    _pin(cpu)
    contestant, todo = CONTESTANTS[name], Job(**job)
    size = Path(todo.path).stat().st_size
    before = count(todo.host, todo.port)
    driver = contestant.make(todo)
    driver.open()
    if todo.source == "memory":
        assert todo.ready  # it is in memory before anybody sends it
    gc.collect()
    known, resident = _forget_peak(), _memory("VmRSS")
    driver.run(1)
    peak = _memory("VmHWM")
    run = _run_for(driver, seconds, 1)
    driver.close()
    _verify(contestant, todo, before, run.total + 1)
    octets = size * run.batch / 1e6
    answer = {"mb_per_s": octets / run.wall, "mb_per_cpu_s": octets / run.cpu}
    if known and resident is not None and peak is not None:
        answer["extra_mib"] = (peak - resident) / 1024
    return answer


# -- W4, W5 ------------------------------------------------------------------------------------


def trips(name: str, job: dict[str, Any], messages: int, rtt: float) -> dict[str, Any]:
    """Connect and send over a long line: how many round trips until the last reply."""
    contestant, todo = CONTESTANTS[name], Job(**job)
    before = count(todo.host, todo.port)
    driver = contestant.make(todo)
    begin = time.perf_counter()
    driver.open()
    driver.run(messages)
    wall = time.perf_counter() - begin
    driver.close()
    _verify(contestant, todo, before, messages)
    return {"trips": wall / rtt, "trips_per_message": wall / rtt / messages, "seconds": wall}


# -- W6, W7 ------------------------------------------------------------------------------------


def _cpu_ms(statement: str) -> float:
    process = subprocess.Popen([sys.executable, "-c", statement])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ModuleNotFoundError(f"{statement!r} failed")
    return (used.ru_utime + used.ru_stime) * 1000


def starts(statement: str, times: int, cpu: int | None) -> dict[str, Any]:
    """Start Python for one statement: CPU time of the whole process."""
    _pin(cpu)
    _cpu_ms(statement)  # compiles what was never compiled
    return {"cpu_ms": median(_cpu_ms(statement) for _ in range(times))}


def idle(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Open connections and let them be: memory for each, by Python's accounts and the system's."""
    import tracemalloc  # noqa: PLC0415 - only here

    def traced() -> float:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / 1024

    def resident() -> float:
        gc.collect()
        return _memory("VmRSS") or 0

    def grown(connections: int, look: Callable[[], float]) -> tuple[float, float]:
        driver = CONTESTANTS[name].make(Job(**job, connections=connections))
        before = look()
        driver.open()
        opened = look()
        driver.run(2 * connections)
        used = look()
        driver.close()
        return (opened - before) / connections, (used - before) / connections

    grown(2, resident)  # what is loaded and made once belongs to no connection
    rss, _ = grown(_IDLE, resident)
    tracemalloc.start()
    opened, used = grown(_IDLE, traced)
    return {"kib": opened, "kib_used": used, "rss_kib": rss}


# -- W8, W9 ------------------------------------------------------------------------------------


def micro(module: str, name: str, seconds: float, cpu: int | None) -> dict[str, Any]:
    """Time a function: CPU seconds of one call, turned into whatever its module says."""
    _pin(cpu)
    case = import_module(module).CASES[name]
    call, result = case()
    times: list[float] = []
    rounds = 1
    while not times or sum(times) < seconds:
        begin = time.process_time()
        for _ in range(rounds):
            call()
        used = time.process_time() - begin
        times.append(used)
        if used < seconds / 8:
            rounds, times = rounds * 2, []
    answer: dict[str, Any] = result(median(times) / rounds)
    return answer


def weigh(module: str, name: str) -> dict[str, Any]:
    """Call a function once: the most memory of the process, less what it had before.

    What the function works on is made after that, too. Resident memory, unlike what `tracemalloc`
    counts, has everything in it that the machine must have: what C allocates, and what the
    allocators keep. The peak of `getrusage` would not do: it has that of the imports in it, and
    that of the parent before it became this program.
    """
    cases = import_module(module)
    cases.warm_up()
    gc.collect()
    known, resident = _forget_peak(), _memory("VmRSS")
    call, _ = cases.CASES[name]()
    call()
    peak = _memory("VmHWM")
    if not known or resident is None or peak is None:
        return {}
    return {"extra_mib": (peak - resident) / 1024}


KINDS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    function.__name__: function
    for function in (throughput, plain, operations, bulk, trips, starts, idle, micro, weigh)
}


def main() -> None:
    task = json.loads(sys.argv[1])
    try:
        answer = KINDS[task.pop("kind")](**task)
    except Exception as exc:
        if type(exc).__name__ not in _ADMITTED:
            raise
        answer = {"unavailable": str(exc)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
