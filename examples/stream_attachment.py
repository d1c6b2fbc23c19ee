"""Send an attachment that is made, and compressed, while it is sent: in flat memory.

Run it with a server's URL: `python stream_attachment.py smtp://localhost:2525`.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GZIP = 16 + zlib.MAX_WBITS  # as the format of the compressor


async def measurements(days: int) -> AsyncIterator[bytes]:
    """Stand for a database, or for another server: rows that have to be awaited."""
    yield b"day,mails\n"
    for day in range(days):
        await asyncio.sleep(0)
        yield b"%d,%d\n" % (day, day * day % 1009)


async def compressed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress pieces as they come."""
    compressor = zlib.compressobj(wbits=GZIP)
    async for piece in pieces:
        if octets := compressor.compress(piece):
            yield octets
    yield compressor.flush()


async def send_report(url: str, days: int) -> None:
    """Send all days to one reader; nobody knows how large it becomes."""
    report = ehlo.Attachment(
        compressed(measurements(days)),
        filename="measurements.csv.gz",
        content_type="application/gzip",
    )
    message = ehlo.Message(
        from_="Reports <reports@example.org>",
        to="bob@example.com",
        subject="All measurements",
        text="They are attached.\n",
        attachments=[report],
    )
    try:
        receipt = await ehlo.asyncio.send(message, url, progress=show)
    except ehlo.SMTPError as error:
        print(f"\n{error.outcome}: {error}")  # an iterator is read once: make it anew to try again
        return
    print(f"\naccepted: {receipt.reply}")


def show(sent: int, total: int | None) -> None:
    """Tell how far it is."""
    print(f"{sent:,} of {'?' if total is None else f'{total:,}'} octets", end="\r")


def main(url: str, days: str = "100000") -> None:
    """Send a report."""
    asyncio.run(send_report(url, int(days)))


if __name__ == "__main__":
    main(*sys.argv[1:])
