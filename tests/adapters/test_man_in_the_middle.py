"""Somebody on the way tries everything: nothing leaks, and each attempt has its error.

The attacker sees every octet (`heard`), and the client's name for the server is none that looks
like loopback, so that no exemption is made for it.
"""

import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest
from typing_extensions import override

import ehlo
from ehlo.sasl import server_end_point
from ehlo.testing import AuthChannel, Offer, Server, ServerOptions
from support.colours import Colour
from support.mitm import (
    AnswerStartTls,
    Attack,
    ChangeRecords,
    Drip,
    Impersonate,
    InjectBehind220,
    ManInTheMiddle,
    RepeatReplies,
    RewriteReplies,
    StripStartTls,
)
from support.names import MAIL, resolve_here
from support.secrets import PASSWORD
from support.tls import (
    AGO,
    FAR_AHEAD,
    LATER,
    LONG_AGO,
    another_authority,
    authority,
    certificate_of,
    client_context,
    dated,
    self_signed,
    server_context,
    serving,
)

CONTENT = b"Subject: For Bob's eyes only\r\nMessage-ID: <1@example.org>\r\n\r\nBurn this.\r\n"
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")
CREDENTIALS = ehlo.Password("ada", PASSWORD)
OPTIONS = ServerOptions(users={"ada": PASSWORD}, starttls=Offer.OFFERED)
CONFIDENTIAL = (
    PASSWORD.encode(),
    b64encode(PASSWORD.encode()),
    b64encode(b"\0ada\0" + PASSWORD.encode()),
    b"Burn this",
    b"bob@example.com",
    b"ada@example.org",
)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_here(monkeypatch)


@contextmanager
def between(
    attack: Attack | Callable[[], Attack],
    options: ServerOptions = OPTIONS,
    *,
    tls: str = "starttls",
) -> Iterator[tuple[str, Server, ManInTheMiddle]]:
    """Provide the URL of a server that an attacker stands before."""
    context = None if tls == "none" else server_context(MAIL)
    with Server(options, tls=tls, ssl_context=context) as server:
        with ManInTheMiddle(attack, (server.host, server.port)) as eve:
            yield f"smtp://{MAIL}:{eve.port}", server, eve


def send(adapter: Colour, url: str, **options: object) -> ehlo.Receipt:
    defaults = {"ssl_context": client_context(), "auth": CREDENTIALS}
    return adapter.send(CONTENT, url, envelope=TO_BOB, **defaults | options)


def verbs(server: Server) -> list[str]:
    return [command.verb for command in server.commands]


def assert_nothing_leaked(eve: ManInTheMiddle, server: Server) -> None:
    """Nothing confidential was said in clear, to the attacker, or to a server without TLS."""
    for confidential in CONFIDENTIAL:
        assert confidential not in eve.heard
    assert eve.stolen == b""
    assert not server.messages
    assert {"AUTH", "MAIL", "RCPT", "DATA"}.isdisjoint(verbs(server))


def test_without_an_attack_it_works(adapter: Colour) -> None:
    """The proxy alone changes nothing, and what it hears is of no use to it."""
    with between(Attack()) as (url, server, eve):
        receipt = send(adapter, url)
        [message] = server.wait_for_messages(1)
    assert message.user == "ada"
    assert message.content == CONTENT
    assert receipt.tls is not None
    assert receipt.tls.names == (MAIL,)
    assert b"STARTTLS" in eve.heard
    assert not [octets for octets in CONFIDENTIAL if octets in eve.heard]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_segments_may_be_cut_as_one_likes(adapter: Colour, tls: str) -> None:
    with between(Drip(), tls=tls) as (url, server, _):
        assert send(adapter, url, tls=tls).accepted
        assert server.wait_for_messages(1)[0].content == CONTENT


# -- STARTTLS --------------------------------------------------------------------------------------


def test_starttls_stripped(adapter: Colour) -> None:
    with between(StripStartTls()) as (url, server, eve):
        with pytest.raises(ehlo.TlsFailed, match="does not offer STARTTLS") as caught:
            send(adapter, url)
        assert verbs(server) == ["EHLO"]
        assert_nothing_leaked(eve, server)
    assert caught.value.reason is ehlo.TlsTrouble.NOT_OFFERED


def test_starttls_stripped_where_it_is_optional(adapter: Colour) -> None:
    """L5: who made do with opportunistic encryption still does not give the password away."""
    with between(StripStartTls()) as (url, server, eve):
        with pytest.raises(ehlo.InvalidInput, match="not sent over an unencrypted connection"):
            send(adapter, url, tls="starttls-if-offered")
        assert_nothing_leaked(eve, server)


@pytest.mark.parametrize(
    ("reply", "temporary"),
    [
        (b"454 4.7.0 TLS not available due to temporary reason\r\n", True),
        (b"502 5.5.1 Command not implemented\r\n", False),
        (b"501-5.5.4 Syntax error\r\n501 5.5.4 No parameters allowed\r\n", False),
    ],
)
def test_starttls_refused_by_the_attacker(adapter: Colour, reply: bytes, temporary: bool) -> None:
    with between(AnswerStartTls(reply)) as (url, server, eve):
        with pytest.raises(ehlo.TlsFailed, match=r"refused STARTTLS: [45]") as caught:
            send(adapter, url)
        assert verbs(server) == ["EHLO"]
        assert_nothing_leaked(eve, server)
    assert caught.value.reason is ehlo.TlsTrouble.REFUSED
    assert caught.value.reply is not None
    assert caught.value.temporary is temporary
    assert not caught.value.connection_usable


@pytest.mark.parametrize("reply", [b"454 4.7.0 No\r\n", b"502 5.5.1 No\r\n"])
def test_starttls_refused_where_it_is_optional(adapter: Colour, reply: bytes) -> None:
    with between(AnswerStartTls(reply)) as (url, server, eve):
        with pytest.raises(ehlo.InvalidInput, match="not sent over an unencrypted connection"):
            send(adapter, url, tls="starttls-if-offered")
        assert_nothing_leaked(eve, server)


@pytest.mark.parametrize("reply", [b"250 2.0.0 Ok\r\n", b"354 Go ahead\r\n", b"221 Bye\r\n"])
@pytest.mark.parametrize("tls", ["starttls", "starttls-if-offered"])
def test_starttls_answered_oddly(adapter: Colour, reply: bytes, tls: str) -> None:
    """L3: never clear text, whatever the answer."""
    with between(AnswerStartTls(reply)) as (url, server, eve):
        with pytest.raises((ehlo.TlsFailed, ehlo.RemoteProtocolError)):
            send(adapter, url, tls=tls)
        assert_nothing_leaked(eve, server)


INJECTED = b"250-mail.example.org\r\n250 AUTH PLAIN LOGIN\r\n"


@pytest.mark.parametrize("tls", ["starttls", "starttls-if-offered"])
@pytest.mark.parametrize(
    "pieces",
    [
        (INJECTED,),
        (b"\r\n",),
        (b"2",),
        (b"2", b"50 injected\r\n"),
        (b"", INJECTED),
        (b"", *(INJECTED[at : at + 1] for at in range(len(INJECTED)))),
        (b"", b"\x15\x03\x03"),  # the beginning of a TLS alert, and then the real thing
    ],
    ids=[
        "glued",
        "an empty line",
        "an octet",
        "two segments",
        "a later segment",
        "octet by octet",
        "half a record",
    ],
)
def test_octets_behind_the_220(adapter: Colour, pieces: tuple[bytes, ...], tls: str) -> None:
    """L1: dropped with a TLS error before the handshake is over, in whatever segment."""
    timeouts = ehlo.Timeouts(tls=0.2)
    with between(InjectBehind220(*pieces)) as (url, server, eve):
        with pytest.raises((ehlo.TlsFailed, ehlo.Timeout)) as caught:
            send(adapter, url, tls=tls, timeouts=timeouts)
        assert verbs(server)[:2] == ["EHLO", "STARTTLS"]
        assert_nothing_leaked(eve, server)
    if pieces[-1][:1] == b"\x15":  # a record that never comes to its end
        assert isinstance(caught.value, ehlo.Timeout)
    else:
        assert isinstance(caught.value, ehlo.TlsFailed)
        assert caught.value.reason is ehlo.TlsTrouble.INJECTED


def test_what_was_offered_in_clear_is_forgotten(adapter: Colour) -> None:
    """L2: only what is offered inside TLS counts."""
    options = ServerOptions(starttls=Offer.OFFERED, capabilities=("8BITMIME",))
    attack = RewriteReplies(b"250-8BITMIME", b"250-8BITMIME\r\n250-AUTH PLAIN\r\n250-DSN")
    with between(attack, options) as (url, server, eve):
        with adapter.connect(url, ssl_context=client_context()) as session:
            assert set(session.capabilities.keywords) == {"8BITMIME"}
        assert verbs(server) == ["EHLO", "STARTTLS", "EHLO", "QUIT"]
    with between(attack, options) as (url, server, eve):
        with pytest.raises(ehlo.CapabilityMissing, match="no authentication at all"):
            send(adapter, url)
        assert_nothing_leaked(eve, server)


# -- AUTH ------------------------------------------------------------------------------------------


def test_offers_of_auth_cannot_be_touched_inside_tls(adapter: Colour) -> None:
    options = ServerOptions(
        users={"ada": PASSWORD}, auth_channel=AuthChannel.TLS, starttls=Offer.OFFERED
    )
    attack = RewriteReplies(b"250-8BITMIME", b"250-8BITMIME\r\n250-AUTH XEVIL")
    with between(attack, options) as (url, server, eve):
        assert send(adapter, url).accepted
        assert server.wait_for_messages(1)[0].user == "ada"
    assert not [octets for octets in CONFIDENTIAL if octets in eve.heard]


@pytest.mark.parametrize("offer", [b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH=PLAIN"])
def test_offers_of_auth_in_clear_get_no_password(adapter: Colour, offer: bytes) -> None:
    """A1: the connection is in clear, and nobody has said that everybody may know it."""
    options = ServerOptions(users={"ada": PASSWORD})
    with between(RewriteReplies(b"AUTH PLAIN LOGIN", offer), options) as (url, server, eve):
        with pytest.raises(ehlo.InvalidInput, match="cleartext='allow-credentials'") as caught:
            send(adapter, url, tls="none")
        assert_nothing_leaked(eve, server)
    assert caught.value.phase is ehlo.Phase.AUTH


def test_those_who_insist_get_what_they_asked_for(adapter: Colour) -> None:
    with between(Attack()) as (url, server, eve):
        send(adapter, url, tls="none", cleartext="allow-credentials")
        assert not server.wait_for_messages(1)[0].tls
    assert b64encode(b"\0ada\0" + PASSWORD.encode()) in eve.heard


def test_auth_not_offered_sends_nothing_unauthenticated(adapter: Colour) -> None:
    """A2: the offer was removed; the mail does not go without."""
    with between(RewriteReplies(b"AUTH PLAIN LOGIN", b"XAUTH"), tls="starttls") as (
        url,
        server,
        eve,
    ):
        with pytest.raises(ehlo.CapabilityMissing):
            send(adapter, url, tls="none", cleartext="allow-credentials")
        assert_nothing_leaked(eve, server)


# -- SCRAM -----------------------------------------------------------------------------------------

SCRAM = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")


def binding() -> dict[str, bytes]:
    found = server_end_point(certificate_of(MAIL))
    assert found is not None
    return {"tls-server-end-point": found}


def with_scram(*mechanisms: str) -> ServerOptions:
    return ServerOptions(
        users={"ada": PASSWORD},
        mechanisms=mechanisms,
        channel_bindings=binding(),
        starttls=Offer.OFFERED,
    )


def trusted() -> ssl.SSLContext:
    """Return the context of an attacker who has got a certificate that clients take."""
    return serving(authority().issue_cert(MAIL))


class Rewrite(Impersonate):
    """Changes what the server says inside TLS."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        super().__init__(trusted())
        self._change_reply = change

    @override
    def inside_from_server(self, octets: bytes) -> None:
        super().inside_from_server(self._change_reply(octets))


def assert_the_password_is_not_stolen(eve: ManInTheMiddle) -> None:
    for confidential in CONFIDENTIAL:
        assert confidential not in eve.heard
        assert confidential not in eve.stolen


def test_scram_works_without_an_attack(adapter: Colour) -> None:
    with between(Attack(), with_scram(*SCRAM)) as (url, server, _):
        assert send(adapter, url).accepted
        assert server.wait_for_messages(1)[0].user == "ada"


@pytest.mark.parametrize("mechanisms", [SCRAM, SCRAM[:1]])
def test_scram_is_bound_to_the_tls_connection(adapter: Colour, mechanisms: tuple[str, ...]) -> None:
    """The attacker even has a certificate for the server's name; passing SCRAM on is no use."""
    with between(Impersonate(trusted()), with_scram(*mechanisms)) as (url, server, eve):
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages
    assert caught.value.tried == ("SCRAM-SHA-256-PLUS",)
    assert b"AUTH SCRAM-SHA-256-PLUS" in eve.stolen  # he saw it, and it was of no use


def test_the_offer_of_channel_binding_stripped(adapter: Colour) -> None:
    """The client says that it could have; the server, which did offer it, refuses."""
    attack = Rewrite(lambda octets: octets.replace(b"SCRAM-SHA-256-PLUS ", b""))
    with between(attack, with_scram(*SCRAM)) as (url, server, eve):
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages
    assert caught.value.tried == ("SCRAM-SHA-256",)


def test_the_offer_of_channel_binding_exchanged(adapter: Colour) -> None:
    """An offer that nobody can serve takes the place of the real one; the client is not fooled."""

    class Exchange(Impersonate):
        @override
        def inside_from_server(self, octets: bytes) -> None:
            super().inside_from_server(octets.replace(b"SCRAM-SHA-256-PLUS", b"SCRAM-BOGUS-PLUS"))

    with between(Exchange(trusted()), with_scram(*SCRAM)) as (url, server, eve):
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages
    assert caught.value.tried == ("SCRAM-SHA-256",)


def test_channel_binding_refused_on_the_way(adapter: Colour) -> None:
    """No exchange that could be passed on follows one that could not."""

    class Refuse(Impersonate):
        @override
        def inside_from_client(self, octets: bytes) -> None:
            is_bound = octets.startswith(b"AUTH") and b"-PLUS" in octets
            super().inside_from_client(b"AUTH NO-SUCH-THING\r\n" if is_bound else octets)

        @override
        def inside_from_server(self, octets: bytes) -> None:
            is_refusal = octets.startswith(b"5")
            super().inside_from_server(b"504 5.5.4 No such thing\r\n" if is_refusal else octets)

    with between(Refuse(trusted()), with_scram(*SCRAM)) as (url, server, eve):
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages
    assert caught.value.tried == ("SCRAM-SHA-256-PLUS",)
    assert caught.value.reply.code == 504


def test_the_channel_binding_changed(adapter: Colour) -> None:
    """The client's last message is signed as a whole."""

    class Change(Impersonate):
        @override
        def inside_from_client(self, octets: bytes) -> None:
            try:
                said = b64decode(octets.strip(), validate=True)
            except ValueError:
                said = b""
            if said.startswith(b"c="):
                header = b64encode(b"p=tls-server-end-point,," + binding()["tls-server-end-point"])
                said = b"c=" + header + b"," + said.partition(b",")[2]
                octets = b64encode(said) + b"\r\n"
            super().inside_from_client(octets)

    with between(Change(trusted()), with_scram(*SCRAM)) as (url, server, eve):
        with pytest.raises(ehlo.AuthenticationRefused):
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages


class Replay(Rewrite):
    """Answers an authentication with what the server said in another one."""

    recorded: ClassVar[list[bytes]] = []

    def __init__(self, *, again: bool) -> None:
        super().__init__(lambda octets: octets)
        self._again = again
        self._answers = iter(self.recorded)

    @override
    def inside_from_server(self, octets: bytes) -> None:
        if octets.startswith((b"334 ", b"235 ")):
            if self._again:
                octets = next(self._answers, octets)
            else:
                self.recorded.append(octets)
        super().inside_from_server(octets)


def test_scram_replayed_to_the_client(adapter: Colour) -> None:
    """The server's side of an exchange is good for one exchange: its nonce is part of it."""
    Replay.recorded.clear()
    options = with_scram("SCRAM-SHA-256")
    with between(lambda: Replay(again=False), options) as (url, server, eve):
        assert send(adapter, url).accepted
        server.wait_for_messages(1)
    assert len(Replay.recorded) == 3
    with between(lambda: Replay(again=True), options) as (url, server, eve):
        with pytest.raises((ehlo.AuthenticationRefused, ehlo.ServerNotAuthenticated)):
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages


@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets.replace(b"334 ", b"235 2.7.0 ok\r\n334 ", 1),
        lambda octets: b"235 2.7.0 ok\r\n" if octets.startswith(b"334 ") else octets,
        lambda octets: octets.replace(b"334 dj", b"334 dk"),  # v= becomes w=
    ],
    ids=["too early", "instead", "another signature"],
)
def test_a_success_without_the_servers_proof(
    adapter: Colour, change: Callable[[bytes], bytes]
) -> None:
    """A5: a 235 is no success of SCRAM."""
    with between(Rewrite(change), with_scram("SCRAM-SHA-256")) as (url, server, eve):
        with pytest.raises(
            (ehlo.ServerNotAuthenticated, ehlo.AuthenticationRefused, ehlo.RemoteProtocolError)
        ):
            send(adapter, url)
        assert_the_password_is_not_stolen(eve)
        assert not server.messages


# -- Certificates ----------------------------------------------------------------------------------

Trouble = ehlo.TlsTrouble
SWAPPED: dict[str, tuple[Callable[[], ssl.SSLContext], ehlo.TlsTrouble, str]] = {
    "self-signed": (lambda: self_signed(MAIL), Trouble.SELF_SIGNED, "is signed by itself"),
    "unknown authority": (
        lambda: serving(another_authority().issue_cert(MAIL)),
        Trouble.UNKNOWN_AUTHORITY,
        "whom nobody here trusts",
    ),
    "expired": (
        lambda: dated(LONG_AGO, AGO, MAIL),
        Trouble.EXPIRED,
        "has expired on 2002-02-03",
    ),
    "not yet valid": (
        lambda: dated(LATER, FAR_AHEAD, MAIL),
        Trouble.NOT_YET_VALID,
        "not valid yet before 2998-02-03",
    ),
    "another host": (
        lambda: serving(authority().issue_cert("eve.example.net", "192.0.2.1")),
        Trouble.WRONG_HOST,
        "is not for 'mail.example.com' but for eve.example.net, 192.0.2.1",
    ),
    "a name like it": (
        lambda: serving(authority().issue_cert("mail.example.com.eve.example.net")),
        Trouble.WRONG_HOST,
        "but for mail.example.com.eve.example.net",
    ),
    "its address": (
        lambda: serving(authority().issue_cert("127.0.0.1")),
        Trouble.WRONG_HOST,
        "but for 127.0.0.1",
    ),
}


@pytest.mark.parametrize("tls", ["starttls", "implicit", "starttls-if-offered"])
@pytest.mark.parametrize("name", SWAPPED)
def test_another_certificate(adapter: Colour, name: str, tls: str) -> None:
    """L4 L5: no application octet, no fall-back to clear text."""
    make, reason, words = SWAPPED[name]
    implicit = tls == "implicit"
    mode = "implicit" if implicit else "starttls"
    with between(Impersonate(make(), implicit=implicit), tls=mode) as (url, server, eve):
        with pytest.raises(ehlo.TlsFailed, match=words) as caught:
            send(adapter, url, tls=tls)
        assert_nothing_leaked(eve, server)
    error = caught.value
    assert (error.phase, error.reason) == (ehlo.Phase.TLS, reason)
    assert (error.temporary, error.outcome) == (False, ehlo.Outcome.NOT_SENT)
    assert error.tls is not None
    assert error.tls.fingerprint


def test_the_same_attack_works_on_a_client_that_verifies_nothing(adapter: Colour) -> None:
    """So the attacker is a real one: what a context does not verify is its maker's choice."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with between(Impersonate(self_signed(MAIL))) as (url, server, eve):
        receipt = send(adapter, url, ssl_context=context)
        server.wait_for_messages(1)
    assert b64encode(b"\0ada\0" + PASSWORD.encode()) in eve.stolen
    assert receipt.tls is not None
    assert not receipt.tls.verified
    assert receipt.tls.subject == MAIL


# -- What is encrypted cannot be changed unnoticed -------------------------------------------------


def flip(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


CHANGES: dict[str, Callable[[bytes], bytes | None]] = {
    "an octet changed": flip,
    "a record twice": lambda octets: octets * 2,
    "a record in clear": lambda octets: b"250 2.0.0 Ok\r\n" + octets,
    "cut": lambda _: None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_records_changed_before_the_content(adapter: Colour, change: str) -> None:
    with between(lambda: ChangeRecords(lambda: False, flip)) as (url, server, eve):
        eve._attack = ChangeRecords(lambda: "RCPT" in verbs(server), CHANGES[change])
        with pytest.raises((ehlo.ConnectionLost, ehlo.DeliveryUnknown)) as caught:
            send(adapter, url)
        arrived = bool(server.messages)
    if change == "a record twice":
        # The first copy was genuine, and the content may have gone out in answer to it.
        assert caught.value.outcome in {ehlo.Outcome.NOT_SENT, ehlo.Outcome.UNKNOWN}
    else:
        assert caught.value.outcome is ehlo.Outcome.NOT_SENT
        assert not arrived
    assert "TLS" in str(caught.value) or change == "cut"
    assert not [octets for octets in CONFIDENTIAL if octets in eve.heard]


@pytest.mark.parametrize("change", set(CHANGES) - {"a record twice"})
def test_the_final_reply_changed(adapter: Colour, change: str) -> None:
    """L7 T9: the message is out; what came back in its place is not believed."""
    with between(lambda: ChangeRecords(lambda: False, flip)) as (url, server, eve):
        eve._attack = ChangeRecords(lambda: bool(server.messages), CHANGES[change])
        with pytest.raises(ehlo.DeliveryUnknown) as caught:
            send(adapter, url)
    assert not caught.value.retry_safe
    assert caught.value.message_id == "<1@example.org>"


def test_tls_cut_behind_221_is_no_failure(adapter: Colour) -> None:
    """L7 T11: no close_notify, and the delivery stands."""
    with between(lambda: ChangeRecords(lambda: False, flip)) as (url, server, eve):
        eve._attack = ChangeRecords(lambda: verbs(server)[-1:] == ["QUIT"], lambda _: None)
        assert send(adapter, url).accepted
        server.wait_for_messages(1)


def test_tls_cut_in_an_idle_session(adapter: Colour) -> None:
    """L7: a cut without close_notify is a lost connection."""
    with between(lambda: ChangeRecords(lambda: False, flip)) as (url, server, eve):
        eve._attack = ChangeRecords(lambda: "NOOP" in verbs(server), lambda _: None)
        with adapter.connect(url, ssl_context=client_context()) as session:
            with pytest.raises(ehlo.ConnectionLost):
                session.noop()
            assert not session.is_idle


# -- In clear --------------------------------------------------------------------------------------


def test_replies_said_twice_are_noticed(adapter: Colour) -> None:
    """R11: no reply is taken for the one to another command."""
    options = ServerOptions(capabilities=())
    with between(RepeatReplies(), options, tls="none") as (url, server, _):
        with pytest.raises(ehlo.RemoteProtocolError):
            send(adapter, url, tls="none", auth=None)
        assert not server.messages
