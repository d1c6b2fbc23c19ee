"""Every mechanism against a server in the same room: one that is right, and one that is wrong."""

from __future__ import annotations

import itertools
import pickle
from base64 import b64encode
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest
from typing_extensions import override

from ehlo import (
    Anonymous,
    AuthenticationRefused,
    CapabilityMissing,
    Channel,
    Connection,
    ConnectionLost,
    External,
    InvalidInput,
    OAuth2,
    Password,
    Phase,
    Reply,
    Secret,
    ServerNotAuthenticated,
    Tls,
    TlsFacts,
    Transcript,
)
from ehlo.commands import Verb
from ehlo.dialogues import Fetch, Opening, authenticate, hello, open_session
from ehlo.errors import SMTPError
from ehlo.sasl import CramMd5, Exchange, Mechanism, OAuthBearer, Scram, ScramPlus
from ehlo.testing import (
    Close,
    Quirk,
    ReceivedCommand,
    SaslFault,
    ServerConnection,
    ServerOptions,
    Situation,
    converse,
)
from support.frames import assert_hidden, shown
from support.stepping import ready, run

USER, PASSWORD, TOKEN = "ada@example.org", "tanstaaf, tanstaaf", "ya29.a0AfH6SMBx-the-token"
BINDINGS = {"tls-server-end-point": b"the hash of a certificate"}
SCRAM = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
PLUS = [f"{name}-PLUS" for name in SCRAM]
WITH_PASSWORD = ["PLAIN", "LOGIN", "CRAM-MD5", *SCRAM, *PLUS]
WITH_TOKEN = ["OAUTHBEARER", "XOAUTH2"]
ALL = [*WITH_PASSWORD, *WITH_TOKEN, "EXTERNAL", "ANONYMOUS"]


def options(*mechanisms: str, **others: Any) -> ServerOptions:
    facts: dict[str, Any] = {
        "mechanisms": mechanisms,
        "starttls": "offered",
        "users": {USER: PASSWORD},
        "tokens": {USER: TOKEN},
        "external": USER,
        "channel_bindings": BINDINGS,
    }
    return ServerOptions(**facts | others)


def credentials(mechanism: str, password: str = PASSWORD, token: str = TOKEN) -> Any:
    if mechanism in WITH_TOKEN:
        return OAuth2(USER, token)
    others = {"EXTERNAL": External(), "ANONYMOUS": Anonymous("somebody")}
    return others.get(mechanism, Password(USER, password))


class Meeting:
    """A client and a server."""

    def __init__(self, server: ServerOptions, bindings: dict[str, bytes] | None = None) -> None:
        self.transcript = Transcript(clock=itertools.count().__next__)
        self.connection = Connection(trace=self.transcript)
        self.server = ServerConnection(server)
        numbers = itertools.count()
        self.channel = Channel(
            host="mail.example.org",
            port=587,
            bindings=BINDINGS if bindings is None else bindings,
            make_nonce=lambda: f"{next(numbers):024}",
        )

    def open(self, auth: Any, *, tls: Tls = Tls.STARTTLS) -> None:
        opening = Opening(
            name="client.example.org", tls=tls, credentials=auth, channel=self.channel
        )
        converse(open_session(self.connection, opening), self.connection, self.server)

    def refused(self, auth: Any, error: type[SMTPError] = AuthenticationRefused) -> Any:
        """Open the session, which fails; nobody sees a secret then."""
        with pytest.raises(error) as caught:
            self.open(auth)
        assert caught.value.phase is Phase.AUTH
        for secret in (PASSWORD, TOKEN):
            assert_hidden(secret, shown(caught.value), self.transcript, self.connection.ending)
        assert not self.connection.is_idle
        return caught.value

    @property
    def lines(self) -> list[str]:
        """What the client said from AUTH on, as the transcript has it."""
        said = [entry.text for entry in self.transcript.entries if entry.side == "C"]
        first = next((n for n, line in enumerate(said) if line.startswith("AUTH")), len(said))
        return said[first:]


# -- Success ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", ALL)
def test_each_mechanism(mechanism: str) -> None:
    meeting = Meeting(options(mechanism))
    meeting.open(credentials(mechanism))
    assert meeting.connection.authenticated
    assert meeting.connection.is_idle
    assert meeting.lines[0].startswith(f"AUTH {mechanism}")
    for secret in (PASSWORD, TOKEN):
        assert_hidden(secret, meeting.transcript)


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (ALL, "SCRAM-SHA-512-PLUS"),
        ([*SCRAM, "SCRAM-SHA-1-PLUS"], "SCRAM-SHA-1-PLUS"),
        ([*SCRAM, "PLAIN"], "SCRAM-SHA-512"),
        (["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1"], "SCRAM-SHA-1"),
        (["CRAM-MD5", "LOGIN", "PLAIN"], "PLAIN"),
        (["CRAM-MD5", "LOGIN"], "LOGIN"),
        (["CRAM-MD5"], "CRAM-MD5"),
    ],
)
def test_the_strongest_is_used(offered: list[str], used: str) -> None:  # A2
    meeting = Meeting(options(*offered))
    meeting.open(Password(USER, PASSWORD))
    assert meeting.lines[0] in {f"AUTH {used}", f"AUTH {used} ***"}


def test_in_clear_the_password_is_not_said_if_it_need_not_be() -> None:
    meeting = Meeting(options("PLAIN", "CRAM-MD5"))
    reply = run_in_clear(meeting, Password(USER, PASSWORD), "allow-credentials")
    assert reply.code == 235
    assert meeting.lines[0] == "AUTH CRAM-MD5"


def run_in_clear(meeting: Meeting, auth: Any, cleartext: Any) -> Reply:
    opening = Opening(name="client.example.org", tls=Tls.NONE)
    converse(open_session(meeting.connection, opening), meeting.connection, meeting.server)
    dialogue = authenticate(meeting.connection, auth, cleartext, meeting.channel)
    return converse(dialogue, meeting.connection, meeting.server).result


@pytest.mark.parametrize("mechanism", [*WITH_PASSWORD[:6], *WITH_TOKEN])
def test_nothing_that_has_a_secret_is_used_in_clear(mechanism: str) -> None:  # A1
    meeting = Meeting(options(mechanism))
    with pytest.raises(InvalidInput, match="not sent over an unencrypted connection"):
        run_in_clear(meeting, credentials(mechanism), "refuse")
    assert meeting.lines == []
    assert meeting.connection.is_idle


def test_no_function_is_asked_for_a_token_that_may_not_be_sent() -> None:
    meeting = Meeting(options(*WITH_TOKEN))
    with pytest.raises(InvalidInput, match="unencrypted"):
        run_in_clear(meeting, OAuth2(USER, pytest.fail), "refuse")  # type: ignore[arg-type]
    meeting = Meeting(options("PLAIN"))
    error = meeting.refused(OAuth2(USER, pytest.fail), CapabilityMissing)  # type: ignore[arg-type]
    assert "the credentials can serve OAUTHBEARER, XOAUTH2" in str(error)


@pytest.mark.parametrize("mechanism", ["EXTERNAL", "ANONYMOUS"])
def test_what_has_no_secret_may_be_used_in_clear(mechanism: str) -> None:
    reply = run_in_clear(Meeting(options(mechanism)), credentials(mechanism), "refuse")
    assert reply.code == 235


def test_a_mechanism_for_those_who_insist() -> None:
    meeting = Meeting(options("SCRAM-SHA-512", "PLAIN", "CRAM-MD5"))
    meeting.open(CramMd5(USER, Secret(PASSWORD)))
    assert meeting.lines == ["AUTH CRAM-MD5", "***"]
    error = Meeting(options("PLAIN")).refused(CramMd5(USER, Secret(PASSWORD)), CapabilityMissing)
    assert str(error) == "the server offers PLAIN; the credentials can serve CRAM-MD5"


def test_credentials_that_are_none() -> None:
    connection = ready("AUTH PLAIN")
    with pytest.raises(TypeError, match=r"auth= is an ehlo\.Password"):
        run(authenticate(connection, (USER, PASSWORD)), connection, "")  # type: ignore[arg-type]


def test_credentials_that_serve_nothing() -> None:
    class Nothing:
        def mechanisms(self, _channel: Channel) -> list[Mechanism]:
            return []

    connection = ready("AUTH PLAIN")
    with pytest.raises(CapabilityMissing, match="the server offers PLAIN"):
        run(authenticate(connection, Nothing()), connection, "")


def test_tls_tells_the_channel_bindings() -> None:
    """What the Connection knows comes before what the caller knows."""
    connection = ready("AUTH SCRAM-SHA-256-PLUS")
    connection.encrypted = True
    connection.tls = TlsFacts("TLSv1.3", "A", 256, channel_bindings={"tls-exporter": b"e"})
    channel = Channel(bindings={"other": b"x"}, make_nonce=lambda: "n" * 24)
    dialogue = authenticate(connection, Password("u", "p"), channel=channel)
    first = in_base64(f"p=tls-exporter,,n=u,r={'n' * 24}")
    with pytest.raises(AuthenticationRefused):
        run(dialogue, connection, f"C: AUTH SCRAM-SHA-256-PLUS {first}\nS: 535 no")


def test_what_ehlo_announces_is_read_as_it_came() -> None:
    """A8: a password that is a keyword is masked for people, and not for the client."""
    meeting = Meeting(options("PLAIN", users={USER: "PIPELINING"}))
    meeting.open(Password(USER, "PIPELINING"))
    dialogue = hello(meeting.connection, "client.example.org")
    converse(dialogue, meeting.connection, meeting.server)
    assert meeting.connection.capabilities.pipelining
    assert [entry.text for entry in meeting.transcript.entries].count("250-***") == 1


def test_what_ehlo_echoes_of_a_password_is_not_kept() -> None:  # A8
    connection = ready("AUTH PLAIN")
    connection.encrypted = True
    password = "tanstaaf free"
    said = in_base64(f"\0u\0{password}")
    script = f"C: AUTH PLAIN {said}\nS: 235 ok"
    run(authenticate(connection, Password("u", password)), connection, script)
    script = f"""
    C: EHLO c.example
    S: 250-{password}
    S: 250-XECHO {password} {said}
    S: 250-{password}
    S: 250-AUTH={password} PLAIN
    S: 250 SIZE 1000
    """
    run(hello(connection, "c.example"), connection, script)
    capabilities = connection.capabilities
    assert_hidden(password, capabilities)
    assert "tanstaaf" not in repr(capabilities).lower()
    assert dict(capabilities.keywords) == {
        "XECHO": ("***",),
        "AUTH": ("***", "PLAIN"),
        "SIZE": ("1000",),
    }
    assert capabilities.domain == "***"


def test_behind_a_keyword_that_is_a_password_it_is_masked() -> None:  # A8
    connection = ready("AUTH PLAIN")
    connection.encrypted = True
    said = in_base64("\0u\0PIPELINING")
    script = f"C: AUTH PLAIN {said}\nS: 235 ok"
    run(authenticate(connection, Password("u", "PIPELINING")), connection, script)
    script = "C: EHLO c.example\nS: 250-x\nS: 250 PIPELINING PIPELINING"
    run(hello(connection, "c.example"), connection, script)
    assert dict(connection.capabilities.keywords) == {"PIPELINING": ("***",)}


# -- Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [*WITH_PASSWORD, *WITH_TOKEN])
def test_a_wrong_secret(mechanism: str) -> None:
    server = options(mechanism, users={USER: "another"}, tokens={USER: "another"})
    error = Meeting(server).refused(credentials(mechanism))
    assert error.reply.code == 535
    assert error.tried == (mechanism,)
    assert error.offered == (mechanism,)
    assert type(error) is AuthenticationRefused
    assert bool(error.oauth_error) is (mechanism in WITH_TOKEN)


@pytest.mark.parametrize("mechanism", WITH_PASSWORD)
def test_a_user_that_the_server_does_not_know(mechanism: str) -> None:
    error = Meeting(options(mechanism, users={"bob": PASSWORD})).refused(credentials(mechanism))
    assert error.reply.code == 535


def test_external_without_anybody() -> None:
    error = Meeting(options("EXTERNAL")).refused(External("bob"))
    assert error.reply.code == 535


@pytest.mark.parametrize("code", [504, 534])
def test_the_next_mechanism_follows_one_that_is_not_taken(code: int) -> None:
    server = options("SCRAM-SHA-512", "PLAIN", answers={"AUTH SCRAM-SHA-512": Reply.of(code, "no")})
    meeting = Meeting(server)
    meeting.open(Password(USER, PASSWORD))
    assert meeting.lines == ["AUTH SCRAM-SHA-512 ***", "AUTH PLAIN ***"]


@pytest.mark.parametrize("code", [421, 432, 454, 500, 535, 538])
def test_no_other_mechanism_follows_a_definite_answer(code: int) -> None:  # A4
    server = options("SCRAM-SHA-512", "PLAIN", answers={"AUTH SCRAM-SHA-512": Reply.of(code, "no")})
    meeting = Meeting(server)
    error = meeting.refused(Password(USER, PASSWORD))
    assert meeting.lines == ["AUTH SCRAM-SHA-512 ***"]
    assert error.tried == ("SCRAM-SHA-512",)


# -- Servers that are wrong ------------------------------------------------------------------------

UNPROVEN = {
    SaslFault.WRONG_SIGNATURE: "its signature is wrong",
    SaslFault.NO_SIGNATURE: "has not proved that it knows the password",
    SaslFault.EARLY_SUCCESS: "has not proved that it knows the password",
}
NONSENSE = {
    SaslFault.FEW_ITERATIONS: "asks for 1 iterations",
    SaslFault.MANY_ITERATIONS: "asks for 2000000000 iterations",
    SaslFault.REPLAYED_NONCE: "nonce does not continue the client's",
    SaslFault.BARE_NONCE: "nonce does not continue the client's",
    SaslFault.BAD_SALT: "its first message is none of SCRAM",
    SaslFault.UNKNOWN_EXTENSION: "an extension that nobody has defined",
    SaslFault.SERVER_ERROR: "reports the error other-error",
    SaslFault.ENDLESS_CHALLENGES: "none of SCRAM",
    SaslFault.ECHO: "none of SCRAM",
    SaslFault.LATE_CHALLENGE: "there is nothing left to say",
}


@pytest.mark.parametrize("mechanism", [*SCRAM, *PLUS])
@pytest.mark.parametrize("fault", [*UNPROVEN, *NONSENSE])
def test_scram_trusts_no_server_that_is_wrong(mechanism: str, fault: SaslFault) -> None:  # A5
    meeting = Meeting(options(mechanism, sasl_fault=fault))
    error = meeting.refused(Password(USER, PASSWORD))
    assert isinstance(error, ServerNotAuthenticated) is (fault in UNPROVEN)
    assert (UNPROVEN | NONSENSE)[fault] in str(error)
    assert error.tried == (mechanism,)
    assert not meeting.connection.authenticated


@pytest.mark.parametrize("code", [504, 534])
@pytest.mark.parametrize("fault", [SaslFault.WRONG_SIGNATURE, *NONSENSE])
def test_no_other_mechanism_follows_a_server_that_is_wrong(fault: SaslFault, code: int) -> None:
    """A5: not even if it calls the cancelled mechanism one that it does not know."""

    def answer(command: ReceivedCommand, _: Situation) -> Reply | None:
        return Reply.of(code, "no") if command.line == "*" else None

    meeting = Meeting(options("SCRAM-SHA-512", "PLAIN", sasl_fault=fault, answers=answer))
    error = meeting.refused(Password(USER, PASSWORD))
    assert meeting.lines[-1] == "*"
    assert error.reply.code == code
    assert error.tried == ("SCRAM-SHA-512",)


@pytest.mark.parametrize(
    ("refused", "then"),
    [
        ("SCRAM-SHA-512-PLUS", ["AUTH SCRAM-SHA-512-PLUS ***", "AUTH SCRAM-SHA-256-PLUS ***"]),
        ("SCRAM-SHA-512", ["AUTH SCRAM-SHA-512 ***", "AUTH SCRAM-SHA-256 ***"]),
    ],
)
def test_what_is_bound_is_followed_by_what_is_bound(refused: str, then: list[str]) -> None:
    """Somebody on the way may have refused it, to get an exchange that can be passed on."""
    suffix = "-PLUS" if refused.endswith("-PLUS") else ""
    others = [f"SCRAM-SHA-256{suffix}", "PLAIN", *([*SCRAM] if suffix else [])]
    answers = {f"AUTH {refused}": Reply.of(504, "no")}
    meeting = Meeting(options(refused, *others, answers=answers))
    meeting.open(Password(USER, PASSWORD))
    assert [line for line in meeting.lines if line.startswith("AUTH")] == then
    meeting = Meeting(options(refused, *([*SCRAM, "PLAIN"] if suffix else []), answers=answers))
    error = meeting.refused(Password(USER, PASSWORD))
    assert error.tried == (refused,)


def test_what_a_server_offers_is_shown_as_text() -> None:
    connection = ready("AUTH \x1b[2JEVIL FOO\tBAR")
    with pytest.raises(CapabilityMissing, match=r"offers \\x1b\[2JEVIL") as caught:
        run(authenticate(connection, External()), connection, "")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("mechanism", SCRAM)
def test_scram_repeats_no_password_as_an_error(mechanism: str) -> None:  # A8
    password = "Hunter2Secret"
    server = options(mechanism, answers={"AUTH": Reply.of(334, in_base64(f"e={password}"))})
    error = Meeting(server).refused(Password(USER, password))
    assert "it reports the error ***" in str(error)
    assert_hidden(password, shown(error), pickle.dumps(error))


def test_a_success_behind_a_cancelled_exchange_authenticates_nobody() -> None:
    answers = {"AUTH": Reply.of(334, ""), "*": Reply.of(235, "fine")}
    meeting = Meeting(options("PLAIN", answers=answers))
    error = meeting.refused(credentials("PLAIN"))
    assert error.reply.code == 235
    assert meeting.connection.is_over
    assert not meeting.connection.authenticated


@pytest.mark.parametrize("fault", [SaslFault.NO_SIGNATURE, SaslFault.EARLY_SUCCESS])
def test_a_success_that_is_not_believed_ends_the_session(fault: SaslFault) -> None:
    meeting = Meeting(options("SCRAM-SHA-256", sasl_fault=fault))
    error = meeting.refused(Password(USER, PASSWORD))
    assert error.reply.code == 235
    assert meeting.connection.is_over


@pytest.mark.parametrize("mechanism", ["PLAIN", *WITH_TOKEN, "EXTERNAL", "ANONYMOUS"])
def test_a_challenge_where_nothing_is_left_to_say(mechanism: str) -> None:  # A3
    meeting = Meeting(options(mechanism, sasl_fault="late-challenge"))
    if mechanism in WITH_TOKEN:
        # It is taken for the error that it would be, and acknowledged.
        meeting.open(credentials(mechanism))
        return
    error = meeting.refused(credentials(mechanism))
    assert "there is nothing left to say" in str(error)
    assert meeting.lines == [f"AUTH {mechanism} ***", "*"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", *WITH_TOKEN])
@pytest.mark.parametrize("fault", [SaslFault.ENDLESS_CHALLENGES, SaslFault.ECHO])
def test_challenges_without_end(mechanism: str, fault: SaslFault) -> None:  # A3 A8
    meeting = Meeting(options(mechanism, sasl_fault=fault))
    error = meeting.refused(credentials(mechanism))
    assert "made no sense" in str(error)
    assert meeting.lines[-1] == "*"
    assert len(meeting.lines) <= 4


def test_an_end_to_challenges_that_are_all_answered() -> None:
    def answers() -> Exchange:
        yield b"x"
        while True:
            yield b"y"

    class Talkative(Mechanism):
        @property
        @override
        def name(self) -> str:
            return "PLAIN"

        @override
        def exchange(self, channel: Channel) -> Exchange:
            return answers()

    meeting = Meeting(options("PLAIN", sasl_fault="endless-challenges"))
    error = meeting.refused(Talkative())
    assert "there is no end to its challenges: 16 were answered" in str(error)
    assert len(meeting.lines) == 18


@pytest.mark.parametrize("mechanism", ["LOGIN", "PLAIN"])
def test_who_proves_nothing_need_not_be_waited_for(mechanism: str) -> None:
    """A password was said; whether the server has looked at it is its own affair."""
    meeting = Meeting(options(mechanism, sasl_fault="early-success"))
    meeting.open(credentials(mechanism))
    assert meeting.connection.authenticated


@pytest.mark.parametrize("answer", ["=", "!", "Zg", "Zh==Zh==", "Z g=", "Zg==\nZg=="])
def test_a_challenge_that_is_no_base64(answer: str) -> None:  # A3
    server = options("LOGIN", answers={"AUTH": Reply.of(334, *answer.split("\n"))})
    error = Meeting(server).refused(credentials("LOGIN"))
    assert "its challenge is not in Base64" in str(error)


# -- Channel bindings ------------------------------------------------------------------------------


def test_an_offer_that_was_taken_away_is_noticed_by_the_server() -> None:
    """A man in the middle takes `-PLUS` out of the EHLO reply: `y` tells on him."""
    server = options("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
    meeting = Meeting(server)
    without = Connection(trace=meeting.transcript)
    opening = Opening(name="client.example.org", tls=Tls.STARTTLS)
    converse(open_session(without, opening), without, meeting.server)
    keywords = dict(without.capabilities.keywords) | {"AUTH": ("SCRAM-SHA-256",)}
    object.__setattr__(without.capabilities, "keywords", keywords)
    dialogue = authenticate(without, Password(USER, PASSWORD), channel=meeting.channel)
    with pytest.raises(AuthenticationRefused) as caught:
        converse(dialogue, without, meeting.server)
    assert caught.value.reply.code == 535
    assert caught.value.tried == ("SCRAM-SHA-256",)


@pytest.mark.parametrize(
    "bindings", [{"tls-server-end-point": b"another certificate"}, {"tls-unique": b"x"}]
)
def test_another_channel_is_noticed_by_the_server(bindings: dict[str, bytes]) -> None:
    error = Meeting(options(*PLUS, "PLAIN"), bindings).refused(Password(USER, PASSWORD))
    assert error.reply.code == 535
    assert error.tried == ("SCRAM-SHA-512-PLUS",)  # and the password itself is not said then


def test_without_bindings_none_are_used() -> None:
    meeting = Meeting(options(*PLUS, "SCRAM-SHA-256"), {})
    meeting.open(Password(USER, PASSWORD))
    assert meeting.lines[0] == "AUTH SCRAM-SHA-256 ***"


def test_plus_for_those_who_insist_where_it_cannot_be_had() -> None:
    plus = ScramPlus(USER, Secret(PASSWORD), "SHA-256")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="needs channel bindings"):
        Meeting(options(*PLUS), {}).open(plus)


# -- Tokens ----------------------------------------------------------------------------------------


class Supplier:
    """A function for tokens, which remembers how it was called."""

    def __init__(self, *tokens: Any) -> None:
        self.tokens = list(tokens)
        self.asked: list[bool] = []

    def __call__(self, *, refresh: bool) -> Any:
        self.asked.append(refresh)
        token = self.tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return token


def awaited(supplier: Supplier) -> Callable[..., Awaitable[Any]]:
    async def function(*, refresh: bool) -> Any:
        return supplier(refresh=refresh)

    return function


@pytest.fixture(params=["sync", "async"])
def supplied(request: pytest.FixtureRequest) -> Callable[[Supplier], Any]:
    return awaited if request.param == "async" else lambda supplier: supplier


@pytest.mark.parametrize("token", [TOKEN, Secret(TOKEN)], ids=type)
def test_a_function_supplies_the_token(supplied: Any, token: Any) -> None:
    supplier, meeting = Supplier(token), Meeting(options(*WITH_TOKEN))
    meeting.open(OAuth2(USER, supplied(supplier)))
    assert supplier.asked == [False]
    assert meeting.lines == ["AUTH OAUTHBEARER ***"]


@pytest.mark.parametrize("mechanism", WITH_TOKEN)
@pytest.mark.parametrize("quirks", [(), (Quirk.REFUSED_TOKEN_454,)])
def test_a_refused_token_is_renewed_once(supplied: Any, mechanism: str, quirks: Any) -> None:
    supplier, meeting = Supplier("stale", TOKEN), Meeting(options(mechanism, quirks=quirks))
    meeting.open(OAuth2(USER, supplied(supplier)))
    assert supplier.asked == [False, True]
    assert meeting.lines == [f"AUTH {mechanism} ***", "***", f"AUTH {mechanism} ***"]
    assert_hidden(TOKEN, meeting.transcript)


def test_and_no_more_than_once(supplied: Any) -> None:
    supplier, meeting = Supplier("stale", "stale too", TOKEN), Meeting(options("XOAUTH2"))
    supplier.tokens[1] = "staletoo"
    error = meeting.refused(OAuth2(USER, supplied(supplier)))
    assert supplier.asked == [False, True]
    assert error.reply.code == 535
    assert error.oauth_error == {"status": "401", "schemes": "bearer", "scope": "mail.send"}


def test_a_fixed_token_is_not_renewed() -> None:
    meeting = Meeting(options("OAUTHBEARER"))
    error = meeting.refused(OAuth2(USER, "stale"))
    assert error.oauth_error == {"status": "invalid_token", "scope": "mail.send"}
    assert meeting.lines == ["AUTH OAUTHBEARER ***", "***"]


@pytest.mark.parametrize(
    "answer", [Reply.of(454, "later"), Reply.of(432, "no"), (Reply.of(535, "no"), Close())]
)
def test_a_token_is_not_renewed_where_that_is_of_no_use(answer: Any) -> None:  # A4
    supplier, meeting = Supplier("stale"), Meeting(options("XOAUTH2", answers={"AUTH": answer}))
    if isinstance(answer, tuple):
        # The server hangs up behind its refusal: the connection is what fails then.
        supplier.tokens.append(TOKEN)
        meeting.refused(OAuth2(USER, supplier), ConnectionLost)
    else:
        meeting.refused(OAuth2(USER, supplier))
        assert supplier.asked == [False]


def test_a_421_ends_it() -> None:  # A4
    server = options("XOAUTH2", answers={Verb.AUTH_RESPONSE: (Reply.of(421, "bye"), Close())})
    supplier = Supplier("stale", TOKEN)
    Meeting(server).refused(OAuth2(USER, supplier))
    assert supplier.asked == [False]


@pytest.mark.parametrize("mechanism", WITH_TOKEN)
def test_a_server_that_repeats_the_token_in_its_error(mechanism: str) -> None:  # A8
    json = f'{{"status":"401","token":"{TOKEN}"}}'
    server = options(mechanism, answers={"AUTH": Reply.of(334, in_base64(json))})
    error = Meeting(server).refused(credentials(mechanism))
    assert error.oauth_error == {"status": "401", "token": "***"}


@pytest.mark.parametrize("mechanism", WITH_TOKEN)
@pytest.mark.parametrize("escaped", ["slashes", "all"])
def test_a_token_behind_the_escapes_of_json(mechanism: str, escaped: str) -> None:  # A8
    token = "ya29/abc+def/ghi=TOKEN"
    every = "".join(f"\\u{ord(character):04x}" for character in token)
    text = token.replace("/", "\\/") if escaped == "slashes" else every
    json = f'{{"status":"401","token":"for {text}","{text}":"x"}}'
    server = options(mechanism, answers={"AUTH": Reply.of(334, in_base64(json))})
    error = Meeting(server).refused(credentials(mechanism, token=token))
    assert error.oauth_error == {"status": "401", "token": "for ***", "***": "x"}
    assert_hidden(token, shown(error), pickle.dumps(error))


def in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_what_a_function_raises_is_raised(supplied: Any) -> None:
    meeting = Meeting(options("XOAUTH2"))
    with pytest.raises(LookupError, match="no account"):
        meeting.open(OAuth2(USER, supplied(Supplier(LookupError("no account")))))
    assert meeting.lines == []


@pytest.mark.parametrize("token", [b"bytes of a token", None, 7], ids=type)
def test_what_a_function_returns_that_is_no_token(supplied: Any, token: Any) -> None:
    meeting = Meeting(options("XOAUTH2"))
    with pytest.raises(TypeError, match="a token is a str or a Secret, not") as caught:
        meeting.open(OAuth2(USER, supplied(Supplier(token))))
    assert_hidden("bytes of a token", shown(caught.value))
    assert meeting.lines == []


def test_a_token_that_cannot_be_sent(supplied: Any) -> None:  # A7 A8
    meeting = Meeting(options("XOAUTH2"))
    with pytest.raises(InvalidInput, match="an OAuth token is printable ASCII") as caught:
        meeting.open(OAuth2(USER, supplied(Supplier(f"{TOKEN}\x01"))))
    assert_hidden(TOKEN, shown(caught.value))
    assert meeting.lines == []


def test_a_token_that_nobody_can_await() -> None:
    """The need is not met: the coroutine is closed, and does not complain."""
    meeting = Meeting(options("XOAUTH2"))
    meeting.open(None)
    auth = OAuth2(USER, awaited(Supplier(TOKEN)))
    dialogue = authenticate(meeting.connection, auth, channel=meeting.channel)
    need = next(dialogue)
    assert isinstance(need, Fetch)
    assert need.phase is Phase.AUTH
    dialogue.close()
    assert meeting.lines == []


def test_a_future_may_be_awaited_as_well() -> None:
    class Future:
        def __await__(self) -> Generator[None, None, str]:
            yield from ()
            return TOKEN

    meeting = Meeting(options("XOAUTH2"))
    meeting.open(OAuth2(USER, lambda refresh: Future()))  # noqa: ARG005
    assert meeting.connection.authenticated


def test_a_connection_that_is_lost_while_a_token_is_awaited() -> None:
    meeting = Meeting(options("XOAUTH2"))
    meeting.open(None)
    auth = OAuth2(USER, awaited(Supplier(TOKEN)))
    dialogue = authenticate(meeting.connection, auth, channel=meeting.channel)
    next(dialogue)
    with pytest.raises(ConnectionLost):
        dialogue.throw(ConnectionLost("reset"))


# -- Long initial responses ------------------------------------------------------------------------


# 12,288 octets of a line, less "AUTH XOAUTH2 " and CRLF, hold 9,204 octets in Base64; without
# them, 9,213. Beside the token there are so many in the message:
AROUND = len(f"user={USER}\x01auth=Bearer \x01\x01")


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (9_204, ["AUTH XOAUTH2 ***"]),
        (9_205, ["AUTH XOAUTH2", "***"]),
        (9_213, ["AUTH XOAUTH2", "***"]),
    ],
)
def test_a_long_initial_response_goes_on_a_line_of_its_own(octets: int, lines: list[str]) -> None:
    token = "x" * (octets - AROUND)
    meeting = Meeting(options("XOAUTH2", tokens={USER: token}))
    meeting.open(OAuth2(USER, token))
    assert meeting.lines == lines


def test_a_response_that_no_line_can_hold() -> None:
    token = "x" * (9_214 - AROUND)
    meeting = Meeting(options("XOAUTH2", tokens={USER: token}))
    with pytest.raises(InvalidInput, match="has 12290 octets; 12288 are allowed") as caught:
        meeting.open(OAuth2(USER, token))
    assert_hidden(token, shown(caught.value))


def test_a_held_response_is_no_answer_to_nonsense() -> None:
    server = options("XOAUTH2", answers={"AUTH": Reply.of(334, "!")})
    Meeting(server).refused(OAuth2(USER, "x" * (9_213 - AROUND)))


# -- Faults on the way -----------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [*WITH_PASSWORD[:6], *WITH_TOKEN])
@pytest.mark.parametrize("at", ["AUTH", Verb.AUTH_RESPONSE])
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Close(),
        lambda secret: Reply.of(250, secret),
        lambda secret: Reply.of(220, f"{secret} {in_base64(secret)}"),
        lambda secret: Reply.of(535, f"{secret} {in_base64(f'x{secret}')}"),
        lambda secret: (Reply.of(334, in_base64(secret)), Close()),
        lambda secret: Reply.of(334, in_base64(f"xx{secret}")),
        lambda secret: (Reply.of(421, secret), Close()),
    ],
    ids=["close", "250", "220", "535", "334 and close", "334", "421"],
)
def test_no_secret_shows_whatever_goes_wrong(mechanism: str, at: Any, answer: Any) -> None:  # A8
    secret = TOKEN if mechanism in WITH_TOKEN else PASSWORD
    meeting = Meeting(options(mechanism, answers={at: answer(secret)}))
    try:
        meeting.open(credentials(mechanism))
    except SMTPError as error:
        assert_hidden(secret, shown(error), meeting.transcript, meeting.connection.ending)
    else:
        assert meeting.connection.authenticated  # that did not hinder it
        assert_hidden(secret, meeting.transcript)


def test_scram_needs_a_nonce() -> None:
    connection = ready("AUTH SCRAM-SHA-1")
    connection.encrypted = True
    with pytest.raises(SMTPError, match="give the Channel a make_nonce"):
        run(authenticate(connection, Scram("u", Secret("p"), "SHA-1")), connection, "")  # type: ignore[arg-type]


def test_tokens_have_mechanisms_of_their_own() -> None:
    meeting = Meeting(options(*WITH_TOKEN))
    meeting.open(OAuthBearer(USER, Secret(TOKEN)))
    assert meeting.connection.authenticated
