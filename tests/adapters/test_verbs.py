"""Verbs of extensions by hand, in both adapters."""

import pytest

import ehlo
from ehlo.testing import ProxyProtocol, Server, ServerOptions
from support.colours import Colour

TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")


def offering(*capabilities: str) -> ServerOptions:
    return ServerOptions(capabilities=capabilities)


def test_bdat_by_hand(adapter: Colour) -> None:
    with Server(offering("CHUNKING", "BINARYMIME")) as server:
        with adapter.connect(server.url) as session:
            session.mail("ada@example.org")
            session.rcpt("bob@example.com")
            assert session.bdat(b"\n.\n", last=False).code == 250
            assert session.bdat(memoryview(b"x")).code == 250
            assert session.is_idle
            with pytest.raises(TypeError):
                session.bdat("text")
        (message,) = server.messages
    assert (message.content, message.chunks) == (b"\n.\nx", (3, 1))


def test_bdat_is_not_said_where_it_is_not_offered(adapter: Colour) -> None:
    with Server(offering()) as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        session.rcpt("bob@example.com")
        with pytest.raises(ehlo.CapabilityMissing) as caught:
            session.bdat(b"x")
        assert caught.value.connection_usable
        assert session.rset().is_positive


def test_lmtp_by_hand(adapter: Colour) -> None:
    with Server(ServerOptions(dialect="lmtp")) as server:  # type: ignore[arg-type]
        url = f"lmtp://{server.host}:{server.port}"
        with adapter.connect(url) as session:
            assert session.lhlo("client.example.org").is_positive
            with pytest.raises(ehlo.LocalProtocolError, match="the session speaks LMTP"):
                session.ehlo("client.example.org")
            receipt = session.send(b"x\r\n", envelope=TO_BOB)
            assert list(receipt.replies) == list(TO_BOB.recipients)
        assert server.commands[0].line.startswith("LHLO ")


def test_parameters_by_hand(adapter: Colour) -> None:
    with Server(offering("DSN", "SIZE 1000")) as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org", size=5, options=ehlo.MailOptions(envid="1"))
        session.rcpt(ehlo.Recipient("bob@example.com", notify="NEVER"))
        lines = [command.line for command in server.commands[1:]]
    assert lines == [
        "MAIL FROM:<ada@example.org> SIZE=5 ENVID=1",
        "RCPT TO:<bob@example.com> NOTIFY=NEVER",
    ]


def test_etrn_and_postfixs_verbs(adapter: Colour) -> None:
    options = offering("ETRN", "XCLIENT NAME", "XFORWARD NAME")
    with Server(options) as server, adapter.connect(server.url) as session:
        assert session.etrn("@example.org").is_positive
        assert session.xforward(NAME="a.example.org").is_positive
        assert session.xclient(NAME="b.example.org").code == 220
        assert not session.capabilities.keywords
        assert session.ehlo("client.example.org").is_positive
        session.xforward(NAME="c.example.org")
        session.send(b"x\r\n", envelope=TO_BOB)
        (message,) = server.messages
    assert message.xclient["NAME"] == "b.example.org"
    assert message.xforward["NAME"] == "c.example.org"


def test_a_proxy_header_goes_first(adapter: Colour) -> None:
    options = ServerOptions(proxy_protocol=ProxyProtocol.REQUIRED)
    header = ehlo.ProxyHeader(("192.0.2.1", 1025), ("198.51.100.1", 25))
    with Server(options) as server:
        assert adapter.send(b"x\r\n", server.url, envelope=TO_BOB, proxy_header=header).accepted
