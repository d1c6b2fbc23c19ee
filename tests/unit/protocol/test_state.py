import itertools
from collections import deque

from ehlo.commands import Verb
from ehlo.protocol import State
from ehlo.protocol._state import TABLE
from ehlo.reply import Reply

ROWS = [(state, verb, row) for (state, verb), row in TABLE.items()]

REPLIES = [Reply(code) for code in (211, 220, 221, 235, 250, 334, 354, 421, 451, 550)]

FINAL = {State.CLOSED, State.BROKEN, State.UPGRADING}
"""States that no reply leads out of: CLOSED and BROKEN are ends, TLS is no reply."""


def test_every_row_is_typed_and_total() -> None:
    for state, verb, row in ROWS:
        assert isinstance(state, State)
        assert isinstance(verb, Verb)
        for reply in REPLIES:
            following = row.next_state(reply)
            assert following is None or isinstance(following, State)


def test_every_refusal_is_a_legal_reply() -> None:
    for state, verb, row in ROWS:
        assert row.next_state(Reply(450)) is row.next_state(Reply(550)) is row.negative
        assert row.negative is not None, (state, verb)


def test_success_is_where_a_good_reply_leads() -> None:
    for state, verb, row in ROWS:
        assert row.success in {row.completion, row.intermediate}, (state, verb)
        if row.completion is not None and verb not in {Verb.AUTH, Verb.AUTH_RESPONSE}:
            assert row.success is row.completion


def test_a_pinned_code_is_the_only_success() -> None:
    for state, verb, row in ROWS:
        pinned = {
            Verb.GREETING: 220,
            Verb.EHLO: 250,
            Verb.HELO: 250,
            Verb.LHLO: 250,
            Verb.STARTTLS: 220,
            Verb.XCLIENT: 220,
            Verb.AUTH: 235,
            Verb.AUTH_RESPONSE: 235,
        }
        assert row.code == pinned.get(verb, 0), state
        if row.code:
            assert row.next_state(Reply(row.code)) is row.completion
            assert row.next_state(Reply(row.code + 1)) is None


def test_no_row_leaves_an_end() -> None:
    for state, verb, row in ROWS:
        assert state not in FINAL, (verb, row)
        assert State.CLOSED not in row, "the connection's end is no reply"


def test_only_pipelined_rows_follow_a_failure() -> None:
    for state, verb, row in ROWS:
        if not row.only_pipelined:
            continue
        assert verb in {Verb.RCPT, Verb.DATA, Verb.BDAT, Verb.BDAT_LAST}
        assert state in {State.READY, State.MAIL, State.FAILED}
        # The same command is a legal one where the group would have been without the failure.
        assert any(
            not other.only_pipelined for (_, known), other in TABLE.items() if known is verb
        ), state


def test_every_state_is_reached() -> None:
    reached, queue = {State.CONNECTED}, deque([State.CONNECTED])
    while queue:
        here = queue.popleft()
        for (state, _), row in TABLE.items():
            if state is not here:
                continue
            for following in {row.completion, row.intermediate, row.negative} - {None}:
                assert following is not None
                if following not in reached:
                    reached.add(following)
                    queue.append(following)
    assert reached == set(State) - {State.CLOSED}


def test_rset_and_quit_may_be_sent_between_all_other_commands() -> None:
    between = (State.GREETED, State.READY, State.MAIL, State.RCPT)
    for state, verb in itertools.product(between, (Verb.RSET, Verb.QUIT, Verb.NOOP, Verb.OTHER)):
        assert (state, verb) in TABLE


def test_nothing_but_content_may_be_sent_after_354() -> None:
    assert [verb for state, verb in TABLE if state is State.DATA] == [Verb.END_OF_CONTENT]


def test_nothing_but_quit_may_be_sent_behind_421() -> None:
    assert [verb for state, verb in TABLE if state is State.CLOSING] == [Verb.QUIT]


def test_a_refused_rset_ends_the_session() -> None:
    assert all(row.negative is State.BROKEN for (_, v), row in TABLE.items() if v is Verb.RSET)
