"""One client that a whole program shares: what a web app makes at its start.

Run it with a server's URL: `python share_a_client.py smtp://localhost:2525`.
"""

from __future__ import annotations

import asyncio
import sys

import ehlo


def welcome(address: str) -> ehlo.Message:
    """Build what a request handler wants to send."""
    return ehlo.Message(
        from_="Shop <shop@example.org>", to=[address], subject="Welcome", text="Good to see you.\n"
    )


async def handle(client: ehlo.asyncio.Client, address: str) -> None:
    """Stand for a request handler: many of these run at once."""
    try:
        receipt = await client.send(welcome(address))
    except ehlo.DeliveryUnknown as error:
        print(f"{address}: may be out already, see {error.message_id}")
    except ehlo.SMTPError as error:
        tries = len(error.failed_attempts) + 1
        print(f"{address}: failed after {tries} attempt(s), {error}")
    else:
        print(f"{address}: {receipt.reply}")


async def serve(url: str) -> None:
    """Serve ten requests at once over two connections, then send a newsletter."""
    async with ehlo.asyncio.Client(url, max_connections=2) as client:
        await client.verify()  # at start-up: is the server there, and the password right?
        async with asyncio.TaskGroup() as requests:
            for number in range(10):
                requests.create_task(handle(client, f"user{number}@example.com"))
        readers = [welcome(f"reader{number}@example.com") for number in range(20)]
        async for result in client.send_many(readers, order="completion"):
            if result.error is not None:
                print(f"reader {result.index}: {result.error}")
        stats = client.stats()
        print(f"{stats.sent} messages over {stats.opened} connection(s)")


def main(url: str) -> None:
    """Do all of it."""
    asyncio.run(serve(url))


if __name__ == "__main__":
    main(sys.argv[1])
