"""Messages with files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from hashlib import shake_256
from typing import Final

from ehlo import Attachment, Message
from gallery.basics import ADA, BOB, WHEN
from gallery.images import dot

__all__ = [
    "attachment_only",
    "contact_card",
    "csv_with_umlauts",
    "many_attachments",
    "nasty_file_names",
    "photos_from_a_phone",
    "signature_image_and_attachment",
    "zip_of_25_mib",
]

MIB: Final = 1_048_576
NASTY_NAMES: Final = (
    "../../etc/passwd",
    "C:\\Windows\\system32\\cmd.exe",
    'a "quoted" name; with=parameters.txt',
    "Rechnung Nr. 5 – Müller & Söhne (Köln).pdf",
    "報告書 2026年度 第三四半期 売上高および営業利益の推移について.xlsx",
    "תעודה.docx",
    "👩‍🚀.png",
    "=?utf-8?q?no=5Fword?=.txt",
    "utf-8''100%25.txt",
    "it's; 100% ''sure''.txt",
    ".hidden",
    "no extension",
    "x" * 180 + ".txt",
)


class Octets:
    """Octets that look random, like those of an archive, and are always the same."""

    def __init__(self, size: int, piece: int = 65_536) -> None:
        self.size = size
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        """Make the octets, piece by piece."""
        for start in range(0, self.size, self._piece):
            seed = start.to_bytes(8, "big")
            yield shake_256(seed).digest(min(self._piece, self.size - start))


def csv_with_umlauts() -> Message:
    """A table in a charset of its own; the file arrives as it is, carriage returns included."""
    table = "Größe;Preis\r\n5 m;3,50 €\n".encode("windows-1252")
    return Message(
        from_=ADA,
        to=BOB,
        subject="Tabelle",
        text="Anbei.\n",
        attachments=[
            Attachment(
                table, filename="Preise & Größen.csv", content_type="text/csv; charset=windows-1252"
            )
        ],
        date=WHEN,
        message_id="tabelle@example.org",
    )


def contact_card() -> Message:
    """A card of one's own, as readers attach it."""
    card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Zoë Żak\r\nEMAIL:zoe@example.com\r\nEND:VCARD\r\n"
    return Message(
        from_=ADA,
        to=BOB,
        subject="Zoë's card",
        text="Here it is.\n",
        attachments=[Attachment(card.encode(), filename="Zoë.vcf", content_type="text/vcard")],
        date=WHEN,
        message_id="card@example.org",
    )


def nasty_file_names() -> Message:
    """File names that try to be paths, parameters, encoded words; each arrives as it is."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="Names",
        text="Some names.\n",
        attachments=[
            Attachment(name.encode(), filename=name, content_type="application/octet-stream")
            for name in NASTY_NAMES
        ],
        date=WHEN,
        message_id="names@example.org",
    )


def attachment_only() -> Message:
    """What a scanner sends: a file, and no word."""
    return Message(
        from_="scanner@example.org",
        to=BOB,
        subject="Message from KM_C224e",
        attachments=[Attachment(b"%PDF-1.4\n%%EOF\n", filename="SKM_C224e26112309300.pdf")],
        date=WHEN,
        message_id="scan.1@example.org",
    )


def many_attachments() -> Message:
    """Two hundred small files, an empty one among them."""
    return Message(
        from_=ADA,
        to=BOB,
        subject="All of them",
        text="200 files\n",
        attachments=[
            Attachment(b"\0" * number, filename=f"file-{number}.bin") for number in range(200)
        ],
        date=WHEN,
        message_id="many@example.org",
    )


def photos_from_a_phone() -> Message:
    """Photographs that are read from files while they are sent."""
    photos = (io.BytesIO(b"".join(Octets(size))) for size in (200_000, 131_073))
    return Message(
        from_=ADA,
        to=BOB,
        subject="Holiday 🏖️",
        text="Sent from my phone\n",
        attachments=[
            Attachment(photo, filename=f"IMG_{number}.jpg") for number, photo in enumerate(photos)
        ],
        date=WHEN,
        message_id="photos@example.org",
    )


def signature_image_and_attachment() -> Message:
    """What an office sends: a logo in the signature, and a contract."""
    mark = Attachment(
        dot((0xC0, 0x39, 0x2B)),
        filename="image001.png",
        content_id="image001.png@01DB3D8A.7F3A1B20",
    )
    return Message(
        from_=ADA,
        to=BOB,
        subject="RE: Contract",
        text="Please sign.\n",
        html=f'<p>Please sign.</p>\n<p><img src="{mark.url}" alt=""> Engines Ltd</p>\n',
        inline=[mark],
        attachments=[Attachment(b"PK\x03\x04", filename="Contract (final) v2.docx")],
        date=WHEN,
        message_id="contract@example.org",
    )


def zip_of_25_mib() -> Message:
    """A large archive that is made while it is sent."""
    archive = Octets(25 * MIB)
    return Message(
        from_=ADA,
        to=BOB,
        subject="Backup",
        text="All of it.\n",
        attachments=[
            Attachment(
                archive, filename="backup.zip", content_type="application/zip", size=archive.size
            )
        ],
        date=WHEN,
        message_id="backup@example.org",
    )
