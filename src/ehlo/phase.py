"""Phases of a session, each with its phrase and its RFC deadline, and the outcome of a message."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Outcome", "Phase"]


class Outcome(StrEnum):
    """What became of a message, or of one recipient of it.

    `UNKNOWN` is the one that a client must never hide: the end of the content went out and no
    complete reply came back, so the server may or may not have taken the mail (RFC 5321 section
    4.5.3.2.6). Sending again may duplicate it; not sending again may lose it.
    """

    ACCEPTED = "accepted"
    """The server took responsibility for it (2yz to the end of content)."""
    REFUSED = "refused"
    """The server said no in a reply (4yz or 5yz)."""
    NOT_SENT = "not-sent"
    """The content was certainly not accepted: its end was never sent."""
    UNKNOWN = "unknown"
    """The end of the content was sent, and its reply was lost."""


class Phase(StrEnum):
    """The step of a session that something happened in.

    Each member carries a phrase for error messages and logs (`phrase`, which reads after
    "while") and the least time in seconds that RFC 5321 section 4.5.3.2 grants the server
    there (`rfc_minimum`; where the RFC names none, the value Postfix uses).
    """

    phrase: str
    rfc_minimum: float

    CONNECT = "connect", "connecting", 30.0
    TLS = "tls", "performing the TLS handshake", 300.0
    GREETING = "greeting", "waiting for the greeting", 300.0
    HELLO = "hello", "performing the EHLO handshake", 300.0
    STARTTLS = "starttls", "performing the STARTTLS command", 300.0
    AUTH = "auth", "authenticating", 300.0
    MAIL = "mail", "sending MAIL FROM", 300.0
    RCPT = "rcpt", "sending RCPT TO", 300.0
    DATA = "data", "sending the DATA command", 120.0
    CONTENT = "content", "sending the message content", 180.0
    END_OF_CONTENT = "end-of-content", "waiting for the reply to the end of the content", 600.0
    COMMAND = "command", "performing a command", 300.0
    QUIT = "quit", "sending QUIT", 300.0

    # Enum's own hash is a Python function, and every need looks up a phase.
    __hash__ = str.__hash__

    def __new__(cls, value: str, phrase: str, rfc_minimum: float) -> Self:
        """Make a member of its three values."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.phrase = phrase
        member.rfc_minimum = rfc_minimum
        return member
