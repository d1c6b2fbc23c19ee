from __future__ import annotations

import subprocess
import sys

import pytest

from ehlo import Address, InvalidAddress, InvalidInput
from ehlo.idna import a_labels

# Addresses, and the same with their domains in A-labels.
ADDRESSES = [
    ("ada@b\u00fccher.example", "ada@xn--bcher-kva.example"),
    ("ada@B\u00dcCHER.Example", "ada@xn--bcher-kva.example"),
    ("ada@b\u0075\u0308cher.example", "ada@xn--bcher-kva.example"),
    ("ada@stra\u00dfe.example", "ada@xn--strae-oqa.example"),
    ("ada@strasse.example", "ada@strasse.example"),
    ("ada@\u03b2\u03cc\u03bb\u03bf\u03c2.example", "ada@xn--nxasmm1c.example"),
    ("ada@\u4f8b\u3048.\u30c6\u30b9\u30c8", "ada@xn--r8jz45g.xn--zckzah"),
    ("ada@xn--bcher-kva.b\u00fccher.example", "ada@xn--bcher-kva.xn--bcher-kva.example"),
    ("gr\u00fcn@b\u00fccher.example", "gr\u00fcn@xn--bcher-kva.example"),
    ("GR\u00dcN@b\u00fccher.example", "GR\u00dcN@xn--bcher-kva.example"),
    ('"a@\u00fc"@b\u00fccher.example', '"a@\u00fc"@xn--bcher-kva.example'),
    # What is ASCII stays as it is, valid or not.
    ("ada@XN--BCHER-KVA.Example", "ada@XN--BCHER-KVA.Example"),
    ("ada@xn--not-punycode.example", "ada@xn--not-punycode.example"),
    ("ada@x--y.example", "ada@x--y.example"),
    ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
    ("gr\u00fcn@example.org", "gr\u00fcn@example.org"),
    ("postmaster", "postmaster"),
]


@pytest.mark.parametrize(("text", "ascii_domain"), ADDRESSES)
def test_a_domain_has_a_labels(text: str, ascii_domain: str) -> None:  # E4
    address = Address(text).to_ascii()
    assert address == Address(ascii_domain)
    assert address.domain.isascii()
    assert address.local_part == Address(text).local_part
    assert address.to_ascii() is address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ada@\u2603.example", "Codepoint U\\+2603"),
        ("ada@\U0001f4e7.example", "Codepoint U\\+1F4E7"),
        ("ada@xn--\u00fc.example", "bad domain"),
        ("ada@" + "\u00fc" * 63 + ".example", "bad domain"),
        ("ada@\u0627b.example", "bad domain"),
    ],
)
def test_what_is_no_domain_of_idna_2008_has_none(text: str, why: str) -> None:  # E4
    with pytest.raises(InvalidAddress, match=why) as caught:
        Address(text).to_ascii()
    assert caught.value.text == text
    assert caught.value.position == 4


@pytest.mark.parametrize(
    ("labels", "why"), [(60, "bad domain"), (30, "the address is longer than 254 octets")]
)
def test_a_domain_may_be_too_long_in_ascii(labels: int, why: str) -> None:
    address = Address("a" * 64 + "@" + ".".join(["\u00fc"] * labels))
    with pytest.raises(InvalidAddress, match=why):
        address.to_ascii()


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("ada@example.org", False),
        ("ada@b\u00fccher.example", False),
        ("gr\u00fcn@example.org", True),
        ('"\u00fc"@[192.0.2.1]', True),
        ("postmaster", False),
    ],
)
def test_only_a_local_part_needs_smtputf8(text: str, needed: bool) -> None:  # E4
    assert Address(text).needs_smtputf8 is needed


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "idna", None)
    assert a_labels("example.org") == "example.org"
    with pytest.raises(InvalidInput, match=r"without the package idna: ehlo\[idna\]"):
        Address("ada@b\u00fccher.example").to_ascii()


def test_the_package_is_loaded_at_first_use() -> None:
    code = "import sys, ehlo; ehlo.Address('a@b.example').to_ascii(); print('idna' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
