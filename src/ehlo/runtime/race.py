"""Happy eyeballs (RFC 8305): which address is to be tried when, as decisions without I/O.

An adapter asks a `Race` which address is due, connects, and says what came of it. The clock is the
adapter's: a race sees times, and never asks for one.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["DELAY", "NotReached", "NotReachedInTime", "Race", "SocketAddress"]

DELAY: Final = 0.25
"""Seconds that an attempt has to itself before the next one begins (RFC 8305 section 5)."""


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """An address to connect to, as `getaddrinfo` tells it.

    Attributes:
        family: The address family.
        kind: The type of the socket.
        protocol: The protocol of the socket.
        name: What `connect` takes.
    """

    family: int
    kind: int
    protocol: int
    name: Any

    @override
    def __str__(self) -> str:
        """Return the address with its port, an IPv6 address in brackets."""
        host, port = self.name[:2]
        return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


class NotReached(OSError):
    """No address could be connected to.

    Attributes:
        addresses: What was wrong with each that was tried.
    """

    def __init__(self, text: str, addresses: Mapping[str, OSError]) -> None:
        super().__init__(text)
        self.addresses = addresses


class NotReachedInTime(NotReached, TimeoutError):
    """No address could be connected to in time."""


class Race:
    """The attempts to connect to one of several addresses.

    The first begins at once. Another begins when one has failed, or when the last has gone on for a
    while; the families take turns (RFC 8305 sections 4 and 5). Whoever is first has won, and the
    caller closes all others.

    Args:
        addresses: The addresses, the best first (RFC 6724).
        delay: Seconds between the attempts.
    """

    def __init__(self, addresses: Iterable[SocketAddress], *, delay: float = DELAY) -> None:
        self._waiting = deque(_interleaved(addresses))
        self._running: list[SocketAddress] = []
        self._delay = delay
        self._due = -math.inf
        self._failures: dict[str, OSError] = {}

    def take(self, now: float) -> SocketAddress | None:
        """Return the address to try at this moment, if it is time for one.

        Args:
            now: The time in seconds, by any clock that does not go back.

        Returns:
            An address that counts as being tried from now on; None if there is nothing to begin.
        """
        if not self._waiting or now < self._due:
            return None
        address = self._waiting.popleft()
        self._running.append(address)
        self._due = now + self._delay
        return address

    def pause(self, now: float, end: float | None = None) -> float | None:
        """Return how long to wait for the attempts that go on before there is something to do.

        Args:
            now: The time, as for `take`.
            end: When the race must be over; None for never.

        Returns:
            Seconds until the next attempt is due, or the race is over; None for never.
        """
        moments = [self._due] if self._waiting else []
        if end is not None:
            moments.append(end)
        return max(0.0, min(moments) - now) if moments else None

    def fail(self, address: SocketAddress, error: OSError) -> None:
        """Take in that an attempt has failed: the next one is due.

        Args:
            address: The address.
            error: Why.
        """
        self._running.remove(address)
        self._failures[str(address)] = error
        self._due = -math.inf

    @property
    def is_lost(self) -> bool:
        """Whether all have failed."""
        return not self._waiting and not self._running

    def trouble(self) -> OSError:
        """Return the error for a race that is lost; of a single address it is that one's own."""
        if not self._failures:
            return NotReached("the host name has no address", {})
        failures = list(self._failures.values())
        text = str(failures[0]) if len(failures) == 1 else _in_words(self._failures)
        error = NotReached(text, self._failures)
        error.__cause__ = failures[-1]
        return error

    def timeout(self) -> OSError:
        """Return the error for a race that nobody has won in time."""
        left = {str(address): TimeoutError("no answer") for address in self._running}
        addresses = {**self._failures, **left}
        return NotReachedInTime(_in_words(addresses), addresses)


def _in_words(addresses: Mapping[str, OSError]) -> str:
    return "; ".join(f"{address}: {error}" for address, error in addresses.items())


def _interleaved(addresses: Iterable[SocketAddress]) -> Iterable[SocketAddress]:
    """Let the families take turns, that of the best address first (RFC 8305 section 4)."""
    families: dict[int, list[SocketAddress]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    turns = zip_longest(*families.values())
    return (address for address in chain.from_iterable(turns) if address is not None)
