"""One connection of a running server: moves octets, and executes the actions of its role."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from typing_extensions import override

from ehlo.runtime.tls_layer import TlsLayer, TlsSide
from ehlo.testing._actions import Close, Reset, Send, StartTls, Wait
from ehlo.testing._conduct import HELD_GREETING
from ehlo.testing._connection import ServerConnection
from ehlo.testing._records import Records
from ehlo.testing._state import Mode
from ehlo.testing._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from ehlo.testing._actions import Action
    from ehlo.testing._options import ServerOptions

__all__ = ["Shared", "Transport"]

_BEFORE_OR_AFTER: Final = frozenset({Mode.PREAMBLE, Mode.CLOSED})

# Linger for zero seconds: closing sends RST instead of FIN. The fields are short on Windows.
_LINGER_ZERO: Final = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


@dataclass(slots=True, kw_only=True, eq=False)
class Shared:
    """What the connections of a server have in common; used in its thread only.

    Attributes:
        options: How the server behaves.
        context: The TLS context; None for a server that has no TLS.
        implicit: Whether TLS comes first.
        records: Where everything is kept.
        turns: Which turn each `InTurn` among the answers has come to.
        released: The names that `Wait` no longer waits for.
        open: The connections there are.
        stopping: Whether new ones are to be dropped.
    """

    options: ServerOptions
    context: ssl.SSLContext | None
    implicit: bool
    records: Records = field(default_factory=Records)
    turns: Turns = field(default_factory=Turns)
    released: set[str] = field(default_factory=set[str])
    open: set[Transport] = field(default_factory=set["Transport"])
    stopping: bool = False

    def release(self, name: str) -> None:
        """Let all connections go on that wait for a name."""
        self.released.add(name)
        for connection in tuple(self.open):
            connection.resume()


class Transport(asyncio.Protocol):
    """One connection, as the event loop sees it.

    Must be made within the running loop.

    Args:
        shared: What it has in common with the others.

    Attributes:
        lost: Done when the connection is gone and nothing of it is left.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._transport: asyncio.Transport | None = None
        self._role: ServerConnection | None = None
        self._tls: TlsLayer | None = None
        self._waiting_for: str | None = None
        self._unsent = bytearray()
        # How many are published.
        self._messages = self._commands = self._discarded = self._flights = 0
        self._half_closed = self._is_proxied = False
        self._over = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- called by the event loop

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - it is a stream
        self._transport = transport
        self._shared.open.add(self)
        number = self._shared.records.connected()
        if self._shared.stopping:
            self.abort()
        else:
            self._guarded(lambda: self._open(transport, number))

    @override
    def data_received(self, data: bytes) -> None:
        self._guarded(lambda: self._receive(data))

    @override
    def eof_received(self) -> bool:
        self._half_closed = True
        handshaking = self._tls is not None and not self._tls.established
        if self._over or handshaking:
            return False
        self._guarded(self._receive_eof)
        return True  # the client may still be waiting for answers to what it has sent

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._shared.open.discard(self)
        self._shared.records.disconnected()
        self.lost.set_result(None)

    # --- called by the server

    def resume(self) -> None:
        """Go on, if what was waited for has been released."""
        self._guarded(self._advance)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._over = True
        self._current_transport().abort()

    # --- moving octets

    def _guarded(self, step: Callable[[], None]) -> None:
        """Take a step; what fails in it is kept for the test, and ends the connection.

        The event loop would write some errors to a log and drop others without a word.
        """
        if self._over:
            return
        try:
            step()
        except BaseException as exc:  # noqa: BLE001 - pytest's own outcomes are among them
            self._shared.records.fail(exc)
            self.abort()

    def _open(self, transport: asyncio.Transport, number: int) -> None:
        # An address and a port; the empty text for a unix socket.
        name: tuple[str, int] | str = transport.get_extra_info("peername")
        peer = name[0] if isinstance(name, tuple) else "localhost"
        self._role = ServerConnection(
            self._shared.options,
            connection=number,
            peer=peer,
            tls=self._shared.implicit,
            turns=self._shared.turns,
        )
        self._begin_implicit_tls()
        self._advance()

    def _receive(self, octets: bytes) -> None:
        role = self._current_role()
        octets = self._past_preamble(octets)
        try:
            plaintext = octets if self._tls is None else self._decrypt(self._tls, octets)
        except ssl.SSLError:
            self._flush()  # the alert that says why
            self._close()
            return
        role.receive_data(plaintext)
        if self._tls is not None and self._tls.closed:
            role.receive_eof()
        self._publish()
        self._advance()

    def _past_preamble(self, octets: bytes) -> bytes:
        """Take a header of the PROXY protocol, which is never encrypted; return what follows it."""
        role = self._current_role()
        position = 0
        while role.mode is Mode.PREAMBLE and position < len(octets):
            role.receive_data(octets[position : position + 1])
            position += 1
        if position:
            self._begin_implicit_tls()
        return octets[position:]

    def _begin_implicit_tls(self) -> None:
        """Begin TLS where it comes first, or behind the PROXY header alone."""
        if self._shared.implicit and self._current_role().mode not in _BEFORE_OR_AFTER:
            self._begin_tls()

    def _receive_eof(self) -> None:
        self._current_role().receive_eof()
        self._advance()

    def _decrypt(self, tls: TlsLayer, octets: bytes) -> bytes:
        plaintext = b"".join(tls.receive(octets))
        role = self._current_role()
        if tls.established and role.mode is Mode.TLS:
            role.tls_started()
        return plaintext

    def _current_role(self) -> ServerConnection:
        assert self._role is not None  # noqa: S101 - made when the connection was
        return self._role

    def _current_transport(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 - known since the connection was made
        return self._transport

    def _publish(self) -> None:
        """Add to the records what has come in since the last time."""
        role = self._current_role()
        self._shared.records.add(
            role.messages[self._messages :],
            role.commands[self._commands :],
            bytes(role.discarded[self._discarded :]),
            role.flights - self._flights,
        )
        if role.proxy_header is not None and not self._is_proxied:
            self._is_proxied = True
            self._shared.records.add_proxy_header(role.proxy_header)
        self._messages = len(role.messages)
        self._commands = len(role.commands)
        self._discarded = len(role.discarded)
        self._flights = role.flights

    # --- executing actions

    def _advance(self) -> None:
        role = self._current_role()
        while self._may_act() and (action := role.next_action()) is not None:
            self._execute(action)
        self._flush()

    def _may_act(self) -> bool:
        spoke_early = self._waiting_for == HELD_GREETING and self._current_role().early_talker
        if spoke_early or self._waiting_for in self._shared.released:
            self._waiting_for = None
        handshaking = self._tls is not None and not self._tls.established
        return not (self._over or handshaking or self._waiting_for is not None)

    def _execute(self, action: Action) -> None:
        match action:
            case Send():
                self._unsent += action.octets
            case Wait():
                self._waiting_for = action.name
            case StartTls():
                self._flush()
                self._begin_tls()
            case Close():
                self._flush()
                self._close()
            case Reset():
                self._flush()
                self._reset()
            case _:
                assert_never(action)

    def _flush(self) -> None:
        """Write what is to be sent, as one piece."""
        octets = bytes(self._unsent)
        self._unsent.clear()
        if self._tls is not None:
            if octets:
                self._tls.send([octets])
            octets = self._tls.records_to_send()
        if octets:
            self._current_transport().write(octets)

    def _begin_tls(self) -> None:
        if self._shared.context is None or self._tls is not None:
            raise RuntimeError(
                "StartTls needs a connection without TLS and a server with a context"
            )
        self._tls = TlsLayer(self._shared.context, side=TlsSide.SERVER)

    def _close(self) -> None:
        """Send what is left and FIN, then wait for the client's.

        Closing at once would break the connection off (RST) if the client has sent something
        that was not read, and could take the last reply with it.
        """
        if self._tls is not None:
            self._tls.close()
            self._flush()
        self._over = True
        transport = self._current_transport()
        if self._half_closed:
            transport.close()
            return
        with suppress(OSError):  # the client is gone, which `connection_lost` is about to tell
            transport.write_eof()

    def _reset(self) -> None:
        sock = self._current_transport().get_extra_info("socket")
        with suppress(OSError):  # a unix socket need not know it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()
