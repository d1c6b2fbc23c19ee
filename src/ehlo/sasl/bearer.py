"""OAUTHBEARER (RFC 7628) and XOAUTH2: an OAuth 2 token instead of a password."""

from __future__ import annotations

import re
from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, cast

from typing_extensions import override

from ehlo.sasl.identity import check_token, check_username, saslname
from ehlo.sasl.mechanism import Mechanism
from ehlo.secret import Mask, Secret, concealed
from ehlo.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["Bearer", "OAuthBearer", "XOAuth2", "read_error"]

_ERROR_MAX: Final = 16_384
_HOST: Final = re.compile("[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, init=False)
class Bearer(Mechanism):
    """What both have in common: a user name, a token, and an error that comes as a challenge.

    Attributes:
        username: The user whose mailbox it is.
        token: The access token; a text is wrapped in a `Secret` at once.

    Raises:
        InvalidInput: One of them is empty, or holds what would move the fields.
        TypeError: One of them is no text.
    """

    NAME: ClassVar[str]
    LAST_WORDS: ClassVar[bytes]
    """The answer to the error: it fetches the refusal."""

    username: str
    token: Secret

    # Not the one that dataclass writes: its frame would show the text of a token.
    def __init__(self, username: str, token: str | Secret) -> None:
        token, fault = concealed("a token", token)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "token", token)
        if fault:
            raise TypeError(fault)
        check_username(username)
        check_token(token)

    @property
    @override
    def name(self) -> str:
        return self.NAME

    @property
    @override
    def hidden(self) -> tuple[Secret, ...]:
        """The token."""
        return (self.token,)

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange; a challenge tells of an error, and is acknowledged.

        Args:
            channel: Where the server is.

        Returns:
            The exchange.
        """
        yield self._header(channel) + self._credentials()
        yield self.LAST_WORDS

    @abstractmethod
    def _header(self, channel: Channel) -> bytes: ...

    def _credentials(self) -> bytes:
        return b"auth=Bearer %b\x01\x01" % self.token.reveal().encode()


@dataclass(frozen=True, slots=True, init=False)
class OAuthBearer(Bearer):
    """OAUTHBEARER (RFC 7628).

    Attributes:
        username: The user whose mailbox it is.
        token: The access token.
    """

    NAME: ClassVar[str] = "OAUTHBEARER"
    LAST_WORDS: ClassVar[bytes] = b"\x01"

    @override
    def _header(self, channel: Channel) -> bytes:
        host = f"host={channel.host}\x01" if _HOST.fullmatch(channel.host) else ""
        port = f"port={channel.port}\x01" if channel.port else ""
        return f"n,a={saslname(self.username)},\x01{host}{port}".encode()


@dataclass(frozen=True, slots=True, init=False)
class XOAuth2(Bearer):
    """XOAUTH2, the elder of the two, as Google and Microsoft describe it.

    Attributes:
        username: The user whose mailbox it is.
        token: The access token.
    """

    NAME: ClassVar[str] = "XOAUTH2"
    LAST_WORDS: ClassVar[bytes] = b""

    @override
    def _header(self, channel: Channel) -> bytes:
        return f"user={self.username}\x01".encode()


def read_error(challenge: bytes, hidden: Iterable[Secret] = ()) -> Mapping[str, str]:
    """Read the error that a server gives as a challenge (RFC 7628 section 3.2.2).

    Args:
        challenge: A JSON object, if the server does as it should.
        hidden: What must not be seen in it.

    Returns:
        Its texts and numbers by their names, such as `status` and `scope`; empty if it is
        something else.
    """
    import json  # noqa: PLC0415 - only those who are refused need it

    mask = Mask(hidden)
    found: object = None
    with suppress(ValueError, RecursionError):
        found = json.loads(mask.scrub(challenge)[:_ERROR_MAX])
    if not isinstance(found, dict):
        return {}
    members = cast("dict[str, object]", found)
    # Once more: the escapes of JSON hide a secret from whoever looks before they are undone.
    return {
        mask.scrub_text(printable(name)): mask.scrub_text(printable(str(value)))
        for name, value in members.items()
        if isinstance(value, str | int | float)
    }
