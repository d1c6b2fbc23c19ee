"""Use the Connection without any adapter: commands in, octets out; octets in, events out.

Here the octets go through a plain socket. They could as well come from a file or from a test.
Run it with a server's URL: `python sans_io.py smtp://localhost:2525`.
"""

from __future__ import annotations

import socket
import sys

import ehlo
from ehlo import commands

CONTENT = b"From: ada@example.org\r\nTo: bob@example.com\r\nSubject: sans I/O\r\n\r\nHello.\r\n"


class Refused(Exception):
    """The server said something else than yes."""


def exchange(connection: ehlo.Connection, sock: socket.socket) -> list[ehlo.Reply]:
    """Write what the Connection has to say, and read until every reply is in."""
    sock.sendall(b"".join(connection.data_to_send()))
    replies: list[ehlo.Reply] = []
    while connection.in_flight:
        match connection.next_event():
            case ehlo.NEED_DATA:
                if octets := sock.recv(65536):
                    connection.receive_data(octets)
                else:
                    connection.receive_eof()
            case ehlo.ReplyReceived(command, reply):
                print(f"{command.shown:32} -> {reply}")
                if not (reply.is_positive or reply.is_intermediate):
                    raise Refused(reply)
                replies.append(reply)
            case ehlo.ServerClosing() | ehlo.ConnectionClosed():
                raise ConnectionError(connection.ending)
    return replies


def main(url: str) -> None:
    """Send one mail over a connection in clear."""
    endpoint = ehlo.Endpoint.from_url(url)
    with socket.create_connection((endpoint.host, endpoint.port), timeout=10) as sock:
        connection = ehlo.Connection()
        exchange(connection, sock)  # the greeting

        connection.send(commands.Ehlo("client.example.org"))
        exchange(connection, sock)

        group: list[commands.Command] = [
            commands.Mail(ehlo.Address("ada@example.org")),
            commands.Rcpt(ehlo.Address("bob@example.com")),
            commands.Data(),
        ]
        for command in group:
            if not connection.may_send(command):  # no PIPELINING: a reply must come first
                exchange(connection, sock)
            connection.send(command)
        exchange(connection, sock)

        connection.send_content(CONTENT)
        connection.end_content()
        exchange(connection, sock)

        connection.send(commands.Quit())
        exchange(connection, sock)


if __name__ == "__main__":
    main(sys.argv[1])
