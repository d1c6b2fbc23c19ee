"""The reply parser: octets in, in pieces of any size; complete replies out.

Framing follows RFC 5321 section 4.2: a line is three digits, then SP or `-` or nothing, then
text; a hyphen says that more lines follow. Decisions beyond the text of the RFC:

- LF ends a line, and one CR before it is dropped. A server that sends bare LF is understood:
  there is nothing it could smuggle that way that it could not say outright. Nothing else ends one.
- All lines of a reply carry the same code, or the reply is garbage (section 4.2.1).
- Garbage is an error, never skipped: with commands in flight, a skipped line would pair every
  later reply with the wrong command.
- Everything is bounded, and the time taken is linear in the octets however they are cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ehlo.reply import Reply

__all__ = ["BadReply", "ReplyLimits", "ReplyParser"]

_CODE: Final = 3
_FIRST_DIGITS: Final = b"2345"
_REMEMBERED: Final = 32
_READY_MAX: Final = 16_384
"""Replies that nobody has looked at. A group of commands is far smaller than that."""
_REMEMBERED_LINE: Final = 256
_GREETING: Final = 220
_CODES: Final = {b"%d " % code: code for code in range(200, 600)}
"""What a reply of a single line begins with, and its code: one look-up checks all of it."""


@dataclass(frozen=True, slots=True)
class ReplyLimits:
    """How much a server may say in one reply.

    RFC 5321 section 4.5.3.1.5 grants a reply line 512 octets; servers in the field exceed that, and
    none is known to come near these.

    Attributes:
        line: Octets of one line.
        lines: Lines of one reply.
        total: Octets of one reply.
    """

    line: int = 32_768
    lines: int = 1024
    total: int = 262_144


_LIMITS: Final = ReplyLimits()


class BadReply(Exception):
    """What came is no reply; the Connection turns this into an error for callers.

    Attributes:
        why: What is wrong with it.
        octets: The beginning of the offending line.
    """

    def __init__(self, why: str, octets: bytes = b"") -> None:
        super().__init__(why, octets)
        self.why = why
        self.octets = octets


class ReplyParser:
    """Cuts what a server sends into replies.

    Call `feed` with what arrived, then `next_reply` until it returns None.

    Args:
        limits: How much the server may say.

    Attributes:
        ready: The replies that have come, oldest first. A `BadReply` is the last, and the parser is
            of no use from then on.
    """

    __slots__ = (
        *("_buffer", "_code", "_is_dead", "_known", "_limits", "_lines", "_quick_max", "_total"),
        "ready",
    )

    def __init__(self, limits: ReplyLimits | None = None) -> None:
        limits = self._limits = _LIMITS if limits is None else limits
        self.ready: list[Reply | BadReply] = []
        self._is_dead = False
        self._buffer = bytearray()  # the beginning of a line
        self._code = b""  # of the reply whose lines are being collected
        self._lines: list[bytes] = []
        self._total = 0
        # Servers repeat themselves: whole lines that were complete replies, and those replies.
        self._known: dict[bytes, Reply] = {}
        self._quick_max = min(_REMEMBERED_LINE, limits.line, limits.total) if limits.lines else 0

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take octets as they arrived.

        Args:
            data: Any number of octets, cut anywhere.
        """
        if self._is_dead:
            return
        pieces = bytes(data).split(b"\n")
        rest = pieces.pop()
        try:
            if pieces:
                if self._buffer:
                    pieces[0] = bytes(self._buffer + pieces[0])
                    self._buffer.clear()
                self._take_lines(pieces)
            if rest:
                self._buffer += rest
                self._check_unfinished()
            self._check_ready()
        except BadReply as exc:
            self.ready.append(exc)
            self._is_dead = True

    def _check_ready(self) -> None:
        if len(self.ready) > _READY_MAX:
            raise BadReply("more replies than anybody can have asked for")

    def _take_lines(self, lines: list[bytes]) -> None:
        known, append = self._known, self.ready.append
        for line in lines:
            reply = None if self._lines else known.get(line) or self._quickly(line)
            if reply is None:
                reply = self._take_line(line)
            if reply is not None:
                append(reply)

    def _quickly(self, line: bytes) -> Reply | None:
        """Return the reply that a line is as a whole, if that can be seen at a glance."""
        code = _CODES.get(line[: _CODE + 1])
        if code is None or len(line) > self._quick_max:
            return None
        reply = Reply(code, (line[_CODE + 1 :].removesuffix(b"\r"),))
        if code != _GREETING:  # which comes once
            self._remember(line, reply)
        return reply

    @property
    def has_residue(self) -> bool:
        """Whether octets are left: a part of a reply, or replies not yet taken out."""
        return bool(self._buffer or self.ready or self._lines)

    def clear(self) -> None:
        """Forget all octets that are left."""
        self.ready.clear()
        self._buffer.clear()
        self._lines.clear()
        self._total = 0

    def next_reply(self) -> Reply | None:
        """Return the next complete reply.

        Returns:
            The reply, or None if more octets are needed.

        Raises:
            BadReply: What came is no reply. The parser is of no use from then on.
        """
        if not self.ready:
            return None
        ahead = self.ready.pop(0)
        if isinstance(ahead, BadReply):
            raise ahead
        return ahead

    def _check_unfinished(self) -> None:
        """Refuse a line that can be seen to be garbage before its end has come."""
        octets = len(self._buffer)
        # A CR that came last may be half of the line end.
        if octets - self._buffer.endswith(b"\r") > self._limits.line:
            msg = f"a line of more than {self._limits.line} octets"
            raise BadReply(msg, bytes(self._buffer[:80]))
        if octets > _CODE:
            self._check_code(bytes(self._buffer[:80]).removesuffix(b"\r"))

    def _take_line(self, whole: bytes) -> Reply | None:
        line = whole.removesuffix(b"\r")
        self._check_code(line)
        self._check_limits(line)
        self._lines.append(line[_CODE + 1 :])
        if line[_CODE : _CODE + 1] == b"-":
            self._code = line[:_CODE]
            return None
        reply = Reply(int(line[:_CODE]), tuple(self._lines))
        if len(self._lines) == 1 and len(line) <= _REMEMBERED_LINE:
            self._remember(whole, reply)
        self._lines.clear()
        self._total = 0
        return reply

    def _check_code(self, line: bytes) -> None:
        code = line[:_CODE]
        if len(code) < _CODE or not code.isdigit() or code[0] not in _FIRST_DIGITS:
            msg = "a line that does not begin with a reply code"
            raise BadReply(msg, line)
        if line[_CODE : _CODE + 1] not in {b"", b" ", b"-"}:
            msg = "a reply code that is followed by neither blank nor hyphen"
            raise BadReply(msg, line)
        if self._lines and code != self._code:
            msg = f"different codes in one reply, {self._code.decode()} first"
            raise BadReply(msg, line)

    def _check_limits(self, line: bytes) -> None:
        self._total += len(line)
        if len(line) > self._limits.line:
            msg = f"a line of more than {self._limits.line} octets"
            raise BadReply(msg, line)
        if len(self._lines) >= self._limits.lines:
            msg = f"a reply of more than {self._limits.lines} lines"
            raise BadReply(msg, line)
        if self._total > self._limits.total:
            msg = f"a reply of more than {self._limits.total} octets"
            raise BadReply(msg, line)

    def _remember(self, line: bytes, reply: Reply) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[line] = reply
