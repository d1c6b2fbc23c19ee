"""Messages: built, or taken as they are, and made ready to be sent."""

from __future__ import annotations

from ehlo.message.builder import Attachment, Message
from ehlo.message.outgoing import Outgoing, Sendable, prepare

__all__ = ["Attachment", "Message", "Outgoing", "Sendable", "prepare"]
