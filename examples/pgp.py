"""Sign mail with OpenPGP (RFC 3156): a seal that asks the program `gpg`.

A seal is a function from the octets of a message, as they would be sent, to those that are sent
instead. Run it with a server's URL and the address of a key in your keyring: `python pgp.py
smtp://localhost:2525 ada@example.org`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import Callable


def parted(octets: bytes) -> tuple[bytes, bytes]:
    """Part a message into the fields that stay outside, and the MIME entity that is signed."""
    header, _, body = octets.partition(b"\r\n\r\n")
    fields = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", header + b"\r\n")
    content = [field for field in fields if field.lower().startswith(b"content-")]
    others = [field for field in fields if field not in content]
    return b"".join(others), b"%b\r\n%b" % (b"".join(content), body)


def detached_signature(octets: bytes, key: str) -> bytes:
    """Have `gpg` sign octets; what it asks for, its agent asks for."""
    command = ["gpg", "--batch", "--local-user", key, "--digest-algo", "SHA256"]
    done = subprocess.run(  # noqa: S603 - the key is one argument
        [*command, "--armor", "--detach-sign"], input=octets, capture_output=True, check=True
    )
    return done.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def signer(key: str) -> Callable[[bytes], bytes]:
    """Return a seal that signs: multipart/signed, which everybody can read (RFC 3156, section 5).

    The key is named by its address or its fingerprint.
    """

    def sign(octets: bytes) -> bytes:
        fields, entity = parted(octets)
        boundary = hashlib.sha256(entity).hexdigest().encode()  # so it cannot stand in the entity
        return b"".join(
            [
                fields,
                b"Content-Type: multipart/signed; micalg=pgp-sha256;\r\n",
                b' protocol="application/pgp-signature";\r\n boundary="%b"\r\n\r\n' % boundary,
                b"--%b\r\n%b\r\n--%b\r\n" % (boundary, entity, boundary),
                b"Content-Type: application/pgp-signature; name=signature.asc\r\n\r\n",
                b"%b\r\n--%b--\r\n" % (detached_signature(entity, key), boundary),
            ]
        )

    return sign


def main(url: str, key: str) -> None:
    """Send one message that is signed."""
    message = ehlo.Message(
        from_=key,
        to="bob@example.com",
        subject="Notes on the engine",
        text="The engine weaves algebraic patterns.",
    )
    receipt = ehlo.blocking.send(ehlo.Sealed(message, signer(key)), url)
    print(f"accepted: {receipt.reply}")


if __name__ == "__main__":
    main(*sys.argv[1:])
