"""The peers: other SMTP clients in Python, each used the way its documentation says."""

from __future__ import annotations

import asyncio
import smtplib
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from benchmarks.loads import CLIENT, SENDER
from benchmarks.looping import LoopDriver, shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.loads import Job


def on_all(connections: Sequence[Any], count: int, send: Callable[[Any, int], None]) -> None:
    """Send messages on one connection, or on several with a thread for each."""
    if len(connections) == 1:
        send(connections[0], count)
        return
    with ThreadPoolExecutor(len(connections)) as pool:
        for future in [pool.submit(send, *pair) for pair in shares(connections, count)]:
            future.result()


class Smtplib:
    """`smtplib`, given octets."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def open(self) -> None:
        self._clients = [
            smtplib.SMTP(self.job.host, self.job.port, local_hostname=CLIENT, timeout=60)
            for _ in range(self.job.connections)
        ]
        for client in self._clients:
            client.ehlo()

    def run(self, count: int) -> None:
        on_all(self._clients, count, self._send)

    def _send(self, client: smtplib.SMTP, count: int) -> None:
        job = self.job
        for number in range(count):
            client.sendmail(SENDER, job.addressees(number), job.octets())

    def close(self) -> None:
        for client in self._clients:
            client.close()


class SmtplibMessage(Smtplib):
    """`smtplib`, given an `EmailMessage`."""

    @override
    def _send(self, client: smtplib.SMTP, count: int) -> None:
        message = self.job.parsed()
        for number in range(count):
            client.send_message(message, SENDER, self.job.addressees(number))


class Aiosmtplib(LoopDriver):
    """`aiosmtplib`, given octets."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._module = import_module("aiosmtplib")

    @override
    async def start(self) -> None:
        self._clients = [
            self._module.SMTP(
                hostname=self.job.host,
                port=self.job.port,
                local_hostname=CLIENT,
                start_tls=False,
                timeout=60,
            )
            for _ in range(self.job.connections)
        ]
        for client in self._clients:
            await client.connect()
            await client.ehlo()

    @override
    async def send(self, count: int) -> None:
        await asyncio.gather(
            *(self._send(client, share) for client, share in shares(self._clients, count))
        )

    async def _send(self, client: Any, count: int) -> None:
        job = self.job
        for number in range(count):
            await client.sendmail(SENDER, job.addressees(number), job.octets())

    @override
    async def stop(self) -> None:
        for client in self._clients:
            client.close()


class AiosmtplibMessage(Aiosmtplib):
    """`aiosmtplib`, given an `EmailMessage`."""

    @override
    async def _send(self, client: Any, count: int) -> None:
        message, job = self.job.parsed(), self.job
        for number in range(count):
            recipients = job.addressees(number)
            await client.send_message(message, sender=SENDER, recipients=recipients)


class _Octets(dict[str, str]):
    """Stands in for an `EmailMessage` that is ready: smtpproto takes nothing else."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self._octets = octets

    def as_bytes(self, policy: object) -> bytes:
        del policy
        return self._octets


class Smtpproto(LoopDriver):
    """`smtpproto`, given octets by way of a stand-in."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._module = import_module("smtpproto.client")

    @override
    async def start(self) -> None:
        self._stack = AsyncExitStack()
        client = self._module.AsyncSMTPClient(
            self.job.host, self.job.port, domain=CLIENT, max_concurrent_connections=10_000
        )
        self._sessions = [
            await self._stack.enter_async_context(client.connect())
            for _ in range(self.job.connections)
        ]

    @override
    async def send(self, count: int) -> None:
        await asyncio.gather(
            *(self._send(session, share) for session, share in shares(self._sessions, count))
        )

    def _message(self) -> Any:
        return _Octets(self.job.octets())

    async def _send(self, session: Any, count: int) -> None:
        job, message = self.job, None
        for number in range(count):
            if message is None or job.source != "memory":
                message = self._message()
            recipients = job.addressees(number)
            await session.send_message(message, sender=SENDER, recipients=recipients)

    @override
    async def stop(self) -> None:
        await self._stack.aclose()


class SmtpprotoMessage(Smtpproto):
    """`smtpproto`, given an `EmailMessage`."""

    @override
    def _message(self) -> Any:
        return self.job.parsed()
