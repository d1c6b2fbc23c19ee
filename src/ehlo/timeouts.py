"""How long each phase of a session may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

from ehlo.errors import InvalidInput
from ehlo.phase import Phase

__all__ = ["Timeouts"]

_FIELDS: Final = {
    Phase.CONNECT: "connect",
    Phase.TLS: "tls",
    Phase.GREETING: "greeting",
    Phase.HELLO: "command",
    Phase.STARTTLS: "command",
    Phase.AUTH: "command",
    Phase.MAIL: "mail",
    Phase.RCPT: "rcpt",
    Phase.DATA: "data",
    Phase.CONTENT: "content",
    Phase.END_OF_CONTENT: "end_of_content",
    Phase.COMMAND: "command",
    Phase.QUIT: "quit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines, in seconds; None waits for ever.

    Each but `content` and `total` bounds the wait for one whole reply, however it drips in.
    The defaults suit programs that somebody waits for; `Timeouts.rfc5321()` is as patient as RFC
    5321 section 4.5.3.2 asks mail servers to be. The end of the content gets ten minutes in both:
    giving up there is how messages get sent twice.

    Attributes:
        connect: Until the connection stands.
        tls: For the TLS handshake.
        greeting: For the server's greeting.
        mail: For the reply to MAIL.
        rcpt: For the reply to each RCPT.
        data: For the reply to DATA.
        content: While content is sent: for the server to take some more of it.
        end_of_content: For the reply to the end of the content.
        command: For the reply to any other command.
        quit: For the reply to QUIT.
        total: For one call as a whole (connecting, sending ...).
    """

    connect: float | None = 10.0
    tls: float | None = 10.0
    greeting: float | None = 60.0
    mail: float | None = 60.0
    rcpt: float | None = 60.0
    data: float | None = 60.0
    content: float | None = 60.0
    end_of_content: float | None = 600.0
    command: float | None = 60.0
    quit: float | None = 5.0
    total: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no time span.

        Raises:
            InvalidInput: A value is zero, negative or not finite.
        """
        for field in fields(self):
            value: object = getattr(self, field.name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 < value < math.inf):  # type: ignore[operator]
                msg = f"the timeout {field.name} is seconds above 0, or None, not {value!r}"
                raise InvalidInput(msg)

    @classmethod
    def rfc5321(cls, *, total: float | None = None) -> Timeouts:
        """Return the minimum times of RFC 5321 section 4.5.3.2.

        Args:
            total: For one call as a whole, in seconds.

        Returns:
            Timeouts as a mail server has them.
        """
        return cls(**{name: phase.rfc_minimum for phase, name in _FIELDS.items()}, total=total)

    def of(self, phase: Phase) -> float | None:
        """Return the deadline of a phase.

        Args:
            phase: The phase.

        Returns:
            Seconds, or None for no deadline.
        """
        value: float | None = getattr(self, _FIELDS[phase])
        return value

    def end(self, now: float) -> float | None:
        """Return when a call that begins now must be over.

        Args:
            now: The time, by any clock that counts seconds.

        Returns:
            A time by the same clock, or None for never.
        """
        return None if self.total is None else now + self.total

    def left(self, phase: Phase | None, now: float, end: float | None) -> float | None:
        """Return how long a phase that begins now may take, the call as a whole considered.

        Args:
            phase: The phase; None for what has no deadline of its own.
            now: The time.
            end: When the call must be over, by the same clock; None for never.

        Returns:
            Seconds, at least a millisecond; None for no deadline.
        """
        seconds = None if phase is None else self.of(phase)
        if end is None:
            return seconds
        rest = max(end - now, 0.001)
        return rest if seconds is None else min(seconds, rest)
