import logging
import ssl

import pytest

from ehlo.runtime.ambient import (
    LoggingTrace,
    default_context,
    make_id,
    make_nonce,
    now,
    traces,
    unix_time,
)
from ehlo.transcript import Side, Transcript


def test_the_default_context_verifies() -> None:
    """L4."""
    context = default_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert default_context() is context


def test_seconds_since_1970_are_those_of_the_date() -> None:
    before, seconds, after = now().timestamp(), unix_time(), now().timestamp()
    # A date is rounded to microseconds, and may be rounded up.
    assert before - 1e-5 <= seconds <= after + 1e-5


def test_identifiers_are_fresh() -> None:
    assert len({make_id() for _ in range(100)}) == 100
    assert len(make_id()) == 32
    assert make_id().isalnum()


def test_the_time_has_an_offset() -> None:
    assert now().tzinfo is not None
    assert now().utcoffset() is not None


def test_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="ehlo")
    transcript = Transcript()
    assert traces(None) is None
    assert traces(transcript) is transcript


def test_the_log_listens(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="ehlo")
    trace = traces(None)
    assert isinstance(trace, LoggingTrace)
    trace.line(Side.CLIENT, "NOOP")
    trace.line(Side.SERVER, "250 \x1b[2J\r\nforged")
    trace.content(b"x" * 100)
    assert caplog.messages == [
        "C: 'NOOP'",
        "S: '250 \\x1b[2J\\r\\nforged'",
        "C: (100 octets of content)",
    ]
    assert {record.name for record in caplog.records} == {"ehlo"}
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_both_listen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="ehlo")
    transcript = Transcript()
    trace = traces(transcript)
    assert trace is not None
    trace.content(b"text\r\n")
    trace.line(Side.SERVER, "250 ok")
    assert str(transcript) == "C: text\nS: 250 ok"
    assert caplog.messages == ["C: (6 octets of content)", "S: '250 ok'"]


def test_nonces_are_fresh() -> None:  # A5
    nonces = {make_nonce() for _ in range(100)}
    assert len(nonces) == 100
    assert {len(nonce) for nonce in nonces} == {32}  # 24 octets
    assert all(nonce.isascii() and nonce.isprintable() and "," not in nonce for nonce in nonces)
