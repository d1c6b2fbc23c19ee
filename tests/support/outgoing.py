"""The octets of what is ready to be sent."""

from __future__ import annotations

from ehlo.content import SEVEN_BIT, Form, Formed, Octets
from ehlo.message import Outgoing


def in_memory(outgoing: Outgoing) -> Octets:
    """Return content that is in memory, with what is known of it; in 7-bit form."""
    return written(outgoing, SEVEN_BIT)


def written(outgoing: Outgoing, form: Form) -> Octets:
    """Return content that is in memory, in the form that a server takes."""
    content = outgoing.content
    found = content.write(form) if isinstance(content, Formed) else content
    assert isinstance(found, Octets)
    return found


def octets_of(outgoing: Outgoing) -> bytes:
    """Return the octets of content that is in memory."""
    return in_memory(outgoing).octets
