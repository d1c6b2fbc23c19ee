"""What answers look like, and messages that are sent on."""

from __future__ import annotations

from gallery import conversations
from gallery.basics import make_id
from gallery.showing import contents, header, text, tree


def test_reply_in_a_thread() -> None:
    message = conversations.reply_in_a_thread()
    assert header(message) == (
        "From: Bob Baker <bob@example.com>\n"
        "To: Ada Lovelace <ada@example.org>\n"
        "Cc: Carol Cooper <carol@example.net>\n"
        "Message-ID: <lunch.3@example.com>\n"
        "Subject: Re: Lunch?\n"
        "In-Reply-To: <lunch.2@example.org>\n"
        "References: <lunch.1@example.org> <lunch.2@example.org>\n"
    )
    assert text(message) == message.text
    assert b"\r\nAt 12. \r\n\r\n-- \r\nBob\r\n" in message.as_bytes()


def test_long_thread() -> None:
    message = conversations.long_thread()
    lines = header(message).splitlines()
    first = lines.index("References: <thread.0.0123456789abcdef@mail.example.org>")
    assert lines[first + 1 :] == [f" {identifier}" for identifier in message.references[1:]]


def test_forwarded_message() -> None:
    """The boundaries of the inner message are not those of the outer one, and it has CRLF."""
    message = conversations.forwarded_message()
    assert tree(message) == "multipart/mixed\n  text/plain 7bit\n  message/rfc822 7bit attachment\n"
    octets = message.as_bytes(make_id=make_id)
    assert b'Content-Type: multipart/mixed; boundary="=_2_7f3a"\r\n\r\n' in octets
    [inner] = contents(message, "message/rfc822")
    assert inner.startswith(b"Return-Path: <bob@example.com>\r\nReceived: from mx")
    assert inner.endswith(
        b"--=_1_7f3a\r\nContent-Type: text/plain\r\n\r\nInside.\r\n--=_1_7f3a--\r\n"
    )


def test_patch() -> None:
    """It can be applied: not a blank or tab at the end of a line is lost."""
    message = conversations.patch()
    assert tree(message) == "text/plain 7bit\n"
    assert text(message) == message.text
    assert b"\r\n-\t\tbreak;  \r\n+\t\treturn carry(column + 1);\t\r\n \r\n" in message.as_bytes()


def test_read_receipt_request() -> None:
    assert header(conversations.read_receipt_request()) == (
        "From: Ada Lovelace <ada@example.org>\n"
        "To: Bob Baker <bob@example.com>\n"
        "Message-ID: <confirm@example.org>\n"
        "Subject: Please confirm\n"
        "Disposition-Notification-To: Ada Lovelace <ada@example.org>\n"
        "Return-Receipt-To: Ada Lovelace <ada@example.org>\n"
    )


def test_resent_message() -> None:
    message = conversations.resent_message()
    assert header(message) == (
        "Resent-Date: Tue, 24 Nov 2026 09:30:00 +0100\n"
        "Resent-From: Bob Baker <bob@example.com>\n"
        "Resent-To: Carol Cooper <carol@example.net>\n"
        "Resent-Message-ID: <resent.1@example.com>\n"
        "From: Ada Lovelace <ada@example.org>\n"
        "To: Bob Baker <bob@example.com>\n"
        "Message-ID: <plans@example.org>\n"
        "Subject: The plans\n"
    )
    envelope = message.envelope()
    assert str(envelope.sender) == "bob@example.com"
    assert [str(address) for address in envelope.recipients] == ["carol@example.net"]


def test_resent_twice() -> None:
    message = conversations.resent_twice()
    assert header(message).startswith(
        "Resent-Date: Wed, 25 Nov 2026 09:30:00 +0100\n"
        "Resent-From: Carol Cooper <carol@example.net>\n"
        "Resent-Sender: secretary@example.net\n"
        "Resent-To: dave@example.net, Erin <erin@example.net>\n"
        "Resent-Message-ID: <resent.2@example.net>\n"
        "Resent-Date: Tue, 24 Nov 2026 09:30:00 +0100\n"
        "Resent-From: Bob Baker <bob@example.com>\n"
    )
    envelope = message.envelope()
    assert str(envelope.sender) == "secretary@example.net"
    assert [str(address) for address in envelope.recipients] == [
        *("dave@example.net", "erin@example.net", "archive@example.net")
    ]
    assert b"archive" not in message.as_bytes()
