"""What the messages of the gallery have in common."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

__all__ = ["ADA", "BOB", "CAROL", "DAY", "WHEN", "make_id"]

WHEN: Final = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=1)))
DAY: Final = timedelta(days=1)
ADA: Final = "Ada Lovelace <ada@example.org>"
BOB: Final = "Bob Baker <bob@example.com>"
CAROL: Final = "Carol Cooper <carol@example.net>"


def make_id() -> str:
    """Return the identifier that boundaries are made of."""
    return "7f3a"
