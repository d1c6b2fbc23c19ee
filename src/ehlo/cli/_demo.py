"""`ehlo demo`: the classic telnet dialogue, explained step by step.

The dialogue is real: the server of `ehlo.testing` on the loopback interface, in the dress of
Exchange, and a session of `ehlo.blocking` that says each verb by itself.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from ehlo import blocking
from ehlo.cli._console import Style
from ehlo.cli._exits import ExitCode
from ehlo.policies import Hello
from ehlo.receipt import queue_id
from ehlo.testing import Server, ServerOptions
from ehlo.transcript import Transcript

if TYPE_CHECKING:
    from ehlo.cli._arguments import Arguments
    from ehlo.cli._console import Console
    from ehlo.reply import Reply
    from ehlo.testing import ReceivedMessage
    from ehlo.transcript import Entry

__all__ = ["run"]

_CLIENT: Final = "client.example.com"
_SENDER: Final = "alice@example.org"
_RECIPIENT: Final = "bob@example.com"
_CONTENT: Final = b"""\
subject: A mail by hand

Hello Bob,
.This line begins with a dot.
Alice
"""


class _Step(NamedTuple):
    """A step of the dialogue.

    Attributes:
        begins: What its first line looks like, in the transcript.
        section: Of RFC 5321.
        meaning: What happens.
    """

    begins: re.Pattern[str]
    section: str
    meaning: str


_STEPS: Final = tuple(
    _Step(re.compile(begins), section, meaning)
    for begins, section, meaning in (
        (
            r"S: 220 ",
            "3.1",
            "The server speaks first. 2xx is a yes: you may begin.",
        ),
        (
            r"C: HELO ",
            "4.1.1.1",
            "Say who you are. (EHLO does the same, and asks what the server can do.)",
        ),
        (
            r"C: MAIL ",
            "4.1.1.2",
            "Open the envelope: where does a bounce go, if there is one?",
        ),
        (
            r"C: RCPT ",
            "4.1.1.3",
            "Whom is it for? Once for each recipient; each may be refused.",
        ),
        (
            r"C: DATA",
            "4.1.1.4",
            "Ask to send the mail itself. 3xx means: go on.",
        ),
        (
            r"C: subject:",
            "4.5.2",
            "Header, blank line, text. A line that begins with a dot gets a second one.",
        ),
        (
            r"C: \.$",
            "4.1.1.4",
            "A lone dot ends the mail. With this 250 the server takes responsibility for it.",
        ),
        (
            r"C: QUIT",
            "4.1.1.10",
            "Say goodbye.",
        ),
    )
)

_INTRODUCTION: Final = """\
This is how mail travels: two programs talk in plain lines. A mail server runs inside this
process for the moment; C: is what you would type into telnet, S: is what it says."""

_IN_PYTHON: Final = f"""\
   with ehlo.blocking.connect("smtp://HOST:PORT", hello="none") as session:
       session.helo("{_CLIENT}")
       session.mail("{_SENDER}")
       session.rcpt("{_RECIPIENT}")
       reply = session.data(content)"""

_NEXT: Final = """\
  ehlo probe mail.example.org      what a real server is and what it offers; sends no mail
  ehlo send --server localhost:25 --from ada@example.org --to bob@example.com
                                   send a mail, and watch the same dialogue
  ehlo --help                      everything else"""


class _Narrator:
    """Writes the dialogue, and before each step what it means.

    Args:
        out: Where to.
    """

    def __init__(self, out: Console) -> None:
        self._out = out
        self._told = 0

    def tell(self, entry: Entry) -> None:
        """Write a line; the steps come in their order."""
        for step in _STEPS[self._told : self._told + 1]:
            if step.begins.match(str(entry)):
                self._told += 1
                self._out.say()
                self._out.say(f"{self._told}. {step.meaning} [{step.section}]", Style.HEADING)
        self._out.entry(entry, "   ")


def run(_arguments: Arguments, out: Console, _err: Console) -> ExitCode:
    """Hold the dialogue and explain it.

    Args:
        out: Where to.

    Returns:
        `OK`.
    """
    options = ServerOptions.exchange(date=format_datetime(datetime.now().astimezone()))
    _paragraph(out, _INTRODUCTION)
    with Server(options) as server:
        out.say(f"Where: {server.host} port {server.port}. Numbers in brackets: RFC 5321.")
        reply = _converse(server, Transcript(on_entry=_Narrator(out).tell))
        (message,) = server.wait_for_messages(1)
    _tell_message(out, message)
    _tell_reply(out, reply)
    out.say("The same in Python", Style.HEADING)
    _paragraph(out, _IN_PYTHON)
    out.say()
    out.say("What to try next", Style.HEADING)
    _paragraph(out, _NEXT)
    return ExitCode.OK


def _paragraph(out: Console, text: str) -> None:
    for line in text.split("\n"):
        out.say(line)


def _converse(server: Server, transcript: Transcript) -> Reply:
    """Hold the dialogue; return what the server said to the mail."""
    with blocking.connect(server.url, hello=Hello.NONE, transcript=transcript) as session:
        session.helo(_CLIENT)
        session.mail(_SENDER)
        session.rcpt(_RECIPIENT)
        return session.data(_CONTENT)


def _tell_message(out: Console, message: ReceivedMessage) -> None:
    out.say()
    out.say("The mail, as it lies in the server's queue", Style.HEADING)
    out.say(f"   envelope: from {message.sender} to {', '.join(message.recipients)}")
    for line in message.content.decode().splitlines():
        out.say(f"   | {line}".rstrip())
    out.say("   The doubled dot is a single one again, and the lone dot is gone.")
    out.say()


def _tell_reply(out: Console, reply: Reply) -> None:
    out.say("What ehlo makes of the server's answer", Style.HEADING)
    for label, value in (
        ("reply.code", reply.code),
        ("reply.is_positive", reply.is_positive),
        ("reply.enhanced_status", reply.enhanced_status),
        ("queue id", queue_id(reply)),
    ):
        out.say(f"   {label:<22} {value}")
    out.say()
