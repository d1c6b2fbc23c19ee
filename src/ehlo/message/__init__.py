"""Messages: built here, made by the standard library, or octets from elsewhere."""

from __future__ import annotations

from ehlo.message.alternatives import Alternative, Calendar
from ehlo.message.attachment import Attachment
from ehlo.message.group import Group
from ehlo.message.mailing_list import MailingList
from ehlo.message.message import AutoSubmitted, Message, MessageParts
from ehlo.message.resent import Resent
from ehlo.message.sealed import Seal, Sealed
from ehlo.message.sending import Outgoing, Sendable, prepare

__all__ = [
    "Alternative",
    "Attachment",
    "AutoSubmitted",
    "Calendar",
    "Group",
    "MailingList",
    "Message",
    "MessageParts",
    "Outgoing",
    "Resent",
    "Seal",
    "Sealed",
    "Sendable",
    "prepare",
]
