"""W8: texts made fit for DATA, and replies taken apart, each the way its library does it.

Peers have no function for either that stands alone; what is called here is the same code that they
run inside `sendmail` and behind a read.
"""

from __future__ import annotations

import asyncio
import io
import smtplib
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from benchmarks.loads import base64, dotted, small

if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], object]
    Result = Callable[[float], dict[str, float]]
    Case = Callable[[], tuple[Call, Result]]

_MIB: Final = 1024 * 1024

TEXTS: Final[dict[str, Callable[[], bytes]]] = {
    "base64": lambda: base64(_MIB),
    "dotted": lambda: dotted(_MIB),
    "english": lambda: small() * 1024,
    "english-lf": lambda: (small() * 1024).replace(b"\r\n", b"\n"),
    "english-25": lambda: small() * 25 * 1024,
}


def _ehlo_text(text: bytes) -> Call:
    wire = import_module("ehlo.wire")

    def encode() -> None:
        encoder = wire.ContentEncoder()
        for _ in encoder.encode(text):
            pass
        encoder.finish()

    return encode


def _smtplib_text(text: bytes) -> Call:
    quote: Any = vars(smtplib)["_quote_periods"]
    return lambda: quote(text)


def _aiosmtplib_text(text: bytes) -> Call:
    protocol: Any = import_module("aiosmtplib.protocol")
    return lambda: protocol.PERIOD_REGEX.sub(b"..", protocol.normalize_message_line_endings(text))


def _smtpproto_text(text: bytes) -> Call:
    import_module("smtpproto")
    return lambda: text.replace(b"\r\n.", b"\r\n..")


_TEXT_CODE: Final = {
    "ehlo": _ehlo_text,
    "smtplib": _smtplib_text,
    "aiosmtplib": _aiosmtplib_text,
    "smtpproto": _smtpproto_text,
}


def _text_case(code: Callable[[bytes], Call], make: Callable[[], bytes]) -> Case:
    def case() -> tuple[Call, Result]:
        text = make()
        return code(text), lambda seconds: {"gb_per_s": len(text) / seconds / 1e9}

    return case


# -- Replies -----------------------------------------------------------------------------------


def _cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


_OK: Final = b"250 2.1.0 Ok\r\n"
_EHLO: Final = (
    b"250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-VRFY\r\n250-ETRN\r\n"
    b"250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
    b"250-DSN\r\n250 CHUNKING\r\n"
)


def _groups() -> list[bytes]:
    replies = (
        b"250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok: queued as %d\r\n"
    )
    return [replies % number for number in range(100_000, 100_500)]


READS: Final[dict[str, tuple[Callable[[], list[bytes]], int]]] = {
    "one": (lambda: [_OK] * 1000, 1000),
    "group": (_groups, 1500),
    "4k-reads": (lambda: _cut(_OK * 1000, 4096), 1000),
    "ehlo": (lambda: [_EHLO] * 100, 100),
    "ehlo-by-octet": (lambda: _cut(_EHLO, 1) * 10, 10),
    "long-by-octet": (lambda: _cut(b"250 " + b"x" * 7994 + b"\r\n", 1), 1),
    "longer-by-octet": (lambda: _cut(b"250 " + b"x" * 15994 + b"\r\n", 1), 1),
}
"""What arrives, read by read, and how many replies that is."""

TOO_LONG: Final = "longer-by-octet"
"""The one that the peers refuse; `ehlo` must take twice as long for it as for half of it."""


def _ehlo_replies(reads: list[bytes], expected: int) -> Call:
    parser = import_module("ehlo.wire").ReplyParser()

    def parse() -> None:
        found = 0
        for read in reads:
            parser.feed(read)
            while parser.next_reply() is not None:
                found += 1
        assert found == expected

    return parse


def _smtplib_replies(reads: list[bytes], expected: int) -> Call:
    """Read from a file, as it does: there the cuts are somebody else's business."""
    client: Any = smtplib.SMTP()
    octets = b"".join(reads)

    def parse() -> None:
        client.file = io.BytesIO(octets)
        for _ in range(expected):
            client.getreply()

    return parse


def _aiosmtplib_replies(reads: list[bytes], expected: int) -> Call:
    loop = asyncio.new_event_loop()
    protocol: Any = import_module("aiosmtplib.protocol").SMTPProtocol(loop=loop)

    def parse() -> None:
        found = 0
        for read in reads:
            if protocol._response_waiter is None or protocol._response_waiter.done():
                protocol._response_waiter = loop.create_future()
                protocol._response_pending = True
            protocol.data_received(read)
            if protocol._response_waiter.done():
                found += 1
                while protocol._buffer and protocol._read_response_from_buffer() is not None:
                    found += 1
        assert found == expected

    return parse


_REPLY_CODE: Final = {
    "ehlo": _ehlo_replies,
    "smtplib": _smtplib_replies,
    "aiosmtplib": _aiosmtplib_replies,
}


def _reply_case(
    code: Callable[[list[bytes], int], Call], make: Callable[[], list[bytes]], expected: int
) -> Case:
    def case() -> tuple[Call, Result]:
        call = code(make(), expected)
        return call, lambda seconds: {
            "million_per_s": expected / seconds / 1e6,
            "us": seconds * 1e6,
        }

    return case


CASES: Final[dict[str, Case]] = {
    f"{library}:{text}": _text_case(code, make)
    for text, make in TEXTS.items()
    for library, code in _TEXT_CODE.items()
} | {
    f"{library}:{reads}": _reply_case(code, make, expected)
    for reads, (make, expected) in READS.items()
    for library, code in _REPLY_CODE.items()
    if library == "ehlo" or reads != TOO_LONG
}
