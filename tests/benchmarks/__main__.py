"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks.profiling import profile
from benchmarks.report import FILES
from benchmarks.session import run
from benchmarks.workloads import FULL, QUICK, WORKLOADS

_RESULTS: Final = Path("benchmark.json")
FOLDER: Final = Path(__file__).parents[2] / "docs" / "explanation" / "_generated"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run", help="measure, and write JSON")
    runner.add_argument("--quick", action="store_true", help="three minutes, less precise")
    runner.add_argument("--only", default=",".join(WORKLOADS), help="workloads, by commas")
    runner.add_argument("--output", type=Path, default=_RESULTS)
    shower = commands.add_parser("show", help="print the tables of a run")
    shower.add_argument("results", type=Path, nargs="?", default=_RESULTS)
    publisher = commands.add_parser("publish", help="write tables and picture for the docs")
    publisher.add_argument("results", type=Path, nargs="?", default=_RESULTS)
    profiler = commands.add_parser("profile", help="where the time of one mode goes")
    profiler.add_argument(
        "name", help="such as W1-data-blocking or W3-data-blocking, or a contestant's name"
    )
    profiler.add_argument("--messages", type=int)
    profiler.add_argument("--lines", type=int, default=40)
    profiler.add_argument("--sort", choices=["own", "cumulative"], default="own")
    return parser


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(arguments: argparse.Namespace) -> None:
    wanted = arguments.only.split(",")
    unknown = [name for name in wanted if name not in WORKLOADS]
    if unknown:
        raise SystemExit(f"no workload {unknown[0]!r}; there are {', '.join(WORKLOADS)}")
    results = run(QUICK if arguments.quick else FULL, wanted, _note)
    arguments.output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    _show(results)
    _note(f"written: {arguments.output}")


def _show(results: dict[str, Any]) -> None:
    for make in FILES.values():
        print(make(results))


def _publish(results: dict[str, Any]) -> None:
    from benchmarks.plot import picture  # noqa: PLC0415 - Matplotlib is heavy, and not always there

    FOLDER.mkdir(exist_ok=True)
    made = {
        **{name: make(results) for name, make in FILES.items()},
        "benchmark.svg": picture(results),
        "benchmark.json": json.dumps(results, indent=1) + "\n",
    }
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    match arguments.command:
        case "run":
            _run(arguments)
        case "profile":
            profile(arguments.name, arguments.messages, arguments.lines, arguments.sort)
        case command:
            results = json.loads(arguments.results.read_text(encoding="utf-8"))
            (_publish if command == "publish" else _show)(results)


if __name__ == "__main__":
    main()
