"""What a report of an error shows if it shows local variables, as many tools do."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Iterator
from pathlib import PurePath

import ehlo

OURS = PurePath(ehlo.__file__).parent


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [found.__cause__, found.__context__]


def shown(error: BaseException) -> str:
    """Return all that an error shows of the library's own: texts, attributes, local variables."""
    parts: list[str] = []
    for each in _chain(error):
        parts += [repr(each), str(each), str(vars(each))]
        report = traceback.TracebackException.from_exception(each, capture_locals=True)
        for frame in report.stack:
            path = PurePath(frame.filename)
            if path.is_relative_to(OURS) and "testing" not in path.relative_to(OURS).parts:
                parts.append(f"{frame.name}: {frame.locals}")
    return "\n".join(parts)


def forms(secret: str) -> tuple[str, ...]:
    """Return a secret in the forms in which it might be found, in Base64 wherever it begins."""
    octets = secret.encode()
    found = [secret, repr(secret)[1:-1], octets.hex()]
    for before in range(3):
        text = b64encode(bytes(before) + octets).decode()
        found.append(text[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6])
    return tuple(found)


def assert_hidden(secret: str, *texts: object) -> None:
    """Fail if a secret stands in one of the texts, in clear or in Base64."""
    for text in map(str, texts):
        for form in forms(secret):
            assert form not in text, f"{form!r} in {text}"
