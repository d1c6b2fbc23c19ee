"""What one transaction says to one server: checked before its first octet is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ehlo.commands import Body, Mail, Rcpt
from ehlo.content import Form, Formed, LineEnds, Octets
from ehlo.errors import CapabilityMissing, InvalidInput, TlsFailed
from ehlo.line_ends import PIECE
from ehlo.parameters import check_limits, needs
from ehlo.phase import Phase
from ehlo.wire import Framing, line_ends_of, wire_size

if TYPE_CHECKING:
    from ehlo.capabilities import Capabilities
    from ehlo.content import Stream
    from ehlo.dialogues.transaction import Transaction
    from ehlo.envelope import Envelope
    from ehlo.protocol import Connection

__all__ = ["Plan", "require"]


def require(offered: Capabilities, capability: str, why: str, phase: Phase = Phase.MAIL) -> None:
    """Make sure that the server offers an extension.

    Args:
        offered: What it announced.
        capability: The EHLO keyword.
        why: What it is needed for, for the error.
        phase: What is about to happen.

    Raises:
        CapabilityMissing: It does not.
    """
    if capability not in offered:
        msg = f"the server does not offer {capability}, which is needed for {why}"
        raise CapabilityMissing(msg, capability=capability, phase=phase)


class Plan(NamedTuple):
    """The commands of one transaction with one server, and how its content travels.

    Attributes:
        content: The content, in the form that goes to this server.
        mail: The MAIL command.
        rcpts: The RCPT commands, in the order of the envelope.
        framing: How the content travels.
        size: Its octets on the wire, if they are known.
        line_ends: What is known of its line ends.
    """

    content: Octets | Stream
    mail: Mail
    rcpts: list[Rcpt]
    framing: Framing
    size: int | None
    line_ends: LineEnds

    @property
    def is_small(self) -> bool:
        """Whether the content is a single piece, whose size is known."""
        return self.size is not None and self.size <= PIECE

    @classmethod
    def of(cls, connection: Connection, transaction: Transaction) -> Plan:
        """Make a plan.

        Args:
            connection: The Connection: what the server offers.
            transaction: What is to be sent.

        Returns:
            The plan.

        Raises:
            CapabilityMissing: The server does not offer what it takes.
            InvalidInput: The content cannot be sent as it is.
        """
        offered, envelope = connection.capabilities, transaction.envelope
        content, body = transaction.content, transaction.body
        if isinstance(content, Formed):
            content = content.write(_form(content, offered, envelope, body))
        # ASCII text, as nearly always: there is nothing to fit to the server, or to declare.
        is_plain = content.is_eight_bit is False and body is None and not content.not_text
        if is_plain:
            framing = Framing.BDAT if offered.chunking else Framing.DATA
        else:
            framing = _framing(offered, content, body)
        size, line_ends = _size(content, framing)
        if size is not None and offered.size is not None:
            _check_size(offered.size, size)
        sender, recipients, utf8 = envelope.sender, envelope.recipients, False
        is_ascii = not envelope.needs_smtputf8
        if content.has_utf8_header or not is_ascii:
            utf8 = _wants_smtputf8(offered, envelope, content.has_utf8_header)
        if envelope.has_options:
            _check_options(connection, envelope)
        if not (utf8 or is_ascii):
            sender = None if sender is None else sender.to_ascii()
            recipients = tuple(recipient.to_ascii() for recipient in recipients)
        declared = size if "SIZE" in offered.keywords else None
        body = None if is_plain else _body(offered, content, body, framing)
        mail = Mail(sender, declared, body, utf8, envelope.options)
        rcpts = list(map(Rcpt, recipients, envelope.rcpt_options))
        return cls(content, mail, rcpts, framing, size, line_ends)


def _form(
    content: Formed, offered: Capabilities, envelope: Envelope, declared: Body | None
) -> Form:
    """Return the form that asks for as much as the content may and the server takes."""
    if content.needs_eight_bit:
        require(offered, "8BITMIME", "a message within the message that has octets above 127")
    needs_smtputf8 = content.needs_smtputf8
    is_international = needs_smtputf8 or envelope.needs_smtputf8
    smtputf8 = is_international and _wants_smtputf8(offered, envelope, needs_smtputf8)
    most = content.most if declared is None else declared
    if most is Body.BINARY_MIME and offered.binary_mime:
        return Form(Body.BINARY_MIME, smtputf8)
    if most is not Body.SEVEN_BIT and offered.eight_bit_mime:
        return Form(Body.EIGHT_BIT_MIME, smtputf8)
    return Form(Body.SEVEN_BIT, smtputf8)


def _framing(offered: Capabilities, content: Octets | Stream, body: Body | None) -> Framing:
    why = content.not_text
    if why or body is Body.BINARY_MIME:
        if offered.binary_mime:
            # Lines that are merely long are lines all the same: their ends are CRLF.
            is_binary = content.is_binary or body is Body.BINARY_MIME
            return Framing.BINARY if is_binary else Framing.BDAT
        if why:
            raise InvalidInput(f"{why}, and the server does not offer BINARYMIME")
        require(offered, "BINARYMIME", "content that is declared as binary")
        require(offered, "CHUNKING", "content that is declared as binary")
    return Framing.BDAT if offered.chunking else Framing.DATA


def _size(content: Octets | Stream, framing: Framing) -> tuple[int | None, LineEnds]:
    """Return the octets of content on the wire, and what is known of its line ends."""
    if not isinstance(content, Octets):
        size = content.octets if framing is Framing.BINARY else content.size
        return size, content.line_ends
    octets, line_ends = content.octets, content.line_ends
    if framing is Framing.BINARY:
        return len(octets), line_ends
    if line_ends is not LineEnds.CRLF:
        line_ends = line_ends_of(octets)  # looked at once: neither sizing nor encoding has to
    return len(octets) if line_ends is LineEnds.CRLF else wire_size(octets), line_ends


def _check_size(limit: int, size: int) -> None:
    if size > limit:
        msg = f"the message has {size} octets; the server takes {limit}"
        raise CapabilityMissing(msg, capability="SIZE", phase=Phase.MAIL)


def _body(
    offered: Capabilities, content: Octets | Stream, body: Body | None, framing: Framing
) -> Body | None:
    """Return how the content is declared; content that was not read yet may be anything."""
    if framing is Framing.BINARY or content.not_text:
        return Body.BINARY_MIME
    eight_bit = content.is_eight_bit
    if body is Body.EIGHT_BIT_MIME or eight_bit:
        require(offered, "8BITMIME", "content with octets above 127")
        return Body.EIGHT_BIT_MIME
    if eight_bit is None and offered.eight_bit_mime:
        return Body.EIGHT_BIT_MIME
    return body if offered.eight_bit_mime else None


def _wants_smtputf8(offered: Capabilities, envelope: Envelope, has_utf8_header: bool) -> bool:  # noqa: FBT001 - private
    """Return whether to ask for SMTPUTF8, for a message that has something to do with it.

    A domain alone has another form (A-labels), which serves where SMTPUTF8 is not offered.
    """
    if not (has_utf8_header or offered.smtputf8 or _has_utf8_local_part(envelope)):
        return False
    require(offered, "SMTPUTF8", "an address or a header that is not ASCII")
    return True


def _has_utf8_local_part(envelope: Envelope) -> bool:
    paths = (*envelope.recipients, *([] if envelope.sender is None else [envelope.sender]))
    return not all(path.local_part.isascii() for path in paths)


def _check_options(connection: Connection, envelope: Envelope) -> None:
    """Refuse what the server does not offer: nothing that was asked for is dropped silently."""
    options = envelope.options
    for capability, why in needs(options, envelope.rcpt_options).items():
        require(connection.capabilities, capability, why)
    check_limits(options, connection.capabilities)
    if options.require_tls:
        require_verified_tls(connection)


def require_verified_tls(connection: Connection) -> None:
    """Refuse REQUIRETLS where TLS is off, or is on with nobody knows whom (RFC 8689 section 4.2).

    Args:
        connection: The Connection.

    Raises:
        TlsFailed: It is not encrypted, or the certificate was not verified; nothing was sent.
    """
    is_verified = connection.tls is not None and connection.tls.verified
    if connection.encrypted and is_verified:
        return
    lack = "its certificate was not verified" if connection.encrypted else "it is not encrypted"
    msg = f"REQUIRETLS was asked for on a connection that cannot do: {lack} (RFC 8689 section 4.2)"
    raise TlsFailed(msg, phase=Phase.MAIL)
