"""A value that shows itself nowhere unless it is asked to by name."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, final

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MASK", "Mask", "Secret", "concealed", "scrub"]

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
        fault = _fault(value)
        if fault:
            del value  # tracebacks show local variables
            raise TypeError(fault)
        self._value = value

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


def _fault(value: object) -> str:
    if isinstance(value, str):
        return ""
    return f"the value of a Secret is a str, not {type(value).__name__}"


def concealed(what: str, value: object) -> tuple[Secret, str]:
    """Return a value as a secret, and what is wrong with it; no exception has it in its frames.

    Args:
        what: What it is, for the error.
        value: A text or a `Secret`.

    Returns:
        The secret, and an empty text; or an empty secret, and a text that names the value's type.
    """
    if isinstance(value, Secret):
        return value, ""
    if isinstance(value, str):
        return Secret(value), ""
    return _NOTHING, f"{what} is a str or a Secret, not {type(value).__name__}"


_NOTHING: Final = Secret("")


class Mask:
    """Masks secrets in what a server says, for whoever shows it.

    A secret is found as it is, and in Base64 wherever it begins there: servers echo lines of an
    exchange, and parts of them. Short secrets are found in other words only too easily, and to mask
    those would spoil replies (`2.0.0`, a queue id) and tell by the gaps what the secret is. So:

    - from 8 octets on, it is masked wherever it stands;
    - from 3 octets on, where it stands as a word, not between other letters and digits;
    - one or two characters are no secret.

    In Base64 it is masked if at least 8 characters are determined by it alone.

    Args:
        secrets: What must not be seen.
    """

    __slots__ = ("_forms", "_secrets")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets = frozenset(secrets)
        self._forms = _forms_of(self._secrets)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def adding(self, secrets: Iterable[Secret]) -> Mask:
        """Return a mask for more secrets.

        Args:
            secrets: What must not be seen, either.

        Returns:
            The mask.
        """
        return Mask(self._secrets.union(secrets))

    def scrub(self, octets: bytes) -> bytes:
        """Mask every secret that stands in a piece of octets, such as a server's echo.

        Args:
            octets: What may hold them.

        Returns:
            The octets with each of them replaced by `***`.
        """
        for form, pattern in self._forms:
            if form in octets:  # each reply is looked at, and hardly any holds a secret
                octets = pattern.sub(MASK.encode(), octets)
        return octets

    def scrub_text(self, text: str) -> str:
        """Mask every secret that stands in a text; see `scrub`.

        Args:
            text: What may hold them.

        Returns:
            The text with each of them replaced by `***`.
        """
        return self.scrub(text.encode("utf-8", "replace")).decode("utf-8", "replace")


_LONG: Final = 8
"""Octets of a secret that is masked wherever it stands."""
_SHORTEST: Final = 3
"""Octets of a secret that is masked as a word."""
_BASE64_SHORTEST: Final = 8
"""Characters of Base64 that are no coincidence."""


def scrub(octets: bytes, secrets: Iterable[Secret]) -> bytes:
    """Mask secrets in a piece of octets, once; see `Mask`.

    Args:
        octets: What may hold them.
        secrets: What must not be seen.

    Returns:
        The octets with each of them replaced by `***`.
    """
    return Mask(secrets).scrub(octets)


_Form: TypeAlias = "tuple[bytes, re.Pattern[bytes]]"
"""Octets, and the pattern that masks them where they are found."""


def _forms_of(secrets: Iterable[Secret]) -> tuple[_Form, ...]:
    values = [secret.reveal().encode("utf-8", "replace") for secret in secrets]
    found = {form for value in values for form in (*_as_it_is(value), *_in_base64(value))}
    # One may be part of another: the longest first.
    return tuple(sorted(found, key=_length, reverse=True))


def _length(form: _Form) -> int:
    return len(form[0])


def _as_it_is(octets: bytes) -> Iterator[_Form]:
    """Yield a pattern for octets that stand there as they are, unless they are too few."""
    if len(octets) >= _LONG:
        yield octets, re.compile(re.escape(octets))
    elif len(octets) >= _SHORTEST:
        yield octets, re.compile(b"(?<![0-9A-Za-z])" + re.escape(octets) + b"(?![0-9A-Za-z])")


def _in_base64(octets: bytes) -> Iterator[_Form]:
    """Yield patterns for octets in the midst of others in Base64: three, by where they begin.

    The characters at both ends may be made of other octets as well; they are masked with the rest.
    """
    edge = b"[0-9A-Za-z+/]?"
    for before in range(3):
        start = -(-before * 8 // 6)
        end = (before + len(octets)) * 8 // 6
        form = b64encode(bytes(before) + octets)[start:end]
        if len(form) >= _BASE64_SHORTEST:
            yield form, re.compile(edge + re.escape(form) + edge + b"={0,2}")
