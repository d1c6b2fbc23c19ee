"""The values of the library as JSON has them: plain data under keys that stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from ehlo.errors import RecipientsRefused, TlsFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ehlo.address import Address
    from ehlo.errors import SMTPError
    from ehlo.reply import Reply
    from ehlo.transcript import Entry

__all__ = ["Json", "as_json", "of_error", "of_refused", "of_reply", "of_transcript"]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"


def as_json(value: Json) -> str:
    """Return the text of a value: indented, and ASCII whatever it holds.

    Args:
        value: The value.

    Returns:
        One JSON value over several lines.
    """
    return json.dumps(value, indent=2)


def of_reply(reply: Reply | None) -> Json:
    """Return a reply, or null.

    Args:
        reply: The reply.

    Returns:
        Its code, its enhanced status code and its lines.
    """
    if reply is None:
        return None
    status = reply.enhanced_status
    return {
        "code": reply.code,
        "enhanced_status": None if status is None else str(status),
        "lines": list(reply.lines),
    }


def of_refused(refused: Mapping[Address, Reply]) -> Json:
    """Return the reply to each refused recipient.

    Args:
        refused: The replies.

    Returns:
        The replies by address.
    """
    return {str(address): of_reply(reply) for address, reply in refused.items()}


def of_error(error: SMTPError | None) -> Json:
    """Return an error, or null.

    Args:
        error: The error.

    Returns:
        What every error answers; the same keys for all of them.
    """
    if error is None:
        return None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "tls_trouble": _of_trouble(error),
        "phase": None if error.phase is None else str(error.phase),
        "command": error.command,
        "reply": of_reply(error.reply),
        "refused": of_refused(error.refused) if isinstance(error, RecipientsRefused) else {},
        "temporary": error.temporary,
        "retry_safe": error.retry_safe,
    }


def _of_trouble(error: SMTPError) -> Json:
    trouble = error.reason if isinstance(error, TlsFailed) else None
    return None if trouble is None else str(trouble)


def of_transcript(entries: Iterable[Entry]) -> Json:
    """Return a dialogue.

    Args:
        entries: Its lines.

    Returns:
        For each its time in seconds, its side (`C`, `S` or `*`) and its text.
    """
    return [
        {"seconds": round(entry.time, 6), "side": str(entry.side), "text": entry.text}
        for entry in entries
    ]
