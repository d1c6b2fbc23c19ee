"""Both adapters against the embedded server: every verb, every kind of connection."""

import socket
import traceback
from pathlib import Path

import pytest

import ehlo
from ehlo.testing import AuthChannel, Offer, Server, ServerOptions
from support.colours import Colour
from support.tls import client_context, server_context

MESSAGE = b"Subject: Notes\r\nMessage-ID: <1@example.org>\r\n\r\n.Plain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
WITH_AUTH = ServerOptions(users={"ada": "tanstaaf"})


def test_send_over_a_connection_of_its_own(adapter: Colour) -> None:
    with Server() as server:
        receipt = adapter.send(MESSAGE, server.url, envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
    assert message.content == MESSAGE
    assert (message.sender, message.recipients) == ("ada@example.org", ("bob@example.com",))
    assert receipt.accepted == TO_BOB.recipients
    assert receipt.queue_id == message.queue_id
    assert receipt.message_id == "<1@example.org>"
    assert [command.verb for command in server.commands][-1] == "QUIT"


def test_every_verb_returns_the_reply_whatever_its_code(adapter: Colour) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        codes = [
            session.noop("are you there").code,
            session.vrfy("bob").code,
            session.expn("staff").code,
            session.help().code,
            session.execute("XFOO bar").code,
            session.rset().code,
            session.ehlo("client.example.org").code,
            session.mail("ada@example.org").code,
            session.rcpt("bob@example.com").code,
            session.data(MESSAGE).code,
            session.mail(None).code,
            session.helo("client.example.org").code,
            session.quit().code,
        ]
        [message] = server.wait_for_messages(1)
    assert codes[:4] == [250, 252, codes[2], 214]
    assert codes[4] == 500
    assert codes[5:] == [250, 250, 250, 250, 250, 250, 250, 221]
    assert message.content == MESSAGE


def test_requiretls_by_hand_needs_verified_tls(adapter: Colour) -> None:  # E5
    options = ServerOptions(capabilities=("REQUIRETLS",))
    wish = ehlo.MailOptions(require_tls=True)
    with Server(options) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.TlsFailed, match="it is not encrypted"):
            session.mail("ada@example.org", options=wish)
        assert session.is_idle
    assert "MAIL" not in [command.verb for command in server.commands]
    with Server(options, tls="implicit", ssl_context=server_context()) as server:
        with adapter.connect(server.url, ssl_context=client_context()) as session:
            assert session.mail("ada@example.org", options=wish).code == 250


def test_data_that_is_refused_returns_the_refusal(adapter: Colour) -> None:
    options = ServerOptions(answers={"DATA": ehlo.Reply.of(451, "4.3.0 Not now")})
    with Server(options) as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        session.rcpt("bob@example.com")
        assert session.data(MESSAGE).code == 451
        assert session.rset().is_positive


def test_content_that_is_refused_returns_the_refusal(adapter: Colour) -> None:
    options = ServerOptions(answers={".": ehlo.Reply.of(554, "5.7.1 No")})
    with Server(options) as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        session.rcpt("bob@example.com")
        assert session.data(MESSAGE).code == 554
        assert session.is_idle


def test_what_a_session_knows(adapter: Colour) -> None:
    transcript = ehlo.Transcript()
    with Server() as server:
        with adapter.connect(server.url, transcript=transcript, name="[192.0.2.1]") as session:
            assert session.capabilities.pipelining
            assert session.greeting.code == 220
            assert session.is_idle
            assert session.tls is None
            assert session.transcript is transcript
            assert session.connection.state is ehlo.State.READY
        assert server.commands[0].line == "EHLO [192.0.2.1]"
    assert str(transcript).startswith("S: 220 ")
    assert "C: EHLO [192.0.2.1]" in str(transcript)


def test_the_default_name_is_the_address_of_the_socket(adapter: Colour) -> None:
    with Server() as server:
        adapter.connect(server.url).close()
        assert server.commands[0].line == "EHLO [127.0.0.1]"


def test_starttls(adapter: Colour) -> None:
    options = ServerOptions(starttls=Offer.REQUIRED)
    with Server(options, ssl_context=server_context()) as server:
        assert server.url.startswith("smtp+starttls://")
        with adapter.connect(server.url, ssl_context=client_context()) as session:
            assert session.tls.version == "TLSv1.3"
            assert "127.0.0.1" in session.tls.names
            session.send(MESSAGE, envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
    assert message.tls


def test_starttls_by_its_verb(adapter: Colour) -> None:
    options = ServerOptions(starttls=Offer.OFFERED)
    with Server(options, ssl_context=server_context()) as server:
        context = client_context()
        with adapter.connect(server.url, tls="none", ssl_context=context) as session:
            assert session.starttls().code == 220
            assert session.capabilities.keywords == {}
            assert session.ehlo("client.example.org").is_positive
            assert session.is_idle


def test_implicit_tls(adapter: Colour) -> None:
    with Server(tls="implicit", ssl_context=server_context()) as server:
        receipt = adapter.send(MESSAGE, server.url, envelope=TO_BOB, ssl_context=client_context())
        [message] = server.wait_for_messages(1)
    assert message.tls
    assert receipt.accepted == TO_BOB.recipients


def test_the_default_context_verifies(adapter: Colour) -> None:
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with pytest.raises(ehlo.TlsFailed, match="whom nobody here trusts") as caught:
            adapter.connect(server.url)
        assert not server.commands
    assert caught.value.phase is ehlo.Phase.TLS
    assert caught.value.outcome is ehlo.Outcome.NOT_SENT


def test_a_certificate_for_another_host_is_refused(adapter: Colour) -> None:
    options = ServerOptions(starttls=Offer.OFFERED)
    with Server(options, ssl_context=server_context("mail.example.net")) as server:
        with pytest.raises(ehlo.TlsFailed, match=r"but for mail\.example\.net"):
            adapter.connect(server.url, ssl_context=client_context())
        assert [command.verb for command in server.commands] == ["EHLO", "STARTTLS"]


def test_tls_against_a_server_that_speaks_clear(adapter: Colour) -> None:
    with (
        Server() as server,
        pytest.raises(ehlo.TlsFailed, match=r"begins in clear, so say smtp\+starttls://"),
    ):
        adapter.connect(f"smtps://{server.host}:{server.port}", ssl_context=client_context())


def test_a_large_message_over_tls(adapter: Colour) -> None:
    content = b"Subject: large\r\n\r\n" + b".0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * 100_000
    options = ServerOptions(capabilities=("PIPELINING", "SIZE 10000000"))
    with Server(options, tls="implicit", ssl_context=server_context()) as server:
        adapter.send(content, server.url, envelope=TO_BOB, ssl_context=client_context())
        [message] = server.wait_for_messages(1)
    assert message.content == content


def test_a_unix_socket(adapter: Colour, tmp_path: Path) -> None:
    path = tmp_path / "smtp.sock"
    with Server(path=path) as server:
        receipt = adapter.send(MESSAGE, f"smtp+unix://{path}", envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
        assert server.commands[0].line == "EHLO localhost"
    assert receipt.queue_id == message.queue_id


def test_authentication_from_the_url(adapter: Colour) -> None:
    with Server(WITH_AUTH) as server:
        url = f"smtp://ada:tanstaaf@{server.host}:{server.port}"
        adapter.send(MESSAGE, url, envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
    assert message.user == "ada"


def test_authentication_by_its_verb(adapter: Colour) -> None:
    with Server(WITH_AUTH) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            session.authenticate(ehlo.Password("ada", "wrong"))
        assert caught.value.connection_usable
        assert session.authenticate(ehlo.Password("ada", "tanstaaf")).code == 235
        assert session.connection.authenticated


def test_authentication_only_under_tls(adapter: Colour) -> None:
    options = ServerOptions(
        users={"ada": "tanstaaf"}, auth_channel=AuthChannel.TLS, starttls=Offer.OFFERED
    )
    with Server(options, ssl_context=server_context()) as server:
        with pytest.raises(ehlo.CapabilityMissing):
            adapter.connect(server.url, tls="none", auth=ehlo.Password("ada", "tanstaaf"))
        session = adapter.connect(
            server.url,
            auth=ehlo.Password("ada", "tanstaaf"),
            tls="starttls",
            ssl_context=client_context(),
        )
        with session:
            assert session.connection.authenticated


def test_a_host_name_that_resolves_to_several_addresses(adapter: Colour) -> None:
    with Server() as server:
        receipt = adapter.send(MESSAGE, f"smtp://localhost:{server.port}", envelope=TO_BOB)
    assert receipt.accepted


def test_nobody_listens(adapter: Colour) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ehlo.ConnectFailed) as caught:
            adapter.connect(f"smtp://127.0.0.1:{port}")
    assert caught.value.phase is ehlo.Phase.CONNECT
    assert caught.value.retry_safe
    assert isinstance(caught.value, ConnectionError)


def test_no_such_unix_socket(adapter: Colour, tmp_path: Path) -> None:
    with pytest.raises(ehlo.ConnectFailed):
        adapter.connect(f"smtp+unix://{tmp_path}/none.sock")


def test_what_cannot_be_sent_connects_to_nobody(adapter: Colour) -> None:
    with Server() as server:
        with pytest.raises(ehlo.InvalidInput):
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, on_refusal="sometimes")
        with pytest.raises(ehlo.InvalidInput):
            adapter.connect(server.url, name="client\r\nQUIT")
        with pytest.raises(ehlo.InvalidAddress):
            adapter.send(MESSAGE, server.url, envelope=ehlo.Envelope("a@b", "x@y\r\nDATA"))
        assert not server.commands


def test_a_transaction_needs_an_idle_session(adapter: Colour) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        with pytest.raises(ehlo.LocalProtocolError) as caught:
            session.send(MESSAGE, envelope=TO_BOB)
        assert caught.value.connection_usable
        session.rset()
        assert session.send(MESSAGE, envelope=TO_BOB).accepted


def test_a_closed_session_says_so(adapter: Colour) -> None:
    with Server() as server:
        session = adapter.connect(server.url)
        session.close()
        session.close()
        with pytest.raises(ehlo.ConnectionLost, match="the client closed the connection"):
            session.noop()
        assert session.quit() is None


def test_an_error_inside_the_context_still_says_quit(adapter: Colour) -> None:
    def fail_inside(url: str) -> None:
        with adapter.connect(url):
            raise LookupError

    with Server() as server:
        with pytest.raises(LookupError):
            fail_inside(server.url)
        assert server.commands[-1].verb == "QUIT"


def test_quit_that_is_refused_or_not_answered_is_no_failure(adapter: Colour) -> None:
    from ehlo.testing import Close  # noqa: PLC0415

    for answer in (ehlo.Reply.of(500, "What?"), Close()):
        with Server(ServerOptions(answers={"QUIT": answer})) as server:
            receipt = adapter.send(MESSAGE, server.url, envelope=TO_BOB)
        assert receipt.accepted


def test_an_option_that_there_is_not(adapter: Colour) -> None:
    """A misspelt option must not be lost without a word: it may be the one that protects."""
    with Server() as server:
        with pytest.raises(TypeError, match=r"no option 'timeout' \(did you mean 'timeouts'\?\)"):
            adapter.connect(server.url, timeout=5)
        with pytest.raises(TypeError, match="no option 'ssl_contxt'"):
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, ssl_contxt=None)
        assert not server.commands


def test_addresses_that_are_not_ascii_need_smtputf8(adapter: Colour) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        assert session.mail("grün@example.org").is_positive
        assert server.commands[-1].line == "MAIL FROM:<grün@example.org> SMTPUTF8"
    with (
        Server(ServerOptions(capabilities=())) as server,
        adapter.connect(server.url) as session,
    ):
        with pytest.raises(ehlo.CapabilityMissing):
            session.mail("grün@example.org")
        assert session.is_idle
        session.execute("VRFY grün")
        assert [command.verb for command in server.commands] == ["EHLO", "VRFY"]


def test_content_that_is_no_octets_opens_nothing(adapter: Colour) -> None:
    with Server() as server, adapter.connect(server.url) as session:
        session.mail("ada@example.org")
        session.rcpt("bob@example.com")
        with pytest.raises(TypeError):
            session.data("text")
        assert [command.verb for command in server.commands] == ["EHLO", "MAIL", "RCPT"]


def test_no_traceback_shows_the_password(adapter: Colour) -> None:
    with Server(ServerOptions(users={"ada": "right"})) as server:
        url = f"smtp://ada:hunter2@{server.host}:{server.port}"
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            adapter.send(MESSAGE, url, envelope=TO_BOB)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    package = str(Path(ehlo.__file__).parent)
    ours = [frame for frame in frames if frame.filename.startswith(package)]
    assert ours
    assert "hunter2" not in str([frame.locals for frame in ours])
