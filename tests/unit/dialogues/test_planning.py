"""What a transaction says to a server, by what that offers: nothing is dropped silently."""

from __future__ import annotations

from typing import Any

import pytest

from ehlo import Address, Envelope, MailOptions, Recipient, TlsFacts
from ehlo.commands import Body
from ehlo.content import Formed, LineEnds, Octets
from ehlo.dialogues.planning import Plan, require
from ehlo.errors import CapabilityMissing, InvalidInput, TlsFailed
from ehlo.phase import Phase
from ehlo.wire import Framing
from support.rooms import stream, to
from support.stepping import ready

EIGHT = Octets(b"Gr\xc3\xbc\xc3\x9fe\r\n", is_eight_bit=True)
UTF8 = Octets(b"Subject: \xc3\xbc\r\n", is_eight_bit=True, has_utf8_header=True)
NUL = Octets(b"\0\n", not_text="line 1 of the message holds a NUL octet", is_binary=True)
LONG = Octets(b"x" * 999 + b"\n", not_text="line 1 of the message is longer than 998 octets")
BINARY = ("CHUNKING", "BINARYMIME")


def planned(content: Any, *offered: str, **options: Any) -> Plan:
    return Plan.of(ready(*offered), to(1, content, **options))


def shown(plan: Plan) -> str:
    return plan.mail.shown.removeprefix("MAIL FROM:<ada@example.org>").strip()


def test_an_extension_is_required() -> None:
    offered = ready("8BITMIME").capabilities
    require(offered, "8BITMIME", "this test")
    with pytest.raises(CapabilityMissing, match=r"does not offer DSN, .* for this test") as caught:
        require(offered, "DSN", "this test", Phase.RCPT)
    assert caught.value.capability == "DSN"
    assert caught.value.phase is Phase.RCPT


@pytest.mark.parametrize(
    ("content", "offered", "framing", "size", "parameters"),
    [
        (b"a\n", (), Framing.DATA, 3, ""),
        (b"a\n", ("SIZE",), Framing.DATA, 3, "SIZE=3"),
        (b"a\n", ("SIZE", "CHUNKING"), Framing.BDAT, 3, "SIZE=3"),
        (Octets(b"a\r\n", line_ends=LineEnds.CRLF), ("CHUNKING",), Framing.BDAT, 3, ""),
        (b"a\n", BINARY, Framing.BDAT, 3, ""),
        (NUL, (*BINARY, "SIZE"), Framing.BINARY, 2, "SIZE=2 BODY=BINARYMIME"),
        (EIGHT, ("8BITMIME",), Framing.DATA, 9, "BODY=8BITMIME"),
        (UTF8, ("8BITMIME", "SMTPUTF8"), Framing.DATA, 13, "BODY=8BITMIME SMTPUTF8"),
        # What was not read yet may be anything.
        (stream(), ("SIZE", "8BITMIME"), Framing.DATA, None, "BODY=8BITMIME"),
        (stream(), ("SIZE",), Framing.DATA, None, ""),
        (stream(size=3, octets=2), ("SIZE", "CHUNKING"), Framing.BDAT, 3, "SIZE=3"),
        (
            stream(size=3, octets=2, not_text="x", is_binary=True),
            ("SIZE", *BINARY),
            Framing.BINARY,
            2,
            "SIZE=2 BODY=BINARYMIME",
        ),
        # Lines that are merely long end in CRLF all the same.
        (LONG, ("SIZE", *BINARY), Framing.BDAT, 1001, "SIZE=1001 BODY=BINARYMIME"),
        (
            stream(size=3, octets=2, not_text="x"),
            ("SIZE", *BINARY),
            Framing.BDAT,
            3,
            "SIZE=3 BODY=BINARYMIME",
        ),
    ],
    ids=str,
)
def test_how_content_travels(
    content: Any, offered: tuple[str, ...], framing: Framing, size: int | None, parameters: str
) -> None:
    plan = planned(content, *offered)
    assert plan.framing is framing
    assert plan.size == size
    assert shown(plan) == parameters


@pytest.mark.parametrize(
    ("body", "offered", "parameters"),
    [
        (Body.BINARY_MIME, BINARY, "BODY=BINARYMIME"),
        (Body.EIGHT_BIT_MIME, ("8BITMIME",), "BODY=8BITMIME"),
        (Body.SEVEN_BIT, ("8BITMIME",), "BODY=7BIT"),
        (Body.SEVEN_BIT, (), ""),
        (None, ("8BITMIME",), ""),
    ],
)
def test_content_is_declared_as_the_caller_says(
    body: Body | None, offered: tuple[str, ...], parameters: str
) -> None:
    assert shown(planned(b"a\r\n", *offered, body=body)) == parameters


@pytest.mark.parametrize(
    ("content", "options", "offered", "missing"),
    [
        (EIGHT, {}, ("SIZE",), "8BITMIME"),
        (b"", {"body": Body.EIGHT_BIT_MIME}, (), "8BITMIME"),
        (b"", {"body": Body.BINARY_MIME}, (), "BINARYMIME"),
        (b"", {"body": Body.BINARY_MIME}, ("BINARYMIME",), "CHUNKING"),
        (UTF8, {}, ("8BITMIME",), "SMTPUTF8"),
        (b"x" * 10, {}, ("SIZE 11",), "SIZE"),
        (stream(size=12), {}, ("SIZE 11",), "SIZE"),
    ],
    ids=str,
)
def test_what_the_server_does_not_offer(
    content: Any, options: dict[str, Any], offered: tuple[str, ...], missing: str
) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        planned(content, *offered, **options)
    assert caught.value.capability == missing
    assert caught.value.phase is Phase.MAIL


@pytest.mark.parametrize("offered", [(), ("CHUNKING",), ("BINARYMIME",), ("8BITMIME",)])
def test_content_that_is_no_text_needs_binarymime(offered: tuple[str, ...]) -> None:
    """D2, D3."""
    with pytest.raises(InvalidInput, match="holds a NUL octet, and the server does not offer BINA"):
        planned(NUL, *offered)


def test_a_size_within_the_limit() -> None:
    assert planned(b"x" * 10, "SIZE 12").size == 12
    assert planned(stream(), "SIZE 1").size is None


@pytest.mark.parametrize(("size", "small"), [(131_072, True), (131_073, False), (None, False)])
def test_what_is_small(size: int | None, small: bool) -> None:
    assert planned(stream(size=size)).is_small is small


def test_content_with_a_seven_bit_form_takes_it_where_it_must() -> None:
    seven = Octets(b"=C3=BC\r\n")
    both = Formed(lambda form: seven if form.body is Body.SEVEN_BIT else EIGHT)
    assert planned(both).content is seven
    assert planned(both, "8BITMIME").content is EIGHT
    with pytest.raises(CapabilityMissing):
        planned(EIGHT)


# -- Addresses -------------------------------------------------------------------------------------

DOMAIN = Envelope("ada@grün.example", "bob@grün.example")
LOCAL = Envelope("jörg@example.org", "bob@example.com")
TO_LOCAL = Envelope(None, "jörg@grün.example")


def test_a_domain_alone_has_another_form() -> None:
    plan = planned(b"", envelope=DOMAIN)
    assert plan.mail.sender == Address("ada@xn--grn-ioa.example")
    assert [rcpt.recipient for rcpt in plan.rcpts] == [Address("bob@xn--grn-ioa.example")]
    assert not plan.mail.smtputf8


def test_the_null_reverse_path_has_no_domain() -> None:
    plan = planned(b"", envelope=Envelope(None, "bob@grün.example"))
    assert plan.mail.sender is None


@pytest.mark.parametrize("envelope", [DOMAIN, LOCAL, TO_LOCAL])
def test_addresses_go_as_they_are_with_smtputf8(envelope: Envelope) -> None:
    plan = planned(b"", "SMTPUTF8", "8BITMIME", envelope=envelope)
    assert plan.mail.sender == envelope.sender
    assert [rcpt.recipient for rcpt in plan.rcpts] == list(envelope.recipients)
    assert plan.mail.smtputf8


@pytest.mark.parametrize("envelope", [LOCAL, TO_LOCAL])
def test_a_local_part_has_no_other_form(envelope: Envelope) -> None:
    with pytest.raises(CapabilityMissing, match="SMTPUTF8"):
        planned(b"", envelope=envelope)


# -- Parameters ------------------------------------------------------------------------------------


def test_parameters_are_said_where_they_are_offered() -> None:
    recipients: list[Recipient | str] = [
        Recipient("bob@example.com", notify="NEVER"),
        "eve@example.com",
    ]
    envelope = Envelope("ada@example.org", recipients, options=MailOptions(envid="1"))
    plan = planned(b"", "DSN", envelope=envelope)
    assert shown(plan) == "ENVID=1"
    assert [rcpt.shown for rcpt in plan.rcpts] == [
        "RCPT TO:<bob@example.com> NOTIFY=NEVER",
        "RCPT TO:<eve@example.com>",
    ]


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope("ada@example.org", "bob@example.com", options=MailOptions(envid="1")),
        Envelope("ada@example.org", ["a@b", Recipient("bob@example.com", notify="NEVER")]),
    ],
)
def test_parameters_that_are_not_offered_are_no_wish_to_be_dropped(envelope: Envelope) -> None:
    # E5
    with pytest.raises(CapabilityMissing, match="DSN"):
        planned(b"", envelope=envelope)


def test_requiretls_needs_tls() -> None:  # E5
    envelope = Envelope("a@b", "c@d", options=MailOptions(require_tls=True))
    with pytest.raises(TlsFailed, match="not encrypted") as caught:
        planned(b"", "REQUIRETLS", envelope=envelope)
    assert caught.value.phase is Phase.MAIL
    connection = ready("REQUIRETLS")
    connection.encrypted = True
    for tls in (None, TlsFacts("TLSv1.3", "A", 256)):
        connection.tls = tls
        with pytest.raises(TlsFailed, match="its certificate was not verified"):
            Plan.of(connection, to(envelope=envelope))
    connection.tls = TlsFacts("TLSv1.3", "A", 256, verified=True)
    assert Plan.of(connection, to(envelope=envelope)).mail.shown.endswith("REQUIRETLS")
