"""Messages (RFC 5322) with text, HTML and attachments (RFC 2045, RFC 2046)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ehlo.address import Address, Mailbox, MailboxLike
from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.message.headers import (
    fold,
    format_date,
    format_mailboxes,
    format_text,
    parameter,
)
from ehlo.message.transfer import base64_lines, encode_text
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

__all__ = ["Attachment", "Message"]

Mailboxes: TypeAlias = "MailboxLike | Sequence[MailboxLike]"

_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,76}")
# msg-id without its brackets, as far as a header can be hurt by it (RFC 5322 section 3.6.4).
_MESSAGE_ID: Final = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")
_MESSAGE_ID_MAX: Final = 900
# Fields that a parameter of Message speaks for, or that must not be written at all.
_OWNED: Final = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc", "resent-bcc"),
        *("subject", "date", "message-id", "mime-version"),
    }
)
_COMPOSITE: Final = ("multipart/", "message/")
"""Types whose parts have rules of their own (RFC 2046 section 5)."""
_OCTETS: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, init=False)
class Attachment:
    """A file that goes with a message.

    Args:
        content: Its octets.
        filename: The name that readers see; any script.
        content_type: Such as `application/pdf`; guessed from the file name if None.

    Raises:
        InvalidInput: The name or the type cannot stand in a header.

    Attributes:
        content: As above.
        filename: As above.
        content_type: As above; `application/octet-stream` where no guess was possible.
    """

    content: bytes = field(repr=False)
    filename: str
    content_type: str

    def __init__(self, content: bytes, *, filename: str, content_type: str | None = None) -> None:
        refuse_control_characters("the file name", require_str("a file name", filename))
        if not filename:
            msg = "an attachment needs a file name"
            raise InvalidInput(msg)
        kind = _guess(filename) if content_type is None else content_type
        if not _CONTENT_TYPE.fullmatch(kind) or kind.lower().startswith(_COMPOSITE):
            msg = f"the content type of an attachment is such as 'image/png', not {kind!r}"
            raise InvalidInput(msg)
        object.__setattr__(self, "content", bytes(content))
        object.__setattr__(self, "filename", filename)
        object.__setattr__(self, "content_type", kind)

    @classmethod
    def from_path(
        cls, path: str | Path, *, filename: str | None = None, content_type: str | None = None
    ) -> Attachment:
        """Read a file.

        Args:
            path: Where it is.
            filename: The name that readers see; the file's own if None.
            content_type: Such as `application/pdf`; guessed from the file name if None.

        Returns:
            The attachment.

        Raises:
            OSError: The file cannot be read.
            InvalidInput: The name or the type cannot stand in a header.
        """
        from pathlib import Path  # noqa: PLC0415 - a heavy import that few messages need

        file = Path(path)
        return cls(file.read_bytes(), filename=filename or file.name, content_type=content_type)


def _guess(filename: str) -> str:
    import mimetypes  # noqa: PLC0415 - reads files of the system when first used

    kind, encoding = mimetypes.guess_type(filename)
    # A compressed file is what it is; what is inside does not help to open it.
    if kind is None or encoding is not None or kind.startswith(_COMPOSITE):
        return _OCTETS
    return kind


@dataclass(frozen=True, slots=True, init=False)
class Message:
    """A message, ready to be sent.

    A mailbox is `"ada@example.org"`, `"Ada <ada@example.org>"`, a pair `("Ada",
    "ada@example.org")`, an `Address` or a `Mailbox`; a text is always one of them, never a list.
    Where several are meant, pass a list.

    Args:
        from_: The author or authors.
        to: The primary recipients.
        cc: Those who get a copy.
        bcc: Those who get a copy that nobody else learns of: the header never holds them.
        reply_to: Where answers should go.
        sender: Who sends it on behalf of the authors; needed if there are several.
        subject: Any text on one line.
        text: The plain text; any line ends.
        html: The HTML form; readers choose between it and `text`.
        attachments: Files that go with it.
        headers: Further fields of unstructured text, by name.
        date: When it was written, with an offset; None for when it is sent.
        message_id: Its identifier, with or without angle brackets; None for a fresh one.

    Raises:
        InvalidAddress: A mailbox is none.
        InvalidInput: A value cannot stand in a header, or there are several authors and no sender.
    """

    from_: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    sender: Mailbox | None
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    headers: tuple[tuple[str, str], ...]
    date: datetime | None
    message_id: str | None

    def __init__(  # noqa: PLR0913 - one keyword for each thing a message can have
        self,
        *,
        from_: Mailboxes,
        to: Mailboxes = (),
        cc: Mailboxes = (),
        bcc: Mailboxes = (),
        reply_to: Mailboxes = (),
        sender: MailboxLike | None = None,
        subject: str = "",
        text: str | None = None,
        html: str | None = None,
        attachments: Iterable[Attachment] = (),
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        date: datetime | None = None,
        message_id: str | None = None,
    ) -> None:
        values = {
            "from_": _mailboxes(from_),
            "to": _mailboxes(to),
            "cc": _mailboxes(cc),
            "bcc": _mailboxes(bcc),
            "reply_to": _mailboxes(reply_to),
            "sender": None if sender is None else Mailbox.of(sender),
            "subject": refuse_control_characters("the subject", require_str("a subject", subject)),
            "text": None if text is None else _body("the text", text),
            "html": None if html is None else _body("the HTML", html),
            "attachments": tuple(attachments),
            "headers": _further(headers),
            "date": date,
            "message_id": None if message_id is None else _message_id(message_id),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        _check_authors(self)

    def envelope(self) -> Envelope:
        """Return the envelope that the header asks for.

        Returns:
            From the sender, or the author if there is none, to all of `to`, `cc` and `bcc`.

        Raises:
            InvalidInput: There is no recipient.
        """
        everybody = (*self.to, *self.cc, *self.bcc)
        author = self.from_[0] if self.sender is None else self.sender
        if not everybody:
            msg = "the message has no recipient: to, cc and bcc are empty"
            raise InvalidInput(msg)
        return Envelope(author.address, [mailbox.address for mailbox in everybody])

    def as_bytes(self, *, now: Callable[[], datetime], make_id: Callable[[], str]) -> bytes:
        """Serialise the message: CRLF line ends, 7-bit octets, no line over 998 octets.

        The result depends on nothing else than the message and what these functions return.

        Args:
            now: Returns the time, with an offset; used if the message has no date.
            make_id: Returns a fresh identifier of letters and digits, used in boundaries, and in
                the Message-ID if the message has none.

        Returns:
            The octets; Bcc is not among them.

        Raises:
            InvalidInput: An address in the header is not ASCII.
        """
        return self.serialise(now=now, make_id=make_id)[0]

    def serialise(
        self, *, now: Callable[[], datetime], make_id: Callable[[], str]
    ) -> tuple[bytes, str]:
        """Serialise the message, and tell its Message-ID.

        Args:
            now: As for `as_bytes`.
            make_id: As for `as_bytes`.

        Returns:
            The octets, and the Message-ID with its angle brackets.

        Raises:
            InvalidInput: An address in the header is not ASCII.
        """
        message_id = self.message_id or f"<{make_id()}@{_domain(self.from_[0].address)}>"
        date = now() if self.date is None else self.date
        header = "".join(_fields(self, date, message_id))
        part = _parts(self, make_id())
        return header.encode() + b"MIME-Version: 1.0\r\n" + part, message_id


def _mailboxes(value: Mailboxes) -> tuple[Mailbox, ...]:
    if isinstance(value, str | Address | Mailbox):
        return (Mailbox.of(value),)
    if _is_pair(value):
        return (Mailbox.of(cast("tuple[str, str]", value)),)
    return tuple(Mailbox.of(item) for item in cast("Sequence[MailboxLike]", value))


def _is_pair(value: object) -> bool:
    """Return whether a value is one (name, address) pair, not a tuple of mailboxes."""
    match value:
        case (str(name), str() | Address()):
            return "@" not in name
        case _:
            return False


def _body(what: str, text: str) -> str:
    try:
        require_str(what, text).encode()
    except UnicodeEncodeError as exc:
        msg = f"{what} holds a lone surrogate at position {exc.start}"
        raise InvalidInput(msg) from None
    return text


def _further(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs: Iterable[tuple[str, str]] = (
        cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    )
    return tuple(_field(name, value) for name, value in pairs)


def _field(name: str, value: str) -> tuple[str, str]:
    if not _FIELD_NAME.fullmatch(name):
        msg = f"not a header field name: {name[:80]!r}"
        raise InvalidInput(msg)
    if name.lower() in _OWNED or name.lower().startswith("content-"):
        msg = f"the field {name} is not a further one: the message makes it itself, or must not"
        raise InvalidInput(msg)
    return name, refuse_control_characters(f"the field {name}", require_str("a field", value))


def _message_id(value: str) -> str:
    bare = require_str("a Message-ID", value).removeprefix("<").removesuffix(">")
    if len(bare) > _MESSAGE_ID_MAX or not _MESSAGE_ID.fullmatch(bare):
        msg = f"not a Message-ID such as <unique@example.org>: {value[:80]!r}"
        raise InvalidInput(msg)
    return f"<{bare}>"


def _check_authors(message: Message) -> None:
    if not message.from_:
        msg = "a message needs an author: from_ is empty"
        raise InvalidInput(msg)
    if len(message.from_) > 1 and message.sender is None:
        msg = "a message of several authors needs a sender (RFC 5322 section 3.6.2)"
        raise InvalidInput(msg)


def _domain(author: Address) -> str:
    usable = author.is_ascii and author.domain and not author.domain.startswith("[")
    return author.domain if usable else "localhost.invalid"


def _fields(message: Message, date: datetime, message_id: str) -> Iterable[str]:
    yield fold("Date", format_date(date))
    yield format_mailboxes("From", message.from_)
    if message.sender is not None:
        yield format_mailboxes("Sender", [message.sender])
    for name, mailboxes in (
        ("Reply-To", message.reply_to),
        ("To", message.to),
        ("Cc", message.cc),
    ):
        if mailboxes:
            yield format_mailboxes(name, mailboxes)
    yield fold("Message-ID", message_id)
    if message.subject:
        yield format_text("Subject", message.subject)
    for name, value in message.headers:
        yield format_text(name, value)


# -- Parts: each is its header fields, an empty line and its body ---------------------------------


def _parts(message: Message, unique: str) -> bytes:
    bodies = [_text_part(kind, text) for kind, text in _bodies(message)]
    body = bodies[0] if len(bodies) == 1 else _multipart("alternative", bodies, unique)
    if not message.attachments:
        return body
    files = [_file_part(attachment) for attachment in message.attachments]
    return _multipart("mixed", [body, *files], unique)


def _bodies(message: Message) -> list[tuple[str, str]]:
    """Return the forms of the body, the plainest first (RFC 2046 section 5.1.4)."""
    forms = (("plain", message.text), ("html", message.html))
    return [(kind, text) for kind, text in forms if text is not None] or [("plain", "")]


def _text_part(kind: str, text: str) -> bytes:
    encoding, body = encode_text(text)
    header = fold("Content-Type", f'text/{kind}; charset="utf-8"')
    header += fold("Content-Transfer-Encoding", encoding)
    return header.encode() + b"\r\n" + body


def _file_part(attachment: Attachment) -> bytes:
    name = attachment.filename
    header = fold("Content-Type", attachment.content_type + parameter("name", name))
    header += fold("Content-Transfer-Encoding", "base64")
    header += fold("Content-Disposition", "attachment" + parameter("filename", name))
    return b"".join((header.encode(), b"\r\n", base64_lines(attachment.content)))


def _multipart(kind: str, parts: Sequence[bytes], unique: str) -> bytes:
    boundary = _boundary(kind, parts, unique)
    mark = b"--" + boundary.encode()
    header = fold("Content-Type", f'multipart/{kind}; boundary="{boundary}"')
    pieces = [header.encode(), b"\r\n"]
    for part in parts:
        pieces += [mark, b"\r\n", part, b"\r\n"]
    return b"".join((*pieces, mark, b"--\r\n"))


def _boundary(kind: str, parts: Sequence[bytes], unique: str) -> str:
    """Return a boundary that stands in no part.

    `=_` occurs in no Base64 and no quoted-printable body (RFC 2045 section 6.7), but a body of
    plain ASCII may hold anything, this very boundary in a quoted source for example.
    """
    boundary = f"=_{kind[:3]}_{unique}"
    while any(boundary.encode() in part for part in parts):
        boundary += "_"
    return boundary
