"""The tree of parts of a message: which there is, what it needs, and how it is parted."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any, TypeAlias

import pytest

from ehlo import Alternative, Attachment, Calendar, InvalidInput, Message
from ehlo.commands import Body
from ehlo.message.bodies import BASE64_BLOCK
from ehlo.message.feeds import Feed
from ehlo.message.parts import Part, message_body
from support.structure import check

Tree: TypeAlias = "str | tuple[str, list[Tree]]"

NOW = datetime(2024, 2, 29, tzinfo=UTC)
ICS = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n"
PARTS: dict[str, dict[str, Any]] = {
    "text": {"text": "plain"},
    "html": {"html": "<p>rich"},
    "alternatives": {"alternatives": [Alternative("# m", content_type="text/markdown")]},
    "inline": {"inline": [Attachment(b"i", content_id="i@x", content_type="image/png")]},
    "calendar": {"calendar": Calendar(ICS)},
    "attachments": {"attachments": [Attachment(b"a", content_type="a/b")]},
}
COMBINATIONS = [
    frozenset(names)
    for length in range(len(PARTS) + 1)
    for names in itertools.combinations(PARTS, length)
    if "inline" not in names or "html" in names
]


def joined(kind: str, children: list[Tree]) -> list[Tree]:
    return children if len(children) == 1 else [(f"multipart/{kind}", children)]


def expected(names: frozenset[str]) -> Tree:
    """Return the tree that the module's docstring describes."""

    def leaf(name: str, kind: str) -> list[Tree]:
        return [kind] if name in names else []

    html = leaf("html", "text/html")
    texts = [
        *leaf("text", "text/plain"),
        *leaf("alternatives", "text/markdown"),
        *(joined("related", [*html, *leaf("inline", "image/png")]) if html else []),
        *leaf("calendar", "text/calendar"),
    ]
    files = [*leaf("attachments", "a/b"), *leaf("calendar", "application/ics")]
    (whole,) = joined("mixed", [*joined("alternative", texts or ["text/plain"]), *files])
    return whole


def found(part: Any) -> Tree:
    kind = str(part.get_content_type())
    return (kind, [found(it) for it in part.get_payload()]) if part.is_multipart() else kind


def body(message: Message, allowed: Body = Body.SEVEN_BIT, identifier: str = "id") -> Part:
    return message_body(message, allowed, lambda: identifier)


def octets_of(part: Part) -> bytes:
    return b"".join(chunk if isinstance(chunk, bytes) else b"".join(chunk) for chunk in part.chunks)


def read(part: Part) -> Any:
    return message_from_bytes(part.fields.encode() + b"\r\n" + octets_of(part))


@pytest.mark.parametrize("names", COMBINATIONS, ids=lambda names: "+".join(sorted(names)) or "none")
def test_every_combination_makes_the_tree_that_is_described(names: frozenset[str]) -> None:
    arguments: dict[str, Any] = {}
    for name in names:
        arguments |= PARTS[name]
    message = Message(from_="a@b.org", **arguments)
    for allowed in Body:
        assert found(read(body(message, allowed))) == expected(names)
    complete = message.replace(message_id="1@b.org")
    check(complete.as_bytes(now=NOW, make_id=lambda: "id"))


def test_an_invitation_may_go_without_a_file() -> None:
    message = Message(from_="a@b.org", text="x", calendar=Calendar(ICS, filename=None))
    assert found(read(body(message))) == ("multipart/alternative", ["text/plain", "text/calendar"])


def test_the_file_of_an_invitation_is_the_last_and_the_same() -> None:
    message = Message(from_="a@b.org", calendar=Calendar(ICS), attachments=Attachment(b"a"))
    _, _, file = read(body(message)).get_payload()
    assert file.get_payload(decode=True) == ICS.replace("\n", "\r\n").encode()
    assert file.get_filename() == "invite.ics"


def test_html_with_images_names_its_root() -> None:
    message = Message(from_="a@b.org", **PARTS["html"], **PARTS["inline"])
    part = body(message)
    assert part.fields == (
        'Content-Type: multipart/related; type="text/html"; boundary="=_1_id"\r\n'
    )
    _, image = read(part).get_payload()
    assert image["Content-ID"] == "<i@x>"
    assert image.get_content_disposition() == "inline"


# --- transfer encodings ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "html", "attached", "allowed", "needed"),
    [
        ("a", "b", b"\xff", Body.SEVEN_BIT, Body.SEVEN_BIT),
        ("ü", "b", b"\xff", Body.SEVEN_BIT, Body.SEVEN_BIT),
        ("a", "b", b"\xff", Body.EIGHT_BIT_MIME, Body.SEVEN_BIT),
        ("ü", "b", b"\xff", Body.EIGHT_BIT_MIME, Body.EIGHT_BIT_MIME),
        ("a", "ü", b"a", Body.EIGHT_BIT_MIME, Body.EIGHT_BIT_MIME),
        ("ü" * 998, "b", b"a", Body.EIGHT_BIT_MIME, Body.SEVEN_BIT),
        ("a", "b", b"a", Body.BINARY_MIME, Body.BINARY_MIME),
        ("ü", "b", b"\0", Body.BINARY_MIME, Body.BINARY_MIME),
    ],
)
def test_multiparts_say_the_most_that_is_in_them(
    text: str, html: str, attached: bytes, allowed: Body, needed: Body
) -> None:
    message = Message(from_="a@b.org", text=text, html=html, attachments=[Attachment(attached)])
    part = body(message, allowed)
    assert part.body is needed
    names = {Body.SEVEN_BIT: "7bit", Body.EIGHT_BIT_MIME: "8bit", Body.BINARY_MIME: "binary"}
    whole = read(part)
    assert whole.get("Content-Transfer-Encoding", "7bit") == names[needed]
    texts, file = whole.get_payload()
    # the inner one says what is in it, whatever stands beside it (RFC 2045 section 6.4)
    inner = {it["Content-Transfer-Encoding"] for it in texts.get_payload()}
    assert texts.get("Content-Transfer-Encoding", "7bit") == ("8bit" if "8bit" in inner else "7bit")
    as_they_are = [text.encode(), html.encode(), attached]
    is_ascii = needed is Body.SEVEN_BIT or all(octets.isascii() for octets in as_they_are)
    assert octets_of(part).isascii() is is_ascii
    assert file["Content-Transfer-Encoding"] == (
        "binary" if allowed is Body.BINARY_MIME else "base64"
    )


@pytest.mark.parametrize("length", [BASE64_BLOCK, BASE64_BLOCK + 1])
@pytest.mark.parametrize("allowed", [Body.SEVEN_BIT, Body.BINARY_MIME])
def test_attachments_in_memory_arrive_as_they_are(length: int, allowed: Body) -> None:
    octets = (bytes(range(256)) * 400)[:length]
    part = body(Message(from_="a@b.org", attachments=[Attachment(octets)]), allowed)
    chunks = part.chunks
    is_fed = any(isinstance(chunk, Feed) for chunk in chunks)
    assert is_fed is (length > BASE64_BLOCK and allowed is Body.SEVEN_BIT)
    header = part.fields.encode()
    assert (octets in header + octets_of(part)) is (allowed is Body.BINARY_MIME)
    if allowed is Body.SEVEN_BIT:
        assert read(part).get_payload()[1].get_payload(decode=True) == octets


def test_what_is_read_while_it_is_sent_is_fed() -> None:
    for allowed, encoding in ((Body.SEVEN_BIT, b"YWI=\r\n"), (Body.BINARY_MIME, b"ab")):
        part = body(Message(from_="a@b.org", attachments=Attachment([b"a", b"b"])), allowed)
        assert [b"".join(it) for it in part.chunks if isinstance(it, Feed)] == [encoding]


def test_an_attached_message_is_never_encoded() -> None:
    letter = Attachment(b"Subject: a\n\nb\n", content_type="message/rfc822")
    for allowed in Body:
        attached = read(body(Message(from_="a@b.org", attachments=letter), allowed)).get_payload()[
            1
        ]
        assert attached["Content-Transfer-Encoding"] == "7bit"
        assert attached.get_payload(0)["Subject"] == "a"
    letter = Attachment("Subject: a\n\nü\n".encode(), content_type="message/rfc822")
    message = Message(from_="a@b.org", attachments=letter)
    assert body(message, Body.EIGHT_BIT_MIME).body is Body.EIGHT_BIT_MIME
    assert body(message, Body.BINARY_MIME).body is Body.EIGHT_BIT_MIME
    with pytest.raises(InvalidInput, match="message/rfc822 holds octets above 127"):
        body(message)


# --- boundaries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "--=_1_id\n--=_3_id--"},
        {"text": "x", "html": "--=_1_id and --=_3_id"},
        {"text": "x", "attachments": Attachment(b"--=_1_id\n\n--=_3_idx", filename="a.eml")},
        {"text": "x", "alternatives": Alternative("--=_1_id--=_3_id", content_type="text/x")},
        {"text": "x", "calendar": Calendar(ICS + "X-A:\n--=_1_id\n--=_3_id\n")},
    ],
    ids=["text", "html", "attached message", "alternative", "calendar"],
)
def test_a_boundary_is_in_no_part(arguments: dict[str, Any]) -> None:
    others: dict[str, Any] = {"html": "h", "attachments": Attachment(b"a")}
    part = body(Message(from_="a@b.org", **{**others, **arguments}), Body.BINARY_MIME)
    octets = part.fields.encode() + octets_of(part)
    assert b'boundary="=_2_id"' in octets
    assert b'boundary="=_4_id"' in octets
    assert b'boundary="=_1_id"' not in octets
    assert b'boundary="=_3_id"' not in octets


def test_an_attached_message_of_ours_has_other_boundaries() -> None:
    inner = Message(from_="a@b.org", text="a", html="b", message_id="1@b", date=NOW)
    octets = inner.as_bytes(make_id=lambda: "id")
    outer = body(
        Message(from_="a@b.org", text="c", attachments=Attachment(octets, filename="a.eml"))
    )
    text, attached = read(outer).get_payload()
    assert text.get_payload(decode=True) == b"c\r\n"
    assert attached.get_payload(0).as_bytes().replace(b"\n", b"\r\n") == octets


def test_boundaries_are_made_once_and_only_if_there_are_any() -> None:
    def never() -> str:
        raise AssertionError

    message_body(Message(from_="a@b.org", text="x"), Body.SEVEN_BIT, never)
    message_body(
        Message(from_="a@b.org", alternatives=Alternative("x", content_type="text/x")),
        Body.SEVEN_BIT,
        never,
    )
    asked: list[int] = []

    def once() -> str:
        asked.append(1)
        return "id"

    arguments: dict[str, Any] = {}
    for each in PARTS.values():
        arguments |= each
    message_body(Message(from_="a@b.org", **arguments), Body.SEVEN_BIT, once)
    assert asked == [1]


def test_no_boundary_begins_another() -> None:
    texts = "".join(f"--=_{number}_id\n" for number in range(1, 10))
    message = Message(from_="a@b.org", text=texts, html="x", attachments=Attachment(b"a"))
    part = body(message)
    octets = part.fields.encode() + octets_of(part)
    assert b'"=_10_id"' in octets
    assert b'"=_11_id"' in octets
    assert found(read(part)) == (
        "multipart/mixed",
        [("multipart/alternative", ["text/plain", "text/html"]), "application/octet-stream"],
    )
