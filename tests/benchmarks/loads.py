"""What is sent: the same octets for everybody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage

CLIENT: Final = "client.example.org"
SENDER: Final = "ada@example.org"
RECIPIENTS: Final = tuple(f"recipient{number:04}@example.com" for number in range(1024))
"""Used in turn: nobody gains by remembering the one address that all messages go to."""

LARGE: Final = 25 * 1024 * 1024
_HEADER: Final = (
    b"Date: Thu, 02 Jan 2025 03:04:05 +0000\r\n"
    b"From: Ada Lovelace <ada@example.org>\r\n"
    b"To: Charles Babbage <recipient0000@example.com>\r\n"
    b"Message-ID: <20250102030405.1815@example.org>\r\n"
    b"Subject: Notes on the analytical engine\r\n"
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: text/plain; charset="us-ascii"\r\n'
    b"Content-Transfer-Encoding: 7bit\r\n\r\n"
)
_PROSE: Final = (
    b"The Analytical Engine has no pretensions whatever to originate\r\n"
    b"anything. It can do whatever we know how to order it to perform.\r\n"
    b"It can follow analysis; but it has no power of anticipating any\r\n"
    b"analytical relations or truths. Its province is to assist us in\r\n"
    b"making available what we are already acquainted with.\r\n\r\n"
)
_PLAIN_LINE: Final = b"x" * 76 + b"\r\n"
_DOTTED_LINE: Final = b"." + b"x" * 75 + b"\r\n"
_BASE64_LINE: Final = (
    b"VGhlIEFuYWx5dGljYWwgRW5naW5lIHdlYXZlcyBhbGdlYnJhaWNhbCBwYXR0ZXJucyBqdXN0IGFz\r\n"
)


def _repeated(block: bytes, size: int) -> bytes:
    """Return a message of a size; its body repeats the block, and has a last line that fits."""
    room = size - len(_HEADER)
    body = (block * (room // len(block) + 1))[: room - 2].rstrip(b"\r\n")
    return _HEADER + body + b"x" * (room - 2 - len(body)) + b"\r\n"


def small() -> bytes:
    """Return the message of most workloads: 1 KiB of English."""
    return _repeated(_PROSE, 1024)


def dotted(size: int = LARGE) -> bytes:
    """Return a large message, every eighth line of which begins with a dot."""
    return _repeated(_PLAIN_LINE * 7 + _DOTTED_LINE, size)


def base64(size: int = LARGE) -> bytes:
    """Return a large message without any dot in its body."""
    return _repeated(_BASE64_LINE, size)


LOADS: Final[dict[str, Callable[[], bytes]]] = {
    "small": small,
    "dotted": dotted,
    "base64": base64,
}


def stuffed(content: bytes) -> bytes:
    """Return the content as DATA wants it, without the lone dot."""
    return re.sub(rb"\n(?=\.)", b"\n.", content)


@dataclass(frozen=True)
class Job:
    """What a contestant has to do.

    Attributes:
        host: Where the sink is.
        port: Likewise.
        mode: How it is spoken to: see `contestants.MODES`.
        connections: How many at once.
        recipients: Of each message.
        load: Which message, see `LOADS`.
        path: A file that holds the message; the message is in memory if there is none.
        source: `memory`, `file`, or `pieces` for an iterable of octets.
        on_refusal: What `ehlo` does if recipients are refused; the peers send to the rest.
    """

    host: str
    port: int
    mode: str = "data"
    connections: int = 1
    recipients: int = 1
    load: str = "small"
    path: str = ""
    source: str = "memory"
    on_refusal: str = "abort"

    @cached_property
    def ready(self) -> bytes:
        return Path(self.path).read_bytes() if self.path else LOADS[self.load]()

    def octets(self) -> bytes:
        """Return one message's octets, from memory or, each time anew, from the file."""
        return self.ready if self.source == "memory" else Path(self.path).read_bytes()

    def parsed(self) -> EmailMessage:
        """Return the message as the standard library's object."""
        import email.policy  # noqa: PLC0415 - only those who need it pay for it
        from email.message import EmailMessage  # noqa: PLC0415

        message = email.message_from_bytes(self.ready, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def addressees(self, number: int) -> list[str]:
        """Return the recipients of a message, counted from 0."""
        first = number * self.recipients
        return [RECIPIENTS[n % len(RECIPIENTS)] for n in range(first, first + self.recipients)]
