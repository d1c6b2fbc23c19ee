"""The options of a session: given once, checked once, for both adapters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Final, TypeAlias

from typing_extensions import TypeIs

from ehlo.address import address_literal
from ehlo.commands import Ehlo
from ehlo.dialogues import Opening, Transaction, open_session
from ehlo.endpoint import read_server
from ehlo.envelope import Envelope
from ehlo.errors import InvalidInput
from ehlo.options import ConnectOptions
from ehlo.policies import Cleartext, Hello, OnRefusal, Pipelining, Tls, chosen
from ehlo.protocol import Connection
from ehlo.proxy import read_proxy
from ehlo.runtime.ambient import (
    context_with,
    default_context,
    make_id,
    make_nonce,
    now,
    traces,
)
from ehlo.runtime.link import Link
from ehlo.runtime.route import Route
from ehlo.sasl import Channel, Password, require_credentials
from ehlo.text import refuse_control_characters, require_str
from ehlo.timeouts import Timeouts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection

    from ehlo.dialogues import Dialogue
    from ehlo.endpoint import Endpoint, Found
    from ehlo.errors import SMTPError
    from ehlo.message import Sendable
    from ehlo.options import Progress
    from ehlo.proxy_header import ProxyHeader
    from ehlo.sasl import CredentialsLike
    from ehlo.transcript import Transcript

__all__ = ["Settings"]


Watch: TypeAlias = "Callable[[str, Connection, Dialogue[None]], Dialogue[None]]"
"""Is given the server, a Connection, and what opens a session there; runs it, and may look on."""


PassedOver: TypeAlias = "Callable[[str, SMTPError], None]"
"""Is told of a server that could not be had, when the next one is about to be tried."""


def _unheard(_server: str, _error: SMTPError) -> None:
    pass


def _unwatched(_server: str, _connection: Connection, dialogue: Dialogue[None]) -> Dialogue[None]:
    return dialogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one session, checked, with all defaults filled in.

    Attributes:
        endpoint: The server.
        tls: When the connection is encrypted.
        credentials: Whom to authenticate as.
        cleartext: Whether credentials may travel unencrypted, loopback considered.
        timeouts: The deadlines.
        name: The EHLO name, or None for the socket's address.
        hello: How to introduce the client.
        pipelining: How many commands may be under way at once.
        without: EHLO keywords to overlook.
        proxy_header: What to say before anything else.
        transcript: Where to record the dialogue.
        make_context: Returns the TLS context.
        server_hostname: The name that the server's certificate must be for.
        route: The way to the server.
        alternatives: The settings of the servers to try where this one cannot be had.
        watch: See `Watch`.
        on_passed_over: See `PassedOver`.
    """

    endpoint: Endpoint
    tls: Tls
    credentials: CredentialsLike | None = None
    cleartext: Cleartext = Cleartext.REFUSE
    timeouts: Timeouts = field(default_factory=Timeouts)
    name: str | None = None
    hello: Hello = Hello.EHLO
    pipelining: Pipelining = Pipelining.TRANSACTION
    without: tuple[str, ...] = ()
    proxy_header: ProxyHeader | None = None
    transcript: Transcript | None = None
    make_context: Callable[[], ssl.SSLContext] = default_context
    server_hostname: str = ""
    route: Route = field(default_factory=Route)
    alternatives: tuple[Settings, ...] = ()
    watch: Watch = _unwatched
    on_passed_over: PassedOver = _unheard

    def __post_init__(self) -> None:
        """Refuse what cannot be had together.

        Raises:
            InvalidInput: STARTTLS or credentials without EHLO.
        """
        if self.hello is Hello.EHLO:
            return
        if self.tls is Tls.STARTTLS:
            msg = f"STARTTLS needs EHLO; with hello={str(self.hello)!r} say tls='none' as well"
            raise InvalidInput(msg)
        if self.credentials is not None:
            msg = f"authentication needs EHLO, and so cannot be had with hello={str(self.hello)!r}"
            raise InvalidInput(msg)

    @classmethod
    def of(
        cls,
        server: str | Found,
        options: ConnectOptions,
        known: type[ConnectOptions] = ConnectOptions,
    ) -> Settings:
        """Check the arguments of `connect`.

        Args:
            server: A URL, an endpoint or several, or what `read_server` has found wrong.
            options: The keyword arguments.
            known: Which there are, for the error that says so.

        Returns:
            The settings of the first server, which know those of the others.

        Raises:
            InvalidInput: A value is wrong, or two contradict each other.
            TypeError: A value is of another type, or there is no such option: a misspelt one must
                not be lost without a word.
        """
        found = read_server(server)
        del server  # a URL may hold a password, and tracebacks show local variables
        if options.get("proxy") is not None:  # likewise
            options["proxy"] = read_proxy(options["proxy"])  # type: ignore[typeddict-item]
        credentials = options.get("auth")
        if credentials is not None:  # first of all: an error before this could show a password
            try:
                require_credentials(credentials)
            except TypeError:
                del credentials  # it may be a password, and tracebacks show local variables
                options.clear()  # type: ignore[attr-defined]  # nobody needs them any more
                raise
        _refuse_unknown(options, known)
        if isinstance(found, Exception):
            raise found
        endpoints = found if isinstance(found, tuple) else (found,)
        route = Route.of(endpoints, options)
        make_context = _make_context(options)
        first, *others = (cls._at(one, options, route, make_context) for one in endpoints)
        return replace(first, alternatives=tuple(others)) if others else first

    @classmethod
    def _at(
        cls,
        endpoint: Endpoint,
        options: ConnectOptions,
        route: Route,
        make_context: Callable[[], ssl.SSLContext],
    ) -> Settings:
        tls = options.get("tls")
        name = options.get("name")
        credentials = options.get("auth")
        if name is not None:
            Ehlo(name)  # refuses what is no EHLO name
        cleartext = chosen(Cleartext, options.get("cleartext", Cleartext.REFUSE))
        # Behind a proxy "localhost" is another machine, and who knows where a connector leads to.
        stays_here = endpoint.is_loopback and route.is_direct
        return cls(
            endpoint=endpoint,
            tls=endpoint.tls if tls is None else chosen(Tls, tls),
            credentials=_from_url(endpoint) if credentials is None else credentials,
            cleartext=Cleartext.ALLOW_CREDENTIALS if stays_here else cleartext,
            timeouts=_timeouts(options.get("timeouts")),
            name=name,
            hello=chosen(Hello, options.get("hello", Hello.EHLO)),
            pipelining=chosen(Pipelining, options.get("pipelining", Pipelining.TRANSACTION)),
            without=_keywords(options.get("without", ())),
            proxy_header=options.get("proxy_header"),
            transcript=_transcript(options.get("transcript")),
            make_context=make_context,
            server_hostname=_hostname(options.get("server_hostname")) or endpoint.host,
            route=route,
        )

    def watched(self, watch: Watch, on_passed_over: PassedOver = _unheard) -> Settings:
        """Return the same settings, with somebody who looks on when the session is opened.

        Args:
            watch: See `Watch`; the same for all servers.
            on_passed_over: See `PassedOver`.

        Returns:
            The settings of the first server, which know those of the others.
        """
        others = tuple(other.watched(watch) for other in self.alternatives)
        return replace(self, watch=watch, on_passed_over=on_passed_over, alternatives=others)

    def link(self, clock: Callable[[], float]) -> Link:
        """Return a new Connection and its link.

        Args:
            clock: Returns seconds, for the transcript.

        Returns:
            The link.
        """
        if self.transcript is not None and self.transcript.clock is None:
            self.transcript.clock = clock
        trace = traces(self.transcript)
        link = Link(
            Connection(protocol=self.endpoint.protocol, without=self.without, trace=trace),
            server_hostname=self.server_hostname,
            make_context=self.make_context,
            trace=trace,
        )
        link.settings = self
        if self.proxy_header is not None:
            link.unsent += self.proxy_header.octets()
        return link

    def opening(self, socket_name: object) -> Opening:
        """Return how the session is to be opened.

        Args:
            socket_name: The socket's own address, as `getsockname` tells it.

        Returns:
            What the opening dialogue takes.
        """
        return Opening(
            name=self.name or address_literal(socket_name),
            tls=self.tls,
            hello=self.hello,
            credentials=self.credentials,
            cleartext=self.cleartext,
            channel=self.channel,
        )

    def open(self, connection: Connection, socket_name: object) -> Dialogue[None]:
        """Open the session, while whoever is interested looks on.

        Args:
            connection: A Connection that has seen nothing yet.
            socket_name: The socket's own address, as `getsockname` tells it.

        Returns:
            The dialogue.
        """
        dialogue = open_session(connection, self.opening(socket_name))
        return self.watch(str(self.endpoint), connection, dialogue)

    @property
    def channel(self) -> Channel:
        """What a SASL exchange may need to know, so far as it is known before there is one."""
        endpoint = self.endpoint
        return Channel(host=endpoint.host, port=endpoint.port, make_nonce=make_nonce)

    def transaction(
        self,
        message: Sendable,
        envelope: Envelope | None,
        on_refusal: OnRefusal | str,
        *,
        clock: Callable[[], float] | None = None,
        progress: Progress | None = None,
    ) -> Transaction:
        """Make a transaction of what a caller wants to send.

        Args:
            message: The message, or its octets.
            envelope: Sender and recipients; None takes them from the message's header.
            on_refusal: What to do if some recipients are refused.
            clock: Tells seconds, for the timings of the receipt.
            progress: Is told how many octets of content were sent, of how many if that is known.

        Returns:
            The transaction.

        Raises:
            InvalidInput: The message cannot be sent as it is.
        """
        _require_envelope(envelope)
        return Transaction.of(
            message,
            envelope,
            on_refusal=on_refusal,
            pipelining=self.pipelining,
            now=now,
            make_id=make_id,
            clock=clock,
            progress=progress,
        )

    def preparing(
        self, on_refusal: OnRefusal | str, clock: Callable[[], float]
    ) -> Callable[[Sendable | tuple[Sendable, Envelope]], Transaction]:
        """Return what makes a transaction of each item of `send_many`.

        Args:
            on_refusal: What to do if some recipients of a message are refused.
            clock: Tells seconds, for the timings of the receipts.

        Returns:
            A function of one item: a message, or a pair of a message and its envelope.

        Raises:
            InvalidInput: There is no such policy.
        """
        policy = chosen(OnRefusal, on_refusal)

        def prepare(item: Sendable | tuple[Sendable, Envelope]) -> Transaction:
            if _is_pair(item):
                return self.transaction(item[0], item[1], policy, clock=clock)
            return self.transaction(item, None, policy, clock=clock)

        return prepare


def _require_envelope(given: object) -> None:
    if given is not None and not isinstance(given, Envelope):
        raise TypeError(f"envelope= is an ehlo.Envelope, not {type(given).__name__}")


def _is_pair(
    item: Sendable | tuple[Sendable, Envelope],
) -> TypeIs[tuple[Sendable, Envelope]]:
    if not (isinstance(item, tuple) and len(item) == _PAIR):
        return False
    return _is_envelope(item[1])


def _is_envelope(second: object) -> bool:
    if second is None or isinstance(second, Envelope):
        return True
    if isinstance(second, bytes | bytearray | memoryview):  # pieces of content
        return False
    raise TypeError(f"the second of a pair is an ehlo.Envelope, not {type(second).__name__}")


_PAIR: Final = 2


def _keywords(without: Collection[str]) -> tuple[str, ...]:
    """Read a collection of EHLO keywords; a text is one, and not its letters."""
    keywords = (without,) if isinstance(without, str) else tuple(without)
    for keyword in keywords:
        refuse_control_characters("an EHLO keyword", require_str("an EHLO keyword", keyword))
    return keywords


def _hostname(name: str | None) -> str:
    """Read the name that a certificate must be for: `ssl` would refuse it only when connected."""
    if name is None:
        return ""
    return refuse_control_characters("server_hostname=", require_str("server_hostname=", name))


def _refuse_unknown(options: ConnectOptions, known: type[ConnectOptions]) -> None:
    for name in options:
        if name not in known.__annotations__:
            from difflib import get_close_matches  # noqa: PLC0415 - heavy, and for this alone

            names = sorted(known.__annotations__)
            close = " or ".join(map(repr, get_close_matches(name, names)))
            meant = f" (did you mean {close}?)" if close else ""
            raise TypeError(f"there is no option {name!r}{meant}; there are {', '.join(names)}")


_TIMEOUTS: Final = Timeouts()


def _timeouts(given: object) -> Timeouts:
    if given is None:
        return _TIMEOUTS
    if not isinstance(given, Timeouts):
        kind = type(given).__name__
        raise TypeError(f"timeouts= is such as ehlo.Timeouts(total=30), in seconds, not {kind}")
    return given


def _transcript(given: Transcript | None) -> Transcript | None:
    if given is not None and not hasattr(given, "clock"):  # by what is used: it need not be loaded
        raise TypeError(f"transcript= is an ehlo.Transcript, not {type(given).__name__}")
    return given


def _from_url(endpoint: Endpoint) -> CredentialsLike | None:
    if endpoint.username is None:
        return None
    if endpoint.password is None:
        msg = "the server URL names a user without a password; say auth=ehlo.Password(...)"
        raise InvalidInput(msg)
    return Password(endpoint.username, endpoint.password)


def _make_context(options: ConnectOptions) -> Callable[[], ssl.SSLContext]:
    """Return what makes the TLS context, once it is needed: to load ssl takes long."""
    context, certificate = options.get("ssl_context"), options.get("client_certificate")
    if context is None:
        return default_context if certificate is None else _with_certificate(certificate)
    if certificate is not None:
        msg = "ssl_context= has the client's certificate, if any: client_certificate= is without it"
        raise InvalidInput(msg)
    if not hasattr(context, "wrap_bio"):  # by what is used of it, as ssl need not be loaded
        msg = f"ssl_context= is an ssl.SSLContext, not {type(context).__name__}"
        raise TypeError(msg)
    return lambda: context


def _with_certificate(certificate: object) -> Callable[[], ssl.SSLContext]:
    match certificate:
        case (str(path), str() | None as key):
            return cache(partial(context_with, path, key))
        case _:
            pass
    msg = "client_certificate= is a pair: the paths of the certificate and of the key, or None"
    raise TypeError(msg)
