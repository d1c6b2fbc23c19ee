"""Getting an OAuth token: it is there, or a function returns it, or it has to be awaited."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

from ehlo.dialogues.needs import Fetch
from ehlo.dialogues.sources import AsyncSource
from ehlo.phase import Phase
from ehlo.sasl.credentials import as_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ehlo.dialogues.needs import Dialogue
    from ehlo.sasl import OAuth2
    from ehlo.secret import Secret

__all__ = ["fetch_token"]


def fetch_token(oauth: OAuth2, *, refresh: bool) -> Dialogue[Secret]:
    """Get a token.

    Args:
        oauth: Whose.
        refresh: Whether the last one was refused.

    Returns:
        The token.

    Raises:
        TypeError: What the function returned is no token, or has to be awaited and nobody can.
        Exception: Whatever the function raises.
    """
    if oauth.callback is None:
        return as_token(oauth.token)
    given = _Given(oauth.callback(refresh=refresh))
    if given.is_awaitable:
        yield from _await(given)
    return given.token()


class _Given:
    """What the function returned; no local variable holds it, for tracebacks show those."""

    __slots__ = ("_is_awaited", "_value")

    def __init__(self, value: object) -> None:
        self._value = value
        self._is_awaited = False

    @property
    def is_awaitable(self) -> bool:
        """Whether a token is still to come."""
        return isinstance(self._value, Awaitable)

    async def items(self) -> AsyncIterator[None]:
        """Await the token; a source wants an iterator."""
        self._is_awaited = True
        self._value = await cast("Awaitable[object]", self._value)
        yield

    def token(self) -> Secret:
        """Return the token."""
        return as_token(self._value)

    def close(self) -> None:
        """Close a coroutine that nobody has awaited: it would complain."""
        close: Callable[[], None] | None = getattr(self._value, "close", None)
        if not self._is_awaited and close is not None:
            close()


def _await(given: _Given) -> Dialogue[None]:
    source = AsyncSource(given.items())
    try:
        while not source.is_ready:
            yield Fetch(source, Phase.AUTH)
        source.take()
    finally:
        given.close()
