"""LIMITS: how much a client may ask for (RFC 9422)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ehlo.testing._grammar import Declined, Refusal

if TYPE_CHECKING:
    from ehlo.capabilities import Capabilities

__all__ = ["Limits"]

_NO_LIMIT: Final = 2**63
_NUMBER: Final = re.compile("[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits that a server sets.

    Attributes:
        mails: How many MAIL commands it takes in a session.
        recipients: How many recipients in a transaction.
        domains: How many domains of recipients in a session.
    """

    mails: int
    recipients: int
    domains: int

    @classmethod
    def of(cls, offered: Capabilities) -> Limits:
        """Return the limits among capabilities; what makes no sense is none."""
        words = offered.keywords.get("LIMITS", ())
        pairs = (word.upper().partition("=") for word in words)
        found = {name: int(value) for name, _, value in pairs if _NUMBER.fullmatch(value)}
        return cls(
            mails=found.get("MAILMAX", _NO_LIMIT),
            recipients=found.get("RCPTMAX", _NO_LIMIT),
            domains=found.get("RCPTDOMAINMAX", _NO_LIMIT),
        )

    def check_mail(self, mails: int) -> None:
        """Check that one more transaction may begin.

        Args:
            mails: How many there were.

        Raises:
            Declined: It may not.
        """
        if mails >= self.mails:
            raise Declined(Refusal.TOO_MANY_MESSAGES)

    def check_recipient(self, recipients: int, domains: int) -> None:
        """Check that a recipient may be added.

        Args:
            recipients: How many the transaction has so far.
            domains: How many the session has, with that of the new recipient.

        Raises:
            Declined: It may not.
        """
        if recipients >= self.recipients:
            raise Declined(Refusal.TOO_MANY_RECIPIENTS)
        if domains > self.domains:
            raise Declined(Refusal.TOO_MANY_DOMAINS)
