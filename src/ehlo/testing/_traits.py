"""Each quirk, as the conduct that it is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ehlo.commands import Verb
from ehlo.reply import Reply
from ehlo.testing._actions import Close, Discard, TakeEffect, Usual
from ehlo.testing._conduct import Conduct, Edit, Habit, Offers, Rule
from ehlo.testing._content import EndMarks
from ehlo.testing._quirks import Quirk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ehlo.testing._actions import OneAnswer
    from ehlo.testing._conduct import Condition
    from ehlo.testing._received import ReceivedCommand, Situation

__all__ = ["conduct_of"]

_ALL: Final[frozenset[Verb]] = frozenset()
_CONTENT: Final = frozenset({Verb.DATA, Verb.BDAT, Verb.BDAT_LAST})
_CHUNK: Final = frozenset({Verb.BDAT, Verb.BDAT_LAST})
_END: Final = frozenset({Verb.END_OF_CONTENT, Verb.BDAT_LAST})
_HELLO: Final = frozenset({Verb.EHLO, Verb.HELO, Verb.LHLO})
_LOGIN: Final = frozenset({Verb.AUTH, Verb.AUTH_RESPONSE})

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_BARE_CR: Final = re.compile(rb"\r(?!\n)")
_BARE: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_NUL: Final = re.compile(rb"\0")
_ERRORS_MAX: Final = 2
"""How many errors chasquid stands."""


# --- conditions


def _goes_on(_command: ReceivedCommand, situation: Situation) -> bool:
    """Something came behind it in the same read."""
    return not situation.last_in_read


def _goes_on_unasked(_command: ReceivedCommand, situation: Situation) -> bool:
    return not situation.last_in_read and not situation.announced.pipelining


def _in_group(_command: ReceivedCommand, situation: Situation) -> bool:
    """Something came before it in the same read."""
    return not situation.first_in_read


def _behind_content(_command: ReceivedCommand, situation: Situation) -> bool:
    return situation.behind_content


def _nobody(_command: ReceivedCommand, situation: Situation) -> bool:
    """MAIL was accepted, and no recipient was."""
    return situation.sender is not None and not situation.recipients


def _nobody_again(command: ReceivedCommand, situation: Situation) -> bool:
    return _nobody(command, situation) and len(situation.refused) >= _ERRORS_MAX


def _early(_command: ReceivedCommand, situation: Situation) -> bool:
    return situation.early_talker


def _authenticated(_command: ReceivedCommand, situation: Situation) -> bool:
    return situation.user is not None


def _with_argument(command: ReceivedCommand, _situation: Situation) -> bool:
    return " " in command.line.strip()


def _usually(code: int) -> Condition:
    return lambda _command, situation: situation.usual.code == code


def _too_long(_command: ReceivedCommand, situation: Situation) -> bool:
    return "Line too long" in situation.usual.text


def _holding(pattern: re.Pattern[bytes]) -> Condition:
    return lambda _command, situation: pattern.search(situation.content) is not None


def _line_from(octets: int) -> Condition:
    return _holding(re.compile(rb"[^\r\n]{%d}" % octets))


def _naming(keywords: str) -> Condition:
    """Return the condition that a command has one of these parameters."""
    pattern = re.compile(rf" (?:{keywords})=", re.IGNORECASE)
    return lambda command, _situation: pattern.search(command.line) is not None


# --- answers


def _with_reason(situation: Situation) -> OneAnswer:
    """Return Exim's reply to DATA where all recipients were refused."""
    lines = ["Valid RCPT command must precede DATA"]
    if situation.refused:
        reason = situation.refused[-1].lines
        lines = ["All RCPT commands were rejected with this error:", *reason, *lines]
    return Reply.of(503, *lines)


# --- replies to EHLO


def _adding(*lines: str) -> Offers:
    return lambda offers, _authenticated: (*offers, *lines)


def _nothing(_offers: tuple[str, ...], _authenticated: bool) -> tuple[str, ...]:  # noqa: FBT001
    return ()


def _sizeless(offers: tuple[str, ...], _authenticated: bool) -> tuple[str, ...]:  # noqa: FBT001
    return tuple("SIZE" if line.upper().startswith("SIZE ") else line for line in offers)


def _limitless(offers: tuple[str, ...], _authenticated: bool) -> tuple[str, ...]:  # noqa: FBT001
    return tuple(line for line in offers if not line.upper().startswith("LIMITS "))


def _more(offers: tuple[str, ...], authenticated: bool) -> tuple[str, ...]:  # noqa: FBT001
    if not authenticated:
        return offers
    kept = (line for line in offers if line.split(" ")[0].upper() not in {"SIZE", "AUTH"})
    more = ("DSN", "SMTPUTF8", "SIZE 41943040", "AUTH")
    return tuple(dict.fromkeys((*kept, *more)))


# --- the table


def _answering(
    verbs: Iterable[Verb], when: Condition, answer: OneAnswer | Callable[[Situation], OneAnswer]
) -> Conduct:
    return Conduct(rules=(Rule(frozenset(verbs), when, answer),))


def _refusing_lines(octets: int, code: int) -> Conduct:
    return _answering(_END, _line_from(octets), Reply.of(code, "5.6.0 Line too long"))


def _early_talker(answer: OneAnswer, later: Iterable[Verb] = (), *habits: Habit) -> Conduct:
    rules = (
        Rule(frozenset({Verb.GREETING}), _early, answer),
        *(Rule(frozenset({verb}), _early, Reply.of(550, "5.5.1 Protocol error")) for verb in later),
    )
    return Conduct(rules=rules, habits=frozenset({Habit.HOLDS_GREETING, *habits}))


_OUT_OF_STEP: Final = Reply.of(554, "5.5.0 Error: SMTP protocol synchronization")

_TRAITS: Final[Mapping[Quirk, Conduct]] = {
    Quirk.DROPS_BEHIND_DOT: _answering({Verb.END_OF_CONTENT}, _goes_on, (Usual(), Discard())),
    Quirk.REFUSES_BEHIND_DOT: _answering(
        _ALL, _behind_content, Reply.of(503, "5.5.1 Pipelined after end of DATA")
    ),
    Quirk.DIES_BEHIND_DOT: _answering(_END, _goes_on, (TakeEffect(), Close())),
    Quirk.DIES_ON_RSET_IN_GROUP: _answering({Verb.RSET}, _in_group, Close()),
    Quirk.REFUSES_UNOFFERED_PIPELINING: _answering(
        _ALL, _goes_on_unasked, (Reply.of(500, "5.5.1 Pipelining not supported"), Close())
    ),
    Quirk.CLOSES_ON_UNOFFERED_PIPELINING: _answering(_ALL, _goes_on_unasked, Close()),
    Quirk.REFUSES_BEHIND_EHLO: _answering(_HELLO, _goes_on, _OUT_OF_STEP),
    Quirk.NO_RECIPIENTS_554: _answering(
        _CONTENT, _nobody, Reply.of(554, "5.5.1 Error: no valid recipients")
    ),
    Quirk.NO_RECIPIENTS_503_WITH_REASON: _answering(_CONTENT, _nobody, _with_reason),
    Quirk.NO_RECIPIENTS_502: _answering(
        _CONTENT, _nobody, Reply.of(502, "5.5.1 Missing RCPT TO command")
    ),
    Quirk.NO_RECIPIENTS_421: _answering(
        _CONTENT, _nobody_again, (Reply.of(421, "4.5.0 Too many errors, bye"), Close())
    ),
    Quirk.NO_RECIPIENTS_354: Conduct(habits=frozenset({Habit.TAKES_CONTENT_FOR_NOBODY})),
    Quirk.READS_REFUSED_CHUNKS: Conduct(
        rules=(Rule(_CHUNK, _usually(503), Reply.of(502, "5.5.1 Missing RCPT TO command")),),
        habits=frozenset({Habit.READS_REFUSED_CHUNKS}),
    ),
    Quirk.BARE_LINE_END_421: _answering(
        _END, _holding(_BARE), (Reply.of(421, "4.5.0 Bare line end"), Close())
    ),
    Quirk.BARE_LINE_END_521: _answering(
        _END, _holding(_BARE), (Reply.of(521, "5.5.2 Bare line end"), Close())
    ),
    Quirk.BARE_LF_451: _answering(_END, _holding(_BARE_LF), Reply.of(451, "4.5.2 Bare LF")),
    Quirk.BARE_LF_550: _answering(_END, _holding(_BARE_LF), Reply.of(550, "5.5.2 Bare LF")),
    Quirk.BARE_LF_TO_CRLF: Conduct(edits=(Edit(_BARE_LF, rb"\r\n"),)),
    Quirk.BARE_LF_TO_SPACE: Conduct(edits=(Edit(_BARE_LF, b" "), Edit(_BARE_CR, rb"\r\n"))),
    Quirk.BARE_CR_TO_SPACE: Conduct(edits=(Edit(_BARE_CR, b" "),)),
    Quirk.BARE_CR_VANISHES: Conduct(edits=(Edit(_BARE_CR, b""),)),
    Quirk.LOOSE_END_MARKS: Conduct(end_marks=EndMarks.LOOSE),
    Quirk.LF_DOT_CRLF_ENDS: Conduct(end_marks=EndMarks.LF_DOT_CRLF),
    Quirk.LINES_UNDER_1000: _refusing_lines(1000, 500),
    Quirk.LINES_UNDER_2000: _refusing_lines(2000, 554),
    Quirk.LINES_UNDER_10000: _refusing_lines(10_000, 534),
    Quirk.LINES_UNDER_100000: _refusing_lines(100_000, 500),
    Quirk.LINES_CUT_AT_990: Conduct(
        edits=(Edit(re.compile(rb"([^\r\n]{990})(?=[^\r\n])"), rb"\1\r\n"),)
    ),
    Quirk.COMMANDS_UNDER_1000: Conduct(command_line_max=999),
    Quirk.COMMANDS_UNDER_2048: Conduct(command_line_max=2047),
    Quirk.COMMANDS_UNDER_5000: Conduct(command_line_max=4999),
    Quirk.COMMANDS_UNDER_5000_554: Conduct(
        rules=(Rule(_ALL, _too_long, _OUT_OF_STEP),), command_line_max=4999
    ),
    Quirk.COMMANDS_UNDER_100000: Conduct(command_line_max=99_999),
    Quirk.NOOP_WITHOUT_ARGUMENT: _answering(
        {Verb.NOOP}, _with_argument, Reply.of(501, "5.5.4 NOOP takes no argument")
    ),
    Quirk.NUL_554: _answering(_END, _holding(_NUL), Reply.of(554, "5.6.0 Message contains NUL")),
    Quirk.NUL_CUTS_LINE: Conduct(edits=(Edit(re.compile(rb"\0[^\r\n]*"), b""),)),
    Quirk.EARLY_TALKER_421: _early_talker((Reply.of(421, "You talk too soon"), Close())),
    Quirk.EARLY_TALKER_550: _early_talker(
        Reply.of(550, "Connecting host started transmitting before SMTP greeting")
    ),
    Quirk.EARLY_TALKER_554: _early_talker((Reply.of(554, "SMTP synchronization error"), Close())),
    Quirk.EARLY_TALKER_REFUSED_LATER: _early_talker(
        (TakeEffect(), Reply.of(554, "mail.example.org ESMTP not accepting messages")),
        (Verb.MAIL, Verb.RCPT),
    ),
    Quirk.EARLY_TALKER_MIXED_CODES: _early_talker(
        TakeEffect(), (Verb.RCPT,), Habit.BEGINS_GREETING
    ),
    Quirk.GREETS_LATE: Conduct(habits=frozenset({Habit.HOLDS_GREETING, Habit.GREETS_LATE})),
    Quirk.STARTTLS_GROUP_500: _answering(
        {Verb.STARTTLS}, _goes_on, (Reply.of(500, "5.5.1 Pipelining not supported"), Close())
    ),
    Quirk.STARTTLS_GROUP_554: _answering(
        {Verb.STARTTLS}, _goes_on, (Reply.of(554, "SMTP synchronization error"), Close())
    ),
    Quirk.STARTTLS_GROUP_BREAKS: _answering({Verb.STARTTLS}, _goes_on, (Usual(), Close())),
    Quirk.EHLO_ENDS_EMPTY: Conduct(offers=(_adding(""),)),
    Quirk.EHLO_ENDS_WITH_SESSIONID: Conduct(offers=(_adding("Ok SESSIONID=<cyrus-1-1-1>"),)),
    Quirk.EHLO_KEYWORDS_WITH_VALUES: Conduct(
        offers=(_adding("XVERP=Courier", "XSECURITY=NONE,STARTTLS"),)
    ),
    Quirk.EHLO_SAYS_HELLO: Conduct(hello="Hello {hello}"),
    Quirk.EHLO_SAYS_OK: Conduct(hello="Ok EventMachine SMTP Server"),
    Quirk.EHLO_SAYS_DESTINY: Conduct(hello="{hostname} - Your hour of destiny has come."),
    Quirk.EHLO_IS_ONE_LINE: Conduct(offers=(_nothing,)),
    Quirk.SIZE_WITHOUT_NUMBER: Conduct(offers=(_sizeless,)),
    Quirk.OFFERS_MORE_AFTER_AUTH: Conduct(offers=(_more,)),
    Quirk.NO_EHLO_AFTER_AUTH: _answering(
        _HELLO, _authenticated, Reply.of(500, "5.5.1 Command not recognized")
    ),
    Quirk.PARAMETERS_WITH_RCPT_ONLY: Conduct(
        rules=(
            Rule(
                frozenset({Verb.MAIL}),
                _naming("BY|MT-PRIORITY"),
                Reply.of(500, "5.5.4 Unknown MAIL FROM argument"),
            ),
        ),
        moved=frozenset({"BY", "MT-PRIORITY"}),
    ),
    Quirk.AUTH_PARAMETER_555: _answering(
        {Verb.MAIL}, _naming("AUTH"), Reply.of(555, "5.5.4 MAIL FROM parameters not recognized")
    ),
    Quirk.AUTH_PARAMETER_501: _answering(
        {Verb.MAIL}, _naming("AUTH"), Reply.of(501, "5.5.4 Syntax error in parameters")
    ),
    Quirk.HIDES_LIMITS: Conduct(offers=(_limitless,)),
    Quirk.MAILMAX_421: _answering(
        {Verb.MAIL}, _usually(452), Reply.of(421, "4.5.3 Too many messages on this connection")
    ),
    Quirk.SENDER_REFUSED_AT_RCPT: Conduct(habits=frozenset({Habit.KEEPS_SENDER_REFUSAL})),
    Quirk.REFUSED_TOKEN_454: _answering(
        {Verb.AUTH_RESPONSE},
        _usually(535),
        Reply.of(454, "4.7.0 Temporary authentication failure"),
    ),
    Quirk.WRONG_PASSWORD_501: _answering(
        _LOGIN, _usually(535), Reply.of(501, "5.5.4 Authentication failed")
    ),
    Quirk.WRONG_PASSWORD_CLOSES: _answering(_LOGIN, _usually(535), (Usual(), Close())),
    Quirk.SECOND_AUTH_502: _answering(
        {Verb.AUTH}, _authenticated, Reply.of(502, "5.5.1 Already authenticated")
    ),
    Quirk.SECOND_AUTH_235: _answering(
        {Verb.AUTH}, _authenticated, Reply.of(235, "2.7.0 Authentication successful")
    ),
    Quirk.RCPT_ANSWERED_LATE: Conduct(habits=frozenset({Habit.ANSWERS_RCPT_LATE})),
}


def conduct_of(quirks: Iterable[Quirk]) -> Conduct:
    """Return what quirks come to.

    Args:
        quirks: The quirks; of two that speak about the same, the first counts.

    Returns:
        The conduct.
    """
    return Conduct.merged(_TRAITS[quirk] for quirk in quirks)
