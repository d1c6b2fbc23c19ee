"""Send several mails at once on an event loop, each over a connection of its own.

Run it with a server's URL: `python send_asyncio.py smtp://localhost:2525`.
"""

from __future__ import annotations

import asyncio
import sys

import ehlo


async def send_to(recipient: str, url: str) -> str:
    """Send one mail; return what became of it, in words."""
    message = ehlo.Message(
        from_="ada@example.org",
        to=[recipient],
        subject="Notes on the engine",
        text="The engine weaves algebraic patterns.\n",
    )
    try:
        receipt = await ehlo.asyncio.send(message, url)
    except ehlo.SMTPError as error:
        return f"{recipient}: {error.outcome}, {error}"
    return f"{recipient}: accepted, {receipt.reply}"


async def send_all(recipients: list[str], url: str) -> None:
    """Send to all recipients at the same time."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send_to(recipient, url)) for recipient in recipients]
    for task in tasks:
        print(task.result())


def main(url: str) -> None:
    """Send three mails."""
    asyncio.run(send_all(["bob@example.com", "carol@example.com", "nobody@example.com"], url))


if __name__ == "__main__":
    main(sys.argv[1])
