"""What may be tried again: one rule, and a protocol for those who want more than that."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import Final, Protocol

from ehlo.errors import (
    CapabilityMissing,
    ConnectFailed,
    ConnectionLost,
    InvalidInput,
    Refused,
    RemoteProtocolError,
    SMTPError,
)
from ehlo.phase import Outcome, Phase
from ehlo.pool.options import require_count, require_positive

__all__ = ["Backoff", "RetryPolicy", "asked", "is_certainly_not_sent", "kept", "own_copy"]

_BEFORE_THE_END: Final = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.CONTENT})


class RetryPolicy(Protocol):
    """Decides about messages that the server refused for now.

    It is asked about errors of attempts that are `retry_safe` and that the client would raise:
    never about a message that may be out (`DeliveryUnknown`) or was refused for good, and not about
    connections that cannot be had. What it raises, or returns that is no number of seconds, ends
    the message with its own error, which has a note then.
    """

    def delay(self, error: SMTPError, attempt: int) -> float | None:
        """Say when to try again.

        Args:
            error: Why the attempt has failed.
            attempt: Which attempt that was, from 1.

        Returns:
            In how many seconds to try again; None to give up, and raise the error.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A retry policy: wait twice as long each time.

    Attributes:
        first: How many seconds to wait before the second attempt.
        most: How many seconds to wait at the most.
        attempts: How many attempts to make in all.
    """

    first: float = 1.0
    most: float = 60.0
    attempts: int = 5

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InvalidInput: A number is not above 0.
        """
        for name in ("first", "most"):
            require_positive(name, getattr(self, name))
        require_count("attempts", self.attempts, 1)
        if self.most < self.first:
            raise InvalidInput("a Backoff begins with `first` seconds, so `most` cannot be less")

    def delay(self, error: SMTPError, attempt: int) -> float | None:  # noqa: ARG002 - of a protocol
        """Say when to try again; see `RetryPolicy.delay`.

        Args:
            error: Why the attempt has failed.
            attempt: Which attempt that was, from 1.

        Returns:
            Seconds, or None once there were enough attempts.
        """
        if attempt >= self.attempts:
            return None
        return min(self.first * 2.0 ** min(attempt - 1, 60), self.most)


def asked(policy: RetryPolicy, error: SMTPError, attempt: int) -> float | None:
    """Ask a policy. One that is wrong must not take the message's outcome along.

    Args:
        policy: The policy.
        error: Why the attempt has failed; gets a note where the policy has failed as well.
        attempt: Which attempt that was, from 1.

    Returns:
        In how many seconds to try again; None to give up.
    """
    try:
        delay = policy.delay(error, attempt)
    except Exception as trouble:  # noqa: BLE001 - the caller's code
        error.add_note(f"the retry policy raised {type(trouble).__name__}: {trouble}")
        return None
    if delay is None:
        return None
    if _is_time(delay):
        return float(delay)
    error.add_note(f"the retry policy returned {delay!r} where seconds are due, or None")
    return None


def _is_time(given: object) -> bool:
    """Return whether it is seconds that somebody can wait for."""
    if not isinstance(given, int | float) or isinstance(given, bool):
        return False
    return 0 <= given < math.inf


def is_certainly_not_sent(error: SMTPError, *, was_begun: bool) -> bool:
    """Return whether a message can be tried again at once, over another connection.

    That is so where the trouble is the connection's and not the message's, and the end of the
    content has not left: the line was lost, the server said 421, or it takes no more messages on
    this connection. What is unknown never qualifies, and neither does what was refused.

    Args:
        error: Why the attempt has failed.
        was_begun: Whether the attempt has said anything at all.

    Returns:
        Whether it is certain and sensible.
    """
    if error.outcome is Outcome.UNKNOWN or error.delivered:
        return False
    if isinstance(error, Refused):  # RFC 5321 section 3.8
        return error.phase in _BEFORE_THE_END and error.reply.closes_session
    if isinstance(error, CapabilityMissing):  # RFC 9422: another session takes it
        return error.temporary
    if isinstance(error, RemoteProtocolError):
        return not was_begun  # the server had gone mad before anybody asked anything of it
    return isinstance(error, ConnectionLost)


def own_copy(error: Exception) -> SMTPError:
    """Return an error for one user alone: what several share must not be changed for one.

    Args:
        error: Why a connection could not be had.

    Returns:
        A copy without a traceback; of what is no `SMTPError`, a `ConnectFailed` with that as its
        cause.
    """
    if isinstance(error, SMTPError):
        copied = copy(error)
        copied.__cause__ = error.__cause__
        return copied
    # Its words may hold a secret: they come from a function for tokens.
    msg = f"no connection could be opened: {type(error).__name__} was raised meanwhile"
    failed = ConnectFailed(msg, phase=Phase.CONNECT)
    failed.__cause__ = error
    return failed


def kept(error: SMTPError) -> SMTPError:
    """Return an error as it is kept in a list of failed attempts: without its tracebacks.

    Tracebacks hold local variables, and those hold connections and content.

    Args:
        error: The error.

    Returns:
        The same error.
    """
    for _, passed_over in error.failed_over:
        kept(passed_over)
    found: BaseException | None = error
    while found is not None:
        found.__traceback__ = None
        found.__context__ = None
        found = found.__cause__
    return error
