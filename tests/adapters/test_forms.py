"""The form in which a message reaches a server: what it takes, and no more than was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ehlo
from ehlo import Attachment, InvalidInput, Message, Outcome, Sealed
from ehlo.testing import ReceivedMessage, Server, ServerOptions

ALL = ("8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME")
PARTS: dict[str, Any] = {"from_": "ada@example.org", "to": "bob@example.com", "subject": "Grüße"}
"""A message whose words alone are international."""


def received(message: ehlo.Sendable, *capabilities: str) -> ReceivedMessage:
    with Server(ServerOptions(capabilities=capabilities)) as server:
        ehlo.blocking.send(message, server.url)
    return server.messages[0]


@pytest.mark.parametrize(
    ("asked", "offered", "declared", "encodings"),
    [
        ("8BITMIME", (), None, ["quoted-printable", "base64"]),
        ("8BITMIME", ("8BITMIME",), "8BITMIME", ["8bit", "base64"]),
        ("8BITMIME", ALL, "8BITMIME", ["8bit", "base64"]),
        ("7BIT", ALL, None, ["quoted-printable", "base64"]),
        ("BINARYMIME", ("8BITMIME",), "8BITMIME", ["8bit", "base64"]),
        ("BINARYMIME", ("8BITMIME", "BINARYMIME"), "8BITMIME", ["8bit", "base64"]),
        ("BINARYMIME", ALL, "BINARYMIME", ["8bit", "binary"]),
    ],
)
def test_octets_are_those_the_server_takes_and_the_message_allows(
    asked: str, offered: tuple[str, ...], declared: str | None, encodings: list[str]
) -> None:  # E3 H8
    attached = bytes(range(256))
    message = Message(
        **PARTS, text="Grüße aus dem Norden, wo es schön ist.", transfer=asked
    ).replace(attachments=[Attachment(attached)])
    it = received(message, *offered)
    assert [part["Content-Transfer-Encoding"] for part in it.parse().iter_parts()] == encodings
    assert it.parameters.get("BODY") == declared
    *_, last = it.parse().iter_attachments()
    assert last.get_content() == attached  # H5


@pytest.mark.parametrize(
    ("parts", "offered", "is_utf8"),
    [
        ({}, ALL, False),
        ({"to": "bob@bücher.example"}, ALL, True),
        ({"to": "bob@bücher.example"}, (), False),
        ({"bcc": "søren@example.com"}, ALL, True),
        ({"cc": "søren@example.com"}, ALL, True),
    ],
)
def test_smtputf8_is_asked_for_by_an_address_and_never_by_words(
    parts: dict[str, Any], offered: tuple[str, ...], *, is_utf8: bool
) -> None:  # E4 H8
    it = received(Message(**(PARTS | parts)), *offered)
    assert ("SMTPUTF8" in it.parameters) == is_utf8
    assert ("Subject: Grüße".encode() in it.content) == is_utf8


def test_what_a_seal_returns_is_what_arrives() -> None:  # H9
    seen: list[bytes] = []

    def seal(octets: bytes) -> bytes:
        seen.append(octets)
        return b"X-Sealed: 1\r\n" + octets

    message = Message(**PARTS, text=".Grüße", bcc="carol@example.com", transfer="BINARYMIME")
    it = received(Sealed(message, seal), *ALL)
    assert it.content == b"X-Sealed: 1\r\n" + seen[0]
    assert seen[0].isascii()
    assert b"carol" not in seen[0]  # H3
    assert len(seen) == 1


def test_a_file_that_changed_is_not_sent(tmp_path: Path) -> None:  # H7
    path = tmp_path / "large"
    path.write_bytes(b"x" * 200_000)
    message = Message(**PARTS, attachments=[Attachment.from_path(path)])
    path.write_bytes(b"x" * 199_999)
    refused(message)


@pytest.mark.parametrize("size", [2, 4])
def test_a_source_of_another_size_is_not_sent(size: int) -> None:  # H7
    refused(Message(**PARTS, attachments=[Attachment(iter([b"a", b"bc"]), size=size)]))


def test_a_source_that_fails_ends_the_message_unsent() -> None:  # H7
    def source() -> Iterator[bytes]:
        yield b"x" * 200_000
        raise LookupError("no more")

    message = Message(**PARTS, attachments=[Attachment(source())])
    with Server() as server, pytest.raises(LookupError, match="no more"):
        ehlo.blocking.send(message, server.url)
    assert server.messages == ()


def refused(message: Message) -> None:
    with Server() as server, pytest.raises(InvalidInput, match="was not sent") as caught:
        ehlo.blocking.send(message, server.url)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert server.messages == ()


def test_the_same_message_is_the_same_octets_each_time_it_is_sent() -> None:  # H6
    message = ehlo.stamped(Message(**PARTS, text="a", html="b"))
    first, second = (received(message, *ALL).content for _ in range(2))
    assert first == second == message.as_bytes(transfer="8BITMIME")
    binary = message.replace(transfer="BINARYMIME", attachments=Attachment(b"x"))
    first, second = (received(binary, *ALL).content for _ in range(2))
    assert first != second  # nobody can tell the boundaries beforehand
