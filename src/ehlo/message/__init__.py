"""Messages: built here, made by the standard library, or octets from elsewhere."""

from __future__ import annotations

from ehlo.message.attachment import Attachment
from ehlo.message.message import Message
from ehlo.message.sending import Outgoing, Sendable, prepare

__all__ = ["Attachment", "Message", "Outgoing", "Sendable", "prepare"]
