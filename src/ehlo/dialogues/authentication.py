"""Authentication: one SASL exchange after the other until one succeeds or the answer is no."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ehlo.dialogues.sasl_exchange import SaslExchange
from ehlo.dialogues.tokens import fetch_token
from ehlo.errors import AuthenticationRefused, CapabilityMissing, InvalidInput, SMTPError
from ehlo.phase import Phase
from ehlo.policies import Cleartext, chosen
from ehlo.sasl import Channel, Credentials, OAuth2, is_credentials, require_credentials
from ehlo.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply
    from ehlo.sasl import CredentialsLike, Mechanism

__all__ = ["authenticate"]

# The refusals that are about the mechanism, not the credentials (RFC 4954 section 6): only behind
# these is the next mechanism worth a try. All else is a definite no, or the server's trouble.
_TRY_ANOTHER: Final = frozenset({504, 534})
_BAD_CREDENTIALS: Final = 535
_BOUND: Final = "-PLUS"
"""How the names of mechanisms with channel binding end (RFC 5802 section 4)."""


def authenticate(
    connection: Connection,
    credentials: CredentialsLike,
    cleartext: Cleartext = Cleartext.REFUSE,
    channel: Channel | None = None,
) -> Dialogue[Reply]:
    """Authenticate with the strongest mechanism that both sides know (RFC 4954).

    Args:
        connection: The Connection, behind EHLO.
        credentials: What the caller has, or a mechanism.
        cleartext: Whether credentials may travel unencrypted.
        channel: Where the server is, and where nonces come from; what the Connection knows itself
            is added. SCRAM needs one.

    Returns:
        The 235 reply.

    Raises:
        CapabilityMissing: The server offers no mechanism that the credentials can serve.
        InvalidInput: The connection is not encrypted, and `cleartext` does not allow that.
        AuthenticationRefused: The server did not accept them.
        ServerNotAuthenticated: The server did not prove that it is the one.
        LocalProtocolError: SCRAM has no source of nonces.
        TypeError: These are no credentials.
    """
    try:
        require_credentials(credentials)
    except TypeError:
        del credentials  # it may be a password, and tracebacks show local variables
        raise
    may_expose = connection.encrypted or (
        chosen(Cleartext, cleartext) is Cleartext.ALLOW_CREDENTIALS
    )
    channel = _seen(connection, channel or Channel())
    if isinstance(credentials, OAuth2):
        if not may_expose:
            raise _no_cleartext()
        if not set(credentials.NAMES).intersection(channel.offered):
            raise _none_in_common(credentials.NAMES, channel.offered)
        return (yield from _with_token(connection, credentials, channel))
    served = _served(credentials, channel)
    allowed = [each for each in served if may_expose or not each.exposes_secret]
    if served and not allowed:
        raise _no_cleartext()
    return (yield from _try_each(connection, allowed, channel))


def _seen(connection: Connection, channel: Channel) -> Channel:
    """Add to what a caller knows of the connection what the Connection knows itself."""
    tls = connection.tls if connection.encrypted else None
    return replace(
        channel,
        offered=connection.capabilities.auth,
        encrypted=connection.encrypted,
        bindings=channel.bindings if tls is None else tls.channel_bindings,
    )


def _served(credentials: Credentials | Mechanism, channel: Channel) -> Sequence[Mechanism]:
    if is_credentials(credentials):
        return credentials.mechanisms(channel)
    return (credentials,)


def _no_cleartext() -> InvalidInput:
    msg = (
        "credentials are not sent over an unencrypted connection; encrypt it, or say "
        f"cleartext={str(Cleartext.ALLOW_CREDENTIALS)!r} if everybody on the way may know them"
    )
    return InvalidInput(msg, phase=Phase.AUTH)


def _none_in_common(ours: Sequence[str], offered: Sequence[str]) -> CapabilityMissing:
    theirs = printable(", ".join(offered)) or "no authentication at all"
    msg = f"the server offers {theirs}; the credentials can serve {', '.join(ours)}"
    return CapabilityMissing(msg, capability="AUTH", phase=Phase.AUTH)


def _with_token(connection: Connection, oauth: OAuth2, channel: Channel) -> Dialogue[Reply]:
    """Try a token; if it is refused and a function supplies them, a new one, once."""
    try:
        token = yield from fetch_token(oauth, refresh=False)
        return (yield from _try_each(connection, oauth.bearing(token), channel))
    except AuthenticationRefused as exc:
        if oauth.callback is None or connection.is_over or not _is_about_the_token(exc):
            raise
    token = yield from fetch_token(oauth, refresh=True)
    return (yield from _try_each(connection, oauth.bearing(token), channel))


def _is_about_the_token(error: AuthenticationRefused) -> bool:
    """Return whether another token may do; some servers say so with 454 behind their error."""
    return error.reply.code == _BAD_CREDENTIALS or bool(error.oauth_error)


def _try_each(
    connection: Connection, mechanisms: Sequence[Mechanism], channel: Channel
) -> Dialogue[Reply]:
    """Try the mechanisms that are offered, in order, until one succeeds or the answer is no.

    Behind one that is bound to the connection only such ones follow: its refusal may be somebody's
    on the way, who wants an exchange that can be passed on. Behind a server that does not play by
    the mechanism's rules none does.
    """
    refusal: SMTPError = _none_in_common([each.name for each in mechanisms], channel.offered)
    tried: list[str] = []
    for mechanism in mechanisms:
        if mechanism.name not in channel.offered:
            continue
        if any(each.endswith(_BOUND) for each in tried) and not mechanism.name.endswith(_BOUND):
            continue
        tried.append(mechanism.name)
        exchange = SaslExchange(connection, mechanism, channel)
        reply = yield from exchange.run()
        if exchange.has_succeeded:
            return reply
        refusal = exchange.refusal(reply, tuple(tried))
        if reply.code not in _TRY_ANOTHER or exchange.was_cancelled or connection.is_over:
            break
    raise refusal
