"""Through both adapters and proxies that are not ours: microsocks and tinyproxy, on loopback."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import ehlo
from ehlo.testing import Server
from support.addresses import free_port, refusing
from support.colours import Colour, colour
from support.frames import assert_hidden, shown
from support.secrets import PASSWORD
from support.tls import client_context, server_context

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
SECONDS = 10
TINYPROXY = """\
Listen 127.0.0.1
Port {port}
Allow 127.0.0.1
BasicAuth ada {password}
ConnectPort {allowed}
"""


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


@contextmanager
def running(port: int, *command: str) -> Iterator[None]:
    """Run a program until it is not needed any more, from when it listens."""
    if shutil.which(command[0]) is None:
        reason = f"{command[0]} is not installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + SECONDS
        while not _listens(port):
            assert program.poll() is None, f"{command[0]} has ended: {program.returncode}"
            assert time.monotonic() < end, f"{command[0]} does not listen"
            time.sleep(0.01)
        yield
    finally:
        program.terminate()
        program.wait(SECONDS)


def _listens(port: int) -> bool:
    """Tell by the system's table: a connection would have to be served."""
    table = Path("/proc/net/tcp").read_text(encoding="ascii")
    return f"0100007F:{port:04X} 00000000:0000 0A" in table


@contextmanager
def proxy_to(kind: str, allowed: int, directory: Path) -> Iterator[int]:
    port = free_port()
    if kind == "socks5":
        command = ["microsocks", "-i", "127.0.0.1", "-p", str(port), "-u", "ada", "-P", PASSWORD]
    else:
        path = directory / "tinyproxy.conf"
        text = TINYPROXY.format(port=port, password=PASSWORD, allowed=allowed)
        path.write_text(text, encoding="ascii")
        command = ["tinyproxy", "-d", "-c", str(path)]
    with running(port, *command):
        yield port


KINDS = pytest.mark.parametrize("kind", ["socks5", "http"])


@KINDS
def test_a_message_goes_through(adapter: Colour, kind: str, tmp_path: Path) -> None:
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with proxy_to(kind, server.port, tmp_path) as port:
            receipt = adapter.send(
                MESSAGE,
                f"smtps://localhost:{server.port}",
                envelope=TO_BOB,
                proxy=f"{kind}://ada:{PASSWORD}@127.0.0.1:{port}",
                ssl_context=client_context(),
            )
            [message] = server.wait_for_messages(1)
    assert message.content == MESSAGE
    assert receipt.tls is not None
    assert receipt.tls.verified


@KINDS
def test_who_is_not_let_in(adapter: Colour, kind: str, tmp_path: Path) -> None:
    with proxy_to(kind, 25, tmp_path) as port:
        url = f"{kind}://eve:{PASSWORD}@127.0.0.1:{port}"
        with pytest.raises(ehlo.ConnectFailed) as caught:
            adapter.connect("smtp://localhost:25", proxy=url)
    assert caught.value.hop is ehlo.Hop.PROXY
    assert_hidden(PASSWORD, shown(caught.value))


@KINDS
def test_a_server_that_is_not_there(adapter: Colour, kind: str, tmp_path: Path) -> None:
    _, gone = refusing()
    with proxy_to(kind, gone, tmp_path) as port:
        options: dict[str, Any] = {"proxy": f"{kind}://ada:{PASSWORD}@127.0.0.1:{port}"}
        with pytest.raises(ehlo.ConnectFailed) as caught:
            adapter.connect(f"smtp://localhost:{gone}", **options)
    assert caught.value.hop is ehlo.Hop.SERVER
    assert caught.value.temporary
