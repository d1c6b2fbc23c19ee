"""What the tests of both adapters share."""

import gc
import threading
import warnings
from collections.abc import Iterator

import pytest

from support.colours import Colour, colour


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test once with each adapter."""
    with colour(request.param) as chosen:
        yield chosen


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a socket or a thread behind."""
    gc.freeze()  # what was there before cannot be its fault, and need not be looked at
    threads = set(threading.enumerate())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    gc.unfreeze()
    assert [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)] == []
    assert set(threading.enumerate()) <= threads
