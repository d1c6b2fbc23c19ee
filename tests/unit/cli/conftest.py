"""The command line tool, run in this process."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from ehlo.cli import main

VARIABLES = ("EHLO_URL", "EHLO_PASSWORD", "NO_COLOR", "TERM")


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the tool with arguments; return its exit code and what it wrote."""

    def run(*argv: str) -> Result:
        code = main(argv)
        return Result(code, *capsys.readouterr())

    return run
