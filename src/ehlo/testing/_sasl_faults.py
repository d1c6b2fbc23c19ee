"""What a server may do wrong in any SASL exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.testing._accounts import SaslFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ehlo.testing._accounts import Accounts, Exchange

__all__ = ["faulty"]


def faulty(exchange: Exchange, accounts: Accounts) -> Exchange:
    """Return an exchange with the fault that the server has.

    Args:
        exchange: The exchange as it should be.
        accounts: Who can authenticate, and what the server does wrong.

    Returns:
        The exchange as it will be; those of single mechanisms are theirs.
    """
    fault = _FAULTS.get(accounts.fault)
    return exchange if fault is None else fault(exchange)


def _endless(_exchange: Exchange) -> Exchange:
    while True:
        yield b"go on"


def _early(_exchange: Exchange) -> Exchange:
    yield b"go on"
    return "whoever"


def _late(exchange: Exchange) -> Exchange:
    user = yield from exchange
    yield b""
    return user


def _echo(_exchange: Exchange) -> Exchange:
    response = b""
    while True:
        response = yield response


_FAULTS: Mapping[SaslFault, Callable[[Exchange], Exchange]] = {
    SaslFault.ENDLESS_CHALLENGES: _endless,
    SaslFault.EARLY_SUCCESS: _early,
    SaslFault.LATE_CHALLENGE: _late,
    SaslFault.ECHO: _echo,
}
