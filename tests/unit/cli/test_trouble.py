import io

import pytest

from ehlo import errors
from ehlo.address import Address
from ehlo.cli._console import Console
from ehlo.cli._trouble import ADVICE, TLS_ADVICE, report
from ehlo.errors import SMTPError
from ehlo.phase import Phase
from ehlo.reply import Reply
from ehlo.tls import TlsTrouble


def reported(error: SMTPError) -> list[str]:
    stream = io.StringIO()
    report(Console(stream), error)
    return stream.getvalue().splitlines()


def test_recipients_are_told_one_by_one() -> None:
    error = errors.RecipientsRefused(
        "the server refused two",
        refused={
            Address("a@example.com"): Reply.of(550, "5.1.1 Who?"),
            Address("b@example.com"): Reply.of(452, "4.2.2 Full\x07"),
        },
        accepted=(Address("c@example.com"),),
        phase=Phase.RCPT,
    )
    error.message_id = "<1@example.org>"
    assert reported(error)[:8] == [
        "ehlo: the server refused two",
        "  refused    a@example.com: 550 5.1.1 Who?",
        "  refused    b@example.com: 452 4.2.2 Full\\x07",
        "  would take c@example.com",
        "  while      sending RCPT TO",
        "  failure    permanent: the same attempt would fail again",
        "  mail       was refused; nobody got it",
        "  Message-ID <1@example.org>",
    ]


def test_a_temporary_failure_says_so() -> None:
    lines = reported(errors.Timeout("no answer", phase=Phase.GREETING))
    assert "  failure    temporary: the same attempt may succeed later" in lines
    assert "  mail       none was sent" in lines


def test_an_unknown_outcome_is_neither_temporary_nor_permanent() -> None:
    lines = reported(errors.DeliveryUnknown("no reply", phase=Phase.END_OF_CONTENT))
    assert not [line for line in lines if "failure" in line]
    assert [line for line in lines if line.startswith("  mail       MAY BE OUT: ")]


def test_input_has_no_phase() -> None:
    assert reported(errors.InvalidInput("a port is a number")) == [
        "ehlo: a port is a number",
        "  mail       none was sent",
        "  try        `ehlo send --help` and `ehlo probe --help` show what goes where.",
    ]


def test_advice_is_wrapped() -> None:
    _, _, _, _, first, *rest = reported(errors.InvalidInput("no", phase=Phase.AUTH))
    assert first.startswith("  try        Encrypt the")
    assert rest
    assert all(line.startswith(" " * 13) for line in rest)
    assert all(len(line) <= 96 for line in (first, *rest))


@pytest.mark.parametrize(("command", "hint"), [("BDAT", True), (".", False), (None, False)])
def test_a_refused_chunk_is_told_how_to_avoid_it(command: str | None, hint: bool) -> None:
    refusal = Reply.of(554, "5.5.0 No")
    error = errors.ContentRefused("no", reply=refusal, phase=Phase.END_OF_CONTENT, command=command)
    told = " ".join(line.strip() for line in reported(error))
    assert told.endswith("--without CHUNKING sends the mail by DATA.") is hint


@pytest.mark.parametrize("reason", TlsTrouble)
def test_there_is_advice_for_every_reason_why_there_is_no_tls(reason: TlsTrouble) -> None:
    told = " ".join(map(str.strip, reported(errors.TlsFailed("no", reason=reason))))
    assert told.endswith(TLS_ADVICE[reason])


GENERAL = {"SMTPError", "Refused"}


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - GENERAL))
def test_every_error_has_advice_of_its_own(name: str) -> None:
    class_ = getattr(errors, name)
    [last] = reported(class_("what happened"))[-1:]
    fallback = ADVICE[SMTPError, None]
    assert fallback not in last


@pytest.mark.parametrize(("class_", "phase"), [key for key in ADVICE if key[1] is not None])
def test_advice_for_a_phase_goes_before_advice_for_any(
    class_: type[SMTPError], phase: Phase
) -> None:
    told = " ".join(line.strip() for line in reported(class_("x", phase=phase)))
    assert told.endswith(ADVICE[class_, phase])
