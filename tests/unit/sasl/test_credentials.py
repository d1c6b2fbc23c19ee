from __future__ import annotations

import traceback
from typing import Any

import pytest

from ehlo import InvalidInput, Password, Secret
from ehlo.sasl import Login, Plain
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import pickled


@pytest.mark.parametrize("password", ["hunter2", Secret("hunter2")], ids=type)
def test_a_password_is_kept_as_a_secret(password: str | Secret) -> None:  # A8
    credentials = Password("ada", password)
    assert credentials.username == "ada"
    assert credentials.password == Secret("hunter2")


def test_they_serve_plain_then_login() -> None:  # A2
    secret = Secret("hunter2")
    assert Password("ada", secret).mechanisms() == (Plain("ada", secret), Login("ada", secret))


@pytest.mark.parametrize("password", ["gr\u00fcn \u20ac", "\U0001f511", " ", "p@ss:w/rd\"'\\"])
def test_any_text_without_controls_is_a_password(password: str) -> None:  # A7
    assert Password("gr\u00fcn@example.org", password).password.reveal() == password


@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_control_characters_are_refused_and_not_repeated(character: str) -> None:  # A7 A8
    with pytest.raises(InvalidInput, match=r"^the user name holds the control character") as user:
        Password(f"ada{character}", "hunter2")
    for password in (f"hunter2{character}", Secret(f"hunter2{character}")):
        with pytest.raises(InvalidInput, match=r"^the password holds the control char") as secret:
            Password("ada", password)
        assert "hunter2" not in repr(secret.value)
    assert "hunter2" not in repr(user.value)


def test_no_local_variable_shows_the_password() -> None:  # A8
    with pytest.raises(InvalidInput) as caught:
        Password("ada", "hunter2\0")
    frames = [entry.frame for entry in caught.traceback[1:]]
    assert "__init__" in {frame.code.name for frame in frames}
    assert "hunter2" not in str([dict(frame.f_locals) for frame in frames])


def test_a_refused_password_can_be_reported_with_locals() -> None:
    with pytest.raises(InvalidInput) as caught:
        Password("ada", "hunter2\0")
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "InvalidInput" in "".join(report.format())


@pytest.mark.parametrize(
    ("username", "password"), [("", "hunter2"), ("ada", ""), ("", ""), ("ada", Secret(""))]
)
def test_neither_is_empty(username: str, password: str | Secret) -> None:
    with pytest.raises(InvalidInput, match="user name and password must not be empty"):
        Password(username, password)


@pytest.mark.parametrize("password", [None, b"hunter2", 7], ids=type)
def test_a_password_is_a_text(password: Any) -> None:
    with pytest.raises(TypeError, match="is a str, not"):
        Password("ada", password)


@pytest.mark.parametrize("username", [None, b"ada", 7], ids=type)
def test_a_user_name_is_a_text(username: Any) -> None:
    with pytest.raises(TypeError, match="is a str, not"):
        Password(username, "hunter2")


def test_the_password_is_shown_nowhere() -> None:  # A8
    credentials = Password("ada", "hunter2")
    for shown in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"):
        assert "hunter2" not in shown
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(credentials)


def test_credentials_are_values() -> None:
    assert Password("ada", "hunter2") == Password("ada", Secret("hunter2"))
    assert Password("ada", "hunter2") != Password("ada", "hunter3")
    assert len({Password("ada", "a"), Password("ada", "a")}) == 1
