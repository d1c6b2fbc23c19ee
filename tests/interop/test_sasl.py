"""Every SASL mechanism that a Postfix with a Dovecot 2.3 has, through both adapters."""

import ssl
from collections.abc import Callable, Iterator

import pytest

import ehlo
from ehlo.sasl import CramMd5, Login, Mechanism, OAuthBearer, Plain, Scram, XOAuth2
from support.colours import Colour, colour
from support.servers import Servers

pytestmark = pytest.mark.interop

MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
TOKENS = ["OAUTHBEARER", "XOAUTH2"]


@pytest.fixture(params=["blocking", "asyncio"])
def adapter(request: pytest.FixtureRequest) -> Iterator[Colour]:
    with colour(request.param) as chosen:
        yield chosen


@pytest.fixture
def context(servers: Servers) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(servers.ca))


@pytest.fixture
def url(servers: Servers) -> str:
    return f"smtps://{servers.implicit.host}:{servers.implicit.port}"


def mechanism(name: str, servers: Servers, secret: str) -> Mechanism:
    """Return one mechanism, for those who insist."""
    user, hidden = servers.user, ehlo.Secret(secret)
    if name.startswith("SCRAM-"):
        return Scram(user, hidden, name.removeprefix("SCRAM-"))  # type: ignore[arg-type]
    kinds: dict[str, Callable[[str, ehlo.Secret], Mechanism]] = {
        "PLAIN": Plain,
        "LOGIN": Login,
        "CRAM-MD5": CramMd5,
        "OAUTHBEARER": OAuthBearer,
        "XOAUTH2": XOAuth2,
    }
    return kinds[name](user, hidden)


@pytest.mark.parametrize("name", [*MECHANISMS, *TOKENS])
def test_each_mechanism(
    name: str, adapter: Colour, servers: Servers, context: ssl.SSLContext, url: str
) -> None:
    secret = servers.oauth_token if name in TOKENS else servers.password
    auth, transcript = mechanism(name, servers, secret), ehlo.Transcript()
    with adapter.connect(url, ssl_context=context, auth=auth, transcript=transcript) as session:
        assert session.connection.authenticated
        assert session.noop().code == 250
    assert f"C: AUTH {name}" in str(transcript)
    assert secret not in str(transcript)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MECHANISMS, *TOKENS])
def test_each_mechanism_with_a_wrong_secret(
    name: str, adapter: Colour, servers: Servers, context: ssl.SSLContext, url: str
) -> None:
    auth = mechanism(name, servers, "wrong-but-no-surprise")
    with pytest.raises(ehlo.AuthenticationRefused) as caught:
        adapter.connect(url, ssl_context=context, auth=auth)
    assert caught.value.tried == (name,)
    assert caught.value.reply.code == 535
    assert not isinstance(caught.value, ehlo.errors.ServerNotAuthenticated)
    assert bool(caught.value.oauth_error) is (name in TOKENS)


def test_a_password_uses_the_strongest(
    adapter: Colour, servers: Servers, context: ssl.SSLContext, url: str
) -> None:
    auth, transcript = ehlo.Password(servers.user, servers.password), ehlo.Transcript()
    with adapter.connect(url, ssl_context=context, auth=auth, transcript=transcript) as session:
        assert session.connection.authenticated
    assert "C: AUTH SCRAM-SHA-256 ***" in str(transcript)


def test_a_token_uses_the_better(
    adapter: Colour, servers: Servers, context: ssl.SSLContext, url: str
) -> None:
    auth, transcript = ehlo.OAuth2(servers.user, servers.oauth_token), ehlo.Transcript()
    with adapter.connect(url, ssl_context=context, auth=auth, transcript=transcript) as session:
        assert session.connection.authenticated
    assert "C: AUTH OAUTHBEARER ***" in str(transcript)


@pytest.mark.slow
def test_a_stale_token_is_refreshed_once(
    adapter: Colour, servers: Servers, context: ssl.SSLContext, url: str
) -> None:
    asked: list[bool] = []

    def token(*, refresh: bool) -> str:
        asked.append(refresh)
        return servers.oauth_token if refresh else "stale"

    with adapter.connect(
        url, ssl_context=context, auth=ehlo.OAuth2(servers.user, token)
    ) as session:
        assert session.connection.authenticated
    assert asked == [False, True]


def test_nothing_in_common(adapter: Colour, context: ssl.SSLContext, url: str) -> None:
    with pytest.raises(ehlo.CapabilityMissing, match="the credentials can serve EXTERNAL"):
        adapter.connect(url, ssl_context=context, auth=ehlo.External())
