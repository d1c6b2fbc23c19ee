"""The pool behind a `Client`: its rules, without any I/O, and what it tells of itself.

`Client` of `ehlo.asyncio` and of `ehlo.blocking` acts on what is decided here. Programs need of
this what they watch a client with (`ClientEvent` and its kinds), and what they can have decided
about refusals for now (`RetryPolicy`, `Backoff`).
"""

from __future__ import annotations

from ehlo.pool.dispatch import Order
from ehlo.pool.events import (
    Authenticated,
    ClientEvent,
    Connected,
    Discarded,
    Encrypted,
    Failed,
    Observer,
    Opened,
    OpeningFailed,
    PassedOver,
    Retrying,
    Sent,
    Why,
)
from ehlo.pool.retrying import Backoff, RetryPolicy
from ehlo.pool.stats import Stats

__all__ = [
    "Authenticated",
    "Backoff",
    "ClientEvent",
    "Connected",
    "Discarded",
    "Encrypted",
    "Failed",
    "Observer",
    "Opened",
    "OpeningFailed",
    "Order",
    "PassedOver",
    "RetryPolicy",
    "Retrying",
    "Sent",
    "Stats",
    "Why",
]
