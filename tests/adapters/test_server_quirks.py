"""What real servers do, by the numbers of the reference: our client bears each of it."""

from __future__ import annotations

import base64
import re
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import ehlo
from ehlo import Outcome
from ehlo.commands import Verb
from ehlo.testing import (
    Answer,
    AnswersHook,
    Dialect,
    Offer,
    Quirk,
    ReceivedCommand,
    Send,
    Server,
    ServerOptions,
    Situation,
)
from support.colours import Colour
from support.tls import client_context, server_context

BASIC: Final = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000", "ENHANCEDSTATUSCODES")
CHUNKING: Final = (*BASIC, "CHUNKING")
FRAMINGS: Final = {"DATA": BASIC, "BDAT": CHUNKING}
TO_BOB: Final = ehlo.Envelope("ada@example.org", "bob@example.com")
LEVELS: Final = ("none", "transaction", "continuous")
PLAIN: Final = b"Subject: Notes\r\n\r\nPlain words.\r\n"
USERS: Final = {"ada": "tanstaaf"}


pytestmark = pytest.mark.usefixtures("nothing_is_left_behind")


def test_every_quirk_is_tested_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"Quirk\.([A-Z][A-Z0-9_]+)", text)) == set(Quirk.__members__)


def content(number: int) -> bytes:
    return f"Subject: {number}\r\n\r\n{number}\r\n.\r\n".encode()


def pairs(count: int) -> list[tuple[bytes, ehlo.Envelope]]:
    return [
        (content(number), ehlo.Envelope("ada@example.org", f"bob{number}@example.com"))
        for number in range(count)
    ]


def numbers(server: Server) -> list[int]:
    return [int(message.parse()["Subject"]) for message in server.messages]


def outcomes(results: list[ehlo.Result]) -> list[Outcome]:
    return [result.outcome for result in results]


def options(*quirks: Quirk, capabilities: tuple[str, ...] = BASIC, **more: Any) -> ServerOptions:
    return ServerOptions(capabilities=capabilities, quirks=quirks, **more)


# -- 1, 2: behind the end of the content ---------------------------------------------------------


BEHIND_DOT: Final = (
    Quirk.DROPS_BEHIND_DOT,
    Quirk.REFUSES_BEHIND_DOT,
    Quirk.DIES_BEHIND_DOT,
    Quirk.DIES_ON_RSET_IN_GROUP,
)


@pytest.mark.parametrize("level", ["none", "transaction"])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("quirk", BEHIND_DOT)
def test_1_the_default_level_is_safe_with_every_server(
    adapter: Colour, quirk: Quirk, framing: str, level: str
) -> None:
    with Server(options(quirk, capabilities=FRAMINGS[framing])) as server:
        results = list(adapter.send_many(pairs(4), server.url, pipelining=level))
    assert outcomes(results) == [Outcome.ACCEPTED] * 4
    assert numbers(server) == [0, 1, 2, 3]
    assert server.connections == 1


@pytest.mark.slow
def test_1_what_came_behind_the_dot_is_thrown_away(adapter: Colour) -> None:
    """Courier: the rest goes on at transaction level over a fresh connection."""
    timeouts = ehlo.Timeouts(mail=0.3, quit=0.3)
    with Server(options(Quirk.DROPS_BEHIND_DOT)) as server:
        results = list(
            adapter.send_many(
                pairs(5), server.url, pipelining="continuous", depth=3, timeouts=timeouts
            )
        )
    assert outcomes(results) == [Outcome.ACCEPTED] * 5
    assert numbers(server) == [0, 1, 2, 3, 4]
    assert server.connections == 2


@pytest.mark.slow
def test_1_a_session_tells_of_it(adapter: Colour) -> None:
    """There is no other connection for the rest: what is told is true, and nothing is retried."""
    timeouts = ehlo.Timeouts(mail=0.3, quit=0.3)
    told: list[ehlo.Result] = []

    def send(url: str) -> None:
        with adapter.connect(url, pipelining="continuous", timeouts=timeouts) as session:
            for result in session.send_many(pairs(5)):
                told.append(result)  # noqa: PERF402 - one by one

    with Server(options(Quirk.DROPS_BEHIND_DOT)) as server:
        with pytest.raises(ehlo.ConnectionLost):
            send(server.url)
    assert outcomes(told)[0] is Outcome.ACCEPTED
    assert set(outcomes(told)[1:]) == {Outcome.NOT_SENT}
    assert isinstance(told[1].error, ehlo.Timeout)
    assert numbers(server) == [0]


@pytest.mark.parametrize("over_a_session", [False, True])
def test_1_what_came_behind_the_dot_is_refused(adapter: Colour, over_a_session: bool) -> None:
    """Haraka: the rest goes on at transaction level over the same connection."""
    with Server(options(Quirk.REFUSES_BEHIND_DOT)) as server:
        if over_a_session:
            with adapter.connect(server.url, pipelining="continuous") as session:
                results = list(session.send_many(pairs(5)))
                assert session.is_idle
        else:
            results = list(adapter.send_many(pairs(5), server.url, pipelining="continuous"))
    assert outcomes(results) == [Outcome.ACCEPTED] * 5
    assert numbers(server) == [0, 1, 2, 3, 4]
    assert server.connections == 1


def test_1_a_server_that_dies_of_what_came_behind_the_dot(adapter: Colour) -> None:
    """Dovecot submission 2.3 delivers the first, and dies before its reply."""
    with Server(options(Quirk.DIES_BEHIND_DOT)) as server:
        results = list(adapter.send_many(pairs(5), server.url, pipelining="continuous"))
    assert outcomes(results) == [Outcome.UNKNOWN, *[Outcome.ACCEPTED] * 4]
    assert numbers(server) == [0, 1, 2, 3, 4]
    assert server.connections == 2


def test_2_a_server_that_dies_of_a_stream_of_chunks(adapter: Colour) -> None:
    """The first of three was delivered, and the rest is lost: all three are in doubt."""
    with Server(options(Quirk.DIES_BEHIND_DOT, capabilities=CHUNKING)) as server:
        results = list(adapter.send_many(pairs(5), server.url, pipelining="continuous", depth=3))
    assert outcomes(results) == [*[Outcome.UNKNOWN] * 3, *[Outcome.ACCEPTED] * 2]
    assert numbers(server) == [0, 3, 4]


def test_2_streams_of_chunks_are_fine_with_most(adapter: Colour) -> None:
    with Server(options(capabilities=CHUNKING)) as server:
        results = list(adapter.send_many(pairs(20), server.url, pipelining="continuous"))
        assert server.flights == 3
    assert outcomes(results) == [Outcome.ACCEPTED] * 20
    assert numbers(server) == list(range(20))


# -- 3: RSET while replies are due ---------------------------------------------------------------


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("refused", ["MAIL", "RCPT", "DATA"])
def test_3_rset_waits_for_the_replies_of_a_failed_group(
    adapter: Colour, refused: str, framing: str
) -> None:
    command = {"MAIL": "MAIL", "DATA": "BDAT LAST" if framing == "BDAT" else "DATA"}
    answers = {command.get(refused, "RCPT TO:<bob1@example.com>"): ehlo.Reply.of(550, "5.7.1 No")}
    quirky = options(Quirk.DIES_ON_RSET_IN_GROUP, capabilities=FRAMINGS[framing], answers=answers)
    with Server(quirky) as server, adapter.connect(server.url) as session:
        results = list(session.send_many(pairs(3)))
        assert session.is_idle
        assert server.connections == 1
    good = [0, 2] if refused == "RCPT" else []
    assert numbers(server) == good
    assert [result.index for result in results if result.receipt] == good


# -- 4: pipelining where it is not offered -------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    "quirk", [Quirk.REFUSES_UNOFFERED_PIPELINING, Quirk.CLOSES_ON_UNOFFERED_PIPELINING]
)
@pytest.mark.parametrize("chunking", [(), ("CHUNKING",)], ids=["DATA", "BDAT"])
def test_4_nothing_is_pipelined_where_it_is_not_offered(
    adapter: Colour, quirk: Quirk, level: str, chunking: tuple[str, ...]
) -> None:
    quirky = options(quirk, capabilities=("8BITMIME", *chunking), users=USERS)
    large = PLAIN + b"and many more words\r\n" * 20_000
    messages: list[Any] = [*pairs(2), (iter([large[:200_000], large[200_000:]]), TO_BOB)]
    with Server(quirky) as server:
        url = server.url.replace("://", "://ada:tanstaaf@")
        results = list(adapter.send_many(messages, url, pipelining=level))
    assert outcomes(results) == [Outcome.ACCEPTED] * 3
    assert server.messages[2].content == large


def test_4_ehlo_is_answered_before_anything_follows(adapter: Colour) -> None:
    quirky = options(
        Quirk.REFUSES_BEHIND_EHLO, starttls=Offer.OFFERED, users=USERS, capabilities=BASIC
    )
    with Server(quirky, ssl_context=server_context()) as server:
        url = server.url.replace("://", "://ada:tanstaaf@")
        adapter.send(PLAIN, url, envelope=TO_BOB, ssl_context=client_context())
        assert server.messages[0].user == "ada"


# -- 5: groups whose recipients are all refused --------------------------------------------------


NOBODY: Final = (
    Quirk.NO_RECIPIENTS_554,
    Quirk.NO_RECIPIENTS_503_WITH_REASON,
    Quirk.NO_RECIPIENTS_502,
    Quirk.NO_RECIPIENTS_354,
    Quirk.NO_RECIPIENTS_421,
)
REFUSING: Final[dict[str, Answer]] = {
    "RCPT TO:<no1@example.com>": ehlo.Reply.of(550, "5.1.1 No such user"),
    "RCPT TO:<no2@example.com>": ehlo.Reply.of(550, "5.1.1 No such user"),
}
TO_NOBODY: Final = ehlo.Envelope("ada@example.org", ["no1@example.com", "no2@example.com"])
TO_NO_ONE: Final = ehlo.Envelope("ada@example.org", "no1@example.com")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("quirk", NOBODY)
def test_5_all_recipients_are_refused(
    adapter: Colour, quirk: Quirk, framing: str, level: str
) -> None:
    """With one recipient, or where it goes to whoever is taken, DATA was in the same group."""
    messages = [pairs(1)[0], (PLAIN, TO_NO_ONE), (PLAIN, TO_NOBODY), pairs(2)[1]]
    quirky = options(quirk, capabilities=FRAMINGS[framing], answers=REFUSING)
    with Server(quirky) as server:
        results = list(
            adapter.send_many(messages, server.url, pipelining=level, on_refusal="deliver")
        )
    assert outcomes(results) == [
        Outcome.ACCEPTED,
        Outcome.REFUSED,
        Outcome.REFUSED,
        Outcome.ACCEPTED,
    ]
    for number, envelope in ((1, TO_NO_ONE), (2, TO_NOBODY)):
        error = results[number].error
        assert isinstance(error, ehlo.RecipientsRefused)
        assert tuple(error.refused) == envelope.recipients
        assert {reply.code for reply in error.refused.values()} == {550}
    assert numbers(server) == [0, 1]


@pytest.mark.parametrize("level", ["none", "transaction"])
def test_5_content_cannot_become_commands(adapter: Colour, level: str) -> None:
    """go-smtp reads the octets of a chunk that it refused; so it must not get any."""
    smuggled = b"RSET\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<bob@example.com>\r\n"
    smuggled += b"BDAT 4 LAST\r\nevil\r\n"
    quirky = options(Quirk.READS_REFUSED_CHUNKS, capabilities=CHUNKING, answers=REFUSING)
    with Server(quirky) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(session.send_many([(smuggled, TO_NO_ONE), (smuggled, TO_NOBODY)]))
        assert outcomes(results) == [Outcome.REFUSED] * 2
        assert session.is_idle
    assert server.messages == ()
    assert Verb.BDAT_LAST not in {command.verb for command in server.commands}


# -- 6: line ends --------------------------------------------------------------------------------


LINE_ENDS: Final = (
    Quirk.BARE_LINE_END_421,
    Quirk.BARE_LINE_END_521,
    Quirk.BARE_LF_451,
    Quirk.BARE_LF_550,
    Quirk.BARE_LF_TO_CRLF,
    Quirk.BARE_LF_TO_SPACE,
    Quirk.BARE_CR_TO_SPACE,
    Quirk.BARE_CR_VANISHES,
    Quirk.LOOSE_END_MARKS,
    Quirk.LF_DOT_CRLF_ENDS,
)
SMUGGLING: Final = b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\nevil\r\n"


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("quirk", LINE_ENDS)
def test_6_line_ends_are_seen_to(adapter: Colour, quirk: Quirk, framing: str) -> None:
    """No bare CR or LF leaves the client, and no dot that could be taken for the end."""
    marks = (
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\r\n",
        b"\r\n.\r\n",
        b"\r.\n",
        b"\n.\r",
    )
    quirky = options(quirk, capabilities=FRAMINGS[framing])
    contents = [b"Subject: x\n\nfirst" + mark + SMUGGLING for mark in marks]
    sources: list[Any] = [
        *contents,
        *(iter([c[at : at + 1] for at in range(len(c))]) for c in contents),
    ]
    with Server(quirky) as server:
        results = list(adapter.send_many([(source, TO_BOB) for source in sources], server.url))
    assert outcomes(results) == [Outcome.ACCEPTED] * len(sources)
    kept = [message.content for message in server.messages]
    assert len(kept) == len(sources)
    assert set(kept) == {b"Subject: x\r\n\r\nfirst\r\n.\r\n" + SMUGGLING}
    assert all(message.sender == "ada@example.org" for message in server.messages)


# -- 7: long lines -------------------------------------------------------------------------------


LONG_LINES: Final = (
    Quirk.LINES_UNDER_1000,
    Quirk.LINES_UNDER_2000,
    Quirk.LINES_UNDER_10000,
    Quirk.LINES_UNDER_100000,
    Quirk.LINES_CUT_AT_990,
)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("quirk", LONG_LINES)
def test_7_a_message_of_our_making_has_no_long_line(
    adapter: Colour, quirk: Quirk, framing: str
) -> None:
    text = "x" * 998 + "\n" + "words " * 40_000 + "\nüber"
    message = ehlo.Message(
        from_="ada@example.org", to=["bob@example.com"], subject="word " * 300, text=text
    )
    with Server(options(quirk, capabilities=FRAMINGS[framing])) as server:
        assert adapter.send(message, server.url).accepted
        [received] = server.messages
    assert max(map(len, received.content.split(b"\r\n"))) <= 990
    assert received.parse().get_content().replace("\r\n", "\n").rstrip("\n") == text


@pytest.mark.parametrize("quirk", LONG_LINES)
def test_7_lines_that_no_rfc_allows_are_not_sent(adapter: Colour, quirk: Quirk) -> None:
    long = b"Subject: x\r\n\r\n" + b"x" * 999 + b"\r\n"
    with Server(options(quirk)) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.InvalidInput):
            session.send(long, envelope=TO_BOB)
        assert session.send(long[:-3] + b"\r\n", envelope=TO_BOB).accepted  # 998 octets


COMMAND_LINES: Final = (
    Quirk.COMMANDS_UNDER_1000,
    Quirk.COMMANDS_UNDER_2048,
    Quirk.COMMANDS_UNDER_5000,
    Quirk.COMMANDS_UNDER_5000_554,
    Quirk.COMMANDS_UNDER_100000,
    Quirk.NOOP_WITHOUT_ARGUMENT,
)


@pytest.mark.parametrize("quirk", COMMAND_LINES)
def test_7_command_lines_are_short(adapter: Colour, quirk: Quirk) -> None:
    """The longest paths that RFC 5321 section 4.5.3.1 allows, and NOOP with nothing behind it."""
    domain = ".".join(["d" * 60] * 3) + ".exam"
    longest = ehlo.Envelope(f"{'a' * 64}@{domain}", f"{'b' * 64}@{domain}")
    with Server(options(quirk)) as server, adapter.connect(server.url) as session:
        assert session.send(PLAIN, envelope=longest).accepted
        assert session.noop().is_positive
    assert server.messages[0].recipients == tuple(map(str, longest.recipients))


@pytest.mark.parametrize("quirk", COMMAND_LINES)
def test_7_a_long_command_line_that_is_refused(adapter: Colour, quirk: Quirk) -> None:
    with Server(options(quirk)) as server, adapter.connect(server.url) as session:
        reply = session.noop("x" * 1500)
        refusing = quirk in {Quirk.COMMANDS_UNDER_1000, Quirk.NOOP_WITHOUT_ARGUMENT}
        assert reply.is_permanent is refusing
        assert session.send(PLAIN, envelope=TO_BOB).accepted


# -- 8: NUL --------------------------------------------------------------------------------------


@pytest.mark.parametrize("quirk", [Quirk.NUL_554, Quirk.NUL_CUTS_LINE])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_8_nul_is_for_binary_content_alone(adapter: Colour, quirk: Quirk, framing: str) -> None:
    """Half of a message must not arrive as if it were all of it."""
    with_nul = b"Subject: x\r\n\r\nbefore\0behind\r\n"
    quirky = options(quirk, capabilities=FRAMINGS[framing])
    with Server(quirky) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.InvalidInput, match="NUL"):
            session.send(with_nul, envelope=TO_BOB)
        assert session.is_idle
    assert server.messages == ()


def test_8_nul_where_binary_content_is_offered(adapter: Colour) -> None:
    with_nul = b"Subject: x\n\nbefore\0behind\n"
    with Server(options(capabilities=(*CHUNKING, "BINARYMIME"))) as server:
        adapter.send(with_nul, server.url, envelope=TO_BOB)
        [message] = server.messages
    assert message.content == with_nul
    assert message.parameters["BODY"] == "BINARYMIME"


# -- 9: early talkers ----------------------------------------------------------------------------


EARLY: Final = (
    Quirk.EARLY_TALKER_421,
    Quirk.EARLY_TALKER_550,
    Quirk.EARLY_TALKER_554,
    Quirk.EARLY_TALKER_REFUSED_LATER,
    Quirk.EARLY_TALKER_MIXED_CODES,
    Quirk.GREETS_LATE,
)


@pytest.mark.parametrize("quirk", EARLY)
def test_9_the_greeting_is_waited_for(adapter: Colour, quirk: Quirk) -> None:
    """The server holds its greeting until we have connected; nothing is said before it came."""
    with Server(options(quirk)) as server:
        timer = threading.Timer(0.03, server.release, ["greeting"])
        timer.start()
        assert adapter.send(PLAIN, server.url, envelope=TO_BOB).accepted
        timer.join()
    assert [message.content for message in server.messages] == [PLAIN]


def test_9_a_greeting_with_mixed_codes(adapter: Colour) -> None:
    """What postscreen tells an early talker is no reply, and is not believed."""
    mixed = Send(b"220-mx.example.org ESMTP\r\n250-mx.example.org\r\n250 PIPELINING\r\n")
    with Server(options(answers={"(greeting)": mixed})) as server:
        with pytest.raises(ehlo.RemoteProtocolError):
            adapter.send(PLAIN, server.url, envelope=TO_BOB)
    assert server.messages == ()


# -- 10: STARTTLS with something behind it -------------------------------------------------------


@pytest.mark.parametrize(
    "quirk",
    [Quirk.STARTTLS_GROUP_500, Quirk.STARTTLS_GROUP_554, Quirk.STARTTLS_GROUP_BREAKS],
)
@pytest.mark.parametrize("level", LEVELS)
def test_10_nothing_follows_starttls(adapter: Colour, quirk: Quirk, level: str) -> None:
    quirky = options(quirk, starttls=Offer.REQUIRED)
    choices = {"ssl_context": client_context(), "pipelining": level}
    with Server(quirky, ssl_context=server_context()) as server:
        assert adapter.send(PLAIN, server.url, envelope=TO_BOB, **choices).accepted
        assert server.discarded == b""
    assert server.messages[0].tls


# -- 11: replies to EHLO -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quirk", "keywords"),
    [
        (Quirk.EHLO_ENDS_EMPTY, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_ENDS_WITH_SESSIONID, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_KEYWORDS_WITH_VALUES, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_SAYS_HELLO, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_SAYS_OK, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_SAYS_DESTINY, {"PIPELINING", "SIZE"}),
        (Quirk.EHLO_IS_ONE_LINE, set()),
        (Quirk.SIZE_WITHOUT_NUMBER, {"PIPELINING", "SIZE"}),
    ],
)
def test_11_replies_to_ehlo_are_not_tidy(adapter: Colour, quirk: Quirk, keywords: set[str]) -> None:
    with Server(options(quirk)) as server, adapter.connect(server.url) as session:
        assert keywords <= set(session.capabilities.keywords)
        assert session.capabilities.pipelining is ("PIPELINING" in keywords)
        if quirk in {Quirk.SIZE_WITHOUT_NUMBER, Quirk.EHLO_IS_ONE_LINE}:
            assert session.capabilities.size is None
        assert session.send(PLAIN, envelope=TO_BOB).accepted
    assert len(server.messages) == 1


def test_11_a_limit_that_was_not_announced(adapter: Colour) -> None:
    quirky = options(Quirk.SIZE_WITHOUT_NUMBER, capabilities=("PIPELINING", "SIZE 1000"))
    with Server(quirky) as server, adapter.connect(server.url) as session:
        with pytest.raises(ehlo.Refused) as caught:
            session.send(PLAIN + b"x" * 70 + b"\r\n" * 600, envelope=TO_BOB)
        assert caught.value.reply.code == 552
        assert session.send(PLAIN, envelope=TO_BOB).accepted


def test_11_more_is_offered_after_auth(adapter: Colour) -> None:
    """Dovecot submission: who needs more than was offered before AUTH asks again."""
    quirky = options(Quirk.OFFERS_MORE_AFTER_AUTH, capabilities=("PIPELINING",), users=USERS)
    with Server(quirky) as server:
        with adapter.connect(server.url, auth=ehlo.Password("ada", "tanstaaf")) as session:
            assert session.ehlo("client.example.org").is_positive
            assert "DSN" in session.capabilities
            assert session.capabilities.size == 41943040
            assert session.connection.authenticated
            assert session.send(PLAIN, envelope=TO_BOB).accepted


def test_11_ehlo_after_auth_is_refused(adapter: Colour) -> None:
    quirky = options(Quirk.NO_EHLO_AFTER_AUTH, users=USERS)
    with Server(quirky) as server:
        with adapter.connect(server.url, auth=ehlo.Password("ada", "tanstaaf")) as session:
            assert session.send(PLAIN, envelope=TO_BOB).accepted
            offered = session.capabilities
            assert session.ehlo("client.example.org").code == 500
            assert session.capabilities == offered
            assert session.send(PLAIN, envelope=TO_BOB).accepted
        assert [message.user for message in server.messages] == ["ada", "ada"]


# -- 12: parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quirk",
    [Quirk.PARAMETERS_WITH_RCPT_ONLY, Quirk.AUTH_PARAMETER_555, Quirk.AUTH_PARAMETER_501],
)
def test_12_nothing_is_sent_unasked(adapter: Colour, quirk: Quirk) -> None:
    offers = (*BASIC, "DSN", "DELIVERBY 240", "MT-PRIORITY MIXER", "FUTURERELEASE 9 9")
    quirky = options(quirk, capabilities=offers, users=USERS)
    with Server(quirky) as server:
        url = server.url.replace("://", "://ada:tanstaaf@")
        assert adapter.send(PLAIN, url, envelope=TO_BOB).accepted
        [message] = server.messages
    assert set(message.parameters) == {"SIZE"}
    assert message.recipient_parameters == ({},)


# -- 13: a refused OAuth token -------------------------------------------------------------------


# -- 13: a refused OAuth token -------------------------------------------------------------------


@dataclass(frozen=True)
class Bearer:
    """A mechanism as a caller may write it, to be used as credentials for it alone."""

    name: str
    first: bytes
    last: bytes
    hidden: tuple[ehlo.Secret, ...] = ()
    exposes_secret: bool = True

    def exchange(self, _channel: ehlo.Channel) -> ehlo.Exchange:
        yield self.first
        yield self.last


BEARERS: Final = (
    Bearer("XOAUTH2", b"user=ada\x01auth=Bearer expired\x01\x01", b""),
    Bearer("OAUTHBEARER", b"n,a=ada,\x01auth=Bearer expired\x01\x01", b"\x01"),
)


def expired(code: int) -> AnswersHook:
    """Return a hook that explains in JSON why, and refuses behind the client's answer to that."""
    why = base64.b64encode(b'{"status":"401","schemes":"bearer"}')

    def answer(command: ReceivedCommand, _: Situation) -> Answer | None:
        if command.verb is Verb.AUTH:
            return Send(b"334 " + why + b"\r\n")
        return ehlo.Reply.of(code, "Not that one") if command.verb is Verb.OTHER else None

    return answer


@pytest.mark.parametrize("code", [535, 454])
@pytest.mark.parametrize("bearer", BEARERS, ids=["XOAUTH2", "OAUTHBEARER"])
def test_13_a_token_that_is_refused(adapter: Colour, bearer: Bearer, code: int) -> None:
    """334 with the reason, and the refusal behind one more line of ours; the session goes on."""
    offers = (*BASIC, "AUTH XOAUTH2 OAUTHBEARER")
    with Server(options(capabilities=offers, answers=expired(code))) as server:
        with adapter.connect(server.url) as session:
            with pytest.raises(ehlo.AuthenticationRefused) as caught:
                session.authenticate(bearer)
            assert caught.value.reply.code == code
            assert caught.value.temporary is (code == 454)
            assert session.is_idle
            assert session.send(PLAIN, envelope=TO_BOB).accepted


@pytest.mark.parametrize("quirks", [(), (Quirk.REFUSED_TOKEN_454,)], ids=str)
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_13_a_token_that_is_renewed(
    adapter: Colour, mechanism: str, quirks: tuple[Quirk, ...]
) -> None:
    """A function is asked once more, whether the refusal says 535 or, as go-smtp does, 454."""
    asked = []

    def supply(*, refresh: bool) -> str:
        asked.append(refresh)
        return "ya29.fresh-and-good" if refresh else "ya29.stale-and-old"

    quirky = options(*quirks, mechanisms=(mechanism,), tokens={"ada": "ya29.fresh-and-good"})
    with Server(quirky) as server:
        with adapter.connect(server.url, auth=ehlo.OAuth2("ada", supply)) as session:
            assert session.send(PLAIN, envelope=TO_BOB).accepted
        [message] = server.messages
    assert asked == [False, True]
    assert message.content == PLAIN


# -- 14: limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_14_a_limit_of_recipients_that_was_not_announced(
    adapter: Colour, framing: str, level: str
) -> None:
    """452 to each further one; the message goes to the rest."""
    offers = (*FRAMINGS[framing], "LIMITS RCPTMAX=2")
    envelope = ehlo.Envelope("ada@example.org", [f"bob{n}@example.com" for n in range(4)])
    quirky = options(Quirk.HIDES_LIMITS, capabilities=offers)
    with Server(quirky) as server, adapter.connect(server.url, pipelining=level) as session:
        with pytest.raises(ehlo.RecipientsRefused) as caught:
            session.send(PLAIN, envelope=envelope)
        receipt = session.send(PLAIN, envelope=envelope, on_refusal="deliver")
        assert session.is_idle
        [message] = server.messages
    assert caught.value.temporary
    assert {reply.code for reply in caught.value.refused.values()} == {452}
    assert receipt.accepted == envelope.recipients[:2]
    assert tuple(receipt.refused) == envelope.recipients[2:]
    assert message.recipients == ("bob0@example.com", "bob1@example.com")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_14_a_limit_of_messages_that_was_not_announced(
    adapter: Colour, framing: str, level: str
) -> None:
    """Exim: 421 to MAIL, and the connection stays open; the rest goes over another one."""
    quirky = options(
        Quirk.HIDES_LIMITS,
        Quirk.MAILMAX_421,
        capabilities=(*FRAMINGS[framing], "LIMITS MAILMAX=2"),
    )
    with Server(quirky) as server:
        results = list(adapter.send_many(pairs(6), server.url, pipelining=level))
    said = outcomes(results)
    assert sorted(numbers(server)) == [n for n in range(6) if said[n] is Outcome.ACCEPTED]
    if level == "continuous":  # the one too many rode behind others, and goes over the next one
        assert said == [Outcome.ACCEPTED] * 6
        return
    assert set(said) == {Outcome.ACCEPTED, Outcome.REFUSED}
    assert said[:3] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED]
    assert all(result.error.retry_safe for result in results if result.error)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("on_refusal", ["abort", "deliver"])
def test_14_a_sender_that_is_refused_at_rcpt(
    adapter: Colour, framing: str, level: str, on_refusal: str
) -> None:
    answers = {"MAIL FROM:<eve@example.org>": ehlo.Reply.of(550, "5.7.1 Not you")}
    quirky = options(Quirk.SENDER_REFUSED_AT_RCPT, capabilities=FRAMINGS[framing], answers=answers)
    from_eve = (PLAIN, ehlo.Envelope("eve@example.org", ["bob@example.com", "carol@example.com"]))
    with Server(quirky) as server, adapter.connect(server.url, pipelining=level) as session:
        results = list(
            session.send_many([pairs(1)[0], from_eve, pairs(2)[1]], on_refusal=on_refusal)
        )
        assert session.is_idle
    assert outcomes(results) == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]
    assert isinstance(results[1].error, ehlo.RecipientsRefused)
    assert numbers(server) == [0, 1]


def test_14_prdr_is_not_asked_for(adapter: Colour) -> None:
    with Server(options(capabilities=(*BASIC, "PRDR"))) as server:
        assert adapter.send(PLAIN, server.url, envelope=TO_BOB).accepted
        assert "PRDR" not in server.messages[0].parameters


# -- 15: AUTH ------------------------------------------------------------------------------------


def test_15_a_wrong_password_and_then_the_right_one(adapter: Colour) -> None:
    for quirks in ((), (Quirk.WRONG_PASSWORD_501,)):
        with Server(options(*quirks, users=USERS)) as server:
            with adapter.connect(server.url) as session:
                with pytest.raises(ehlo.AuthenticationRefused) as caught:
                    session.authenticate(ehlo.Password("ada", "wrong"))
                assert caught.value.connection_usable
                assert session.authenticate(ehlo.Password("ada", "tanstaaf")).code == 235
                assert session.send(PLAIN, envelope=TO_BOB).accepted
        assert server.messages[0].user == "ada"


def test_15_a_wrong_password_behind_which_the_server_closes(adapter: Colour) -> None:
    with Server(options(Quirk.WRONG_PASSWORD_CLOSES, users=USERS)) as server:
        with pytest.raises(ehlo.AuthenticationRefused) as caught:
            adapter.connect(server.url, auth=ehlo.Password("ada", "wrong"))
        server.wait_until_idle()
        assert server.connections == 1
    assert caught.value.reply.code == 535


@pytest.mark.parametrize("quirk", [Quirk.SECOND_AUTH_502, Quirk.SECOND_AUTH_235])
def test_15_nobody_authenticates_twice(adapter: Colour, quirk: Quirk) -> None:
    """RFC 4954 section 4: servers disagree on what to say, so it is not asked."""
    password = ehlo.Password("ada", "tanstaaf")
    with Server(options(quirk, users=USERS)) as server:
        with adapter.connect(server.url, auth=password) as session:
            with pytest.raises(ehlo.LocalProtocolError):
                session.authenticate(password)
            assert session.send(PLAIN, envelope=TO_BOB).accepted
        assert [command.verb for command in server.commands].count(Verb.AUTH) == 1


# -- 16: replies out of order --------------------------------------------------------------------


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("level", LEVELS)
def test_16_replies_out_of_order(adapter: Colour, framing: str, level: str) -> None:
    """Without pipelining there is no disorder; with it, what is told is true all the same."""
    quirky = options(Quirk.RCPT_ANSWERED_LATE, capabilities=FRAMINGS[framing])
    with Server(quirky) as server:
        results = list(adapter.send_many(pairs(3), server.url, pipelining=level))
    kept = Counter(numbers(server))
    for result in results:
        if result.outcome is not Outcome.UNKNOWN:
            assert kept[result.index] == (result.outcome is Outcome.ACCEPTED)
        assert kept[result.index] <= 1
    if level == "none":
        assert outcomes(results) == [Outcome.ACCEPTED] * 3


# -- A server that offers nothing, and one that offers everything --------------------------------


NOTHING: Final = ServerOptions(dialect=Dialect.SMTP, capabilities=())
EVERYTHING: Final = ServerOptions(
    capabilities=(
        *CHUNKING,
        "BINARYMIME",
        "DSN",
        "DELIVERBY 240",
        "MT-PRIORITY MIXER",
        "FUTURERELEASE 1000000 2030-01-01T00:00:00Z",
        "REQUIRETLS",
        "LIMITS MAILMAX=100 RCPTMAX=100 RCPTDOMAINMAX=100",
        "ETRN",
        "PRDR",
        "XCLIENT NAME ADDR",
        "XFORWARD NAME ADDR",
    ),
    starttls=Offer.OFFERED,
    users=USERS,
)


def mails() -> list[Any]:
    """Return mails that every server takes: of our making, of the library's, octets, streams."""
    message = ehlo.Message(
        from_="Ada <ada@example.org>",
        to=["Bob <bob@example.com>"],
        subject="Grüße",
        text="Grüße\n.\nund mehr\n" + "x" * 3000,
        html="<p>Grüße</p>",
        attachments=[ehlo.Attachment(bytes(range(256)) * 100, filename="octets.bin")],
        message_id="<1@example.org>",
    )
    some = ehlo.Envelope("ada@example.org", [f"bob{n}@example.com" for n in range(30)])
    stream = [b"Subject: stream\n\n", b".\n" * 100_000]
    return [message, (PLAIN, TO_BOB), (content(5), some), (iter(stream), TO_BOB)]


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_mails_get_across_whatever_is_offered(adapter: Colour, level: str) -> None:
    kept = []
    for server_options in (NOTHING, EVERYTHING):
        context = server_context() if server_options is EVERYTHING else None
        with Server(server_options, ssl_context=context) as server:
            url = server.url
            choices: dict[str, Any] = {"pipelining": level}
            if context is not None:
                url = url.replace("://", "://ada:tanstaaf@")
                choices["ssl_context"] = client_context()
            results = list(adapter.send_many(mails(), url, **choices))
        assert outcomes(results) == [Outcome.ACCEPTED] * 4
        first, *others = server.messages
        parsed = first.parse()
        parts = [part.get_content() for part in parsed.walk() if not part.is_multipart()]
        kept.append((parsed["Subject"], parts, [(m.recipients, m.content) for m in others]))
    assert kept[0] == kept[1]
