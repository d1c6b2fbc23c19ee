"""How long the steps of opening a connection take, told by the needs of the dialogue alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.phase import Phase
from ehlo.pool.events import Authenticated, Connected, Encrypted, PassedOver

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.dialogues import Dialogue
    from ehlo.errors import SMTPError
    from ehlo.pool.events import ClientEvent
    from ehlo.protocol import Connection

__all__ = ["Stopwatch"]


class Stopwatch:
    """Tells of connecting, TLS and authentication, each as it is done.

    Args:
        number: The connection's number.
        clock: Tells seconds.
        tell: Is told.
    """

    def __init__(
        self, number: int, clock: Callable[[], float], tell: Callable[[ClientEvent], None]
    ) -> None:
        self._number = number
        self._clock = clock
        self._tell = tell
        self._begun = clock()

    def passed_over(self, server: str, error: SMTPError) -> None:
        """Tell of a server that could not be had.

        Args:
            server: Which.
            error: Why not.
        """
        self._tell(PassedOver(self._number, self._clock() - self._begun, server, error))

    def watch(
        self, server: str, connection: Connection, dialogue: Dialogue[None]
    ) -> Dialogue[None]:
        """Run a dialogue that opens a session, and tell how it goes.

        Args:
            server: To whom; several may be tried in turn.
            connection: Its Connection.
            dialogue: The dialogue.

        Raises:
            SMTPError: Whatever the dialogue raises.
        """
        self._tell(Connected(self._number, self._clock() - self._begun, server))
        seconds = dict.fromkeys((Phase.TLS, Phase.AUTH), 0.0)
        was_encrypted = False
        trouble: SMTPError | None = None
        while True:
            try:
                need = next(dialogue) if trouble is None else dialogue.throw(trouble)
            except StopIteration:
                break
            if connection.encrypted and not was_encrypted:
                was_encrypted = True
                self._tell(Encrypted(self._number, seconds[Phase.TLS], connection.tls))
            begun, trouble = self._clock(), None
            try:
                yield need
            except Exception as exc:  # noqa: BLE001 - the pump's, for the dialogue to judge
                trouble = exc  # type: ignore[assignment]
            if need.phase in seconds:
                seconds[need.phase] += self._clock() - begun
        if connection.encrypted and not was_encrypted:
            self._tell(Encrypted(self._number, seconds[Phase.TLS], connection.tls))
        if connection.authenticated:
            self._tell(Authenticated(self._number, seconds[Phase.AUTH]))
