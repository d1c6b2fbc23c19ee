"""SASL: credentials, and the mechanisms that prove them (RFC 4422, RFC 4954)."""

from __future__ import annotations

from ehlo.sasl.anonymous import Anonymous
from ehlo.sasl.bearer import OAuthBearer, XOAuth2
from ehlo.sasl.channel_binding import server_end_point
from ehlo.sasl.cram_md5 import CramMd5
from ehlo.sasl.credentials import (
    Credentials,
    CredentialsLike,
    OAuth2,
    Password,
    Token,
    TokenCallback,
    is_credentials,
    require_credentials,
    require_sync,
)
from ehlo.sasl.external import External
from ehlo.sasl.login import Login
from ehlo.sasl.mechanism import (
    Accepted,
    BadChallenge,
    Channel,
    Exchange,
    Mechanism,
    ServerUnproven,
)
from ehlo.sasl.plain import Plain
from ehlo.sasl.preparation import Unassigned, saslprep
from ehlo.sasl.scram import Scram, ScramHash, ScramPlus

__all__ = [
    "Accepted",
    "Anonymous",
    "BadChallenge",
    "Channel",
    "CramMd5",
    "Credentials",
    "CredentialsLike",
    "Exchange",
    "External",
    "Login",
    "Mechanism",
    "OAuth2",
    "OAuthBearer",
    "Password",
    "Plain",
    "Scram",
    "ScramHash",
    "ScramPlus",
    "ServerUnproven",
    "Token",
    "TokenCallback",
    "Unassigned",
    "XOAuth2",
    "is_credentials",
    "require_credentials",
    "require_sync",
    "saslprep",
    "server_end_point",
]
