"""EXTERNAL (RFC 4422 appendix A): the server knows already, from a client certificate say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ehlo.sasl.mechanism import Mechanism
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["External"]


@dataclass(frozen=True, slots=True)
class External(Mechanism):
    """EXTERNAL (RFC 4422 appendix A): who the client is, the server knows by other means.

    The usual one is the client certificate of the TLS connection, which is in the TLS context that
    the session was given. It may be used in clear: there is no secret in it.

    Attributes:
        authzid: Whom to act as; empty for whomever the server takes the client for.

    Raises:
        InvalidInput: It holds a control character.
    """

    authzid: str = ""

    def __post_init__(self) -> None:
        """Refuse what the mechanism cannot carry.

        Raises:
            InvalidInput: The identity holds a control character.
        """
        what = "the authorization identity"
        refuse_control_characters(what, require_str(what, self.authzid))

    @property
    @override
    def name(self) -> str:
        return "EXTERNAL"

    @property
    @override
    def exposes_secret(self) -> bool:
        """There is none."""
        return False

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange: an initial response, and nothing after it."""
        yield self.authzid.encode()
