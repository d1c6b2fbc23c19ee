"""The command line tool: `ehlo` and `python -m ehlo`.

Each sub-command is a module of its own that is imported when it is asked for, so `ehlo --version`
loads none of them. A command's `run` returns an `ExitCode` or raises an `SMTPError`; what people
read about an error, and the code it ends with, is said here in one place for all of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ehlo.cli._arguments import parse
from ehlo.cli._console import Console
from ehlo.cli._exits import ExitCode, exit_code
from ehlo.errors import SMTPError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ehlo.cli._arguments import Arguments

__all__ = ["ExitCode", "main"]

_MODULES: Final[Mapping[str, str]] = {
    "demo": "ehlo.cli._demo",
    "send": "ehlo.cli._send",
    "probe": "ehlo.cli._probe",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line tool.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The exit code; see `ExitCode`.

    Raises:
        SystemExit: The arguments make no sense (code 2), or asked for help or the version (0).
    """
    try:
        return _run(parse(argv))
    finally:
        Console(sys.stdout).flush()


def _run(arguments: Arguments) -> ExitCode:
    err = Console(sys.stderr)
    try:
        run: Callable[[Arguments, Console, Console], ExitCode]
        run = import_module(_MODULES[arguments.command]).run
        return run(arguments, Console(sys.stdout), err)
    except SMTPError as error:
        from ehlo.cli._trouble import report  # noqa: PLC0415 - nobody needs it on a good day

        report(err, error)
        return exit_code(error)
    except KeyboardInterrupt:
        err.say("ehlo: interrupted")
        return ExitCode.INTERRUPTED
