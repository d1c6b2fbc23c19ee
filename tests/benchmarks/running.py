"""Runs workloads: all contestants in turn, round by round, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Measure = Callable[[dict[str, Any], Sequence[str]], dict[str, Any]]

_TESTS: Final = Path(__file__).parents[1]
_LONGEST: Final = 120  # seconds for one measurement


def environment() -> dict[str, str]:
    """Return the environment of a worker: this one, with the benchmark on the path."""
    path = [str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def measure(task: dict[str, Any], prefix: Sequence[str] = ()) -> dict[str, Any]:
    """Let a worker do one task."""
    command = [*prefix, sys.executable, "-m", "benchmarks.worker", json.dumps(task)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment(), timeout=_LONGEST, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{task} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@dataclass
class Entry:
    """One row of a workload.

    Attributes:
        name: What the row is called.
        task: What the worker is told.
        prefix: A command that runs the worker elsewhere.
        measure: What gets the answer to the task.
        is_slow: Whether the first round has to do.
        rounds: What was measured, round by round; None where a round failed.
        unavailable: Why there is nothing to measure.
    """

    name: str
    task: dict[str, Any]
    prefix: Sequence[str] = ()
    measure: Measure = measure
    is_slow: bool = False
    rounds: list[dict[str, float] | None] = field(default_factory=list)
    unavailable: str = ""

    def as_json(self) -> dict[str, Any]:
        if self.unavailable:
            return {"unavailable": self.unavailable}
        return {"rounds": [round_ and _shortened(round_) for round_ in self.rounds]}


def _shortened(answer: dict[str, float]) -> dict[str, float]:
    """Drop the digits that mean nothing."""
    return {metric: float(f"{value:.5g}") for metric, value in answer.items()}


def run_rounds(entries: Sequence[Entry], rounds: int, note: Callable[[str], None]) -> None:
    """Measure all entries in each round, every other round in the opposite order."""
    for number in range(rounds):
        for entry in entries if number % 2 == 0 else reversed(entries):
            if not entry.unavailable and not (entry.is_slow and number):
                _measure_once(entry, note)


def _measure_once(entry: Entry, note: Callable[[str], None]) -> None:
    try:
        answer = entry.measure(entry.task, entry.prefix)
    except (RuntimeError, subprocess.TimeoutExpired) as exc:
        note(f"{entry.name}: {exc}")
        entry.rounds.append(None)
        if not any(entry.rounds):
            entry.unavailable = "failed: " + str(exc).strip().rpartition("\n")[2]
        return
    entry.unavailable = answer.get("unavailable", "")
    entry.rounds.append(answer)
