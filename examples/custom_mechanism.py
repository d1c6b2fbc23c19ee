"""Authenticate with a SASL mechanism that the library does not know: XOAUTH2, in thirty lines.

Run it with a server's URL, a user and a token.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ehlo.sasl import Exchange, Mechanism


@dataclass(frozen=True)
class XOAuth2:
    """One mechanism: its name, what must never be shown, and its exchange."""

    username: str
    token: ehlo.Secret

    @property
    def name(self) -> str:
        """The name as servers announce it."""
        return "XOAUTH2"

    @property
    def hidden(self) -> tuple[ehlo.Secret, ...]:
        """What transcripts must not show, even if the server repeats it."""
        return (self.token,)

    def exchange(self) -> Exchange:
        """Yield the initial response, then the answer to each challenge."""
        yield f"user={self.username}\x01auth=Bearer {self.token.reveal()}\x01\x01".encode()
        yield b""  # a challenge here tells of an error; an empty answer fetches the refusal


@dataclass(frozen=True)
class Token:
    """What `auth=` takes: something that knows the mechanisms it can serve."""

    username: str
    token: ehlo.Secret

    def mechanisms(self) -> Sequence[Mechanism]:
        """Return the mechanisms, the strongest first."""
        return (XOAuth2(self.username, self.token),)


def main(url: str, username: str, token: str) -> None:
    """Open a session with a token and print the dialogue, in which the token does not appear."""
    transcript = ehlo.Transcript()
    credentials = Token(username, ehlo.Secret(token))
    with ehlo.blocking.connect(url, auth=credentials, transcript=transcript) as session:
        session.noop()
    print(transcript)


if __name__ == "__main__":
    main(*sys.argv[1:4])
