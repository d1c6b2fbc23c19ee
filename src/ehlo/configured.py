"""An endpoint from the settings of a web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ehlo.endpoint import (
    PORT_IMPLICIT_TLS,
    PORT_SMTP,
    Endpoint,
    default_tls,
    is_loopback,
)
from ehlo.errors import InvalidInput
from ehlo.options import ConnectOptions
from ehlo.policies import Tls
from ehlo.secret import Secret
from ehlo.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Configured", "read_mapping"]


class Configured(NamedTuple):
    """What the settings of a web framework say: `connect(found.endpoint, **found.options)`.

    Attributes:
        endpoint: The server, with user and password.
        options: What belongs to no endpoint: `timeouts` and `client_certificate`, so far as the
            settings speak of them.
    """

    endpoint: Endpoint
    options: ConnectOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Family:
    """The names that one framework has for the settings of a mail server.

    Attributes:
        name: Whose they are.
        prefix: What all of them begin with; empty if the mapping holds nothing else.
        ignored: Those that say nothing about the server.
    """

    name: str
    prefix: str
    host: str
    port: str
    username: str
    password: str
    starttls: str
    implicit: str
    timeout: str = ""
    certificate: str = ""
    key: str = ""
    ignored: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        """The settings that are read."""
        names = (self.host, self.port, self.username, self.password, self.starttls, self.implicit)
        return frozenset((*names, self.timeout, self.certificate, self.key)) - {""}


_DJANGO: Final = _Family(
    name="Django",
    prefix="EMAIL_",
    host="EMAIL_HOST",
    port="EMAIL_PORT",
    username="EMAIL_HOST_USER",
    password="EMAIL_HOST_PASSWORD",  # noqa: S106 - the name of a setting
    starttls="EMAIL_USE_TLS",
    implicit="EMAIL_USE_SSL",
    timeout="EMAIL_TIMEOUT",
    certificate="EMAIL_SSL_CERTFILE",
    key="EMAIL_SSL_KEYFILE",
    ignored=frozenset(
        {"EMAIL_BACKEND", "EMAIL_FILE_PATH", "EMAIL_SUBJECT_PREFIX", "EMAIL_USE_LOCALTIME"}
    ),
)
_FLASK_MAIL: Final = _Family(
    name="Flask-Mail",
    prefix="MAIL_",
    host="MAIL_SERVER",
    port="MAIL_PORT",
    username="MAIL_USERNAME",
    password="MAIL_PASSWORD",  # noqa: S106 - the name of a setting
    starttls="MAIL_USE_TLS",
    implicit="MAIL_USE_SSL",
    ignored=frozenset(
        {
            "MAIL_ASCII_ATTACHMENTS",
            "MAIL_DEBUG",
            "MAIL_DEFAULT_SENDER",
            "MAIL_MAX_EMAILS",
            "MAIL_SUPPRESS_SEND",
        }
    ),
)
# Django 6.1: what stands under OPTIONS are the arguments of the backend.
_MAILERS: Final = _Family(
    name="MAILERS",
    prefix="",
    host="host",
    port="port",
    username="username",
    password="password",  # noqa: S106 - the name of an option
    starttls="use_tls",
    implicit="use_ssl",
    timeout="timeout",
    certificate="ssl_certfile",
    key="ssl_keyfile",
    ignored=frozenset({"fail_silently"}),
)
_ENTRY: Final = frozenset({"BACKEND", "OPTIONS"})


def read_mapping(settings: object) -> Configured | InvalidInput | TypeError:
    """Read the settings of a web framework, and return what is wrong rather than raise it.

    The reason is that of `ehlo.endpoint.read_server`.

    Args:
        settings: The settings.

    Returns:
        What they say, or the error.
    """
    if not isinstance(settings, Mapping):
        return TypeError(f"settings are a mapping, not {type(settings).__name__}")
    fault = ""
    try:
        return _read(_Settings.of(cast("Mapping[str, object]", settings)))
    except InvalidInput as exc:
        fault = str(exc)
    return InvalidInput(fault)


class _Settings:
    """The settings of one family; its errors name a setting and its type, and no value of it."""

    def __init__(self, family: _Family, values: Mapping[str, object]) -> None:
        self.family = family
        self._values = {name: values[name] for name in family.known if name in values}

    @classmethod
    def of(cls, values: Mapping[str, object]) -> _Settings:
        """Find out whose settings they are, and refuse those that nobody knows.

        Raises:
            InvalidInput: They are of no family, or of two; or one of them is unknown.
        """
        values = _options_of(values)
        found = [f for f in (_DJANGO, _FLASK_MAIL) if not f.known.isdisjoint(values)]
        if not found and not _MAILERS.known.isdisjoint(values):
            found = [_MAILERS]
        if len(found) != 1:
            right = ", ".join(f"{f.host} ({f.name})" for f in (_DJANGO, _FLASK_MAIL, _MAILERS))
            why = "settings of two frameworks" if found else "no settings of a mail server"
            msg = f"these are {why}; a server is named by one of {right}"
            raise InvalidInput(msg)
        [family] = found
        _refuse_unknown(family, values)
        return cls(family, values)

    def text(self, name: str, default: str = "") -> str:
        """Return a text, or the default if there is none."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise _wrong(name, "a text", value)
        return value

    def path(self, name: str) -> str:
        """Return the path of a file; empty if there is none."""
        value = self._values.get(name)
        return str(value) if hasattr(value, "__fspath__") else self.text(name)

    def flag(self, name: str) -> bool | None:
        """Return a flag; None if nothing is said."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        found = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
        if found is None:
            raise _wrong(name, "True or False", value)
        return found

    def number(self, name: str, kind: Callable[[str], float], what: str) -> float | None:
        """Return a number, which may be written as a text; None if nothing is said."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                return kind(str(value))
            except ValueError:
                pass
        raise _wrong(name, what, value)


_FLAGS: Final = {"true": True, "1": True, "yes": True, "on": True} | {
    "false": False,
    "0": False,
    "no": False,
    "off": False,
    "": False,
}
"""How environments write flags: a text that says no must not count as a yes."""


def _wrong(name: str, right: str, value: object) -> InvalidInput:
    shown = f"{value!r:.40}" if isinstance(value, str) else type(value).__name__
    return InvalidInput(f"{name} is {right}, not {shown}")


def _options_of(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the options of an entry of MAILERS; other settings as they are."""
    if _ENTRY.isdisjoint(values):
        return values
    for name in values:
        if name not in _ENTRY:
            msg = f"an entry of MAILERS holds {' and '.join(sorted(_ENTRY))}, and no {name!r}"
            raise InvalidInput(msg)
    options = values.get("OPTIONS", {})
    if not isinstance(options, Mapping):
        raise _wrong("OPTIONS", "a mapping", options)
    found = cast("Mapping[str, object]", options)
    return found if _MAILERS.host in found else {_MAILERS.host: None, **found}


def _refuse_unknown(family: _Family, values: Mapping[str, object]) -> None:
    for name in values:
        if not str(name).startswith(family.prefix):
            continue
        if name not in family.known and name not in family.ignored:
            known = ", ".join(sorted(family.known))
            msg = f"{name!r} is no setting of {family.name} for a mail server; known: {known}"
            raise InvalidInput(msg)


def _read(settings: _Settings) -> Configured:
    family = settings.family
    host = settings.text(family.host, "localhost")
    number = settings.number(family.port, int, "a port")
    port = None if number is None else int(number)
    username, password = _credentials(settings)
    if not host:
        msg = f"{family.host} is empty"
        raise InvalidInput(msg)
    if host.startswith("/"):
        _refuse_for_socket(settings, port)
        endpoint = Endpoint(path=host, tls=Tls.NONE, username=username, password=password)
    else:
        port = PORT_SMTP if port is None else port
        endpoint = Endpoint(
            host=host,
            port=port,
            tls=_tls(settings, port, host),
            username=username,
            password=password,
        )
    return Configured(endpoint, _options(settings))


def _credentials(settings: _Settings) -> tuple[str | None, Secret | None]:
    family = settings.family
    username = settings.text(family.username)
    password = Secret(settings.text(family.password))
    if bool(username) != (password != _NO_PASSWORD):
        msg = f"{family.username} and {family.password} go together"
        raise InvalidInput(msg)
    return (username, password) if username else (None, None)


_NO_PASSWORD: Final = Secret("")


def _tls(settings: _Settings, port: int, host: str) -> Tls:
    family = settings.family
    starttls, implicit = settings.flag(family.starttls), settings.flag(family.implicit)
    if starttls and implicit:
        msg = (
            f"{family.starttls} means STARTTLS and {family.implicit} means TLS from the first "
            "octet: only one of them can be True"
        )
        raise InvalidInput(msg)
    if implicit:
        return Tls.IMPLICIT
    if port == PORT_IMPLICIT_TLS and (starttls or implicit is False):
        msg = f"port {port} begins with TLS: say {family.implicit} = True, and no {family.starttls}"
        raise InvalidInput(msg)
    if starttls:
        return Tls.STARTTLS
    # Whoever has written False has said so; where nothing stands, the default of URLs is meant.
    return default_tls(port, local=is_loopback(host)) if starttls is None else Tls.NONE


def _refuse_for_socket(settings: _Settings, port: int | None) -> None:
    family = settings.family
    for name in (family.starttls, family.implicit):
        if settings.flag(name):
            msg = f"{family.host} is the path of a unix socket, which {name} does not go with"
            raise InvalidInput(msg)
    if port not in {None, PORT_SMTP}:  # which is the frameworks' own default
        msg = f"{family.host} is the path of a unix socket, which {family.port} does not go with"
        raise InvalidInput(msg)


def _options(settings: _Settings) -> ConnectOptions:
    family = settings.family
    options = ConnectOptions()
    seconds = settings.number(family.timeout, float, "a number of seconds")
    if seconds is not None:
        options["timeouts"] = _timeouts(seconds)
    certificate, key = settings.path(family.certificate), settings.path(family.key)
    if key and not certificate:
        msg = f"{family.key} needs {family.certificate}"
        raise InvalidInput(msg)
    if certificate:
        options["client_certificate"] = (certificate, key or None)
    return options


def _timeouts(seconds: float) -> Timeouts:
    """Return the time limit of a socket as deadlines.

    The end of the content keeps its own: giving up there is how messages get sent twice.
    """
    return Timeouts(
        connect=seconds,
        tls=seconds,
        greeting=seconds,
        mail=seconds,
        rcpt=seconds,
        data=seconds,
        content=seconds,
        command=seconds,
    )
