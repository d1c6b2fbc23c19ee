"""Through both adapters to a real LMTP server: Dovecot, over TCP and over a unix socket."""

from collections.abc import Iterator

import pytest

import ehlo
from support.batches import Batch
from support.colours import Colour, colour
from support.maildir import all_delivered
from support.servers import Servers

pytestmark = pytest.mark.interop

COUNT = 250
"""For each adapter over each kind of socket: a thousand in all."""


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


def url(servers: Servers, kind: str = "tcp") -> str:
    if kind == "unix":
        return f"lmtp+unix://{servers.lmtp_socket}"
    return f"lmtp://{servers.lmtp.host}:{servers.lmtp.port}"


def ascii_only(batch: Batch) -> Batch:
    """Return a batch without headers in UTF-8: Dovecot 2.3 does not offer SMTPUTF8 here."""
    return Batch(batch.mark, tuple(c.replace("ü".encode(), b"u", 1) for c in batch.contents))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_each_of_many_messages_arrives_once(adapter: Colour, servers: Servers, kind: str) -> None:
    batch = ascii_only(Batch.of(COUNT))
    level = "continuous" if kind == "unix" else "transaction"
    with adapter.connect(url(servers, kind), pipelining=level) as session:
        results = list(session.send_many(batch.pairs("carol@example.org", "dave@example.org")))
        assert session.is_idle
    assert [result.outcome for result in results] == [ehlo.Outcome.ACCEPTED] * COUNT
    assert all(len(result.unwrap().replies) == 2 for result in results)
    for user in ("carol", "dave"):
        batch.check(all_delivered(servers.lmtp_maildir / user, batch.mark, COUNT))


@pytest.mark.parametrize("level", ["none", "transaction", "continuous"])
@pytest.mark.parametrize("without", [(), ("CHUNKING",)], ids=["BDAT", "DATA"])
def test_one_of_three_has_no_room(
    adapter: Colour, servers: Servers, level: str, without: tuple[str, ...]
) -> None:
    """It is taken at RCPT and refused behind the end of the content; the others have got it."""
    full = ehlo.Address(servers.full_user)
    others = ("bob@example.org", "erin@example.org")
    batch = ascii_only(Batch.of(3))
    pairs = batch.pairs(others[0], str(full), others[1])
    options = {"pipelining": level, "without": without}
    with adapter.connect(url(servers), **options) as session:
        results = list(session.send_many(pairs, on_refusal="deliver"))
        assert session.is_idle
    for result in results:
        receipt = result.unwrap()
        assert tuple(map(str, receipt.accepted)) == others
        assert list(receipt.refused) == [full]
        assert receipt.replies[full].enhanced_status is not None
        assert not receipt.replies[full].is_positive
    for user in ("bob", "erin"):
        batch.check(all_delivered(servers.lmtp_maildir / user, batch.mark, 3))


def test_who_has_no_room_is_an_error_if_so_asked(adapter: Colour, servers: Servers) -> None:
    """Sending it again would duplicate it for the other one, and the error says so."""
    full = ehlo.Address(servers.full_user)
    batch = ascii_only(Batch.of(1))
    [(content, envelope)] = batch.pairs("bob@example.org", str(full))
    with adapter.connect(url(servers)) as session:
        with pytest.raises(ehlo.RecipientsRefused) as caught:
            session.send(content, envelope=envelope)
        assert session.is_idle
    error = caught.value
    assert list(error.refused) == [full]
    assert tuple(map(str, error.delivered)) == ("bob@example.org",)
    assert error.outcome is ehlo.Outcome.ACCEPTED
    assert not error.retry_safe
    batch.check(all_delivered(servers.lmtp_maildir / "bob", batch.mark, 1))


def test_nobody_by_that_name(adapter: Colour, servers: Servers) -> None:
    batch = ascii_only(Batch.of(2))
    pairs = batch.pairs("nobody@example.org")
    with adapter.connect(url(servers, "unix"), pipelining="continuous") as session:
        results = list(session.send_many(pairs))
        assert session.is_idle
    assert [type(result.error) for result in results] == [ehlo.RecipientsRefused] * 2
