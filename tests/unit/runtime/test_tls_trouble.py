"""What OpenSSL says, and which reason and which words come of it."""

import ssl
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ehlo.errors import TlsFailed
from ehlo.phase import Outcome, Phase
from ehlo.runtime.tls_trouble import closed, handshake_failed, unusable, wants_certificate
from ehlo.tls import TlsFacts, TlsTrouble
from support.pickling import unpickled

HOST = "mail.example.com"
AGREED = TlsFacts("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", 128)
FACTS = TlsFacts(
    "TLSv1.3",
    "",
    0,
    issuer="Example CA {why}",
    names=("a.example", "192.0.2.1"),
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
    not_after=datetime(2026, 2, 3, tzinfo=UTC),
)


def failed(facts: TlsFacts | None = None, beginning: bytes = b"", **said: Any) -> TlsFailed:
    """Return the error for something that OpenSSL said."""
    cause = cast("Exception", SimpleNamespace(**said))
    return handshake_failed(cause, host=HOST, facts=facts, beginning=beginning)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (2, TlsTrouble.UNKNOWN_AUTHORITY, "signed by 'Example CA {why}', whom nobody here trusts"),
        (9, TlsTrouble.NOT_YET_VALID, "is not valid yet before 2026-01-01;"),
        (10, TlsTrouble.EXPIRED, "has expired on 2026-02-03;"),
        (18, TlsTrouble.SELF_SIGNED, "is signed by itself"),
        (19, TlsTrouble.UNKNOWN_AUTHORITY, "whom nobody here trusts"),
        (20, TlsTrouble.UNKNOWN_AUTHORITY, "whom nobody here trusts"),
        (21, TlsTrouble.UNKNOWN_AUTHORITY, "whom nobody here trusts"),
        (23, TlsTrouble.CERTIFICATE, "was not accepted: what OpenSSL says"),
        (62, TlsTrouble.WRONG_HOST, "is not for 'mail.example.com' but for a.example, 192.0.2.1;"),
        (64, TlsTrouble.WRONG_HOST, "is not for 'mail.example.com' but for a.example, 192.0.2.1;"),
    ],
)
def test_a_certificate_that_is_no_good(code: int, reason: TlsTrouble, words: str) -> None:
    said: dict[str, Any] = {"verify_code": code, "verify_message": "what OpenSSL says"}
    error = failed(FACTS, **said)
    assert error.reason is reason
    assert words in str(error)
    assert error.tls is FACTS
    assert (error.phase, error.outcome, error.temporary) == (Phase.TLS, Outcome.NOT_SENT, False)
    without = failed(None, **said)
    assert without.reason is reason
    assert "{" not in str(without)
    assert "None" not in str(without)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (9, "is not valid yet; perhaps"),
        (10, "has expired; its operator"),
        (20, "signed by somebody, whom"),
        (62, "is not for 'mail.example.com'; perhaps"),
    ],
)
def test_a_certificate_of_which_nothing_is_known(code: int, words: str) -> None:
    assert words in str(failed(None, verify_code=code, verify_message="x"))
    assert words in str(failed(TlsFacts("", "", 0), verify_code=code, verify_message="x"))


@pytest.mark.parametrize(
    ("why", "agreed", "reason"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", False, TlsTrouble.NOTHING_IN_COMMON),
        ("UNSUPPORTED_PROTOCOL", False, TlsTrouble.NOTHING_IN_COMMON),
        ("NO_CIPHERS_AVAILABLE", False, TlsTrouble.NOTHING_IN_COMMON),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", False, TlsTrouble.NOTHING_IN_COMMON),
        ("SSL/TLS_ALERT_HANDSHAKE_FAILURE", False, TlsTrouble.NOTHING_IN_COMMON),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", True, TlsTrouble.CLIENT_CERTIFICATE),
        ("DH_KEY_TOO_SMALL", False, TlsTrouble.NOTHING_IN_COMMON),
        ("TLSV1_ALERT_UNKNOWN_CA", True, TlsTrouble.CLIENT_CERTIFICATE),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", True, TlsTrouble.CLIENT_CERTIFICATE),
        ("SSLV3_ALERT_BAD_CERTIFICATE", True, TlsTrouble.CLIENT_CERTIFICATE),
        ("TLSV1_ALERT_INTERNAL_ERROR", False, TlsTrouble.HANDSHAKE),
        ("BAD_SIGNATURE", True, TlsTrouble.HANDSHAKE),
    ],
)
def test_a_handshake_that_failed(why: str, agreed: bool, reason: TlsTrouble) -> None:
    error = failed(AGREED if agreed else None, reason=why)
    assert error.reason is reason
    assert why in str(error)


def test_an_error_without_a_reason() -> None:
    error = handshake_failed(OSError("something else"), host=HOST)
    assert (error.reason, str(error)) == (
        TlsTrouble.HANDSHAKE,
        "the TLS handshake failed: something else",
    )


@pytest.mark.parametrize("beginning", [b"\x15\x03\x03", b"\x16\x03\x01", b"\x14", b""])
def test_what_begins_like_tls_is_tls(beginning: bytes) -> None:
    assert failed(beginning=beginning, reason="X").reason is TlsTrouble.HANDSHAKE


def test_what_the_server_said_is_shown_as_far_as_it_may_be() -> None:
    error = failed(beginning=b"220 \x1b[2Jmx\xff" + b"x" * 200)
    assert error.reason is TlsTrouble.NOT_TLS
    assert r"(220 \x1b[2Jmx\xff" in str(error)
    assert len(str(error)) < 300


def test_the_others() -> None:
    assert (closed().reason, closed().temporary) == (TlsTrouble.CLOSED, True)
    assert unusable(ValueError("no name")).reason is TlsTrouble.CONTEXT
    error = wants_certificate("TLSV13_ALERT_CERTIFICATE_REQUIRED", AGREED)
    assert (error.reason, error.tls) == (TlsTrouble.CLIENT_CERTIFICATE, AGREED)


def test_reason_and_facts_survive_pickling() -> None:
    error = failed(FACTS, verify_code=10, verify_message="x")
    copy = unpickled(error)
    assert (copy.reason, copy.tls, str(copy)) == (TlsTrouble.EXPIRED, FACTS, str(error))
    assert isinstance(ssl.SSLError(), OSError)  # which is what the link expects of it
