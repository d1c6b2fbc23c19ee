"""What the tool's exit codes mean, and which one an error ends with.

Like swaks, a script can tell at which step a session failed; 21 to 26, 28 and 29 are the numbers
that swaks uses for the same steps.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

from ehlo.errors import (
    DeliveryUnknown,
    InvalidInput,
    LocalProtocolError,
    RemoteProtocolError,
    SMTPError,
)
from ehlo.phase import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BY_CLASS", "BY_PHASE", "ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """How a command ended.

    Attributes:
        meaning: In words, as `--help` shows it.
    """

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member of its number and its words."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "all went well"
    USAGE = 2, "an argument or the message is wrong"
    CONNECT = 20, "no connection"
    GREETING = 21, "no greeting, or a refusal instead of it"
    HELLO = 22, "EHLO and HELO failed"
    MAIL = 23, "MAIL failed: the sender was refused"
    RCPT = 24, "RCPT failed: recipients were refused, the mail was sent to nobody"
    DATA = 25, "DATA failed"
    CONTENT = 26, "the content was refused, or the connection broke before its end"
    AUTH = 28, "authentication failed"
    TLS = 29, "the TLS handshake failed"
    STARTTLS = 30, "STARTTLS is not offered or was refused"
    COMMAND = 31, "another command failed"
    UNKNOWN = 40, "UNKNOWN: the mail was sent, the reply was lost; it may have been accepted"
    PARTLY_REFUSED = 41, "the mail was accepted, but not for every recipient"
    PROTOCOL = 42, "the server broke the protocol"
    BUG = 70, "ehlo itself is wrong"
    INTERRUPTED = 130, "interrupted (Ctrl-C)"


BY_CLASS: Final[Mapping[type[SMTPError], ExitCode]] = {
    InvalidInput: ExitCode.USAGE,
    LocalProtocolError: ExitCode.BUG,
    RemoteProtocolError: ExitCode.PROTOCOL,
    DeliveryUnknown: ExitCode.UNKNOWN,
}
"""The errors that say more by what they are than by when they came."""

BY_PHASE: Final[Mapping[Phase | None, ExitCode]] = {
    Phase.CONNECT: ExitCode.CONNECT,
    Phase.TLS: ExitCode.TLS,
    Phase.GREETING: ExitCode.GREETING,
    Phase.HELLO: ExitCode.HELLO,
    Phase.STARTTLS: ExitCode.STARTTLS,
    Phase.AUTH: ExitCode.AUTH,
    Phase.MAIL: ExitCode.MAIL,
    Phase.RCPT: ExitCode.RCPT,
    Phase.DATA: ExitCode.DATA,
    Phase.CONTENT: ExitCode.CONTENT,
    Phase.END_OF_CONTENT: ExitCode.CONTENT,
    Phase.COMMAND: ExitCode.COMMAND,
    Phase.QUIT: ExitCode.COMMAND,
    None: ExitCode.COMMAND,
}


def exit_code(error: SMTPError) -> ExitCode:
    """Return the exit code that an error ends with.

    Args:
        error: The error.

    Returns:
        The code of its class, else of its phase.
    """
    for class_, code in BY_CLASS.items():
        if isinstance(error, class_):
            return code
    return BY_PHASE[error.phase]
