"""`ehlo probe`: what a server is and what it offers, without sending mail."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ehlo import blocking
from ehlo.cli._connecting import connect_options, endpoint
from ehlo.cli._console import Style
from ehlo.cli._exits import ExitCode, exit_code
from ehlo.cli._extensions import Setting, explained, missing
from ehlo.cli._shapes import as_json, of_error, of_reply, of_transcript
from ehlo.cli._stopwatch import Stopwatch
from ehlo.errors import SMTPError, TlsFailed
from ehlo.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ehlo.capabilities import Capabilities
    from ehlo.cli._arguments import Arguments
    from ehlo.cli._console import Console
    from ehlo.cli._extensions import Remark
    from ehlo.cli._shapes import Json
    from ehlo.cli._stopwatch import Step
    from ehlo.endpoint import Endpoint
    from ehlo.reply import Reply
    from ehlo.tls import TlsFacts

__all__ = ["run"]

_SUBMISSION_PORTS: Final = frozenset({465, 587})
_NAME_WIDTH: Final = 22


@dataclass(frozen=True, slots=True)
class _Findings:
    """What a probe found out."""

    server: Endpoint
    greeting: Reply | None
    tls: TlsFacts | None
    esmtp: bool
    capabilities: Capabilities

    @property
    def setting(self) -> Setting:
        return Setting(self.tls is not None, self.server.port in _SUBMISSION_PORTS)


def run(arguments: Arguments, out: Console, _err: Console) -> ExitCode:
    """Look at a server.

    Args:
        arguments: The command line.
        out: Where the findings go.

    Returns:
        `OK`.

    Raises:
        SMTPError: The server could not be reached, refused, or there is no TLS.
    """
    watch = Stopwatch(time.monotonic)
    transcript = Transcript(on_entry=watch.note)
    try:
        findings = _probe(arguments, transcript)
    except SMTPError as error:
        if arguments.json:
            out.document(as_json(_as_json(None, error, watch.steps(), transcript)))
        else:
            _tell_dialogue(out, transcript)
            _tell_certificate(out, error)
        raise
    if arguments.json:
        out.document(as_json(_as_json(findings, None, watch.steps(), transcript)))
        return ExitCode.OK
    if arguments.transcript:
        _tell_dialogue(out, transcript)
    _tell(out, findings, watch.steps())
    return ExitCode.OK


def _probe(arguments: Arguments, transcript: Transcript) -> _Findings:
    # A URL may hold a user and a password, and nobody is to log in here.
    server = replace(endpoint(arguments), username=None, password=None)
    with blocking.connect(server, **connect_options(arguments, transcript)) as session:
        return _Findings(
            server,
            session.greeting,
            session.tls,
            session.connection.esmtp,
            session.capabilities,
        )


# --- in words


def _tell_dialogue(out: Console, transcript: Transcript) -> None:
    for entry in transcript:
        out.entry(entry)
    if transcript.entries:
        out.say()


def _tell(out: Console, findings: _Findings, steps: list[Step]) -> None:
    _section(out, f"Connected to {findings.server}", _connection(findings))
    if findings.esmtp:
        offers = [_row(remark) for remark in explained(findings.capabilities)]
        _section(out, "What the server offers", offers or ["nothing beyond plain SMTP"])
        absent = [_row(remark) for remark in missing(findings.capabilities, findings.setting)]
        _section(out, "What one would expect, and is not there", absent or ["nothing"])
    else:
        _section(out, "What the server offers", ["plain SMTP: it answers HELO, but not EHLO"])
    _section(out, "Time", [f"{step.seconds * 1000:9.1f} ms  {step.what}" for step in steps])
    out.say("No mail was sent.")


def _tell_certificate(out: Console, error: SMTPError) -> None:
    """Show the certificate that a handshake failed over, if that is why."""
    if isinstance(error, TlsFailed) and error.tls is not None and error.tls.fingerprint:
        rows = _certificate(error.tls)
        _section(out, "The server's certificate", [_fact(*row) for row in rows if row[1]])


def _section(out: Console, title: str, lines: list[str]) -> None:
    out.say(title, Style.HEADING)
    for line in lines:
        out.say(f"  {line}")
    out.say()


def _row(remark: Remark) -> str:
    return f"{remark.name:<{_NAME_WIDTH}} {remark.words}"


def _connection(findings: _Findings) -> list[str]:
    facts = {"greeting": str(findings.greeting), **dict(_encryption(findings.tls))}
    return [_fact(label, text) for label, text in facts.items() if text]


def _fact(label: str, text: str) -> str:
    return f"{label:<12} {text}"


def _encryption(tls: TlsFacts | None) -> Iterator[tuple[str, str]]:
    if tls is None:
        yield "encryption", "NONE: everything travels in clear"
        return
    yield "encryption", f"{tls.version}, {tls.cipher} ({tls.secret_bits} bits)"
    yield from _certificate(tls)


def _certificate(tls: TlsFacts) -> Iterator[tuple[str, str]]:
    yield "certificate", tls.subject or "(its subject has no name)"
    yield "  names", ", ".join(tls.names)
    yield "  issuer", tls.issuer
    yield "  valid from", _moment(tls.not_before)
    yield "  expires", _moment(tls.not_after) + _in_days(tls.not_after)
    yield "  serial", tls.serial
    yield "  SHA-256", _in_pairs(tls.fingerprint)
    yield "  verified", "yes" if tls.verified else "NO"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _in_days(moment: datetime | None) -> str:
    days = _days_left(moment)
    if days is None:
        return ""
    return f" (in {days} days)" if days >= 0 else f" ({-days} days ago)"


def _days_left(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - datetime.now(UTC)).days


def _in_pairs(digits: str) -> str:
    """Return a digest as `openssl x509 -fingerprint` shows it."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


# --- as JSON


_NOTHING_FOUND: Final[Mapping[str, Json]] = dict.fromkeys(
    ("server", "greeting", "tls", "capabilities")
)


def _as_json(
    findings: _Findings | None, error: SMTPError | None, steps: list[Step], transcript: Transcript
) -> Json:
    """Return the one object of `--json`: the same keys, whatever happened."""
    return {
        "exit_code": (ExitCode.OK if error is None else exit_code(error)).value,
        **(_of_failure(error) if findings is None else _findings_as_json(findings)),
        "error": of_error(error),
        "steps": [{"step": what, "seconds": round(seconds, 6)} for what, seconds in steps],
        "transcript": of_transcript(transcript),
    }


def _of_failure(error: SMTPError | None) -> Mapping[str, Json]:
    """Return the keys of the findings without any, but for a certificate that was no good."""
    tls = error.tls if isinstance(error, TlsFailed) else None
    return {**_NOTHING_FOUND, "tls": _tls_as_json(tls)}


def _findings_as_json(findings: _Findings) -> Mapping[str, Json]:
    return {
        "server": str(findings.server),
        "greeting": of_reply(findings.greeting),
        "tls": _tls_as_json(findings.tls),
        "capabilities": _capabilities_as_json(findings),
    }


def _tls_as_json(tls: TlsFacts | None) -> Json:
    if tls is None:
        return None
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "secret_bits": tls.secret_bits,
        "verified": tls.verified,
        "subject": tls.subject,
        "issuer": tls.issuer,
        "names": list(tls.names),
        "not_before": _as_iso(tls.not_before),
        "not_after": _as_iso(tls.not_after),
        "days_left": _days_left(tls.not_after),
        "serial": tls.serial,
        "fingerprint": tls.fingerprint,
    }


def _as_iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _capabilities_as_json(findings: _Findings) -> Json:
    capabilities = findings.capabilities
    return {
        "esmtp": findings.esmtp,
        "domain": capabilities.domain,
        "keywords": {key: list(words) for key, words in capabilities.keywords.items()},
        "size": capabilities.size,
        "auth": list(capabilities.auth),
        "missing": [remark.name for remark in missing(capabilities, findings.setting)],
    }
