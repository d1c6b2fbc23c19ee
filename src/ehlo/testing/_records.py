"""What a running server has kept so far, shared between its thread and the test's."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ehlo.testing._proxy import ProxyHeader
    from ehlo.testing._received import ReceivedCommand, ReceivedMessage

__all__ = ["Records"]


class Records:
    """Everything that all connections received; safe to use from any thread.

    It is written before the octets that answer it are sent, so whoever has read a reply finds
    what it was about.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: list[ReceivedMessage] = []
        self._commands: list[ReceivedCommand] = []
        self._discarded = bytearray()
        self._proxy_headers: list[ProxyHeader] = []
        self._failures: list[BaseException] = []
        self._flights = 0
        self._accepted = 0
        self._open = 0

    # --- reading

    @property
    def messages(self) -> tuple[ReceivedMessage, ...]:
        """The messages, in the order of their acceptance."""
        with self._changed:
            return tuple(self._messages)

    @property
    def commands(self) -> tuple[ReceivedCommand, ...]:
        """The commands, in the order they came."""
        with self._changed:
            return tuple(self._commands)

    @property
    def discarded(self) -> bytes:
        """The octets that came in clear behind STARTTLS."""
        with self._changed:
            return bytes(self._discarded)

    @property
    def flights(self) -> int:
        """How many times a client began to speak after the server had."""
        with self._changed:
            return self._flights

    @property
    def proxy_headers(self) -> tuple[ProxyHeader, ...]:
        """What proxies said about connections."""
        with self._changed:
            return tuple(self._proxy_headers)

    @property
    def failures(self) -> tuple[BaseException, ...]:
        """What went wrong in the server itself."""
        with self._changed:
            return tuple(self._failures)

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        with self._changed:
            return self._accepted

    def wait_for_messages(self, count: int, timeout: float) -> None:
        """Block until there are so many messages; see `Server.wait_for_messages`."""
        self._wait(lambda: len(self._messages) >= count, f"{count} messages", timeout)

    def wait_for_commands(self, count: int, timeout: float) -> None:
        """Block until there are so many commands; see `Server.wait_for_commands`."""
        self._wait(lambda: len(self._commands) >= count, f"{count} commands", timeout)

    def wait_until_idle(self, timeout: float) -> None:
        """Block until no connection is open; see `Server.wait_until_idle`."""
        self._wait(lambda: not self._open, "the end of all connections", timeout)

    def _wait(self, reached: Callable[[], bool], what: str, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failures or reached(), timeout)
            if self._failures:
                raise self._failures[0]
            if not reached():
                raise TimeoutError(
                    f"waited {timeout} s for {what}; so far there are {len(self._messages)} "
                    f"messages, {len(self._commands)} commands and {self._open} open connections"
                )

    # --- writing

    def add(
        self,
        messages: Sequence[ReceivedMessage],
        commands: Sequence[ReceivedCommand],
        discarded: bytes,
        flights: int,
    ) -> None:
        """Add what a connection has newly received."""
        with self._changed:
            self._flights += flights
            self._messages += messages
            self._commands += commands
            self._discarded += discarded
            self._changed.notify_all()

    def add_proxy_header(self, header: ProxyHeader) -> None:
        """Add what a proxy said."""
        with self._changed:
            self._proxy_headers.append(header)

    def fail(self, failure: BaseException) -> None:
        """Add something that went wrong in the server itself."""
        with self._changed:
            self._failures.append(failure)
            self._changed.notify_all()

    def connected(self) -> int:
        """Count a new connection; return its number, from 1."""
        with self._changed:
            self._accepted += 1
            self._open += 1
            return self._accepted

    def disconnected(self) -> None:
        """Count a connection that is gone."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
