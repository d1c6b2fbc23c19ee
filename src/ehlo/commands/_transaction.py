"""The commands of a mail transaction (RFC 5321 section 3.3, RFC 3030)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.commands._command import Command, Verb
from ehlo.errors import InvalidInput

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


@dataclass(frozen=True, slots=True)
class Mail(Command):
    """MAIL: begin a transaction (RFC 5321 section 4.1.1.2).

    Attributes:
        sender: The reverse-path; None is the null reverse-path `<>`.
        size: The SIZE parameter: the content's length in octets (RFC 1870).
        body: The BODY parameter (RFC 6152).
        smtputf8: Whether to give the SMTPUTF8 parameter (RFC 6531).
    """

    verb = Verb.MAIL
    ends_group = False
    sender: Address | None
    size: int | None = None
    body: Body | None = None
    smtputf8: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no size.

        Raises:
            InvalidInput: The size is no whole number of at most 20 digits (RFC 1870 section 4).
        """
        if self.size is not None and not _is_size(self.size):
            msg = "the size of a message is a whole number of octets, of 20 digits at the most"
            raise InvalidInput(msg)

    @override
    def _line(self) -> str:
        parameters = ""
        if self.size is not None:
            parameters = f" SIZE={self.size}"
        if self.body is not None:
            parameters += f" BODY={self.body}"
        if self.smtputf8:
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{'' if self.sender is None else self.sender.spec}>{parameters}"


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < SIZE_LIMIT


@dataclass(frozen=True, slots=True)
class Rcpt(Command):
    """RCPT: name a recipient (RFC 5321 section 4.1.1.3).

    Attributes:
        recipient: The forward-path.
    """

    verb = Verb.RCPT
    ends_group = False
    recipient: Address

    @override
    def _line(self) -> str:
        return f"RCPT TO:<{self.recipient.spec}>"


@dataclass(frozen=True, slots=True)
class Data(Command):
    """DATA: ask to send the content (RFC 5321 section 4.1.1.4)."""

    verb = Verb.DATA


@dataclass(frozen=True, slots=True)
class Bdat(Command):
    """BDAT: send octets of content, which follow the line at once (RFC 3030 section 2).

    Attributes:
        size: How many octets follow.
        last: Whether the content ends with them.
    """

    ends_group = False
    size: int
    last: bool

    def __post_init__(self) -> None:
        """Refuse what is no size.

        Raises:
            InvalidInput: The size is no whole number of octets.
        """
        if not _is_size(self.size):
            msg = "the size of a chunk is a whole number of octets"
            raise InvalidInput(msg)

    @property
    @override
    def verb(self) -> Verb:  # type: ignore[override]
        """`BDAT`, or `BDAT_LAST` for the end of the content."""
        return Verb.BDAT_LAST if self.last else Verb.BDAT

    @override
    def _line(self) -> str:
        return f"BDAT {self.size}{' LAST' if self.last else ''}"


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
