"""The sending half of a Connection: commands and content in, octets out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ehlo.commands import Bdat, Command, EndOfContent, Mail, Raw, Rcpt, Verb
from ehlo.content import LineEnds
from ehlo.errors import CapabilityMissing, LocalProtocolError
from ehlo.protocol._facts import Facts
from ehlo.protocol._state import TABLE, State, path
from ehlo.transcript import Side
from ehlo.wire import ContentEncoder, Framing, encode_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sending"]

_COUNTED: Final = frozenset({Verb.MAIL, Verb.RCPT, Verb.BDAT, Verb.BDAT_LAST})
_END_OF_CONTENT: Final = EndOfContent()
_NOT_BY_SEND: Final = frozenset({Verb.GREETING, Verb.END_OF_CONTENT})
_PATH_MAX: Final = 8
"""Commands of a group that is looked up as a whole; a longer one gains little by it."""


class Sending(Facts):
    """What a Connection can be told to send."""

    __slots__ = ()

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
        if not start and self.send_group(commands, in_flight_max):
            return len(commands)
        for index in range(start, len(commands)):
            command = commands[index]
            if self._in_flight and self._in_flight_octets >= in_flight_max:
                return index
            if self._objection(command):
                return index
            self._send(command)
        return len(commands)

    def send_group(  # noqa: C901 - a list of all that makes a group unusual
        self, commands: Sequence[Command], in_flight_max: int, content: bytes = b""
    ) -> bool:
        """Queue the commands of a transaction as one group, or nothing if that is not usual.

        It does what `send` does for each of them, with one look at the state table and one encoding
        for all: a third of the work.

        Args:
            commands: The commands, in order.
            in_flight_max: As for `send_some`.
            content: The octets behind a BDAT that ends the group, all of them or none.

        Returns:
            Whether it was queued. If not, each command has to be looked at by itself.

        Raises:
            RemoteProtocolError: As for `send`.
        """
        if self._owed or self._counts_domains or self._trace is not None:
            return False
        in_flight = self._in_flight
        target = path(self._projected, tuple([command.verb for command in commands[:_PATH_MAX]]))
        if target is None or not 0 < len(commands) <= _PATH_MAX or not self.capabilities.pipelining:
            return False
        if content and not _announces(commands[-1], content):
            return False
        if not in_flight:
            self.assert_in_step()
        elif in_flight[-1].ends_group:
            return False
        wired = Command.wire_together(commands)
        if wired is None or self._in_flight_octets + len(wired[0]) > in_flight_max:
            return False
        octets, lengths = wired
        in_flight += commands
        self._lengths += lengths
        self._in_flight_octets += len(octets)
        self._projected = target
        self._outgoing += (octets, content) if content else (octets,)
        self.queued_octets += len(octets) + len(content)
        for command in commands:
            if type(command) is Mail:
                self.transactions += 1
            elif type(command) is Bdat:
                self._owed = command.size - len(content)
        return True

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
            self._domains = self._domains or set()
            self._domains.add(command.recipient.domain.lower())

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
        self._in_flight.append(command)
        self._lengths.append(octets - 2)
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
            last = self._in_flight[-1]
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
        if self._encoder is None:
            self._encoder = ContentEncoder()
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
        octets = (self._encoder or ContentEncoder()).finish()
        self._encoder = None
        self._queue_content(octets)
        self._fly(_END_OF_CONTENT, len(octets))

    def send_whole(self, content: bytes, line_ends: LineEnds = LineEnds.ANY) -> None:
        """Queue content and its end at once: `send_content` and `end_content` in one.

        Args:
            content: All octets of the content.
            line_ends: What is known of it; it is believed.

        Raises:
            LocalProtocolError: The server does not wait for content.
            RemoteProtocolError: It has said something; `next_event` would have told.
        """
        self._require_content()
        octets = encode_whole(content, Framing.DATA, line_ends)
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


def _announces(command: Command, content: bytes) -> bool:
    """Return whether a command announces just these octets: more of them would be commands."""
    return isinstance(command, Bdat) and command.size == len(content)
