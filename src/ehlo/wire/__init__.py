"""Octets to values and back: the reply parser and the content encoder."""

from __future__ import annotations

from ehlo.wire.content_encoder import PIECE, ContentEncoder, Framing, wire_size
from ehlo.wire.reply_parser import BadReply, ReplyLimits, ReplyParser

__all__ = [
    "PIECE",
    "BadReply",
    "ContentEncoder",
    "Framing",
    "ReplyLimits",
    "ReplyParser",
    "wire_size",
]
