"""Send a newsletter over as few connections as it takes, and keep account of every message.

Run it with a server's URL and, for a server that you know, a level of pipelining:
`python send_many_blocking.py smtp://localhost:2525 continuous`.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import Iterator


def sort_out(texts: list[str]) -> Iterator[ehlo.Address]:
    """Tell addresses from what is none, before anything is sent.

    Whatever a source of messages raises ends the loop, and a message with a wrong address raises.
    """
    for text in texts:
        try:
            yield ehlo.Address(text)
        except ehlo.InvalidAddress as error:
            print(f"left out: {error}")


def letters(recipients: list[ehlo.Address]) -> Iterator[ehlo.Message]:
    """Make one message for each recipient, no earlier than it is sent."""
    for recipient in recipients:
        yield ehlo.Message(
            from_="News <news@example.org>",
            to=[recipient],
            subject="News",
            text="There is some.\n",
        )


def became(result: ehlo.Result) -> str:
    """Say what became of one message, as a program would note it."""
    error = result.error
    if error is None:
        return "accepted"
    if error.outcome is ehlo.Outcome.UNKNOWN:
        return "unknown"  # may be out: never to be repeated without a thought
    return "later" if error.retry_safe else "failed"


def send_all(texts: list[str], url: str, pipelining: str) -> Counter[str]:
    """Send to all; return how many fared how."""
    recipients = list(sort_out(texts))
    counted: Counter[str] = Counter()
    try:
        for result in ehlo.blocking.send_many(letters(recipients), url, pipelining=pipelining):
            note = became(result)
            counted[note] += 1
            if note != "accepted":
                print(f"{recipients[result.index]}: {note}, {result.error}")
    except ehlo.SMTPError as error:
        print(f"no connection, the rest was not begun: {error}")
        counted["not begun"] = len(recipients) - counted.total()
    counted["no address"] = len(texts) - len(recipients)
    return +counted  # without what there was none of


def main(url: str, pipelining: str = "transaction") -> None:
    """Send to ten readers and one who does not exist."""
    recipients = [f"reader{number}@example.com" for number in range(10)]
    recipients.insert(5, "nobody@example.com")
    for note, number in sorted(send_all(recipients, url, pipelining).items()):
        print(f"{note}: {number}")


if __name__ == "__main__":
    main(*sys.argv[1:])
