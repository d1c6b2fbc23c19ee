"""Tables and verdicts of a run: Markdown from the JSON that `run` wrote."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.building import peer_of
from benchmarks.targets import TARGETS, Bound, Measure, Target
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Results = dict[str, Any]


def _quotient(dividend: float, divisor: float) -> float | None:
    return dividend / divisor if divisor else None  # a small message takes no memory at all


_COMPARE: Final[dict[Measure, Callable[[float, float], float | None]]] = {
    Measure.RATIO: _quotient,
    Measure.SPEEDUP: lambda mine, other: _quotient(other, mine),
    Measure.DIFFERENCE: lambda mine, other: mine - other,
}
_NONE: Final = "-"


def row_of(results: Results, workload: str, row: str) -> dict[str, Any]:
    """Return what a row has, or why it has nothing."""
    if workload not in results["workloads"]:
        return {"unavailable": "not part of this run"}
    rows: dict[str, dict[str, Any]] = results["workloads"][workload]["rows"]
    return rows.get(row, {"unavailable": "nothing does this yet"})


def values(row: dict[str, Any], metric: str) -> list[float | None]:
    """Return a metric round by round; None where a round failed or has no such figure."""
    return [None if got is None else got.get(metric) for got in row.get("rounds", [])]


def middle(row: dict[str, Any], metric: str) -> float | None:
    """Return a metric's median over all rounds."""
    found = [value for value in values(row, metric) if value is not None]
    return median(found) if found else None


def compared(
    mine: dict[str, Any], other: dict[str, Any], metric: str, measure: Measure
) -> float | None:
    """Compare two rows round by round; return the median of what came out."""
    compare = _COMPARE[measure]
    pairs = zip(values(mine, metric), values(other, metric), strict=False)
    found = [compare(a, b) for a, b in pairs if a is not None and b is not None]
    numbers = [value for value in found if value is not None]
    return median(numbers) if numbers else None


def figure(results: Results, target: Target) -> float | str:
    """Return the figure that a target is about, or why there is none."""
    mine = row_of(results, target.workload, target.row)
    if "unavailable" in mine:
        return str(mine["unavailable"])
    if target.measure is Measure.VALUE:
        found = middle(mine, target.metric)
    else:
        other = row_of(results, target.workload, target.other)
        if "unavailable" in other:
            return f"{target.other}: {other['unavailable']}"
        found = compared(mine, other, target.metric, target.measure)
    return "not measured" if found is None else found


def is_reached(target: Target, value: float) -> bool:
    """Tell whether a figure is on the good side; what is shown is what is compared."""
    shown = float(f"{value:.3g}")
    return shown >= target.value if target.bound is Bound.AT_LEAST else shown <= target.value


def number(value: float | None) -> str:
    """Write a number with three digits that matter."""
    if value is None:
        return _NONE
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


def targets_table(results: Results) -> str:
    """Return the targets, each with what was measured and a verdict."""
    lines = ["| Target | Whose | Wanted | Measured | |", "|---|---|---|---|---|"]
    for target in TARGETS:
        value = figure(results, target)
        if isinstance(value, str):
            shown, verdict = value, "not available"
        else:
            shown, verdict = number(value), "reached" if is_reached(target, value) else "**missed**"
        lines.append(f"| {target.id} | {target.row} | {target.text} | {shown} | {verdict} |")
    return "\n".join([*lines, ""])


# -- The tables of the workloads ---------------------------------------------------------------


_SMALL_MODES: Final = {"message": "data"}
_LARGE_MODES: Final = {"data": "lockstep"}  # a wait more does not matter there
"""The mode of the limit, where it is not a row's own."""


def references(row: str) -> tuple[str, str]:
    """Return a row's limit and its peer; empty where it has none."""
    name, _, rest = row.partition("/")
    where = f"/{rest}" if rest else ""
    library, _, adapter_mode = name.partition("-")
    adapter, _, mode = adapter_mode.partition("-")
    if library == "ehlo" and mode:
        limit = "blocking" if adapter == "blocking" else "asyncio"
        peer = "smtplib-octets" if adapter == "blocking" else "aiosmtplib-octets"
        mode = mode.removeprefix("client-")
        limit_mode = (_LARGE_MODES if rest else _SMALL_MODES).get(mode, mode)
        return f"limit-{limit}-{limit_mode}{where}", peer + where
    if library in {"smtplib", "aiosmtplib", "smtpproto"} and adapter:
        limit = "blocking" if library == "smtplib" else "asyncio"
        return f"limit-{limit}-lockstep{where}", ""
    return "", ""


class _Ratio(NamedTuple):
    """A column that compares a row with another.

    Attributes:
        heading: Of the column.
        metric: What is compared.
        measure: How.
        other: Names the other row; empty where there is none.
    """

    heading: str
    metric: str
    measure: Measure
    other: Callable[[str], str]


def _limit_and_peer(metric: str) -> tuple[_Ratio, ...]:
    return (
        _Ratio("of the limit", metric, Measure.RATIO, lambda row: references(row)[0]),
        _Ratio("times the peer", metric, Measure.RATIO, lambda row: references(row)[1]),
    )


_RATIOS: Final[dict[str, tuple[_Ratio, ...]]] = {
    "W1": _limit_and_peer("messages_per_s"),
    "W2": _limit_and_peer("messages_per_s"),
    "W3": _limit_and_peer("mb_per_s"),
    "W9": (
        _Ratio("times as fast as `EmailMessage`", "us", Measure.SPEEDUP, peer_of),
        _Ratio("times less memory", "extra_mib", Measure.SPEEDUP, peer_of),
    ),
}


def _ratios(results: Results, workload: str, row: str) -> Iterator[str]:
    mine = row_of(results, workload, row)
    for column in _RATIOS.get(workload, ()):
        ratio, other = None, column.other(row)
        if other:
            found = row_of(results, workload, other)
            ratio = compared(mine, found, column.metric, column.measure)
        yield number(ratio)


def _spread(row: dict[str, Any], metric: str) -> str:
    found = [value for value in values(row, metric) if value is not None]
    if len(found) < 2 or not median(found):
        return _NONE
    return f"{(max(found) - min(found)) / median(found):.0%}"


def workload_table(results: Results, name: str) -> str:
    """Return the table of one workload."""
    workload = WORKLOADS[name]
    first = next(iter(workload.metrics))
    headings = ["", *workload.metrics.values()]
    headings += [column.heading for column in _RATIOS.get(name, ())]
    headings += ["spread"]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for row, found in results["workloads"][name]["rows"].items():
        if "unavailable" in found:
            cells = [f"not available: {found['unavailable']}", *[""] * (len(headings) - 2)]
        else:
            cells = [number(middle(found, metric)) for metric in workload.metrics]
            cells += _ratios(results, name, row)
            cells += [_spread(found, first)]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _about(results: Results) -> str:
    about = results["about"]
    libraries = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    line = {
        "namespaces": "real TCP between two network namespaces",
        "relay": "a relay on loopback, which has no slow start",
    }[about["line"]]
    return (
        f"A {about['effort']} run: {about['rounds']} rounds of most workloads, "
        f"{about['seconds']} s each. Python {about['python']}, {about['system']}, "
        f"{about['cpus']} CPUs. Sink in {about['sink']}. The long line: {line}, round trip "
        f"{about['rtt_ms']} ms. {libraries}.\n"
    )


def tables(results: Results) -> str:
    """Return everything but the targets as Markdown."""
    parts = [_about(results)]
    for name in results["workloads"]:
        parts += [f"### {name}: {WORKLOADS[name].title}\n", workload_table(results, name)]
    return "\n".join(parts)


FILES: Final[dict[str, Callable[[Results], str]]] = {
    "benchmark-targets.md": targets_table,
    "benchmark-tables.md": tables,
}
"""What is made of a run for the documentation, besides the picture."""
