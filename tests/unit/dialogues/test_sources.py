"""Sources of messages and of pieces: iterators, and what must be awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ehlo.commands import Mail
from ehlo.dialogues import AsyncSource, Fetch
from ehlo.dialogues.sources import END, NOT_YET, CallersError, is_there, pick, take, unreadable
from ehlo.errors import ConnectionLost, InvalidInput
from ehlo.phase import Phase
from support.rooms import later
from support.stepping import ready


def fetched(source: AsyncSource[int]) -> None:
    """Await the next item of a source that waits for nothing."""
    with pytest.raises(StopIteration):
        source.fetch().send(None)


def test_an_iterator_is_asked_at_once() -> None:
    dialogue = take(iter([7]), ready())
    with pytest.raises(StopIteration) as stop:
        next(dialogue)
    assert stop.value.value == 7
    with pytest.raises(StopIteration) as stop:
        next(take(iter(()), ready()))
    assert stop.value.value is END


def test_what_must_be_awaited_is_a_need() -> None:
    source: AsyncSource[int] = AsyncSource(later([7]))
    for expected in (7, END):
        dialogue = take(source, ready())
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
        next(take(source, ready()))
    assert stop.value.value == 7


def test_what_is_due_meanwhile_is_known() -> None:
    """A pump holds the server to the deadline of that, however long the source takes."""
    source: AsyncSource[int] = AsyncSource(later([7]))
    connection = ready("PIPELINING")
    assert next(is_there(source, connection)) == Fetch(source, None)
    assert Fetch(source).phase is Phase.CONTENT
    connection.send(Mail(None))
    need = next(is_there(source, connection))
    assert need == Fetch(source, Phase.MAIL)
    assert need.phase is Phase.MAIL
    connection.abandon("gone")
    assert next(is_there(source, connection)) == Fetch(source, None)


def test_a_reply_may_come_first() -> None:
    source: AsyncSource[int] = AsyncSource(later([7]))
    dialogue = take(source, ready())
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


# -- What the caller's own code raises -------------------------------------------------------------


def raising(error: Exception) -> int:
    raise error


def test_an_error_of_the_callers_is_told_from_ours() -> None:
    items = (raising(ConnectionLost("of another session")) for _ in range(1))
    source: AsyncSource[int] = AsyncSource(later([ConnectionLost("of another session")]))
    fetched(source)
    for kind in (items, source):
        with pytest.raises(CallersError, match="of another session") as caught:
            pick(kind)
        assert isinstance(caught.value.cause, ConnectionLost)


class Stop(BaseException):
    """What is no Exception."""


def test_an_iterator_that_was_cancelled_has_not_come_to_its_end() -> None:
    """It may be cancelled from within; the task that awaits it hears of that as well."""

    async def items() -> AsyncIterator[int]:
        yield 1
        raise Stop

    source = AsyncSource(items())
    fetched(source)
    assert source.take() == 1
    with pytest.raises(Stop):
        source.fetch().send(None)
    assert source.is_ready
    with pytest.raises(CallersError) as caught:
        pick(source)
    assert isinstance(caught.value.cause, Stop)


@pytest.mark.parametrize("wrap", [lambda error: error, CallersError])
def test_content_that_cannot_be_read_is_invalid(wrap: Any) -> None:
    cause = OSError("disk gone")
    error = unreadable(wrap(cause))
    assert isinstance(error, InvalidInput)
    assert (error.__cause__, error.phase) == (cause, Phase.CONTENT)
    assert str(error).endswith("was not sent: OSError('disk gone')")
