"""The ESMTP parameters that a sender can ask for on MAIL and RCPT (RFC 5321 section 4.1.2).

A set of options is checked when it is made, and keeps its parameters as they will stand on the
line. The two tables in this module are the only place with their spelling and with the EHLO
keyword that each depends on. (SIZE, BODY and SMTPUTF8 are no wishes but facts about a message:
they are arguments of `ehlo.commands.Mail`.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from ehlo.address import Address, AddressLike
from ehlo.dsn import Notify, OriginalRecipient, Ret
from ehlo.errors import CapabilityMissing, InvalidInput
from ehlo.phase import Phase
from ehlo.policies import chosen
from ehlo.schedule import SECONDS_MAX, ByMode, DeliverBy, held_for, held_until
from ehlo.text import refuse_control_characters, require_str
from ehlo.xtext import encode_xtext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, timedelta

    from ehlo.capabilities import Capabilities, FutureRelease

__all__ = [
    "NO_MAIL_OPTIONS",
    "NO_RCPT_OPTIONS",
    "MailOptions",
    "RcptOptions",
    "check_limits",
    "needs",
    "require_options",
]

ENVID_MAX: Final = 100
"""Characters of the value of ENVID (RFC 3461 section 4.4)."""
PRIORITY_MAX: Final = 9
"""The highest MT-PRIORITY; the lowest is its negative (RFC 6710 section 3)."""
NOBODY: Final = "<>"
"""The value of AUTH for "not known who submitted this" (RFC 4954 section 5)."""

_Member = TypeVar("_Member", bound=StrEnum)


def _member(kind: type[_Member], value: str) -> _Member:
    """Return the member for a keyword, which may be in any case."""
    return chosen(kind, require_str(f"a {kind.__name__}", value).upper())


# --- checks: what a caller passed -> what is kept -------------------------------------------------


def _ret(value: str) -> Ret:
    return _member(Ret, value)


def _require_tls(value: object) -> bool:
    if not isinstance(value, bool):
        msg = f"require_tls is True or False, not {type(value).__name__}"
        raise TypeError(msg)
    return value


def _envid(value: str) -> str:
    refuse_control_characters("the ENVID", require_str("the ENVID", value))
    # "must consist entirely of printable characters from the US-ASCII repertoire": it ends up in
    # the header of a report.
    if not (value and value.isascii()):
        msg = "an ENVID is a text of ASCII characters, and not empty"
        raise InvalidInput(msg)
    if len(encode_xtext("the ENVID", value)) > ENVID_MAX:
        msg = f"an ENVID has {ENVID_MAX} characters at the most, as xtext"
        raise InvalidInput(msg)
    return value


def _deliver_by(value: object) -> DeliverBy:
    if not isinstance(value, DeliverBy):
        msg = f"deliver_by is a DeliverBy, not {type(value).__name__}"
        raise TypeError(msg)
    return value


def _mt_priority(value: object) -> int:
    if type(value) is not int or abs(value) > PRIORITY_MAX:
        msg = f"an MT-PRIORITY is a whole number from -{PRIORITY_MAX} to {PRIORITY_MAX}"
        raise InvalidInput(msg)
    return value


def _auth(value: AddressLike) -> Address | Literal["<>"]:
    if value == NOBODY:
        return NOBODY
    address = Address.of(value)
    if not address.is_ascii:
        msg = "the AUTH parameter takes an ASCII address, or <>"
        raise InvalidInput(msg)
    return address


def _notify(value: Iterable[str]) -> tuple[Notify, ...]:
    words = value.split(",") if isinstance(value, str) else value
    asked = {_member(Notify, word) for word in words}
    if Notify.NEVER in asked and len(asked) > 1:
        msg = "NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY"
        raise InvalidInput(msg)
    return tuple(keyword for keyword in Notify if keyword in asked)


# --- spelling: what is kept -> the value on the line ----------------------------------------------


def _spell_xtext(value: object) -> str:
    return encode_xtext("a parameter", str(value))


def _spell_by(value: DeliverBy) -> str:
    return f"{value.seconds};{value.mode}{'T' if value.trace else ''}"


def _spell_moment(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat() + "Z"


def _no_value(_: object) -> str:
    return ""


class _Parameter(NamedTuple):
    """One row: an option, the EHLO keyword it depends on, its esmtp-keyword, check, spelling."""

    option: str
    capability: str
    name: str
    check: Callable[[Any], object]
    spell: Callable[[Any], str] = str


# The order is that of the line.
_MAIL: Final = (
    _Parameter("ret", "DSN", "RET", _ret),
    _Parameter("envid", "DSN", "ENVID", _envid, _spell_xtext),
    _Parameter("deliver_by", "DELIVERBY", "BY", _deliver_by, _spell_by),
    _Parameter("hold_for", "FUTURERELEASE", "HOLDFOR", held_for),
    _Parameter("hold_until", "FUTURERELEASE", "HOLDUNTIL", held_until, _spell_moment),
    _Parameter("mt_priority", "MT-PRIORITY", "MT-PRIORITY", _mt_priority),
    _Parameter("require_tls", "REQUIRETLS", "REQUIRETLS", _require_tls, _no_value),
    _Parameter("auth", "AUTH", "AUTH", _auth, _spell_xtext),
)
_RCPT: Final = (
    _Parameter("notify", "DSN", "NOTIFY", _notify, ",".join),
    _Parameter("orcpt", "DSN", "ORCPT", OriginalRecipient.of),
)


def _is_absent(value: object) -> bool:
    return value is None or value is False or value == ()


def _fill(options: MailOptions | RcptOptions, **given: object) -> None:
    """Check what a caller gave, keep it, and write its parameters."""
    for name, value in given.items():  # complete from the start: a traceback may show it
        object.__setattr__(options, name, value)
    object.__setattr__(options, "parameters", "")
    line = ""
    for row in _table(options):
        if _is_absent(given[row.option]):
            continue
        value = row.check(given[row.option])
        object.__setattr__(options, row.option, value)
        if not _is_absent(value):
            text = row.spell(value)
            line += f" {row.name}={text}" if text else f" {row.name}"
    object.__setattr__(options, "parameters", line)


@dataclass(frozen=True, slots=True, init=False)
class MailOptions:
    """What a sender asks for a whole message: parameters of MAIL.

    Each depends on an extension; where the server does not offer it, the message is not sent.

    Args:
        ret: How much of the message a report of failure returns: a `Ret` or its keyword (DSN,
            RFC 3461).
        envid: An identifier of the sender's own, for reports: visible ASCII characters and
            blanks, at most 100 once encoded (DSN, RFC 3461).
        deliver_by: The time within which it is to be delivered (DELIVERBY, RFC 2852).
        hold_for: For how long the server keeps it, in seconds or as a timedelta (rounded up)
            (FUTURERELEASE, RFC 4865).
        hold_until: Until when the server keeps it: a datetime with an offset (rounded up to
            whole seconds). Only one of the two can be given (FUTURERELEASE, RFC 4865).
        mt_priority: Its priority, -9 to 9; 0 is normal (MT-PRIORITY, RFC 6710).
        require_tls: Whether it may travel encrypted connections only, on every further step
            (REQUIRETLS, RFC 8689).
        auth: Who submitted it, an ASCII address; or `<>` for "not known". For relays that are
            trusted with it (AUTH, RFC 4954 section 5).

    Raises:
        InvalidInput: A value is none of its parameter.
        TypeError: A value is of the wrong type.

    Attributes:
        ret: As above.
        envid: As above.
        deliver_by: As above.
        hold_for: As above, in whole seconds.
        hold_until: As above, in UTC.
        mt_priority: As above.
        require_tls: As above.
        auth: As above.
        parameters: All of them as they stand on the line, each behind a blank.
    """

    ret: Ret | None
    envid: str | None
    deliver_by: DeliverBy | None
    hold_for: int | None
    hold_until: datetime | None
    mt_priority: int | None
    require_tls: bool
    auth: Address | Literal["<>"] | None
    parameters: str = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        *,
        ret: Ret | str | None = None,
        envid: str | None = None,
        deliver_by: DeliverBy | None = None,
        hold_for: int | timedelta | None = None,
        hold_until: datetime | None = None,
        mt_priority: int | None = None,
        require_tls: bool = False,
        auth: AddressLike | None = None,
    ) -> None:
        _fill(
            self,
            ret=ret,
            envid=envid,
            deliver_by=deliver_by,
            hold_for=hold_for,
            hold_until=hold_until,
            mt_priority=mt_priority,
            require_tls=require_tls,
            auth=auth,
        )
        if self.hold_for is not None and self.hold_until is not None:
            msg = "only one of hold_for and hold_until can be given"
            raise InvalidInput(msg)


@dataclass(frozen=True, slots=True, init=False)
class RcptOptions:
    """What a sender asks for one recipient: parameters of RCPT (DSN, RFC 3461).

    Args:
        notify: When to send a report: one or several of `Notify`, or their keywords.
        orcpt: The address that the message was first sent to, for reports.

    Raises:
        InvalidInput: No such keyword, `NEVER` together with others, or a text that is not one
            address.
        TypeError: A value is of the wrong type.

    Attributes:
        notify: As above, each once; empty leaves it to the server.
        orcpt: As above.
        parameters: Both as they stand on the line, each behind a blank.
    """

    notify: tuple[Notify, ...]
    orcpt: OriginalRecipient | None
    parameters: str = field(init=False, repr=False, compare=False)

    def __init__(
        self,
        *,
        notify: str | Iterable[str] | None = None,
        orcpt: AddressLike | OriginalRecipient | None = None,
    ) -> None:
        _fill(self, notify=() if notify is None else notify, orcpt=orcpt)


def require_options(kind: type[MailOptions | RcptOptions], value: object) -> None:
    """Refuse what are no options of a kind.

    Args:
        kind: The class.
        value: What a caller passed.

    Raises:
        TypeError: The value is no instance of it.
    """
    if not isinstance(value, kind):
        msg = f"the options are {kind.__name__}, not {type(value).__name__}"
        raise TypeError(msg)


def _table(options: MailOptions | RcptOptions) -> tuple[_Parameter, ...]:
    return _MAIL if isinstance(options, MailOptions) else _RCPT


NO_MAIL_OPTIONS: Final = MailOptions()
"""The options of a message with no wishes."""
NO_RCPT_OPTIONS: Final = RcptOptions()
"""The options of a recipient with no wishes."""


# --- what a server must offer ---------------------------------------------------------------------


def needs(mail: MailOptions, rcpts: Iterable[RcptOptions] = ()) -> dict[str, str]:
    """List the extensions that a server must offer for some options.

    Args:
        mail: The options of the message.
        rcpts: Those of its recipients.

    Returns:
        Each EHLO keyword with what it is needed for, in words: `{"DSN": "RET and NOTIFY"}`.
    """
    asked: dict[str, dict[str, None]] = {}
    every: tuple[MailOptions | RcptOptions, ...] = (mail, *rcpts)
    for options in every:
        if options.parameters:
            for row in _table(options):
                if not _is_absent(getattr(options, row.option)):
                    asked.setdefault(row.capability, {})[row.name] = None
    return {capability: _listed([*names]) for capability, names in asked.items()}


def _listed(names: list[str]) -> str:
    """Return names in words: `RET, ENVID and NOTIFY`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def check_limits(mail: MailOptions, capabilities: Capabilities) -> None:
    """Make sure that a message's options keep within the limits that a server announced.

    Args:
        mail: The options of the message.
        capabilities: What the server announced; an extension that it does not offer at all is
            not looked at: see `needs`.

    Raises:
        CapabilityMissing: A time is below the least (DELIVERBY, RFC 2852 section 3) or beyond
            the most (FUTURERELEASE, RFC 4865 section 3) that the server takes.
    """
    if mail.deliver_by is not None:
        _check_deliver_by(mail.deliver_by, capabilities.deliver_by)
    if capabilities.future_release is not None:
        _check_hold(mail, capabilities.future_release)


def _check_deliver_by(asked: DeliverBy, least: int | None) -> None:
    # The minimum holds for messages that would be returned; a report can be asked for any time.
    if least is not None and asked.mode is ByMode.RETURN and asked.seconds < least:
        msg = f"delivery within {asked.seconds} seconds; the server asks for at least {least}"
        raise CapabilityMissing(msg, capability="DELIVERBY", phase=Phase.MAIL)


def _check_hold(mail: MailOptions, most: FutureRelease) -> None:
    if mail.hold_for is not None and mail.hold_for > (most.max_seconds or SECONDS_MAX):
        msg = f"to be held for {mail.hold_for} seconds; the server takes {most.max_seconds}"
        raise CapabilityMissing(msg, capability="FUTURERELEASE", phase=Phase.MAIL)
    if mail.hold_until and most.max_datetime and mail.hold_until > most.max_datetime:
        msg = f"to be held until {mail.hold_until}; the server takes {most.max_datetime}"
        raise CapabilityMissing(msg, capability="FUTURERELEASE", phase=Phase.MAIL)
