"""Dates and identifiers for messages that have none yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ehlo.message import Resent
from ehlo.message.writing import Stamps
from ehlo.runtime.ambient import make_id, now

if TYPE_CHECKING:
    from ehlo.message import Message

__all__ = ["stamped"]


def stamped(message: Message) -> Message:
    """Return a message with the date and the Message-ID that it would get when it is sent.

    Such a message can be written without being sent (`Message.as_bytes`), and sent again as the
    same one. What it has already stays.

    Args:
        message: The message.

    Returns:
        The same message; each block of Resent fields is stamped as well.
    """
    date, message_id, resent = Stamps.of(message, now, make_id)
    blocks = [
        Resent(
            from_=block.from_,
            to=block.to,
            cc=block.cc,
            bcc=block.bcc,
            sender=block.sender,
            date=block_date,
            message_id=block_id,
        )
        for block, (block_date, block_id) in zip(message.resent, resent, strict=True)
    ]
    return message.replace(date=date, message_id=message_id, resent=blocks)
