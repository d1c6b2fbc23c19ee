"""What a session knows, the same in both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ehlo.capabilities import Capabilities
    from ehlo.endpoint import Endpoint
    from ehlo.protocol import Connection
    from ehlo.reply import Reply
    from ehlo.runtime.link import Link
    from ehlo.runtime.options import Settings
    from ehlo.tls import TlsFacts
    from ehlo.transcript import Transcript

__all__ = ["SessionFacts"]


class SessionFacts:
    """The part of a session that needs no I/O."""

    def __init__(self, settings: Settings, link: Link) -> None:
        self._settings = link.settings or settings  # of several servers, those of the one it got
        self._link = link

    @property
    def connection(self) -> Connection:
        """The sans-IO Connection underneath; look at it, but do not drive it."""
        return self._link.connection

    @property
    def endpoint(self) -> Endpoint:
        """The server that it is connected to: of several that were given, the one it got."""
        return self._settings.endpoint

    @property
    def capabilities(self) -> Capabilities:
        """What the server announced in its last EHLO reply."""
        return self._link.connection.capabilities

    @property
    def greeting(self) -> Reply | None:
        """The server's greeting."""
        return self._link.connection.greeting

    @property
    def is_idle(self) -> bool:
        """Whether the session is open, in step, and no transaction is begun."""
        return self._link.connection.is_idle

    @property
    def tls(self) -> TlsFacts | None:
        """The facts of the TLS connection; None without TLS."""
        return self._link.tls_facts

    @property
    def transcript(self) -> Transcript | None:
        """The transcript that `connect` was given."""
        return self._settings.transcript
