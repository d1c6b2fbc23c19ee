"""Several servers in order of priority: which failures move on to the next one, as data."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from ehlo.phase import Phase

if TYPE_CHECKING:
    from ehlo.errors import SMTPError
    from ehlo.runtime.options import Settings

__all__ = ["Failover"]

_PHASES: Final = frozenset({Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.HELLO, Phase.STARTTLS})
"""The steps whose temporary failures move on: those before the server has seen any credentials."""


class Failover:
    """The servers that are left to try.

    A failure moves on if it is temporary and came before authentication. What is permanent would be
    hidden by going elsewhere (a certificate that is wrong, a server that refuses this client), and
    who was refused once should not spend a second attempt on the next server, where the accounts
    are likely to be the same.

    Args:
        settings: The settings of the first server, which know the others.
    """

    def __init__(self, settings: Settings) -> None:
        self._left = deque((settings, *settings.alternatives))
        self._current = settings
        self._on_passed_over = settings.on_passed_over
        self._failed: list[tuple[str, SMTPError]] = []

    def next(self) -> Settings:
        """Return the settings of the server to try."""
        self._current = self._left.popleft()
        return self._current

    def is_over(self, error: SMTPError) -> bool:
        """Take in that a server has failed.

        Args:
            error: Why; it is told what happened to the servers before.

        Returns:
            Whether this error is the end of it; if not, there is a next server.
        """
        error.failed_over = tuple(self._failed)
        for where, earlier in self._failed:
            error.add_note(f"before that, {where}: {earlier}")
        if self._left and error.temporary and error.phase in _PHASES:
            server = str(self._current.endpoint)
            # Without its traceback, which would keep alive all that was in use there.
            self._failed.append((server, error.with_traceback(None)))
            self._on_passed_over(server, error)
            return False
        return True
