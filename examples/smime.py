"""Sign mail with S/MIME, or encrypt it (RFC 8551): two seals, made with `cryptography`.

A seal is a function from the octets of a message, as they would be sent, to those that are sent
instead. Run it with a server's URL, your certificate and its private key (PEM, not encrypted):
`python smime.py smtp://localhost:2525 ada.pem ada.key`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7
from cryptography.x509 import load_pem_x509_certificate

import ehlo

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.x509 import Certificate

    Seal = Callable[[bytes], bytes]
    Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def parted(octets: bytes) -> tuple[bytes, bytes]:
    """Part a message into the fields that stay outside, and the MIME entity that is sealed."""
    header, _, body = octets.partition(b"\r\n\r\n")
    fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header + b"\r\n")
    content = [field for field in fields if field.lower().startswith(b"content-")]
    others = [field for field in fields if field not in content]
    return b"".join(others), b"%b\r\n%b" % (b"".join(content), body)


def base64_part(content_type: bytes, filename: bytes, octets: bytes) -> bytes:
    """Return a MIME entity that holds octets."""
    return (
        b"Content-Type: %b;\r\n name=%b\r\n" % (content_type, filename)
        + b"Content-Transfer-Encoding: base64\r\n"
        + b"Content-Disposition: attachment; filename=%b\r\n\r\n" % filename
        + base64.encodebytes(octets).replace(b"\n", b"\r\n")
    )


def signer(certificate: Certificate, key: Key) -> Seal:
    """Return a seal that signs: multipart/signed, which everybody can read (RFC 8551, 3.5.3)."""

    def sign(octets: bytes) -> bytes:
        fields, entity = parted(octets)
        builder = pkcs7.PKCS7SignatureBuilder().set_data(entity)
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        signature = builder.add_signer(certificate, key, SHA256()).sign(Encoding.DER, options)
        boundary = hashlib.sha256(entity).hexdigest().encode()  # so it cannot stand in the entity
        return b"".join(
            [
                fields,
                b"Content-Type: multipart/signed; micalg=sha-256;\r\n",
                b' protocol="application/pkcs7-signature";\r\n boundary="%b"\r\n\r\n' % boundary,
                b"--%b\r\n%b\r\n--%b\r\n" % (boundary, entity, boundary),
                base64_part(b"application/pkcs7-signature", b"smime.p7s", signature),
                b"--%b--\r\n" % boundary,
            ]
        )

    return sign


def encrypter(*readers: Certificate) -> Seal:
    """Return a seal that encrypts for some readers; the header stays readable (RFC 8551, 3.3)."""

    def encrypt(octets: bytes) -> bytes:
        fields, entity = parted(octets)
        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(entity)
        for reader in readers:
            builder = builder.add_recipient(reader)
        secret = builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
        kind = b"application/pkcs7-mime; smime-type=enveloped-data"
        return fields + base64_part(kind, b"smime.p7m", secret)

    return encrypt


def main(url: str, certificate_path: str, key_path: str) -> None:
    """Send one message that is signed, and one that is signed and then encrypted."""
    certificate = load_pem_x509_certificate(Path(certificate_path).read_bytes())
    key = load_pem_private_key(Path(key_path).read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        sys.exit("S/MIME wants an RSA key or one of an elliptic curve")
    sign, encrypt = signer(certificate, key), encrypter(certificate)
    message = ehlo.Message(
        from_="Ada Lovelace <ada@example.org>",
        to="ada@example.org",
        subject="Notes on the engine",
        text="The engine weaves algebraic patterns.",
    )
    for sealed in (ehlo.Sealed(message, sign), ehlo.Sealed(message, sign, encrypt)):
        receipt = ehlo.blocking.send(sealed, url)
        print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(*sys.argv[1:])
