"""Shows where the time of one contestant goes."""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from typing import Final

from benchmarks.contestants import CONTESTANTS, SINKS, Driver
from benchmarks.loads import Job
from benchmarks.sinks import Sinks

_ALIASES: Final = {"pair": "data"}
_MESSAGES: Final = {"small": 5000, "dotted": 8}


def contestant_of(name: str) -> str:
    """Read `W1-data-blocking` (workload, mode, adapter) or the name of any contestant."""
    if name in CONTESTANTS:
        return name
    _, mode, adapter = name.split("-")
    found = f"ehlo-{adapter}-{_ALIASES.get(mode, mode)}"
    if found not in CONTESTANTS:
        raise SystemExit(f"no contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    return found


def profile(name: str, messages: int | None, lines: int, sort: str) -> None:
    """Print CPU time per message, then the profile, all figures per message."""
    contestant = CONTESTANTS[contestant_of(name)]
    load = "dotted" if name.startswith("W3-") else "small"
    messages = messages or _MESSAGES[load]
    with Sinks() as sinks:
        if hasattr(os, "sched_setaffinity"):
            cpu = max(os.sched_getaffinity(0))
            sinks.pin(cpu)
            os.sched_setaffinity(0, {cpu})
        sink = sinks.by_kind[SINKS[contestant.mode]]
        driver = contestant.make(Job(sink.host, sink.port, mode=contestant.mode, load=load))
        driver.open()
        driver.run(messages // 5 + 1)
        used = min(_timed(driver, messages) for _ in range(3))
        print(f"{contestant.name}: {used / messages * 1e6:.1f} us CPU per message, unprofiled")
        profiler = cProfile.Profile()
        profiler.runcall(driver.run, messages)
        driver.close()
    _print(profiler, messages, lines, sort)


def _timed(driver: Driver, messages: int) -> float:
    begin = time.process_time()
    driver.run(messages)
    return time.process_time() - begin


def _print(profiler: cProfile.Profile, messages: int, lines: int, sort: str) -> None:
    stats = pstats.Stats(profiler).get_stats_profile().func_profiles
    column = {"own": "tottime", "cumulative": "cumtime"}[sort]
    rows = sorted(stats.items(), key=lambda item: getattr(item[1], column), reverse=True)
    calls = sum(int(row.ncalls.partition("/")[0]) for _, row in rows)
    print(f"profiled: {calls / messages:.0f} calls per message; microseconds per message below")
    print(f"{'calls':>7} {'own':>8} {'with callees':>12}  function")
    for name, row in rows[:lines]:
        count = int(row.ncalls.partition("/")[0]) / messages
        own, cumulative = (value / messages * 1e6 for value in (row.tottime, row.cumtime))
        place = row.file_name.rpartition("/ehlo/")[2].rpartition("/lib/")[2]
        where = f"{place}:{row.line_number}" if row.line_number else ""
        print(f"{count:7.2f} {own:8.2f} {cumulative:12.2f}  {name} {where}")
