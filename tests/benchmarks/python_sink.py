"""The sink for machines without a C compiler: the same as sink.c, a few times slower."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import cast

from typing_extensions import override

COMMANDS, CONTENT, CHUNK = range(3)
SIMPLE = {
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"NOOP": b"250 2.0.0 Ok\r\n",
    b"HELO": b"250 sink.example.org\r\n",
}


class Totals:
    messages = 0
    octets = 0
    bdats = 0


def ehlo_reply(keywords: list[str]) -> bytes:
    lines = ["sink.example.org", *keywords]
    return b"".join(
        f"250{'-' if number < len(lines) else ' '}{line}\r\n".encode()
        for number, line in enumerate(lines, 1)
    )


class Session(asyncio.BufferedProtocol):
    transport: asyncio.Transport

    def __init__(self, offer: bytes) -> None:
        self.offer = offer
        self.buffer = bytearray(262_144)
        self.mode = COMMANDS
        self.pending = b""
        self.left = 0
        self.is_last = False
        self.replies: list[bytes] = []

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(b"220 sink.example.org ESMTP\r\n")

    @override
    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    @override
    def buffer_updated(self, nbytes: int) -> None:
        data = self.pending + self.buffer[:nbytes]
        at = 0
        while at < len(data):
            begin = at
            at = (self.command, self.content, self.chunk)[self.mode](data, at)
            if at == begin:
                break
        self.pending = bytes(data[at:])
        if self.replies:
            self.transport.write(b"".join(self.replies))
            self.replies.clear()

    def command(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            return at
        verb = data[at : at + 4].upper()
        simple = SIMPLE.get(verb)
        if simple is not None:
            self.replies.append(simple)
        elif verb == b"DATA":
            self.mode = CONTENT
            self.replies.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            return end - 1  # its CRLF is the first that may begin the end mark
        elif verb == b"BDAT":
            self.begin_chunk(data[at:end].split())
        else:
            self.rare(verb)
        return end + 1

    def rare(self, verb: bytes) -> None:
        if verb == b"EHLO":
            self.replies.append(self.offer)
        elif verb == b"XCOU":
            count = f"250 {Totals.messages} {Totals.octets} {Totals.bdats}\r\n"
            self.replies.append(count.encode())
        elif verb == b"QUIT":
            self.transport.write(b"".join([*self.replies, b"221 2.0.0 Bye\r\n"]))
            self.replies.clear()
            self.transport.close()
        else:
            self.replies.append(b"503 5.5.1 not now\r\n")

    def begin_chunk(self, words: list[bytes]) -> None:
        self.left = int(words[1])
        self.is_last = len(words) > 2
        self.mode = CHUNK
        Totals.bdats += 1
        if not self.left:
            self.end_chunk()

    def chunk(self, data: bytes, at: int) -> int:
        here = min(self.left, len(data) - at)
        self.left -= here
        Totals.octets += here
        if not self.left:
            self.end_chunk()
        return at + here

    def end_chunk(self) -> None:
        if self.is_last:
            self.take_message()
        else:
            self.mode = COMMANDS
            self.replies.append(b"250 2.0.0 Ok: continue\r\n")

    def content(self, data: bytes, at: int) -> int:
        end = data.find(b"\r\n.\r\n", at)
        if end < 0:
            keep = max(at, len(data) - 4)
            Totals.octets += keep - at
            return keep
        Totals.octets += end - at
        self.take_message()
        return end + 5

    def take_message(self) -> None:
        Totals.messages += 1
        self.mode = COMMANDS
        self.replies.append(b"250 2.0.0 Ok: queued as %08X\r\n" % (0x10000000 + Totals.messages))


async def main() -> None:
    offer = ehlo_reply(sys.argv[1:])
    host = os.environ.get("SINK_HOST", "127.0.0.1")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(offer), host, 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
