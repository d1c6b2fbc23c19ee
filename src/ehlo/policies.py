"""Policies: choices a caller makes, as enums whose plain strings are accepted too."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from ehlo.errors import InvalidInput

__all__ = ["Cleartext", "Hello", "OnRefusal", "Pipelining", "Protocol", "Tls", "chosen"]

_Policy = TypeVar("_Policy", bound=StrEnum)


class Protocol(StrEnum):
    """What is spoken with a server."""

    SMTP = "smtp"
    """SMTP (RFC 5321)."""
    LMTP = "lmtp"
    """LMTP (RFC 2033): LHLO opens the session, and each accepted recipient gets a final reply."""


class Tls(StrEnum):
    """When a connection is encrypted.

    The default depends on the endpoint: port 465 is `IMPLICIT`; a loopback host or a unix
    socket is `NONE`; everything else is `STARTTLS`, which fails rather than go on in clear.
    """

    IMPLICIT = "implicit"
    """TLS from the first octet (RFC 8314)."""
    STARTTLS = "starttls"
    """STARTTLS (RFC 3207), required: not offered or refused is an error."""
    STARTTLS_IF_OFFERED = "starttls-if-offered"
    """STARTTLS where the server offers it; a man in the middle can strip the offer."""
    NONE = "none"
    """No TLS."""


class Cleartext(StrEnum):
    """Whether credentials may travel over a connection that is not encrypted.

    A connection that cannot leave the machine (a loopback address, a unix socket) is exempt.
    """

    REFUSE = "refuse"
    """Never: raise before any octet of them leaves."""
    ALLOW_CREDENTIALS = "allow-credentials"
    """Everybody between client and server may read them, and the caller has said so."""


class Hello(StrEnum):
    """How a session introduces itself once the server has greeted."""

    EHLO = "ehlo"
    """With EHLO; with HELO where the server does not know EHLO."""
    HELO = "helo"
    """With HELO, and so without any extension, TLS and authentication included."""
    NONE = "none"
    """Not at all: whoever opened the session says what it wants to say."""


class OnRefusal(StrEnum):
    """What to do when a server takes some recipients of a message and refuses others."""

    ABORT = "abort"
    """Send to nobody, and raise `RecipientsRefused` with a reply for each refused recipient."""
    DELIVER = "deliver"
    """Send to the rest; the Receipt says who was refused."""


class Pipelining(StrEnum):
    """How many commands may be under way before their replies have come (RFC 2920)."""

    NONE = "none"
    """Lock step: one command, one reply."""
    TRANSACTION = "transaction"
    """Within one transaction, where the server offers PIPELINING."""
    CONTINUOUS = "continuous"
    """Across transactions, too: the next ones follow before the reply to the end of the content.
    For servers one knows: some lose step by it, and if the connection breaks, every message whose
    reply is due is in doubt."""


def chosen(policy: type[_Policy], value: str) -> _Policy:
    """Return the member of a policy that a caller chose.

    Args:
        policy: The enum.
        value: A member or its string.

    Returns:
        The member.

    Raises:
        InvalidInput: No such member; the message lists the right ones.
    """
    if isinstance(value, policy):
        return value
    try:
        return policy(value)
    except ValueError:
        right = ", ".join(repr(str(member)) for member in policy)
        msg = f"{policy.__name__} is one of {right}, not {value!r}"
        raise InvalidInput(msg) from None
