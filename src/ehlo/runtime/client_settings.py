"""The options of a client, checked once for both adapters, and whoever is told what happens."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, cast

from ehlo.errors import InvalidInput, SMTPError
from ehlo.options import ClientOptions
from ehlo.policies import Hello
from ehlo.pool.options import PoolOptions
from ehlo.pool.stopwatch import Stopwatch
from ehlo.runtime.options import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ehlo.endpoint import Found
    from ehlo.options import ConnectOptions
    from ehlo.pool.events import ClientEvent, Observer
    from ehlo.pool.retrying import RetryPolicy
    from ehlo.pool.slots import Slot

__all__ = ["ClientSettings", "Listener", "require_function"]

_logger = logging.getLogger("ehlo")
_POOL: Final = frozenset(field.name for field in fields(PoolOptions))
_OWN: Final = frozenset({"retry_policy", "on_event"})

_DESCRIBED: Final[Mapping[str, Callable[[Any], str]]] = {
    "server": "to {}".format,
    "seconds": "{:.3f} s".format,
    "why": str,
    "error": lambda error: " after ".join(_trouble(error)),
}
"""How the log shows what events have."""


def _trouble(error: Exception) -> Iterator[str]:
    """Name an error, and those of the servers that were tried before."""
    yield type(error).__name__
    if isinstance(error, SMTPError):
        for server, earlier in reversed(error.failed_over):
            yield f"{type(earlier).__name__} of {server}"


class Listener:
    """Writes events to the logger `ehlo` at level DEBUG, and hands them to the caller's hook.

    What the hook raises is logged and goes no further: to watch must not change what is watched.

    Args:
        hook: The caller's; None for none.
    """

    def __init__(self, hook: Observer | None) -> None:
        self._hook = hook

    @property
    def listens(self) -> bool:
        """Whether anybody wants to know of each message."""
        return self._hook is not None or _logger.isEnabledFor(logging.DEBUG)

    def __call__(self, event: ClientEvent) -> None:
        """Take an event."""
        if _logger.isEnabledFor(logging.DEBUG):
            _logger.debug("client: %s", _described(event))
        if self._hook is None:
            return
        try:
            self._hook(event)
        except Exception:
            _logger.exception("on_event raised an exception")


def _require_policy(policy: object) -> None:
    """Refuse what cannot be asked for delays."""
    delay = getattr(policy, "delay", None)
    if isinstance(policy, type):
        raise TypeError(f"retry_policy= is an object, and {policy.__name__} is a class: call it")
    if not callable(delay):
        raise TypeError(f"retry_policy= has a method delay, unlike {type(policy).__name__}")
    require_function("retry_policy.delay", delay)


def require_function(name: str, given: object) -> None:
    """Refuse what cannot be called, or would have to be awaited.

    Args:
        name: Of the argument, for the error.
        given: Its value.

    Raises:
        TypeError: It is refused.
    """
    from inspect import iscoroutinefunction  # noqa: PLC0415 - heavy, and few need it

    if not callable(given):
        raise TypeError(f"{name}= is a function, not {type(given).__name__}")
    if iscoroutinefunction(given):
        raise TypeError(f"{name}= is a plain function: nobody would await what {given!r} returns")


def _described(event: ClientEvent) -> str:
    """Return an event in a line; an error that is not ours is named and not quoted."""
    parts = [f"connection {event.connection}", type(event).__name__]
    for name, described in _DESCRIBED.items():
        value = getattr(event, name, None)
        if value is not None:
            parts.append(described(value))
    return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """The options of a client.

    Attributes:
        session: Those of its sessions.
        pool: Those of its pool.
        policy: Decides about messages that were refused for now.
        listener: Is told what happens.
    """

    session: Settings
    pool: PoolOptions
    policy: RetryPolicy | None
    listener: Listener

    @classmethod
    def of(cls, server: str | Found, options: ClientOptions) -> ClientSettings:
        """Check the arguments of `Client`.

        Args:
            server: A URL, an endpoint or several, or what `read_server` has found wrong.
            options: The keyword arguments.

        Returns:
            The settings.

        Raises:
            InvalidInput: A value is wrong, or two contradict each other.
            TypeError: A value is of another type, or there is no such option.
        """
        given = cast("dict[str, Any]", options)
        own = {name: given.pop(name) for name in _POOL | _OWN if name in given}
        session = Settings.of(server, cast("ConnectOptions", options), ClientOptions)
        del given, options  # they may hold a secret, and tracebacks show local variables
        if session.hello is Hello.NONE:
            msg = "hello='none' is for sessions by hand: a client's have to be ready for mail"
            raise InvalidInput(msg)
        if session.route.sock is not None:
            msg = "sock= is one connection, and a client makes its own; connector= can say how"
            raise InvalidInput(msg)
        policy: RetryPolicy | None = own.pop("retry_policy", None)
        hook: Observer | None = own.pop("on_event", None)
        if policy is not None:
            _require_policy(policy)
        if hook is not None:
            require_function("on_event", hook)
        return cls(session=session, pool=PoolOptions(**own), policy=policy, listener=Listener(hook))

    def watched(self, slot: Slot, clock: Callable[[], float]) -> Settings:
        """Return the settings for one connection, so that its opening is watched if need be.

        Args:
            slot: The connection.
            clock: Tells seconds.

        Returns:
            The settings of the session.
        """
        if not self.listener.listens:
            return self.session
        stopwatch = Stopwatch(slot.number, clock, self.listener)
        return self.session.watched(stopwatch.watch, stopwatch.passed_over)
