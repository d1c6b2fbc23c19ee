"""OAUTHBEARER and XOAUTH2, and the errors that servers give."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ehlo import Channel, InvalidInput, Secret
from ehlo.sasl import Mechanism, OAuthBearer, XOAuth2
from ehlo.sasl.bearer import read_error
from support.hostile import CONTROL_CHARACTERS, code_point
from support.pickling import pickled

TOKEN = Secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
EACH = pytest.mark.parametrize("make", [OAuthBearer, XOAuth2])
RFC_7628 = Channel(host="server.example.com", port=143)


def test_oauthbearer_as_in_rfc_7628() -> None:  # section 4.1
    exchange = OAuthBearer("user@example.com", TOKEN).exchange(RFC_7628)
    assert next(exchange) == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert exchange.send(b'{"status":"invalid_token"}') == b"\x01"
    with pytest.raises(StopIteration):
        exchange.send(b"")


@pytest.mark.parametrize("host", ["", "b\u00fccher.example", "a\x01b", "a b"])
def test_oauthbearer_leaves_out_what_it_does_not_know(host: str) -> None:
    exchange = OAuthBearer("a,=b", Secret("t")).exchange(Channel(host=host))
    assert next(exchange) == b"n,a=a=2C=3Db,\x01auth=Bearer t\x01\x01"


def test_xoauth2() -> None:
    exchange = XOAuth2("gr\u00fcn@example.com", Secret("ya29.x")).exchange(RFC_7628)
    assert next(exchange) == "user=gr\u00fcn@example.com\x01auth=Bearer ya29.x\x01\x01".encode()
    assert exchange.send(b'{"status":"401"}') == b""
    with pytest.raises(StopIteration):
        exchange.send(b"")


@EACH
def test_a_token_is_hidden(make: Callable[[str, Secret], Mechanism]) -> None:  # A8
    mechanism = make("ada", TOKEN)
    assert mechanism.name == {OAuthBearer: "OAUTHBEARER", XOAuth2: "XOAUTH2"}[make]  # type: ignore[index]
    assert mechanism.hidden == (TOKEN,)
    assert mechanism.exposes_secret is True
    assert TOKEN.reveal() not in repr(mechanism)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickled(mechanism)


@EACH
@pytest.mark.parametrize("character", CONTROL_CHARACTERS, ids=code_point)
def test_control_characters(make: Callable[[str, Secret], Mechanism], character: str) -> None:  # A7
    with pytest.raises(InvalidInput, match="the user name holds the control character"):
        make(f"ada{character}", TOKEN)
    with pytest.raises(InvalidInput, match="an OAuth token is printable ASCII"):
        make("ada", Secret(f"token{character}"))


@EACH
@pytest.mark.parametrize("token", ["", "two words", "\u00e9"])
def test_what_is_no_token(make: Callable[[str, Secret], Mechanism], token: str) -> None:
    with pytest.raises(InvalidInput, match="an OAuth token is printable ASCII"):
        make("ada", Secret(token))


@EACH
def test_a_user_is_needed(make: Callable[[str, Secret], Mechanism]) -> None:
    with pytest.raises(InvalidInput, match="must not be empty"):
        make("", TOKEN)


@pytest.mark.parametrize(
    ("challenge", "error"),
    [
        (
            b'{"status":"invalid_token","scope":"a b","openid-configuration":"https://x/y"}',
            {"status": "invalid_token", "scope": "a b", "openid-configuration": "https://x/y"},
        ),
        (b'{"status":"401","schemes":"bearer mac"}', {"status": "401", "schemes": "bearer mac"}),
        (b'{"status":400,"ratio":1.5}', {"status": "400", "ratio": "1.5"}),
        (b'{"status":"\\u001b[2J"}', {"status": "\\x1b[2J"}),
        (b'{"deep":{"er":1},"list":[1],"none":null}', {}),
        (b"[1]", {}),
        (b'"text"', {}),
        (b"", {}),
        (b"not JSON", {}),
        (b"\xff\xfe", {}),
        (b"[" * 16_000, {}),
        (b'{"status":"' + b"x" * 20_000 + b'"}', {}),
        (b'{"status": 1' + b"0" * 10_000 + b"}", {}),
    ],
)
def test_reading_an_error(challenge: bytes, error: dict[str, str]) -> None:  # A6
    assert read_error(challenge) == error
