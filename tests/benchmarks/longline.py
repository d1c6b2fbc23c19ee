"""A long line to the sink: real TCP over two network namespaces, or a slow relay on loopback.

With Linux and root, two namespaces are made, joined by two TUN devices; a process carries each IP
packet from one to the other and takes its time. TCP itself does the rest: handshake, slow start.
Elsewhere a relay on loopback delays octets. It delays the connection to the sink by one and a half
round trips, which is when a real server would see it, but knows no slow start.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from typing_extensions import override

from benchmarks.running import environment
from benchmarks.sinks import KEYWORDS, Sink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

RTT: Final = 0.050
_HOSTS: Final = ("10.77.0.1", "10.77.0.2")
_TUN: Final = Path("/dev/net/tun")
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_CLONE_NEWNET: Final = 0x40000000
_MTU: Final = 1500


def has_namespaces() -> bool:
    """Tell whether this machine lets us make network namespaces."""
    if sys.platform != "linux" or not shutil.which("ip") or not _TUN.exists():
        return False
    name = f"ehlo-try-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return False
    subprocess.run(["ip", "netns", "del", name], check=True)
    return True


class LongLine:
    """Sinks at the far end of a long line; a context manager.

    Args:
        command: What `sinks.build` returned.

    Attributes:
        kind: `namespaces` or `relay`.
        prefix: The command that runs a client at the near end.
        ports: The sinks' ports, by kind.
        host: Their address.
        rtt: Seconds; what was measured, where that is possible.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.kind = "namespaces" if has_namespaces() else "relay"
        self.prefix: tuple[str, ...] = ()
        self.host = "127.0.0.1"
        self.ports: dict[str, int] = {}
        self.rtt = RTT
        self._command = command
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.kind == "namespaces":
                self._make_namespaces(stack)
            else:
                self._make_relays(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _make_namespaces(self, stack: ExitStack) -> None:
        names = tuple(f"ehlo-{os.getpid()}-{end}" for end in ("near", "far"))
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "del", name], check=True)
        self._start(stack, ["carry", *names])
        for name, host, peer in zip(names, _HOSTS, reversed(_HOSTS), strict=True):
            for line in (
                "ip link set lo up",
                f"ip addr add {host} peer {peer} dev line",
                f"ip link set line up mtu {_MTU}",
                "sysctl -q -w net.ipv4.tcp_no_metrics_save=1",  # no run learns from another
            ):
                subprocess.run(["ip", "netns", "exec", name, *line.split()], check=True)
        self.prefix, self.host = ("ip", "netns", "exec", names[0]), _HOSTS[1]
        far = ("ip", "netns", "exec", names[1])
        for kind, keywords in KEYWORDS.items():
            sink = Sink(self._command, keywords, prefix=far, host=self.host)
            stack.callback(sink.stop)
            self.ports[kind] = sink.port
        self.rtt = self._measured_rtt()

    def _measured_rtt(self) -> float:
        command = [*self.prefix, sys.executable, "-m", "benchmarks.longline", "knock"]
        done = subprocess.run(
            [*command, self.host, str(self.ports["plain"])],
            env=environment(),
            capture_output=True,
            check=True,
        )
        return float(done.stdout)

    def _make_relays(self, stack: ExitStack) -> None:
        for kind, keywords in KEYWORDS.items():
            sink = Sink(self._command, keywords)
            stack.callback(sink.stop)
            self.ports[kind] = int(self._start(stack, ["relay", str(sink.port)]))

    @staticmethod
    def _start(stack: ExitStack, arguments: list[str]) -> bytes:
        """Start this module as a program, wait for its first line and return it."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.longline", *arguments],
            stdout=subprocess.PIPE,
            env=environment(),
        )
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process.stdout.readline()


# -- Carrying packets --------------------------------------------------------------------------


def _enter(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open("rb") as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _tun(name: str) -> int:
    import fcntl  # noqa: PLC0415 - not on Windows

    _enter(name)
    device = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"line", _IFF_TUN | _IFF_NO_PI))
    return device


def carry(near: str, far: str) -> None:
    """Carry packets between two namespaces, each half a round trip after it was sent."""
    devices = (_tun(near), _tun(far))
    other = dict(zip(devices, reversed(devices), strict=True))
    under_way: deque[tuple[float, int, bytes]] = deque()
    print("carrying", flush=True)
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for device in select.select(devices, [], [], wait)[0]:
            _take(device, other[device], under_way)
        while under_way and under_way[0][0] <= time.monotonic():
            _, device, packet = under_way.popleft()
            os.write(device, packet)


def _take(device: int, target: int, under_way: deque[tuple[float, int, bytes]]) -> None:
    due = time.monotonic() + RTT / 2
    try:
        while True:
            under_way.append((due, target, os.read(device, 65_536)))
    except BlockingIOError:
        pass


def knock(host: str, port: int) -> None:
    """Print how long a TCP connection takes: one round trip."""
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        with socket.create_connection((host, port)):
            times.append(time.perf_counter() - begin)
    print(min(times))  # what others do on the machine only adds


# -- Relaying octets ---------------------------------------------------------------------------


class _Relay(asyncio.Protocol):
    """One side of a relayed connection: what it reads, the other side writes, later."""

    other: asyncio.Transport | None = None
    transport: asyncio.Transport

    def __init__(self, target: int | None) -> None:
        self._target = target
        self._early: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._target is not None:
            self._loop.call_later(1.5 * RTT, self._connect)

    def _connect(self) -> None:
        self._task = self._loop.create_task(self._join())

    async def _join(self) -> None:
        back = _Relay(None)
        back.other = self.transport
        transport, _ = await self._loop.create_connection(
            lambda: back, "127.0.0.1", self._target or 0
        )
        self.other = transport
        for data in self._early:
            self.data_received(data)

    @override
    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self._loop.call_later(RTT / 2, self.other.write, data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self._loop.call_later(RTT / 2, self.other.close)


async def relay(port: int) -> None:
    """Relay connections to a port, late."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Relay(port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(what: str, *arguments: str) -> None:
    match what:
        case "carry":
            carry(*arguments)
        case "knock":
            knock(arguments[0], int(arguments[1]))
        case _:
            asyncio.run(relay(int(arguments[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
