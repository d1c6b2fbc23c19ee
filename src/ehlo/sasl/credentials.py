"""Credentials: what a caller has, from which the mechanism follows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

from typing_extensions import TypeIs, override

from ehlo.errors import InvalidInput
from ehlo.sasl.bearer import OAuthBearer, XOAuth2
from ehlo.sasl.cram_md5 import CramMd5
from ehlo.sasl.digests import Digest, is_available
from ehlo.sasl.identity import check_identity, check_token, check_username
from ehlo.sasl.login import Login
from ehlo.sasl.mechanism import Mechanism
from ehlo.sasl.plain import Plain
from ehlo.sasl.scram import Scram, ScramHash, ScramPlus
from ehlo.secret import Secret, concealed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from ehlo.sasl.mechanism import Channel

__all__ = [
    "Credentials",
    "CredentialsLike",
    "OAuth2",
    "Password",
    "Token",
    "TokenCallback",
    "as_token",
    "is_credentials",
    "require_credentials",
    "require_sync",
]


class Credentials(Protocol):
    """What `auth=` takes: something that knows which mechanisms it can serve."""

    __slots__ = ()

    def mechanisms(self, channel: Channel) -> Sequence[Mechanism]:
        """Return the mechanisms these credentials can serve, the strongest first.

        Args:
            channel: What there is to know of the connection.

        Returns:
            The mechanisms, whether the server offers them or not.
        """
        ...


@dataclass(frozen=True, slots=True, init=False)
class Password(Credentials):
    """A user name and a password.

    Of what the server offers, the strongest is used: SCRAM bound to the TLS connection
    (`SCRAM-SHA-512-PLUS`, `-256-PLUS`, `-1-PLUS`), then SCRAM without (`SCRAM-SHA-512`, `-256`,
    `-1`), then PLAIN, LOGIN and CRAM-MD5. On a connection that is not encrypted, CRAM-MD5 comes
    before PLAIN: there, what counts is not to say the password.

    Args:
        username: The user name.
        password: The password; a text is wrapped in a `Secret` at once.

    Raises:
        InvalidInput: One of them is empty or holds a control character. The message does not
            repeat the value.

    Attributes:
        username: As above.
        password: As above.
    """

    username: str
    password: Secret

    def __init__(self, username: str, password: str | Secret) -> None:
        # A traceback with locals must not show the text: from here on there is only the secret.
        password, fault = concealed("a password", password)
        # Set before anything is refused: a traceback with locals shows this object as well.
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "password", password)
        if fault:
            raise TypeError(fault)
        check_identity(username, password)

    @override
    def mechanisms(self, channel: Channel) -> Sequence[Mechanism]:
        """Return the mechanisms that a password serves, the strongest first.

        Those of SCRAM are not among them if SASLprep (RFC 4013) does not know what to do with the
        user name or the password.

        Args:
            channel: Tells whether the connection is encrypted, and can be bound to.

        Returns:
            The mechanisms, whether the server offers them or not.
        """
        clear: list[Mechanism] = [
            Plain(self.username, self.password),
            Login(self.username, self.password),
        ]
        if is_available(Digest.MD5):
            clear.insert(
                len(clear) if channel.encrypted else 0, CramMd5(self.username, self.password)
            )
        return (*self._scram(channel), *clear)

    def _scram(self, channel: Channel) -> tuple[Mechanism, ...]:
        kinds = (ScramPlus, Scram) if channel.bindings else (Scram,)
        hashes = (ScramHash.SHA_512, ScramHash.SHA_256, ScramHash.SHA_1)
        with suppress(InvalidInput):
            return tuple(
                kind(self.username, self.password, each) for kind in kinds for each in hashes
            )
        return ()


Token: TypeAlias = str | Secret
"""An OAuth 2 access token."""


class TokenCallback(Protocol):
    """Supplies OAuth 2 access tokens; a function with a parameter `refresh` will do."""

    def __call__(self, *, refresh: bool) -> Token | Awaitable[Token]:
        """Return a token, or (with `ehlo.asyncio`) something to await that returns one.

        Args:
            refresh: False at first: a token from a cache is welcome. True after the server has
                refused it: now a new one is wanted.

        Returns:
            The token.
        """
        ...


@dataclass(frozen=True, slots=True, init=False)
class OAuth2:
    """A user name and an OAuth 2 access token, or a function that supplies one.

    OAUTHBEARER is used if the server offers it, else XOAUTH2. If the server refuses the token of a
    function, the function is called once more, with `refresh=True`, and the new token is tried
    once.

    Args:
        username: The user whose mailbox it is, most often a mail address.
        token: The token, or a function `token(*, refresh)` that returns one. With `ehlo.asyncio`
            it may be a coroutine function.

    Raises:
        InvalidInput: The user name or the token cannot be sent.
        TypeError: The token is neither a text nor a function.

    Attributes:
        username: As above.
        token: The token as a `Secret`; None if a function supplies it.
        callback: The function; None if there is a token.
    """

    NAMES: ClassVar[tuple[str, ...]] = (OAuthBearer.NAME, XOAuth2.NAME)
    """The mechanisms that a token serves, the strongest first."""

    username: str
    token: Secret | None
    callback: TokenCallback | None

    def __init__(self, username: str, token: Token | TokenCallback) -> None:
        callback = token if callable(token) else None
        token, fault = (_NOTHING, "") if callable(token) else concealed("a token", token)
        object.__setattr__(self, "username", username)
        object.__setattr__(self, "token", None if callback else token)
        object.__setattr__(self, "callback", callback)
        if fault:
            raise TypeError(f"{fault}; or it is a function")
        check_username(username)
        if callback is None:
            check_token(token)

    def bearing(self, token: Secret) -> Sequence[Mechanism]:
        """Return the mechanisms with a token in them.

        Args:
            token: The token.

        Returns:
            OAUTHBEARER and XOAUTH2, in that order.

        Raises:
            InvalidInput: The token cannot be sent.
        """
        return OAuthBearer(self.username, token), XOAuth2(self.username, token)

    @property
    def is_async(self) -> bool:
        """Whether the function is plainly a coroutine function."""
        from inspect import iscoroutinefunction  # noqa: PLC0415 - heavy, and few need it

        call = getattr(self.callback, "__call__", None)  # noqa: B004 - an object with a method
        return iscoroutinefunction(self.callback) or iscoroutinefunction(call)


def is_credentials(value: object) -> TypeIs[Credentials]:
    """Return whether a value knows the mechanisms that it can serve.

    Args:
        value: What a caller passed as `auth=`.

    Returns:
        True for `Credentials`; False for `OAuth2`, and for a mechanism.
    """
    return hasattr(value, "mechanisms")


def require_credentials(value: object) -> None:
    """Refuse what is neither credentials nor a mechanism.

    Args:
        value: What a caller passed as `auth=`.

    Raises:
        TypeError: It is something else; the message names its type, not the value.
    """
    if isinstance(value, OAuth2) or is_credentials(value) or hasattr(value, "exchange"):
        return
    msg = f"auth= is an ehlo.Password, an ehlo.OAuth2 or the like, not {type(value).__name__}"
    del value  # it may be a password
    raise TypeError(msg)


def require_sync(value: object) -> None:
    """Refuse credentials that can only be had on an event loop.

    Args:
        value: What a caller passed as `auth=`.

    Raises:
        TypeError: They have a coroutine function for their tokens.
    """
    if isinstance(value, OAuth2) and value.is_async:
        msg = "a coroutine function for tokens can be awaited by ehlo.asyncio alone"
        raise TypeError(msg)


def as_token(token: object) -> Secret:
    """Return a token, as a callback may have returned it, as a `Secret`.

    Args:
        token: A text or a `Secret`.

    Returns:
        The secret.

    Raises:
        TypeError: It is something else; the message names its type, not the value.
    """
    token, fault = concealed("a token", token)
    if fault:
        raise TypeError(fault)
    return token


_NOTHING: Final = Secret("")

CredentialsLike: TypeAlias = Credentials | OAuth2 | Mechanism
"""What `auth=` takes: what one has, or for those who insist a mechanism."""
