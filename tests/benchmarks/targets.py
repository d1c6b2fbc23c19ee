"""The targets, as data: what the finished library is to reach."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Speeds = dict[str, dict[str, tuple[float | None, float | None]]]


class Measure(StrEnum):
    """How a row's figures become the figure that is compared."""

    VALUE = "value"
    """The median."""
    RATIO = "ratio"
    """Divided by the other row's, round by round."""
    SPEEDUP = "speed-up"
    """The other row's divided by it, round by round: for times."""
    DIFFERENCE = "difference"
    """Less the other row's, round by round."""


class Bound(StrEnum):
    """Which side of the bound is good."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True)
class Target:
    """One target.

    Attributes:
        id: Names it.
        workload: Where to look.
        row: Whose figure.
        metric: Which figure.
        bound: Which side is good.
        value: Of what.
        measure: How the figure comes about.
        other: The row it is compared with.
    """

    id: str
    workload: str
    row: str
    metric: str
    bound: Bound
    value: float
    measure: Measure = Measure.VALUE
    other: str = ""

    @property
    def text(self) -> str:
        """Say the target in words."""
        match self.measure:
            case Measure.VALUE:
                return f"{self.bound} {self.value:,g} {self.metric}"
            case Measure.DIFFERENCE:
                return f"{self.bound} {self.other} + {self.value:g} {self.metric}"
            case _:
                return f"{self.bound} {self.value:g} x {self.other}"


_LOW, _HIGH = Bound.AT_MOST, Bound.AT_LEAST
_PEER: Final = {"blocking": "smtplib-octets", "asyncio": "aiosmtplib-octets"}

_SPEEDS: Final[_Speeds] = {
    # mode: adapter: share of the limit, times the peer
    "lockstep": {"blocking": (0.88, None), "asyncio": (0.78, None)},
    "data": {"blocking": (0.78, 2.2), "asyncio": (0.70, 4.0)},
    "chunk": {"blocking": (0.70, 4.0), "asyncio": (0.62, 7.0)},
    "group": {"blocking": (0.60, 3.5), "asyncio": (0.60, 6.5)},
    "stream": {"blocking": (None, 18.0), "asyncio": (None, 35.0)},
}
_SPEEDS_OF_16: Final[_Speeds] = {
    "data": {"asyncio": (0.65, 4.5)},
    "chunk": {"asyncio": (0.60, 8.0)},
}


def _rates(workload: str, table: _Speeds, kind: str = "") -> Iterator[Target]:
    for mode, adapters in table.items():
        for adapter, (share, times) in adapters.items():
            name = f"{workload}-{mode}-{adapter}{kind}"
            for other, factor, what in (
                (f"limit-{adapter}-{mode}", share, "limit"),
                (_PEER[adapter], times, "peer"),
            ):
                if factor is not None:
                    row = f"ehlo-{adapter}{kind}-{mode}"
                    yield _ratio(f"{name}-{what}", workload, row, factor, other)


def _ratio(name: str, workload: str, row: str, factor: float, other: str) -> Target:
    metric = "mb_per_s" if workload == "W3" else "messages_per_s"
    return Target(name, workload, row, metric, _HIGH, factor, Measure.RATIO, other)


def _streams() -> Iterator[Target]:
    for adapter in _PEER:
        row = f"ehlo-{adapter}-stream"
        yield Target(f"W1-stream-{adapter}-cpu", "W1", row, "cpu_us", _LOW, 5)
        yield Target(f"W1-stream-{adapter}-rate", "W1", row, "messages_per_s", _HIGH, 150_000)


def _operations() -> Iterator[Target]:
    wanted = {
        "data": {"system_calls": 7, "iterations": 3, "futures": 1, "timers": 0},
        "chunk": {"system_calls": 4, "iterations": 2, "futures": 1, "timers": 0},
    }
    for mode, metrics in wanted.items():
        for metric, value in metrics.items():
            name = f"W1-{mode}-asyncio-{metric}"
            yield Target(name, "W1-operations", f"ehlo-asyncio-{mode}", metric, _LOW, value)


_BULK: Final = (
    # mode, load, the limit's mode, share of the limit, times smtplib, times aiosmtplib
    ("chunk", "dotted", "chunk", 0.40, 5.5, 22.0),
    ("data", "dotted", "lockstep", 0.28, 4.0, 14.0),
    ("data", "base64", "lockstep", 0.50, 5.5, 25.0),
)


def _bulk() -> Iterator[Target]:
    for mode, load, limit_mode, share, *times in _BULK:
        for adapter, factor in zip(_PEER, times, strict=True):
            name, where = f"W3-{mode}-{load}-{adapter}", f"/{load}/memory"
            row, limit = f"ehlo-{adapter}-{mode}{where}", f"limit-{adapter}-{limit_mode}{where}"
            yield _ratio(f"{name}-limit", "W3", row, share, limit)
            yield _ratio(f"{name}-peer", "W3", row, factor, _PEER[adapter] + where)
    for adapter in _PEER:
        row, limit = f"ehlo-{adapter}-known/dotted/memory", f"limit-{adapter}-chunk/dotted/memory"
        yield _ratio(f"W3-known-{adapter}-limit", "W3", row, 0.9, limit)


def _memory() -> Iterator[Target]:
    for adapter in _PEER:
        for mode in ("data", "chunk"):
            for source, most in (("memory", 1.5), ("file", 2.0), ("pieces", 2.0)):
                row = f"ehlo-{adapter}-{mode}/dotted/{source}"
                name = f"W3-{mode}-{source}-{adapter}-memory"
                yield Target(name, "W3", row, "extra_mib", _LOW, most)


def _trips() -> Iterator[Target]:
    one = {"lockstep": 7.2, "data": 5.2, "chunk": 4.2}
    twenty = {"data": 2.25, "chunk": 1.25, "group": 1.25, "stream": 0.30}
    thousand = {"data": 6.5, "chunk": 5.5}
    for adapter in _PEER:
        of = f"ehlo-{adapter}-"
        for mode, most in one.items():
            yield Target(f"W4-1-{mode}-{adapter}", "W4", f"{of}{mode}/1", "trips", _LOW, most)
        for mode, most in twenty.items():
            row = f"{of}{mode}/20"
            yield Target(f"W4-20-{mode}-{adapter}", "W4", row, "trips_per_message", _LOW, most)
        for mode, most in thousand.items():
            yield Target(f"W5-{mode}-{adapter}", "W5", f"{of}{mode}", "trips", _LOW, most)


_REST: Final = (
    Target("W6-smtplib", "W6", "ehlo", "cpu_ms", _LOW, 0.65, Measure.RATIO, "smtplib"),
    Target("W6-aiosmtplib", "W6", "ehlo", "cpu_ms", _LOW, 0.35, Measure.RATIO, "aiosmtplib"),
    Target("W6-asyncio", "W6", "ehlo.asyncio", "cpu_ms", _LOW, 5, Measure.DIFFERENCE, "asyncio"),
    Target("W7-asyncio", "W7", "ehlo-asyncio-data", "kib", _LOW, 4.2),
    Target("W7-asyncio-client", "W7", "ehlo-asyncio-client-data", "kib", _LOW, 4.2),
    Target("W7-uvloop", "W7", "ehlo-uvloop-data", "kib", _LOW, 3.0),
    Target("W8-text-english", "W8-text", "ehlo:english", "gb_per_s", _HIGH, 0.8),
    Target("W8-text-english-lf", "W8-text", "ehlo:english-lf", "gb_per_s", _HIGH, 0.8),
    Target("W8-text-base64", "W8-text", "ehlo:base64", "gb_per_s", _HIGH, 2.0),
    *(
        Target(
            f"W8-text-{text}-peer",
            "W8-text",
            f"ehlo:{text}",
            "gb_per_s",
            _HIGH,
            8,
            Measure.RATIO,
            f"aiosmtplib:{text}",
        )
        for text in ("base64", "dotted", "english", "english-lf")
    ),
    Target("W8-replies-one", "W8-replies", "ehlo:one", "million_per_s", _HIGH, 5),
    Target("W8-replies-group", "W8-replies", "ehlo:group", "million_per_s", _HIGH, 1.2),
    Target(
        "W8-replies-linear",
        "W8-replies",
        "ehlo:longer-by-octet",
        "us",
        _LOW,
        2.5,
        Measure.RATIO,
        "ehlo:long-by-octet",
    ),
)

_BUILT: Final = (
    # what, shape, microseconds, times the standard library
    ("build", "small", 10, 60),
    ("build", "50-recipients", 60, 100),
    ("build", "1-mib", 1500, 15),
    ("write", "small", 15, 6),
    ("write", "1-mib", 1100, 10),
)


_WEIGHED: Final = (
    # what, shape, MiB: as in W3, 1.5 beyond the octets in memory, and 2 in all from a file
    ("pieces", "25-mib", 26.5),
    ("file", "25-mib", 2.0),
)


def _building() -> Iterator[Target]:
    for what, shape, mib in _WEIGHED:
        row = f"ehlo:{what}:{shape}"
        yield Target(f"W9-{what}-{shape}-memory", "W9", row, "extra_mib", _LOW, mib)
    for what, shape, most, times in _BUILT:
        name, row, other = f"W9-{what}-{shape}", f"ehlo:{what}:{shape}", f"stdlib:{what}:{shape}"
        yield Target(f"{name}-us", "W9", row, "us", _LOW, most)
        yield Target(f"{name}-peer", "W9", row, "us", _HIGH, times, Measure.SPEEDUP, other)


TARGETS: Final = (
    *_rates("W1", _SPEEDS),
    *_streams(),
    *_operations(),
    *_rates("W2", _SPEEDS_OF_16),
    *_rates("W2", _SPEEDS_OF_16, "-client"),
    *_bulk(),
    *_memory(),
    *_trips(),
    *_REST,
    *_building(),
)
