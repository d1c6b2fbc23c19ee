"""The server's side of OAUTHBEARER (RFC 7628) and XOAUTH2."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from ehlo.testing._accounts import text_of
from ehlo.testing._grammar import Declined, Refusal

if TYPE_CHECKING:
    from ehlo.testing._accounts import Accounts, Exchange

__all__ = ["oauthbearer", "xoauth2"]

_PAIRS: Final = "(?:[A-Za-z]+=[^\0\1]*\1)*"
_TOKEN: Final = "auth=Bearer (?P<token>[\x21-\x7e]+)\1"  # noqa: S105 - not one, but its place
_OAUTHBEARER: Final = re.compile(
    f"n,(?:a=(?P<user>(?:[^\0\1,=]|=2C|=3D)+))?,\1{_PAIRS}{_TOKEN}{_PAIRS}\1"
)
_XOAUTH2: Final = re.compile(f"user=(?P<user>[^\0\1]+)\1{_TOKEN}\1")


def oauthbearer(accounts: Accounts) -> Exchange:
    """OAUTHBEARER (RFC 7628 section 3)."""
    match = _OAUTHBEARER.fullmatch(text_of((yield b"")))
    if match is None:
        raise Declined(Refusal.BAD_RESPONSE)
    user = (match["user"] or "").replace("=2C", ",").replace("=3D", "=")
    if accounts.tokens.get(user) == match["token"]:
        return user
    yield json.dumps({"status": "invalid_token", "scope": "mail.send"}).encode()
    return None


def xoauth2(accounts: Accounts) -> Exchange:
    """XOAUTH2, as Google and Microsoft describe it."""
    match = _XOAUTH2.fullmatch(text_of((yield b"")))
    if match is None:
        raise Declined(Refusal.BAD_RESPONSE)
    if accounts.tokens.get(match["user"]) == match["token"]:
        return match["user"]
    yield json.dumps({"status": "401", "schemes": "bearer", "scope": "mail.send"}).encode()
    return None
