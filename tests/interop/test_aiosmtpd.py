"""Through both adapters to aiosmtpd, a server that is not ours and is always at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

import ehlo
from support.addresses import free_port
from support.colours import Colour, colour
from support.tls import client_context, server_context

MESSAGE = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n.dots\r\n..more\r\n" + b"x" * 900 + b"\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


class Keeper:
    """A handler that keeps what it gets."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued as 0A1B2C3D4E"


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
    assert isinstance(data, LoginPassword)
    # `handled` would mean that this function has answered the client itself.
    return AuthResult(success=data.password == b"tanstaaf", handled=False)


@contextmanager
def running(**options: Any) -> Iterator[tuple[Keeper, int]]:
    keeper = Keeper()
    port = free_port()
    controller = Controller(keeper, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield keeper, port
    finally:
        controller.stop()
        controller.loop.close()


def arrived(keeper: Keeper) -> bytes:
    [envelope] = keeper.envelopes
    assert isinstance(envelope.content, bytes)
    return envelope.content


def test_plain(adapter: Colour) -> None:
    with running() as (keeper, port):
        receipt = adapter.send(MESSAGE, f"smtp://127.0.0.1:{port}", envelope=TO_BOB)
    assert arrived(keeper) == MESSAGE
    assert receipt.queue_id == "0A1B2C3D4E"


def test_starttls_and_auth(adapter: Colour) -> None:
    options = {"require_starttls": True, "tls_context": server_context()}
    with running(authenticator=authenticate, auth_required=True, **options) as (keeper, port):
        url = f"smtp+starttls://ada:tanstaaf@127.0.0.1:{port}"
        adapter.send(MESSAGE, url, envelope=TO_BOB, ssl_context=client_context())
    assert arrived(keeper) == MESSAGE


def test_a_wrong_password(adapter: Colour) -> None:
    options = {"auth_require_tls": False, "authenticator": authenticate}
    with running(**options) as (_, port), pytest.raises(ehlo.AuthenticationRefused):
        adapter.connect(f"smtp://ada:wrong@127.0.0.1:{port}")


def test_implicit_tls(adapter: Colour) -> None:
    with running(ssl_context=server_context()) as (keeper, port):
        url = f"smtps://127.0.0.1:{port}"
        adapter.send(MESSAGE, url, envelope=TO_BOB, ssl_context=client_context())
    assert arrived(keeper) == MESSAGE


def test_lines_that_are_too_long_for_it(adapter: Colour) -> None:
    """It refuses lines over 1000 octets with 500 at the end of the content."""
    with running() as (_, port), adapter.connect(f"smtp://127.0.0.1:{port}") as session:
        session.mail("ada@example.org")
        session.rcpt("bob@example.com")
        assert session.data(b"y" * 2000 + b"\r\n").is_permanent
