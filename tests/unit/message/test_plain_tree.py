"""What is written without the package's generator is what the generator would write."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.message import Message as LegacyMessage
from typing import Any

import pytest

from ehlo import Envelope, InvalidInput
from ehlo.message import plain_tree, prepare, stdlib
from support.outgoing import octets_of

HEADER = "From: a@example.org\nTo: b@example.org\nMessage-ID: <1@example.org>\nSubject: x\n"
PARTS = "--cut\n\nfirst\n--cut\nContent-Type: text/html\n\n<p>second</p>\n\n--cut--\n"

PLAIN = {
    "text": "\nHello.\n.\n",
    "no last line end": "\nHello.",
    "nothing": "\n",
    "carriage returns": "\nHello.\r\nBob\rAda\n",
    "a type of its own": "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nYWJj\n",
    "a type that is none": "Content-Type: what?\n\nHello.\n",
    "parts": f"Content-Type: multipart/mixed; boundary=cut\n\n{PARTS}",
    "parts with something around": (
        f"Content-Type: multipart/mixed; boundary=cut\n\nbefore\r\n{PARTS}behind\nit\n"
    ),
    "an empty line around": f"Content-Type: multipart/mixed; boundary=cut\n\n\n{PARTS}\n\n",
    "one part": "Content-Type: multipart/related; boundary=cut\n\n--cut\n\nfirst\n--cut--\n",
    "parts in parts": (
        "Content-Type: multipart/mixed; boundary=in\n\n--in\n"
        f"Content-Type: multipart/alternative; boundary=cut\n\n{PARTS}\n--in--\n"
    ),
}
EIGHT_BIT = "Content-Transfer-Encoding: 8bit\n\n"
OTHERS = {
    "octets that are no text": f"Content-Type: x/y; charset=utf-8\n{EIGHT_BIT}Grüße.\n",
    "octets": "Content-Type: text/plain; charset=utf-8\n\nGrüße.\n",
    "octets in a part": f"Content-Type: multipart/mixed; boundary=cut\n\n{PARTS}".replace(
        "\nfirst", "Content-Type: text/plain; charset=utf-8\n\nGrüße", 1
    ),
    "octets around": f"Content-Type: multipart/mixed; boundary=cut\n\nGrüße\n{PARTS}",
    "octets behind": f"Content-Type: multipart/mixed; boundary=cut\n\n{PARTS}Grüße\n",
    "a message": "Content-Type: message/rfc822\n\nSubject: inner\n\nHello.\n",
    "a message that is text": "Content-Type: message/partial\n\nHello.\n",
    "signed": (
        "Content-Type: multipart/signed; boundary=cut; protocol=x; micalg=y\n\n"
        "--cut\n\nfirst\n--cut\nContent-Type: x/y\n\nz\n--cut--\n"
    ),
    "no parts": "Content-Type: multipart/mixed; boundary=cut\n\nonly a preamble\n",
    "a boundary that is a mess": (
        'Content-Type: multipart/mixed; boundary="cu\n t"\n\n--cut\n\nfirst\n--cut--\n'
    ),
}
POLICIES = {"modern": email.policy.default, "legacy": email.policy.compat32}


def written(message: Any) -> bytes:
    numbers = iter(range(100))
    envelope = Envelope("env@example.org", "lope@example.org")
    now = datetime(2024, 2, 29, tzinfo=UTC)
    return octets_of(
        prepare(message, envelope, now=lambda: now, make_id=lambda: f"id{next(numbers)}")
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Say of each message whether it was plain."""
    found: list[bool] = []

    def plain_octets(*args: Any) -> bytes | None:
        octets = plain_tree.plain_octets(*args)
        found.append(octets is not None)
        return octets

    monkeypatch.setattr(stdlib, "plain_octets", plain_octets)
    return found


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [*PLAIN, *OTHERS])
def test_it_is_what_the_generator_writes(
    name: str, policy: str, told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (HEADER + (PLAIN | OTHERS)[name]).encode(errors="surrogateescape")
    message: Any = email.message_from_bytes(source, policy=POLICIES[policy])
    octets = written(message)
    assert set(told) == {name in PLAIN}
    monkeypatch.setattr(stdlib, "plain_octets", lambda *_: None)
    assert written(message) == octets


def test_messages_that_python_makes_are_plain(
    told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    message = EmailMessage()
    message["From"] = message["To"] = "Jürgen <a@example.org>"
    message.set_content("Hello.\n")
    message.add_alternative("<p>Hello.</p>\n", subtype="html")
    message.add_attachment(bytes(range(256)) * 100, maintype="x", subtype="y", filename="ü.bin")
    octets = written(message)
    assert told == [True]
    assert b'Content-Type: multipart/alternative; boundary="=_id' in octets
    monkeypatch.setattr(stdlib, "plain_octets", lambda *_: None)
    assert written(message) == octets


LONG = "x" * 999
ENCODED = {
    "nearly ASCII": ("utf-8", "Viele Grüße an alle\n", "quoted-printable"),
    "nothing like ASCII": ("utf-8", "日本語\r\n.\n", "base64"),
    "a long line of it": ("UTF-8", "é" * 600 + "\n", "base64"),
    "no last line end": ("utf-8", "Viele Grüße an alle", "quoted-printable"),
    "a blank at the end": ("utf-8", "Viele Grüße an alle ", "quoted-printable"),
    "another charset": ("iso-8859-1", "Viele Gr\udcfc\udcdfe an alle\n", "quoted-printable"),
    "not what it says": ("utf-8", "Viele Gr\udcfc\udcdfe an alle\n", "quoted-printable"),
    "a broken line, not ended": (
        "utf-8",
        "Viele liebe Grüße an alle hier, " * 9,
        "quoted-printable",
    ),
    "a long line that is not ended": ("us-ascii", LONG, "quoted-printable"),
    "a NUL among others": ("utf-8", "Viele Grüße\0\n", "quoted-printable"),
    "a long line": ("us-ascii", f"{LONG}\nshort\n", "quoted-printable"),
    "a NUL": ("us-ascii", "a\0b\n", "quoted-printable"),
    "a charset that nobody knows": ("no-such-thing", "\udcff\udcfe\n", "quoted-printable"),
}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ENCODED)
def test_a_text_that_cannot_travel_as_it_is(name: str, policy: str, told: list[bool]) -> None:
    """Its octets arrive as they were, but that lines end with CRLF."""
    charset, text, encoding = ENCODED[name]
    source = f"{HEADER}Content-Type: text/plain; charset={charset}\n{EIGHT_BIT}{text}".encode(
        errors="surrogateescape"
    )
    octets = written(email.message_from_bytes(source, policy=POLICIES[policy]))
    assert told == [True]
    assert octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= 76
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert octets.count(b"Content-Transfer-Encoding:") == 1
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert parsed["Content-Transfer-Encoding"] == encoding
    arrived: Any = parsed.get_payload(decode=True)
    assert arrived.splitlines(keepends=True) == [
        line.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        for line in text.encode(errors="surrogateescape").splitlines(keepends=True)
    ]
    assert parsed["Subject"] == "x"


@pytest.mark.parametrize("charset", ["utf-16-be", "utf-16-le", "cp500"])
@pytest.mark.parametrize("text", ["中文ਊു中", "hi\nyou\n", "hi\r\nyou"])
def test_a_charset_whose_line_ends_are_others(charset: str, text: str) -> None:
    octets = text.encode(charset, "replace")
    source = f"{HEADER}Content-Type: text/plain; charset={charset}\n{EIGHT_BIT}".encode() + octets
    message = email.message_from_bytes(written(email.message_from_bytes(source)))
    arrived: Any = message.get_payload(decode=True)
    assert arrived == octets


@pytest.mark.parametrize("encoding", ["8BIT", " 7bit "])
def test_the_encoding_may_be_written_in_any_way(encoding: str, told: list[bool]) -> None:
    kind = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n"
    octets = written(email.message_from_bytes(f"{HEADER}{kind}Viele Grüße an alle\n".encode()))
    assert told == [True]
    assert b"Content-Transfer-Encoding: quoted-printable\r\n" in octets


def test_a_body_may_be_a_text_of_another_kind(told: list[bool]) -> None:
    class Safe(str):
        """As templates make them."""

        __slots__ = ()

    message: LegacyMessage[str, str] = LegacyMessage()
    message["From"] = message["To"] = "a@example.org"
    message["Content-Type"] = "application/json"
    message.set_payload(Safe("x\n" * 100_000))
    assert written(message).endswith(b"\r\n\r\n" + b"x\r\n" * 100_000)
    assert told == [True]


def test_a_long_line_where_nothing_says_that_it_is_not_encoded(told: list[bool]) -> None:
    """It is written as it is, and refused by whoever sends it."""
    message = email.message_from_string(f"{HEADER}\n{LONG}\n")
    envelope = Envelope("a@example.org", "b@example.org")
    now = datetime(2024, 2, 29, tzinfo=UTC)
    content: Any = prepare(message, envelope, now=lambda: now, make_id=lambda: "id").content
    assert told == [True]
    assert "longer than 998 octets" in content.not_text


def test_what_is_no_octets_but_looks_like_utf_8_is_not_encoded(told: list[bool]) -> None:
    message: LegacyMessage[str, str] = LegacyMessage()
    message["From"] = message["To"] = "a@example.org"
    message["Content-Type"] = "text/plain; charset=utf-8"
    message["Content-Transfer-Encoding"] = "8bit"
    message.set_payload("Ã¼\n")  # as Latin-1, this is the UTF-8 of another text
    with pytest.raises(InvalidInput):
        written(message)
    assert set(told) <= {False}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [200_000, 131_072, 131_073])
def test_what_is_large_is_written_piece_by_piece(
    end: str, size: int, told: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = f"{'QUJD' * 19}{end}" * (size // 77 + 1)
    body = f"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{lines[:size]}{end}"
    parts = f"Content-Type: multipart/mixed; boundary=cut\n\n--cut\n{body}\n--cut\n{body}--cut--\n"
    message: Any = email.message_from_string(HEADER + parts)
    octets = written(message)
    assert told == [True]
    monkeypatch.setattr(stdlib, "plain_octets", lambda *_: None)
    assert written(message) == octets


def test_a_long_type_is_folded_before_its_boundary() -> None:
    message: LegacyMessage[str, str] = LegacyMessage()
    message["From"] = message["To"] = "a@example.org"
    message["Content-Type"] = f"multipart/x-{'y' * 60};"
    inner: LegacyMessage[str, str] = LegacyMessage()
    inner.set_payload("text")
    message.attach(inner)
    octets = written(message)
    assert f'multipart/x-{"y" * 60};\r\n boundary="=_id'.encode() in octets
    assert b"\r\n\r\ntext\r\n--=_id" in octets


def test_a_multipart_without_anything_is_the_same_each_time(told: list[bool]) -> None:
    message: LegacyMessage[str, str] = LegacyMessage()
    message["From"] = message["To"] = "a@example.org"
    message["Content-Type"] = "multipart/mixed"
    octets = written(message)
    assert octets == written(message)
    assert b'\r\nContent-Type: multipart/mixed; boundary="=_' in octets
    assert told == [False, False]
