"""What a signature is made of: header fields and body in their canonical form (RFC 6376 3.4)."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

__all__ = ["Canonicalization", "canonical_body", "canonical_field"]

# Runs of blanks that are not one space already; possessive, so that no line costs more than itself.
_BLANKS: Final = re.compile(rb"[ \t]{2,}+|\t")


class Canonicalization(StrEnum):
    """How much a message may change on its way, header and body (RFC 6376 section 3.4).

    `relaxed` bears other folding, other runs of blanks and blanks at the ends of lines; `simple`
    bears next to nothing.
    """

    RELAXED_RELAXED = "relaxed/relaxed"
    """Header and body relaxed."""
    RELAXED_SIMPLE = "relaxed/simple"
    """The header relaxed, the body as it is."""
    SIMPLE_RELAXED = "simple/relaxed"
    """The header as it is, the body relaxed."""
    SIMPLE_SIMPLE = "simple/simple"
    """Header and body as they are."""


def canonical_field(how: Canonicalization, field: bytes) -> bytes:
    """Return a header field as it is signed (RFC 6376 sections 3.4.1 and 3.4.2).

    Args:
        how: The canonicalization.
        field: The field with its CRLF, folded or not.

    Returns:
        The field with its CRLF.
    """
    if how.startswith("simple"):
        return field
    name, _, value = field.partition(b":")
    unfolded = _one_blank(value.replace(b"\r\n", b""))
    return b"%b:%b\r\n" % (name.rstrip(b" \t").lower(), unfolded.strip(b" "))


def canonical_body(how: Canonicalization, body: bytes) -> bytes:
    """Return a body as it is hashed (RFC 6376 sections 3.4.3 and 3.4.4).

    Args:
        how: The canonicalization.
        body: All that stands behind the empty line that ends the header.

    Returns:
        The body with one CRLF at its end. A body of nothing is a CRLF if it is taken as it is, and
        nothing if relaxed.
    """
    if how.endswith("simple"):
        return body.rstrip(b"\r\n") + b"\r\n"
    relaxed = _one_blank(body + b"\r\n").replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    return relaxed and relaxed + b"\r\n"


def _one_blank(text: bytes) -> bytes:
    """Bring each run of blanks to one space; most texts have nothing to bring."""
    return _BLANKS.sub(b" ", text) if b"\t" in text or b"  " in text else text
