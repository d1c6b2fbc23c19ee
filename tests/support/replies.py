"""Replies parsed from octets cut in any way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ehlo.wire import BadReply, ReplyLimits, ReplyParser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ehlo import Reply


class Parsed(NamedTuple):
    """What became of a server's octets."""

    replies: list[Reply]
    residue: bool
    bad: bool


def parse(pieces: Iterable[bytes], limits: ReplyLimits | None = None) -> Parsed:
    """Feed the pieces and take every reply out as soon as it is there."""
    parser = ReplyParser(limits)
    replies: list[Reply] = []
    try:
        for piece in pieces:
            parser.feed(piece)
            while (reply := parser.next_reply()) is not None:
                replies.append(reply)
    except BadReply:
        return Parsed(replies, residue=True, bad=True)
    return Parsed(replies, parser.has_residue, bad=False)
