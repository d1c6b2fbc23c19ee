"""What all commands share: the verbs, the base class, the single way to the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from ehlo.errors import InvalidInput
from ehlo.text import control_character, refuse_control_characters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ehlo.secret import Secret

__all__ = [
    "AUTH_LINE_MAX",
    "COMMAND_LINE_MAX",
    "Command",
    "Verb",
    "check_argument",
    "check_required",
]

COMMAND_LINE_MAX: Final = 2048
"""Octets of a command line. RFC 5321 section 4.5.3.1.4 grants 512 and extensions add to that; what
exceeds this limit is a mistake, and servers in the field refuse it."""
AUTH_LINE_MAX: Final = 12_288
"""Octets of an AUTH exchange line (RFC 4954 section 4)."""
_PRINTABLE: Final = bytes(range(0x20, 0x7F))


class Verb(StrEnum):
    """The commands that the state table knows.

    `GREETING` and `END_OF_CONTENT` are no commands of the RFC, but replies answer them: the
    opening of the connection, and the lone dot. `BDAT_LAST` is the BDAT that ends the content.
    """

    GREETING = "(greeting)"
    EHLO = "EHLO"
    HELO = "HELO"
    LHLO = "LHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    AUTH_RESPONSE = "(auth response)"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END_OF_CONTENT = "."
    BDAT = "BDAT"
    BDAT_LAST = "BDAT LAST"
    RSET = "RSET"
    NOOP = "NOOP"
    VRFY = "VRFY"
    EXPN = "EXPN"
    HELP = "HELP"
    ETRN = "ETRN"
    XCLIENT = "XCLIENT"
    XFORWARD = "XFORWARD"
    QUIT = "QUIT"
    OTHER = "(other)"


class Command:
    """What a client sends and a server answers.

    Attributes:
        verb: Which command this is, for the state table.
        ends_group: Whether nothing may follow it before its reply (RFC 2920 section 3.1).
        line_max: How many octets its line may have, line end included.
    """

    __slots__ = ()

    verb: Verb
    ends_group: ClassVar[bool] = True
    line_max: ClassVar[int] = COMMAND_LINE_MAX

    def _line(self) -> str:
        """Return the line to send, without its end."""
        return self.verb.value

    @property
    def shown(self) -> str:
        """The line as a transcript shows it: secrets masked."""
        return self._line()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown, even if the server echoes it."""
        return ()

    def wire(self) -> bytes:
        """Return the octets of the command, line end included.

        Returns:
            One line.

        Raises:
            InvalidInput: The line is too long, or holds a control character (which the
                constructors of all commands here refuse already).
        """
        line = self._line()
        if line.isascii() and line.isprintable() and len(line) + 2 <= self.line_max:
            return line.encode("ascii") + b"\r\n"
        octets = line.encode("utf-8", "replace") + b"\r\n"
        length, found = len(octets), control_character(line)
        if length <= self.line_max and not found:
            return octets
        del line, octets  # they may hold a secret, and tracebacks can show local variables
        if found:
            msg = f"the {self.verb} command holds {found}"
            raise InvalidInput(msg)
        msg = f"the {self.verb} command has {length} octets; {self.line_max} are allowed"
        raise InvalidInput(msg)

    @staticmethod
    def wire_together(commands: Sequence[Command]) -> tuple[bytes, list[int]] | None:
        """Return the octets of several commands, encoded in one go: what `wire` returns, joined.

        Args:
            commands: The commands; none that may have a longer line than most.

        Returns:
            The octets, and how many of them each line has, less its end; None where each must
            be looked at by itself: its line is not ASCII, or cannot be sent.
        """
        lines = [command._line() for command in commands]  # noqa: SLF001 - of this very class
        lengths = list(map(len, lines))
        if max(lengths) + 2 > COMMAND_LINE_MAX:
            return None
        lines.append("")
        try:
            octets = "\r\n".join(lines).encode("ascii")
        except UnicodeEncodeError:
            return None
        # What is left without all that is printable are the line ends made here, or there is more.
        if octets.translate(None, _PRINTABLE) != b"\r\n" * len(lengths):
            return None
        return octets, lengths


def check_argument(what: str, argument: str) -> None:
    """Refuse an argument that no line may hold.

    Args:
        what: What it is, for the error.
        argument: The text.

    Raises:
        InvalidInput: It holds a control character, or begins or ends with a blank.
    """
    refuse_control_characters(what, argument)
    if argument != argument.strip():
        msg = f"{what} begins or ends with a blank"
        raise InvalidInput(msg)


def check_required(what: str, argument: str) -> None:
    """Refuse an argument that no line may hold, or that is empty.

    Args:
        what: What it is, for the error.
        argument: The text.

    Raises:
        InvalidInput: As it says.
    """
    check_argument(what, argument)
    if not argument:
        msg = f"{what} is empty"
        raise InvalidInput(msg)
