"""Errors in words: what happened, when, what became of the mail, and what to try."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Final

from ehlo.cli._console import Style
from ehlo.errors import (
    AuthenticationRefused,
    CapabilityMissing,
    ConnectFailed,
    ConnectionLost,
    ContentRefused,
    DeliveryUnknown,
    GreetingRefused,
    HelloRefused,
    InvalidInput,
    LocalProtocolError,
    RecipientsRefused,
    RemoteProtocolError,
    SenderRefused,
    ServerNotAuthenticated,
    SMTPError,
    Timeout,
    TlsFailed,
)
from ehlo.phase import Outcome, Phase
from ehlo.tls import TlsTrouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ehlo.cli._console import Console

__all__ = ["ADVICE", "TLS_ADVICE", "report"]

_NO_SERVER: Final = (
    "Is the server running, and are its name and port right? Many networks block port 25: "
    "submission is on 587 (smtp+starttls://) and 465 (smtps://)."
)

ADVICE: Final[Mapping[tuple[type[SMTPError], Phase | None], str]] = {
    (InvalidInput, Phase.AUTH): (
        "Encrypt the connection (smtps:// or smtp+starttls://). If everybody on the way may read "
        "the password, say --cleartext allow-credentials."
    ),
    (InvalidInput, None): "`ehlo send --help` and `ehlo probe --help` show what goes where.",
    (ConnectFailed, None): _NO_SERVER,
    (Timeout, Phase.CONNECT): _NO_SERVER,
    (Timeout, Phase.GREETING): (
        "If the port speaks TLS from the first octet, use smtps://. Some servers keep clients "
        "waiting on purpose: try a longer --timeout."
    ),
    (Timeout, None): "The server is slow or gone: try again later, or with a longer --timeout.",
    (ConnectionLost, None): "Try again. The server's log may say why it hung up.",
    (TlsFailed, None): "`ehlo probe` shows the server's certificate, as far as it got to see it.",
    (GreetingRefused, None): "The server wants no mail from here: its reply says why.",
    (HelloRefused, None): "Give a name that the server can check: --name HOST.EXAMPLE.ORG",
    (AuthenticationRefused, None): (
        "Check user and password (EHLO_PASSWORD); many providers want a password made for one "
        "application. `ehlo probe` shows the mechanisms."
    ),
    (ServerNotAuthenticated, None): (
        "This is not the server that the password is for, or somebody on the way speaks for it. "
        "Do not send it the password in another way."
    ),
    (CapabilityMissing, None): "`ehlo probe` shows what the server offers.",
    (SenderRefused, None): "The server may want a log-in first (--user), or another --from.",
    (RecipientsRefused, None): (
        "Check the address. If the reply is about relaying, log in (--user). A 4yz may be "
        "greylisting: try again in some minutes. "
        "--on-refusal deliver sends to those who are accepted."
    ),
    (ContentRefused, None): "The server took the addresses, but not the mail: its reply says why.",
    (RemoteProtocolError, None): (
        "Is this an SMTP server at all? One that speaks TLS from the first octet wants smtps://."
    ),
    (DeliveryUnknown, None): (
        "Look for the Message-ID in the server's log, or ask a recipient, before you send it again."
    ),
    (LocalProtocolError, None): "Please report this, with the dialogue.",
    (SMTPError, None): "The dialogue shows what was said.",
}
"""What to try, by the error's class and phase; without a row for the phase, by its class."""

_BY_DATA: Final = "If it is BDAT that it cannot do, --without CHUNKING sends the mail by DATA."
_IN_CLEAR: Final = "If you trust the way to the server, --tls none goes on in clear."
_OWN_AUTHORITY: Final = "For a certificate of your own, name its authority with --ca FILE."
_NO_REMEDY: Final = "Only the server's operator can put that right. Do not go on without TLS."

TLS_ADVICE: Final[Mapping[TlsTrouble, str]] = {
    TlsTrouble.NOT_OFFERED: (
        f"If the server speaks TLS from the first octet, use smtps:// (port 465). {_IN_CLEAR}"
    ),
    TlsTrouble.REFUSED: f"The server's reply says why. {_IN_CLEAR}",
    TlsTrouble.INJECTED: "Somebody may be changing what is said on the way. Do not go on in clear.",
    TlsTrouble.NOT_TLS: "Use smtp+starttls://, or smtps:// with port 465.",
    TlsTrouble.TLS_FIRST: "Use smtps:// with this port.",
    TlsTrouble.NOTHING_IN_COMMON: _NO_REMEDY,
    TlsTrouble.CLIENT_CERTIFICATE: "Ask the server's operator for a certificate.",
    TlsTrouble.EXPIRED: _NO_REMEDY,
    TlsTrouble.NOT_YET_VALID: "Look at the clock of this machine: `date`.",
    TlsTrouble.WRONG_HOST: "Put one of the names that the certificate is for into the URL.",
    TlsTrouble.SELF_SIGNED: _OWN_AUTHORITY,
    TlsTrouble.UNKNOWN_AUTHORITY: _OWN_AUTHORITY,
    TlsTrouble.CERTIFICATE: _NO_REMEDY,
    TlsTrouble.CLOSED: "A port that begins in clear wants smtp+starttls://.",
    TlsTrouble.CONTEXT: "Name a host that the server's certificate can be verified for.",
    TlsTrouble.HANDSHAKE: "Try again. The server's log may say what it did not like.",
}
"""What to try where there is no TLS, by the reason."""

_LABEL: Final = 11
_WIDTH: Final = 96
_TRY: Final = f"  {'try':<{_LABEL}}"
_HANGING: Final = " " * len(_TRY)

_KINDS: Final[Mapping[bool, str]] = {
    True: "temporary: the same attempt may succeed later",
    False: "permanent: the same attempt would fail again",
}
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.ACCEPTED: "was accepted",
    Outcome.REFUSED: "was refused; nobody got it",
    Outcome.NOT_SENT: "none was sent",
    Outcome.UNKNOWN: "MAY BE OUT: the server may have accepted it; sending again may duplicate it",
}


def report(console: Console, error: SMTPError) -> None:
    """Tell people about an error.

    Args:
        console: Where to.
        error: The error.
    """
    console.say(f"ehlo: {error}", Style.BAD)
    for label, text in _rows(error):
        console.say(f"  {label:<{_LABEL}}{text}")
    # Wrapped, unlike what the server said: nobody searches for it.
    for line in wrap(_advice(error), _WIDTH, initial_indent=_TRY, subsequent_indent=_HANGING):
        console.say(line)


def _rows(error: SMTPError) -> Iterator[tuple[str, str]]:
    """Yield what there is to say, each as label and text."""
    if isinstance(error, RecipientsRefused):
        for address, reply in error.refused.items():
            yield "refused", f"{address}: {reply}"
        for address in error.accepted:
            yield "would take", str(address)
    if error.phase is not None:
        yield "while", error.phase.phrase
        if error.outcome is not Outcome.UNKNOWN:
            yield "failure", _KINDS[error.temporary]
    yield "mail", _OUTCOMES[error.outcome]
    if error.message_id is not None:
        yield "Message-ID", error.message_id


def _advice(error: SMTPError) -> str:
    """Return what to try: the row of the nearest class, the error's phase before none."""
    if isinstance(error, TlsFailed) and error.reason is not None:
        return TLS_ADVICE[error.reason]
    classes = [class_ for class_ in type(error).__mro__ if issubclass(class_, SMTPError)]
    keys = ((class_, phase) for class_ in classes for phase in (error.phase, None))
    advice = next(ADVICE[key] for key in keys if key in ADVICE)
    refused_chunk = isinstance(error, ContentRefused) and (error.command or "").startswith("BDAT")
    return f"{advice} {_BY_DATA}" if refused_chunk else advice
