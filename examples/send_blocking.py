"""Send one mail with plain sockets, and tell what became of it.

Run it with a server's URL: `python send_blocking.py smtp+starttls://user:secret@smtp.example.com`.
"""

from __future__ import annotations

import sys

import ehlo


def main(url: str) -> None:
    """Send one mail."""
    message = ehlo.Message(
        from_="Ada Lovelace <ada@example.org>",
        to=["Bob <bob@example.com>"],
        subject="Notes on the engine",
        text="The engine weaves algebraic patterns.\n",
    )
    try:
        receipt = ehlo.blocking.send(message, url)
    except ehlo.RecipientsRefused as error:
        for recipient, reply in error.refused.items():
            print(f"{recipient} was refused: {reply}")
    except ehlo.DeliveryUnknown as error:
        print(f"may have been delivered, do not just send it again: {error.message_id}")
    except ehlo.SMTPError as error:
        print(f"not sent: {error}")
        print("it is safe to try again later" if error.retry_safe else "trying again will not help")
    else:
        print(f"accepted: {receipt.reply}")
        print(f"the server's name for it: {receipt.queue_id}")


if __name__ == "__main__":
    main(sys.argv[1])
