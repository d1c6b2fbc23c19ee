"""The content of a message as a server reads it: up to CRLF.CRLF, unstuffed, in any chunking."""

from __future__ import annotations

from typing import Final

__all__ = ["ContentReader"]

_LINE_END: Final = b"\r\n"
_END: Final = b"\r\n.\r\n"
_STUFFING_FACTOR: Final = 2
"""Dot-stuffing makes content longer by less than this: no line is shorter than CRLF."""


class ContentReader:
    """Reads one message's content (RFC 5321 sections 4.1.1.4 and 4.5.2).

    Only CRLF "." CRLF ends it. A server that takes anything else for the end lets a sender
    smuggle commands through a relay that does not (CVE-2023-51764, CVE-2023-51765).

    Args:
        limit: How many octets the content may have; None for no limit. Of a longer one nothing
            is kept.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._too_long = False
        # The CRLF of the DATA line counts: a lone dot may come first, and a dot is stuffed there.
        self._kept = bytearray(_LINE_END)

    def feed(self, octets: bytes) -> bytes | None:
        """Take octets that came in.

        Args:
            octets: The next piece, cut anywhere.

        Returns:
            What came behind the end of the content; None while that has not come.
        """
        seen = len(self._kept)
        self._kept += octets
        end = self._kept.find(_END, max(seen - len(_END) + 1, 0))
        if end < 0:
            self._shed()
            return None
        rest = bytes(self._kept[end + len(_END) :])
        del self._kept[end + len(_LINE_END) :]  # the last line keeps its end
        return rest

    def content(self) -> bytes | None:
        """Return the content after `feed` has found its end.

        Returns:
            The unstuffed octets; None if there were more of them than allowed.
        """
        if self._too_long:
            return None
        content = self._kept.replace(b"\r\n.", _LINE_END).removeprefix(_LINE_END)
        if self._limit is not None and len(content) > self._limit:
            return None
        return bytes(content)

    def _shed(self) -> None:
        """Keep no more of an overlong content than it takes to find its end."""
        if self._limit is None or len(self._kept) <= _STUFFING_FACTOR * self._limit + len(_END):
            return
        self._too_long = True
        del self._kept[: -len(_END)]
