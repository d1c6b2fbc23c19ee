"""A value that shows itself nowhere unless it is asked to by name."""

from __future__ import annotations

from typing import Final, NoReturn, final

from typing_extensions import override

from ehlo.text import require_str

__all__ = ["MASK", "Secret", "scrub"]

MASK: Final = "***"
"""What stands in the place of a secret."""


@final
class Secret:
    """A password, a token, or a line made from one.

    The value is reached by `reveal` alone. `repr`, `str`, `format`, logging, dataclass reprs,
    debuggers that show local variables: all of them print `Secret(***)`. It cannot be pickled,
    so it cannot end up in a task queue or a cache by accident. Two secrets compare equal
    when their values do.

    Args:
        value: The text to keep.

    Raises:
        TypeError: The value is not a `str`.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = require_str("the value of a Secret", value)

    def reveal(self) -> str:
        """Return the value itself; whoever calls this answers for where it goes."""
        return self._value

    @override
    def __repr__(self) -> str:
        return f"Secret({MASK})"

    @override
    def __str__(self) -> str:
        return f"Secret({MASK})"

    @override
    def __format__(self, format_spec: str) -> str:
        return f"Secret({MASK})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    @override
    def __hash__(self) -> int:
        return hash((Secret, self._value))

    @override
    def __reduce__(self) -> NoReturn:
        msg = "a Secret cannot be pickled or copied into another process"
        raise TypeError(msg)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


def scrub(octets: bytes, secrets: tuple[Secret, ...]) -> bytes:
    """Mask every secret that stands in a piece of octets, such as a server's echo.

    Args:
        octets: What may hold them.
        secrets: What must not be seen.

    Returns:
        The octets with each of them replaced by `***`.
    """
    values = {secret.reveal().encode() for secret in secrets}
    for value in sorted(values, key=len, reverse=True):  # one may be part of another
        if value and value != b"=":  # which is what an empty initial response is written as
            octets = octets.replace(value, MASK.encode())
    return octets
