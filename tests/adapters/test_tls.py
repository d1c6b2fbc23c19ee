"""TLS in both adapters, over TCP and unix sockets: what is verified, what is told, what fails."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from typing_extensions import override

import ehlo
from ehlo.runtime.ambient import default_context
from ehlo.testing import Close, Offer, Server, ServerOptions, Silence
from ehlo.tls import TlsTrouble
from support.colours import Colour
from support.mitm import Attack, Impersonate, ManInTheMiddle, Say
from support.names import MAIL, resolve_here
from support.pickling import unpickled
from support.s_server import SServer, needs_openssl
from support.secrets import PASSWORD
from support.tls import (
    another_authority,
    authority,
    certificate_of,
    client_context,
    server_context,
    serving,
    unverifying_context,
)

MESSAGE = b"Subject: Notes\r\n\r\nPlain words.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
CREDENTIALS = ehlo.Password("ada", PASSWORD)
MODES = pytest.mark.parametrize("mode", ["starttls", "implicit"])


def serve(mode: str, context: ssl.SSLContext | None = None, path: Path | None = None) -> Server:
    options = ServerOptions(starttls=Offer.REQUIRED if mode == "starttls" else Offer.OFF)
    return Server(options, tls=mode, ssl_context=context or server_context(), path=path)


@pytest.fixture
def _trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let the system trust our authority, so that the default context does."""
    path = tmp_path / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    default_context.cache_clear()
    yield
    default_context.cache_clear()


# -- What works ------------------------------------------------------------------------------------


@MODES
@pytest.mark.parametrize("socket", ["tcp", "unix"])
def test_every_mode_on_every_socket(
    adapter: Colour, tmp_path: Path, mode: str, socket: str
) -> None:
    path = tmp_path / "smtp.sock" if socket == "unix" else None
    options = {"ssl_context": client_context(), "tls": mode, "server_hostname": "localhost"}
    with serve(mode, path=path) as server, adapter.connect(server.url, **options) as session:
        facts = session.tls
        receipt = session.send(MESSAGE, envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
    assert message.tls
    assert receipt.tls == facts
    assert session.connection.encrypted


@MODES
@pytest.mark.usefixtures("_trusted")
def test_the_default_context_trusts_whom_the_system_trusts(adapter: Colour, mode: str) -> None:
    with serve(mode) as server:
        receipt = adapter.send(MESSAGE, server.url, envelope=TO_BOB)
    assert receipt.tls is not None
    assert receipt.tls.verified


def test_the_default_context_takes_tls_1_2_and_later() -> None:
    context = default_context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


def old_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1").configure_cert(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@MODES
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.usefixtures("_trusted")
def test_a_server_with_old_versions_only(adapter: Colour, mode: str) -> None:
    with serve(mode, old_server()) as server:
        with pytest.raises(ehlo.TlsFailed, match="no TLS version or cipher that both") as caught:
            adapter.connect(server.url)
    assert caught.value.reason is TlsTrouble.NOTHING_IN_COMMON


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_which_versions_a_context_of_the_callers_takes_is_the_callers_choice(
    adapter: Colour,
) -> None:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    with serve("implicit", old_server()) as server:
        with adapter.connect(server.url, ssl_context=context) as session:
            assert session.tls.version == "TLSv1.1"


@MODES
def test_all_facts(adapter: Colour, mode: str) -> None:
    with serve(mode) as server:
        with adapter.connect(server.url, ssl_context=client_context()) as session:
            verified = session.tls
        with adapter.connect(server.url, ssl_context=unverifying_context()) as session:
            unverified = session.tls
    context = ssl.create_default_context(cadata=certificate_of())
    [known] = [dict(found) for found in context.get_ca_certs()] or [{}]
    assert verified.verified
    assert not unverified.verified
    for facts in (verified, unverified):
        assert facts.version == "TLSv1.3"
        assert facts.cipher.startswith("TLS_")
        assert facts.secret_bits >= 128
        assert facts.names == ("127.0.0.1", "localhost")
        assert facts.subject.startswith("Testing cert")
        assert facts.issuer.startswith("Testing CA")
        assert facts.not_before.year < facts.not_after.year
        assert len(facts.fingerprint) == 64
        assert known.get("serialNumber", facts.serial) == facts.serial
        assert unpickled(facts) == facts


def test_facts_are_gone_with_no_tls(adapter: Colour) -> None:
    with Server() as server:
        with adapter.connect(server.url) as session:
            assert session.tls is None
            assert session.send(MESSAGE, envelope=TO_BOB).tls is None


# -- Names -----------------------------------------------------------------------------------------


@pytest.fixture
def asked_for() -> tuple[ssl.SSLContext, list[str | None]]:
    """Return a server's context, and which names clients ask it for."""
    names: list[str | None] = []
    context = serving(authority().issue_cert(MAIL, "127.0.0.1", "other.example.com"))

    def note(_object: object, name: str | None, _context: object) -> None:
        names.append(name)

    context.sni_callback = note
    return context, names


@MODES
def test_sni_and_the_name_in_the_certificate(
    adapter: Colour,
    mode: str,
    asked_for: tuple[ssl.SSLContext, list[str | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolve_here(monkeypatch)
    context, names = asked_for
    options = {"ssl_context": client_context(), "tls": mode}
    with serve(mode, context) as server:
        for host in (MAIL, "127.0.0.1"):
            adapter.connect(f"smtp://{host}:{server.port}", **options).close()
        url = f"smtp://127.0.0.1:{server.port}"
        adapter.connect(url, server_hostname="other.example.com", **options).close()
        adapter.connect(url, server_hostname="other.example.com.", **options).close()
    assert names == [MAIL, None, "other.example.com", "other.example.com"]


@MODES
def test_an_ipv6_address_is_verified_as_one(adapter: Colour, mode: str) -> None:
    options = {"ssl_context": client_context(), "tls": mode}
    with serve(mode, serving(authority().issue_cert("::1"))) as server:
        with ManInTheMiddle(Attack, (server.host, server.port), host="::1") as way:
            with adapter.connect(f"smtp://[::1]:{way.port}", **options) as session:
                assert session.tls.names == ("::1",)


@MODES
@pytest.mark.parametrize("names", [("localhost",), ("127.0.0.2", "127.0.0.1.example.com")])
def test_an_address_is_not_verified_by_a_name(
    adapter: Colour, mode: str, names: tuple[str, ...]
) -> None:
    with serve(mode, server_context(*names)) as server:
        with pytest.raises(ehlo.TlsFailed, match=r"is not for '127\.0\.0\.1' but for ") as caught:
            adapter.connect(server.url, ssl_context=client_context())
    assert caught.value.reason is TlsTrouble.WRONG_HOST
    assert caught.value.tls is not None
    assert caught.value.tls.names == names


# -- Certificates of clients -----------------------------------------------------------------------


def server_for_members(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = serving(authority().issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    authority().configure_trust(context)
    return context


def context_with(certificate: trustme.LeafCert | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@MODES
@VERSIONS
def test_a_server_that_asks_for_a_certificate_gets_it(
    adapter: Colour, mode: str, version: ssl.TLSVersion
) -> None:
    context = context_with(authority().issue_cert("ada@example.org"))
    with serve(mode, server_for_members(version)) as server:
        assert adapter.send(MESSAGE, server.url, envelope=TO_BOB, ssl_context=context).accepted


@MODES
@VERSIONS
@pytest.mark.parametrize("which", ["none", "a stranger's"])
def test_a_server_that_does_not_get_it_says_so(
    adapter: Colour, mode: str, version: ssl.TLSVersion, which: str
) -> None:
    stranger = another_authority().issue_cert("eve@example.org")
    context = context_with(None if which == "none" else stranger)
    with serve(mode, server_for_members(version)) as server:
        with pytest.raises(ehlo.TlsFailed, match="a certificate of the client") as caught:
            adapter.send(
                MESSAGE, server.url, envelope=TO_BOB, ssl_context=context, auth=CREDENTIALS
            )
        assert not server.messages
    error = caught.value
    assert (error.reason, error.phase) == (TlsTrouble.CLIENT_CERTIFICATE, ehlo.Phase.TLS)
    assert unpickled(error).reason is TlsTrouble.CLIENT_CERTIFICATE


# -- The wrong port --------------------------------------------------------------------------------

GREETINGS: dict[str, tuple[bytes, str]] = {
    "smtp": (b"220 mx.example.com ESMTP Postfix\r\n", r"\(220 mx.example.com ESMTP Postfix\)"),
    "several lines": (b"220-mx.example.com\r\n220 hello\r\n", r"begins in clear, so say smtp\+st"),
    "refusing": (b"554 no service\r\n", "begins in clear"),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no mail server at all"),
    "short": (b"220 x\n", "begins in clear"),
}


@pytest.mark.parametrize("name", GREETINGS)
def test_clear_text_where_tls_is_expected(adapter: Colour, name: str) -> None:
    """Implicit TLS on a port such as 587."""
    greeting, words = GREETINGS[name]
    with ManInTheMiddle(Say(greeting)) as server:
        with pytest.raises(ehlo.TlsFailed, match=words) as caught:
            adapter.connect(
                f"smtps://ada:{PASSWORD}@127.0.0.1:{server.port}", ssl_context=client_context()
            )
    assert b"AUTH" not in server.heard
    assert (caught.value.reason, caught.value.phase) == (TlsTrouble.NOT_TLS, ehlo.Phase.TLS)


@pytest.mark.parametrize(
    "octets",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\x15\x03\x03\x00\x02\x02\x0a",  # unexpected_message, which ends with a line feed
        b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03",
    ],
    ids=["an alert", "an alert that ends a line", "a handshake"],
)
@pytest.mark.parametrize("mode", ["none", "starttls", "starttls-if-offered"])
@pytest.mark.parametrize("closes", [False, True])
def test_tls_where_a_greeting_is_expected(
    adapter: Colour, octets: bytes, mode: str, closes: bool
) -> None:
    with ManInTheMiddle(Say(octets, then_close=closes)) as server:
        with pytest.raises(ehlo.TlsFailed, match=r"from the first octet.*use smtps://") as caught:
            adapter.connect(f"smtp://127.0.0.1:{server.port}", tls=mode, auth=CREDENTIALS)
        assert server.heard == b""
    assert (caught.value.reason, caught.value.phase) == (
        TlsTrouble.TLS_FIRST,
        ehlo.Phase.GREETING,
    )


def test_other_garbage_is_not_called_tls(adapter: Colour) -> None:
    with ManInTheMiddle(Say(b"\x15\x01 what?\r\n")) as server:
        with pytest.raises(ehlo.RemoteProtocolError):
            adapter.connect(f"smtp://127.0.0.1:{server.port}", tls="none")


@pytest.mark.parametrize("mode", ["none", "starttls"])
def test_a_server_that_waits_for_tls_while_we_wait_for_its_greeting(
    adapter: Colour, mode: str
) -> None:
    """A plain mode on a port such as 465."""
    timeouts = ehlo.Timeouts(greeting=0.05)
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with pytest.raises(ehlo.Timeout, match="as on port 465, use smtps://") as caught:
            adapter.connect(f"smtp://127.0.0.1:{server.port}", tls=mode, timeouts=timeouts)
    assert caught.value.phase is ehlo.Phase.GREETING


def test_a_server_that_closes_instead_of_greeting(adapter: Colour) -> None:
    with ManInTheMiddle(Say(b"", then_close=True)) as server:
        with pytest.raises(ehlo.ConnectionLost, match="as on port 465, use smtps://"):
            adapter.connect(f"smtp://127.0.0.1:{server.port}", tls="none")


def test_inside_tls_nobody_is_told_to_use_tls(adapter: Colour) -> None:
    options = ServerOptions(answers={"(greeting)": Silence()})
    timeouts = ehlo.Timeouts(greeting=0.05)
    with Server(options, tls="implicit", ssl_context=server_context()) as server:
        with pytest.raises(ehlo.Timeout) as caught:
            adapter.connect(server.url, ssl_context=client_context(), timeouts=timeouts)
    assert "smtps" not in str(caught.value)


# -- The handshake fails ---------------------------------------------------------------------------


@MODES
def test_no_cipher_in_common(adapter: Colour, mode: str) -> None:
    theirs = serving(authority().issue_cert("127.0.0.1"))
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    theirs.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    ours = context_with(None)
    ours.maximum_version = ssl.TLSVersion.TLSv1_2
    ours.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    with serve(mode, theirs) as server:
        with pytest.raises(ehlo.TlsFailed) as caught:
            adapter.connect(server.url, ssl_context=ours, auth=CREDENTIALS)
    assert caught.value.reason is TlsTrouble.NOTHING_IN_COMMON
    assert unpickled(caught.value).reason is TlsTrouble.NOTHING_IN_COMMON


def test_a_server_that_closes_instead_of_a_handshake(adapter: Colour) -> None:
    with ManInTheMiddle(Say(b"", then_close=True)) as server:
        with pytest.raises(ehlo.TlsFailed, match="closed the connection during") as caught:
            adapter.connect(f"smtps://127.0.0.1:{server.port}")
    assert (caught.value.reason, caught.value.temporary) == (TlsTrouble.CLOSED, True)


def test_a_server_that_is_silent_instead_of_a_handshake(adapter: Colour) -> None:
    timeouts = ehlo.Timeouts(tls=0.05)
    with ManInTheMiddle(Say(b"")) as server:
        with pytest.raises(ehlo.Timeout) as caught:
            adapter.connect(f"smtps://127.0.0.1:{server.port}", timeouts=timeouts)
    assert caught.value.phase is ehlo.Phase.TLS


def test_a_context_that_is_for_servers(adapter: Colour) -> None:
    with serve("implicit") as server, pytest.raises(ehlo.TlsFailed, match="cannot begin") as caught:
        adapter.connect(server.url, ssl_context=server_context())
    assert caught.value.reason is TlsTrouble.CONTEXT


def test_starttls_by_its_verb_fails_the_same_way(adapter: Colour) -> None:
    with serve("starttls") as server:
        with adapter.connect(server.url, tls="none") as session:
            with pytest.raises(ehlo.TlsFailed, match="whom nobody here trusts"):
                session.starttls()
            assert not session.is_idle


@pytest.mark.parametrize("answer", [ehlo.Reply.of(421, "Bye"), Close()])
def test_the_end_in_the_place_of_a_220(adapter: Colour, answer: ehlo.Reply | Close) -> None:
    options = ServerOptions(starttls=Offer.OFFERED, answers={"STARTTLS": answer})
    with Server(options, ssl_context=server_context()) as server:
        with pytest.raises((ehlo.TlsFailed, ehlo.ConnectionLost)) as caught:
            adapter.send(MESSAGE, server.url, envelope=TO_BOB, ssl_context=client_context())
        assert not server.messages
    assert caught.value.temporary


# -- Peers that go on and on -----------------------------------------------------------------------


class Flood(Impersonate):
    """Has a good certificate, and says the same for ever once TLS is on."""

    def __init__(self, piece: bytes) -> None:
        super().__init__(server_context(), implicit=True)
        self._piece = piece

    @override
    def inside_from_server(self, octets: bytes) -> None:
        """What the server says is of no interest."""
        if octets:
            self._for_client += self._piece


@pytest.mark.parametrize(
    "piece",
    [b"220-" + b"x" * 100_000, b"220-more\r\n" * 10_000, b"220-" + b"y" * 2000 + b"\r\n"],
    ids=["a line", "many lines", "long lines"],
)
def test_a_greeting_without_end_inside_tls(adapter: Colour, piece: bytes) -> None:
    piece *= 300 if len(piece) < 10_000 else 1
    with Server(tls="implicit", ssl_context=server_context()) as server:
        with ManInTheMiddle(Flood(piece), (server.host, server.port)) as eve:
            with pytest.raises(ehlo.RemoteProtocolError, match="more than"):
                adapter.connect(f"smtps://127.0.0.1:{eve.port}", ssl_context=client_context())


@needs_openssl
@pytest.mark.parametrize("command", ["K", "k"])
def test_new_keys_in_the_midst_of_a_session(adapter: Colour, tmp_path: Path, command: str) -> None:
    with SServer(tmp_path, "-tls1_3") as server:
        url = f"smtps://127.0.0.1:{server.port}"
        with adapter.connect(url, ssl_context=client_context(), hello="none") as session:
            for _ in range(5):
                server.say(command)
                assert session.noop().code == 250
            session.close()


@needs_openssl
def test_a_server_that_negotiates_anew(adapter: Colour, tmp_path: Path) -> None:
    """TLS 1.2 only: both sides have to be heard before anything is written."""
    context = context_with(None)
    options = {"ssl_context": context, "hello": "none", "timeouts": ehlo.Timeouts(command=5)}
    with SServer(tmp_path, "-tls1_2") as server:
        with adapter.connect(f"smtps://127.0.0.1:{server.port}", **options) as session:
            server.say("r")
            assert session.noop().code == 250
            session.close()
