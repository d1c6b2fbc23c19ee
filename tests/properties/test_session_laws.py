"""Laws of whole sessions, for whatever a server says and however that is cut."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from ehlo.content import Octets
from ehlo.dialogues import (
    Dialogue,
    Need,
    Opening,
    Receive,
    Transaction,
    UpgradeTls,
    deliver,
    open_session,
    quit_session,
)
from ehlo.envelope import Envelope
from ehlo.errors import SMTPError, Timeout
from ehlo.phase import Outcome
from ehlo.policies import Cleartext, OnRefusal, Pipelining, Tls
from ehlo.protocol import Connection
from ehlo.receipt import Receipt
from ehlo.runtime.ambient import default_context
from ehlo.runtime.driving import Turn
from ehlo.runtime.link import Link
from ehlo.sasl import Password
from support.stepping import MemoryServer, drive, ready

KEYWORDS = ("PIPELINING", "STARTTLS", "AUTH LOGIN PLAIN", "8BITMIME", "SIZE 1000000")

LINES = [
    b"220 mx\r\n",
    b"220-mx\r\n",
    b"250 ok\r\n",
    b"250-mx\r\n",
    b"250 PIPELINING\r\n",
    b"250-STARTTLS\r\n",
    b"250 AUTH PLAIN LOGIN\r\n",
    b"334 \r\n",
    b"334 VXNlcm5hbWU6\r\n",
    b"354 go\r\n",
    b"235 ok\r\n",
    b"221 bye\r\n",
    b"421 bye\r\n",
    b"450 later\r\n",
    b"504 no\r\n",
    b"550 no\r\n",
    b"250 o",
    b"\r\n",
    b"\n",
    b"\x00\xff\x1b",
    b"25",
    b"nonsense\r\n",
]
pieces = st.lists(st.sampled_from(LINES) | st.binary(max_size=20), max_size=30)

openings = st.builds(
    Opening,
    name=st.just("client.example.org"),
    tls=st.sampled_from(Tls),
    credentials=st.sampled_from([None, Password("ada", "tanstaaf")]),
    cleartext=st.sampled_from(Cleartext),
)
transactions = st.builds(
    Transaction,
    envelope=st.integers(1, 4).map(
        lambda count: Envelope("ada@example.org", [f"r{n}@example.com" for n in range(count)])
    ),
    content=st.binary(max_size=100).map(lambda octets: Octets(octets.replace(b"\0", b"."))),
    on_refusal=st.sampled_from(OnRefusal),
    pipelining=st.sampled_from(Pipelining),
)


def saying(connection: Connection, octets: list[bytes], end: bool) -> Callable[[Need], None]:
    """Meet needs from a list of octets; then the connection ends, or falls silent."""
    coming = iter(octets)

    def meet(need: Need) -> None:
        connection.data_to_send()
        if isinstance(need, UpgradeTls):
            return
        while connection.needs_data and isinstance(need, Receive):
            piece = next(coming, None)
            if piece is not None:
                connection.receive_data(piece)
            elif end:
                connection.receive_eof()
                return
            else:
                msg = "no answer"
                raise Timeout(msg)

    return meet


def run(dialogue: Dialogue[Any], connection: Connection, meet: Callable[[Need], None]) -> object:
    link = Link(connection, server_hostname="mx", make_context=default_context)
    try:
        with Turn(link):
            return drive(dialogue, meet)
    except SMTPError as exc:
        return exc
    finally:
        assert connection.is_settled or connection.is_over


@given(pieces, st.booleans(), openings)
def test_opening_raises_documented_errors_only(
    octets: list[bytes], end: bool, opening: Opening
) -> None:
    connection = Connection()
    result = run(open_session(connection, opening), connection, saying(connection, octets, end))
    if isinstance(result, SMTPError):
        assert result.outcome is Outcome.NOT_SENT
        assert connection.is_over
    else:
        assert connection.is_settled


@given(pieces, st.booleans(), transactions, st.booleans())
def test_delivering_raises_documented_errors_only(
    octets: list[bytes], end: bool, what: Transaction, pipelined: bool
) -> None:
    connection = ready(*["PIPELINING"] * pipelined)
    result = run(deliver(connection, what), connection, saying(connection, octets, end))
    assert isinstance(result, Receipt | SMTPError)
    if isinstance(result, Receipt):
        assert result.reply.is_positive
        assert result.accepted


@given(pieces, st.booleans())
def test_quitting_raises_nothing(octets: list[bytes], end: bool) -> None:
    connection = ready()
    run(quit_session(connection), connection, saying(connection, octets, end))
    assert connection.is_over


@given(st.binary(max_size=300), st.booleans())
def test_any_octets_at_all(octets: bytes, end: bool) -> None:
    opening = Opening(name="client.example.org", tls=Tls.STARTTLS_IF_OFFERED)
    connection = Connection()
    meet = saying(connection, [octets], end)
    result = run(open_session(connection, opening), connection, meet)
    assert result is None or isinstance(result, SMTPError)
    assert connection.is_over or connection.is_settled


# -- Cuts ------------------------------------------------------------------------------------------

REFUSALS = [
    b"450 later\r\n",
    b"550-no\r\n550 no\r\n",
    b"421 bye\r\n",
    b"354 go\r\n",
    b"250 ok\r\n",
    b"nonsense\r\n",
]
plans = st.dictionaries(st.integers(0, 12), st.sampled_from(REFUSALS), max_size=2)


def shown(result: object) -> str:
    """Return the text of a result, without the quotation of what made no sense."""
    return str(result).partition("a line that")[0]


def session(
    opening: Opening, what: Transaction, plan: dict[int, bytes], cuts: list[int]
) -> list[object]:
    """Open a session and deliver, against a server whose words are cut as told."""
    sizes = iter(cuts * 1000)

    class Cutting(Connection):
        """Cuts what it receives."""

        @override
        def receive_data(self, data: bytes | bytearray | memoryview) -> None:
            while data:
                size = next(sizes, len(data))
                super().receive_data(data[:size])
                _ = self.needs_data
                data = data[size:]

    connection = Cutting()
    server = MemoryServer(connection=connection, keywords=KEYWORDS, refuse=plan)
    meet = server.meet
    results: list[object] = []
    for dialogue in (open_session(connection, opening), deliver(connection, what)):
        result = run(dialogue, connection, meet)
        results += [
            type(result),
            shown(result),
            getattr(result, "outcome", None) if isinstance(result, SMTPError) else None,
            getattr(result, "phase", None),
            getattr(result, "reply", None),
            connection.state,
            connection.is_idle,
        ]
    return [*results, server.taken, server.points]


@given(openings, transactions, plans, st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_cuts_change_nothing(
    opening: Opening, what: Transaction, plan: dict[int, bytes], cuts: list[int]
) -> None:
    """R2."""
    whole = session(opening, what, plan, [10_000])
    assert session(opening, what, plan, [1]) == whole
    assert session(opening, what, plan, cuts) == whole
