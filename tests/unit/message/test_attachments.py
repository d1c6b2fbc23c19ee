from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_string, policy
from email.message import Message as LegacyMessage
from email.utils import unquote
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ehlo import Attachment, InvalidInput, Message
from ehlo.message.parameters import attachment_fields
from support.pickling import unpickled

DATE = datetime(2024, 2, 29, tzinfo=UTC)


def fields_of(attachment: Attachment) -> str:
    fields = attachment_fields(attachment, "base64", "attachment")
    assert fields.isascii()
    assert all(len(line) <= 78 for line in fields.split("\r\n"))
    return fields


def read(fields: str, reader: Any = policy.default) -> LegacyMessage[Any, Any]:
    return message_from_string(fields + "\r\n", policy=reader)


def test_a_plain_name_is_quoted() -> None:
    assert fields_of(Attachment(b"x", filename="my report.pdf")) == (
        'Content-Type: application/pdf; name="my report.pdf"\r\n'
        'Content-Disposition: attachment; filename="my report.pdf"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
    )


def test_another_name_is_encoded_with_a_plain_one_beside_it() -> None:
    assert fields_of(Attachment(b"x", filename="Übersicht.pdf")) == (
        'Content-Type: application/pdf; name="Ubersicht.pdf"\r\n'
        "Content-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht.pdf\r\n"
        "Content-Transfer-Encoding: base64\r\n"
    )


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
    min_size=1,
    max_size=300,
).filter(str.strip)


@given(
    st.one_of(
        NAMES,
        st.text("ab \"\\%'*;=?.()", min_size=1).filter(str.strip),
        st.just("=?utf-8?q?a=22;b?="),
    ),
    st.sampled_from([policy.default, policy.compat32]),
)
@example('""', policy.default)
@example('"" ', policy.default)
@example('"a"', policy.compat32)
def test_both_readers_find_the_name(name: str, reader: Any) -> None:  # H5
    fields = fields_of(Attachment(b"x", filename=name, content_type="a/b"))
    # The modern reader takes off quotes, and angle brackets, that are part of the name.
    expected = name.strip() if reader is policy.compat32 else unquote(name).strip()
    assert read(fields, reader).get_filename() == expected
    assert len(read(fields).keys()) == 3


def test_a_long_fallback_keeps_both_its_ends() -> None:
    fields = read(fields_of(Attachment(b"", filename="a" * 100 + ".txt")))
    assert fields.get_param("name") == "a" * 56 + ".txt"


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a.pdf", "application/pdf"),
        ("a.PNG", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("data:text/html,x.png", "image/png"),
        ("note.eml", "message/rfc822"),
    ],
)
def test_the_media_type_is_guessed_from_the_name(filename: str, content_type: str) -> None:
    assert Attachment(b"", filename=filename).content_type == content_type


def test_a_saved_message_that_is_not_seven_bit_is_sent_as_octets() -> None:
    attachment = Attachment("Subject: ü\n\n".encode(), filename="note.eml")
    assert attachment.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("content_type", "written"),
    [
        ("text/csv; charset=latin-1", "text/csv; charset=latin-1;"),
        ('a/b ;x="y; \\"z" ; n=m', 'a/b; x="y; \\"z"; n=m;'),
        ("a/b; NAME=other", "a/b;"),
    ],
)
def test_parameters_of_the_media_type_are_kept(content_type: str, written: str) -> None:
    fields = fields_of(Attachment(b"\xff", filename="n", content_type=content_type))
    assert fields.startswith(f'Content-Type: {written} name="n"\r\n')


@pytest.mark.parametrize(
    ("content", "charset"), [(b"a", None), ("ä".encode(), "utf-8"), (b"\xe4", None)]
)
def test_a_text_that_is_utf_8_says_so(content: bytes, charset: str | None) -> None:
    fields = read(fields_of(Attachment(content, filename="a.txt")))
    assert fields.get_content_charset() == charset


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"filename": ""}, "empty"),
        ({"filename": "  "}, "empty"),
        ({"content_type": ""}, "not a media type"),
        ({"content_type": "text"}, "not a media type"),
        ({"content_type": "text/plain; charset"}, "not a media type"),
        ({"content_type": "text/plain; a=b c"}, "not a media type"),
        ({"content_type": 'text/plain; a="b'}, "not a media type"),
        ({"content_type": "text/pläin"}, "not a media type"),
        ({"content_type": "a/" + "b" * 500}, "not a media type"),
        ({"content_type": "Multipart/mixed"}, "an attachment is one part"),
        ({"content_type": "message/delivery-status"}, "may not be encoded"),
    ],
    ids=str,
)
def test_what_is_no_attachment_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        Attachment(b"\xff", **{"filename": "a", **arguments})


@pytest.mark.parametrize(
    "arguments", [{"content": "text"}, {"filename": Path("a")}, {"content_type": b"a/b"}], ids=str
)
def test_other_types_are_type_errors(arguments: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"content": b"", "filename": "a", **arguments}
    with pytest.raises(TypeError):
        Attachment(whole.pop("content"), **whole)


def test_a_file_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "täst.png"
    path.write_bytes(b"png")
    attachment = Attachment.from_path(path)
    path.unlink()
    assert attachment == Attachment(b"png", filename="täst.png", content_type="image/png")
    with pytest.raises(FileNotFoundError):
        Attachment.from_path(str(path))


def test_a_file_can_be_given_another_name_and_type(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    attachment = Attachment.from_path(str(path), filename="a.txt", content_type="a/b")
    assert (attachment.filename, attachment.content_type) == ("a.txt", "a/b")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_attachments_are_values_and_show_no_content(kind: Any) -> None:
    attachment = Attachment(kind(b"abc"), filename="a.pdf")
    assert attachment == unpickled(attachment)
    assert repr(attachment) == (
        "Attachment(<3 octets>, filename='a.pdf', content_type='application/pdf')"
    )


def test_a_message_is_attached_as_it_is() -> None:  # H5
    attachment = Attachment(b"Subject: a\n\nb\n", filename="a.eml")
    message = Message(from_="a@b.c", attachments=[attachment], date=DATE, message_id="1@b.c")
    octets = message.as_bytes(make_id=lambda: "id")
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\nSubject: a\r\n\r\nb\r\n\r\n--" in octets
