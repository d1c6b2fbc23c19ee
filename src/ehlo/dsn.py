"""What a sender can ask of delivery status notifications (RFC 3461)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from typing_extensions import override

from ehlo.address import Address, AddressLike
from ehlo.errors import InvalidInput
from ehlo.text import require_str
from ehlo.xtext import encode_utf8_address, encode_xtext

__all__ = ["Notify", "OriginalRecipient", "Ret"]

ORCPT_MAX: Final = 500
"""Characters of a whole ORCPT parameter (RFC 3461 section 4.2)."""

# addr-type = atom; all registered ones are words.
_ADDRESS_TYPE: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Ret(StrEnum):
    """How much of the message a report of failure returns (RFC 3461 section 4.3)."""

    FULL = "FULL"
    """All of it."""
    HDRS = "HDRS"
    """Its header only."""


class Notify(StrEnum):
    """When the sender gets a delivery status notification (RFC 3461 section 4.1)."""

    NEVER = "NEVER"
    """In no case; cannot be combined with others."""
    SUCCESS = "SUCCESS"
    """When the message was delivered."""
    FAILURE = "FAILURE"
    """When it could not be delivered."""
    DELAY = "DELAY"
    """When its delivery takes unusually long."""


@dataclass(frozen=True, slots=True)
class OriginalRecipient:
    """The address that a message was first sent to, in any mail system (RFC 3461 section 4.2).

    Attributes:
        address: The address as the sender wrote it.
        type: The registered type of address, such as `rfc822`, `utf-8` (RFC 6533) or `x400`.
    """

    address: str
    type: str = "rfc822"

    def __post_init__(self) -> None:
        """Refuse what no ORCPT can say.

        Raises:
            InvalidInput: The address is empty, too long, or holds a control character; it is not
                ASCII and the type is not `utf-8`; the type is no word.
        """
        if not _ADDRESS_TYPE.fullmatch(require_str("the type of an address", self.type)):
            msg = f"the type of an original recipient is a word such as rfc822, not {self.type!r}"
            raise InvalidInput(msg)
        if not require_str("an original recipient", self.address):
            msg = "the address of an original recipient is empty"
            raise InvalidInput(msg)
        if not (self.address.isascii() or self._is_utf8):
            msg = "an original recipient that is not ASCII is of the type utf-8"
            raise InvalidInput(msg)
        if len(f"ORCPT={self}") > ORCPT_MAX:
            msg = f"the ORCPT parameter has {ORCPT_MAX} characters at the most"
            raise InvalidInput(msg)

    @classmethod
    def of(cls, value: AddressLike | OriginalRecipient) -> OriginalRecipient:
        """Return the original recipient for what a caller passed.

        Args:
            value: One address, or an original recipient.

        Returns:
            The original recipient; for an address the type is `rfc822`, or `utf-8` if it is not
            ASCII.

        Raises:
            InvalidInput: A text is not one address, or is too long for ORCPT.
            TypeError: The value is neither.
        """
        if isinstance(value, OriginalRecipient):
            return value
        address = Address.of(value)
        return cls(address.spec, "rfc822" if address.is_ascii else "utf-8")

    @property
    def _is_utf8(self) -> bool:
        return self.type.lower() == "utf-8"

    @override
    def __str__(self) -> str:
        """Return the value of ORCPT: the type, and the address encoded as that type asks for."""
        encode = encode_utf8_address if self._is_utf8 else encode_xtext
        return f"{self.type};{encode('an original recipient', self.address)}"
