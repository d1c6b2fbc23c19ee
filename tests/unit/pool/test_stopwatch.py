"""What opening a connection tells of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ehlo.commands import Verb
from ehlo.dialogues import Dialogue, Flush, Opening, Receive, UpgradeTls, open_session
from ehlo.errors import ConnectionLost, GreetingRefused, SMTPError
from ehlo.phase import Phase
from ehlo.policies import Cleartext, Tls
from ehlo.pool.events import Authenticated, Connected, Encrypted
from ehlo.pool.stopwatch import Stopwatch
from ehlo.protocol import Connection
from ehlo.reply import Reply
from ehlo.sasl import Password
from ehlo.testing import ServerConnection, ServerOptions, converse
from support.secrets import PASSWORD


class Clock:
    """Goes on by one second each time it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_what_happens_in_turn() -> None:
    connection = Connection()
    events: list[object] = []

    def dialogue() -> Dialogue[None]:
        yield Receive(Phase.GREETING)
        yield UpgradeTls()
        connection.encrypted = True
        yield Receive(Phase.HELLO)
        yield Receive(Phase.AUTH)
        yield Receive(Phase.AUTH)
        connection.authenticated = True

    watched = Stopwatch(7, Clock(), events.append).watch("x:25", connection, dialogue())
    assert [need.phase.name for need in watched] == ["GREETING", "TLS", "HELLO", "AUTH", "AUTH"]
    assert events == [Connected(7, 1, "x:25"), Encrypted(7, 1, None), Authenticated(7, 2)]


def test_tls_that_is_the_end() -> None:
    connection = Connection()
    events: list[object] = []

    def dialogue() -> Dialogue[None]:
        yield UpgradeTls()
        connection.encrypted = True

    for _ in Stopwatch(1, Clock(), events.append).watch("x:25", connection, dialogue()):
        pass
    assert [type(event) for event in events] == [Connected, Encrypted]


def test_trouble_goes_to_the_dialogue_that_judges() -> None:
    seen: list[SMTPError] = []

    def dialogue() -> Dialogue[None]:
        try:
            yield Flush(Phase.HELLO)
        except ConnectionLost as exc:
            seen.append(exc)
            raise

    events: list[object] = []
    watched = Stopwatch(1, Clock(), events.append).watch("x:25", Connection(), dialogue())
    next(watched)
    trouble = ConnectionLost("gone")
    with pytest.raises(ConnectionLost):
        watched.throw(trouble)
    assert seen == [trouble]
    assert [type(event) for event in events] == [Connected]


def opened(options: ServerOptions) -> Iterator[object]:
    connection = Connection()
    events: list[object] = []
    credentials = Password("user", PASSWORD) if options.users else None
    opening = Opening(
        name="c.example.org",
        tls=Tls.NONE,
        credentials=credentials,
        cleartext=Cleartext.ALLOW_CREDENTIALS,
    )
    watch = Stopwatch(1, Clock(), events.append).watch
    converse(
        watch("x:25", connection, open_session(connection, opening)),
        connection,
        ServerConnection(options),
    )
    return iter(events)


def test_a_real_dialogue() -> None:
    assert [type(event) for event in opened(ServerOptions(users={"user": PASSWORD}))] == [
        Connected,
        Authenticated,
    ]
    assert [type(event) for event in opened(ServerOptions())] == [Connected]


def test_a_dialogue_that_is_refused() -> None:
    with pytest.raises(GreetingRefused):
        opened(ServerOptions(answers={Verb.GREETING: Reply.of(554, "No")}))
