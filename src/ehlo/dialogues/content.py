"""Sending content: by DATA or BDAT, from memory or piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, cast

from ehlo.commands import Bdat
from ehlo.content import LineEnds, Octets
from ehlo.dialogues.needs import FLUSH, RECEIVE
from ehlo.dialogues.sources import END, NOT_YET, AsyncSource, CallersError, take
from ehlo.errors import CapabilityMissing, InvalidInput, SMTPError
from ehlo.line_ends import PIECE
from ehlo.message.octets import TextCheck, message_id_of
from ehlo.phase import Phase
from ehlo.policies import Pipelining
from ehlo.protocol import State
from ehlo.wire import ContentEncoder, Framing, encode_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ehlo.content import Piece, Stream
    from ehlo.dialogues.needs import Dialogue
    from ehlo.dialogues.sources import Source
    from ehlo.protocol import Connection

__all__ = ["ContentSender", "send_at_once"]

_HEAD_MAX: Final = 65_536
"""Octets of a stream that are kept to look for its Message-ID."""
_FLUSH: Final = FLUSH[Phase.CONTENT]


class ContentSender:
    """Sends the content of one message.

    Args:
        connection: The Connection.
        content: The content.
        framing: How it travels.
        size: Its octets on the wire, if they are known.
        line_ends: What is known of its line ends.
        allows_eight_bit: Whether it was declared as such that may hold octets above 127.
        pipelining: Whether a chunk may follow another one before its reply.
        ensure_wanted: Raises if the server has refused the message in the meantime; called before
            the first piece and between pieces.
        progress: Is told how many octets of how many were sent.

    Attributes:
        chunks: How many BDAT commands were sent that are not the last.
        message_id: The Message-ID of content that is read while it is sent, once it was seen.
    """

    def __init__(  # noqa: PLR0913 - all that is known of the content
        self,
        connection: Connection,
        content: Octets | Stream,
        framing: Framing,
        size: int | None,
        *,
        line_ends: LineEnds = LineEnds.ANY,
        allows_eight_bit: bool,
        pipelining: Pipelining,
        ensure_wanted: Callable[[], None],
        progress: Callable[[int, int | None], None] | None,
    ) -> None:
        self.chunks = 0
        self.message_id: str | None = None
        self._connection = connection
        self._content = content
        self._framing = framing
        self._size = size
        self._line_ends = line_ends
        self._allows_eight_bit = allows_eight_bit
        offered = connection.capabilities.pipelining
        self._is_in_lock_step = pipelining is Pipelining.NONE or not offered
        self._ensure_wanted = ensure_wanted
        self._progress = progress
        self._read = 0  # octets of the content
        self._has_ended = False
        self._check = TextCheck()
        self._head = bytearray()  # of content that is read while it is sent

    def send(self) -> Dialogue[None]:
        """Send the content and its end; the last piece is left to be flushed.

        Raises:
            InvalidInput: It turned out to be what cannot be sent.
            CapabilityMissing: It turned out to need what the server does not offer.
        """
        try:
            self._ensure_wanted()
            content = self._content
            if isinstance(content, Octets) and len(content.octets) <= PIECE:
                self._at_once(content.octets)
            elif self._framing is Framing.DATA:
                yield from self._by_data()
            elif self._size is None:
                yield from self._by_chunks()
            else:
                yield from self._by_one_chunk(self._size)
            self._has_ended = True
            if self._head:
                self.message_id = message_id_of(bytes(self._head))
            self._tell()
        except BaseException as exc:
            # A trouble of the content's own: what was begun must never look like all of it.
            if not isinstance(exc, SMTPError) or isinstance(exc, InvalidInput | CapabilityMissing):
                self._give_up()
            raise

    def _give_up(self) -> None:
        connection = self._connection
        if connection.state is State.DATA or connection.owed_octets or self._has_ended:
            connection.abandon("the content could not be sent to its end")

    def _at_once(self, octets: bytes) -> None:
        """Send what is a single piece."""
        self._read = len(octets)
        send_at_once(self._connection, octets, self._framing, self._line_ends)

    # -- DATA, one BDAT, several BDAT -------------------------------------------------------------

    def _by_data(self) -> Dialogue[None]:
        yield from self._each(self._connection.send_content)
        self._connection.end_content()

    def _by_one_chunk(self, size: int) -> Dialogue[None]:
        """Send BDAT LAST with all octets; the last piece leaves when it is known to be the last.

        The octets that were announced make a message of what is there, so the end of the content
        must have come, and come out right, before the last of them is queued.
        """
        connection, encoder = self._connection, self._encoder()
        connection.send(Bdat(size, last=True))
        held: Piece | None = None

        def put(piece: Piece) -> None:
            nonlocal held
            if not piece:
                return  # it would make one that is the last look like one that is not
            if held is not None:
                self._announced(encoder.encode(held), at_most=connection.owed_octets - 1)
            held = piece

        yield from self._each(put)
        rest = [] if held is None else [*encoder.encode(held)]
        rest.append(encoder.finish())
        if sum(map(len, rest)) != connection.owed_octets:
            raise _changed()
        self._announced(iter(rest), at_most=connection.owed_octets)

    def _announced(self, pieces: Iterator[bytes], at_most: int) -> None:
        """Send octets that BDAT has announced, and not one more."""
        for octets in pieces:
            at_most -= len(octets)
            if at_most < 0:
                raise _changed()
            if octets:
                self._connection.send_content(octets)

    def _by_chunks(self) -> Dialogue[None]:
        encoder, held = self._encoder(), bytearray()

        def put(piece: Piece) -> None:
            held.extend(b"".join(encoder.encode(piece)))
            if len(held) >= PIECE:
                self._chunk(held, last=False)
                held.clear()

        yield from self._each(put, self._hear_chunk)
        yield from self._hear_chunk()
        held += encoder.finish()
        self._chunk(held, last=True)

    def _hear_chunk(self) -> Dialogue[None]:
        """Wait for the reply to a chunk, where another one may not follow before it."""
        connection = self._connection
        while self._is_in_lock_step and connection.awaited is not None:
            yield RECEIVE[Phase.CONTENT]
            self._ensure_wanted()

    def _chunk(self, octets: bytearray, *, last: bool) -> None:
        self._connection.send(Bdat(len(octets), last=last))
        self.chunks += not last
        if octets:
            self._connection.send_content(octets)

    def _encoder(self) -> ContentEncoder:
        return ContentEncoder(self._framing, self._line_ends)

    # -- Pieces -----------------------------------------------------------------------------------

    def _each(
        self, put: Callable[[Piece], None], between: Callable[[], Dialogue[None]] | None = None
    ) -> Dialogue[None]:
        """Hand one piece after the other to `put`, with flushes between them, and what else is due.

        Args:
            put: Queues a piece.
            between: Done before each piece but the first.
        """
        source, begun = self._pieces(), False
        while (piece := (yield from self._next(source))) is not None:
            for part in _cut(piece):
                if begun:
                    yield _FLUSH
                self._ensure_wanted()
                if begun:
                    self._tell()
                    if between is not None:
                        yield from between()
                begun = True
                put(part)
                self._read += len(part)

    def _tell(self) -> None:
        if self._progress is None:
            return
        content = self._content
        octets = len(content.octets) if isinstance(content, Octets) else content.octets
        try:
            self._progress(self._read, octets)
        except Exception as exc:
            raise CallersError(exc) from exc

    def _pieces(self) -> Source[Piece]:
        if isinstance(self._content, Octets):
            return iter((self._content.octets,))
        try:
            pieces = self._content.pieces()
        except Exception as exc:
            raise CallersError(exc) from exc
        return AsyncSource(pieces) if isinstance(pieces, AsyncIterator) else pieces

    def _next(self, source: Source[Piece]) -> Dialogue[Piece | None]:
        while (piece := (yield from take(source, self._connection))) is NOT_YET:
            self._ensure_wanted()
        if piece is END:
            return None
        return piece if isinstance(self._content, Octets) else self._checked(piece)

    def _checked(self, piece: object) -> Piece:
        """Look at a piece of what could not be looked at beforehand."""
        if self._line_ends is LineEnds.CRLF and isinstance(piece, bytes):
            self._check_size(len(piece))
            return piece  # made here
        if not isinstance(piece, bytes | bytearray | memoryview):
            msg = f"content is made of octets, not of {type(piece).__name__}"
            raise TypeError(msg)
        octets = bytes(cast("Piece", piece))
        if len(self._head) < _HEAD_MAX:
            self._head += octets
        is_text = self._framing is not Framing.BINARY and not self._content.not_text
        if is_text and (why := self._check.feed(octets)):
            raise InvalidInput(f"{why}; it was not sent", phase=Phase.CONTENT)
        self._check_size(len(octets))
        if not (self._allows_eight_bit or octets.isascii()):
            msg = "the server does not offer 8BITMIME, which is needed for octets above 127"
            raise CapabilityMissing(msg, capability="8BITMIME", phase=Phase.CONTENT)
        return octets

    def _check_size(self, octets: int) -> None:
        most = self._connection.capabilities.size
        if most is not None and self._read + octets > most:
            msg = f"the content has more than the {most} octets that the server takes"
            raise CapabilityMissing(msg, capability="SIZE", phase=Phase.CONTENT)


def send_at_once(
    connection: Connection, octets: bytes, framing: Framing, line_ends: LineEnds
) -> None:
    """Send content that is a single piece, with its end.

    Args:
        connection: The Connection.
        octets: All of the content.
        framing: How it travels.
        line_ends: What is known of it.
    """
    if framing is Framing.DATA:
        connection.send_whole(octets, line_ends)
        return
    encoded = encode_whole(octets, framing, line_ends)
    connection.send(Bdat(len(encoded), last=True))
    if encoded:
        connection.send_content(encoded)


def _changed() -> InvalidInput:
    msg = "the content has changed since its size was taken; it was not sent"
    return InvalidInput(msg, phase=Phase.CONTENT)


def _cut(octets: Piece) -> Iterator[Piece]:
    if len(octets) <= PIECE:
        yield octets
        return
    view = memoryview(octets)
    for start in range(0, len(view), PIECE):
        yield view[start : start + PIECE]
