"""The command line of the benchmark."""

from __future__ import annotations

import argparse

from benchmarks.profiling import profile


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    profiler = commands.add_parser("profile", help="where the time of one mode goes")
    profiler.add_argument("name", help="such as W1-data-blocking, or a contestant's name")
    profiler.add_argument("--messages", type=int, default=5000)
    profiler.add_argument("--lines", type=int, default=40)
    profiler.add_argument("--sort", choices=["own", "cumulative"], default="own")
    return parser


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    if arguments.command == "profile":
        profile(arguments.name, arguments.messages, arguments.lines, arguments.sort)


if __name__ == "__main__":
    main()
