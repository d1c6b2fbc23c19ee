"""What the tests of both adapters share."""

from collections.abc import Iterator

import pytest

from support.colours import Colour, colour


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    """Run the test once with each adapter."""
    with colour(request.param) as chosen:
        yield chosen
