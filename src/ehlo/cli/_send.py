"""`ehlo send`: one mail, and the dialogue as it happens."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from ehlo import blocking
from ehlo.cli._compose import compose
from ehlo.cli._connecting import connect_options, credentials, endpoint
from ehlo.cli._console import Style
from ehlo.cli._exits import ExitCode, exit_code
from ehlo.cli._shapes import as_json, of_error, of_refused, of_reply, of_transcript
from ehlo.errors import SMTPError
from ehlo.phase import Outcome
from ehlo.transcript import Side, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ehlo.cli._arguments import Arguments
    from ehlo.cli._console import Console
    from ehlo.cli._shapes import Json
    from ehlo.receipt import Receipt
    from ehlo.transcript import Entry

__all__ = ["run"]

_START_OF_CONTENT: Final = ((Side.SERVER, "354"), (Side.CLIENT, "BDAT"))
"""How a line of the dialogue begins that content may have followed, and who says it."""


def run(arguments: Arguments, out: Console, err: Console) -> ExitCode:
    """Send one mail.

    Args:
        arguments: The command line.
        out: Where the dialogue and the receipt go.
        err: Where troubles go.

    Returns:
        `OK`, or `PARTLY_REFUSED` if some recipients were and the policy is to deliver.

    Raises:
        SMTPError: The mail was not accepted, or nobody knows.
    """
    transcript = Transcript(on_entry=_show(arguments, out))
    try:
        receipt = _send(arguments, transcript)
    except SMTPError as error:
        if arguments.json:
            out.document(as_json(_failure(error, transcript)))
        raise
    except KeyboardInterrupt:
        err.say(f"ehlo: {_interrupted(transcript)}", Style.BAD)
        raise
    code = ExitCode.PARTLY_REFUSED if receipt.refused else ExitCode.OK
    if arguments.json:
        out.document(as_json(_success(receipt, code, transcript)))
        return code
    if not arguments.quiet:
        out.say()
    _tell(out, receipt)
    return code


def _show(arguments: Arguments, out: Console) -> Callable[[Entry], None] | None:
    return None if arguments.quiet or arguments.json else out.entry


def _send(arguments: Arguments, transcript: Transcript) -> Receipt:
    """Send the mail; whatever can be wrong here is found before anybody is asked or called."""
    server = endpoint(arguments)
    message = compose(arguments)
    options = connect_options(arguments, transcript)
    options["cleartext"] = arguments.cleartext
    options["pipelining"] = arguments.pipelining
    options["without"] = arguments.without
    options["auth"] = credentials(arguments, server)
    return blocking.send(message, server, on_refusal=arguments.on_refusal, **options)


def _tell(out: Console, receipt: Receipt) -> None:
    """Write the receipt in words."""
    out.say("The server has taken the mail, and answers for it from now on.", Style.GOOD)
    for address in receipt.accepted:
        out.say(f"  accepted   {address}")
    for address, reply in receipt.refused.items():
        out.say(f"  REFUSED    {address}: {reply}", Style.BAD)
    out.say(f"  queue id   {receipt.queue_id or 'not known; the reply may hold it'}")
    out.say(f"  reply      {receipt.reply}")
    out.say(f"  Message-ID {receipt.message_id}")


def _interrupted(entries: Iterable[Entry]) -> str:
    """Say what an interrupted session may have done: no more than the dialogue shows."""
    entries = list(entries)
    begins = itertools.product(entries, _START_OF_CONTENT)
    if not any(e.side is side and e.text.startswith(begin) for e, (side, begin) in begins):
        return "the mail was not sent"
    said = [entry.text for entry in entries if entry.side is Side.SERVER]
    return f"the mail MAY BE OUT: the last the server said was {said[-1]!r}"


def _success(receipt: Receipt, code: ExitCode, transcript: Transcript) -> Json:
    return {
        "exit_code": code.value,
        "outcome": str(Outcome.ACCEPTED),
        "accepted": [str(address) for address in receipt.accepted],
        "refused": of_refused(receipt.refused),
        "reply": of_reply(receipt.reply),
        "queue_id": receipt.queue_id,
        "message_id": receipt.message_id,
        "error": None,
        "transcript": of_transcript(transcript),
    }


def _failure(error: SMTPError, transcript: Transcript) -> Json:
    return {
        "exit_code": exit_code(error).value,
        "outcome": str(error.outcome),
        "accepted": [],
        "refused": {},
        "reply": of_reply(error.reply),
        "queue_id": None,
        "message_id": error.message_id,
        "error": of_error(error),
        "transcript": of_transcript(transcript),
    }
