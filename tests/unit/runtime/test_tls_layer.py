"""TLS in memory: the client's layer and link against a server-side `ssl.SSLObject`."""

import hashlib
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest
import trustme

from ehlo.commands import Ehlo, Quit, StartTls
from ehlo.errors import ConnectionLost, TlsFailed
from ehlo.phase import Phase
from ehlo.protocol import NEED_DATA, Connection, ConnectionClosed, ReplyReceived, State
from ehlo.reply import Reply
from ehlo.runtime.link import Link
from ehlo.runtime.tls_layer import TlsLayer, _unaccepted_certificate
from ehlo.tls import TlsFacts, TlsTrouble
from ehlo.transcript import Transcript
from support.stepping import Cut
from support.tls import authority, certificate_of, client_context, server_context

HOST = "localhost"
CUTS = pytest.mark.parametrize("cut", [Cut.WHOLE, Cut.BYTE], ids=lambda cut: cut.name)


class Peer:
    """The server's side of a TLS connection."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = (context or server_context(HOST)).wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )
        self.established = False
        self.trouble: ssl.SSLError | None = None

    def answer(self, octets: bytes) -> bytes:
        """Take octets of the client, and return what to send to it."""
        self._incoming.write(octets)
        if not self.established:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as exc:
                self.trouble = exc
            else:
                self.established = True
        return self._outgoing.read()

    def read(self) -> bytes:
        try:
            return self._object.read(65536)
        except ssl.SSLWantReadError:
            return b""

    def write(self, octets: bytes) -> bytes:
        self._object.write(octets)
        return self._outgoing.read()

    def close(self) -> bytes:
        with suppress(ssl.SSLError):
            self._object.unwrap()
        return self._outgoing.read()


def shake_hands(layer: TlsLayer, peer: Peer, cut: Cut = Cut.WHOLE) -> None:
    layer.handshake()
    for _ in range(5):
        for piece in cut.pieces(peer.answer(layer.records_to_send())):
            assert layer.receive(piece) == []


def settled(cut: Cut = Cut.WHOLE) -> tuple[TlsLayer, Peer]:
    layer, peer = TlsLayer(client_context(), HOST), Peer()
    shake_hands(layer, peer, cut)
    assert layer.established
    assert peer.established
    return layer, peer


def without_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# -- The layer -------------------------------------------------------------------------------------


@CUTS
def test_a_handshake(cut: Cut) -> None:
    layer, peer = settled(cut)
    assert not layer.closed
    assert peer.trouble is None


@CUTS
@pytest.mark.parametrize("size", [0, 1, 100, 16_384, 200_000])
def test_plaintext_both_ways(size: int, cut: Cut) -> None:
    if size > 1000 and cut is Cut.BYTE:
        cut = Cut.WHOLE
    layer, peer = settled()
    octets = bytes(n % 251 for n in range(size))
    layer.send([octets, b"end"])
    peer.answer(layer.records_to_send())
    heard = b""
    while piece := peer.read():
        heard += piece
    assert heard == octets + b"end"
    if octets:
        pieces = [layer.receive(piece) for piece in cut.pieces(peer.write(octets))]
        assert b"".join(b"".join(piece) for piece in pieces) == octets


class Busy:
    """A connection that first has to hear the peer before it can write, as in a renegotiation."""

    def __init__(self, inner: ssl.SSLObject, refusals: int) -> None:
        self._inner, self._refusals = inner, refusals

    def write(self, octets: bytes) -> int:
        if self._refusals:
            self._refusals -= 1
            raise ssl.SSLWantReadError
        return self._inner.write(bytes(octets)[:3])

    def read(self, length: int) -> bytes:
        return self._inner.read(length)


def test_what_cannot_be_written_yet_waits() -> None:
    layer, peer = settled()
    layer._object = cast("ssl.SSLObject", Busy(layer._object, 2))
    layer.send([b"NOOP\r\n"])
    layer.send([b"RSET\r\n"])
    assert (layer.waiting, layer.written) == (12, 0)
    peer.answer(layer.records_to_send())
    assert peer.read() == b""
    for waiting in (12, 0):
        layer.receive(peer.write(b"2"))
        assert layer.waiting == waiting
    peer.answer(layer.records_to_send())
    assert b"".join(peer.read() for _ in range(4)) == b"NOOP\r\nRSET\r\n"
    assert layer.written == 12


@CUTS
def test_a_farewell(cut: Cut) -> None:
    layer, peer = settled()
    octets = peer.write(b"221 bye\r\n") + peer.close()
    heard = [plain for piece in cut.pieces(octets) for plain in layer.receive(piece)]
    assert heard == [b"221 bye\r\n"]
    assert layer.closed
    assert layer.receive(b"anything") == []


def test_saying_farewell() -> None:
    layer, peer = settled()
    layer.close()
    peer.answer(layer.records_to_send())
    assert peer.read() == b""
    layer.receive(peer.close())
    assert layer.closed
    layer.close()
    layer.close()


def test_facts() -> None:
    layer, _ = settled()
    facts = layer.facts()
    assert facts.version == "TLSv1.3"
    assert facts.cipher.startswith("TLS_")
    assert facts.secret_bits >= 128
    assert facts.verified
    assert facts.names == (HOST,)
    assert facts.fingerprint == hashlib.sha256(certificate_of(HOST)).hexdigest()


def test_facts_without_verification() -> None:
    layer, peer = TlsLayer(without_checks(), None), Peer()
    shake_hands(layer, peer)
    facts = layer.facts()
    assert facts.version == "TLSv1.3"
    assert not facts.verified
    assert facts.names == (HOST,)


def test_the_channel_can_be_bound_to() -> None:
    layer, _ = settled()
    bindings = layer.facts().channel_bindings
    certificate = layer._object.getpeercert(binary_form=True)
    assert certificate is not None
    assert bindings == {"tls-server-end-point": hashlib.sha256(certificate).digest()}
    assert "tls-server-end-point" not in repr(layer.facts())


class Exporting:
    """An `ssl.SSLObject` of some future Python."""

    def __init__(self, exported: bytes | None, certificate: bytes | None) -> None:
        self._exported, self._certificate = exported, certificate

    def get_channel_binding(self, kind: str) -> bytes | None:
        assert kind == "tls-exporter"
        return self._exported

    def getpeercert(self, *, binary_form: bool) -> bytes | None:
        assert binary_form
        return self._certificate


@pytest.mark.parametrize(
    ("exported", "certificate", "bindings"),
    [
        (b"keys", None, {"tls-exporter": b"keys"}),
        (None, None, {}),
        (None, b"no certificate", {}),
    ],
)
def test_the_exporter_comes_first_where_there_is_one(
    exported: bytes | None,
    certificate: bytes | None,
    bindings: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "CHANNEL_BINDING_TYPES", ["tls-unique", "tls-exporter"])
    layer = TlsLayer(without_checks(), None)
    layer.established = True
    layer._object = Exporting(exported, certificate)  # type: ignore[assignment]
    assert dict(layer._channel_bindings()) == bindings


def test_facts_before_the_handshake() -> None:
    layer = TlsLayer(without_checks(), None)
    assert layer.facts() == TlsFacts("", "", 0)
    layer.handshake()
    assert layer.facts().fingerprint == ""


class Kept:
    """A certificate as `ssl` keeps it."""

    def public_bytes(self) -> str:
        return ssl.DER_cert_to_PEM_cert(b"0")


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        (SimpleNamespace(get_unverified_chain=lambda: [b"0", b"1"]), b"0"),
        (SimpleNamespace(get_unverified_chain=list), None),
        (SimpleNamespace(_sslobj=SimpleNamespace(get_unverified_chain=lambda: [Kept()])), b"0"),
        (SimpleNamespace(_sslobj=SimpleNamespace(get_unverified_chain=lambda: None)), None),
        (SimpleNamespace(), None),
    ],
)
def test_a_certificate_that_was_not_accepted(connection: object, expected: bytes | None) -> None:
    """Each Python has its own way of showing it, or none."""
    assert _unaccepted_certificate(connection) == expected


@pytest.mark.parametrize("host", [HOST, f"{HOST}."])
def test_the_dot_of_the_root_is_not_part_of_a_name(host: str) -> None:
    layer, peer = TlsLayer(client_context(), host), Peer()
    shake_hands(layer, peer)
    assert layer.established


@pytest.mark.parametrize("host", ["fe80::1", "fe80::1%eth0"])
def test_the_zone_is_not_part_of_an_address(host: str) -> None:
    layer, peer = TlsLayer(client_context(), host), Peer(server_context("fe80::1"))
    shake_hands(layer, peer)
    assert layer.established
    assert layer.facts().names == ("fe80::1",)


@pytest.mark.parametrize("garbage", [b"220 mx ESMTP\r\n", b"\0" * 64, b"\x16\x03\x01\xff\xff" * 20])
def test_garbage_instead_of_a_handshake(garbage: bytes) -> None:
    layer = TlsLayer(client_context(), HOST)
    layer.handshake()
    layer.records_to_send()
    with pytest.raises(ssl.SSLError):
        layer.receive(garbage)
    assert not layer.established


# -- The link --------------------------------------------------------------------------------------


def link_to(
    host: str = HOST,
    context: Callable[[], ssl.SSLContext] = client_context,
    trace: Transcript | None = None,
) -> Link:
    connection = Connection(trace=trace)
    return Link(connection, server_hostname=host, make_context=context, trace=trace)


def taken(link: Link) -> bytes:
    """Take what is unsent, as a transport does."""
    octets = bytes(link.unsent)
    link.unsent.clear()
    return octets


def encrypt(link: Link, peer: Peer, cut: Cut = Cut.WHOLE) -> None:
    link.start_tls()
    while link.is_handshaking:
        octets = peer.answer(taken(link))
        assert octets, "neither side has anything to say"
        for piece in cut.pieces(octets):
            link.receive(piece)
    for piece in cut.pieces(peer.answer(taken(link))):  # session tickets
        link.receive(piece)


def encrypted_link(cut: Cut = Cut.WHOLE, trace: Transcript | None = None) -> tuple[Link, Peer]:
    link, peer = link_to(trace=trace), Peer()
    encrypt(link, peer, cut)
    link.connection.tls_started()
    return link, peer


@CUTS
def test_implicit_tls(cut: Cut) -> None:
    trace = Transcript()
    link, peer = encrypted_link(cut, trace)
    assert link.tls_facts is not None
    assert link.tls_facts.names == (HOST,)
    assert str(trace) == f"*: TLS established: TLSv1.3, {link.tls_facts.cipher}"
    for piece in cut.pieces(peer.write(b"220 mx\r\n")):
        link.receive(piece)
    assert isinstance(link.connection.next_event(), ReplyReceived)
    link.connection.send(Ehlo("client.example.org"))
    assert link.collect()
    peer.answer(taken(link))
    assert peer.read() == b"EHLO client.example.org\r\n"
    assert not link.collect()


@CUTS
def test_starttls(cut: Cut) -> None:
    link, peer = link_to(), Peer()
    assert link.tls_facts is None
    assert not link.is_handshaking
    for command, octets in (
        (None, b"220 mx\r\n"),
        (Ehlo("client.example.org"), b"250-mx\r\n250 STARTTLS\r\n"),
        (StartTls(), b"220 go\r\n"),
    ):
        if command is not None:
            link.connection.send(command)
            assert link.collect()
            assert taken(link) == command.wire()
        for piece in cut.pieces(octets):
            link.receive(piece)
        assert isinstance(link.connection.next_event(), ReplyReceived)
    encrypt(link, peer, cut)
    link.connection.tls_started()
    assert link.connection.state is State.GREETED
    assert link.connection.encrypted


def strangers() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(context)
    return context


@CUTS
@pytest.mark.parametrize(
    ("host", "make_server", "reason", "words"),
    [
        (
            "other.example.com",
            lambda: server_context(HOST, "b.example"),
            TlsTrouble.WRONG_HOST,
            "is not for 'other.example.com' but for localhost, b.example",
        ),
        (
            "192.0.2.1",
            lambda: server_context(HOST),
            TlsTrouble.WRONG_HOST,
            "is not for '192.0.2.1' but for localhost",
        ),
        (HOST, strangers, TlsTrouble.UNKNOWN_AUTHORITY, "signed by 'Testing CA"),
    ],
    ids=["host", "ip", "ca"],
)
def test_a_certificate_that_is_no_good(
    host: str, make_server: Callable[[], ssl.SSLContext], reason: str, words: str, cut: Cut
) -> None:
    """L4: before any application octet."""
    link, peer = link_to(host), Peer(make_server())
    with pytest.raises(TlsFailed, match=words) as caught:
        encrypt(link, peer, cut)
    assert caught.value.phase is Phase.TLS
    assert caught.value.reason is reason
    assert caught.value.tls is not None
    assert caught.value.tls.names
    assert not caught.value.tls.verified
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert link.tls_facts is None
    assert link.unsent, "an alert tells the server why"
    peer.answer(taken(link))
    assert peer.trouble is not None
    assert "ALERT" in str(peer.trouble)


@CUTS
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"220 mx.example.com ESMTP Postfix\r\n", "begins in clear, so say smtp.starttls://"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no mail server at all"),
    ],
)
def test_clear_text_instead_of_tls(said: bytes, words: str, cut: Cut) -> None:
    link = link_to()
    link.start_tls()
    with pytest.raises(TlsFailed, match=words) as caught:  # noqa: PT012 - any piece may tell
        for piece in cut.pieces(said):
            link.receive(piece)
    assert caught.value.phase is Phase.TLS
    assert caught.value.reason is TlsTrouble.NOT_TLS


@CUTS
def test_clear_text_behind_the_220(cut: Cut) -> None:
    """L1: whatever the segment."""
    link = link_to()
    for octets in (b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n", b"220 go\r\n"):
        if b"STARTTLS" in octets:
            link.connection.send(Ehlo("client.example.org"))
        elif b"go" in octets:
            link.connection.send(StartTls())
        link.receive(octets)
        link.connection.next_event()
    link.start_tls()
    with pytest.raises(TlsFailed, match=r"went on in clear \(250 ") as caught:  # noqa: PT012
        for piece in cut.pieces(b"250 injected\r\n"):
            link.receive(piece)
    assert caught.value.reason is TlsTrouble.INJECTED
    assert not link.connection.encrypted


@pytest.mark.parametrize("rounds", [0, 1])
def test_closed_during_the_handshake(rounds: int) -> None:
    link, peer = link_to(), Peer()
    link.start_tls()
    if rounds:
        link.receive(peer.answer(taken(link))[:200])
    assert link.is_handshaking
    with pytest.raises(TlsFailed, match="closed the connection during") as caught:
        link.receive(b"")
    assert caught.value.phase is Phase.TLS
    assert caught.value.reason is TlsTrouble.CLOSED
    assert caught.value.temporary


def test_no_common_version() -> None:
    old = without_checks()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    link, peer = link_to(context=lambda: old), Peer(server)
    with pytest.raises(TlsFailed, match="no TLS version or cipher that both") as caught:
        encrypt(link, peer)
    assert caught.value.reason is TlsTrouble.NOTHING_IN_COMMON


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("has_one", [False, True])
def test_a_server_that_wants_another_certificate(version: ssl.TLSVersion, has_one: bool) -> None:
    """With TLS 1.3 it says so when the handshake is over for us."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(HOST).configure_cert(server)
    authority().configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context()
    authority().configure_trust(client)
    client.maximum_version = version
    if has_one:
        trustme.CA().issue_cert("ada@example.org").configure_cert(client)
    link, peer = link_to(context=lambda: client), Peer(server)
    with pytest.raises(TlsFailed, match="wants to see a certificate of the client") as caught:  # noqa: PT012
        encrypt(link, peer)
        link.receive(peer.answer(b""))
    assert caught.value.reason is TlsTrouble.CLIENT_CERTIFICATE
    assert caught.value.tls is not None


def test_a_context_that_checks_names_needs_one() -> None:
    link = link_to("")
    with pytest.raises(TlsFailed, match="server_hostname") as caught:
        link.start_tls()
    assert caught.value.reason is TlsTrouble.CONTEXT


def test_a_context_that_cannot_be_made() -> None:
    def broken() -> ssl.SSLContext:
        msg = "no such file"
        raise OSError(msg)

    with pytest.raises(TlsFailed, match="no such file"):
        link_to(context=broken).start_tls()


@CUTS
def test_the_end_with_and_without_a_farewell(cut: Cut) -> None:
    """L7: both are the end of the connection."""
    for octets in (True, False):
        link, peer = encrypted_link()
        link.receive(peer.write(b"220 mx\r\n"))
        if octets:
            for piece in cut.pieces(peer.close()):
                link.receive(piece)
        else:
            link.receive(b"")
        assert isinstance(link.connection.next_event(), ReplyReceived)
        assert link.connection.next_event() == ConnectionClosed()
        link.receive(b"")
        assert link.connection.next_event() is NEED_DATA


def test_records_that_were_tampered_with() -> None:
    link, peer = encrypted_link()
    octets = bytearray(peer.write(b"220 mx\r\n"))
    octets[-1] ^= 1
    with pytest.raises(ConnectionLost, match="the TLS connection failed") as caught:
        link.receive(octets)
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    assert link.unsent
    assert link.connection.next_event() is NEED_DATA


def test_goodbye() -> None:
    link, peer = encrypted_link()
    link.say_goodbye()
    peer.answer(taken(link))
    assert peer.read() == b""


def test_no_goodbye_without_tls() -> None:
    link = link_to()
    link.say_goodbye()
    assert not link.unsent
    link.start_tls()
    taken(link)
    link.say_goodbye()
    assert not link.unsent


def test_what_waits_has_not_left() -> None:
    """T10: octets that TLS could not take yet are unsent."""
    link, peer = encrypted_link()
    link.receive(peer.write(b"220 mx\r\n"))
    link.connection.next_event()
    assert link._tls is not None
    link._tls._object = cast("ssl.SSLObject", Busy(link._tls._object, 1))
    link.connection.send(Quit())
    assert not link.collect()
    assert link.connection.left_octets == 0
    link.receive(peer.write(b"2"))
    assert link.unsent
    assert link.connection.left_octets == 0
    taken(link)
    assert link.connection.left_octets == len(b"QUIT\r\n")


def test_a_link_in_clear() -> None:
    link = link_to()
    link.receive(bytearray(b"220 mx\r\n"))
    assert isinstance(link.connection.next_event(), ReplyReceived)
    link.connection.send(Quit())
    assert link.collect()
    assert taken(link) == b"QUIT\r\n"
    assert not link.collect()
    link.receive(b"")
    assert link.connection.next_event() == ConnectionClosed((Quit(),))


# -- What comes with the last octets of something --------------------------------------------------


def tls_1_2() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    trust = client_context().get_ca_certs(binary_form=True)
    context.load_verify_locations(cadata=b"".join(trust))
    return context


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(
            False,
            id="one segment",
        ),
        pytest.param(True, id="two segments"),
    ],
)
def test_a_greeting_right_behind_the_handshake(split: bool) -> None:
    """R2: with TLS 1.2 the server is done first, and may greet in the same segment."""
    link, peer = link_to(context=tls_1_2), Peer()
    link.start_tls()
    link.receive(peer.answer(taken(link)))
    last = peer.answer(taken(link))
    assert peer.established
    greeting = peer.write(b"220 mx\r\n")
    link.receive(last if split else last + greeting)
    assert not link.is_handshaking
    link.connection.tls_started()
    if split:
        link.receive(greeting)
    link.collect()
    assert link.connection.next_event() is not NEED_DATA
    assert link.connection.greeting == Reply.of(220, "mx")


@pytest.mark.parametrize(
    "split",
    [
        pytest.param(
            False,
            id="one segment",
        ),
        pytest.param(True, id="two segments"),
    ],
)
def test_a_reply_right_before_a_broken_record(split: bool) -> None:
    """R2: what the server said before TLS broke was said."""
    link, peer = encrypted_link()
    good, bad = peer.write(b"220 mx\r\n"), bytearray(peer.write(b"more\r\n"))
    bad[-1] ^= 1
    if split:
        link.receive(good)
        with pytest.raises(ConnectionLost):
            link.receive(bad)
        assert isinstance(link.connection.next_event(), ReplyReceived)
        return
    link.receive(good + bad)
    assert isinstance(link.connection.next_event(), ReplyReceived)
    assert isinstance(link.connection.next_event(), ConnectionClosed)
    assert link.connection.ending.startswith("the TLS connection failed: ")


def test_writing_to_a_tls_connection_that_failed_is_a_lost_connection() -> None:
    link, peer = encrypted_link()
    link.receive(peer.write(b"220 mx\r\n"))
    link.connection.next_event()
    with pytest.raises(ConnectionLost):
        link.receive(b"\x17\x03\x03\x00\x10" + b"x" * 16)
    link.connection.send(Quit())
    with pytest.raises(ConnectionLost):
        link.collect()


def test_a_link_says_goodbye_once_the_server_has() -> None:
    link, peer = encrypted_link()
    link.receive(peer.close())
    link.say_goodbye()
    assert taken(link)
