"""Every dialogue x every reply x every fault: the report is never better or worse than the truth.

The server in memory knows what it did. A case runs one dialogue as a pump would (inside a `Turn`),
with one fault in the place of one reply, and compares what the client reports with that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple

import pytest

from ehlo.content import Octets
from ehlo.dialogues import Dialogue, Opening, Transaction, deliver, open_session, quit_session
from ehlo.envelope import Envelope
from ehlo.errors import ConnectionLost, SMTPError, Timeout, TlsFailed
from ehlo.phase import Outcome
from ehlo.policies import Cleartext, OnRefusal, Pipelining, Tls
from ehlo.protocol import Connection
from ehlo.receipt import Receipt
from ehlo.runtime.ambient import default_context
from ehlo.runtime.driving import Turn
from ehlo.runtime.link import Link
from ehlo.sasl import Password
from support.stepping import (
    Abandoned,
    Cut,
    Fault,
    MemoryServer,
    abandon,
    drive,
    failing,
    needs_of,
)

KEYWORDS = ("PIPELINING", "STARTTLS", "AUTH LOGIN PLAIN", "8BITMIME", "SIZE 1000000")
ADA = Password("ada", "tanstaaf")
CONTENT = b"Subject: Notes\r\n\r\n.Plain words.\r\n"


class Case(NamedTuple):
    """A dialogue, and what must be done before it."""

    dialogue: Callable[[Connection], Dialogue[Any]]
    keywords: tuple[str, ...] = KEYWORDS
    opened: bool = False


def opening(tls: Tls, auth: Password | None = None) -> Callable[[Connection], Dialogue[None]]:
    what = Opening(
        name="client.example.org",
        tls=tls,
        credentials=auth,
        cleartext=Cleartext.ALLOW_CREDENTIALS,
    )
    return lambda connection: open_session(connection, what)


def delivering(
    pipelining: Pipelining, on_refusal: OnRefusal, count: int = 2
) -> Callable[[Connection], Dialogue[Receipt]]:
    what = Transaction(
        envelope=Envelope("ada@example.org", [f"r{n}@example.com" for n in range(count)]),
        content=Octets(CONTENT),
        message_id="<1@example.org>",
        on_refusal=on_refusal,
        pipelining=pipelining,
    )
    return lambda connection: deliver(connection, what)


CASES = {
    "open": Case(opening(Tls.NONE)),
    "open-starttls": Case(opening(Tls.STARTTLS)),
    "open-starttls-if-offered": Case(opening(Tls.STARTTLS_IF_OFFERED)),
    "open-implicit": Case(opening(Tls.IMPLICIT)),
    "open-plain": Case(opening(Tls.STARTTLS, ADA)),
    "open-login": Case(opening(Tls.NONE, ADA), ("AUTH LOGIN",)),
    "deliver-one": Case(delivering(Pipelining.TRANSACTION, OnRefusal.ABORT, 1), opened=True),
    "deliver-abort": Case(delivering(Pipelining.TRANSACTION, OnRefusal.ABORT), opened=True),
    "deliver-rest": Case(delivering(Pipelining.TRANSACTION, OnRefusal.DELIVER), opened=True),
    "deliver-lock-step-abort": Case(delivering(Pipelining.NONE, OnRefusal.ABORT), opened=True),
    "deliver-lock-step-rest": Case(delivering(Pipelining.NONE, OnRefusal.DELIVER), opened=True),
    "quit": Case(quit_session, opened=True),
}


class Stage:
    """A case, ready to run: link, server, and the truth about both."""

    def __init__(self, case: Case, *, cut: Cut = Cut.WHOLE) -> None:
        self.connection = Connection()
        self.server = MemoryServer(connection=self.connection, keywords=case.keywords, cut=cut)
        self.link = Link(
            self.connection,
            server_hostname="mx.example.com",
            make_context=default_context,
        )
        if case.opened:
            drive(opening(Tls.NONE)(self.connection), self.server.meet)
            self.server.points.clear()
        self.dialogue = case.dialogue(self.connection)

    def run(self, meet: Callable[[Any], None] | None = None) -> object:
        try:
            with Turn(self.link):
                return drive(self.dialogue, meet or self.server.meet)
        except (SMTPError, Abandoned) as exc:
            return exc

    def check(self, result: object) -> None:
        self.check_outcome(result)
        self.check_connection(result)

    def check_outcome(self, result: object) -> None:
        """Compare what is reported with what the server did and managed to say."""
        taken = bool(self.server.taken)
        match result:
            case Receipt():
                assert taken
                (recipients, content) = self.server.taken[0]
                assert recipients == tuple(f"RCPT TO:<{address}>" for address in result.accepted)
                assert content + b"\r\n" == CONTENT.replace(b"\n.", b"\n..")
                assert set(result.accepted) | set(result.refused) == set(result.envelope.recipients)
            case SMTPError(outcome=Outcome.UNKNOWN):
                assert taken, "unknown, but the server certainly did not take it"
                assert not result.retry_safe
            case SMTPError(outcome=Outcome.REFUSED):
                assert self.server.refused
                assert not taken
                assert result.message_id == "<1@example.org>"
            case SMTPError():
                assert result.outcome is Outcome.NOT_SENT
                assert not taken, "the server took it, and the client says that it was not sent"
            case _:
                assert not taken or isinstance(result, Abandoned)

    def check_connection(self, result: object) -> None:
        """Whoever says that a connection can be used can use it; all others are over."""
        assert self.connection.is_over or self.connection.is_settled
        if isinstance(result, SMTPError):
            assert result.connection_usable is self.connection.is_in_step
        if isinstance(result, Abandoned):
            assert self.connection.is_over
        if not self.connection.is_idle:
            assert self.connection.is_over or self.server.silent
            return
        self.server.at, self.server.refuse = -1, {}
        before = len(self.server.taken)
        again = delivering(Pipelining.TRANSACTION, OnRefusal.ABORT)(self.connection)
        receipt = drive(again, self.server.meet)
        assert len(receipt.accepted) == 2
        assert len(self.server.taken) == before + 1
        assert self.connection.is_idle


def points(case: Case) -> list[str]:
    stage = Stage(case)
    result = stage.run()
    assert not isinstance(result, BaseException), result
    return stage.server.points


POINTS = {name: points(case) for name, case in CASES.items()}

EACH = pytest.mark.parametrize("name", list(CASES))


@contextmanager
def note(*where: object) -> Iterator[None]:
    """Tell with a failure where it happened; a test for each place would be thousands."""
    try:
        yield
    except BaseException as exc:
        exc.add_note(" ".join(map(str, where)))
        raise


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("cut", list(Cut), ids=lambda cut: cut.name)
def test_without_a_fault(name: str, cut: Cut) -> None:
    stage = Stage(CASES[name], cut=cut)
    result = stage.run()
    assert not isinstance(result, BaseException)
    stage.check(result)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
@EACH
def test_a_fault_in_the_place_of_each_reply(name: str, fault: Fault) -> None:
    for (at, point), cut in product(enumerate(POINTS[name]), (Cut.WHOLE, Cut.BYTE)):
        with note("at", at, point, cut):
            stage = Stage(CASES[name], cut=cut)
            stage.server.at, stage.server.fault = at, fault
            result = stage.run()
            if fault is Fault.ABANDON:
                assert isinstance(result, Abandoned)
            elif name == "quit":
                assert not isinstance(result, BaseException)
            stage.check(result)


@pytest.mark.parametrize("second", [Fault.CLOSE, Fault.SAY_421, Fault.SAY_5YZ, Fault.SILENCE])
@EACH
def test_a_fault_behind_a_refusal(name: str, second: Fault) -> None:
    """What the client does about a refusal (RSET, HELO, the lone dot) can fail as well."""
    refusals = (b"450 later\r\n", b"550 no\r\n")
    for (at, point), first, later in product(enumerate(POINTS[name]), refusals, range(1, 4)):
        with note("at", at, point, "first", first, "then, at", at + later):
            stage = Stage(CASES[name])
            stage.server.refuse = {at: first}
            stage.server.at, stage.server.fault = at + later, second
            stage.check(stage.run())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "deliver" in name])
def test_all_recipients_refused_and_354_all_the_same(name: str) -> None:
    """T6."""
    rcpts = [at for at, point in enumerate(POINTS[name]) if point == "RCPT"]
    data = rcpts[-1] + 1
    stage = Stage(CASES[name])
    stage.server.refuse = dict.fromkeys(rcpts, b"550 no such user\r\n")
    stage.check(stage.run())
    if stage.server.points[data] == "DATA":
        stage = Stage(CASES[name])
        stage.server.refuse = dict.fromkeys(rcpts, b"550 no such user\r\n")
        stage.server.refuse[data] = b"354 well, then\r\n"
        stage.server.indulgent = True
        result = stage.run()
        assert isinstance(result, SMTPError)
        assert stage.server.taken == []
        stage.check(result)


TROUBLES = [ConnectionLost("reset"), Timeout("stuck"), Abandoned()]


@pytest.mark.parametrize("met", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: type(trouble).__name__)
@pytest.mark.parametrize("name", list(CASES))
def test_trouble_at_each_need(name: str, trouble: BaseException, met: bool) -> None:
    """The transport fails, before or behind what a need stands for."""
    stage = Stage(CASES[name])
    count = len(needs_of(stage.dialogue, stage.server.meet))
    for at in range(count):
        stage = Stage(CASES[name])
        result = stage.run(failing(stage.server.meet, trouble, at=at, met=met))
        if result is None and name == "quit":
            assert stage.connection.is_over
            continue
        if not isinstance(result, Abandoned) or stage.server.taken == []:
            stage.check_connection(result)
        if isinstance(result, SMTPError) and stage.server.taken:
            # Between the flush of the end and its reply, or behind that reply, unseen.
            assert result.outcome in {Outcome.UNKNOWN, Outcome.NOT_SENT}
            assert met or result.outcome is Outcome.UNKNOWN
        else:
            stage.check_outcome(result)


def test_trouble_with_the_handshake() -> None:
    for name in ("open-starttls", "open-starttls-if-offered", "open-implicit"):
        stage = Stage(CASES[name])
        stage.server.at = POINTS[name].index("handshake")
        result = stage.run()
        assert isinstance(result, TlsFailed)
        stage.check(result)


@pytest.mark.parametrize("name", list(CASES))
def test_abandoned_at_each_need(name: str) -> None:
    """C1: the Connection is truthful wherever its dialogue is dropped."""
    at = 0
    while True:
        stage = Stage(CASES[name])
        if not abandon(stage.dialogue, stage.server.meet, at=at):
            break
        assert not stage.connection.is_idle or not stage.connection.in_flight
        assert not stage.connection.is_in_step
        at += 1
    assert at > 0
