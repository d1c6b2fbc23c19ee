"""Authenticate with a SASL mechanism that the library does not know: GSSAPI (Kerberos, RFC 4752).

The tickets are the business of another library, such as `gssapi`: this is all that it takes to
bring the two together. NTLM and others plug in the same way. Run it with a server's URL.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from typing_extensions import override

import ehlo

if TYPE_CHECKING:
    from collections.abc import Callable

NO_SECURITY_LAYER = b"\x01\x00\x00\x00"
"""What the client chooses in the end (RFC 4752 section 3.3): SMTP has TLS for that."""


class SecurityContext(Protocol):
    """What a library for GSSAPI has to offer."""

    @property
    def complete(self) -> bool:
        """Whether both sides have proved who they are."""
        ...

    def step(self, token: bytes | None) -> bytes | None:
        """Take the server's token; return the next one for the server."""
        ...

    def wrap(self, message: bytes) -> bytes:
        """Protect a message."""
        ...

    def unwrap(self, message: bytes) -> bytes:
        """Check a message of the server's and return what it says."""
        ...


@dataclass(frozen=True)
class Gssapi(ehlo.Mechanism):
    """One mechanism: its name, what it exposes, and its exchange.

    There is nothing to hide beyond the responses themselves, so `hidden` is left as it is.
    """

    make_context: Callable[[str], SecurityContext]
    """Returns a new context for a service such as `smtp@mail.example.org`."""

    @property
    @override
    def name(self) -> str:
        """The name as servers announce it."""
        return "GSSAPI"

    @override
    def exchange(self, channel: ehlo.Channel) -> ehlo.Exchange:
        """Yield the initial response, then the answer to each challenge."""
        context = self.make_context(f"smtp@{channel.host}")
        token = context.step(None)
        while not context.complete:
            challenge = yield token or b""
            token = context.step(challenge)
        layers = context.unwrap((yield token or b""))
        if len(layers) != len(NO_SECURITY_LAYER) or not layers[0] & NO_SECURITY_LAYER[0]:
            raise ehlo.BadChallenge("it insists on a security layer of its own")
        yield context.wrap(NO_SECURITY_LAYER)


def kerberos(service: str) -> SecurityContext:
    """Return a context of the library `gssapi`, with the tickets that the user has."""
    gssapi: Any = import_module("gssapi")
    name = gssapi.Name(service, gssapi.NameType.hostbased_service)
    context: SecurityContext = gssapi.SecurityContext(name=name)
    return context


def main(url: str, make_context: Callable[[str], SecurityContext] = kerberos) -> None:
    """Open a session with a ticket and print the dialogue, in which no token appears."""
    transcript = ehlo.Transcript()
    auth = Gssapi(make_context)
    with ehlo.blocking.connect(url, auth=auth, transcript=transcript) as session:
        session.noop()
    print(transcript)


if __name__ == "__main__":
    main(sys.argv[1])
