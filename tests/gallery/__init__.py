"""Messages as people send them in real life.

Each is a function that makes it: with a date and an identifier of its own, so that it is the same
each time. `GALLERY` has them all by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ehlo import Envelope, Message
from gallery import conversations, files, newsletters, people, robots, texts

__all__ = ["GALLERY", "LARGE", "envelope"]

GALLERY: Final[dict[str, Callable[[], Message]]] = {
    name: getattr(module, name)
    for module in (newsletters, robots, people, conversations, texts, files)
    for name in module.__all__
}
"""What makes each message."""

LARGE: Final = {"zip_of_25_mib"}
"""Those that take a while."""

_FROM_NOBODY: Final = {
    *("bounce_proof_receipt", "bounce_with_eight_bit_message", "delivery_status_text"),
    "vacation_reply",
}


def envelope(name: str) -> Envelope:
    """Return sender and recipients; what a robot answers comes from nobody (RFC 3834, RFC 3461)."""
    found = GALLERY[name]().envelope()
    return Envelope(None, found.recipients) if name in _FROM_NOBODY else found
