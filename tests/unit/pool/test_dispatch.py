"""Many messages over a pool, stepped by hand: who sends what, what is told when, what is left."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from typing_extensions import override

from ehlo.dialogues import Transaction
from ehlo.errors import ConnectFailed, DeliveryUnknown, InvalidInput, LocalProtocolError
from ehlo.phase import Outcome, Phase
from ehlo.policies import Pipelining
from ehlo.pool.dispatch import Dispatch, Next, Order, Piece, Worker, read_order
from ehlo.pool.events import Discarded, Failed, Retrying, Why
from ehlo.pool.jobs import Way
from ehlo.pool.plans import RunBatch, Wait, borrow
from ehlo.pool.retrying import Backoff
from ehlo.pool.working import Feed, work
from ehlo.receipt import Result
from ehlo.reply import Reply
from ehlo.testing import Close, InTurn, TakeEffect, Usual
from support.cancelling import interrupted_at
from support.rooms import room, to
from support.worlds import User, World


class Many:
    """A batch, its workers, and whoever takes its results."""

    def __init__(
        self,
        world: World,
        count: int,
        *,
        order: Order = Order.SOURCE,
        depth: int = 1,
        total: float | None = None,
        source: Any = None,
    ) -> None:
        self.world = world
        self.results: list[Result] = []
        self.users: list[User] = []
        self.depth = depth
        self.total = total
        self.error: BaseException | None = None
        self._source = iter(range(count)) if source is None else source
        self.dispatch: Dispatch[Any] = Dispatch(
            world.way,
            self.prepare,
            order=order,
            workers=world.pool.options.max_connections,
            depth=depth,
        )

    def prepare(self, item: Any) -> Transaction:
        if isinstance(item, Exception):
            raise item
        return to(content=f"Subject: {item}\r\n\r\n".encode())

    def step(self) -> bool:
        """Take, tell and start what can be; return whether anything could."""
        if self.dispatch.wants_worker():
            self.users.append(
                self.world.user(lambda lease: work(self.dispatch, lease, self.total, self.depth))
            )
            return True
        if (result := self.dispatch.next_result()) is not None:
            self.results.append(result)
            return True
        if self.dispatch.may_take:
            self.dispatch.take_from(self._source)
            return True
        return False

    def run(self) -> Many:
        """Go on until nothing can be done at this moment."""
        while self.step() or sum(user.step() for user in self.users) or self.world.tidy():
            pass
        if self.dispatch.is_done:
            try:
                self.dispatch.check()
            except BaseException as error:  # noqa: BLE001 - for the test
                self.error = error
        return self

    @property
    def outcomes(self) -> list[Outcome]:
        return [result.outcome for result in self.results]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("level", list(Pipelining))
def test_all_of_them_over_all_connections(level: Pipelining, order: Order) -> None:
    world = World(pipelining=level, capabilities=("PIPELINING", "CHUNKING"), max_connections=3)
    many = Many(world, 50, order=order, depth=4).run()
    assert sorted(result.index for result in many.results) == list(range(50))
    assert many.outcomes == [Outcome.ACCEPTED] * 50
    assert [result.message for result in many.results] == [r.index for r in many.results]
    assert world.opened == 3
    assert all(user.is_done for user in many.users)
    assert world.pool.stats().idle == 3
    assert many.dispatch.is_done


def test_one_connection_is_enough_for_what_comes_one_by_one() -> None:
    world = World()
    many = Many(world, 0, source=iter(()))
    for number in range(5):
        many.dispatch.take(number)
        while many.dispatch.next_result() is None:
            if many.dispatch.wants_worker():
                many.users.append(world.user(lambda lease: work(many.dispatch, lease, None, 1)))
            for user in many.users:
                user.step()
    assert world.opened == 1
    assert len(many.users) == 1


def test_the_window_holds_back_the_source() -> None:
    world = World(max_connections=2)
    many = Many(world, 100)
    for _ in range(200):
        if many.dispatch.may_take:
            many.dispatch.take_from(iter([0]))
        if many.dispatch.wants_worker():
            many.users.append(world.user(lambda lease: work(many.dispatch, lease, None, 1)))
        for user in many.users:
            user.step()
    assert many.dispatch.told == 0
    assert world.pool.stats().sent == 4
    assert many.dispatch.next_result() is not None
    assert many.dispatch.may_take


def test_a_message_that_is_wrong_is_a_result_and_no_message_is_the_end() -> None:
    many = Many(World(), 0, source=iter([0, InvalidInput("wrong"), 2, TypeError("none"), 4])).run()
    assert many.outcomes == [Outcome.ACCEPTED, Outcome.NOT_SENT, Outcome.ACCEPTED]
    assert isinstance(many.error, TypeError)


def test_a_source_that_fails_ends_it_behind_the_results() -> None:
    def source() -> Any:
        yield 0
        raise ZeroDivisionError

    many = Many(World(), 0, source=source()).run()
    assert many.outcomes == [Outcome.ACCEPTED]
    assert isinstance(many.error, ZeroDivisionError)


def test_what_is_lost_is_in_doubt_alone() -> None:
    world = World(max_connections=1)
    answers = {".": InTurn(Usual(), (TakeEffect(), Close()), Usual())}
    world.rooms = [room("PIPELINING", answers=answers)]
    many = Many(world, 5).run()
    assert many.outcomes == [
        *(Outcome.ACCEPTED, Outcome.UNKNOWN),
        *[Outcome.ACCEPTED] * 3,
    ]
    assert world.opened == 2


def test_what_was_not_sent_goes_over_another_connection() -> None:
    world = World(max_connections=1, retries=1)
    world.rooms = [room("PIPELINING", answers={"MAIL": InTurn(Usual(), Close())})]
    many = Many(world, 3).run()
    assert many.outcomes == [Outcome.ACCEPTED] * 3
    assert [len(result.unwrap().failed_attempts) for result in many.results] == [0, 1, 0]


def test_a_policy_has_a_message_wait_while_others_go_on() -> None:
    class Later:
        def delay(self, _error: Exception, attempt: int) -> float | None:
            return 5.0 if attempt == 1 else None

    world = World(max_connections=1, policy=Later(), max_messages=None)
    world.rooms = [room("PIPELINING", answers={"MAIL": InTurn(Reply.of(450, "Later"), Usual())})]
    many = Many(world, 3, order=Order.COMPLETION).run()
    assert [result.index for result in many.results] == [1, 2]
    (user,) = many.users
    assert isinstance(user.errand, Wait)
    assert user.errand.until == world.now + 5
    world.now += 5
    many.run()
    assert [result.index for result in many.results] == [1, 2, 0]
    assert many.outcomes == [Outcome.ACCEPTED] * 3
    assert world.opened == 1


def test_so_many_a_second() -> None:
    world = World(max_connections=2, rate=1)
    many = Many(world, 3)
    for told in range(1, 4):
        many.run()
        assert len(many.results) == told
        world.now += 1
    assert many.run().dispatch.is_done


def test_where_none_can_be_had_all_that_was_taken_has_failed() -> None:
    world = World(max_connections=1, retries=0)
    world.rooms = [ConnectFailed("nobody", phase=Phase.CONNECT)]
    many = Many(world, 50).run()
    assert many.outcomes == [Outcome.NOT_SENT]
    assert isinstance(many.error, ConnectFailed)
    assert len(world.of(Failed)) == 1


def test_what_a_function_for_tokens_raises_ends_a_batch() -> None:
    world = World(max_connections=1)
    world.rooms = [ZeroDivisionError("secret")]
    many = Many(world, 1).run()
    assert isinstance(many.error, ZeroDivisionError)
    assert isinstance(many.results[0].error, ConnectFailed)


def test_what_failed_before_is_told_where_none_can_be_had() -> None:
    world = World(max_connections=1, retries=2, backoff=1)
    world.rooms = [ConnectFailed(f"nobody {n}", phase=Phase.CONNECT) for n in range(3)]
    many = Many(world, 1)
    while many.run().error is None:
        world.now += 1
    assert isinstance(many.error, ConnectFailed)
    for error in (many.error, many.results[0].error):
        assert error is not None
        assert [str(it) for it in error.failed_attempts] == ["nobody 0", "nobody 1"]


def test_where_others_get_on_it_is_no_failure_that_nothing_is_free() -> None:
    world = World(max_connections=2)
    holder = world.user(lambda lease: borrow(world.way, lease, None, check=False))
    world.run(holder)
    many = Many(world, 9, total=5)
    while len(many.users) < 2:
        many.step()
    busy, crowded = many.users
    while not isinstance(busy.errand, RunBatch):
        busy.step()
    while not isinstance(crowded.errand, Wait):
        crowded.step()
    world.now += 6
    crowded.step()
    assert not crowded.is_done
    assert many.run().outcomes == [Outcome.ACCEPTED] * 9
    assert many.error is None


def test_a_batch_and_a_sender_share_the_rate() -> None:
    world = World(max_connections=2, rate=1)
    many = Many(world, 5)
    senders = [world.sender() for _ in range(5)]
    for _ in range(10):
        many.run()
        world.run(*senders)
        many.run()
        world.now += 1
    done = len(many.results), sum(sender.is_done for sender in senders)
    assert sum(done) == 10
    for _ in range(2):
        many.run()
        world.now += 1
    assert many.dispatch.is_done


def test_those_that_wait_for_a_policy_do_not_hold_up_the_others() -> None:
    world = World(max_connections=1, policy=Backoff(first=60))
    later = Reply.of(450, "4.7.1 Later")
    world.rooms = [room("PIPELINING", answers={"MAIL": InTurn(*[later] * 8, Usual())})]
    many = Many(world, 60, order=Order.COMPLETION).run()
    assert len(many.results) == 52
    world.now += 60
    assert many.run().outcomes == [Outcome.ACCEPTED] * 60


def test_what_waits_for_a_policy_when_the_client_is_closed() -> None:
    world = World(max_connections=1, policy=Backoff(first=60))
    later = Reply.of(450, "4.7.1 Later")
    world.rooms = [room("PIPELINING", answers={"MAIL": InTurn(later, Usual())})]
    many = Many(world, 2, order=Order.COMPLETION).run()
    assert many.outcomes == [Outcome.ACCEPTED]
    world.pool.close()
    many.run()
    assert isinstance(many.error, LocalProtocolError)
    assert len(many.results) == 2
    assert len(many.results[1].error.failed_attempts) == 1  # type: ignore[union-attr]


def test_a_policy_that_raises_ends_one_message() -> None:
    class Broken:
        def delay(self, error: Any, attempt: int) -> Any:  # noqa: ARG002 - of a protocol
            raise ZeroDivisionError

    world = World(max_connections=1, policy=Broken())
    world.rooms = [
        room("PIPELINING", answers={"MAIL": InTurn(Reply.of(450, "4.7.1 Later"), Usual())})
    ]
    many = Many(world, 3).run()
    assert many.outcomes == [Outcome.REFUSED, *[Outcome.ACCEPTED] * 2]
    assert "ZeroDivisionError" in many.results[0].error.__notes__[0]  # type: ignore[union-attr]


def test_a_hook_that_ends_the_program_ends_no_message() -> None:
    class Ending(World):
        @override
        def __call__(self, event: Any) -> None:
            super().__call__(event)
            if isinstance(event, Retrying):
                raise SystemExit

    world = Ending(max_connections=1)
    world.rooms = [room("PIPELINING", answers={"MAIL": Close()})]
    many = Many(world, 1).run()
    assert many.outcomes == [Outcome.NOT_SENT]
    assert isinstance(many.users[0].error, SystemExit)


def test_none_in_time() -> None:
    world = World(max_connections=1)
    holder = world.user(lambda lease: borrow(world.way, lease, None, check=False))
    world.run(holder)
    many = Many(world, 1, total=5).run()
    world.now += 5
    many.run()
    assert many.outcomes == [Outcome.NOT_SENT]
    assert isinstance(many.error, TimeoutError)


@pytest.mark.parametrize(
    ("level", "turn"), [(Pipelining.TRANSACTION, 1), (Pipelining.CONTINUOUS, 3)]
)
def test_whoever_waits_gets_the_connection_behind_a_turn(level: Pipelining, turn: int) -> None:
    capabilities = ("PIPELINING", "CHUNKING")
    world = World(pipelining=level, capabilities=capabilities, max_connections=1)
    many = Many(world, 20, depth=3)
    while many.step():
        pass
    while not (many.users and isinstance(many.users[0].errand, RunBatch)):
        many.step()
        for user in many.users:
            if not isinstance(user.errand, RunBatch):
                user.step()
    other = world.sender()
    many.users[0].step()
    assert other.lease.slot is not None
    assert world.pool.stats().sent == turn
    world.run(other)
    assert many.run().outcomes == [Outcome.ACCEPTED] * 20


def test_a_server_that_loses_step_is_remembered() -> None:
    world = World(pipelining=Pipelining.CONTINUOUS, max_connections=1)
    world.rooms = [
        room("PIPELINING", answers={"MAIL": InTurn(Usual(), Reply.of(503, "No"), Usual())})
    ]
    assert Many(world, 4, depth=4).run().outcomes == [Outcome.ACCEPTED] * 4
    assert world.pool.pipelining is Pipelining.TRANSACTION
    user = world.sender(transaction=to(pipelining=Pipelining.CONTINUOUS))
    world.run(user)
    assert user.result is not None


def test_a_session_that_takes_no_more_is_left() -> None:
    world = World(max_connections=1, capabilities=("PIPELINING", "LIMITS RCPTDOMAINMAX=1"))
    many = Many(world, 0, source=iter(["a", "b"]))
    domains = iter(["a@one.example", "b@two.example"])
    many.dispatch._prepare = lambda _: to(envelope=_to(next(domains)))
    many.run()
    assert many.outcomes == [Outcome.ACCEPTED] * 2
    assert [event.why for event in world.of(Discarded)] == [Why.LIMITS]


def _to(recipient: str) -> Any:
    from ehlo.envelope import Envelope  # noqa: PLC0415

    return Envelope("ada@example.org", recipient)


# -- The end -------------------------------------------------------------------------------------


def test_a_batch_that_is_stopped_begins_nothing_more() -> None:
    world = World(max_connections=1)
    many = Many(world, 20)
    many.step()
    many.step()
    many.dispatch.stop()
    for user in many.users:
        while user.step():
            pass
    assert all(user.is_done for user in many.users)
    assert world.pool.stats().sent == 0
    assert not many.dispatch.may_take


def test_what_was_under_way_when_a_worker_was_cancelled_is_in_doubt() -> None:
    world = World(max_connections=1)
    many = Many(world, 3)
    while not (many.users and isinstance(many.users[0].errand, RunBatch)):
        many.step()
        for user in many.users:
            user.step() if not isinstance(user.errand, RunBatch) else None
    (user,) = many.users
    step = user.errand.batch.step()
    next(step)
    step.close()
    user.cancel()
    assert isinstance(user.error, KeyboardInterrupt)
    result = many.dispatch.next_result()
    assert result is not None
    assert isinstance(result.error, DeliveryUnknown)
    assert result.error.message_id is None
    assert world.pool.stats().unknown == 1


def test_what_a_worker_trips_over_is_raised_by_the_loop() -> None:
    world = World(max_connections=1)
    many = Many(world, 1)
    while not (many.users and isinstance(many.users[0].errand, RunBatch)):
        many.step()
        for user in many.users:
            user.step() if not isinstance(user.errand, RunBatch) else None
    many.users[0].resume(error=ZeroDivisionError())
    assert many.users[0].is_done
    many.dispatch.end()
    with pytest.raises(ZeroDivisionError):
        many.dispatch.check()


def test_a_message_that_is_tried_again_wakes_whoever_rests() -> None:
    world = World(max_connections=2)
    many = Many(world, 0)
    many.dispatch.take(0)
    many.step()
    many.world.run(*many.users)
    [resting] = many.users
    assert isinstance(resting.errand, Wait)
    piece = Piece(1, None, to(), world.now)
    busy = Worker()
    busy.is_coming = False
    many.dispatch._taken += 1
    many.dispatch.again(piece, 0.0, busy)
    assert resting.errand.sleeper.is_awake
    many.world.run(resting)
    assert world.pool.stats().sent == 2


def test_a_worker_that_is_woken_for_nothing_rests_again() -> None:
    many = Many(World(), 0)
    worker = Worker()
    assert many.dispatch.rest(worker) == (Next.REST, None)
    assert many.dispatch.rest(worker) == (Next.REST, None)
    many.dispatch.stop()
    assert worker.is_awake
    assert many.dispatch.rest(worker) == (Next.LEAVE, None)


def test_nothing_is_tried_again_once_the_consumer_has_left() -> None:
    many = Many(World(), 0)
    many.dispatch.stop()
    many.dispatch.again(None, 0.0, Worker())  # type: ignore[arg-type]
    assert many.dispatch.rest(Worker()) == (Next.LEAVE, None)


def test_orders() -> None:
    assert read_order("completion") is Order.COMPLETION
    with pytest.raises(InvalidInput, match="'source', 'completion'"):
        read_order("random")


def test_what_is_due_while_a_worker_asks_for_more() -> None:
    world = World(max_connections=1)
    many = Many(world, 1)
    many.dispatch.take(0)
    worker = Worker()
    piece = many.dispatch.pop(worker)
    assert piece is not None
    many.dispatch.again(piece, 5.0, worker)
    assert many.dispatch.pop(worker) is None
    world.now += 5
    assert many.dispatch.pop(worker) is piece


def test_a_worker_comes_once() -> None:
    many = Many(World(), 1)
    worker = Worker()
    many.dispatch.tell(Result(0, None), worker)
    many.dispatch.tell(Result(1, None), worker)
    assert many.dispatch._coming == 0  # it was on its way from the beginning


def test_a_feed_is_an_iterator() -> None:
    world = World()
    many = Many(world, 0)
    user = world.user(lambda lease: borrow(world.way, lease, None, check=False))
    world.run(user)
    feed = Feed(many.dispatch, Worker(), user.lease, user.result, 1)
    assert iter(feed) is feed
    assert list(feed) == []


def test_a_way_that_nobody_watches() -> None:
    way = Way(World().pool)
    way.tell(Failed(0, 0.0, ConnectFailed("nobody")))
    assert not way.is_watched


def test_a_worker_that_rests_is_woken_wherever_ctrl_c_comes() -> None:
    """Whoever was about to wake it is interrupted, and says that all is over."""
    turn, goes_on = 0, True
    while goes_on:
        turn += 1
        many = Many(World(max_connections=1), 0)
        many.dispatch.take(0)
        many.step()
        [worker] = many.users
        many.world.run(worker)
        assert isinstance(worker.errand, Wait)
        rung: list[int] = []
        worker.errand.sleeper.waker = partial(rung.append, turn)
        with interrupted_at(turn) as struck, suppress(KeyboardInterrupt):
            many.dispatch.take(1)
        goes_on = bool(struck)
        many.dispatch.stop()
        assert rung
        many.world.run(worker)
        assert worker.is_done
    assert turn > 10


def test_a_worker_that_is_late_asks_for_nothing() -> None:
    """It was stopped between being told to work and asking for a connection."""
    world = World(max_connections=1)
    many = Many(world, 0)
    holder = world.user(lambda lease: borrow(world.way, lease, None, check=False))
    world.run(holder)
    many.dispatch.take(0)
    rest = many.dispatch.rest

    def late(worker: Any) -> Any:
        found = rest(worker)
        many.dispatch.stop()
        return found

    many.dispatch.rest = late  # type: ignore[method-assign]
    many.step()
    world.run(*many.users)
    assert all(user.is_done for user in many.users)
    assert world.pool.stats().waiting == 0
