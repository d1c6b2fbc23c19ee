"""The asyncio adapter: SMTP on an event loop.

Everything here stands in `ehlo.blocking` too, under the same name, without `await`.
"""

from __future__ import annotations

from ehlo.asyncio._client import Client
from ehlo.asyncio._opening import connect, send, send_many
from ehlo.asyncio._session import Session

__all__ = ["Client", "Session", "connect", "send", "send_many"]
