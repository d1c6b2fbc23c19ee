"""CRAM-MD5 (RFC 2195): a keyed digest of the server's challenge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.sasl.digests import Digest, is_available, keyed
from ehlo.sasl.mechanism import BadChallenge
from ehlo.sasl.password import PasswordMechanism

if TYPE_CHECKING:
    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["CramMd5"]


@dataclass(frozen=True, slots=True, init=False)
class CramMd5(PasswordMechanism):
    """CRAM-MD5 (RFC 2195).

    Who reads an exchange can try passwords on it at leisure, and the server has to store the
    password in clear.

    Attributes:
        username: The user name.
        password: Its password.
    """

    @property
    @override
    def name(self) -> str:
        return "CRAM-MD5"

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange: the server speaks first."""
        challenge = yield None
        if not challenge:
            # The answer would be the same every time: as good as the password.
            msg = "the challenge is empty"
            raise BadChallenge(msg)
        if not is_available(Digest.MD5):
            msg = "this Python has no MD5"
            raise BadChallenge(msg)
        yield b"%b %b" % (self.username.encode(), self._digest(challenge))

    def _digest(self, challenge: bytes) -> bytes:
        return keyed(Digest.MD5, self.password.reveal().encode(), challenge).hex().encode()
