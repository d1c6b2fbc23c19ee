"""What EHLO keywords and SASL mechanisms mean, in words; and which ones one would expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ehlo.capabilities import Capabilities

__all__ = ["MEANINGS", "MECHANISMS", "Remark", "Setting", "explained", "missing"]

MEANINGS: Final[Mapping[str, str]] = {
    "8BITMIME": "content may hold octets above 127 (RFC 6152)",
    "ATRN": "a customer on a dial-up line can fetch queued mail (RFC 2645)",
    "AUTH": "clients can log in (RFC 4954)",
    "BINARYMIME": "content may be binary, sent with BDAT (RFC 3030)",
    "BURL": "the server can fetch the content from an IMAP server (RFC 4468)",
    "CHECKPOINT": "a broken transaction can be taken up again (RFC 1845)",
    "CHUNKING": "content may be sent in counted pieces, with BDAT (RFC 3030)",
    "CONNEG": "the recipient's abilities can be asked for (RFC 4141)",
    "CONPERM": "content may be converted if the sender permits (RFC 4141)",
    "DELIVERBY": "a mail can say how soon it must be delivered (RFC 2852)",
    "DSN": "notices of success, delay and failure can be asked for (RFC 3461)",
    "ENHANCEDSTATUSCODES": "replies carry codes such as 5.1.1 that say why (RFC 2034)",
    "ETRN": "queued mail for a domain can be asked for (RFC 1985)",
    "EXPN": "EXPN is there: who is on a mailing list (RFC 5321)",
    "FUTURERELEASE": "a mail can be held back until a given time (RFC 4865)",
    "HELP": "HELP is there (RFC 5321)",
    "LIMITS": "the server says how much it takes, such as RCPTMAX (RFC 9422)",
    "MT-PRIORITY": "a mail can have a priority (RFC 6710)",
    "MTRK": "what became of a mail can be tracked (RFC 3885)",
    "NO-SOLICITING": "the server does not want advertisements (RFC 3865)",
    "PIPELINING": "commands need not wait for each other's replies (RFC 2920)",
    "REQUIRETLS": "a mail can insist on TLS all the way (RFC 8689)",
    "RRVS": "a mail can insist that the recipient's account is that old (RFC 7293)",
    "SIZE": "a mail's size is told before it is sent (RFC 1870)",
    "SMTPUTF8": "addresses need not be ASCII (RFC 6531)",
    "STARTTLS": "the connection can be encrypted (RFC 3207)",
    "SUBMITTER": "the responsible submitter can be named (RFC 4405)",
    "TURN": "client and server can change places (RFC 821; obsolete, unsafe)",
    "UTF8SMTP": "the forerunner of SMTPUTF8 (RFC 5336; obsolete)",
    "VRFY": "VRFY is there: whether a user exists (RFC 5321)",
    "X-ANONYMOUSTLS": "TLS between Exchange servers (Microsoft)",
    "X-EXPS": "authentication between Exchange servers (Microsoft)",
    "XCLIENT": "trusted clients can say for whom they speak (Postfix)",
    "XFORWARD": "trusted clients can pass on who the first client was (Postfix)",
}
"""Each keyword in a sentence, with where it is defined."""

MECHANISMS: Final[Mapping[str, str]] = {
    "ANONYMOUS": "no log-in at all (RFC 4505)",
    "CRAM-MD5": "a digest; outdated, and the server must keep the password (RFC 2195)",
    "DIGEST-MD5": "a digest; withdrawn by RFC 6331",
    "EXTERNAL": "by the client's TLS certificate (RFC 4422)",
    "GSSAPI": "Kerberos (RFC 4752)",
    "LOGIN": "the password itself, so TLS is needed; never standardised",
    "NTLM": "Windows; weak, and the server must be trusted (Microsoft)",
    "OAUTHBEARER": "an OAuth 2 token (RFC 7628)",
    "PLAIN": "the password itself, so TLS is needed (RFC 4616)",
    "SCRAM-SHA-1": "proves the password without sending it (RFC 5802)",
    "SCRAM-SHA-1-PLUS": "SCRAM, bound to this TLS connection (RFC 5802)",
    "SCRAM-SHA-256": "proves the password without sending it (RFC 7677)",
    "SCRAM-SHA-256-PLUS": "SCRAM, bound to this TLS connection (RFC 7677)",
    "XOAUTH2": "an OAuth 2 token, as Google and Microsoft take it",
}
"""Each SASL mechanism in a phrase."""

_UNKNOWN: Final = "not known to ehlo"
_MIB: Final = 1 << 20


class Remark(NamedTuple):
    """A keyword or a mechanism, and what there is to say about it."""

    name: str
    words: str


class Setting(NamedTuple):
    """What decides which extensions one would expect.

    Attributes:
        encrypted: Whether TLS is on.
        submission: Whether the port is one where people hand in mail (RFC 6409, RFC 8314).
    """

    encrypted: bool
    submission: bool


def explained(capabilities: Capabilities) -> Iterator[Remark]:
    """Explain what a server announced.

    Args:
        capabilities: The capabilities.

    Yields:
        Each keyword with its parameters as they came; AUTH is followed by its mechanisms instead.
    """
    for keyword, parameters in capabilities.keywords.items():
        words = MEANINGS.get(keyword, _UNKNOWN)
        if keyword == "SIZE" and capabilities.size is not None:
            words = f"a mail may have {_mebibytes(capabilities.size)} (RFC 1870)"
        if keyword == "AUTH":
            yield Remark(keyword, words)
            for name in capabilities.auth:
                yield Remark(f"  {name}", MECHANISMS.get(name, _UNKNOWN))
        else:
            yield Remark(" ".join((keyword, *parameters)), words)


def _mebibytes(octets: int) -> str:
    return f"{octets / _MIB:.2f}".rstrip("0").rstrip(".") + " MiB"


def _always(_setting: Setting) -> bool:
    return True


def _in_clear(setting: Setting) -> bool:
    return not setting.encrypted


def _for_submission(setting: Setting) -> bool:
    return setting.submission and setting.encrypted


class _Expectation(NamedTuple):
    keyword: str
    applies: Callable[[Setting], bool]
    without: str


_EXPECTED: Final = (
    _Expectation("STARTTLS", _in_clear, "everybody on the way can read and change the mail"),
    _Expectation("AUTH", _for_submission, "nobody can log in, on a port that is there for it"),
    _Expectation("PIPELINING", _always, "each command costs a round trip"),
    _Expectation("SIZE", _always, "a mail that is too big is refused after it was sent"),
    _Expectation("8BITMIME", _always, "text beyond ASCII must be encoded"),
    _Expectation("SMTPUTF8", _always, "addresses beyond ASCII cannot be reached"),
    _Expectation("ENHANCEDSTATUSCODES", _always, "refusals say less about why"),
)


def missing(capabilities: Capabilities, setting: Setting) -> Iterator[Remark]:
    """Tell what a server does not announce although one would expect it to.

    Args:
        capabilities: The capabilities.
        setting: On what kind of connection.

    Yields:
        Each keyword, with what follows from its absence.
    """
    for keyword, applies, without in _EXPECTED:
        if keyword not in capabilities and applies(setting):
            yield Remark(keyword, without)
