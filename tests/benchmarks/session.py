"""One run: sets the stage, lets everybody take part, and notes down what came out."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ehlo
from benchmarks.loads import LOADS
from benchmarks.longline import LongLine
from benchmarks.running import run_rounds
from benchmarks.sinks import Sinks, build
from benchmarks.workloads import WORKLOADS, Effort, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PEERS: Final = ("aiosmtplib", "smtpproto", "anyio", "uvloop")


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _shared_cpu() -> int | None:
    """Return the CPU for client and server; the last one, since the first has the interrupts."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return max(os.sched_getaffinity(0))


def _about(effort: Effort, stage: Stage) -> dict[str, Any]:
    return {
        "effort": "quick" if effort.is_quick else "full",
        "rounds": effort.rounds,
        "seconds": effort.seconds,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "cpus": os.cpu_count(),
        "sink": stage.sinks.language,
        "line": stage.line.kind,
        "rtt_ms": round(stage.line.rtt * 1000, 1),
        "versions": {"ehlo": ehlo.__version__, **{name: _version_of(name) for name in _PEERS}},
    }


def run(effort: Effort, wanted: Iterable[str], note: Callable[[str], None]) -> dict[str, Any]:
    """Run workloads.

    Args:
        effort: How much time there is.
        wanted: Which workloads.
        note: Is told what goes on.

    Returns:
        Everything that was measured, ready for JSON.
    """
    with tempfile.TemporaryDirectory() as folder, Sinks() as sinks:
        with LongLine(build(Path(folder))) as line:
            stage = Stage(sinks, line, effort, _shared_cpu())
            if stage.cpu is not None:
                sinks.pin(stage.cpu)
            for load in ("dotted", "base64"):
                path = Path(folder) / f"{load}.eml"
                path.write_bytes(LOADS[load]())
                stage.files[load] = str(path)
            workloads = {name: _run_one(name, stage, note) for name in wanted}
            return {"about": _about(effort, stage), "workloads": workloads}


def _run_one(name: str, stage: Stage, note: Callable[[str], None]) -> dict[str, Any]:
    workload = WORKLOADS[name]
    note(f"{name}: {workload.title}")
    begin = time.monotonic()
    entries = list(workload.entries(stage))
    run_rounds(entries, workload.rounds(stage.effort), note)
    note(f"    {time.monotonic() - begin:.0f} s")
    return {"rows": {entry.name: entry.as_json() for entry in entries}}
