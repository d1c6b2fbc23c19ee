"""Counts what happens for each message: in the event loop, and at the system's door."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

_MESSAGES: Final = 200


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts its iterations, futures and timers."""

    counts: ClassVar[dict[str, int]] = {}

    @classmethod
    def reset(cls) -> None:
        cls.counts.update(iterations=0, futures=0, timers=0)

    def _run_once(self) -> None:
        self.counts["iterations"] = self.counts.get("iterations", 0) + 1
        super()._run_once()  # type: ignore[misc]

    @override
    def create_future(self) -> asyncio.Future[Any]:
        self.counts["futures"] = self.counts.get("futures", 0) + 1
        return super().create_future()

    @override
    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        self.counts["timers"] = self.counts.get("timers", 0) + 1
        return super().call_at(when, callback, *args, context=context)


def can_trace() -> bool:
    """Tell whether `strace` is there and may do its work."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-c", "true"], capture_output=True, check=False)
    return done.returncode == 0


def total_calls(report: str) -> int:
    """Read the number of calls in a report of `strace -c`, whose columns may be empty."""
    lines = report.splitlines()
    end = next(line for line in lines if line.endswith("syscall")).index("calls") + len("calls")
    (total,) = (line for line in lines if line.endswith(" total"))
    return int(total[:end].split()[-1])


def system_calls(measure: Callable[..., Any], task: dict[str, Any]) -> dict[str, float]:
    """Count a contestant's system calls for each message.

    Args:
        measure: `running.measure`.
        task: A task of the kind `plain`, without its number of messages.
    """
    totals = []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        for messages in (_MESSAGES, 2 * _MESSAGES):
            prefix = ("strace", "-f", "-c", "-o", str(report))
            answer = measure({**task, "messages": messages}, prefix)
            if "unavailable" in answer:
                return dict(answer)
            totals.append(total_calls(report.read_text(encoding="utf-8")))
    return {"system_calls": (totals[1] - totals[0]) / _MESSAGES}
