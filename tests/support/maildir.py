"""Waiting for mail that a real server delivers to a Maildir."""

import re
import time
from pathlib import Path
from typing import Final

_HEADER: Final = 8192
"""How many octets the header of any message has at most, trace fields included."""

_TRACE = re.compile(
    rb"(?:(?:Return-Path|Delivered-To|X-Original-To|Received):[^\r]*\r\n(?:[ \t][^\r]*\r\n)*)*",
)
"""The fields that the last server puts on top."""


def delivered(maildir: Path, message_id: str, timeout: float = 20.0) -> bytes:
    """Return the one message with this Message-ID, with CRLF line ends, as soon as it is there.

    A server of its own delivers in its own time, so this has to look again and again.
    """
    found = all_delivered(maildir, message_id.encode(), 1, timeout)
    assert len(found) == 1, f"{message_id} was delivered {len(found)} times"
    return found[0]


def _marked(path: Path, mark: bytes) -> bytes | None:
    """Return a message with a mark in its header; of the others, no more than that is read."""
    with path.open("rb") as file:
        head = file.read(_HEADER)
        return head + file.read() if mark in head else None


def without_trace(message: bytes, first_field: bytes) -> bytes:
    """Return a delivered message from a header field on: what servers put on top is cut off."""
    return message[message.index(first_field) :]


def taken(maildir: Path, message_id: str) -> bytes:
    """Return the message with this Message-ID as it was sent, as soon as it is there.

    Trace fields are taken off, and line ends are CRLF. The file is removed: others need not look
    through large ones.
    """
    octets = delivered(maildir, message_id)
    for path in maildir.glob("new/*"):
        if message_id.encode() in path.read_bytes():
            path.unlink()
    found = _TRACE.match(octets)
    assert found
    assert found.end(), "no trace field: this was not delivered by a server"
    return octets[found.end() :]


def all_delivered(maildir: Path, mark: bytes, count: int, timeout: float = 25.0) -> list[bytes]:
    """Return the messages with a mark in the header, as soon as so many are there, each once."""
    end = time.monotonic() + timeout
    seen: set[Path] = set()
    found: list[bytes] = []
    while True:
        for path in maildir.glob("new/*"):
            if path not in seen:
                seen.add(path)
                octets = _marked(path, mark)
                if octets is not None:
                    found.append(octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        if len(found) >= count:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{len(found)} of {count} were delivered to {maildir}")
        time.sleep(0.05)
