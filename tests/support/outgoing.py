"""The octets of what is ready to be sent."""

from __future__ import annotations

from ehlo.content import Octets
from ehlo.message import Outgoing


def in_memory(outgoing: Outgoing) -> Octets:
    """Return content that is in memory, with what is known of it."""
    assert isinstance(outgoing.content, Octets)
    return outgoing.content


def octets_of(outgoing: Outgoing) -> bytes:
    """Return the octets of content that is in memory."""
    return in_memory(outgoing).octets
