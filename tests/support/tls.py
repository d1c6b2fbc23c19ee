"""A certificate authority for one test run, contexts that trust it, and certificates gone wrong."""

import functools
import ssl
from datetime import UTC, datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
AGO = datetime(2002, 2, 3, 4, 5, 6, tzinfo=UTC)
LATER = datetime(2998, 2, 3, 4, 5, 6, tzinfo=UTC)
FAR_AHEAD = datetime(2999, 1, 1, tzinfo=UTC)


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def another_authority() -> trustme.CA:
    """Return an authority that nobody trusts."""
    return trustme.CA()


@functools.cache
def leaf(*names: str) -> trustme.LeafCert:
    return authority().issue_cert(*(names or ("127.0.0.1", "localhost")))


def certificate_of(*names: str) -> bytes:
    """Return the DER form of the certificate that `server_context` has for these names."""
    return ssl.PEM_cert_to_DER_cert(leaf(*names).cert_chain_pems[0].bytes().decode())


@functools.cache
def server_context(*names: str) -> ssl.SSLContext:
    """Return a server's context with a certificate for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf(*names).configure_cert(context)
    return context


@functools.cache
def client_context() -> ssl.SSLContext:
    """Return a client's context that trusts the authority, and verifies as the default does."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def unverifying_context() -> ssl.SSLContext:
    """Return a client's context that verifies nothing."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def dated(not_before: datetime, not_after: datetime, *names: str) -> ssl.SSLContext:
    """Return a server's context whose certificate is valid at other times."""
    certificate = authority().issue_cert(*names, not_before=not_before, not_after=not_after)
    return serving(certificate)


@functools.cache
def self_signed(name: str) -> ssl.SSLContext:
    """Return a server's context with a certificate that is signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(0xFEED)
        .not_valid_before(LONG_AGO)
        .not_valid_after(FAR_AHEAD)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem = secret + certificate.public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(pem).tempfile() as path:
        context.load_cert_chain(path)
    return context
