"""The state table. All that this library believes about the order of SMTP stands in this file.

Theory of operation
-------------------

A session is in one `State`. A client moves it by sending a command, and the server's reply says
where to: the table maps (state, verb) to the next state for each *severity* of the reply, the
first digit of its code (RFC 5321 section 4.2). An empty cell is a reply that no server may give
there, and ends the session. A missing row is a command that no client may send there.

With pipelining (RFC 2920) several commands are under way at once, and two cursors walk the same
table. The *receiver's* cursor is the state that the replies so far have led to. The *sender's*
cursor is where the session will be if everything in flight succeeds: the receiver's state,
folded over the commands in flight along each row's `success` column. A command may be sent if the
sender's cursor has a row for it; a reply is judged by the receiver's row.

The two differ when something in a group fails. MAIL, RCPT, DATA leave together; MAIL is refused;
the replies to RCPT and DATA now arrive in READY, where neither could have been sent. Rows for
that case are marked `only_pipelined`: replies find them, senders do not. That is where DATA
answered 354 with no recipient accepted gets its place, which RFC 2920 section 3.1 has a client meet
with a lone dot. Behind the end of the content the next MAIL may follow at once: that is how whole
transactions ride behind each other.

With BDAT (RFC 3030) the octets follow the command itself. A chunk that is refused, and whatever a
server says to a chunk that had no accepted recipient, leads to FAILED: RFC 3030 section 2 leaves
the state undefined there until RSET.

Four successes are pinned to one code, because any other code there means that client and server
have lost step: the greeting and STARTTLS (220), EHLO and HELO (250; a 220 is a second greeting),
AUTH (235, RFC 4954 section 6: anything else must not count as authenticated).

What is on other axes is not a state: whether the connection is encrypted, who is authenticated,
what the server offers. 421 and the end of the connection may come in any state and are handled for
all of them at once, in `Connection`.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ehlo.commands import Verb
from ehlo.reply import Severity

if TYPE_CHECKING:
    from ehlo.reply import Reply

__all__ = ["TABLE", "Row", "State", "path"]


class State(Enum):
    """Where a session is. The value is a description for the docs."""

    CONNECTED = "the greeting has not come yet"
    GREETED = "greeted; EHLO or HELO is due"
    READY = "no transaction; everything may begin"
    AUTHENTICATING = "inside a SASL exchange; a response is due"
    UPGRADING = "STARTTLS was accepted; the TLS handshake is due"
    MAIL = "the sender was accepted"
    RCPT = "at least one recipient was accepted"
    DATA = "the server waits for content"
    CHUNKS = "content is under way in chunks"
    FAILED = "a chunk was refused; RSET is due"
    CLOSING = "QUIT or 421: nothing more will be said"
    CLOSED = "the connection is gone"
    BROKEN = "client and server have lost step; only closing is left"

    # Members are singletons. Enum's own hash is a Python function, and every step looks up a row.
    __hash__ = object.__hash__


class Row(NamedTuple):
    """Where the replies to one command lead in one state.

    Attributes:
        completion: The next state on 2yz, or None where that is no legal reply.
        intermediate: The next state on 3yz, or None.
        negative: The next state on 4yz and 5yz, or None.
        success: The next state if all goes well: where the sender's cursor moves.
        code: The one code that counts as 2yz here, or 0 for all of them.
        only_pipelined: Whether this row is for replies alone, behind something that failed.
    """

    completion: State | None
    intermediate: State | None
    negative: State | None
    success: State
    code: int = 0
    only_pipelined: bool = False

    def next_state(self, reply: Reply) -> State | None:
        """Return where a reply leads, or None if it is no legal one.

        Args:
            reply: The server's reply.

        Returns:
            The next state.
        """
        digit = reply.code // 100
        if digit == Severity.POSITIVE_COMPLETION:
            return self.completion if not self.code or self.code == reply.code else None
        return self.intermediate if digit == Severity.POSITIVE_INTERMEDIATE else self.negative


def _completes(to: State, otherwise: State, code: int = 0) -> Row:
    """A command that succeeds with 2yz."""
    return Row(to, None, otherwise, to, code)


def _continues(to: State, otherwise: State) -> Row:
    """A command that succeeds with 3yz."""
    return Row(None, to, otherwise, to)


def _behind_failure(row: Row) -> Row:
    return row._replace(only_pipelined=True)


def _harmless(state: State) -> Row:
    """A command that leaves the state alone, whatever the reply (3yz is no legal one)."""
    return Row(state, None, state, state)


_S = State
_Table = dict[tuple[State, Verb], Row]

# RFC 5321 sections 3.1, 3.2: greeting, then EHLO or HELO; a refused one may be tried again.
# Section 4.1.4: EHLO may be repeated at any time outside the content, and resets like RSET.
# RFC 2033 section 4.1: LHLO is the EHLO of LMTP; which of them it is, the Connection knows.
_OPENING: _Table = {
    (_S.CONNECTED, Verb.GREETING): _completes(_S.GREETED, _S.CLOSING, 220),
    **{
        (state, verb): _completes(_S.READY, state, 250)
        for state in (_S.GREETED, _S.READY, _S.MAIL, _S.RCPT)
        for verb in (Verb.EHLO, Verb.HELO, Verb.LHLO)
    },
}

# RFC 3207 section 4; RFC 4954 section 4: neither within a transaction.
_SECURITY: _Table = {
    (_S.READY, Verb.STARTTLS): _completes(_S.UPGRADING, _S.READY, 220),
    (_S.READY, Verb.AUTH): Row(_S.READY, _S.AUTHENTICATING, _S.READY, _S.READY, 235),
    (_S.AUTHENTICATING, Verb.AUTH_RESPONSE): Row(
        _S.READY, _S.AUTHENTICATING, _S.READY, _S.READY, 235
    ),
}

# RFC 5321 section 3.3. A refused recipient leaves the transaction as it was.
_TRANSACTION: _Table = {
    (_S.READY, Verb.MAIL): _completes(_S.MAIL, _S.READY),
    (_S.MAIL, Verb.RCPT): _completes(_S.RCPT, _S.MAIL),
    (_S.RCPT, Verb.RCPT): _completes(_S.RCPT, _S.RCPT),
    (_S.RCPT, Verb.DATA): _continues(_S.DATA, _S.RCPT),
    (_S.DATA, Verb.END_OF_CONTENT): _completes(_S.READY, _S.READY),
    # Replies to the rest of a group whose MAIL, or whose every RCPT, was refused.
    (_S.READY, Verb.RCPT): _behind_failure(_completes(_S.READY, _S.READY)),
    (_S.READY, Verb.DATA): _behind_failure(_continues(_S.DATA, _S.READY)),
    (_S.MAIL, Verb.DATA): _behind_failure(_continues(_S.DATA, _S.MAIL)),
}

# RFC 3030 section 2.
_CHUNKING: _Table = {
    **{
        (state, verb): _completes(to, _S.FAILED)
        for state in (_S.RCPT, _S.CHUNKS)
        for verb, to in ((Verb.BDAT, _S.CHUNKS), (Verb.BDAT_LAST, _S.READY))
    },
    **{
        (state, verb): _behind_failure(_completes(_S.FAILED, _S.FAILED))
        for state in (_S.READY, _S.MAIL, _S.FAILED)
        for verb in (Verb.BDAT, Verb.BDAT_LAST)
    },
}

# RFC 5321 section 4.1.1.5: RSET is accepted in any state. A server that refuses it leaves the
# transaction in a state that nobody knows.
_RESET: _Table = {
    (_S.GREETED, Verb.RSET): _completes(_S.GREETED, _S.BROKEN),
    (_S.READY, Verb.RSET): _completes(_S.READY, _S.BROKEN),
    (_S.MAIL, Verb.RSET): _completes(_S.READY, _S.BROKEN),
    (_S.RCPT, Verb.RSET): _completes(_S.READY, _S.BROKEN),
    (_S.CHUNKS, Verb.RSET): _completes(_S.READY, _S.BROKEN),
    (_S.FAILED, Verb.RSET): _completes(_S.READY, _S.BROKEN),
}

# RFC 5321 sections 4.1.1.6 to 4.1.1.9: no effect on the state.
_BESIDE: _Table = {
    (state, verb): _harmless(state)
    for state in (_S.GREETED, _S.READY, _S.MAIL, _S.RCPT)
    for verb in (Verb.NOOP, Verb.VRFY, Verb.EXPN, Verb.HELP)
}

# RFC 1985 section 5; Postfix's XFORWARD_README: outside a transaction, and no effect on it.
_OUTSIDE: _Table = {
    (_S.READY, Verb.ETRN): _harmless(_S.READY),
    (_S.READY, Verb.XFORWARD): _harmless(_S.READY),
}

# Postfix's XCLIENT_README: success is a new greeting, and everything begins anew.
_XCLIENT: _Table = {
    (state, Verb.XCLIENT): _completes(_S.GREETED, state, 220) for state in (_S.GREETED, _S.READY)
}

# A line that the table does not know may be answered by anything at all.
_UNKNOWN: _Table = {
    (state, Verb.OTHER): Row(state, state, state, state)
    for state in (_S.GREETED, _S.READY, _S.MAIL, _S.RCPT)
}

# RFC 5321 section 4.1.1.10: whatever the answer to QUIT, the session is over. CLOSING: it is the
# one command that may be sent behind a 421.
_QUIT: _Table = {
    (state, Verb.QUIT): _completes(_S.CLOSING, _S.CLOSING)
    for state in (_S.GREETED, _S.READY, _S.MAIL, _S.RCPT, _S.CHUNKS, _S.FAILED, _S.CLOSING)
}

TABLE: Final[dict[tuple[State, Verb], Row]] = {
    **_OPENING,
    **_SECURITY,
    **_TRANSACTION,
    **_CHUNKING,
    **_RESET,
    **_BESIDE,
    **_OUTSIDE,
    **_XCLIENT,
    **_UNKNOWN,
    **_QUIT,
}
"""(state, verb) to the row that says where the replies lead."""

_RIDING: Final = frozenset({Verb.RSET, Verb.MAIL, Verb.RCPT, Verb.DATA, Verb.BDAT_LAST})
"""The verbs of transactions that may leave in one group, the last two at its end (RFC 2920)."""


@lru_cache(maxsize=256)
def path(state: State, verbs: tuple[Verb, ...]) -> State | None:
    """Return where a group of commands leads if all goes well.

    It is asked for with every group, and there are few different ones.

    Args:
        state: Where the sender's cursor is.
        verbs: The commands; a few at the most, since the answers are kept.

    Returns:
        Where the sender's cursor will be; None if they cannot leave together.
    """
    for number, verb in enumerate(verbs, 1):
        row = TABLE.get((state, verb))
        ends = verb in {Verb.DATA, Verb.BDAT_LAST}
        if (
            verb not in _RIDING
            or row is None
            or row.only_pipelined
            or ends > (number == len(verbs))
        ):
            return None
        state = row.success
    return state
