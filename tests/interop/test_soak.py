"""A minute of steady sending under faults, through both adapters at once (T10)."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.soak import soak

from support.servers import Servers

pytestmark = [
    pytest.mark.interop,
    pytest.mark.long,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what is held is read there"),
]


def test_nothing_grows_and_what_is_reported_is_true(servers: Servers) -> None:
    for one in soak(servers, seconds=60, rate=40):
        print(one.table())
        one.check()
