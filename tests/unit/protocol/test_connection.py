import itertools

import pytest

from ehlo import commands
from ehlo.address import Address
from ehlo.commands import (
    Auth,
    AuthCancel,
    AuthResponse,
    Bdat,
    Command,
    Data,
    Ehlo,
    EndOfContent,
    Etrn,
    Expn,
    Greeting,
    Helo,
    Help,
    Lhlo,
    Mail,
    Noop,
    Quit,
    Raw,
    Rcpt,
    Rset,
    StartTls,
    Verb,
    Vrfy,
    Xclient,
    Xforward,
)
from ehlo.errors import CapabilityMissing, InvalidInput, LocalProtocolError, RemoteProtocolError
from ehlo.policies import Protocol
from ehlo.protocol import (
    NEED_DATA,
    Connection,
    ConnectionClosed,
    ReplyReceived,
    ServerClosing,
    State,
)
from ehlo.protocol._state import TABLE
from ehlo.reply import Reply
from ehlo.secret import Secret
from ehlo.transcript import Side, Transcript
from ehlo.wire import ReplyLimits
from support.stepping import Cut, hear, ready, said

MAIL = Mail(Address.of("ada@example.org"))
BOB = Rcpt(Address.of("bob@example.com"))
EVE = Rcpt(Address.of("eve@example.com"))

COMMANDS: dict[Verb, Command] = {
    Verb.GREETING: Greeting(),
    Verb.EHLO: Ehlo("client.example.org"),
    Verb.HELO: Helo("client.example.org"),
    Verb.STARTTLS: StartTls(),
    Verb.AUTH: Auth("LOGIN"),
    Verb.AUTH_RESPONSE: AuthResponse(Secret("YQ==")),
    Verb.MAIL: MAIL,
    Verb.RCPT: BOB,
    Verb.DATA: Data(),
    Verb.END_OF_CONTENT: EndOfContent(),
    Verb.RSET: Rset(),
    Verb.NOOP: Noop(),
    Verb.VRFY: Vrfy("bob"),
    Verb.EXPN: Expn("staff"),
    Verb.HELP: Help(),
    Verb.QUIT: Quit(),
    Verb.LHLO: Lhlo("client.example.org"),
    Verb.BDAT: Bdat(4, last=False),
    Verb.BDAT_LAST: Bdat(4, last=True),
    Verb.ETRN: Etrn("example.org"),
    Verb.XCLIENT: Xclient({"NAME": "client.example.org"}),
    Verb.XFORWARD: Xforward({"NAME": "client.example.org"}),
    Verb.OTHER: Raw("XFOO bar"),
}


UNASKED = [b"250 surprise\r\n", b"550 surprise\r\n", b"354 surprise\r\n"]


def ask(connection: Connection, command: Command, octets: bytes) -> None:
    connection.send(command)
    said(connection)
    hear(connection, octets)


CHUNK = Bdat(0, last=False)

WAYS: dict[State, list[tuple[Command, bytes]]] = {
    State.AUTHENTICATING: [(Auth("LOGIN"), b"334 \r\n")],
    State.UPGRADING: [(StartTls(), b"220 go\r\n")],
    State.MAIL: [(MAIL, b"250 ok\r\n")],
    State.RCPT: [(MAIL, b"250 ok\r\n"), (BOB, b"250 ok\r\n")],
    State.DATA: [(MAIL, b"250 ok\r\n"), (BOB, b"250 ok\r\n"), (Data(), b"354 go\r\n")],
    State.CHUNKS: [(MAIL, b"250 ok\r\n"), (BOB, b"250 ok\r\n"), (CHUNK, b"250 ok\r\n")],
    State.FAILED: [(MAIL, b"250 ok\r\n"), (BOB, b"250 ok\r\n"), (CHUNK, b"552 no\r\n")],
}


def at(state: State, *keywords: str, protocol: Protocol = Protocol.SMTP) -> Connection:
    """Return a Connection in the given state, with nothing in flight."""
    if state in {State.CONNECTED, State.GREETED}:
        connection = Connection(protocol=protocol)
    else:
        connection = ready(*keywords, protocol=protocol)
    for command, reply in WAYS.get(state, []):
        ask(connection, command, reply)
    match state:
        case State.GREETED:
            hear(connection, b"220 hello\r\n")
        case State.CLOSING:
            hear(connection, b"421 bye\r\n")
        case State.CLOSED:
            connection.receive_eof()
            connection.next_event()
        case State.BROKEN:
            with pytest.raises(RemoteProtocolError):
                hear(connection, b"garbage\r\n")
        case _:
            pass
    assert connection.state is state
    return connection


# -- Which command when ----------------------------------------------------------------------------


FOREIGN = {Protocol.SMTP: {Verb.LHLO}, Protocol.LMTP: {Verb.EHLO, Verb.HELO}}
"""RFC 2033 section 4.1: the one is not spoken where the other is."""

SPOKEN = pytest.mark.parametrize("protocol", list(Protocol))


def may_be_sent(state: State, verb: Verb, protocol: Protocol = Protocol.SMTP) -> bool:
    """Tell what the table says of a command, and beside it the few rules that it does not hold."""
    row = TABLE.get((state, verb))
    if row is None or row.only_pipelined or verb in FOREIGN[protocol]:
        return False
    return verb not in {Verb.GREETING, Verb.END_OF_CONTENT}


@SPOKEN
@pytest.mark.parametrize("state", list(State), ids=lambda state: state.name)
def test_a_command_may_be_sent_where_the_table_says(state: State, protocol: Protocol) -> None:
    assert set(COMMANDS) == set(Verb)
    for verb, command in COMMANDS.items():
        connection = at(state, protocol=protocol)
        legal = may_be_sent(state, verb, protocol)
        assert connection.may_send(command) is legal, verb
        before = connection.in_flight
        if not legal:
            with pytest.raises(LocalProtocolError, match="cannot be sent now"):
                connection.send(command)
            assert connection.in_flight == before
            assert said(connection) == b""
            assert connection.state is state
            continue
        connection.send(command)
        assert said(connection) == command.wire()
        assert connection.in_flight == (command,)
        assert connection.projected_state is TABLE[state, verb].success
        assert not connection.is_in_step
        assert not connection.is_idle


REPLIES = [Reply.of(code, "text") for code in (211, 220, 235, 250, 334, 354, 450, 550)]
IN_STEP = {State.GREETED, State.READY, State.MAIL, State.RCPT, State.CHUNKS, State.FAILED}


def asked(state: State, verb: Verb) -> Connection:
    """Return a Connection with one command in flight, and the content that follows it."""
    connection = at(state, protocol=Protocol.LMTP if verb is Verb.LHLO else Protocol.SMTP)
    if verb is Verb.END_OF_CONTENT:
        connection.end_content()
    elif verb is not Verb.GREETING:
        connection.send(COMMANDS[verb])
    if connection.owed_octets:
        connection.send_content(b"x" * connection.owed_octets)
    said(connection)
    return connection


@pytest.mark.parametrize(
    ("state", "verb"),
    [key for key, row in TABLE.items() if not row.only_pipelined],
    ids=lambda part: part.name,
)
def test_a_reply_leads_where_the_table_says(state: State, verb: Verb) -> None:
    for reply in REPLIES:
        connection = asked(state, verb)
        connection.receive_data(reply.wire())
        following = TABLE[state, verb].next_state(reply)
        if following is None:
            with pytest.raises(RemoteProtocolError, match=f"{reply.code} is no answer to"):
                connection.next_event()
            assert connection.state is State.BROKEN
        else:
            assert connection.next_event() == ReplyReceived(COMMANDS[verb], reply)
            assert connection.state is connection.projected_state is following
            assert connection.in_flight == ()
        assert connection.is_in_step is (following in IN_STEP)
        assert connection.is_idle is (following is State.READY)
        assert connection.is_over is (following in {None, State.CLOSING, State.BROKEN})


def test_greeting_and_lone_dot_are_never_sent_as_commands() -> None:
    assert not at(State.CONNECTED).may_send(Greeting())
    assert not at(State.DATA).may_send(EndOfContent())


def test_authentication_succeeds_once() -> None:
    connection = ready("AUTH PLAIN")
    ask(connection, Auth("PLAIN", Secret("AGEAYg==")), b"235 ok\r\n")
    assert connection.authenticated
    with pytest.raises(LocalProtocolError, match="authenticated already"):
        connection.send(Auth("PLAIN"))


def test_authentication_that_failed_may_be_repeated() -> None:
    connection = ready("AUTH PLAIN")
    ask(connection, Auth("PLAIN"), b"535 no\r\n")
    assert not connection.authenticated
    assert connection.may_send(Auth("PLAIN"))


@pytest.mark.parametrize("code", [250, 220, 200])
def test_authentication_succeeds_by_235_alone(code: int) -> None:
    connection = ready()
    connection.send(Auth("PLAIN"))
    with pytest.raises(RemoteProtocolError):
        hear(connection, b"%d ok\r\n" % code)
    assert not connection.authenticated


def test_a_command_that_is_no_line_is_not_sent() -> None:
    connection = ready()
    with pytest.raises(InvalidInput, match="2048"):
        connection.send(Raw("X" * 3000))
    assert connection.is_idle
    assert said(connection) == b""


# -- Groups ----------------------------------------------------------------------------------------

CONTINUES_A_GROUP = {
    Verb.MAIL,
    Verb.RCPT,
    Verb.RSET,
    Verb.END_OF_CONTENT,
    Verb.BDAT,
    Verb.BDAT_LAST,
    Verb.XFORWARD,
}
"""RFC 2920 section 3.1, RFC 3030 section 4.2, XFORWARD_README; all others are its last."""


def first_in_group(verb: Verb, *keywords: str) -> tuple[State, Connection]:
    """Return a Connection that has just sent a command."""
    states = (State.READY, State.MAIL, State.RCPT, State.DATA, State.AUTHENTICATING)
    state = next((state for state in states if may_be_sent(state, verb)), State.CONNECTED)
    state = State.DATA if verb is Verb.END_OF_CONTENT else state
    connection = at(state, *keywords)
    if verb is Verb.END_OF_CONTENT:
        connection.end_content()
    elif verb is not Verb.GREETING:
        connection.send(COMMANDS[verb])
    if connection.owed_octets:
        connection.send_content(b"x" * connection.owed_octets)
    return state, connection


@pytest.mark.parametrize("first", [verb for verb in Verb if verb is not Verb.LHLO])
@pytest.mark.parametrize("offered", [True, False])
def test_what_may_follow_what_in_a_group(first: Verb, offered: bool) -> None:
    """T5: pipelining only where it is offered; a command that ends a group is its last."""
    state, connection = first_in_group(first, *["PIPELINING"] * offered)
    behind = TABLE[state, first].success
    for second, command in COMMANDS.items():
        legal = offered and first in CONTINUES_A_GROUP and may_be_sent(behind, second)
        assert connection.may_send(command) is legal, second
        if not legal:
            with pytest.raises(LocalProtocolError):
                connection.send(command)


def test_the_objection_says_which_rule() -> None:
    lock_step = ready()
    lock_step.send(MAIL)
    with pytest.raises(LocalProtocolError, match="does not offer PIPELINING"):
        lock_step.send(BOB)
    group = ready("PIPELINING")
    group.send(Noop())
    with pytest.raises(LocalProtocolError, match="reply to NOOP must come first"):
        group.send(MAIL)
    with pytest.raises(LocalProtocolError, match="READY") as caught:
        ready().send(Data())
    assert caught.value.command == "DATA"
    with pytest.raises(LocalProtocolError, match="the session speaks SMTP"):
        at(State.GREETED).send(Lhlo("client.example.org"))
    with pytest.raises(LocalProtocolError, match="the session speaks LMTP"):
        at(State.GREETED, protocol=Protocol.LMTP).send(Ehlo("client.example.org"))


def test_two_cursors() -> None:
    connection = ready("PIPELINING")
    for command, projected in ((MAIL, State.MAIL), (BOB, State.RCPT), (Data(), State.DATA)):
        connection.send(command)
        assert connection.projected_state is projected
        assert connection.state is State.READY
    assert connection.in_flight_octets == len(said(connection))
    for reply, state, left in (
        (b"250 ok\r\n", State.MAIL, 2),
        (b"250 ok\r\n", State.RCPT, 1),
        (b"354 go\r\n", State.DATA, 0),
    ):
        connection.receive_data(reply)
        assert isinstance(connection.next_event(), ReplyReceived)
        assert connection.state is state
        assert len(connection.in_flight) == left
    assert connection.in_flight_octets == 0


def group() -> Connection:
    connection = ready("PIPELINING")
    for command in (MAIL, BOB, EVE, Data()):
        connection.send(command)
    said(connection)
    return connection


@pytest.mark.parametrize("answers", ["".join(p) for p in itertools.product("+-", repeat=3)])
@pytest.mark.parametrize("data", [b"354 go\r\n", b"554 no\r\n"])
@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_a_group_with_refusals_is_followed(answers: str, data: bytes, cut: Cut) -> None:
    connection = group()
    octets = b"".join(b"250 ok\r\n" if answer == "+" else b"550 no\r\n" for answer in answers)
    for piece in cut.pieces(octets):
        hear(connection, piece)
    mail, bob, eve = (answer == "+" for answer in answers)
    state = State.READY if not mail else State.RCPT if bob or eve else State.MAIL
    assert connection.state is state
    assert connection.projected_state is State.DATA
    assert connection.in_flight == (Data(),)
    hear(connection, data)
    expected = State.DATA if data[:1] == b"3" else state
    assert connection.state is connection.projected_state is expected
    if connection.state.name == "DATA":
        connection.end_content()
        assert said(connection) == b".\r\n"
        hear(connection, b"554 nobody\r\n")
        assert connection.is_idle
    else:
        assert connection.is_in_step
        assert connection.is_idle is (not mail)


def test_a_group_is_refolded_at_each_failure() -> None:
    connection = ready("PIPELINING")
    for command in (MAIL, BOB, EVE):
        connection.send(command)
    hear(connection, b"550 no\r\n")
    assert connection.projected_state is State.READY
    assert not connection.may_send(Data())
    hear(connection, b"503 MAIL first\r\n503 MAIL first\r\n")
    assert connection.state is connection.projected_state is State.READY
    said(connection)
    assert connection.is_idle


def test_refolding_keeps_a_transaction_that_lives() -> None:
    connection = ready("PIPELINING")
    for command in (MAIL, BOB, EVE):
        connection.send(command)
    hear(connection, b"250 ok\r\n550 no\r\n")
    assert connection.state is State.MAIL
    assert connection.projected_state is State.RCPT
    assert connection.may_send(Data())


def test_refolding_skips_what_has_no_row_any_more() -> None:
    """A refused RSET loses step; what rides behind it has no place in the table."""
    connection = ready("PIPELINING")
    connection.send(Rset())
    connection.send(MAIL)
    said(connection)
    connection.receive_data(b"502 no\r\n")
    assert connection.next_event() == ReplyReceived(Rset(), Reply.of(502, "no"))
    assert connection.state is connection.projected_state is State.BROKEN
    assert connection.ending == "the session was ended by 502 no"
    with pytest.raises(RemoteProtocolError, match="the session was ended by 502 no"):
        connection.next_event()


# -- Content ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", [state for state in State if state is not State.DATA], ids=lambda state: state.name
)
def test_content_goes_out_behind_354_alone(state: State) -> None:
    connection = at(state)
    with pytest.raises(LocalProtocolError, match="no content"):
        connection.send_content(b"text")
    with pytest.raises(LocalProtocolError, match="no content"):
        connection.end_content()
    assert said(connection) == b""


def test_content_is_encoded_and_ended_once() -> None:
    connection = at(State.DATA)
    connection.send_content(b".first\nsecond\r")
    connection.send_content(memoryview(b"\n.third"))
    connection.end_content()
    assert said(connection) == b"..first\r\nsecond\r\n..third\r\n.\r\n"
    assert connection.in_flight == (EndOfContent(),)
    with pytest.raises(LocalProtocolError):
        connection.send_content(b"more")
    with pytest.raises(LocalProtocolError):
        connection.end_content()
    hear(connection, b"250 queued\r\n")
    assert connection.is_idle


def test_each_content_begins_at_a_line_start() -> None:
    connection = at(State.DATA)
    connection.send_content(b"not ended")
    connection.end_content()
    said(connection)
    hear(connection, b"250 queued\r\n")
    ask(connection, MAIL, b"250 ok\r\n")
    ask(connection, BOB, b"250 ok\r\n")
    ask(connection, Data(), b"354 go\r\n")
    connection.end_content()
    assert said(connection) == b".\r\n"


def test_the_next_envelope_may_ride_behind_the_dot() -> None:
    connection = at(State.DATA, "PIPELINING")
    connection.end_content()
    connection.send(MAIL)
    assert connection.in_flight == (EndOfContent(), MAIL)
    assert connection.projected_state is State.MAIL


def test_no_content_while_the_reply_to_data_is_due() -> None:
    connection = group()
    hear(connection, b"250 ok\r\n250 ok\r\n250 ok\r\n")
    assert connection.projected_state is State.DATA
    with pytest.raises(LocalProtocolError):
        connection.send_content(b"text")


@pytest.mark.parametrize("octets", [b"552 too big\r\n", b"451 disk full\r\n"])
def test_content_may_be_refused_before_its_end(octets: bytes) -> None:
    connection = at(State.DATA)
    connection.send_content(b"text")
    connection.receive_data(octets)
    event = connection.next_event()
    assert event == ReplyReceived(EndOfContent(), Reply.of(int(octets[:3]), octets[4:-2].decode()))
    assert connection.state is State.CLOSING
    assert "refused the content before its end" in connection.ending
    assert connection.is_over
    assert not connection.is_in_step
    with pytest.raises(LocalProtocolError):
        connection.end_content()


@pytest.mark.parametrize("octets", [b"250 ok\r\n", b"354 go\r\n"])
def test_nothing_else_may_come_before_the_end_of_content(octets: bytes) -> None:
    connection = at(State.DATA)
    with pytest.raises(RemoteProtocolError, match="no command asked for"):
        hear(connection, octets)
    assert connection.state is State.BROKEN


@pytest.mark.parametrize("octets", UNASKED)
def test_no_content_is_sent_over_a_reply_that_is_there(octets: bytes) -> None:
    """R11: else it would be taken for the reply to the content."""
    connection = at(State.DATA)
    connection.receive_data(octets)
    with pytest.raises(RemoteProtocolError, match="no command asked for"):
        connection.send_content(b"text")
    assert said(connection) == b""


# -- 421 -------------------------------------------------------------------------------------------

STATES_421 = [
    State.GREETED,
    State.READY,
    State.AUTHENTICATING,
    State.UPGRADING,
    State.MAIL,
    State.RCPT,
    State.DATA,
    State.CHUNKS,
    State.FAILED,
]
BYE = Reply.of(421, "4.3.2 closing down")


@pytest.mark.parametrize("state", STATES_421, ids=lambda state: state.name)
def test_421_unasked_ends_the_session_anywhere(state: State) -> None:
    connection = at(state)
    connection.receive_data(BYE.wire())
    assert connection.next_event() == ServerClosing(BYE)
    assert connection.state is connection.projected_state is State.CLOSING
    assert connection.closing_reply == BYE
    assert "closing down" in connection.ending
    assert connection.is_over
    assert not connection.is_idle
    assert not connection.may_send(Noop())
    assert connection.may_send(Quit())


@pytest.mark.parametrize("position", range(4))
def test_421_in_a_group_ends_the_session(position: int) -> None:
    connection = group()
    sent = connection.in_flight
    hear(connection, b"250 ok\r\n" * position)
    connection.receive_data(BYE.wire())
    assert connection.next_event() == ReplyReceived(sent[position], BYE)
    assert connection.state is connection.projected_state is State.CLOSING
    assert connection.closing_reply == BYE
    # What the server still says to the rest of the group is told, and changes nothing.
    for command in sent[position + 1 :]:
        connection.receive_data(b"354 go\r\n")
        assert connection.next_event() == ReplyReceived(command, Reply.of(354, "go"))
    assert connection.state is State.CLOSING


def test_421_to_the_greeting() -> None:
    connection = Connection()
    connection.receive_data(BYE.wire())
    assert connection.next_event() == ReplyReceived(Greeting(), BYE)
    assert connection.state is State.CLOSING
    assert connection.greeting is None


def test_last_words_behind_421_change_nothing() -> None:
    connection = at(State.CLOSING)
    hear(connection, b"250 whatever\r\n354 more\r\n")
    assert connection.state is State.CLOSING
    connection.send(Quit())
    said(connection)
    connection.receive_data(b"221 bye\r\n")
    assert connection.next_event() == ReplyReceived(Quit(), Reply.of(221, "bye"))
    assert connection.state is State.CLOSING


def test_a_success_behind_421_teaches_nothing_of_the_state() -> None:
    connection = ready("PIPELINING")
    connection.send(MAIL)
    connection.send(Ehlo("client.example.org"))
    hear(connection, b"421 bye\r\n250 mx\r\n")
    assert connection.state is State.CLOSING


# -- The end of the connection ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [state for state in State if state not in {State.CLOSED, State.BROKEN}],
    ids=lambda state: state.name,
)
@pytest.mark.parametrize("inside", [b"", b"2", b"250 ok", b"250-more\r\n", b"250 ok\r"])
def test_eof_is_told_once_anywhere(state: State, inside: bytes) -> None:
    """R1: what the end cuts off is no reply."""
    connection = at(state)
    due = connection.in_flight
    connection.receive_data(inside)
    assert connection.next_event() is NEED_DATA
    connection.receive_eof()
    assert not connection.is_in_step
    assert not connection.needs_data
    assert connection.next_event() == ConnectionClosed(due, bool(inside))
    assert connection.state is connection.projected_state is State.CLOSED
    assert connection.in_flight == ()
    assert connection.is_over
    assert connection.next_event() is NEED_DATA


def test_eof_tells_which_commands_went_unanswered() -> None:
    """T7."""
    connection = group()
    hear(connection, b"250 ok\r\n")
    connection.receive_eof()
    assert connection.next_event() == ConnectionClosed((BOB, EVE, Data()))


def test_replies_before_the_end_are_told_first() -> None:
    connection = ready()
    connection.send(Noop())
    connection.receive_data(b"250 ok\r\n")
    connection.receive_eof()
    assert connection.next_event() == ReplyReceived(Noop(), Reply.of(250, "ok"))
    assert not connection.is_in_step
    assert not connection.is_idle
    assert connection.next_event() == ConnectionClosed()


# -- Octets nobody asked for -----------------------------------------------------------------------


@pytest.mark.parametrize("octets", UNASKED)
@pytest.mark.parametrize(
    "state",
    [state for state in STATES_421 if state is not State.DATA],
    ids=lambda state: state.name,
)
def test_unsolicited_replies_break_the_session(state: State, octets: bytes) -> None:
    """R11."""
    connection = at(state)
    connection.receive_data(octets)
    assert not connection.is_in_step
    with pytest.raises(RemoteProtocolError, match=r"no command asked for: .*surprise") as caught:
        connection.next_event()
    assert caught.value.command is None
    assert connection.state is State.BROKEN
    with pytest.raises(RemoteProtocolError):
        connection.next_event()
    with pytest.raises(RemoteProtocolError):
        connection.assert_in_step()


@pytest.mark.parametrize("octets", [*UNASKED, b"2", b"250-a\r\n", b"garbage", b"\r\n"])
def test_no_command_is_sent_over_left_over_octets(octets: bytes) -> None:
    """R11: no reply is ever paired with another command."""
    connection = ready()
    connection.receive_data(octets)
    assert not connection.is_idle
    assert connection.may_send(Noop())
    with pytest.raises(RemoteProtocolError, match="octets that no command asked for"):
        connection.send(Noop())
    assert said(connection) == b""
    assert connection.state is State.BROKEN


# -- Broken replies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"garbage\r\n",
        b"\x16\x03\x01\x00\x2e\x02",
        b"1234 ok\r\n",
        b"999 ok\r\n",
        b"250-one\r\n251 two\r\n",
        b"250\tok\r\n",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_garbage_breaks_the_session(octets: bytes, cut: Cut) -> None:
    connection = ready()
    connection.send(Noop())
    said(connection)
    with pytest.raises(RemoteProtocolError, match="broke the protocol") as caught:
        hear(connection, *cut.pieces(octets))
    assert caught.value.command == "NOOP"
    assert connection.state is State.BROKEN
    assert connection.is_over
    assert not connection.is_in_step
    with pytest.raises(RemoteProtocolError):
        connection.next_event()


def test_limits_are_passed_on() -> None:
    connection = Connection(limits=ReplyLimits(line=20))
    with pytest.raises(RemoteProtocolError, match="more than 20 octets"):
        hear(connection, b"220 " + b"x" * 30 + b"\r\n")


def test_wrong_stage_replies_break_the_session() -> None:
    """T3."""
    for state, command, octets in (
        (State.READY, MAIL, b"354 go\r\n"),
        (State.MAIL, BOB, b"354 go\r\n"),
        (State.RCPT, Data(), b"250 ok\r\n"),
        (State.GREETED, Ehlo("client.example.org"), b"220 mx\r\n"),
        (State.READY, StartTls(), b"250 ok\r\n"),
        (State.READY, Noop(), b"354 go\r\n"),
    ):
        connection = at(state)
        connection.send(command)
        said(connection)
        with pytest.raises(RemoteProtocolError, match="is no answer to"):
            hear(connection, octets)
        assert connection.state is State.BROKEN
    with pytest.raises(RemoteProtocolError, match="250 is no answer"):
        hear(Connection(), b"250 mx\r\n")


# -- What the server announced ---------------------------------------------------------------------


def test_ehlo_teaches_and_helo_forgets() -> None:
    connection = ready("PIPELINING", "SIZE 1000")
    assert connection.greeting == Reply.of(220, "mx.example.com ESMTP")
    assert connection.esmtp is True
    assert connection.capabilities.size == 1000
    ask(connection, Ehlo("client.example.org"), b"250-mx\r\n250 DSN\r\n")
    assert not connection.capabilities.pipelining
    assert connection.capabilities.dsn
    ask(connection, Ehlo("client.example.org"), b"502 no\r\n")
    assert connection.capabilities.dsn
    ask(connection, Helo("client.example.org"), b"250 mx\r\n")
    assert (connection.esmtp, dict(connection.capabilities.keywords)) == (False, {})


# -- TLS -------------------------------------------------------------------------------------------


def test_starttls_forgets_what_was_announced() -> None:
    """L2, E1."""
    connection = at(State.UPGRADING, "PIPELINING", "AUTH PLAIN", "STARTTLS")
    assert not connection.is_in_step
    connection.tls_started()
    assert connection.encrypted
    assert connection.state is connection.projected_state is State.GREETED
    assert not connection.capabilities.keywords
    assert not connection.esmtp
    assert not connection.may_send(MAIL)
    assert connection.may_send(Ehlo("client.example.org"))


def test_implicit_tls_begins_before_the_greeting() -> None:
    connection = Connection()
    connection.tls_started()
    assert connection.encrypted
    hear(connection, b"220 mx\r\n")
    assert connection.state is State.GREETED


@pytest.mark.parametrize(
    "octets",
    [b"250 x\r\n", b"2", b"\r\n", b"\0", b"220 again\r\n", b"\x16\x03\x01", b"421 bye\r\n"],
)
@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_octets_in_clear_do_not_survive_into_tls(octets: bytes, cut: Cut) -> None:
    """L1: whatever they are, in any segment."""
    reply = b"220 go ahead\r\n"
    for split in range(len(reply) + len(octets) + 1):
        connection = ready("STARTTLS")
        connection.send(StartTls())
        said(connection)
        whole = reply + octets
        for piece in (whole[:split], *cut.pieces(whole[split:])):
            connection.receive_data(piece)
            if connection.state is not State.UPGRADING:
                connection.next_event()
        assert connection.state.name == "UPGRADING"
        assert not connection.is_in_step
        with pytest.raises(RemoteProtocolError, match="no command asked for"):
            connection.tls_started()
        assert not connection.encrypted
        assert connection.state is State.BROKEN


@pytest.mark.parametrize(
    "state",
    [state for state in State if state not in {State.CONNECTED, State.UPGRADING}],
    ids=lambda state: state.name,
)
def test_tls_does_not_begin_elsewhere(state: State) -> None:
    with pytest.raises(LocalProtocolError, match="TLS cannot begin"):
        at(state).tls_started()


def test_tls_does_not_begin_twice() -> None:
    connection = Connection()
    connection.tls_started()
    with pytest.raises(LocalProtocolError):
        connection.tls_started()


# -- Giving up -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.name)
def test_an_abandoned_connection_is_over(state: State) -> None:
    connection = at(state)
    connection.abandon("the client went away")
    assert connection.state is (State.BROKEN if state is State.BROKEN else State.CLOSED)
    assert connection.is_over
    assert not connection.is_in_step
    assert connection.in_flight == () or state is State.BROKEN
    assert said(connection) == b""
    assert not connection.may_send(Quit())


def test_abandoning_forgets_what_is_queued() -> None:
    """C1: the late reply reaches nobody."""
    connection = group()
    connection.abandon("cancelled")
    assert connection.ending == "cancelled"
    assert connection.in_flight == ()
    assert connection.in_flight_octets == 0
    connection.receive_data(b"250 late\r\n")
    assert connection.next_event() is NEED_DATA
    assert not connection.is_idle


def test_what_is_not_fetched_is_not_in_step() -> None:
    connection = at(State.DATA)
    connection.send_content(b"text")
    connection.abandon("cancelled")
    assert said(connection) == b""


# -- Trace and secrets -----------------------------------------------------------------------------


def test_the_trace_sees_the_dialogue() -> None:
    trace = Transcript()
    connection = ready("PIPELINING", trace=trace)
    ask(connection, MAIL, b"250 ok\r\n")
    ask(connection, BOB, b"250 ok\r\n")
    ask(connection, Data(), b"354 \r\n")
    connection.send_content(b".text")
    connection.end_content()
    said(connection)
    hear(connection, b"250 queued\r\n")
    hear(connection, BYE.wire())
    connection.receive_eof()
    connection.next_event()
    assert str(trace).splitlines() == [
        "S: 220 mx.example.com ESMTP",
        "C: EHLO client.example.org",
        "S: 250-mx.example.com",
        "S: 250 PIPELINING",
        "C: MAIL FROM:<ada@example.org>",
        "S: 250 ok",
        "C: RCPT TO:<bob@example.com>",
        "S: 250 ok",
        "C: DATA",
        "S: 354",
        "C: ..text",
        "C: .",
        "S: 250 queued",
        "S: 421 4.3.2 closing down",
        "*: the server closed the session: 421 4.3.2 closing down",
    ]


def test_the_trace_sees_how_it_broke() -> None:
    trace = Transcript()
    connection = ready(trace=trace)
    with pytest.raises(RemoteProtocolError):
        hear(connection, b"\x1b[2J nonsense\r\n")
    note = trace.entries[-1]
    assert note.side is Side.NOTE
    assert note.text.startswith("protocol error: ")
    assert "\x1b" not in note.text


SECRET = Secret("AGFkYQB0YW5zdGFhZg==")
PASSWORD = Secret("tanstaaf")
SECRETS = (SECRET.reveal(), PASSWORD.reveal())


def authenticating(command: Command, trace: Transcript) -> Connection:
    connection = ready("AUTH PLAIN LOGIN", trace=trace)
    if isinstance(command, AuthResponse):
        ask(connection, Auth("LOGIN"), b"334 \r\n")
    connection.send(command)
    said(connection)
    return connection


AUTHS = [Auth("PLAIN", SECRET, (PASSWORD,)), AuthResponse(SECRET, (PASSWORD,))]


@pytest.mark.parametrize("command", AUTHS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("echo", SECRETS)
def test_a_secret_that_is_echoed_is_not_shown(command: Command, echo: str) -> None:
    """A8: in replies and in the trace."""
    trace = Transcript()
    connection = authenticating(command, trace)
    connection.receive_data(b"535-no, %b!\r\n535 %b\r\n" % (echo.encode(), echo.encode()))
    event = connection.next_event()
    assert isinstance(event, ReplyReceived)
    assert event.reply == Reply.of(535, "no, ***!", "***")
    assert not any(secret in str(trace) for secret in SECRETS)


@pytest.mark.parametrize("command", AUTHS, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("echo", SECRETS)
@pytest.mark.parametrize("form", [b"%b\r\n", b"535-no\r\n550 %b\r\n"])
def test_a_secret_is_not_shown_in_a_protocol_error(
    command: Command, echo: str, form: bytes
) -> None:
    trace = Transcript()
    connection = authenticating(command, trace)
    with pytest.raises(RemoteProtocolError) as caught:
        hear(connection, form % echo.encode())
    shown = f"{caught.value} {caught.value.command} {connection.ending} {trace}"
    assert not any(secret in shown for secret in SECRETS)


def test_a_cancelled_exchange_shows_its_star() -> None:
    trace = Transcript()
    connection = authenticating(AuthResponse(SECRET), trace)
    hear(connection, b"334 \r\n")
    connection.send(AuthCancel())
    assert said(connection) == b"*\r\n"
    assert str(trace.entries[-1]) == "C: *"


def test_commands_has_all_that_is_tested_here() -> None:
    tested = {type(command).__name__ for command in COMMANDS.values()} | {"AuthCancel"}
    kinds = {name for name in commands.__all__ if name.istitle() or name in TWO_WORDS}
    assert tested == kinds - {"Body", "Command", "Verb"}


TWO_WORDS = {"AuthCancel", "AuthResponse", "EndOfContent", "StartTls"}


# -- For those who write content -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "octets", "news"),
    [
        (State.READY, b"250 x\r\n", False),
        (State.DATA, b"", False),
        (State.DATA, b"25", False),
        (State.DATA, b"552 x\r\n", True),
    ],
)
def test_news_are_what_a_writer_of_content_looks_at(
    state: State, octets: bytes, news: bool
) -> None:
    connection = at(state)
    connection.receive_data(octets)
    assert connection.has_news is news


def test_the_reply_to_what_is_in_flight_is_news() -> None:
    connection = ready()
    connection.send(Noop())
    assert not connection.has_news
    connection.receive_data(b"250 ok\r\n")
    assert connection.has_news


def test_an_address_that_is_not_ascii_needs_smtputf8() -> None:
    command = Mail(Address.of("gr\u00fcn@example.org"))
    connection = ready()
    with pytest.raises(CapabilityMissing, match="SMTPUTF8") as caught:
        connection.send(command)
    assert caught.value.capability == "SMTPUTF8"
    assert connection.is_idle
    connection.send(Raw("VRFY gr\u00fcn"))
    assert said(connection) == "VRFY gr\u00fcn\r\n".encode()
    connection = ready("SMTPUTF8")
    connection.send(command)
    assert said(connection) == command.wire()
