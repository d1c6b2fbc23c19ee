from __future__ import annotations

import traceback
from typing import Any

import pytest

from ehlo import Endpoint, InvalidInput, Secret, Tls
from ehlo.endpoint import default_tls, is_loopback
from support.frames import assert_hidden, shown
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import pickled, unpickled


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://mx.example.com", "mx.example.com", 25, Tls.STARTTLS),
        ("smtp://mx.example.com/", "mx.example.com", 25, Tls.STARTTLS),
        ("smtp://mx.example.com:", "mx.example.com", 25, Tls.STARTTLS),
        ("SMTP://MX.Example.COM", "mx.example.com", 25, Tls.STARTTLS),
        ("smtp://mx.example.com.:2525", "mx.example.com.", 2525, Tls.STARTTLS),
        ("smtp://mx.example.com:465", "mx.example.com", 465, Tls.IMPLICIT),
        ("smtp://mx.example.com:587", "mx.example.com", 587, Tls.STARTTLS),
        ("smtp://localhost", "localhost", 25, Tls.NONE),
        ("smtp://localhost:465", "localhost", 465, Tls.IMPLICIT),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Tls.NONE),
        ("smtp://[::1]:2525", "::1", 2525, Tls.NONE),
        ("smtp://192.0.2.1", "192.0.2.1", 25, Tls.STARTTLS),
        ("smtp://[2001:db8::1]", "2001:db8::1", 25, Tls.STARTTLS),
        ("smtp://[fe80::1%25eth0]", "fe80::1%eth0", 25, Tls.STARTTLS),
        ("smtp://my_host", "my_host", 25, Tls.STARTTLS),
        ("smtp://m%78.example.com", "mx.example.com", 25, Tls.STARTTLS),
        ("smtps://mx.example.com", "mx.example.com", 465, Tls.IMPLICIT),
        ("smtps://localhost:2465", "localhost", 2465, Tls.IMPLICIT),
        ("smtp+ssl://mx.example.com", "mx.example.com", 465, Tls.IMPLICIT),
        ("smtp+starttls://mx.example.com", "mx.example.com", 587, Tls.STARTTLS),
        ("smtp+starttls://localhost", "localhost", 587, Tls.STARTTLS),
        ("smtp+starttls://mx.example.com:465", "mx.example.com", 465, Tls.STARTTLS),
        ("smtp+tls://mx.example.com", "mx.example.com", 587, Tls.STARTTLS),
        ("submission://mx.example.com", "mx.example.com", 587, Tls.STARTTLS),
        ("smtp://mx.example.com?tls=none", "mx.example.com", 25, Tls.NONE),
        ("smtp://mx.example.com/?tls=implicit", "mx.example.com", 25, Tls.IMPLICIT),
        (
            "smtp://mx.example.com:1?tls=starttls-if-offered",
            "mx.example.com",
            1,
            Tls.STARTTLS_IF_OFFERED,
        ),
        ("smtp://localhost:65535?tls=starttls", "localhost", 65535, Tls.STARTTLS),
    ],
)
def test_a_url_says_where_and_how(url: str, host: str, port: int, tls: Tls) -> None:  # L3
    assert Endpoint.from_url(url) == Endpoint(host=host, port=port, tls=tls)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("smtp+unix:///run/smtp.sock", "/run/smtp.sock"),
        ("smtp+unix:///run/a%20b%3F", "/run/a b?"),
        ("smtp+unix:///run/smtp.sock?tls=none", "/run/smtp.sock"),
    ],
)
def test_a_url_may_name_a_unix_socket(url: str, path: str) -> None:
    assert Endpoint.from_url(url) == Endpoint(path=path, tls=Tls.NONE)


def test_even_a_unix_socket_may_be_encrypted() -> None:
    assert Endpoint.from_url("smtp+unix:///s?tls=starttls").tls is Tls.STARTTLS


@pytest.mark.parametrize(
    ("userinfo", "username", "password"),
    [
        ("user:secret@", "user", "secret"),
        ("user@", "user", None),
        ("user:@", "user", ""),
        (":secret@", "", "secret"),
        ("user%40example.com:p%40ss%3Aw%2Frd%3F%23@", "user@example.com", "p@ss:w/rd?#"),
        ("gr%C3%BCn:%E2%82%AC@", "gr\u00fcn", "\u20ac"),
        ("us+er:a+b@", "us+er", "a+b"),
        ("u:a:b@", "u", "a:b"),
        ("u:a@b@", "u", "a@b"),
    ],
)
def test_user_and_password_are_percent_decoded(
    userinfo: str, username: str, password: str | None
) -> None:
    endpoint = Endpoint.from_url(f"smtp://{userinfo}mx.example.com")
    assert endpoint.username == username
    assert endpoint.password == (None if password is None else Secret(password))


def test_nobody_by_default() -> None:
    endpoint = Endpoint.from_url("smtp://mx.example.com")
    assert endpoint.username is None
    assert endpoint.password is None


@pytest.mark.parametrize("userinfo", ["user:%ff", "%ff:secret"])
def test_octets_that_are_no_utf8_are_refused(userinfo: str) -> None:
    with pytest.raises(InvalidInput):
        Endpoint.from_url(f"smtp://{userinfo}@mx.example.com")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "a server URL begins with one of smtp://, smtps://, "),
        ("mx.example.com", "a server URL begins with one of"),
        ("mx.example.com:25", "a server URL begins with one of"),
        ("smtp:mx.example.com", "a server URL begins with one of"),
        ("smtp:/mx.example.com", "a server URL begins with one of"),
        ("//mx.example.com", "a server URL begins with one of"),
        ("http://mx.example.com", "a server URL begins with one of"),
        ("mailto:ada@example.org", "a server URL begins with one of"),
        ("smtp://", "either a host or the path"),
        ("smtp:///", "either a host or the path"),
        ("smtp://:25", "a part that does not belong there"),
        ("smtp://@", "a part that does not belong there"),
        ("smtp://mx.example.com#x", "a part that does not belong there"),
        ("smtp:///path", "a server URL has no path"),
        ("smtp://mx.example.com/path", "a server URL has no path"),
        ("smtp://mx.example.com:x", "bad host or port"),
        ("smtp://mx.example.com:-1", "bad host or port"),
        ("smtp://mx.example.com:65536", "bad host or port"),
        ("smtp://mx.example.com:0", "a port is a number from 1 to 65535, not 0"),
        ("smtp://[::1", "bad host or port"),
        ("smtp://::1", "does not belong there|bad host or port"),
        ("smtp://[mx.example.com]", "bad host or port|not a host name"),
        ("smtp://-mx.example.com", "not a host name or an IP address: '-mx.example.com'"),
        ("smtp://mx example.com", "not a host name"),
        ("smtp://mx.example.com ", "not a host name"),
        ("smtp://mx.example.com-", "not a host name"),
        ("smtp://b\u00fccher.example", "not a host name"),
        ("smtp://a%2Fb", "not a host name"),
        ("smtp://a%0d%0ab", "the host name holds the control character U\\+000D"),
        (f"smtp://{'a' * 256}", "not a host name"),
        ("smtp+unix://run/smtp.sock", "a unix socket URL has three slashes"),
        ("smtp+unix://", "either a host or the path"),
        ("smtp+unix:///run/%00", "the path of the unix socket holds the control character"),
        ("smtp://mx.example.com?TLS=none", "the unknown option 'TLS'; known: tls"),
        ("smtp://mx.example.com?tls=none&x=y", "the unknown option 'x'"),
        ("smtp://mx.example.com?x", "the unknown option 'x'"),
        ("smtp://mx.example.com?tls=yes", "Tls is one of 'implicit', .*, not 'yes'"),
        ("smtp://mx.example.com?tls=", "Tls is one of"),
        ("smtp://mx.example.com?tls", "Tls is one of"),
    ],
)
def test_what_is_wrong_or_unknown_is_an_error_that_says_what(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Endpoint.from_url(url)


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_no_control_character_stands_in_a_url(character: str) -> None:  # I1
    for frame in (
        "{}smtp://mx.example.com",
        "smtp://m{}x.example.com",
        "smtp://u:p{}@mx",
        "smtp://mx{}",
    ):
        with pytest.raises(InvalidInput, match="the server URL holds the control character"):
            Endpoint.from_url(frame.format(character))


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@mx.example.com",
        "smtp://user:hunter2@mx.example.com:x",
        "smtp://user:hunter2@mx.example.com:0",
        "smtp://user:hunter2@mx.example.com/path",
        "smtp://user:hunter2@mx.example.com#x",
        "smtp://user:hunter2@mx.example.com?x=y",
        "smtp://user:hunter2@mx.example.com?tls=x",
        "smtp://user:hunter2@mx example.com",
        "smtp://user:hunter2@",
        "smtp://user:hunter2@mx@mx.example.com:x",
        "smtp+unix://user:hunter2@run/smtp.sock",
        # Not encoded as they should be.
        "smtp://user:12#hunter2@mx.example.com",
        "smtp://user:12/hunter2@mx.example.com",
        "smtp://user:p[hunter2@mx.example.com",
        "smtp://user:hunter2\x00@mx.example.com",
        "smtp://user:12?hunter2@mx.example.com",
        "smtp://user:12?tls=hunter2@mx.example.com",
        "smtp://user:hunter2/x@mx.example.com",
        "smtp://user:hunter2\u2100@mx.example.com",
    ],
)
def test_no_error_repeats_the_password(url: str) -> None:  # A8
    with pytest.raises(InvalidInput) as caught:
        Endpoint.from_url(url)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in repr(error)
        assert "hunter2" not in "".join(traceback.format_exception_only(error))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "either a host or the path"),
        ({"port": 25}, "either a host or the path"),
        ({"host": "mx", "port": 25, "path": "/s"}, "either a host or the path"),
        ({"host": "mx"}, "a port is a number from 1 to 65535, not 0"),
        ({"host": "mx", "port": -1}, "a port is"),
        ({"host": "mx", "port": 65536}, "a port is"),
        ({"host": "m x", "port": 25}, "not a host name"),
        ({"host": "mx\r\n", "port": 25}, "the host name holds the control character"),
        ({"host": "a" * 256, "port": 25}, "not a host name"),
        ({"path": "/s\n"}, "the path of the unix socket holds"),
    ],
)
def test_what_is_no_endpoint_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Endpoint(**options)


@pytest.mark.parametrize("host", ["a" * 63 + ".b" * 96, "_dmarc.example", "a", "1", "::", "::1"])
def test_what_may_be_a_host(host: str) -> None:
    assert Endpoint(host=host, port=65535).host == host


def test_an_endpoint_asks_for_starttls_by_default() -> None:  # L3
    assert Endpoint(host="mx.example.com", port=25).tls is Tls.STARTTLS


def test_an_endpoint_is_taken_as_it_is_or_read_from_a_url() -> None:
    endpoint = Endpoint(host="mx.example.com", port=25)
    assert Endpoint.of(endpoint) is endpoint
    assert Endpoint.of("smtp://mx.example.com") == endpoint


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LocalHost", True),
        ("localhost.", True),
        ("mx.localhost", False),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("0:0:0:0:0:0:0:1", True),
        ("", False),
        ("localhost.example.com", False),
        ("mylocalhost", False),
        ("localhost..", False),
        ("127.0.0.1.example.com", False),
        ("128.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - not bound to
        ("::", False),
        ("fe80::1%lo", False),
        ("mx.example.com", False),
        pytest.param(
            "127.0.0.1%evil.example.com",
            False,
        ),
    ],
)
def test_loopback_is_what_cannot_leave_this_machine(host: str, loopback: bool) -> None:  # A1 L3
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1%25x.example.com", "127.0.0.1%25", "192.0.2.1%25eth0", "[::1%25]"]
)
def test_an_ipv4_address_has_no_zone_and_none_is_empty(host: str) -> None:  # A1 L3
    with pytest.raises(InvalidInput):
        Endpoint.from_url(f"smtp://{host}")


@pytest.mark.parametrize(
    ("endpoint", "loopback"),
    [
        (Endpoint(path="/s"), True),
        (Endpoint(host="localhost", port=25), True),
        (Endpoint(host="mx.example.com", port=25), False),
    ],
)
def test_a_unix_socket_is_loopback_too(endpoint: Endpoint, loopback: bool) -> None:
    assert endpoint.is_loopback is loopback


@pytest.mark.parametrize(
    ("port", "local", "tls"),
    [
        (465, False, Tls.IMPLICIT),
        (465, True, Tls.IMPLICIT),
        (25, False, Tls.STARTTLS),
        (587, False, Tls.STARTTLS),
        (2525, False, Tls.STARTTLS),
        (25, True, Tls.NONE),
    ],
)
def test_the_default_is_the_safe_one(port: int, local: bool, tls: Tls) -> None:  # L3
    assert default_tls(port, local=local) is tls


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint(host="mx.example.com", port=25), "mx.example.com:25"),
        (Endpoint(host="192.0.2.1", port=465), "192.0.2.1:465"),
        (Endpoint(host="2001:db8::1", port=25), "[2001:db8::1]:25"),
        (Endpoint(path="/run/smtp.sock"), "/run/smtp.sock"),
    ],
)
def test_shown_without_user_and_password(endpoint: Endpoint, text: str) -> None:  # A8
    assert str(endpoint) == text


WITH_PASSWORD = Endpoint.from_url("smtps://ada:hunter2@mx.example.com")


@pytest.mark.parametrize(
    "shown", [repr(WITH_PASSWORD), str(WITH_PASSWORD), f"{WITH_PASSWORD}", f"{[WITH_PASSWORD]}"]
)
def test_the_password_is_never_shown(shown: str) -> None:  # A8
    assert "hunter2" not in shown


def test_the_user_is_not_shown_in_the_repr() -> None:
    assert "ada" not in repr(WITH_PASSWORD)


def test_with_a_password_it_cannot_be_pickled() -> None:  # A8
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(WITH_PASSWORD)


def test_endpoints_are_values() -> None:
    endpoint = Endpoint.from_url("smtp://mx.example.com")
    assert unpickled(endpoint) == endpoint
    assert hash(unpickled(endpoint)) == hash(endpoint)
    assert Endpoint.from_url("smtps://ada:hunter2@mx.example.com") == WITH_PASSWORD
    assert Endpoint.from_url("smtps://ada:hunter3@mx.example.com") != WITH_PASSWORD


def test_a_policy_is_never_taken_for_none_because_it_is_a_string() -> None:  # L3
    assert Endpoint(host="mx", port=25, tls="implicit").tls is Tls.IMPLICIT  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="Tls is one of"):
        Endpoint(host="mx", port=25, tls="starttls-required")  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".com", ".a", "-a"])
def test_labels_of_a_host_name_have_1_to_63_octets(host: str) -> None:
    with pytest.raises(InvalidInput, match="not a host name"):
        Endpoint.from_url(f"smtp://{host}")


def test_a_text_is_a_secret_at_once() -> None:  # A8
    endpoint = Endpoint(host="mx", port=25, username="ada", password="hunter2")
    assert endpoint.password == Secret("hunter2")
    assert_hidden("hunter2", endpoint)


@pytest.mark.parametrize("password", [b"hunter2", ["hunter2"]])
def test_a_password_is_a_text(password: Any) -> None:  # A8
    with pytest.raises(TypeError, match=r"a str or a Secret, not (bytes|list)$") as it:
        Endpoint(host="mx", port=25, username="ada", password=password)
    assert_hidden("hunter2", shown(it.value))


@pytest.mark.parametrize("wrong", [{"port": 0}, {"host": ""}, {"tls": "maybe"}, {"host": "-"}])
def test_a_wrong_endpoint_shows_no_password(wrong: dict[str, Any]) -> None:  # A8
    with pytest.raises(InvalidInput) as caught:
        Endpoint(**{"host": "mx", "port": 25, **wrong}, password="hunter2")
    assert_hidden("hunter2", shown(caught.value))
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "<string>" not in [frame.filename for frame in report.stack]


NO_SERVERS: list[Any] = [b"smtp://ada:hunter2@mx", bytearray(b"smtp://ada:hunter2@mx")]
NO_SERVERS += [["smtp://ada:hunter2@mx"], None, 5]


@pytest.mark.parametrize("read", [Endpoint.of, Endpoint.from_url])
@pytest.mark.parametrize("server", NO_SERVERS)
def test_a_server_is_a_text_or_an_endpoint(read: Any, server: Any) -> None:  # A8
    with pytest.raises(TypeError, match=r"a URL or an ehlo\.Endpoint, not \w+$") as caught:
        read(server)
    assert_hidden("hunter2", shown(caught.value))
