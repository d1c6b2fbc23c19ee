"""Postfix's XCLIENT and XFORWARD: as many lines as the attributes take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.commands import ATTRIBUTE_LINE_MAX, Xclient, Xforward
from ehlo.dialogues.exchange import perform
from ehlo.errors import CapabilityMissing
from ehlo.phase import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply

__all__ = ["xclient", "xforward"]


def xclient(connection: Connection, attributes: Mapping[str, str]) -> Dialogue[Reply]:
    """Say XCLIENT: speak for another client. The server greets anew, and EHLO is due then.

    Args:
        connection: The Connection.
        attributes: The values by the names of the attributes, such as `{"ADDR": "192.0.2.1"}`.

    Returns:
        The reply; of several lines, the first that is no success, or the last.

    Raises:
        CapabilityMissing: The server did not announce XCLIENT, or one of the attributes.
        InvalidInput: An attribute is none.
    """
    announced = connection.capabilities.xclient
    return (yield from _perform(connection, Xclient(attributes), announced))


def xforward(connection: Connection, attributes: Mapping[str, str]) -> Dialogue[Reply]:
    """Say XFORWARD: tell the server, for its log, where the next message came from.

    Args:
        connection: The Connection.
        attributes: The values by the names of the attributes, such as `{"NAME": "mx.example.org"}`.

    Returns:
        The reply; of several lines, the first that is no success, or the last.

    Raises:
        CapabilityMissing: The server did not announce XFORWARD, or one of the attributes.
        InvalidInput: An attribute is none.
    """
    announced = connection.capabilities.xforward
    return (yield from _perform(connection, Xforward(attributes), announced))


def _perform(
    connection: Connection, command: Xclient | Xforward, announced: frozenset[str]
) -> Dialogue[Reply]:
    for name in command.attributes:
        if name not in announced:
            msg = f"the server did not announce {command.verb} {name}"
            raise CapabilityMissing(msg, capability=command.verb.value, phase=Phase.COMMAND)
    first, *rest = _lines(command)
    reply = yield from perform(connection, first)
    for line in rest:
        if not reply.is_positive:
            break
        reply = yield from perform(connection, line)
    return reply


def _lines(command: Xclient | Xforward) -> Iterator[Xclient | Xforward]:
    """Cut a command into those whose lines are short enough."""
    kind, length = type(command), 0
    some: dict[str, str] = {}
    for name, value in command.attributes.items():
        octets = len(kind({name: value}).shown)
        if some and length + octets > ATTRIBUTE_LINE_MAX:
            yield kind(some)
            some, length = {}, 0
        some[name] = value
        length += octets
    yield kind(some)
