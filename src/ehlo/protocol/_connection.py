"""The Connection: the truth about one session, without any I/O."""

from __future__ import annotations

from ehlo.capabilities import Capabilities
from ehlo.errors import LocalProtocolError
from ehlo.protocol._receiving import Receiving
from ehlo.protocol._sending import Sending
from ehlo.protocol._state import State

__all__ = ["Connection"]


class Connection(Sending, Receiving):
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
        queued_octets: How many octets were queued since the beginning: where in the stream one is.
        count_unsent: Tells how many of the last octets handed out are known not to have left; set
            by whoever drives the Connection, where that can be known.
    """

    __slots__ = ()

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
            self._lengths.clear()
            self._in_flight_octets = self._owed = 0
