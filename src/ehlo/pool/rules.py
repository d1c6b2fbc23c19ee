"""Which connections may be used, and what has to be done first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.pool.events import Why
from ehlo.pool.slots import Do
from ehlo.protocol import State

if TYPE_CHECKING:
    from ehlo.pool.options import PoolOptions
    from ehlo.pool.slots import Slot
    from ehlo.protocol import Connection

__all__ = ["first", "unfit", "used_up", "what_ended"]


def unfit(slot: Slot, options: PoolOptions, now: float) -> Why | None:
    """Return why a connection that nobody uses cannot be used any more, if it cannot.

    Args:
        slot: The connection.
        options: The rules' numbers.
        now: The time.

    Returns:
        The reason; None if it is fit.
    """
    connection = slot.live
    if not connection.is_idle:
        return what_ended(connection)
    if options.max_age is not None and now - slot.opened_at >= options.max_age:
        return Why.MAX_AGE
    return used_up(slot, options)


def used_up(slot: Slot, options: PoolOptions) -> Why | None:
    """Return why no more messages may go over a connection, if none may.

    Args:
        slot: The connection.
        options: The rules' numbers.

    Returns:
        The reason; None if there may be more.
    """
    connection = slot.live
    if "LIMITS" in connection.capabilities.keywords:  # MAILMAX (RFC 9422 section 4.1)
        most = connection.capabilities.limits.mail_max
        if most is not None and connection.transactions >= most:
            return Why.LIMITS
    most = options.max_messages
    if most is not None and connection.transactions >= most:
        return Why.MAX_MESSAGES
    return None


def first(slot: Slot, options: PoolOptions, now: float) -> Do:
    """Return what has to be done before a connection is used.

    Args:
        slot: The connection, which is fit.
        options: The rules' numbers.
        now: The time.

    Returns:
        `USE` or `CHECK`.
    """
    after = options.check_after
    if slot.is_suspect or (after is not None and now - slot.idle_since >= after):
        return Do.CHECK
    return Do.USE


def what_ended(connection: Connection) -> Why:
    """Return what has become of a connection that is not idle.

    Args:
        connection: The Connection.

    Returns:
        The reason why it cannot be used.
    """
    if connection.closing_reply is not None:
        return Why.SERVER_CLOSED
    # Idle but for what has come unasked: the end, most likely.
    is_lost = connection.is_over or connection.state is State.READY
    return Why.LOST if is_lost else Why.INTERRUPTED
