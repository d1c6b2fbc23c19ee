"""Every fault at every reply of pipelined transactions, over real sockets in both adapters.

What is reported is held against two things: what the embedded server really kept, and a table
written down here of what can be known where a reply is lost.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import pytest
from typing_extensions import override

import ehlo
from ehlo import Outcome
from ehlo.commands import Verb
from ehlo.testing import (
    Answer,
    Close,
    Dialect,
    ReceivedCommand,
    Reset,
    Send,
    Server,
    ServerOptions,
    Silence,
    Situation,
    TakeEffect,
    Usual,
    Wait,
)
from support.colours import Colour, colour
from support.tls import client_context, server_context

OPENING: Final = frozenset({Verb.GREETING, Verb.EHLO, Verb.LHLO, Verb.QUIT})
ENDS: Final = frozenset({Verb.END_OF_CONTENT, Verb.BDAT_LAST})
GARBAGE: Final = b"\x00\xff nonsense\r\n"
BASIC: Final = ("PIPELINING", "8BITMIME", "SIZE 100000", "ENHANCEDSTATUSCODES")
FRAMINGS: Final = {"DATA": BASIC, "BDAT": (*BASIC, "CHUNKING")}
LEVELS: Final = ("transaction", "continuous")

# What a server does in the place of one reply, and whether nothing more comes from it.
LOSSY: Final[dict[str, Answer]] = {
    "close": Close(),
    "take-effect-close": (TakeEffect(), Close()),
    "reset": Reset(),
    "take-effect-reset": (TakeEffect(), Reset()),
    "garbage": Send(GARBAGE),
    "take-effect-garbage": (TakeEffect(), Send(GARBAGE)),
    "half-a-reply": (TakeEffect(), Send(b"250 2.0"), Close()),
    "wrong-stage": (TakeEffect(), Send(b"354 Go on\r\n")),  # to DATA: see Faulty
}
SILENT: Final[dict[str, Answer]] = {
    "silence": Silence(),
    "take-effect-silence": (TakeEffect(), Silence()),
}
REFUSALS: Final[dict[str, Answer]] = {
    "4yz": ehlo.Reply.of(451, "4.3.0 Not now"),
    "5yz": ehlo.Reply.of(550, "5.7.1 Never"),
}
CLOSING: Final[dict[str, Answer]] = {
    "421": (ehlo.Reply.of(421, "4.3.2 Shutting down"), Close()),
}
# Exim, for one, does so: it answers all that came behind its 421 as if nothing had happened.
OPEN: Final[dict[str, Answer]] = {
    "421, stays open": ehlo.Reply.of(421, "4.3.2 Not this one"),
}
OPEN_AND_SILENT: Final[dict[str, Answer]] = {
    "421, silence": (ehlo.Reply.of(421, "4.3.2 Shutting down"), Silence()),
}
FAULTS: Final = {**LOSSY, **SILENT, **REFUSALS, **CLOSING, **OPEN, **OPEN_AND_SILENT}


pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


# -- One run -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """A reply of the server: to which command of which message."""

    message: int
    verb: Verb
    recipient: str | None = None


@dataclass(slots=True)
class Faulty:
    """An answers hook: one fault at one reply, counted from 0; all replies are noted.

    If `then` is given, it is the answer to the next command of the same connection.
    """

    at: int = -1
    answer: Answer | None = None
    then: Answer | None = None
    connection: int = 0
    points: list[Point] = field(default_factory=list)
    ended: int = 0

    def __call__(self, command: ReceivedCommand, situation: Situation) -> Answer | None:
        if command.verb in OPENING:
            return None
        number = len(self.points)
        self.points.append(Point(self.ended, command.verb, situation.recipient))
        is_last = situation.recipient is None or situation.recipient == situation.recipients[-1]
        self.ended += command.verb in ENDS and is_last
        if number == self.at and command.verb is Verb.DATA and self.answer == LOSSY["wrong-stage"]:
            return Send(b"250 So be it\r\n")
        if number == self.at:
            self.connection = command.connection
            return self.answer
        is_next = number == self.at + 1 and command.connection == self.connection
        return self.then if is_next else None


@dataclass(slots=True)
class Run:
    """What came of sending some messages to a server with one fault."""

    points: list[Point]
    results: list[ehlo.Result]
    error: ehlo.SMTPError | None  # what ended the batch
    taken: Counter[bytes]  # how often the server took which message
    recipients: dict[bytes, tuple[str, ...]]
    asked: int  # messages that were taken from the source
    flights: int

    def outcome(self, number: int) -> Outcome:
        """What was reported; a message that was never asked for was not sent."""
        return self.results[number].outcome if number < len(self.results) else Outcome.NOT_SENT


class Messages(list[Any]):
    """Messages that count how many of them were asked for."""

    asked = 0

    @override
    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.asked += 1
            yield item


def message(number: int) -> bytes:
    return f"Subject: message {number}\r\n\r\nText {number}\r\n.dot\r\n".encode()


def envelope(number: int, recipients: int = 1) -> ehlo.Envelope:
    names = [f"r{place}@m{number}.example.com" for place in range(recipients)]
    return ehlo.Envelope(f"ada+{number}@example.org", names)


Over: TypeAlias = Callable[[Colour, Any, str, str, dict[str, Any]], Iterator[ehlo.Result]]
"""What sends messages: a session, which is over with its connection, or the adapter."""


def over_a_session(
    adapter: Colour, source: Any, url: str, on_refusal: str, choices: dict[str, Any]
) -> Iterator[ehlo.Result]:
    with adapter.connect(url, **choices) as session:
        yield from session.send_many(source, on_refusal=on_refusal)


def over_any(
    adapter: Colour, source: Any, url: str, on_refusal: str, choices: dict[str, Any]
) -> Iterator[ehlo.Result]:
    return adapter.send_many(source, url, on_refusal=on_refusal, **choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent, and how."""

    framing: str = "DATA"
    level: str = "continuous"
    messages: int = 3
    recipients: int = 1
    on_refusal: str = "abort"
    timeouts: ehlo.Timeouts | None = None
    dialect: Dialect = Dialect.ESMTP
    tls: bool = False

    def run(
        self,
        adapter: Colour,
        at: int = -1,
        answer: Answer | None = None,
        *,
        over: Over = over_a_session,
        late: float = 0,
    ) -> Run:
        """Send the messages; the reply number `at`, from 0, is replaced.

        The replies behind it are so many seconds late.
        """
        faulty = Faulty(at, answer, (Wait("late"), Usual()) if late else None)
        options = ServerOptions(
            capabilities=FRAMINGS[self.framing], answers=faulty, dialect=self.dialect
        )
        numbers = range(self.messages)
        source = Messages((message(n), envelope(n, self.recipients)) for n in numbers)
        results: list[ehlo.Result] = []
        error: ehlo.SMTPError | None = None
        choices: dict[str, Any] = {"pipelining": self.level, "timeouts": self.timeouts}
        if self.tls:
            choices["ssl_context"] = client_context()
        context = server_context() if self.tls else None
        tls = "implicit" if self.tls else None
        with Server(options, ssl_context=context, tls=tls) as server:
            timer = threading.Timer(late, server.release, ["late"])
            timer.start()
            try:
                for result in over(adapter, source, server.url, self.on_refusal, choices):
                    results.append(result)  # noqa: PERF402 - what came before an error counts
            except ehlo.SMTPError as exc:
                error = exc
            timer.join()
            server.wait_until_idle()
        return Run(
            faulty.points,
            results,
            error,
            Counter(taken.content for taken in server.messages),
            {taken.content: taken.recipients for taken in server.messages},
            source.asked,
            server.flights,
        )

    def points(self, adapter: Colour) -> list[Point]:
        """Return the replies of a run in which all goes well."""
        run = self.run(adapter)
        assert [run.outcome(n) for n in range(self.messages)] == [Outcome.ACCEPTED] * self.messages
        assert run.error is None
        return run.points

    # -- The table

    def was_ended(self, number: int, point: Point) -> bool:
        """Whether the end of a message had left when nothing more came, from this reply on."""
        if self.framing == "BDAT" and self.level == "continuous":
            return True  # all leave in one flight
        if number == point.message:
            return point.verb in ENDS
        return number < point.message

    def expected(self, number: int, point: Point, fault: str) -> Outcome:
        """Return what is to be reported of a message."""
        if number < point.message:
            return Outcome.ACCEPTED
        if fault in LOSSY or fault in SILENT or self.is_the_end(point, fault):
            return Outcome.UNKNOWN if self.was_ended(number, point) else Outcome.NOT_SENT
        if number == point.message and point.verb is not Verb.RSET:
            return Outcome.REFUSED
        if fault in OPEN or fault in OPEN_AND_SILENT:
            if not self.was_ended(number, point):
                return Outcome.NOT_SENT
            return Outcome.ACCEPTED if fault in OPEN else Outcome.UNKNOWN
        return Outcome.NOT_SENT if fault in CLOSING else Outcome.ACCEPTED

    @staticmethod
    def is_the_end(point: Point, fault: str) -> bool:
        """Whether the client ends the session by itself: nobody knows what a refused RSET means."""
        return point.verb is Verb.RSET and fault in REFUSALS

    def expected_over_any(self, number: int, point: Point, fault: str) -> Outcome:
        """Likewise, where the rest goes over another connection.

        Said again is what rode behind another message and did not arrive, what was not begun, what
        a server did not answer at all that had answered others, and a sender that it refused behind
        another message for no other reason than that it was about to close the session.
        """
        outcome = self.expected(number, point, fault)
        rode = self.level == "continuous"
        if number and rode and outcome is Outcome.REFUSED and fault not in REFUSALS:
            return Outcome.ACCEPTED if point.verb is Verb.MAIL else outcome
        if outcome is not Outcome.NOT_SENT or number > point.message:
            return Outcome.ACCEPTED if outcome is Outcome.NOT_SENT else outcome
        return Outcome.ACCEPTED if number and (rode or point.verb is Verb.MAIL) else outcome

    def check(self, run: Run, point: Point, fault: str) -> None:
        """Hold a run of a session against the table and against what the server kept."""
        for number in range(self.messages):
            where = f"message {number}, {fault} at {point}"
            assert run.outcome(number) is self.expected(number, point, fault), where
            self.check_truth(run, number, where)
        self.check_order(run)
        assert len(run.results) == self.messages or isinstance(run.error, ehlo.SMTPError)

    def check_over_any(self, run: Run, point: Point, fault: str) -> None:
        """Hold a run over several connections against the table, likewise."""
        assert run.error is None
        assert len(run.results) == self.messages
        for number in range(self.messages):
            where = f"message {number}, {fault} at {point}"
            assert run.outcome(number) is self.expected_over_any(number, point, fault), where
            self.check_truth(run, number, where)
        self.check_order(run)

    def check_truth(self, run: Run, number: int, where: str) -> None:
        """Hold what was reported against what the server kept."""
        taken = run.taken[message(number)]
        kept = run.recipients.get(message(number), ())
        if run.outcome(number) is Outcome.ACCEPTED:
            assert taken == 1, where
            assert tuple(map(str, run.results[number].unwrap().accepted)) == kept, where
        elif run.outcome(number) is Outcome.UNKNOWN:
            assert taken <= 1, where
            error = run.results[number].error
            assert error is not None
            assert error.delivered == (), where
            assert not error.retry_safe, where
        else:
            assert taken == 0, where

    def check_order(self, run: Run) -> None:
        """Each message that was asked for has one result; nobody claims that all is well."""
        assert [result.index for result in run.results] == list(range(len(run.results)))
        assert len(run.results) == run.asked
        for result in run.results:
            assert isinstance(result.message, tuple)
            assert result.message[0] == message(result.index)


# -- Close, reset, garbage, 421, 4yz, 5yz ----------------------------------------------------------


@pytest.mark.parametrize("fault", [*LOSSY, *REFUSALS, *CLOSING, *OPEN])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_fault_at_every_reply(adapter: Colour, framing: str, level: str, fault: str) -> None:
    for messages in (1, 2, 3):
        case = Case(framing=framing, level=level, messages=messages)
        for at, point in enumerate(case.points(adapter)):
            case.check(case.run(adapter, at, FAULTS[fault]), point, fault)


@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_fault_in_lock_step(adapter: Colour, framing: str) -> None:
    case = Case(framing=framing, level="none", messages=1)
    points = case.points(adapter)
    assert [point.verb for point in points] in (
        ["MAIL", "RCPT", "DATA", "."],
        ["MAIL", "RCPT", "BDAT LAST"],
    )
    for fault in (*LOSSY, *REFUSALS, *CLOSING, *OPEN):
        for at, point in enumerate(points):
            case.check(case.run(adapter, at, FAULTS[fault]), point, fault)


def test_the_table_is_about_what_its_names_say(adapter: Colour) -> None:
    """Continuous level is one flight for BDAT, and the envelope behind the dot for DATA."""
    flights = {
        (framing, level): Case(framing=framing, level=level).run(adapter).flights
        for framing in FRAMINGS
        for level in ("none", *LEVELS)
    }
    hello, quit_ = 1, 1
    assert flights == {
        ("DATA", "none"): hello + 3 * 4 + quit_,
        ("BDAT", "none"): hello + 3 * 3 + quit_,
        ("DATA", "transaction"): hello + 3 * 2 + quit_,
        ("BDAT", "transaction"): hello + 3 * 2 + quit_,
        ("DATA", "continuous"): hello + 1 + 3 + quit_,
        ("BDAT", "continuous"): hello + 1 + quit_,
    }


@pytest.mark.parametrize("framing", FRAMINGS)
def test_replies_behind_421_that_are_late(adapter: Colour, framing: str) -> None:
    """The 421 is read before them, and says nothing of the messages that they are about."""
    case, fault = Case(framing=framing), "421, stays open"
    for at, point in enumerate(case.points(adapter)):
        run = case.run(adapter, at, FAULTS[fault], late=0.01)
        case.check(run, point, fault)
        run = case.run(adapter, at, FAULTS[fault], late=0.01, over=over_any)
        case.check_over_any(run, point, fault)


@pytest.mark.parametrize("fault", [*LOSSY, *REFUSALS, *CLOSING, *OPEN])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_rest_goes_over_another_connection(
    adapter: Colour, framing: str, level: str, fault: str
) -> None:
    case = Case(framing=framing, level=level)
    for at, point in enumerate(case.points(adapter)):
        run = case.run(adapter, at, FAULTS[fault], over=over_any)
        case.check_over_any(run, point, fault)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_fault_over_tls(adapter: Colour, framing: str, level: str) -> None:
    case = Case(framing=framing, level=level, messages=2, tls=True)
    for at, point in enumerate(case.points(adapter)):
        for fault in ("close", "take-effect-reset", "5yz", "421", "421, stays open"):
            case.check(case.run(adapter, at, FAULTS[fault]), point, fault)


# -- Two recipients ------------------------------------------------------------------------------


@pytest.mark.parametrize("on_refusal", ["abort", "deliver"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_every_fault_with_two_recipients(
    adapter: Colour, framing: str, level: str, on_refusal: str
) -> None:
    case = Case(framing=framing, level=level, messages=2, recipients=2, on_refusal=on_refusal)
    for at, point in enumerate(case.points(adapter)):
        for fault in ("close", "take-effect-close", "421"):
            run = case.run(adapter, at, FAULTS[fault])
            rides = on_refusal == "deliver"
            for number in range(2):
                where = f"message {number}, {fault} at {point}"
                expected = case.expected(number, point, fault)
                if framing == "BDAT" and not rides and expected is Outcome.UNKNOWN:
                    # The content waits for what becomes of the recipients.
                    ended = number == point.message and point.verb in ENDS
                    expected = Outcome.UNKNOWN if ended else Outcome.NOT_SENT
                assert run.outcome(number) is expected, where
                case.check_truth(run, number, where)
            case.check_order(run)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_refused_recipient_of_two(adapter: Colour, framing: str, level: str) -> None:
    for on_refusal in ("abort", "deliver"):
        case = Case(framing=framing, level=level, messages=3, recipients=2, on_refusal=on_refusal)
        points = case.points(adapter)
        for at, point in enumerate(points):
            if point.verb is not Verb.RCPT:
                continue
            run = case.run(adapter, at, FAULTS["5yz"])
            for number in range(3):
                is_hit = number == point.message
                refused = on_refusal == "abort" and is_hit
                assert run.outcome(number) is (Outcome.REFUSED if refused else Outcome.ACCEPTED)
                case.check_truth(run, number, f"message {number}, refused at {point}")
                assert len(run.recipients.get(message(number), ())) == (
                    0 if refused else 2 - is_hit
                )


# -- Silence ------------------------------------------------------------------------------------

PATIENCE: Final = 0.4


def impatient() -> ehlo.Timeouts:
    """Return timeouts that are short from MAIL on."""
    phases = ("mail", "rcpt", "data", "content", "end_of_content", "command", "quit")
    return ehlo.Timeouts(**dict.fromkeys(phases, PATIENCE))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blocking", "asyncio"])
@pytest.mark.parametrize("level", ["none", *LEVELS])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_silence_at_every_reply(name: str, framing: str, level: str) -> None:
    """Side by side, because each of them takes the patience of its client."""

    def fall_silent(case: Case, at: int, point: Point, fault: str) -> None:
        with colour(name) as adapter:
            run = case.run(adapter, at, FAULTS[fault])
        case.check(run, point, fault)

    with colour(name) as adapter, ThreadPoolExecutor(16) as pool:
        jobs, faults = [], (*SILENT, *OPEN_AND_SILENT)
        for messages in (1,) if level == "none" else (1, 2, 3):
            case = Case(framing=framing, level=level, messages=messages, timeouts=impatient())
            for at, point in enumerate(case.points(adapter)):
                jobs += [pool.submit(fall_silent, case, at, point, fault) for fault in faults]
        for job in jobs:
            job.result()


# -- LMTP ---------------------------------------------------------------------------------------


def reported(result: ehlo.Result, address: ehlo.Address) -> Outcome:
    """Return what a result says about one recipient."""
    error = result.error
    if error is None:
        return result.unwrap().outcome(address)
    if address in error.delivered:
        return Outcome.ACCEPTED
    refused = getattr(error, "refused", {})
    return Outcome.REFUSED if address in refused else error.outcome


@pytest.mark.parametrize("on_refusal", ["abort", "deliver"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_lmtp_that_is_lost_between_its_final_replies(
    adapter: Colour, framing: str, level: str, on_refusal: str
) -> None:
    case = Case(
        framing=framing,
        level=level,
        messages=2,
        recipients=3,
        dialect=Dialect.LMTP,
        on_refusal=on_refusal,
    )
    points = case.points(adapter)
    finals = [(at, point) for at, point in enumerate(points) if point.verb in ENDS]
    assert len(finals) == 6
    for at, point in finals:
        for fault in (*LOSSY, *REFUSALS, *CLOSING, *OPEN):
            run = case.run(adapter, at, FAULTS[fault])
            case.check_order(run)
            check_recipients(case, run, point, fault)


def check_recipients(case: Case, run: Run, point: Point, fault: str) -> None:
    """Hold what is said about each recipient of a message against the truth."""
    for number in range(min(case.messages, len(run.results))):
        recipients = envelope(number, case.recipients).recipients
        place = [str(address) for address in recipients]
        for address in recipients:
            where = f"{address}, {fault} at {point}"
            said = reported(run.results[number], address)
            is_kept = str(address) in run.recipients.get(message(number), ())
            if number < point.message:
                assert said is Outcome.ACCEPTED, where
            elif number == point.message:
                behind = place.index(str(address)) - place.index(str(point.recipient))
                assert said is expected_of_recipient(behind, fault), where
            assert said is Outcome.UNKNOWN or is_kept is (said is Outcome.ACCEPTED), where
    assert all(count == 1 for count in run.taken.values())


def expected_of_recipient(behind: int, fault: str) -> Outcome:
    """Return what is to be reported of a recipient so many replies behind the fault."""
    if behind < 0:
        return Outcome.ACCEPTED
    if behind == 0 and fault not in LOSSY:
        return Outcome.REFUSED
    # All recipients get the content at once, so a 421 to one says nothing of those behind it.
    return Outcome.UNKNOWN if fault in (*LOSSY, *CLOSING) else Outcome.ACCEPTED
