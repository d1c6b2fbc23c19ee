"""The real servers of the interop tests, as ``tests/interop/servers start`` describes them."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

VARIABLE = "EHLO_TEST_SERVERS"
HOW_TO_START = (
    "no real servers: as root run `tests/interop/servers start /tmp/ehlo-servers`, "
    f"then set {VARIABLE}=/tmp/ehlo-servers/servers.json"
)


class Listener(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What a test needs to know about the running servers."""

    plain: Listener
    """Postfix: no TLS, no AUTH; takes mail for ``users``, refuses everyone else."""
    submission: Listener
    """Postfix: STARTTLS, then AUTH, then mail to anyone (what is not for ``users`` vanishes)."""
    implicit: Listener
    """Postfix: the same over implicit TLS."""
    lmtp: Listener
    """Dovecot LMTP over TCP."""
    lmtp_socket: Path
    """Dovecot LMTP on a unix socket."""
    ca: Path
    """The certificate of the authority that signed the servers' certificate."""
    user: str
    password: str
    oauth_token: str
    """A bearer token for ``user`` (XOAUTH2, OAUTHBEARER)."""
    users: tuple[str, ...]
    """The addresses that have a mailbox; an address extension (``bob+x@...``) is allowed."""
    full_user: str
    """Has no room: LMTP accepts the recipient and refuses the message after its end."""
    maildir: Path
    """Below it one Maildir for each local part of ``users``: what Postfix delivered."""
    lmtp_maildir: Path
    """Likewise: what Dovecot delivered."""

    @classmethod
    def load(cls, path: Path) -> Servers:
        """Read the description that the start script wrote."""
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("plain", "submission", "implicit", "lmtp"):
            facts[name] = Listener(**facts[name])
        for name in ("lmtp_socket", "ca", "maildir", "lmtp_maildir"):
            facts[name] = Path(facts[name])
        return cls(**facts | {"users": tuple(facts["users"])})


@pytest.fixture(scope="session")
def servers() -> Servers:
    """The running servers; without them the test is skipped, or fails where ``CI=true``."""
    path = os.environ.get(VARIABLE)
    if path:
        return Servers.load(Path(path))
    if os.environ.get("CI") == "true":
        pytest.fail(HOW_TO_START)
    pytest.skip(HOW_TO_START)
