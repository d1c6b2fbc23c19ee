"""The body of a message as a tree of parts (RFC 2045, RFC 2046, RFC 2387).

The tree, with everything in it; what is not there is left out, and what has one child alone is that
child:

    mixed
        alternative
            text/plain
            other alternatives
            related
                text/html
                inline parts
            text/calendar
        attachments
        the invitation as a file
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from ehlo.commands import Body
from ehlo.errors import InvalidInput
from ehlo.line_ends import crlf
from ehlo.message.bodies import BASE64_BLOCK, base64_lines, text_body
from ehlo.message.feeds import Feed
from ehlo.message.media_types import is_composite
from ehlo.message.parameters import attachment_fields, calendar_file_fields, type_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ehlo.message.alternatives import Calendar
    from ehlo.message.attachment import Attachment
    from ehlo.message.message import Message

__all__ = ["Part", "message_body"]


class Part(NamedTuple):
    """A part of a message, or all of it.

    Attributes:
        fields: The fields of its header, each ended by CRLF; never empty.
        chunks: Its body in pieces, to be joined.
        body: What its octets need.
    """

    fields: str
    chunks: list[bytes | Feed]
    body: Body


def message_body(message: Message, allowed: Body, make_id: Callable[[], str]) -> Part:
    """Write the body of a message.

    Args:
        message: The message.
        allowed: The octets that may be in it.
        make_id: Makes an identifier for the boundaries, of at most 60 characters that need no
            quoting in them; asked once, if there are any.

    Returns:
        The tree that the module describes. A message without a text has an empty one.

    Raises:
        InvalidInput: A part cannot be had in that form.
    """
    writer = _Writer(allowed)
    if message.html is None and not message.has_parts:
        return writer.text("text/plain", message.text or "")
    return writer.tree(message, make_id)


class _Writer:
    """Writes parts.

    Args:
        allowed: The octets that may be in them.
    """

    def __init__(self, allowed: Body) -> None:
        self._allowed = allowed
        self._eight_bit = allowed is not Body.SEVEN_BIT

    # -- Leaves -----------------------------------------------------------------------------------

    def text(self, content_type: str, text: str) -> Part:
        encoding, octets = text_body(text, eight_bit=self._eight_bit)
        fields = _text_fields(content_type, encoding)
        return Part(fields, [octets], _BODIES.get(encoding, Body.SEVEN_BIT))

    def attachment(self, attachment: Attachment, disposition: str = "attachment") -> Part:
        encoding, chunk = self._encoded(attachment)
        fields = attachment_fields(attachment, encoding, disposition)
        return Part(fields, [chunk], _BODIES.get(encoding, Body.SEVEN_BIT))

    def _encoded(self, attachment: Attachment) -> tuple[str, bytes | Feed]:
        source = attachment.source
        if isinstance(source, bytes) and is_composite(attachment.content_type):
            octets = crlf(source)
            if not (octets.isascii() or self._eight_bit):
                raise InvalidInput(
                    f"the attached {attachment.content_type} holds octets above 127 and may not "
                    "be encoded (RFC 2046 section 5.2.1): it needs 8BITMIME"
                )
            return "7bit" if octets.isascii() else "8bit", octets
        if self._allowed is Body.BINARY_MIME:
            return "binary", source if isinstance(source, bytes) else Feed(source, "binary")
        if isinstance(source, bytes) and len(source) <= BASE64_BLOCK:
            return "base64", base64_lines(source)
        return "base64", Feed(source, "base64")

    def _calendar_file(self, calendar: Calendar, filename: str) -> Part:
        octets = crlf(calendar.text.encode())
        return Part(calendar_file_fields(filename), [base64_lines(octets)], Body.SEVEN_BIT)

    # -- The tree ---------------------------------------------------------------------------------

    def tree(self, message: Message, make_id: Callable[[], str]) -> Part:
        plain = [] if message.text is None else [self.text("text/plain", message.text)]
        others = [self.text(it.content_type, it.text) for it in message.alternatives]
        html = [] if message.html is None else [self.text("text/html", message.html)]
        inline = [self.attachment(it, "inline") for it in message.inline]
        calendar = message.calendar
        invitation, file = [], []
        if calendar is not None:
            content_type = f"text/calendar; method={calendar.method}"
            invitation = [self.text(content_type, calendar.text)]
            if calendar.filename is not None:
                file = [self._calendar_file(calendar, calendar.filename)]
        attached = [*map(self.attachment, message.attachments), *file]
        leaves = [*plain, *others, *html, *inline, *invitation, *attached]
        join = _Joiner(leaves, make_id)
        related = join("related", [*html, *inline], 'type="text/html"') if html else []
        texts = [*plain, *others, *related, *invitation] or [self.text("text/plain", "")]
        (whole,) = join("mixed", [*join("alternative", texts), *attached])
        return whole


@lru_cache(maxsize=64)
def _text_fields(content_type: str, encoding: str) -> str:
    charset = "us-ascii" if encoding == "7bit" else "utf-8"
    field = type_field(content_type, (f'charset="{charset}"',), without="charset")
    return f"{field}Content-Transfer-Encoding: {encoding}\r\n"


_BODIES: Final = {"8bit": Body.EIGHT_BIT_MIME, "binary": Body.BINARY_MIME}
_NAMES: Final = {body: name for name, body in _BODIES.items()}
_ORDER: Final = (Body.SEVEN_BIT, Body.EIGHT_BIT_MIME, Body.BINARY_MIME)


class _Joiner:
    """Joins parts to multiparts, with boundaries that are in none of the leaves.

    A boundary holds "=_", which base64 and quoted-printable never do, and none begins another, as
    readers compare no more than beginnings (RFC 2046 section 5.1.1). In what is read while it is
    sent it cannot be looked for: there the identifier's randomness has to do.

    Args:
        leaves: All leaves of the tree.
        make_id: Makes the identifier in them; asked when the first is needed.
    """

    def __init__(self, leaves: Sequence[Part], make_id: Callable[[], str]) -> None:
        self._leaves = leaves
        self._make_id = make_id
        self._boundaries: Iterator[str] | None = None

    def __call__(self, kind: str, parts: Sequence[Part], *parameters: str) -> list[Part]:
        """Join parts.

        Args:
            kind: The subtype of multipart.
            parts: The parts; a single one stays as it is.
            parameters: Of Content-Type, before the boundary.

        Returns:
            One part.
        """
        if len(parts) == 1:
            return [*parts]
        if self._boundaries is None:
            self._boundaries = self._fresh(self._make_id())
        boundary = next(self._boundaries)
        fields = type_field(f"multipart/{kind}", (*parameters, f'boundary="{boundary}"'))
        body = max((part.body for part in parts), key=_ORDER.index)
        if body is not Body.SEVEN_BIT:  # what the parts in it need (RFC 2045 section 6.4)
            fields += f"Content-Transfer-Encoding: {_NAMES[body]}\r\n"
        return [Part(fields, list(_delimited(parts, boundary)), body)]

    def _fresh(self, identifier: str) -> Iterator[str]:
        chunks = [chunk for leaf in self._leaves for chunk in leaf.chunks]
        suspects = [it for it in chunks if isinstance(it, bytes) and b"--=_" in it]
        boundaries = (f"=_{number}_{identifier}" for number in itertools.count(1))
        return (it for it in boundaries if not _is_in(f"--{it}".encode(), suspects))


def _is_in(delimiter: bytes, suspects: Iterable[bytes]) -> bool:
    return any(delimiter in suspect for suspect in suspects)


def _delimited(parts: Iterable[Part], boundary: str) -> Iterator[bytes | Feed]:
    before = ""  # the empty line behind the header is enough
    for part in parts:
        yield f"{before}--{boundary}\r\n{part.fields}\r\n".encode()
        yield from part.chunks
        before = "\r\n"
    yield f"\r\n--{boundary}--\r\n".encode()
