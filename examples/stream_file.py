"""Send a message that is in a file, however large, and watch it go.

Run it with a server's URL and a file: `python stream_file.py smtp://localhost:2525 large.eml`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import ehlo


def show(sent: int, total: int | None) -> None:
    """Draw a bar; the total of a file that can be rewound is known."""
    if total:
        done = 40 * sent // total
        print(f"[{'#' * done}{'.' * (40 - done)}] {sent:,} octets", end="\r")


def main(url: str, path: str) -> None:
    """Send one file; an envelope says from whom to whom, as octets do not."""
    envelope = ehlo.Envelope("ada@example.org", ["bob@example.com"])
    try:
        with Path(path).open("rb") as file:
            receipt = ehlo.blocking.send(file, url, envelope=envelope, progress=show)
    except ehlo.SMTPError as error:
        print(f"\n{error.outcome}: {error}")
        return
    print(f"\naccepted: {receipt.reply}")
    if receipt.timings is not None:
        _, content, reply = receipt.timings
        print(f"the content took {content:.2f} s, the reply to it {reply:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
