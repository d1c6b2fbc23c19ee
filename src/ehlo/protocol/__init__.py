"""The sans-IO protocol: what may be said when, and what was said so far."""

from __future__ import annotations

from ehlo.protocol._connection import Connection
from ehlo.protocol._events import ConnectionClosed, Event, ReplyReceived, ServerClosing
from ehlo.protocol._receiving import NEED_DATA, NeedData
from ehlo.protocol._state import State

__all__ = [
    "NEED_DATA",
    "Connection",
    "ConnectionClosed",
    "Event",
    "NeedData",
    "ReplyReceived",
    "ServerClosing",
    "State",
]
