"""The rules of a pool, stepped by hand: order, ends, pauses (C3)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

import pytest
from typing_extensions import override

from ehlo.address import Address
from ehlo.commands import Ehlo, Mail, Verb
from ehlo.content import SEVEN_BIT, Formed, Octets, Stream
from ehlo.dialogues import perform
from ehlo.errors import (
    ConnectFailed,
    ConnectionLost,
    DeliveryUnknown,
    GreetingRefused,
    LocalProtocolError,
    RemoteProtocolError,
    SenderRefused,
    Timeout,
)
from ehlo.phase import Outcome, Phase
from ehlo.pool.events import Discarded, Failed, Opened, OpeningFailed, Retrying, Sent, Why
from ehlo.pool.jobs import Job, Way
from ehlo.pool.options import PoolOptions
from ehlo.pool.plans import Loan, Open, Plan, Run, Wait, borrow, send
from ehlo.pool.retrying import Backoff
from ehlo.pool.slots import Lease, Slot
from ehlo.receipt import Receipt
from ehlo.reply import Reply
from ehlo.testing import Close, InTurn, TakeEffect, Usual, converse
from support.cancelling import interrupted_at
from support.rooms import room, stream, to
from support.worlds import User, World

MAIL: Final = Mail(Address("ada@example.org"))


def refused(code: int = 421) -> GreetingRefused:
    return GreetingRefused("no", phase=Phase.GREETING, reply=Reply.of(code, "no"))


def lost() -> ConnectFailed:
    return ConnectFailed("nobody", phase=Phase.CONNECT)


def dying(verb: Any) -> Any:
    return room("PIPELINING", answers={verb: Close()})


def borrower(world: World, **options: Any) -> User:
    options.setdefault("check", False)
    make = partial(_borrow, world.way, options)
    return world.user(make, is_paced=False)


def _borrow(way: Way, options: dict[str, Any], lease: Lease) -> Plan[Slot]:
    return borrow(way, lease, None, **options)


# -- Order ---------------------------------------------------------------------------------------


def test_who_comes_first_is_served_first() -> None:
    """Fairness: with one connection the order of the ends is the order of the questions."""
    world = World(max_connections=1)
    users = [world.sender() for _ in range(20)]
    order: list[int] = []
    while len(order) < 20:
        for number, user in enumerate(users):
            user.step()
            if user.is_done and number not in order:
                order.append(number)
    assert order == list(range(20))
    assert world.opened == 1
    assert all(isinstance(user.result, Receipt) for user in users)


def test_a_newcomer_does_not_overtake() -> None:
    world = World(max_connections=1)
    first, second = borrower(world), borrower(world)
    world.run(first, second)
    assert isinstance(second.errand, Wait)
    world.pool.give_back(first.lease)
    newcomer = borrower(world)
    world.run(newcomer)
    assert second.lease.slot is not None
    assert newcomer.lease.slot is None


def test_one_who_is_cancelled_leaves_the_line() -> None:
    world = World(max_connections=1)
    first, second, third = (borrower(world) for _ in range(3))
    world.run(first, second, third)
    second.cancel()
    world.pool.give_back(second.lease)
    world.pool.give_back(first.lease)
    assert third.lease.slot is not None


def test_one_who_is_cancelled_with_a_connection_in_hand_passes_it_on() -> None:
    world = World(max_connections=1)
    first, second, third = (borrower(world) for _ in range(3))
    world.run(first, second, third)
    world.pool.give_back(first.lease)
    assert second.lease.slot is not None
    world.pool.give_back(second.lease)
    assert third.lease.slot is not None


def test_one_who_is_cancelled_while_connecting_makes_room() -> None:
    world = World(max_connections=1)
    first, second = world.sender(), world.sender()
    assert isinstance(first.errand, Open)
    assert isinstance(second.errand, Wait)
    first.cancel()
    world.run(second)
    assert isinstance(second.result, Receipt)
    assert world.opened == 1


def test_the_last_used_connection_is_used_first() -> None:
    world = World(max_connections=3)
    users = [borrower(world) for _ in range(3)]
    world.run(*users)
    for user in users:
        world.pool.give_back(user.lease)
    again = borrower(world)
    assert again.result.number == 3
    assert world.pool.stats().idle == 2


# -- The end of a connection ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "messages", "why"),
    [
        ({"max_messages": 2}, 2, Why.MAX_MESSAGES),
        ({"capabilities": ("PIPELINING", "LIMITS MAILMAX=3")}, 3, Why.LIMITS),
    ],
)
def test_so_many_messages(options: dict[str, Any], messages: int, why: Why) -> None:
    world = World(**options)
    for _ in range(messages):
        assert world.opened <= 1
        world.run(world.sender())
    assert [(event.why, event.messages) for event in world.events[-1:]] == [(why, messages)]
    world.run(world.sender())
    assert world.opened == 2


def test_so_long() -> None:
    world = World(max_age=50, check_after=None, idle_timeout=None)
    world.run(world.sender())
    world.now += 49
    world.run(world.sender())
    assert world.opened == 1
    world.now += 1
    world.run(world.sender())
    assert world.opened == 2
    assert [event.why for event in world.of(Discarded)] == [Why.MAX_AGE]


def test_idle_for_long() -> None:
    world = World(idle_timeout=30, check_after=None)
    users = [borrower(world) for _ in range(2)]
    world.run(*users)
    world.pool.give_back(users[0].lease)
    world.now += 10
    world.pool.give_back(users[1].lease)
    assert world.pool.expire_at == world.now + 20
    world.now += 20
    world.pool.expire()
    world.tidy()
    assert [event.why for event in world.events[-1:]] == [Why.IDLE]
    assert world.pool.expire_at == world.now + 10
    assert world.pool.stats().connections == 1
    world.now += 10
    world.run(world.sender())
    assert world.opened == 3


def test_never_idle_for_long() -> None:
    world = World(idle_timeout=None, max_age=None, check_after=None)
    world.run(world.sender())
    world.now += 1e6
    world.pool.expire()
    world.run(world.sender())
    assert world.opened == 1


def test_a_connection_that_died_while_idle_is_not_handed_out() -> None:
    world = World()
    world.run(world.sender())
    slot = next(iter(world.pool.carriers()))
    slot[0].receive_eof()  # type: ignore[index]
    user = world.sender()
    world.run(user)
    assert user.result.failed_attempts == ()
    assert world.opened == 2
    assert [event.why for event in world.of(Discarded)] == [Why.LOST]


def test_a_server_that_said_421_while_nobody_looked() -> None:
    world = World()
    world.run(world.sender())
    (carrier,) = world.pool.carriers()
    carrier[0].receive_data(b"421 4.3.2 Going down\r\n")  # type: ignore[index]
    carrier[0].next_event()  # type: ignore[index]
    world.run(world.sender())
    assert [event.why for event in world.of(Discarded)] == [Why.SERVER_CLOSED]


def test_one_that_died_amid_idleness_expires_as_what_it_is() -> None:
    world = World(idle_timeout=30)
    world.run(world.sender())
    (carrier,) = world.pool.carriers()
    carrier[0].receive_eof()  # type: ignore[index]
    world.now += 30
    world.pool.expire()
    assert [departure.why for departure in world.pool.departures()] == [Why.LOST]


@pytest.mark.parametrize(("idle", "asks"), [(9.9, False), (10.0, True)])
def test_noop_only_where_it_was_idle_for_long(idle: float, asks: bool) -> None:
    world = World(check_after=10, idle_timeout=None)
    world.run(world.sender())
    world.now += idle
    user = world.sender()
    world.run(user)
    assert isinstance(user.result, Receipt)
    assert (Verb.NOOP in [command.verb for command in _commands(world)]) is asks


def _commands(world: World) -> Any:
    (carrier,) = world.pool.carriers()
    return carrier[1].commands  # type: ignore[index]


def test_one_that_does_not_answer_noop_is_replaced_and_its_user_keeps_its_place() -> None:
    world = World(max_connections=1, check_after=10, idle_timeout=None)
    world.rooms = [dying("NOOP")]
    world.run(world.sender())
    world.now += 20
    first, second = world.sender(), world.sender()
    world.run(first)
    assert first.result.failed_attempts == ()
    world.run(second)
    assert second.result.failed_attempts == ()
    assert world.opened == 2


def test_where_one_was_found_dead_the_others_are_asked() -> None:
    world = World(max_connections=2, retries=1, check_after=None)
    answers: dict[str, Any] = {"MAIL": InTurn(Usual(), Close()), "NOOP": Close()}
    world.rooms = [room("PIPELINING", answers=answers) for _ in range(2)]
    users = [world.sender() for _ in range(2)]
    world.run(*users)
    assert world.pool.stats().idle == 2
    user = world.sender()
    world.run(user)
    assert len(user.result.failed_attempts) == 1
    assert world.opened == 3


def test_silence_is_waited_for_once() -> None:
    """What was idle for as long would keep silent as well."""
    world = World(max_connections=3, check_after=10)
    users = [borrower(world) for _ in range(3)]
    world.run(*users)
    for user in users:
        world.pool.give_back(user.lease)
    world.now += 20
    world.run(fresh := borrower(world))
    assert isinstance(fresh.result, Slot)
    world.pool.give_back(fresh.lease)
    world.now += 20
    user = world.sender()
    assert isinstance(user.errand, Run)
    world.now += 5
    user.resume(error=Timeout("no answer", phase=Phase.COMMAND))
    world.run(user)
    assert isinstance(user.result, Receipt)
    assert [event.why for event in world.of(Discarded)] == [Why.NO_ANSWER] * 3
    assert world.opened == 4


# -- A server that refuses connections -----------------------------------------------------------


def test_after_a_failure_nobody_tries_for_a_while_and_then_one_alone() -> None:
    world = World(max_connections=5, retries=3, backoff=1)
    world.rooms = [lost()]
    users = [world.sender() for _ in range(5)]
    world.run(*users)
    assert world.opened == 1
    assert all(isinstance(user.errand, Wait) for user in users)
    world.now += 0.9
    world.run(*users)
    assert world.opened == 1
    world.now += 0.1
    for user in users * 2:
        if not isinstance(user.errand, Open):
            user.step()
    assert sum(isinstance(user.errand, Open) for user in users) == 1
    world.run(*users)
    assert all(isinstance(user.result, Receipt) for user in users)
    assert all(len(user.result.failed_attempts) == 1 for user in users)


class Sluggish(World):
    """A world in which the process is stopped for a while whenever a connection cannot be had."""

    @override
    def __call__(self, event: Any) -> None:
        super().__call__(event)
        if isinstance(event, OpeningFailed):
            self.now += 60


def test_the_pause_may_be_over_before_anybody_has_looked_at_the_clock() -> None:
    """Nobody would wake who sleeps then."""
    world = Sluggish(max_connections=1, backoff=1)
    world.rooms = [lost(), lost()]
    users = [world.sender() for _ in range(3)]
    world.run(*users)
    assert [type(user.result) for user in users] == [Receipt] * 3
    assert world.opened == 3


def test_the_first_connection_is_opened_alone() -> None:
    """With a wrong password all of them would be refused, and accounts are locked that way."""
    world = World(max_connections=4)
    users = [borrower(world) for _ in range(4)]
    assert sum(isinstance(user.errand, Open) for user in users) == 1
    users[0].step()
    for user in users:
        while isinstance(user.errand, Wait) and user.step():
            pass
    assert sum(isinstance(user.errand, Open) for user in users) == 3


def test_who_comes_while_the_server_is_known_to_be_down_waits_for_one_attempt() -> None:
    world = World(max_connections=1, retries=2, backoff=1)
    world.rooms = [lost() for _ in range(9)]
    first = world.sender()
    while not first.is_done:
        world.run(first)
        world.now += 1
    assert world.opened == 3
    second = world.sender()
    world.run(second)
    assert isinstance(second.errand, Wait)
    world.now += 4
    world.run(second)
    assert isinstance(second.error, ConnectFailed)
    assert world.opened == 4
    world.rooms.clear()
    world.now += 10
    third = world.sender()
    world.run(third)
    assert isinstance(third.result, Receipt)


def test_what_one_user_has_no_time_for_says_nothing_to_others() -> None:
    world = World(max_connections=1, retries=0, backoff=1)
    hurried, other = world.sender(end=world.now + 1), world.sender()
    assert isinstance(hurried.errand, Open)
    world.now += 1
    hurried.resume(error=Timeout("no answer", phase=Phase.GREETING))
    assert isinstance(hurried.error, Timeout)
    world.run(other)
    assert isinstance(other.result, Receipt)
    assert world.pool.stats().refused == 0


def test_a_final_refusal_ends_opening_while_there_are_others() -> None:
    world = World(max_connections=3, retries=2, backoff=1)
    world.run(holder := borrower(world))
    world.rooms = [refused(554)]
    waiting = world.sender()
    for _ in range(20):
        world.run(waiting)
        world.now += 10
    assert isinstance(waiting.errand, Wait)
    assert world.opened == 2
    world.pool.give_back(holder.lease)
    world.run(waiting)
    assert isinstance(waiting.result, Receipt)
    world.run(holder := borrower(world))
    world.rooms = [refused(554), refused(554)]
    waiting = world.sender()
    world.run(waiting)
    assert isinstance(waiting.errand, Wait)
    world.pool.give_back(holder.lease, Why.LOST)  # the last hope
    world.run(waiting)
    assert isinstance(waiting.error, GreetingRefused)


def test_who_is_not_needed_any_more_tries_no_further_connection() -> None:
    world = World(max_connections=2, retries=9, backoff=1)
    world.run(borrower(world))
    world.rooms = [lost() for _ in range(9)]
    opening = world.sender()
    assert isinstance(opening.errand, Open)
    world.pool.withdraw(opening.lease)
    world.run(opening)
    assert isinstance(opening.error, ConnectFailed)
    assert world.opened == 2


def test_the_pause_doubles_up_to_a_bound() -> None:
    options = PoolOptions(backoff=0.5)
    assert [options.pause(n) for n in (1, 2, 3, 5, 6, 7, 5000)] == [0.5, 1, 2, 8, 10, 10, 10]


def test_a_server_that_is_down_fails_all_who_wait_together() -> None:
    world = World(max_connections=2, retries=2, backoff=1)
    world.rooms = [lost() for _ in range(100)]
    users = [world.sender() for _ in range(50)]
    for _ in range(30):
        world.run(*users)
        world.now += 1
    assert all(isinstance(user.error, ConnectFailed) for user in users)
    assert world.opened == 3
    assert len({id(user.error) for user in users}) == 50
    assert {len(user.error.failed_attempts) for user in users} == {2}  # type: ignore[union-attr]
    assert len(world.of(OpeningFailed)) == 3
    assert world.pool.stats().failed == 50


def test_what_will_not_help_fails_all_at_once() -> None:
    world = World(max_connections=1, backoff=1)
    world.rooms = [refused(554)]
    users = [world.sender() for _ in range(3)]
    world.run(*users)
    assert world.opened == 1
    assert all(isinstance(user.error, GreetingRefused) for user in users)


def test_what_a_function_for_tokens_raises_is_raised_as_it_is() -> None:
    world = World(max_connections=1, backoff=1)
    world.rooms = [ZeroDivisionError("secret")]
    users = [world.sender() for _ in range(2)]
    world.run(*users)
    assert isinstance(users[0].error, ZeroDivisionError)
    assert isinstance(users[1].error, ConnectFailed)
    assert isinstance(users[1].error.__cause__, ZeroDivisionError)
    assert "secret" not in str(users[1].error)


def test_who_has_a_connection_serves_the_others() -> None:
    """A server that takes two: nobody fails, whatever the number of retries."""
    world = World(max_connections=4, retries=0, backoff=1)
    world.rooms = [room("PIPELINING"), room("PIPELINING"), refused(), refused()]
    users = [world.sender() for _ in range(10)]
    world.run(*users)
    assert all(isinstance(user.result, Receipt) for user in users)
    assert world.opened == 4
    assert len(world.of(Opened)) == 2


def test_while_another_is_connecting_there_is_hope() -> None:
    world = World(max_connections=2, retries=0, backoff=1, max_messages=1)
    world.run(world.sender())  # the first connection is opened alone
    first, second = world.sender(), world.sender()
    world.rooms = [refused(), room("PIPELINING")]
    first.step()
    assert isinstance(first.errand, Wait)
    world.run(first, second)
    assert isinstance(first.result, Receipt)
    assert isinstance(second.result, Receipt)


def test_whoever_is_next_has_the_alarm_when_the_first_gives_up() -> None:
    world = World(max_connections=1, retries=5, backoff=1)
    world.rooms = [lost()]
    first, second = world.sender(), world.sender()
    world.run(first, second)
    assert isinstance(second.errand, Wait)
    first.cancel()
    world.run(second)
    assert isinstance(second.errand, Wait)
    assert second.errand.until == world.now + 1
    world.now += 1
    world.run(second)
    assert isinstance(second.result, Receipt)


def test_a_success_ends_the_pause() -> None:
    world = World(max_connections=3, backoff=1)
    world.rooms = [lost()]
    users = [borrower(world) for _ in range(3)]
    users[0].step()
    world.now += 1
    world.run(*users)
    assert all(user.lease.slot is not None for user in users)
    assert world.opened == 4


# -- Time ----------------------------------------------------------------------------------------


def test_no_connection_in_time() -> None:
    world = World(max_connections=1)
    holder, user = borrower(world), world.sender(end=1005)
    world.run(holder, user)
    assert user.errand.until == 1005
    world.now = 1005
    world.run(user)
    assert isinstance(user.error, Timeout)
    assert user.error.__cause__ is None
    assert world.pool.stats().waiting == 0


def test_the_end_may_come_amid_the_pause() -> None:
    world = World(backoff=10)
    world.rooms = [lost()]
    user = world.sender(end=1005)
    world.run(user)
    assert user.errand.until == 1005
    world.now = 1005
    world.run(user)
    assert isinstance(user.error, Timeout)
    assert isinstance(user.error.__cause__, ConnectFailed)
    assert len(user.error.failed_attempts) == 1


def test_nothing_is_tried_again_when_time_is_up() -> None:
    world = World()
    world.rooms = [dying("MAIL")]
    user = world.sender(end=1005)
    user.step()
    world.now = 1005
    world.run(user)
    assert isinstance(user.error, ConnectionLost)
    assert world.opened == 1


def test_so_many_a_second() -> None:
    world = World(rate=2, max_connections=3)
    users = [world.sender() for _ in range(3)]
    world.run(*users)
    assert [user.is_done for user in users].count(True) == 1
    world.now += 0.5
    world.run(*users)
    assert [user.is_done for user in users].count(True) == 2
    world.now += 0.5
    world.run(*users)
    assert all(isinstance(user.result, Receipt) for user in users)
    late = world.sender(end=world.now + 0.2)
    world.run(late)
    world.now += 0.2
    world.run(late)
    assert isinstance(late.error, Timeout)
    assert "within the rate" in str(late.error)
    world.now += 0.3
    world.run(next_one := world.sender())  # who gave up has used no turn
    assert next_one.is_done


def test_who_waits_for_the_rate_holds_no_connection() -> None:
    world = World(rate=1, max_connections=1)
    first, second, third = (world.sender() for _ in range(3))
    world.run(first, second, third)
    assert first.is_done
    assert world.pool.stats().idle == 1
    other = borrower(world)  # has no message, and so need not wait
    world.run(other)
    assert other.is_done
    world.pool.give_back(other.lease)
    world.now += 1
    world.run(second, third)
    assert second.is_done
    assert not third.is_done
    other = borrower(world)
    world.now += 1
    world.run(third)
    assert isinstance(third.errand, Wait)  # somebody has the connection
    late = borrower(world)
    world.pool.give_back(other.lease)
    world.run(third, late)
    assert isinstance(third.result, Receipt)
    assert late.is_done


# -- What is tried again -------------------------------------------------------------------------


def test_what_is_lost_before_the_end_of_the_content_is_tried_again() -> None:
    world = World(retries=2)
    world.rooms = [dying("MAIL"), dying("DATA")]
    user = world.sender()
    world.run(user)
    assert [error.phase for error in user.result.failed_attempts] == [Phase.MAIL, Phase.DATA]
    assert [event.attempt for event in world.of(Retrying)] == [1, 2]
    assert world.of(Sent)[0].receipt is user.result
    assert world.pool.stats().retried == 2


def test_but_not_for_ever() -> None:
    world = World(retries=2)
    world.rooms = [dying("MAIL") for _ in range(9)]
    user = world.sender()
    world.run(user)
    assert world.opened == 3
    assert isinstance(user.error, ConnectionLost)
    assert len(user.error.failed_attempts) == 2


def test_what_nobody_knows_is_not_tried_again() -> None:
    world = World()
    world.rooms = [room("PIPELINING", answers={".": (TakeEffect(), Close())})]
    user = world.sender()
    world.run(user)
    assert isinstance(user.error, DeliveryUnknown)
    assert user.error.outcome is Outcome.UNKNOWN
    assert world.opened == 1
    assert world.pool.stats().unknown == 1


@pytest.mark.parametrize("is_formed", [True, False])
@pytest.mark.parametrize("is_begun", [True, False])
def test_content_that_can_be_read_once(is_begun: bool, is_formed: bool) -> None:
    """It is tried again only if nothing of it was read."""
    world = World()
    begun: list[bool] = []
    content = stream(b"x\r\n")
    once = replace(content, pieces=lambda: begun.append(True), is_repeatable=False)  # type: ignore[return-value, arg-type]
    formed = Formed(lambda _: once, is_repeatable=False)
    job = Job(to(content=formed if is_formed else once), world.now)
    user = world.user(lambda lease: send(world.way, lease, job, None))
    user.step()
    assert isinstance(user.errand, Run)
    if is_begun:
        watched = job.transaction.content
        written = watched.write(SEVEN_BIT) if isinstance(watched, Formed) else watched
        assert isinstance(written, Stream)
        written.pieces()
    user.errand.dialogue.close()
    user.errand.slot.live.abandon("gone")
    user.resume(error=ConnectionLost("gone", phase=Phase.CONTENT))
    assert user.is_done is is_begun
    assert bool(begun) is is_begun


def test_what_is_read_once_to_be_written() -> None:
    """Where the octets were made of it at once, it has been read."""
    world = World()
    formed = Formed(lambda _: Octets(b"x\r\n"), is_repeatable=False)
    job = Job(to(content=formed), world.now)
    user = world.user(lambda lease: send(world.way, lease, job, None))
    user.step()
    assert isinstance(user.errand, Run)
    watched = job.transaction.content
    assert isinstance(watched, Formed)
    assert watched.write(SEVEN_BIT) == Octets(b"x\r\n")
    user.errand.dialogue.close()
    user.errand.slot.live.abandon("gone")
    user.resume(error=ConnectionLost("gone", phase=Phase.CONTENT))
    assert isinstance(user.error, ConnectionLost)


def test_what_goes_mad_before_it_is_asked_for_anything() -> None:
    world = World()
    world.run(world.sender())
    user = world.sender()
    assert isinstance(user.errand, Run)
    user.errand.dialogue.close()
    user.errand.slot.live.abandon("garbage")
    user.resume(error=RemoteProtocolError("garbage"))
    world.run(user)
    assert isinstance(user.result, Receipt)


def test_what_goes_mad_behind_mail() -> None:
    world = World()
    world.rooms = [room("PIPELINING", answers={"MAIL": Reply.of(354, "What?")})]
    user = world.sender()
    world.run(user)
    assert isinstance(user.error, RemoteProtocolError)
    assert world.opened == 1


class Policy:
    """Says what it is told to say."""

    def __init__(self, *delays: float | None) -> None:
        self.delays = list(delays)
        self.asked: list[tuple[type, int]] = []

    def delay(self, error: Exception, attempt: int) -> float | None:
        self.asked.append((type(error), attempt))
        return self.delays.pop(0)


def test_a_policy_is_asked_about_refusals_for_now() -> None:
    policy = Policy(5, None)
    world = World(policy=policy)
    later = Reply.of(450, "4.7.1 Later")
    world.rooms = [room("PIPELINING", answers={"MAIL": later})]
    user = world.sender()
    world.run(user)
    assert user.errand.until == world.now + 5
    assert world.pool.stats().idle == 1  # nobody holds a connection while waiting
    world.now += 5
    world.run(user)
    assert isinstance(user.error, SenderRefused)
    assert policy.asked == [(SenderRefused, 1), (SenderRefused, 2)]


@pytest.mark.parametrize("reply", [Reply.of(550, "5.1.0 Never")])
def test_a_policy_is_not_asked_about_what_is_final(reply: Reply) -> None:
    policy = Policy()
    world = World(policy=policy)
    world.rooms = [room("PIPELINING", answers={"MAIL": reply})]
    user = world.sender()
    world.run(user)
    assert isinstance(user.error, SenderRefused)
    assert policy.asked == []


# -- The end of the client -----------------------------------------------------------------------


def test_whoever_waits_is_told_that_the_client_is_closed() -> None:
    world = World(max_connections=1)
    holder, waiting = borrower(world), world.sender()
    world.run(holder, waiting)
    world.pool.close()
    world.run(waiting)
    assert isinstance(waiting.error, LocalProtocolError)
    assert isinstance(world.sender().error, LocalProtocolError)
    world.pool.give_back(holder.lease)
    world.tidy()
    assert world.events[-1].why is Why.CLIENT_CLOSED
    assert world.pool.stats().connections == 0


def test_what_is_under_way_comes_to_its_end_but_is_not_begun_again() -> None:
    world = World()
    world.rooms = [dying("DATA")]
    user = world.sender()
    user.step()
    world.pool.close()
    world.run(user)
    assert isinstance(user.error, ConnectionLost)
    assert world.opened == 1


def test_a_connection_that_is_refused_to_a_closed_client() -> None:
    world = World(retries=9)
    world.rooms = [lost()]
    user = world.sender()
    world.pool.close()
    world.run(user)
    assert isinstance(user.error, ConnectFailed)


# -- What happens in between ---------------------------------------------------------------------


def test_one_that_was_opened_and_not_told_of_is_closed() -> None:
    """Ctrl-C between the two."""
    world = World()
    user = world.sender()
    slot = user.errand.slot
    slot.carrier = room("PIPELINING")
    user.cancel()
    assert [departure.why for departure in world.pool.departures()] == [Why.INTERRUPTED]
    world.tidy()
    assert world.pool.stats().connections == 0


def test_what_is_given_back_twice_is_there_once() -> None:
    world = World()
    user = borrower(world)
    world.run(user)
    slot = user.lease.slot
    world.pool.give_back(user.lease)
    user.lease.slot = slot
    world.pool.give_back(user.lease)
    assert world.pool.stats().idle == 1
    user.lease.slot = slot
    world.pool.give_back(user.lease, Why.CHANGED)
    user.lease.slot = slot
    world.pool.give_back(user.lease, Why.CHANGED)
    world.pool.give_back(user.lease)
    assert world.pool.stats().idle == 0
    assert len(world.pool.departures()) == 1


def test_one_closes_what_leaves() -> None:
    pool, slot = World().pool, Slot(1, 1, 0.0)
    assert pool.claim(slot, "me")
    assert pool.claim(slot, "me")
    assert not pool.claim(slot, "you")


def test_who_need_not_wait_any_more() -> None:
    world = World(max_connections=1)
    holder, waiting = borrower(world), world.sender()
    world.run(holder, waiting)
    world.pool.withdraw(holder.lease)
    world.pool.withdraw(waiting.lease)
    world.run(waiting)
    assert isinstance(waiting.error, LocalProtocolError)


# -- Who is interrupted, closed, or has a policy that is wrong ------------------------------------


def test_a_message_that_was_interrupted_is_told() -> None:
    """Whoever cancels gets no error of ours, so the hook and the numbers are all there is."""
    world = World(max_connections=1)
    user = world.sender()
    user.step()
    assert isinstance(user.errand, Run)
    user.cancel()
    [event] = world.of(Failed)
    assert event.error.outcome is Outcome.NOT_SENT
    assert world.pool.stats().failed == 1

    begun = world.sender()
    while not isinstance(begun.errand, Run):
        begun.step()
    assert begun.lease.slot is not None
    begun.lease.slot.live.send(MAIL)
    begun.cancel()
    event = world.of(Failed)[-1]
    assert isinstance(event.error, DeliveryUnknown)
    assert world.pool.stats().unknown == 1
    assert any("under way" in note for note in begun.error.__notes__)  # type: ignore[union-attr]


def test_who_waits_for_a_policy_is_woken_when_the_client_is_closed() -> None:
    world = World(max_connections=1, policy=Backoff(first=60))
    world.rooms = [room("PIPELINING", answers={"MAIL": Reply.of(450, "4.7.1 Later")})]
    user = world.sender()
    world.run(user)
    assert isinstance(user.errand, Wait)
    world.pool.close()
    world.run(user)
    assert isinstance(user.error, LocalProtocolError)
    assert [error.phase for error in user.error.failed_attempts] == [Phase.MAIL]


class Wrong:
    """A retry policy that is wrong."""

    def __init__(self, returned: Any) -> None:
        self._returned = returned

    def delay(self, error: Any, attempt: int) -> Any:
        del error, attempt
        if isinstance(self._returned, Exception):
            raise self._returned
        return self._returned


@pytest.mark.parametrize(
    "returned", [ValueError("boom"), "soon", -1, float("nan"), float("inf"), True, object()]
)
def test_a_policy_that_is_wrong_gives_up(returned: Any) -> None:
    world = World(max_connections=1, policy=Wrong(returned))
    world.rooms = [room("PIPELINING", answers={"MAIL": Reply.of(450, "4.7.1 Later")})]
    user = world.sender()
    world.run(user)
    assert isinstance(user.error, SenderRefused)
    assert any("retry policy" in note for note in user.error.__notes__)


def test_a_hook_is_told_when_the_connection_is_free_again() -> None:
    free: list[int] = []

    class Looking(World):
        @override
        def __call__(self, event: Any) -> None:
            super().__call__(event)
            if isinstance(event, Sent | Failed):
                free.append(self.pool.stats().idle)

    world = Looking(max_connections=1)
    answers: dict[str, Any] = {"RCPT": InTurn(Usual(), Reply.of(550, "5.1.1 No"))}
    world.rooms = [room("PIPELINING", answers=answers)]
    users = [world.sender(), world.sender()]
    world.run(*users)
    assert len(free) == 2
    assert free[-1] == 1


@pytest.mark.parametrize("changed", ["nobody", "EHLO", "AUTH", "MAIL"])
def test_a_loan(changed: str) -> None:
    """Whoever has introduced himself anew leaves nothing of that to others."""
    world = World(max_connections=1)
    world.run(user := borrower(world))
    loan = Loan(user.lease, user.result)
    connection, server = user.result.carrier
    if changed == "EHLO":
        converse(perform(connection, Ehlo("me.example.org")), connection, server)
    elif changed == "AUTH":
        connection.authenticated = True
    elif changed == "MAIL":
        converse(perform(connection, MAIL), connection, server)
    loan.end(world.pool)
    loan.end(world.pool)
    whys = [departure.why for departure in world.pool.departures()]
    expected = {"nobody": [], "EHLO": [Why.CHANGED], "AUTH": [Why.CHANGED]}
    assert whys == expected.get(changed, [Why.INTERRUPTED])


# -- Ctrl-C --------------------------------------------------------------------------------------


def given_back(world: World, holder: Lease, _waiter: Lease) -> None:
    world.pool.give_back(holder)


def interrupted(world: World, holder: Lease, _waiter: Lease) -> None:
    world.pool.interrupted(holder)


def closed(world: World, _holder: Lease, _waiter: Lease) -> None:
    world.pool.close()


def withdrawn(world: World, _holder: Lease, waiter: Lease) -> None:
    world.pool.withdraw(waiter)


@pytest.mark.parametrize(
    ("act", "repair"),
    [
        (given_back, interrupted),
        (given_back, given_back),
        (closed, closed),
        (withdrawn, withdrawn),
    ],
)
def test_whoever_waits_is_woken_wherever_ctrl_c_comes(act: Any, repair: Any) -> None:
    """What was interrupted is done again, as adapters do; another one has waited for it."""
    turn, goes_on = 0, True
    while goes_on:
        turn += 1
        world = World(max_connections=1)
        holder, waiter = borrower(world), borrower(world)
        world.run(holder, waiter)
        assert isinstance(waiter.errand, Wait)
        rung: list[int] = []
        waiter.lease.waker = partial(rung.append, turn)
        with interrupted_at(turn) as struck, suppress(KeyboardInterrupt):
            act(world, holder.lease, waiter.lease)
        goes_on = bool(struck)
        if struck:
            repair(world, holder.lease, waiter.lease)
        assert rung
        world.run(waiter)
        assert waiter.is_done
        for user in (waiter, holder):
            world.pool.give_back(user.lease)
        world.tidy()
        stats = world.pool.stats()
        assert stats.waiting == 0
        assert stats.connections == stats.idle == (0 if act is closed else 1)
    assert turn > 5
