"""What texts look like that are hard on transports."""

from __future__ import annotations

import pytest

from ehlo import Message
from ehlo.commands import Body
from gallery import texts
from gallery.basics import make_id
from gallery.showing import text, tree


def test_empty_message() -> None:
    assert texts.empty_message().as_bytes() == (
        b"Date: Mon, 23 Nov 2026 09:30:00 +0100\r\n"
        b"From: Ada Lovelace <ada@example.org>\r\n"
        b"To: Bob Baker <bob@example.com>\r\n"
        b"Message-ID: <empty@example.org>\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="us-ascii"\r\n'
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
    )


def test_one_time_code() -> None:
    """The line is ended: SMTP has no other lines."""
    assert texts.one_time_code().as_bytes().endswith(b"\r\n\r\n123456\r\n")


@pytest.mark.parametrize("message", [texts.lone_dots(), texts.from_lines()], ids=["dots", "From"])
def test_lone_dots_and_from_lines(message: Message) -> None:
    """They stand as they were written: dots are a matter of DATA, `From ` is one of mbox files."""
    assert tree(message) == "text/plain 7bit\n"
    assert message.text is not None
    body = message.as_bytes().partition(b"\r\n\r\n")[2]
    assert body == message.text.removesuffix("\n").replace("\n", "\r\n").encode() + b"\r\n"


def test_smtp_in_text() -> None:
    """Boundaries are others than the lines that look like them."""
    message = texts.smtp_in_text()
    assert b'boundary="=_3_7f3a"\r\n' in message.as_bytes(make_id=make_id)
    assert text(message) == message.text


def test_very_long_lines() -> None:
    """RFC 5321 section 4.5.3.1.6: no line has more than 998 octets, whatever the server takes."""
    message = texts.very_long_lines()
    for body in (Body.SEVEN_BIT, Body.EIGHT_BIT_MIME, Body.BINARY_MIME):
        assert tree(message, body) == "text/plain quoted-printable\n"
        assert max(map(len, message.as_bytes(transfer=body).splitlines())) <= 998
    assert text(message) == f"{message.text}\n"


def test_long_url_in_text() -> None:
    message = texts.long_url_in_text()
    assert tree(message) == "text/plain quoted-printable\n"
    assert tree(message, Body.EIGHT_BIT_MIME) == "text/plain 8bit\n"
    assert text(message) == message.text
    assert f"Subject: {message.subject}\r\n".encode() in message.as_bytes()
