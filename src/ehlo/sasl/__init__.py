"""SASL: credentials, and the mechanisms that prove them (RFC 4422, RFC 4954)."""

from __future__ import annotations

from ehlo.sasl.credentials import Credentials, Password
from ehlo.sasl.mechanisms import Exchange, Login, Mechanism, Plain

__all__ = ["Credentials", "Exchange", "Login", "Mechanism", "Password", "Plain"]
