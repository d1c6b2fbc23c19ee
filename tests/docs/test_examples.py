"""Every example runs, against a real server on the loopback interface."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, CollectorRegistry

from ehlo import Reply, errors
from ehlo.commands import Verb
from ehlo.testing import (
    Close,
    Dialect,
    InTurn,
    ReceivedCommand,
    Send,
    Server,
    ServerOptions,
    Situation,
    TakeEffect,
    Usual,
)
from support import dkim_keys
from support.examples import EXAMPLES, load
from support.seals import ADDRESS, Gpg, Smime, signed_and_signature


class Servers(Protocol):
    """The servers of the documentation."""

    plain: Server
    lmtp: Server
    starttls: Server
    implicit: Server


def test_no_example_is_without_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.stem}"' in tests or f'"{example.name}"' in tests
        assert f"({example.name})" in readme


def test_send_blocking(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("send_blocking").main(docs_servers.plain.url)
    (message,) = docs_servers.plain.messages
    assert message.recipients == ("bob@example.com",)
    assert message.parse()["Subject"] == "Notes on the engine"
    assert f"accepted: 250 2.0.0 Ok: queued as {message.queue_id}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"RCPT": Reply.of(550, "5.1.1 No")}, "bob@example.com was refused: 550 5.1.1 No"),
        ({".": (TakeEffect(), Close())}, "may have been delivered"),
        ({"MAIL": Reply.of(451, "4.7.1 Later")}, "safe to try again"),
        ({"MAIL": Reply.of(550, "5.7.1 Never")}, "will not help"),
    ],
)
def test_send_blocking_when_it_fails(
    answers: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(ServerOptions(answers=answers)) as server:
        load("send_blocking").main(server.url)
    assert said in capsys.readouterr().out


def test_send_asyncio(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("send_asyncio").main(docs_servers.plain.url)
    said = capsys.readouterr().out.splitlines()
    assert len(docs_servers.plain.messages) == 2
    assert said[0].startswith("bob@example.com: accepted, 250")
    assert said[1].startswith("carol@example.com: accepted, 250")
    assert said[2].startswith("nobody@example.com: refused,")


def test_share_a_client(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("share_a_client").main(docs_servers.plain.url)
    assert len(docs_servers.plain.messages) == 30
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 11
    assert said[-1] == "30 messages over 2 connection(s)"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"MAIL": Close()}, "failed after 4 attempt(s)"),
        ({".": (TakeEffect(), Close())}, "may be out already"),
    ],
)
def test_share_a_client_when_it_fails(
    answers: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(ServerOptions(answers=answers)) as server:
        load("share_a_client").main(server.url)
    shown = capsys.readouterr().out
    assert said in shown
    assert "reader 0: " in shown


class Observed:
    """What Prometheus and OpenTelemetry have got of the example's hooks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.example = load("observe")
        self.hooks = [
            self.example.prometheus_hook(self.registry),
            self.example.opentelemetry_hook(provider),
        ]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


def test_observe(docs_servers: Servers) -> None:
    observed = Observed()
    observed.example.main(docs_servers.plain.url, observed.hooks)
    assert observed.metric("smtp_messages_total", outcome="accepted") == 3
    assert observed.metric("smtp_send_seconds_count") == 3
    assert observed.metric("smtp_open_seconds_count") == 1
    assert observed.metric("smtp_connections_closed_total", why="client-closed") == 1
    assert observed.metric("smtp_retries_total") == 0
    assert [span.name for span in observed.spans] == ["smtp.open", *["smtp.send"] * 3]
    for span in observed.spans[1:]:
        assert span.attributes == {
            "smtp.connection": 1, "smtp.reply_code": 250, "smtp.attempts": 1
        }  # fmt: skip
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time < span.end_time


def test_observe_a_retry() -> None:
    observed = Observed()
    with Server(ServerOptions(answers={"MAIL": InTurn(Close(), Usual())})) as server:
        observed.example.main(server.url, observed.hooks)
    assert observed.metric("smtp_retries_total") == 1
    assert observed.metric("smtp_connections_closed_total", why="lost") == 1
    attempts = [dict(span.attributes or {}).get("smtp.attempts") for span in observed.spans]
    assert attempts == [None, None, 2, 1, 1]


def test_observe_when_it_fails() -> None:
    observed = Observed()
    answers: dict[str, Any] = {Verb.GREETING: Reply.of(554, "No")}
    with Server(ServerOptions(answers=answers)) as server:
        with pytest.raises(errors.GreetingRefused):
            observed.example.main(server.url, observed.hooks)
    assert observed.metric("smtp_connections_refused_total") == 1
    assert observed.metric("smtp_messages_total", outcome="not-sent") == 1
    types = [dict(span.attributes or {}).get("error.type") for span in observed.spans]
    assert types == ["GreetingRefused"] * 2


def test_observe_with_all_installed(docs_servers: Servers) -> None:
    load("observe").main(docs_servers.plain.url)
    assert REGISTRY.get_sample_value("smtp_messages_total", {"outcome": "accepted"}) == 3


def test_observe_with_nothing_installed(
    docs_servers: Servers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    load("observe").main(docs_servers.plain.url)
    said = capsys.readouterr().out
    assert said.count("connection 1: Sent") == 3
    assert said.startswith("not installed: prometheus_client")


@pytest.mark.parametrize("level", [(), ("continuous",)])
def test_send_many_blocking(
    level: tuple[str, ...], docs_servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    load("send_many_blocking").main(docs_servers.plain.url, *level)
    assert len(docs_servers.plain.messages) == 10
    assert {message.connection for message in docs_servers.plain.messages} == {1}
    said = capsys.readouterr().out
    assert "nobody@example.com: failed, " in said
    assert said.endswith("accepted: 10\nfailed: 1\n")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"MAIL": Reply.of(451, "4.7.1 Later")}, "later: 11\n"),
        ({".": (TakeEffect(), Close())}, "unknown: 10\n"),
        ({Verb.GREETING: Reply.of(554, "No")}, "not begun: 11\n"),
    ],
)
def test_send_many_blocking_when_it_fails(
    answers: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answers |= {"RCPT TO:<nobody@example.com>": Reply.of(550, "5.1.1 No such user")}
    with Server(ServerOptions(answers=answers)) as server:
        load("send_many_blocking").main(server.url)
    assert said in capsys.readouterr().out


def test_send_many_blocking_with_a_wrong_address(
    docs_servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["a@example.com", "bob@exa mple", "nobody@example.com", "c@example.com"]
    counted = load("send_many_blocking").send_all(texts, docs_servers.plain.url, "transaction")
    assert counted == {"accepted": 2, "failed": 1, "no address": 1}
    said = capsys.readouterr().out
    assert said.startswith("left out: not an address: ")
    assert "nobody@example.com: failed, " in said


def test_send_many_asyncio(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("send_many_asyncio").main(docs_servers.plain.url)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in said] == ["0: accepted", "1: refused", "2: accepted"]
    assert [message.recipients for message in docs_servers.plain.messages] == [
        ("bob@example.com",),
        ("carol@example.com",),
    ]


def test_stream_file(
    docs_servers: Servers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b"Subject: large\r\n\r\n" + (b"y" * 70 + b"\r\n") * 10_000
    path = tmp_path / "large.eml"
    path.write_bytes(content)
    load("stream_file").main(docs_servers.plain.url, str(path))
    (message,) = docs_servers.plain.messages
    assert message.content == content
    said = capsys.readouterr().out
    assert f"[{'#' * 40}] {len(content):,} octets" in said
    assert "\naccepted: 250" in said


def test_stream_file_when_it_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.eml"
    path.write_bytes(b"")
    with Server(ServerOptions(answers={"MAIL": Reply.of(550, "No")})) as server:
        load("stream_file").main(server.url, str(path))
    assert "\nrefused: " in capsys.readouterr().out


def parts(server: Server, number: int = -1) -> dict[str, Any]:
    """Return the leaves of a message that a server got, by their types."""
    found: dict[str, Any] = {}
    for part in server.messages[number].parse().walk():
        if not part.is_multipart():
            content = part.get_content()
            is_text = isinstance(content, str)
            found[part.get_content_type()] = content.replace("\r\n", "\n") if is_text else content
    return found


def test_stream_attachment(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("stream_attachment").main(docs_servers.plain.url, "5000")
    lines = gzip.decompress(parts(docs_servers.plain)["application/gzip"]).splitlines()
    assert lines[:3] == [b"day,mails", b"0,0", b"1,1"]
    assert len(lines) == 5001
    said = capsys.readouterr().out
    assert " of ? octets\r" in said
    assert "\naccepted: 250" in said


def test_stream_attachment_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with Server(ServerOptions(answers={"MAIL": Reply.of(550, "No")})) as server:
        load("stream_attachment").main(server.url, "5")
    assert "\nrefused: " in capsys.readouterr().out


def test_templates_jinja2(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("templates_jinja2").main(docs_servers.plain.url)
    message = docs_servers.plain.messages[0].parse()
    assert message["Subject"] == "Your order 2026-42"
    assert message["To"].addresses[0].display_name == "Bob & Sons <Ltd.>"
    found = parts(docs_servers.plain)
    assert "Dear Bob & Sons <Ltd.>," in found["text/plain"]
    assert "* Gear, brass, 12.50 EUR\n* Punched" in found["text/plain"]
    assert "Dear Bob &amp; Sons &lt;Ltd.&gt;," in found["text/html"]
    assert '<img src="cid:logo@example.org"' in found["text/html"]
    assert found["image/png"].startswith(b"\x89PNG")
    assert "accepted: 250" in capsys.readouterr().out


def test_templates_markdown(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("templates_markdown").main(docs_servers.plain.url)
    found = parts(docs_servers.plain)
    assert found["text/plain"].startswith("Dear *Bob* [the](builder),\n\nthere is **some** news")
    assert "<p>Dear *Bob* [the](builder),</p>" in found["text/html"]
    assert "<strong>some</strong>" in found["text/html"]
    assert '<td style="text-align:right">8000</td>' in found["text/html"]
    assert "accepted: 250" in capsys.readouterr().out


def test_invitation(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("invitation").main(docs_servers.plain.url)
    invited, cancelled = docs_servers.plain.messages
    assert invited.recipients == ("bob@example.com", "carol@example.com")
    assert invited.parse()["Subject"] == (
        "Invitation: Lunch, and cake, Friday, 05 June 2026, 12:00 UTC"
    )
    (event,) = (it for it in invited.parse().walk() if it.get_content_type() == "text/calendar")
    assert event.get_param("method") == "REQUEST"
    lines = event.get_content().splitlines()
    assert "SUMMARY:Lunch\\, and cake" in lines
    assert 'ORGANIZER;CN="Ada Lovelace":mailto:ada@example.org' in lines
    assert max(len(line.encode()) for line in lines) <= 75
    assert "fine ☀" in event.get_content().replace("\r\n ", "")
    assert b"invite.ics" in cancelled.content
    again = parts(docs_servers.plain)["text/calendar"]
    assert {"METHOD:CANCEL", "SEQUENCE:1", "STATUS:CANCELLED"} <= set(again.splitlines())
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["invited", "cancelled"]


def test_lmtp(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("lmtp").main(docs_servers.lmtp.url)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("bob@example.com: 250 ")
    assert said[1:] == [
        "nobody@example.com: bounce, 550 5.1.1 No such user",
        "full@example.com: try again later, 452 4.2.2 Mailbox full",
    ]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"RCPT": Reply.of(450, "Later")}, "bob@example.com: try again later, 450 Later"),
        ({". <full@example.com>": Close()}, "has it: bob@example.com"),
    ],
)
def test_lmtp_when_it_fails(
    answers: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Server(ServerOptions(dialect=Dialect.LMTP, answers=answers)) as server:
        load("lmtp").main(server.url)
    assert said in capsys.readouterr().out


def test_by_hand(docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    load("by_hand").main(docs_servers.plain.url)
    said = capsys.readouterr().out
    assert len(docs_servers.plain.messages) == 1
    for line in ("C: HELO client.example.org", "S: 354 ", "C: .", "C: QUIT", "S: 221 "):
        assert f"\n{line}" in said
    assert "EHLO" not in said


def test_sans_io(docs_servers: Servers) -> None:
    example = load("sans_io")
    example.main(docs_servers.plain.url)
    (message,) = docs_servers.plain.messages
    assert message.content == example.CONTENT


def test_sans_io_in_lock_step() -> None:
    with Server(ServerOptions(capabilities=())) as server:
        load("sans_io").main(server.url)
    assert len(server.messages) == 1


@pytest.mark.parametrize("name", ["plain", "starttls", "implicit"])
def test_trio_pump(name: str, docs_servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    server: Server = getattr(docs_servers, name)
    load("trio_pump").main(server.url)
    (message,) = server.messages
    assert message.tls is (name != "plain")
    assert capsys.readouterr().out.startswith("accepted: 250")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": Reply.of(550, "No")}, errors.RecipientsRefused),
        ({"RCPT": Close()}, errors.ConnectionLost),
        ({".": (TakeEffect(), Close())}, errors.DeliveryUnknown),
        ({Verb.GREETING: Reply.of(554, "No")}, errors.GreetingRefused),
        ({"STARTTLS": (Usual(), Send(b"250 injected\r\n"))}, errors.TlsFailed),
        ({"STARTTLS": (Usual(), Close())}, errors.TlsFailed),
    ],
)
def test_trio_pump_when_it_fails(
    answers: dict[str, Any], error: type[Exception], trusted: Path, server_context: Any
) -> None:
    assert trusted.exists()
    options = ServerOptions(answers=answers)
    with Server(options, ssl_context=server_context) as server, pytest.raises(error):
        load("trio_pump").main(server.url)


def test_trio_pump_does_not_deadlock_or_time_out_on_a_large_message(
    docs_servers: Servers,
) -> None:
    example = load("trio_pump")
    content = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n"
    content += (b"y" * 70 + b"\r\n") * 60_000
    envelope = example.ehlo.Envelope("ada@example.org", ["bob@example.com"])
    example.trio.run(example.send, content, envelope, docs_servers.starttls.url)
    (message,) = docs_servers.starttls.messages
    assert message.content == content


def test_trio_pump_takes_an_async_generator(docs_servers: Servers) -> None:
    example = load("trio_pump")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"Subject: trio\r\n\r\n"
        await example.trio.sleep(0)
        yield b"Hello.\r\n"

    envelope = example.ehlo.Envelope("ada@example.org", ["bob@example.com"])
    example.trio.run(example.send, pieces(), envelope, docs_servers.plain.url)
    (message,) = docs_servers.plain.messages
    assert message.content == b"Subject: trio\r\n\r\nHello.\r\n"


class Ticket:
    """What a library for GSSAPI would do, without Kerberos."""

    def __init__(self, service: str) -> None:
        assert service == "smtp@127.0.0.1"
        self.complete = False

    def step(self, token: bytes | None) -> bytes | None:
        self.complete = token is not None
        return None if self.complete else b"a ticket"

    def wrap(self, message: bytes) -> bytes:
        return b"wrapped:" + message

    def unwrap(self, message: bytes) -> bytes:
        return message.removeprefix(b"wrapped:")


@pytest.mark.parametrize(
    ("layers", "said"),
    [(b"\x07\x00\xff\xff", "S: 235 2.7.0 Welcome"), (b"\x04\x00\xff\xff", "C: *")],
)
def test_custom_mechanism(layers: bytes, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrapped = b64encode(b"wrapped:" + layers).decode()
    replies = iter(
        [Reply.of(334, "dGlja2V0"), Reply.of(334, wrapped), Reply.of(235, "2.7.0 Welcome")]
    )

    def answers(command: ReceivedCommand, _situation: Situation) -> Reply | None:
        if command.line == "*":
            return Reply.of(501, "5.7.0 Cancelled")
        return next(replies) if command.verb in {Verb.AUTH, Verb.OTHER} else None

    with Server(ServerOptions(capabilities=("AUTH GSSAPI",), answers=answers)) as server:
        if said == "C: *":
            with pytest.raises(errors.AuthenticationRefused, match="a security layer of its own"):
                load("custom_mechanism").main(server.url, Ticket)
            return
        load("custom_mechanism").main(server.url, Ticket)
    shown = capsys.readouterr().out
    assert "C: AUTH GSSAPI ***" in shown
    assert said in shown
    assert "a ticket" not in shown


@pytest.mark.slow
def test_smime(docs_servers: Servers, smime: Smime, capsys: pytest.CaptureFixture[str]) -> None:
    load("smime").main(docs_servers.plain.url, str(smime.certificate), str(smime.key))
    signed, encrypted = docs_servers.plain.messages
    entity = smime.verified(signed.content)
    assert entity is not None
    assert b"weaves algebraic patterns" in entity
    assert smime.verified(signed.content.replace(b"weaves", b"leaves")) is None
    assert signed.parse()["Subject"] == "Notes on the engine"
    assert signed.parse().get_content_type() == "multipart/signed"
    assert b"algebraic" not in encrypted.content
    inner = smime.decrypted(encrypted.content)
    assert inner is not None
    assert smime.verified(inner) == entity
    assert capsys.readouterr().out.count("accepted: 250") == 2


def test_smime_wants_a_key_that_it_can_use(smime: Smime, tmp_path: Path) -> None:
    path = tmp_path / "ed25519.key"
    path.write_text(dkim_keys.ED25519, encoding="ascii")
    with pytest.raises(SystemExit, match="S/MIME wants an RSA key"):
        load("smime").main("smtp://localhost", str(smime.certificate), str(path))


@pytest.mark.slow
def test_pgp(
    docs_servers: Servers,
    gpg: Gpg,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(gpg.home))
    load("pgp").main(docs_servers.plain.url, ADDRESS)
    (message,) = docs_servers.plain.messages
    assert message.parse()["Subject"] == "Notes on the engine"
    assert message.parse().get_content_type() == "multipart/signed"
    entity, signature = signed_and_signature(message.content)
    assert b"weaves algebraic patterns" in entity
    assert gpg.verifies(entity, signature)
    assert not gpg.verifies(entity.replace(b"weaves", b"leaves"), signature)
    assert capsys.readouterr().out.startswith("accepted: 250")


@pytest.mark.slow
def test_with_pytest() -> None:
    path = EXAMPLES / "test_with_pytest.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)],
        cwd=EXAMPLES,
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        timeout=25,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr
