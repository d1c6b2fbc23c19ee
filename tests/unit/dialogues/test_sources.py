"""Sources of messages and of pieces: iterators, and what must be awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ehlo.dialogues import AsyncSource, Fetch
from ehlo.dialogues.sources import END, NOT_YET, take
from support.rooms import later


def fetched(source: AsyncSource[int]) -> None:
    """Await the next item of a source that waits for nothing."""
    with pytest.raises(StopIteration):
        source.fetch().send(None)


def test_an_iterator_is_asked_at_once() -> None:
    dialogue = take(iter([7]))
    with pytest.raises(StopIteration) as stop:
        next(dialogue)
    assert stop.value.value == 7
    with pytest.raises(StopIteration) as stop:
        next(take(iter(())))
    assert stop.value.value is END


def test_what_must_be_awaited_is_a_need() -> None:
    source: AsyncSource[int] = AsyncSource(later([7]))
    for expected in (7, END):
        dialogue = take(source)
        assert next(dialogue) == Fetch(source)
        fetched(source)
        assert source.is_ready
        with pytest.raises(StopIteration) as stop:
            next(dialogue)
        assert stop.value.value == expected
        assert not source.is_ready


def test_what_was_fetched_before_is_there() -> None:
    source: AsyncSource[int] = AsyncSource(later([7]))
    fetched(source)
    with pytest.raises(StopIteration) as stop:
        next(take(source))
    assert stop.value.value == 7


def test_a_reply_may_come_first() -> None:
    source: AsyncSource[int] = AsyncSource(later([7]))
    dialogue = take(source)
    next(dialogue)
    with pytest.raises(StopIteration) as stop:
        next(dialogue)
    assert stop.value.value is NOT_YET
    fetched(source)
    assert source.take() == 7


def test_an_error_is_raised_where_the_item_is_taken() -> None:
    source: AsyncSource[int] = AsyncSource(later([LookupError("none")]))
    fetched(source)
    assert source.is_ready
    with pytest.raises(LookupError, match="none"):
        source.take()
    fetched(source)
    assert source.take() is END


def test_a_source_takes_any_async_iterator() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1

    source = AsyncSource(items())
    fetched(source)
    assert source.take() == 1
