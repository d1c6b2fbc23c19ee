"""What is known of a session: the part of a Connection that both of its halves stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from ehlo.capabilities import Capabilities
from ehlo.commands import Greeting, Verb
from ehlo.errors import RemoteProtocolError
from ehlo.policies import Protocol
from ehlo.protocol._state import State
from ehlo.secret import Mask
from ehlo.text import printable
from ehlo.transcript import Side
from ehlo.wire import ContentEncoder, ReplyParser

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Set as AbstractSet

    from ehlo.commands import Command
    from ehlo.reply import Reply
    from ehlo.tls import TlsFacts
    from ehlo.transcript import Trace
    from ehlo.wire import ReplyLimits

__all__ = ["Facts"]

_IN_STEP: Final = frozenset(
    {State.GREETED, State.READY, State.MAIL, State.RCPT, State.CHUNKS, State.FAILED}
)
_OVER: Final = frozenset({State.CLOSING, State.CLOSED, State.BROKEN})
_NOTHING_MASKED: Final = Mask()
_NO_DOMAINS: Final[frozenset[str]] = frozenset()
# RFC 2033 section 4.1: the one is not spoken where the other is.
_FOREIGN: Final = {
    Protocol.SMTP: frozenset({Verb.LHLO}),
    Protocol.LMTP: frozenset({Verb.EHLO, Verb.HELO}),
}


class Facts:
    """What is known of a session; see `Connection` for arguments and attributes.

    There may be thousands that are idle. So its attributes have slots, and its queues, which are
    short, are lists: an empty deque takes 760 octets.
    """

    __slots__ = (
        *("_accepted", "_broken_by", "_counts_domains", "_domains", "_encoder", "_eof", "_foreign"),
        *("_in_flight", "_in_flight_octets", "_is_raw", "_lengths", "_mask", "_outgoing", "_owed"),
        *("_parser", "_projected", "_ready", "_state", "_trace", "_without"),
        *("authenticated", "capabilities", "closing_reply", "count_unsent", "encrypted", "ending"),
        *("esmtp", "garbage", "greeting", "protocol", "queued_octets", "tls"),
        "transactions",
    )

    def __init__(
        self,
        *,
        protocol: Protocol = Protocol.SMTP,
        without: Collection[str] = (),
        limits: ReplyLimits | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.protocol = protocol
        self.tls: TlsFacts | None = None
        self.transactions: int = 0
        self._domains: set[str] | None = None
        self.queued_octets: int = 0
        self.count_unsent: Callable[[], int] = _nothing_unsent
        self._foreign = _FOREIGN[protocol]
        self._without = tuple(without)
        self.capabilities = Capabilities()
        self.greeting: Reply | None = None
        self.closing_reply: Reply | None = None
        self.encrypted = False
        self.authenticated = False
        self.esmtp = False
        self._trace = trace
        self._parser = ReplyParser(limits)
        self._ready = self._parser.ready  # parsed, not yet told
        self._state: State = State.CONNECTED
        self._projected: State = State.GREETED
        self._in_flight: list[Command] = [Greeting()]
        self._lengths: list[int] = [-2]  # of each command in flight: its octets, less the line end
        self._in_flight_octets: int = 0
        self._outgoing: list[bytes] = []
        self._mask = _NOTHING_MASKED  # of what was sent and must not be shown if echoed
        self._is_raw = False  # whether the reply that is being looked at was left as it came
        self._encoder: ContentEncoder | None = None  # of the content that is being sent
        self._owed: int = 0  # octets that a BDAT command has announced
        self._counts_domains = False
        self._accepted = 0  # recipients of the transaction, for LMTP's final replies
        self._eof = False
        self._broken_by: Reply | None = None
        self.ending = ""
        self.garbage = b""

    @property
    def state(self) -> State:
        """Where the session is, by the replies that `next_event` has told so far."""
        return self._state

    @property
    def projected_state(self) -> State:
        """Where the session will be if everything in flight succeeds."""
        return self._projected

    @property
    def in_flight(self) -> tuple[Command, ...]:
        """The commands whose replies are due, oldest first."""
        return tuple(self._in_flight)

    @property
    def awaited(self) -> Command | None:
        """The command whose reply is due next; None if no reply is due."""
        return self._in_flight[0] if self._in_flight else None

    @property
    def awaits_reply(self) -> bool:
        """Whether a reply is due, and the session is not over."""
        return bool(self._in_flight) and self._state not in _OVER

    @property
    def in_flight_octets(self) -> int:
        """How many octets of commands are in flight, to bound a group (RFC 2920 section 3.1)."""
        return self._in_flight_octets

    @property
    def owed_octets(self) -> int:
        """How many octets of content are due behind a BDAT command."""
        return self._owed

    @property
    def left_octets(self) -> int:
        """How many octets of all that were queued may have left; the rest certainly has not."""
        return self.queued_octets - sum(map(len, self._outgoing)) - self.count_unsent()

    @property
    def recipient_domains(self) -> AbstractSet[str]:
        """The domains that RCPT commands named, where the server limits them (RFC 9422)."""
        return self._domains or _NO_DOMAINS

    @property
    def is_settled(self) -> bool:
        """Whether nothing is due in either direction: no reply, no octets, no content."""
        return (
            self._state in _IN_STEP
            and not self._in_flight
            and not self._outgoing
            and not self._owed
        )

    @property
    def is_in_step(self) -> bool:
        """Whether the next command may be sent: settled, and the server has said nothing more."""
        return self.is_settled and not self._has_residue and not self._eof

    @property
    def is_idle(self) -> bool:
        """Whether a new transaction may begin: in step, and none is open.

        This alone decides whether a connection may be used again.
        """
        if self._state is not State.READY or self._in_flight or self._outgoing or self._owed:
            return False
        return not (self._parser.has_residue or self._eof)

    @property
    def is_closing_down(self) -> bool:
        """Whether the server has said 421, and has replies due that it may give all the same."""
        closing = self._state is State.CLOSING and self.closing_reply is not None
        return closing and bool(self._in_flight)

    @property
    def is_over(self) -> bool:
        """Whether nothing but closing (or QUIT, behind a 421) is left."""
        return self._state in _OVER

    @property
    def needs_data(self) -> bool:
        """Whether `next_event` has nothing to tell until more octets, or their end, arrive."""
        if self._ready:
            return False
        return not self._eof or self._state is State.CLOSED

    @property
    def has_news(self) -> bool:
        """Whether the server has said something that a dialogue in the midst of content looks at.

        That is the reply to a command in flight, or, while content is due, anything at all.
        """
        if not self.awaits_reply and self._state is not State.DATA:
            return False
        return not self.needs_data

    @property
    def _has_residue(self) -> bool:
        return self._parser.has_residue

    def assert_in_step(self) -> None:
        """Make sure that the server has said nothing that nobody asked for.

        Raises:
            RemoteProtocolError: Octets are left over. Behind the 220 to STARTTLS they are an
                attempt to have plaintext believed after TLS began, or look just like one.
        """
        if self._state is State.BROKEN:
            self._break(self.ending)
        if self._has_residue:
            self._break("octets that no command asked for")

    def _note(self, text: str) -> None:
        if self._trace is not None:
            self._trace.line(Side.NOTE, text)

    def _break(self, why: str, octets: bytes = b"", reply: Reply | None = None) -> NoReturn:
        self.ending = why
        reply = self._broken_by = reply or self._broken_by
        if octets:
            self.garbage = octets[:80]
            shown = printable(octets[:80].decode("ascii", "backslashreplace"))
            self.ending = f"{why}: {shown}"
        command = self._in_flight[0].shown if self._in_flight else None
        self._state = self._projected = State.BROKEN
        self._note(f"protocol error: {self.ending}")
        msg = f"the server broke the protocol: {self.ending}"
        raise RemoteProtocolError(msg, command=command, reply=reply)


def _nothing_unsent() -> int:
    return 0
