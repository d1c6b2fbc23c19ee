"""Messages of the standard library that hold octets of no known charset, in 7-bit form."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

import pytest
from typing_extensions import override

from ehlo import Envelope, InvalidInput
from ehlo.commands import Body
from ehlo.content import Form, Octets
from ehlo.message import Outgoing, prepare
from support.outgoing import in_memory, written

ENVELOPE = Envelope("ada@example.org", "bob@example.com")
NOW = datetime(2024, 2, 29, tzinfo=UTC)
HEAD = b"From: ada@example.org\r\nTo: bob@example.com\r\nDate: Thu, 29 Feb 2024 00:00:00 +0000\r\n"
HEAD += b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"


def prepared(source: bytes, reader: Any = policy.compat32) -> Outgoing:
    message = message_from_bytes(source, policy=reader)
    return prepare(message, ENVELOPE, now=lambda: NOW, make_id=lambda: "id")


def seven_bit_of(outgoing: Outgoing) -> Octets:
    other = in_memory(outgoing)
    assert not other.is_eight_bit
    assert other.octets.isascii()
    return other


@pytest.mark.parametrize("encoding", [b"", b"Content-Transfer-Encoding: 8bit\r\n"])
def test_a_body_of_no_known_charset_becomes_base64(encoding: bytes) -> None:
    outgoing = prepared(HEAD + encoding + b"\r\nGr\xfc\xdfe\r\n")
    content = written(outgoing, Form(Body.EIGHT_BIT_MIME))
    assert content.is_eight_bit
    assert b"Gr\xfc\xdfe" in content.octets
    again = message_from_bytes(seven_bit_of(outgoing).octets)
    assert again["Content-Transfer-Encoding"] == "base64"
    assert again.get_payload(decode=True) == b"Gr\xfc\xdfe\r\n"


def test_each_part_is_seen_to() -> None:
    source = HEAD + (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n\xff\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n"
        b"--b--\r\n"
    )
    parts: Any = message_from_bytes(seven_bit_of(prepared(source)).octets).get_payload()
    assert [part.get("Content-Transfer-Encoding") for part in parts] == [None, "base64", "base64"]
    assert [part.get_payload(decode=True) for part in parts] == [b"plain", b"\xff", b"\xff"]


@pytest.mark.parametrize("encoding", [b"quoted-printable", b"base64", b"x-none"])
def test_octets_in_what_is_called_encoded(encoding: bytes) -> None:
    """They arrive: readers who decode it would leave them alone, or find that it is none."""
    source = HEAD + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\nGr\xfc\xdfe\r\n"
    again = message_from_bytes(seven_bit_of(prepared(source)).octets)
    assert again.get_payload(decode=True) == b"Gr\xfc\xdfe\r\n"


def test_no_defect_is_noted_in_the_caller_s_message() -> None:
    source = HEAD + b"Content-Transfer-Encoding: base64\r\n\r\nGr\xfc\xdfe\r\n"
    message = message_from_bytes(source)
    outgoing = prepare(message, ENVELOPE, now=lambda: NOW, make_id=lambda: "id")
    seven_bit_of(outgoing)
    assert message.defects == []


def test_what_is_in_seven_bit_form_has_no_other() -> None:
    assert isinstance(prepared(HEAD + b"\r\nplain\r\n").content, Octets)


class Careless(EmailPolicy):
    """A policy of a caller's own that lets a value end its line."""

    @override
    def fold_binary(self, name: str, value: str) -> bytes:
        return f"{name}: {value}\r\nBcc: eve@example.org\r\n".encode()


def test_a_policy_that_breaks_the_header_is_not_believed() -> None:
    message = EmailMessage(policy=Careless())
    message["From"] = "ada@example.org"
    message["Keywords"] = "Gr\u00fc\u00dfe"
    with pytest.raises(InvalidInput, match="holds a line end that breaks the header"):
        prepare(message, ENVELOPE, now=lambda: NOW, make_id=lambda: "id")
