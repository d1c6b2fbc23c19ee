"""What the tests of both adapters share."""

import gc
import logging
import threading
import warnings
from collections.abc import Iterator

import pytest
from typing_extensions import override

from support.colours import ADAPTERS, Colour, colour


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test once with each adapter."""
    with colour(request.param) as chosen:
        yield chosen


class _Complaints(logging.Handler):
    """Keeps what asyncio complains of, such as exceptions that were never retrieved."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves a socket or a thread behind, or of which asyncio complains."""
    gc.freeze()  # what was there before cannot be its fault, and need not be looked at
    threads = set(threading.enumerate())
    complaints, logger = _Complaints(), logging.getLogger("asyncio")
    logger.addHandler(complaints)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResourceWarning)
        yield
        gc.collect()
    gc.unfreeze()
    logger.removeHandler(complaints)
    assert complaints.texts == []
    assert [str(w.message) for w in caught if issubclass(w.category, ResourceWarning)] == []
    assert set(threading.enumerate()) <= threads
