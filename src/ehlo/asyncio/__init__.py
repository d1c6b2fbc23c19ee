"""The asyncio adapter: SMTP on an event loop.

Everything here stands in `ehlo.blocking` too, under the same name, without `await`.
"""

from __future__ import annotations

from ehlo.asyncio._session import Session, connect, send

__all__ = ["Session", "connect", "send"]
