"""The world outside: the clock, fresh identifiers, the default TLS context, logging."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ehlo.transcript import Side

if TYPE_CHECKING:
    import ssl

    from ehlo.transcript import Trace

__all__ = [
    "LoggingTrace",
    "context_with",
    "default_context",
    "make_id",
    "make_nonce",
    "now",
    "traces",
    "unix_time",
]

_logger = logging.getLogger("ehlo")


def now() -> datetime:
    """Return the time with the machine's own offset, as mail headers want it."""
    return datetime.now(UTC).astimezone()


def unix_time() -> float:
    """Return the time in seconds since 1970, as signatures want it."""
    return time.time()


def make_id() -> str:
    """Return a fresh identifier: 32 hexadecimal digits of randomness."""
    return os.urandom(16).hex()  # what `secrets` has in the end, without the calls between


def make_nonce() -> str:
    """Return a fresh nonce: 24 random octets as 32 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(24)


@functools.cache
def default_context() -> ssl.SSLContext:
    """Return the context used where the caller passes none: everything is verified.

    It takes TLS 1.2 or later (RFC 8996).
    """
    return _context()


def context_with(certificate: str, key: str | None) -> ssl.SSLContext:
    """Return a context like the default one, with a certificate of the client.

    Args:
        certificate: The path of a file with the certificate, and those that signed it (PEM).
        key: The path of a file with its key; None if that is in the same one.

    Returns:
        The context.

    Raises:
        OSError: They cannot be read; `ssl.SSLError` if they are none, or the key is encrypted.
    """
    context = _context()
    # OpenSSL would ask at the terminal for what a key is encrypted with.
    context.load_cert_chain(certificate, key, password="")
    return context


def _context() -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - heavy, and many sessions have no TLS

    context = ssl.create_default_context()
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


class LoggingTrace:
    """A trace that writes to the logger `ehlo` at level DEBUG."""

    def line(self, side: Side, text: str) -> None:
        """Log one line; see `Trace.line`."""
        _logger.debug("%s: %r", side.value, text)

    def content(self, octets: bytes) -> None:
        """Log the length of a piece of content; see `Trace.content`."""
        _logger.debug("%s: (%d octets of content)", Side.CLIENT.value, len(octets))


class _Both:
    """Two traces as one."""

    def __init__(self, first: Trace, second: Trace) -> None:
        self._traces = (first, second)

    def line(self, side: Side, text: str) -> None:
        for trace in self._traces:
            trace.line(side, text)

    def content(self, octets: bytes) -> None:
        for trace in self._traces:
            trace.content(octets)


def traces(trace: Trace | None) -> Trace | None:
    """Add logging to the trace a caller asked for, if anybody listens to it.

    Args:
        trace: The caller's trace.

    Returns:
        What a Connection should be given; None if nobody wants to see anything.
    """
    if not _logger.isEnabledFor(logging.DEBUG):
        return trace
    return LoggingTrace() if trace is None else _Both(trace, LoggingTrace())
