"""The rules of a pool, stepped by hand: order, ends, pauses (C3)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from ehlo.commands import Verb
from ehlo.content import SEVEN_BIT, Formed, Octets, Stream
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
from ehlo.pool.events import Discarded, Opened, OpeningFailed, Retrying, Sent, Why
from ehlo.pool.jobs import Job
from ehlo.pool.options import PoolOptions
from ehlo.pool.plans import Open, Run, Wait, borrow, send
from ehlo.pool.slots import Lease, Slot
from ehlo.receipt import Receipt
from ehlo.reply import Reply
from ehlo.testing import Close, InTurn, TakeEffect, Usual
from support.cancelling import interrupted_at
from support.rooms import room, stream, to
from support.worlds import User, World


def refused(code: int = 421) -> GreetingRefused:
    return GreetingRefused("no", phase=Phase.GREETING, reply=Reply.of(code, "no"))


def lost() -> ConnectFailed:
    return ConnectFailed("nobody", phase=Phase.CONNECT)


def dying(verb: Any) -> Any:
    return room("PIPELINING", answers={verb: Close()})


def borrower(world: World, **options: Any) -> User:
    options.setdefault("check", False)
    return world.user(lambda lease: borrow(world.way, lease, None, **options))


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


# -- A server that refuses connections -----------------------------------------------------------


def test_after_a_failure_nobody_tries_for_a_while_and_then_one_alone() -> None:
    world = World(max_connections=5, retries=3, backoff=1)
    world.rooms = [lost(), lost(), lost(), lost(), lost()]
    users = [world.sender() for _ in range(5)]
    world.run(*users)
    assert world.opened == 5
    assert all(isinstance(user.errand, Wait) for user in users)
    world.now += 0.9
    world.run(*users)
    assert world.opened == 5
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
    assert world.opened == 4  # two at once, and then one by one
    assert len({id(user.error) for user in users}) == 50
    assert {len(user.error.failed_attempts) for user in users} == {2}  # type: ignore[union-attr]
    assert len(world.of(OpeningFailed)) == 4
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
    world = World(max_connections=2, retries=0, backoff=1)
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
    assert isinstance(late.error, Timeout)


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
    pool, slot = World().pool, Slot(1, 1)
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
