"""The envelope of a message: whom it is from and whom it goes to (RFC 5321 section 2.3.1)."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ehlo.address import Address, AddressLike, Mailbox, addresses_at_once
from ehlo.errors import InvalidInput
from ehlo.parameters import (
    NO_MAIL_OPTIONS,
    NO_RCPT_OPTIONS,
    MailOptions,
    RcptOptions,
    require_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ehlo.dsn import OriginalRecipient

__all__ = ["Envelope", "Recipient", "RecipientLike"]


@dataclass(frozen=True, slots=True, init=False)
class Recipient:
    """A recipient with wishes of the sender for it: parameters of RCPT (DSN, RFC 3461).

    Args:
        address: The forward-path.
        notify: When to send a report: one or several of `Notify`, or their keywords, as in
            `"SUCCESS,FAILURE"`.
        orcpt: The address that the message was first sent to, for reports.

    Raises:
        InvalidInput: The text is not one address; no such keyword, or `NEVER` with others.
        TypeError: A value is of the wrong type.

    Attributes:
        address: As above.
        options: The wishes.
    """

    address: Address
    options: RcptOptions

    def __init__(
        self,
        address: AddressLike,
        *,
        notify: str | Iterable[str] | None = None,
        orcpt: AddressLike | OriginalRecipient | None = None,
    ) -> None:
        object.__setattr__(self, "options", NO_RCPT_OPTIONS)
        object.__setattr__(self, "address", address)  # a traceback may show a refused one
        object.__setattr__(self, "address", Address.of(address))
        object.__setattr__(self, "options", RcptOptions(notify=notify, orcpt=orcpt))


_set = object.__setattr__
_NO_OPTIONS: Final = (NO_RCPT_OPTIONS,)
_LISTS: Final = (list, tuple)

RecipientLike = str | Address | Mailbox | Recipient
"""What a parameter for one recipient takes."""


@dataclass(frozen=True, slots=True, init=False)
class Envelope:
    """The sender and the recipients of one transaction; never without a recipient.

    Args:
        sender: The reverse-path, where bounces go. None, or an empty text, is the null
            reverse-path `<>`, for mail that must not bounce (RFC 5321 section 4.5.5).
        recipients: The forward-paths, or one of them. Repeated ones are dropped; the order stays.
        options: What the sender asks for the whole message; None for nothing.

    Raises:
        InvalidAddress: A text is not one address.
        InvalidInput: There is no recipient, or one is there twice with different options.
        TypeError: A value is of the wrong type.

    Attributes:
        sender: The sender's address; None is the null reverse-path.
        recipients: The recipients' addresses, each once.
        options: As above.
        rcpt_options: What the sender asks for each recipient, in the order of `recipients`.
    """

    sender: Address | None
    recipients: tuple[Address, ...]
    options: MailOptions
    rcpt_options: tuple[RcptOptions, ...]

    def __init__(
        self,
        sender: AddressLike | None,
        recipients: RecipientLike | Iterable[RecipientLike],
        *,
        options: MailOptions | None = None,
    ) -> None:
        try:
            if options is not None:
                require_options(MailOptions, options)
            addresses, rcpt_options = _checked(recipients)
            path = None if sender is None or sender == "" else Address.of(sender)
        except BaseException:
            # Complete, so that a traceback with locals can show a refused one.
            _set(self, "sender", None)
            _set(self, "recipients", ())
            _set(self, "options", NO_MAIL_OPTIONS)
            _set(self, "rcpt_options", ())
            raise
        _set(self, "sender", path)
        _set(self, "recipients", addresses)
        _set(self, "options", NO_MAIL_OPTIONS if options is None else options)
        _set(self, "rcpt_options", rcpt_options)

    @property
    def has_options(self) -> bool:
        """Whether the sender asks for anything."""
        if self.options is not NO_MAIL_OPTIONS:
            return True
        if self.rcpt_options is _NO_OPTIONS:
            return False
        return any(options is not NO_RCPT_OPTIONS for options in self.rcpt_options)

    def options_of(self, recipient: Address) -> RcptOptions:
        """Return what the sender asks for one recipient.

        Args:
            recipient: One of the envelope.

        Returns:
            The options.

        Raises:
            KeyError: The envelope does not hold this recipient.
        """
        if recipient not in self.recipients:
            raise KeyError(recipient)
        return self.rcpt_options[self.recipients.index(recipient)]

    def only(self, recipients: Iterable[Address]) -> Envelope:
        """Return the same envelope for some of its recipients.

        Args:
            recipients: Those it is for, of this envelope.

        Returns:
            The envelope, with the options they have here.

        Raises:
            KeyError: One is not of this envelope.
        """
        known = dict(zip(self.recipients, self.rcpt_options, strict=True))
        some = {address: known[address] for address in recipients}
        envelope = copy(self)
        object.__setattr__(envelope, "recipients", tuple(some))
        object.__setattr__(envelope, "rcpt_options", tuple(some.values()))
        return envelope

    @property
    def needs_smtputf8(self) -> bool:
        """Whether an address is not ASCII, so that the server must offer SMTPUTF8 (RFC 6531)."""
        if self.sender is not None and not self.sender.spec.isascii():
            return True
        for recipient in self.recipients:  # noqa: SIM110 - asked for every message, and faster
            if not recipient.spec.isascii():
                return True
        return False


def _checked(
    recipients: RecipientLike | Iterable[RecipientLike],
) -> tuple[tuple[Address, ...], tuple[RcptOptions, ...]]:
    """Return the recipients, each once, and the options of each."""
    only: object = recipients
    if isinstance(recipients, list) and len(cast("list[object]", recipients)) == 1:
        only = cast("list[object]", recipients)[0]
    if type(only) is str:  # the most usual case: nothing to compare, nothing to merge
        return (Address(only),), _NO_OPTIONS
    if isinstance(recipients, _LISTS):  # most of texts, and there may be very many
        texts = cast("Sequence[object]", recipients)
        many = addresses_at_once(texts)
        if many and len(set(texts)) == len(many):
            return tuple(many), (NO_RCPT_OPTIONS,) * len(many)
    unique = _unique(recipients)
    if not unique:
        msg = "an envelope needs at least one recipient"
        raise InvalidInput(msg)
    return tuple(unique), tuple(unique.values())


def _unique(recipients: RecipientLike | Iterable[RecipientLike]) -> dict[Address, RcptOptions]:
    """Return the options of each recipient, in order."""
    if isinstance(recipients, str | Address | Mailbox | Recipient):
        recipients = (recipients,)
    unique: dict[Address, RcptOptions] = {}
    for recipient in recipients:
        if isinstance(recipient, Recipient):
            address, options = recipient.address, recipient.options
        else:
            address, options = Address.of(recipient), NO_RCPT_OPTIONS
        known = unique.setdefault(address, options)
        if known is not options and known != options:
            unique[address] = _merged(address, known, options)
    return unique


def _merged(address: Address, one: RcptOptions, other: RcptOptions) -> RcptOptions:
    """Return the only wishes that were made for a recipient who is there twice."""
    if NO_RCPT_OPTIONS not in {one, other}:
        msg = f"{address} is a recipient twice, with different options"
        raise InvalidInput(msg)
    return other if one == NO_RCPT_OPTIONS else one
