"""The secrets of the tests: strings that nobody writes by accident, and that must show nowhere.

A test that needs a password or a token takes one from here: the scan of the whole test run
(`support.leaks`) looks for these, in clear and in Base64.
"""

from __future__ import annotations

from typing import Final

from support import dkim_keys

PASSWORD: Final = "correct-horse-battery-staple"
"""An ordinary password."""
ODD_PASSWORD: Final = "Pässwörter/sind=voll+Überraschung"
"""One that must be encoded everywhere: beyond ASCII, with what URLs and Base64 use."""
TOKEN: Final = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGE"
"""A bearer token."""
OLD: Final = (
    "tanstaaf",
    "hunter2",
    "swordfish",
    "correct horse battery staple",
    "ya29.the-token",
)
"""Passwords of examples in RFCs and folklore that tests use."""

SECRETS: Final = (PASSWORD, ODD_PASSWORD, TOKEN, *OLD, *dkim_keys.SECRET_LINES)
