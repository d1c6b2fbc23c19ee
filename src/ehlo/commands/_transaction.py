"""The commands of a mail transaction (RFC 5321 section 3.3, RFC 3030)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.commands._command import Command, Verb
from ehlo.errors import InvalidInput
from ehlo.parameters import (
    NO_MAIL_OPTIONS,
    NO_RCPT_OPTIONS,
    MailOptions,
    RcptOptions,
    require_options,
)
from ehlo.policies import chosen

if TYPE_CHECKING:
    from ehlo.address import Address

__all__ = ["Bdat", "Body", "Data", "EndOfContent", "Mail", "Rcpt", "Rset"]

SIZE_LIMIT: Final = 10**20
"""One more than the largest size-value (RFC 1870 section 4)."""


class Body(StrEnum):
    """The value of MAIL's BODY parameter (RFC 6152, RFC 3030)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT_MIME = "8BITMIME"
    BINARY_MIME = "BINARYMIME"


# MAIL and RCPT are made for every message and every recipient: they set their fields themselves,
# which is a quarter quicker than the generated __init__ and __post_init__ of a frozen dataclass.
_set = object.__setattr__


@dataclass(frozen=True, slots=True, init=False)
class Mail(Command):
    """MAIL: begin a transaction (RFC 5321 section 4.1.1.2).

    Args:
        sender: The reverse-path; None is the null reverse-path `<>`.
        size: The SIZE parameter: the content's length in octets (RFC 1870).
        body: The BODY parameter (RFC 6152, RFC 3030).
        smtputf8: Whether to give the SMTPUTF8 parameter (RFC 6531).
        options: What the sender asks for the message: further parameters.

    Raises:
        InvalidInput: The size is no whole number of at most 20 digits (RFC 1870 section 4), or
            the body is no `Body`.
        TypeError: The options are no `MailOptions`.

    Attributes:
        sender: As above.
        size: As above.
        body: As above.
        smtputf8: As above.
        options: As above.
    """

    verb = Verb.MAIL
    ends_group = False
    sender: Address | None
    size: int | None = None
    body: Body | None = None
    smtputf8: bool = False
    options: MailOptions = NO_MAIL_OPTIONS

    def __init__(
        self,
        sender: Address | None,
        size: int | None = None,
        body: Body | None = None,
        smtputf8: bool = False,  # noqa: FBT001, FBT002 - as the dataclass would have it
        options: MailOptions = NO_MAIL_OPTIONS,
    ) -> None:
        _set(self, "sender", sender)
        _set(self, "size", size)
        _set(self, "body", body)
        _set(self, "smtputf8", smtputf8)
        _set(self, "options", options)
        if size is not None and not (type(size) is int and 0 <= size < SIZE_LIMIT):
            msg = "the size of a message is a whole number of octets, of 20 digits at the most"
            raise InvalidInput(msg)
        if body is not None and type(body) is not Body:
            _set(self, "body", chosen(Body, body))
        if options is not NO_MAIL_OPTIONS:
            require_options(MailOptions, options)

    @override
    def _line(self) -> str:
        sender = self.sender
        parameters = self.options.parameters
        if self.smtputf8:
            parameters = f" SMTPUTF8{parameters}"
        if self.body is not None:
            parameters = f" BODY={self.body.value}{parameters}"
        if self.size is not None:
            parameters = f" SIZE={self.size}{parameters}"
        return f"MAIL FROM:<{'' if sender is None else sender.spec}>{parameters}"


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < SIZE_LIMIT


@dataclass(frozen=True, slots=True, init=False)
class Rcpt(Command):
    """RCPT: name a recipient (RFC 5321 section 4.1.1.3).

    Args:
        recipient: The forward-path.
        options: What the sender asks for this recipient: parameters.

    Raises:
        TypeError: The options are no `RcptOptions`.

    Attributes:
        recipient: As above.
        options: As above.
    """

    verb = Verb.RCPT
    ends_group = False
    recipient: Address
    options: RcptOptions = NO_RCPT_OPTIONS

    def __init__(self, recipient: Address, options: RcptOptions = NO_RCPT_OPTIONS) -> None:
        _set(self, "recipient", recipient)
        _set(self, "options", options)
        if options is not NO_RCPT_OPTIONS:
            require_options(RcptOptions, options)

    @override
    def _line(self) -> str:
        return f"RCPT TO:<{self.recipient.spec}>{self.options.parameters}"


@dataclass(frozen=True, slots=True)
class Data(Command):
    """DATA: ask to send the content (RFC 5321 section 4.1.1.4)."""

    verb = Verb.DATA

    @override
    def _line(self) -> str:
        return "DATA"


@dataclass(frozen=True, slots=True, init=False)
class Bdat(Command):
    """BDAT: send octets of content, which follow the line at once (RFC 3030 section 2).

    Args:
        size: How many octets follow.
        last: Whether the content ends with them.

    Raises:
        InvalidInput: The size is no whole number of octets.

    Attributes:
        size: As above.
        last: As above.
        verb: `BDAT`, or `BDAT_LAST` for the end of the content.
    """

    ends_group = False
    size: int
    last: bool
    verb: Verb = field(init=False, repr=False, compare=False)

    def __init__(self, size: int, last: bool) -> None:  # noqa: FBT001 - as the dataclass had it
        _set(self, "size", size)
        _set(self, "last", last)
        _set(self, "verb", Verb.BDAT_LAST if last else Verb.BDAT)
        if not _is_size(size):
            msg = "the size of a chunk is a whole number of octets"
            raise InvalidInput(msg)

    @override
    def _line(self) -> str:
        return f"BDAT {self.size} LAST" if self.last else f"BDAT {self.size}"


@dataclass(frozen=True, slots=True)
class EndOfContent(Command):
    """The lone dot that ends the content; the Connection makes it (RFC 5321 section 4.1.1.4)."""

    verb = Verb.END_OF_CONTENT
    ends_group = False


@dataclass(frozen=True, slots=True)
class Rset(Command):
    """RSET: forget the transaction (RFC 5321 section 4.1.1.5)."""

    verb = Verb.RSET
    ends_group = False

    @override
    def _line(self) -> str:
        return "RSET"
