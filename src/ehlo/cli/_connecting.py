"""From the arguments to a session: which server, how encrypted, and whom to log in as."""

from __future__ import annotations

import os
import warnings
from getpass import GetPassWarning, getpass
from typing import TYPE_CHECKING, Final

from ehlo.endpoint import Endpoint
from ehlo.errors import InvalidInput
from ehlo.policies import Tls
from ehlo.sasl import Password
from ehlo.text import printable
from ehlo.timeouts import Timeouts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from ehlo.cli._arguments import Arguments
    from ehlo.options import ConnectOptions
    from ehlo.transcript import Transcript

__all__ = ["connect_options", "credentials", "endpoint"]

_URL: Final = "EHLO_URL"
_PASSWORD: Final = "EHLO_PASSWORD"  # noqa: S105 - the name of a variable

# People type a host name; then the port follows from how it is to be encrypted.
_BARE_SCHEMES: Final[Mapping[str | None, str]] = {Tls.IMPLICIT: "smtps"}


def endpoint(arguments: Arguments) -> Endpoint:
    """Return the server to talk to.

    Args:
        arguments: The command line; its server may be a URL, or a host with or without port.

    Returns:
        The endpoint.

    Raises:
        InvalidInput: There is none, or its URL is wrong.
    """
    url = arguments.server or os.environ.get(_URL, "")
    if not url:
        msg = f"which server? Name it on the command line, or in the variable {_URL}"
        raise InvalidInput(msg)
    if "://" not in url:
        url = f"{_BARE_SCHEMES.get(arguments.tls, 'smtp')}://{url}"
    return Endpoint.from_url(url)


def credentials(arguments: Arguments, server: Endpoint) -> Password | None:
    """Return whom to log in as; asks for the password where nobody has given it yet.

    Args:
        arguments: The command line.
        server: The endpoint, which may know a user and a password.

    Returns:
        The credentials; None for nobody.

    Raises:
        InvalidInput: There is no password and nobody to ask, or one that cannot be sent.
    """
    user = arguments.user or server.username
    if user is None:
        return None
    if user == server.username and server.password is not None:
        return Password(user, server.password)
    return Password(user, os.environ.get(_PASSWORD) or _ask(f"Password of {user} at {server}: "))


def _ask(prompt: str) -> str:
    try:
        with warnings.catch_warnings():
            # getpass would go on with the input, and show what is typed.
            warnings.simplefilter("error", GetPassWarning)
            return getpass(printable(prompt))
    except (EOFError, GetPassWarning):
        msg = f"no password, and no terminal to ask at: put it into the variable {_PASSWORD}"
        raise InvalidInput(msg) from None


def connect_options(arguments: Arguments, transcript: Transcript) -> ConnectOptions:
    """Return the options that all commands share.

    Args:
        arguments: The command line.
        transcript: Records the dialogue.

    Returns:
        The options of `connect` and `send`.

    Raises:
        InvalidInput: A value is wrong.
    """
    return {
        "tls": arguments.tls,
        "ssl_context": None if arguments.ca is None else _context(arguments.ca),
        "timeouts": Timeouts(total=arguments.timeout),
        "name": arguments.name,
        "transcript": transcript,
    }


def _context(path: str) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - heavy, and many sessions have no TLS

    try:
        return ssl.create_default_context(cafile=path)
    except OSError as exc:  # every ssl.SSLError is one
        msg = f"no certificates in {path}: {exc.strerror or exc}"
        raise InvalidInput(msg) from exc
