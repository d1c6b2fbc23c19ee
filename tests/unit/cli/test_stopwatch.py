from collections.abc import Iterable

from ehlo.cli._stopwatch import Stopwatch
from ehlo.transcript import Entry, Side

C, S, N = Side.CLIENT, Side.SERVER, Side.NOTE


def steps(dialogue: Iterable[tuple[float, Side, str]]) -> list[tuple[str, float]]:
    lines = list(dialogue)
    times = iter([100.0, *(100.0 + time for time, _, _ in lines)])
    watch = Stopwatch(lambda: next(times))
    for time, side, text in lines:
        watch.note(Entry(time, side, text))
    return [(what, seconds) for what, seconds in watch.steps()]


def test_nothing_seen_is_no_step() -> None:
    assert steps([]) == []


def test_a_step_ends_with_the_last_line_of_its_reply() -> None:
    assert steps(
        [
            (3.0, S, "220 mail.example.org"),
            (3.5, C, "EHLO client"),
            (4.0, S, "250-mail.example.org"),
            (5.0, S, "250 SIZE"),
            (5.0, C, "QUIT"),
            (7.0, S, "221 bye"),
            (9.0, N, "the client closed the connection"),
        ]
    ) == [("greeting (connecting included)", 3.0), ("EHLO client", 2.0), ("QUIT", 2.0)]


def test_a_greeting_of_several_lines_is_one_step() -> None:
    assert steps([(1.0, S, "220-mail"), (2.0, S, "220 ready")]) == [
        ("greeting (connecting included)", 2.0)
    ]


def test_tls_is_a_step_of_its_own() -> None:
    assert steps(
        [
            (1.0, S, "220 mail"),
            (1.0, C, "STARTTLS"),
            (2.0, S, "220 go ahead"),
            (5.0, N, "TLS established"),
            (5.0, C, "EHLO client"),
            (6.0, S, "250 mail"),
        ]
    ) == [
        ("greeting (connecting included)", 1.0),
        ("STARTTLS", 1.0),
        ("TLS established", 3.0),
        ("EHLO client", 1.0),
    ]


def test_implicit_tls_comes_before_the_greeting() -> None:
    assert steps([(4.0, N, "TLS established"), (5.0, S, "220 mail")]) == [
        ("TLS established (connecting included)", 4.0),
        ("greeting", 1.0),
    ]
