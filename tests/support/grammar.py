"""The form that is registered for each header field, as the RFCs write it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from support.scanning import DOT_ATOM, FWS, LITERAL, TOKEN, Field, Malformed, Scanner

__all__ = ["STRUCTURED", "check_field", "disposition", "media_type", "one_identifier"]

_IDENTIFIER: Final = rf"<{DOT_ATOM}@(?:{DOT_ATOM}|{LITERAL})>"
_URL: Final = r"<[A-Za-z][A-Za-z0-9+.-]*:[!-;=?-~]+>"
_DATE: Final = re.compile(
    r"([A-Z][a-z]{2}), ([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) "
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60))? [+-][0-9]{2}[0-5][0-9]"
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = dict(
    zip(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
        range(1, 13),
        strict=True,
    )
)


def media_type(field: Field) -> tuple[str, dict[str, str]]:
    """Read Content-Type: the media type in lower case, and its parameters."""
    scanner = Scanner(field)
    scanner.cfws()
    kind = scanner.need(rf"{TOKEN}/{TOKEN}", "media type").lower()
    return kind, scanner.parameters()


def disposition(field: Field) -> tuple[str, dict[str, str]]:
    """Read Content-Disposition (RFC 2183), or another field of a token and parameters."""
    scanner = Scanner(field)
    scanner.cfws()
    return scanner.need(TOKEN, "token").lower(), scanner.parameters()


def one_identifier(field: Field) -> str:
    """Read Message-ID or Content-ID."""
    return Scanner(field).alone(_IDENTIFIER, "identifier")


def _identifiers(field: Field) -> int:
    scanner = Scanner(field)
    count = 0
    scanner.cfws()
    while not count or scanner.at < len(scanner.text):
        scanner.need(_IDENTIFIER, "identifier")
        scanner.cfws()
        count += 1
    return count


def _mailboxes(field: Field) -> int:
    scanner = Scanner(field)
    count = scanner.listed(scanner.mailbox)
    scanner.end()
    return count


def _addresses(field: Field) -> int:
    scanner = Scanner(field)
    count = scanner.listed(scanner.address)
    scanner.end()
    return count


def _one_address(field: Field) -> None:
    scanner = Scanner(field)
    scanner.address()
    scanner.end()


def _phrases(field: Field) -> None:
    scanner = Scanner(field)
    scanner.listed(lambda: _need_phrase(scanner))
    scanner.end()


def _need_phrase(scanner: Scanner) -> int:
    scanner.cfws()
    return 1 if scanner.phrase() else scanner.fail("no phrase")


def _date(field: Field) -> None:
    text = re.sub(FWS, " ", field.body).strip()
    found = _DATE.fullmatch(text)
    if not found:
        raise Malformed(f"not a date: {text!r}")
    try:
        day = date(int(found[4]), _MONTHS[found[3]], int(found[2])).weekday()
    except (KeyError, ValueError) as exc:
        raise Malformed(f"no such date: {text!r}") from exc
    if _DAYS[day] != found[1]:
        raise Malformed(f"not that day of the week: {text!r}")


def _urls(field: Field) -> None:  # RFC 2369 section 2
    scanner = Scanner(field)
    scanner.listed(lambda: _url(scanner))
    scanner.end()


def _url(scanner: Scanner) -> int:
    scanner.cfws()
    scanner.need(_URL, "<URL>")
    scanner.cfws()
    return 1


def _list_post(field: Field) -> None:
    if field.body.strip() != "NO":
        _urls(field)


def _list_id(field: Field) -> None:  # RFC 2919
    scanner = Scanner(field)
    scanner.cfws()
    scanner.phrase()
    scanner.need(rf"<{DOT_ATOM}>", "list identifier")
    scanner.end()


def _exactly(pattern: str, what: str) -> Callable[[Field], object]:
    return lambda field: Scanner(field).alone(pattern, what)


def _text(field: Field) -> None:
    Scanner(field).text_to_end()


def _anything(field: Field) -> None:
    """Leave a field alone that no sender writes: traces of the way."""


_LINKS: Final = ("archive", "help", "owner", "subscribe", "unsubscribe")

STRUCTURED: Final[dict[str, Callable[[Field], object]]] = {
    **dict.fromkeys(("date", "resent-date"), _date),
    **dict.fromkeys(("from", "resent-from"), _addresses),
    **dict.fromkeys(("sender", "resent-sender"), _one_address),
    **dict.fromkeys(("to", "cc", "reply-to", "resent-to", "resent-cc"), _addresses),
    **dict.fromkeys(("errors-to", "mail-followup-to", "mail-reply-to"), _addresses),
    **dict.fromkeys(("disposition-notification-to", "return-receipt-to"), _mailboxes),
    **dict.fromkeys(("message-id", "resent-message-id", "content-id"), one_identifier),
    **dict.fromkeys(("in-reply-to", "references"), _identifiers),
    **dict.fromkeys((f"list-{link}" for link in _LINKS), _urls),
    "list-post": _list_post,
    "list-id": _list_id,
    "list-unsubscribe-post": _exactly("List-Unsubscribe=One-Click", "List-Unsubscribe=One-Click"),
    "keywords": _phrases,
    "received": _anything,
    "mime-version": _exactly(r"1\.0", "1.0"),
    "content-type": media_type,
    "content-disposition": disposition,
    "content-transfer-encoding": _exactly(TOKEN, "token"),
    "content-language": _exactly(r"[A-Za-z0-9-]+(?:, ?[A-Za-z0-9-]+)*", "language"),
    "auto-submitted": disposition,
}
"""How each structured field is read; all others are text."""


def check_field(field: Field) -> object:
    """Read a field in the form that is registered for its name."""
    return STRUCTURED.get(field.name.lower(), _text)(field)
