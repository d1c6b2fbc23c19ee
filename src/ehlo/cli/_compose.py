"""From the arguments to a message."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ehlo.address import Mailbox
from ehlo.errors import InvalidInput
from ehlo.message import Attachment, Message

if TYPE_CHECKING:
    from ehlo.cli._arguments import Arguments

__all__ = ["compose"]

_STANDARD_INPUT: Final = "-"
_DEFAULT_TEXT: Final = "This is a test, sent with `ehlo send`.\n"


def compose(arguments: Arguments) -> Message:
    """Make the message that the arguments describe.

    Args:
        arguments: The command line.

    Returns:
        The message.

    Raises:
        InvalidInput: An address or a header is wrong, or a file cannot be read.
    """
    to = [Mailbox.parse(text) for text in arguments.to]
    cc = [Mailbox.parse(text) for text in arguments.cc]
    return Message(
        from_=arguments.sender,
        to=[mailbox for mailbox in to if mailbox.address.domain],
        cc=[mailbox for mailbox in cc if mailbox.address.domain],
        # The postmaster without a domain is a recipient, and nothing that a header can name.
        bcc=[mailbox for mailbox in (*to, *cc) if not mailbox.address.domain],
        subject=arguments.subject,
        text=_text(arguments),
        html=None if arguments.html_file is None else _read(arguments.html_file),
        attachments=[_attachment(path) for path in arguments.attach],
        headers=[_header(line) for line in arguments.header],
    )


def _text(arguments: Arguments) -> str:
    if arguments.body_file is None:
        return _DEFAULT_TEXT if arguments.body is None else arguments.body
    if arguments.body is not None:
        msg = "the text is either --body or --body-file"
        raise InvalidInput(msg)
    return _read(arguments.body_file)


def _read(path: str) -> str:
    try:
        if path == _STANDARD_INPUT:
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        msg = f"{path} is no UTF-8 text (octet {exc.start}); --attach takes any file"
        raise InvalidInput(msg) from exc
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _attachment(path: str) -> Attachment:
    try:
        return Attachment.from_path(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: str, cause: OSError) -> InvalidInput:
    return InvalidInput(f"cannot read {path}: {cause.strerror}")


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        msg = f"a header field is 'Name: value', not {line!r}"
        raise InvalidInput(msg)
    return name, value.strip()
