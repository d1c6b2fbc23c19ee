"""Signatures that went through a real Postfix and its Maildir, as others verify them."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

import ehlo
from ehlo import dkim
from support import dkim_keys
from support.dkim_verifiers import Verifier
from support.maildir import delivered, without_trace
from support.servers import Servers

pytestmark = pytest.mark.interop

NOW = datetime(2026, 11, 23, 21, tzinfo=UTC)
RSA = dkim.Signer(domain="example.org", selector="rsa", private_key=dkim_keys.RSA)
ED25519 = dkim.Signer(domain="example.org", selector="ed", private_key=dkim_keys.ED25519)
SIMPLE = dkim.Signer(
    domain="example.org",
    selector="simple",
    private_key=dkim_keys.RSA,
    canonicalization="simple/simple",
    oversigning="all",
    identity="ada@example.org",
    expires_after=86_400,
)

MESSAGES: dict[str, dict[str, Any]] = {
    "dots": {"text": ".\n..\n.a dot\n\n.\n"},
    "long lines": {"text": "x" * 997 + "\n" + "words " * 500 + "\n." + "y" * 996 + "\n"},
    "blanks": {"text": "a  b \t\n \n\n\n\n"},
    "nothing": {"text": ""},
    "beyond ASCII": {
        "from_": ("Grün, Ada", "ada@example.org"),
        "subject": "Grüße, 世界 👋: a long subject that has to be folded somewhere in its middle",
        "text": "Grüße, 世界 👋\n" * 50,
    },
    "attachments": {
        "text": "text",
        "html": "<p>html</p>",
        "attachments": [ehlo.Attachment(bytes(range(256)) * 512, filename="octets.bin")],
    },
    "a list": {
        "text": "news",
        "headers": {
            "List-Unsubscribe": "<https://example.org/unsubscribe/1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    },
    "many recipients in the header": {
        "to": [("Somebody", f"somebody{number}@example.org") for number in range(60)]
    },
}


def octets_of(**fields: Any) -> bytes:
    own = {"from_": "ada@example.org", "to": "bob@example.org", "text": "x"}
    message = ehlo.Message(**(own | fields))
    return message.as_bytes(now=NOW, make_id=lambda: uuid.uuid4().hex)


def through(servers: Servers, octets: bytes, envelope: ehlo.Envelope) -> bytes:
    """Send octets, and return them as they were delivered."""
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    receipt = ehlo.blocking.send(octets, url, envelope=envelope)
    assert receipt.message_id is not None
    return delivered(servers.maildir / "bob", receipt.message_id)


TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.org")


SIGNERS = {"rsa": (RSA,), "ed25519": (ED25519,), "both": (RSA, ED25519), "simple": (SIMPLE,)}


@pytest.mark.parametrize("signers", SIGNERS.values(), ids=SIGNERS)
@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES)
def test_signatures_survive_a_server(
    servers: Servers,
    dkim_verifier: Verifier,
    signers: tuple[dkim.Signer, ...],
    fields: dict[str, Any],
) -> None:
    octets = octets_of(**fields)
    for signer in signers:
        octets = signer(octets)
    arrived = through(servers, octets, TO_BOB)
    assert without_trace(arrived, b"DKIM-Signature: ") == octets
    assert arrived.startswith((b"Return-Path: ", b"X-Original-To: "))
    found = dkim_verifier.verify(arrived, *signers)
    assert found == [
        (signer.selector, signer.algorithm in dkim_verifier.algorithms)
        for signer in reversed(signers)
    ]
    again = dkim_verifier.verify(b"Subject: another one\r\n" + arrived + b"PS\r\n", *signers)
    assert not any(finding.passed for finding in again)


@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES)
def test_sealed_messages_are_signed_by_whoever_sends_them(
    servers: Servers, dkim_verifier: Verifier, fields: dict[str, Any]
) -> None:
    own = {"from_": "ada@example.org", "to": "bob@example.org", "text": "x"}
    sealed = ehlo.Sealed(ehlo.Message(**(own | fields)), RSA, ED25519)
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    results = [
        *ehlo.blocking.send_many([(sealed, TO_BOB)], url),
        *asyncio.run(collected(sealed, url)),
    ]
    for result in results:
        assert result.receipt is not None
        assert result.receipt.message_id is not None
        arrived = delivered(servers.maildir / "bob", result.receipt.message_id)
        found = dkim_verifier.verify(arrived, RSA, ED25519)
        assert found == [
            (signer.selector, signer.algorithm in dkim_verifier.algorithms)
            for signer in (ED25519, RSA)
        ]


async def collected(sealed: ehlo.Sealed, url: str) -> list[ehlo.Result]:
    return [result async for result in ehlo.asyncio.send_many([(sealed, TO_BOB)], url)]


def test_a_header_in_utf_8_survives(servers: Servers, dkim_verifier: Verifier) -> None:
    utf_8 = "From: Grün <ada@example.org>".encode()
    octets = RSA(octets_of().replace(b"From: ada@example.org", utf_8))
    assert utf_8 in octets
    arrived = through(servers, octets, TO_BOB)
    assert without_trace(arrived, b"DKIM-Signature: ") == octets
    assert dkim_verifier.verify(arrived, RSA) == [("rsa", True)]
