"""The watch for secrets itself: it finds what it is there to find, and it sees all there is.

What it guards is the whole test run; see `support.leaks`.
"""

import logging
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typing_extensions import override

import ehlo
from ehlo.cli._console import Console
from support import pickling
from support.leaks import Plugin, Watch, _shown, spellings
from support.secrets import PASSWORD, SECRETS

TESTS = Path(__file__).parents[1]


EXAMPLE, ODD_EXAMPLE = "an-example-of-a-secret", "geheim/wie=dieses+Wörtchen"
"""What these tests let show: not the secrets that the run itself is looked through for."""


def watch() -> Watch:
    return Watch((EXAMPLE, ODD_EXAMPLE))


def found(text: str | bytes) -> list[str]:
    """Return the secrets that a watch of its own finds."""
    own = watch()
    own.take("here", text)
    own.search()
    return [leak.secret for leak in own.leaks]


@pytest.mark.parametrize("secret", [EXAMPLE, ODD_EXAMPLE, EXAMPLE[:-1], EXAMPLE[:-2]])
@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("behind", range(3))
def test_a_secret_is_found_in_base64_wherever_it_stands(
    secret: str, before: int, behind: int
) -> None:
    octets = b"\0user\0"[:before] + secret.encode() + b"\0xy"[:behind]
    own = Watch((secret,))
    own.take("a transcript", b"AUTH PLAIN " + b64encode(octets) + b"\r\n")
    own.search()
    assert len(own.leaks) == 1


@pytest.mark.parametrize("secret", [EXAMPLE, ODD_EXAMPLE])
def test_a_secret_is_found_however_it_is_written(secret: str) -> None:
    for text in (secret, repr(secret), ascii(secret), repr(secret.encode()), secret.encode()):
        assert found(text), text
    assert found(f"smtp://ada:{secret}@mail.example.com")
    assert found(repr({"options": {"auth": ("ada", secret)}}))


def test_a_secret_in_a_url_is_found() -> None:
    assert found("smtp://ada:geheim%2Fwie%3Ddieses%2BW%C3%B6rtchen@mx")


@pytest.mark.parametrize(
    "text", ["Secret(***)", "AUTH PLAIN ***", "an-example", "secret", b64encode(b"\0ada\0wrong")]
)
def test_what_is_no_secret_is_not_found(text: str | bytes) -> None:
    assert found(text) == []


def test_no_spelling_is_so_short_that_it_stands_everywhere() -> None:
    for secret in SECRETS:
        assert min(map(len, spellings(secret))) >= 7


def test_each_leak_says_where_it_was() -> None:
    own = watch()
    own.test = "test_it"
    own.take("a transcript", "C: NOOP")
    own.take("a log", f"C: PASS {EXAMPLE} twice")
    own.search()
    [leak] = own.leaks
    assert (leak.test, leak.where) == ("test_it", "a log")
    assert EXAMPLE not in leak.context
    assert own.summary() == {"a log": 1}
    assert own.taken == 2


def test_a_lot_is_looked_through_as_it_comes() -> None:
    own = watch()
    own.take("a log", EXAMPLE)
    for _ in range(30):
        own.take("a log", "x" * 40_000)
    assert len(own.leaks) == 1


class Careless(ehlo.SMTPError):
    """An error that holds what it must not."""


def careless(**attributes: object) -> ehlo.SMTPError:
    error = Careless("no")
    vars(error).update(attributes)
    return error


@pytest.mark.parametrize(
    "error",
    [
        Careless(f"bad {EXAMPLE}"),
        careless(password=EXAMPLE),
        careless(token=ehlo.Reply.of(334, b64encode(EXAMPLE.encode()).decode())),
        careless(__notes__=[ODD_EXAMPLE]),
        careless(__cause__=Careless(EXAMPLE)),
    ],
)
def test_what_an_exception_brings_along_is_seen(error: ehlo.SMTPError) -> None:
    if isinstance(vars(error).get("__cause__"), BaseException):
        error.__cause__ = vars(error).pop("__cause__")
    own = watch()
    own.exception(error)
    own.search()
    assert own.leaks


def test_the_local_variables_of_the_library_are_seen() -> None:
    own = watch()
    with pytest.raises(ehlo.InvalidInput) as caught:
        ehlo.commands.Ehlo(f"not a name: {EXAMPLE}")  # an EHLO name is no secret to the library
    own.exception(caught.value)
    own.search()
    assert any("local variable" in leak.where for leak in own.leaks)


class Pair(NamedTuple):
    """As prepared content is: octets in a tuple."""

    octets: bytes
    other: object = None


class Reticent(NamedTuple):
    """One that does not show itself."""

    octets: bytes

    @override
    def __repr__(self) -> str:
        return "Reticent(***)"


def test_named_tuples_are_looked_into_as_far_as_anything() -> None:
    secret = EXAMPLE.encode()
    assert repr(secret) in str(_shown(Pair(b"x", Pair(secret))))
    assert _shown(Pair(secret)) == f"Pair({secret!r}, None)"
    assert _shown(Pair(b"x" * 1_000_000, Reticent(secret))) == (
        f"Pair({b'x' * 50_000!r}, Reticent(***))"
    )


def test_all_that_is_written_passes_by() -> None:
    """Each channel is looked at while a session runs."""
    own = Plugin(watch())
    own.pytest_sessionstart()
    try:
        transcript = ehlo.Transcript()
        transcript.line(ehlo.Side.CLIENT, "one")
        logging.getLogger("ehlo").warning("two")
        Console(None).say("three")
        ehlo.SMTPError("four", command="five", reply=ehlo.Reply.of(500, "six"))
        pickling.pickled("seven")
        with pytest.raises(ehlo.SMTPError):
            raise ehlo.SMTPError("eight")
        collected = "\n".join(text for _, text in own.watch._collected)
    finally:
        own._patch.undo()
    for word in ("one", "two", "three", "four", "five", "six", "seven", "eight"):
        assert word in collected


LEAKING = """
import logging
import pytest
import ehlo
from ehlo.cli._console import Console
from support.secrets import PASSWORD

def test_transcript():
    ehlo.Transcript().line(ehlo.Side.CLIENT, "AUTH " + PASSWORD)

def test_log():
    logging.getLogger("ehlo").error("it is %s", PASSWORD)

def test_output(capsys):
    print("it is", PASSWORD)

def test_error():
    with pytest.raises(ehlo.SMTPError):
        raise ehlo.SMTPError("bad password " + PASSWORD)

def test_pickle():
    from support.pickling import pickled
    pickled({"password": PASSWORD})

def test_harmless():
    ehlo.Transcript().line(ehlo.Side.CLIENT, "AUTH ***")
"""


@pytest.mark.slow
def test_a_run_that_leaks_fails(tmp_path: Path) -> None:
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    (tmp_path / "conftest.py").write_text(
        "from support.leaks import Plugin, Watch\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(Plugin(Watch()))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov"]
    environment = {"PYTHONPATH": f"{Path(ehlo.__file__).parents[1]}:{TESTS}"}
    run = subprocess.run(
        [*command, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert "6 passed" in run.stdout
    assert run.returncode == 1
    for name in ("transcript", "log", "output", "error", "pickle"):
        assert f"test_leaking.py::test_{name}: " in run.stdout, name
    assert "test_harmless" not in run.stdout
    assert PASSWORD not in run.stdout


def test_the_watch_sees_the_whole_run(pytestconfig: pytest.Config) -> None:
    """It is there, and it has something to look at."""
    plugin: Any = pytestconfig.pluginmanager.get_plugin("leaks")
    assert isinstance(plugin, Plugin)
    ehlo.Transcript().line(ehlo.Side.NOTE, "seen")
    assert ("a transcript", "seen") in plugin.watch._collected
    assert SECRETS
