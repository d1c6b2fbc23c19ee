import warnings
from getpass import GetPassWarning
from pathlib import Path

import pytest

from ehlo.cli._arguments import Arguments, parse
from ehlo.cli._connecting import connect_options, credentials, endpoint
from ehlo.endpoint import Endpoint
from ehlo.errors import InvalidInput
from ehlo.policies import Tls
from ehlo.sasl import Password
from ehlo.timeouts import Timeouts
from ehlo.transcript import Transcript
from support import tls


def probe(*argv: str) -> Arguments:
    return parse(["probe", *argv])


def send(*argv: str) -> Arguments:
    return parse(["send", "--from", "a@example.org", "--to", "b@example.com", *argv])


# --- which server


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["smtps://mx.example.org"], ("mx.example.org", 465, Tls.IMPLICIT)),
        (["mx.example.org"], ("mx.example.org", 25, Tls.STARTTLS)),
        (["mx.example.org:587"], ("mx.example.org", 587, Tls.STARTTLS)),
        (["localhost:2525"], ("localhost", 2525, Tls.NONE)),
        (["[::1]:2525"], ("::1", 2525, Tls.NONE)),
        (["mx.example.org", "--tls", "implicit"], ("mx.example.org", 465, Tls.IMPLICIT)),
        (["mx.example.org:9", "--tls", "implicit"], ("mx.example.org", 9, Tls.IMPLICIT)),
    ],
)
def test_the_server(argv: list[str], expected: tuple[str, int, Tls]) -> None:
    server = endpoint(probe(*argv))
    assert (server.host, server.port, server.tls) == expected


def test_the_server_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHLO_URL", "smtp://one.example.org")
    assert endpoint(probe()).host == "one.example.org"
    assert endpoint(probe("two.example.org")).host == "two.example.org"


def test_no_server() -> None:
    with pytest.raises(InvalidInput, match="which server"):
        endpoint(probe())


# --- whom to log in as


def test_nobody() -> None:
    assert credentials(send(), Endpoint.from_url("smtp://localhost")) is None


def test_the_password_of_the_url() -> None:
    server = Endpoint.from_url("smtp://ada:se%20cret@localhost")
    assert credentials(send(), server) == Password("ada", "se cret")
    assert credentials(send("--user", "ada"), server) == Password("ada", "se cret")


@pytest.mark.parametrize(
    ("argv", "url", "user"),
    [
        (["--user", "bob"], "smtp://localhost", "bob"),
        (["--user", "bob"], "smtp://ada:secret@localhost", "bob"),
        ([], "smtp://ada@localhost", "ada"),
    ],
)
def test_the_password_from_the_environment(
    argv: list[str], url: str, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EHLO_PASSWORD", "pass")
    assert credentials(send(*argv), Endpoint.from_url(url)) == Password(user, "pass")


def test_the_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return "typed"

    monkeypatch.setattr("ehlo.cli._connecting.getpass", ask)
    server = Endpoint.from_url("smtp://localhost")
    assert credentials(send("--user", "ada"), server) == Password("ada", "typed")
    assert prompts == ["Password of ada at localhost:25: "]


def _no_terminal(_prompt: str) -> str:
    warnings.warn("cannot control echo", GetPassWarning, stacklevel=1)
    return "seen by everybody"


def _end_of_input(_prompt: str) -> str:
    raise EOFError


@pytest.mark.parametrize("ask", [_no_terminal, _end_of_input])
def test_no_password_is_read_where_it_would_be_seen(
    ask: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ehlo.cli._connecting.getpass", ask)
    with pytest.raises(InvalidInput, match="EHLO_PASSWORD"):
        credentials(send("--user", "ada"), Endpoint.from_url("smtp://localhost"))


# --- how


def test_options_by_default() -> None:
    transcript = Transcript()
    assert connect_options(probe("localhost"), transcript) == {
        "tls": None,
        "ssl_context": None,
        "timeouts": Timeouts(),
        "name": None,
        "transcript": transcript,
    }


def test_options_as_given() -> None:
    options = connect_options(
        probe("localhost", "--tls", "none", "--name", "me", "--timeout", "2.5"), Transcript()
    )
    assert options.get("tls") == "none"
    assert options.get("name") == "me"
    assert options.get("timeouts") == Timeouts(total=2.5)


def test_a_timeout_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="total"):
        connect_options(probe("localhost", "--timeout", "0"), Transcript())


def test_certificates_to_trust(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    tls.authority().cert_pem.write_to_path(path)
    context = connect_options(probe("localhost", "--ca", str(path)), Transcript()).get(
        "ssl_context"
    )
    assert context is not None
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_no_certificates(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="ascii")
    with pytest.raises(InvalidInput, match=r"no certificates in .*ca\.pem: "):
        connect_options(probe("localhost", "--ca", str(path)), Transcript())
