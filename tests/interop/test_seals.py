"""Mail that is signed or encrypted from end to end, through a real Postfix."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

import ehlo
from support.examples import load
from support.maildir import delivered
from support.seals import ADDRESS, Gpg, Smime, signed_and_signature
from support.servers import Servers

pytestmark = pytest.mark.interop

MESSAGES: dict[str, dict[str, Any]] = {
    "dots and blanks": {"text": ".\n..\n.a dot \t\n\nFrom here\n \n\n"},
    "beyond ASCII": {"subject": "Grüße, 世界 👋", "text": "Grüße, 世界 👋\n" * 50},
    "attachments": {
        "text": "text",
        "html": "<p>html</p>",
        "attachments": [ehlo.Attachment(bytes(range(256)) * 512, filename="octets.bin")],
    },
}


def octets_of(fields: dict[str, Any]) -> bytes:
    message = ehlo.Message(**({"from_": ADDRESS, "to": "bob@example.org"} | fields))
    now = datetime(2026, 11, 23, 21, tzinfo=UTC)
    return message.as_bytes(now=now, make_id=lambda: uuid.uuid4().hex)


def through(servers: Servers, octets: bytes) -> bytes:
    url = f"smtp://{servers.plain.host}:{servers.plain.port}"
    receipt = ehlo.blocking.send(octets, url, envelope=ehlo.Envelope(ADDRESS, "bob@example.org"))
    assert receipt.message_id is not None
    return delivered(servers.maildir / "bob", receipt.message_id)


@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES)
def test_smime(servers: Servers, smime: Smime, fields: dict[str, Any]) -> None:
    example = load("smime")
    certificate = load_pem_x509_certificate(Path(smime.certificate).read_bytes())
    key = load_pem_private_key(smime.key.read_bytes(), None)
    sign, encrypt = example.signer(certificate, key), example.encrypter(certificate)
    octets = octets_of(fields)
    entity = example.parted(octets)[1]
    assert smime.verified(through(servers, sign(octets))) == entity
    other = octets_of(fields)  # with an identifier of its own
    inner = smime.decrypted(through(servers, encrypt(sign(other))))
    assert inner is not None
    assert smime.verified(inner) == example.parted(other)[1]


@pytest.mark.parametrize("fields", MESSAGES.values(), ids=MESSAGES)
def test_pgp(
    servers: Servers, gpg: Gpg, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    example = load("pgp")
    octets = octets_of(fields)
    entity, signature = signed_and_signature(through(servers, example.signer(ADDRESS)(octets)))
    assert entity == example.parted(octets)[1]
    assert gpg.verifies(entity, signature)
