"""Who is measured: the library, its peers, and the limit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from benchmarks.loads import Job


class Driver(Protocol):
    """What a contestant can do: connect, send a number of messages, close."""

    def open(self) -> None: ...
    def run(self, count: int) -> None: ...
    def close(self) -> None: ...


SINKS: Final = {
    "lockstep": "plain",
    "data": "pipelining",
    "group": "pipelining",
    "bdat": "chunking",
    "chunk": "chunking",
    "stream": "chunking",
}
"""The modes, and the kind of sink that each has for its server."""

MODES: Final = {
    "lockstep": "every command waits for its reply",
    "data": "[MAIL RCPT DATA] [text .], one send after the other",
    "bdat": "[MAIL RCPT] [BDAT LAST text], one send after the other",
    "chunk": "[MAIL RCPT BDAT LAST text], one send after the other",
    "group": "handed over together: [text . MAIL RCPT DATA]",
    "stream": "handed over together: [MAIL RCPT BDAT LAST text] without waiting",
}
USES_BDAT: Final = {"bdat", "chunk", "stream"}


@dataclass(frozen=True)
class Contestant:
    """One way to send mail.

    Attributes:
        name: As the tables call it.
        driver: Its class, as `module:name`.
        mode: See `MODES`; of a peer it only says which sink it gets.
        uvloop: Whether it runs on uvloop.
    """

    name: str
    driver: str
    mode: str = "data"
    uvloop: bool = False

    @property
    def library(self) -> str:
        return self.name.partition("-")[0]

    def make(self, job: Job, loop_factory: Any = None) -> Driver:
        """Import what is needed and make the driver."""
        module, _, name = self.driver.partition(":")
        driver = getattr(import_module(module), name)(job)
        if self.uvloop:
            loop_factory = import_module("uvloop").new_event_loop
        if loop_factory is not None:
            driver.loop_factory = loop_factory
        made: Driver = driver
        return made


def _everybody() -> dict[str, Contestant]:
    found = [
        Contestant("smtplib-octets", "benchmarks.peers:Smtplib"),
        Contestant("smtplib-message", "benchmarks.peers:SmtplibMessage"),
        Contestant("aiosmtplib-octets", "benchmarks.peers:Aiosmtplib"),
        Contestant("aiosmtplib-message", "benchmarks.peers:AiosmtplibMessage"),
        Contestant("aiosmtplib-uvloop", "benchmarks.peers:Aiosmtplib", uvloop=True),
        Contestant("smtpproto-octets", "benchmarks.peers:Smtpproto"),
        Contestant("smtpproto-message", "benchmarks.peers:SmtpprotoMessage"),
    ]
    for mode in MODES:
        found += [
            Contestant(f"limit-blocking-{mode}", "benchmarks.limits:BlockingLimit", mode),
            Contestant(f"limit-asyncio-{mode}", "benchmarks.limits:AsyncioLimit", mode),
            Contestant(f"ehlo-blocking-{mode}", "benchmarks.drivers:Blocking", mode),
            Contestant(f"ehlo-asyncio-{mode}", "benchmarks.drivers:Asyncio", mode),
            Contestant(f"ehlo-uvloop-{mode}", "benchmarks.drivers:Asyncio", mode, uvloop=True),
            Contestant(f"ehlo-blocking-client-{mode}", "benchmarks.drivers:BlockingClient", mode),
            Contestant(f"ehlo-asyncio-client-{mode}", "benchmarks.drivers:AsyncioClient", mode),
        ]
    found += [
        Contestant("ehlo-blocking-message", "benchmarks.drivers:BlockingMessage"),
        Contestant("ehlo-asyncio-message", "benchmarks.drivers:AsyncioMessage"),
    ]
    return {contestant.name: contestant for contestant in found}


CONTESTANTS: Final = _everybody()
