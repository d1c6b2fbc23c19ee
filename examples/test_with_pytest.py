"""How to test a program that sends mail: run it with `python -m pytest test_with_pytest.py`.

The server is real and on the loopback interface; nothing is mocked, nothing leaves the machine.
"""
# ruff: noqa: S101 - assert is how a test speaks

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ehlo
from ehlo.testing import Close, Server, ServerOptions, TakeEffect

if TYPE_CHECKING:
    from collections.abc import Iterator


def send_welcome(recipient: str, url: str) -> ehlo.Receipt:
    """Stand for your own function that sends mail."""
    message = ehlo.Message(
        from_="shop@example.org", to=[recipient], subject="Welcome", text="Good to see you.\n"
    )
    return ehlo.blocking.send(message, url)


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_the_mail_says_welcome(server: Server) -> None:
    """A server keeps what it accepted."""
    receipt = send_welcome("bob@example.com", server.url)

    (received,) = server.messages
    assert received.sender == "shop@example.org"
    assert received.recipients == ("bob@example.com",)
    assert received.parse()["Subject"] == "Welcome"
    assert received.queue_id == receipt.queue_id


def test_a_wrong_address_is_reported() -> None:
    """What a server answers is data: a command, or the beginning of one, and a reply."""
    refusal = ehlo.Reply.of(550, "5.1.1 No such user")
    with Server(ServerOptions(answers={"RCPT": refusal})) as server:
        with pytest.raises(ehlo.RecipientsRefused) as caught:
            send_welcome("nobody@example.com", server.url)

        assert not caught.value.temporary
        assert not server.messages


def test_a_lost_reply_is_not_a_failure() -> None:
    """A server can misbehave at every point: here it takes the mail and hangs up."""
    with Server(ServerOptions(answers={".": (TakeEffect(), Close())})) as server:
        with pytest.raises(ehlo.DeliveryUnknown):
            send_welcome("bob@example.com", server.url)

        assert len(server.messages) == 1


def main() -> None:
    """Run the tests of this file."""
    raise SystemExit(pytest.main([__file__, "-q"]))


if __name__ == "__main__":
    main()
