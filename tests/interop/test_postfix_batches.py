"""A thousand messages, and a very large one, through both adapters to a real Postfix."""

import hashlib
import json
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import ehlo
from support.batches import Batch
from support.colours import Colour, colour
from support.maildir import all_delivered
from support.servers import Servers

pytestmark = pytest.mark.interop

COUNT = 250
"""For each adapter at each level: a thousand in all."""
MEBIBYTE = 1 << 20


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


def url(servers: Servers) -> str:
    return f"smtp://{servers.plain.host}:{servers.plain.port}"


@pytest.mark.slow
@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_each_of_many_messages_arrives_once(adapter: Colour, servers: Servers, level: str) -> None:
    batch = Batch.of(COUNT)
    with adapter.connect(url(servers), pipelining=level) as session:
        assert session.capabilities.chunking
        assert session.capabilities.smtputf8
        results = list(session.send_many(batch.pairs("carol@example.org")))
        assert session.is_idle
    assert [result.outcome for result in results] == [ehlo.Outcome.ACCEPTED] * COUNT
    assert len({result.unwrap().queue_id for result in results}) > 1
    batch.check(all_delivered(servers.maildir / "carol", batch.mark, COUNT))


@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_without_chunking(adapter: Colour, servers: Servers, level: str) -> None:
    batch = Batch.of(20)
    pairs = batch.pairs("carol@example.org")
    options = {"pipelining": level, "without": ["CHUNKING"]}
    results = list(adapter.send_many(pairs, url(servers), **options))
    assert [result.outcome for result in results] == [ehlo.Outcome.ACCEPTED] * 20
    batch.check(all_delivered(servers.maildir / "carol", batch.mark, 20))


@pytest.mark.parametrize("level", ["transaction", "continuous"])
def test_refusals_among_many(adapter: Colour, servers: Servers, level: str) -> None:
    """Every third message is for somebody who is not there."""
    batch = Batch.of(30)
    pairs = [
        (
            content,
            ehlo.Envelope("ada@example.org", f"{'carol' if number % 3 else 'nobody'}@example.org"),
        )
        for number, content in enumerate(batch.contents)
    ]
    with adapter.connect(url(servers), pipelining=level) as session:
        results = list(session.send_many(pairs))
        assert session.is_idle
    refused = [type(result.error) is ehlo.RecipientsRefused for result in results]
    assert refused == [number % 3 == 0 for number in range(30)]
    good = Batch(batch.mark, tuple(c for n, c in enumerate(batch.contents) if n % 3))
    good.check(all_delivered(servers.maildir / "carol", batch.mark, 20))


# -- A large one ---------------------------------------------------------------------------------

STREAM = """
import asyncio, base64, json, sys
import ehlo, ehlo.asyncio, ehlo.blocking

name, url, message_id = sys.argv[1:]
PIECE = bytes(range(256)) * 3 * 57  # a multiple of 57: each piece ends with a whole line
WHOLE, REST = divmod(200 << 20, len(PIECE))

def encoded(octets):
    lines = base64.b64encode(octets)
    return b"".join(lines[at : at + 76] + b"\\r\\n" for at in range(0, len(lines), 76))

def pieces():
    yield f"Message-ID: {message_id}\\r\\nFrom: ada@example.org\\r\\n".encode()
    yield b"MIME-Version: 1.0\\r\\nContent-Type: application/octet-stream\\r\\n"
    yield b"Content-Transfer-Encoding: base64\\r\\n\\r\\n"
    whole = encoded(PIECE)
    for _ in range(WHOLE):
        yield whole
    yield encoded(PIECE[:REST])

async def apieces():
    for piece in pieces():
        yield piece

envelope = ehlo.Envelope("ada@example.org", "dave@example.org")
if name == "blocking":
    receipt = ehlo.blocking.send(pieces(), url, envelope=envelope)
else:
    receipt = asyncio.run(ehlo.asyncio.send(apieces(), url, envelope=envelope))
# Not getrusage(): what that tells begins with the process that this one was forked from.
with open("/proc/self/status") as status:
    [peak] = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
print(json.dumps({"peak": peak, "message_id": receipt.message_id}))
"""


def digest_of_attachment() -> tuple[int, str]:
    """Return how many octets the attachment has in base64 with LF, and their SHA-256."""
    import base64  # noqa: PLC0415 - for this alone

    piece = bytes(range(256)) * 3 * 57
    whole, rest = divmod(200 * MEBIBYTE, len(piece))

    def encoded(octets: bytes) -> bytes:
        lines = base64.b64encode(octets)
        return b"".join(lines[at : at + 76] + b"\n" for at in range(0, len(lines), 76))

    once, last = encoded(piece), encoded(piece[:rest])
    digest = hashlib.sha256()
    for _ in range(whole):
        digest.update(once)
    digest.update(last)
    return len(once) * whole + len(last), digest.hexdigest()


def arrived(maildir: Path, message_id: str, timeout: float = 20) -> Path:
    """Wait for the file of a message; others may come and go, of other runs of the tests."""
    end = time.monotonic() + timeout
    mark = message_id.encode()
    while time.monotonic() < end:
        for path in maildir.glob("new/*"):
            with suppress(FileNotFoundError), path.open("rb") as file:
                if mark in file.read(4096):
                    return path
        time.sleep(0.05)
    raise AssertionError(f"{message_id} was not delivered")


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["blocking", "asyncio"])
def test_a_large_attachment_takes_little_memory(name: str, servers: Servers) -> None:
    """C5: 200 MiB from a generator; the process never has 64 MiB."""
    message_id = f"<{uuid.uuid4().hex}@example.org>"
    command = [sys.executable, "-c", textwrap.dedent(STREAM), name, url(servers), message_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["message_id"] == message_id
    assert facts["peak"] < 64 * 1024, "KiB"
    path = arrived(servers.maildir / "dave", message_id)
    digest, octets = hashlib.sha256(), 0
    with path.open("rb") as file:
        while file.readline() != b"\n":
            pass  # the header
        while piece := file.read(MEBIBYTE):
            digest.update(piece)
            octets += len(piece)
    path.unlink()
    assert (octets, digest.hexdigest()) == digest_of_attachment()
