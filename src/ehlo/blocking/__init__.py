"""The blocking adapter: SMTP over plain sockets, for programs without an event loop.

Everything here stands in `ehlo.asyncio` too, under the same name, with `await`.
"""

from __future__ import annotations

from ehlo.blocking._client import Client
from ehlo.blocking._opening import connect, send, send_many
from ehlo.blocking._session import Session

__all__ = ["Client", "Session", "connect", "send", "send_many"]
