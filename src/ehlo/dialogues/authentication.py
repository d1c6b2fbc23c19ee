"""Authentication: one SASL exchange after the other until one succeeds or the answer is no."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Final

from ehlo.commands import Auth, AuthCancel, AuthResponse
from ehlo.dialogues.exchange import perform
from ehlo.errors import AuthenticationRefused, CapabilityMissing, InvalidInput, SMTPError
from ehlo.phase import Phase
from ehlo.policies import Cleartext, chosen
from ehlo.secret import Secret

if TYPE_CHECKING:
    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply
    from ehlo.sasl import Credentials, Exchange, Mechanism

__all__ = ["authenticate"]

ROUNDS_MAX: Final = 16
"""Challenges answered at the most; no mechanism needs more than a handful."""

# The refusals that are about the mechanism, not the credentials (RFC 4954 section 6): only behind
# these is the next mechanism worth a try. All else is a definite no, or the server's trouble.
_TRY_ANOTHER: Final = frozenset({504, 534})


def authenticate(
    connection: Connection, credentials: Credentials, cleartext: Cleartext = Cleartext.REFUSE
) -> Dialogue[Reply]:
    """Authenticate with the strongest mechanism that both sides know (RFC 4954).

    Args:
        connection: The Connection, behind EHLO.
        credentials: What the caller has.
        cleartext: Whether credentials may travel unencrypted.

    Returns:
        The 235 reply.

    Raises:
        CapabilityMissing: The server offers no mechanism that the credentials can serve.
        InvalidInput: The connection is not encrypted, and `cleartext` does not allow that.
        AuthenticationRefused: The server did not accept them.
    """
    allowed = chosen(Cleartext, cleartext) is Cleartext.ALLOW_CREDENTIALS
    if not connection.encrypted and not allowed:
        msg = (
            "credentials are not sent over an unencrypted connection; encrypt it, or say "
            f"cleartext={str(Cleartext.ALLOW_CREDENTIALS)!r} if everybody on the way may know them"
        )
        error = InvalidInput(msg)
        error.phase = Phase.AUTH
        raise error
    offered = connection.capabilities.auth
    refusal: SMTPError = _none_in_common(credentials, offered)
    tried: list[str] = []
    for mechanism in credentials.mechanisms():
        if mechanism.name not in offered:
            continue
        tried.append(mechanism.name)
        reply, is_cancelled = yield from _attempt(connection, mechanism)
        if reply.is_positive and not is_cancelled:
            return reply
        refusal = _refused(reply, offered, tried)
        if is_cancelled:
            refusal.args = (f"the server's side of {mechanism.name} made no sense: {reply}",)
        if reply.code not in _TRY_ANOTHER or connection.is_over:
            break
    raise refusal


def _none_in_common(credentials: Credentials, offered: tuple[str, ...]) -> CapabilityMissing:
    ours = ", ".join(mechanism.name for mechanism in credentials.mechanisms())
    theirs = ", ".join(offered) or "no authentication at all"
    msg = f"the server offers {theirs}; the credentials can serve {ours}"
    return CapabilityMissing(msg, capability="AUTH", phase=Phase.AUTH)


def _refused(reply: Reply, offered: tuple[str, ...], tried: list[str]) -> AuthenticationRefused:
    error = AuthenticationRefused(
        f"the server did not accept the credentials ({', '.join(tried)}): {reply}",
        phase=Phase.AUTH,
        command=f"AUTH {tried[-1]}",
        reply=reply,
    )
    error.offered, error.tried = offered, tuple(tried)
    return error


def _attempt(connection: Connection, mechanism: Mechanism) -> Dialogue[tuple[Reply, bool]]:
    """Try one mechanism; return the final reply, and whether the exchange had to be cancelled."""
    exchange = mechanism.exchange()
    initial = next(exchange)
    # RFC 4954 section 4: an initial response of no octets is written as "=".
    first = None if initial is None else _encoded(initial, empty="=")
    del initial
    reply = yield from perform(connection, Auth(mechanism.name, first, mechanism.hidden))
    for _ in range(ROUNDS_MAX):
        if not reply.is_intermediate:
            return reply, False
        response = _respond(exchange, reply)
        if response is None:
            break
        reply = yield from perform(connection, AuthResponse(response, mechanism.hidden))
    if not reply.is_intermediate:
        return reply, False
    reply = yield from perform(connection, AuthCancel())
    if reply.is_positive:
        # A server that says 235 to a cancelled exchange (RFC 4954 section 4) is not believed.
        connection.abandon("the server accepted a cancelled SASL exchange")
    return reply, True


def _encoded(response: bytes, empty: str = "") -> Secret:
    return Secret(b64encode(response).decode("ascii") or empty)


def _respond(exchange: Exchange, reply: Reply) -> Secret | None:
    """Return the answer to a challenge; None if it is garbage or none is left to give."""
    try:
        challenge = b64decode(reply.raw_lines[0], validate=True)
        response = exchange.send(challenge)
    except (Base64Error, StopIteration):
        return None
    return None if response is None else _encoded(response)
