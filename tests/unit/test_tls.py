from __future__ import annotations

from datetime import UTC, datetime

from ehlo import TlsFacts
from support.pickling import unpickled


def test_what_cannot_be_read_is_empty() -> None:
    facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    assert (facts.subject, facts.issuer, facts.names, facts.not_after) == ("", "", (), None)
    assert (facts.not_before, facts.serial, facts.fingerprint) == (None, "", "")
    assert not facts.verified


def test_facts_are_values() -> None:
    facts = TlsFacts(
        version="TLSv1.2",
        cipher="ECDHE-RSA-AES128-GCM-SHA256",
        secret_bits=128,
        subject="mx.example.com",
        issuer="Example CA",
        names=("mx.example.com", "192.0.2.1"),
        not_after=datetime(2027, 6, 1, 12, tzinfo=UTC),
    )
    assert unpickled(facts) == facts
    assert hash(unpickled(facts)) == hash(facts)
