"""What messages with files look like."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ehlo.commands import Body
from gallery import files
from gallery.basics import make_id
from gallery.showing import contents, tree
from support.reader import PerlReader, read_by_email


def test_csv_with_umlauts() -> None:
    message = files.csv_with_umlauts()
    assert tree(message) == "multipart/mixed\n  text/plain 7bit\n  text/csv base64 attachment\n"
    assert contents(message, "text/csv") == [b"Gr\xf6\xdfe;Preis\r\n5 m;3,50 \x80\n"]
    assert b"Content-Type: text/csv; charset=windows-1252" in message.as_bytes(make_id=make_id)


def test_contact_card() -> None:
    message = files.contact_card()
    octets = message.as_bytes(make_id=make_id)
    assert b"""filename*=utf-8''Zo%C3%AB.vcf""" in octets
    assert tree(message) == "multipart/mixed\n  text/plain 7bit\n  text/vcard base64 attachment\n"


def test_nasty_file_names(perl_reader: PerlReader) -> None:
    octets = files.nasty_file_names().as_bytes(make_id=make_id)
    for reading in (read_by_email(octets), perl_reader.read(octets)):
        assert tuple(leaf.filename for leaf in reading.leaves[1:]) == files.NASTY_NAMES
        assert [leaf.octets.decode() for leaf in reading.leaves[1:]] == [*files.NASTY_NAMES]


def test_attachment_only() -> None:
    """An empty text stands before it: some readers show the first part, whatever it is."""
    assert tree(files.attachment_only()) == (
        "multipart/mixed\n  text/plain 7bit\n  application/pdf base64 attachment\n"
    )


def test_many_attachments() -> None:
    message = files.many_attachments()
    assert contents(message, "application/octet-stream") == [b"\0" * size for size in range(200)]


def test_photos_from_a_phone() -> None:
    message = files.photos_from_a_phone()
    found = contents(message, "image/jpeg")
    assert found == [b"".join(files.Octets(size)) for size in (200_000, 131_073)]
    assert tree(message, Body.BINARY_MIME) == (
        "multipart/mixed binary\n"
        "  text/plain 7bit\n"
        "  image/jpeg binary attachment\n"
        "  image/jpeg binary attachment\n"
    )


def test_signature_image_and_attachment() -> None:
    assert tree(files.signature_image_and_attachment()) == (
        "multipart/mixed\n"
        "  multipart/alternative\n"
        "    text/plain 7bit\n"
        "    multipart/related\n"
        "      text/html 7bit\n"
        "      image/png base64 inline\n"
        "  application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        " base64 attachment\n"
    )


@pytest.mark.slow
def test_zip_of_25_mib() -> None:
    message = files.zip_of_25_mib()
    archive = sha256()
    for piece in files.Octets(25 * files.MIB):
        archive.update(piece)
    [found] = contents(message, "application/zip")
    assert sha256(found).digest() == archive.digest()
