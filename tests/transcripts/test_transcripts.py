"""Every transcript plays whole, by line and by octet; by hand, blocking and with asyncio."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import ehlo
from ehlo.blocking import Session
from ehlo.dialogues import Dialogue, open_session
from ehlo.runtime.options import Settings
from ehlo.testing import Pace, Script, ScriptPlayer, ScriptServer, rehearse
from support.colours import colour
from support.tls import client_context, server_context

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.smtp"))
DRIVERS = ("by hand", "blocking", "asyncio")

Connect = Callable[..., Any]


def directive(text: str, mark: str) -> list[str]:
    """Return the lines of a file that speak to this test: comments, as far as the script goes."""
    return re.findall(rf"^#{re.escape(mark)} (.*)$", text, re.MULTILINE)


def told(result: object) -> str:
    """Write a result as the transcript files do."""
    if isinstance(result, ehlo.SMTPError):
        parts = [
            type(result).__name__,
            f"phase={result.phase.name if result.phase else None}",
            f"outcome={result.outcome}",
            f"temporary={result.temporary}",
            f"usable={result.connection_usable}",
        ]
        if isinstance(result, ehlo.RecipientsRefused):
            parts.append(f"refused={[f'{a} {r.code}' for a, r in result.refused.items()]}")
        return " ".join(parts)
    if isinstance(result, ehlo.Receipt):
        accepted = ",".join(map(str, result.accepted))
        refused = ",".join(f"{a} {r.code}" for a, r in result.refused.items())
        return f"Receipt accepted={accepted} refused={refused} queue_id={result.queue_id}"
    return str(result)


class MemoryPump:
    """Runs a session's dialogues by hand: no socket, no event loop."""

    clock = staticmethod(lambda: 0.0)

    def __init__(self, settings: Settings, player: ScriptPlayer) -> None:
        self.link = settings.link(lambda: 0.0)
        self._player = player

    def run(self, dialogue: Dialogue[Any]) -> Any:
        from ehlo.runtime.driving import Turn  # noqa: PLC0415

        self._read_ahead()
        with Turn(self.link):
            return rehearse(dialogue, self.link.connection, self._player)

    def _read_ahead(self) -> None:
        """Take in what a server says unasked, as a socket's reader would have."""
        connection = self.link.connection
        while connection.is_in_step and (action := self._player.next_action()) is not None:
            match action:
                case ehlo.testing.Send(octets):
                    connection.receive_data(octets)
                case _:
                    connection.receive_eof()

    def close(self) -> None:
        self.link.connection.abandon("the client closed the connection")


@contextmanager
def by_hand(script: Script, pace: Pace) -> Iterator[Connect]:
    player = ScriptPlayer(script, pace)

    def connect(**options: Any) -> Session:
        settings = Settings.of("smtp://127.0.0.1:25", options)  # type: ignore[arg-type]
        pump = MemoryPump(settings, player)
        opening = settings.opening(("127.0.0.1", 25))
        pump.run(open_session(pump.link.connection, opening))
        return Session(settings, pump)  # type: ignore[arg-type]

    yield connect
    while player.next_action() is not None:
        pass
    assert player.is_over


@contextmanager
def over_sockets(name: str, script: Script, pace: Pace) -> Iterator[Connect]:
    server = ScriptServer(script, pace=pace, ssl_context=server_context())
    with server, colour(name) as adapter:

        def connect(**options: Any) -> Any:
            return adapter.connect(server.url, **options)

        yield connect


def play(text: str, connect: Connect) -> list[str]:
    """Say what the file says, and return what came of it."""
    results: list[str] = []
    message = b"Subject: Notes\r\nMessage-ID: <1@example.org>\r\n\r\nPlain words.\r\n"
    names: dict[str, Any] = {
        "ehlo": ehlo,
        "message": message,
        "password": ehlo.Password("ada", "tanstaaf"),
        "Envelope": ehlo.Envelope,
        "to_bob": ehlo.Envelope("ada@example.org", "bob@example.com"),
        "to_both": ehlo.Envelope("ada@example.org", ["bob@example.com", "eve@example.com"]),
    }

    def connected(**options: Any) -> str:
        names["session"] = connect(
            **{"name": "client.example.org", "ssl_context": client_context()} | options
        )
        return str(names["session"].connection.state.name)

    names["connect"] = connected
    for line in directive(text, ">"):
        try:
            result = eval(line, names)  # noqa: S307 - a file of ours
        except ehlo.SMTPError as exc:
            result = exc
        results.append(told(result))
    if "session" in names:
        names["session"].close()
    return results


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("pace", list(Pace))
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_transcript_plays(file: Path, pace: Pace, driver: str) -> None:
    text = file.read_text(encoding="utf-8")
    script = Script.parse(text)
    stage = by_hand(script, pace) if driver == "by hand" else over_sockets(driver, script, pace)
    with stage as connect:
        results = play(text, connect)
    assert results == directive(text, "=")


def test_there_are_transcripts() -> None:
    assert len(FILES) > 15
