"""The picture of a run, drawn by Matplotlib as SVG."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from benchmarks.report import middle, number, row_of

if TYPE_CHECKING:
    from benchmarks.report import Results

_COLOURS: Final = {"limit": "#b8c2cc", "ehlo": "#1f6f8b"}
_PEER: Final = "#d08c60"
_PANELS: Final = (
    ("W1", "messages_per_s", "1 KiB messages, one connection: messages/s (log)", True),
    ("W4", "trips_per_message", "20 messages, 50 ms away: round trips per message", False),
)
_LEFT_OUT: Final = ("bdat", "message")


def _bars(results: Results, workload: str, metric: str) -> list[tuple[str, float]]:
    rows = results["workloads"].get(workload, {"rows": {}})["rows"]
    found = []
    for row in rows:
        name, _, messages = row.partition("/")
        value = middle(row_of(results, workload, row), metric)
        if value is not None and messages in {"", "20"} and not name.endswith(_LEFT_OUT):
            found.append((name, value))
    return found[::-1]


def _colour(name: str) -> str:
    return _COLOURS.get(name.partition("-")[0], _PEER)


def picture(results: Results) -> str:
    """Draw W1 and W4: what the machine allows, what peers reach, and what `ehlo` does."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "ehlo", "font.size": 9})
    pyplot: Any = import_module("matplotlib.pyplot")
    panels = [(*panel, _bars(results, *panel[:2])) for panel in _PANELS]
    heights = [max(1, len(bars)) for *_, bars in panels]
    figure, axes = pyplot.subplots(
        len(panels), figsize=(9, 0.22 * sum(heights) + 1.5), height_ratios=heights
    )
    for axis, (_, _, title, is_log, bars) in zip(axes, panels, strict=True):
        names, lengths = [name for name, _ in bars], [length for _, length in bars]
        drawn = axis.barh(names, lengths, color=[_colour(name) for name in names])
        axis.bar_label(drawn, labels=[number(length) for length in lengths], padding=3)
        axis.set_title(title, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.12, y=0.01)
        if is_log:
            axis.set_xscale("log")
    figure.tight_layout()
    octets = io.BytesIO()
    figure.savefig(octets, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in octets.getvalue().decode().splitlines()) + "\n"
