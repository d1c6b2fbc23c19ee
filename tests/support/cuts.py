"""Octets cut into pieces, as a network may deliver them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def per_octet(octets: bytes) -> list[bytes]:
    """Cut into single octets."""
    return [octets[at : at + 1] for at in range(len(octets))]


def cuttings(octets: bytes) -> Iterator[list[bytes]]:
    """Provide the octets whole, octet by octet, and cut in two at every place."""
    yield [octets]
    yield per_octet(octets)
    for at in range(1, len(octets)):
        yield [octets[:at], octets[at:]]
