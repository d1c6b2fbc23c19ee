"""What all pumps do the same way around a dialogue: guard it, and settle what it leaves behind."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from ehlo.commands import Verb
from ehlo.errors import ConnectFailed, ConnectionLost, LocalProtocolError, SMTPError, Timeout
from ehlo.phase import Phase
from ehlo.proxy import Hop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.endpoint import Endpoint
    from ehlo.protocol import Connection
    from ehlo.proxy import Proxy
    from ehlo.runtime.link import Link

__all__ = [
    "Turn",
    "lost",
    "not_connected",
    "proxy_lost",
    "proxy_not_reached",
    "timed_out",
    "told",
]


class Turn:
    """One dialogue's turn on a link: entered by its pump, left when the dialogue is over.

    Entering it while another dialogue is under way is an error, not a queue: two users of one
    session would each get the other's replies. On leaving, a Connection that is out of step is
    given up, and every error says whether the session can go on. Who is interrupted gives it up in
    any case; what a caller's own code raised (a source of messages, say) leaves it if it is idle. A
    generator that is closed before its end (`GeneratorExit`) leaves like one that came to it.

    Args:
        link: The link.
        has_backlog: Tells whether the transport itself keeps octets that it has not sent yet.
    """

    def __init__(self, link: Link, has_backlog: Callable[[], bool] = bool) -> None:
        self._link = link
        self._has_backlog = has_backlog
        self._lock = Lock()

    def __enter__(self) -> None:
        """Begin a turn.

        Raises:
            LocalProtocolError: Another one is under way.
        """
        if not self._lock.acquire(blocking=False):
            msg = "the session is busy: another task or thread is using it at this moment"
            raise LocalProtocolError(msg)

    @property
    def taken(self) -> bool:
        """Whether a dialogue is under way."""
        return self._lock.locked()

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """End the turn."""
        self._lock.release()
        connection = self._link.connection
        if error is None:
            if self._is_unsettled():
                connection.abandon("the session is out of step")
            return
        if not self._may_stay(error):
            connection.abandon("the session was abandoned")
        elif self._is_unsettled():
            connection.abandon("the session is out of step")
        if isinstance(error, SMTPError):
            error.connection_usable = connection.is_in_step

    def _may_stay(self, error: BaseException | None) -> bool:
        if error is None or isinstance(error, SMTPError | GeneratorExit):
            return True
        return isinstance(error, Exception) and self._link.connection.is_idle

    def _is_unsettled(self) -> bool:
        connection = self._link.connection
        if self._link.unsent or self._has_backlog():
            return True
        return not (connection.is_settled or connection.is_over)


def lost(phase: Phase, cause: BaseException | None) -> ConnectionLost:
    """Return the error for a transport that failed.

    Args:
        phase: What was going on.
        cause: What the transport said.

    Returns:
        The error, with its cause set.
    """
    why = f": {cause}" if cause is not None and str(cause) else ""
    error = ConnectionLost(f"the connection was lost while {phase.phrase}{why}", phase=phase)
    error.__cause__ = cause
    return error


def not_connected(endpoint: Endpoint, cause: OSError) -> ConnectionLost:
    """Return the error for a connection that did not come about.

    Args:
        endpoint: Where it should have gone.
        cause: What the system, or a deadline, said.

    Returns:
        The error: a `Timeout` if time was the trouble.
    """
    return _not_connected(str(endpoint), "", cause)


def proxy_not_reached(proxy: Proxy, endpoint: Endpoint, cause: OSError) -> ConnectionLost:
    """Return the error for a proxy that could not be connected to.

    Args:
        proxy: The proxy.
        endpoint: The server that it should have connected to.
        cause: What the system, or a deadline, said.

    Returns:
        The error, as above.
    """
    error = _not_connected(f"{endpoint} through {proxy}", "the proxy cannot be reached: ", cause)
    error.hop = Hop.PROXY
    return error


def proxy_lost(proxy: Proxy, endpoint: Endpoint, cause: OSError) -> ConnectionLost:
    """Return the error for a proxy that was connected to, and gave no answer.

    Args:
        proxy: The proxy.
        endpoint: The server that it should have connected to.
        cause: What the system, or a deadline, said.

    Returns:
        The error, as above.
    """
    error = _not_connected(f"{endpoint} through {proxy}", "the proxy was lost: ", cause)
    # A proxy that takes its time is waiting for the server.
    error.hop = Hop.SERVER if isinstance(cause, TimeoutError) else Hop.PROXY
    return error


def _not_connected(where: str, what: str, cause: OSError) -> ConnectionLost:
    addresses: Mapping[str, OSError] = getattr(cause, "addresses", {})  # of a `NotReached`
    error: ConnectionLost
    if isinstance(cause, TimeoutError):
        tried = f" ({what}{cause})" if addresses else ""
        error = Timeout(f"no connection to {where} in time{tried}", phase=Phase.CONNECT)
    else:
        error = ConnectFailed(f"no connection to {where}: {what}{cause}", phase=Phase.CONNECT)
    if addresses:
        error.addresses = addresses
    error.__cause__ = cause.__cause__ or cause
    return error


def timed_out(phase: Phase, seconds: float) -> Timeout:
    """Return the error for a deadline that passed.

    Args:
        phase: What was going on.
        seconds: How long was waited.

    Returns:
        The error.
    """
    return Timeout(f"no answer within {seconds:.3g} seconds while {phase.phrase}", phase=phase)


def told(trouble: SMTPError, phase: Phase, connection: Connection) -> SMTPError:
    """Add phase and command to an error that comes from below, where they are not known.

    Args:
        trouble: The error.
        phase: What was going on.
        connection: The Connection, which knows what is to be answered.

    Returns:
        The same error.
    """
    if trouble.phase is None:
        trouble.phase = phase
    awaited = connection.awaited
    if trouble.command is None and awaited is not None and awaited.verb is not Verb.GREETING:
        trouble.command = awaited.shown
    return trouble
