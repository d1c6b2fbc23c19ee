"""The reference says what the code says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

import ehlo
import ehlo.asyncio
import ehlo.blocking
import ehlo.testing
from ehlo import Endpoint, Phase, SMTPError, Timeouts, dialogues, dkim, errors
from ehlo.cli import ExitCode

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md"))
DIRECTIVE = re.compile(r"^\.\. auto\w+:: (?P<name>[\w.]+)", re.MULTILINE)
LISTED = frozenset(match["name"] for match in DIRECTIVE.finditer(TEXT))
MODULES = {"asyncio", "blocking", "testing", "errors"}
"""The modules in `ehlo.__all__` that have a page of their own instead of a directive."""


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """Return the cells of all table rows of a page, without their code marks."""
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        for line in page(name).splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]


@pytest.mark.parametrize(
    "module",
    [ehlo, ehlo.asyncio, ehlo.blocking, ehlo.pool, ehlo.testing, dialogues, dkim],
    ids=lambda module: module.__name__,
)
def test_every_public_name_is_listed(module: ModuleType) -> None:
    names = {f"{module.__name__}.{name}" for name in module.__all__}
    if module is ehlo:
        names -= {f"ehlo.{name}" for name in MODULES}
    assert names - LISTED == set()


def test_the_tree_of_errors_is_the_one_in_the_code() -> None:
    assert errors.__doc__ is not None
    drawn = errors.__doc__.partition("::")[2].partition("Every error")[0]
    for line in drawn.splitlines():
        assert line.strip() in page("errors.md")


def test_every_error_has_a_row() -> None:
    described = {row[0] for row in rows("errors.md")}
    for name in errors.__all__:
        if name not in {"SMTPError", "Refused"}:
            assert name in described


def test_the_outcomes_of_errors_are_right() -> None:
    for row in rows("errors.md")[1:]:
        error: type[SMTPError] = getattr(errors, row[0])
        assert row[3].strip("*") == str(error.outcome).replace("-", " ")


def test_the_phases_of_errors_exist() -> None:
    for row in rows("errors.md")[1:]:
        for name in re.findall(r"[A-Z_]{2,}", row[1].replace("LMTP", "")):
            assert name in Phase.__members__


def test_timeouts() -> None:
    table = {row[0]: row[2:] for row in rows("timeouts.md")[1:]}
    default, patient = Timeouts(), Timeouts.rfc5321()
    assert table == {
        field.name: [
            "none" if value is None else f"{value:g}"
            for value in (getattr(default, field.name), getattr(patient, field.name))
        ]
        for field in fields(Timeouts)
    }


def test_url_schemes() -> None:
    for scheme, port, _ in rows("urls.md")[1:]:
        url = f"{scheme}://mail.example.org" if port else f"{scheme}:///run/smtp"
        assert Endpoint.from_url(url).port == int(port or 0)
    with pytest.raises(ehlo.InvalidInput) as caught:
        Endpoint.from_url("gopher://mail.example.org")
    known = set(re.findall(r"([a-z+]+)://", str(caught.value)))
    assert known == {row[0] for row in rows("urls.md")[1:]}


def test_exit_codes() -> None:
    table = {row[0]: row[1] for row in rows("cli.md") if row[0].isdigit()}
    assert table == {str(code.value): code.meaning for code in ExitCode}
