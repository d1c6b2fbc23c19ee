import json
import re
from pathlib import Path
from typing import Any

import pytest
from unit.cli.conftest import Run

from ehlo import TlsFacts
from ehlo.cli._probe import _encryption, _tls_as_json
from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing import Dialect, Server, ServerOptions
from support import tls

OFFERS = ServerOptions(capabilities=("PIPELINING", "SIZE 10485760", "8BITMIME", "XFOO bar"))
REFUSING = ServerOptions(answers={Verb.GREETING: Reply.of(554, "Go \x1b[5maway")})


@pytest.fixture
def ca(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    tls.authority().cert_pem.write_to_path(path)
    return str(path)


def sections(out: str) -> dict[str, list[str]]:
    """Return the lines of each section by its title."""
    parts = (part.splitlines() for part in out.split("\n\n"))
    return {title: lines for title, *lines in parts}


def test_a_server_in_clear(run: Run) -> None:
    with Server(OFFERS) as server:
        result = run("probe", server.url)
        assert not server.messages
        assert [str(command) for command in server.commands] == ["EHLO [127.0.0.1]", "QUIT"]
        title = f"Connected to 127.0.0.1:{server.port}"
    assert (result.code, result.err) == (0, "")
    found = sections(result.out)
    times = found.pop("Time")
    assert found == {
        title: [
            "  greeting     220 mail.example.org ESMTP ready",
            "  encryption   NONE: everything travels in clear",
        ],
        "What the server offers": [
            "  PIPELINING             commands need not wait for each other's replies (RFC 2920)",
            "  SIZE 10485760          a mail may have 10 MiB (RFC 1870)",
            "  8BITMIME               content may hold octets above 127 (RFC 6152)",
            "  XFOO bar               not known to ehlo",
        ],
        "What one would expect, and is not there": [
            "  STARTTLS               everybody on the way can read and change the mail",
            "  SMTPUTF8               addresses beyond ASCII cannot be reached",
            "  ENHANCEDSTATUSCODES    refusals say less about why",
        ],
        "No mail was sent.": [],
    }
    assert [re.sub(r" +\d+\.\d ms  ", "", line) for line in times] == [
        "greeting (connecting included)",
        "EHLO [127.0.0.1]",
        "QUIT",
    ]


def test_a_server_with_everything(run: Run, ca: str) -> None:
    with Server(tls="implicit", ssl_context=tls.server_context()) as server:
        found = sections(run("probe", server.url, "--ca", ca).out)
    assert found["What one would expect, and is not there"] == ["  nothing"]


def test_a_server_with_nothing(run: Run) -> None:
    with Server(ServerOptions(capabilities=())) as server:
        found = sections(run("probe", server.url).out)
    assert found["What the server offers"] == ["  nothing beyond plain SMTP"]


def test_a_server_from_before_ehlo(run: Run) -> None:
    with Server(ServerOptions(dialect=Dialect.SMTP)) as server:
        found = sections(run("probe", server.url).out)
    assert found["What the server offers"] == ["  plain SMTP: it answers HELO, but not EHLO"]
    assert "What one would expect, and is not there" not in found


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_the_facts_of_tls(run: Run, ca: str, mode: str) -> None:
    with Server(OFFERS, tls=mode, ssl_context=tls.server_context()) as server:
        found = sections(run("probe", server.url, "--ca", ca).out)
        facts = found[f"Connected to 127.0.0.1:{server.port}"]
    labels = ["greeting", "encryption", "certificate", "  names", "  issuer", "  valid from"]
    labels += ["  expires", "  serial", "  SHA-256", "  verified"]
    assert [line[2:14].rstrip() for line in facts] == labels
    values = [line[15:] for line in facts]
    assert values[1].startswith("TLSv1.3, TLS_")
    assert values[3] == "127.0.0.1, localhost"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", values[5])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in \d+ days\)", values[6])
    assert re.fullmatch(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}", values[8])
    assert values[9] == "yes"
    assert any("TLS established" in line for line in found["Time"])


def test_the_dialogue_too(run: Run) -> None:
    with Server(OFFERS) as server:
        out = run("probe", server.url, "--transcript").out
    assert out.startswith("S: 220 mail.example.org ESMTP ready\nC: EHLO [127.0.0.1]\n")
    assert "C: QUIT\nS: 221 mail.example.org closing connection\n" in out
    assert "\n\nConnected to 127.0.0.1:" in out


def test_nobody_logs_in(run: Run) -> None:
    with Server(ServerOptions(users={"ada": "secret"})) as server:
        url = f"smtp://ada:secret@127.0.0.1:{server.port}"
        assert run("probe", url).code == 0
        assert [command.verb for command in server.commands] == [Verb.EHLO, Verb.QUIT]


@pytest.mark.parametrize(
    ("argv", "code", "last"),
    [
        ([], 21, "S: 554 Go \\x1b[5maway\n"),
        (["--tls", "implicit"], 29, ""),
    ],
)
def test_a_failure_shows_the_dialogue_so_far(
    run: Run, argv: list[str], code: int, last: str
) -> None:
    with Server(REFUSING) as server:
        result = run("probe", server.url, *argv)
    assert result.code == code
    assert result.out.startswith(last)
    assert result.err.startswith("ehlo: ")
    assert "\x1b" not in result.out + result.err


def test_no_starttls(run: Run) -> None:
    with Server(OFFERS) as server:
        result = run("probe", server.url, "--tls", "starttls")
    assert result.code == 30
    assert "S: 250 XFOO bar\n" in result.out


def test_no_connection_has_no_dialogue(run: Run) -> None:
    with Server() as server:
        url = server.url
    result = run("probe", url)
    assert (result.code, result.out) == (20, "")


# --- as JSON


def test_findings_as_json(run: Run) -> None:
    with Server(OFFERS) as server:
        document: dict[str, Any] = json.loads(run("probe", "--json", server.url).out)
        name = f"127.0.0.1:{server.port}"
    steps = document.pop("steps")
    transcript = document.pop("transcript")
    assert [step["step"] for step in steps][1:] == ["EHLO [127.0.0.1]", "QUIT"]
    assert transcript[0] == {
        "seconds": 0.0,
        "side": "S",
        "text": "220 mail.example.org ESMTP ready",
    }
    assert document == {
        "exit_code": 0,
        "server": name,
        "greeting": {
            "code": 220,
            "enhanced_status": None,
            "lines": ["mail.example.org ESMTP ready"],
        },
        "tls": None,
        "capabilities": {
            "esmtp": True,
            "domain": "mail.example.org",
            "keywords": {
                "PIPELINING": [],
                "SIZE": ["10485760"],
                "8BITMIME": [],
                "XFOO": ["bar"],
            },
            "size": 10485760,
            "auth": [],
            "missing": ["STARTTLS", "SMTPUTF8", "ENHANCEDSTATUSCODES"],
        },
        "error": None,
    }


def test_tls_as_json(run: Run, ca: str) -> None:
    with Server(OFFERS, ssl_context=tls.server_context()) as server:
        document = json.loads(run("probe", "--json", server.url, "--ca", ca).out)
    assert document["tls"]["version"] == "TLSv1.3"
    assert document["tls"]["names"] == ["127.0.0.1", "localhost"]
    assert document["tls"]["days_left"] > 0
    assert document["tls"].keys() == {
        "version",
        "cipher",
        "secret_bits",
        "verified",
        "subject",
        "issuer",
        "names",
        "not_before",
        "not_after",
        "days_left",
        "serial",
        "fingerprint",
    }


def test_a_certificate_that_is_no_good_is_shown(run: Run, ca: str) -> None:
    context = tls.dated(tls.LONG_AGO, tls.AGO, "127.0.0.1")
    with Server(OFFERS, tls="implicit", ssl_context=context) as server:
        result = run("probe", server.url, "--ca", ca)
    assert result.code == 29
    facts = result.out.splitlines()
    assert any(
        re.match(r"    expires    2002-02-03 04:05:06 UTC \(\d+ days ago\)", f) for f in facts
    )
    assert "    verified   NO" in facts
    assert "has expired on 2002-02-03" in result.err
    assert "Only the server's operator" in result.err


def test_a_certificate_that_is_no_good_as_json(run: Run) -> None:
    with Server(OFFERS, tls="implicit", ssl_context=tls.server_context()) as server:
        document = json.loads(run("probe", "--json", server.url).out)
    assert document["error"]["tls_trouble"] == "unknown-authority"
    assert document["tls"]["names"] == ["127.0.0.1", "localhost"]
    assert document["tls"]["verified"] is False


def test_a_certificate_that_says_nothing() -> None:
    facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    rows = dict(_encryption(facts))
    assert [label for label, text in rows.items() if text] == [
        "encryption",
        "certificate",
        "  verified",
    ]
    assert _tls_as_json(facts)["not_after"] is None  # type: ignore[index,call-overload]


def test_an_error_as_json_has_the_same_keys(run: Run) -> None:
    with Server(OFFERS) as server:
        well = json.loads(run("probe", "--json", server.url).out)
    with Server(REFUSING) as server:
        result = run("probe", "--json", server.url)
    badly = json.loads(result.out)
    assert well.keys() == badly.keys()
    assert badly["exit_code"] == result.code == 21
    assert badly["error"]["type"] == "GreetingRefused"
    assert badly["capabilities"] is None
    assert "\x1b" not in result.out
