"""Addresses on the loopback interface that answer, refuse, or keep silent."""

from __future__ import annotations

import atexit
import functools
import itertools
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from ehlo.runtime import route
from ehlo.runtime.race import Race

HOST = "many.example.com"
"""A host whose addresses are what the test says."""


@contextmanager
def deaf() -> Iterator[tuple[str, int]]:
    """Provide an address that takes no connection and refuses none: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:  # Linux takes one more than it is told, others may differ
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.05)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()


def free_port() -> int:
    """Return a port for a program to listen at, or to connect from.

    It is none of those that a system hands out by itself: what other tests open meanwhile does not
    get it.
    """
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _taken() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    atexit.register(taken.close)
    return taken


_TAKEN: Final = itertools.cycle([_taken().getsockname() for _ in range(4)])
"""Ports that are bound while the tests run, so that nobody else can come to listen there."""


def refusing() -> tuple[str, int]:
    """Return an address that refuses connections, and another one than the last three times."""
    address: tuple[str, int] = next(_TAKEN)
    return address


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Let `HOST` have these addresses."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != HOST:
            return real(host, port, *args, **kwargs)
        return [entry for address in addresses for entry in real(*address, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def hurry(monkeypatch: pytest.MonkeyPatch, delay: float = 0.005) -> None:
    """Let the next attempt begin sooner than it would."""
    monkeypatch.setattr(route, "Race", functools.partial(Race, delay=delay))


def descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for_descriptors(count: int) -> None:
    """Wait until no more than so many are open: the other end, in a thread, may take a moment."""
    end = time.monotonic() + 5
    while descriptors() > count:
        assert time.monotonic() < end, f"{descriptors()} open, not {count}"
        time.sleep(0.001)
