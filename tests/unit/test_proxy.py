from typing import Any

import pytest

from ehlo import InvalidInput, Proxy, ProxyKind, Secret
from ehlo.proxy import read_proxy
from support.frames import assert_hidden, shown
from support.hostile import CONTROL_CHARACTERS, code_point
from support.secrets import ODD_PASSWORD, PASSWORD


@pytest.mark.parametrize(
    ("url", "kind", "host", "port"),
    [
        ("socks5://proxy.example.com", "socks5", "proxy.example.com", 1080),
        ("socks5://proxy.example.com:9050/", "socks5", "proxy.example.com", 9050),
        ("SOCKS5H://127.0.0.1:9050", "socks5", "127.0.0.1", 9050),
        ("socks4a://[::1]", "socks4a", "::1", 1080),
        ("http://proxy.example.com:3128", "http", "proxy.example.com", 3128),
    ],
)
def test_a_url_says_what_and_where(url: str, kind: str, host: str, port: int) -> None:
    proxy = Proxy.from_url(url)
    assert proxy == Proxy(kind=ProxyKind(kind), host=host, port=port)
    assert str(proxy) == f"{kind}://{f'[{host}]' if ':' in host else host}:{port}"


def test_user_and_password_are_decoded_and_never_shown() -> None:
    proxy = Proxy.from_url("http://us%40er:p%40ss%3Aword-that-is-long@proxy.example.com:3128")
    assert proxy.username == "us@er"
    assert proxy.password == Secret("p@ss:word-that-is-long")
    for text in (repr(proxy), str(proxy)):
        assert "us@er" not in text
        assert_hidden("p@ss:word-that-is-long", text)


def test_of_socks4a_there_are_users() -> None:
    assert Proxy.from_url("socks4a://ada@proxy.example.com").username == "ada"


def test_an_http_proxy_may_have_any_password() -> None:
    proxy = Proxy(kind="http", host="h", port=1, username="ada", password=ODD_PASSWORD)
    assert proxy.password == Secret(ODD_PASSWORD)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("proxy.example.com:1080", "a proxy URL begins with one of socks5://, socks5h://, "),
        ("socks5:proxy.example.com", "a proxy URL begins with"),
        ("socks4://proxy.example.com", "a proxy URL begins with"),
        ("https://proxy.example.com:443", "a proxy URL begins with"),
        ("smtp://proxy.example.com", "a proxy URL begins with"),
        ("http://proxy.example.com", "names no port"),
        ("socks5://", "not a host name"),
        ("socks5://:1080", "does not belong there"),
        ("socks5://proxy.example.com:0", "a port is a number"),
        ("socks5://proxy.example.com:x", "bad host or port"),
        ("socks5://proxy.example.com/path", "ends with its port"),
        ("socks5://proxy.example.com?x=y", "ends with its port"),
        ("socks5://proxy.example.com#x", "does not belong there"),
        (f"socks5://ada:{PASSWORD}@x?@y", "an @ behind its"),
        (f"socks5://ada:{PASSWORD}@-proxy", "not a host name"),
        ("socks5://ada@proxy.example.com", "a user and a password, or neither"),
        ("http://ada@proxy.example.com:3128", "a user and a password, or neither"),
        (f"http://a%3Ab:{PASSWORD}@proxy.example.com:3128", "holds no colon"),
        (f"socks4a://ada:{PASSWORD}@proxy.example.com", "knows users, but no passwords"),
        ("socks5://ada:@proxy.example.com", "1 to 255 ASCII characters"),
        ("socks5://ada:%C3%A4@proxy.example.com", "1 to 255 ASCII characters"),
        (f"socks5://ada:{'x' * 256}@proxy.example.com", "1 to 255 ASCII characters"),
        (f"socks5://%C3%A4:{PASSWORD}@proxy.example.com", "1 to 255 ASCII characters"),
        ("socks5://%ff:x@proxy.example.com", "percent-encoded UTF-8"),
    ],
)
def test_a_url_that_is_wrong(url: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        Proxy.from_url(url)
    assert_hidden(PASSWORD, shown(caught.value))


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_a_user_without_control_characters(character: str) -> None:
    with pytest.raises(InvalidInput, match="control character"):
        Proxy(kind="socks4a", host="h", username=f"a{character}b")


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_a_password_without_control_characters(kind: str, character: str) -> None:
    with pytest.raises(InvalidInput, match="password holds the control character") as caught:
        Proxy(kind=kind, host="h", username="ada", password=f"{PASSWORD}{character}")
    assert_hidden(PASSWORD, shown(caught.value))


@pytest.mark.parametrize("proxy", [5, b"socks5://h", None])
def test_a_proxy_is_a_url_or_a_proxy(proxy: Any) -> None:
    with pytest.raises(TypeError, match=r"a proxy is a URL or an ehlo\.Proxy, not "):
        Proxy.from_url(proxy)


def test_a_password_is_a_text() -> None:
    with pytest.raises(TypeError, match="a password is a str or a Secret, not bytes"):
        Proxy(kind="http", host="h", port=1, username="ada", password=b"x")  # type: ignore[arg-type]


def test_a_user_is_a_text() -> None:
    with pytest.raises(TypeError, match="the proxy's user"):
        Proxy(kind="http", host="h", port=1, username=5, password="x")  # type: ignore[arg-type]


def test_what_was_read_is_not_read_again() -> None:
    proxy, error = Proxy.from_url("socks5://h"), InvalidInput("x")
    assert read_proxy(proxy) is proxy
    assert read_proxy(error) is error
