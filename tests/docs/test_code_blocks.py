"""Every block of Python and every console session in the documentation runs.

The blocks of one page share one namespace, from top to bottom, so a later block may use what an
earlier one has made. A block may `await`. In a console session each line that begins with `$` is
run; it has to succeed, unless the session itself goes on with `$ echo $?` and the code that it
shows. What stands behind the URLs in the pages is said in `conftest.py`; two files lie in the
directory in which Python runs.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<language>\S+)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {"report.pdf": b"%PDF-1.7 ...", "loom.png": b"\x89PNG\r\n\x1a\n..."}
"""What readers of the pages have, and the blocks read."""
EXECUTABLE = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class Inserting(Protocol):
    """Whoever knows the addresses of the servers."""

    def insert(self, text: str) -> str: ...


class Block(NamedTuple):
    """A fenced block and the line it begins at."""

    line: int
    code: str


def blocks(page: Path, language: str) -> Iterator[Block]:
    """Yield the blocks of one language."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        if match["language"] == language:
            yield Block(text.count("\n", 0, match.start("code")), match["code"])


def pages_with(language: str) -> list[Any]:
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in PAGES
        if any(blocks(page, language))
    ]


def run(page: Path, block: Block, code: str, namespace: dict[str, Any]) -> None:
    """Run one block; a traceback names the page and the line."""
    tree = ast.parse("\n" * block.line + code, str(page))
    result = eval(compile(tree, str(page), "exec", flags=EXECUTABLE), namespace)  # noqa: S307
    if inspect.iscoroutine(result):
        asyncio.run(result)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("python"))
def test_python_blocks_run(
    page: Path, docs_servers: Inserting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, octets in FILES.items():
        Path(name).write_bytes(octets)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        run(page, block, docs_servers.insert(block.code), namespace)


def commands(session: str) -> Iterator[tuple[list[str], int]]:
    """Yield the commands of a console session, each with the exit code that it should have."""
    lines = [line for line in session.splitlines() if line]
    for number, line in enumerate(lines):
        if not line.startswith("$ ") or line == "$ echo $?":
            continue
        code = 0
        rest = iter(lines[number + 1 :])
        for following in rest:
            if following == "$ echo $?":
                code = int(next(rest))
            if following.startswith("$ "):
                break
        yield shlex.split(line.removeprefix("$ ")), code


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("console"))
def test_console_sessions_run(page: Path, docs_servers: Inserting, tmp_path: Path) -> None:
    program = {"ehlo": [sys.executable, "-m", "ehlo"], "python": [sys.executable]}
    for block in blocks(page, "console"):
        for command, code in commands(docs_servers.insert(block.code)):
            done = subprocess.run(
                [*program[command[0]], *command[1:]],
                cwd=tmp_path,
                env=os.environ | {"PYTHONWARNINGS": "error"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"


def test_the_readme_has_the_two_shell_blocks_that_ci_takes() -> None:
    assert [block.code for block in blocks(ROOT / "README.md", "sh")] == [
        "python -m pip install . && python -m ehlo demo\n",
        'python -m pip install -e ".[test]" && python -m pytest\n',
    ]
