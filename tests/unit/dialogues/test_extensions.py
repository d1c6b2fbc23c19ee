"""XCLIENT and XFORWARD: what is announced, and as many lines as it takes."""

from __future__ import annotations

import pytest

from ehlo.commands import ATTRIBUTE_LINE_MAX
from ehlo.dialogues import hello, xclient, xforward
from ehlo.errors import CapabilityMissing, InvalidInput
from ehlo.phase import Phase
from ehlo.protocol import State
from ehlo.reply import Reply
from ehlo.testing import converse
from support.rooms import room
from support.stepping import C, S, Step, ready, run

LONG = {"NAME": "n" * 200, "HELO": "h" * 200, "SOURCE": "LOCAL", "IDENT": "i" * 200}


def test_xforward() -> None:
    pair = room("XFORWARD NAME ADDR")
    reply = converse(xforward(pair[0], {"NAME": "mx.example.org", "ADDR": "192.0.2.1"}), *pair)
    assert reply.result.code == 250
    assert pair[0].is_idle


def test_xclient_makes_ehlo_due() -> None:
    pair = room("XCLIENT NAME")
    assert converse(xclient(pair[0], {"NAME": "mx.example.org"}), *pair).result.code == 220
    assert pair[0].state is State.GREETED
    assert converse(hello(pair[0], "client.example.org"), *pair).result.is_positive
    assert pair[0].is_idle


@pytest.mark.parametrize("dialogue", [xclient, xforward])
@pytest.mark.parametrize("announced", [(), ("XCLIENT ADDR", "XFORWARD ADDR")])
def test_what_was_not_announced_is_not_said(dialogue: object, announced: tuple[str, ...]) -> None:
    connection = ready(*announced)
    assert callable(dialogue)
    with pytest.raises(CapabilityMissing, match=r"did not announce X[A-Z]+ NAME") as caught:
        run(dialogue(connection, {"NAME": "mx.example.org"}), connection, "")
    assert caught.value.capability in {"XCLIENT", "XFORWARD"}
    assert caught.value.phase is Phase.COMMAND
    assert connection.is_idle


def test_no_attributes() -> None:
    connection = ready("XFORWARD NAME")
    with pytest.raises(InvalidInput, match="at least one attribute"):
        run(xforward(connection, {}), connection, "")


def test_long_attributes_take_several_lines() -> None:
    connection = ready("XFORWARD NAME HELO SOURCE IDENT")
    steps: list[Step] = [
        C(f"XFORWARD NAME={'n' * 200} HELO={'h' * 200} SOURCE=LOCAL\r\n".encode()),
        S(b"250 ok\r\n"),
        C(f"XFORWARD IDENT={'i' * 200}\r\n".encode()),
        S(b"250 really ok\r\n"),
    ]
    reply = run(xforward(connection, LONG), connection, steps)
    assert reply == Reply.of(250, "really ok")
    said = [step.octets for step in steps if isinstance(step, C)]
    assert max(map(len, said)) <= ATTRIBUTE_LINE_MAX


def test_a_line_that_is_refused_is_the_last() -> None:
    connection = ready("XFORWARD NAME HELO SOURCE IDENT")
    steps: list[Step] = [
        C(f"XFORWARD NAME={'n' * 200} HELO={'h' * 200} SOURCE=LOCAL\r\n".encode()),
        S(b"501 no\r\n"),
    ]
    assert run(xforward(connection, LONG), connection, steps).code == 501
    assert connection.is_idle
