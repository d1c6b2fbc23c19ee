"""Domain names in A-labels, for servers without SMTPUTF8 (IDNA 2008, RFC 5891).

The tables of IDNA come with the package `idna`, which is imported when they are first needed.
"""

from __future__ import annotations

from importlib import import_module

from ehlo.errors import InvalidInput

__all__ = ["a_labels"]


def a_labels(domain: str) -> str:
    """Return a domain name as it stands in the DNS.

    Upper case, full width and other ways of writing the same are brought to one form first
    (UTS 46, non-transitional): the German sharp s stays what it is, and no `ss`.

    Args:
        domain: A domain name, with or without non-ASCII labels. What is ASCII is not touched.

    Returns:
        The name with A-labels (`xn--...`) in place of labels that are not ASCII.

    Raises:
        InvalidInput: The package `idna` is not there.
        UnicodeError: The name is none of IDNA 2008; the text says why.
    """
    if domain.isascii():
        return domain
    try:
        idna = import_module("idna")
    except ImportError as exc:
        msg = f"the domain {domain!r} has no ASCII form without the package idna: ehlo[idna]"
        raise InvalidInput(msg) from exc
    encoded: bytes = idna.encode(domain, uts46=True)
    return encoded.decode("ascii")
