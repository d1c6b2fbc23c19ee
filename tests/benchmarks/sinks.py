"""Starts sinks: servers that take everything, keep nothing, and are never the bottleneck."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

_HERE: Final = Path(__file__).parent
_PLAIN: Final = ("SIZE 104857600", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
KEYWORDS: Final = {
    "plain": _PLAIN,
    "pipelining": (*_PLAIN, "PIPELINING"),
    "chunking": (*_PLAIN, "PIPELINING", "CHUNKING"),
}
"""The kinds of sinks, and what they offer."""


class Count(NamedTuple):
    """What a sink has taken so far."""

    messages: int
    octets: int
    bdats: int

    def since(self, before: Count) -> Count:
        return Count(*(now - then for now, then in zip(self, before, strict=True)))


def compiler() -> str | None:
    """Return the C compiler, if the machine has one."""
    return shutil.which("cc")


def build(folder: Path) -> list[str]:
    """Return the command that runs a sink: compiled, or the fallback in Python."""
    cc = compiler()
    if cc is None or sys.platform != "linux":  # it needs epoll
        return [sys.executable, str(_HERE / "python_sink.py")]
    program = folder / "sink"
    subprocess.run([cc, "-O2", "-o", str(program), str(_HERE / "sink.c")], check=True)
    return [str(program)]


class Sink:
    """One running sink.

    Args:
        command: What `build` returned.
        keywords: What it offers.
        prefix: A command that runs it elsewhere, such as in a network namespace.
        host: The address it listens on.
    """

    def __init__(
        self,
        command: Sequence[str],
        keywords: Sequence[str] = KEYWORDS["chunking"],
        *,
        prefix: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self._process = subprocess.Popen(
            [*prefix, *command, *keywords],
            stdout=subprocess.PIPE,
            env={**os.environ, "SINK_HOST": host},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def pin(self, cpu: int) -> None:
        """Let it run on one CPU only, where the system can do that."""
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {cpu})

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def count(host: str, port: int) -> Count:
    """Ask a sink what it has taken."""
    with socket.create_connection((host, port)) as sock, sock.makefile("rwb") as stream:
        stream.readline()
        stream.write(b"XCOUNT\r\n")
        stream.flush()
        return Count(*map(int, stream.readline().split()[1:]))


class Sinks:
    """One sink of each kind; a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.by_kind: dict[str, Sink] = {}
        self.language = "C"

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        command = build(folder)
        self.language = "C" if len(command) == 1 else "Python"
        for kind, keywords in KEYWORDS.items():
            self.by_kind[kind] = sink = Sink(command, keywords)
            self._stack.callback(sink.stop)
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def pin(self, cpu: int) -> None:
        for sink in self.by_kind.values():
            sink.pin(cpu)
