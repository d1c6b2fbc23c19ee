"""A hook on the final octets of a message: signatures, and whatever else comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from typing_extensions import override

from ehlo.commands import Body
from ehlo.content import Form, Formed, Octets
from ehlo.errors import InvalidInput, SMTPError
from ehlo.line_ends import crlf
from ehlo.message.octets import looked_at

if TYPE_CHECKING:
    from ehlo.content import Content, Piece
    from ehlo.message.sending import Sendable

__all__ = ["Seal", "Sealed", "sealed_content"]

Seal: TypeAlias = Callable[[bytes], bytes]
"""Takes the final octets of a message and returns those to send."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Sealed:
    """A message whose final octets go through a function, or several, before they are sent.

    A seal gets the whole message as it would be sent: header and body, lines ended by CRLF, Date
    and Message-ID there, Bcc not; in 7-bit form, so that no server on the way has a reason to
    change it (RFC 6376 section 5.3), but for a header that is UTF-8 where an address asks for it.
    What it returns is sent. DKIM, S/MIME and PGP are seals. The message is in memory then, all of
    it.

    A sealed message can be sent wherever its message can, with the same envelope.

    Args:
        message: The message: an `ehlo.Message`, one of the standard library, or octets.
        seals: The functions, in the order in which they are called.

    Raises:
        InvalidInput: There is no seal.
        TypeError: One is no function.

    Attributes:
        message: As above.
        seals: As above.
    """

    message: Sendable
    seals: tuple[Seal, ...]

    def __init__(self, message: Sendable, *seals: Seal) -> None:
        object.__setattr__(self, "message", message)  # a traceback may show it
        object.__setattr__(self, "seals", seals)
        if not seals:
            raise InvalidInput("a sealed message needs a seal")
        for seal in seals:
            if not callable(seal):
                raise TypeError(f"a seal is a function of octets, not {type(seal).__name__}")

    @override
    def __repr__(self) -> str:
        return f"Sealed({', '.join(map(repr, (self.message, *self.seals)))})"


def sealed_content(content: Content, seals: tuple[Seal, ...]) -> Formed:
    """Return the content of a sealed message.

    Args:
        content: What is sealed.
        seals: The seals.

    Returns:
        Content that is sealed once for each form it is sent in.

    Raises:
        InvalidInput: The content is read while it is sent, and must be awaited.
    """
    needs_smtputf8 = isinstance(content, Formed) and content.needs_smtputf8
    if not isinstance(content, Octets) and content.is_async:
        raise InvalidInput("a message that is sealed is in memory: it cannot have async content")
    return Formed(
        _Sealing(content, seals).write,
        Body.SEVEN_BIT,
        needs_smtputf8,
        is_repeatable=isinstance(content, Octets) or content.is_repeatable,
    )


class _Sealing:
    def __init__(self, content: Content, seals: tuple[Seal, ...]) -> None:
        self._content = content
        self._seals = seals
        self._written: dict[Form, Octets] = {}

    def write(self, form: Form) -> Octets:
        if form not in self._written:
            octets = _all_octets(self._content, form)
            for seal in self._seals:
                octets = _applied(seal, octets)
            self._written[form] = _checked(octets)
        return self._written[form]


def _all_octets(content: Content, form: Form) -> bytes:
    if isinstance(content, Formed):
        content = content.write(form)
    if isinstance(content, Octets):
        octets = content.octets
    else:
        octets = b"".join(cast("Iterator[Piece]", content.pieces()))
    octets = crlf(octets)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def _checked(octets: bytes) -> Octets:
    content = looked_at(octets)
    why = content.not_text or ("" if octets.strip() else "it is empty")
    if why:
        raise InvalidInput(f"what the seal has made of the message was not sent: {why}")
    return content


def _applied(seal: Seal, octets: bytes) -> bytes:
    try:
        sealed = seal(octets)
    except SMTPError:
        raise
    except Exception as exc:
        raise InvalidInput(f"the message could not be sealed, and was not sent: {exc!r}") from exc
    if not isinstance(sealed, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"a seal returns octets, not {type(sealed).__name__}")
    return sealed
