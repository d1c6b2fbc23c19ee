"""What every test gets: the Hypothesis profile and the shared fixtures."""

from __future__ import annotations

import os

from hypothesis import settings

from support.servers import servers

__all__ = ["servers"]

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=500, derandomize=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")
