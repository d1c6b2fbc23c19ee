"""Draw the state machine from its table: an SVG picture and a Markdown table.

Run `python docs/make_state_diagram.py` after a change to `ehlo/protocol/_state.py`. A test fails
while the files in `docs/explanation/_generated` are not what this script makes.
"""
# ruff: noqa: INP001

from __future__ import annotations

from collections import defaultdict
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ehlo.protocol._state import TABLE, State  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ehlo.commands import Verb
    from ehlo.protocol._state import Row  # pyright: ignore[reportPrivateUsage]

FOLDER: Final = Path(__file__).parent / "explanation" / "_generated"


class Step(NamedTuple):
    """One way from a state to a state: a command, and the replies that lead there."""

    source: State
    verb: Verb
    replies: str
    target: State
    only_pipelined: bool


def _ways(row: Row) -> Iterator[tuple[str, State]]:
    positive = str(row.code) if row.code else "2yz"
    for replies, target in (
        (positive, row.completion),
        ("3yz", row.intermediate),
        ("4yz/5yz", row.negative),
    ):
        if target is not None:
            yield replies, target


def steps() -> list[Step]:
    """Return all ways of the table, in its order; replies that lead to one place are joined."""
    found: list[Step] = []
    for (source, verb), row in TABLE.items():
        joined: dict[State, list[str]] = defaultdict(list)
        for replies, target in _ways(row):
            joined[target].append(replies)
        found += [
            Step(source, verb, " or ".join(replies), target, row.only_pipelined)
            for target, replies in joined.items()
        ]
    return found


# -- The picture -------------------------------------------------------------------------------

WIDTH, HEIGHT = 900, 1160
BOX_WIDTH, BOX_HEIGHT = 250, 52
_LEFT, _MIDDLE, _RIGHT = 150, 450, 750

PLACES: Final = {
    State.CONNECTED: (_MIDDLE, 50),
    State.GREETED: (_MIDDLE, 160),
    State.UPGRADING: (_LEFT, 225),
    State.READY: (_MIDDLE, 290),
    State.AUTHENTICATING: (_RIGHT, 290),
    State.MAIL: (_MIDDLE, 410),
    State.RCPT: (_MIDDLE, 530),
    State.DATA: (_MIDDLE, 650),
    State.CHUNKS: (_RIGHT, 600),
    State.FAILED: (_RIGHT, 690),
    State.CLOSING: (_LEFT, 780),
    State.CLOSED: (_MIDDLE, 780),
    State.BROKEN: (_RIGHT, 780),
}
"""The centre of each state's box."""


class Route(NamedTuple):
    """An arrow as an SVG path, and where its label stands."""

    path: str
    x: int
    y: int
    anchor: str = "start"


_TOP, _BOTTOM = -BOX_HEIGHT // 2, BOX_HEIGHT // 2
_IN_LEFT, _IN_RIGHT = _MIDDLE - BOX_WIDTH // 2, _MIDDLE + BOX_WIDTH // 2


def _down(source: int, target: int) -> Route:
    path = f"M {_MIDDLE} {source + _BOTTOM} L {_MIDDLE} {target + _TOP}"
    return Route(path, _MIDDLE + 10, (source + target) // 2 + 5)


ROUTES: Final = {
    (State.CONNECTED, State.GREETED): _down(50, 160),
    (State.GREETED, State.READY): _down(160, 290),
    (State.READY, State.MAIL): _down(290, 410),
    (State.MAIL, State.RCPT): _down(410, 530),
    (State.RCPT, State.DATA): _down(530, 650),
    (State.READY, State.UPGRADING): Route(
        f"M {_IN_LEFT} 290 L {_LEFT} 290 L {_LEFT} {225 + _BOTTOM}", _LEFT + 10, 308
    ),
    (State.UPGRADING, State.GREETED): Route(
        f"M {_LEFT} {225 + _TOP} L {_LEFT} 160 L {_IN_LEFT} 160", _LEFT + 10, 150
    ),
    (State.READY, State.AUTHENTICATING): Route(
        f"M {_IN_RIGHT} 272 L {_RIGHT - BOX_WIDTH // 2} 272", 600, 252, "middle"
    ),
    (State.AUTHENTICATING, State.READY): Route(
        f"M {_RIGHT - BOX_WIDTH // 2} 288 L {_IN_RIGHT} 288", 765, 252, "middle"
    ),
    (State.MAIL, State.READY): Route(
        f"M {_IN_RIGHT} 400 C 600 395, 550 360, 545 {290 + _BOTTOM}", 585, 385
    ),
    (State.RCPT, State.READY): Route(
        f"M {_IN_RIGHT} 530 C 760 500, 740 340, {_IN_RIGHT} 308", 720, 460
    ),
    (State.RCPT, State.CHUNKS): Route(
        f"M {_IN_RIGHT} 540 C 680 545, 740 555, {_RIGHT} {600 + _TOP}", 705, 545
    ),
    (State.CHUNKS, State.FAILED): Route(
        f"M {_RIGHT} {600 + _BOTTOM} L {_RIGHT} {690 + _TOP}", _RIGHT + 10, 650
    ),
    (State.DATA, State.READY): Route(
        f"M {_IN_LEFT} 650 C 210 600, 210 400, {_IN_LEFT} 306", 215, 480, "end"
    ),
}
"""The arrows that are drawn; all other ways are listed below the picture."""

_HANDSHAKE = ("TLS handshake",)
_BESIDE_THE_TABLE: Final = (
    "in any state: 421 leads to CLOSING",
    "in any state: the end of the connection leads to CLOSED",
    "in any state: a reply that the table does not have leads to BROKEN",
)
"""What `Connection` adds for all states at once."""


def _name(verb: Verb) -> str:
    return str(verb) if verb.value != "." else "the lone dot"


def _labels(arrow: tuple[State, State]) -> list[str]:
    by_replies: dict[str, list[str]] = defaultdict(list)
    for step in steps():
        if (step.source, step.target) == arrow:
            by_replies[step.replies].append(_name(step.verb))
    return [f"{', '.join(verbs)}: {replies}" for replies, verbs in by_replies.items()]


def _elsewhere() -> list[str]:
    """Return the ways between two states that no arrow is drawn for, joined by their sources."""
    joined: dict[tuple[Verb, str, State, bool], list[str]] = defaultdict(list)
    for step in steps():
        if step.source is not step.target and (step.source, step.target) not in ROUTES:
            key = (step.verb, step.replies, step.target, step.only_pipelined)
            joined[key].append(step.source.name)
    return [
        f"in {', '.join(sources)}: {_name(verb)}, answered {replies}, leads to {target.name}"
        + (" (only in a group, behind a refusal)" if only_pipelined else "")
        for (verb, replies, target, only_pipelined), sources in joined.items()
    ]


def _text(x: int, y: int, text: str, *, anchor: str = "start", style: str = "label") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(state: State) -> Iterator[str]:
    x, y = PLACES[state]
    left, top = x - BOX_WIDTH // 2, y - BOX_HEIGHT // 2
    yield f'<rect class="box" x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>'
    yield _text(x, y - 3, state.name, anchor="middle", style="name")
    yield _text(x, y + 15, state.value.partition(";")[0], anchor="middle", style="what")


def _arrow(arrow: tuple[State, State], route: Route) -> Iterator[str]:
    upgraded = arrow == (State.UPGRADING, State.GREETED)
    labels = _HANDSHAKE if upgraded else _labels(arrow)
    if not labels:
        raise ValueError(f"the table has no way from {arrow[0].name} to {arrow[1].name} any more")
    yield f'<path class="arrow" d="{route.path}"/>'
    for number, label in enumerate(labels):
        yield _text(route.x, route.y + 16 * number, label, anchor=route.anchor)


_HEAD: Final = f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
     aria-label="The states of an SMTP session and the commands and replies between them">
<style>
text {{ font-family: sans-serif; fill: #1c2733; }}
.name {{ font-size: 15px; font-weight: bold; }}
.what {{ font-size: 11px; }}
.label {{ font-size: 12px; }}
.box {{ fill: #eaf1f8; stroke: #35506b; rx: 8px; }}
.arrow {{ fill: none; stroke: #35506b; stroke-width: 1.5; marker-end: url(#head); }}
</style>
<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">
<path d="M 0 0 L 9 4 L 0 8 z" fill="#35506b"/></marker></defs>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>"""


def picture() -> str:
    """Return the picture as SVG."""
    parts = [_HEAD]
    for arrow, route in ROUTES.items():
        parts += _arrow(arrow, route)
    for state in State:
        parts += _box(state)
    for number, line in enumerate((*_elsewhere(), *_BESIDE_THE_TABLE)):
        parts.append(_text(25, 840 + 18 * number, line))
    return "\n".join([*parts, "</svg>", ""])


# -- The table ---------------------------------------------------------------------------------


def table() -> str:
    """Return the whole table as Markdown."""
    lines = [
        "| State | Command | Replies | Next state |",
        "|---|---|---|---|",
    ]
    for step in sorted(steps(), key=lambda step: list(State).index(step.source)):
        target = "(the same)" if step.target is step.source else step.target.name
        note = " (in a group only)" if step.only_pipelined else ""
        lines.append(
            f"| {step.source.name} | {_name(step.verb)}{note} | {step.replies} | {target} |"
        )
    return "\n".join([*lines, ""])


FILES: Final = {"state-machine.svg": picture, "state-table.md": table}
"""What is made, and by what."""


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
