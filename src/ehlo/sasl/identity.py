"""What no mechanism can carry: refused when a value is made, and never repeated in the error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ehlo.errors import InvalidInput
from ehlo.text import control_character, refuse_control_characters, require_str

if TYPE_CHECKING:
    from ehlo.secret import Secret

__all__ = ["check_identity", "check_token", "check_username", "saslname"]

_TOKEN: Final = re.compile("[\x21-\x7e]+")
_SASLNAME: Final = str.maketrans({"=": "=3D", ",": "=2C"})


def check_username(username: str) -> None:
    """Refuse a user name that no mechanism can carry.

    Args:
        username: The user name.

    Raises:
        InvalidInput: It is empty or holds a control character; NUL, for one, would move the fields
            of PLAIN (RFC 4616 section 2), and U+0001 those of XOAUTH2.
    """
    refuse_control_characters("the user name", require_str("the user name", username))
    if not username:
        msg = "the user name must not be empty"
        raise InvalidInput(msg)


def check_identity(username: str, password: Secret) -> None:
    """Refuse a user name or a password that no mechanism can carry.

    Args:
        username: The user name.
        password: The password.

    Raises:
        InvalidInput: One of them is empty or holds a control character. The message does not
            repeat the value.
    """
    refuse_control_characters("the user name", require_str("the user name", username))
    if found := control_character(password.reveal()):
        msg = f"the password holds {found}"
        raise InvalidInput(msg)
    if not username or not password.reveal():
        msg = "user name and password must not be empty"
        raise InvalidInput(msg)


def check_token(token: Secret) -> None:
    """Refuse what is no OAuth token (RFC 6750 section 2.1 grants them ASCII without blanks).

    Args:
        token: The token.

    Raises:
        InvalidInput: It is empty, or holds anything but printable ASCII. The message does not
            repeat the value.
    """
    if not _TOKEN.fullmatch(token.reveal()):
        msg = "an OAuth token is printable ASCII without blanks, one character at least"
        raise InvalidInput(msg)


def saslname(text: str) -> str:
    """Return a name as GS2 headers and SCRAM messages hold it (RFC 5801 section 4).

    Args:
        text: The name.

    Returns:
        The name with its commas and equals signs encoded.
    """
    return text.translate(_SASLNAME)
