from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ehlo import State

SCRIPT = Path(__file__).parents[2] / "docs" / "make_state_diagram.py"


@pytest.fixture(name="diagram", scope="module")
def _diagram() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_state_diagram", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["state-machine.svg", "state-table.md"])
def test_state_diagram_is_up_to_date(diagram: ModuleType, name: str) -> None:
    made: str = diagram.FILES[name]()
    kept = (diagram.FOLDER / name).read_text(encoding="utf-8")
    assert kept == made, "run: python docs/make_state_diagram.py"


def test_every_state_is_drawn(diagram: ModuleType) -> None:
    picture: str = diagram.picture()
    for state in State:
        assert f">{state.name}</text>" in picture


def test_every_step_of_the_table_is_shown(diagram: ModuleType) -> None:
    lines = diagram.table().splitlines()[2:]
    assert len(lines) == len(diagram.steps())
