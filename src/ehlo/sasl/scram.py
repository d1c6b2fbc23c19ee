"""SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password; neither says it."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.errors import InvalidInput, LocalProtocolError
from ehlo.policies import chosen
from ehlo.sasl.digests import Digest, hashed, keyed, same, stretched
from ehlo.sasl.identity import check_identity, saslname
from ehlo.sasl.mechanism import Accepted, BadChallenge, Mechanism, ServerUnproven
from ehlo.sasl.preparation import Unassigned, prepared, saslprep
from ehlo.secret import Secret, concealed

if TYPE_CHECKING:
    from collections.abc import Generator

    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["ITERATIONS_MAX", "ITERATIONS_MIN", "Scram", "ScramHash", "ScramPlus"]

ITERATIONS_MIN: Final = 4_096
"""What RFC 5802 section 5.1 asks of servers; fewer would make guessing cheap."""
ITERATIONS_MAX: Final = 1_000_000
"""About a second of computing; more would let a server keep the client busy for as long as it
likes."""
NONCE_MIN: Final = 24
"""Characters of a nonce of 18 random octets in Base64 (RFC 5802 section 9)."""

_PRINTABLE: Final = r"[\x21-\x2b\x2d-\x7e]"
_BASE64: Final = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_EXTENSIONS: Final = "(?:,[A-Za-z]=[^\0,]+)*"
_NONCE: Final = re.compile(f"{_PRINTABLE}{{{NONCE_MIN},}}")
_SERVER_FIRST: Final = re.compile(
    f"r=(?P<nonce>{_PRINTABLE}+),s=(?P<salt>{_BASE64}),i=(?P<iterations>[1-9][0-9]{{0,9}}){_EXTENSIONS}"
)
_SERVER_FINAL: Final = re.compile(f"v=(?P<signature>{_BASE64}){_EXTENSIONS}")
_SERVER_ERROR: Final = re.compile("e=([A-Za-z0-9.-]{1,80})(?:,.*)?", re.DOTALL)


class ScramHash(StrEnum):
    """The hash functions that SCRAM is registered with."""

    SHA_1 = "SHA-1"
    SHA_256 = "SHA-256"
    SHA_512 = "SHA-512"

    @property
    def digest(self) -> Digest:
        """The function."""
        return Digest[self.name]


@dataclass(frozen=True, slots=True, init=False)
class Scram(Mechanism):
    """SCRAM without channel binding (RFC 5802).

    The server has to prove that it knows the password, too: without its signature a success is
    none. Whoever reads an exchange can still try passwords on it at leisure, so it is not used on
    an unencrypted connection.

    Attributes:
        username: The user name.
        password: Its password; a text is wrapped in a `Secret` at once.
        hash: The hash function: a `ScramHash` or its string.

    Raises:
        InvalidInput: User name or password cannot be prepared (SASLprep, RFC 4013).
        TypeError: One of them is no text.
    """

    username: str
    password: Secret
    hash: ScramHash = ScramHash.SHA_256

    # Not the one that dataclass writes: its frame would show the text of a password.
    def __init__(
        self,
        username: str,
        password: str | Secret,
        hash: ScramHash = ScramHash.SHA_256,  # noqa: A002 - as the field is called
    ) -> None:
        password, fault = concealed("a password", password)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", password)
        object.__setattr__(self, "hash", hash)
        if fault:
            raise TypeError(fault)
        object.__setattr__(self, "hash", chosen(ScramHash, hash))
        check_identity(username, password)
        prepared("the user name", Secret(username), Unassigned.ALLOWED)
        prepared("the password", password)

    @property
    @override
    def name(self) -> str:
        return f"SCRAM-{self.hash}"

    @property
    @override
    def hidden(self) -> tuple[Secret, ...]:
        """The password."""
        return (self.password,)

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange (RFC 5802 section 5).

        Args:
            channel: Where the nonce comes from, and the channel bindings.

        Returns:
            The exchange.
        """
        header, binding = self._binding(channel)
        nonce = _fresh_nonce(channel)
        first = f"n={saslname(saslprep(self.username, Unassigned.ALLOWED))},r={nonce}"
        answer = yield from _proving((header + first).encode())
        challenge = _ServerFirst.read(answer, nonce)
        final = f"c={_base64(header.encode() + binding)},r={challenge.nonce}"
        signed = f"{first},{challenge.text},{final}".encode()
        keys = _Keys.of(self, challenge)
        answer = yield from _proving(b"%b,p=%b" % (final.encode(), keys.proof(signed)))
        _verify(answer, keys.signature(signed))
        yield b""

    def _binding(self, channel: Channel) -> tuple[str, bytes]:
        """Return the GS2 header and the channel binding data (RFC 5802 section 6).

        `y` tells the server that the client could bind and saw no offer to; a server that did
        offer then knows that somebody on the way took the offer away. The offer that counts is
        that of this very mechanism: any other one could be made up on the way.
        """
        could_bind = bool(channel.bindings)
        may_bind = f"{self.name}-PLUS" in channel.offered
        return ("y,," if could_bind and not may_bind else "n,,"), b""


@dataclass(frozen=True, slots=True, init=False)
class ScramPlus(Scram):
    """SCRAM bound to the TLS connection it is held on (RFC 5802 section 6).

    Somebody on the way who has a certificate of his own for the server's name cannot pass the
    exchange on: the server would see another TLS connection than the client does.

    Attributes:
        username: The user name.
        password: Its password.
        hash: The hash function: a `ScramHash` or its string.
    """

    @property
    @override
    def name(self) -> str:
        return f"SCRAM-{self.hash}-PLUS"

    @override
    def _binding(self, channel: Channel) -> tuple[str, bytes]:
        for kind, octets in channel.bindings.items():
            return f"p={kind},,", octets
        msg = f"{self.name} needs channel bindings, and the connection has none"
        raise InvalidInput(msg)


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")


def _fresh_nonce(channel: Channel) -> str:
    if channel.make_nonce is None:
        msg = "SCRAM needs random numbers: give the Channel a make_nonce"
        raise LocalProtocolError(msg)
    nonce = channel.make_nonce()
    if not _NONCE.fullmatch(nonce):
        msg = f"a nonce is {NONCE_MIN} printable ASCII characters or more, none of them a comma"
        raise LocalProtocolError(msg)
    return nonce


def _proving(message: bytes) -> Generator[bytes, bytes, bytes]:
    """Say something; nobody may call it a success before the server has proved itself."""
    try:
        return (yield message)
    except Accepted:
        msg = "it says that all is well, but has not proved that it knows the password"
        raise ServerUnproven(msg) from None


def _text(message: bytes) -> str:
    """Read a message of the server's."""
    try:
        text = message.decode()
    except UnicodeDecodeError:
        msg = "its message is not UTF-8"
        raise BadChallenge(msg) from None
    if error := _SERVER_ERROR.fullmatch(text):
        msg = f"it reports the error {error[1]}"
        raise BadChallenge(msg)
    return text


@dataclass(frozen=True, slots=True)
class _ServerFirst:
    """The server's first message.

    Attributes:
        text: The message as it came.
        nonce: Both nonces.
        salt: The salt.
        iterations: How often the hash is to be applied.
    """

    text: str
    nonce: str
    salt: bytes
    iterations: int

    @classmethod
    def read(cls, message: bytes, nonce: str) -> _ServerFirst:
        """Read the message (RFC 5802 section 7).

        Args:
            message: The message.
            nonce: The client's nonce.

        Returns:
            Its parts.

        Raises:
            BadChallenge: It is none, or one that must not be answered.
        """
        text = _text(message)
        if text.startswith("m="):
            msg = "it wants an extension that nobody has defined (RFC 5802 section 5.1)"
            raise BadChallenge(msg)
        match = _SERVER_FIRST.fullmatch(text)
        if match is None or not match["salt"]:
            msg = "its first message is none of SCRAM"
            raise BadChallenge(msg)
        if not match["nonce"].startswith(nonce) or match["nonce"] == nonce:
            msg = "its nonce does not continue the client's"
            raise BadChallenge(msg)
        iterations = int(match["iterations"])
        if not ITERATIONS_MIN <= iterations <= ITERATIONS_MAX:
            msg = (
                f"it asks for {iterations} iterations; "
                f"{ITERATIONS_MIN} to {ITERATIONS_MAX} are acceptable"
            )
            raise BadChallenge(msg)
        return cls(text, match["nonce"], b64decode(match["salt"]), iterations)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What follows from the password (RFC 5802 section 3), shown nowhere.

    Attributes:
        digest: The hash function.
        salted: The salted password, in hexadecimal digits.
    """

    digest: Digest
    salted: Secret

    @classmethod
    def of(cls, mechanism: Scram, challenge: _ServerFirst) -> _Keys:
        """Compute the keys; nothing of them is in a local variable, which tracebacks show."""
        digest = mechanism.hash.digest
        password = prepared("the password", mechanism.password)
        salted = stretched(digest, password, challenge.salt, challenge.iterations)
        if salted is None:
            msg = f"this Python cannot compute {mechanism.name} with such a salt"
            raise BadChallenge(msg)
        return cls(digest, salted)

    def _key(self, name: bytes) -> bytes:
        return keyed(self.digest, bytes.fromhex(self.salted.reveal()), name)

    def proof(self, signed: bytes) -> bytes:
        """Return ClientProof in Base64."""
        stored = hashed(self.digest, self._key(b"Client Key"))
        signature = keyed(self.digest, stored, signed)
        pairs = zip(self._key(b"Client Key"), signature, strict=True)
        return b64encode(bytes(one ^ other for one, other in pairs))

    def signature(self, signed: bytes) -> bytes:
        """Return ServerSignature."""
        return keyed(self.digest, self._key(b"Server Key"), signed)


def _verify(message: bytes, signature: bytes) -> None:
    """Verify the server's last message; its signature is compared in constant time."""
    match = _SERVER_FINAL.fullmatch(_text(message))
    if match is None or not same(b64decode(match["signature"]), signature):
        msg = "its signature is wrong: it does not know the password"
        raise ServerUnproven(msg)
