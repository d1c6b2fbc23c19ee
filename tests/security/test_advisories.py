"""What went wrong in other mail software, as tests of ours.

Each published advisory, and each defect that was measured in a client, has a row: what it was, and
the tests that would fail if we had it. The tests exist; that is checked. Where none fits as it is,
one stands below the table.
"""

import ast
import functools
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest

import ehlo
from ehlo.commands import Ehlo, Expn, Mail, Vrfy
from ehlo.testing import Server, ServerOptions
from support.colours import Blocking
from support.secrets import PASSWORD

ROOT = Path(__file__).parents[2]
TO_BOB = ehlo.Envelope("ada@example.org", "bob@example.com")


class Advisory(NamedTuple):
    """Something that went wrong.

    Attributes:
        name: How it is known.
        what: What it was.
        tests: The tests of ours, as pytest names them.
    """

    name: str
    what: str
    tests: tuple[str, ...]


HERE = "tests/security/test_advisories.py"
MITM = "tests/adapters/test_man_in_the_middle.py"
FAULTS = "tests/adapters/test_faults.py"
TLS = "tests/adapters/test_tls.py"
LAWS = "tests/properties/test_laws.py"
ADDRESS = "tests/unit/test_address.py"
ENCODER = "tests/unit/wire/test_content_encoder.py"
PARSER = "tests/unit/wire/test_reply_parser.py"
HEADERS = "tests/unit/message/test_headers.py"
STDLIB = "tests/unit/message/test_stdlib.py"
MESSAGES = "tests/unit/message/test_built_messages.py"
SESSIONS = "tests/adapters/test_sessions.py"
SESSION = "tests/unit/dialogues/test_session.py"
AUTH = "tests/unit/dialogues/test_authentication.py"
TRANSACTION = "tests/unit/dialogues/test_transaction.py"
INJECTION = "tests/security/test_injection.py::test_nothing_that_is_passed_ends_a_line"

STARTTLS = (
    f"{MITM}::test_octets_behind_the_220",
    f"{FAULTS}::test_octets_glued_behind_the_220_are_refused",
    f"{SESSION}::test_octets_behind_the_220_are_a_tls_error",
)
CRLF = (INJECTION, f"{LAWS}::test_what_is_passed_stays_on_its_line")
ONE_ADDRESS = (
    f"{HERE}::test_an_address_is_one_address_or_refused",
    f"{ADDRESS}::test_what_is_no_address_says_why_and_where",
)
QUOTED = (*ONE_ADDRESS, f"{HERE}::test_a_quoted_local_part_stays_what_it_is")
LINEAR = (
    f"{ADDRESS}::test_reading_an_address_is_linear_and_not_recursive",
    "tests/unit/message/test_mailboxes.py::test_reading_a_list_is_linear_and_not_recursive",
)
DOTS = (
    f"{LAWS}::test_content_arrives_with_its_line_ends_normalised",
    f"{ENCODER}::test_content_is_encoded_the_same_however_it_is_cut",
)
SMUGGLING = (f"{ENCODER}::test_no_variant_of_the_end_mark_ends_the_content_early",)
HEADER = (
    f"{HERE}::test_no_header_of_any_kind_of_message_brings_in_another",
    "tests/properties/test_message_laws.py::test_no_control_character_gets_into_a_header",
)
FOLDING = (f"{HEADERS}::test_many_mailboxes_survive_folding",)

ADVISORIES = (
    # TLS
    Advisory("NO STARTTLS (USENIX Security 2021)", "octets behind the 220 were kept", STARTTLS),
    Advisory("CVE-2021-38371", "Exim's client kept octets behind the 220", STARTTLS),
    Advisory("CVE-2026-41319", "MailKit kept octets behind the 220", STARTTLS),
    Advisory("GHSA-vxj7-4xrp-5vr4", "aiosmtplib kept octets behind the 220", STARTTLS),
    Advisory("nodemailer #1835", "nodemailer kept octets behind the 220", STARTTLS),
    Advisory("CVE-2026-115559", "imaplib kept octets behind the answer to STARTTLS", STARTTLS),
    Advisory(
        "CVE-2016-0772",
        "smtplib went on in clear where STARTTLS was refused",
        (
            f"{MITM}::test_starttls_refused_by_the_attacker",
            f"{MITM}::test_starttls_answered_oddly",
            f"{MITM}::test_starttls_stripped",
        ),
    ),
    Advisory(
        "cpython #91826",
        "smtplib's default context verifies nothing",
        (
            f"{TLS}::test_the_default_context_takes_tls_1_2_and_later",
            f"{MITM}::test_another_certificate",
        ),
    ),
    # Authentication
    Advisory(
        "GHSA-98qh-xjc8-98pq",
        "pgjdbc let a server choose how many iterations of SCRAM it would compute",
        (
            "tests/security/test_hostile.py::test_iterations_are_bounded_both_ways",
            "tests/unit/sasl/test_scram.py::test_a_first_message_that_is_not_answered",
        ),
    ),
    Advisory(
        "net-imap #654",
        "Ruby's Net::IMAP let a server choose how many iterations of SCRAM it would compute",
        ("tests/security/test_hostile.py::test_iterations_are_bounded_both_ways",),
    ),
    Advisory(
        "MailKit's RedactSecrets",
        "a log shows what is authenticated with, unless it is made not to",
        (
            f"{AUTH}::test_no_secret_shows",
            "tests/security/test_secrets.py::test_the_watch_sees_the_whole_run",
        ),
    ),
    # What is sent
    Advisory("bpo-43124", "smtplib: CR LF in the EHLO name and in arguments", CRLF),
    Advisory("GHSA-v3q9-hj7j-63hq", "aiosmtplib: CR LF in addresses and parameters", CRLF),
    Advisory("GHSA-vvjj-xcjg-gr5g", "nodemailer: CR LF in the EHLO name", CRLF),
    Advisory(
        "GHSA-c7w3-x93f-qmm8",
        "nodemailer: CR LF in the size of an envelope",
        (*CRLF, f"{HERE}::test_a_size_is_a_number"),
    ),
    Advisory("CVE-2026-30227", "MailKit: CR LF in a quoted local part", (*CRLF, *ONE_ADDRESS)),
    Advisory("CVE-2015-9096", "Ruby's Net::SMTP: CR LF in addresses", CRLF),
    Advisory(
        "CVE-2025-7962",
        "Jakarta Mail: characters beyond ASCII that became CR and LF",
        (*CRLF, f"{HERE}::test_no_character_becomes_a_line_end"),
    ),
    Advisory(
        "MBSD 2015 (SMTP injection via recipient addresses)",
        "addresses that are no address, checked too late or not at all",
        (*ONE_ADDRESS, f"{HERE}::test_all_is_checked_before_the_first_octet"),
    ),
    Advisory("CVE-2025-13033", "nodemailer sent to another domain than was quoted", QUOTED),
    Advisory("CVE-2025-59937", "go-mail sent to another domain than was quoted", QUOTED),
    Advisory("CVE-2023-27043", "email.utils.parseaddr found an address that was none", ONE_ADDRESS),
    Advisory(
        "CVE-2019-16056", "email took what stood before a second @ for the address", ONE_ADDRESS
    ),
    Advisory("CVE-2025-14874", "nodemailer's address parser was recursive", LINEAR),
    Advisory("GHSA-9h6g-pr28-7cqp", "nodemailer's address parser was quadratic", LINEAR),
    # Content
    Advisory(
        "CVE-2021-38189", "lettre did not double a dot behind a lone LF or at the start", DOTS
    ),
    Advisory("RUSTSEC-2026-0561", "lettre: dots that were not doubled at a seam", DOTS),
    Advisory("CVE-2023-51764", "SMTP smuggling by way of Postfix", SMUGGLING),
    Advisory("CVE-2023-51765", "SMTP smuggling by way of Sendmail", SMUGGLING),
    Advisory("CVE-2023-51766", "SMTP smuggling by way of Exim", SMUGGLING),
    Advisory("VU#302671", "SMTP smuggling: end marks that not everybody takes for one", SMUGGLING),
    # Headers
    Advisory("CVE-2024-6923", "email wrote line ends in headers", HEADER),
    Advisory("CVE-2026-1299", "email's BytesGenerator wrote line ends in headers", HEADER),
    Advisory("bpo-39073", "email: CR LF in the parts of an Address", HEADER),
    Advisory("cpython #100612", "email: control characters in a display name", HEADER),
    Advisory("CVE-2017-9801", "Commons Email: line ends in a subject", HEADER),
    Advisory("CVE-2025-1795", "email encoded the comma between two addresses", FOLDING),
    Advisory("cpython #80222", "email lost quotes when it folded", FOLDING),
    Advisory("cpython #121284", "email lost quotes next to an encoded word", FOLDING),
    # Replies
    Advisory(
        "RUSTSEC-2026-0562",
        "lettre found a keyword in the middle of another",
        (
            "tests/unit/test_capabilities.py::test_a_keyword_is_read_whole",
            "tests/unit/test_capabilities.py::test_the_first_line_is_never_a_keyword",
        ),
    ),
    Advisory(
        "aiosmtplib 5.1.2",
        "replies without an end filled the memory",
        (f"{PARSER}::test_endless_replies_are_refused", f"{FAULTS}::test_endless_replies"),
    ),
    Advisory(
        "aiosmtplib 5.1.3",
        "a reply that nobody asked for was taken for the next command's",
        (
            f"{FAULTS}::test_replies_that_nobody_asked_for",
            f"{MITM}::test_replies_said_twice_are_noticed",
        ),
    ),
    Advisory(
        "aiosmtplib 5.1.1",
        "an odd answer to QUIT was an error",
        (
            f"{SESSIONS}::test_quit_that_is_refused_or_not_answered_is_no_failure",
            f"{MITM}::test_tls_cut_behind_221_is_no_failure",
        ),
    ),
    Advisory(
        "aiosmtplib 3.0.1",
        "futures and transports were left behind",
        (f"{FAULTS}::test_cancellation_leaves_nothing_behind",),
    ),
    Advisory(
        "pimalaya/core #46",
        "a lost reply to the final dot was retried: duplicates",
        (f"{FAULTS}::test_a_message_that_was_taken_and_whose_reply_was_lost",),
    ),
    # Defects that were measured
    Advisory(
        "aiosmtplib: cancelled within a command",
        "the late reply went to the next command",
        (f"{FAULTS}::test_a_cancelled_session_is_closed_for_good",),
    ),
    Advisory(
        "aiosmtplib: cancelled while connecting",
        "it took itself for connected",
        (f"{FAULTS}::test_connect_that_is_cancelled_while_connecting",),
    ),
    Advisory(
        "smtplib, aiosmtplib: a steady upload longer than the timeout",
        "it was a timeout",
        ("tests/adapters/test_pumps.py::test_a_steady_upload_outlasts_the_timeout",),
    ),
    Advisory(
        "smtplib, aiosmtplib, nodemailer: a lost reply to the final dot",
        "the error was that of a connection never made",
        (f"{MITM}::test_the_final_reply_changed",),
    ),
    Advisory(
        "aiosmtplib: 421 to the second recipient",
        "what became of the first was lost",
        (f"{TRANSACTION}::test_421_to_a_recipient_ends_it_whatever_the_policy",),
    ),
    Advisory(
        "aiosmtplib: 421 in an idle session",
        "its text was thrown away",
        (f"{FAULTS}::test_an_idle_session_whose_server_said_421",),
    ),
    Advisory(
        "smtplib: raw 8-bit content without BODY=",
        "it was sent to servers that do not take it",
        (f"{TRANSACTION}::test_what_the_server_cannot_take_is_not_sent",),
    ),
    Advisory(
        "smtplib, nodemailer, swaks: LMTP",
        "one final reply was read for several recipients",
        (
            "tests/adapters/test_fault_enumeration.py::test_lmtp_that_is_lost_between_its_final_replies",
        ),
    ),
    Advisory(
        "smtplib: the same recipient refused twice",
        "DATA was sent without any recipient",
        (f"{HERE}::test_a_recipient_that_is_refused_twice_is_refused",),
    ),
    Advisory(
        "smtplib: no default timeout",
        "a silent server was waited for without an end",
        ("tests/unit/test_timeouts.py::test_every_phase_has_a_finite_deadline_by_default",),
    ),
    Advisory(
        "smtplib, aiosmtplib: no Date and no Message-ID",
        "messages were refused or called spam",
        (
            "tests/unit/message/test_standard_library.py::test_a_message_is_written_with_what_it_lacks",
        ),
    ),
    Advisory(
        "smtpproto: a last line without its end",
        "the end mark was glued to it, and the message never ended",
        (f"{HERE}::test_a_last_line_without_its_end_ends",),
    ),
    Advisory(
        "smtpproto: 421 to MAIL, 554 to RCPT",
        "they were called violations of the protocol",
        ("tests/unit/dialogues/test_faults.py::test_a_fault_in_the_place_of_each_reply",),
    ),
    Advisory("smtpproto: CR LF in a recipient", "a second RCPT was sent", CRLF),
    Advisory(
        "smtpproto, smtplib: credentials in the log",
        "they were written in clear",
        (f"{HERE}::test_no_log_shows_credentials", f"{AUTH}::test_no_secret_shows"),
    ),
    Advisory(
        "smtpproto: a session after a refused recipient",
        "there was no RSET, and it was dead",
        (f"{TRANSACTION}::test_some_refused_and_nothing_sent",),
    ),
    Advisory(
        "python/cpython#100331",
        "after a definite 535 all other mechanisms were tried",
        (f"{AUTH}::test_a_definite_no_is_final",),
    ),
)
"""Everything that is published, and everything that was measured."""


@functools.cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory.name)
def test_there_is_a_test(advisory: Advisory) -> None:
    assert advisory.what
    assert advisory.tests
    for test in advisory.tests:
        path, _, name = test.partition("::")
        assert name in names_in(path), f"{advisory.name}: there is no {test}"


def test_no_advisory_stands_twice() -> None:
    names = [advisory.name for advisory in ADVISORIES]
    assert len(set(names)) == len(names)


def test_the_tests_here_are_in_the_table() -> None:
    listed = {test for advisory in ADVISORIES for test in advisory.tests}
    about_the_table = {
        "test_there_is_a_test",
        "test_no_advisory_stands_twice",
        "test_the_tests_here_are_in_the_table",
    }
    assert {f"{HERE}::{name}" for name in names_in(HERE) if name.startswith("test_")} == {
        test for test in listed if test.startswith(HERE)
    } | {f"{HERE}::{name}" for name in about_the_table}


# -- Where none fits as it is ----------------------------------------------------------------------

TWO_ADDRESSES = (
    "bob@example.com,eve@example.net",
    "bob@example.com eve@example.net",
    "bob@example.com@eve.example.net",
    "<bob@example.com>",
    "<bob@example.com> <eve@example.net>",
    "Bob <bob@example.com>",
    '"bob@example.com" <eve@example.net>',
    "bob@example.com (eve@example.net)",
    "(eve@example.net) bob@example.com",
    "@eve.example.net:bob@example.com",
    "bob@example.com;",
    "group: bob@example.com;",
    "=?utf-8?q?bob=40example=2Ecom=3E=00?=",
    "alice@example.org)bob@example.com",
    "bob@example.com\x00@eve.example.net",
)


@pytest.mark.parametrize("text", TWO_ADDRESSES)
def test_an_address_is_one_address_or_refused(text: str) -> None:
    with pytest.raises(ehlo.InvalidAddress):
        ehlo.Address(text)
    with pytest.raises(ehlo.InvalidAddress):
        ehlo.Envelope("ada@example.org", text)


@pytest.mark.parametrize(
    "text",
    ['"eve@example.net x"@example.com', '"bob@example.com"@example.com', '"a,b"@example.com'],
)
def test_a_quoted_local_part_stays_what_it_is(text: str) -> None:
    """CVE-2025-13033, CVE-2025-59937: the mail goes to the domain behind the quotes."""
    address = ehlo.Address(text)
    assert (str(address), address.domain) == (text, "example.com")
    assert Mail(address).wire() == f"MAIL FROM:<{text}>\r\n".encode()


@pytest.mark.parametrize("size", ["1\r\nRCPT TO:<eve@example.net>", "1", 1.5, True, -1])
def test_a_size_is_a_number(size: object) -> None:
    with pytest.raises((TypeError, ehlo.InvalidInput)):
        Mail(ehlo.Address("ada@example.org"), size).wire()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "character", ["\u010d\u010a", "\u560d\u560a", "\uff0d\uff0a", "\u240d\u240a"]
)
def test_no_character_becomes_a_line_end(character: str) -> None:
    """Their low octets are CR and LF."""
    for command in (Vrfy(f"a{character}b"), Expn(f"a{character}b")):
        assert command.wire().count(b"\n") == command.wire().count(b"\r") == 1
    with pytest.raises(ehlo.InvalidInput):
        Ehlo(f"a{character}b")
    try:
        wire = Mail(ehlo.Address(f"a{character}b@example.org"), smtputf8=True).wire()
    except ehlo.InvalidAddress:
        return
    assert wire.count(b"\n") == wire.count(b"\r") == 1


def test_all_is_checked_before_the_first_octet() -> None:
    with Server() as server, ehlo.blocking.connect(server.url) as session:
        before = len(server.commands)
        recipients = ["bob@example.com", "carol@example.com\r\nDATA"]
        with pytest.raises(ehlo.InvalidAddress):
            session.send(b"x", envelope=ehlo.Envelope("ada@example.org", recipients))
        with pytest.raises(ehlo.InvalidInput):
            session.send(b"a line that is too long" * 100, envelope=TO_BOB)
        assert len(server.commands) == before
        assert session.is_idle


EVIL = "Hello\r\nBcc: eve@example.net\r\n\r\nBuy this"


def _with_header(**fields: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"From": "ada@example.org", "To": "bob@example.com", **fields}.items():
        message[name] = value
    return message


@pytest.mark.parametrize(
    "make",
    [
        lambda: ehlo.Message(from_="ada@example.org", to="bob@example.com", subject=EVIL),
        lambda: ehlo.Message(from_="ada@example.org", to=[(EVIL, "bob@example.com")]),
        lambda: ehlo.Message(from_="ada@example.org", to=f"Bob {EVIL} <bob@example.com>"),
        lambda: ehlo.Message(from_="ada@example.org", to="b@example.com", headers=[("X-A", EVIL)]),
        lambda: ehlo.Message(from_="ada@example.org", to="b@example.com", headers=[(EVIL, "x")]),
        lambda: ehlo.Message(from_="ada@example.org", to="b@example.com", message_id=EVIL),
        lambda: ehlo.Mailbox(ehlo.Address("ada@example.org"), EVIL),
        lambda: ehlo.Attachment(b"", filename=EVIL),
    ],
)
def test_no_header_of_any_kind_of_message_brings_in_another(make: object) -> None:
    assert callable(make)
    with pytest.raises(ehlo.InvalidInput):
        make()


def test_a_recipient_that_is_refused_twice_is_refused() -> None:
    options = ServerOptions(answers={"RCPT": ehlo.Reply.of(550, "5.1.1 No")})
    envelope = ehlo.Envelope("ada@example.org", ["bob@example.com", "bob@example.com"])
    with Server(options) as server:
        with pytest.raises(ehlo.RecipientsRefused):
            Blocking().send(b"x\r\n", server.url, envelope=envelope, on_refusal="deliver")
        assert not server.messages
        assert sum(command.verb == "RCPT" for command in server.commands) == 1


@pytest.mark.parametrize("content", [b"x", b"x\r", b"x\n", b".", b"", b"\r\n.", b"x\r\n.\r"])
def test_a_last_line_without_its_end_ends(content: bytes) -> None:
    with Server() as server:
        Blocking().send(content, server.url, envelope=TO_BOB)
        [message] = server.wait_for_messages(1)
    assert message.content == b"".join(
        line + b"\r\n"
        for line in content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").splitlines()
    )


def test_no_log_shows_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="ehlo")
    options = ServerOptions(users={"ada": PASSWORD}, mechanisms=("LOGIN",))
    with Server(options) as server:
        auth = ehlo.Password("ada", PASSWORD)
        Blocking().send(b"x\r\n", server.url, envelope=TO_BOB, auth=auth)
    assert "AUTH LOGIN" in caplog.text
    assert PASSWORD not in caplog.text
