"""What the reference says in tables about messages is what `Message` writes."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ehlo import Alternative, Attachment, Calendar, InvalidInput, Message

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "messages.md"
INVITATION = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
LETTER = b"Subject: Hi\r\n\r\nHello.\r\n"


@cache
def tables() -> dict[str, list[list[str]]]:
    """Return the rows of all tables, by the first two cells of their heads."""
    found: dict[str, list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        )
        found[f"{head[0]} | {head[1]}"] = rows
    return found


def code(cell: str) -> list[str]:
    """Return what stands in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def written(**parts: Any) -> bytes:
    form = {name: parts.pop(name) for name in ("transfer", "smtputf8") if name in parts}
    message = Message(from_="ada@example.org", **parts)
    return message.as_bytes(now=datetime(2026, 1, 1, tzinfo=UTC), make_id=lambda: "id", **form)


def read(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=policy.SMTPUTF8)


# -- The tree --------------------------------------------------------------------------------------

PARTS: dict[str, Any] = {
    "text": "Hello.",
    "html": "<p>Hello.</p>",
    "inline": [Attachment(b"1", content_id="logo", content_type="image/png")],
    "alternatives": [Alternative("*Hello.*", content_type="text/markdown")],
    "calendar": Calendar(INVITATION),
}
NAMES = {
    "text/plain": "text",
    "text/html": "html",
    "image/png": "inline",
    "text/markdown": "alternatives",
    "text/calendar": "calendar",
    "application/pdf": "attachments",
    "application/ics": "file",
}
PDF = Attachment(b"2", content_type="application/pdf")


def tree(part: Any) -> str:
    """Draw a tree of parts as the page does."""
    if not part.is_multipart():
        return NAMES[part.get_content_type()]
    children = ", ".join(map(tree, part.iter_parts()))
    return f"{part.get_content_subtype()}({children})"


def trees() -> dict[frozenset[str], str]:
    return {frozenset(code(row[0])): code(row[1])[0] for row in tables()["Given | Tree"]}


@pytest.mark.parametrize(("names", "drawn"), trees().items(), ids=lambda value: str(set(value)))
def test_the_tree_of_every_row_is_the_one_that_is_built(names: frozenset[str], drawn: str) -> None:
    parts = {name: PARTS[name] for name in names}
    assert tree(read(written(**parts))) == drawn
    with_files = drawn if drawn.startswith("mixed(") else f"mixed({drawn})"
    at = with_files.index(", file") if "calendar" in names else -1
    expected = f"{with_files[:at]}, attachments, attachments{with_files[at:]}"
    assert tree(read(written(**parts, attachments=[PDF, PDF]))) == expected
    if "calendar" in names:
        parts["calendar"] = Calendar(INVITATION, filename=None)
        without = drawn.removeprefix("mixed(").removesuffix(", file)")
        assert tree(read(written(**parts))) == without


def test_every_combination_has_a_row() -> None:
    subsets = itertools.chain.from_iterable(
        itertools.combinations(PARTS, number) for number in range(len(PARTS) + 1)
    )
    possible = {frozenset(names) for names in subsets if "inline" not in names or "html" in names}
    assert set(trees()) == possible


def test_inline_parts_without_html_are_refused() -> None:
    with pytest.raises(InvalidInput):
        written(inline=PARTS["inline"])


# -- Transfer encodings ----------------------------------------------------------------------------

SAMPLES: dict[str, dict[str, Any]] = {
    "text in ASCII": {"text": "Hello."},
    "text with few characters beyond ASCII": {"text": "Grüße aus dem Norden, wo es schön ist."},
    "text with many of them, shorter in base64": {"text": "こんにちは"},
    "text in ASCII with a line of more than 998 octets": {"text": "x" * 999},
    "attachment or inline part": {"attachments": [Attachment(b"3")]},
    "attached message in ASCII": {
        "attachments": [Attachment(LETTER, content_type="message/rfc822")]
    },
    "attached message beyond ASCII": {
        "attachments": [Attachment(LETTER + "ß".encode(), content_type="message/rfc822")]
    },
    "invitation as a file": {"calendar": PARTS["calendar"]},
}


def encoding(parts: dict[str, Any], body: str) -> str:
    """Return the encoding of the last part, as the page says it."""
    try:
        octets = written(**parts, transfer=body)
    except InvalidInput:
        return "not possible"
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    last: Any = read(octets)
    while last.get_content_maintype() == "multipart":
        *_, last = last.iter_parts()
    return str(last["Content-Transfer-Encoding"])


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_encodings_of_every_row_are_those_that_are_chosen(kind: str) -> None:
    rows = {name: encodings for name, *encodings in tables()["Part | `7BIT`"]}
    assert set(rows) == set(SAMPLES)
    bodies = ("7BIT", "8BITMIME", "BINARYMIME")
    assert [encoding(SAMPLES[kind], body) for body in bodies] == [
        cell.strip("`") for cell in rows[kind]
    ]


def test_a_multipart_names_the_encoding_of_what_is_in_it() -> None:
    parts = {"text": "Grüße", "attachments": [Attachment(b"4")]}
    found = [
        read(written(**parts, transfer=body))["Content-Transfer-Encoding"]
        for body in ("7BIT", "8BITMIME", "BINARYMIME")
    ]
    assert found == [None, "8bit", "binary"]


# -- The header ------------------------------------------------------------------------------------


def header(*, smtputf8: bool, to: str = "bob@bücher.example") -> str:
    file = Attachment(b"5", filename="été.txt")
    octets = written(to=to, subject="Grüße", attachments=[file], smtputf8=smtputf8)
    return octets.decode()


def test_the_header_has_the_forms_that_the_table_shows() -> None:
    plain, international = header(smtputf8=False), header(smtputf8=True)
    for _, usually, with_smtputf8 in tables()[" | Usually"]:
        if usually.startswith("not possible"):
            continue
        form = code(usually)[0]
        assert form in plain
        assert (form in international) == (with_smtputf8 == "the same")
    assert "Grüße" in international
    assert "bob@bücher.example" in international


def test_a_local_part_beyond_ascii_has_one_form_alone() -> None:
    with pytest.raises(InvalidInput, match="SMTPUTF8"):
        header(smtputf8=False, to="søren@example.com")
    assert "søren@example.com" in header(smtputf8=True, to="søren@example.com")


def test_fields_of_each_kind_are_written_by_its_rules() -> None:
    kinds = {
        row[1]: re.sub(r"`List-` fields", "List-Help", row[0])
        for row in tables()["Field | Written as"]
    }
    for name in kinds["mailboxes"].split(", "):
        assert (
            "=?utf-8?b?w6k=?= <a@b.example>" in written(headers={name: "é <a@b.example>"}).decode()
        )
        with pytest.raises(InvalidInput):
            written(headers={name: "nobody"})
    literal = next(names for rule, names in kinds.items() if rule.startswith("ASCII words"))
    for name in literal.split(", "):
        with pytest.raises(InvalidInput):
            written(headers={name: "é"})
        assert f"{name}: =?utf-8?q?a?=" in written(headers={name: "=?utf-8?q?a?="}).decode()
    refused = next(names for rule, names in kinds.items() if rule.startswith("refused"))
    *names, prefixes = refused.split(", ")
    for name in [*names, *(f"{prefix}Language" for prefix in code(prefixes))]:
        with pytest.raises(InvalidInput, match="none that can be added"):
            written(headers={name: "a@b.example"})


# -- Attachments -----------------------------------------------------------------------------------


class Pipe:
    """A file that cannot be rewound."""

    def __init__(self, octets: bytes) -> None:
        self._file = BytesIO(octets)

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)


def test_attachments_are_read_when_the_table_says(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rows = {row[0].replace("`", ""): row[1:] for row in tables()["Given | Read"]}
    path, small = tmp_path / "large", tmp_path / "small"
    path.write_bytes(b"6" * 131_073)
    small.write_bytes(b"7" * 131_072)
    opened = path.open("rb")
    request.addfinalizer(opened.close)
    samples: dict[str, list[Any]] = {
        "bytes, bytearray, memoryview": [b"8", bytearray(b"8"), memoryview(b"8")],
        "a path, a file that can be rewound: up to 131,072 octets; a file in memory": [
            *(small, BytesIO(b"9"), BytesIO(b"9" * 200_000)),
        ],
        "a path: more": [path],
        "a file that can be rewound: more": [opened],
        "a pipe, a socket's file": [Pipe(b"11")],
        "an iterable that is no iterator (a list, an object with __iter__)": [[b"12"]],
        "an iterator, a generator": [iter([b"13"])],
    }
    assert set(samples) == set(rows) - {"an async iterable", "attached messages"}
    for kind, contents in samples.items():
        read_when, size, again = rows[kind]
        for content in contents:
            attachment = Attachment(content)
            assert (attachment.content is None) == read_when.startswith("while it is sent")
            assert (attachment.size is None) == size.startswith("`size=`")
            first = written(attachments=[attachment])
            if again == "yes":
                assert written(attachments=[attachment]) == first
                continue
            with pytest.raises(InvalidInput, match="only once"):
                written(attachments=[attachment])
