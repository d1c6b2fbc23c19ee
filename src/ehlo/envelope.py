"""The envelope of a message: whom it is from and whom it goes to (RFC 5321 section 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ehlo.address import Address, AddressLike, Mailbox
from ehlo.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Envelope"]


@dataclass(frozen=True, slots=True, init=False)
class Envelope:
    """The sender and the recipients of one transaction; never without a recipient.

    Args:
        sender: The reverse-path, where bounces go. None, or an empty text, is the null
            reverse-path `<>`, for mail that must not bounce (RFC 5321 section 4.5.5).
        recipients: The forward-paths, or one of them. Repeated ones are dropped; the order stays.

    Raises:
        InvalidAddress: A text is not one address.
        InvalidInput: There is no recipient.

    Attributes:
        sender: The sender's address; None is the null reverse-path.
        recipients: The recipients' addresses, each once.
    """

    sender: Address | None
    recipients: tuple[Address, ...]

    def __init__(
        self, sender: AddressLike | None, recipients: AddressLike | Iterable[AddressLike]
    ) -> None:
        # Complete from the start, so that a traceback with locals can show a refused one.
        object.__setattr__(self, "sender", None)
        object.__setattr__(self, "recipients", ())
        if isinstance(recipients, str | Address | Mailbox):
            recipients = (recipients,)
        unique = tuple(dict.fromkeys(Address.of(recipient) for recipient in recipients))
        if not unique:
            msg = "an envelope needs at least one recipient"
            raise InvalidInput(msg)
        path = None if sender is None or sender == "" else Address.of(sender)
        object.__setattr__(self, "sender", path)
        object.__setattr__(self, "recipients", unique)

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address is not ASCII, so that the server must offer SMTPUTF8 (RFC 6531)."""
        return not (
            (self.sender is None or self.sender.is_ascii)
            and all(recipient.is_ascii for recipient in self.recipients)
        )
