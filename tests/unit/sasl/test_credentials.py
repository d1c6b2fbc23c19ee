from __future__ import annotations

import traceback
from typing import Any

import pytest

from ehlo import Channel, External, InvalidInput, OAuth2, Password, Secret
from ehlo.sasl import OAuthBearer, XOAuth2, require_credentials, require_sync
from ehlo.sasl.credentials import as_token
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import pickled


def ours_with_locals(error: BaseException) -> str:
    """Return the frames of the library's own with their local variables."""
    report = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in report.stack if "/ehlo/" in frame.filename]
    assert frames
    return str([frame.locals for frame in frames])


@pytest.mark.parametrize("password", ["hunter2", Secret("hunter2")], ids=type)
def test_a_password_is_kept_as_a_secret(password: str | Secret) -> None:  # A8
    credentials = Password("ada", password)
    assert credentials.username == "ada"
    assert credentials.password == Secret("hunter2")


SCRAMS = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]
PLUS = [f"{name}-PLUS" for name in SCRAMS]


@pytest.mark.parametrize(
    ("channel", "names"),
    [
        (Channel(encrypted=True), [*SCRAMS, "PLAIN", "LOGIN", "CRAM-MD5"]),
        (Channel(encrypted=False), [*SCRAMS, "CRAM-MD5", "PLAIN", "LOGIN"]),
        (
            Channel(encrypted=True, bindings={"tls-exporter": b"x"}),
            [*PLUS, *SCRAMS, "PLAIN", "LOGIN", "CRAM-MD5"],
        ),
    ],
)
def test_a_password_serves_the_strongest_first(channel: Channel, names: list[str]) -> None:  # A2
    served = Password("ada", "hunter2").mechanisms(channel)
    assert [mechanism.name for mechanism in served] == names
    assert {mechanism.hidden for mechanism in served} == {(Secret("hunter2"),)}


def test_what_cannot_be_prepared_is_not_for_scram() -> None:
    served = Password("ada", "\U0001f511").mechanisms(Channel(encrypted=True))
    assert [mechanism.name for mechanism in served] == ["PLAIN", "LOGIN", "CRAM-MD5"]


def test_without_md5(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_fips_mode(*_args: Any) -> bytes:
        raise ValueError("unsupported")

    monkeypatch.setattr("hmac.digest", in_fips_mode)
    served = Password("ada", "hunter2").mechanisms(Channel())
    assert [mechanism.name for mechanism in served] == [*SCRAMS, "PLAIN", "LOGIN"]


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
    with pytest.raises(TypeError, match="a password is a str or a Secret, not") as caught:
        Password("ada", password)
    assert "hunter2" not in ours_with_locals(caught.value)


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


# -- OAuth 2 ---------------------------------------------------------------------------------------


def function(*, refresh: bool) -> str:
    return f"token-{refresh}"


async def coroutine_function(*, refresh: bool) -> str:
    return f"token-{refresh}"


class Supplier:
    """An object that is called."""

    async def __call__(self, *, refresh: bool) -> str:
        return f"token-{refresh}"


@pytest.mark.parametrize("token", ["a-token", Secret("a-token")], ids=type)
def test_a_token_is_kept_as_a_secret(token: str | Secret) -> None:  # A8
    credentials = OAuth2("ada", token)
    assert credentials.token == Secret("a-token")
    assert credentials.callback is None
    assert "a-token" not in repr(credentials)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(credentials)


def test_a_token_serves_two_mechanisms() -> None:  # A2
    token = Secret("a-token")
    credentials = OAuth2("ada", function)
    assert credentials.bearing(token) == (OAuthBearer("ada", token), XOAuth2("ada", token))
    assert credentials.NAMES == ("OAUTHBEARER", "XOAUTH2")
    assert credentials.token is None
    assert credentials.callback is function


@pytest.mark.parametrize(
    ("token", "is_async"),
    [("a", False), (function, False), (coroutine_function, True), (Supplier(), True)],
)
def test_a_coroutine_function_is_told_from_others(token: Any, is_async: bool) -> None:
    credentials = OAuth2("ada", token)
    assert credentials.is_async is is_async
    if is_async:
        with pytest.raises(TypeError, match=r"awaited by ehlo\.asyncio alone"):
            require_sync(credentials)
    else:
        require_sync(credentials)
    require_sync(None)


@pytest.mark.parametrize("token", [b"a-token", None, 7, ["a-token"]], ids=type)
def test_what_is_neither_token_nor_function(token: Any) -> None:
    with pytest.raises(
        TypeError, match=r"a token is a str or a Secret, not .*; or it is a func"
    ) as e:
        OAuth2("ada", token)
    assert "a-token" not in ours_with_locals(e.value)
    with pytest.raises(TypeError, match="a token is a str or a Secret, not") as e:
        as_token(token)
    assert "a-token" not in ours_with_locals(e.value)


@pytest.mark.parametrize(
    ("username", "token"),
    [("", "a-token"), ("a\1", "a-token"), ("ada", "a token"), ("ada", ""), ("", function)],
)
def test_what_cannot_be_sent_as_oauth(username: str, token: Any) -> None:  # A7
    with pytest.raises(InvalidInput) as caught:
        OAuth2(username, token)
    assert "token'" not in ours_with_locals(caught.value).replace("'token'", "")


@pytest.mark.parametrize(
    "credentials", [Password("a", "b"), OAuth2("a", "b"), External(), OAuthBearer("a", Secret("b"))]
)
def test_what_authenticates(credentials: Any) -> None:
    require_credentials(credentials)


@pytest.mark.parametrize("credentials", [("ada", "hunter2"), "ada:hunter2", None], ids=type)
def test_what_does_not_authenticate(credentials: Any) -> None:  # A8
    with pytest.raises(TypeError, match=r"auth= is an ehlo\.Password") as caught:
        require_credentials(credentials)
    assert "hunter2" not in str(caught.value) + ours_with_locals(caught.value)
