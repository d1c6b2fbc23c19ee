import re

import pytest

from ehlo.capabilities import Capabilities
from ehlo.cli._extensions import MEANINGS, MECHANISMS, Setting, explained, missing
from ehlo.reply import Reply

PLAIN = Setting(encrypted=False, submission=False)


def capabilities(*lines: str) -> Capabilities:
    return Capabilities.from_reply(Reply.of(250, "mail.example.org", *lines))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("SIZE 10485760", "a mail may have 10 MiB (RFC 1870)"),
        ("SIZE 35651584", "a mail may have 34 MiB (RFC 1870)"),
        ("SIZE 10240000", "a mail may have 9.77 MiB (RFC 1870)"),
        ("SIZE 104857600", "a mail may have 100 MiB (RFC 1870)"),
        ("SIZE", "a mail's size is told before it is sent (RFC 1870)"),
        ("SIZE 0", "a mail's size is told before it is sent (RFC 1870)"),
        ("PIPELINING", "commands need not wait for each other's replies (RFC 2920)"),
        ("XFOO bar", "not known to ehlo"),
    ],
)
def test_a_keyword_in_words(line: str, words: str) -> None:
    assert list(explained(capabilities(line))) == [(line, words)]


def test_each_mechanism_gets_a_remark() -> None:
    assert list(explained(capabilities("AUTH plain XNEW"))) == [
        ("AUTH", "clients can log in (RFC 4954)"),
        ("  PLAIN", "the password itself, so TLS is needed (RFC 4616)"),
        ("  XNEW", "not known to ehlo"),
    ]


def test_everything_is_missing_from_an_empty_list() -> None:
    assert [remark.name for remark in missing(capabilities(), PLAIN)] == [
        "STARTTLS",
        "PIPELINING",
        "SIZE",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
    ]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (PLAIN, {"STARTTLS"}),
        (Setting(encrypted=True, submission=False), set()),
        (Setting(encrypted=False, submission=True), {"STARTTLS"}),
        (Setting(encrypted=True, submission=True), {"AUTH"}),
    ],
)
def test_what_is_missing_depends_on_the_connection(setting: Setting, expected: set[str]) -> None:
    offers = capabilities("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    assert {remark.name for remark in missing(offers, setting)} == expected


@pytest.mark.parametrize("table", [MEANINGS, MECHANISMS])
def test_the_tables_are_in_order_and_fit_a_line(table: dict[str, str]) -> None:
    assert list(table) == sorted(table)
    assert all(re.fullmatch(r"[A-Z0-9-]+", name) for name in table)
    assert all(len(words) <= 72 for words in table.values())
