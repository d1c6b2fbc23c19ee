"""Dialogues: each a plan that drives a Connection from top to bottom, without any I/O.

A dialogue is a generator. It yields what it needs from the outside (`Need`) and is resumed when
the need is met; it raises or returns its result. Whoever meets the needs is a pump: see
`docs/explanation/dialogues-and-pumps.md` for the contract.
"""

from __future__ import annotations

from ehlo.dialogues.authentication import authenticate
from ehlo.dialogues.batch import DEPTH, Batch, check_depth
from ehlo.dialogues.exchange import perform
from ehlo.dialogues.extensions import xclient, xforward
from ehlo.dialogues.needs import Dialogue, Fetch, Flush, Need, Receive, UpgradeTls
from ehlo.dialogues.planning import require_verified_tls
from ehlo.dialogues.session import Opening, greet, hello, open_session, quit_session, start_tls
from ehlo.dialogues.sources import AsyncSource, Source
from ehlo.dialogues.transaction import Transaction, bdat, data, deliver

__all__ = [
    "DEPTH",
    "AsyncSource",
    "Batch",
    "Dialogue",
    "Fetch",
    "Flush",
    "Need",
    "Opening",
    "Receive",
    "Source",
    "Transaction",
    "UpgradeTls",
    "authenticate",
    "bdat",
    "check_depth",
    "data",
    "deliver",
    "greet",
    "hello",
    "open_session",
    "perform",
    "quit_session",
    "require_verified_tls",
    "start_tls",
    "xclient",
    "xforward",
]
