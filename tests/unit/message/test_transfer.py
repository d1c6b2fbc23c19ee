"""Bodies as lines of 7-bit octets: `ehlo.message.bodies`."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable

import pytest

from ehlo.line_ends import crlf
from ehlo.message.bodies import base64_lines, base64_size, text_body, why_not_lines

BLOCK = 41_040  # octets encoded at a time
DECODE: dict[str, Callable[[bytes], bytes]] = {
    "7bit": bytes,
    "base64": base64.b64decode,
    "quoted-printable": quopri.decodestring,
}
UUML = "\u00fc"
EMOJI = "\U0001f4e7"
SIZES = [
    *range(5),
    *range(56, 59),
    *range(113, 116),
    *range(BLOCK - 1, BLOCK + 2),
    BLOCK + 57,
    2 * BLOCK - 1,
    2 * BLOCK,
    2 * BLOCK + 1,
]


def octets_of(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + bytes(range(size % 256))


@pytest.mark.parametrize("size", SIZES)
def test_base64_is_that_of_the_standard_library_with_crlf(size: int) -> None:  # H5
    content = octets_of(size)
    encoded = base64_lines(content)
    assert len(encoded) == base64_size(size)
    assert encoded == base64.encodebytes(content).replace(b"\n", b"\r\n")
    assert base64.b64decode(encoded) == content


@pytest.mark.parametrize(
    ("octets", "ended"),
    [
        (b"", b""),
        (b"a", b"a"),
        (b"a\nb\rc\r\nd", b"a\r\nb\r\nc\r\nd"),
        (b"\n\r", b"\r\n\r\n"),
        (b"\r\r\n\n", b"\r\n\r\n\r\n"),
        (b"\x0b\x0c\x1a\x85", b"\x0b\x0c\x1a\x85"),
    ],
)
def test_every_line_end_becomes_crlf(octets: bytes, ended: bytes) -> None:
    assert crlf(octets) == ended
    assert crlf(crlf(octets)) == ended


@pytest.mark.parametrize(
    "octets",
    [b"", b"a\r\n", b"\t\x1a\x7f\r\n", b"x" * 998, b"x" * 998 + b"\r\n" + b"y" * 998],
    ids=len,
)
def test_short_lines_of_ascii_stay_as_they_are(octets: bytes) -> None:
    assert not why_not_lines(octets, eight_bit=False)


@pytest.mark.parametrize(
    ("octets", "eight_bit", "why"),
    [
        (b"\x80", False, "is not ASCII"),
        (b"\x80", True, ""),
        (b"a\0b", False, "holds a NUL"),
        (b"a\0b", True, "holds a NUL"),
        (b"x" * 999, False, "has lines of more than 998 octets"),
        (b"\x80" * 999, True, "has lines of more than 998 octets"),
    ],
)
def test_what_is_no_line_of_text_needs_an_encoding(  # D3
    octets: bytes,
    eight_bit: bool,
    why: str,
) -> None:
    assert why_not_lines(octets, eight_bit=eight_bit) == why


def test_a_text_stays_as_it_is_where_octets_above_127_may_be() -> None:
    assert text_body(f"gr{UUML}n", eight_bit=True) == ("8bit", f"gr{UUML}n\r\n".encode())
    assert text_body("plain", eight_bit=True) == ("7bit", b"plain\r\n")
    assert text_body(UUML * 500, eight_bit=True).encoding == "base64"


# Text, its encoding, what a reader gets.
TEXTS = [
    ("", "7bit", ""),
    ("Plain words.", "7bit", "Plain words.\n"),
    ("one\r\ntwo\rthree\nfour\n", "7bit", "one\ntwo\nthree\nfour\n"),
    (".\r\n..\r\nFrom here\n", "7bit", ".\n..\nFrom here\n"),
    ("a\tb \n", "7bit", "a\tb \n"),
    ("x" * 998, "7bit", "x" * 998 + "\n"),
    ("x" * 999, "quoted-printable", "x" * 999 + "\n"),
    (f"gr{UUML}n und mehr", "quoted-printable", f"gr{UUML}n und mehr\n"),
    (f"blank {UUML} \nand tab\t", "quoted-printable", f"blank {UUML} \nand tab\t\n"),
    (f"{UUML * 3}=20\n", "base64", f"{UUML * 3}=20\n"),
    (f"{UUML}{'word ' * 40}\n.\nFrom me\n", "quoted-printable", None),
    (UUML * 200, "base64", UUML * 200 + "\n"),
    (EMOJI * 50, "base64", EMOJI * 50 + "\n"),
    ("\u2028\x85\x0b\x0c" * 9, "base64", "\u2028\x85\x0b\x0c" * 9 + "\n"),
]


@pytest.mark.parametrize(("text", "encoding", "read"), TEXTS)
def test_a_text_gets_the_encoding_that_suits_it(  # D3 D4
    text: str, encoding: str, read: str | None
) -> None:
    body = text_body(text)
    octets = body.octets
    assert body.encoding == encoding
    assert octets.isascii()
    assert not octets or octets.endswith(b"\r\n")
    assert max(map(len, octets.split(b"\r\n"))) <= (998 if encoding == "7bit" else 76)
    assert b"\r" not in octets.replace(b"\r\n", b"")
    assert b"\n" not in octets.replace(b"\r\n", b"")
    decoded = DECODE[encoding](octets).replace(b"\r\n", b"\n").decode()
    assert decoded == (text if read is None else read)


@pytest.mark.parametrize("end", ["", " ", "\t", "  ", "\t ", UUML, "=", "."])
def test_no_quoted_printable_line_is_longer_than_76(end: str) -> None:
    text = "".join(f"{UUML}\n{'x' * length}{end}\n" for length in range(65, 155))
    body = text_body(text)
    octets = body.octets
    assert body.encoding == "quoted-printable"
    lines = octets.split(b"\r\n")
    assert max(map(len, lines)) <= 76
    assert not any(line.endswith((b" ", b"\t")) for line in lines)
    assert quopri.decodestring(octets).decode().replace("\r\n", "\n") == text


@pytest.mark.parametrize("odd", range(0, 120, 7))
def test_the_smaller_encoding_is_chosen(odd: int) -> None:
    text = "word" * ((120 - odd) // 2) + UUML * odd + "\n"
    body = text_body(text)
    octets = crlf(text.encode())
    size = len(body.octets)
    other = len(base64_lines(octets))
    if body.encoding == "base64":
        assert size == other
    elif body.encoding == "quoted-printable":
        assert size <= other
