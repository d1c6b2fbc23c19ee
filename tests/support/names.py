"""Host names that are this machine, for tests of what depends on a server's name."""

import socket
from typing import Any

import pytest

MAIL = "mail.example.com"
"""A name that is not loopback by its looks, and leads to 127.0.0.1 all the same."""


def resolve_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name below example.com lead to 127.0.0.1; others lead nowhere."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str) and host.endswith(".example.com"):
            host = "127.0.0.1"
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
