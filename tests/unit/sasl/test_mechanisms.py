from __future__ import annotations

from collections.abc import Callable

import pytest

from ehlo import InvalidInput, Secret
from ehlo.sasl import Login, Mechanism, Plain
from support.pickling import pickled

PASSWORD = Secret("hunter2")
EACH = pytest.mark.parametrize("make", [Plain, Login])


def test_plain_says_everything_at_once() -> None:
    exchange = Plain("ada", PASSWORD).exchange()
    assert next(exchange) == b"\0ada\0hunter2"
    with pytest.raises(StopIteration):
        exchange.send(b"")


@pytest.mark.parametrize("prompt", [b"Username:", b"", b"Password:", b"\xff"])
def test_login_says_the_user_first_whatever_the_prompts_say(prompt: bytes) -> None:
    exchange = Login("ada", PASSWORD).exchange()
    assert next(exchange) is None
    assert exchange.send(prompt) == b"ada"
    assert exchange.send(prompt) == b"hunter2"
    with pytest.raises(StopIteration):
        exchange.send(prompt)


def test_names_and_passwords_are_utf8() -> None:  # A7
    password = Secret("\u20ac\U0001f511")
    assert next(Plain("gr\u00fcn", password).exchange()) == "\0gr\u00fcn\0\u20ac\U0001f511".encode()
    login = Login("gr\u00fcn", password).exchange()
    assert next(login) is None
    assert [login.send(b""), login.send(b"")] == ["gr\u00fcn".encode(), "\u20ac\U0001f511".encode()]


@EACH
def test_each_exchange_begins_anew(make: Callable[[str, Secret], Mechanism]) -> None:
    mechanism = make("ada", PASSWORD)
    assert next(mechanism.exchange()) == next(mechanism.exchange())


@EACH
def test_the_name_is_the_registered_one(make: Callable[[str, Secret], Mechanism]) -> None:
    mechanism = make("ada", PASSWORD)
    assert mechanism.name == type(mechanism).__name__.upper()


@EACH
def test_the_password_is_hidden(make: Callable[[str, Secret], Mechanism]) -> None:  # A8
    mechanism = make("ada", PASSWORD)
    assert mechanism.hidden == (PASSWORD,)
    assert "hunter2" not in f"{mechanism} {mechanism!r} {mechanism.exchange()!r}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(mechanism)


@EACH
@pytest.mark.parametrize(
    ("username", "password"),
    [("a\0b", "c"), ("a", "b\0c"), ("a\r\n", "c"), ("a", "\x01"), ("\ud800", "c")],
)
def test_control_characters_are_refused(  # A7
    make: Callable[[str, Secret], Mechanism], username: str, password: str
) -> None:
    with pytest.raises(InvalidInput):
        next(make(username, Secret(password)).exchange())
