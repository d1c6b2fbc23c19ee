"""Command lines as a server reads them (RFC 5321 section 4.1.2), and what it refuses them with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Declined",
    "Line",
    "Refusal",
    "read_chunk_size",
    "read_line",
]

_MASK: Final = "***"
_MECHANISM = re.compile("[A-Za-z0-9_-]{1,20}")
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_LAST = re.compile(" LAST *$", re.IGNORECASE)
_CHUNK = re.compile("([0-9]{1,20})(?: +LAST)?", re.IGNORECASE)
_VERBS: Final[Mapping[str, Verb]] = {verb.value: verb for verb in Verb if verb.value.isalpha()}


class Refusal(Enum):
    """Every reason to refuse a command, with its reply (RFC 5321 section 4.2, RFC 3463)."""

    UNKNOWN = (500, "5.5.2 Command not recognized")
    LINE_TOO_LONG = (500, "5.5.2 Line too long")
    BARE_LF = (500, "5.5.2 A line ends with CRLF")
    BAD_CHARACTER = (500, "5.5.2 The line holds a control character or is not UTF-8")
    AUTH_LINE_TOO_LONG = (500, "5.5.6 Authentication exchange line is too long")
    NO_ARGUMENT = (501, "5.5.4 The command needs an argument")
    ARGUMENT = (501, "5.5.4 The command takes no argument")
    BAD_HELLO_NAME = (501, "5.5.4 A single host name or address literal is needed")
    BAD_SENDER = (501, "5.1.7 Syntax: MAIL FROM:<address>")
    BAD_RECIPIENT = (501, "5.1.3 Syntax: RCPT TO:<address>")
    BAD_PARAMETER = (501, "5.5.4 Bad parameter")
    BAD_CHUNK = (501, "5.5.4 Syntax: BDAT octets [LAST]")
    BAD_NODE = (501, "5.5.4 Syntax: ETRN domain")
    BAD_ATTRIBUTE = (501, "5.5.4 Bad attribute")
    BAD_RESPONSE = (501, "5.5.2 Cannot decode the response")
    CANCELLED = (501, "5.7.0 Authentication cancelled")
    TOO_MANY_MESSAGES = (452, "4.5.3 Too many messages on this connection")
    TOO_MANY_RECIPIENTS = (452, "4.5.3 Too many recipients")
    TOO_MANY_DOMAINS = (452, "4.5.3 Too many domains")
    NOT_IMPLEMENTED = (502, "5.5.1 Command not implemented")
    OUT_OF_ORDER = (503, "5.5.1 Bad sequence of commands")
    UNKNOWN_MECHANISM = (504, "5.5.4 Unrecognized authentication mechanism")
    TLS_REQUIRED = (530, "5.7.0 Must issue a STARTTLS command first")
    AUTH_REQUIRED = (530, "5.7.0 Authentication required")
    BAD_CREDENTIALS = (535, "5.7.8 Authentication credentials invalid")
    AUTH_NEEDS_TLS = (538, "5.7.11 Encryption required for authentication")
    TOO_BIG = (552, "5.3.4 Message size exceeds the limit")
    NEEDS_SMTPUTF8 = (553, "5.6.7 A non-ASCII address needs SMTPUTF8")
    NO_RECIPIENTS = (554, "5.5.1 No valid recipients")
    UNKNOWN_PARAMETER = (555, "5.5.4 Parameter not recognized or not implemented")

    @property
    def code(self) -> int:
        """The reply code."""
        return self.value[0]

    @property
    def text(self) -> str:
        """The reply's text, enhanced status code included."""
        return self.value[1]


class Declined(Exception):  # it never leaves the server: its reply does
    """A command is refused.

    Attributes:
        refusal: Why.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Line:
    """A command line, taken apart.

    Attributes:
        verb: The command; `OTHER` for an unknown one.
        argument: What follows it, without the blanks around.
        shown: The whole line as it may be shown: what could be a secret is masked.
        fault: Why no command can be read from it, whatever the verb; None if one can.
    """

    verb: Verb
    argument: str
    shown: str
    fault: Refusal | None


def read_line(raw: bytes, *, line_max: int, auth_line_max: int) -> Line:
    """Take a command line apart.

    Args:
        raw: The line with its end.
        line_max: How many octets it may have, the end included.
        auth_line_max: Likewise for AUTH, whose initial response may be long (RFC 4954 section 4).

    Returns:
        Its parts.
    """
    text = raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    word, _, argument = text.strip(" ").partition(" ")
    verb = _VERBS.get(word.upper(), Verb.OTHER)
    if verb is Verb.BDAT and _LAST.search(text):
        verb = Verb.BDAT_LAST
    limit = auth_line_max if verb is Verb.AUTH else line_max
    shown = _masked(text) if verb is Verb.AUTH else text[:limit]
    return Line(verb, argument.strip(" "), shown, _fault(raw, limit))


def _masked(text: str) -> str:
    """Return an AUTH command with everything masked but the name of the mechanism."""
    verb, *words = text.split()
    if words and not _MECHANISM.fullmatch(words[0]):
        return f"{verb} {_MASK}"
    return " ".join([verb, *words[:1], *([_MASK] if words[1:] else [])])


def _fault(raw: bytes, limit: int) -> Refusal | None:
    if len(raw) > limit:
        return Refusal.LINE_TOO_LONG
    if not raw.endswith(b"\r\n"):
        return Refusal.BARE_LF
    try:
        text = raw[:-2].decode()
    except UnicodeDecodeError:
        return Refusal.BAD_CHARACTER
    return Refusal.BAD_CHARACTER if _CONTROL.search(text) else None


def read_chunk_size(argument: str) -> int:
    """Read the argument of BDAT (RFC 3030 section 2).

    Args:
        argument: What follows the verb.

    Returns:
        How many octets follow the line.

    Raises:
        Declined: The syntax is wrong.
    """
    match = _CHUNK.fullmatch(argument)
    if match is None:
        raise Declined(Refusal.BAD_CHUNK)
    return int(match[1])
