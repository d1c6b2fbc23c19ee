"""What a dialogue may ask of the outside: a closed alphabet of four.

All needs are answered by resuming the dialogue with nothing. If one cannot be met, a
`ConnectionLost`, `Timeout` or `TlsFailed` is thrown into the dialogue, once; the dialogue says what
that means for the message.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from ehlo.phase import Phase

if TYPE_CHECKING:
    from ehlo.dialogues.sources import AsyncSource

__all__ = ["FLUSH", "RECEIVE", "Dialogue", "Fetch", "Flush", "Need", "Receive", "UpgradeTls"]


@dataclass(frozen=True, slots=True)
class Flush:
    """Write all that the Connection has to send, until the operating system has taken it.

    While the peer takes nothing, read, and feed the Connection. In `Phase.CONTENT` a reply
    that arrives meanwhile ends the need early. The deadline starts anew with every octet taken.

    Attributes:
        phase: What the octets are part of.
    """

    phase: Phase


@dataclass(frozen=True, slots=True)
class Receive:
    """Write as for `Flush`, then read until `Connection.needs_data` is false.

    The deadline is one for the whole wait, however the octets drip in.

    Attributes:
        phase: What is waited for.
    """

    phase: Phase


@dataclass(frozen=True, slots=True)
class UpgradeTls:
    """Perform the TLS handshake, verification included; read nothing in clear any more."""

    @property
    def phase(self) -> Phase:
        """Always `Phase.TLS`."""
        return Phase.TLS


@dataclass(frozen=True, slots=True)
class Fetch:
    """Write what there is to write, and await `source.fetch()` unless `source.is_ready`.

    Only dialogues that were given an async iterable, or an async function for tokens, have this
    need. `Connection.has_news` ends it early; the fetch goes on then, and the dialogue will ask
    again. How long a source of messages or content takes is the caller's affair, so there is no
    deadline but that of a reply that is due meanwhile. For a token the server waits: it has one.

    Attributes:
        source: What to wait for.
        awaited: The phase whose deadline holds meanwhile: that of the reply that is due, or in
            which the server waits for what is fetched; None if there is none.
    """

    source: AsyncSource[object]
    awaited: Phase | None = None

    @property
    def phase(self) -> Phase:
        """What a failure meanwhile is about."""
        return self.awaited or Phase.CONTENT


Need: TypeAlias = Flush | Receive | UpgradeTls | Fetch

_T = TypeVar("_T")
Dialogue: TypeAlias = Generator[Need, None, _T]
"""A dialogue with a result of type T."""

FLUSH: Final = {phase: Flush(phase) for phase in Phase}
RECEIVE: Final = {phase: Receive(phase) for phase in Phase}
