"""The workloads: who takes part, and what each is told to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from benchmarks import building, parsing
from benchmarks.contestants import CONTESTANTS, MODES, SINKS
from benchmarks.counting import can_trace, system_calls
from benchmarks.running import Entry, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benchmarks.longline import LongLine
    from benchmarks.sinks import Sinks


@dataclass(frozen=True)
class Effort:
    """How much time a run takes.

    Attributes:
        rounds: Of most workloads.
        seconds: The length of one measurement.
        is_quick: Leaves out what takes minutes, and measures slow things once.
    """

    rounds: int
    seconds: float
    is_quick: bool = False


QUICK: Final = Effort(3, 0.12, is_quick=True)
FULL: Final = Effort(9, 0.4)


@dataclass
class Stage:
    """What a run has set up.

    Attributes:
        sinks: The servers.
        line: The servers at the far end of a long line.
        effort: How much time there is.
        cpu: The CPU that sinks and clients share; None where the system does not pin.
        files: Messages in files, by load.
    """

    sinks: Sinks
    line: LongLine
    effort: Effort
    cpu: int | None
    files: dict[str, str] = field(default_factory=dict)

    def job(self, name: str, **more: Any) -> dict[str, Any]:
        mode = CONTESTANTS[name].mode
        sink = self.sinks.by_kind[SINKS[mode]]
        return {"host": sink.host, "port": sink.port, "mode": mode, **more}

    def far_job(self, name: str, **more: Any) -> dict[str, Any]:
        mode = CONTESTANTS[name].mode
        return {"host": self.line.host, "port": self.line.ports[SINKS[mode]], "mode": mode, **more}


@dataclass(frozen=True)
class Workload:
    """One table of the report.

    Attributes:
        title: What is measured.
        metrics: The columns: a key of the answers, and a heading.
        entries: Makes the rows.
        rounds: How many rounds an effort has for it.
    """

    title: str
    metrics: dict[str, str]
    entries: Callable[[Stage], Iterable[Entry]]
    rounds: Callable[[Effort], int] = lambda effort: effort.rounds


PEERS: Final = ("smtplib-octets", "aiosmtplib-octets", "smtpproto-octets")


def _modes(prefix: str, modes: Iterable[str] = MODES) -> list[str]:
    return [f"{prefix}-{mode}" for mode in modes]


# -- W1, W2 ------------------------------------------------------------------------------------

_OF_CLIENTS: Final = ("data", "chunk", "stream")
_ONE_CONNECTION: Final = (
    *_modes("limit-blocking"),
    *_modes("limit-asyncio"),
    *PEERS,
    "smtplib-message",
    "aiosmtplib-message",
    "smtpproto-message",
    "aiosmtplib-uvloop",
    *_modes("ehlo-blocking"),
    *_modes("ehlo-asyncio"),
    *_modes("ehlo-uvloop", ("data", "chunk", "stream")),
    "ehlo-blocking-message",
    "ehlo-asyncio-message",
    *_modes("ehlo-blocking-client", _OF_CLIENTS),
    *_modes("ehlo-asyncio-client", _OF_CLIENTS),
)
_SIXTEEN_CONNECTIONS: Final = (
    *_modes("limit-asyncio", ("lockstep", "data", "chunk")),
    *PEERS,
    "aiosmtplib-uvloop",
    "ehlo-blocking-data",
    *_modes("ehlo-asyncio", ("lockstep", "data", "chunk", "group", "stream")),
    "ehlo-uvloop-data",
    "ehlo-blocking-client-data",
    *_modes("ehlo-asyncio-client", _OF_CLIENTS),
)
_COUNTED: Final = (
    "limit-asyncio-data",
    "limit-asyncio-chunk",
    *PEERS,
    "ehlo-blocking-data",
    "ehlo-blocking-chunk",
    *_modes("ehlo-asyncio"),
    "ehlo-blocking-client-data",
    *_modes("ehlo-asyncio-client", ("data", "chunk")),
)


def _throughput(stage: Stage, names: Iterable[str], connections: int) -> Iterator[Entry]:
    for name in names:
        job = stage.job(name, connections=connections)
        yield Entry(
            name,
            {
                "kind": "throughput",
                "name": name,
                "job": job,
                "seconds": stage.effort.seconds,
                "cpu": stage.cpu,
            },
        )


def _count(task: dict[str, Any], prefix: Sequence[str]) -> dict[str, Any]:
    """Count in the event loop, if there is one, and at the system's door, if it can be watched."""
    answer: dict[str, Any] = {}
    if task["name"].split("-")[1] != "blocking" and not task["name"].startswith("smtplib"):
        answer = measure({"kind": "operations", **task}, prefix)
    if can_trace() and "unavailable" not in answer:
        answer |= system_calls(measure, {"kind": "plain", **task})
    return answer


def _operations(stage: Stage) -> Iterator[Entry]:
    for name in _COUNTED:
        task = {"name": name, "job": stage.job(name), "cpu": stage.cpu}
        yield Entry(name, task, measure=_count)


# -- W3 ----------------------------------------------------------------------------------------

_LARGE_LIMITS: Final = (
    *_modes("limit-blocking", ("lockstep", "chunk")),
    *_modes("limit-asyncio", ("lockstep", "chunk")),
)
_LARGE: Final = (
    *PEERS,
    *_modes("ehlo-blocking", ("data", "chunk")),
    *_modes("ehlo-asyncio", ("data", "chunk")),
)


_UNKNOWN_ENDINGS: Final = "nobody can say yet that the line ends of octets are known to be right"


def _bulk(stage: Stage) -> Iterator[Entry]:
    for load, source, names in (
        ("dotted", "memory", (*_LARGE_LIMITS, *_LARGE)),
        ("base64", "memory", (*_LARGE_LIMITS, *_LARGE)),
        ("dotted", "file", _LARGE),
        ("dotted", "pieces", [name for name in _LARGE if name.startswith("ehlo")]),
    ):
        for name in names:
            job = stage.job(name, load=load, source=source, path=stage.files[load])
            task = {"kind": "bulk", "name": name, "job": job, "cpu": stage.cpu}
            seconds = 0.0 if stage.effort.is_quick else stage.effort.seconds
            yield Entry(f"{name}/{load}/{source}", {**task, "seconds": seconds})
    for adapter in ("blocking", "asyncio"):
        yield Entry(f"ehlo-{adapter}-known/dotted/memory", {}, unavailable=_UNKNOWN_ENDINGS)


# -- W4, W5 ------------------------------------------------------------------------------------

_FAR: Final = (
    *_modes("limit-blocking"),
    *PEERS,
    *_modes("ehlo-blocking"),
    *_modes("ehlo-asyncio"),
)
_HANDED_OVER: Final = {"group", "stream"}


_SLOW: Final = "takes too long for this run"


def _is_lock_step(name: str) -> bool:
    return name in PEERS or CONTESTANTS[name].mode == "lockstep"


def _far_entry(stage: Stage, row: str, name: str, messages: int, **more: Any) -> Entry:
    task = {"kind": "trips", "name": name, "messages": messages, "rtt": stage.line.rtt}
    job = stage.far_job(name, **more)
    is_slow = _is_lock_step(name) and messages * more.get("recipients", 1) > 1
    entry = Entry(row, {**task, "job": job}, stage.line.prefix, is_slow=is_slow)
    if is_slow and stage.effort.is_quick:
        entry.unavailable = _SLOW
    return entry


def _few(stage: Stage) -> Iterator[Entry]:
    for name in _FAR:
        if name.rpartition("-")[2] not in _HANDED_OVER:
            yield _far_entry(stage, f"{name}/1", name, 1)
        yield _far_entry(stage, f"{name}/20", name, 20)


def _many_recipients(stage: Stage) -> Iterator[Entry]:
    for name in _FAR:
        mode = CONTESTANTS[name].mode
        if mode in _HANDED_OVER:
            continue
        has_policy = name.startswith("ehlo") and mode != "lockstep"
        for policy in ("deliver", "abort") if has_policy else ("deliver",):
            row = name if policy == "deliver" else f"{name}/abort"
            yield _far_entry(stage, row, name, 1, recipients=1000, on_refusal=policy)


# -- W6 to W9 ----------------------------------------------------------------------------------

STARTS: Final = {
    "python": "pass",
    "asyncio": "import asyncio",
    "smtplib": "import smtplib",
    "aiosmtplib": "import aiosmtplib",
    "smtpproto": "import smtpproto.client",
    "ehlo": "import ehlo",
    "ehlo.blocking": "import ehlo.blocking",
    "ehlo.asyncio": "import ehlo.asyncio",
}
_IDLE: Final = (
    "limit-asyncio-data",
    *PEERS,
    "aiosmtplib-uvloop",
    "ehlo-blocking-data",
    "ehlo-asyncio-data",
    "ehlo-uvloop-data",
    "ehlo-blocking-client-data",
    "ehlo-asyncio-client-data",
)


def _starts(stage: Stage) -> Iterator[Entry]:
    for name, statement in STARTS.items():
        task = {"kind": "starts", "statement": statement, "cpu": stage.cpu}
        yield Entry(name, {**task, "times": 1 if stage.effort.is_quick else 5})


def _idle(stage: Stage) -> Iterator[Entry]:
    for name in _IDLE:
        yield Entry(name, {"kind": "idle", "name": name, "job": stage.job(name)})


def _micro(stage: Stage, module: str, names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        task = {"kind": "micro", "module": f"benchmarks.{module}", "name": name}
        yield Entry(name, {**task, "seconds": stage.effort.seconds, "cpu": stage.cpu})


def _timed_and_weighed(task: dict[str, Any], prefix: Sequence[str]) -> dict[str, Any]:
    """Measure time and memory, each in a process of its own."""
    weighing = {"kind": "weigh", "module": task["module"], "name": task["name"]}
    return {**measure(task, prefix), **measure(weighing, prefix)}


def _building(stage: Stage) -> Iterator[Entry]:
    for entry in _micro(stage, "building", building.CASES):
        if building.is_weighed(entry.name):
            entry.measure = _timed_and_weighed
        yield entry


def _cases_of(cases: Iterable[str], kinds: Iterable[str]) -> list[str]:
    wanted = set(kinds)
    return [case for case in cases if case.rpartition(":")[2] in wanted]


def _once_if_quick(effort: Effort) -> int:
    return 1 if effort.is_quick else 3


def _once(_effort: Effort) -> int:
    return 1


_RATES: Final = {"messages_per_s": "messages/s", "cpu_us": "CPU µs per message"}

WORKLOADS: Final[dict[str, Workload]] = {
    "W1": Workload(
        "1 KiB messages, one connection, client and server on one CPU",
        _RATES,
        lambda stage: _throughput(stage, _ONE_CONNECTION, 1),
    ),
    "W1-operations": Workload(
        "What one such message costs in operations",
        {
            "system_calls": "system calls",
            "iterations": "loop iterations",
            "futures": "futures",
            "timers": "timers",
        },
        _operations,
        _once,
    ),
    "W2": Workload(
        "1 KiB messages, 16 connections, client and server on one CPU",
        _RATES,
        lambda stage: _throughput(stage, _SIXTEEN_CONNECTIONS, 16),
    ),
    "W3": Workload(
        "25 MiB messages: from memory, from a file, from an iterable of pieces",
        {"mb_per_s": "MB/s", "mb_per_cpu_s": "MB per CPU s", "extra_mib": "extra memory, MiB"},
        _bulk,
        lambda effort: 2 if effort.is_quick else 5,
    ),
    "W4": Workload(
        "50 ms away: connect and send 1 or 20 messages",
        {"trips": "round trips", "trips_per_message": "per message"},
        _few,
        _once_if_quick,
    ),
    "W5": Workload(
        "50 ms away: connect and send one message to 1,000 recipients",
        {"trips": "round trips"},
        _many_recipients,
        _once_if_quick,
    ),
    "W6": Workload("Import: the whole process", {"cpu_ms": "CPU ms"}, _starts),
    "W7": Workload(
        "One idle connection",
        {
            "kib": "KiB, connected",
            "kib_used": "KiB, after two messages",
            "rss_kib": "KiB of the process",
        },
        _idle,
        _once_if_quick,
    ),
    "W8-text": Workload(
        "Texts made fit for DATA",
        {"gb_per_s": "GB per CPU s"},
        lambda stage: _micro(stage, "parsing", _cases_of(parsing.CASES, parsing.TEXTS)),
        _once_if_quick,
    ),
    "W8-replies": Workload(
        "Replies taken apart",
        {"million_per_s": "million replies per CPU s", "us": "µs in all"},
        lambda stage: _micro(stage, "parsing", _cases_of(parsing.CASES, parsing.READS)),
        _once_if_quick,
    ),
    "W9": Workload(
        "Messages built and written",
        {"us": "CPU µs", "extra_mib": "extra memory, MiB"},
        _building,
        _once_if_quick,
    ),
}
