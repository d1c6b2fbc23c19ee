"""A proxy on the loopback interface: SOCKS 5, SOCKS 4A and CONNECT of HTTP, done well or badly."""

from __future__ import annotations

import base64
import select
import socket
import struct
import threading
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from typing import Any, Self
from urllib.parse import quote

SECONDS = 10
KINDS = ("socks5", "socks4a", "http")


class Refused(Exception):
    """The proxy does not want to, and has said so."""


class ProxyServer:
    """A proxy in a thread; use it as a context manager.

    Args:
        target: Where every connection goes, whatever was asked for; None does as it is asked.
        user: The user and the password that it demands; None for anybody.
        refusal: With what to answer instead of connecting: a reply's code, or an HTTP status line.
        answer: What to say instead of all that, as soon as a client is there.
        behind: Wait for the server's first octets, and send them along with the answer.
        drips: Send the answer octet by octet.
        silent: Never answer a request.
        refuses: Hosts that cannot be connected to (of SOCKS 5).
        interim: Say something else before the answer, as HTTP allows, and end lines with LF alone.

    Attributes:
        asked: Where clients wanted to go: host and port.
    """

    def __init__(
        self,
        target: tuple[str, int] | None = None,
        *,
        user: tuple[str, str] | None = None,
        refusal: int | str | None = None,
        answer: bytes | None = None,
        behind: bool = False,
        drips: bool = False,
        silent: bool = False,
        interim: bool = False,
        refuses: Collection[str] = (),
    ) -> None:
        self.asked: list[tuple[str, int]] = []
        self._target, self._user, self._refusal = target, user, refusal
        self._answer, self._behind, self._drips, self._silent = answer, behind, drips, silent
        self._interim, self._refuses = interim, refuses
        self._stop, self._wake = socket.socketpair()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.close()
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()
        self._stop.close()

    def url(self, kind: str, *, user: str = "", password: str | None = None) -> str:
        """Return the URL of this proxy."""
        secret = "" if password is None else f":{quote(password, safe='')}"
        at = f"{quote(user, safe='')}{secret}@" if user else ""
        return f"{kind}://{at}127.0.0.1:{self.port}"

    def _run(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._stop not in select.select([self._listener, self._stop], [], [])[0]:
            self._run(self._serve, self._listener.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, Refused, EOFError), ExitStack() as stack:
            client.settimeout(SECONDS)
            if self._answer is not None:
                client.sendall(self._answer)
                self._hear_out(client)
                return
            first = self._read(client, 1)
            speak = {b"\x05": self._socks5, b"\x04": self._socks4a, b"C": self._http}[first]
            host, port, say = speak(client)
            self.asked.append((host, port))
            if self._silent:
                self._wait(client)
                return
            if host in self._refuses:
                say(5)
                self._hear_out(client)
                return
            if self._refusal is not None:
                say(self._refusal)
                self._hear_out(client)
                return
            server = stack.enter_context(socket.create_connection(self._target or (host, port)))
            early = server.recv(65_536) if self._behind else b""
            say(None, early)
            self._relay(client, server)

    def _hear_out(self, client: socket.socket) -> None:
        """End in an orderly way: to close with anything unread would reset the connection."""
        client.shutdown(socket.SHUT_WR)
        while self._wait(client) and client.recv(65_536):
            pass

    def _wait(self, *socks: socket.socket) -> list[socket.socket]:
        ready = select.select([*socks, self._stop], [], [])[0]
        if self._stop in ready:
            raise EOFError
        return ready

    def _read(self, sock: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            self._wait(sock)
            data += (piece := sock.recv(count - len(data)))
            if not piece:
                raise EOFError
        return data

    def _read_until(self, sock: socket.socket, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += self._read(sock, 1)
        return data

    def _send(self, sock: socket.socket, data: bytes) -> None:
        if not self._drips:
            sock.sendall(data)
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in data:
            sock.sendall(bytes([octet]))

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        while True:
            for sock in self._wait(client, server):
                data = sock.recv(65_536)
                if not data:
                    return
                other[sock].sendall(data)

    # -- What clients say ----------------------------------------------------------------------

    def _socks5(self, client: socket.socket) -> tuple[str, int, Callable[..., None]]:
        methods = self._read(client, self._read(client, 1)[0])
        wanted = 0 if self._user is None else 2
        if wanted not in methods:
            self._send(client, b"\x05\xff")
            raise Refused
        self._send(client, bytes([5, wanted]))
        if self._user is not None:
            self._read(client, 1)
            user = self._read(client, self._read(client, 1)[0]).decode()
            password = self._read(client, self._read(client, 1)[0]).decode()
            is_right = (user, password) == self._user
            self._send(client, b"\x01\x00" if is_right else b"\x01\x01")
            if not is_right:
                raise Refused
        kind = self._read(client, 4)[3]
        if kind == 3:
            host = self._read(client, self._read(client, 1)[0]).decode()
        else:
            family, length = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
            host = socket.inet_ntop(family, self._read(client, length))
        [port] = struct.unpack("!H", self._read(client, 2))

        def say(code: int | None, early: bytes = b"") -> None:
            self._send(client, bytes([5, code or 0, 0, 1, 127, 0, 0, 1, 0, 80]) + early)

        return host, port, say

    def _socks4a(self, client: socket.socket) -> tuple[str, int, Callable[..., None]]:
        _, port = struct.unpack("!BH", self._read(client, 3))
        address = self._read(client, 4)
        self._read_until(client, b"\0")
        by_name = address[:3] == b"\0\0\0"
        host = (
            self._read_until(client, b"\0")[:-1].decode() if by_name else socket.inet_ntoa(address)
        )

        def say(code: int | None, early: bytes = b"") -> None:
            self._send(client, bytes([0, code or 0x5A, 0, 80, 127, 0, 0, 1]) + early)

        return host, port, say

    def _http(self, client: socket.socket) -> tuple[str, int, Callable[..., None]]:
        lines = (b"C" + self._read_until(client, b"\r\n\r\n")).decode().split("\r\n")
        method, authority, _ = lines[0].split(" ")
        assert method == "CONNECT"
        host, _, port = authority.rpartition(":")
        fields = dict(line.split(": ", 1) for line in lines[1:] if line)
        assert fields["Host"] == authority

        def say(status: str | None, early: bytes = b"") -> None:
            line = f"HTTP/1.1 {status or '200 Connection established'}\r\nVia: 1.1 here\r\n\r\n"
            if self._interim:
                line = "HTTP/1.1 103 Early Hints\n\n" + line.replace("\r", "")
            self._send(client, line.encode() + early)

        if self._user is not None:
            right = base64.b64encode(":".join(self._user).encode()).decode()
            if fields.get("Proxy-Authorization") != f"Basic {right}":
                say("407 Proxy Authentication Required")
                raise Refused
        return host, int(port), say
