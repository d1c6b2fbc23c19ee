"""The benchmark: `ehlo`, its peers and the limit of the machine, measured side by side.

`nox -s bench` runs it; `python -m benchmarks --help`, with `tests` on the path, tells what else it
can do. `docs/explanation/benchmarks.md` explains it.
"""
