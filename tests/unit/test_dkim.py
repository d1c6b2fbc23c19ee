"""DKIM: what is signed and how, what is refused, and that the key shows nowhere."""

from __future__ import annotations

import copy
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ehlo import InvalidAddress, InvalidInput, Message, Secret, dkim
from ehlo.dkim.canonicalization import canonical_body, canonical_field
from ehlo.runtime import ambient
from support import dkim_keys
from support.dkim_verifiers import Verifier
from support.pickling import PROTOCOLS, pickled

KEYS = {"rsa": dkim_keys.RSA, "ed25519": dkim_keys.ED25519}


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


# RFC 8463, appendix A.3.
DINNER = crlf("""\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""")


def signer(**options: Any) -> dkim.Signer:
    own: dict[str, Any] = {
        "domain": "football.example.com",
        "selector": "test",
        "private_key": dkim_keys.ED25519,
        "clock": lambda: 1528637909,
    }
    return dkim.Signer(**(own | options))


def unfolded(tag: str, value: str) -> str:
    return value.replace("\r\n ", "" if tag == "b" else " ")


def tags(octets: bytes) -> dict[str, str]:
    """Return the tags of the signature on top."""
    match = re.match(rb"DKIM-Signature: ((?:[^\r\n]|\r\n )*)\r\n", octets)
    assert match is not None
    pairs = (tag.partition("=") for tag in match[1].decode("ascii").split(";"))
    return {name.strip(): unfolded(name.strip(), value) for name, _, value in pairs}


# -- What comes of it ------------------------------------------------------------------------------


SIGNATURES = {
    "brisbane": (
        "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
    ),
    "test": (
        "F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFO"
        "eS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8="
    ),
}


@pytest.mark.parametrize(("key", "selector"), [("ed25519", "brisbane"), ("rsa", "test")])
def test_the_example_of_rfc_8463(key: str, selector: str) -> None:
    signed = signer(
        selector=selector,
        private_key=KEYS[key],
        identity="@football.example.com",
        headers=["From", "To", "Subject", "Date", "Message-ID", "From", "Subject", "Date"],
        oversigning="none",
    )(DINNER)
    assert tags(signed) == {
        "v": "1",
        "a": f"{key}-sha256",
        "c": "relaxed/relaxed",
        "d": "football.example.com",
        "i": "@football.example.com",
        "q": "dns/txt",
        "s": selector,
        "t": "1528637909",
        "h": "from : to : subject : date : message-id : from : subject : date",
        "bh": "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
        "b": SIGNATURES[selector],
    }


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_field_stands_in_front_and_nothing_else_changes(key: str) -> None:
    sign = signer(private_key=key)
    signed = sign(DINNER)
    assert signed == sign(DINNER)
    assert signed.endswith(DINNER)
    field = signed.removesuffix(DINNER)
    first, *rest, end = field.split(b"\r\n")
    assert first.startswith(b"DKIM-Signature: v=1; a=")
    assert all(line.startswith(b" ") and line.strip() for line in rest)
    assert max(map(len, [first, *rest])) <= 78
    assert end == b""
    assert b"\n" not in field.replace(b"\r\n", b"")


def test_the_key_record() -> None:
    sign = signer(selector="brisbane")
    assert sign.record_name == "brisbane._domainkey.football.example.com"
    assert sign.record == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    rsa = signer(private_key=dkim_keys.RSA)
    assert rsa.record == (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
        "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
        "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
        "Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    )


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", dkim.Algorithm.RSA_SHA256), ("ed25519", dkim.Algorithm.ED25519_SHA256)],
)
def test_the_algorithm_follows_from_the_key(key: str, algorithm: dkim.Algorithm) -> None:
    sign = signer(private_key=KEYS[key])
    assert sign.algorithm is algorithm
    assert tags(sign(DINNER))["a"] == algorithm


def test_the_time_is_that_of_the_clock() -> None:
    times = iter([0.0, 7.9])
    sign = signer(clock=lambda: next(times), expires_after=3600)
    found = [tags(sign(DINNER)) for _ in range(2)]
    assert [(each["t"], each["x"]) for each in found] == [("0", "3600"), ("7", "3607")]
    assert "x" not in tags(signer()(DINNER))


def test_the_machine_has_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ambient, "unix_time", lambda: 86400.5)
    assert tags(signer(clock=None)(DINNER))["t"] == "86400"


@pytest.mark.parametrize("now", [-1, float("nan"), float("inf"), 10**11])
def test_a_clock_that_does_not_tell_the_time_is_refused(now: float) -> None:
    with pytest.raises(InvalidInput, match=r"the clock returned .*, not seconds since 1970"):
        signer(clock=lambda: now)(DINNER)


@pytest.mark.parametrize(
    ("name", "given", "tag", "written"),
    [
        ("domain", "b\u00fccher.example", "d", "xn--bcher-kva.example"),
        ("selector", "\u00fc.mail", "s", "xn--tda.mail"),
        ("identity", "ada@Lists.Football.example.com", "i", "ada@Lists.Football.example.com"),
        (
            "identity",
            "@b\u00fccher.football.example.com",
            "i",
            "@xn--bcher-kva.football.example.com",
        ),
        ("identity", "gr\u00fcn@football.example.com", "i", "gr=C3=BCn@football.example.com"),
        ("identity", '"a;=b c"@football.example.com', "i", '"a=3B=3Db=20c"@football.example.com'),
    ],
)
def test_names_are_written_as_a_verifier_reads_them(
    name: str, given: str, tag: str, written: str
) -> None:
    sign = signer(**{name: given})
    assert tags(sign(DINNER))[tag] == written


# -- What is signed (RFC 6376 section 3.4.5) -------------------------------------------------------

RELAXED = dkim.Canonicalization.RELAXED_RELAXED
SIMPLE = dkim.Canonicalization.SIMPLE_SIMPLE


@pytest.mark.parametrize(
    ("field", "relaxed"),
    [
        (b"A: X\r\n", b"a:X\r\n"),
        (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n"),
        (b"C:\r\n", b"c:\r\n"),
        (b"D: \r\n \r\n", b"d:\r\n"),
        (b"E:a:b\x0b \r\n", b"e:a:b\x0b\r\n"),
    ],
)
def test_canonical_fields(field: bytes, relaxed: bytes) -> None:
    assert canonical_field(RELAXED, field) == relaxed
    assert canonical_field(dkim.Canonicalization.RELAXED_SIMPLE, field) == relaxed
    assert canonical_field(SIMPLE, field) == field
    assert canonical_field(dkim.Canonicalization.SIMPLE_RELAXED, field) == field


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n", b" C \r\nD \t E\r\n"),
        (b"", b"", b"\r\n"),
        (b"\r\n\r\n", b"", b"\r\n"),
        (b" \t", b"", b" \t\r\n"),
        (b"a", b"a\r\n", b"a\r\n"),
        (b"a \r\n \r\n", b"a\r\n", b"a \r\n \r\n"),
        (b"\r\na\x0c\r\n", b"\r\na\x0c\r\n", b"\r\na\x0c\r\n"),
    ],
)
def test_canonical_bodies(body: bytes, relaxed: bytes, simple: bytes) -> None:
    assert canonical_body(RELAXED, body) == relaxed
    assert canonical_body(dkim.Canonicalization.SIMPLE_RELAXED, body) == relaxed
    assert canonical_body(SIMPLE, body) == simple
    assert canonical_body(dkim.Canonicalization.RELAXED_SIMPLE, body) == simple


FIELDS = crlf("""\
X-A: 1
From: a@example.org
to: b@example.org
X-A: 2
Resent-From: c@example.org
Resent-From: d@example.org

""")


@pytest.mark.parametrize(
    ("headers", "oversigning", "signed"),
    [
        (["From"], "none", "from"),
        (["FROM", "Subject", "To"], "none", "from : to"),
        (["From", "Subject", "To"], "present", "from : to : from : to"),
        (["From", "Subject"], "all", "from : subject : from"),
        (["From", "X-A"], "all", "from : x-a : from : x-a"),
        (["From", "Resent-From"], "all", "from : resent-from : from : resent-from"),
        (["From", "From"], "none", "from : from"),
        (["From", "from"], "present", "from : from"),
        (["From", "X-B", "X-B"], "none", "from : x-b : x-b"),
        (["X-A", "From", "X-A", "X-A"], "none", "x-a : from : x-a : x-a"),
    ],
)
def test_what_is_signed(headers: list[str], oversigning: str, signed: str) -> None:
    sign = signer(headers=headers, oversigning=oversigning)
    assert tags(sign(FIELDS))["h"] == signed
    assert sign.headers == tuple(headers)


def test_what_is_signed_by_default() -> None:
    assert tags(signer()(FIELDS))["h"] == "from : to : resent-from : from : to : resent-from"
    assert {"List-Unsubscribe", "List-Unsubscribe-Post"} < set(dkim.RECOMMENDED)  # RFC 8058


# -- What verifiers say ----------------------------------------------------------------------------

MESSAGES = {
    "rfc 8463": DINNER,
    "fields": FIELDS,
    "no body": FIELDS.removesuffix(b"\r\n"),
    "no end": FIELDS + b"a line \r\n\r\nthe last one",
    "blanks": (
        b"From: a@example.org \r\nSubject:\r\n  folded \t twice\r\n\t\r\n\r\n a  b\t\r\n \r\n"
    ),
    "a utf-8 header": "From: Grün <grün@bücher.example>\r\nSubject: Grüße\r\n\r\nä\r\n".encode(),
}


@pytest.mark.parametrize("canonicalization", dkim.Canonicalization)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_signatures_are_good(
    dkim_verifier: Verifier, message: bytes, key: str, canonicalization: dkim.Canonicalization
) -> None:
    sign = signer(private_key=KEYS[key], canonicalization=canonicalization, oversigning="all")
    if sign.algorithm in dkim_verifier.algorithms:
        assert dkim_verifier.verify(arrived(sign(message)), sign) == [("test", True)]


def arrived(octets: bytes) -> bytes:
    """Return a message as a server gets it: its last line has an end."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def test_a_name_may_have_a_blank_behind_it(mail_dkim: Verifier) -> None:  # dkimpy cannot read it
    sign = signer(private_key=dkim_keys.RSA)
    message = DINNER.replace(b"From:", b"From :")
    assert mail_dkim.verify(sign(message), sign) == [("test", True)]


def test_all_tags_are_understood(dkim_verifier: Verifier) -> None:
    sign = signer(
        private_key=dkim_keys.RSA,
        domain="b\u00fccher.example",
        selector="2026.mail",
        identity='"a; b=c"@lists.b\u00fccher.example',
        expires_after=10**10,
        canonicalization="simple/relaxed",
        headers=[*dkim.RECOMMENDED, "X-Nobody", "X-Nobody"],
    )
    assert dkim_verifier.verify(sign(DINNER), sign) == [("2026.mail", True)]


def test_a_signature_expires(dkim_verifier: Verifier) -> None:
    sign = signer(private_key=dkim_keys.RSA, expires_after=1)
    assert dkim_verifier.verify(sign(DINNER), sign) == [("test", False)]


def test_several_signatures_stand_beside_each_other(dkim_verifier: Verifier) -> None:
    first = signer(selector="first", private_key=dkim_keys.RSA)
    second = signer(selector="second", private_key=dkim_keys.ED25519)
    both = dict(dkim_verifier.verify(second(first(DINNER)), first, second))
    assert list(both) == ["second", "first"]
    assert both["first"]
    assert both["second"] is (second.algorithm in dkim_verifier.algorithms)


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def replace(octets: bytes) -> bytes:
        assert octets.count(old) == 1
        return octets.replace(old, new)

    return replace


ALTERATIONS: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "nothing": (bytes, True),
    "a trace on top": (lambda octets: b"Received: from x\r\n by y\r\n" + octets, True),
    "another folding": (replaced(b"Joe SixPack <", b"Joe SixPack\r\n\t<"), True),
    "empty lines at the end": (lambda octets: octets + b"\r\n\r\n", True),
    "a field nobody signed": (lambda octets: b"X-Seen: yes\r\n" + octets, True),
    "the body": (replaced(b"lost", b"won "), False),
    "more body": (lambda octets: octets + b"PS\r\n", False),
    "a signed field": (replaced(b"dinner", b"lunch"), False),
    "a signed field that is gone": (replaced(b"Subject: Is dinner ready?\r\n", b""), False),
    "a second subject": (lambda octets: b"Subject: other\r\n" + octets, False),
    "a second subject below": (replaced(b"Date: ", b"Subject: other\r\nDate: "), False),
    "a second From": (lambda octets: b"From: eve@example.net\r\n" + octets, False),
    "another time": (replaced(b"t=1528637909", b"t=1528637908"), False),
}


@pytest.mark.parametrize(("alter", "passes"), ALTERATIONS.values(), ids=ALTERATIONS)
@pytest.mark.parametrize("key", KEYS)
def test_what_a_signature_bears(
    dkim_verifier: Verifier, key: str, alter: Callable[[bytes], bytes], passes: bool
) -> None:
    sign = signer(private_key=KEYS[key])
    if sign.algorithm in dkim_verifier.algorithms:
        assert dkim_verifier.verify(alter(sign(DINNER)), sign) == [("test", passes)]


@pytest.mark.parametrize(("oversigning", "passes"), [("present", True), ("all", False)])
def test_oversigning_of_what_does_not_stand_there(
    dkim_verifier: Verifier, oversigning: str, passes: bool
) -> None:
    sign = signer(private_key=dkim_keys.RSA, oversigning=oversigning)
    altered = b"Reply-To: eve@example.net\r\n" + sign(DINNER)
    assert dkim_verifier.verify(altered, sign) == [("test", passes)]


def test_without_oversigning_a_second_subject_goes_through(dkim_verifier: Verifier) -> None:
    sign = signer(private_key=dkim_keys.RSA, oversigning="none")
    altered = b"Subject: other\r\n" + sign(DINNER)
    assert dkim_verifier.verify(altered, sign) == [("test", True)]


# -- What is refused -------------------------------------------------------------------------------

LONG = ".".join(["a" * 63] * 3)


@pytest.mark.parametrize(
    ("options", "kind", "why"),
    [
        ({"domain": ""}, InvalidInput, "the domain '' is no domain name of two labels"),
        ({"domain": "localhost"}, InvalidInput, "two labels or more"),
        ({"domain": "example.org."}, InvalidInput, "two labels or more"),
        ({"domain": "[192.0.2.1]"}, InvalidInput, "two labels or more"),
        ({"domain": "a_b.example.org"}, InvalidInput, "two labels or more"),
        ({"domain": "a" * 64 + ".example"}, InvalidInput, "two labels or more"),
        ({"domain": f"{LONG}.{LONG}"}, InvalidInput, "two labels or more"),
        ({"domain": "a.b; s=c"}, InvalidInput, "two labels or more"),
        ({"domain": "a.b\r\n"}, InvalidInput, r"the domain holds the control character U\+000D"),
        ({"domain": "\u2603.example"}, InvalidInput, "is no domain name: Codepoint"),
        ({"domain": 5}, TypeError, "the domain is a str, not int"),
        ({"selector": ""}, InvalidInput, "the selector '' is no domain name"),
        ({"selector": "a..b"}, InvalidInput, "is no domain name"),
        ({"selector": "-a"}, InvalidInput, "is no domain name"),
        ({"selector": "a b"}, InvalidInput, "is no domain name"),
        ({"selector": "a\0"}, InvalidInput, r"the selector holds the control character U\+0000"),
        ({"selector": "\u2603"}, InvalidInput, "is no domain name: Codepoint"),
        ({"selector": None}, TypeError, "the selector is a str, not NoneType"),
        ({"selector": LONG, "domain": f"a.{'b' * 60}"}, InvalidInput, "more than 253 octets"),
        ({"identity": "ada"}, InvalidInput, "an identity is an address, or an @ and a domain"),
        ({"identity": "a b@football.example.com"}, InvalidAddress, "bad local part"),
        ({"identity": "@"}, InvalidInput, "is not in the domain football.example.com"),
        ({"identity": "@example.com"}, InvalidInput, "is not in the domain"),
        ({"identity": "@evilfootball.example.com"}, InvalidInput, "is not in the domain"),
        ({"identity": "@-.football.example.com"}, InvalidInput, "is not in the domain"),
        ({"identity": f"@{LONG}.a.football.example.com"}, InvalidInput, None),
        ({"identity": f"@{LONG}.{LONG}.football.example.com"}, InvalidInput, "is not in the"),
        ({"identity": "@\u2603.football.example.com"}, InvalidInput, "is no domain name: Code"),
        ({"identity": "@football.example.com\n"}, InvalidInput, "the identity holds the control"),
        ({"identity": 5}, TypeError, "the identity is a str, not int"),
        ({"headers": []}, InvalidInput, "From is always signed"),
        ({"headers": ["To"]}, InvalidInput, "From is always signed"),
        ({"headers": ["From", "Return-Path"]}, InvalidInput, "Return-Path is not signed: it is"),
        ({"headers": ["From", "received"]}, InvalidInput, "received is not signed: each relay"),
        ({"headers": ["From", "BCC"]}, InvalidInput, "BCC is not signed: it is not sent"),
        ({"headers": ["From", "Resent-Bcc"]}, InvalidInput, "Resent-Bcc is not signed"),
        ({"headers": ["From", "DKIM-Signature"]}, InvalidInput, "DKIM-Signature is not signed"),
        ({"headers": ["From", "a:b"]}, InvalidInput, "'a:b' is no name of a header field"),
        ({"headers": ["From", "a;b"]}, InvalidInput, "is no name of a header field"),
        ({"headers": ["From", "a\r\nb"]}, InvalidInput, "is no name of a header field"),
        ({"headers": ["From", ""]}, InvalidInput, "is no name of a header field"),
        ({"headers": ["From", "x" * 77]}, InvalidInput, "is no name of a header field"),
        ({"headers": ["From", 5]}, TypeError, "the name of a header field is a str, not int"),
        ({"headers": "From"}, TypeError, "headers are several names, not one str"),
        ({"canonicalization": "nowsp"}, InvalidInput, "Canonicalization is one of 'relaxed/rel"),
        ({"oversigning": "some"}, InvalidInput, "Oversigning is one of 'none', 'present', 'all'"),
        ({"expires_after": 0}, InvalidInput, "valid for 1 second or more, not 0"),
        ({"expires_after": 10**11}, InvalidInput, "valid for 1 second or more, not 1000"),
        ({"expires_after": 1.5}, TypeError, "an int of seconds, not float"),
        ({"expires_after": True}, TypeError, "an int of seconds, not bool"),
        ({"private_key": 5}, TypeError, "a private key is a str or a Secret, not int"),
    ],
)
def test_what_is_refused(options: dict[str, Any], kind: type[Exception], why: str | None) -> None:
    if why is None:  # so near to the limit that it is not refused
        assert signer(**options).identity == options["identity"]
        return
    with pytest.raises(kind, match=why):
        signer(**options)


ENCRYPTED = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
)
ELLIPTIC = ec.derive_private_key(1, ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "is no private key in PEM"),
        ("hunter2", "is no private key in PEM"),
        ("\u00fc", "is no private key in PEM"),
        (b"\xff", "is no private key in PEM"),
        (dkim_keys.RSA.replace("MIICXQ", "MIICXR"), "is no private key in PEM"),
        (dkim_keys.ED25519.replace("PRIVATE", "PUBLIC"), "is no private key in PEM"),
        (dkim_keys.SHORT, r"has 1024 bits or more, not 768 \(RFC 8301\)"),
        (ELLIPTIC, "neither an RSA nor an Ed25519 key"),
        (ENCRYPTED, "the private key is encrypted: decrypt it first"),
    ],
)
def test_what_is_no_key(key: str | bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        signer(private_key=key)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "key",
    [
        dkim_keys.RSA.encode(),
        bytearray(dkim_keys.RSA.encode()),
        Secret(dkim_keys.RSA),
        dkim_keys.RSA.replace("\n", "\r\n"),
        load_pem_private_key(dkim_keys.RSA.encode(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
    ],
    ids=["octets", "bytearray", "Secret", "CRLF", "PKCS #8"],
)
def test_a_key_may_come_in_many_forms(key: Any) -> None:
    assert signer(private_key=key)(DINNER) == signer(private_key=dkim_keys.RSA)(DINNER)


def test_the_extra_is_named_where_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(InvalidInput, match=r"needs the package cryptography: install ehlo\[dkim\]"):
        signer()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "a line that is no field"),
        (b"\r\nFrom: a@b\r\n", "a line that is no field"),
        (b"To: a@b\r\n\r\n", "a message has one From field"),
        (b"From: a@b\r\nfrom : c@d\r\n\r\n", "a message has one From field"),
        (b"From: a@b\n\nx\n", "lines that end with CRLF"),
        (b"From: a@b\r\n\r\nx\ry\r\n", "lines that end with CRLF"),
        (b"From: a@b\r\n\r\nx\n\r", "lines that end with CRLF"),
        (b"From: a@b\r\nnothing\r\n\r\n", "a line that is no field: b'nothing"),
        (b" folded\r\nFrom: a@b\r\n\r\n", "a line that is no field: b' folded"),
    ],
)
def test_what_is_no_message(octets: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        signer()(octets)


# -- The key shows nowhere -------------------------------------------------------------------------


def test_a_signer_shows_what_it_does_and_not_its_key() -> None:
    shown = repr(signer(private_key=dkim_keys.RSA, expires_after=5))
    assert shown.startswith("Signer(domain='football.example.com', selector='test', algorithm=")
    assert "key" not in shown
    assert "expires_after=5" in shown


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_signer_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="holds a private key and cannot be pickled"):
        pickled(signer(), protocol)


def test_copies_are_the_signer_itself() -> None:
    sign = signer()
    assert copy.copy(sign) is sign
    assert copy.deepcopy([sign]) == [sign]


@pytest.mark.parametrize(
    "options", [{"domain": "?"}, {"private_key": dkim_keys.SHORT}, {"clock": lambda: -1}]
)
def test_a_traceback_with_locals_does_not_show_the_key(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        signer(**options)(DINNER)
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    in_library = [frame for frame in report.stack if "/ehlo/" in frame.filename]
    assert in_library
    shown = "".join(text for frame in in_library for text in (frame.locals or {}).values())
    assert not [line for line in dkim_keys.SECRET_LINES if line in shown]


def test_a_signer_does_not_change() -> None:
    with pytest.raises(AttributeError):
        signer().domain = "example.org"  # type: ignore[misc]


def test_a_signer_signs_octets() -> None:
    anything: Any = Message(from_="ada@example.org")
    signer = dkim.Signer(domain="example.org", selector="a", private_key=dkim_keys.ED25519)
    with pytest.raises(TypeError, match=r"not Message: send ehlo\.Sealed\(message, signer\)"):
        signer(anything)
