r"""Where the tool writes: one stream, one line at a time, and nothing a terminal could trip over.

Everything goes through `Console.say`, which escapes control characters (a server must not drive
the terminal), writes what the stream's encoding lacks as `\xNN` or `\uNNNN`, and adds colour only
for people who look at a terminal.

A reader that goes away (`ehlo send ... | head -1`) ends the output and not the command: what
becomes of the mail must not depend on who reads the dialogue.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TextIO

from ehlo.text import printable
from ehlo.transcript import Side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ehlo.transcript import Entry

__all__ = ["Console", "Style"]


class Style(StrEnum):
    """How a line looks in colour: the parameters of an ANSI escape sequence."""

    PLAIN = ""
    HEADING = "1"
    FAINT = "2"
    BAD = "31"
    GOOD = "32"
    CLIENT = "36"
    SERVER = "33"


_SIDES: Final[Mapping[Side, Style]] = {
    Side.CLIENT: Style.CLIENT,
    Side.SERVER: Style.SERVER,
    Side.NOTE: Style.FAINT,
}


class Console:
    """One output stream.

    Args:
        stream: Such as `sys.stdout`; None (a process started without one) swallows everything.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._coloured = _is_coloured(stream)

    def say(self, text: str = "", style: Style = Style.PLAIN) -> None:
        """Write one line.

        Args:
            text: The line; control characters in it are escaped.
            style: How it looks where there is colour.
        """
        line = printable(text)
        if self._coloured and style:
            line = f"\x1b[{style}m{line}\x1b[0m"
        self._write(f"{line}\n")

    def entry(self, entry: Entry, indent: str = "") -> None:
        """Write one line of a transcript.

        Args:
            entry: The line.
            indent: What to write before it.
        """
        self.say(f"{indent}{entry}", _SIDES[entry.side])

    def document(self, text: str) -> None:
        """Write text that is safe as it is, such as JSON.

        Args:
            text: One or more lines of ASCII.
        """
        self._write(f"{text}\n")

    def flush(self) -> None:
        """Bring out what argparse or others have written to the stream."""
        self._write("")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        encoding = self._stream.encoding or "utf-8"  # a buffer in memory takes all
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except BrokenPipeError:
            _silence(self._stream)


def _is_coloured(stream: TextIO | None) -> bool:
    """Return whether people look at the stream and have not asked for plain text.

    See https://no-color.org: an empty `NO_COLOR` counts as unset.
    """
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream is not None and stream.isatty() and not plain


def _silence(stream: TextIO) -> None:
    """Let a stream without a reader end in the null device.

    What is still in its buffer would otherwise fail again, loudly, when Python shuts down.
    """
    with suppress(OSError):  # a stream without a descriptor has nothing to shut down either
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)
