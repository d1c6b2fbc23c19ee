"""Phases of a session, each with its phrase and its RFC deadline, and the outcome of a message."""

from __future__ import annotations

from enum import Enum, StrEnum

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


class Phase(Enum):
    """The step of a session that something happened in.

    Each member carries a phrase for error messages and logs (`phrase`, which reads after
    "while") and the least time in seconds that RFC 5321 section 4.5.3.2 grants the server
    there (`rfc_minimum`; where the RFC names none, the value Postfix uses).
    """

    CONNECT = ("connecting", 30.0)
    TLS = ("performing the TLS handshake", 300.0)
    GREETING = ("waiting for the greeting", 300.0)
    HELLO = ("performing the EHLO handshake", 300.0)
    STARTTLS = ("performing the STARTTLS command", 300.0)
    AUTH = ("authenticating", 300.0)
    MAIL = ("sending MAIL FROM", 300.0)
    RCPT = ("sending RCPT TO", 300.0)
    DATA = ("sending the DATA command", 120.0)
    CONTENT = ("sending the message content", 180.0)
    END_OF_CONTENT = ("waiting for the reply to the end of the content", 600.0)
    COMMAND = ("performing a command", 300.0)
    QUIT = ("sending QUIT", 300.0)

    # Members are singletons. Enum's own hash is a Python function, and every need looks up a phase.
    __hash__ = object.__hash__

    def __init__(self, phrase: str, rfc_minimum: float) -> None:
        self.phrase = phrase
        self.rfc_minimum = rfc_minimum
