from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ehlo import Configured, Endpoint, InvalidInput, Secret, Timeouts, Tls
from support.frames import assert_hidden, shown
from support.secrets import PASSWORD

DJANGO_DEFAULTS = {
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "EMAIL_FILE_PATH": None,
    "EMAIL_HOST": "localhost",
    "EMAIL_HOST_PASSWORD": "",
    "EMAIL_HOST_USER": "",
    "EMAIL_PORT": 25,
    "EMAIL_SSL_CERTFILE": None,
    "EMAIL_SSL_KEYFILE": None,
    "EMAIL_SUBJECT_PREFIX": "[Django] ",
    "EMAIL_TIMEOUT": None,
    "EMAIL_USE_LOCALTIME": False,
    "EMAIL_USE_SSL": False,
    "EMAIL_USE_TLS": False,
    "DEBUG": False,
    "DEFAULT_FROM_EMAIL": "webmaster@localhost",
}
LOGIN = {"EMAIL_HOST_USER": "ada", "EMAIL_HOST_PASSWORD": PASSWORD}
EXAMPLE = {"EMAIL_HOST": "smtp.example.com"}


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        (DJANGO_DEFAULTS, Endpoint(host="localhost", port=25, tls=Tls.NONE)),
        (EXAMPLE, Endpoint(host="smtp.example.com", port=25, tls=Tls.STARTTLS)),
        ({"EMAIL_PORT": "2525"}, Endpoint(host="localhost", port=2525, tls=Tls.NONE)),
        (
            EXAMPLE | {"EMAIL_PORT": 465},
            Endpoint(host="smtp.example.com", port=465, tls=Tls.IMPLICIT),
        ),
        (
            EXAMPLE | LOGIN | {"EMAIL_PORT": 587, "EMAIL_USE_TLS": True},
            Endpoint(
                host="smtp.example.com",
                port=587,
                tls=Tls.STARTTLS,
                username="ada",
                password=PASSWORD,
            ),
        ),
        (
            DJANGO_DEFAULTS | EXAMPLE | {"EMAIL_PORT": 465, "EMAIL_USE_SSL": True},
            Endpoint(host="smtp.example.com", port=465, tls=Tls.IMPLICIT),
        ),
        (DJANGO_DEFAULTS | EXAMPLE, Endpoint(host="smtp.example.com", port=25, tls=Tls.NONE)),
        (
            DJANGO_DEFAULTS | {"EMAIL_HOST": "/run/smtp.sock"},
            Endpoint(path="/run/smtp.sock", tls=Tls.NONE),
        ),
        (
            {
                "MAIL_SERVER": "smtp.example.com",
                "MAIL_PORT": 465,
                "MAIL_USE_SSL": True,
                "MAIL_USE_TLS": False,
                "MAIL_USERNAME": "ada",
                "MAIL_PASSWORD": PASSWORD,
                "MAIL_DEFAULT_SENDER": "ada@example.org",
                "MAIL_MAX_EMAILS": None,
                "SECRET_KEY": "other",
                "host": "not looked at",
            },
            Endpoint(
                host="smtp.example.com",
                port=465,
                tls=Tls.IMPLICIT,
                username="ada",
                password=PASSWORD,
            ),
        ),
        (
            {"host": "smtp.example.com", "port": 587, "use_tls": True, "fail_silently": False},
            Endpoint(host="smtp.example.com", port=587, tls=Tls.STARTTLS),
        ),
        (
            {"BACKEND": "x", "OPTIONS": {"host": "smtp.example.com", "use_ssl": True, "port": 465}},
            Endpoint(host="smtp.example.com", port=465, tls=Tls.IMPLICIT),
        ),
        (
            {"BACKEND": "x", "OPTIONS": {"username": "ada", "password": PASSWORD}},
            Endpoint(host="localhost", port=25, tls=Tls.NONE, username="ada", password=PASSWORD),
        ),
        ({"BACKEND": "x"}, Endpoint(host="localhost", port=25, tls=Tls.NONE)),
    ],
)
def test_settings_say_where_and_how(settings: Any, endpoint: Endpoint) -> None:
    assert Endpoint.from_mapping(settings) == Configured(endpoint, {})
    assert Endpoint.from_mapping(MappingProxyType(settings)).endpoint == endpoint


def test_what_belongs_to_no_endpoint_comes_back_as_options() -> None:
    endpoint, options = Endpoint.from_mapping(
        EXAMPLE
        | {
            "EMAIL_TIMEOUT": 5,
            "EMAIL_SSL_CERTFILE": Path("/etc/client.pem"),
            "EMAIL_SSL_KEYFILE": "/etc/client.key",
        }
    )
    assert endpoint.host == "smtp.example.com"
    assert options == {
        "timeouts": Timeouts(
            connect=5, tls=5, greeting=5, mail=5, rcpt=5, data=5, content=5, command=5
        ),
        "client_certificate": ("/etc/client.pem", "/etc/client.key"),
    }
    assert options["timeouts"] is not None
    assert options["timeouts"].end_of_content == Timeouts().end_of_content


def test_the_key_may_be_in_the_same_file() -> None:
    options = Endpoint.from_mapping(
        {"host": "h", "ssl_certfile": "c.pem", "timeout": "2.5"}
    ).options
    assert options["client_certificate"] == ("c.pem", None)
    assert options["timeouts"] == Timeouts(
        connect=2.5, tls=2.5, greeting=2.5, mail=2.5, rcpt=2.5, data=2.5, content=2.5, command=2.5
    )


@pytest.mark.parametrize("yes", [True, "True", "1", " yes ", "ON"])
@pytest.mark.parametrize("no", [False, "False", "0", "no", "off", "", None])
def test_environments_write_flags_as_texts(yes: Any, no: Any) -> None:
    settings = EXAMPLE | {"EMAIL_USE_TLS": yes, "EMAIL_USE_SSL": no}
    assert Endpoint.from_mapping(settings).endpoint.tls is Tls.STARTTLS


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (EXAMPLE | {"EMAIL_USE_TLS": True, "EMAIL_USE_SSL": True}, "only one of them can be True"),
        (
            {"MAIL_USE_TLS": True, "MAIL_USE_SSL": True},
            "MAIL_USE_TLS means STARTTLS and MAIL_USE_S",
        ),
        (
            EXAMPLE | {"EMAIL_PORT": 465, "EMAIL_USE_TLS": True},
            "465 begins with TLS: say EMAIL_USE",
        ),
        (EXAMPLE | {"EMAIL_PORT": 465, "EMAIL_USE_SSL": False}, "465 begins with TLS"),
        ({"EMAIL_HOST": "/s", "EMAIL_USE_TLS": True}, "unix socket, which EMAIL_USE_TLS"),
        ({"EMAIL_HOST": "/s", "EMAIL_USE_SSL": True}, "unix socket, which EMAIL_USE_SSL"),
        ({"EMAIL_HOST": "/s", "EMAIL_PORT": 587}, "unix socket, which EMAIL_PORT"),
        ({"EMAIL_HOST": ""}, "EMAIL_HOST is empty"),
        ({"EMAIL_HOST": "a b"}, "not a host name"),
        ({"EMAIL_HOST": 5}, "EMAIL_HOST is a text, not int"),
        (EXAMPLE | {"EMAIL_PORT": "smtp"}, "EMAIL_PORT is a port, not 'smtp'"),
        (EXAMPLE | {"EMAIL_PORT": True}, "EMAIL_PORT is a port, not bool"),
        (EXAMPLE | {"EMAIL_PORT": 25.5}, "EMAIL_PORT is a port, not float"),
        (EXAMPLE | {"EMAIL_PORT": 0}, "a port is a number from 1"),
        (EXAMPLE | {"EMAIL_USE_TLS": "maybe"}, "EMAIL_USE_TLS is True or False, not 'maybe'"),
        (EXAMPLE | {"EMAIL_USE_TLS": 1}, "EMAIL_USE_TLS is True or False, not int"),
        (EXAMPLE | {"EMAIL_TIMEOUT": -1}, "is seconds above 0"),
        (EXAMPLE | {"EMAIL_TIMEOUT": "nan"}, "is seconds above 0"),
        (EXAMPLE | {"EMAIL_SSL_KEYFILE": "k"}, "EMAIL_SSL_KEYFILE needs EMAIL_SSL_CERTFILE"),
        (EXAMPLE | {"EMAIL_HOST_USER": "ada"}, "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD go togeth"),
        ({"MAIL_PASSWORD": PASSWORD}, "MAIL_USERNAME and MAIL_PASSWORD go together"),
        (EXAMPLE | LOGIN | {"EMAIL_USERNAME": "x"}, "'EMAIL_USERNAME' is no setting of Django"),
        (EXAMPLE | LOGIN | {"EMAIL_HOST_PASSWORD": 5}, "EMAIL_HOST_PASSWORD is a text, not int"),
        (
            {"MAIL_SERVER": "h", "MAIL_STARTTLS": True},
            "'MAIL_STARTTLS' is no setting of Flask-Mail",
        ),
        ({"host": "h", "ssl": True}, "'ssl' is no setting of MAILERS"),
        (EXAMPLE | {"MAIL_SERVER": "h"}, "settings of two frameworks"),
        ({"DEBUG": True}, "no settings of a mail server; a server is named by one of EMAIL_HOST"),
        ({}, "no settings of a mail server"),
        (
            {"BACKEND": "x", "HOST": "h"},
            "an entry of MAILERS holds BACKEND and OPTIONS, and no 'HO",
        ),
        ({"BACKEND": "x", "OPTIONS": "h"}, "OPTIONS is a mapping, not 'h'"),
        ({"OPTIONS": None}, "OPTIONS is a mapping, not NoneType"),
    ],
)
def test_settings_that_are_wrong(settings: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        Endpoint.from_mapping(settings)
    assert_hidden(PASSWORD, shown(caught.value))


@pytest.mark.parametrize("settings", [None, "EMAIL_HOST=h", [("EMAIL_HOST", "h")]])
def test_settings_are_a_mapping(settings: Any) -> None:
    with pytest.raises(TypeError, match="settings are a mapping, not"):
        Endpoint.from_mapping(settings)


def test_the_password_is_a_secret() -> None:
    found = Endpoint.from_mapping(EXAMPLE | LOGIN)
    assert found.endpoint.password == Secret(PASSWORD)
    assert_hidden(PASSWORD, repr(found))
