"""What relays and proxies say: ETRN, XCLIENT, XFORWARD, the PROXY protocol."""

from __future__ import annotations

import socket
import ssl
import struct

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from ehlo.testing import (
    Close,
    Mode,
    ProxyHeader,
    ProxyProtocol,
    Quirk,
    Send,
    Server,
    ServerConnection,
    ServerOptions,
    Wait,
    Wording,
)

RELAYING = ServerOptions(
    capabilities=(
        "ENHANCEDSTATUSCODES",
        "ETRN",
        "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",
        "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
    ),
    wording=Wording(greeting="{hostname} greets {peer}"),
)
TRANSACTION = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n.\r\n"


def replies(*lines: str, options: ServerOptions = RELAYING) -> tuple[ServerConnection, list[str]]:
    """Return the replies behind those to the greeting and EHLO."""
    connection = ServerConnection(options)
    connection.receive_data(b"EHLO c\r\n")
    connection.data_to_send()
    connection.receive_data("".join(f"{line}\r\n" for line in lines).encode())
    return connection, connection.data_to_send().decode().split("\r\n")[:-1]


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("example.org", "250 2.0.0 Queuing for node example.org started"),
        ("@example.org", "250 2.0.0 Queuing for node @example.org started"),
        ("#slow", "250 2.0.0 Queuing for node #slow started"),
        ("[192.0.2.1]", "250 2.0.0 Queuing for node [192.0.2.1] started"),
        ("a b", "501 5.5.4 Syntax: ETRN domain"),
        ("-", "501 5.5.4 Syntax: ETRN domain"),
    ],
)
def test_etrn(argument: str, reply: str) -> None:
    assert replies(f"ETRN {argument}")[1] == [reply]


def test_etrn_outside_transactions_and_with_an_argument() -> None:
    assert replies("ETRN")[1] == ["501 5.5.4 The command needs an argument"]
    assert replies("MAIL FROM:<>", "ETRN x")[1][1].startswith("503 ")


@pytest.mark.parametrize("line", ["ETRN x", "XCLIENT NAME=x", "XFORWARD NAME=x", "BDAT 0"])
def test_what_is_not_offered_is_not_known(line: str) -> None:
    assert replies(line, options=ServerOptions())[1] == ["500 5.5.2 Command not recognized"]


# --- XCLIENT


def test_xclient_begins_anew() -> None:
    connection, said = replies(
        "XCLIENT NAME=spike.example.org ADDR=192.0.2.7 proto=ESMTP",
        "MAIL FROM:<>",
        "XCLIENT HELO=a+2Bb LOGIN=ada",
        "EHLO c",
        *TRANSACTION.split("\r\n")[:-1],
    )
    assert said[0] == "220 mail.example.org greets 127.0.0.1"
    assert said[1].startswith("503 ")
    assert said[2] == "220 mail.example.org greets 192.0.2.7"
    [message] = connection.messages
    assert message.xclient == {
        "NAME": "spike.example.org",
        "ADDR": "192.0.2.7",
        "PROTO": "ESMTP",
        "HELO": "a+b",
        "LOGIN": "ada",
    }
    assert message.user == "ada"


@pytest.mark.parametrize("login", ["[UNAVAILABLE]", "[unavailable]", "[TEMPUNAVAIL]"])
def test_a_login_that_is_not_known_is_nobody(login: str) -> None:
    lines = TRANSACTION.split("\r\n")[:-1]
    connection, _ = replies(f"XCLIENT LOGIN={login}", "EHLO c", *lines)
    assert connection.messages[0].user is None


@pytest.mark.parametrize(
    ("line", "valid"),
    [
        ("XCLIENT ADDR=IPV6:2001:db8::1", True),
        ("XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL]", True),
        ("XCLIENT ADDR=2001:db8::1", True),
        ("XCLIENT ADDR=192.0.2", False),
        ("XCLIENT ADDR=IPV6:192.0.2.1", False),
        ("XCLIENT PORT=25 DESTADDR=192.0.2.1 DESTPORT=25", True),
        ("XCLIENT PORT=smtp", False),
        ("XCLIENT PROTO=LMTP", False),
        ("XCLIENT SOURCE=LOCAL", False),
        ("XCLIENT NAME", False),
        ("XCLIENT NAME=", False),
        ("XCLIENT NAME=a+zz", False),
        ("XFORWARD SOURCE=LOCAL IDENT=4F1A", True),
        ("XFORWARD SOURCE=ELSEWHERE", False),
        ("XFORWARD LOGIN=ada", False),
    ],
)
def test_attributes(line: str, valid: bool) -> None:
    [reply] = replies(line)[1]
    assert reply[:3] == ("501" if not valid else "220" if "XCLIENT" in line else "250")


def test_attributes_are_given_outside_transactions() -> None:
    said = replies("MAIL FROM:<>", "XCLIENT NAME=x", "XFORWARD NAME=x", "RSET")[1]
    assert [reply[:3] for reply in said] == ["250", "503", "503", "250"]


def test_attributes_in_utf_8() -> None:
    lines = TRANSACTION.split("\r\n")[:-1]
    connection, _ = replies("XFORWARD NAME=b+C3+BCcher HELO=+FF", *lines)
    assert connection.messages[0].xforward == {"NAME": "bücher", "HELO": "\\xff"}


# --- XFORWARD


def test_xforward_is_for_one_message() -> None:
    lines = TRANSACTION.split("\r\n")[:-1]
    connection, said = replies("XFORWARD NAME=a", "XFORWARD ADDR=192.0.2.7", *lines, *lines)
    assert said[:2] == ["250 2.0.0 OK"] * 2
    assert [message.xforward for message in connection.messages] == [
        {"NAME": "a", "ADDR": "192.0.2.7"},
        {},
    ]


# --- the PROXY protocol

V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXIED = ServerOptions(
    proxy_protocol=ProxyProtocol.REQUIRED, wording=Wording(greeting="hello {peer}")
)


def v2(command: int, family: int, addresses: bytes) -> bytes:
    return V2 + struct.pack("!BBH", command, family, len(addresses)) + addresses


SOURCE, DESTINATION = ("192.0.2.7", 56324), ("198.51.100.1", 25)
FOUR = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack("!HH", 56324, 25)
SIX = bytes(15) + b"\x01" + bytes(15) + b"\x02" + struct.pack("!HH", 1, 2)

HEADERS = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n", ProxyHeader(1, SOURCE, DESTINATION)),
    (b"PROXY TCP6 ::1 2001:db8::2 1 2\r\n", ProxyHeader(1, ("::1", 1), ("2001:db8::2", 2))),
    (b"PROXY UNKNOWN\r\n", ProxyHeader(1)),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ProxyHeader(1)),
    (v2(0x21, 0x11, FOUR), ProxyHeader(2, SOURCE, DESTINATION)),
    (v2(0x21, 0x11, FOUR + b"\x03\0\1x"), ProxyHeader(2, SOURCE, DESTINATION)),
    (v2(0x21, 0x21, SIX), ProxyHeader(2, ("::1", 1), ("::2", 2))),
    (v2(0x20, 0x11, FOUR), ProxyHeader(2)),
    (v2(0x20, 0x00, b""), ProxyHeader(2)),
    (v2(0x21, 0x31, bytes(216)), ProxyHeader(2)),
]


@pytest.mark.parametrize(("octets", "header"), HEADERS)
def test_a_header_of_the_proxy_protocol(octets: bytes, header: ProxyHeader) -> None:
    greeting = f"220 hello {header.source[0] if header.source else '127.0.0.1'}\r\n".encode()
    whole = ServerConnection(PROXIED)
    assert whole.next_action() is None
    assert whole.mode is Mode.PREAMBLE
    whole.receive_data(octets + b"NOOP\r\n")
    single = ServerConnection(PROXIED)
    for position in range(len(octets)):
        assert single.proxy_header is None
        assert single.next_action() is None
        single.receive_data(octets[position : position + 1])
    assert single.data_to_send() == greeting
    assert whole.data_to_send() == greeting + b"250 2.0.0 OK\r\n"
    assert single.proxy_header == whole.proxy_header == header
    assert single.flights == 0


@pytest.mark.parametrize(
    "octets",
    [
        b"EHLO c\r\n",
        b"P\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
        b"PROXY TCP4 \xff 198.51.100.1 1 25\r\n",
        b"PROXY UNIX\r\n",
        b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
        v2(0x11, 0x11, FOUR),
        v2(0x21, 0x11, FOUR[:-1]),
    ],
)
def test_what_is_no_header_is_closed(octets: bytes) -> None:
    connection = ServerConnection(PROXIED)
    connection.receive_data(octets)
    assert connection.next_action() == Close()
    assert connection.next_action() is None
    assert connection.mode is Mode.CLOSED


@given(st.binary(max_size=40) | st.binary(max_size=40).map(V2.__add__))
def test_no_octets_break_the_reader_of_headers(octets: bytes) -> None:
    connection = ServerConnection(PROXIED)
    connection.receive_data(octets)
    assert connection.mode in {Mode.PREAMBLE, Mode.CLOSED, Mode.COMMAND}


def test_a_client_that_goes_before_its_header_is_complete() -> None:
    connection = ServerConnection(PROXIED)
    connection.receive_data(b"PROXY")
    connection.receive_eof()
    assert connection.next_action() == Close()


def test_a_held_greeting_is_held_behind_the_header() -> None:
    options = ServerOptions(
        proxy_protocol="required",  # type: ignore[arg-type]
        quirks=(Quirk.EARLY_TALKER_421,),
    )
    connection = ServerConnection(options)
    connection.receive_data(b"PROXY UNKNOWN\r\n")
    assert connection.next_action() == Wait("greeting")
    connection.receive_data(b"EHLO c\r\n")
    assert connection.next_action() == Send(b"421 You talk too soon\r\n")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def wrapped(sock: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    return sock if context is None else context.wrap_socket(sock, server_hostname="127.0.0.1")


@pytest.mark.parametrize("octets", [HEADERS[0][0], HEADERS[4][0]])
@pytest.mark.parametrize("implicit", [False, True])
def test_a_header_over_a_network(octets: bytes, implicit: bool, authority: trustme.CA) -> None:
    server_context, client_context = None, ssl.create_default_context()
    if implicit:
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(server_context)
        authority.configure_trust(client_context)
    tls = "implicit" if implicit else "none"
    with Server(PROXIED, tls=tls, ssl_context=server_context) as server:
        with socket.create_connection((server.host, server.port), timeout=5) as sock:
            sock.sendall(octets)
            with wrapped(sock, client_context if implicit else None) as channel:
                assert channel.recv(4096) == b"220 hello 192.0.2.7\r\n"
                channel.sendall(b"QUIT\r\n")
                assert channel.recv(4096).startswith(b"221 ")
    [header] = server.proxy_headers
    assert (header.source, header.destination) == (SOURCE, DESTINATION)


def test_no_header_over_a_network() -> None:
    with Server(PROXIED) as server:
        with socket.create_connection((server.host, server.port), timeout=5) as sock:
            sock.sendall(b"EHLO c\r\n")
            assert sock.recv(4096) == b""
    assert server.proxy_headers == ()
    assert server.commands == ()
