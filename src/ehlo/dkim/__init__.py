"""DKIM: a domain's signature on a message's final octets (RFC 6376, 8301, 8463, 8616).

A `Signer` is a function from octets to octets: it takes a message as it is going to be sent, and
returns it with a DKIM-Signature field in front. Keys and signatures are those of the package
`cryptography`, which comes with the extra `ehlo[dkim]` and is loaded when a signer is made.
"""

from __future__ import annotations

from ehlo.dkim.canonicalization import Canonicalization
from ehlo.dkim.fields import RECOMMENDED, Oversigning
from ehlo.dkim.keys import Algorithm
from ehlo.dkim.signer import Signer

__all__ = ["RECOMMENDED", "Algorithm", "Canonicalization", "Oversigning", "Signer"]
