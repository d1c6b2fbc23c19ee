"""Through both adapters to a real Postfix: plain, STARTTLS with AUTH, implicit TLS."""

import email
import email.policy
import ssl
import uuid
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest

import ehlo
from support.colours import Colour, colour
from support.maildir import delivered, without_trace
from support.servers import Listener, Servers

pytestmark = pytest.mark.interop

ATTACHMENT = bytes(range(256)) * 512
SUBJECT = (
    "Grüße, 世界 👋: notes on a very long subject that has to be folded somewhere in its middle"
)


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


@pytest.fixture
def context(servers: Servers) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(servers.ca))


def nasty_message() -> tuple[bytes, str]:
    """Return octets with an attachment, a unicode subject, leading dots and long lines."""
    message_id = f"<{uuid.uuid4().hex}@example.org>"
    message = EmailMessage()
    message["From"] = "Ada Lovelace <ada@example.org>"
    message["To"] = "Bob <bob@example.org>"
    message["Subject"] = SUBJECT
    message["Date"] = "Mon, 23 Nov 2026 21:00:00 +0000"
    message["Message-ID"] = message_id
    message.set_content("first\n.a dot\n..two dots\n.\n" + "x" * 997 + "\n." + "y" * 996 + "\nlast")
    message.add_attachment(
        ATTACHMENT, maintype="application", subtype="octet-stream", filename="octets.bin"
    )
    return message.as_bytes(policy=email.policy.SMTP), message_id


def address(listener: Listener, scheme: str = "smtp", credentials: str = "") -> str:
    return f"{scheme}://{credentials}{listener.host}:{listener.port}"


def mailbox(servers: Servers) -> Path:
    return servers.maildir / "bob"


TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.org")


def test_plain(adapter: Colour, servers: Servers) -> None:
    content, message_id = nasty_message()
    receipt = adapter.send(content, address(servers.plain), envelope=TO_BOB)
    arrived = delivered(mailbox(servers), message_id)
    assert without_trace(arrived, b"From: Ada") == content
    assert receipt.message_id == message_id
    assert receipt.queue_id is not None
    assert f"id {receipt.queue_id}".encode() in arrived.replace(b"\r\n\t", b" ")


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_encrypted_and_authenticated(
    adapter: Colour, servers: Servers, context: ssl.SSLContext, scheme: str
) -> None:
    content, message_id = nasty_message()
    credentials = f"{quote(servers.user, safe='')}:{quote(servers.password, safe='')}@"
    listener = servers.submission if scheme == "smtp+starttls" else servers.implicit
    url = address(listener, scheme, credentials)
    transcript = ehlo.Transcript()
    with adapter.connect(url, ssl_context=context, transcript=transcript) as session:
        assert session.tls.version == "TLSv1.3"
        assert session.connection.authenticated
        session.send(content, envelope=TO_BOB)
    arrived = delivered(mailbox(servers), message_id)
    assert without_trace(arrived, b"From: Ada") == content
    assert servers.password not in str(transcript)
    assert "AUTH SCRAM-SHA-256 ***" in str(transcript)


def test_login_where_the_caller_has_only_that(
    adapter: Colour, servers: Servers, context: ssl.SSLContext
) -> None:
    url = address(servers.submission, "smtp+starttls")
    auth = ehlo.sasl.Login(servers.user, ehlo.Secret(servers.password))
    with adapter.connect(url, ssl_context=context, auth=auth) as session:
        assert session.connection.authenticated


@pytest.mark.slow
def test_a_wrong_password(adapter: Colour, servers: Servers, context: ssl.SSLContext) -> None:
    url = address(servers.implicit, "smtps")
    with pytest.raises(ehlo.AuthenticationRefused) as caught:
        adapter.connect(url, ssl_context=context, auth=ehlo.Password(servers.user, "wrong"))
    assert caught.value.reply.code == 535
    assert caught.value.tried == ("SCRAM-SHA-256",)


def test_a_certificate_that_nobody_vouches_for(adapter: Colour, servers: Servers) -> None:
    with pytest.raises(ehlo.TlsFailed):
        adapter.connect(address(servers.implicit, "smtps"))


def test_starttls_that_is_not_offered(adapter: Colour, servers: Servers) -> None:
    with pytest.raises(ehlo.TlsFailed, match="does not offer STARTTLS"):
        adapter.connect(address(servers.plain, "smtp+starttls"))


def test_one_of_three_recipients_is_refused(adapter: Colour, servers: Servers) -> None:
    content, message_id = nasty_message()
    nobody = ehlo.Address("nobody@example.org")
    envelope = ehlo.Envelope("ada@example.org", ["bob@example.org", nobody, "carol@example.org"])
    with adapter.connect(address(servers.plain)) as session:
        with pytest.raises(ehlo.RecipientsRefused) as caught:
            session.send(content, envelope=envelope)
        assert session.is_idle
        receipt = session.send(content, envelope=envelope, on_refusal="deliver")
    assert list(caught.value.refused) == [nobody]
    assert caught.value.refused[nobody].code == 550
    assert list(receipt.refused) == [nobody]
    assert without_trace(delivered(mailbox(servers), message_id), b"From: Ada") == content
    assert delivered(servers.maildir / "carol", message_id)


def test_a_message_of_our_own_making(adapter: Colour, servers: Servers) -> None:
    message_id = f"<{uuid.uuid4().hex}@example.org>"
    message = ehlo.Message(
        from_="Ada Lovelace <ada@example.org>",
        to=["Bob <bob@example.org>"],
        bcc=["carol@example.org"],
        subject=SUBJECT,
        text=".leading dot\n\nGrüße",
        html="<p>Grüße</p>",
        attachments=[ehlo.Attachment(ATTACHMENT, filename="Übersicht.bin")],
        message_id=message_id,
    )
    adapter.send(message, address(servers.plain))
    for user in ("bob", "carol"):
        octets = delivered(servers.maildir / user, message_id)
        arrived = email.message_from_bytes(octets, policy=email.policy.default)
        assert arrived["Subject"] == SUBJECT
        assert arrived["Bcc"] is None
        [attachment] = arrived.iter_attachments()
        assert attachment.get_content() == ATTACHMENT
        assert attachment.get_filename() == "Übersicht.bin"
        text = arrived.get_body(("plain",))
        assert text is not None
        assert text.get_content().replace("\r\n", "\n") == ".leading dot\n\nGrüße\n"


def test_a_stdlib_message(adapter: Colour, servers: Servers) -> None:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message["To"] = "bob@example.org"
    message["Subject"] = SUBJECT
    message.set_content("Grüße\n.dot\n")
    before = message.as_bytes()
    receipt = adapter.send(message, address(servers.plain))
    assert message.as_bytes() == before
    assert receipt.message_id is not None
    octets = delivered(mailbox(servers), receipt.message_id)
    arrived = email.message_from_bytes(octets, policy=email.policy.default)
    assert arrived["Subject"] == SUBJECT
    assert arrived["Date"]
    assert arrived.get_content().replace("\r\n", "\n") == "Grüße\n.dot\n"


def test_many_recipients_in_one_group(adapter: Colour, servers: Servers) -> None:
    content, message_id = nasty_message()
    recipients = [f"bob+{number}@example.org" for number in range(300)]
    envelope = ehlo.Envelope("ada@example.org", recipients)
    receipt = adapter.send(content, address(servers.plain), envelope=envelope)
    assert len(receipt.accepted) == 300
    assert message_id == receipt.message_id


def test_the_verbs(adapter: Colour, servers: Servers) -> None:
    with adapter.connect(address(servers.plain)) as session:
        assert session.noop().code == 250
        assert session.vrfy("bob@example.org").code == 252
        assert session.execute("XFOO bar").is_permanent
        assert session.help().is_permanent
        assert session.rset().code == 250
        assert session.quit().code == 221
