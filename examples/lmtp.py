"""Deliver one mail to mailboxes by LMTP: every recipient has an answer of its own.

Run it with a server's URL: `python lmtp.py lmtp+unix:///run/dovecot/lmtp`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import Mapping


def main(url: str) -> None:
    """Deliver to whoever takes it; say what to do about the others."""
    refused: Mapping[ehlo.Address, ehlo.Reply]
    message = ehlo.Message(
        from_="ada@example.org",
        to=["bob@example.com", "full@example.com", "nobody@example.com"],
        subject="Notes on the engine",
        text="The engine weaves algebraic patterns.\n",
    )
    try:
        receipt = ehlo.blocking.send(message, url, on_refusal="deliver")
    except ehlo.RecipientsRefused as error:
        refused = error.refused  # all of them
    except ehlo.DeliveryUnknown as error:
        print(f"has it: {', '.join(map(str, error.delivered)) or 'nobody for certain'}")
        refused = error.refused
        print("the connection broke; whoever is not named here may have it or not")
    else:
        refused = receipt.refused
        for recipient in receipt.accepted:
            print(f"{recipient}: {receipt.replies[recipient]}")
    for recipient, reply in refused.items():
        print(f"{recipient}: {'try again later' if reply.is_temporary else 'bounce'}, {reply}")


if __name__ == "__main__":
    main(sys.argv[1])
