"""The Connection: the truth about one session, without any I/O."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, NoReturn, TypeAlias

from ehlo.capabilities import Capabilities
from ehlo.commands import AuthCancel, Bdat, EndOfContent, Greeting, Mail, Raw, Rcpt, Verb
from ehlo.errors import CapabilityMissing, LocalProtocolError, RemoteProtocolError
from ehlo.policies import Protocol
from ehlo.protocol._events import ConnectionClosed, Event, ReplyReceived, ServerClosing
from ehlo.protocol._state import TABLE, State
from ehlo.reply import Reply
from ehlo.secret import Mask
from ehlo.text import printable
from ehlo.transcript import Side
from ehlo.wire import BadReply, ContentEncoder, ReplyParser

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ehlo.commands import Command
    from ehlo.tls import TlsFacts
    from ehlo.transcript import Trace
    from ehlo.wire import ReplyLimits

__all__ = ["NEED_DATA", "Connection", "NeedData"]


class _NeedData(Enum):
    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = _NeedData.NEED_DATA
"""What `Connection.next_event` returns when more octets must arrive first."""
NeedData: TypeAlias = Literal[_NeedData.NEED_DATA]

_IN_STEP: Final = frozenset(
    {State.GREETED, State.READY, State.MAIL, State.RCPT, State.CHUNKS, State.FAILED}
)
_OVER: Final = frozenset({State.CLOSING, State.CLOSED, State.BROKEN})


class Connection:
    """The client's side of one SMTP session: octets in, events out; commands in, octets out.

    It knows which commands may be sent, which are in flight, what the server announced and
    whether the session may go on. It never waits, and has no clock, no socket and no TLS: whoever
    drives it does this, over and over::

        connection.send(command)              # or send_content(), end_content()
        transport.writelines(connection.data_to_send())
        connection.receive_data(transport.read())
        event = connection.next_event()       # until NEED_DATA

    A new Connection waits for the server's greeting. Four properties tell how it stands, each
    stronger than the one before:

    - not `is_over`: something may still be said;
    - `is_settled`: nothing is due in either direction;
    - `is_in_step`: settled, and the server has said nothing that was not asked for;
    - `is_idle`: in step, and no transaction is open, so that a new one may begin.

    Args:
        protocol: What is spoken: SMTP or LMTP.
        without: Keywords to overlook when the server announces them.
        limits: How much the server may say in one reply.
        trace: Sees each line of the dialogue, secrets masked.

    Attributes:
        protocol: As above.
        capabilities: What the server announced in its last EHLO reply; empty before and after HELO.
        greeting: The server's greeting, once it came.
        closing_reply: The 421 with which the server announced that it closes the connection.
        encrypted: Whether TLS is on.
        tls: What is known of the TLS connection, if whoever drives this one has told.
        authenticated: Whether AUTH succeeded.
        esmtp: Whether the server answered EHLO, so that parameters may be used.
        ending: How the session ended, in words; empty while it goes on.
        garbage: The first octets of what was no reply, and broke the session.
        transactions: How many MAIL commands were sent.
        recipient_domains: The domains that RCPT commands named, where the server limits them
            (RFC 9422).
        queued_octets: How many octets were queued since the beginning: where in the stream one is.
        count_unsent: Tells how many of the last octets handed out are known not to have left; set
            by whoever drives the Connection, where that can be known.
    """

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
        self.transactions = 0
        self.recipient_domains: set[str] = set()
        self.queued_octets = 0
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
        self._ahead: Reply | BadReply | None = None  # parsed, not yet told
        self._state: State = State.CONNECTED
        self._projected: State = State.GREETED
        self._in_flight: deque[tuple[Command, int]] = deque([(Greeting(), 0)])
        self._in_flight_octets = 0
        self._outgoing: list[bytes] = []
        self._mask = Mask()  # of what was sent and must not be shown if echoed
        self._is_raw = False  # whether the reply that is being looked at was left as it came
        self._encoder = ContentEncoder()
        self._owed = 0  # octets that a BDAT command has announced
        self._counts_domains = False
        self._accepted = 0  # recipients of the transaction, for LMTP's final replies
        self._eof = False
        self._broken_by: Reply | None = None
        self.ending = ""
        self.garbage = b""

    # -- What is known ---------------------------------------------------------------------

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
        return tuple(command for command, _ in self._in_flight)

    @property
    def awaited(self) -> Command | None:
        """The command whose reply is due next; None if no reply is due."""
        return self._in_flight[0][0] if self._in_flight else None

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
        return self._state is State.READY and self.is_in_step

    @property
    def is_over(self) -> bool:
        """Whether nothing but closing (or QUIT, behind a 421) is left."""
        return self._state in _OVER

    @property
    def needs_data(self) -> bool:
        """Whether `next_event` has nothing to tell until more octets, or their end, arrive."""
        if self._ahead is None and self._look_ahead() is None:
            return not (self._eof and self._state is not State.CLOSED)
        return False

    def _look_ahead(self) -> Reply | BadReply | None:
        try:
            self._ahead = self._parser.next_reply()
        except BadReply as exc:
            self._ahead = exc
        if self._mask and isinstance(self._ahead, Reply):
            self._ahead = self._scrubbed(self._ahead)
        return self._ahead

    def _scrubbed(self, reply: Reply) -> Reply:
        """Mask what a reply echoes of a secret, before a local variable can show it.

        Two kinds are needed as they came: a challenge by its mechanism, and what EHLO announces.
        """
        awaited = self.awaited
        verb = Verb.OTHER if awaited is None else awaited.verb
        is_challenge = reply.is_intermediate and not isinstance(awaited, AuthCancel)
        self._is_raw = verb in (_AUTH if is_challenge else _HELLO)
        return reply if self._is_raw else _masked(reply, self._mask)

    @property
    def has_news(self) -> bool:
        """Whether the server has said something that a dialogue in the midst of content looks at.

        That is the reply to a command in flight, or, while content is due, anything at all.
        """
        if not self._in_flight and self._state is not State.DATA:
            return False
        return not self.needs_data

    @property
    def _has_residue(self) -> bool:
        return self._ahead is not None or self._parser.has_residue

    # -- Sending ---------------------------------------------------------------------------

    def may_send(self, command: Command) -> bool:
        """Return whether a command may be sent now, pipelining rules included.

        Args:
            command: The command.

        Returns:
            True if `send` would take it.
        """
        return not self._objection(command)

    def send(self, command: Command) -> None:
        """Queue a command; fetch its octets with `data_to_send`.

        Args:
            command: The command.

        Raises:
            LocalProtocolError: It must not be sent in this state, or not before a reply is in.
            RemoteProtocolError: The server has said something that nobody asked for.
            InvalidInput: The command cannot be written as a line.
            CapabilityMissing: It is not ASCII, and the server does not offer SMTPUTF8.
        """
        objection = self._objection(command)
        if objection:
            msg = f"{command.shown.partition(' ')[0]} cannot be sent now: {objection}"
            raise LocalProtocolError(msg, command=command.shown)
        self._send(command)

    def send_some(self, commands: Sequence[Command], in_flight_max: int, start: int = 0) -> int:
        """Queue commands for as long as they may be sent: the beginning of a group, or all of it.

        Args:
            commands: The commands, in order.
            in_flight_max: How many octets of commands may be unanswered; 0 is lock step.
            start: The index of the first one to queue.

        Returns:
            The index of the first one that was not queued: it has to wait for a reply, or must not
            be sent at all. The number of commands if all were.

        Raises:
            RemoteProtocolError: As for `send`.
            InvalidInput: Likewise.
            CapabilityMissing: Likewise.
        """
        for index in range(start, len(commands)):
            command = commands[index]
            if self._in_flight and self._in_flight_octets >= in_flight_max:
                return index
            if self._objection(command):
                return index
            self._send(command)
        return len(commands)

    def _send(self, command: Command) -> None:
        if not self._in_flight:
            self.assert_in_step()
        # No local variable holds the line: it may be a secret, and tracebacks show them.
        self._outgoing.append(command.wire())
        if not self._outgoing[-1].isascii():
            self._require_smtputf8(command)
        octets = len(self._outgoing[-1])
        self.queued_octets += octets
        self._fly(command, octets)
        if command.verb in _COUNTED:
            self._count(command)
        elif command.secrets:
            self._mask = self._mask.adding(command.secrets)
        if self._trace is not None:
            self._trace.line(Side.CLIENT, command.shown)

    def _count(self, command: Command) -> None:
        if isinstance(command, Mail):
            self.transactions += 1
        elif isinstance(command, Bdat):
            self._owed = command.size
        elif self._counts_domains and isinstance(command, Rcpt):
            self.recipient_domains.add(command.recipient.domain.lower())

    def _require_smtputf8(self, command: Command) -> None:
        """Refuse a line that is not ASCII where RFC 6531 is not offered; raw lines are exempt."""
        if self.capabilities.smtputf8 or isinstance(command, Raw):
            return
        self._outgoing.pop()
        msg = f"the server does not offer SMTPUTF8, which is needed for {command.shown}"
        raise CapabilityMissing(msg, capability="SMTPUTF8")

    def _fly(self, command: Command, octets: int) -> None:
        """Note that a command is in flight."""
        row = TABLE[self._projected, command.verb]
        self._projected = row.success
        self._in_flight.append((command, octets))
        self._in_flight_octets += octets

    def _objection(self, command: Command) -> str:
        """Return why a command may not be sent; an empty text means that it may."""
        row = TABLE.get((self._projected, command.verb))
        if row is None or row.only_pipelined or command.verb in _NOT_BY_SEND:
            return f"the session is in state {self._projected.name}, {self._projected.value}"
        if self._owed:
            return f"{self._owed} octets of content are due behind BDAT"
        return self._group_objection() or self._session_objection(command.verb)

    def _group_objection(self) -> str:
        """Return why no command may follow those in flight (RFC 2920)."""
        if self._in_flight:
            last = self._in_flight[-1][0]
            if last.ends_group:
                return f"the reply to {last.shown.partition(' ')[0]} must come first"
            if not self.capabilities.pipelining:
                return "a reply is due, and the server does not offer PIPELINING"
        return ""

    def _session_objection(self, verb: Verb) -> str:
        """Return why a session like this has no use for a command."""
        if verb in self._foreign:
            return f"the session speaks {self.protocol.name}"
        if verb is Verb.AUTH and self.authenticated:
            return "the session is authenticated already (RFC 4954 section 4)"
        if verb is Verb.STARTTLS and self.encrypted:
            return "the session is encrypted already (RFC 3207 section 4)"
        return ""

    def send_content(self, chunk: bytes | bytearray | memoryview) -> None:
        """Queue a chunk of content, after the server answered DATA with 354, or behind BDAT.

        Behind DATA line ends become CRLF and leading dots are doubled, wherever the chunks are
        cut. Behind BDAT (RFC 3030 section 2) octets go out as they are, as many as it announced;
        a `ContentEncoder` makes them fit for that.

        Args:
            chunk: The next octets of the content.

        Raises:
            LocalProtocolError: The server does not wait for content, or not for so much.
            RemoteProtocolError: It has said something; `next_event` would have told.
        """
        if self._owed:
            self._send_chunk(chunk)
            return
        self._require_content()
        for piece in self._encoder.encode(chunk):
            self._queue_content(piece)

    def _queue_content(self, octets: bytes) -> None:
        self._outgoing.append(octets)
        self.queued_octets += len(octets)
        if self._trace is not None:
            self._trace.content(octets)

    def _send_chunk(self, chunk: bytes | bytearray | memoryview) -> None:
        octets = bytes(chunk)
        if len(octets) > self._owed:
            msg = f"BDAT announced {self._owed} octets more, not {len(octets)}"
            raise LocalProtocolError(msg)
        self._owed -= len(octets)
        self._queue_content(octets)

    def end_content(self) -> None:
        """Queue the end of the content: the lone dot.

        Without any content before it this is the answer to a 354 that came although no
        recipient was accepted (RFC 2920 section 3.1).

        Raises:
            LocalProtocolError: The server does not wait for content.
            RemoteProtocolError: It has said something; `next_event` would have told.
        """
        self._require_content()
        octets = self._encoder.finish()
        self._queue_content(octets)
        self._fly(_END_OF_CONTENT, len(octets))

    def send_whole(self, content: bytes) -> None:
        """Queue content and its end at once: `send_content` and `end_content` in one.

        Args:
            content: All octets of the content.

        Raises:
            LocalProtocolError: The server does not wait for content.
            RemoteProtocolError: It has said something; `next_event` would have told.
        """
        self._require_content()
        octets = self._encoder.encode_whole(content)
        self._queue_content(octets)
        self._fly(_END_OF_CONTENT, len(octets))

    def _require_content(self) -> None:
        if self._state is not State.DATA or self._in_flight:
            msg = f"no content can be sent now: the session is in state {self._state.name}"
            raise LocalProtocolError(msg)
        if not self.needs_data:
            self._break("a reply that no command asked for, and that nobody looked at")

    def data_to_send(self) -> list[bytes]:
        """Return the octets to write, in order, and forget them.

        Returns:
            Pieces of any size; empty if there is nothing to write.
        """
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    # -- Receiving -------------------------------------------------------------------------

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets that arrived, cut anywhere; `next_event` tells what they mean.

        Args:
            data: The octets.
        """
        self._parser.feed(data)

    def receive_eof(self) -> None:
        """Take the news that no more octets will arrive."""
        self._eof = True

    def next_event(self) -> Event | NeedData:
        """Return what happened next.

        Returns:
            An event, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: The server broke the protocol; the session is over.
        """
        if self._state is State.BROKEN:
            self._break(self.ending)
        while not self.needs_data:
            ahead, self._ahead = self._ahead, None
            if isinstance(ahead, BadReply):
                why, octets = ahead.why, b"" if self._mask else ahead.octets
                del ahead  # it may hold an echoed secret, and tracebacks show local variables
                self._break(why, octets)
            if ahead is None:
                return self._closed()
            if self._in_flight:
                return ReplyReceived(self._in_flight[0][0], self._replied(ahead))
            if self._state not in {State.CLOSING, State.CLOSED}:
                return self._unasked(ahead)
            # A server's last words, behind 421 or QUIT, change nothing.
        return NEED_DATA

    def _closed(self) -> ConnectionClosed:
        event = ConnectionClosed(self.in_flight, self._parser.has_residue)
        self._state = self._projected = State.CLOSED
        self._in_flight.clear()
        self._in_flight_octets = 0
        self.ending = self.ending or "the server closed the connection"
        self._note(self.ending)
        return event

    def next_replies(self, most: int) -> list[Reply]:
        """Return replies to the oldest commands in flight, so far as they have come.

        This is `next_event` for whoever knows what is in flight. Where something else is to be told
        it stops, and `next_event` tells it.

        Args:
            most: How many replies to return at the most.

        Returns:
            The replies, oldest first.

        Raises:
            RemoteProtocolError: The server broke the protocol; the session is over.
        """
        replies: list[Reply] = []
        while len(replies) < most and self._in_flight:
            ahead = self._ahead or self._look_ahead()
            if not isinstance(ahead, Reply) or self._state is State.BROKEN:
                break
            self._ahead = None
            try:
                replies.append(self._replied(ahead))
            except RemoteProtocolError:
                if not replies:
                    raise
                break  # told by whoever asks next
        return replies

    def _replied(self, reply: Reply) -> Reply:
        """Take a reply to the oldest command in flight; return it as it may be shown."""
        command, octets = self._in_flight[0]
        verb = command.verb
        if verb in _FINAL and self._is_one_of_several(reply):
            return self._told(reply)
        self._in_flight.popleft()
        self._in_flight_octets -= octets
        came = reply
        if self._is_raw or self._trace is not None:
            scrubbed = self._told(reply)
            # A challenge is for the mechanism, as it came; all else is shown.
            reply = reply if reply.is_intermediate else scrubbed
        self._move(command, verb, reply)
        if reply.is_positive:
            if verb in _TEACHING:
                self._learn(verb, came)
            elif self.protocol is Protocol.LMTP:
                self._count_taker(verb)
        return reply

    def _count_taker(self, verb: Verb) -> None:
        """Count the recipients of a transaction: LMTP has a final reply for each."""
        if verb is Verb.MAIL:
            self._accepted = 0
        elif verb is Verb.RCPT:
            self._accepted += 1

    def _is_one_of_several(self, reply: Reply) -> bool:
        """Return whether more replies to the same command are due (RFC 2033 section 4.2)."""
        if self.protocol is Protocol.SMTP:
            return False
        if reply.closes_session or reply.is_intermediate or self._state is State.CLOSING:
            return False
        self._accepted -= 1
        return self._accepted > 0

    def _move(self, command: Command, verb: Verb, reply: Reply) -> None:
        if reply.closes_session:
            self._begin_closing(reply)
            return
        if self._state is State.CLOSING and verb is not Verb.QUIT:
            return  # the rest of a group behind a 421
        row = TABLE[self._state, verb]
        state = row.next_state(reply)
        if state is None:
            self._in_flight.appendleft((command, 0))
            why = f"{reply.code} is no answer to {command.shown.partition(' ')[0]}"
            self._break(why, reply=reply)
        self._state = state
        if state is State.DATA:
            self._encoder = ContentEncoder()
        elif state in _ENDS:
            self.ending = f"the session was ended by {reply}"
        if self._owed and not self._in_flight:
            # The octets of a chunk are due, and nobody wants them any more.
            self._state = self._projected = State.CLOSING
            self.ending = f"the server refused the content before its end: {reply}"
        elif state is not row.success:
            self._refold()

    def _learn(self, verb: Verb, reply: Reply) -> None:
        """Note what a success brings about on other axes than the state."""
        match verb:
            case Verb.GREETING:
                self.greeting = reply
            case Verb.EHLO | Verb.LHLO:
                self.capabilities = Capabilities.from_reply(reply).without(self._without)
                self._counts_domains = "LIMITS" in self.capabilities
                self.esmtp = True
            case Verb.HELO | Verb.XCLIENT:
                self.capabilities = Capabilities()
                self.esmtp = False
            case Verb.AUTH | Verb.AUTH_RESPONSE:
                self.authenticated = True
            case _:
                pass

    def _begin_closing(self, reply: Reply) -> None:
        self.closing_reply = reply
        self.ending = f"the server closed the session: {reply}"
        self._state = self._projected = State.CLOSING

    def _refold(self) -> None:
        """Set the sender's cursor anew: the replies took another way than it had assumed."""
        projected = self._state
        for command, _ in self._in_flight:
            row = TABLE.get((projected, command.verb))
            projected = projected if row is None else row.success
        self._projected = projected

    def _unasked(self, reply: Reply) -> Event:
        """Judge a reply that no command asked for."""
        reply = self._told(reply)
        if reply.closes_session:
            self._begin_closing(reply)
            return ServerClosing(reply)
        refused = reply.is_temporary or reply.is_permanent
        if self._state is not State.DATA or not refused:
            self._break("a reply that no command asked for", str(reply).encode(), reply)
        # Refused before the content's end. Whether the server still waits for the dot cannot be
        # known, so this is the end of the session as well.
        self._state = self._projected = State.CLOSING
        self.ending = f"the server refused the content before its end: {reply}"
        return ReplyReceived(EndOfContent(), reply)

    def _told(self, reply: Reply) -> Reply:
        """Mask what the server echoes of a secret, and show the reply to the trace."""
        if self._is_raw:
            reply = _masked(reply, self._mask)
        if self._trace is not None:
            last = len(reply.raw_lines) - 1
            for number, line in enumerate(reply.lines):
                self._trace.line(Side.SERVER, f"{reply.code}{' -'[number < last]}{line}".rstrip())
        return reply

    # -- TLS, and endings ------------------------------------------------------------------

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

    def tls_started(self) -> None:
        """Take the news that TLS is on: from the first octet, or since STARTTLS was accepted.

        Everything the server announced before is forgotten (RFC 3207 section 4.2).

        Raises:
            LocalProtocolError: TLS cannot begin in this state.
            RemoteProtocolError: Octets from before TLS are left over.
        """
        if self._state not in {State.CONNECTED, State.UPGRADING} or self.encrypted:
            msg = f"TLS cannot begin in state {self._state.name}"
            raise LocalProtocolError(msg)
        self.assert_in_step()
        self.encrypted = True
        if self._state is State.UPGRADING:
            self._state = self._projected = State.GREETED
        self.capabilities = Capabilities()
        self.esmtp = self.authenticated = False

    def abandon(self, why: str) -> None:
        """Give the session up: its transport failed, or whoever drove it went away.

        Args:
            why: What happened, for errors and the trace.
        """
        if self._state not in {State.CLOSED, State.BROKEN}:
            self.ending = why
            self._note(why)
            self._state = self._projected = State.CLOSED
            self._outgoing.clear()
            self._in_flight.clear()
            self._in_flight_octets = self._owed = 0

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
        command = self._in_flight[0][0].shown if self._in_flight else None
        self._state = self._projected = State.BROKEN
        self._note(f"protocol error: {self.ending}")
        msg = f"the server broke the protocol: {self.ending}"
        raise RemoteProtocolError(msg, command=command, reply=reply)


def _masked(reply: Reply, mask: Mask) -> Reply:
    return Reply(reply.code, tuple(map(mask.scrub, reply.raw_lines)))


def _nothing_unsent() -> int:
    return 0


_ENDS: Final = frozenset({State.CLOSING, State.BROKEN})
_COUNTED: Final = frozenset({Verb.MAIL, Verb.RCPT, Verb.BDAT, Verb.BDAT_LAST})
_TEACHING: Final = frozenset(
    {
        *(Verb.GREETING, Verb.EHLO, Verb.LHLO, Verb.HELO, Verb.XCLIENT),
        *(Verb.AUTH, Verb.AUTH_RESPONSE),
    }
)
"""The verbs whose success changes more than the state."""
_END_OF_CONTENT: Final = EndOfContent()
_NOT_BY_SEND: Final = frozenset({Verb.GREETING, Verb.END_OF_CONTENT})
_AUTH: Final = frozenset({Verb.AUTH, Verb.AUTH_RESPONSE})
_HELLO: Final = frozenset({Verb.EHLO, Verb.LHLO})
_FINAL: Final = frozenset({Verb.END_OF_CONTENT, Verb.BDAT_LAST})
# RFC 2033 section 4.1: the one is not spoken where the other is.
_FOREIGN: Final = {
    Protocol.SMTP: frozenset({Verb.LHLO}),
    Protocol.LMTP: frozenset({Verb.EHLO, Verb.HELO}),
}
