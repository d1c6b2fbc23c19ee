"""The commands around transactions: opening, security, questions, the end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.commands._command import AUTH_LINE_MAX, Command, Verb, check_argument, check_required
from ehlo.errors import InvalidInput
from ehlo.secret import MASK
from ehlo.text import refuse_control_characters

if TYPE_CHECKING:
    from ehlo.secret import Secret

__all__ = [
    "Auth",
    "AuthCancel",
    "AuthResponse",
    "Ehlo",
    "Expn",
    "Greeting",
    "Helo",
    "Help",
    "Lhlo",
    "Noop",
    "Quit",
    "Raw",
    "StartTls",
    "Vrfy",
]

# sub-domain *("." sub-domain) / address-literal, as far as a client needs to be held to it.
# Underscores are no part of the RFC's grammar, but of many host names that send mail.
_HELLO_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[!-Z^-~]+\]")
_HELLO_NAME_MAX = 255


def _check_hello_name(name: str) -> None:
    if len(name) > _HELLO_NAME_MAX or not _HELLO_NAME.fullmatch(name):
        refuse_control_characters("the EHLO name", name)
        msg = (
            f"the EHLO name is a host name or an address literal such as [192.0.2.1], not {name!r}"
        )
        raise InvalidInput(msg)


@dataclass(frozen=True, slots=True)
class Greeting(Command):
    """The opening of a connection, which the server answers with its greeting; sends nothing."""

    verb = Verb.GREETING

    @override
    def wire(self) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class _Hello(Command):
    """What EHLO, HELO and LHLO share.

    Attributes:
        name: The client's host name, or an address literal such as `[192.0.2.1]`.
    """

    name: str

    def __post_init__(self) -> None:
        """Refuse what is neither.

        Raises:
            InvalidInput: The name is neither a host name nor an address literal.
        """
        _check_hello_name(self.name)

    @override
    def _line(self) -> str:
        return f"{self.verb} {self.name}"


@dataclass(frozen=True, slots=True)
class Ehlo(_Hello):
    """EHLO: open the session and ask for the server's extensions (RFC 5321 section 4.1.1.1).

    Attributes:
        name: The client's host name, or an address literal such as `[192.0.2.1]`.
    """

    verb = Verb.EHLO


@dataclass(frozen=True, slots=True)
class Helo(_Hello):
    """HELO: open the session with a server that does not know EHLO (RFC 5321 section 4.1.1.1).

    Attributes:
        name: The client's host name, or an address literal such as `[192.0.2.1]`.
    """

    verb = Verb.HELO


@dataclass(frozen=True, slots=True)
class Lhlo(_Hello):
    """LHLO: open a session of LMTP (RFC 2033 section 4.1).

    Attributes:
        name: The client's host name, or an address literal such as `[192.0.2.1]`.
    """

    verb = Verb.LHLO


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """STARTTLS: begin TLS behind the reply (RFC 3207 section 4)."""

    verb = Verb.STARTTLS


# sasl-mech = 1*20(UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE), RFC 4422 section 3.1.
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")


@dataclass(frozen=True, slots=True)
class Auth(Command):
    """AUTH: begin a SASL exchange (RFC 4954 section 4).

    Attributes:
        mechanism: The name of the mechanism, in upper case.
        initial_response: The initial response in Base64 (`=` for an empty one), or None.
        hidden: What else must not be shown if the server echoes it, such as the password.
    """

    verb = Verb.AUTH
    line_max = AUTH_LINE_MAX
    mechanism: str
    initial_response: Secret | None = None
    hidden: tuple[Secret, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no mechanism name.

        Raises:
            InvalidInput: The mechanism is not a SASL mechanism name.
        """
        if not _MECHANISM.fullmatch(self.mechanism):
            refuse_control_characters("the SASL mechanism", self.mechanism)
            msg = f"a SASL mechanism is 1 to 20 of A-Z, 0-9, - and _, not {self.mechanism!r}"
            raise InvalidInput(msg)

    @override
    def _line(self) -> str:
        if self.initial_response is None:
            return f"AUTH {self.mechanism}"
        return f"AUTH {self.mechanism} {self.initial_response.reveal()}"

    @property
    @override
    def shown(self) -> str:
        return f"AUTH {self.mechanism}{'' if self.initial_response is None else f' {MASK}'}"

    @property
    @override
    def secrets(self) -> tuple[Secret, ...]:
        response = () if self.initial_response is None else (self.initial_response,)
        return response + self.hidden


@dataclass(frozen=True, slots=True)
class AuthResponse(Command):
    """The answer to a challenge within a SASL exchange (RFC 4954 section 4).

    Attributes:
        response: The answer in Base64; may be empty.
        hidden: What else must not be shown if the server echoes it, such as the password.
    """

    verb = Verb.AUTH_RESPONSE
    line_max = AUTH_LINE_MAX
    response: Secret
    hidden: tuple[Secret, ...] = ()

    @override
    def _line(self) -> str:
        return self.response.reveal()

    @property
    @override
    def shown(self) -> str:
        return MASK

    @property
    @override
    def secrets(self) -> tuple[Secret, ...]:
        return (self.response, *self.hidden)


@dataclass(frozen=True, slots=True)
class AuthCancel(Command):
    """The lone `*` that cancels a SASL exchange (RFC 4954 section 4)."""

    verb = Verb.AUTH_RESPONSE

    @override
    def _line(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class _Remark(Command):
    """What commands share that may have an argument.

    Attributes:
        argument: Any text on one line; empty for none.
    """

    argument: str = ""

    def __post_init__(self) -> None:
        """Refuse an argument that no line may hold.

        Raises:
            InvalidInput: It holds a control character, or begins or ends with a blank.
        """
        check_argument(f"the argument of {self.verb}", self.argument)

    @override
    def _line(self) -> str:
        return f"{self.verb} {self.argument}".rstrip()


@dataclass(frozen=True, slots=True)
class _Question(Command):
    """What commands share that must have an argument.

    Attributes:
        argument: Any text on one line.
    """

    argument: str

    def __post_init__(self) -> None:
        """Refuse an argument that no line may hold.

        Raises:
            InvalidInput: It is empty, holds a control character, or begins or ends with a blank.
        """
        check_required(f"the argument of {self.verb}", self.argument)

    @override
    def _line(self) -> str:
        return f"{self.verb} {self.argument}"


@dataclass(frozen=True, slots=True)
class Noop(_Remark):
    """NOOP: do nothing (RFC 5321 section 4.1.1.9).

    Attributes:
        argument: A text that the server ignores; empty for none.
    """

    verb = Verb.NOOP


@dataclass(frozen=True, slots=True)
class Vrfy(_Question):
    """VRFY: ask whether a user exists (RFC 5321 section 4.1.1.6).

    Attributes:
        argument: A user name or an address.
    """

    verb = Verb.VRFY


@dataclass(frozen=True, slots=True)
class Expn(_Question):
    """EXPN: ask who is on a mailing list (RFC 5321 section 4.1.1.7).

    Attributes:
        argument: The name of the list.
    """

    verb = Verb.EXPN


@dataclass(frozen=True, slots=True)
class Help(_Remark):
    """HELP: ask for help (RFC 5321 section 4.1.1.8).

    Attributes:
        argument: What about; empty for help in general.
    """

    verb = Verb.HELP


@dataclass(frozen=True, slots=True)
class Quit(Command):
    """QUIT: end the session (RFC 5321 section 4.1.1.10)."""

    verb = Verb.QUIT


_RAW_VERBS = {verb.value: verb for verb in Verb if verb.value.isalpha()}
_NEEDS_MORE = {Verb.STARTTLS: "starttls()", Verb.AUTH: "authenticate()", Verb.DATA: "data()"}


@dataclass(frozen=True, slots=True)
class Raw(Command):
    """Any line at all, as typed into a terminal; the state table sees the verb it begins with.

    Attributes:
        line: The line without its end.
    """

    line: str

    def __post_init__(self) -> None:
        """Refuse what is not one line, or what a line alone cannot do.

        Raises:
            InvalidInput: The line is empty, holds a control character, or begins a STARTTLS,
                AUTH, DATA or BDAT exchange, which takes more than a line.
        """
        check_required("the command line", self.line)
        word = self.line.partition(" ")[0].upper()
        if word == "BDAT":
            msg = "BDAT is followed by octets, which a raw line cannot carry"
            raise InvalidInput(msg)
        if self.verb in _NEEDS_MORE:
            msg = f"{word} is more than one line: call {_NEEDS_MORE[self.verb]} of the session"
            raise InvalidInput(msg)

    @property
    @override
    def verb(self) -> Verb:  # type: ignore[override]
        """The verb it begins with; `OTHER` for one that the table does not know."""
        return _RAW_VERBS.get(self.line.partition(" ")[0].upper(), Verb.OTHER)

    @override
    def _line(self) -> str:
        return self.line
