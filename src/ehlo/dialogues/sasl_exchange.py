"""One SASL exchange as SMTP holds it: Base64, the lines, cancelling, the end (RFC 4954)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ehlo.commands import AUTH_LINE_MAX, Auth, AuthCancel, AuthResponse
from ehlo.dialogues.exchange import perform
from ehlo.errors import AuthenticationRefused, ServerNotAuthenticated
from ehlo.phase import Phase
from ehlo.sasl import Accepted, BadChallenge, ServerUnproven
from ehlo.sasl.bearer import Bearer, read_error
from ehlo.secret import Mask, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.dialogues.needs import Dialogue
    from ehlo.protocol import Connection
    from ehlo.reply import Reply
    from ehlo.sasl import Channel, Mechanism

__all__ = ["ROUNDS_MAX", "SaslExchange"]

ROUNDS_MAX: Final = 16
"""Challenges answered at the most; no mechanism needs more than a handful."""

# RFC 4648 section 4; `binascii` takes too much for it, even where it is told to be strict.
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class SaslExchange:
    """One exchange.

    No local variable holds a response or a challenge in clear where something can fail: tracebacks
    show them, and servers echo secrets.

    Args:
        connection: The Connection.
        mechanism: The mechanism.
        channel: What the mechanism may want to know of the connection.

    Attributes:
        has_succeeded: Whether the server accepted the user, and proved what it had to prove.
    """

    def __init__(self, connection: Connection, mechanism: Mechanism, channel: Channel) -> None:
        self.has_succeeded = False
        self._connection = connection
        self._mechanism = mechanism
        self._channel = channel
        self._exchange = mechanism.exchange(channel)
        self._rounds = 0
        self._held: Secret | None = None  # an initial response too long for the AUTH line
        self._trouble = ""
        self._is_unproven = False
        self._error: Mapping[str, str] = {}

    @property
    def was_cancelled(self) -> bool:
        """Whether the server did not play by the mechanism's rules."""
        return bool(self._trouble)

    def run(self) -> Dialogue[Reply]:
        """Hold the exchange.

        Returns:
            The final reply.

        Raises:
            ConnectionLost: The connection is gone.
            RemoteProtocolError: The server broke the protocol.
            InvalidInput: A response is longer than a line may be.
        """
        reply = yield from perform(self._connection, self._opening())
        while reply.is_intermediate and not self._trouble:
            answer = self._answer(reply)
            del reply  # a challenge may echo a secret
            reply = yield from perform(self._connection, answer)
        if reply.is_positive:
            self._succeed()
        return reply

    def _opening(self) -> Auth:
        initial = _encoded(next(self._exchange))
        if initial is not None and not initial.reveal():
            initial = Secret("=")  # RFC 4954 section 4: an initial response of no octets
        name = self._mechanism.name
        if initial is not None and len(f"AUTH {name} {initial.reveal()}\r\n") > AUTH_LINE_MAX:
            self._held, initial = initial, None
        return Auth(name, initial, self._mechanism.hidden)

    def _answer(self, reply: Reply) -> AuthResponse | AuthCancel:
        """Return the answer to a challenge."""
        response = None
        try:
            response = self._response(reply)
        except BadChallenge as exc:
            self._distrust(exc)
        if response is None:
            self._trouble = self._trouble or "there is nothing left to say"
            return AuthCancel()
        return AuthResponse(response, self._mechanism.hidden)

    def _response(self, reply: Reply) -> Secret | None:
        self._rounds += 1
        if self._rounds > ROUNDS_MAX:
            msg = f"there is no end to its challenges: {ROUNDS_MAX} were answered"
            raise BadChallenge(msg)
        if not _BASE64.fullmatch(_challenge(reply)):
            msg = "its challenge is not in Base64"
            raise BadChallenge(msg)
        if self._held is not None:
            held, self._held = self._held, None
            return held
        if isinstance(self._mechanism, Bearer):
            self._error = read_error(_decoded(reply), self._mechanism.hidden)
        try:
            return _encoded(self._exchange.send(_decoded(reply)))
        except StopIteration:
            return None

    def _succeed(self) -> None:
        """Look at a success from the client's side."""
        if self._trouble:
            # A server that says 235 to a cancelled exchange (RFC 4954 section 4) is not believed.
            self._connection.abandon("the server accepted a cancelled SASL exchange")
            self._connection.authenticated = False
            return
        try:
            with suppress(Accepted, StopIteration):
                self._exchange.throw(Accepted())
            self.has_succeeded = True
        except BadChallenge as exc:
            self._distrust(exc)
            self._connection.abandon("the server did not authenticate itself")
            self._connection.authenticated = False

    def _distrust(self, exc: BadChallenge) -> None:
        """Note what is wrong with the server; it may quote the server, and that a secret."""
        self._trouble = Mask(self._mechanism.hidden).scrub_text(str(exc))
        self._is_unproven = isinstance(exc, ServerUnproven)

    def refusal(self, reply: Reply, tried: tuple[str, ...]) -> AuthenticationRefused:
        """Return the error for an exchange that has not succeeded.

        Args:
            reply: The final reply.
            tried: The mechanisms that were tried so far, this one included.

        Returns:
            The error.
        """
        kind = ServerNotAuthenticated if self._is_unproven else AuthenticationRefused
        error = kind(
            self._why(reply, tried),
            phase=Phase.AUTH,
            command=f"AUTH {self._mechanism.name}",
            reply=reply,
        )
        error.offered, error.tried = self._channel.offered, tried
        error.oauth_error = self._error
        return error

    def _why(self, reply: Reply, tried: tuple[str, ...]) -> str:
        if self._trouble:
            name = self._mechanism.name
            return f"the server's side of {name} made no sense: {self._trouble} ({reply})"
        return f"the server did not accept the credentials ({', '.join(tried)}): {reply}"


def _encoded(response: bytes | None) -> Secret | None:
    return None if response is None else Secret(b64encode(response).decode("ascii"))


def _challenge(reply: Reply) -> bytes:
    return b"\n".join(reply.raw_lines)  # more than one line is no Base64


def _decoded(reply: Reply) -> bytes:
    return b64decode(_challenge(reply))
