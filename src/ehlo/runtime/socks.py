"""What python-socks needs to be told, and what its errors mean: the same in both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ehlo.errors import InvalidInput
from ehlo.proxy import Hop, ProxyKind
from ehlo.runtime.tunnel import proxy_refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from ehlo.endpoint import Endpoint
    from ehlo.errors import ConnectFailed
    from ehlo.proxy import Proxy

__all__ = ["FOREVER", "arguments", "missing", "refusal", "strip"]

FOREVER: Final = 10 * 365 * 86400.0
"""Seconds; python-socks has a time limit of its own where it is given none."""

# RFC 1928 section 6: what of the replies is about the way behind the proxy.
_BEHIND: Final = frozenset({3, 4, 5, 6})
# The rest is the proxy's: a failure of its own may pass, a rule will not.
_MAY_PASS: Final = frozenset({1})
_SOCKS4_REJECTED: Final = 0x5B
"""It says both: rejected, or failed."""


def arguments(proxy: Proxy) -> Mapping[str, Any]:
    """Return the arguments of a proxy object of python-socks.

    Args:
        proxy: The proxy.

    Returns:
        The keyword arguments: do not keep them, for they hold a password.
    """
    from python_socks import ProxyType  # noqa: PLC0415 - an extra

    types = {ProxyKind.SOCKS5: ProxyType.SOCKS5, ProxyKind.SOCKS4A: ProxyType.SOCKS4}
    return {
        "proxy_type": types[proxy.kind],
        "host": proxy.host,
        "port": proxy.port,
        "username": proxy.username or "",
        "password": "" if proxy.password is None else proxy.password.reveal(),
        "rdns": True,  # names are the proxy's to look up
    }


def missing() -> NoReturn:
    """Raise the error for a proxy that nobody here can speak with.

    Raises:
        InvalidInput: Always.
    """
    msg = "a SOCKS proxy needs the extra ehlo[socks]: pip install 'ehlo[socks]'"
    raise InvalidInput(msg)


def refusal(proxy: Proxy, endpoint: Endpoint, trouble: Exception) -> ConnectFailed:
    """Return the error for what python-socks has raised.

    Args:
        proxy: The proxy.
        endpoint: The server that it should have connected to.
        trouble: What was raised.

    Returns:
        The error, without the other as its cause: that one's frames hold the password.
    """
    code: int | None = getattr(trouble, "error_code", None)
    if code is None:
        # No code: user and password, or an answer that is none; or the connection is gone.
        closed = type(trouble.__cause__).__name__ == "IncompleteReadError"
        return proxy_refused(proxy, endpoint, str(trouble), temporary=closed)
    behind = code in _BEHIND or code == _SOCKS4_REJECTED
    return proxy_refused(
        proxy,
        endpoint,
        str(trouble),
        hop=Hop.SERVER if behind else Hop.PROXY,
        temporary=behind or code in _MAY_PASS,
    )


def strip(trouble: BaseException) -> BaseException:
    """Take from an exception all that shows the frames it came through.

    Args:
        trouble: The exception.

    Returns:
        The same.
    """
    trouble.__cause__ = trouble.__context__ = None
    return trouble.with_traceback(None)
