"""Servers that say too much, too slowly, or for ever: nothing hangs, nothing grows without bound.

Growth is measured by counting what the interpreter does (calls of Python functions and of those in
C), so that it does not depend on the machine; where the work is done within single calls, the
processor's time is compared instead, with room to spare between linear and quadratic.
"""

import email
import email.policy
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import override

import ehlo
from ehlo import NEED_DATA, Address, Capabilities, Connection, Mailbox, Message, Reply
from ehlo.commands import Ehlo, Mail, Rcpt, Verb
from ehlo.message.mailboxes import parse_mailboxes
from ehlo.message.sending import prepare
from ehlo.runtime.certificate import read_certificate
from ehlo.secret import Secret, scrub
from ehlo.testing import Send, Server, ServerOptions, Wait
from ehlo.text import printable
from ehlo.wire import BadReply, ContentEncoder, ReplyLimits, ReplyParser, wire_size
from ehlo.xtext import decode_xtext
from support.colours import Colour, colour
from support.mitm import Attack, Impersonate, ManInTheMiddle
from support.secrets import PASSWORD
from support.tls import client_context, server_context

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
NOW = datetime(2026, 11, 23, 21, tzinfo=UTC)
CREDENTIALS = ehlo.Password("ada", PASSWORD)


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


# -- Too much --------------------------------------------------------------------------------------

FLOODS: dict[str, bytes] = {
    "a line without an end": b"250 " + b"x" * 100_000,
    "a long line": b"250 " + b"x" * 40_000 + b"\r\n",
    "many lines": b"250-x\r\n" * 2000,
    "many long lines": (b"250-" + b"x" * 2000 + b"\r\n") * 300,
}
COMMANDS = (Verb.GREETING, "EHLO", "MAIL", "RCPT", "DATA", ".", "NOOP", "QUIT")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flood", FLOODS)
def test_a_reply_has_limits_whatever_it_answers(adapter: Colour, command: Any, flood: str) -> None:
    """R8: refused as soon as it is too large, and never waited for to its end."""
    options = ServerOptions(answers={command: Send(FLOODS[flood])})

    def send(url: str) -> None:
        with adapter.connect(url) as session:
            session.noop()
            session.send(MESSAGE, envelope=TO_BOB)

    with Server(options) as server:
        if command == "QUIT":
            send(server.url)  # T11: what is wrong with QUIT is no failure
            assert len(server.messages) == 1
            return
        with pytest.raises((ehlo.RemoteProtocolError, ehlo.DeliveryUnknown)) as caught:
            send(server.url)
    unknown = command == "."
    assert (caught.value.outcome is ehlo.Outcome.UNKNOWN) is unknown
    assert not caught.value.connection_usable
    assert len(str(caught.value)) < 1000


def test_a_flood_is_not_taken_in(adapter: Colour) -> None:
    """What is too large is given up while it comes: a client takes in no more than it must."""

    class Endless(Attack):
        sent = 0
        refused = threading.Event()

        @override
        def begin(self) -> None:
            assert self._client is not None
            try:
                while self.sent < 200_000_000:
                    self._client.sendall(b"220-and so on\r\n" * 4096)
                    self.sent += 15 * 4096
            except OSError:
                self.refused.set()

    attack = Endless()
    with ManInTheMiddle(attack) as server:
        with pytest.raises(ehlo.RemoteProtocolError, match="more than"):
            adapter.connect(f"smtp://127.0.0.1:{server.port}")
        assert attack.refused.wait(10)
    assert attack.sent < 50_000_000  # what the system's own buffers hold


def test_many_capabilities_are_capabilities(adapter: Colour) -> None:
    """Up to the limit for lines, and not beyond."""
    offers = tuple(f"X{number}" for number in range(1000))
    with Server(ServerOptions(capabilities=offers)) as server:
        with adapter.connect(server.url) as session:
            assert len(session.capabilities.keywords) == 1000
    with Server(ServerOptions(capabilities=offers * 2)) as server:
        with pytest.raises(ehlo.RemoteProtocolError, match="more than 1024 lines"):
            adapter.connect(server.url)


def test_what_the_parser_keeps_is_bounded() -> None:
    """R8: never more than the limits and one segment."""
    limits = ReplyLimits(line=1000, lines=10, total=5000)
    for piece in (b"x" * 500, b"250-x\r\n", b"250-" + b"y" * 900 + b"\r\n", b"250 z\r\n"):
        parser, fed = ReplyParser(limits), 0
        with pytest.raises(BadReply):  # noqa: PT012 - any of the pieces may be the one too many
            for _ in range(100):
                parser.feed(b"250-" + piece if not fed and piece[:1] == b"x" else piece)
                fed += len(piece)
                while parser.next_reply() is not None:
                    pass
            raise BadReply("never, for short replies that are taken out")
        assert fed <= 5000 + 1000 or piece == b"250 z\r\n"


# -- SASL without an end ---------------------------------------------------------------------------

ENDLESS = ("", "VXNlcm5hbWU6", "=", "not Base64!", "dGVzdA", "A" * 4 * 7000)


@pytest.mark.parametrize("challenge", ENDLESS, ids=range(len(ENDLESS)))
@pytest.mark.parametrize(
    "mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-512"]
)
def test_challenges_without_an_end(adapter: Colour, mechanism: str, challenge: str) -> None:
    """A3: each is answered or cancelled, and there is a last one."""
    endless = Reply(334, (challenge.encode(),))
    options = ServerOptions(
        users={"ada": PASSWORD},
        mechanisms=(mechanism,),
        answers=lambda command, _: (
            endless if command.verb not in {"EHLO", "QUIT", "(greeting)", Verb.GREETING} else None
        ),
    )
    with Server(options) as server:
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.connect(server.url, auth=CREDENTIALS)
        assert len(server.commands) < 25
    refused = (ehlo.AuthenticationRefused, ehlo.RemoteProtocolError, ehlo.CapabilityMissing)
    assert isinstance(caught.value, refused)
    assert caught.value.phase is ehlo.Phase.AUTH


@pytest.mark.parametrize("iterations", [0, 1, 4095, 1_000_001, 2**31, 10**30])
def test_iterations_are_bounded_both_ways(adapter: Colour, iterations: int) -> None:
    """A5: too few give the password away, too many keep us busy."""

    def answers(command: Any, _situation: Any) -> Reply | None:
        if command.verb != "AUTH":
            return None
        first = b64decode(command.line.split()[2]).decode()
        nonce = first.rpartition("r=")[2]
        challenge = f"r={nonce}server,s=W22ZaJ0SNY7soEsUEjb6gQ==,i={iterations}"
        return Reply(334, (b64encode(challenge.encode()),))

    options = ServerOptions(users={"ada": PASSWORD}, mechanisms=("SCRAM-SHA-256",), answers=answers)
    began = time.process_time()
    with Server(options) as server:
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.connect(server.url, auth=CREDENTIALS)
        assert [str(command) for command in server.commands[2:3]] == ["*"]
    assert isinstance(caught.value, ehlo.AuthenticationRefused | ehlo.ServerNotAuthenticated)
    assert time.process_time() - began < 2


# -- Too slowly ------------------------------------------------------------------------------------


class Drips(Impersonate):
    """Sends its greeting octet by octet, inside TLS, without an end."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(server_context(), implicit=True)
        self._stop = stop

    @override
    def inside_from_server(self, octets: bytes) -> None:
        if octets and not self._stop.is_set():
            self._flush()
            while not self._stop.wait(0.01):
                self._to_client.send([b"2" if not self._for_client else b"0"])
                self.to_client(self._to_client.records_to_send())


def test_a_reply_that_drips_inside_tls(adapter: Colour) -> None:
    """R9: one deadline for a reply, however many records it comes in."""
    stop = threading.Event()
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with ManInTheMiddle(Drips(stop), (server.host, server.port)) as eve:
            options = {
                "ssl_context": client_context(),
                "timeouts": ehlo.Timeouts(greeting=0.1),
            }
            try:
                with pytest.raises((ehlo.Timeout, ehlo.RemoteProtocolError)) as caught:
                    adapter.connect(f"smtps://127.0.0.1:{eve.port}", **options)
            finally:
                stop.set()
    assert caught.value.phase is ehlo.Phase.GREETING


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "."])
def test_a_reply_that_drips(adapter: Colour, command: str) -> None:
    """R9, for each step: the deadline is not moved by what has come."""
    octets = b"250-mail.example.org greets nobody"
    drip: list[Any] = []
    for number in range(len(octets)):
        drip += [Send(octets[number : number + 1]), Wait(str(number))]
    fields = {"EHLO": "command", "MAIL": "mail", ".": "end_of_content"}
    timeouts = ehlo.Timeouts(**{fields[command]: 0.1})
    stop = threading.Event()
    with Server(ServerOptions(answers={command: tuple(drip)})) as server:

        def release() -> None:
            for number in range(len(octets)):
                if stop.wait(0.02):
                    return
                server.release(str(number))

        thread = threading.Thread(target=release)
        thread.start()
        with pytest.raises(ehlo.SMTPError) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, timeouts=timeouts)
        stop.set()
        thread.join()
    error = caught.value.__cause__ if command == "." else caught.value
    assert isinstance(error, ehlo.Timeout)


# -- Growth ----------------------------------------------------------------------------------------


def calls(work: Callable[[], object]) -> int:
    """Count the calls that some work takes, of Python functions and of those in C."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def seconds(work: Callable[[], object]) -> float:
    """Return the processor's time for some work: the least of a few tries."""
    least = float("inf")
    for _ in range(3):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return least


def parse(octets: bytes, piece: int = 65_536) -> None:
    parser = ReplyParser(ReplyLimits(line=10**9, lines=10**9, total=10**9))
    for at in range(0, len(octets), piece):
        parser.feed(octets[at : at + piece])
        while parser.next_reply() is not None:
            pass


def announced(lines: list[bytes]) -> Callable[[], object]:
    reply = Reply(250, (b"mail.example.org", *lines))
    return lambda: Capabilities.from_reply(reply)


def refused(make: Callable[[str], object], text: str) -> Callable[[], object]:
    def work() -> None:
        try:
            make(text)
        except ehlo.InvalidInput:
            return

    return work


def encode(content: bytes, piece: int = 65_536) -> Callable[[], object]:
    def work() -> None:
        encoder = ContentEncoder()
        for at in range(0, len(content), piece):
            list(encoder.encode(content[at : at + piece]))
        encoder.finish()

    return work


def written(**fields: Any) -> Callable[[], object]:
    message = Message(**{"from_": "a@b", "to": "c@d", "text": "x"} | fields)
    return lambda: message.as_bytes(now=NOW, make_id=lambda: "1")


def looked_at(octets: bytes) -> Callable[[], object]:
    return lambda: prepare(octets, TO_BOB, now=lambda: NOW, make_id=lambda: "1")


def another_s(count: int) -> Callable[[], object]:
    """Make a message of somebody else ready that the package's own generator has to write."""
    fields = b"".join(b"X%d: \r\n" % number for number in range(count))
    source = fields + b"Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nb\r\n"
    message = email.message_from_bytes(source, policy=email.policy.default)
    return lambda: prepare(message, TO_BOB, now=lambda: NOW, make_id=lambda: "1")


def heard(octets: bytes, *, limits: bytes = b"") -> Connection:
    """Return a Connection that is ready, and has received more."""
    connection = Connection()
    connection.receive_data(b"220 mx\r\n")
    connection.next_event()
    connection.send(Ehlo("client.example.org"))
    connection.data_to_send()
    connection.receive_data(b"250-mx\r\n250-PIPELINING\r\n250 " + limits + b"\r\n")
    connection.next_event()
    connection.receive_data(octets)
    return connection


def events_of(connection: Connection) -> None:
    while connection.next_event() is not NEED_DATA:
        pass


def named(count: int) -> None:
    """Name recipients in many domains to a server that counts those."""
    connection = heard(b"", limits=b"LIMITS RCPTDOMAINMAX=999999")
    connection.send(Mail(Address("a@b")))
    for number in range(count):
        connection.send(Rcpt(Address(f"a@d{number}")))
    assert len(connection.recipient_domains) == count


SCALED: dict[str, Callable[[int], Callable[[], object]]] = {
    "a reply of many lines": lambda n: lambda: parse(b"250-mail\r\n" * n + b"250 end\r\n"),
    "many replies": lambda n: lambda: parse(b"250 2.0.0 Ok\r\n" * n),
    "many different replies": lambda n: (
        lambda: parse(b"".join(b"250 %d\r\n" % k for k in range(n)))
    ),
    "a line octet by octet": lambda n: lambda: parse(b"250 " + b"x" * n + b"\r\n", 1),
    "lines octet by octet": lambda n: lambda: parse(b"250-x\r\n" * (n // 8) + b"250 x\r\n", 1),
    "line ends octet by octet": lambda n: lambda: parse(b"250 x\r\n" * (n // 8), 1),
    "many capabilities": lambda n: announced([b"X%d" % k for k in range(n)]),
    "one capability many times": lambda n: announced([b"AUTH PLAIN X%d" % k for k in range(n)]),
    "many mechanisms": lambda n: announced([b"AUTH " + b" ".join(b"M%d" % k for k in range(n))]),
    "many blanks": lambda n: announced([b"AUTH" + b" \t" * n + b"PLAIN"]),
    "blank lines": lambda n: announced([b"   "] * n),
    "limits": lambda n: (
        lambda: (
            Capabilities.from_reply(
                Reply(250, (b"mx", b"LIMITS " + b" ".join(b"RCPTMAX=%d" % k for k in range(n))))
            ).limits
        )
    ),
    "a long local part": lambda n: refused(Address, "a" * n + "@b"),
    "many dots": lambda n: refused(Address, "a." * n + "@b"),
    "many labels": lambda n: refused(Address, "a@" + "b." * n),
    "a quoted local part": lambda n: refused(Address, '"' + "\\a" * n + '"@b'),
    "an open quote": lambda n: refused(Address, '"' + "a" * n),
    "many at signs": lambda n: refused(Address, "a@" * n),
    "a long display name": lambda n: refused(Mailbox.parse, "Ada " * n + "<a@b>"),
    "nested comments": lambda n: refused(Mailbox.parse, "(" * n + ")" * n + "<a@b>"),
    "open angles": lambda n: refused(Mailbox.parse, "<" * n),
    "many mailboxes": lambda n: refused(parse_mailboxes, ", ".join(["Ada <a@b>"] * n)),
    "many commas": lambda n: refused(parse_mailboxes, "," * n),
    "many groups": lambda n: refused(parse_mailboxes, "g: a@b;, " * n),
    "open groups": lambda n: refused(parse_mailboxes, "g:" * n),
    "content": lambda n: encode(b"Plain words.\r\n" * n),
    "dots": lambda n: encode(b".\r\n" * n),
    "bare line ends": lambda n: encode(b"\r\n\r\r\n\n" * n),
    "carriage returns": lambda n: encode(b"\r" * n),
    "content octet by octet": lambda n: encode(b".\r\n" * (n // 4), 1),
    "the size of content": lambda n: lambda: wire_size(b"x\n\r" * n),
    "octets to look at": lambda n: looked_at(b"A: b\r\n" * n + b"\r\nx"),
    "a folded field": lambda n: looked_at(b"Message-ID:" + b"\r\n " * n + b"<1@b>\r\n\r\nx"),
    "a long subject": lambda n: written(subject="word " * n),
    "a subject beyond ASCII": lambda n: written(subject="Grüße " * n),
    "many recipients": lambda n: written(to=[f"a{k}@b" for k in range(n)]),
    "a long text": lambda n: written(text="Grüße\n" * n),
    "many fields": another_s,
    "many domains": lambda n: lambda: named(n),
    "last words": lambda n: lambda: events_of(heard(b"421 no\r\n" + b"250 x\r\n" * min(n, 16_000))),
    "a text without line ends": lambda n: written(text="ü" * n),
    "xtext": lambda n: lambda: decode_xtext("+41" * n),
    "an echo": lambda n: lambda: scrub(b"hunter3 " * n, (Secret(PASSWORD),)),
    "an echo of nothing else": lambda n: lambda: scrub(PASSWORD.encode() * n, (Secret(PASSWORD),)),
    "control characters": lambda n: lambda: printable("\x1b[0m" * n),
    "a certificate of many elements": lambda n: (
        lambda: read_certificate(b"\x30\x83" + (n * 2).to_bytes(3, "big") + b"\x30\x00" * n)
    ),
}
SMALL = 1000


@pytest.mark.parametrize("name", SCALED)
def test_work_grows_with_what_there_is_and_no_faster(name: str) -> None:  # I5 R8
    """Four times as much takes about four times as many calls."""
    make = SCALED[name]
    make(SMALL)()  # what is imported or remembered is so now
    few, many = calls(make(SMALL)), calls(make(4 * SMALL))
    assert many <= 5 * few + 50


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALED)
def test_time_grows_with_what_there_is_and_no_faster(name: str) -> None:  # I5 R8
    """Sixteen times as much takes 16 times as long if linear, and 256 times if quadratic."""
    make = SCALED[name]
    short, long = seconds(make(2 * SMALL)), seconds(make(32 * SMALL))
    assert long <= 80 * max(short, 0.0005)
