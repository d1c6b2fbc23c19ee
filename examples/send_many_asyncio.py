"""Send messages as they come in from a queue, over one connection, on an event loop.

Run it with a server's URL: `python send_many_asyncio.py smtp://localhost:2525`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import ehlo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def produce(queue: asyncio.Queue[str | None]) -> None:
    """Stand for whatever makes work: a message broker, a table, a web hook."""
    for recipient in ("bob@example.com", "nobody@example.com", "carol@example.com"):
        await queue.put(recipient)
    await queue.put(None)


async def messages(queue: asyncio.Queue[str | None]) -> AsyncIterator[ehlo.Message]:
    """Turn what comes in into messages; while this waits, results still come."""
    while (recipient := await queue.get()) is not None:
        yield ehlo.Message(
            from_="shop@example.org",
            to=[recipient],
            subject="Your order",
            text="It is on its way.\n",
        )


async def consume(queue: asyncio.Queue[str | None], url: str) -> None:
    """Send until the queue ends; say what became of each message."""
    async for result in ehlo.asyncio.send_many(messages(queue), url):
        said = result.error or (result.receipt and result.receipt.reply)
        print(f"{result.index}: {result.outcome}, {said}")


async def work(url: str) -> None:
    """Make work, and do it, at the same time."""
    queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)
    async with asyncio.TaskGroup() as group:
        group.create_task(produce(queue))
        group.create_task(consume(queue, url))


def main(url: str) -> None:
    """Send three mails."""
    asyncio.run(work(url))


if __name__ == "__main__":
    main(sys.argv[1])
