"""What messages look like that no person writes."""

from __future__ import annotations

import pytest

from ehlo import InvalidInput
from ehlo.commands import Body
from gallery import envelope, robots
from gallery.basics import make_id
from gallery.showing import contents, header, text, tree

CALENDAR = b'Content-Type: text/calendar; method=%s; charset="utf-8"\r\n'


def test_password_reset() -> None:
    message = robots.password_reset()
    assert "\nAuto-Submitted: auto-generated\n" in header(message)
    assert tree(message) == "multipart/alternative\n  text/plain 7bit\n  text/html 7bit\n"
    link = "\nhttps://accounts.example.org/reset?user=42&token=c2VjcmV0LXRva2Vu%3D%3D\n"
    assert link in text(message)
    assert link.encode().strip() in message.as_bytes(make_id=make_id)


def test_bounce_proof_receipt() -> None:
    message = robots.bounce_proof_receipt()
    assert header(message) == (
        "From: =?utf-8?b?Q2Fmw6kgWsO8cmljaA==?= <kasse@example.org>\n"
        "Reply-To: =?utf-8?b?Q2Fmw6kgWsO8cmljaA==?= <hallo@example.org>\n"
        "To: =?utf-8?b?TcO8bGxlciwgSsO8cmdlbg==?= <juergen@example.com>\n"
        "Message-ID: <quittung.4711@example.org>\n"
        "Subject: Ihre Quittung =?utf-8?b?w7xiZXIgMTIsNTAg4oKs?=\n"
        "Auto-Submitted: auto-generated\n"
        "X-Auto-Response-Suppress: All\n"
    )
    assert tree(message) == (
        "multipart/mixed\n  text/plain quoted-printable\n  application/pdf base64 attachment\n"
    )
    assert envelope("bounce_proof_receipt").sender is None
    assert text(message) == "2 × Kaffee  9,00 €\n1 × Torte   3,50 €\n\nVielen Dank!\n"


def test_vacation_reply() -> None:
    assert header(robots.vacation_reply()) == (
        "From: Bob Baker <bob@example.com>\n"
        "To: Ada Lovelace <ada@example.org>\n"
        "Message-ID: <away.1@example.com>\n"
        "Subject: Auto: Carry mechanism jams at 10^21\n"
        "In-Reply-To: <carry.1843@example.org>\n"
        "References: <carry.1843@example.org>\n"
        "Auto-Submitted: auto-replied\n"
    )
    assert envelope("vacation_reply").sender is None


def test_alert() -> None:
    assert header(robots.alert()) == (
        "From: nagios <nagios@db-1.example.org>\n"
        "To: ops@example.org, +15550100@sms.example.org\n"
        "Message-ID: <20261123083000.3412@db-1.example.org>\n"
        "Subject: ** PROBLEM alert - db-1/disk /var is CRITICAL **\n"
        "Auto-Submitted: auto-generated\n"
        "Importance: high\n"
        "Priority: urgent\n"
        "X-Priority: 1 (Highest)\n"
    )


def test_log_mail_with_ansi() -> None:
    """Escape sequences are no matter of transport in a text, and are refused in a header."""
    message = robots.log_mail_with_ansi()
    assert tree(message) == "text/plain 7bit\n"
    assert text(message) == message.text
    with pytest.raises(InvalidInput, match="the subject"):
        message.replace(subject="\x1b[31mFAIL\x1b[0m about")
    with pytest.raises(InvalidInput, match="the field X-Cron-Env"):
        message.replace(headers={"X-Cron-Env": "<PS1=\x1b[1m$>"})


def test_control_pictures() -> None:
    message = robots.control_pictures()
    assert header(message) == (
        "From: =?utf-8?b?4pCAIE51bGwg4pCb?= <null@example.org>\n"
        "To: Bob Baker <bob@example.com>\n"
        "Message-ID: <pictures@example.org>\n"
        "Subject: =?utf-8?b?4pCN4pCKIGlzIENSTEYsIOKQgCBpcyBOVUwsIOKQm1szMW0=?= is red\n"
    )
    assert tree(message) == "text/plain base64\n"  # shorter here than quoted-printable


def test_delivery_status_text() -> None:
    message = robots.delivery_status_text()
    assert envelope("delivery_status_text").sender is None
    assert tree(message) == ("multipart/mixed\n  text/plain 7bit\n  text/plain base64 attachment\n")
    _, report = contents(message, "text/plain")
    assert report == message.attachments[0].content


def test_bounce_with_eight_bit_message() -> None:
    """RFC 2046 section 5.2.1: what is in message/rfc822 may not be encoded."""
    message = robots.bounce_with_eight_bit_message()
    assert tree(message, Body.EIGHT_BIT_MIME) == (
        "multipart/mixed 8bit\n  text/plain 7bit\n  message/rfc822 8bit attachment\n"
    )
    assert contents(message, "message/rfc822") == [message.attachments[0].content]
    with pytest.raises(InvalidInput, match="needs 8BITMIME"):
        message.as_bytes(make_id=make_id)


def test_invitation() -> None:
    message = robots.invitation()
    assert tree(message) == (
        "multipart/mixed\n"
        "  multipart/alternative\n"
        "    text/plain 7bit\n"
        "    text/html 7bit\n"
        "    text/calendar quoted-printable\n"
        "  application/ics base64 attachment\n"
    )
    octets = message.as_bytes(make_id=make_id)
    assert CALENDAR % b"REQUEST" in octets
    assert b'filename="invite.ics"' in octets
    [shown] = contents(message, "text/calendar")
    [file] = contents(message, "application/ics")
    assert shown == file
    assert b"\r\nSUMMARY:Fr\xc3\xbchst\xc3\xbcck im Caf\xc3\xa9\r\n" in file


def test_cancellation() -> None:
    message = robots.cancellation()
    assert tree(message) == (
        "multipart/alternative\n  text/plain quoted-printable\n  text/calendar quoted-printable\n"
    )
    assert CALENDAR % b"CANCEL" in message.as_bytes(make_id=make_id)


def test_calendar_reply() -> None:
    message = robots.calendar_reply()
    assert header(message) == (
        "From: Bob Baker <bob@example.com>\n"
        "To: Ada Lovelace <ada@example.org>\n"
        "Message-ID: <reply.1@example.com>\n"
        "Subject: Accepted: =?utf-8?b?RnLDvGhzdMO8Y2sgaW0gQ2Fmw6k=?=\n"
        "In-Reply-To: <invitation.1@example.org>\n"
    )
    assert tree(message, Body.EIGHT_BIT_MIME) == (
        "multipart/alternative 8bit\n  text/plain 7bit\n  text/calendar 8bit\n"
    )
    assert CALENDAR % b"REPLY" in message.as_bytes(make_id=make_id)
