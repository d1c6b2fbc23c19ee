"""The page of promises says the truth about the tests that hold them."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "promises.md"
MISSING = "## Not yet held"
ROW = re.compile(
    r"^\| (?P<id>[A-Z]\d{1,2}) \| (?P<text>[^|]+) \| (?P<where>[^|]+) \|$", re.MULTILINE
)
FILE = re.compile(r"`([^`]+\.py)`")
ID = re.compile(r"\b[RTELAIDHC]\d{1,2}\b")
RANGE = re.compile(r"\b([RTELAIDHC])(\d{1,2}) to \1(\d{1,2})\b")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Row(NamedTuple):
    """A promise, as the page has it."""

    id: str
    files: tuple[str, ...]


def rows(text: str) -> list[Row]:
    """Return the rows of the tables in a part of the page."""
    return [Row(match["id"], tuple(FILE.findall(match["where"]))) for match in ROW.finditer(text)]


HELD, _, NOT_HELD = (part for part in PAGE.read_text(encoding="utf-8").partition(MISSING))


def named_in(text: str) -> set[str]:
    """Return the promises that a comment or a docstring names; "E1 to E4" are four."""
    ranges = RANGE.findall(text)
    within = {f"{letter}{n}" for letter, a, b in ranges for n in range(int(a), int(b) + 1)}
    return within | set(ID.findall(text))


def remarks(path: Path) -> Iterator[str]:
    """Yield the comments and docstrings of a module."""
    source = path.read_text(encoding="utf-8")
    lines = iter(source.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED):
            yield ast.get_docstring(node) or ""


@cache
def named(path: Path) -> frozenset[str]:
    """Return the promises that a module of tests names."""
    return frozenset().union(*map(named_in, remarks(path)))


@cache
def named_anywhere() -> frozenset[str]:
    paths = [path for path in TESTS.rglob("test_*.py") if path.parent.name != "docs"]
    return frozenset().union(*map(named, paths))


@pytest.mark.parametrize("row", rows(HELD), ids=lambda row: row.id)
def test_a_promise_is_named_where_it_is_said_to_be_held(row: Row) -> None:
    assert row.files
    for file in row.files:
        assert row.id in named(TESTS / file), f"{file} does not name {row.id}"


def test_no_test_names_a_promise_that_the_page_does_not_have() -> None:
    assert named_anywhere() - {row.id for row in rows(HELD) + rows(NOT_HELD)} == set()


def test_what_tests_name_is_not_among_what_is_missing() -> None:
    assert {row.id for row in rows(NOT_HELD)} & named_anywhere() == set()


def test_every_promise_is_there_once() -> None:
    found = [row.id for row in rows(HELD) + rows(NOT_HELD)]
    assert len(found) == len(set(found)) == len(ROW.findall(HELD + NOT_HELD))


def test_ranges_are_read() -> None:
    assert named_in("E1 to E3, and I3.") == {"E1", "E2", "E3", "I3"}
