"""Octets to values and back: the reply parser and the content encoder."""

from __future__ import annotations

from ehlo.wire.content_encoder import (
    ContentEncoder,
    Framing,
    encode_whole,
    line_ends_of,
    wire_size,
)
from ehlo.wire.reply_parser import BadReply, ReplyLimits, ReplyParser

__all__ = [
    "BadReply",
    "ContentEncoder",
    "Framing",
    "ReplyLimits",
    "ReplyParser",
    "encode_whole",
    "line_ends_of",
    "wire_size",
]
