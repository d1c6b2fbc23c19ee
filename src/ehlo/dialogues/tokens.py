"""Getting an OAuth token: it is there, or a function returns it, or it has to be awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, cast

from ehlo.dialogues.needs import Fetch
from ehlo.dialogues.sources import AsyncSource
from ehlo.phase import Phase
from ehlo.sasl.credentials import as_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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
    if isinstance(given.value, Awaitable):
        yield from _await(given)
    return as_token(given.value)


class _Given:
    """What the function returned; no local variable holds it, for tracebacks show those."""

    __slots__ = ("is_awaited", "value")

    def __init__(self, value: object) -> None:
        self.value = value
        self.is_awaited = False


def _await(given: _Given) -> Dialogue[None]:
    source = AsyncSource(_awaited(given))
    try:
        while not source.is_ready:
            yield Fetch(source, Phase.AUTH)
        source.take()
    finally:
        # A coroutine that nobody has awaited would complain.
        if not given.is_awaited and isinstance(given.value, Coroutine):
            cast("Coroutine[object, object, object]", given.value).close()


async def _awaited(given: _Given) -> AsyncIterator[None]:
    given.is_awaited = True
    given.value = await cast("Awaitable[object]", given.value)
    yield
