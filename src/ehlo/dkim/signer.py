"""The signer: from a message's final octets to the same with a DKIM-Signature in front."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from typing_extensions import override

from ehlo.dkim.canonicalization import Canonicalization, canonical_body, canonical_field
from ehlo.dkim.fields import RECOMMENDED, Oversigning, Signed, chosen_fields, names, parted
from ehlo.dkim.identifiers import (
    check_record_name,
    checked_domain,
    checked_identity,
    checked_selector,
    quoted,
)
from ehlo.dkim.keys import concealed_key, read_key
from ehlo.errors import InvalidInput
from ehlo.policies import chosen
from ehlo.runtime import ambient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ehlo.dkim.keys import Algorithm, SigningKey
    from ehlo.secret import Secret

__all__ = ["Signer"]

SECONDS_MAX: Final = 10**11
"""Where the clock and an expiry end: both together have 12 digits (RFC 6376 section 3.5)."""
LINE_MAX: Final = 76
"""Characters of a line of the field, for readers; a long name may make one longer."""

_set = object.__setattr__


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Signer:
    """Signs messages on behalf of a domain (DKIM, RFC 6376).

    A signer is called with a message's final octets and returns them with a DKIM-Signature field in
    front. It never changes, and threads may share it. To make one is to read and check the key,
    which takes longer than to sign: keep it. No `repr` shows the key, and a signer cannot be
    pickled.

    Args:
        domain: The domain that signs (`d=`). One beyond ASCII is written in A-labels, which are
            valid with every header, one in UTF-8 included (RFC 8616).
        selector: Which of the domain's keys it is (`s=`).
        private_key: The key in PEM, not encrypted: RSA of 1024 bits or more, better 2048 (RFC
            8301), or Ed25519 (RFC 8463).
        canonicalization: How much the message may change on its way (`c=`).
        headers: The names of the fields to sign, if they stand there: each as often as it does. A
            name that is listed more than once is signed that often at least, there or not.
        oversigning: Which fields are signed once more than they stand there, so that none can be
            added.
        identity: On whose behalf within the domain (`i=`): an address, or an `@` and a domain.
        expires_after: The seconds that a signature is valid for (`x=`); None is for ever.
        clock: Returns the time in seconds since 1970 (`t=`); None asks the machine's.

    Raises:
        InvalidInput: A value is none of these: a name that is no domain name, an identity outside
            of the domain, a field that is not to be signed, `headers` without From, a key that is
            none or too short. The package `cryptography` is not there: install `ehlo[dkim]`.
        TypeError: A value is of a type that cannot be meant.

    Attributes:
        domain: As above, in A-labels.
        selector: As above, in A-labels.
        algorithm: How it signs (`a=`); that follows from the key.
        canonicalization: As above.
        headers: As above.
        oversigning: As above.
        identity: As above, its domain in A-labels.
        expires_after: As above.
    """

    domain: str
    selector: str
    algorithm: Algorithm
    canonicalization: Canonicalization
    headers: tuple[str, ...]
    oversigning: Oversigning
    identity: str | None
    expires_after: int | None
    _key: SigningKey = field(repr=False)
    _clock: Callable[[], float] = field(repr=False)

    def __init__(  # noqa: PLR0913 - one for each tag, by name
        self,
        *,
        domain: str,
        selector: str,
        private_key: str | bytes | Secret,
        canonicalization: Canonicalization | str = Canonicalization.RELAXED_RELAXED,
        headers: Iterable[str] = RECOMMENDED,
        oversigning: Oversigning | str = Oversigning.PRESENT,
        identity: str | None = None,
        expires_after: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        # A traceback with locals must not show the text: from here on there is only the secret.
        private_key, fault = concealed_key(private_key)
        for name in Signer.__slots__:  # before anything is refused: a traceback may show it
            _set(self, name, None)
        if fault:
            raise TypeError(fault)
        _set(self, "domain", checked_domain(domain))
        _set(self, "selector", checked_selector(selector))
        check_record_name(self.record_name)
        _set(self, "canonicalization", chosen(Canonicalization, canonicalization))
        _set(self, "headers", names(headers))
        _set(self, "oversigning", chosen(Oversigning, oversigning))
        if identity is not None:
            _set(self, "identity", checked_identity(identity, self.domain))
        _set(self, "expires_after", _checked_expiry(expires_after))
        _set(self, "_clock", clock or ambient.unix_time)
        _set(self, "_key", read_key(private_key))
        _set(self, "algorithm", self._key.algorithm)

    @property
    def record_name(self) -> str:
        """The name in the DNS at which verifiers look for the key (RFC 6376 section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The key record: the text of the TXT record to publish there (RFC 6376 section 3.6.1)."""
        return self._key.record()

    def __call__(self, octets: bytes) -> bytes:
        """Sign a message.

        Args:
            octets: The message as it is going to be sent: lines that end with CRLF, and 7-bit
                bodies, because a relay that encodes them anew breaks the signature.

        Returns:
            A DKIM-Signature field, and the octets.

        Raises:
            InvalidInput: The octets are no such message: another line end, no From, or several. The
                clock does not tell the time.
        """
        given: Any = octets
        if not isinstance(given, bytes):
            kind = type(octets).__name__
            raise TypeError(f"a signer signs octets, not {kind}: send ehlo.Sealed(message, signer)")
        message = parted(octets)
        signed = chosen_fields(self.headers, self.oversigning, message.fields)
        body_hash = hashlib.sha256(canonical_body(self.canonicalization, message.body)).digest()
        unsigned = self._field(signed, base64.b64encode(body_hash).decode())
        signature = self._key.sign(
            b"".join(canonical_field(self.canonicalization, each) for each in signed.fields)
            # its own field is signed without the last CRLF (section 3.7)
            + canonical_field(self.canonicalization, unsigned + b"\r\n").removesuffix(b"\r\n")
        )
        return b"%b%b\r\n%b" % (unsigned, _folded(base64.b64encode(signature)), octets)

    def _field(self, signed: Signed, body_hash: str) -> bytes:
        """Return the DKIM-Signature field up to its signature, which stands on lines of its own."""
        now = self._clock()
        if not 0 <= now < SECONDS_MAX:
            raise InvalidInput(f"the clock returned {now!r}, not seconds since 1970")
        tags = {
            "v": "1",
            "a": self.algorithm,
            "c": self.canonicalization,
            "d": self.domain,
            "i": quoted(self.identity or ""),
            "q": "dns/txt",
            "s": self.selector,
            "t": f"{int(now)}",
            "x": f"{int(now) + self.expires_after}" if self.expires_after else "",
            "h": " : ".join(signed.names),
            "bh": body_hash,
        }
        text = " ".join(f"{tag}={value};" for tag, value in tags.items() if value)
        lines = textwrap.wrap(
            f"DKIM-Signature: {text}", LINE_MAX, break_long_words=False, break_on_hyphens=False
        )
        return "\r\n ".join([*lines, "b="]).encode("ascii")

    def __copy__(self) -> Signer:
        return self

    def __deepcopy__(self, memo: object) -> Signer:
        return self

    @override
    def __reduce__(self) -> NoReturn:
        msg = "a Signer holds a private key and cannot be pickled"
        raise TypeError(msg)


def _checked_expiry(seconds: int | None) -> int | None:
    if seconds is None:
        return None
    if type(seconds) is not int:
        raise TypeError(f"expires_after is an int of seconds, not {type(seconds).__name__}")
    if not 0 < seconds < SECONDS_MAX:
        raise InvalidInput(f"a signature is valid for 1 second or more, not {seconds}")
    return seconds


def _folded(signature: bytes) -> bytes:
    """Fold Base64; white space in the signature does not count (RFC 6376 section 3.5)."""
    width = LINE_MAX - len(" b=")
    pieces = (signature[at : at + width] for at in range(0, len(signature), width))
    return b"\r\n ".join(pieces)
