"""What real servers do that no RFC has them do, each under a name."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

__all__ = ["Quirk"]


class Quirk(StrEnum):
    """Something that a server was seen to do, for `ServerOptions.quirks`.

    Quirks can be combined. Where two of them speak about the same command, the first that is
    given has its way, and what the `answers` of the options say comes before all of them.

    "The same read" is one call of `ServerConnection.receive_data`; a running `Server` makes one
    of whatever the system gives it at once.

    Attributes:
        topics: What it is about, by the numbers of the sections of the reference.
        servers: Where it was seen.
        what: What it does.
    """

    topics: tuple[int, ...]
    servers: str
    what: str

    def __new__(cls, value: str, topics: tuple[int, ...], servers: str, what: str) -> Self:
        """Make a member of a row of the table."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.topics = topics
        member.servers = servers
        member.what = what
        return member

    # --- 1, 2: behind the end of the content

    DROPS_BEHIND_DOT = (
        "drops-behind-dot",
        (1,),
        "Courier 2.0.6",
        "What came in the same read behind the end of the content is thrown away.",
    )
    REFUSES_BEHIND_DOT = (
        "refuses-behind-dot",
        (1,),
        "Haraka 3.3.4",
        "503 to each command in the same read behind the end of the content, QUIT included.",
    )
    DIES_BEHIND_DOT = (
        "dies-behind-dot",
        (1, 2),
        "Dovecot submission 2.3",
        "Something in the same read behind the end of the content: delivered, no reply, closed.",
    )

    # --- 3: RSET

    DIES_ON_RSET_IN_GROUP = (
        "dies-on-rset-in-group",
        (3,),
        "Dovecot submission 2.3, 2.4",
        "RSET while replies are due, that is behind other commands in the same read, closes.",
    )

    # --- 4: pipelining where it is not offered, or not yet

    REFUSES_UNOFFERED_PIPELINING = (
        "refuses-unoffered-pipelining",
        (4,),
        "OpenSMTPD",
        "Without PIPELINING: 500 to a command with something behind it in the same read, closed.",
    )
    CLOSES_ON_UNOFFERED_PIPELINING = (
        "closes-on-unoffered-pipelining",
        (4,),
        "msmtpd",
        "Without PIPELINING: closed at a command with something behind it in the same read.",
    )
    REFUSES_BEHIND_EHLO = (
        "refuses-behind-ehlo",
        (4,),
        "Postfix 3.11, Sendmail",
        "554 to an EHLO with something behind it in the same read.",
    )

    # --- 5: a group whose recipients are all refused (503 without any of these)

    NO_RECIPIENTS_554 = (
        "no-recipients-554",
        (5,),
        "Postfix, Dovecot submission",
        "554 to DATA and BDAT without an accepted recipient.",
    )
    NO_RECIPIENTS_503_WITH_REASON = (
        "no-recipients-503-with-reason",
        (5,),
        "Exim",
        "503 to DATA and BDAT without an accepted recipient, with the last refusal's text in it.",
    )
    NO_RECIPIENTS_502 = (
        "no-recipients-502",
        (5,),
        "go-smtp, Courier",
        "502 to DATA and BDAT without an accepted recipient.",
    )
    NO_RECIPIENTS_421 = (
        "no-recipients-421",
        (5,),
        "chasquid",
        "421 to DATA and BDAT behind two refused recipients or more (the third error), and closed.",
    )
    NO_RECIPIENTS_354 = (
        "no-recipients-354",
        (5,),
        "RFC 2920 section 3.1",
        "354 to DATA without an accepted recipient, and 554 to the end of the content.",
    )
    READS_REFUSED_CHUNKS = (
        "reads-refused-chunks",
        (5,),
        "go-smtp 0.24",
        "502 to a BDAT without an accepted recipient, whose octets are then read as commands.",
    )

    # --- 6: line ends

    BARE_LINE_END_421 = (
        "bare-line-end-421",
        (6,),
        "Sendmail",
        "421 to content with a bare LF or CR, and closed.",
    )
    BARE_LINE_END_521 = (
        "bare-line-end-521",
        (6,),
        "chasquid",
        "521 to content with a bare LF or CR, and closed.",
    )
    BARE_LF_451 = ("bare-lf-451", (6,), "Haraka", "451 to content with a bare LF.")
    BARE_LF_550 = ("bare-lf-550", (6,), "Postfix, if strict", "550 to content with a bare LF.")
    BARE_LF_TO_CRLF = (
        "bare-lf-to-crlf",
        (6,),
        "Postfix, Dovecot, OpenSMTPD, Cyrus and others",
        "A bare LF in the content becomes CRLF.",
    )
    BARE_LF_TO_SPACE = (
        "bare-lf-to-space",
        (6,),
        "Exim",
        "A bare LF in the content becomes a space, and a bare CR a line end.",
    )
    BARE_CR_TO_SPACE = (
        "bare-cr-to-space",
        (6,),
        "Postfix",
        "A bare CR in the content becomes a space.",
    )
    BARE_CR_VANISHES = (
        "bare-cr-vanishes",
        (6,),
        "Cyrus, smtp-sink",
        "A bare CR in the content is dropped.",
    )
    LOOSE_END_MARKS = (
        "loose-end-marks",
        (6,),
        "Postfix 3.7, Dovecot 2.3, OpenSMTPD up to 7.9, Cyrus, msmtpd, MailCatcher",
        "LF.LF, LF.CRLF and CRLF.LF end the content, too, and a dot behind a bare LF is unstuffed.",
    )
    LF_DOT_CRLF_ENDS = (
        "lf-dot-crlf-ends",
        (6,),
        "qpsmtpd",
        "LF.CRLF ends the content, too, and a dot behind a bare LF is unstuffed.",
    )

    # --- 7: long lines

    LINES_UNDER_1000 = (
        "lines-under-1000",
        (7,),
        "aiosmtpd",
        "500 to content with a line of 1000 octets or more.",
    )
    LINES_UNDER_2000 = (
        "lines-under-2000",
        (7,),
        "go-smtp",
        "554 to content with a line of 2000 octets or more.",
    )
    LINES_UNDER_10000 = (
        "lines-under-10000",
        (7,),
        "Courier",
        "534 to content with a line of 10,000 octets or more.",
    )
    LINES_UNDER_100000 = (
        "lines-under-100000",
        (7,),
        "OpenSMTPD",
        "500 to content with a line of 100,000 octets or more.",
    )
    LINES_CUT_AT_990 = (
        "lines-cut-at-990",
        (7,),
        "Haraka",
        "A longer line of the content is broken behind 990 octets, without a word.",
    )
    COMMANDS_UNDER_1000 = (
        "commands-under-1000",
        (7,),
        "aiosmtpd, Haraka",
        "500 to a command line of 1000 octets or more.",
    )
    COMMANDS_UNDER_2048 = (
        "commands-under-2048",
        (7,),
        "chasquid, go-smtp",
        "500 to a command line of 2048 octets or more.",
    )
    COMMANDS_UNDER_5000 = (
        "commands-under-5000",
        (7,),
        "OpenSMTPD, Sendmail, Dovecot, smtp-sink",
        "500 to a command line of 5000 octets or more.",
    )
    COMMANDS_UNDER_5000_554 = (
        "commands-under-5000-554",
        (7,),
        "Postfix 3.11 in clear text",
        "554 to a command line of 5000 octets or more: its rest is taken for pipelining.",
    )
    COMMANDS_UNDER_100000 = (
        "commands-under-100000",
        (7,),
        "Exim, smtp-server",
        "500 to a command line of 100,000 octets or more.",
    )
    NOOP_WITHOUT_ARGUMENT = (
        "noop-without-argument",
        (7,),
        "Cyrus, msmtpd, OpenSMTPD 6.8",
        "501 to NOOP with an argument.",
    )

    # --- 8: NUL

    NUL_554 = ("nul-554", (8,), "Cyrus", "554 to content with NUL in it.")
    NUL_CUTS_LINE = (
        "nul-cuts-line",
        (8,),
        "OpenSMTPD, Courier",
        "A NUL and the rest of its line are dropped from the content, without a word.",
    )

    # --- 9: early talkers; each of these holds the greeting until "greeting" is released or
    # the client speaks

    EARLY_TALKER_421 = (
        "early-talker-421",
        (9,),
        "smtp-server",
        "Who speaks before the greeting gets 421, and closed.",
    )
    EARLY_TALKER_550 = (
        "early-talker-550",
        (9,),
        "qpsmtpd",
        "Who speaks before the greeting is greeted with 550.",
    )
    EARLY_TALKER_554 = (
        "early-talker-554",
        (9,),
        "Exim, Postfix 3.11",
        "Who speaks before the greeting gets 554, and closed.",
    )
    EARLY_TALKER_REFUSED_LATER = (
        "early-talker-refused-later",
        (9,),
        "Sendmail with a greet pause",
        "Who speaks before the greeting is greeted with 554, and gets 550 to MAIL and RCPT.",
    )
    EARLY_TALKER_MIXED_CODES = (
        "early-talker-mixed-codes",
        (9,),
        "postscreen",
        "A 220- line, which runs on into the 250- of EHLO for who speaks now; 550 to each RCPT.",
    )
    GREETS_LATE = (
        "greets-late",
        (9,),
        "MailCatcher",
        "Who speaks before the greeting is answered first, and greeted then.",
    )

    # --- 10: STARTTLS with something behind it in clear (dropped without any of these)

    STARTTLS_GROUP_500 = (
        "starttls-group-500",
        (10,),
        "OpenSMTPD",
        "500 to STARTTLS with something behind it in the same read, and closed.",
    )
    STARTTLS_GROUP_554 = (
        "starttls-group-554",
        (10,),
        "Exim",
        "554 to STARTTLS with something behind it in the same read, and closed.",
    )
    STARTTLS_GROUP_BREAKS = (
        "starttls-group-breaks",
        (10,),
        "Dovecot",
        "220 to STARTTLS with something behind it in the same read, and no handshake.",
    )

    # --- 11: replies to EHLO

    EHLO_ENDS_EMPTY = (
        "ehlo-ends-empty",
        (11,),
        "smtp-sink",
        "The last line of the EHLO reply has no text.",
    )
    EHLO_ENDS_WITH_SESSIONID = (
        "ehlo-ends-with-sessionid",
        (11,),
        "Cyrus",
        "The last line of the EHLO reply is no keyword: `Ok SESSIONID=<...>`.",
    )
    EHLO_KEYWORDS_WITH_VALUES = (
        "ehlo-keywords-with-values",
        (11,),
        "Courier",
        "EHLO announces `XVERP=Courier` and `XSECURITY=NONE,STARTTLS`.",
    )
    EHLO_SAYS_HELLO = (
        "ehlo-says-hello",
        (11,),
        "go-smtp",
        "The EHLO reply begins with `Hello` and the client's name.",
    )
    EHLO_SAYS_OK = (
        "ehlo-says-ok",
        (11,),
        "MailCatcher",
        "The EHLO reply begins with `Ok EventMachine SMTP Server`.",
    )
    EHLO_SAYS_DESTINY = (
        "ehlo-says-destiny",
        (11,),
        "chasquid",
        "The EHLO reply begins with the server's name and `- Your hour of destiny has come.`",
    )
    EHLO_IS_ONE_LINE = ("ehlo-is-one-line", (11,), "msmtpd", "EHLO announces nothing.")
    SIZE_WITHOUT_NUMBER = (
        "size-without-number",
        (11,),
        "Dovecot, Courier",
        "`SIZE` is announced without its number; the limit holds.",
    )
    OFFERS_MORE_AFTER_AUTH = (
        "offers-more-after-auth",
        (11,),
        "Dovecot submission",
        "EHLO behind AUTH announces DSN, SMTPUTF8 and a SIZE as well, and AUTH without mechanisms.",
    )
    NO_EHLO_AFTER_AUTH = ("no-ehlo-after-auth", (11,), "msmtpd", "500 to EHLO behind AUTH.")

    # --- 12: parameters

    PARAMETERS_WITH_RCPT_ONLY = (
        "parameters-with-rcpt-only",
        (12,),
        "go-smtp",
        "BY and MT-PRIORITY, where announced, get 500 with MAIL, and are taken with RCPT.",
    )
    AUTH_PARAMETER_555 = ("auth-parameter-555", (12,), "aiosmtpd", "555 to MAIL with AUTH=.")
    AUTH_PARAMETER_501 = ("auth-parameter-501", (12,), "msmtpd", "501 to MAIL with AUTH=.")

    # --- 13: OAuth tokens

    REFUSED_TOKEN_454 = (
        "refused-token-454",
        (13,),
        "go-smtp",
        "454 in the place of 535 behind the error that tells of a refused token.",
    )

    # --- 14: limits

    HIDES_LIMITS = (
        "hides-limits",
        (14,),
        "Postfix, go-smtp",
        "The LIMITS among the capabilities hold, and are not announced.",
    )
    MAILMAX_421 = (
        "mailmax-421",
        (14,),
        "Exim",
        "421 to a MAIL beyond MAILMAX, and the connection stays open.",
    )
    SENDER_REFUSED_AT_RCPT = (
        "sender-refused-at-rcpt",
        (14,),
        "Postfix",
        "A reply of the `answers` that refuses MAIL is kept for each RCPT; MAIL gets 250.",
    )

    # --- 15: AUTH

    WRONG_PASSWORD_501 = ("wrong-password-501", (15,), "Cyrus", "501 to wrong credentials.")
    WRONG_PASSWORD_CLOSES = (
        "wrong-password-closes",
        (15,),
        "msmtpd",
        "535 to wrong credentials, and closed.",
    )
    SECOND_AUTH_502 = ("second-auth-502", (15,), "Courier", "502 to AUTH behind a successful one.")
    SECOND_AUTH_235 = ("second-auth-235", (15,), "Haraka", "235 to AUTH behind a successful one.")

    # --- 16: order

    RCPT_ANSWERED_LATE = (
        "rcpt-answered-late",
        (16,),
        "smtp-sink with slow RCPT",
        "A RCPT with something behind it in the same read is dealt with after the next command.",
    )
