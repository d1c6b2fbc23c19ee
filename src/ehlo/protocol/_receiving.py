"""The receiving half of a Connection: octets in, events out."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from ehlo.capabilities import Capabilities
from ehlo.commands import AuthCancel, EndOfContent, Verb
from ehlo.errors import RemoteProtocolError
from ehlo.policies import Protocol
from ehlo.protocol._events import ConnectionClosed, Event, ReplyReceived, ServerClosing
from ehlo.protocol._facts import Facts
from ehlo.protocol._state import TABLE, State
from ehlo.reply import Reply
from ehlo.transcript import Side
from ehlo.wire import BadReply

if TYPE_CHECKING:
    from ehlo.commands import Command
    from ehlo.secret import Mask

__all__ = ["NEED_DATA", "NeedData", "Receiving"]


class _NeedData(Enum):
    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = _NeedData.NEED_DATA
"""What `Connection.next_event` returns when more octets must arrive first."""
NeedData: TypeAlias = Literal[_NeedData.NEED_DATA]

_ENDS: Final = frozenset({State.CLOSING, State.BROKEN})
_TEACHING: Final = frozenset(
    {
        *(Verb.GREETING, Verb.EHLO, Verb.LHLO, Verb.HELO, Verb.XCLIENT),
        *(Verb.AUTH, Verb.AUTH_RESPONSE),
    }
)
"""The verbs whose success changes more than the state."""
_FRESH: Final = frozenset({Verb.MAIL, Verb.RSET, Verb.EHLO, Verb.LHLO})
_AUTH: Final = frozenset({Verb.AUTH, Verb.AUTH_RESPONSE})
_HELLO: Final = frozenset({Verb.EHLO, Verb.LHLO})
_OPEN: Final = frozenset({State.READY, State.MAIL, State.RCPT, State.CHUNKS, State.DATA})
_HOPED: Final[dict[tuple[State, Verb], tuple[int, State]]] = {
    (state, verb): (2 if row.intermediate is None else 3, row.success)
    for (state, verb), row in TABLE.items()
    if not row.only_pipelined
    and verb in {Verb.RSET, Verb.MAIL, Verb.RCPT, Verb.DATA, Verb.BDAT_LAST, Verb.END_OF_CONTENT}
}
"""What is hoped for in a transaction: the first digit of the reply, and where it leads."""
_WORD: Final = re.compile(rb"[ \t]*[0-9A-Za-z._-]*")
"""Where the keyword of an EHLO line stands."""
_NEVER: Final = (0, State.BROKEN)
_FINAL: Final = frozenset({Verb.END_OF_CONTENT, Verb.BDAT_LAST})


class Receiving(Facts):
    """What a Connection makes of what the server says."""

    __slots__ = ()

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
            if not self._ready:
                return self._closed()
            ahead = self._take()
            if isinstance(ahead, BadReply):
                why, octets = ahead.why, b"" if self._mask else ahead.octets
                del ahead  # it may hold an echoed secret, and tracebacks show local variables
                self._break(why, octets)
            if self._in_flight:
                return ReplyReceived(self._in_flight[0], self._replied(ahead))
            if self._state not in {State.CLOSING, State.CLOSED}:
                return self._unasked(ahead)
            self._drop_last_words()
        return NEED_DATA

    def _drop_last_words(self) -> None:
        """Drop what a server says behind 421 or QUIT, which changes nothing, all at once."""
        ready = self._ready
        is_bad = bool(ready) and isinstance(ready[-1], BadReply)
        del ready[: len(ready) - is_bad]

    def _take(self) -> Reply | BadReply:
        """Take what was parsed next, masked: no local variable is to show a secret."""
        ahead = self._ready.pop(0)
        if self._mask and isinstance(ahead, Reply):
            return self._scrubbed(ahead)
        return ahead

    def _scrubbed(self, reply: Reply) -> Reply:
        """Mask what a reply echoes of a secret.

        Two kinds are needed as they came: a challenge by its mechanism, and what EHLO announces.
        """
        awaited = self.awaited
        verb = Verb.OTHER if awaited is None else awaited.verb
        is_challenge = reply.is_intermediate and not isinstance(awaited, AuthCancel)
        self._is_raw = verb in (_AUTH if is_challenge else _HELLO)
        return reply if self._is_raw else _masked(reply, self._mask)

    def _closed(self) -> ConnectionClosed:
        event = ConnectionClosed(self.in_flight, self._parser.has_residue)
        self._state = self._projected = State.CLOSED
        self._in_flight.clear()
        self._lengths.clear()
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
        if not self._mask and self._trace is None and self.protocol is Protocol.SMTP:
            self._take_usual(replies, most)
        while self._ready and len(replies) < most and self._in_flight:
            if not isinstance(self._ready[0], Reply) or self._state is State.BROKEN:
                break
            try:
                replies.append(self._replied(cast("Reply", self._take())))
            except RemoteProtocolError:
                if not replies:
                    raise
                break  # told by whoever asks next
        return replies

    def _take_usual(self, replies: list[Reply], most: int) -> None:
        """Take replies for as long as they are those that everybody hopes for, 421 not among them.

        This does what `_replied` does with them, in a quarter of the time; it stops in front of the
        first that is none.
        """
        ready, in_flight, state = self._ready, self._in_flight, self._state
        if self._owed or state not in _OPEN:
            return
        taken, last = 0, min(most, len(ready), len(in_flight))
        while taken < last:
            ahead = ready[taken]
            digit, to = _HOPED.get((state, in_flight[taken].verb), _NEVER)
            if not isinstance(ahead, Reply) or ahead.code // 100 != digit:
                break
            state = to
            replies.append(ahead)
            taken += 1
        self._state = state
        del ready[:taken]
        self._landed(taken)

    def _landed(self, count: int) -> None:
        """Note that the oldest commands are in flight no more."""
        in_flight, lengths = self._in_flight, self._lengths
        if count == len(in_flight):  # as nearly always
            in_flight.clear()
            lengths.clear()
            self._in_flight_octets = 0
        else:
            self._in_flight_octets -= sum(lengths[:count]) + 2 * count
            del in_flight[:count], lengths[:count]

    def _replied(self, reply: Reply) -> Reply:
        """Take a reply to the oldest command in flight; return it as it may be shown."""
        command = self._in_flight[0]
        verb = command.verb
        if verb in _FINAL and self._is_one_of_several(reply):
            return self._told(reply)
        self._landed(1)
        came = reply
        if self._is_raw or self._trace is not None:
            scrubbed = self._told(reply)
            # A challenge is for the mechanism, as it came; all else is shown.
            reply = reply if reply.is_intermediate else scrubbed
        self._move(command, verb, reply)
        if verb is Verb.RCPT:
            self._accepted += reply.is_positive  # LMTP has a final reply for each
        elif verb in _FRESH:
            self._accepted = 0
        if verb in _TEACHING and reply.is_positive:
            self._learn(verb, came)
        return reply

    def _is_one_of_several(self, reply: Reply) -> bool:
        """Return whether more replies to the same command are due (RFC 2033 section 4.2)."""
        if self.protocol is Protocol.SMTP or reply.is_intermediate:
            return False
        self._accepted -= 1
        if self._accepted <= 0:
            return False
        if reply.closes_session:  # said of one recipient; those behind it have theirs, if any come
            self._begin_closing(reply)
        return True

    def _move(self, command: Command, verb: Verb, reply: Reply) -> None:
        if reply.closes_session:
            self._begin_closing(reply)
            return
        if self._state is State.CLOSING and verb is not Verb.QUIT:
            return  # the rest of a group behind a 421
        row = TABLE[self._state, verb]
        state = row.next_state(reply)
        if state is None:
            self._in_flight.insert(0, command)
            self._lengths.insert(0, -2)
            why = f"{reply.code} is no answer to {command.shown.partition(' ')[0]}"
            self._break(why, reply=reply)
        self._state = state
        if state in _ENDS:
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
                announced = Capabilities.from_reply(_announced(reply, self._mask))
                self.capabilities = announced.without(self._without)
                self._counts_domains = self.capabilities.limits.rcpt_domain_max is not None
                self.esmtp = True
            case Verb.AUTH | Verb.AUTH_RESPONSE:
                self.authenticated = True
            case _:  # HELO and XCLIENT: of what the server can do nothing is known any more
                self.capabilities = Capabilities()
                self.esmtp = self.authenticated = False

    def _begin_closing(self, reply: Reply) -> None:
        self.closing_reply = reply
        self.ending = f"the server closed the session: {reply}"
        self._state = self._projected = State.CLOSING

    def _refold(self) -> None:
        """Set the sender's cursor anew: the replies took another way than it had assumed."""
        projected = self._state
        for command in self._in_flight:
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


def _announced(reply: Reply, mask: Mask) -> Reply:
    """Mask an EHLO reply all but its keywords: a secret that is one does not undo an extension."""
    lines = (mask.scrub(reply.raw_lines[0]), *(_keyword_kept(x, mask) for x in reply.raw_lines[1:]))
    return Reply(reply.code, lines)


def _keyword_kept(line: bytes, mask: Mask) -> bytes:
    end = cast("re.Match[bytes]", _WORD.match(line)).end()  # it matches nothing as well
    if mask.scrub(line[:end]) == line[:end]:
        return mask.scrub(line)  # in one piece: a secret may hold blanks
    return line[:end] + mask.scrub(line[end:])


def _masked(reply: Reply, mask: Mask) -> Reply:
    return Reply(reply.code, tuple(map(mask.scrub, reply.raw_lines)))
