"""Looks through everything that a test run writes or raises for the secrets of the tests.

A plugin of pytest, which `tests/conftest.py` registers. It takes in, as it goes by:

- each line of a transcript, each record of a log, each line of the command line tool;
- each error of the library as it is made: text, command, reply;
- each exception that a test expects: text, repr, attributes, notes, causes, its pickle, and the
  local variables of those frames of its traceback that are the library's;
- each pickle that a test makes by `support.pickling`;
- what pytest reports: captured output, and how failures look.

It looks for the secrets of `support.secrets` in clear, escaped as `repr` and URLs do, and in
Base64 at each of its three alignments. At the end of the session it tells what it found, and then
the session has failed. Taking in is putting into a list; the search is a few passes of `in` over
what came together in a test, so it costs next to nothing.
"""

from __future__ import annotations

import base64
import logging
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import pytest

import ehlo
from ehlo.cli._console import Console
from ehlo.errors import SMTPError
from ehlo.transcript import Transcript
from support import pickling
from support.secrets import SECRETS

_PACKAGE: Final = str(Path(ehlo.__file__).parent)
_TESTING: Final = str(Path(ehlo.__file__).parent / "testing")
"""The testing kit is a server: it has the passwords of its users, and shows what it was sent."""
_LONGEST: Final = 50_000
_ENOUGH: Final = 1_000_000
"""How many characters to collect before looking through them."""


class Leak(NamedTuple):
    """A secret that showed.

    Attributes:
        test: Which test it was in.
        where: What it stood in.
        secret: Which one, and how it was written.
        context: What stood around it.
    """

    test: str
    where: str
    secret: str
    context: str


def spellings(secret: str) -> dict[str, str]:
    """Return how a secret can be written, by what that is called."""
    octets = secret.encode()
    found = {
        "in clear": secret,
        "with escapes": secret.encode("ascii", "backslashreplace").decode(),
        "as octets": repr(octets)[2:-1],
        "in a URL": quote(secret, safe=""),
        "in Latin-1": secret.encode("utf-8").decode("latin-1"),
    }
    for before in range(3):
        found[f"in Base64, behind {before} octets"] = _core(octets, before)
    return {text: name for name, text in reversed(found.items())}


def _core(octets: bytes, before: int) -> str:
    """Return the characters of Base64 that depend on these octets alone."""
    text = base64.b64encode(bytes(before) + octets).decode().rstrip("=")
    behind = (before + len(octets)) % 3
    return text[(0, 2, 3)[before] : len(text) - bool(behind)]


class Watch:
    """Collects texts, and finds secrets in them.

    Args:
        secrets: What to look for.

    Attributes:
        leaks: What was found so far.
        taken: How many texts were looked through.
        test: Which test is running.
    """

    def __init__(self, secrets: Iterable[str] = SECRETS) -> None:
        self._patterns = {
            spelling: f"{number}. secret {name}"
            for number, secret in enumerate(secrets, 1)
            for spelling, name in spellings(secret).items()
        }
        self._collected: list[tuple[str, str]] = []
        self._size = 0
        self.leaks: list[Leak] = []
        self.taken = 0
        self.test = "(no test)"

    def take(self, where: str, text: str | bytes) -> None:
        """Take in something that was written or raised.

        Args:
            where: What it is.
            text: The text; octets are taken as Latin-1.
        """
        text = text[:_LONGEST]
        text = text.decode("latin-1") if isinstance(text, bytes) else text
        self._collected.append((where, text))
        self._size += len(text)
        if self._size > _ENOUGH:
            self.search()

    def search(self) -> None:
        """Look through what came together."""
        collected, self._collected, self._size = self._collected, [], 0
        self.taken += len(collected)
        everything = "\n".join({text for _, text in collected})
        for pattern, name in self._patterns.items():
            if pattern in everything:
                self.leaks += self._tell(collected, pattern, name)

    def _tell(self, collected: list[tuple[str, str]], pattern: str, name: str) -> Iterator[Leak]:
        for where, text in collected:
            at = text.find(pattern)
            if at >= 0:
                context = text[max(0, at - 40) : at] + "(here)" + text[at + len(pattern) :][:40]
                yield Leak(self.test, where, name, context)

    def summary(self) -> dict[str, int]:
        """Return how often secrets showed in what."""
        return dict(Counter(leak.where for leak in self.leaks))

    # -- What is looked at ---------------------------------------------------------------------

    def error(self, error: SMTPError) -> None:
        """Take in an error as it is made."""
        self.take("an error's text", str(error))
        if error.command is not None:
            self.take("an error's command", error.command)
        if error.reply is not None:
            self.take("an error's reply", b"\n".join(error.reply.raw_lines))

    def exception(self, error: BaseException | None) -> None:
        """Take in an exception with all that it brings along."""
        seen: set[int] = set()
        shown: dict[int, tuple[object, str | bytes]] = {}
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            kind = type(error).__name__
            if isinstance(error, SMTPError):
                self.take(f"the repr of {kind}", repr(error))
                self.take(f"the attributes of {kind}", repr(vars(error)))
                self._pickle(error)
            elif _is_ours(error.__traceback__):
                self.take(f"the text of {kind}", f"{error}\n{error!r}")
            self._frames(error.__traceback__, shown)
            error = error.__cause__ or error.__context__

    def _pickle(self, error: SMTPError) -> None:
        with suppress(Exception):  # a test of its own says that errors can be pickled
            self.take(f"a pickle of {type(error).__name__}", pickle.dumps(error))

    def _frames(
        self, traceback: TracebackType | None, shown: dict[int, tuple[object, str | bytes]]
    ) -> None:
        # Frame after frame has the same connection, message and error: each is shown once. (It is
        # kept as well, so that nothing else gets its id.)
        while traceback is not None:
            frame, traceback = traceback.tb_frame, traceback.tb_next
            if _is_library(frame):
                where = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
                for name, value in frame.f_locals.items():
                    if id(value) not in shown:
                        shown[id(value)] = value, _shown(value)
                        self.take(f"the local variable {name} of {where}", shown[id(value)][1])


def _is_library(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return path.startswith(_PACKAGE) and not path.startswith(_TESTING)


def _is_ours(traceback: TracebackType | None) -> bool:
    """Return whether an exception was raised in the library itself."""
    last = None
    while traceback is not None:
        last, traceback = traceback.tb_frame, traceback.tb_next
    return last is not None and _is_library(last)


def _shown(value: object) -> str | bytes:
    """Return a local variable as a debugger shows it, as far as it can be shown."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[:_LONGEST])
    try:
        return _bounded(value)
    except Exception:  # noqa: BLE001 - an object that is not ready yet
        return ""


def _bounded(value: object) -> str:
    """Return the repr; named tuples show of octets no more than is looked through.

    Content that is prepared stands in tuples within tuples, and its whole repr takes milliseconds.
    """
    kind = type(value)
    if isinstance(value, bytes):
        return repr(value[:_LONGEST])
    if isinstance(value, tuple) and kind.__repr__.__module__ == "collections":  # none of its own
        return f"{kind.__name__}({', '.join(map(_bounded, value))})"
    return repr(value)


def _patched(patch: pytest.MonkeyPatch, kind: Any, name: str, look: Callable[..., None]) -> None:
    """Look at a method's arguments and then call it."""
    method = getattr(kind, name)

    def looked_at(*args: Any, **kwargs: Any) -> Any:
        look(*args, **kwargs)
        return method(*args, **kwargs)

    patch.setattr(kind, name, looked_at)


class Plugin:
    """Lets a `Watch` see the session.

    Args:
        watch: What collects.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._patch = pytest.MonkeyPatch()

    def pytest_sessionstart(self) -> None:
        take, patch = self.watch.take, self._patch
        _patched(patch, Transcript, "_add", lambda _, __, text: take("a transcript", text))
        _patched(patch, Console, "_write", lambda _, text: take("the tool's output", text))
        _patched(patch, logging.Logger, "handle", lambda _, it: take("a log", it.getMessage()))
        for name in ("pickled", "unpickled"):
            _patched(patch, pickling, name, lambda it, *_: take("a pickle", _pickle_of(it)))
        self._watch_errors()
        self._watch_raises()

    def _watch_errors(self) -> None:
        watch, make = self.watch, SMTPError.__init__

        def made(error: SMTPError, *args: Any, **kwargs: Any) -> None:
            make(error, *args, **kwargs)
            watch.error(error)

        self._patch.setattr(SMTPError, "__init__", made)

    def _watch_raises(self) -> None:
        expecting = type(pytest.raises(SMTPError))

        def look(_context: object, _type: object, error: BaseException | None, _tb: object) -> None:
            self.watch.exception(error)

        _patched(self._patch, expecting, "__exit__", look)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.watch.test = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for title, text in report.sections:
            self.watch.take(title, text)
        if report.failed:
            self.watch.take("how a failure looks", report.longreprtext)

    def pytest_runtest_logfinish(self) -> None:
        self.watch.search()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.watch.search()
        self._patch.undo()
        if self.watch.leaks:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        leaks = self.watch.leaks
        if not leaks:
            return
        terminalreporter.section("secrets that showed", red=True)
        for leak in leaks[:50]:
            terminalreporter.line(f"{leak.test}: {leak.where}: the {leak.secret}")
            terminalreporter.line(f"    {leak.context!r}")
        for where, count in self.watch.summary().items():
            terminalreporter.line(f"{count} in {where}")


def _pickle_of(value: object) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001 - a test may be about just that
        return b""
