"""What all pumps stand on, for whoever writes one: TLS without a socket, turns, settings, clocks.

A pump moves octets between a transport and a `Link`, and meets the needs of one dialogue at a time
within a `Turn`. `docs/explanation/dialogues-and-pumps.md` is the contract.
"""

from __future__ import annotations

from ehlo.runtime.driving import Turn, lost, timed_out, told
from ehlo.runtime.link import Link
from ehlo.runtime.options import Settings

__all__ = ["Link", "Settings", "Turn", "lost", "timed_out", "told"]
