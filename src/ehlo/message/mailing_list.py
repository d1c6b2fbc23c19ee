"""The fields of mailing lists and newsletters (RFC 2369, RFC 2919, RFC 8058)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ehlo.errors import InvalidInput
from ehlo.message.headers import fold, phrase
from ehlo.text import refuse_control_characters, require_str

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MailingList", "UrlsLike"]

UrlsLike: TypeAlias = "str | Iterable[str]"
"""One URL, or several in order of preference."""

_URL_MAX: Final = 900  # characters, so that its line stays below 998
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:[!#-;=?-\[\]_a-z~]++")
_HTTP: Final = re.compile(r"https?:", re.IGNORECASE)
_ID_MAX: Final = 255  # octets (RFC 2919 section 2)
_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)++")
_NO: Final = "NO"
_URL_FIELDS: Final = ("help", "subscribe", "post", "owner", "archive")


@dataclass(frozen=True, slots=True, init=False)
class MailingList:
    """What a message tells of the list it comes from; newsletters are lists.

    URLs are ASCII: what is not is percent-encoded by whoever makes them. Where there are several,
    readers try them in order.

    Args:
        id: The list's identifier, a name in a domain of its owner's: `news.example.org`.
        name: The list's name for people, in any script.
        unsubscribe: Where one leaves the list: `https:` and `mailto:` URLs, the latter alone beside
            the next one.
        one_click_unsubscribe: An `https:` URL at which a POST alone, without a question or a
            session, takes the receiver from the list (RFC 8058). Large receivers want it of
            newsletters, and that a DKIM signature covers it.
        help: Where help is.
        subscribe: Where one joins.
        post: Where one writes to the list; `NO` if nobody can.
        owner: Where its owner is.
        archive: Where its archive is.

    Raises:
        InvalidInput: The identifier or a URL is none, the name holds a control character, or the
            URL for one click is not `https`.
        TypeError: A value is no text.

    Attributes:
        id: As above.
        name: As above.
        unsubscribe: As above.
        one_click_unsubscribe: As above.
        help: As above.
        subscribe: As above.
        post: As above.
        owner: As above.
        archive: As above.
    """

    id: str | None
    name: str
    unsubscribe: tuple[str, ...]
    one_click_unsubscribe: str | None
    help: tuple[str, ...]
    subscribe: tuple[str, ...]
    post: tuple[str, ...]
    owner: tuple[str, ...]
    archive: tuple[str, ...]

    def __init__(  # noqa: PLR0913 - one for each field, by name
        self,
        *,
        id: str | None = None,  # noqa: A002 - the field's name
        name: str = "",
        unsubscribe: UrlsLike = (),
        one_click_unsubscribe: str | None = None,
        help: UrlsLike = (),  # noqa: A002 - the field's name
        subscribe: UrlsLike = (),
        post: UrlsLike = (),
        owner: UrlsLike = (),
        archive: UrlsLike = (),
    ) -> None:
        for slot in MailingList.__slots__:  # before anything is refused: a traceback may show it
            object.__setattr__(self, slot, None)
        if id is not None and (
            len(require_str("a list's id", id)) > _ID_MAX or not _ID.fullmatch(id)
        ):
            raise InvalidInput(f"not a list's id: {id[:_ID_MAX]!r}; write it like news.example.org")
        refuse_control_characters("a list's name", require_str("a list's name", name))
        if name and id is None:
            raise InvalidInput("a list's name stands before its id: give one (RFC 2919)")
        if one_click_unsubscribe is not None:
            _check_url(one_click_unsubscribe)
            if not one_click_unsubscribe.lower().startswith("https://"):
                raise InvalidInput("one_click_unsubscribe takes an https URL (RFC 8058 section 3)")
            if any(_HTTP.match(url) for url in _urls(unsubscribe)):
                raise InvalidInput(
                    "beside one_click_unsubscribe there is no other http URL to unsubscribe "
                    "(RFC 8058 section 3.1); mailto: may be there"
                )
        values = {
            "id": id,
            "name": name.strip(),
            "unsubscribe": _urls(unsubscribe),
            "one_click_unsubscribe": one_click_unsubscribe,
            "help": _urls(help),
            "subscribe": _urls(subscribe),
            "post": (_NO,) if post == _NO else _urls(post),
            "owner": _urls(owner),
            "archive": _urls(archive),
        }
        for slot, value in values.items():
            object.__setattr__(self, slot, value)

    def fields(self, *, utf8: bool = False) -> Iterator[str]:
        """Write the fields.

        Args:
            utf8: Whether the header may be UTF-8.

        Yields:
            Each field, ended by CRLF.
        """
        if self.id is not None:
            words = [*(phrase(self.name, utf8=utf8) if self.name else ()), f"<{self.id}>"]
            yield fold("List-Id:", [f" {word}" for word in words])
        one_click = self.one_click_unsubscribe
        yield from _field(
            "unsubscribe", (*([] if one_click is None else [one_click]), *self.unsubscribe)
        )
        if one_click is not None:
            yield "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        for name in _URL_FIELDS:
            yield from _field(name, getattr(self, name))


def _field(name: str, urls: tuple[str, ...]) -> Iterator[str]:
    if urls:
        *others, last = urls if urls == (_NO,) else [f"<{url}>" for url in urls]
        yield fold(f"List-{name.capitalize()}:", [*(f" {url}," for url in others), f" {last}"])


def _urls(value: UrlsLike) -> tuple[str, ...]:
    urls = (value,) if isinstance(value, str) else tuple(value)
    for url in urls:
        _check_url(url)
    return urls


def _check_url(url: str) -> None:
    text = require_str("a URL", url)
    if len(text) > _URL_MAX or not _URL.fullmatch(text):
        raise InvalidInput(
            f"not a URL for a header: {text[:_URL_MAX]!r}; it has a scheme (https:, mailto:) and "
            f"is ASCII of at most {_URL_MAX} characters, everything else percent-encoded"
        )
