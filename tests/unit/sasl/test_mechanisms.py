"""The mechanisms of one or two messages: PLAIN, LOGIN, CRAM-MD5, EXTERNAL, ANONYMOUS."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from typing_extensions import override

from ehlo import Anonymous, BadChallenge, Channel, External, InvalidInput, Secret
from ehlo.sasl import (
    CramMd5,
    Exchange,
    Login,
    Mechanism,
    OAuthBearer,
    Plain,
    Scram,
    ScramPlus,
    XOAuth2,
)
from ehlo.sasl.digests import Digest, is_available
from support.frames import assert_hidden, shown
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import pickled

PASSWORD = Secret("hunter2")
CHANNEL = Channel()
NAMES: dict[Any, str] = {
    Plain: "PLAIN",
    Login: "LOGIN",
    CramMd5: "CRAM-MD5",
    Scram: "SCRAM-SHA-256",
}
NAMES |= {ScramPlus: "SCRAM-SHA-256-PLUS"}
EACH = pytest.mark.parametrize("make", NAMES, ids=NAMES.values())


def begin(mechanism: Mechanism) -> Exchange:
    return mechanism.exchange(CHANNEL)


def test_plain_says_everything_at_once() -> None:
    exchange = begin(Plain("ada", PASSWORD))
    assert next(exchange) == b"\0ada\0hunter2"
    with pytest.raises(StopIteration):
        exchange.send(b"")


def test_plain_as_in_rfc_4616() -> None:
    exchange = begin(Plain("tim", Secret("tanstaaftanstaaf")))
    assert next(exchange) == b"\0tim\0tanstaaftanstaaf"


@pytest.mark.parametrize("prompt", [b"Username:", b"", b"Password:", b"\xff"])
def test_login_says_the_user_first_whatever_the_prompts_say(prompt: bytes) -> None:
    exchange = begin(Login("ada", PASSWORD))
    assert next(exchange) is None
    assert exchange.send(prompt) == b"ada"
    assert exchange.send(prompt) == b"hunter2"
    with pytest.raises(StopIteration):
        exchange.send(prompt)


def test_names_and_passwords_are_utf8() -> None:  # A7
    password = Secret("\u20ac\U0001f511")
    assert next(begin(Plain("gr\u00fcn", password))) == "\0gr\u00fcn\0\u20ac\U0001f511".encode()
    login = begin(Login("gr\u00fcn", password))
    assert next(login) is None
    assert [login.send(b""), login.send(b"")] == ["gr\u00fcn".encode(), "\u20ac\U0001f511".encode()]


def test_cram_md5_as_in_rfc_2195() -> None:
    exchange = begin(CramMd5("tim", Secret("tanstaaftanstaaf")))
    assert next(exchange) is None
    response = exchange.send(b"<1896.697170952@postoffice.reston.mci.net>")
    assert response == b"tim b913a602c7eda7a495b4e6e7334d3890"
    with pytest.raises(StopIteration):
        exchange.send(b"")


def test_cram_md5_answers_no_empty_challenge() -> None:
    exchange = begin(CramMd5("ada", PASSWORD))
    assert next(exchange) is None
    with pytest.raises(BadChallenge, match="the challenge is empty"):
        exchange.send(b"")


def test_cram_md5_where_there_is_no_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmac.digest", without_md5)
    assert not is_available(Digest.MD5)
    exchange = begin(CramMd5("ada", PASSWORD))
    assert next(exchange) is None
    with pytest.raises(BadChallenge, match="this Python has no MD5"):
        exchange.send(b"challenge")


def without_md5(*_args: Any) -> bytes:
    """Do what `hmac.digest` does in FIPS mode."""
    raise ValueError("[digital envelope routines] unsupported")


@pytest.mark.parametrize(
    ("mechanism", "name", "response"),
    [
        (External(), "EXTERNAL", b""),
        (External("ada@example.org"), "EXTERNAL", b"ada@example.org"),
        (Anonymous(), "ANONYMOUS", b""),
        (Anonymous("sirhc"), "ANONYMOUS", b"sirhc"),  # RFC 4505 section 3
        (Anonymous("\u00e9"), "ANONYMOUS", b"\xc3\xa9"),
    ],
)
def test_mechanisms_without_a_secret(mechanism: Mechanism, name: str, response: bytes) -> None:
    assert mechanism.name == name
    assert mechanism.hidden == ()
    assert mechanism.exposes_secret is False
    exchange = begin(mechanism)
    assert next(exchange) == response
    with pytest.raises(StopIteration):
        exchange.send(b"")


@pytest.mark.parametrize("make", [External, Anonymous])
@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_control_characters_in_an_identity(
    make: Callable[[str], Mechanism], character: str
) -> None:
    with pytest.raises(InvalidInput, match="holds the control character"):
        make(f"ada{character}")


@pytest.mark.parametrize("make", [External, Anonymous])
def test_an_identity_is_a_text(make: Callable[[Any], Mechanism]) -> None:
    with pytest.raises(TypeError, match="is a str, not bytes"):
        make(b"ada")


def test_the_length_of_a_trace() -> None:
    assert Anonymous("x" * 255).trace == "x" * 255
    with pytest.raises(InvalidInput, match="256 characters; 255 are allowed"):
        Anonymous("x" * 256)


@EACH
def test_the_name_is_the_registered_one(make: Any) -> None:
    assert make("ada", PASSWORD).name == NAMES[make]


@EACH
def test_the_password_is_hidden(make: Callable[[str, Secret], Mechanism]) -> None:  # A8
    mechanism = make("ada", PASSWORD)
    assert mechanism.hidden == (PASSWORD,)
    assert mechanism.exposes_secret is True
    assert "hunter2" not in f"{mechanism} {mechanism!r} {begin(mechanism)!r}"
    assert not hasattr(mechanism, "__dict__")
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(mechanism)


@EACH
@pytest.mark.parametrize(
    ("username", "password"),
    [
        *(("a\0b", "c"), ("a", "b\0c"), ("a\r\n", "c"), ("a", "\x01"), ("\ud800", "c")),
        *(("", "c"), ("a", "")),
    ],
)
def test_what_no_mechanism_can_carry(  # A7
    make: Callable[[str, Secret], Mechanism], username: str, password: str
) -> None:
    with pytest.raises(InvalidInput):
        make(username, Secret(password))


class Minimal(Mechanism):
    """A mechanism that says as little about itself as it may."""

    @property
    @override
    def name(self) -> str:
        return "X-MINIMAL"

    @override
    def exchange(self, channel: Channel) -> Exchange:
        yield channel.host.encode()


def test_a_mechanism_of_ones_own_is_taken_for_one_with_a_secret() -> None:  # A1
    assert Minimal().exposes_secret is True
    assert Minimal().hidden == ()
    assert next(Minimal().exchange(Channel(host="mail.example.org"))) == b"mail.example.org"


def test_a_channel_shows_no_bindings() -> None:
    channel = Channel(bindings={"tls-exporter": b"binding"}, make_nonce=lambda: "nonce")
    assert "binding" not in repr(channel)
    assert hash(channel) == hash(Channel(make_nonce=channel.make_nonce))


BEARERS: list[Any] = [OAuthBearer, XOAuth2]


@pytest.mark.parametrize("make", [*NAMES, *BEARERS])
def test_a_text_is_a_secret_at_once(make: Any) -> None:  # A8
    assert make("ada", "hunter2") == make("ada", PASSWORD)
    assert_hidden("hunter2", make("ada", "hunter2"))
    assert make("ada", "hunter2").hidden == (PASSWORD,)


@pytest.mark.parametrize("make", [*NAMES, *BEARERS])
@pytest.mark.parametrize("secret", ["hunter2\0", b"hunter2", ["hunter2"], None])
def test_a_wrong_secret_is_shown_nowhere(make: Any, secret: Any) -> None:  # A8
    with pytest.raises((InvalidInput, TypeError)) as caught:
        make("ada", secret)
    assert isinstance(caught.value, InvalidInput) is isinstance(secret, str)
    assert_hidden("hunter2", shown(caught.value))
    # What dataclass writes has a frame as well, in no file.
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "<string>" not in [frame.filename for frame in report.stack]


def test_a_wrong_hash_shows_no_password() -> None:  # A8
    with pytest.raises(InvalidInput) as caught:
        Scram("ada", "hunter2", "SHA-3")  # type: ignore[arg-type]
    assert_hidden("hunter2", shown(caught.value))
