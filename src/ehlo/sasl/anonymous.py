"""ANONYMOUS (RFC 4505): nobody in particular."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ehlo.errors import InvalidInput
from ehlo.sasl.mechanism import Mechanism
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from ehlo.sasl.mechanism import Channel, Exchange

__all__ = ["Anonymous"]

_TRACE_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Anonymous(Mechanism):
    """ANONYMOUS (RFC 4505): no identity, but perhaps a hint at whom to ask about the traffic.

    It may be used in clear: there is no secret in it.

    Attributes:
        trace: A mail address or any other text without `@`, up to 255 characters; may be empty.

    Raises:
        InvalidInput: It is longer, or holds a control character.
    """

    trace: str = ""

    def __post_init__(self) -> None:
        """Refuse what the mechanism cannot carry.

        Raises:
            InvalidInput: The trace is too long, or holds a control character.
        """
        refuse_control_characters("the trace", require_str("the trace", self.trace))
        if len(self.trace) > _TRACE_MAX:
            msg = f"the trace has {len(self.trace)} characters; {_TRACE_MAX} are allowed"
            raise InvalidInput(msg)

    @property
    @override
    def name(self) -> str:
        return "ANONYMOUS"

    @property
    @override
    def exposes_secret(self) -> bool:
        """There is none."""
        return False

    @override
    def exchange(self, channel: Channel) -> Exchange:
        """Begin one exchange: an initial response, and nothing after it."""
        yield self.trace.encode()
