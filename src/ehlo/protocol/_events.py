"""What a Connection has to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from ehlo.commands import Command
    from ehlo.reply import Reply

__all__ = ["ConnectionClosed", "Event", "ReplyReceived", "ServerClosing"]


class ReplyReceived(NamedTuple):
    """A command was answered.

    Attributes:
        command: The command.
        reply: The server's answer, of any code that is legal there.
    """

    command: Command
    reply: Reply


class ServerClosing(NamedTuple):
    """The server said 421 while no command was in flight: it is about to close the connection.

    Attributes:
        reply: What it said.
    """

    reply: Reply


class ConnectionClosed(NamedTuple):
    """The server closed the connection.

    Attributes:
        unanswered: The commands whose replies will not come, oldest first.
        inside_reply: Whether it closed in the middle of a reply.
    """

    unanswered: tuple[Command, ...] = ()
    inside_reply: bool = False


Event: TypeAlias = ReplyReceived | ServerClosing | ConnectionClosed
