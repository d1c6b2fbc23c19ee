"""What signs and encrypts mail from end to end, and the programs that verify it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

__all__ = ["ADDRESS", "Gpg", "Smime", "gpg", "signed_and_signature", "smime"]

ADDRESS = "ada@example.org"


def program(name: str) -> str:
    """Return where a program is; without it the test is skipped, or fails where ``CI`` is set."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"no {name}: install it")
        pytest.skip(f"no {name}: install it")
    return found


class Smime(NamedTuple):
    """A certificate with its key, and OpenSSL, which trusts that one only."""

    openssl: str
    certificate: Path
    key: Path

    def _run(self, *arguments: str, octets: bytes) -> bytes | None:
        done = subprocess.run(
            [self.openssl, "cms", *arguments], input=octets, capture_output=True, check=False
        )
        return None if done.returncode else done.stdout

    def verified(self, octets: bytes) -> bytes | None:
        """Return the MIME entity that a message's signature is good for; None if it is not."""
        return self._run("-verify", "-CAfile", str(self.certificate), octets=octets)

    def decrypted(self, octets: bytes) -> bytes | None:
        """Return the MIME entity that was encrypted; None if it cannot be decrypted."""
        return self._run("-decrypt", "-inkey", str(self.key), octets=octets)


@pytest.fixture(scope="session")
def smime(tmp_path_factory: pytest.TempPathFactory) -> Smime:
    """A certificate for one address, signed by itself."""
    openssl = program("openssl")
    folder = tmp_path_factory.mktemp("smime")
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ada")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2199, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(ADDRESS)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .sign(key, SHA256())
    )
    found = Smime(openssl, folder / "ada.pem", folder / "ada.key")
    found.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found


class Gpg(NamedTuple):
    """A keyring with one key, for ``ADDRESS``."""

    program: str
    home: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, "--homedir", str(self.home), "--batch", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def verifies(self, entity: bytes, signature: bytes) -> bool:
        (self.home / "entity").write_bytes(entity)
        (self.home / "signature").write_bytes(signature)
        done = self.run("--verify", str(self.home / "signature"), str(self.home / "entity"))
        return done.returncode == 0


@pytest.fixture(scope="session")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    """A keyring in a directory of its own; its agent is stopped at the end."""
    found = Gpg(program("gpg"), tmp_path_factory.mktemp("gnupg"))
    found.home.chmod(0o700)
    with_no_passphrase = ("--pinentry-mode", "loopback", "--passphrase", "")
    made = found.run(*with_no_passphrase, "--quick-gen-key", ADDRESS, "ed25519", "sign", "never")
    assert made.returncode == 0, made.stderr
    yield found
    subprocess.run(
        ["gpgconf", "--homedir", str(found.home), "--kill", "gpg-agent"],
        check=True,
        capture_output=True,
    )


def signed_and_signature(octets: bytes) -> tuple[bytes, bytes]:
    """Return both parts of a multipart/signed, octet for octet (RFC 1847 section 2.1)."""
    match = re.search(rb'boundary="([^"]+)"', octets)
    assert match is not None
    _, entity, signature, end = octets.split(b"--" + match[1])
    assert end == b"--\r\n"
    return (
        entity.removeprefix(b"\r\n").removesuffix(b"\r\n"),
        signature.partition(b"\r\n\r\n")[2],
    )
