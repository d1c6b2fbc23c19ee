"""From what OpenSSL says to an error that names the likely mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.errors import TlsFailed
from ehlo.phase import Phase
from ehlo.text import printable
from ehlo.tls import TlsTrouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.tls import TlsFacts

__all__ = ["closed", "handshake_failed", "is_about_the_client", "unusable", "wants_certificate"]

# The X509_V_ERR_ numbers of OpenSSL's x509_vfy.h; `ssl` has no names for them.
_BY_VERIFY_CODE: Final[Mapping[int, TlsTrouble]] = {
    2: TlsTrouble.UNKNOWN_AUTHORITY,  # UNABLE_TO_GET_ISSUER_CERT
    9: TlsTrouble.NOT_YET_VALID,
    10: TlsTrouble.EXPIRED,
    18: TlsTrouble.SELF_SIGNED,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19: TlsTrouble.UNKNOWN_AUTHORITY,  # SELF_SIGNED_CERT_IN_CHAIN: a root that nobody trusts
    20: TlsTrouble.UNKNOWN_AUTHORITY,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21: TlsTrouble.UNKNOWN_AUTHORITY,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE
    62: TlsTrouble.WRONG_HOST,  # HOSTNAME_MISMATCH
    64: TlsTrouble.WRONG_HOST,  # IP_ADDRESS_MISMATCH
}

# What stands in `SSLError.reason`: OpenSSL's own finding, or the alert that the server sent.
_NOTHING_IN_COMMON: Final = (
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS_AVAILABLE",
    "WRONG_SSL_VERSION",
    "NO_CIPHERS_AVAILABLE",
    "HANDSHAKE_FAILURE",
    "INSUFFICIENT_SECURITY",
    "KEY_TOO_SMALL",
    "LEGACY_SIGALG",
    "BAD_ECPOINT",
)
_ABOUT_THE_CLIENT: Final = (
    "ALERT_CERTIFICATE_REQUIRED",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_UNSUPPORTED_CERTIFICATE",
    "ALERT_CERTIFICATE_REVOKED",
    "ALERT_CERTIFICATE_EXPIRED",
    "ALERT_CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
)

_WORDS: Final[Mapping[TlsTrouble, str]] = {
    TlsTrouble.EXPIRED: (
        "the server's certificate has expired{since}; its operator has to renew it, unless the "
        "clock of this machine is wrong"
    ),
    TlsTrouble.NOT_YET_VALID: (
        "the server's certificate is not valid yet{until}; perhaps the clock of this machine is "
        "wrong"
    ),
    TlsTrouble.WRONG_HOST: (
        "the server's certificate is not for {host!r}{names}; perhaps the server should be called "
        "by one of its own names, or server_hostname= should say which to expect"
    ),
    TlsTrouble.SELF_SIGNED: (
        "the server's certificate is signed by itself and by no authority; if it is the right "
        "one, pass an ssl_context that trusts it"
    ),
    TlsTrouble.UNKNOWN_AUTHORITY: (
        "the server's certificate is signed by {issuer}, whom nobody here trusts; if that is an "
        "authority of your own, pass an ssl_context that knows it; if not, the server may fail to "
        "send the certificates in between"
    ),
    TlsTrouble.CERTIFICATE: "the server's certificate was not accepted: {why}",
    TlsTrouble.NOTHING_IN_COMMON: (
        "there is no TLS version or cipher that both sides accept ({why}); the server may be out "
        "of date, or ssl_context= too strict"
    ),
    TlsTrouble.CLIENT_CERTIFICATE: (
        "the server wants to see a certificate of the client, or did not accept the one it saw "
        "({why}); pass an ssl_context that has loaded the right one"
    ),
    TlsTrouble.HANDSHAKE: "the TLS handshake failed: {why}",
}

_CLEAR: Final = (
    "the server speaks clear text where TLS should begin ({said}): this port begins in clear, so "
    "say smtp+starttls:// (or tls='starttls')"
)
_CLEAR_AGAIN: Final = (
    "the server agreed to STARTTLS and went on in clear ({said}): something on the way may have "
    "put that there, and it is not believed"
)
_NO_TLS: Final = "what the server sent is no TLS ({said}); perhaps this is no mail server at all"
_CONTENT_TYPES: Final = range(20, 25)
"""What the first octet of a TLS record can be (RFC 8446 section 5.1)."""


def handshake_failed(
    cause: Exception,
    *,
    host: str,
    facts: TlsFacts | None = None,
    beginning: bytes = b"",
    upgrading: bool = False,
) -> TlsFailed:
    """Return the error for a handshake that failed.

    Args:
        cause: What OpenSSL said.
        host: The name that was to be verified.
        facts: What is known of the connection, and of the certificate that was not accepted.
        beginning: The first octets that the server sent.
        upgrading: Whether the connection had begun in clear.

    Returns:
        The error.
    """
    if beginning and beginning[0] not in _CONTENT_TYPES:
        return _spoke_clear(beginning, upgrading=upgrading)
    # Python's word for it, "Hostname mismatch ...", or OpenSSL's, "UNSUPPORTED_PROTOCOL".
    why = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(cause)
    reason = _reason(getattr(cause, "verify_code", 0), why, facts)
    return _failed(_in_words(reason, why, host, facts), reason, facts)


def _reason(verify_code: int, why: str, facts: TlsFacts | None) -> TlsTrouble:
    if verify_code:
        return _BY_VERIFY_CODE.get(verify_code, TlsTrouble.CERTIFICATE)
    # Once a cipher is agreed on, what displeases the server is what the client sent behind it.
    agreed = facts is not None and bool(facts.cipher)
    if is_about_the_client(why) or (agreed and "ALERT_HANDSHAKE_FAILURE" in why):
        return TlsTrouble.CLIENT_CERTIFICATE
    if any(word in why for word in _NOTHING_IN_COMMON):
        return TlsTrouble.NOTHING_IN_COMMON
    return TlsTrouble.HANDSHAKE


def _in_words(reason: TlsTrouble, why: str, host: str, facts: TlsFacts | None) -> str:
    names = issuer = ""
    since = until = ""
    if facts is not None:
        names = f" but for {', '.join(facts.names)}" if facts.names else ""
        issuer = repr(facts.issuer) if facts.issuer else ""
        since = f" on {facts.not_after:%Y-%m-%d}" if facts.not_after else ""
        until = f" before {facts.not_before:%Y-%m-%d}" if facts.not_before else ""
    return _WORDS[reason].format(
        why=why, host=host, names=names, issuer=issuer or "somebody", since=since, until=until
    )


def _spoke_clear(beginning: bytes, *, upgrading: bool) -> TlsFailed:
    line = beginning.partition(b"\n")[0].rstrip(b"\r")[:80]
    said = printable(line.decode("ascii", "backslashreplace"))
    if upgrading:
        return _failed(_CLEAR_AGAIN.format(said=said), TlsTrouble.INJECTED)
    words = _CLEAR if line[:1].isdigit() else _NO_TLS
    return _failed(words.format(said=said), TlsTrouble.NOT_TLS)


def is_about_the_client(why: str) -> bool:
    """Return whether the server's alert is about the client's certificate.

    Args:
        why: `SSLError.reason`.
    """
    return any(word in why for word in _ABOUT_THE_CLIENT)


def wants_certificate(why: str, facts: TlsFacts | None) -> TlsFailed:
    """Return the error for an alert about the client's certificate.

    In TLS 1.3 the server judges it when the handshake is over for the client.

    Args:
        why: `SSLError.reason`.
        facts: What is known of the connection.
    """
    words = _WORDS[TlsTrouble.CLIENT_CERTIFICATE].format(why=why)
    return _failed(words, TlsTrouble.CLIENT_CERTIFICATE, facts)


def closed() -> TlsFailed:
    """Return the error for a connection that ended during the handshake."""
    msg = (
        "the server closed the connection during the TLS handshake; perhaps it does not speak TLS "
        "on this port, or has no certificate"
    )
    error = _failed(msg, TlsTrouble.CLOSED)
    error.temporary = True
    return error


def unusable(cause: Exception) -> TlsFailed:
    """Return the error for a handshake that this side cannot begin.

    Args:
        cause: What the context said.
    """
    return _failed(f"the TLS handshake cannot begin: {cause}", TlsTrouble.CONTEXT)


def _failed(message: str, reason: TlsTrouble, facts: TlsFacts | None = None) -> TlsFailed:
    return TlsFailed(message, phase=Phase.TLS, reason=reason, tls=facts)
