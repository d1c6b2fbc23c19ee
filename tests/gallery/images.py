"""Pictures for messages, drawn in code: shades of one colour on white."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

__all__ = ["chart", "dot", "logo"]

COLOUR: Final = (0x1D, 0x4E, 0x89)
_SAMPLES: Final = 4  # in each direction, for smooth edges


def png(rows: Iterable[bytes], width: int, colour: tuple[int, int, int] = COLOUR) -> bytes:
    """Write a picture; each of its octets is a shade, from 0 for white to 255 for the colour."""
    lines = [b"\0" + row for row in rows]
    palette = bytes(
        round(255 + (full - 255) * shade / 255) for shade in range(256) for full in colour
    )
    size = struct.pack(">IIBBBBB", width, len(lines), 8, 3, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(lines), 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, octets: bytes) -> bytes:
    check = zlib.crc32(kind + octets)
    return struct.pack(">I", len(octets)) + kind + octets + struct.pack(">I", check)


@cache
def logo() -> bytes:
    """Return a cogwheel on a square with round corners."""
    return _sampled(_is_logo, 96)


@cache
def dot(colour: tuple[int, int, int]) -> bytes:
    """Return a dot."""
    return _sampled(lambda x, y: math.hypot(x - 0.5, y - 0.5) < 0.48, 24, colour)


@cache
def chart(values: tuple[int, ...]) -> bytes:
    """Return a bar chart; the last bar is the one that counts."""
    width, height, top = 1040, 320, max(values)
    step, bar = width / len(values), round(width / len(values) * 0.62)
    columns = [
        (round(step * (number + 0.5) - bar / 2), round(value / top * (height - 20)))
        for number, value in enumerate(values)
    ]
    shades = [b"\x58"] * (len(values) - 1) + [b"\xff"]
    rows = []
    for line in range(height):
        row = bytearray(b"\x60" if line == height - 1 else b"\x18" if line % 80 == 0 else b"\0")
        row *= width
        for (left, tall), shade in zip(columns, shades, strict=True):
            inset = _inset(line - (height - tall), 10)
            if inset is not None:
                row[left + inset : left + bar - inset] = shade * (bar - 2 * inset)
        rows.append(bytes(row))
    return png(rows, width)


def _inset(below: int, radius: int) -> int | None:
    """Return how far in a bar with round corners begins, so many lines below its upper end."""
    if below < 0:
        return None
    if below >= radius:
        return 0
    return radius - round(math.sqrt(radius**2 - (radius - below - 0.5) ** 2))


def _sampled(
    is_inside: Callable[[float, float], bool],
    size: int,
    colour: tuple[int, int, int] = COLOUR,
) -> bytes:
    """Return a square picture of a shape that lies in the square from 0, 0 to 1, 1."""
    fine = size * _SAMPLES
    rows = []
    for line in range(size):
        sums = [0] * size
        for sample in range(_SAMPLES):
            y = (line * _SAMPLES + sample + 0.5) / fine
            for place in range(fine):
                sums[place // _SAMPLES] += is_inside((place + 0.5) / fine, y)
        rows.append(bytes(round(255 * each / _SAMPLES**2) for each in sums))
    return png(rows, size, colour)


def _is_logo(x: float, y: float) -> bool:
    x, y = x - 0.5, y - 0.5
    corner = math.hypot(max(abs(x) - 0.3, 0), max(abs(y) - 0.3, 0))
    radius, angle = math.hypot(x, y), math.atan2(y, x)
    reach = 0.335 if math.cos(8 * angle) > 0 else 0.27
    return corner < 0.2 and not 0.12 < radius < reach
