"""Laws of SASL: any user and password, any challenge."""

from __future__ import annotations

import itertools
import unicodedata
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ehlo import (
    BadChallenge,
    Channel,
    Connection,
    InvalidInput,
    OAuth2,
    Password,
    Secret,
    SMTPError,
    Transcript,
)
from ehlo.dialogues import Opening, authenticate, open_session
from ehlo.policies import Cleartext
from ehlo.sasl import Mechanism, saslprep
from ehlo.sasl.bearer import read_error
from ehlo.sasl.preparation import Unassigned
from ehlo.secret import scrub
from ehlo.testing import ServerConnection, ServerOptions, converse
from support.frames import assert_hidden, shown
from support.stepping import drive, ready

TEXT = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=30)
SCRAM = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
SECRET, TOKEN = "correct horse battery", "ya29.a-token-of-ours"


def channel() -> Channel:
    numbers = itertools.count()
    return Channel(make_nonce=lambda: f"{next(numbers):024}")


def credentials(username: str, password: str) -> Password:
    try:
        return Password(username, password)
    except InvalidInput:
        assume(False)
        raise


# -- SASLprep --------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.sampled_from(Unassigned))
def test_what_is_prepared_stays_as_it_is(text: str, unassigned: Unassigned) -> None:
    try:
        prepared = saslprep(text, unassigned)
    except InvalidInput:
        return
    assert prepared
    assert saslprep(prepared, unassigned) == prepared
    assert unicodedata.ucd_3_2_0.normalize("NFKC", prepared) == prepared


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_printable_ascii_is_its_own_prepared_form(text: str) -> None:
    assert saslprep(text) == text


@given(st.text(max_size=40))
def test_stored_strings_are_stricter_than_queries(text: str) -> None:
    with suppress(InvalidInput):
        assert saslprep(text) == saslprep(text, Unassigned.ALLOWED)


# -- Client and server -----------------------------------------------------------------------------


def talk(mechanism: str, auth: Any, users: dict[str, str]) -> Connection:
    options = ServerOptions(mechanisms=(mechanism,), users=users)
    connection, server = Connection(), ServerConnection(options)
    opening = Opening(
        name="c",
        tls="none",  # type: ignore[arg-type]
        credentials=auth,
        cleartext=Cleartext.ALLOW_CREDENTIALS,
        channel=channel(),
    )
    converse(open_session(connection, opening), connection, server)
    return connection


@pytest.mark.slow
@given(st.sampled_from(("PLAIN", "LOGIN", "CRAM-MD5", *SCRAM)), TEXT, TEXT)
def test_any_user_and_password_arrive(mechanism: str, username: str, password: str) -> None:
    auth = credentials(username, password)
    names = {each.name for each in auth.mechanisms(Channel())}
    assume(mechanism in names)
    assert talk(mechanism, auth, {username: password}).authenticated


@pytest.mark.slow
@given(st.sampled_from(SCRAM), TEXT, TEXT, TEXT)
def test_another_password_does_not(mechanism: str, username: str, right: str, wrong: str) -> None:
    auth = credentials(username, wrong)
    try:
        assume(saslprep(right) != saslprep(wrong))
        saslprep(username, Unassigned.ALLOWED)
    except InvalidInput:
        assume(False)
    with pytest.raises(SMTPError):
        talk(mechanism, auth, {username: right})


# -- Any octets as challenges ----------------------------------------------------------------------


def everything() -> list[Mechanism]:
    bound = Channel(bindings={"tls-exporter": b"x"})
    token = OAuth2("ada", TOKEN)
    return [*Password("ada", SECRET).mechanisms(bound), *token.bearing(Secret(TOKEN))]


CHALLENGES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda *parts: "".join(parts).encode("utf-8", "surrogatepass"),
        st.sampled_from(["r=", "m=x,r=", "e=", "v=", ""]),
        st.sampled_from(["", "0" * 24, "0" * 24 + "x"]),
        st.sampled_from([",s=", ",", ""]),
        st.sampled_from(["QSXCR+Q6", "Q", ""]),
        st.sampled_from([",i=4096", ",i=1", ",i=", ",i=99999999", ""]),
        st.text(max_size=5),
    ),
)


@given(st.sampled_from(everything()), st.lists(CHALLENGES, min_size=1, max_size=4))
def test_any_challenge_is_answered_or_refused(
    mechanism: Mechanism, challenges: list[bytes]
) -> None:
    exchange = mechanism.exchange(
        Channel(bindings={"tls-exporter": b"x"}, make_nonce=lambda: "0" * 24)
    )
    next(exchange)
    with suppress(BadChallenge, StopIteration):
        for challenge in challenges:
            assert isinstance(exchange.send(challenge), bytes)


LINES = st.one_of(
    st.binary(max_size=60).map(lambda octets: b"334 " + octets.replace(b"\n", b"") + b"\r\n"),
    CHALLENGES.map(lambda octets: b"334 " + b64encode(octets) + b"\r\n"),
    st.sampled_from(
        [
            *(b"235 ok\r\n", b"535 no\r\n", b"454 later\r\n", b"421 bye\r\n", b"504 no\r\n"),
            *(b"250 ok\r\n", b"334-a\r\n334 b\r\n", b"\r\n", b"334\r\n"),
            f"535 {SECRET} {TOKEN}\r\n".encode(),
            b"334 " + b64encode(SECRET.encode()) + b"\r\n",
            b"334 " + b64encode(b"xy" + TOKEN.encode()) + b"\r\n",
        ]
    ),
)


@given(st.sampled_from(everything()), st.lists(LINES, max_size=25))
def test_any_server_gets_documented_errors(mechanism: Mechanism, lines: list[bytes]) -> None:
    trace = Transcript(clock=itertools.count().__next__)
    connection = ready(f"AUTH {mechanism.name}", trace=trace)
    connection.encrypted = True
    saying = iter(lines)

    def meet(_need: object) -> None:
        connection.data_to_send()
        line = next(saying, None)
        if line is None:
            connection.receive_eof()
        else:
            connection.receive_data(line)

    bound = Channel(bindings={"tls-exporter": b"x"}, make_nonce=lambda: "0" * 24)
    secret = mechanism.hidden[0].reveal()
    try:
        drive(authenticate(connection, mechanism, channel=bound), meet)
    except SMTPError as error:
        assert_hidden(secret, shown(error), trace)
    else:
        assert connection.authenticated
    assert_hidden(secret, trace)


@given(st.binary(max_size=300))
def test_any_error_is_read(octets: bytes) -> None:
    error = read_error(octets)
    assert all(isinstance(part, str) for pair in error.items() for part in pair)


# -- Masks -----------------------------------------------------------------------------------------


@given(st.binary(max_size=10), st.text(min_size=8, max_size=20), st.binary(max_size=10))
def test_a_long_secret_is_masked_in_base64(before: bytes, secret: str, behind: bytes) -> None:
    octets = secret.encode("utf-8", "replace")
    shown_as = scrub(b64encode(before + octets + behind), (Secret(secret),))
    assert b"***" in shown_as
