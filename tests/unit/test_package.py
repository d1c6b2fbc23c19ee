"""The package shows all its names, whether they are loaded or not."""

from __future__ import annotations

import pytest

import ehlo


def test_all_names_are_shown() -> None:
    assert set(ehlo.__all__) <= set(dir(ehlo))
    assert len(set(dir(ehlo))) == len(dir(ehlo))


def test_all_names_are_there() -> None:
    assert all(getattr(ehlo, name) is not None for name in ehlo.__all__)


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ehlo.nothing
