"""The arguments: what can be said on the command line, and the help for it."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import ehlo
from ehlo.cli._exits import ExitCode
from ehlo.policies import Cleartext, OnRefusal, Pipelining, Tls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from enum import StrEnum

__all__ = ["Arguments", "parse"]

_URLS: Final = """\
servers:
  mail.example.org                     port 25, STARTTLS required (a loopback host: in clear)
  smtp://HOST:PORT                     likewise; port 465 is TLS from the first octet
  smtp+starttls://HOST                 port 587, STARTTLS required
  smtps://HOST                         port 465, TLS from the first octet
  smtp+unix:///PATH                    a unix socket
  A user and a password in the URL (smtps://user:secret@HOST) are percent-encoded. On a
  command line everybody on the machine can read them: EHLO_URL keeps them off it.
"""

_DESCRIPTION: Final = """\
Talk to mail servers: SMTP, line by line, in the open.

commands:
  ehlo demo     the classic telnet dialogue, explained, without any network
  ehlo probe    what a server is and what it offers; no mail is sent
  ehlo send     send one mail and watch the dialogue
"""

_EXAMPLES: Final = """\
examples:
  ehlo demo
  ehlo probe mail.example.org
  ehlo send --server smtp://localhost:2525 --from ada@example.org --to bob@example.com

`ehlo COMMAND --help` says more.
"""

_SEND: Final = """\
Send one mail, and show the dialogue as it happens: C: is what the client says, S: what the server
says, * a fact beside it. Passwords are shown as ***.
"""

_SEND_EXAMPLES: Final = """\
examples:
  ehlo send --server localhost:2525 --from ada@example.org --to bob@example.com
  ehlo send --server smtps://smtp.example.org --user ada --from ada@example.org \\
      --to bob@example.com --subject Notes --body-file notes.txt --attach report.pdf
  date | ehlo send --quiet --body-file - --from ada@example.org --to bob@example.com

environment:
  EHLO_URL       the server, where --server is not given
  EHLO_PASSWORD  the password; without it, it is asked for
"""

_PROBE: Final = """\
Connect to a server, greet it, and say in words what it is and what it offers. No mail is sent and
nobody logs in.
"""

_PROBE_EXAMPLES: Final = """\
examples:
  ehlo probe mail.example.org
  ehlo probe smtps://smtp.example.org --transcript
  ehlo probe localhost:2525 --json

environment:
  EHLO_URL       the server, where none is given
"""

_DEMO: Final = """\
Start a small mail server in this process, send a mail to it by hand as one would with telnet, and
explain every step. Nothing leaves this machine.
"""


class Arguments(Namespace):
    """What was said on the command line; each command has its part of it."""

    command: str
    # Whom to talk to, and how
    server: str | None
    tls: str | None
    ca: str | None
    name: str | None
    timeout: float | None
    # Send
    sender: str
    to: list[str]
    cc: list[str]
    subject: str
    body: str | None
    body_file: str | None
    html_file: str | None
    attach: list[str]
    header: list[str]
    on_refusal: str
    pipelining: str
    without: list[str]
    user: str | None
    cleartext: str
    quiet: bool
    # Probe
    transcript: bool
    # Both
    json: bool


class _Option(NamedTuple):
    """One option: its names, and what argparse is to know of it."""

    names: tuple[str, ...]
    settings: Mapping[str, Any]


class _Command(NamedTuple):
    """One command: what it does, its options by headings, and what else its help says."""

    description: str
    groups: Mapping[str, Sequence[_Option]]
    epilog: str


def _option(*names: str, **settings: Any) -> _Option:  # noqa: ANN401 - argparse's own words
    return _Option(names, settings)


def _repeated(name: str, **settings: Any) -> _Option:  # noqa: ANN401 - argparse's own words
    return _option(name, action="append", default=[], **settings)


def _choices(policy: type[StrEnum]) -> list[str]:
    return [str(member) for member in policy]


_CONNECTING: Final = (
    _option("--tls", choices=_choices(Tls), help="when to encrypt; default: what the URL says"),
    _option("--ca", metavar="FILE", help="PEM certificates to trust instead of the system's"),
    _option("--name", metavar="HOST", help="the EHLO name; default: the socket's address"),
    _option("--timeout", metavar="SECONDS", type=float, help="how long all of it may take"),
)
_JSON: Final = _option("--json", action="store_true", help="one JSON object instead of words")

_MAIL: Final = (
    _option("--from", dest="sender", metavar="ADDR", required=True, help="who it is from"),
    _repeated("--to", metavar="ADDR", required=True, help="a recipient; may be repeated"),
    _repeated("--cc", metavar="ADDR", help="a further recipient; may be repeated"),
    _option("--subject", metavar="TEXT", default="A test by ehlo", help="the subject"),
    _option("--body", metavar="TEXT", help="the text; default: a few words"),
    _option("--body-file", metavar="FILE", help="a file with the text; - is standard input"),
    _option("--html-file", metavar="FILE", help="a file with the same as HTML"),
    _repeated("--attach", metavar="FILE", help="a file to attach; may be repeated"),
    _repeated("--header", metavar="'NAME: VALUE'", help="a header field; may be repeated"),
)
_SERVER: Final = (
    _option("--server", metavar="URL", help="the server; default: EHLO_URL"),
    *_CONNECTING,
    _option("--user", metavar="NAME", help="log in as NAME, with the password in EHLO_PASSWORD"),
    _option(
        "--cleartext",
        choices=_choices(Cleartext),
        default=str(Cleartext.REFUSE),
        help="whether a password may travel unencrypted beyond this machine; default: refuse",
    ),
    _option(
        "--on-refusal",
        choices=_choices(OnRefusal),
        default=str(OnRefusal.ABORT),
        help="if some recipients are refused: send to nobody (default), or to the rest",
    ),
)
_PIPELINING: Final = _option(
    "--pipelining",
    choices=_choices(Pipelining),
    default=str(Pipelining.NONE),
    help="how many commands may be under way at once; default: none, which reads best",
)
_WITHOUT: Final = _repeated(
    "--without",
    metavar="KEYWORD",
    help="an extension not to use even if the server offers it, as CHUNKING; may be repeated",
)
_QUIET: Final = _option(
    "--quiet", "-q", action="store_true", help="the result only, not the dialogue"
)
_PROBED: Final = _option("server", metavar="URL", nargs="?", help="the server; default: EHLO_URL")
_TRANSCRIPT: Final = _option("--transcript", action="store_true", help="show the dialogue as well")


def _exit_codes() -> str:
    return "\n".join(("exit codes:", *(f"  {code.value:<4} {code.meaning}" for code in ExitCode)))


_COMMANDS: Final[Mapping[str, _Command]] = {
    "demo": _Command(_DEMO, {}, ""),
    "send": _Command(
        _SEND,
        {
            "the mail": _MAIL,
            "the server": (*_SERVER, _PIPELINING, _WITHOUT),
            "output": (_QUIET, _JSON),
        },
        f"{_SEND_EXAMPLES}\n{_URLS}\n{_exit_codes()}",
    ),
    "probe": _Command(
        _PROBE,
        {"the server": (_PROBED, *_CONNECTING), "output": (_TRANSCRIPT, _JSON)},
        f"{_PROBE_EXAMPLES}\n{_URLS}\n{_exit_codes()}",
    ),
}


def parse(argv: Sequence[str] | None) -> Arguments:
    """Read the command line.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        The arguments.

    Raises:
        SystemExit: They make no sense, or ask for help or the version.
    """
    parser = ArgumentParser(
        prog="ehlo",
        usage="ehlo [--help] [--version] COMMAND ...",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\n{_exit_codes()}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ehlo {ehlo.__version__}")
    # The description names the commands already, with what they are for.
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, prog="ehlo", help=SUPPRESS
    )
    for name, command in _COMMANDS.items():
        sub_parser = commands.add_parser(
            name,
            description=command.description,
            epilog=command.epilog,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for title, options in command.groups.items():
            group = sub_parser.add_argument_group(title)
            for option in options:
                group.add_argument(*option.names, **option.settings)
    return parser.parse_args(argv, Arguments())
