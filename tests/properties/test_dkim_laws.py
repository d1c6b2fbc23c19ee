"""The laws of DKIM: what is built and signed verifies elsewhere, and what is altered does not."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TypeAlias

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ehlo import Attachment, Message, dkim
from support import dkim_keys
from support.dkim_verifiers import Verifier

NOW = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC)
KEYS = {
    dkim.Algorithm.RSA_SHA256: dkim_keys.RSA,
    dkim.Algorithm.ED25519_SHA256: dkim_keys.ED25519,
}
WORDS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=12),
    st.sampled_from(
        ["   ", "a ", " a", "x" * 80, "b=", "; b=", "dkim-signature: b=x;", "=?utf-8?"]
    ),
)
TEXTS = st.lists(WORDS, max_size=6).map("".join)
BODIES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        st.sampled_from(["\r\n", "\n", "\r", ".", " \n", "\t", "From ", "--=_id", "x" * 1000]),
    ),
    max_size=8,
).map("".join)
MESSAGES: st.SearchStrategy[Message] = st.builds(
    Message,
    from_=st.just("ada@example.org"),
    to=st.lists(st.tuples(TEXTS, st.just("bob@example.com")), min_size=1, max_size=9),
    reply_to=st.just(()) | st.just("ada@example.org"),
    subject=TEXTS,
    text=st.none() | BODIES,
    html=st.none() | BODIES,
    attachments=st.lists(
        st.builds(Attachment, st.binary(max_size=100), filename=st.just("a.bin")), max_size=2
    ),
    headers=st.lists(st.tuples(st.sampled_from(["X-A", "Comments"]), TEXTS), max_size=3),
    date=st.just(NOW),
)
HEADERS = [
    ("From",),
    dkim.RECOMMENDED,
    (*dkim.RECOMMENDED, "Comments", "X-A", "To", "Subject"),
    ("X-A", "Comments", "X-A", "From", "Subject", "Date", "X-A", "X-Nobody", "X-Nobody"),
]
OPTIONS = st.tuples(
    st.sampled_from(dkim.Canonicalization),
    st.sampled_from(dkim.Oversigning),
    st.sampled_from(HEADERS),
)
Options: TypeAlias = tuple[dkim.Canonicalization, dkim.Oversigning, tuple[str, ...]]
USUAL: Options = (dkim.Canonicalization.RELAXED_RELAXED, dkim.Oversigning.PRESENT, dkim.RECOMMENDED)

FEWER = settings(max_examples=min(100, settings().max_examples))
"""An RSA signature and a conversation with another process for each of them take their time."""


def octets_of(message: Message) -> bytes:
    return message.as_bytes(make_id=lambda: "id")


@cache  # an RSA key is checked when it is read, which takes its time
def signer(algorithm: dkim.Algorithm, options: Options) -> dkim.Signer:
    canonicalization, oversigning, headers = options
    return dkim.Signer(
        domain="example.org",
        selector=algorithm.partition("-")[0],
        private_key=KEYS[algorithm],
        canonicalization=canonicalization,
        oversigning=oversigning,
        headers=headers,
        clock=lambda: 1_700_000_000.5,
    )


def signers(verifier: Verifier, options: Options) -> list[dkim.Signer]:
    return [signer(algorithm, options) for algorithm in KEYS if algorithm in verifier.algorithms]


@FEWER
@given(message=MESSAGES, options=OPTIONS)
def test_what_is_built_and_signed_verifies(
    dkim_verifier: Verifier, message: Message, options: Options
) -> None:
    octets = octets_of(message)
    keys = signers(dkim_verifier, options)
    signed = octets
    for sign in keys:
        signed = sign(signed)
    assert signed.isascii()
    assert signed.endswith(octets)
    assert max(map(len, signed.split(b"\r\n"))) <= 998
    found = dkim_verifier.verify(signed, *keys)
    assert found == [(sign.selector, True) for sign in reversed(keys)]


@FEWER
@given(message=MESSAGES, options=OPTIONS, data=st.data())
def test_what_is_altered_does_not(
    dkim_verifier: Verifier, message: Message, options: Options, data: st.DataObject
) -> None:
    octets = octets_of(message)
    where = octets.index(b"\r\n\r\n") + 4
    assume(octets[where:].strip())
    keys = signers(dkim_verifier, options)
    position = data.draw(
        st.sampled_from([at for at in range(where, len(octets)) if octets[at] > 0x20])
    )
    other = b"!" if octets[position : position + 1] != b"!" else b"?"
    sign = data.draw(st.sampled_from(keys))
    signed = sign(octets)
    at = len(signed) - len(octets) + position
    altered = signed[:at] + other + signed[at + 1 :]
    assert dkim_verifier.verify(altered, sign) == [(sign.selector, False)]


@FEWER
@given(message=MESSAGES, name=st.sampled_from(["From", "To", "Date", "MIME-Version", "Message-ID"]))
def test_a_field_that_is_added_is_noticed(
    dkim_verifier: Verifier, message: Message, name: str
) -> None:
    for sign in signers(dkim_verifier, USUAL):
        altered = f"{name}: other\r\n".encode() + sign(octets_of(message))
        assert dkim_verifier.verify(altered, sign) == [(sign.selector, False)]
