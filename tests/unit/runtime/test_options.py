import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import ehlo.asyncio
import ehlo.blocking
from ehlo.address import address_literal
from ehlo.commands import Ehlo
from ehlo.content import Octets
from ehlo.endpoint import Endpoint, read_server
from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message import Message
from ehlo.options import ConnectOptions
from ehlo.policies import Cleartext, Hello, OnRefusal, Pipelining, Protocol, Tls
from ehlo.proxy import Proxy
from ehlo.runtime.ambient import default_context
from ehlo.runtime.options import Settings
from ehlo.runtime.route import Route
from ehlo.runtime.session_facts import SessionFacts
from ehlo.sasl import Password
from ehlo.timeouts import Timeouts
from ehlo.transcript import Transcript
from support.frames import assert_hidden, shown
from support.secrets import PASSWORD
from support.tls import leaf

SERVER = "smtp://mx.example.com"
ADA = Password("ada", "tanstaaf")


def settings(server: str | Endpoint = SERVER, **options: Any) -> Settings:
    return Settings.of(server, ConnectOptions(**options))  # type: ignore[typeddict-item]


def test_the_defaults_are_safe() -> None:
    it = settings()
    assert it.endpoint == Endpoint.from_url(SERVER)
    assert it.tls is Tls.STARTTLS
    assert it.credentials is None
    assert it.cleartext is Cleartext.REFUSE
    assert it.timeouts == Timeouts()
    assert it.name is None
    assert it.hello is Hello.EHLO
    assert it.pipelining is Pipelining.TRANSACTION
    assert it.transcript is None
    assert it.make_context is default_context


@pytest.mark.parametrize("context", ["ca.pem", True])
def test_a_context_is_one(context: Any) -> None:
    with pytest.raises(TypeError, match=r"ssl_context= is an ssl\.SSLContext, not (str|bool)"):
        Settings.of("smtps://localhost", {"ssl_context": context})


def test_none_is_the_default_too() -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("auth", "tls", "ssl_context", "timeouts", "name", "transcript")
    )
    assert settings(SERVER, **nothing) == settings()


def test_every_option() -> None:
    context, transcript, timeouts = default_context(), Transcript(), Timeouts(command=1.0)
    it = settings(
        auth=ADA,
        tls="implicit",
        ssl_context=context,
        cleartext="allow-credentials",
        timeouts=timeouts,
        name="client.example.org",
        hello="ehlo",
        pipelining="none",
        without=["CHUNKING", "x-odd"],
        transcript=transcript,
    )
    assert it.credentials is ADA
    assert it.tls is Tls.IMPLICIT
    assert it.make_context() is context
    assert it.cleartext is Cleartext.ALLOW_CREDENTIALS
    assert it.timeouts is timeouts
    assert it.name == "client.example.org"
    assert it.hello is Hello.EHLO
    assert it.pipelining is Pipelining.NONE
    assert it.without == ("CHUNKING", "x-odd")
    assert it.transcript is transcript


def test_every_option_is_tested_here() -> None:
    assert set(ConnectOptions.__annotations__) == {
        "auth",
        "tls",
        "ssl_context",
        "server_hostname",
        "cleartext",
        "timeouts",
        "name",
        "hello",
        "pipelining",
        "without",
        "transcript",
        "proxy_header",
        "client_certificate",
        "local_address",
        "proxy",
        "sock",
        "connector",
    }


def connector(_endpoint: Endpoint, _timeout: float | None) -> socket.socket:
    raise AssertionError


def test_the_way_to_the_server() -> None:
    with socket.socket() as sock:
        assert settings(sock=sock).route == Route(sock=sock)
        assert "socket" not in repr(settings(sock=sock))
    assert settings().route == Route()
    assert settings(connector=connector).route == Route(connector=connector)
    assert settings(proxy="socks5://p").route == Route(proxy=Proxy.from_url("socks5://p"))
    assert settings(local_address="::1").route == Route(local_address=("::1", 0))
    nothing: dict[str, Any] = dict.fromkeys(("proxy", "sock", "connector", "local_address"))
    assert settings(**nothing).route == Route()
    both = settings(local_address=("192.0.2.1", 2525), proxy="http://p:1")
    assert both.route == Route(
        local_address=("192.0.2.1", 2525), proxy=Proxy.from_url("http://p:1")
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"proxy": "socks5://p", "connector": connector}, "proxy= and connector= cannot be had"),
        ({"proxy": "x"}, "a proxy URL begins with"),
        ({"local_address": "192.0.2.1", "connector": connector}, "connector= and local_address="),
        ({"local_address": "localhost"}, "local_address= is an IP address, not 'localhost'"),
        ({"local_address": ("192.0.2.1", -1)}, "the port of local_address= is a number"),
    ],
)
def test_ways_that_are_wrong(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        settings(**options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"proxy": 5}, r"a proxy is a URL or an ehlo\.Proxy, not int"),
        ({"connector": "x"}, "connector= is a function, not str"),
        ({"sock": 5}, r"sock= is a plain socket\.socket, not int"),
        ({"local_address": 5}, "local_address= is an IP address, or a pair"),
        ({"local_address": ("192.0.2.1", "x")}, "local_address= is an IP address, or a pair"),
        ({"client_certificate": "c.pem"}, "client_certificate= is a pair"),
        ({"client_certificate": ("c.pem",)}, "client_certificate= is a pair"),
    ],
)
def test_ways_of_another_type(options: dict[str, Any], why: str) -> None:
    with pytest.raises(TypeError, match=why):
        settings(**options)


@pytest.mark.parametrize("option", [{"proxy": "socks5://p"}, {"local_address": "127.0.0.1"}])
def test_a_unix_socket_is_on_this_machine(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"a unix socket .* {next(iter(option))}= is for"):
        settings("smtp+unix:///run/smtp.sock", **option)


def test_a_socket_is_for_one_server_and_for_streams() -> None:
    with socket.socket() as sock, pytest.raises(InvalidInput, match="sock= is connected to one"):
        Settings.of((Endpoint.from_url(SERVER),) * 2, {"sock": sock})
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        with pytest.raises(InvalidInput, match="sock= is a stream socket"):
            settings(sock=sock)


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": f"socks5://ada:{PASSWORD}@-"},
        {"proxy": f"socks5://ada:{PASSWORD}@p", "tls": "maybe"},
        {"proxy": f"socks5://ada:{PASSWORD}@p", "nothing": 1},
        {"proxy": f"socks5://ada:{PASSWORD}@p", "auth": "x"},
    ],
)
@pytest.mark.parametrize("module", [ehlo.blocking, ehlo.asyncio])
def test_no_error_shows_the_password_of_a_proxy(module: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises((InvalidInput, TypeError)) as caught:
        module.connect(SERVER, **wrong)
    assert_hidden(PASSWORD, shown(caught.value))


def test_a_certificate_of_the_client_is_loaded_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "client.pem"
    leaf("client.example.org").private_key_and_cert_chain_pem.write_to_path(str(path))
    it = settings(client_certificate=(str(path), None))
    assert it.make_context() is it.make_context()
    assert it.make_context() is not default_context()
    assert it.make_context().verify_mode is ssl.CERT_REQUIRED


def test_a_key_that_is_encrypted_is_not_asked_for(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    cipher = serialization.BestAvailableEncryption(b"tanstaaf")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher)
    path, certificate = tmp_path / "key.pem", tmp_path / "client.pem"
    path.write_bytes(pem)
    leaf("client.example.org").cert_chain_pems[0].write_to_path(str(certificate))
    it = settings(client_certificate=(str(certificate), str(path)))
    with pytest.raises(ssl.SSLError):
        it.make_context()


def test_a_context_has_its_own_certificate() -> None:
    with pytest.raises(InvalidInput, match="client_certificate= is without it"):
        settings(ssl_context=default_context(), client_certificate=("c.pem", None))


def test_several_servers() -> None:
    urls = [SERVER, f"smtps://bob:{PASSWORD}@localhost", Endpoint.from_url("smtp://localhost")]
    first = Settings.of(read_server(urls), ConnectOptions(auth=None))
    second, third = first.alternatives
    assert first.endpoint.host == "mx.example.com"
    assert (second.tls, second.server_hostname) == (Tls.IMPLICIT, "localhost")
    assert second.credentials == Password("bob", PASSWORD)
    assert third.cleartext is Cleartext.ALLOW_CREDENTIALS
    assert first.cleartext is Cleartext.REFUSE
    assert second.alternatives == third.alternatives == ()
    assert PASSWORD not in repr(first)


def test_one_server_in_a_list_is_one_server() -> None:
    assert read_server([SERVER]) == Endpoint.from_url(SERVER)


@pytest.mark.parametrize(
    ("servers", "error", "why"),
    [
        ([], InvalidInput, "there is no server in the list"),
        (["smtp://a", "x"], InvalidInput, "a server URL begins with"),
        ([f"ada:{PASSWORD}@mx"], InvalidInput, "a server URL begins with"),
        (["smtp://a", 5], TypeError, "a server is a URL"),
        ([["smtp://a"]], TypeError, "a server is a URL"),
        ((f"smtp://ada:{PASSWORD}@a", "smtp://b@c"), InvalidInput, "without a password"),
        ([f"smtp://ada:{PASSWORD}@a", "smtp://b:c"], InvalidInput, "bad host or port"),
    ],
)
@pytest.mark.parametrize("module", [ehlo.blocking, ehlo.asyncio])
def test_servers_that_are_wrong(
    module: Any, servers: Any, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why) as caught:
        module.connect(servers)
    assert_hidden(PASSWORD, shown(caught.value))


@pytest.mark.parametrize(
    ("option", "right"),
    [
        ("tls", "'implicit', 'starttls', 'starttls-if-offered', 'none'"),
        ("cleartext", "'refuse', 'allow-credentials'"),
        ("hello", "'ehlo', 'helo', 'none'"),
        ("pipelining", "'none', 'transaction', 'continuous'"),
    ],
)
def test_a_wrong_policy_lists_the_right_ones(option: str, right: str) -> None:
    with pytest.raises(InvalidInput, match=f"{right}, not 'maybe'"):
        settings(**{option: "maybe"})


def test_one_keyword_to_overlook_is_not_its_letters() -> None:
    assert settings(without="CHUNKING").without == ("CHUNKING",)
    assert settings(without=()).without == ()


def test_what_is_overlooked_the_connection_does_not_know() -> None:
    link = settings(without=["chunking"]).link(lambda: 1.0)
    link.receive(b"220 mx\r\n")
    link.connection.next_event()
    link.connection.send(Ehlo("client.example.org"))
    link.receive(b"250-mx\r\n250-CHUNKING\r\n250 PIPELINING\r\n")
    link.connection.next_event()
    assert "PIPELINING" in link.connection.capabilities
    assert "CHUNKING" not in link.connection.capabilities


@pytest.mark.parametrize("without", [[5], [b"CHUNKING"], [None]])
def test_a_keyword_to_overlook_is_a_text(without: Any) -> None:
    with pytest.raises(TypeError, match="an EHLO keyword"):
        settings(without=without)


def test_a_keyword_to_overlook_holds_no_control_characters() -> None:
    with pytest.raises(InvalidInput, match="an EHLO keyword"):
        settings(without=["CHUN\r\nKING"])


@pytest.mark.parametrize("server", ["lmtp://localhost", "lmtp+unix:///run/lmtp"])
def test_the_url_says_what_is_spoken(server: str) -> None:
    assert settings(server).link(lambda: 0.0).connection.protocol is Protocol.LMTP
    assert settings().link(lambda: 0.0).connection.protocol is Protocol.SMTP


@pytest.mark.parametrize("name", ["", "two words", "a\r\nb", "-", "[1.2.3.4"])
def test_a_wrong_name_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidInput, match="EHLO name"):
        settings(name=name)


@pytest.mark.parametrize("hello", [Hello.HELO, Hello.NONE])
def test_without_ehlo_there_is_no_starttls(hello: Hello) -> None:
    with pytest.raises(InvalidInput, match="STARTTLS needs EHLO"):
        settings(hello=hello)
    assert settings(hello=hello, tls="none").hello is hello
    assert settings(hello=hello, tls="implicit").tls is Tls.IMPLICIT


@pytest.mark.parametrize("hello", [Hello.HELO, Hello.NONE])
def test_without_ehlo_there_is_no_authentication(hello: Hello) -> None:
    with pytest.raises(InvalidInput, match="authentication needs EHLO"):
        settings(hello=hello, tls="implicit", auth=ADA)


@pytest.mark.parametrize(
    ("server", "tls"),
    [
        ("smtp://mx.example.com", Tls.STARTTLS),
        ("smtp://mx.example.com:465", Tls.IMPLICIT),
        ("smtps://mx.example.com", Tls.IMPLICIT),
        ("smtp://localhost", Tls.NONE),
        ("smtp+unix:///run/smtp", Tls.NONE),
        ("smtp+starttls://localhost", Tls.STARTTLS),
    ],
)
def test_the_url_says_when_to_encrypt(server: str, tls: Tls) -> None:
    assert settings(server).tls is tls
    assert settings(server, tls=Tls.STARTTLS_IF_OFFERED).tls is Tls.STARTTLS_IF_OFFERED


@pytest.mark.parametrize("server", ["smtp://127.0.0.1", "smtp://[::1]", "smtp+unix:///run/smtp"])
def test_credentials_may_travel_in_clear_within_the_machine(server: str) -> None:
    assert settings(server).cleartext is Cleartext.ALLOW_CREDENTIALS


def test_credentials_from_the_url() -> None:
    it = settings("smtps://ada:tan%20staaf@mx.example.com")
    assert it.credentials == Password("ada", "tan staaf")
    assert "staaf" not in repr(it)
    assert settings("smtps://eve:x@mx.example.com", auth=ADA).credentials is ADA


def test_a_user_without_a_password_is_an_error() -> None:
    """A2: never silently unauthenticated."""
    with pytest.raises(InvalidInput, match="password"):
        settings("smtps://ada@mx.example.com")


def test_an_endpoint_serves_as_well() -> None:
    endpoint = Endpoint(host="mx.example.com", port=587)
    assert settings(endpoint).endpoint is endpoint


# -- What settings make ----------------------------------------------------------------------------


def test_a_link() -> None:
    link = settings().link(lambda: 1.0)
    assert link.connection.state.name == "CONNECTED"
    assert link._server_hostname == "mx.example.com"
    assert link._trace is None


def test_a_link_with_a_transcript() -> None:
    transcript = Transcript()
    link = settings(transcript=transcript).link(lambda: 1.0)
    assert transcript.clock is not None
    assert transcript.clock() == 1.0
    link.receive(b"220 mx\r\n")
    link.connection.next_event()
    assert str(transcript) == "S: 220 mx"


def test_a_transcript_keeps_its_own_clock() -> None:
    transcript = Transcript(clock=lambda: 7.0)
    settings(transcript=transcript).link(lambda: 1.0)
    assert transcript.clock is not None
    assert transcript.clock() == 7.0


def test_a_context_is_made_when_it_is_needed() -> None:
    assert isinstance(settings().make_context(), ssl.SSLContext)


@pytest.mark.parametrize(
    ("socket_name", "literal"),
    [
        (("192.0.2.1", 40000), "[192.0.2.1]"),
        (("2001:db8::1", 40000, 0, 0), "[IPv6:2001:db8::1]"),
        (("fe80::1%eth0", 40000, 0, 2), "[IPv6:fe80::1]"),
        ("", "localhost"),
        ("/run/smtp", "localhost"),
        (b"\0abstract", "localhost"),
        (None, "localhost"),
    ],
)
def test_the_name_is_the_sockets_address(socket_name: object, literal: str) -> None:
    assert address_literal(socket_name) == literal
    assert Ehlo(literal).name == literal
    assert settings().opening(socket_name).name == literal
    assert settings(name="client.example.org").opening(socket_name).name == "client.example.org"


def test_an_opening_has_all_of_it() -> None:
    it = settings("smtp://localhost", auth=ADA, tls="starttls-if-offered")
    opening = it.opening(("127.0.0.1", 1))
    assert opening.tls is Tls.STARTTLS_IF_OFFERED
    assert opening.credentials is ADA
    assert opening.cleartext is Cleartext.ALLOW_CREDENTIALS
    assert opening.hello is Hello.EHLO


def test_a_transaction() -> None:
    envelope = Envelope("ada@example.org", "bob@example.com")
    content = b"Message-ID: <1@example.org>\r\n\r\ntext\r\n"
    it = settings(pipelining="none").transaction(content, envelope, "deliver")
    assert it.envelope == envelope
    assert it.content == Octets(content)
    assert it.on_refusal is OnRefusal.DELIVER
    assert it.pipelining is Pipelining.NONE


def test_a_transaction_with_a_wrong_policy() -> None:
    envelope = Envelope("ada@example.org", "bob@example.com")
    with pytest.raises(InvalidInput, match="OnRefusal is one of 'abort', 'deliver'"):
        settings().transaction(b"text", envelope, "perhaps")


def test_each_item_of_many_becomes_a_transaction() -> None:
    clock = iter((1.0, 2.0)).__next__
    to_bob = Envelope("ada@example.org", "bob@example.com")
    prepare = settings(pipelining="continuous").preparing("deliver", clock)
    message = Message(from_="ada@example.org", to="eve@example.com")
    for it, recipient in (
        (prepare(message), "eve@example.com"),
        (prepare((message, to_bob)), "bob@example.com"),
        (prepare((b"text", to_bob)), "bob@example.com"),
    ):
        assert [str(address) for address in it.envelope.recipients] == [recipient]
        assert it.on_refusal is OnRefusal.DELIVER
        assert it.pipelining is Pipelining.CONTINUOUS
        assert it.clock is clock


@pytest.mark.parametrize("item", [b"text", (b"text",), (b"text", None), (b"te", b"xt")])
def test_octets_without_an_envelope_are_none_of_many(item: Any) -> None:
    """A tuple of octets is an iterable of pieces, and no pair."""
    with pytest.raises(InvalidInput, match="pass an envelope"):
        settings().preparing("abort", lambda: 0.0)(item)


def test_many_with_a_wrong_policy() -> None:
    with pytest.raises(InvalidInput, match="OnRefusal is one of"):
        settings().preparing("perhaps", lambda: 0.0)


def test_session_facts() -> None:
    transcript = Transcript()
    it = settings(transcript=transcript)
    link = it.link(lambda: 0.0)
    facts = SessionFacts(it, link)
    assert facts.connection is link.connection
    assert facts.capabilities is link.connection.capabilities
    assert facts.greeting is None
    assert not facts.is_idle
    assert facts.tls is None
    assert facts.transcript is transcript


def test_an_option_that_there_is_not() -> None:
    found = r"no option 'timeout' \(did you mean 'timeouts'\?\); there are auth, "
    with pytest.raises(TypeError, match=found):
        settings(timeout=5)
    with pytest.raises(TypeError, match="there is no option 'xyz'; there are auth, "):
        settings(xyz=5)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"timeouts": 30}, r"such as ehlo.Timeouts\(total=30\), in seconds, not int"),
        ({"timeouts": {"total": 30}}, "not dict"),
        ({"transcript": []}, "transcript= is an ehlo.Transcript, not list"),
    ],
)
def test_an_option_of_another_type(option: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        settings(**option)


def test_an_envelope_of_another_type() -> None:
    message: Any = Message(from_="ada@example.org", to="eve@example.com")
    wrong: Any = "bob@example.com"
    with pytest.raises(TypeError, match=r"envelope= is an ehlo\.Envelope, not str"):
        settings().transaction(message, wrong, "abort")
    with pytest.raises(TypeError, match=r"the second of a pair is an ehlo\.Envelope, not str"):
        settings().preparing("abort", lambda: 0.0)((message, wrong))


@pytest.mark.parametrize("connect", [ehlo.blocking.connect, ehlo.asyncio.connect, settings])
@pytest.mark.parametrize(
    "server", [b"smtp://ada:hunter2@mx", bytearray(b"smtp://ada:hunter2@mx"), {"ada:hunter2@mx"}]
)
def test_a_server_of_another_type_is_not_shown(connect: Any, server: Any) -> None:  # A8
    with pytest.raises(TypeError, match="a server is a URL or") as caught:
        connect(server)
    assert_hidden("hunter2", shown(caught.value))


@pytest.mark.parametrize("auth", ["", b"", (), {}, 0, False])
@pytest.mark.parametrize("server", [SERVER, "smtp://ada:hunter2@mx.example.com"])
def test_what_is_empty_is_not_taken_for_no_credentials(server: str, auth: Any) -> None:  # L3
    with pytest.raises(TypeError, match=r"auth= is an ehlo\.Password"):
        settings(server, auth=auth)


@pytest.mark.parametrize("wrong", [{"ssl_context": 5}, {"no_such_option": 5}, {"tls": "maybe"}])
def test_a_password_for_credentials_is_not_shown_by_another_error(  # A8
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(TypeError, match=r"auth= is an ehlo\.Password") as caught:
        ehlo.blocking.connect(SERVER, auth="hunter2", **wrong)  # type: ignore[arg-type]
    assert_hidden("hunter2", shown(caught.value))


@pytest.mark.parametrize("name", ["a\0b", "a\r\nb", "\ud800"])
def test_a_name_for_the_certificate_holds_no_control_characters(name: str) -> None:
    with pytest.raises(InvalidInput, match="server_hostname= holds the control character"):
        settings(server_hostname=name)


@pytest.mark.parametrize("name", [5, 0, b"mx.example.com", b""])
def test_a_name_for_the_certificate_is_a_text(name: Any) -> None:
    with pytest.raises(TypeError, match=r"server_hostname= is a str, not (int|bytes)"):
        settings(server_hostname=name)


@pytest.mark.parametrize("name", [None, ""])
def test_the_certificate_is_for_the_host_unless_it_is_said(name: Any) -> None:
    assert settings(server_hostname=name).server_hostname == "mx.example.com"
    assert settings(server_hostname="other.example").server_hostname == "other.example"
