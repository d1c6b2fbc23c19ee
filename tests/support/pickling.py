"""Values sent through pickle, as a task queue sends them."""

from __future__ import annotations

import pickle
from typing import TypeVar

_Value = TypeVar("_Value")

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def unpickled(value: _Value, protocol: int = pickle.DEFAULT_PROTOCOL) -> _Value:
    """Return what is left of a value on the other side."""
    copy: _Value = pickle.loads(pickle.dumps(value, protocol))  # noqa: S301
    return copy


def pickled(value: object, protocol: int = pickle.DEFAULT_PROTOCOL) -> bytes:
    """Return the octets that another process would get."""
    return pickle.dumps(value, protocol)
