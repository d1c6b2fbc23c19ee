"""The server's side of SASL, by the octets: what it takes, what it refuses, what it does wrong."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest

from ehlo.errors import InvalidInput
from ehlo.sasl import Channel, Mechanism, Password, Scram
from ehlo.secret import Secret
from ehlo.testing import SaslFault, ServerConnection, ServerOptions

NONCE = "n" * 24
OK, BAD, WRONG = "235 2.7.0 ", "501 5.5.2 ", "535 5.7.8 "


def b64(octets: bytes | str) -> bytes:
    return b64encode(octets.encode() if isinstance(octets, str) else octets)


def server(*mechanisms: str, tls: bool = True, **options: Any) -> ServerConnection:
    facts: dict[str, Any] = {"mechanisms": mechanisms, "users": {"ada": "secret"}}
    connection = ServerConnection(ServerOptions(**facts | options), tls=tls)
    connection.receive_data(b"EHLO c\r\n")
    connection.data_to_send()
    return connection


def say(connection: ServerConnection, *lines: bytes) -> str:
    """Say lines; return the last reply."""
    for line in lines:
        connection.data_to_send()
        connection.receive_data(line + b"\r\n")
    return connection.data_to_send().decode()


@pytest.mark.parametrize(
    ("mechanism", "response", "reply"),
    [
        ("EXTERNAL", b"=", OK),
        ("EXTERNAL", b64("ada"), OK),
        ("EXTERNAL", b64("bob"), WRONG),
        ("EXTERNAL", b64(b"\xff"), BAD),
        ("ANONYMOUS", b"=", OK),
        ("ANONYMOUS", b64("trace"), OK),
        ("ANONYMOUS", b64(b"\xff"), BAD),
        ("OAUTHBEARER", b64("n,a=ada,\1auth=Bearer tok\1\1"), OK),
        ("OAUTHBEARER", b64("n,a=ada,\1host=h\1port=1\1auth=Bearer tok\1\1"), OK),
        ("OAUTHBEARER", b64("n,a=ada,\1auth=Bearer tok\1host=h\1\1"), OK),
        ("OAUTHBEARER", b64("n,a=ada,\1auth=Bearer tok\1"), BAD),
        ("OAUTHBEARER", b64("y,a=ada,\1auth=Bearer tok\1\1"), BAD),
        ("OAUTHBEARER", b64("n,,\1auth=Bearer tok\1\1"), "334 "),
        ("OAUTHBEARER", b64("n,a=ada,\1auth=Bearer no\1\1"), "334 "),
        ("XOAUTH2", b64("user=ada\1auth=Bearer tok\1\1"), OK),
        ("XOAUTH2", b64("user=ada\1auth=Bearer no\1\1"), "334 "),
        ("XOAUTH2", b64("user=ada\1auth=Basic tok\1\1"), BAD),
        ("SCRAM-SHA-256", b64(f"n,,n=ada,r={NONCE}"), "334 "),
        ("SCRAM-SHA-256", b64(f"y,,n=ada,r={NONCE}"), "334 "),
        ("SCRAM-SHA-256", b64(f"n,a=bob,n=ada,r={NONCE}"), "334 "),
        ("SCRAM-SHA-256", b64(f"p=tls-unique,,n=ada,r={NONCE}"), WRONG),
        ("SCRAM-SHA-256", b64(f"n,,n=a=da,r={NONCE}"), BAD),
        ("SCRAM-SHA-256", b64(f"n,,m=x,n=ada,r={NONCE}"), BAD),
        ("SCRAM-SHA-256", b64("n,,n=ada,r="), BAD),
    ],
)
def test_initial_responses(mechanism: str, response: bytes, reply: str) -> None:
    connection = server(mechanism, tokens={"ada": "tok"}, external="ada")
    assert say(connection, b"AUTH %b %b" % (mechanism.encode(), response)).startswith(reply)


@pytest.mark.parametrize(("response", "reply"), [(b64("ada 00"), WRONG), (b64("bob 00"), WRONG)])
def test_cram_md5(response: bytes, reply: str) -> None:
    assert say(server("CRAM-MD5"), b"AUTH CRAM-MD5", response).startswith(reply)


FIRST = b"AUTH SCRAM-SHA-256 " + b64(f"n,,n=ada,r={NONCE}")


@pytest.mark.parametrize(
    ("final", "reply"),
    [
        ("c=biws,r=another,p=cHJvb2Y=", WRONG),
        ("c=eSws,r={nonce},p=cHJvb2Y=", WRONG),
        ("c=biws,r={nonce},p=cHJvb2Y=", WRONG),
        ("c=biws,r={nonce},p=" + b64(bytes(32)).decode(), WRONG),
        ("c=biws,r={nonce}", BAD),
        ("", BAD),
    ],
)
def test_scram_proofs_that_are_none(final: str, reply: str) -> None:
    connection = server("SCRAM-SHA-256")
    say(connection, FIRST)
    nonce = _nonce()
    assert say(connection, b64(final.format(nonce=nonce))).startswith(reply)


def _nonce() -> str:
    """Return the nonce that the server makes of the client's: the same every time."""
    mechanism = Scram("ada", Secret("secret"))
    exchange = mechanism.exchange(Channel(make_nonce=lambda: NONCE))
    next(exchange)
    challenge = b64decode(say(server("SCRAM-SHA-256"), FIRST)[4:])
    return challenge.decode().partition(",")[0][2:]


def test_users_that_cannot_be_prepared_are_nobody_to_scram() -> None:
    users = {"\ue000": "x", "ada": "\ue000"}
    connection = server("SCRAM-SHA-256", users=users)
    say(connection, FIRST)
    final = f"c=biws,r={_nonce()},p=cHJvb2Y="
    assert say(connection, b64(final)).startswith(WRONG)


@pytest.mark.parametrize(
    ("tls", "bindings", "offered"),
    [
        (True, {"tls-exporter": b"x"}, "AUTH SCRAM-SHA-1-PLUS SCRAM-SHA-1"),
        (True, {}, "AUTH SCRAM-SHA-1"),
        (False, {"tls-exporter": b"x"}, "AUTH SCRAM-SHA-1"),
    ],
)
def test_plus_is_offered_where_it_can_be_had(tls: bool, bindings: Any, offered: str) -> None:
    connection = server("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", tls=tls, channel_bindings=bindings)
    assert say(connection, b"EHLO c").endswith(f"250 {offered}\r\n")
    if "PLUS" not in offered:
        assert say(connection, b"AUTH SCRAM-SHA-1-PLUS").startswith("504 ")


@pytest.mark.parametrize(
    "options",
    [
        {"users": {}, "tokens": {"ada": "x"}},
        {"users": {}, "external": "ada"},
        {"users": {}, "mechanisms": ("ANONYMOUS",)},
    ],
)
def test_somebody_can_authenticate(options: Any) -> None:
    assert "250 AUTH " in say(server("PLAIN", **options), b"EHLO c")


def test_nobody_can_authenticate() -> None:
    assert "AUTH" not in say(server("PLAIN", users={}), b"EHLO c")
    assert say(server("EXTERNAL"), b"AUTH EXTERNAL =").startswith(WRONG)


def test_a_fault_may_be_a_string() -> None:
    assert ServerOptions(sasl_fault="echo").sasl_fault is SaslFault.ECHO  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="SaslFault is one of 'none', 'wrong-signature'"):
        ServerOptions(sasl_fault="any")  # type: ignore[arg-type]


def test_options_show_no_secret() -> None:
    options = ServerOptions(users={"a": "hunter2"}, tokens={"a": "tok-en"})
    assert "hunter2" not in repr(options)
    assert "tok-en" not in repr(options)


@pytest.mark.parametrize("make", [lambda: Password("a", "b").mechanisms(Channel())])
def test_the_server_knows_what_the_client_knows(make: Callable[[], list[Mechanism]]) -> None:
    names = {mechanism.name for mechanism in make()}
    assert ServerOptions(mechanisms=tuple(names)).mechanisms
